//! Products of a few rows: with so little use of each value of B, nothing is packed.

use pulp::Simd;

use super::destination::Start;
use super::lanes::Lanes;

/// Rows of A below which `A Bᵀ` is taken as dot products.
pub(super) const FEW_ROWS: usize = 4;
/// Rows of B that share the loads of a row of A.
const TOGETHER: usize = 4;

/// `C[j] = start + a · B[j]` for the `n` rows of B, each of `k` values.
///
/// A dot product is summed in `2 × lanes` interleaved parts, the same for every row whatever its
/// neighbours; which `n` rows are taken together does not change their bits.
///
/// # Safety
/// `k` values must be readable at `a` and at `b + j * b_row` for every `j < n`, and `n` in a row to
/// start from.
#[inline(always)]
pub(super) unsafe fn dot_rows<T: Lanes, S: Simd>(
    simd: S,
    a: *const T,
    b: *const T,
    b_row: usize,
    k: usize,
    c: &mut [T],
    start: Start<T>,
) {
    let mut chunks = c.chunks_exact_mut(TOGETHER);
    let mut j = 0;
    for chunk in &mut chunks {
        // SAFETY: rows `j..j + TOGETHER` are below `n`.
        unsafe {
            let dots = dots::<T, S, TOGETHER>(simd, a, b.add(j * b_row), b_row, k);
            put(chunk, &dots, start.at(0, j));
        }
        j += TOGETHER;
    }
    for c in chunks.into_remainder() {
        // SAFETY: row `j` is below `n`.
        unsafe {
            let dots = dots::<T, S, 1>(simd, a, b.add(j * b_row), b_row, k);
            put(std::slice::from_mut(c), &dots, start.at(0, j));
        }
        j += 1;
    }
}

/// # Safety
/// A row to start from must have a value for each of `c`, a column one.
#[inline(always)]
unsafe fn put<T: Lanes>(c: &mut [T], dots: &[T], start: Start<T>) {
    for (j, (c, &dot)) in c.iter_mut().zip(dots).enumerate() {
        // SAFETY: as promised by the caller.
        let start = unsafe {
            match start {
                Start::Zero => T::zero(),
                Start::Destination => *c,
                Start::Row(row) => *row.add(j),
                Start::Column(column) => *column,
            }
        };
        *c = start + dot;
    }
}

#[inline(always)]
unsafe fn dots<T: Lanes, S: Simd, const N: usize>(
    simd: S,
    a: *const T,
    b: *const T,
    b_row: usize,
    k: usize,
) -> [T; N] {
    let lanes = T::lanes::<S>();
    let zero = T::splat(simd, T::zero());
    let mut sums = [[zero; 2]; N];
    let mut p = 0;
    // SAFETY: the caller promises `k` values in each row, and no more are read.
    unsafe {
        while p + 2 * lanes <= k {
            for half in 0..2 {
                let x = T::load::<S>(a.add(p + half * lanes));
                for (i, sums) in sums.iter_mut().enumerate() {
                    let w = T::load::<S>(b.add(i * b_row + p + half * lanes));
                    sums[half] = T::mul_add(simd, x, w, sums[half]);
                }
            }
            p += 2 * lanes;
        }
        if p + lanes <= k {
            let x = T::load::<S>(a.add(p));
            for (i, sums) in sums.iter_mut().enumerate() {
                let w = T::load::<S>(b.add(i * b_row + p));
                sums[0] = T::mul_add(simd, x, w, sums[0]);
            }
            p += lanes;
        }
        if p < k {
            let mask = T::first(simd, k - p);
            let x = T::load_masked(simd, mask, a.add(p));
            for (i, sums) in sums.iter_mut().enumerate() {
                let w = T::load_masked(simd, mask, b.add(i * b_row + p));
                sums[1] = T::mul_add(simd, x, w, sums[1]);
            }
        }
    }
    sums.map(|[first, second]| T::sum(simd, <T as Lanes>::add(simd, first, second)))
}
