//! Training: epochs of mini-batches, scores, the best weights, early stopping, cancellation.

mod history;
mod run;
mod trainer;
mod watch;

pub use history::{BatchReport, EpochReport, Flow, History, StopReason};
pub use trainer::Trainer;

use chainrule_autograd_manual::{Network, NetworkError, NonFinite, Workspace};
use chainrule_data::{BatchTarget, Batches, Dataset};
use chainrule_loss::{Loss, LossError, Targets};
use chainrule_tensor::Scalar;

use crate::error::{Error, Result};
use crate::metrics::{ScoreSum, Scores};

/// The targets of a batch, as losses take them.
pub fn targets<'a, S: Scalar>(target: BatchTarget<'a, S>) -> Targets<'a, S> {
    match target {
        BatchTarget::Classes(labels) => Targets::Classes(labels),
        BatchTarget::Values(values) => Targets::Values(values),
    }
}

/// Loss and metric of `network` on `data` (features scaled as in training), in evaluation. They do
/// not depend on the workspace's batch size; examples that the loss ignores do not count.
///
/// # Errors
/// [`Error`] if network, loss and data do not fit, or the loss ignores all examples.
pub fn evaluate<S: Scalar>(
    network: &Network<S>,
    loss: &dyn Loss<S>,
    data: &Dataset<S>,
    workspace: &mut Workspace<S>,
) -> Result<Scores> {
    evaluate_with_place(network, loss, data, workspace).map(|(scores, _)| scores)
}

/// As [`evaluate`]; where the loss is not finite, also the first such value of the first batch
/// that broke.
fn evaluate_with_place<S: Scalar>(
    network: &Network<S>,
    loss: &dyn Loss<S>,
    data: &Dataset<S>,
    workspace: &mut Workspace<S>,
) -> Result<(Scores, Option<NonFinite>)> {
    let mut batches = Batches::new(data, workspace.batch())?;
    let (mut sum, mut place, mut ignored) = (ScoreSum::new(), None, None);
    while let Some(batch) = batches.next() {
        let forward = network.forward(batch.features, workspace)?;
        let targets = targets(batch.target);
        let value = match forward.loss(loss, targets) {
            Err(error) if has_no_weight(&error) => {
                ignored = Some(error);
                None
            }
            value => Some(value?),
        };
        if value.is_some_and(|value| !value.is_finite()) {
            place = place.or_else(|| forward.first_non_finite());
        }
        sum.add(loss, value, forward.output(), targets);
    }
    match sum.scores() {
        Some(scores) => Ok((scores, place)),
        None => Err(nothing_counts(ignored, "evaluate")),
    }
}

/// Whether a loss has nothing to average over in a batch; others of the data may have.
fn has_no_weight(error: &NetworkError) -> bool {
    matches!(error, NetworkError::Loss(LossError::AllIgnored { .. } | LossError::ZeroWeight { .. }))
}

/// The error of data in which no example counts, `ignored` being that of its last batch.
fn nothing_counts(ignored: Option<NetworkError>, what: &str) -> Error {
    ignored.map_or_else(
        || Error::Mismatch(format!("there are no examples to {what} that the loss counts")),
        Error::from,
    )
}
