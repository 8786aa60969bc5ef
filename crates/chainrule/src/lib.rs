#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod builder;
mod config;
mod error;
pub mod file;
pub mod metrics;
mod model;
mod seed;
pub mod train;

pub mod prelude;

pub use chainrule_autograd_manual as autograd;
pub use chainrule_data as data;
#[cfg(feature = "explain")]
pub use chainrule_explain as explain;
pub use chainrule_gradcheck as gradcheck;
pub use chainrule_layers as layers;
pub use chainrule_loss as loss;
pub use chainrule_optim as optim;
pub use chainrule_tensor as tensor;
pub use rand;

pub use builder::NetworkBuilder;
pub use config::{Config, NetworkConfig, TrainingConfig};
pub use error::{Error, Result};
pub use metrics::{Scores, Task};
pub use model::{Answer, Model, ModelInfo, Prediction, TargetInfo, TrainingInfo};
pub use seed::{Stream, rng};
pub use train::{Flow, History, Trainer};
