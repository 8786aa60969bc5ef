//! Copies of operands in the order in which tiles read them.

use pulp::Simd;

use super::lanes::Lanes;

/// Values that [`columns`] copies at a time.
const LINE: usize = 8;

/// A strip of `rows` rows of A over `k`, column by column: `strip[p * rows + i] = A[i][p]`, from
/// `A` given by its columns, `a[p * a_step + i]`.
///
/// # Safety
/// `rows` values, at most `LINE`, must be readable at `a + p * a_step` for every `p < k`, as must
/// all between the first and the last, and `rows * k + SPILL` writable at `strip`.
#[inline(always)]
pub(super) unsafe fn columns<T: Lanes>(
    a: *const T,
    a_step: usize,
    rows: usize,
    k: usize,
    strip: *mut T,
) {
    let end = (k * a_step + rows).saturating_sub(a_step);
    for p in 0..k {
        // SAFETY: as promised by the caller; a whole block is read only where it lies before the
        // last value, and what it leaves past the strip's row, the next one overwrites.
        unsafe {
            let (from, to) = (a.add(p * a_step), strip.add(p * rows));
            if p * a_step + LINE <= end {
                to.cast::<[T; LINE]>().write_unaligned(from.cast::<[T; LINE]>().read_unaligned());
            } else {
                copy_short(from, to, rows);
            }
        }
    }
}

/// Copies a few values; a call of `memcpy` would take longer.
///
/// # Safety
/// `count` values must be readable at `from` and writable at `to`, which do not overlap.
#[inline(always)]
pub(super) unsafe fn copy_short<T: Copy>(from: *const T, to: *mut T, count: usize) {
    for i in 0..count {
        // SAFETY: the caller promises `count` values on both sides.
        unsafe { *to.add(i) = *from.add(i) };
    }
}

/// A panel of B: `width` columns over `k`, row by row, `panel[p * width + j] = B[p][j]`, from B
/// given by its rows, `b[p * b_step + j]`. Columns from `cols` on are 0.
///
/// # Safety
/// `cols` values must be readable at `b + p * b_step` for every `p < k`, `width * k` writable at
/// `panel`, and `cols <= width`.
#[inline(always)]
pub(super) unsafe fn rows<T: Lanes, S: Simd>(
    simd: S,
    b: *const T,
    b_step: usize,
    cols: usize,
    k: usize,
    panel: *mut T,
    width: usize,
) {
    let lanes = T::lanes::<S>();
    for p in 0..k {
        // SAFETY: as promised by the caller.
        unsafe {
            let (from, to) = (b.add(p * b_step), panel.add(p * width));
            if cols == width {
                for v in 0..width / lanes {
                    T::store::<S>(to.add(v * lanes), T::load::<S>(from.add(v * lanes)));
                }
            } else {
                for v in 0..width / lanes {
                    T::store::<S>(to.add(v * lanes), T::splat(simd, T::zero()));
                }
                copy_short(from, to, cols);
            }
        }
    }
}

/// How many values [`columns`], [`transposed`] and [`pairs`] may touch beyond the last row of what
/// they pack.
pub(super) const SPILL: usize = 16;

/// As [`rows`], from the transpose of B: `panel[p * width + j] = b[j * b_row + p]`. What it leaves
/// in columns from `cols` on is not said; `width` may be as small as `cols`.
///
/// # Safety
/// `k` values must be readable at `b + j * b_row` for every `j < cols`, `width * k + SPILL`
/// writable at `panel`, and `cols <= width`.
#[inline(always)]
pub(super) unsafe fn transposed<T: Lanes, S: Simd>(
    b: *const T,
    b_row: usize,
    cols: usize,
    k: usize,
    panel: *mut T,
    width: usize,
) {
    let side = T::SIDE;
    // From the last block on: the vectors of one may reach into the first columns of the next row,
    // which come later.
    for block in (0..cols.div_ceil(side)).rev() {
        let j = block * side;
        let height = side.min(cols - j);
        // SAFETY: as promised by the caller.
        unsafe {
            let (from, to) = (b.add(j * b_row), panel.add(j));
            let whole = k - k % side;
            for p in (0..k / side).map(|block| block * side) {
                T::turn::<S>(from.add(p), b_row, height, to.add(p * width), width);
            }
            for p in whole..k {
                for i in 0..height {
                    *to.add(p * width + i) = *from.add(i * b_row + p);
                }
            }
        }
    }
}

/// Pairs of rows: `to[q * width + j]` is the pair of the values of the rows `2 q` and `2 q + 1`, the
/// latter 0 if there are no more, of `k` rows of `width` values. `pair` makes a block of pairs.
///
/// # Safety
/// `k * width + SPILL` values must be readable at `from`, and `k.div_ceil(2) * width + SPILL`
/// writable at `to`.
#[cfg(any(target_arch = "x86_64", test))]
#[inline(always)]
pub(super) unsafe fn pairs(
    from: *const f32,
    k: usize,
    width: usize,
    to: *mut u32,
    pair: impl Fn([f32; SPILL], [f32; SPILL]) -> [u32; SPILL],
) {
    let block = |from: *const f32| {
        // SAFETY: the caller's room reaches a block beyond the last row.
        unsafe { from.cast::<[f32; SPILL]>().read_unaligned() }
    };
    for q in 0..k.div_ceil(2) {
        let whole = 2 * q + 1 < k;
        for j in (0..width).step_by(SPILL) {
            // SAFETY: as promised by the caller; what a block leaves past its row, the next one
            // overwrites.
            unsafe {
                let lower = block(from.add(2 * q * width + j));
                let upper =
                    if whole { block(from.add((2 * q + 1) * width + j)) } else { [0.0; SPILL] };
                to.add(q * width + j).cast::<[u32; SPILL]>().write_unaligned(pair(lower, upper));
            }
        }
    }
}
