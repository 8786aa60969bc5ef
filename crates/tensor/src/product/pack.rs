//! How elements become factors, and copies of operands in the order in which tiles read them.
//!
//! A row of a copy may be written by lines longer than itself: what they leave past it, the next row
//! overwrites.

use pulp::Simd;

use super::arithmetic::{Arithmetic, Plain};
use super::blocks::blocks_of;
use super::lanes::Lanes;

/// Elements of a row that become factors at a time.
pub(super) const LINE: usize = 8;
/// Blocks along the inner dimension that are turned before the neighbouring columns are, so that the lines of a panel
/// stay near until they are full.
const TURNS: usize = 4;
/// How many factors may be written beyond the last row of a copy.
pub(super) const SPILL: usize = LINE;

/// How elements of A and B become the factors of an arithmetic.
pub(super) trait Packing: Copy {
    /// An element of A and B.
    type Element: Lanes;
    /// What packed operands hold.
    type Factor: Copy;
    /// What tiles multiply the factors with.
    type Arithmetic: Arithmetic<Element = Self::Element, Factor = Self::Factor>;

    /// Whether operands must be packed; else a factor is an element.
    const NEEDED: bool;

    /// The arithmetic itself.
    fn arithmetic(self) -> Self::Arithmetic;

    /// The factor of `values` elements, at `from`, `from + step` and so on; to `VALUES` they are
    /// filled up with 0.
    ///
    /// # Safety
    /// They must be readable there; there is at least one.
    unsafe fn factor(self, from: *const Self::Element, step: usize, values: usize) -> Self::Factor;

    /// The factors of neighbours: [`Packing::factor`] at `from`, `from + 1` and so on.
    ///
    /// # Safety
    /// Their elements must be readable.
    unsafe fn line(
        self,
        from: *const Self::Element,
        step: usize,
        values: usize,
    ) -> [Self::Factor; LINE];

    /// Transposes a block: `to[q * to_row + i]` is the factor of the elements `VALUES q`,
    /// `VALUES q + 1` and so on at `from + i * from_row`, for `i` below `height` and `q` below
    /// [`Lanes::SIDE`], in the order of `q`. It writes `SIDE` factors for each `q`, those past
    /// `height` whatever they are.
    ///
    /// # Safety
    /// `height` must be in `1..=SIDE`, `SIDE * VALUES` elements readable at `from + i * from_row`,
    /// and `SIDE` factors writable at `to + q * to_row`.
    unsafe fn turn(
        self,
        from: *const Self::Element,
        from_row: usize,
        height: usize,
        to: *mut Self::Factor,
        to_row: usize,
    );

    /// Makes factors of what was packed, a strip or a piece of a panel, where that is left to do.
    #[inline(always)]
    fn finish(self, _packed: &mut [Self::Factor]) {}
}

impl<S: Simd, T: Lanes> Packing for Plain<S, T> {
    type Element = T;
    type Factor = T;
    type Arithmetic = Self;

    const NEEDED: bool = false;

    #[inline(always)]
    fn arithmetic(self) -> Self {
        self
    }

    #[inline(always)]
    unsafe fn factor(self, from: *const T, _: usize, _: usize) -> T {
        // SAFETY: as promised by the caller.
        unsafe { *from }
    }

    #[inline(always)]
    unsafe fn line(self, from: *const T, _: usize, _: usize) -> [T; LINE] {
        // SAFETY: as promised by the caller.
        unsafe { from.cast::<[T; LINE]>().read_unaligned() }
    }

    #[inline(always)]
    unsafe fn turn(
        self,
        from: *const T,
        from_row: usize,
        height: usize,
        to: *mut T,
        to_row: usize,
    ) {
        // SAFETY: as promised by the caller; the processor has `S`, of which there is one here.
        unsafe { T::turn::<S>(from, from_row, height, to, to_row) }
    }
}

/// A panel of B from B given by its rows, `row` elements apart, or by its columns, `col` elements apart; the other of the
/// two distances is 1. (A strip of A is a panel of Aᵀ.)
///
/// # Safety
/// As for [`rows`] or [`transposed`].
#[inline(always)]
pub(super) unsafe fn panel<P: Packing>(
    how: P,
    from: *const P::Element,
    (row, col): (usize, usize),
    cols: usize,
    k: usize,
    panel: *mut P::Factor,
    width: usize,
) {
    // SAFETY: as promised by the caller.
    unsafe {
        match row {
            1 => transposed(how, from, col, cols, k, panel, width),
            _ => rows(how, from, row, cols, k, panel, width),
        }
    }
}

/// A panel of B: `width` columns over `k`, row by row, from B given by its rows:
/// `panel[q * width + j]` is the factor of `b[p * b_step + j]` over its values `p`. What it leaves
/// in columns from `cols` on is not said. (A strip of A given by its columns is one, too.)
///
/// # Safety
/// `cols` elements must be readable at `b + p * b_step` for every `p < k`, as must all between the
/// first and the last, `width * k.div_ceil(VALUES) + SPILL` factors writable at `panel`, and
/// `cols <= width`.
#[inline(always)]
pub(super) unsafe fn rows<P: Packing>(
    how: P,
    b: *const P::Element,
    b_step: usize,
    cols: usize,
    k: usize,
    panel: *mut P::Factor,
    width: usize,
) {
    let end = (k * b_step + cols).saturating_sub(b_step);
    for q in 0..k.div_ceil(P::Arithmetic::VALUES) {
        let p = q * P::Arithmetic::VALUES;
        let values = P::Arithmetic::VALUES.min(k - p);
        let reach = (p + values - 1) * b_step + cols.next_multiple_of(LINE);
        // SAFETY: as promised by the caller; whole lines are read only where they end with the last
        // element or before it.
        unsafe {
            let (from, to) = (b.add(p * b_step), panel.add(q * width));
            if reach <= end {
                for j in (0..cols).step_by(LINE) {
                    let line = how.line(from.add(j), b_step, values);
                    to.add(j).cast::<[P::Factor; LINE]>().write_unaligned(line);
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
pub(super) unsafe fn transposed<P: Packing>(
    how: P,
    b: *const P::Element,
    b_row: usize,
    cols: usize,
    k: usize,
    panel: *mut P::Factor,
    width: usize,
) {
    let side = P::Element::SIDE;
    // In factors.
    let (whole, all) =
        (k / (side * P::Arithmetic::VALUES) * side, k.div_ceil(P::Arithmetic::VALUES));
    for piece in blocks_of(0..whole, TURNS * side) {
        // From the last block on: the rows of one may reach into the first columns of the next row,
        // which come later.
        for block in (0..cols.div_ceil(side)).rev() {
            let j = block * side;
            let height = side.min(cols - j);
            for q in piece.clone().step_by(side) {
                // SAFETY: as promised by the caller.
                unsafe {
                    let from = b.add(j * b_row + q * P::Arithmetic::VALUES);
                    how.turn(from, b_row, height, panel.add(q * width + j), width);
                }
            }
        }
    }
    for q in whole..all {
        let p = q * P::Arithmetic::VALUES;
        let values = P::Arithmetic::VALUES.min(k - p);
        for j in 0..cols {
            // SAFETY: as promised by the caller.
            unsafe { *panel.add(q * width + j) = how.factor(b.add(j * b_row + p), 1, values) };
        }
    }
}
