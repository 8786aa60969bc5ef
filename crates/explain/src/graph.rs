//! The layered graph of one example, from the loss down to one weight or bias.
//!
//! Its levels are `ŷ` (and `h_L`) if the output layer is unfused, then `a_L`, `h_{L−1}`, `a_{L−1}`,
//! …, `h_i`, `a_i`. The edge from unit `o` of a level to unit `p` of the level below it is the factor
//! `∂x_o/∂z_p`. A path takes one unit of each level and ends at `a_{ij}`.

use std::fmt;

use chainrule_autograd_manual::Param;
use chainrule_tensor::{MatrixView, Scalar};
use serde::{Serialize, Serializer};

use crate::local::{activation, parameter, weights, widen};
use crate::{Derivative, ExplainError, Explainer, Factor, PathCount, text};

/// What a unit of a path is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Quantity {
    /// A prediction `ŷ_q`, where the output layer is unfused.
    Prediction,
    /// A pre-activation `a_{mn}`.
    PreActivation,
    /// An activation `h_{mn}`.
    Activation,
}

/// One unit on a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Node {
    /// What it is.
    pub quantity: Quantity,
    /// The layer, from 1; `L` for a prediction.
    pub layer: usize,
    /// The unit of the layer, from 1.
    pub unit: usize,
    /// Whether it is the only unit of its layer.
    pub single: bool,
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.quantity {
            Quantity::Prediction if self.single => "ŷ".to_owned(),
            Quantity::Prediction => format!("ŷ_{}", self.unit),
            Quantity::PreActivation => text::unit('a', self.layer, self.unit),
            Quantity::Activation => text::unit('h', self.layer, self.unit),
        };
        f.pad(&name)
    }
}

impl Serialize for Node {
    fn serialize<Z: Serializer>(&self, to: Z) -> Result<Z::Ok, Z::Error> {
        to.collect_str(self)
    }
}

/// One level of the graph.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Level {
    pub(crate) quantity: Quantity,
    pub(crate) layer: usize,
    pub(crate) width: usize,
}

impl Level {
    /// The unit `n`, from 0.
    pub(crate) fn node(&self, n: usize) -> Node {
        let Self { quantity, layer, width } = *self;
        Node { quantity, layer, unit: n + 1, single: width == 1 }
    }
}

/// The factors between two levels, `∂x/∂z` with `z` the level below.
#[derive(Debug, Clone)]
pub(crate) enum Step<'n, S: Scalar> {
    /// `∂a_m/∂h_{m−1} = W_m`.
    Weights(MatrixView<'n, S>),
    /// `∂a_m/∂h_{m−1} = 1` of a layer without weights.
    Same,
    /// `∂h_m/∂a_m`, or `∂ŷ/∂h_L`.
    Local(Derivative),
}

impl<S: Scalar> Step<'_, S> {
    /// Whether every unit above has an edge to every unit below, and not to its own alone.
    pub(crate) fn is_dense(&self) -> bool {
        matches!(self, Self::Weights(_) | Self::Local(Derivative::Softmax(_)))
    }

    /// `∂x_o/∂z_p`, counted from 0.
    pub(crate) fn factor(&self, o: usize, p: usize) -> f64 {
        match self {
            Self::Weights(w) => w.row(o)[p].as_f64(),
            Self::Same => f64::from(u8::from(o == p)),
            Self::Local(derivative) => derivative.entry(o + 1, p + 1),
        }
    }

    /// `vᵀ (∂x/∂z)` with `f` of every factor: one step of backpropagation.
    pub(crate) fn down(&self, v: &[f64], f: &impl Fn(f64) -> f64) -> Vec<f64> {
        match self {
            Self::Weights(w) => {
                let mut sums = vec![0.0; w.cols()];
                for (&v, row) in v.iter().zip(w.iter_rows()) {
                    sums.iter_mut().zip(row).for_each(|(sum, w)| *sum += v * f(w.as_f64()));
                }
                sums
            }
            Self::Same => v.to_vec(),
            Self::Local(Derivative::Diagonal(d)) => {
                v.iter().zip(d).map(|(v, &d)| v * f(d)).collect()
            }
            Self::Local(d) => {
                let sum = |p| v.iter().enumerate().map(|(o, v)| v * f(d.entry(o + 1, p + 1))).sum();
                (0..v.len()).map(sum).collect()
            }
        }
    }

    /// `(∂x/∂z) u` with `f` of every factor: the way back up.
    pub(crate) fn up(&self, u: &[f64], f: &impl Fn(f64) -> f64) -> Vec<f64> {
        match self {
            Self::Weights(w) => {
                let sum = |row: &[S]| row.iter().zip(u).map(|(w, u)| f(w.as_f64()) * u).sum();
                w.iter_rows().map(sum).collect()
            }
            // The others are symmetric.
            _ => self.down(u, f),
        }
    }
}

/// The graph of one example and one weight or bias.
#[derive(Debug, Clone)]
pub(crate) struct Graph<'b, S: Scalar> {
    pub(crate) levels: Vec<Level>,
    /// `∂L/∂x` of the uppermost level.
    pub(crate) top: Vec<f64>,
    /// `steps[t]` lies between the levels `t` and `t + 1`.
    pub(crate) steps: Vec<Step<'b, S>>,
    /// The neuron `j` of the parameter, from 0.
    pub(crate) target: usize,
    /// `∂a_{ij}/∂W_{ijk}` or `∂a_{ij}/∂b_{ij}`.
    pub(crate) param: Factor,
}

impl<'b, S: Scalar> Graph<'b, S> {
    pub(crate) fn new(
        explainer: &Explainer<'b, S>,
        param: Param,
        row: usize,
    ) -> Result<Self, ExplainError> {
        explainer.check(param, row)?;
        let backward = explainer.backward;
        let network = backward.network();
        let (i, depth) = (param.layer(), network.depth());
        let level = |quantity, layer: usize| Level {
            quantity,
            layer,
            width: network.layers()[layer - 1].outputs(),
        };
        let (mut levels, mut steps) = (Vec::new(), Vec::new());
        let top = match &explainer.head {
            None => {
                let scale = backward.example_scale().as_f64();
                let mut top = widen(backward.grad_a(depth).row(row));
                top.iter_mut().for_each(|g| *g *= scale);
                top
            }
            Some(head) => {
                let unfused = head.at(backward, row)?;
                for (place, derivative) in unfused.derivatives.into_iter().enumerate() {
                    let of = [Quantity::Prediction, Quantity::Activation][place.min(1)];
                    levels.push(level(of, depth));
                    steps.push(Step::Local(derivative));
                }
                unfused.grad_prediction.values
            }
        };
        levels.push(level(Quantity::PreActivation, depth));
        for m in (i..depth).rev() {
            steps.push(weights(network, m + 1)?.map_or(Step::Same, Step::Weights));
            levels.push(level(Quantity::Activation, m));
            steps.push(Step::Local(activation(backward, m, row)?));
            levels.push(level(Quantity::PreActivation, m));
        }
        let target = param.neuron() - 1;
        Ok(Self { levels, top, steps, target, param: parameter(backward, param, row)? })
    }

    /// `∂L/∂x` of every level, by backpropagation; with `f` of every factor.
    pub(crate) fn down(&self, f: impl Fn(f64) -> f64) -> Vec<Vec<f64>> {
        let mut all = vec![self.top.iter().map(|&g| f(g)).collect::<Vec<_>>()];
        for step in &self.steps {
            let next = step.down(&all[all.len() - 1], &f);
            all.push(next);
        }
        all
    }

    /// `∂x/∂W_{ijk}` of every level, `x` being its units; with `f` of every factor.
    pub(crate) fn up(&self, f: impl Fn(f64) -> f64) -> Vec<Vec<f64>> {
        let mut own = vec![0.0; self.levels[self.levels.len() - 1].width];
        own[self.target] = f(self.param.value);
        let mut all = vec![own];
        for step in self.steps.iter().rev() {
            let next = step.up(&all[all.len() - 1], &f);
            all.push(next);
        }
        all.reverse();
        all
    }

    /// The number of paths.
    pub(crate) fn count(&self) -> PathCount {
        let dense = self.steps.iter().zip(&self.levels).filter(|(step, _)| step.is_dense());
        dense.fold(PathCount::ONE, |count, (_, level)| count.times(level.width))
    }

    /// The number of paths none of whose factors is 0.
    pub(crate) fn live(&self) -> PathCount {
        let live = |x: f64| if x == 0.0 { PathCount::ZERO } else { PathCount::ONE };
        let mut counts: Vec<PathCount> = self.top.iter().map(|&g| live(g)).collect();
        for (t, step) in self.steps.iter().enumerate() {
            let below = &self.levels[t + 1];
            let into = |p: usize| match step.is_dense() {
                true => (0..counts.len())
                    .filter(|&o| step.factor(o, p) != 0.0)
                    .fold(PathCount::ZERO, |sum, o| sum.plus(counts[o])),
                false if step.factor(p, p) == 0.0 => PathCount::ZERO,
                false => counts[p],
            };
            counts = (0..below.width).map(into).collect();
        }
        if self.param.value == 0.0 { PathCount::ZERO } else { counts[self.target] }
    }

    /// The factors of the path through these units (from 0, one a level), by name.
    pub(crate) fn named(&self, units: &[u32]) -> Vec<Factor> {
        let name = |t: usize| self.levels[t].node(units[t] as usize);
        let values = self.factors(units).into_iter().enumerate();
        let factors = values.map(|(number, value)| match number {
            0 => Factor { name: format!("∂L/∂{}", name(0)), value },
            t if t < units.len() => {
                Factor { name: format!("∂{}/∂{}", name(t - 1), name(t)), value }
            }
            _ => self.param.clone(),
        });
        factors.collect()
    }

    /// The values of the factors of a path.
    pub(crate) fn factors(&self, units: &[u32]) -> Vec<f64> {
        let step =
            |(step, pair): (&Step<'_, S>, &[u32])| step.factor(pair[0] as usize, pair[1] as usize);
        let steps = self.steps.iter().zip(units.windows(2)).map(step);
        let top = self.top[units[0] as usize];
        std::iter::once(top).chain(steps).chain([self.param.value]).collect()
    }
}
