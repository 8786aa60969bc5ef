//! Elementwise maps, and sums over rows and columns.
//!
//! Every element's result depends on its own operands alone, and every sum is taken in an order
//! that depends on the shape alone.
//!
//! A function given to a kernel is compiled into its loop, for every instruction set, only if the
//! compiler inlines it there. The functions of [`crate::math`] always are; write
//! `#[inline(always)]` before a closure or function of more than a few operations. What is worth its
//! while is a [`Formula`] of its own.

mod columns;
mod elementwise;
mod softmax;

use crate::{Scalar, vectorised};

pub use columns::{column_sums, sub_column_sums};
pub use elementwise::{Formula, Sigmoid, Tanh, map, update, zip_map};
pub use softmax::{
    RowSum, exponential_rows, exponential_sums, log_sum_exp, log_sum_exp_rows,
    scaled_exponential_rows, softmax_rows,
};

/// Partial sums kept side by side by a reduction.
const LANES: usize = 16;

/// `Σ f(x)` over a slice, in sixteen interleaved partial sums.
///
/// The order depends on the length alone, and the rounding error grows with `n / 16` instead of
/// `n`.
#[inline]
pub fn sum_map<S: Scalar>(x: &[S], f: impl Fn(S) -> S) -> S {
    vectorised(
        #[inline(always)]
        || {
            sum_lanes(
                x,
                #[inline(always)]
                |_, x| f(x),
            )
        },
    )
}

/// `Σ x_i y_i`.
///
/// # Panics
/// If the lengths differ.
#[inline]
pub fn dot<S: Scalar>(x: &[S], y: &[S]) -> S {
    assert_eq!(x.len(), y.len(), "dot: lengths differ");
    vectorised(
        #[inline(always)]
        || {
            let mut lanes = [S::zero(); LANES];
            let (xs, ys) = (x.chunks_exact(LANES), y.chunks_exact(LANES));
            let mut tail = S::zero();
            for (&x, &y) in xs.remainder().iter().zip(ys.remainder()) {
                tail += x * y;
            }
            for (x, y) in xs.zip(ys) {
                for ((lane, &x), &y) in lanes.iter_mut().zip(x).zip(y) {
                    *lane += x * y;
                }
            }
            fold_lanes(lanes, |a, b| a + b) + tail
        },
    )
}

#[inline(always)]
fn fold_lanes<S: Scalar>(mut lanes: [S; LANES], f: impl Fn(S, S) -> S) -> S {
    let mut half = LANES / 2;
    while half > 0 {
        for i in 0..half {
            lanes[i] = f(lanes[i], lanes[i + half]);
        }
        half /= 2;
    }
    lanes[0]
}

/// `Σ f(i, x_i)`.
#[inline(always)]
fn sum_lanes<S: Scalar>(x: &[S], f: impl Fn(usize, S) -> S) -> S {
    let chunks = x.chunks_exact(LANES);
    let whole = x.len() - chunks.remainder().len();
    let mut tail = S::zero();
    for (i, &x) in chunks.remainder().iter().enumerate() {
        tail += f(whole + i, x);
    }
    if whole == 0 {
        return tail;
    }
    let mut lanes = [S::zero(); LANES];
    for (c, chunk) in chunks.enumerate() {
        for (i, (lane, &x)) in lanes.iter_mut().zip(chunk).enumerate() {
            *lane += f(c * LANES + i, x);
        }
    }
    fold_lanes(lanes, |a, b| a + b) + tail
}
