//! A product by blocks that stay in the caches: operands packed, tiles in registers.
//!
//! The loops are those of Goto and van de Geijn, "Anatomy of high-performance matrix
//! multiplication" (2008). Since a tile goes on from what stands in C, and every element is one
//! chain over `k`, neither the blocks nor the parts that threads take change a bit. (What is subtracted
//! from C is subtracted block by block of `k`, which rounds each time.)

use std::ops::Range;

use super::MAX_WHOLE;
use super::arithmetic::Arithmetic;
use super::destination::Start;
use super::lanes::Lanes;
use super::pack::{self, Packing};
use super::part::Part;
use super::shape::{
    PACKED_ROWS, is_panel, lanes, most_vectors, panel_width, panels, strips, width,
};
use super::tile::{Left, Panel};
use crate::scratch;

/// How large blocks are.
#[derive(Clone, Copy)]
pub(super) struct Sizes {
    /// Factors along the inner dimension at a time.
    pub(super) depth: usize,
    /// Columns of B at a time.
    pub(super) cols: usize,
    /// Bytes of A that may pass by for every panel of B.
    pub(super) stream: usize,
    /// Bytes of the rows of A at a time, where all would be more than that.
    pub(super) rows: usize,
}

impl Sizes {
    /// So deep that reading and writing C between blocks does not count, while a panel of B stays in a
    /// second-level cache, and so do the fewer rows of A, in half of it (2 MiB with AVX-512); the others, and B's
    /// columns, have a share of a last-level cache. The depth is a promise, too: what sums up to it are subtracted as.
    const fn of<R: Arithmetic>() -> Self {
        let rows = if most_vectors::<R>() == 4 { 1 << 20 } else { 256 << 10 };
        Self { depth: MAX_WHOLE, cols: 2048, stream: 4 << 20, rows }
    }
}

/// Rows of B that lie far apart are packed if more strips of rows than this use them, columns of A if
/// more panels than this do.
const FEW: usize = 3;
/// Rows of A, which are read along themselves, are packed if more panels than this use them and vectors
/// have 32 bytes or fewer: a tile needs four times as much of A for an operation then as with 64.
const MANY: usize = 24;
/// Bytes of a row of B that are packed at a time: where rows lie far apart, each is a page of its own.
const GROUP_BYTES: usize = 256;
/// Rows of B that are packed into the panels of a group before the next ones are.
const PIECE: usize = 16;
/// Bytes over which rows may be spread to be near each other.
const NEAR_BYTES: usize = 32 << 10;

/// Whether so many rows, this many elements from one to the next, lie so far apart that a first-level
/// cache and its page table do not hold them together.
#[inline(always)]
fn is_far<T>(distance: usize, rows: usize) -> bool {
    distance * rows * size_of::<T>() > NEAR_BYTES
}

/// A range in blocks of a size, the last one smaller.
#[inline(always)]
pub(super) fn blocks_of(range: Range<usize>, size: usize) -> impl Iterator<Item = Range<usize>> {
    let Range { mut start, end } = range;
    std::iter::from_fn(move || {
        let block = start..end.min(start + size);
        start = block.end;
        (!block.is_empty()).then_some(block)
    })
}

/// The size, at most `most`, of blocks of nearly equal size that make `whole`.
#[inline(always)]
pub(super) fn evenly(whole: usize, most: usize) -> usize {
    if whole <= most { whole } else { whole.div_ceil(whole.div_ceil(most)) }
}

impl<T: Lanes> Part<T> {
    /// By blocks.
    #[inline(always)]
    pub(super) fn multiply<P: Packing<Element = T>>(&self, how: P) {
        self.multiply_by(how, const { Sizes::of::<P::Arithmetic>() });
    }

    /// By blocks of these sizes, of which only the depth changes bits, of what is subtracted.
    #[inline(always)]
    pub(super) fn multiply_by<P: Packing<Element = T>>(&self, how: P, sizes: Sizes) {
        let (m, n) = (self.rows.len(), self.cols.len());
        if m == 0 || n == 0 {
            return;
        }
        // Of `A Bᵀ` either can be the one that is packed: better the smaller one, unless it leaves a
        // tile of one vector.
        let smaller_a = !P::NEEDED && self.a.col == 1 && self.b.row == 1 && m < n;
        if smaller_a && m.is_multiple_of(2 * lanes::<P::Arithmetic>()) {
            self.transposed().blocks(how, sizes);
        } else {
            self.blocks(how, sizes);
        }
    }

    /// Whether a B given by its rows, `depth` of them at a time, is better packed: they lie far apart, and
    /// many strips use them.
    #[inline(always)]
    fn packing_b_pays(&self, depth: usize) -> bool {
        self.rows.len() > FEW * PACKED_ROWS && is_far::<T>(self.b.row, depth)
    }

    /// Whether it is one panel of B that need not be packed.
    #[inline(always)]
    fn is_one_panel<P: Packing>(&self) -> bool {
        let n = self.cols.len();
        let whole = is_panel::<P::Arithmetic>(n) && n.is_multiple_of(lanes::<P::Arithmetic>());
        whole && self.b.row != 1 && !self.packing_b_pays(self.k)
    }

    /// One panel of B, whose rows are `b_step` factors apart at `b`.
    ///
    /// # Safety
    /// All of B must be there, in whole vectors.
    #[inline(always)]
    unsafe fn one_panel<P: Packing<Element = T>>(
        &self,
        how: P,
        b: *const P::Factor,
        b_step: usize,
    ) {
        let (i, j) = (self.rows.start, self.cols.start);
        // SAFETY: as in `Block::run`; B is as the caller promises.
        unsafe {
            Panel {
                a: Left::Strided { data: self.a.at(i, 0).cast(), row: self.a.row, col: self.a.col },
                b,
                b_step,
                c: self.c.from(i, j),
                rows: self.rows.len(),
                cols: self.cols.len(),
                k: self.k,
                start: self.start.at(i, j),
            }
            .run(how.arithmetic());
        }
    }

    #[inline(always)]
    fn blocks<P: Packing<Element = T>>(&self, how: P, sizes: Sizes) {
        const { assert!(P::NEEDED || P::Arithmetic::VALUES == 1, "a factor is an element") };
        if !P::NEEDED && self.k <= sizes.depth && self.is_one_panel::<P>() {
            // SAFETY: the panel is as wide as its vectors.
            return unsafe {
                self.one_panel(how, self.b.at(0, self.cols.start).cast(), self.b.row)
            };
        }
        let width = width::<P::Arithmetic>();
        // In factors, and the elements of the inner dimension in them.
        let depth = evenly(self.k.div_ceil(P::Arithmetic::VALUES), sizes.depth).max(1);
        let (m, n) = (self.rows.len(), self.cols.len());
        let pack_b = P::NEEDED || self.b.row == 1 || self.packing_b_pays(depth);
        let pack_a = P::NEEDED
            || match self.a.row {
                1 => is_far::<T>(self.a.col, depth) && n > FEW * width,
                _ => lanes::<P::Arithmetic>() * size_of::<T>() <= 32 && n > MANY * width,
            };
        let row_bytes = depth * size_of::<P::Factor>();
        let all = m * row_bytes <= sizes.stream;
        let height = if all { m } else { evenly(m, sizes.rows / row_bytes) };
        // Panels that one block of rows uses are packed when their turn comes, and are near then; so
        // is, of a B that is not packed, the last one, if its vectors are not whole.
        let group = match (height < m, self.b.row) {
            (true, _) => sizes.cols,
            (false, 1) => width,
            (false, _) => (GROUP_BYTES / size_of::<T>()).next_multiple_of(width),
        };
        let b_room = match (pack_b, n % width > 0) {
            (true, _) => n.min(group).next_multiple_of(width) * depth + pack::SPILL,
            (false, true) => width * depth + pack::SPILL,
            (false, false) => 0,
        };
        let a_room = if pack_a { height * depth + pack::SPILL } else { 0 };
        let rooms = [b_room, a_room].map(|factors| factors * size_of::<P::Factor>());
        scratch::with(&scratch::PACKED, rooms, move |[b, a]| {
            let block = Block {
                part: self,
                packed_b: b.cast(),
                packed_a: a.cast(),
                pack_b,
                group,
                pack_a,
                height,
            };
            // One panel again, packed.
            if is_panel::<P::Arithmetic>(n) && self.k <= depth && a_room == 0 && height == m {
                // SAFETY: there is room for it, since a panel of whole vectors that is not packed was
                // multiplied above.
                return unsafe {
                    block.fill_b(how, self.cols.clone(), 0..self.k);
                    self.one_panel(how, b.cast_const().cast(), panel_width::<P::Arithmetic>(n));
                };
            }
            for cols in blocks_of(self.cols.clone(), sizes.cols) {
                let mut start = self.start;
                for inner in blocks_of(0..self.k, depth * P::Arithmetic::VALUES) {
                    block.run(how, cols.clone(), inner, start);
                    start = start.continued();
                }
                if self.k == 0 {
                    block.run(how, cols, 0..0, start);
                }
            }
        });
    }
}

/// Where the blocks of a part are packed, as factors `F`, and whether.
struct Block<'a, T, F> {
    part: &'a Part<T>,
    packed_b: *mut F,
    packed_a: *mut F,
    pack_b: bool,
    /// Columns of B that are packed at a time: if there are several blocks of rows, all.
    group: usize,
    pack_a: bool,
    /// Rows of A at a time.
    height: usize,
}

impl<T: Lanes, F: Copy> Block<'_, T, F> {
    /// The columns `cols` of C over the range `inner` of the inner dimension.
    #[inline(always)]
    fn run<P>(&self, how: P, cols: Range<usize>, inner: Range<usize>, start: Start<T>)
    where
        P: Packing<Element = T, Factor = F>,
    {
        let Part { a, c, ref rows, .. } = *self.part;
        let k = inner.len().div_ceil(P::Arithmetic::VALUES);
        // SAFETY: `rows`, `cols` and `inner` lie within the operands, which the public functions
        // have checked against each other; the packed operands have room for `height × k` factors,
        // and for those of a group's columns (whole panels) or of one panel. Operands that are
        // not packed are their own factors.
        unsafe {
            for block in blocks_of(rows.clone(), self.height) {
                if self.pack_a {
                    self.fill_a(how, block.clone(), inner.clone());
                }
                for group in blocks_of(cols.clone(), self.group) {
                    if self.pack_b && block.start == rows.start {
                        self.fill_b(how, group.clone(), inner.clone());
                    }
                    for j in panels::<P::Arithmetic>(group.clone()) {
                        let (b, b_step) = self.panel(how, &group, &j, &inner);
                        let i = block.start;
                        let a = if self.pack_a {
                            Left::Packed(self.packed_a.cast_const())
                        } else {
                            let data = a.at(i, inner.start).cast();
                            Left::Strided { data, row: a.row, col: a.col }
                        };
                        Panel {
                            a,
                            b,
                            b_step,
                            c: c.from(i, j.start),
                            rows: block.len(),
                            cols: j.len(),
                            k,
                            start: start.at(i, j.start),
                        }
                        .run(how.arithmetic());
                    }
                }
            }
        }
    }

    /// Where the panel of the columns `j` of a group begins, and the distance between its rows.
    ///
    /// # Safety
    /// As in [`Block::run`].
    #[inline(always)]
    unsafe fn panel<P>(
        &self,
        how: P,
        group: &Range<usize>,
        j: &Range<usize>,
        inner: &Range<usize>,
    ) -> (*const F, usize)
    where
        P: Packing<Element = T, Factor = F>,
    {
        let (width, b) = (panel_width::<P::Arithmetic>(j.len()), self.part.b);
        // SAFETY: by the caller.
        unsafe {
            if self.pack_b {
                let k = inner.len().div_ceil(P::Arithmetic::VALUES);
                (self.packed_b.add((j.start - group.start) * k).cast_const(), width)
            } else if j.len() == width {
                (b.at(inner.start, j.start).cast(), b.row)
            } else {
                self.fill_b(how, j.clone(), inner.clone());
                (self.packed_b.cast_const(), width)
            }
        }
    }

    /// Packs the columns `cols` of B over `inner`, panel by panel; a B given by its rows in pieces of a few
    /// rows, if a panel's rows do not spill into the next panel. (Not inlined, as [`Panel`]'s strips.)
    ///
    /// # Safety
    /// The ranges must lie within B, with room for the panels of `cols`.
    #[inline(never)]
    unsafe fn fill_b<P>(&self, how: P, cols: Range<usize>, inner: Range<usize>)
    where
        P: Packing<Element = T, Factor = F>,
    {
        let (b, k) = (self.part.b, inner.len().div_ceil(P::Arithmetic::VALUES));
        let whole_lines = width::<P::Arithmetic>().is_multiple_of(pack::LINE);
        let at_a_time = if b.row != 1 && whole_lines { PIECE } else { inner.len() };
        how.arithmetic().vectorize(
            #[inline(always)]
            move || {
                for piece in blocks_of(inner.clone(), at_a_time) {
                    for j in panels::<P::Arithmetic>(cols.clone()) {
                        let width = panel_width::<P::Arithmetic>(j.len());
                        let before = (piece.start - inner.start) / P::Arithmetic::VALUES;
                        // SAFETY: by the caller.
                        unsafe {
                            let panel = self.packed_b.add((j.start - cols.start) * k);
                            let panel = panel.add(before * width);
                            let from = b.at(piece.start, j.start);
                            let steps = (b.row, b.col);
                            pack::panel(how, from, steps, j.len(), piece.len(), panel, width);
                            let factors = width * piece.len().div_ceil(P::Arithmetic::VALUES);
                            how.finish(std::slice::from_raw_parts_mut(panel, factors));
                        }
                    }
                }
            },
        );
    }

    /// Packs the rows `rows` of A over `inner`, strip by strip. (Not inlined, either.)
    ///
    /// # Safety
    /// The ranges must lie within A, with room for `rows`.
    #[inline(never)]
    unsafe fn fill_a<P>(&self, how: P, rows: Range<usize>, inner: Range<usize>)
    where
        P: Packing<Element = T, Factor = F>,
    {
        let (a, k) = (self.part.a, inner.len().div_ceil(P::Arithmetic::VALUES));
        how.arithmetic().vectorize(
            #[inline(always)]
            move || {
                for i in strips(rows.len(), PACKED_ROWS) {
                    let height = i.len();
                    // SAFETY: by the caller.
                    unsafe {
                        let strip = self.packed_a.add(i.start * k);
                        let from = a.at(rows.start + i.start, inner.start);
                        let steps = (a.col, a.row);
                        pack::panel(how, from, steps, height, inner.len(), strip, height);
                        how.finish(std::slice::from_raw_parts_mut(strip, height * k));
                    }
                }
            },
        );
    }
}
