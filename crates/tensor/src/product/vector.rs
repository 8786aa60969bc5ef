//! Products of a few rows: with so little use of each value of B, nothing is packed.

use pulp::Simd;

use super::destination::Start;
use super::lanes::Lanes;

/// Rows of A up to which `A Bᵀ` is taken as dot products.
pub(super) const FEW_ROWS: usize = 4;
/// Rows of B that share the loads of a row of A.
const TOGETHER: usize = 4;

/// `C[j] = start + a · B[j]`, or less a multiple of it, for the `n` rows of B, each of `k` values.
///
/// A dot product is summed in `2 × lanes` interleaved parts, the same for every row whatever its
/// neighbours; which `n` rows are taken together does not change their bits.
///
/// # Safety
/// `k` values must be readable at `a` and at `b + j * b_row` for every `j < n`, the length of `c`, which
/// lies elsewhere; a row to start from must have `n` values, a column one.
#[inline(always)]
pub(super) unsafe fn dot_rows<T: Lanes, S: Simd>(
    simd: S,
    a: *const T,
    mut b: *const T,
    b_row: usize,
    k: usize,
    c: &mut [T],
    start: Start<T>,
) {
    // SAFETY: as promised by the caller.
    unsafe { begin(c, start) };
    // One formula for all: by cases, the compiler would multiply with whatever stands in η's place, and drop
    // the product, which takes long where that is subnormal.
    let eta = match start {
        Start::Subtract(eta) => eta,
        _ => T::zero() - T::one(),
    };
    let rest = T::first(simd, k % T::lanes::<S>());
    let mut chunks = c.chunks_exact_mut(TOGETHER);
    for chunk in &mut chunks {
        // SAFETY: `TOGETHER` rows are there.
        let dots = unsafe { dots::<T, S, TOGETHER>(simd, a, b, b_row, k, rest) };
        for (c, dot) in chunk.iter_mut().zip(dots) {
            *c = *c - eta * dot;
        }
        b = b.wrapping_add(TOGETHER * b_row);
    }
    for c in chunks.into_remainder() {
        // SAFETY: a row is there.
        let [dot, ..] = unsafe { dots::<T, S, 1>(simd, a, b, b_row, k, rest) };
        *c = *c - eta * dot;
        b = b.wrapping_add(b_row);
    }
}

/// Writes what sums start from.
///
/// # Safety
/// A row to start from must have a value for each of `c` and lie elsewhere, a column must have one.
#[inline(always)]
unsafe fn begin<T: Lanes>(c: &mut [T], start: Start<T>) {
    // SAFETY: as promised by the caller.
    unsafe {
        match start {
            Start::Zero => c.fill(T::zero()),
            Start::Destination | Start::Subtract(_) => {}
            Start::Row(row) => row.copy_to_nonoverlapping(c.as_mut_ptr(), c.len()),
            Start::Column(column) => c.fill(*column),
        }
    }
}

/// The dot products of `a` with `N` rows of B, and zeros after them.
///
/// # Safety
/// As [`dot_rows`], and `rest` must be the lanes that `k` values leave in a vector.
#[inline(always)]
unsafe fn dots<T: Lanes, S: Simd, const N: usize>(
    simd: S,
    a: *const T,
    b: *const T,
    b_row: usize,
    k: usize,
    rest: T::Mask<S>,
) -> [T; TOGETHER] {
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
            let x = T::load_masked(simd, rest, a.add(p));
            for (i, sums) in sums.iter_mut().enumerate() {
                let w = T::load_masked(simd, rest, b.add(i * b_row + p));
                sums[1] = T::mul_add(simd, x, w, sums[1]);
            }
        }
    }
    let mut whole = [zero; TOGETHER];
    for (whole, [first, second]) in whole.iter_mut().zip(sums) {
        *whole = <T as Lanes>::add(simd, first, second);
    }
    T::sums(simd, whole)
}
