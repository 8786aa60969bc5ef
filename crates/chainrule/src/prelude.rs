//! What most programs need: `use chainrule::prelude::*`.

pub use crate::autograd::{Network, Param, Workspace, check_gradient};
pub use crate::data::Dataset;
pub use crate::layers::{Activation, Dense, Init, Layer};
pub use crate::loss::{CrossEntropy, Loss, MeanSquaredError, SquaredError, Targets};
pub use crate::optim::{DecayOn, Optimizer, OptimizerConfig, Schedule};
pub use crate::tensor::{Compute, Matrix, MatrixView, Precision, Scalar, Threads};
pub use crate::{Config, Flow, Model, NetworkBuilder, Trainer};
