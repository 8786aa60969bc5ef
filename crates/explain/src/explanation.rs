//! The three groups of one weight or bias.

use std::fmt;

use chainrule_autograd_manual::Param;
use serde::Serialize;

use crate::text::{as_text, list, number, selection, unit};
use crate::{Factor, Unfused};

/// One of the groups: a vector with one entry per output.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Group {
    /// The name, such as `∂a_3/∂a_11`.
    pub name: String,
    /// The values.
    pub values: Vec<f64>,
}

/// Why `∂L/∂W_{ijk}` of one example is what it is: the talk to the output layer, to the hidden
/// layers and to the weights (lecture 4.4),
///
/// `∂L/∂W_{ijk} = (∇_{a_L} L)ᵀ · (∂a_L/∂a_{ij}) · h_{i−1,k}`.
///
/// The text form shortens vectors of more than eight outputs to the entries with the largest
/// products. Serialised numbers that are not finite become `null` in JSON.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Explanation {
    /// The weight or bias.
    #[serde(serialize_with = "as_text")]
    pub param: Param,
    /// The example in the batch, from 0.
    pub row: usize,
    /// `∂L/∂W_{ijk}`, the product of the groups.
    pub value: f64,
    /// `∂L/∂W_{ijk}` by backpropagation, in the network's element type.
    pub gradient: f64,
    /// The talk to the output layer: `∇_{a_L} L`.
    pub output: Group,
    /// The same in two factors, `∂L/∂ŷ · ∂ŷ/∂a_L`, if asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unfused: Option<Unfused>,
    /// The talk to the hidden layers: `∂a_L/∂a_{ij}`; for `i = L` the unit vector of output `j`.
    pub hidden: Group,
    /// The talk to the weights: `∂a_{ij}/∂W_{ijk} = h_{i−1,k}`; 1 for a bias.
    pub weights: Factor,
}

impl Explanation {
    /// What each output contributes: `(∇_{a_L} L)_o · (∂a_L/∂a_{ij})_o · h_{i−1,k}`. They add up to
    /// [`Explanation::value`].
    pub fn contributions(&self) -> impl Iterator<Item = f64> {
        let pairs = self.output.values.iter().zip(&self.hidden.values);
        pairs.map(|(output, hidden)| output * hidden * self.weights.value)
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { param, row, output, hidden, weights, .. } = self;
        writeln!(f, "∂L/∂{param} = {} for example {row}", number(self.value))?;
        let chosen = selection(&self.contributions().collect::<Vec<_>>());
        let chosen = chosen.as_deref();
        let names = [&output.name, &hidden.name, &weights.name];
        let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
        let mut line = |group: &str, name: &str, text: &str| {
            writeln!(f, "  {group:<13} {name:<width$} = {text}")
        };
        if let Some(unfused) = &self.unfused {
            let talk = list(&unfused.grad_prediction.values, chosen);
            line("loss", &unfused.grad_prediction.name, &talk)?;
            line("prediction", "ŷ", &list(&unfused.prediction, chosen))?;
        }
        line("output layer", &output.name, &list(&output.values, chosen))?;
        line("hidden layers", &hidden.name, &list(&hidden.values, chosen))?;
        let input = match *param {
            Param::Weight { layer, input, .. } => format!("{} = ", unit('h', layer - 1, input)),
            Param::Bias { .. } => String::new(),
        };
        line("weights", &weights.name, &format!("{input}{}", number(weights.value)))?;
        let (value, gradient) = (number(self.value), number(self.gradient));
        write!(f, "  {:<13} {:<width$} = {value} (backpropagation: {gradient})", "product", "")
    }
}
