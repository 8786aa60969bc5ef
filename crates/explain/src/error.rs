//! What can go wrong with an explanation.

use chainrule_autograd_manual::NetworkError;
use chainrule_loss::LossError;
use thiserror::Error;

/// An error of this crate. Layers and outputs count from 1, examples from 0.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ExplainError {
    /// The network has no such parameter, or the batch no such example.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// A layer whose derivatives this crate does not know.
    #[error(
        "layer {layer} ({name}) cannot be explained: from the parameter's layer up to the output, \
         every layer must be one of dense, dropout, softmax, and the parameter's own layer dense; a \
         layer of one's own, or one that couples the examples of a batch, has no such paths"
    )]
    Layer {
        /// The layer.
        layer: usize,
        /// Its name.
        name: String,
    },
    /// Named factors were asked for where there is more than one path.
    #[error(
        "{param} has no single path to the loss: layer {layer} has {units} neurons; the factors of \
         a thin network need one neuron in each of the layers {from} to {depth}, for others ask \
         for the three groups"
    )]
    NotThin {
        /// The parameter asked for.
        param: String,
        /// The first layer with more than one neuron.
        layer: usize,
        /// Its neurons.
        units: usize,
        /// The parameter's layer.
        from: usize,
        /// The last layer.
        depth: usize,
    },
    /// The loss refused the outputs or targets.
    #[error(transparent)]
    Loss(#[from] LossError),
    /// The loss and targets are not those of the backward pass.
    #[error(
        "the loss {name} of these targets is {found}, the backward pass started from {expected}; \
         give the loss and the targets of that pass"
    )]
    OtherLoss {
        /// The name of the loss given.
        name: String,
        /// The loss of the backward pass.
        expected: f64,
        /// The value of the loss given.
        found: f64,
    },
    /// `∂L/∂ŷ` cannot be told apart from `∂ŷ/∂a_L`.
    #[error("example {row} cannot be shown unfused: {reason}; ask for the fused output layer")]
    Unfused {
        /// The example.
        row: usize,
        /// Why not.
        reason: String,
    },
    /// Labels of another number of examples.
    #[error("{found} labels were given for a batch of {expected} examples")]
    Labels {
        /// Examples of the batch.
        expected: usize,
        /// Labels found.
        found: usize,
    },
    /// No path was asked for.
    #[error("0 paths were asked for; ask for at least 1")]
    NoPaths,
    /// More paths were asked for than memory should hold.
    #[error("{asked} paths are more than fit into memory here; ask for at most {most}")]
    TooManyPaths {
        /// How many were asked for.
        asked: usize,
        /// How many surely fit.
        most: usize,
    },
    /// A factor is infinite or not a number, or products of them overflow.
    #[error("the paths to {param} of example {row} cannot be ranked: {reason}")]
    NotFinite {
        /// The parameter asked for.
        param: String,
        /// The example.
        row: usize,
        /// What is not finite.
        reason: String,
    },
    /// A page or document cannot show it.
    #[error(
        "{place} holds a number that is not finite; look for where it came from first, a page \
         shows finite numbers only"
    )]
    NotShown {
        /// Where it is.
        place: String,
    },
    /// Names or shapes that are not those of the network.
    #[error("there are {found} {what}, expected {expected}, as the network has")]
    Names {
        /// What was given.
        what: &'static str,
        /// How many there must be.
        expected: usize,
        /// How many there are.
        found: usize,
    },
    /// A page cannot hold so many examples.
    #[error("{found} examples are too many for one page of this network; give at most {most}")]
    TooManyExamples {
        /// Examples of the batch.
        found: usize,
        /// How many a page holds.
        most: usize,
    },
    /// No worksheet can be made of it.
    #[error("no worksheet: {reason}")]
    Worksheet {
        /// Why not, and what to give.
        reason: String,
    },
}
