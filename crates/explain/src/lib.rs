#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod batch;
mod best;
mod certificate;
mod count;
mod error;
mod explainer;
mod explanation;
mod graph;
mod largest;
mod local;
mod paths;
mod text;
mod thin;
mod unfused;

pub use batch::BatchExplanation;
pub use certificate::Certificate;
pub use count::PathCount;
pub use error::ExplainError;
pub use explainer::{Explainer, explain};
pub use explanation::{Explanation, Group};
pub use graph::{Node, Quantity};
pub use largest::largest_weight;
pub use local::{Derivative, Factor};
pub use paths::{Path, Paths};
pub use thin::ThinFactors;
pub use unfused::Unfused;
