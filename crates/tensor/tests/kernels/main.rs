//! The kernels against naive formulas, at their limits, and at every place in a slice.

mod elementwise;
mod rows_and_columns;

use chainrule_tensor::Scalar;

/// Lengths around the widths of vectors and of partial sums.
const LENGTHS: [usize; 12] = [0, 1, 2, 3, 7, 8, 15, 16, 17, 31, 33, 100];

fn wave(n: usize) -> Vec<f64> {
    (0..n).map(|i| 3.0 * (1.7 * i as f64 + 0.3).sin()).collect()
}

fn cast<S: Scalar>(x: &[f64]) -> Vec<S> {
    x.iter().map(|&x| S::of(x)).collect()
}
