//! The innermost loop: a few rows and vectors of a product, held in registers.

use pulp::{Simd, WithSimd};

use super::lanes::Lanes;
use super::pack::copy_short;

/// The most rows of a tile.
pub(super) const MAX_ROWS: usize = 6;
/// Vectors in a row of a tile.
pub(super) const VECTORS: usize = 2;

/// What the sums of a tile start from.
#[derive(Clone, Copy)]
pub(super) enum Start {
    /// 0.
    Zero,
    /// What stands in the destination.
    Destination,
}

/// `C = A B` or `C += A B` for a tile of C: `rows` × (at most `VECTORS` vectors), over `k`.
///
/// Every element is one chain of fused multiply-adds in the order of `k`, so that its bits depend
/// on nothing but its own operands: not on the tile, nor on the width of a vector.
#[derive(Clone, Copy)]
pub(super) struct Tile<T> {
    /// `A[i][p]` at `a + i * a_row + p * a_step`.
    pub(super) a: *const T,
    pub(super) a_row: usize,
    pub(super) a_step: usize,
    /// `B[p]` at `b + p * b_step`; whole vectors can be read there.
    pub(super) b: *const T,
    pub(super) b_step: usize,
    /// `C[i]` at `c + i * c_row`; `cols` values can be read and written there.
    pub(super) c: *mut T,
    pub(super) c_row: usize,
    pub(super) rows: usize,
    pub(super) cols: usize,
    pub(super) k: usize,
    pub(super) start: Start,
}

impl<T: Lanes> Tile<T> {
    /// # Safety
    /// The pointers must be valid as their fields say, `rows` within `1..=MAX_ROWS`, `cols` within
    /// `1..=VECTORS * T::lanes::<S>()`, and nothing else may write to the tile meanwhile.
    #[inline(always)]
    pub(super) unsafe fn run<S: Simd>(self, simd: S) {
        macro_rules! of_height {
            ($($rows:literal)*) => {
                match (self.rows, self.cols <= T::lanes::<S>(), self.a_row == 1) {
                    $(($rows, true, true) => simd.vectorize(Fixed::<T, $rows, 1, true>(self)),
                    ($rows, true, false) => simd.vectorize(Fixed::<T, $rows, 1, false>(self)),
                    ($rows, false, true) => simd.vectorize(Fixed::<T, $rows, VECTORS, true>(self)),
                    ($rows, false, false) => simd.vectorize(Fixed::<T, $rows, VECTORS, false>(self)),)*
                    _ => unreachable!("a tile of {} rows", self.rows),
                }
            };
        }
        of_height!(1 2 3 4 5 6)
    }
}

/// A tile whose size the compiler knows, and whether `a_row` is 1.
struct Fixed<T, const ROWS: usize, const VECS: usize, const UNIT: bool>(Tile<T>);

impl<T: Lanes, const ROWS: usize, const VECS: usize, const UNIT: bool> WithSimd
    for Fixed<T, ROWS, VECS, UNIT>
{
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Tile { a, a_row, a_step, b, b_step, c, c_row, cols, k, start, .. } = self.0;
        let a_row = if UNIT { 1 } else { a_row };
        let lanes = T::lanes::<S>();
        let whole = cols == VECS * lanes;
        let mut sums = [[T::splat(simd, T::zero()); VECS]; ROWS];
        // SAFETY: `Tile::run` promises that the operands may be read and the destination written
        // at these places; a row that is not whole goes through `edge`.
        unsafe {
            if let Start::Destination = start {
                for (i, sums) in sums.iter_mut().enumerate() {
                    let row = c.add(i * c_row).cast_const();
                    if whole {
                        for (v, sum) in sums.iter_mut().enumerate() {
                            *sum = T::load::<S>(row.add(v * lanes));
                        }
                    } else {
                        let mut edge = [T::splat(simd, T::zero()); VECS];
                        copy_short(row, edge.as_mut_ptr().cast(), cols);
                        *sums = edge;
                    }
                }
            }
            for p in 0..k {
                let b = b.add(p * b_step);
                let mut row = [T::splat(simd, T::zero()); VECS];
                for (v, row) in row.iter_mut().enumerate() {
                    *row = T::load::<S>(b.add(v * lanes));
                }
                let a = a.add(p * a_step);
                for (i, sums) in sums.iter_mut().enumerate() {
                    let factor = T::splat(simd, *a.add(i * a_row));
                    for (sum, row) in sums.iter_mut().zip(row) {
                        *sum = T::mul_add(simd, factor, row, *sum);
                    }
                }
            }
            for (i, sums) in sums.iter().enumerate() {
                let row = c.add(i * c_row);
                if whole {
                    for (v, sum) in sums.iter().enumerate() {
                        T::store::<S>(row.add(v * lanes), *sum);
                    }
                } else {
                    // A copy, so that the sums themselves stay in registers.
                    let edge = *sums;
                    copy_short(edge.as_ptr().cast(), row, cols);
                }
            }
        }
    }
}
