//! A product by blocks that stay in the caches: operands packed, tiles in registers.
//!
//! The loops are those of Goto and van de Geijn, "Anatomy of high-performance matrix
//! multiplication" (2008). Since a tile goes on from what stands in C, and every element is one
//! chain over `k`, neither the blocks nor the parts that threads take change a bit.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::lanes::Lanes;
use super::tile::{MAX_ROWS, Start, Tile, VECTORS};
use super::{Operand, Store, pack, scratch, vector};

/// Bytes of a packed panel of B: half of a first-level cache.
const PANEL_BYTES: usize = 16 << 10;
/// Columns of B packed at a time: with the depth of a panel, a share of a last-level cache.
const NC: usize = 2048;
/// Rows of A packed at a time: with the depth of a panel, half of a second-level cache.
const MC: usize = 192;
/// B is packed if more strips of rows than this use it, A if more panels than this do.
const FEW: usize = 3;
/// Bytes that a first-level cache and its page table hold together.
const NEAR_BYTES: usize = 32 << 10;

/// An operand in memory: element (i, j) at `data + i * row + j * col`; one of the two is 1.
#[derive(Clone, Copy)]
struct Strided<T> {
    data: *const T,
    row: usize,
    col: usize,
}

impl<T> Strided<T> {
    fn new(operand: Operand<'_, T>) -> Self {
        let (row, col) = if operand.transposed { (1, operand.cols) } else { (operand.cols, 1) };
        Self { data: operand.data.as_ptr(), row, col }
    }

    /// # Safety
    /// The element must exist.
    #[inline(always)]
    unsafe fn at(self, i: usize, j: usize) -> *const T {
        // SAFETY: the caller promises that it lies in the operand.
        unsafe { self.data.add(i * self.row + j * self.col) }
    }
}

/// The part of a product that one thread computes.
#[derive(Clone)]
pub(super) struct Part<T> {
    a: Strided<T>,
    b: Strided<T>,
    c: *mut T,
    c_row: usize,
    rows: Range<usize>,
    cols: Range<usize>,
    k: usize,
    store: Store,
}

impl<T: Lanes> Part<T> {
    /// The whole product into the row-major `c` of `cols` columns. The caller has checked the shapes
    /// against each other, and keeps the borrows until the product is done.
    pub(super) fn new(
        a: Operand<'_, T>,
        b: Operand<'_, T>,
        c: &mut [T],
        cols: usize,
        store: Store,
    ) -> Self {
        let k = if a.transposed { a.rows } else { a.cols };
        Self {
            a: Strided::new(a),
            b: Strided::new(b),
            c: c.as_mut_ptr(),
            c_row: cols,
            rows: 0..c.len() / cols,
            cols: 0..cols,
            k,
            store,
        }
    }

    /// The rows and columns of C that lie in these ranges.
    pub(super) fn within(&self, rows: Range<usize>, cols: Range<usize>) -> Self {
        debug_assert!(rows.end <= self.rows.end && cols.end <= self.cols.end, "a part of C");
        Self { rows, cols, ..self.clone() }
    }
}

impl<T: Lanes> WithSimd for Part<T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        if self.rows.is_empty() || self.cols.is_empty() {
            return;
        }
        if self.rows.len() < vector::FEW_ROWS && self.b.row == 1 && self.a.col == 1 {
            self.dot_products(simd);
        } else {
            self.blocks(simd);
        }
    }
}

/// `count` cut into strips of nearly equal height, each at most `most`.
#[inline(always)]
fn strips(count: usize, most: usize) -> impl Iterator<Item = Range<usize>> {
    let strips = count.div_ceil(most);
    (0..strips).map(move |s| s * count / strips..(s + 1) * count / strips)
}

impl<T: Lanes> Part<T> {
    /// `A Bᵀ` of a few rows.
    #[inline(always)]
    fn dot_products<S: Simd>(self, simd: S) {
        let Self { a, b, c, c_row, rows, cols, k, store } = self;
        for i in rows {
            // SAFETY: row `i` of A, the columns `cols` of B and of row `i` of C exist, and no
            // other thread writes there.
            unsafe {
                let c = std::slice::from_raw_parts_mut(c.add(i * c_row + cols.start), cols.len());
                let (a, b_rows) = (a.at(i, 0), b.at(0, cols.start));
                vector::dot_rows(simd, a, b_rows, b.col, k, c, store == Store::Add);
            }
        }
    }

    #[inline(always)]
    fn blocks<S: Simd>(self, simd: S) {
        let width = VECTORS * T::lanes::<S>();
        let depth = (PANEL_BYTES / (width * size_of::<T>())).max(1).min(self.k.max(1));
        let (m, n) = (self.rows.len(), self.cols.len());
        let pack_b = self.b.row == 1 || m > FEW * MAX_ROWS;
        // A given by columns is read along the columns anyway; far apart, they would each need a
        // page of their own.
        let near = self.a.row == 1 && self.a.col * depth * size_of::<T>() <= NEAR_BYTES;
        let pack_a = n > FEW * width && !near;
        let panels = n.min(NC).div_ceil(width);
        // Without packing, room for the last panel, whose vectors are not whole.
        let b_room = if pack_b { panels } else { 1 } * width * depth;
        let a_room = if pack_a { m.min(MC) * depth + pack::SPILL } else { 0 };
        scratch::with(b_room + a_room, |scratch: *mut T| {
            // SAFETY: `b_room` values lie before the rest.
            let packed_a = unsafe { scratch.add(b_room) };
            let block = Block { part: &self, width, packed_b: scratch, packed_a, pack_b, pack_a };
            for cols in blocks_of(self.cols.clone(), NC) {
                let mut start = match self.store {
                    Store::Replace => Start::Zero,
                    Store::Add => Start::Destination,
                };
                for inner in blocks_of(0..self.k, depth) {
                    block.run(simd, cols.clone(), inner, start);
                    start = Start::Destination;
                }
                if self.k == 0 {
                    block.run(simd, cols, 0..0, start);
                }
            }
        });
    }
}

/// A range in blocks of a size, the last one smaller.
#[inline(always)]
fn blocks_of(range: Range<usize>, size: usize) -> impl Iterator<Item = Range<usize>> {
    let end = range.end;
    range.step_by(size).map(move |start| start..(start + size).min(end))
}

/// How wide a panel of so many columns is: whole vectors.
#[inline(always)]
fn panel_width<T: Lanes, S: Simd>(cols: usize) -> usize {
    let lanes = T::lanes::<S>();
    if cols <= lanes { lanes } else { VECTORS * lanes }
}

/// Where the blocks of a part are packed, and whether.
struct Block<'a, T> {
    part: &'a Part<T>,
    width: usize,
    packed_b: *mut T,
    packed_a: *mut T,
    pack_b: bool,
    pack_a: bool,
}

impl<T: Lanes> Block<'_, T> {
    /// The columns `cols` of C over the range `inner` of the inner dimension.
    #[inline(always)]
    fn run<S: Simd>(&self, simd: S, cols: Range<usize>, inner: Range<usize>, start: Start) {
        let Part { a, c, c_row, ref rows, .. } = *self.part;
        let (width, k) = (self.width, inner.len());
        // SAFETY: `rows`, `cols` and `inner` lie within the operands, which
        // the public functions have checked against each other; the packed operands have room for
        // `MC × k` and `NC × k` values (rounded up to whole panels), or for one panel.
        unsafe {
            if self.pack_b {
                simd.vectorize(PackB { block: self, cols: cols.clone(), inner: inner.clone() });
            }
            for rows in blocks_of(rows.clone(), MC) {
                if self.pack_a {
                    simd.vectorize(PackA { block: self, rows: rows.clone(), inner: inner.clone() });
                }
                for j in blocks_of(cols.clone(), width) {
                    let (b, b_step) = self.panel(simd, &cols, &j, &inner);
                    for strip in strips(rows.len(), MAX_ROWS) {
                        let i = rows.start + strip.start;
                        let (a, a_row, a_step) = if !self.pack_a {
                            (a.at(i, inner.start), a.row, a.col)
                        } else {
                            (self.packed_a.add(strip.start * k).cast_const(), 1, strip.len())
                        };
                        Tile {
                            a,
                            a_row,
                            a_step,
                            b,
                            b_step,
                            c: c.add(i * c_row + j.start),
                            c_row,
                            rows: strip.len(),
                            cols: j.len(),
                            k,
                            start,
                        }
                        .run(simd);
                    }
                }
            }
        }
    }

    /// Where the panel of the columns `j` begins, and the distance between its rows.
    ///
    /// # Safety
    /// As in [`Block::run`].
    #[inline(always)]
    unsafe fn panel<S: Simd>(
        &self,
        simd: S,
        cols: &Range<usize>,
        j: &Range<usize>,
        inner: &Range<usize>,
    ) -> (*const T, usize) {
        let (width, k, b) = (panel_width::<T, S>(j.len()), inner.len(), self.part.b);
        // SAFETY: by the caller.
        unsafe {
            if self.pack_b {
                (self.packed_b.add((j.start - cols.start) * k).cast_const(), width)
            } else if j.len() == width {
                (b.at(inner.start, j.start), b.row)
            } else {
                simd.vectorize(PackB { block: self, cols: j.clone(), inner: inner.clone() });
                (self.packed_b.cast_const(), width)
            }
        }
    }
}

/// Packs the columns `cols` of B over `inner`, panel by panel.
struct PackB<'a, T> {
    block: &'a Block<'a, T>,
    cols: Range<usize>,
    inner: Range<usize>,
}

impl<T: Lanes> WithSimd for PackB<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { block: &Block { part, width, packed_b, .. }, cols, inner } = self;
        let (b, k) = (part.b, inner.len());
        for j in blocks_of(cols.clone(), width) {
            // SAFETY: the ranges lie within B, and there is room for the panels of `cols`.
            unsafe {
                let from = b.at(inner.start, j.start);
                let panel = packed_b.add((j.start - cols.start) * k);
                let width = panel_width::<T, S>(j.len());
                if b.row == 1 {
                    pack::transposed::<T, S>(from, b.col, j.len(), k, panel, width);
                } else {
                    pack::rows(simd, from, b.row, j.len(), k, panel, width);
                }
            }
        }
    }
}

/// Packs the rows `rows` of A over `inner`, strip by strip.
struct PackA<'a, T> {
    block: &'a Block<'a, T>,
    rows: Range<usize>,
    inner: Range<usize>,
}

impl<T: Lanes> WithSimd for PackA<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { block: &Block { part, packed_a, .. }, rows, inner } = self;
        let (a, k) = (part.a, inner.len());
        // SAFETY: the ranges lie within A, and there is room for `rows`.
        unsafe {
            for strip in strips(rows.len(), MAX_ROWS) {
                let from = a.at(rows.start + strip.start, inner.start);
                let to = packed_a.add(strip.start * k);
                if a.row == 1 {
                    pack::columns(from, a.col, strip.len(), k, to);
                } else {
                    pack::transposed::<T, S>(from, a.row, strip.len(), k, to, strip.len());
                }
            }
        }
    }
}
