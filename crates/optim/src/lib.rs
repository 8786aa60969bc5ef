#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod adadelta;
mod adagrad;
mod adam;
mod check;
pub mod clip;
mod config;
mod decay;
pub mod descent;
mod error;
mod nadam;
mod optimizer;
mod plateau;
mod rmsprop;
pub mod schedule;
mod sgd;
mod state;

pub use adadelta::{Adadelta, AdadeltaConfig};
pub use adagrad::{Adagrad, AdagradConfig};
pub use adam::{Adam, AdamConfig, AdamW, AdamWConfig};
pub use check::Check;
pub use clip::{GradientClip, clip_by_norm, clip_by_value, norm};
pub use config::OptimizerConfig;
pub use decay::DecayOn;
pub use descent::{Descent, DescentConfig, Iteration, StopReason, gradient_descent};
pub use error::OptimError;
pub use nadam::{NAdam, NAdamConfig};
pub use optimizer::{BUFFERS, Buffer, FlatOptimizer, Optimizer, Part, Pass, Rule};
pub use plateau::{PlateauConfig, PlateauMode, ReduceOnPlateau, ThresholdMode};
pub use rmsprop::{RmsProp, RmsPropConfig};
pub use schedule::Schedule;
pub use sgd::{Sgd, SgdConfig};
pub use state::OptimizerState;
