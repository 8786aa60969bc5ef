//! Exponentials of rows so short that they would leave vectors mostly empty: eight rows are turned, and loops
//! run down their columns.

use pulp::Simd;

use super::{RowSum, ShiftedExp};
use crate::kernels::LANES;
use crate::kernels::elementwise::of_one;
use crate::simd::is_fused;
use crate::{Scalar, math};

/// Rows that are turned together, a multiple of every [`SIDE`](crate::product::Lanes::SIDE).
pub(super) const ROWS: usize = 8;

/// A value for each row.
type Column<S> = [S; ROWS];

/// Up to [`ROWS`] rows of fewer than [`LANES`] columns, turned.
pub(super) struct ShortRows<S> {
    cols: usize,
    /// The exponentials `e_j = e^{a_j − m}`; what stands in the places of missing rows is of no interest.
    e: [Column<S>; LANES],
    max: Column<S>,
    others: Column<S>,
    ln_sum: Column<S>,
    /// For rows that are fewer, or shorter than the blocks that are turned, and for factors.
    room: [S; ROWS * LANES],
}

impl<S: Scalar> ShortRows<S> {
    /// For rows of so many columns, if they are short: of [`LANES`] and more, sums are not taken one after the other.
    #[inline(always)]
    pub(super) fn of(cols: usize) -> Option<Self> {
        const { assert!(ROWS.is_multiple_of(S::SIDE) && S::SIDE <= LANES, "blocks that fit") };
        let zeros = [S::zero(); ROWS];
        let [max, others, ln_sum] = [zeros; 3];
        let (e, room) = ([zeros; LANES], [S::zero(); ROWS * LANES]);
        (1..LANES).contains(&cols).then_some(Self { cols, e, max, others, ln_sum, room })
    }

    /// Where blocks of `SIDE` columns start that cover all; the last two may overlap.
    #[inline(always)]
    fn blocks(&self) -> impl Iterator<Item = usize> + use<S> {
        let last = self.cols.saturating_sub(S::SIDE);
        (0..self.cols).step_by(S::SIDE).map(move |j| j.min(last))
    }

    /// Whether rows of this length can be turned where they are.
    #[inline(always)]
    fn are_whole(&self, rows: &[S]) -> bool {
        self.cols >= S::SIDE && rows.len() == ROWS * self.cols
    }

    /// The exponentials of the rows in `a`, and their sums.
    #[inline(always)]
    pub(super) fn take<V: Simd>(&mut self, _: V, a: &[S]) {
        let rows = if self.are_whole(a) {
            a
        } else {
            self.room[..a.len()].copy_from_slice(a);
            &self.room
        };
        for j in self.blocks() {
            for i in (0..ROWS).step_by(S::SIDE) {
                let from = rows[i * self.cols + j..].as_ptr();
                let to = self.e.as_flattened_mut()[j * ROWS + i..].as_mut_ptr();
                // SAFETY: of `e` the columns `j` and `SIDE − 1` more are there, and of them the rows `i` and as
                // many. Of whole rows these are there, too; else the last element read, of row 7, is at most
                // the (7 · 15 + 15)th or, of rows shorter than `SIDE`, the (7 · 7 + 8)th of the 128 in the
                // room. The processor has `V`, of which there is one.
                unsafe { S::turn::<V>(from, self.cols, S::SIDE, to, ROWS) };
            }
        }
        let e = &mut self.e[..self.cols];
        // The largest value that is a number, and its first place; the first place if there is none.
        let (mut max, mut place) = ([S::neg_infinity(); ROWS], [S::zero(); ROWS]);
        let mut number = S::zero();
        for a in &*e {
            for i in 0..ROWS {
                place[i] = if a[i] > max[i] { number } else { place[i] };
                max[i] = if a[i] > max[i] { a[i] } else { max[i] };
            }
            number += S::one();
        }
        let (mut others, mut top) = ([S::zero(); ROWS], [S::zero(); ROWS]);
        number = S::zero();
        for e in e {
            for i in 0..ROWS {
                e[i] = of_one(is_fused::<V>(), [e[i], max[i]], &ShiftedExp);
                let is_top = place[i] == number;
                others[i] += if is_top { S::zero() } else { e[i] };
                top[i] = if is_top { e[i] } else { top[i] };
            }
            number += S::one();
        }
        for i in 0..ROWS {
            self.others[i] = others[i] + (top[i] - S::one());
            self.ln_sum[i] = math::ln_1p(self.others[i]);
        }
        self.max = max;
    }

    /// Writes the rows into `out`, each `e_j` times `factor(others)` but for one place of each row, if
    /// `except(i, sum, e)` gives one and what goes there; `e(j)` is `e_j`.
    #[inline(always)]
    pub(super) fn scale_into<V: Simd>(
        &mut self,
        _: V,
        out: &mut [S],
        factor: impl Fn(S) -> S,
        mut except: impl FnMut(usize, RowSum<S>, &dyn Fn(usize) -> S) -> Option<(usize, S)>,
    ) {
        let (mut factors, mut scaled) = ([S::zero(); ROWS], self.e);
        for i in 0..ROWS {
            factors[i] = factor(self.others[i]);
        }
        // Side by side with the exponentials: column by column, compilers gather and scatter with AVX-512.
        for column in self.room[..ROWS * self.cols].chunks_exact_mut(ROWS) {
            column.copy_from_slice(&factors);
        }
        let all = &mut scaled.as_flattened_mut()[..ROWS * self.cols];
        for (e, &factor) in all.iter_mut().zip(&self.room) {
            *e *= factor;
        }
        let whole = self.are_whole(out);
        let (cols, blocks) = (self.cols, self.blocks());
        let rows = if whole { &mut *out } else { &mut self.room };
        for j in blocks {
            for i in (0..ROWS).step_by(S::SIDE) {
                let from = scaled.as_flattened()[j * ROWS + i..].as_ptr();
                let to = rows[i * cols + j..].as_mut_ptr();
                // SAFETY: as in `take`. What is written past the end of rows shorter than `SIDE`, the next
                // row overwrites.
                unsafe { S::turn::<V>(from, ROWS, S::SIDE, to, cols) };
            }
        }
        if !whole {
            out.copy_from_slice(&self.room[..out.len()]);
        }
        for (i, out) in out.chunks_exact_mut(cols).take(ROWS).enumerate() {
            let (max, others, ln_sum) = (self.max[i], self.others[i], self.ln_sum[i]);
            let sum = RowSum { max, others, ln_sum };
            if let Some((place, value)) = except(i, sum, &|j| self.e[..cols][j][i]) {
                out[place] = value;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::kernels::{exponential_rows, scaled_exponential_rows};
    use crate::{Matrix, Scalar};

    /// Ties, infinities and NaN among others, in rows of every length.
    fn logits<S: Scalar>(rows: usize, cols: usize) -> Matrix<S> {
        Matrix::from_fn(rows, cols, |i, j| match (i * 7 + j * 5) % 31 {
            13 if i % 4 == 1 => S::nan(),
            17 if i % 5 == 2 => S::infinity(),
            23 => S::neg_infinity(),
            other => S::of(f64::from(other as u8) / 3.0 - (i % 3) as f64 * 40.0),
        })
    }

    fn bits<S: Scalar>(m: &Matrix<S>) -> Vec<Option<u64>> {
        let bits = |x: &S| (!x.is_nan()).then(|| x.as_f64().to_bits());
        m.as_slice().iter().map(bits).collect()
    }

    /// Against the same by rows, which are worked out one after the other.
    #[test]
    fn turned_rows_have_the_bits_of_rows() {
        fn check<S: Scalar>(rows: usize, cols: usize) {
            let a = logits::<S>(rows, cols);
            let factor = |others: S| S::of(3.0) / (S::one() + others);
            let exception = |i: usize| (!i.is_multiple_of(3)).then_some(i % cols);
            let (mut turned, mut by_rows) = (Matrix::zeros(rows, cols), Matrix::zeros(rows, cols));
            let mut sums = Vec::new();
            scaled_exponential_rows(a.view(), turned.view_mut(), factor, |i, sum, e| {
                sums.push((i, sum));
                exception(i).map(|j| (j, e(j) - sum.ln_sum))
            });
            exponential_rows(a.view(), by_rows.view_mut(), |i, e, sum| {
                let (at, of_turned) = sums[i];
                let same = |x: S, y: S| x == y || x.is_nan() && y.is_nan();
                assert!(at == i && same(of_turned.max, sum.max), "{rows}×{cols}, row {i}");
                assert!(same(of_turned.others, sum.others), "{rows}×{cols}, row {i}");
                let exception = exception(i).map(|j| (j, e[j] - sum.ln_sum));
                e.iter_mut().for_each(|e| *e *= factor(sum.others));
                if let Some((j, value)) = exception {
                    e[j] = value;
                }
            });
            assert_eq!(bits(&turned), bits(&by_rows), "{rows}×{cols} {}", S::NAME);
        }
        // Miri takes minutes for all: rows that fill a block or not, columns with and without an overlap.
        let all = (1..=19).flat_map(|rows| (1..=18).map(move |cols| (rows, cols)));
        let some = |(rows, cols): &(usize, usize)| {
            [7, 8].contains(rows) && [1, 3, 8, 9, 15].contains(cols)
        };
        for (rows, cols) in all.filter(|shape| !cfg!(miri) || some(shape)) {
            check::<f32>(rows, cols);
            check::<f64>(rows, cols);
        }
    }
}
