//! Elementwise maps, and sums over rows and columns.
//!
//! Every element's result depends on its own operands alone, and every sum is taken in an order
//! that depends on the shape alone.
//!
//! A function given to a kernel is compiled into its loop, for every instruction set, only if the
//! compiler inlines it there. The functions of [`crate::math`] always are; write
//! `#[inline(always)]` before a closure or function of more than a few operations.

use crate::product::Store;
use crate::{MatrixView, MatrixViewMut, Scalar, math, vectorised};

/// About how many exponentials are one loop, and of how many rows at most.
const TOGETHER: usize = 512;
const MAX_HEIGHT: usize = 64;

/// Partial sums kept side by side by a reduction.
const LANES: usize = 16;

/// `y = f(x)` for every element.
///
/// # Panics
/// If the lengths differ.
///
/// ```
/// use chainrule_tensor::{kernels::map, math};
/// let mut h = [0.0; 3];
/// map(&[-1.0, 0.0, 1.0], &mut h, math::tanh);
/// assert!((h[2] - 1.0_f64.tanh()).abs() < 1e-15);
/// ```
pub fn map<S: Scalar>(x: &[S], y: &mut [S], f: impl Fn(S) -> S) {
    assert_eq!(x.len(), y.len(), "map: lengths differ");
    vectorised(
        #[inline(always)]
        || {
            for (&x, y) in x.iter().zip(y) {
                *y = f(x);
            }
        },
    );
}

/// `z = f(x, y)` for every pair of elements.
///
/// # Panics
/// If the lengths differ.
pub fn zip_map<S: Scalar>(x: &[S], y: &[S], z: &mut [S], f: impl Fn(S, S) -> S) {
    assert!(x.len() == y.len() && y.len() == z.len(), "zip_map: lengths differ");
    vectorised(
        #[inline(always)]
        || {
            for ((&x, &y), z) in x.iter().zip(y).zip(z) {
                *z = f(x, y);
            }
        },
    );
}

/// `y = f(x, y)` for every pair of elements.
///
/// # Panics
/// If the lengths differ.
pub fn update<S: Scalar>(x: &[S], y: &mut [S], f: impl Fn(S, S) -> S) {
    assert_eq!(x.len(), y.len(), "update: lengths differ");
    vectorised(
        #[inline(always)]
        || {
            for (&x, y) in x.iter().zip(y) {
                *y = f(x, *y);
            }
        },
    );
}

/// Adds the bias to every row of `a` and applies the activation: `a += 1 bᵀ`, `h = g(a)`, in one
/// pass. `a` and `h` are (examples × units), `bias` has one value a unit.
///
/// # Panics
/// If the shapes differ.
pub fn add_bias_and_map<S: Scalar>(
    bias: &[S],
    mut a: MatrixViewMut<'_, S>,
    mut h: MatrixViewMut<'_, S>,
    g: impl Fn(S) -> S,
) {
    assert!(
        a.cols() == bias.len() && (a.rows(), a.cols()) == (h.rows(), h.cols()),
        "add_bias_and_map: shapes differ"
    );
    vectorised(
        #[inline(always)]
        || {
            for (a, h) in a.iter_rows_mut().zip(h.iter_rows_mut()) {
                for ((a, h), &b) in a.iter_mut().zip(h).zip(bias) {
                    *a += b;
                    *h = g(*a);
                }
            }
        },
    );
}

/// The sum of the rows of `m`: one value a column, `(1ᵀ M)_j = Σ_i M_ij`.
///
/// # Panics
/// If `sums` does not have one place a column.
pub fn column_sums<S: Scalar>(m: MatrixView<'_, S>, sums: &mut [S], store: Store) {
    assert_eq!(m.cols(), sums.len(), "column_sums: one place a column");
    vectorised(
        #[inline(always)]
        || {
            if store == Store::Replace {
                sums.fill(S::zero());
            }
            for row in m.iter_rows() {
                for (sum, &x) in sums.iter_mut().zip(row) {
                    *sum += x;
                }
            }
        },
    );
}

/// `Σ f(x)` over a slice, in sixteen interleaved partial sums.
///
/// The order depends on the length alone, and the rounding error grows with `n / 16` instead of
/// `n`.
#[inline]
pub fn sum_map<S: Scalar>(x: &[S], f: impl Fn(S) -> S) -> S {
    vectorised(
        #[inline(always)]
        || sum_lanes(x, f),
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

#[inline(always)]
fn sum_lanes<S: Scalar>(x: &[S], f: impl Fn(S) -> S) -> S {
    let mut lanes = [S::zero(); LANES];
    let chunks = x.chunks_exact(LANES);
    let mut tail = S::zero();
    for &x in chunks.remainder() {
        tail += f(x);
    }
    for chunk in chunks {
        for (lane, &x) in lanes.iter_mut().zip(chunk) {
            *lane += f(x);
        }
    }
    fold_lanes(lanes, |a, b| a + b) + tail
}

/// The largest value; NaN if there is one, −∞ for an empty slice.
#[inline(always)]
fn max_lanes<S: Scalar>(x: &[S]) -> S {
    let larger = |max: S, x: S| if x > max || x.is_nan() { x } else { max };
    let mut lanes = [S::neg_infinity(); LANES];
    let chunks = x.chunks_exact(LANES);
    let mut tail = S::neg_infinity();
    for &x in chunks.remainder() {
        tail = larger(tail, x);
    }
    for chunk in chunks {
        for (lane, &x) in lanes.iter_mut().zip(chunk) {
            *lane = larger(*lane, x);
        }
    }
    larger(fold_lanes(lanes, larger), tail)
}

/// Softmax of every row: `ŷ_j = e^{a_j − m} / Σ_k e^{a_k − m}` with `m = max_k a_k`, so that
/// nothing overflows, and every `ŷ_j`, however small, is within a few units in the last place.
/// `a` and `out` are (examples × classes).
///
/// # Panics
/// If the shapes differ.
///
/// ```
/// use chainrule_tensor::{Matrix, kernels::softmax_rows};
/// let a = Matrix::from_rows(&[[1e4_f32, 1e4], [0.0, -1e4]]);
/// let mut y = Matrix::zeros(2, 2);
/// softmax_rows(a.view(), y.view_mut());
/// assert_eq!(y.as_slice(), [0.5, 0.5, 1.0, 0.0]);
/// ```
pub fn softmax_rows<S: Scalar>(a: MatrixView<'_, S>, out: MatrixViewMut<'_, S>) {
    exponential_rows(
        a,
        out,
        #[inline(always)]
        |_, row, _, others| {
            let scale = S::one() / (S::one() + others);
            for y in row {
                *y *= scale;
            }
        },
    );
}

/// Log-sum-exp of every row, `ln Σ_j e^{a_j}`, and the row's softmax into `softmax`, in one pass.
/// `a` and `softmax` are (examples × classes); `lse` gets each example's number and value.
///
/// # Panics
/// If the shapes differ.
pub fn log_sum_exp_rows<S: Scalar>(
    a: MatrixView<'_, S>,
    softmax: MatrixViewMut<'_, S>,
    mut lse: impl FnMut(usize, S),
) {
    exponential_rows(
        a,
        softmax,
        #[inline(always)]
        |i, row, max, others| {
            let scale = S::one() / (S::one() + others);
            for y in row {
                *y *= scale;
            }
            lse(i, if max.is_infinite() { max } else { max + others.ln_1p() });
        },
    );
}

/// `e_j = e^{a_j − m}` of every row into `out`, with `m = max_k a_k`; then `row(i, e, m, r)`, with
/// `r = Σ_j e_j − 1` the sum of all but the largest, may turn the row into what it needs, in the
/// same pass.
///
/// The log-sum-exp is `m + ln(1 + r)`, by `ln_1p`, which keeps the digits of an `r` that `1 + r`
/// would round away. Where `m` is large that sum in turn rounds away the digits of the logarithm:
/// a cross-entropy takes `(m − a_ℓ) + ln(1 + r)` instead.
///
/// # Panics
/// If the shapes differ.
///
/// ```
/// use chainrule_tensor::{Matrix, kernels::exponential_rows};
/// let a = Matrix::from_rows(&[[1e4_f32, 1e4]]);
/// let mut e = Matrix::zeros(1, 2);
/// exponential_rows(a.view(), e.view_mut(), |_, _, max, rest| assert_eq!((max, rest), (1e4, 1.0)));
/// assert_eq!(e.as_slice(), [1.0, 1.0]);
/// ```
pub fn exponential_rows<S: Scalar>(
    a: MatrixView<'_, S>,
    mut out: MatrixViewMut<'_, S>,
    mut row: impl FnMut(usize, &mut [S], S, S),
) {
    assert_eq!((a.rows(), a.cols()), (out.rows(), out.cols()), "shapes differ");
    vectorised(
        #[inline(always)]
        || {
            // Rows are often shorter than a vector: the exponentials of several are one loop.
            let cols = a.cols().max(1);
            let height = (TOGETHER / cols).clamp(1, MAX_HEIGHT);
            let blocks = out.as_mut_slice().chunks_mut(height * cols);
            for (block, (a, out)) in a.as_slice().chunks(height * cols).zip(blocks).enumerate() {
                let mut maxima = [S::zero(); MAX_HEIGHT];
                let rows = a.chunks_exact(cols).zip(out.chunks_exact_mut(cols));
                for (max, (a, out)) in maxima.iter_mut().zip(rows) {
                    *max = max_lanes(a);
                    out.fill(*max);
                }
                for (&a, y) in a.iter().zip(out.iter_mut()) {
                    *y = shifted_exp(a, *y);
                }
                for (i, (max, out)) in maxima.iter().zip(out.chunks_exact_mut(cols)).enumerate() {
                    let others = sum_of_others(out, |y| y);
                    row(block * height + i, out, *max, others);
                }
            }
        },
    );
}

/// [`exponential_rows`] without storing the exponentials: `row(i, m, r)`, the same bits.
pub fn exponential_sums<S: Scalar>(a: MatrixView<'_, S>, mut row: impl FnMut(usize, S, S)) {
    vectorised(
        #[inline(always)]
        || {
            for (i, a) in a.iter_rows().enumerate() {
                let max = max_lanes(a);
                row(i, max, sum_of_others(a, |a| shifted_exp(a, max)));
            }
        },
    );
}

/// `ln Σ_j e^{a_j}` of one slice, without overflow, and without losing small terms beside a large
/// one: `ln_1p` of their sum.
pub fn log_sum_exp<S: Scalar>(a: &[S]) -> S {
    vectorised(
        #[inline(always)]
        || {
            let max = max_lanes(a);
            if max.is_infinite() {
                return max;
            }
            max + sum_of_others(a, |a| shifted_exp(a, max)).ln_1p()
        },
    )
}

/// `e^{a − max}`, with what the rounding of the difference leaves made good: `e^{−y}` would lose
/// `y` times that.
#[inline(always)]
fn shifted_exp<S: Scalar>(a: S, max: S) -> S {
    let difference = a - max;
    // Knuth's sum of two: difference + rest = a − max exactly.
    let b = difference - a;
    let rest = (a - (difference - b)) - (max + b);
    let rest = if difference == S::neg_infinity() { S::zero() } else { rest };
    let e = math::exp(difference);
    e + e * rest
}

/// `Σ e(x) − 1` where the largest `e(x)` is 1. The ones are counted apart, so that small terms
/// beside a single one keep their digits.
#[inline(always)]
fn sum_of_others<S: Scalar>(x: &[S], e: impl Fn(S) -> S) -> S {
    let one = S::one();
    let split = |e: S| if e == one { (one, S::zero()) } else { (S::zero(), e) };
    let (mut ones, mut lanes) = ([S::zero(); LANES], [S::zero(); LANES]);
    let (mut tail_ones, mut tail) = (S::zero(), S::zero());
    let chunks = x.chunks_exact(LANES);
    for &x in chunks.remainder() {
        let (one, small) = split(e(x));
        tail_ones += one;
        tail += small;
    }
    for chunk in chunks {
        for ((ones, lane), &x) in ones.iter_mut().zip(&mut lanes).zip(chunk) {
            let (one, small) = split(e(x));
            *ones += one;
            *lane += small;
        }
    }
    let ones = fold_lanes(ones, |a, b| a + b) + tail_ones;
    (ones - one) + (fold_lanes(lanes, |a, b| a + b) + tail)
}
