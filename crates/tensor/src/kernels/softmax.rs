//! Softmax and log-sum-exp of rows.

mod scaled;
mod short_rows;

use super::elementwise::{Formula, each_element, of_one};
use super::{LANES, fold_lanes, sum_lanes};
use crate::simd::with_vectors;
use crate::{MatrixView, MatrixViewMut, Number, Scalar, math};

pub use scaled::scaled_exponential_rows;

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
    scaled_exponential_rows(
        a,
        out,
        #[inline(always)]
        |others| S::one() / (S::one() + others),
        |_, _, _| None,
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
    scaled_exponential_rows(
        a,
        softmax,
        #[inline(always)]
        |others| S::one() / (S::one() + others),
        #[inline(always)]
        |i, RowSum { max, ln_sum, .. }, _| {
            lse(i, finish(a.row(i), max, ln_sum));
            None
        },
    );
}

/// What the exponentials `e_j = e^{a_j − m}` of a row add up to.
///
/// The log-sum-exp is `m + ln(1 + r)`. Where `m` is large that sum rounds away the digits of the
/// logarithm: a cross-entropy takes `(m − a_ℓ) + ln(1 + r)` instead.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RowSum<S> {
    /// `m = max_j a_j`.
    pub max: S,
    /// `r = Σ_j e_j − 1`, the sum of all but the largest.
    pub others: S,
    /// `ln(1 + r)`, with the digits of an `r` that `1 + r` would round away.
    pub ln_sum: S,
}

/// `e_j = e^{a_j − m}` of every row into `out`, with `m = max_k a_k`; then `row(i, e, sum)` may turn
/// the row into what it needs, in the same pass. `a` and `out` are (examples × classes).
///
/// Mark the closure `#[inline(always)]`, as for [`vectorised`](crate::vectorised): else it runs as compiled for the build's
/// target.
///
/// # Panics
/// If the shapes differ.
///
/// ```
/// use chainrule_tensor::{Matrix, kernels::exponential_rows};
/// let a = Matrix::from_rows(&[[1e4_f32, 1e4]]);
/// let mut e = Matrix::zeros(1, 2);
/// exponential_rows(a.view(), e.view_mut(), |_, _, sum| assert_eq!((sum.max, sum.others), (1e4, 1.0)));
/// assert_eq!(e.as_slice(), [1.0, 1.0]);
/// ```
pub fn exponential_rows<S: Scalar>(
    a: MatrixView<'_, S>,
    mut out: MatrixViewMut<'_, S>,
    row: impl FnMut(usize, &mut [S], RowSum<S>),
) {
    assert_eq!((a.rows(), a.cols()), (out.rows(), out.cols()), "shapes differ");
    with_vectors(
        #[inline(always)]
        |fused| blocks_of_rows(fused, a.as_slice(), out.as_mut_slice(), a.cols().max(1), row),
    );
}

/// [`exponential_rows`], to be inlined into [`with_vectors`].
#[inline(always)]
fn blocks_of_rows<S: Scalar>(
    fused: bool,
    a: &[S],
    out: &mut [S],
    cols: usize,
    mut row: impl FnMut(usize, &mut [S], RowSum<S>),
) {
    let mut sums = Sums::new();
    let blocks = out.chunks_mut(HEIGHT * cols);
    for (block, (a, out)) in a.chunks(HEIGHT * cols).zip(blocks).enumerate() {
        sums.of_rows(fused, a, out, cols);
        for (i, out) in out.chunks_exact_mut(cols).enumerate() {
            row(block * HEIGHT + i, out, sums.row(i));
        }
    }
}

/// [`exponential_rows`] without storing the exponentials: `row(i, sum)`, the same bits. `a` is
/// (examples × classes).
pub fn exponential_sums<S: Scalar>(a: MatrixView<'_, S>, mut row: impl FnMut(usize, RowSum<S>)) {
    with_vectors(
        #[inline(always)]
        |fused| {
            for (i, a) in a.iter_rows().enumerate() {
                let (max, others) = sum_of_others(fused, a);
                row(i, RowSum { max, others, ln_sum: math::ln_1p(others) });
            }
        },
    );
}

/// Rows that are worked on together.
const HEIGHT: usize = 16;

/// The [`RowSum`]s of a block of rows.
struct Sums<S> {
    max: [S; HEIGHT],
    others: [S; HEIGHT],
    ln_sum: [S; HEIGHT],
}

impl<S: Scalar> Sums<S> {
    #[inline(always)]
    fn new() -> Self {
        Self { max: [S::zero(); HEIGHT], others: [S::zero(); HEIGHT], ln_sum: [S::zero(); HEIGHT] }
    }

    #[inline(always)]
    fn row(&self, i: usize) -> RowSum<S> {
        RowSum { max: self.max[i], others: self.others[i], ln_sum: self.ln_sum[i] }
    }

    /// Of the exponentials, which it writes to `out`: those of the whole block in one loop, since rows
    /// are often shorter than a vector.
    #[inline(always)]
    fn of_rows(&mut self, fused: bool, a: &[S], out: &mut [S], cols: usize) {
        let mut places = [0; HEIGHT];
        let rows = a.chunks_exact(cols).zip(out.chunks_exact_mut(cols));
        for ((max, place), (a, out)) in self.max.iter_mut().zip(&mut places).zip(rows) {
            (*max, *place) = largest(a);
            out.fill(*max);
        }
        each_element(fused, [a], out, &ShiftedExp);
        let rows = out.chunks_exact_mut(cols).zip(places);
        for (others, (out, place)) in self.others.iter_mut().zip(rows) {
            let top = std::mem::replace(&mut out[place], S::zero());
            *others = sum_lanes(out, |_, e| e) + (top - S::one());
            out[place] = top;
        }
        for (ln_sum, &others) in self.ln_sum.iter_mut().zip(&self.others) {
            *ln_sum = math::ln_1p(others);
        }
    }
}

/// `ln Σ_j e^{a_j}` of one slice, without overflow, and without losing small terms beside a large
/// one.
pub fn log_sum_exp<S: Scalar>(a: &[S]) -> S {
    with_vectors(
        #[inline(always)]
        |fused| {
            let (max, others) = sum_of_others(fused, a);
            finish(a, max, math::ln_1p(others))
        },
    )
}

/// The log-sum-exp of a row: `m + ln(1 + r)`, or its limit where `m` is infinite.
#[inline(always)]
fn finish<S: Scalar>(a: &[S], max: S, ln_sum: S) -> S {
    if max.is_finite() || a.iter().any(|a| a.is_nan()) { max + ln_sum } else { max }
}

/// `m = max_j a_j` and `r = Σ_j e^{a_j − m} − 1`: the largest is left out of the sum, beside which
/// small terms would lose their digits; only what it is more than 1 (NaN beyond infinity) is added.
#[inline(always)]
fn sum_of_others<S: Scalar>(fused: bool, a: &[S]) -> (S, S) {
    let (max, place) = largest(a);
    let Some(&top) = a.get(place) else { return (max, -S::one()) };
    let others = sum_lanes(
        a,
        #[inline(always)]
        |i, a| if i == place { S::zero() } else { of_one(fused, [a, max], &ShiftedExp) },
    );
    (max, others + (of_one(fused, [top, max], &ShiftedExp) - S::one()))
}

/// `e^{a − max}`, with what the rounding of the difference leaves made good: `e^{−y}` would lose
/// `y` times that.
struct ShiftedExp;

impl<S: Scalar> Formula<S, 2> for ShiftedExp {
    #[inline(always)]
    fn at<N: Number<Element = S>>(&self, [a, max]: [N; 2]) -> N {
        let difference = a - max;
        // Knuth's sum of two: difference + rest = a − max exactly.
        let b = difference - a;
        let rest = (a - (difference - b)) - (max + b);
        let rest = difference.select(|d| d == S::neg_infinity(), N::constant(0.0), rest);
        let e = math::exp_neg(-difference);
        e.muladd(rest, e)
    }
}

/// The largest value that is a number, and its first place; −∞ and 0 if there is none.
#[inline(always)]
fn largest<S: Scalar>(x: &[S]) -> (S, usize) {
    let larger = |max: S, x: S| if x > max { x } else { max };
    let mut max = S::neg_infinity();
    if x.len() < LANES {
        // Without a branch that nobody can predict.
        let mut place = 0;
        for (i, &x) in x.iter().enumerate() {
            place = if x > max { i } else { place };
            max = larger(max, x);
        }
        return (max, place);
    }
    let chunks = x.chunks_exact(LANES);
    for &x in chunks.remainder() {
        max = larger(max, x);
    }
    let mut lanes = [S::neg_infinity(); LANES];
    for chunk in chunks {
        for (lane, &x) in lanes.iter_mut().zip(chunk) {
            *lane = larger(*lane, x);
        }
    }
    max = larger(max, fold_lanes(lanes, larger));
    (max, x.iter().position(|&x| x == max).unwrap_or(0))
}
