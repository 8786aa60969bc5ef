//! The innermost loop: a few rows and vectors of a product, held in registers.

use std::mem::MaybeUninit;

use super::arithmetic::{Arithmetic, Sums};
use super::destination::{Destination, Start, load, store, turn};
use super::lanes::Lanes;
use super::shape::{MAX_ROWS, PACKED_ROWS, most_rows, most_vectors, panel_width, strips, unrolled};

/// Rows that are turned at a time: they fill a few lines of each column.
const TURNED_ROWS: usize = 48;

/// Factors along the inner dimension from which a tile asks for its part of C ahead: there is time for it to come.
const FETCHED: usize = 64;

/// The rows of A that a panel is multiplied with, in factors `F`.
#[derive(Clone, Copy)]
pub(super) enum Left<F> {
    /// Where a factor is an element: `A[i][p]` at `data + i * row + p * col`; one of the two is 1.
    Strided { data: *const F, row: usize, col: usize },
    /// Strip after strip, each column by column.
    Packed(*const F),
}

/// `C = start + A B`, or `C − η A B`, for a panel of C: `rows` × (1, 2 or 4 vectors, the last of them whole or
/// not), over `k` factors.
///
/// Every element is one chain of sums in the order of `k`, so that its bits depend on nothing but
/// its own operands: not on the tile, nor on the width of a vector.
pub(super) struct Panel<F, T> {
    pub(super) a: Left<F>,
    /// `B[p]` at `b + p * b_step`; whole vectors can be read there.
    pub(super) b: *const F,
    pub(super) b_step: usize,
    /// `rows × cols` values can be read and written there.
    pub(super) c: Destination<T>,
    pub(super) rows: usize,
    pub(super) cols: usize,
    pub(super) k: usize,
    pub(super) start: Start<T>,
}

impl<F: Copy, T: Lanes> Panel<F, T> {
    /// # Safety
    /// The pointers must be valid as their fields say, `cols` be such as [`panels`](super::shape::panels)
    /// makes, and nothing else may write to the panel meanwhile.
    #[inline(always)]
    pub(super) unsafe fn run<R>(&self, how: R)
    where
        R: Arithmetic<Factor = F, Element = T>,
    {
        if self.c.col != 1 {
            // SAFETY: as promised by the caller.
            return unsafe { self.turned(how) };
        }
        // SAFETY: as promised by the caller.
        unsafe { self.to_rows(how) };
    }

    /// To a C whose columns are stored one after the other: some rows are multiplied to a place of their own, and then
    /// turned. (Not inlined, since that is on the stack.)
    ///
    /// # Safety
    /// As [`Panel::run`].
    #[inline(never)]
    unsafe fn turned<R>(&self, how: R)
    where
        R: Arithmetic<Factor = F, Element = T>,
    {
        // So many at the end that strips are cut as they would be from all rows: those of a packed A are.
        const MOST: usize = TURNED_ROWS + MAX_ROWS;
        how.vectorize(
            #[inline(always)]
            || {
                let mut room = MaybeUninit::<[[Sums<R>; 4]; MOST]>::uninit();
                let (cols, width) = (self.cols, panel_width::<R>(self.cols));
                let held = Destination { data: room.as_mut_ptr().cast::<T>(), row: width, col: 1 };
                let mut first = 0;
                while first < self.rows {
                    let left = self.rows - first;
                    let rows = if left < MOST { left } else { TURNED_ROWS };
                    // SAFETY: the rows lie within the panel, for which the caller has promises, and there is room
                    // for them.
                    unsafe {
                        let (c, start) = (self.c.from(first, 0), self.start.at(first, 0));
                        if matches!(start, Start::Destination) {
                            let (c, held) = (c.transposed(), held.transposed());
                            turn::<T, R::Simd>(c, held, cols, rows, None);
                        }
                        let a = match self.a {
                            Left::Strided { data, row, col } => {
                                Left::Strided { data: data.wrapping_add(first * row), row, col }
                            }
                            Left::Packed(data) => Left::Packed(data.add(first * self.k)),
                        };
                        Self { a, c: held, rows, start: start.elsewhere(), ..*self }.to_rows(how);
                        turn::<T, R::Simd>(held, c, rows, cols, start.eta());
                    }
                    first += rows;
                }
            },
        );
    }

    /// To a C whose rows are stored one after the other.
    ///
    /// # Safety
    /// As [`Panel::run`].
    #[inline(always)]
    unsafe fn to_rows<R>(&self, how: R)
    where
        R: Arithmetic<Factor = F, Element = T>,
    {
        // Either rows or columns of A are side by side in memory; the compiler is told which.
        let along_rows = matches!(self.a, Left::Strided { row, .. } if row != 1);
        // SAFETY: as promised by the caller.
        unsafe {
            if const { R::VALUES > 1 } || !along_rows {
                self.of_width::<R, true>(how);
            } else {
                self.of_width::<R, false>(how);
            }
        }
    }

    /// A panel of which the compiler knows whether rows of A are side by side.
    ///
    /// # Safety
    /// As [`Panel::run`].
    #[inline(always)]
    unsafe fn of_width<R, const UNIT: bool>(&self, how: R)
    where
        R: Arithmetic<Factor = F, Element = T>,
    {
        // SAFETY: as promised by the caller.
        unsafe {
            match self.cols.div_ceil(T::lanes::<R::Simd>()) {
                1 => self.strips::<R, 1, UNIT>(how),
                2 => self.strips::<R, 2, UNIT>(how),
                4 if const { most_vectors::<R>() == 4 } => self.strips::<R, 4, UNIT>(how),
                vectors => unreachable!("a panel of {vectors} vectors"),
            }
        }
    }

    /// A panel whose vectors in a row the compiler knows, and whether rows of A are side by side.
    ///
    /// Not inlined, or every codegen unit that multiplies would have a copy of it.
    ///
    /// # Safety
    /// As [`Panel::run`].
    #[inline(never)]
    unsafe fn strips<R, const VECS: usize, const UNIT: bool>(&self, how: R)
    where
        R: Arithmetic<Factor = F, Element = T>,
    {
        how.vectorize(
            #[inline(always)]
            move || {
                let most = match self.a {
                    Left::Strided { .. } => const { most_rows::<R>(VECS) },
                    Left::Packed(_) => PACKED_ROWS,
                };
                for strip in strips(self.rows, most) {
                    let i = strip.start;
                    // SAFETY: the strip lies within the panel, for which the caller has promises.
                    unsafe {
                        let (a, a_row, a_col) = match self.a {
                            Left::Strided { data, row, col } => {
                                (data.wrapping_add(i * row), row, col)
                            }
                            Left::Packed(data) => (data.add(i * self.k), 1, strip.len()),
                        };
                        let tile = Tile {
                            a,
                            a_row: if UNIT { 1 } else { a_row },
                            a_col: if UNIT { a_col } else { 1 },
                            b: self.b,
                            b_step: self.b_step,
                            c: self.c.from(i, 0),
                            cols: self.cols,
                            k: self.k,
                            start: self.start.at(i, 0),
                        };
                        match strip.len() {
                            1 => tile.multiply::<R, 1, VECS>(how),
                            2 => tile.multiply::<R, 2, VECS>(how),
                            3 => tile.multiply::<R, 3, VECS>(how),
                            4 => tile.multiply::<R, 4, VECS>(how),
                            5 => tile.multiply::<R, 5, VECS>(how),
                            6 => tile.multiply::<R, 6, VECS>(how),
                            _ if const { most_rows::<R>(VECS) <= 6 } => {
                                unreachable!("a higher strip")
                            }
                            7 => tile.multiply::<R, 7, VECS>(how),
                            _ => tile.multiply::<R, 8, VECS>(how),
                        }
                    }
                }
            },
        );
    }
}

/// A strip of a panel.
struct Tile<F, T> {
    /// `A[i][p]` at `a + i * a_row + p * a_col`.
    a: *const F,
    a_row: usize,
    a_col: usize,
    b: *const F,
    b_step: usize,
    c: Destination<T>,
    cols: usize,
    k: usize,
    start: Start<T>,
}

impl<F: Copy, T: Lanes> Tile<F, T> {
    /// # Safety
    /// As [`Panel::run`], for `ROWS` rows, which C stores one after the other.
    #[inline(always)]
    unsafe fn multiply<R, const ROWS: usize, const VECS: usize>(self, how: R)
    where
        R: Arithmetic<Factor = F, Element = T>,
    {
        let Self { a, a_row, a_col, b, b_step, c, cols, k, start } = self;
        let simd = how.simd();
        // SAFETY: as promised by the caller. With it the compiler knows that all vectors but the last are whole.
        unsafe { std::hint::assert_unchecked(cols > (VECS - 1) * T::lanes::<R::Simd>()) };
        if k >= FETCHED {
            c.fetch(ROWS, VECS * T::lanes::<R::Simd>());
        }
        // In registers, as long as nothing that is not inlined points into it or copies it as a whole.
        let mut sums: [[Sums<R>; VECS]; ROWS] = [[T::splat(simd, T::zero()); VECS]; ROWS];
        // SAFETY: the caller promises that the operands may be read and the destination written
        // at these places.
        unsafe {
            match start {
                Start::Zero | Start::Subtract(_) => {}
                Start::Destination => {
                    let mut from = c.data;
                    for sums in &mut sums {
                        for (v, sum) in sums.iter_mut().enumerate() {
                            *sum = load::<T, R::Simd>(simd, from, v, cols);
                        }
                        from = from.wrapping_add(c.row);
                    }
                }
                Start::Row(row) => {
                    for v in 0..VECS {
                        let start = load::<T, R::Simd>(simd, row, v, cols);
                        for sums in &mut sums {
                            sums[v] = start;
                        }
                    }
                }
                Start::Column(column) => {
                    for (i, sums) in sums.iter_mut().enumerate() {
                        let start = T::splat(simd, *column.add(i));
                        for sum in sums {
                            *sum = start;
                        }
                    }
                }
            }
            let unrolled = const { unrolled(ROWS, VECS) };
            let whole = k / unrolled * unrolled;
            for p in (0..whole).step_by(unrolled) {
                for p in p..p + unrolled {
                    let (a, b) = (a.add(p * a_col), b.add(p * b_step));
                    add_products(how, a, a_row, b, &mut sums);
                }
            }
            for p in whole..k {
                add_products(how, a.add(p * a_col), a_row, b.add(p * b_step), &mut sums);
            }
            if let Start::Subtract(eta) = start {
                let eta = T::splat(simd, eta);
                let mut from = c.data;
                for sums in &mut sums {
                    for (v, sum) in sums.iter_mut().enumerate() {
                        let c = load::<T, R::Simd>(simd, from, v, cols);
                        *sum = T::sub_mul(simd, c, eta, *sum);
                    }
                    from = from.wrapping_add(c.row);
                }
            }
            // From row to row: their places would be multiples of a row, worked out for tiles of every height.
            let mut to = c.data;
            for sums in &sums {
                for (v, &sum) in sums.iter().enumerate() {
                    store::<T, R::Simd>(simd, sum, to, v, cols);
                }
                to = to.wrapping_add(c.row);
            }
        }
    }
}

/// Adds to `sums[i][v]` the factor at `a + i * a_row` times vector `v` at `b`.
///
/// # Safety
/// `ROWS` factors must be readable there, and `VECS` vectors of them at `b`.
#[inline(always)]
unsafe fn add_products<R: Arithmetic, const ROWS: usize, const VECS: usize>(
    how: R,
    a: *const R::Factor,
    a_row: usize,
    b: *const R::Factor,
    sums: &mut [[Sums<R>; VECS]; ROWS],
) {
    let lanes = R::Element::lanes::<R::Simd>();
    // SAFETY: by the caller.
    unsafe {
        // There is no factor 0 to begin with.
        let mut row = [how.load(b); VECS];
        for (v, row) in row.iter_mut().enumerate().skip(1) {
            *row = how.load(b.add(v * lanes));
        }
        for (i, sums) in sums.iter_mut().enumerate() {
            let factor = how.splat(*a.add(i * a_row));
            for (sum, row) in sums.iter_mut().zip(row) {
                *sum = how.mul_add(factor, row, *sum);
            }
        }
    }
}
