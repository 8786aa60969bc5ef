//! Gradient checks of whole networks.

use std::fmt;

use chainrule_gradcheck::{Options, Pieces, Report, Sample, check};
use chainrule_loss::{Loss, Targets};
use chainrule_tensor::MatrixView;
use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;

use crate::{Network, NetworkError, Param, Workspace};

/// How a network is checked.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CheckOptions {
    /// Step, tolerance and sampling.
    pub gradcheck: Options,
    /// If set, the network runs as in training, with dropout masks drawn from this seed, the same
    /// for every evaluation; else as in evaluation.
    pub training_seed: Option<u64>,
}

/// The result of a gradient check, with the lecture's name of the worst entry.
#[derive(Debug, Clone, PartialEq)]
pub struct NetworkReport {
    /// The comparison itself.
    pub report: Report,
    /// The parameter whose two derivatives differ most.
    pub worst: Option<Param>,
}

impl NetworkReport {
    /// Whether the gradient is right within the bound.
    pub fn passed(&self) -> bool {
        self.report.passed()
    }
}

impl fmt::Display for NetworkReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.report)?;
        match (&self.report.worst, self.worst) {
            (Some(entry), Some(param)) => write!(f, "; entry {} is {param}", entry.index),
            _ => Ok(()),
        }
    }
}

/// Compares the gradient by backpropagation with central differences of the loss.
///
/// The network is `f64`; a trained `f32` network is checked after [`Network::cast`]. Parameters
/// whose perturbation crosses a kink (of ReLU, L1, Huber, …) are counted and left out; above 1 %
/// the check fails. One unit of one example that lies on a kink shuts out most weights below it, so
/// give a network with kinks few examples (1 to 8), and others if too many were left out.
///
/// # Errors
/// [`NetworkError`] if examples, targets or network do not fit, or a value is not finite.
///
/// ```
/// # use chainrule_autograd_manual::{CheckOptions, Network, check_gradient};
/// # use chainrule_layers::{Activation, Dense};
/// # use chainrule_loss::{CrossEntropy, Targets};
/// # use chainrule_tensor::Matrix;
/// # use rand::{SeedableRng, rngs::Xoshiro256PlusPlus};
/// let mut network = Network::new(vec![Box::new(Dense::new(3, 2, Activation::Identity)?)])?;
/// network.initialise(&mut Xoshiro256PlusPlus::seed_from_u64(7));
/// let x = Matrix::from_rows(&[[0.3, -1.0, 2.0], [1.0, 0.5, -0.5]]);
/// let targets = Targets::Classes(&[0, 1]);
/// let loss = CrossEntropy::default();
/// let report = check_gradient(&network, x.view(), &loss, targets, &CheckOptions::default())?;
/// assert!(report.passed(), "{report}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn check_gradient(
    network: &Network<f64>,
    x: MatrixView<'_, f64>,
    loss: &dyn Loss<f64>,
    targets: Targets<'_, f64>,
    options: &CheckOptions,
) -> Result<NetworkReport, NetworkError> {
    let mut gradient = vec![0.0; network.parameter_count()];
    let mut workspace = Workspace::new(network, x.rows())?;
    match options.training_seed {
        None => network.forward(x, &mut workspace)?,
        Some(seed) => network.forward_train(
            x,
            &mut workspace,
            &mut Xoshiro256PlusPlus::seed_from_u64(seed),
        )?,
    }
    .backward(loss, targets, &mut gradient)?;
    compare(network, &gradient, x, loss, targets, options)
}

/// Compares a gradient from anywhere with central differences of the network's loss.
fn compare(
    network: &Network<f64>,
    gradient: &[f64],
    x: MatrixView<'_, f64>,
    loss: &dyn Loss<f64>,
    targets: Targets<'_, f64>,
    options: &CheckOptions,
) -> Result<NetworkReport, NetworkError> {
    let mut workspace = Workspace::new(network, x.rows())?;
    let mut failure = None;
    let evaluate = |theta: &[f64]| {
        let mut rng = options.training_seed.map(Xoshiro256PlusPlus::seed_from_u64);
        let rng = rng.as_mut().map(|rng| rng as &mut dyn rand::Rng);
        network.run_layers(theta, x, &mut workspace, rng);
        let mut pieces = Pieces::new();
        let mut note = |piece| pieces.note(piece);
        for (layer, buffers) in network.layers().iter().zip(&workspace.layers) {
            layer.pieces(buffers.a.view(), &mut note);
        }
        let output = workspace.layers[network.depth() - 1].h.view();
        loss.pieces(output, targets, &mut note);
        let value = loss.value(output, targets).unwrap_or_else(|error| {
            failure.get_or_insert(error);
            f64::NAN
        });
        Sample { value, piece: pieces.finish() }
    };
    let report = check(&mut network.theta().to_vec(), gradient, evaluate, &options.gradcheck);
    if let Some(error) = failure {
        return Err(error.into());
    }
    let report = report?;
    let worst = report.worst.as_ref().and_then(|entry| network.layout().param(entry.index));
    Ok(NetworkReport { report, worst })
}
