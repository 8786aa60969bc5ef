//! Training: epochs of mini-batches, scores, the best weights, early stopping, cancellation.

mod history;
mod trainer;

pub use history::{BatchReport, EpochReport, Flow, History, StopReason};
pub use trainer::Trainer;

use chainrule_autograd_manual::{Network, Workspace};
use chainrule_data::{BatchTarget, Batches, Dataset};
use chainrule_loss::{Loss, Targets};
use chainrule_tensor::Scalar;

use crate::error::{Error, Result};
use crate::metrics::{ScoreSum, Scores};

/// The targets of a batch, as the loss takes them.
pub(crate) fn targets<'a, S: Scalar>(target: BatchTarget<'a, S>) -> Targets<'a, S> {
    match target {
        BatchTarget::Classes(labels) => Targets::Classes(labels),
        BatchTarget::Values(values) => Targets::Values(values),
    }
}

/// Loss and metric of `network` on `data` (features scaled as in training), in evaluation.
///
/// # Errors
/// [`Error`] if network, loss and data do not fit.
pub fn evaluate<S: Scalar>(
    network: &Network<S>,
    loss: &dyn Loss<S>,
    data: &Dataset<S>,
    workspace: &mut Workspace<S>,
) -> Result<Scores> {
    let mut batches = Batches::new(data, workspace.batch())?;
    let mut sum = ScoreSum::new();
    while let Some(batch) = batches.next() {
        let forward = network.forward(batch.features, workspace)?;
        let targets = targets(batch.target);
        sum.add(forward.loss(loss, targets)?, forward.output(), targets);
    }
    sum.scores().ok_or_else(|| Error::Mismatch("there are no examples to evaluate".to_owned()))
}
