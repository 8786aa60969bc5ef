#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod batch;
mod error;
mod explainer;
mod explanation;
mod largest;
mod local;
mod text;
mod thin;
mod unfused;

pub use batch::BatchExplanation;
pub use error::ExplainError;
pub use explainer::{Explainer, explain};
pub use explanation::{Explanation, Group};
pub use largest::largest_weight;
pub use local::{Derivative, Factor};
pub use thin::ThinFactors;
pub use unfused::Unfused;
