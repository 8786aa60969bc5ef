//! Copies of operands in the order in which tiles read them.
//!
//! A row of a copy may be written by lines longer than itself: what they leave past it, the next row
//! overwrites.

use super::arithmetic::Arithmetic;
use super::lanes::Lanes;

/// Elements of a row that become factors at a time.
pub(super) const LINE: usize = 8;
/// How many factors may be written beyond the last row of a copy.
pub(super) const SPILL: usize = LINE;

/// A panel of B: `width` columns over `k`, row by row, from B given by its rows:
/// `panel[q * width + j]` is the factor of `b[p * b_step + j]` over its values `p`. What it leaves
/// in columns from `cols` on is not said. (A strip of A given by its columns is one, too.)
///
/// # Safety
/// `cols` elements must be readable at `b + p * b_step` for every `p < k`, as must all between the
/// first and the last, `width * k.div_ceil(VALUES) + SPILL` factors writable at `panel`, and
/// `cols <= width`.
#[inline(always)]
pub(super) unsafe fn rows<R: Arithmetic>(
    how: R,
    b: *const R::Element,
    b_step: usize,
    cols: usize,
    k: usize,
    panel: *mut R::Factor,
    width: usize,
) {
    let end = (k * b_step + cols).saturating_sub(b_step);
    for q in 0..k.div_ceil(R::VALUES) {
        let p = q * R::VALUES;
        let values = R::VALUES.min(k - p);
        let reach = (p + values - 1) * b_step + cols.next_multiple_of(LINE);
        // SAFETY: as promised by the caller; whole lines are read only where they end with the last
        // element or before it.
        unsafe {
            let (from, to) = (b.add(p * b_step), panel.add(q * width));
            if reach <= end {
                for j in (0..cols).step_by(LINE) {
                    let line = how.line(from.add(j), b_step, values);
                    to.add(j).cast::<[R::Factor; LINE]>().write_unaligned(line);
                }
            } else {
                for j in 0..cols {
                    *to.add(j) = how.factor(from.add(j), b_step, values);
                }
            }
        }
    }
}

/// As [`rows`], from the transpose of B: `panel[q * width + j]` is the factor of `b[j * b_row + p]`.
/// `width` may be as small as `cols`.
///
/// # Safety
/// `k` elements must be readable at `b + j * b_row` for every `j < cols`, and
/// `width * k.div_ceil(VALUES) + SPILL` factors writable at `panel`; `cols <= width`.
#[inline(always)]
pub(super) unsafe fn transposed<R: Arithmetic>(
    how: R,
    b: *const R::Element,
    b_row: usize,
    cols: usize,
    k: usize,
    panel: *mut R::Factor,
    width: usize,
) {
    let side = R::Element::SIDE;
    // In factors.
    let whole = k / (side * R::VALUES) * side;
    // From the last block on: the rows of one may reach into the first columns of the next row,
    // which come later.
    for block in (0..cols.div_ceil(side)).rev() {
        let j = block * side;
        let height = side.min(cols - j);
        // SAFETY: as promised by the caller.
        unsafe {
            let (from, to) = (b.add(j * b_row), panel.add(j));
            for q in (0..whole).step_by(side) {
                how.turn(from.add(q * R::VALUES), b_row, height, to.add(q * width), width);
            }
            for q in whole..k.div_ceil(R::VALUES) {
                let p = q * R::VALUES;
                for i in 0..height {
                    let values = R::VALUES.min(k - p);
                    *to.add(q * width + i) = how.factor(from.add(i * b_row + p), 1, values);
                }
            }
        }
    }
}
