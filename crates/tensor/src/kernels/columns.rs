//! Sums down the columns, in vectors of neighbouring columns.

use pulp::{Simd, WithSimd};

use crate::product::{Lanes, Store};
use crate::simd::arch;
use crate::{MatrixView, Scalar};

/// Vectors that are summed side by side.
const VECTORS: usize = 4;

/// The sum of the rows of `m`: one value a column, `(1ᵀ M)_j = Σ_i M_ij`, in the order of `i`.
///
/// # Panics
/// If `sums` does not have one place a column.
pub fn column_sums<S: Scalar>(m: MatrixView<'_, S>, sums: &mut [S], store: Store) {
    assert_eq!(m.cols(), sums.len(), "column_sums: one place a column");
    arch().dispatch(ColumnSums { m, sums, store, eta: None });
}

/// `v ← v − η · (1ᵀ M)ᵀ`: subtracts a multiple of the [`column_sums`] from `v`, with the bits of sums that
/// are stored, multiplied and subtracted. With the learning rate η a step of gradient descent, `b ← b − η ∇_b L`.
///
/// # Panics
/// If `v` does not have one value a column.
///
/// ```
/// use chainrule_tensor::{Matrix, kernels::sub_column_sums};
/// let mut b = [1.0, 1.0];
/// sub_column_sums(0.5, Matrix::from_rows(&[[2.0, 0.0], [4.0, 1.0]]).view(), &mut b);
/// assert_eq!(b, [-2.0, 0.5]);
/// ```
pub fn sub_column_sums<S: Scalar>(eta: S, m: MatrixView<'_, S>, v: &mut [S]) {
    assert_eq!(m.cols(), v.len(), "sub_column_sums: one value a column");
    arch().dispatch(ColumnSums { m, sums: v, store: Store::Replace, eta: Some(eta) });
}

struct ColumnSums<'a, T> {
    m: MatrixView<'a, T>,
    sums: &'a mut [T],
    store: Store,
    /// If there is one, the sums are not stored, but this multiple of them subtracted.
    eta: Option<T>,
}

impl<T: Scalar> WithSimd for ColumnSums<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let (lanes, cols) = (T::lanes::<S>(), self.sums.len());
        let mut j = 0;
        while j + VECTORS * lanes <= cols {
            self.vectors::<S, VECTORS>(simd, j);
            j += VECTORS * lanes;
        }
        while j + lanes <= cols {
            self.vectors::<S, 1>(simd, j);
            j += lanes;
        }
        if j < cols {
            self.rest(simd, j);
        }
    }
}

impl<T: Scalar> ColumnSums<'_, T> {
    /// The columns from `j` on that fill `N` vectors.
    #[inline(always)]
    fn vectors<S: Simd, const N: usize>(&mut self, simd: S, j: usize) {
        let lanes = T::lanes::<S>();
        let mut sums = [T::splat(simd, T::zero()); N];
        let to = self.sums[j..j + N * lanes].as_mut_ptr();
        // SAFETY: `sums` has the values `j..j + N * lanes`, as has every row.
        unsafe {
            if self.store == Store::Add {
                for (v, sum) in sums.iter_mut().enumerate() {
                    *sum = T::load::<S>(to.add(v * lanes));
                }
            }
            for row in self.m.iter_rows() {
                let from = row[j..j + N * lanes].as_ptr();
                for (v, sum) in sums.iter_mut().enumerate() {
                    *sum = <T as Lanes>::add(simd, *sum, T::load::<S>(from.add(v * lanes)));
                }
            }
            for (v, mut sum) in sums.into_iter().enumerate() {
                if let Some(eta) = self.eta {
                    let from = T::load::<S>(to.add(v * lanes));
                    sum = T::sub_mul(simd, from, T::splat(simd, eta), sum);
                }
                T::store::<S>(to.add(v * lanes), sum);
            }
        }
    }

    /// The columns from `j` on, fewer than fill a vector.
    #[inline(always)]
    fn rest<S: Simd>(&mut self, simd: S, j: usize) {
        let to = &mut self.sums[j..];
        let mask = T::first(simd, to.len());
        // SAFETY: `sums` has the values from `j` on, as has every row.
        unsafe {
            let mut sum = match self.store {
                Store::Replace => T::splat(simd, T::zero()),
                Store::Add => T::load_masked(simd, mask, to.as_ptr()),
            };
            for row in self.m.iter_rows() {
                let row = &row[j..];
                sum = <T as Lanes>::add(simd, sum, T::load_masked(simd, mask, row.as_ptr()));
            }
            if let Some(eta) = self.eta {
                let from = T::load_masked(simd, mask, to.as_ptr());
                sum = T::sub_mul(simd, from, T::splat(simd, eta), sum);
            }
            let sum = std::slice::from_raw_parts((&raw const sum).cast(), to.len());
            to.copy_from_slice(sum);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Matrix;

    /// With vectors of one number, which Miri can watch, and the processor's own.
    #[test]
    fn every_sum_is_taken_in_order_and_stored_or_subtracted() {
        for (rows, cols) in [(0, 3), (3, 1), (5, 17), (9, 40), (2, 75)] {
            let m = Matrix::from_fn(rows, cols, |i, j| 1.0 / (i * 7 + j + 1) as f32);
            for store in [Store::Replace, Store::Add] {
                let start = if store == Store::Add { 0.3 } else { 0.0 };
                let expected: Vec<f32> =
                    (0..cols).map(|j| (0..rows).fold(start, |sum, i| sum + m[(i, j)])).collect();
                let mut sums = vec![0.3; cols];
                column_sums(m.view(), &mut sums, store);
                assert_eq!(sums, expected);
                sums.fill(0.3);
                let scalar = ColumnSums { m: m.view(), sums: &mut sums, store, eta: None };
                scalar.with_simd(pulp::Scalar::new());
                assert_eq!(sums, expected);
            }
            let mut expected = vec![0.0; cols];
            column_sums(m.view(), &mut expected, Store::Replace);
            expected.iter_mut().for_each(|sum| *sum = 0.3 - 0.7 * *sum);
            let mut v = vec![0.3; cols];
            sub_column_sums(0.7, m.view(), &mut v);
            assert_eq!(v, expected);
            v.fill(0.3);
            let (sums, store) = (v.as_mut_slice(), Store::Replace);
            let scalar = ColumnSums { m: m.view(), sums, store, eta: Some(0.7) };
            scalar.with_simd(pulp::Scalar::new());
            assert_eq!(v, expected);
        }
    }
}
