#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod absolute;
mod binary;
mod check;
mod cross_entropy;
mod elementwise;
mod error;
mod loss;
mod output_function;
mod parse;
mod probability;
mod squared;
mod targets;

pub use absolute::{Huber, L1};
pub use binary::BinaryCrossEntropy;
pub use cross_entropy::CrossEntropy;
pub use error::LossError;
pub use loss::{Loss, Reduction};
pub use output_function::OutputFunction;
pub use parse::{NAMES, parse};
pub use probability::ProbabilityCrossEntropy;
pub use squared::{MeanSquaredError, SquaredError};
pub use targets::Targets;
