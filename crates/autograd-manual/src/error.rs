//! What can go wrong with a network.

use chainrule_gradcheck::GradcheckError;
use chainrule_layers::LayerError;
use chainrule_loss::LossError;
use chainrule_tensor::Precision;
use thiserror::Error;

/// An error of this crate. Layers count from 1.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum NetworkError {
    /// A network of no layers.
    #[error("a network needs at least one layer")]
    Empty,
    /// Two neighbouring layers do not fit.
    #[error(
        "layer {layer} takes {inputs} inputs, but layer {} gives {outputs} outputs; \
         make the two equal",
        layer - 1
    )]
    Mismatch {
        /// The upper layer.
        layer: usize,
        /// Its inputs.
        inputs: usize,
        /// The outputs of the layer below.
        outputs: usize,
    },
    /// More parameters or a larger batch than fits into memory.
    #[error("{what} does not fit into memory; choose smaller sizes")]
    TooLarge {
        /// What does not fit.
        what: String,
    },
    /// A batch of no examples.
    #[error("a batch needs at least one example")]
    EmptyBatch,
    /// More examples than the workspace was made for.
    #[error("the workspace was made for {capacity} examples, the batch has {rows}")]
    BatchTooLarge {
        /// Examples the workspace holds.
        capacity: usize,
        /// Examples found.
        rows: usize,
    },
    /// A workspace that was made for a network of other widths.
    #[error(
        "the workspace was made for another network; make one with Workspace::new(&network, ..)"
    )]
    Workspace,
    /// A precision of products that the network's element type does not have.
    #[error("products of {precision} are for networks of f32, this one is of {element}")]
    Precision {
        /// The precision asked for.
        precision: Precision,
        /// The network's element type.
        element: &'static str,
    },
    /// Examples of another width than the network's input.
    #[error("the network takes {expected} inputs, the examples have {found}")]
    Inputs {
        /// The network's inputs.
        expected: usize,
        /// Columns found.
        found: usize,
    },
    /// A gradient of the output of another shape than the output.
    #[error("the output is {}×{}, its gradient {}×{}", expected.0, expected.1, found.0, found.1)]
    OutputGradient {
        /// Rows and columns of the output.
        expected: (usize, usize),
        /// Rows and columns found.
        found: (usize, usize),
    },
    /// Factors of a gradient from a network of other widths.
    #[error(
        "the gradient's factors are another network's; take them from this one's backward pass"
    )]
    Factors,
    /// A learning rate that is negative, infinite or NaN.
    #[error("the learning rate must be finite and at least 0, found {found}")]
    LearningRate {
        /// The rate.
        found: f64,
    },
    /// A slice that does not have one place a parameter.
    #[error("{what} has {found} values, the network has {expected} parameters")]
    Length {
        /// What the slice is.
        what: &'static str,
        /// Number of parameters.
        expected: usize,
        /// Values found.
        found: usize,
    },
    /// A name of a parameter that cannot be read.
    #[error(
        "{found:?} names no parameter; write W_112 (layer, neuron, input) or b_21 (layer, neuron), \
         with commas where a number has more digits: W_1,12,3"
    )]
    ParamName {
        /// The text found.
        found: String,
    },
    /// A parameter that the network does not have.
    #[error("the network has no {param}: {reason}")]
    NoParam {
        /// The name asked for.
        param: String,
        /// What there is instead.
        reason: String,
    },
    /// A row beyond the batch.
    #[error("the batch has {rows} examples, there is no example {row} (counted from 0)")]
    Row {
        /// Examples in the batch.
        rows: usize,
        /// The row asked for.
        row: usize,
    },
    /// A layer that only its own crate can describe.
    #[error("layer {layer} ({name}) has no description that could be saved or converted")]
    Undescribed {
        /// The layer.
        layer: usize,
        /// Its name.
        name: String,
    },
    /// The description of a layer is wrong.
    #[error("layer {layer}: {source}")]
    Layer {
        /// The layer.
        layer: usize,
        /// What is wrong.
        source: LayerError,
    },
    /// The loss refused the outputs or targets.
    #[error(transparent)]
    Loss(#[from] LossError),
    /// The gradient check could not be made.
    #[error(transparent)]
    Gradcheck(#[from] GradcheckError),
}
