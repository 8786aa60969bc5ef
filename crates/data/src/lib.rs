#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod batches;
#[cfg(feature = "csv")]
mod csv;
mod dataset;
#[cfg(feature = "digits")]
mod digits;
mod error;
#[cfg(feature = "idx")]
mod idx;
mod message;
mod one_hot;
mod scaler;
mod split;
mod target;

pub use batches::{Batch, BatchTarget, Batches};
#[cfg(feature = "csv")]
pub use csv::{CsvOptions, Features, read_csv, read_csv_from, read_features, read_features_from};
pub use dataset::Dataset;
#[cfg(feature = "digits")]
pub use digits::digits;
pub use error::{DataError, Place};
#[cfg(feature = "idx")]
pub use idx::{IdxArray, read_idx, read_idx_directory, read_idx_from};
pub use one_hot::one_hot;
pub use scaler::{Scaler, Scaling};
pub use split::{Split, random_split, stratified_split};
pub use target::{Target, Task, find_class};
