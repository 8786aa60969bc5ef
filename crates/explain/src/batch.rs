//! One weight or bias over a batch.

use std::fmt;

use chainrule_autograd_manual::Param;
use chainrule_loss::Reduction;
use serde::Serialize;

use crate::Explanation;
use crate::text::{as_text, number, selection};

/// The explanations of one weight or bias for every example of a batch. The batch's value is the
/// mean (or the sum, as the loss reduces) of the examples' products, never a product of means.
///
/// With a loss that weighs the examples, an example counts by its share of the weights.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct BatchExplanation {
    /// The weight or bias.
    #[serde(serialize_with = "as_text")]
    pub param: Param,
    /// How the examples' products become one value.
    pub reduction: Reduction,
    /// The mean or sum of the examples' [`Explanation::value`].
    pub value: f64,
    /// The mean or sum of the examples' [`Explanation::gradient`], by backpropagation.
    pub gradient: f64,
    /// The examples in their order.
    pub examples: Vec<Explanation>,
}

impl BatchExplanation {
    pub(crate) fn new(param: Param, reduction: Reduction, examples: Vec<Explanation>) -> Self {
        let combine = |value: fn(&Explanation) -> f64| {
            let sum: f64 = examples.iter().map(value).sum();
            match reduction {
                Reduction::Mean => sum / examples.len() as f64,
                Reduction::Sum => sum,
            }
        };
        let (value, gradient) = (combine(|e| e.value), combine(|e| e.gradient));
        Self { param, reduction, value, gradient, examples }
    }
}

impl fmt::Display for BatchExplanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (value, gradient) = (number(self.value), number(self.gradient));
        let Self { param, reduction, examples, .. } = self;
        let count = examples.len();
        write!(
            f,
            "∂L/∂{param} = {value}, the {reduction} over {count} examples \
             (backpropagation: {gradient})"
        )?;
        let values: Vec<f64> = examples.iter().map(|example| example.value).collect();
        let chosen = selection(&values);
        let rows = chosen.clone().unwrap_or_else(|| (0..count).collect());
        for row in rows {
            write!(f, "\n  example {row:<6} {}", number(values[row]))?;
        }
        match chosen {
            Some(rows) => write!(f, "\n  and {} with smaller values", count - rows.len()),
            None => Ok(()),
        }
    }
}
