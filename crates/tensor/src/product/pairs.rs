//! Pairs of bf16 along the inner dimension, and tiles of them for registers that hold whole ones.

use pulp::Simd;

use super::arithmetic::Arithmetic;
use super::lanes::Lanes;
use super::pack::{self, LINE, Packing};

/// Rows of a tile, and pairs in a row.
pub(super) const SIDE: usize = 16;
/// Pairs in a tile.
pub(super) const TILE: usize = SIDE * SIDE;
/// Elements in a pair.
pub(super) const VALUES: usize = 2;

/// How elements become pairs, and many at once.
pub(super) trait Pairing: Packing<Element = f32, Factor = u32> {
    /// The pairs of `2 * LINE` elements that are neighbours along the inner dimension.
    ///
    /// # Safety
    /// They must be readable.
    unsafe fn along(self, from: *const f32) -> [u32; LINE];
}

/// A tile of A from `height` of its rows, each of `k` elements, filled up with 0 along them.
///
/// # Safety
/// The elements must be readable, and a tile writable.
#[inline(always)]
pub(super) unsafe fn tile_of_rows<P: Pairing>(
    how: P,
    from: *const f32,
    row: usize,
    height: usize,
    k: usize,
    tile: *mut u32,
) {
    for i in 0..height {
        for q in (0..SIDE).step_by(LINE) {
            let from = from.wrapping_add(i * row + VALUES * q);
            let left = k.saturating_sub(VALUES * q).min(VALUES * LINE);
            // SAFETY: by the caller.
            unsafe {
                let line = if left == VALUES * LINE {
                    how.along(from)
                } else {
                    let mut last = [0.0; VALUES * LINE];
                    from.copy_to_nonoverlapping(last.as_mut_ptr(), left);
                    how.along(last.as_ptr())
                };
                tile.add(i * SIDE + q).cast::<[u32; LINE]>().write_unaligned(line);
            }
        }
    }
}

/// A tile of A from `k` of its columns, each of `height` elements, filled up with columns of 0.
///
/// # Safety
/// As for [`tile_of_rows`]; and what is between the elements must be readable.
#[inline(always)]
pub(super) unsafe fn tile_of_columns<P: Pairing>(
    how: P,
    from: *const f32,
    col: usize,
    height: usize,
    k: usize,
    tile: *mut u32,
) {
    let mut columns = [0; TILE + pack::SPILL];
    // SAFETY: by the caller; who has `how` has detected its instructions. Pairs change places as floats would.
    unsafe {
        pack::rows(how, from, col, height, k, columns.as_mut_ptr(), SIDE);
        turn::<<P::Arithmetic as Arithmetic>::Simd>(columns.as_ptr().cast(), tile.cast(), SIDE);
    }
}

/// Transposes a matrix of so many rows and columns.
///
/// # Safety
/// It must be readable, and the result writable; and the processor must have `S`.
#[inline(always)]
pub(super) unsafe fn turn<S: Simd>(from: *const f32, to: *mut f32, size: usize) {
    const { assert!(SIDE.is_multiple_of(<f32 as Lanes>::SIDE)) };
    let side = <f32 as Lanes>::SIDE;
    for i in (0..size).step_by(side) {
        for j in (0..size).step_by(side) {
            // SAFETY: by the caller; a block is within the matrix.
            unsafe {
                f32::turn::<S>(from.add(i * size + j), size, side, to.add(j * size + i), size);
            }
        }
    }
}
