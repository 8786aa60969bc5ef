//! More than one way to the sum over all paths.

use chainrule_autograd_manual::Param;
use chainrule_tensor::Scalar;
use serde::Serialize;

use crate::best::enumerate;
use crate::graph::{Graph, Step};
use crate::local::dot;
use crate::{Derivative, ExplainError, Explainer, PathCount};

/// More paths are not listed one by one.
const LISTED: u128 = 1_000_000;
/// What rounding may leave between two ways to one sum, over `Σ |terms|`, in `f64`.
const TOLERANCE: f64 = 1e-12;

/// Whether the ways to `Σ paths` agree: backpropagation through the graph ([`crate::Paths::sum`]),
/// the network's own backpropagation, and, of at most a million paths, their explicit list.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Certificate {
    /// The derivative by the network's own backpropagation, in its element type.
    pub gradient: f64,
    /// `|gradient − Σ paths|`.
    pub difference: f64,
    /// What `difference` may be: 10⁻¹² `Σ |terms|` in `f64`, in proportion to the rounding in
    /// `f32`. The terms are the paths; within a softmax, where `h_j (1[j = k] − h_k)` is a
    /// difference, its two.
    pub bound: f64,
    /// The sum of all paths, listed one by one; `None` if there are more than a million.
    pub listed: Option<f64>,
    /// `|listed − Σ paths|`.
    pub listed_difference: Option<f64>,
    /// What `listed_difference` may be: 10⁻¹² `Σ |paths|`.
    pub listed_bound: f64,
    /// Whether no difference is beyond its bound.
    pub holds: bool,
}

/// The sums of a batch, gathered example by example.
#[derive(Debug, Default)]
pub(crate) struct Sums {
    sum: f64,
    magnitude: f64,
    terms: f64,
    gradient: f64,
    listed: Option<Compensated>,
}

/// A sum with the rounding errors kept (Neumaier).
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Compensated {
    sum: f64,
    lost: f64,
}

impl Compensated {
    pub(crate) fn add(&mut self, x: f64) {
        let sum = self.sum + x;
        self.lost += match self.sum.abs() >= x.abs() {
            true => (self.sum - sum) + x,
            false => (x - sum) + self.sum,
        };
        self.sum = sum;
    }

    pub(crate) fn value(self) -> f64 {
        self.sum + self.lost
    }
}

impl Sums {
    /// Adds an example; `paths` is the number over all examples.
    pub(crate) fn add<S: Scalar>(
        &mut self,
        explainer: &Explainer<'_, S>,
        graph: &Graph<'_, S>,
        param: Param,
        row: usize,
        paths: PathCount,
    ) -> Result<(), ExplainError> {
        let magnitude = arrives(graph, f64::abs, graph.param.value.abs());
        if !magnitude.is_finite() {
            return Err(explainer.not_finite(param, row));
        }
        self.sum += arrives(graph, |x| x, graph.param.value);
        self.magnitude += magnitude;
        self.terms += terms(graph);
        self.gradient += explainer.gradient(param, row)?;
        if paths.exact().is_some_and(|count| count <= LISTED) {
            let listed = self.listed.get_or_insert_default();
            enumerate(graph, |product| listed.add(product));
        }
        Ok(())
    }

    pub(crate) fn sum(&self) -> f64 {
        self.sum
    }

    pub(crate) fn magnitude(&self) -> f64 {
        self.magnitude
    }

    /// The certificate of these sums, each multiplied by `scale`.
    pub(crate) fn certificate<S: Scalar>(&self, scale: f64) -> Certificate {
        let precision = S::epsilon().as_f64() / f64::EPSILON;
        let difference = (self.gradient - self.sum).abs() * scale;
        // Below the smallest normal number, precision fades.
        let smallest = S::min_positive_value().as_f64();
        let bound = TOLERANCE * precision * self.terms * scale + smallest;
        let listed = self.listed.map(Compensated::value);
        let listed_difference = listed.map(|listed| (listed - self.sum).abs() * scale);
        let listed_bound = TOLERANCE * self.magnitude * scale + f64::MIN_POSITIVE;
        let holds = difference <= bound && listed_difference.is_none_or(|d| d <= listed_bound);
        Certificate {
            gradient: self.gradient * scale,
            difference,
            bound,
            listed: listed.map(|listed| listed * scale),
            listed_difference,
            listed_bound,
            holds,
        }
    }
}

/// What backpropagation with `f` of every factor brings to the parameter.
fn arrives<S: Scalar>(graph: &Graph<'_, S>, f: impl Fn(f64) -> f64, param: f64) -> f64 {
    let mut v: Vec<f64> = graph.top.iter().map(|&g| f(g)).collect();
    for step in &graph.steps {
        v = step.down(&v, &f);
    }
    v[graph.target] * param
}

/// `Σ |terms|`: the paths' magnitudes, an edge of a softmax counting as `h_j (1[j = k] + h_k)`.
fn terms<S: Scalar>(graph: &Graph<'_, S>) -> f64 {
    let mut v: Vec<f64> = graph.top.iter().map(|g| g.abs()).collect();
    for step in &graph.steps {
        v = match step {
            Step::Local(Derivative::Softmax(h)) => {
                let mean = dot(&v, h);
                v.iter().zip(h).map(|(v, h)| h * (v + mean)).collect()
            }
            _ => step.down(&v, &f64::abs),
        };
    }
    v[graph.target] * graph.param.value.abs()
}
