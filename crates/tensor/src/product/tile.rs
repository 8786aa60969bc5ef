//! The innermost loop: a few rows and vectors of a product, held in registers.

use std::ops::Range;

use pulp::Simd;

use super::arithmetic::{Arithmetic, Sums};
use super::lanes::{Lanes, MAX_SIDE};

/// The most rows of a tile.
pub(super) const MAX_ROWS: usize = 6;
/// Vectors in a row of a tile.
pub(super) const VECTORS: usize = 2;
/// Steps along the inner dimension at a time, so that few instructions but the multiplications are left:
/// a core whose other hardware thread is busy starts half as many. (With 8 the compiler keeps sums in memory.)
const UNROLLED: usize = 4;

/// What the sums of a tile start from.
#[derive(Clone, Copy)]
pub(super) enum Start<T> {
    /// 0.
    Zero,
    /// What stands in the destination.
    Destination,
    /// The same row of values for all rows.
    Row(*const T),
    /// The same column of values for all columns.
    Column(*const T),
}

impl<T> Start<T> {
    /// Of the part of C whose first element is (i, j).
    ///
    /// # Safety
    /// That element must exist.
    #[inline(always)]
    pub(super) unsafe fn at(self, i: usize, j: usize) -> Self {
        // SAFETY: a row has a value for every column of C, a column one for every row.
        unsafe {
            match self {
                Self::Row(row) => Self::Row(row.add(j)),
                Self::Column(column) => Self::Column(column.add(i)),
                start => start,
            }
        }
    }
}

/// C in memory: element (i, j) at `data + i * row + j * col`; one of the two is 1.
#[derive(Clone, Copy)]
pub(super) struct Destination<T> {
    pub(super) data: *mut T,
    pub(super) row: usize,
    pub(super) col: usize,
}

impl<T> Destination<T> {
    /// # Safety
    /// The element must exist.
    #[inline(always)]
    pub(super) unsafe fn at(self, i: usize, j: usize) -> *mut T {
        // SAFETY: the caller promises that it lies in C.
        unsafe { self.data.add(i * self.row + j * self.col) }
    }

    /// The part whose first element is (i, j).
    ///
    /// # Safety
    /// As [`Destination::at`].
    #[inline(always)]
    pub(super) unsafe fn from(self, i: usize, j: usize) -> Self {
        let Self { data, row, col } = self;
        // SAFETY: the caller promises that it lies in C.
        Self { data: unsafe { data.add(i * row + j * col) }, row, col }
    }
}

/// `rows` cut into strips, each at most `MAX_ROWS` high and the last two of nearly equal height.
/// (Without division, which would cost more than a small tile.)
#[inline(always)]
pub(super) fn strips(rows: usize) -> impl Iterator<Item = Range<usize>> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let left = rows - start;
        let height = match left {
            0 => return None,
            _ if left <= MAX_ROWS => left,
            _ if left < 2 * MAX_ROWS => left.div_ceil(2),
            _ => MAX_ROWS,
        };
        start += height;
        Some(start - height..start)
    })
}

/// The rows of A that a panel is multiplied with, in factors `F`.
#[derive(Clone, Copy)]
pub(super) enum Left<F> {
    /// `A[i][p]` at `data + i * row + p * col`; one of the two is 1.
    Strided { data: *const F, row: usize, col: usize },
    /// Strip after strip, each column by column.
    Packed(*const F),
}

/// `C = start + A B` for a panel of C: `rows` × (at most `VECTORS` vectors), over `k` factors.
///
/// Every element is one chain of sums in the order of `k`, so that its bits depend on nothing but
/// its own operands: not on the tile, nor on the width of a vector.
#[derive(Clone, Copy)]
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
    /// The pointers must be valid as their fields say, `cols` within `1..=VECTORS * lanes`, and
    /// nothing else may write to the panel meanwhile.
    #[inline(always)]
    pub(super) unsafe fn run<R>(self, how: R)
    where
        R: Arithmetic<Factor = F, Element = T>,
    {
        // Either rows or columns of A are side by side in memory; the compiler is told which.
        let unit = match self.a {
            Left::Strided { row, .. } => row == 1,
            Left::Packed(_) => true,
        };
        let narrow = self.cols <= T::lanes::<R::Simd>();
        // SAFETY: as promised by the caller.
        unsafe {
            match (narrow, unit) {
                (true, true) => self.strips::<R, 1, true>(how),
                (true, false) => self.strips::<R, 1, false>(how),
                (false, true) => self.strips::<R, VECTORS, true>(how),
                (false, false) => self.strips::<R, VECTORS, false>(how),
            }
        }
    }

    /// A panel whose vectors in a row the compiler knows, and whether rows of A are side by side.
    ///
    /// # Safety
    /// As [`Panel::run`].
    #[inline(always)]
    unsafe fn strips<R, const VECS: usize, const UNIT: bool>(self, how: R)
    where
        R: Arithmetic<Factor = F, Element = T>,
    {
        how.vectorize(
            #[inline(always)]
            || {
                for strip in strips(self.rows) {
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
                            1 => tile.run::<R, 1, VECS>(how),
                            2 => tile.run::<R, 2, VECS>(how),
                            3 => tile.run::<R, 3, VECS>(how),
                            4 => tile.run::<R, 4, VECS>(how),
                            5 => tile.run::<R, 5, VECS>(how),
                            _ => tile.run::<R, MAX_ROWS, VECS>(how),
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
    /// As [`Panel::run`], for `ROWS` rows.
    #[inline(always)]
    unsafe fn run<R, const ROWS: usize, const VECS: usize>(mut self, how: R)
    where
        R: Arithmetic<Factor = F, Element = T>,
    {
        let (simd, c, cols) = (how.simd(), self.c, self.cols);
        if c.col == 1 {
            // SAFETY: as promised by the caller.
            return unsafe { self.multiply::<R, ROWS, VECS>(how) };
        }
        let mut rows = [[T::splat(simd, T::zero()); VECS]; ROWS];
        let (data, width) = (rows.as_mut_ptr().cast::<T>(), VECS * T::lanes::<R::Simd>());
        self.c = Destination { data, row: width, col: 1 };
        // SAFETY: as promised by the caller; there is room for the tile in `rows`.
        unsafe {
            if let Start::Destination = self.start {
                for j in 0..cols {
                    for i in 0..ROWS {
                        *self.c.at(i, j) = *c.at(i, j);
                    }
                }
            }
            self.multiply::<R, ROWS, VECS>(how);
            store_columns::<T, R::Simd, ROWS>(data, width, c, cols);
        }
    }

    /// The tile, to a destination whose rows are stored one after the other.
    ///
    /// # Safety
    /// As [`Tile::run`].
    #[inline(always)]
    unsafe fn multiply<R, const ROWS: usize, const VECS: usize>(self, how: R)
    where
        R: Arithmetic<Factor = F, Element = T>,
    {
        let Self { a, a_row, a_col, b, b_step, c, cols, k, start } = self;
        let simd = how.simd();
        // In registers, as long as nothing that is not inlined points into it or copies it as a whole.
        let mut sums: [[Sums<R>; VECS]; ROWS] = [[T::splat(simd, T::zero()); VECS]; ROWS];
        // SAFETY: the caller promises that the operands may be read and the destination written
        // at these places.
        unsafe {
            match start {
                Start::Zero => {}
                Start::Destination => {
                    for (i, sums) in sums.iter_mut().enumerate() {
                        for (v, sum) in sums.iter_mut().enumerate() {
                            *sum = load::<T, R::Simd>(simd, c.at(i, 0), v, cols);
                        }
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
            let whole = k / UNROLLED * UNROLLED;
            for p in (0..whole).step_by(UNROLLED) {
                for p in p..p + UNROLLED {
                    let (a, b) = (a.add(p * a_col), b.add(p * b_step));
                    add_products(how, a, a_row, b, &mut sums);
                }
            }
            for p in whole..k {
                add_products(how, a.add(p * a_col), a_row, b.add(p * b_step), &mut sums);
            }
            for (i, sums) in sums.iter().enumerate() {
                for (v, &sum) in sums.iter().enumerate() {
                    store::<T, R::Simd>(simd, sum, c.at(i, 0), v, cols);
                }
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

/// The vector `v` of a row of `cols` values; what it holds past them is not said.
///
/// # Safety
/// `cols` values must be readable at `row`.
#[inline(always)]
unsafe fn load<T: Lanes, S: Simd>(simd: S, row: *const T, v: usize, cols: usize) -> T::Vector<S> {
    let start = v * T::lanes::<S>();
    // SAFETY: the caller promises the values, and no others are read.
    unsafe {
        if start + T::lanes::<S>() <= cols {
            T::load::<S>(row.add(start))
        } else {
            let mask = T::first(simd, cols.saturating_sub(start));
            T::load_masked(simd, mask, row.wrapping_add(start))
        }
    }
}

/// Writes the vector `v` of a row of `cols` values, as far as there are values.
///
/// # Safety
/// `cols` values must be writable at `row`.
#[inline(always)]
unsafe fn store<T: Lanes, S: Simd>(simd: S, x: T::Vector<S>, row: *mut T, v: usize, cols: usize) {
    let start = v * T::lanes::<S>();
    // SAFETY: the caller promises the room, and nothing past it is written.
    unsafe {
        if start + T::lanes::<S>() <= cols {
            T::store::<S>(row.add(start), x);
        } else {
            let mask = T::first(simd, cols.saturating_sub(start));
            T::store_masked(simd, mask, row.wrapping_add(start), x);
        }
    }
}

/// Writes the first `cols` columns of `ROWS` rows, `width` values apart, to a destination whose
/// columns are stored one after the other.
///
/// # Safety
/// The rows must be readable in whole vectors, and `ROWS × cols` values writable at `c`.
#[inline(always)]
unsafe fn store_columns<T: Lanes, S: Simd, const ROWS: usize>(
    rows: *const T,
    width: usize,
    c: Destination<T>,
    cols: usize,
) {
    const { assert!(T::SIDE <= MAX_SIDE) };
    let side = T::SIDE;
    // SAFETY: the caller promises the room; a block to be turned lies within the vectors, and its
    // columns within `turned`.
    unsafe {
        if T::lanes::<S>() < side {
            for j in 0..cols {
                for i in 0..ROWS {
                    *c.at(i, j) = *rows.add(i * width + j);
                }
            }
            return;
        }
        let mut turned = [T::zero(); MAX_SIDE * MAX_SIDE];
        for j in (0..cols).step_by(side) {
            for i in (0..ROWS).step_by(side) {
                let height = side.min(ROWS - i);
                T::turn::<S>(rows.add(i * width + j), width, height, turned.as_mut_ptr(), side);
                for q in 0..side.min(cols - j) {
                    let column = turned.as_ptr().add(q * side);
                    column.copy_to_nonoverlapping(c.at(i, j + q), height);
                }
            }
        }
    }
}
