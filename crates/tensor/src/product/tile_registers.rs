//! Products of bf16 in registers that hold whole tiles, for processors that have such.
//!
//! The loops are those of [`blocks`](super::blocks) with other sizes. Sums begin at 0 in every block of the inner
//! dimension, and go to what C starts from at its end.

use std::ops::Range;

use pulp::Simd;

use super::MAX_WHOLE;
use super::arithmetic::Arithmetic;
use super::blocks::{blocks_of, evenly};
use super::destination::{Destination, Start, load, store};
use super::lanes::Lanes;
use super::pack::{self, Packing};
use super::pairs::{Pairing, SIDE, TILE, VALUES, tile_of_columns, tile_of_rows, turn};
use super::part::Part;
use crate::scratch;

/// Rows and columns of C at a time: four tiles of it.
pub(super) const BLOCK: usize = 2 * SIDE;

/// How large blocks are at most.
#[derive(Clone, Copy)]
pub(super) struct Sizes {
    /// Pairs along the inner dimension at a time.
    pub(super) depth: usize,
    /// Rows of A at a time.
    pub(super) rows: usize,
    /// Columns of B at a time.
    pub(super) cols: usize,
}

/// As deep as [`MAX_WHOLE`] promises. The rows then fill half of a second-level cache of 2 MiB.
const SIZES: Sizes = Sizes { depth: MAX_WHOLE / VALUES, rows: 512, cols: 2048 };

/// The sums of four tiles, row by row.
#[repr(align(64))]
pub(super) struct BlockSums(pub(super) [f32; BLOCK * BLOCK]);

impl BlockSums {
    /// The columns as rows.
    #[inline(always)]
    fn transposed<S: Simd>(&self, _: S) -> Self {
        let mut turned = Self([0.0; BLOCK * BLOCK]);
        // SAFETY: there is an `S`, and there are as many rows and columns as are read and written.
        unsafe { turn::<S>(self.0.as_ptr(), turned.0.as_mut_ptr(), BLOCK) };
        turned
    }
}

/// Registers that hold tiles, and what multiplies them.
pub(super) trait TileRegisters: Copy {
    /// How elements become pairs.
    type Packing: Pairing;

    /// The packing of these registers.
    fn packing(self) -> Self::Packing;

    /// Runs `f`, into which all it does must be inlined, with the registers set up.
    fn set_up(self, f: impl FnOnce());

    /// The sums of `steps` tiles along the inner dimension. A tile of A has 16 rows of 16 pairs; one of
    /// B has 16 rows of pairs, each for 16 of a panel's 32 columns.
    ///
    /// # Safety
    /// It must run within [`TileRegisters::set_up`]; `steps`, at least one, tiles of A must be there at `a`, one after the
    /// other, as many at `a_next` for the 16 rows that follow, and `16 * steps` rows of a panel of B at `b`.
    unsafe fn multiply(
        self,
        a: *const u32,
        a_next: *const u32,
        b: *const u32,
        steps: usize,
        sums: &mut BlockSums,
    );
}

/// Tiles that so many elements along the inner dimension fill, at least one.
#[inline(always)]
fn steps(k: usize) -> usize {
    k.div_ceil(VALUES * SIDE).max(1)
}

/// Blocks of the inner dimension; an empty one if there is nothing in it.
#[inline(always)]
fn inner_blocks(k: usize, depth: usize) -> impl Iterator<Item = Range<usize>> {
    let empty = (k == 0).then_some(0..0);
    empty.into_iter().chain(blocks_of(0..k, depth))
}

impl Part<f32> {
    /// In registers that hold tiles.
    pub(super) fn multiply_in<T: TileRegisters>(&self, registers: T) {
        self.multiply_in_by(registers, SIZES);
    }

    /// By blocks of these sizes, of which only the depth changes bits.
    pub(super) fn multiply_in_by<T: TileRegisters>(&self, registers: T, sizes: Sizes) {
        let (m, n) = (self.rows.len(), self.cols.len());
        if m == 0 || n == 0 {
            return;
        }
        let depth = steps(VALUES * evenly(self.k.div_ceil(VALUES), sizes.depth)) * SIDE;
        let height = evenly(m, sizes.rows).next_multiple_of(BLOCK);
        // Panels that one block of rows uses are packed when their turn comes, and are near then.
        let group = if height < m { sizes.cols } else { BLOCK };
        let b_room = n.min(group).next_multiple_of(BLOCK) * depth + pack::SPILL;
        let rooms = [height * depth, b_room].map(|factors| factors * size_of::<u32>());
        scratch::with(&scratch::PACKED, rooms, move |[a, b]| {
            let packed = Packed { part: self, a: a.cast(), b: b.cast() };
            registers.set_up(
                #[inline(always)]
                move || {
                    for cols in blocks_of(self.cols.clone(), sizes.cols) {
                        let mut start = self.start;
                        for inner in inner_blocks(self.k, VALUES * depth) {
                            for rows in blocks_of(self.rows.clone(), height) {
                                // SAFETY: the ranges lie within the operands, which the public functions
                                // have checked against each other, and there is room for them.
                                unsafe {
                                    packed.fill_a(registers, &rows, &inner);
                                    for group in blocks_of(cols.clone(), group) {
                                        if rows.start == self.rows.start {
                                            packed.fill_b(registers, &group, &inner);
                                        }
                                        packed.multiply(
                                            registers,
                                            &rows,
                                            &group,
                                            inner.len(),
                                            start,
                                        );
                                    }
                                }
                            }
                            start = start.continued();
                        }
                    }
                },
            );
        });
    }
}

/// Where the blocks of a part are packed.
#[derive(Clone, Copy)]
struct Packed<'a> {
    part: &'a Part<f32>,
    /// Tile after tile: those of 16 rows, then those of the next.
    a: *mut u32,
    /// Panels of 32 columns.
    b: *mut u32,
}

impl Packed<'_> {
    /// Packs the rows `rows` of A over `inner`, filled up with 0 along it. Rows missing in the last tiles are
    /// whatever they were.
    ///
    /// # Safety
    /// The ranges must lie within A, with room for them.
    #[inline(always)]
    unsafe fn fill_a<T: TileRegisters>(
        self,
        registers: T,
        rows: &Range<usize>,
        inner: &Range<usize>,
    ) {
        let (how, a, steps) = (registers.packing(), self.part.a, steps(inner.len()));
        for i in blocks_of(rows.clone(), SIDE) {
            for step in 0..steps {
                let p = inner.start + step * VALUES * SIDE;
                let k = (inner.end - p).min(VALUES * SIDE);
                // SAFETY: by the caller.
                unsafe {
                    let tile = self.a.add((i.start - rows.start) * steps * SIDE + step * TILE);
                    let from = a.at(i.start, p);
                    match a.row {
                        1 => tile_of_columns(how, from, a.col, i.len(), k, tile),
                        _ => tile_of_rows(how, from, a.row, i.len(), k, tile),
                    }
                }
            }
        }
    }

    /// Packs the columns `cols` of B over `inner`, filled up with 0 along it.
    ///
    /// # Safety
    /// As for [`Packed::fill_a`], within B.
    #[inline(always)]
    unsafe fn fill_b<T: TileRegisters>(
        self,
        registers: T,
        cols: &Range<usize>,
        inner: &Range<usize>,
    ) {
        let (how, b, k) = (registers.packing(), self.part.b, inner.len());
        let depth = steps(k) * SIDE;
        for j in blocks_of(cols.clone(), BLOCK) {
            // SAFETY: by the caller.
            unsafe {
                let panel = self.b.add((j.start - cols.start) * depth);
                let from = b.at(inner.start, j.start);
                pack::panel(how, from, (b.row, b.col), j.len(), k, panel, BLOCK);
                let filled = k.div_ceil(VALUES);
                panel.add(filled * BLOCK).write_bytes(0, (depth - filled) * BLOCK);
            }
        }
    }

    /// The packed rows of A times the packed columns of B, over `k` elements.
    ///
    /// # Safety
    /// They must be packed, the registers set up, and nothing else may write to that part of C meanwhile.
    #[inline(always)]
    unsafe fn multiply<T: TileRegisters>(
        self,
        registers: T,
        rows: &Range<usize>,
        cols: &Range<usize>,
        k: usize,
        start: Start<f32>,
    ) {
        let (steps, simd) = (steps(k), registers.packing().arithmetic().simd());
        let mut sums = BlockSums([0.0; BLOCK * BLOCK]);
        for j in blocks_of(cols.clone(), BLOCK) {
            for i in blocks_of(rows.clone(), BLOCK) {
                // SAFETY: by the caller; the second tiles of A's block are in its room, packed or not.
                unsafe {
                    let a = self.a.add((i.start - rows.start) * steps * SIDE);
                    let b = self.b.add((j.start - cols.start) * steps * SIDE);
                    registers.multiply(a, a.add(steps * TILE), b, steps, &mut sums);
                    let (c, start) =
                        (self.part.c.from(i.start, j.start), start.at(i.start, j.start));
                    if c.col == 1 {
                        put(simd, &sums, c, i.len(), j.len(), start);
                    } else {
                        let (sums, c) = (sums.transposed(simd), c.transposed());
                        put(simd, &sums, c, j.len(), i.len(), start.transposed());
                    }
                }
            }
        }
    }
}

/// Writes sums to a place in C whose rows are stored one after the other, with what it starts from.
///
/// # Safety
/// There must be so many rows and columns in C from there on; nothing else may write there meanwhile.
#[inline(always)]
unsafe fn put<S: Simd>(
    simd: S,
    sums: &BlockSums,
    c: Destination<f32>,
    rows: usize,
    cols: usize,
    start: Start<f32>,
) {
    let lanes = f32::lanes::<S>();
    for (i, sums) in sums.0.chunks_exact(BLOCK).take(rows).enumerate() {
        // SAFETY: by the caller; a row to start from has a value a column, a column one a row.
        unsafe {
            let (start, to) = (start.at(i, 0), c.at(i, 0));
            for v in 0..cols.div_ceil(lanes) {
                let x = f32::load::<S>(sums.as_ptr().add(v * lanes));
                let x = match start {
                    Start::Zero => x,
                    Start::Destination => f32::add(simd, load(simd, to, v, cols), x),
                    Start::Row(row) => f32::add(simd, load(simd, row, v, cols), x),
                    Start::Column(column) => f32::add(simd, f32::splat(simd, *column), x),
                    Start::Subtract(eta) => {
                        f32::sub_mul(simd, load(simd, to, v, cols), f32::splat(simd, eta), x)
                    }
                };
                store(simd, x, to, v, cols);
            }
        }
    }
}
