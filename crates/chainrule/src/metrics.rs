//! How good predictions are.

mod classes;
mod values;

pub use chainrule_data::Task;
pub use classes::{ConfusionMatrix, accuracy, argmax};
pub use values::{ValueErrors, mean_absolute_error, mean_squared_error, r_squared};

use std::fmt;

use chainrule_loss::{Loss, Reduction, Targets};
use chainrule_tensor::{MatrixView, Scalar};
use serde::{Deserialize, Deserializer, Serialize};

/// Loss and metric of a data set.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// The mean loss of the examples, weighted as the loss weighs them.
    #[serde(deserialize_with = "null_is_nan")]
    pub loss: f64,
    /// Accuracy or R², whichever suits the task.
    #[serde(flatten)]
    pub metric: Metric,
}

/// The task's figure of merit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// The share of the examples that count in the loss whose largest output is the true class, 0 to 1.
    Accuracy(#[serde(deserialize_with = "null_is_nan")] f64),
    /// `R² = 1 − Σ(y − ŷ)² / Σ(y − mean y)²`, mean over the outputs: 1 is perfect, 0 is as good
    /// as the mean. NaN if a target does not vary.
    RSquared(#[serde(deserialize_with = "null_is_nan")] f64),
}

/// JSON has no NaN and writes `null` instead; a model scored on a constant target must be readable
/// all the same.
fn null_is_nan<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(f64::NAN))
}

impl Metric {
    /// The bare number.
    pub fn value(self) -> f64 {
        match self {
            Self::Accuracy(value) | Self::RSquared(value) => value,
        }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accuracy(share) => write!(f, "accuracy {:.1} %", 100.0 * share),
            Self::RSquared(value) if value.is_nan() => write!(f, "R² undefined"),
            Self::RSquared(value) => write!(f, "R² {value:.4}"),
        }
    }
}

/// Loss and metric summed up batch by batch, without keeping outputs.
#[derive(Debug, Clone, Default)]
pub struct ScoreSum {
    weight: f64,
    loss: f64,
    counted: usize,
    correct: usize,
    values: ValueErrors,
}

impl ScoreSum {
    /// An empty sum.
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets everything added.
    pub fn clear(&mut self) {
        (self.weight, self.loss, self.counted, self.correct) = (0.0, 0.0, 0, 0);
        self.values.clear();
    }

    /// Adds a batch: the `value` of `loss` on it (`None` where all weights are 0 and there is no
    /// mean), `output` (examples × outputs) and targets of equal length. Examples that the loss
    /// ignores do not count; the scores do not depend on how the examples are cut into batches.
    pub fn add<S: Scalar>(
        &mut self,
        loss: &dyn Loss<S>,
        value: Option<S>,
        output: MatrixView<'_, S>,
        targets: Targets<'_, S>,
    ) {
        if let Some(value) = value {
            let weight = loss.weight(targets);
            self.weight += weight;
            self.loss += match loss.reduction() {
                Reduction::Mean => value.as_f64() * weight,
                Reduction::Sum => value.as_f64(),
            };
        }
        match targets {
            Targets::Classes(labels) => {
                for (row, &label) in output.iter_rows().zip(labels) {
                    if loss.counts(label) {
                        self.counted += 1;
                        self.correct += usize::from(argmax(row) == Some(label));
                    }
                }
            }
            Targets::Values(values) => self.values.add(output, values),
        }
    }

    /// The scores of what was added, `None` if nothing of it has a weight.
    pub fn scores(&self) -> Option<Scores> {
        if self.weight == 0.0 {
            return None;
        }
        let metric = match self.values.r_squared() {
            Some(value) => Metric::RSquared(value),
            None => Metric::Accuracy(self.correct as f64 / self.counted as f64),
        };
        Some(Scores { loss: self.loss / self.weight, metric })
    }
}
