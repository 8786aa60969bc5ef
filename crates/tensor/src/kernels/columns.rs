//! Sums down the columns, in vectors of neighbouring columns.

use pulp::{Simd, WithSimd};

use crate::product::{Lanes, Store};
use crate::simd::arch;
use crate::{MatrixView, MatrixViewMut, Scalar, Threads};

/// The sum of the rows of `m`: one value a column, `(1ᵀ M)_j = Σ_i M_ij`, that of the even `i` and that
/// of the odd ones, each in their order.
///
/// # Panics
/// If `sums` does not have one place a column.
pub fn column_sums<S: Scalar>(
    m: MatrixView<'_, S>,
    sums: &mut [S],
    store: Store,
    threads: &Threads,
) {
    assert_eq!(m.cols(), sums.len(), "column_sums: one place a column");
    each_strip(m, sums, threads, |m, first, sums| {
        arch().dispatch(ColumnSums { m, first, sums, store, eta: None });
    });
}

/// `v ← v − η · (1ᵀ M)ᵀ`: subtracts a multiple of the [`column_sums`] from `v`, with the bits of sums that
/// are stored, multiplied and subtracted. With the learning rate η a step of gradient descent, `b ← b − η ∇_b L`.
///
/// # Panics
/// If `v` does not have one value a column.
///
/// ```
/// use chainrule_tensor::{Matrix, Threads, kernels::sub_column_sums};
/// let mut b = [1.0, 1.0];
/// let m = Matrix::from_rows(&[[2.0, 0.0], [4.0, 1.0]]);
/// sub_column_sums(0.5, m.view(), &mut b, &Threads::one());
/// assert_eq!(b, [-2.0, 0.5]);
/// ```
pub fn sub_column_sums<S: Scalar>(eta: S, m: MatrixView<'_, S>, v: &mut [S], threads: &Threads) {
    assert_eq!(m.cols(), v.len(), "sub_column_sums: one value a column");
    each_strip(m, v, threads, |m, first, sums| {
        arch().dispatch(ColumnSums { m, first, sums, store: Store::Replace, eta: Some(eta) });
    });
}

/// Columns that a thread must have at least: a cache line of them.
const MIN_COLS: usize = 16;

/// Runs `task(m, first, part)` on the parts of `sums`, the first of which is that of the column `first`.
fn each_strip<S: Scalar>(
    m: MatrixView<'_, S>,
    sums: &mut [S],
    threads: &Threads,
    task: impl Fn(MatrixView<'_, S>, usize, &mut [S]) + Sync,
) {
    let parts = threads.parts(m.rows() * m.cols()).min(m.cols() / MIN_COLS);
    if parts <= 1 {
        return task(m, 0, sums);
    }
    let column = MatrixViewMut::new(sums, m.cols(), 1).expect("a column of sums");
    threads.split_rows(column, parts, |first, part| task(m, first, part.into_slice()));
}

/// The sums of as many columns as there is room for, from `first` on.
struct ColumnSums<'a, T> {
    m: MatrixView<'a, T>,
    first: usize,
    sums: &'a mut [T],
    store: Store,
    /// If there is one, the sums are not stored, but this multiple of them subtracted.
    eta: Option<T>,
}

impl<T: Scalar> WithSimd for ColumnSums<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let mut j = self.vectors::<S, 4>(simd, 0);
        j = self.vectors::<S, 2>(simd, j);
        j = self.vectors::<S, 1>(simd, j);
        if j < self.sums.len() {
            self.rest(simd, j);
        }
    }
}

impl<T: Scalar> ColumnSums<'_, T> {
    /// The places from `j` on that fill `N` vectors, as often as they do; returns the next one.
    #[inline(always)]
    fn vectors<S: Simd, const N: usize>(&mut self, simd: S, mut j: usize) -> usize {
        let lanes = T::lanes::<S>();
        while j + N * lanes <= self.sums.len() {
            let mut sums = [[T::splat(simd, T::zero()); N]; 2];
            let to = self.sums[j..j + N * lanes].as_mut_ptr();
            // SAFETY: `sums` has the values `j..j + N * lanes`, and every row those `first` further on.
            unsafe {
                if self.store == Store::Add {
                    for (v, sum) in sums[0].iter_mut().enumerate() {
                        *sum = T::load::<S>(to.add(v * lanes));
                    }
                }
                let from = self.first + j;
                let add = |row: &[T], sums: &mut [T::Vector<S>; N]| {
                    let row = row[from..from + N * lanes].as_ptr();
                    for (v, sum) in sums.iter_mut().enumerate() {
                        *sum = <T as Lanes>::add(simd, *sum, T::load::<S>(row.add(v * lanes)));
                    }
                };
                let (pairs, last) = self.pairs();
                for [even, odd] in pairs {
                    add(even, &mut sums[0]);
                    add(odd, &mut sums[1]);
                }
                if let Some(last) = last {
                    add(last, &mut sums[0]);
                }
                for v in 0..N {
                    let sum = <T as Lanes>::add(simd, sums[0][v], sums[1][v]);
                    let to = to.add(v * lanes);
                    T::store::<S>(to, self.result(simd, sum, T::load::<S>(to)));
                }
            }
            j += N * lanes;
        }
        j
    }

    /// The places from `j` on, fewer than fill a vector.
    #[inline(always)]
    fn rest<S: Simd>(&mut self, simd: S, j: usize) {
        let count = self.sums.len() - j;
        let mask = T::first(simd, count);
        // SAFETY: `sums` has the values from `j` on, and every row those `first` further on.
        unsafe {
            let old = T::load_masked(simd, mask, self.sums[j..].as_ptr());
            let zero = T::splat(simd, T::zero());
            let mut sums = [if self.store == Store::Add { old } else { zero }, zero];
            let from = self.first + j;
            let add = |row: &[T], sum: &mut T::Vector<S>| {
                let row = &row[from..from + count];
                *sum = <T as Lanes>::add(simd, *sum, T::load_masked(simd, mask, row.as_ptr()));
            };
            let (pairs, last) = self.pairs();
            for [even, odd] in pairs {
                add(even, &mut sums[0]);
                add(odd, &mut sums[1]);
            }
            if let Some(last) = last {
                add(last, &mut sums[0]);
            }
            let sum = self.result(simd, <T as Lanes>::add(simd, sums[0], sums[1]), old);
            let sum = std::slice::from_raw_parts((&raw const sum).cast(), count);
            self.sums[j..].copy_from_slice(sum);
        }
    }

    /// The rows by twos, which do not wait for each other's sums, and a last one.
    #[inline(always)]
    fn pairs(&self) -> (impl Iterator<Item = [&[T]; 2]>, Option<&[T]>) {
        let cols = self.m.cols();
        let pairs = self.m.as_slice().chunks_exact(2 * cols);
        let last = (self.m.rows() % 2 == 1).then_some(pairs.remainder());
        (pairs.map(move |pair| pair.split_at(cols).into()), last)
    }

    /// What is stored where `old` was.
    #[inline(always)]
    fn result<S: Simd>(&self, simd: S, sum: T::Vector<S>, old: T::Vector<S>) -> T::Vector<S> {
        match self.eta {
            Some(eta) => T::sub_mul(simd, old, T::splat(simd, eta), sum),
            None => sum,
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
        let one = Threads::one();
        for (rows, cols) in [(0, 3), (3, 1), (5, 17), (9, 40), (2, 75)] {
            let m = Matrix::from_fn(rows, cols, |i, j| 1.0 / (i * 7 + j + 1) as f32);
            for store in [Store::Replace, Store::Add] {
                let start = if store == Store::Add { 0.3 } else { 0.0 };
                let sum = |j, start, first| {
                    (first..rows).step_by(2).fold(start, |sum, i| sum + m[(i, j)])
                };
                let expected: Vec<f32> =
                    (0..cols).map(|j| sum(j, start, 0) + sum(j, 0.0, 1)).collect();
                let mut sums = vec![0.3; cols];
                column_sums(m.view(), &mut sums, store, &one);
                assert_eq!(sums, expected);
                sums.fill(0.3);
                let scalar =
                    ColumnSums { m: m.view(), first: 0, sums: &mut sums, store, eta: None };
                scalar.with_simd(pulp::Scalar::new());
                assert_eq!(sums, expected);
            }
            let mut expected = vec![0.0; cols];
            column_sums(m.view(), &mut expected, Store::Replace, &one);
            expected.iter_mut().for_each(|sum| *sum = 0.3 - 0.7 * *sum);
            let mut v = vec![0.3; cols];
            sub_column_sums(0.7, m.view(), &mut v, &one);
            assert_eq!(v, expected);
            v.fill(0.3);
            let (sums, store) = (v.as_mut_slice(), Store::Replace);
            let scalar = ColumnSums { m: m.view(), first: 0, sums, store, eta: Some(0.7) };
            scalar.with_simd(pulp::Scalar::new());
            assert_eq!(v, expected);
        }
    }
    #[test]
    fn threads_share_the_columns_without_changing_a_bit() {
        let (rows, cols) = if cfg!(miri) { (9, 40) } else { (3_001, 53) };
        let m = Matrix::from_fn(rows, cols, |i, j| 1.0 / (i * 7 + j + 1) as f32);
        let (mut expected, mut v) = (vec![0.0; cols], vec![0.3; cols]);
        column_sums(m.view(), &mut expected, Store::Replace, &Threads::one());
        sub_column_sums(0.7, m.view(), &mut v, &Threads::one());
        for threads in [2, 3, 4].map(|count| Threads::new(count).unwrap()) {
            assert!(threads.parts(rows * cols) > 1);
            let (mut sums, mut u) = (vec![f32::NAN; cols], vec![0.3; cols]);
            column_sums(m.view(), &mut sums, Store::Replace, &threads);
            sub_column_sums(0.7, m.view(), &mut u, &threads);
            assert_eq!((&sums, &u), (&expected, &v), "{threads:?}");
        }
    }
}
