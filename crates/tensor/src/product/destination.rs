//! C: where its elements are in memory, what their sums start from, and how vectors of them are read
//! and written.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};

use pulp::Simd;

use super::lanes::{Lanes, MAX_SIDE};

/// Bytes of memory that come together.
const LINE_BYTES: usize = 64;

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
    /// 0, and in the end this multiple of them is subtracted from the destination.
    Subtract(T),
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

    /// Of Cᵀ.
    #[inline(always)]
    pub(super) fn transposed(self) -> Self {
        match self {
            Self::Row(row) => Self::Column(row),
            Self::Column(column) => Self::Row(column),
            start => start,
        }
    }

    /// In memory of its own, from where a multiple of the sums is yet to be subtracted, if that is to be.
    #[inline(always)]
    pub(super) fn elsewhere(self) -> Self {
        match self {
            Self::Subtract(_) => Self::Zero,
            start => start,
        }
    }

    /// The multiple of the sums that is to be subtracted.
    #[inline(always)]
    pub(super) fn eta(self) -> Option<T> {
        match self {
            Self::Subtract(eta) => Some(eta),
            _ => None,
        }
    }

    /// For the terms that follow after some.
    #[inline(always)]
    pub(super) fn continued(self) -> Self {
        match self {
            start @ Self::Subtract(_) => start,
            _ => Self::Destination,
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
    /// Cᵀ.
    #[inline(always)]
    pub(super) fn transposed(self) -> Self {
        Self { data: self.data, row: self.col, col: self.row }
    }

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

    /// Asks for the first values of the first rows, so that the processor may bring them near meanwhile.
    #[inline(always)]
    pub(super) fn fetch(self, rows: usize, cols: usize) {
        let mut row = self.data.cast_const();
        for _ in 0..rows {
            for j in (0..cols).step_by(LINE_BYTES / size_of::<T>()) {
                fetch_line(row.wrapping_add(j));
            }
            row = row.wrapping_add(self.row);
        }
    }
}

/// Asks for the line at this place, where it is known how.
#[inline(always)]
fn fetch_line<T>(at: *const T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a hint, which reads nothing.
    unsafe {
        _mm_prefetch::<_MM_HINT_T0>(at.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = at;
}

/// The vector `v` of a row of `cols` values; what it holds past them is not said.
///
/// # Safety
/// `cols` values must be readable at `row`.
#[inline(always)]
pub(super) unsafe fn load<T: Lanes, S: Simd>(
    simd: S,
    row: *const T,
    v: usize,
    cols: usize,
) -> T::Vector<S> {
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
pub(super) unsafe fn store<T: Lanes, S: Simd>(
    simd: S,
    x: T::Vector<S>,
    row: *mut T,
    v: usize,
    cols: usize,
) {
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

/// Copies a C, whose rows are stored one after the other, to one whose columns are, or subtracts a multiple of it there.
///
/// # Safety
/// So many rows and columns must be readable at `from`, and readable and writable at `to`; and the processor must
/// have `S`.
#[inline(always)]
pub(super) unsafe fn turn<T: Lanes, S: Simd>(
    from: Destination<T>,
    to: Destination<T>,
    rows: usize,
    cols: usize,
    eta: Option<T>,
) {
    for j in (0..cols).step_by(T::SIDE) {
        for i in (0..rows).step_by(T::SIDE) {
            let across = T::SIDE.min(cols - j);
            // SAFETY: the block lies within the rows and columns, for which the caller has promises.
            unsafe {
                let (from, to) = (from.from(i, j), to.from(i, j));
                // The compiler is told how many rows there are, or it would call a function to copy a few values.
                match rows - i {
                    1 => turn_block::<T, S, 1>(from, to, across, eta),
                    2 => turn_block::<T, S, 2>(from, to, across, eta),
                    3 => turn_block::<T, S, 3>(from, to, across, eta),
                    _ if const { T::SIDE == 4 } => turn_block::<T, S, 4>(from, to, across, eta),
                    4 => turn_block::<T, S, 4>(from, to, across, eta),
                    5 => turn_block::<T, S, 5>(from, to, across, eta),
                    6 => turn_block::<T, S, 6>(from, to, across, eta),
                    7 => turn_block::<T, S, 7>(from, to, across, eta),
                    _ => turn_block::<T, S, 8>(from, to, across, eta),
                }
            }
        }
    }
}

/// As [`turn`], of at most [`Lanes::SIDE`] rows and columns.
///
/// # Safety
/// As [`turn`].
#[inline(always)]
unsafe fn turn_block<T: Lanes, S: Simd, const ROWS: usize>(
    from: Destination<T>,
    to: Destination<T>,
    cols: usize,
    eta: Option<T>,
) {
    const { assert!(T::SIDE <= MAX_SIDE) };
    // SAFETY: by the caller; as many columns are read at a time as there are.
    unsafe {
        if cols < T::SIDE {
            for i in 0..ROWS {
                for j in 0..cols {
                    put(from.at(i, j), to.at(i, j), 1, eta);
                }
            }
        } else if ROWS == T::SIDE && eta.is_none() {
            T::turn::<S>(from.data, from.row, ROWS, to.data, to.col);
        } else {
            let mut turned = [T::zero(); MAX_SIDE * MAX_SIDE];
            T::turn::<S>(from.data, from.row, ROWS, turned.as_mut_ptr(), T::SIDE);
            for j in 0..T::SIDE {
                put(turned.as_ptr().add(j * T::SIDE), to.at(0, j), ROWS, eta);
            }
        }
    }
}

/// Copies `count` values, or subtracts this multiple of them.
///
/// # Safety
/// They must be readable at `from`, and as many readable and writable at `to`, which lies elsewhere.
#[inline(always)]
unsafe fn put<T: Lanes>(from: *const T, to: *mut T, count: usize, eta: Option<T>) {
    // SAFETY: as promised by the caller.
    unsafe {
        match eta {
            None => from.copy_to_nonoverlapping(to, count),
            Some(eta) => {
                for i in 0..count {
                    *to.add(i) = *to.add(i) - eta * *from.add(i);
                }
            }
        }
    }
}
