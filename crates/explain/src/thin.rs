//! The deep, thin network: a single path, every factor by its name.

use std::fmt;

use chainrule_autograd_manual::Param;
use chainrule_tensor::Scalar;
use serde::Serialize;

use crate::graph::Graph;
use crate::text::{as_text, number, unit};
use crate::{ExplainError, Explainer, Factor};

/// The chain rule of a parameter with a single path to the loss (lecture 4.4), every factor by its
/// name and value for one example:
///
/// `∂L/∂W_111 = ∂L/∂ŷ · ∂ŷ/∂a_L1 · ∂a_L1/∂h_{L−1,1} · … · ∂h_11/∂a_11 · ∂a_11/∂W_111`.
///
/// Of a dropout layer `m`, `∂a_m1/∂h_{m−1,1}` is 1 and `∂h_m1/∂a_m1` its mask as drawn.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ThinFactors {
    /// The weight or bias.
    #[serde(serialize_with = "as_text")]
    pub param: Param,
    /// The example in the batch, from 0.
    pub row: usize,
    /// The product of the expanded factors.
    pub value: f64,
    /// The same derivative by backpropagation, in the network's element type.
    pub gradient: f64,
    /// All factors, from the loss down to the parameter.
    pub expanded: Vec<Factor>,
    /// The same in two: `∂L/∂h_i1 · ∂h_i1/∂W_i11`, in the last layer `∂L/∂a_L1 · ∂a_L1/∂W_L11`.
    pub compressed: [Factor; 2],
}

/// The product of factors, from the first.
fn product(factors: &[Factor]) -> f64 {
    factors.iter().map(|factor| factor.value).product()
}

impl ThinFactors {
    pub(crate) fn new<S: Scalar>(
        explainer: &Explainer<'_, S>,
        param: Param,
        row: usize,
    ) -> Result<Self, ExplainError> {
        let gradient = explainer.gradient(param, row)?;
        let network = explainer.backward.network();
        let (i, depth) = (param.layer(), network.depth());
        for layer in i..=depth {
            let units = network.layers()[layer - 1].outputs();
            if units != 1 {
                let param = param.to_string();
                return Err(ExplainError::NotThin { param, layer, units, from: i, depth });
            }
        }
        let graph = Graph::new(explainer, param, row)?;
        let expanded = graph.named(&vec![0; graph.levels.len()]);
        // Below the last layer the cut is at h_i, else at a_L.
        let (cut, middle) = if i < depth { (2, unit('h', i, 1)) } else { (1, unit('a', i, 1)) };
        let (above, below) = expanded.split_at(expanded.len() - cut);
        let compressed = [
            Factor { name: format!("∂L/∂{middle}"), value: product(above) },
            Factor { name: format!("∂{middle}/∂{param}"), value: product(below) },
        ];
        let row = explainer.label(row);
        Ok(Self { param, row, value: product(&expanded), gradient, expanded, compressed })
    }
}

impl fmt::Display for ThinFactors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { param, row, expanded, compressed, .. } = self;
        let join = |factors: &[Factor], text: fn(&Factor) -> String| {
            factors.iter().map(text).collect::<Vec<_>>().join(" · ")
        };
        let (value, gradient) = (number(self.value), number(self.gradient));
        writeln!(f, "∂L/∂{param} = {value} for example {row} (backpropagation: {gradient})")?;
        writeln!(f, "  = {}", join(expanded, |factor| factor.name.clone()))?;
        writeln!(f, "  = {}", join(compressed, |factor| factor.name.clone()))?;
        writeln!(f, "  = {}", join(compressed, |factor| number(factor.value)))?;
        let all = || expanded.iter().chain(compressed);
        let width = all().map(|factor| factor.name.chars().count()).max().unwrap_or(0);
        for (title, factors) in [("expanded", &expanded[..]), ("compressed", compressed)] {
            write!(f, "  {title}")?;
            for factor in factors {
                write!(f, "\n    {:<width$} = {}", factor.name, number(factor.value))?;
            }
            if title == "expanded" {
                writeln!(f)?;
            }
        }
        Ok(())
    }
}
