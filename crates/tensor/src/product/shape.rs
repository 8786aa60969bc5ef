//! How large tiles and panels are.

use std::ops::Range;

use super::arithmetic::{Arithmetic, Sums};
use super::lanes::Lanes;

/// The most rows of a tile of a packed A.
pub(super) const PACKED_ROWS: usize = 6;

/// The most rows of any tile.
pub(super) const MAX_ROWS: usize = 8;

/// The most vectors in a row of a tile. There are 1, 2 or 4 in one.
pub(super) const fn most_vectors<R: Arithmetic>() -> usize {
    if has_avx512::<R>() { 4 } else { 2 }
}

/// The most rows of a tile of so many vectors: as many as the registers hold sums of four vectors for, or as keep
/// the sums of one from waiting for each other.
pub(super) const fn most_rows<R: Arithmetic>(vectors: usize) -> usize {
    // Factors of several elements are always packed.
    if R::VALUES == 1 && has_avx512::<R>() && vectors < 4 { MAX_ROWS } else { PACKED_ROWS }
}

/// Twice as many registers as AVX2. (NEON has as many, too; wider tiles were not tried with it.)
const fn has_avx512<R: Arithmetic>() -> bool {
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

/// Columns in a vector.
#[inline(always)]
pub(super) fn lanes<R: Arithmetic>() -> usize {
    R::Element::lanes::<R::Simd>()
}

/// Columns of the widest panel.
#[inline(always)]
pub(super) fn width<R: Arithmetic>() -> usize {
    most_vectors::<R>() * lanes::<R>()
}

/// How wide a panel of so many columns is: whole vectors.
#[inline(always)]
pub(super) fn panel_width<R: Arithmetic>(cols: usize) -> usize {
    cols.next_multiple_of(lanes::<R>())
}

/// Vectors of the first panel of so many columns.
#[inline(always)]
fn first_vectors<R: Arithmetic>(cols: usize) -> usize {
    match cols.div_ceil(lanes::<R>()) {
        3 => 2,
        vectors => vectors.min(most_vectors::<R>()),
    }
}

/// The columns of C in panels, each of 1, 2 or 4 vectors, of which the last need not be whole.
#[inline(always)]
pub(super) fn panels<R: Arithmetic>(cols: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let Range { mut start, end } = cols;
    std::iter::from_fn(move || {
        let left = end - start;
        let width = first_vectors::<R>(left) * lanes::<R>();
        let panel = start..start + left.min(width);
        start = panel.end;
        (!panel.is_empty()).then_some(panel)
    })
}

/// Whether so many columns make one panel.
#[inline(always)]
pub(super) fn is_panel<R: Arithmetic>(cols: usize) -> bool {
    cols <= first_vectors::<R>(cols) * lanes::<R>()
}
