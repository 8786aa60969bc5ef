//! How large tiles and panels are.

use std::ops::Range;

use super::arithmetic::{Arithmetic, Sums};
use super::lanes::Lanes;

/// The most rows of a tile of a packed A.
pub(super) const PACKED_ROWS: usize = 6;

/// The most vectors in a row of a tile. There are 1, 2 or 4 in one.
pub(super) const fn most_vectors<R: Arithmetic>() -> usize {
    if has_32_registers::<R>() { 4 } else { 2 }
}

/// The most rows of a tile of so many vectors. Its sums, a row of B and a factor of A fill the registers.
pub(super) const fn most_rows<R: Arithmetic>(vectors: usize) -> usize {
    // Factors of several elements are always packed.
    if R::VALUES == 1 && has_32_registers::<R>() && vectors < 4 { 8 } else { PACKED_ROWS }
}

/// As AVX-512 has.
const fn has_32_registers<R: Arithmetic>() -> bool {
    size_of::<Sums<R>>() == 64
}

/// Steps along the inner dimension at a time in tiles of this size, so that few instructions but the
/// multiplications are left: a core whose other hardware thread is busy starts half as many. Tiles of few
/// rows wait for their sums anyway. (With more steps the compiler keeps sums in memory.)
pub(super) const fn unrolled(rows: usize, vectors: usize) -> usize {
    let sums = rows * vectors;
    if rows < 4 || sums > 16 {
        1
    } else if sums > 12 {
        2
    } else {
        4
    }
}

/// `rows` cut into strips, each at most `most` high and the last two of nearly equal height.
/// (Without division, which would cost more than a small tile.)
#[inline(always)]
pub(super) fn strips(rows: usize, most: usize) -> impl Iterator<Item = Range<usize>> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let left = rows - start;
        let height = match left {
            0 => return None,
            _ if left <= most => left,
            _ if left < 2 * most => left.div_ceil(2),
            _ => most,
        };
        start += height;
        Some(start - height..start)
    })
}

/// The columns of C in panels, each of 1, 2 or 4 vectors, of which the last need not be whole.
#[inline(always)]
pub(super) fn panels<R: Arithmetic>(cols: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let lanes = R::Element::lanes::<R::Simd>();
    let Range { mut start, end } = cols;
    std::iter::from_fn(move || {
        let left = end - start;
        let three = most_vectors::<R>() > 2 && left > 2 * lanes && left <= 3 * lanes;
        let most = if three { 2 } else { most_vectors::<R>() };
        let panel = start..start + left.min(most * lanes);
        start = panel.end;
        (!panel.is_empty()).then_some(panel)
    })
}

/// Whether so many columns make one panel.
#[inline(always)]
pub(super) fn is_panel<R: Arithmetic>(cols: usize) -> bool {
    panels::<R>(0..cols).next().is_none_or(|first| first.end == cols)
}
