//! The part of a product that a thread computes, and what in memory it is of.

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};

use super::arithmetic::Plain;
use super::destination::{Destination, Start};
use super::lanes::Lanes;
use super::rounded::Rounded;
use super::{Begin, Operand, vector};
use crate::{MatrixViewMut, Scalar};

/// A row of C up to which its columns are taken as rows.
const NARROW_BYTES: usize = 16;
/// A vector of AVX2.
#[cfg(target_arch = "x86_64")]
const AVX2_BYTES: usize = 32;

/// An operand in memory: element (i, j) at `data + i * row + j * col`; one of the two is 1.
#[derive(Clone, Copy)]
pub(super) struct Strided<T> {
    data: *const T,
    pub(super) row: usize,
    pub(super) col: usize,
}

impl<T> Strided<T> {
    fn new(operand: Operand<'_, T>) -> Self {
        let (row, col) = if operand.transposed { (1, operand.cols) } else { (operand.cols, 1) };
        Self { data: operand.data.as_ptr(), row, col }
    }

    fn transposed(self) -> Self {
        Self { data: self.data, row: self.col, col: self.row }
    }

    /// The part whose first element is (i, j).
    fn from(self, i: usize, j: usize) -> Self {
        let Self { row, col, .. } = self;
        Self { data: self.at(i, j), row, col }
    }

    /// Where an element is, or would be: an operand without inner dimension has none.
    #[inline(always)]
    pub(super) fn at(self, i: usize, j: usize) -> *const T {
        self.data.wrapping_add(i * self.row + j * self.col)
    }
}

/// The part of a product that one thread computes.
#[derive(Clone)]
pub(super) struct Part<T> {
    pub(super) a: Strided<T>,
    pub(super) b: Strided<T>,
    pub(super) c: Destination<T>,
    pub(super) rows: Range<usize>,
    pub(super) cols: Range<usize>,
    pub(super) k: usize,
    pub(super) start: Start<T>,
}

impl<T: Lanes> Part<T> {
    /// The whole product. The caller has checked the shapes against each other, and keeps the borrows
    /// until the product is done.
    pub(super) fn new(
        a: Operand<'_, T>,
        b: Operand<'_, T>,
        mut c: MatrixViewMut<'_, T>,
        begin: Begin<'_, T>,
    ) -> Self
    where
        T: Scalar,
    {
        let (rows, cols) = (c.rows(), c.cols());
        let k = if a.transposed { a.rows } else { a.cols };
        Self {
            a: Strided::new(a),
            b: Strided::new(b),
            c: Destination { data: c.as_mut_slice().as_mut_ptr(), row: cols, col: 1 },
            rows: 0..rows,
            cols: 0..cols,
            k,
            start: match begin {
                Begin::Zero => Start::Zero,
                Begin::Destination => Start::Destination,
                Begin::Row(row) => Start::Row(row.as_ptr()),
                Begin::Subtract(factor) => Start::Subtract(factor),
            },
        }
    }

    /// The rows and columns of C that lie in these ranges.
    pub(super) fn within(&self, rows: Range<usize>, cols: Range<usize>) -> Self {
        debug_assert!(rows.end <= self.rows.end && cols.end <= self.cols.end, "a part of C");
        Self { rows, cols, ..self.clone() }
    }

    /// The sums over this range of the inner dimension alone, to a C of its own.
    pub(super) fn over(&self, inner: Range<usize>, c: &mut [T]) -> Self {
        let all = (self.rows.len() * self.cols.len(), self.k);
        debug_assert!(c.len() == all.0 && inner.end <= all.1, "all of C, some of the sums");
        Self {
            a: self.a.from(0, inner.start),
            b: self.b.from(inner.start, 0),
            c: Destination { data: c.as_mut_ptr(), ..self.c },
            k: inner.len(),
            start: Start::Zero,
            ..self.clone()
        }
    }

    /// The same part, as `Cᵀ = Bᵀ Aᵀ` if C is so narrow that its rows would leave vectors mostly empty.
    pub(super) fn along_longer_side(self) -> Self {
        let (m, n) = (self.rows.len(), self.cols.len());
        if n < m && n * size_of::<T>() <= NARROW_BYTES { self.transposed() } else { self }
    }

    /// The same part as `Cᵀ = Bᵀ Aᵀ`.
    pub(super) fn transposed(&self) -> Self {
        Self {
            a: self.b.transposed(),
            b: self.a.transposed(),
            c: self.c.transposed(),
            rows: self.cols.clone(),
            cols: self.rows.clone(),
            k: self.k,
            start: self.start.transposed(),
        }
    }

    /// Of the instruction sets that give the same bits, the one with the shortest vectors that hold a row
    /// of C, or of the factors of a dot product, or else the longest.
    pub(super) fn fitting(&self, arch: Arch) -> Arch {
        let row = if self.takes_dots() { self.k } else { self.cols.len() };
        match arch {
            #[cfg(target_arch = "x86_64")]
            Arch::V4(simd) if row * size_of::<T>() <= AVX2_BYTES => Arch::V3(*simd),
            arch => arch,
        }
    }

    /// Whether it is `A Bᵀ` of a few rows.
    #[inline(always)]
    pub(super) fn takes_dots(&self) -> bool {
        let by_rows = self.a.col == 1 && self.b.row == 1 && self.c.col == 1;
        by_rows && self.rows.len() <= vector::FEW_ROWS
    }

    /// `A Bᵀ` of a few rows.
    #[inline(always)]
    fn dot_products<S: Simd>(&self, simd: S) {
        let Self { a, b, c, ref rows, ref cols, k, start } = *self;
        for i in rows.clone() {
            // SAFETY: row `i` of A, the columns `cols` of B and of row `i` of C exist, and no
            // other thread writes there.
            unsafe {
                let start = start.at(i, cols.start);
                let c = std::slice::from_raw_parts_mut(c.at(i, cols.start), cols.len());
                vector::dot_rows(simd, a.at(i, 0), b.at(0, cols.start), b.col, k, c, start);
            }
        }
    }
}

impl<T: Lanes> WithSimd for &Part<T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        if self.takes_dots() {
            self.dot_products(simd);
        } else {
            self.multiply(Plain::new(simd));
        }
    }
}

/// A part whose operands are rounded to bf16 and multiplied in `f32`.
pub(super) struct RoundedPart<'a>(pub(super) &'a Part<f32>);

impl WithSimd for RoundedPart<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        self.0.multiply(Rounded::new(simd));
    }
}
