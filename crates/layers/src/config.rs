//! Layers as data: what configuration and model files hold.

use chainrule_tensor::Scalar;
use serde::{Deserialize, Serialize};

use crate::{Dense, Dropout, Layer, LayerError, Softmax};

/// The description of one of this crate's layers.
///
/// A dense layer may also have `"bias": false`, `"weight_init"` and `"bias_init"` (see
/// [`Init`](crate::Init); PyTorch's by default). Unknown kinds and fields are refused when read,
/// numbers out of their range by [`LayerConfig::build`].
///
/// ```
/// use chainrule_layers::LayerConfig;
/// let text = r#"{"kind": "dense", "inputs": 2, "outputs": 3, "activation": "tanh"}"#;
/// let config: LayerConfig = serde_json::from_str(text)?;
/// let layer = config.build::<f32>()?;
/// assert_eq!(layer.name(), "dense 2 -> 3, tanh");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum LayerConfig {
    /// A fully connected layer.
    Dense(Dense),
    /// Softmax over the units.
    Softmax(Softmax),
    /// Inverted dropout.
    Dropout(Dropout),
}

impl LayerConfig {
    /// The layer described.
    ///
    /// # Errors
    /// [`LayerError`] if a width is 0 or too large, or a number is out of its range.
    pub fn build<S: Scalar>(&self) -> Result<Box<dyn Layer<S>>, LayerError> {
        Ok(match self {
            Self::Dense(layer) => {
                layer.validate()?;
                Box::new(layer.clone())
            }
            Self::Softmax(layer) => {
                layer.validate()?;
                Box::new(layer.clone())
            }
            Self::Dropout(layer) => {
                layer.validate()?;
                Box::new(layer.clone())
            }
        })
    }
}
