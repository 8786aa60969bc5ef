//! Training: epochs of mini-batches, scores, the best weights, early stopping, cancellation.

mod history;
mod run;
mod trainer;
mod watch;

pub use history::{BatchReport, EpochReport, Flow, History, StopReason};
pub use trainer::Trainer;

use chainrule_autograd_manual::{GradientFactors, Network, NetworkError, NonFinite, Workspace};
use chainrule_data::{BatchTarget, Batches, Dataset};
use chainrule_loss::{Loss, LossError, Targets};
use chainrule_optim::Optimizer;
use chainrule_tensor::Scalar;
use chainrule_tensor::product::MAX_WHOLE;

use crate::error::{Error, Result};
use crate::metrics::{ScoreSum, Scores};

/// The targets of a batch, as losses take them.
pub fn targets<'a, S: Scalar>(target: BatchTarget<'a, S>) -> Targets<'a, S> {
    match target {
        BatchTarget::Classes(labels) => Targets::Classes(labels),
        BatchTarget::Values(values) => Targets::Values(values),
    }
}

/// An optimizer's step along the gradient of a batch, which `factors` have, and the batch's loss before it.
///
/// `gradient`, as long as θ, is overwritten where the optimizer needs to see it. Gradient descent does not: in
/// batches of up to [`MAX_WHOLE`] examples it subtracts the gradient without storing it
/// ([`Network::descend`]), which changes no bit, and leaves `gradient` as it was.
///
/// # Errors
/// [`Error`] if network, factors, optimizer and gradient do not fit; θ and optimizer are then as before.
///
/// ```
/// use chainrule::optim::{DecayOn, Sgd, SgdConfig};
/// use chainrule::{prelude::*, train};
///
/// let mut network = NetworkBuilder::<f32>::new(2)
///     .dense(8, Activation::Relu)
///     .dense(2, Activation::Identity)
///     .build()?;
/// let mut workspace = Workspace::new(&network, 4)?;
/// let config = SgdConfig { learning_rate: 0.5, ..SgdConfig::default() };
/// let mut sgd = Sgd::new(config, network.parameter_count(), DecayOn::All)?;
/// let mut gradient = vec![0.0; network.parameter_count()];
///
/// let x = Matrix::from_rows(&[[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]);
/// let mut losses = Vec::new();
/// for _ in 0..200 {
///     let forward = network.forward(x.view(), &mut workspace)?;
///     let units = forward.output_units(&CrossEntropy::new(), Targets::Classes(&[0, 1, 1, 0]))?;
///     let factors = units.hidden_units().into_factors();
///     losses.push(train::step(&mut network, factors, &mut sgd, &mut gradient)?);
/// }
/// assert!(losses[199] < 0.1 * losses[0]);
/// # Ok::<(), chainrule::Error>(())
/// ```
pub fn step<S: Scalar>(
    network: &mut Network<S>,
    factors: GradientFactors<'_, S>,
    optimizer: &mut dyn Optimizer<S>,
    gradient: &mut [S],
) -> Result<S> {
    let loss = factors.loss();
    let whole = factors.examples() <= MAX_WHOLE;
    if whole && let Some(eta) = optimizer.plain_rate(network.theta())? {
        network.descend(factors, eta, gradient)?;
        optimizer.count_step();
    } else {
        factors.weights_and_biases(network, gradient)?;
        optimizer.step(network.theta_mut(), gradient)?;
    }
    Ok(loss)
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
