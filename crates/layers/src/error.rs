//! What can be wrong with the description of a layer.

use thiserror::Error;

/// An error of this crate.
#[derive(Debug, Error, Clone, PartialEq)]
#[non_exhaustive]
pub enum LayerError {
    /// A layer without inputs or outputs, or one too large to address.
    #[error(
        "a {kind} layer with {inputs} inputs and {outputs} outputs cannot be made; \
         every width must be at least 1, and the layer must fit into memory"
    )]
    Width {
        /// The kind of layer.
        kind: &'static str,
        /// Inputs asked for.
        inputs: usize,
        /// Outputs asked for.
        outputs: usize,
    },
    /// A number out of its range.
    #[error("{name} is {found}; it must be {expected}")]
    Value {
        /// What the number is.
        name: &'static str,
        /// The number found.
        found: f64,
        /// The range it must lie in.
        expected: &'static str,
    },
    /// A name that stands for no activation.
    #[error("there is no activation {found:?}; known are {known}")]
    UnknownActivation {
        /// The name found.
        found: String,
        /// The known names.
        known: String,
    },
    /// A name that stands for no initialiser.
    #[error("there is no initialiser {found:?}; known are {known}")]
    UnknownInit {
        /// The name found.
        found: String,
        /// The known names.
        known: String,
    },
}

/// Checks that a layer has inputs and outputs, and that (inputs + 1) · outputs values, its weights
/// and biases, can be addressed.
pub(crate) fn check_widths(
    kind: &'static str,
    inputs: usize,
    outputs: usize,
) -> Result<(), LayerError> {
    let values = inputs.checked_add(1).and_then(|n| n.checked_mul(outputs));
    let bytes = values.and_then(|n| n.checked_mul(size_of::<f64>()));
    if inputs > 0 && outputs > 0 && bytes.is_some_and(|bytes| bytes <= isize::MAX as usize) {
        Ok(())
    } else {
        Err(LayerError::Width { kind, inputs, outputs })
    }
}
