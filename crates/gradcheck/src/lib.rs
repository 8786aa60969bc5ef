#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod check;
mod error;
mod report;
mod sample;

pub use check::{Options, check, numeric_gradient};
pub use error::GradcheckError;
pub use report::{Entry, Report};
pub use sample::{Pieces, Sample};
