#![doc = include_str!("../README.md")]

mod aligned;
pub mod bf16;
mod compute;
#[cfg(any(feature = "faer", feature = "ndarray"))]
pub mod convert;
mod error;
pub mod kernels;
pub mod math;
mod matrix;
mod number;
mod pages;
pub mod product;
mod scalar;
mod scratch;
mod sections;
mod simd;
mod threads;
mod view;

pub use aligned::AlignedVec;
pub use compute::{Compute, Precision};
pub use error::TensorError;
pub use matrix::Matrix;
pub use num_traits;
pub use number::Number;
pub use product::{affine, mul_nn, mul_nt, mul_tn, sub_mul_tn};
pub use scalar::Scalar;
pub use simd::{instruction_set, vectorised};
pub use threads::Threads;
pub use view::{MatrixView, MatrixViewMut};
