//! The facade's error.

use std::path::PathBuf;

use chainrule_autograd_manual::{NetworkError, NonFinite};
use chainrule_data::DataError;
use chainrule_layers::LayerError;
use chainrule_loss::LossError;
use chainrule_optim::OptimError;
use chainrule_tensor::TensorError;
use thiserror::Error;

/// `Result` with this crate's [`Error`](enum@Error).
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong through the facade.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// Of the network.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// Of a layer's description.
    #[error(transparent)]
    Layer(#[from] LayerError),
    /// Of the loss.
    #[error(transparent)]
    Loss(#[from] LossError),
    /// Of optimizer or schedule.
    #[error(transparent)]
    Optim(#[from] OptimError),
    /// Of the data.
    #[error(transparent)]
    Data(#[from] DataError),
    /// Of matrices and threads.
    #[error(transparent)]
    Tensor(#[from] TensorError),
    /// A file could not be read or written.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// `read` or `write`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// A file is not a model, or not one that fits.
    #[error("{}: {reason}", path.display())]
    ModelFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it and what to do.
        reason: String,
    },
    /// A configuration that cannot be used.
    #[error("configuration: {0}")]
    Config(String),
    /// Data that the model or the loss cannot work with.
    #[error("{0}")]
    Mismatch(String),
    /// The loss, or a weight, became infinite or NaN.
    #[error(
        "training diverged in epoch {epoch}, batch {batch}: {}{}{}; \
         the network holds the {kept} again; try a smaller learning rate or gradient clipping",
        if loss.is_finite() { "a weight is not finite".to_owned() } else { format!("the loss is {loss}") },
        place.map_or(String::new(), |place| format!(", first seen at {place}")),
        if detail.is_empty() { String::new() } else { format!(": {detail}") }
    )]
    Diverged {
        /// The epoch, from 1.
        epoch: usize,
        /// The batch in the epoch, from 1.
        batch: usize,
        /// The loss found; finite where only the last step's weights are not.
        loss: f64,
        /// The first value of the forward pass that is not finite.
        place: Option<NonFinite>,
        /// What made that value, or a loss that is not finite of outputs that are; empty without
        /// the feature `explain`, and where nothing more is known.
        detail: String,
        /// Which weights were put back.
        kept: String,
    },
}
