#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod activation;
mod config;
mod dense;
mod dropout;
mod error;
mod init;
mod layer;
mod softmax;

pub use activation::Activation;
pub use config::LayerConfig;
pub use dense::Dense;
pub use dropout::Dropout;
pub use error::LayerError;
pub use init::Init;
pub use layer::{Kept, Layer, ParamKind, ParamShape, Pass};
pub use softmax::Softmax;
