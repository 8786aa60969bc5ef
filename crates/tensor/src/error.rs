//! What can go wrong when matrices and threads are made and names read.

use thiserror::Error;

/// An error of this crate.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TensorError {
    /// The number of values does not fill the matrix.
    #[error(
        "a {rows}×{cols} matrix holds rows·cols values, found {found}; pass exactly that many values"
    )]
    Length {
        /// Rows asked for.
        rows: usize,
        /// Columns asked for.
        cols: usize,
        /// Number of values found.
        found: usize,
    },
    /// The rows given do not all have the same length.
    #[error("row {row} has {found} values, row 0 has {expected}; all rows need the same length")]
    Ragged {
        /// The first row that differs, from 0.
        row: usize,
        /// Values in row 0.
        expected: usize,
        /// Values in that row.
        found: usize,
    },
    /// The matrix does not fit into memory.
    #[error("a {rows}×{cols} matrix does not fit into memory; choose smaller sizes")]
    TooLarge {
        /// Rows asked for.
        rows: usize,
        /// Columns asked for.
        cols: usize,
    },
    /// The operating system refused a thread, or none was asked for.
    #[error("cannot work with {count} threads ({reason}); choose a number from 1 to 1024")]
    Threads {
        /// Threads asked for.
        count: usize,
        /// Why they could not be had.
        reason: String,
    },
    /// The environment variable `CHAINRULE_SIMD` names no instruction set that can be asked for.
    #[error("CHAINRULE_SIMD is `{found}`; set it to avx2 or portable, or not at all")]
    InstructionSet {
        /// The name found.
        found: String,
    },
    /// No precision has this name.
    #[error("unknown precision `{found}`; there are f32 and bf16")]
    Precision {
        /// The name found.
        found: String,
    },
}
