//! What a training run tells.

use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

use crate::metrics::Scores;

/// What a callback answers: `Flow::Continue(())` or, to stop training, `Flow::Break(())`.
pub type Flow = ControlFlow<()>;

/// One finished batch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BatchReport {
    /// The epoch, from 1.
    pub epoch: usize,
    /// The batch in the epoch, from 1.
    pub batch: usize,
    /// Batches in an epoch.
    pub batches: usize,
    /// The batch's loss, before the update.
    pub loss: f64,
}

/// One finished epoch.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct EpochReport {
    /// The epoch, from 1.
    pub epoch: usize,
    /// Scores on the training examples, gathered during the epoch while the weights moved.
    pub train: Scores,
    /// Scores on the validation examples after the epoch, if there are any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation: Option<Scores>,
    /// Scores on the test examples after the epoch, if there are any. Nothing depends on them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test: Option<Scores>,
    /// The learning rate of the last step.
    pub learning_rate: f64,
    /// Seconds that the epoch took.
    pub seconds: f64,
    /// Whether the monitored loss (validation's if there is one, else training's) is the lowest
    /// so far.
    pub best: bool,
}

impl EpochReport {
    /// The loss that decides which epoch is the best.
    pub fn monitored(&self) -> f64 {
        self.validation.unwrap_or(self.train).loss
    }
}

/// Why training ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// All epochs ran.
    Finished,
    /// The loss had not improved for as many epochs as the patience allows.
    EarlyStopping,
    /// A callback said stop, or the cancellation flag was set.
    Cancelled,
}

/// The course of a training run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// The finished epochs in order.
    pub epochs: Vec<EpochReport>,
    /// Why it ended.
    pub stop: StopReason,
}

impl History {
    /// The epoch with the lowest monitored loss; `None` if none was finished.
    pub fn best(&self) -> Option<&EpochReport> {
        self.epochs.iter().rev().find(|epoch| epoch.best)
    }
}
