//! The strongest paths from the loss to one weight or bias.

mod text;

use chainrule_autograd_manual::Param;
use chainrule_loss::Reduction;
use chainrule_tensor::Scalar;
use serde::Serialize;

use crate::best::{self, Ranked};
use crate::certificate::{Certificate, Sums};
use crate::graph::Graph;
use crate::text::as_text;
use crate::{ExplainError, Explainer, Factor, Node, PathCount};

/// One path from the loss to the parameter, for one example: a product of named factors.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Path {
    /// The example, as [`Explainer::labelled`] calls it.
    pub row: usize,
    /// The units it passes, from the loss down to `a_{ij}`.
    pub nodes: Vec<Node>,
    /// Its factors, from `∂L/∂…` down to `∂a_{ij}/∂W_{ijk}`.
    pub factors: Vec<Factor>,
    /// The product of the factors: what the path contributes to the example's derivative.
    pub value: f64,
    /// The contribution over `Σ |paths|`, with its sign; over all paths, `|share|` adds up to 1. 0
    /// where `Σ |paths|` is 0.
    pub share: f64,
}

/// `∂L/∂W_{ijk}` as the sum over all paths from the loss to the weight (lecture 4.4, the wide
/// network): the paths with the largest absolute contributions, and what is needed to judge them.
///
/// Of a batch, (example, path) pairs are ranked; [`Paths::sum`] and [`Paths::magnitude`] are then
/// the mean (or, if the loss sums, the sum) over the examples, and a pair contributes its value
/// divided by the number of examples (or its value).
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Paths {
    /// The weight or bias.
    #[serde(serialize_with = "as_text")]
    pub param: Param,
    /// The examples, as [`Explainer::labelled`] calls them.
    pub rows: Vec<usize>,
    /// How the examples become one value.
    pub reduction: Reduction,
    /// How many paths there are, over all examples.
    pub count: PathCount,
    /// How many of them have no factor 0.
    pub live: PathCount,
    /// `Σ paths = ∂L/∂W_{ijk}`, by backpropagation through the graph in `f64`.
    pub sum: f64,
    /// `Σ |paths|`, by one backward pass with absolute values.
    pub magnitude: f64,
    /// The paths with the largest `|value|`, from the largest.
    pub strongest: Vec<Path>,
    /// What they cover of `Σ |paths|`; 1 if all are there, or nothing is to cover.
    pub covered: f64,
    /// Two more ways to the same sum.
    pub certificate: Certificate,
}

impl Paths {
    /// The cancellation index `|Σ paths| / Σ |paths|`: 1 if all paths agree on the sign, near 0 if
    /// they argue. `None` if every path is 0.
    pub fn cancellation(&self) -> Option<f64> {
        (self.magnitude > 0.0).then(|| (self.sum.abs() / self.magnitude).min(1.0))
    }

    /// What the strongest paths add up to, in the same mean or sum as [`Paths::sum`].
    pub fn strongest_sum(&self) -> f64 {
        self.strongest.iter().map(|path| path.share).sum::<f64>() * self.magnitude
    }
}

impl<S: Scalar> Explainer<'_, S> {
    /// The `k` strongest paths from the loss to a weight or bias for the example `row`, from 0; all
    /// of them if there are no more than `k`.
    ///
    /// Found by dynamic programming in about `k` × (number of weights) steps, never by listing.
    /// After [`Explainer::unfused`] a path begins with `∂L/∂ŷ · ∂ŷ/∂a_L`. Each unit pair of a
    /// softmax layer is an edge. Paths through a neuron that is off count, with contribution 0.
    ///
    /// # Errors
    /// As [`Explainer::explain`]; [`ExplainError::NoPaths`] if `k` is 0,
    /// [`ExplainError::TooManyPaths`] if so many would not fit into memory,
    /// [`ExplainError::NotFinite`] if a factor is infinite or NaN.
    ///
    /// ```
    /// # use chainrule_autograd_manual::{Network, Workspace};
    /// # use chainrule_explain::Explainer;
    /// # use chainrule_layers::{Activation, Dense};
    /// # use chainrule_loss::{SquaredError, Targets};
    /// # use chainrule_tensor::Matrix;
    /// // a_1 = W_1 x, ŷ = W_2 a_1, no biases in use: ŷ = (3, 2) · (2, −1) = 4, L = (4 − 3.5)².
    /// let mut network = Network::new(vec![
    ///     Box::new(Dense::new(1, 2, Activation::Identity)?),
    ///     Box::new(Dense::new(2, 1, Activation::Identity)?),
    /// ])?;
    /// network.theta_mut().copy_from_slice(&[2.0, -1.0, 0.0, 0.0, 3.0, 2.0, 0.0]);
    /// let (x, y) = (Matrix::from_rows(&[[1.0]]), Matrix::from_rows(&[[3.5]]));
    /// let mut workspace = Workspace::new(&network, 1)?;
    /// let forward = network.forward(x.view(), &mut workspace)?;
    /// let targets = Targets::Values(y.view());
    /// let backward = forward.output_units(&SquaredError::new(), targets)?.hidden_units();
    /// let paths = Explainer::new(&backward).paths("W_111".parse()?, 0, 10)?;
    /// assert_eq!(paths.count.exact(), Some(1));
    /// assert_eq!(paths.strongest[0].value, 3.0); // 2 (4 − 3.5) · 3 · g' = 1 · x = 1
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn paths(&self, param: Param, row: usize, k: usize) -> Result<Paths, ExplainError> {
        self.check(param, row)?;
        self.paths_of(param, row..row + 1, k)
    }

    /// The `k` strongest (example, path) pairs over the whole batch.
    ///
    /// # Errors
    /// As [`Explainer::paths`].
    pub fn batch_paths(&self, param: Param, k: usize) -> Result<Paths, ExplainError> {
        self.paths_of(param, 0..self.backward.forward().examples(), k)
    }

    fn paths_of(
        &self,
        param: Param,
        rows: std::ops::Range<usize>,
        k: usize,
    ) -> Result<Paths, ExplainError> {
        // One example alone is told by its own derivative, whatever the batch.
        let reduction = if rows.len() == 1 { Reduction::Sum } else { self.backward.reduction() };
        let (mut count, mut live) = (PathCount::ZERO, PathCount::ZERO);
        let mut sums = Sums::default();
        let mut best: Vec<(usize, Ranked)> = Vec::new();
        let mut names = None;
        for row in rows.clone() {
            let graph = Graph::new(self, param, row)?;
            if names.is_none() {
                best::check(&graph, k, graph.count().times(rows.len()))?;
            }
            sums.add(self, &graph, param, row, graph.count().times(rows.len()))?;
            count = count.plus(graph.count());
            live = live.plus(graph.live());
            best.extend(best::strongest(&graph, k).into_iter().map(|path| (row, path)));
            // Stable: of equals the first example.
            best.sort_by(|(_, a), (_, b)| b.value.abs().total_cmp(&a.value.abs()));
            best.truncate(k);
            names = Some(graph);
        }
        let scale = match reduction {
            Reduction::Mean => 1.0 / rows.len() as f64,
            Reduction::Sum => 1.0,
        };
        let certificate = sums.certificate::<S>(scale);
        let (sum, magnitude) = (sums.sum() * scale, sums.magnitude() * scale);
        let share = |value: f64| if magnitude == 0.0 { 0.0 } else { value * scale / magnitude };
        let graph = names.expect("a batch has an example");
        let strongest: Vec<Path> = best
            .into_iter()
            .map(|(row, path)| self.path(&graph, row, &path, share(path.value)))
            .collect();
        let all = count.exact() == Some(strongest.len() as u128);
        let covered = match all || magnitude == 0.0 {
            true => 1.0,
            false => strongest.iter().map(|path| path.share.abs()).sum::<f64>().min(1.0),
        };
        let rows = rows.map(|row| self.label(row)).collect();
        Ok(Paths {
            param,
            rows,
            reduction,
            count,
            live,
            sum,
            magnitude,
            strongest,
            covered,
            certificate,
        })
    }

    fn path(&self, graph: &Graph<'_, S>, row: usize, path: &Ranked, share: f64) -> Path {
        // Names are those of any example, values the path's own.
        let mut factors = graph.named(&path.units);
        factors.iter_mut().zip(&path.factors).for_each(|(factor, &value)| factor.value = value);
        let units = path.units.iter().map(|&n| n as usize);
        let nodes = graph.levels.iter().zip(units).map(|(level, n)| level.node(n)).collect();
        Path { row: self.label(row), nodes, factors, value: path.value, share }
    }
}
