#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod backward;
mod check;
mod error;
mod factors;
mod forward;
mod layout;
mod network;
mod param;
mod workspace;

pub use backward::{Backward, OutputUnits};
pub use check::{CheckOptions, NetworkReport, check_gradient};
pub use error::NetworkError;
pub use factors::GradientFactors;
pub use forward::{Forward, NonFinite, Quantity};
pub use layout::{Block, Layout};
pub use network::Network;
pub use param::Param;
pub use workspace::Workspace;
