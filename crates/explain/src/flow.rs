//! What flows through every unit: the sums over the paths that pass it.

use chainrule_tensor::Scalar;

use crate::graph::{Graph, Quantity};

/// The sum over the paths through each unit of each level, of one example.
#[derive(Debug, Clone)]
pub(crate) struct Flow {
    /// `∂L/∂x` of every level.
    pub(crate) down: Vec<Vec<f64>>,
    /// `∂x/∂W_{ijk}` of every level.
    pub(crate) up: Vec<Vec<f64>>,
    /// The sums of the paths' magnitudes.
    magnitude: Vec<Vec<f64>>,
}

impl Flow {
    pub(crate) fn new<S: Scalar>(graph: &Graph<'_, S>) -> Self {
        let product = |down: Vec<Vec<f64>>, up: Vec<Vec<f64>>| {
            let level =
                |(d, u): (Vec<f64>, Vec<f64>)| d.iter().zip(u).map(|(d, u)| d * u).collect();
            down.into_iter().zip(up).map(level).collect()
        };
        let magnitude = product(graph.down(f64::abs), graph.up(f64::abs));
        Self { down: graph.down(|x| x), up: graph.up(|x| x), magnitude }
    }

    /// `Σ` of the paths through the unit `n`, from 0, of level `t`.
    pub(crate) fn through(&self, t: usize, n: usize) -> f64 {
        self.down[t][n] * self.up[t][n]
    }

    /// `Σ |paths|` through it.
    pub(crate) fn magnitude(&self, t: usize, n: usize) -> f64 {
        self.magnitude[t][n]
    }
}

/// The level of the graph that stands for layer `m`: its activations; in the last layer its
/// pre-activations, with which the graph's layers begin.
pub(crate) fn level_of<S: Scalar>(graph: &Graph<'_, S>, m: usize) -> Option<usize> {
    let top = graph.levels.iter().map(|level| level.layer).max()?;
    let wanted = if m == top { Quantity::PreActivation } else { Quantity::Activation };
    graph.levels.iter().position(|level| level.layer == m && level.quantity == wanted)
}
