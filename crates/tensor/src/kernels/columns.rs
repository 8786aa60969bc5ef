//! Sums down the columns, in vectors of neighbouring columns.

use pulp::{Simd, WithSimd};

use crate::product::{Begin, Lanes, Store};
use crate::sections::Sections;
use crate::simd::arch;
use crate::{MatrixView, MatrixViewMut, Scalar, Threads};

/// The sum of the rows of `m`: one value a column, `(1ᵀ M)_j = Σ_i M_ij`, that of the even `i` and that
/// of the odd ones, each in their order. Of few columns of more than
/// [`MAX_WHOLE`](crate::product::MAX_WHOLE) rows it is the sum of those of sections, in their order.
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
    share(m, sums, store, None, threads);
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
    share(m, v, Store::Replace, Some(eta), threads);
}

/// Columns that a thread must have at least.
const MIN_COLS: usize = 16;

/// Gives each thread some of the columns or, if they are few and long, sections of them.
fn share<S: Scalar>(
    m: MatrixView<'_, S>,
    sums: &mut [S],
    store: Store,
    eta: Option<S>,
    threads: &Threads,
) {
    let (rows, cols) = (m.rows(), m.cols());
    if let Some(sections) = Sections::of(cols, rows, cols / MIN_COLS) {
        let begin = eta.map_or(store.into(), Begin::Subtract);
        let members = threads.parts(rows * cols);
        return sections.sum(sums, begin, (threads, members), |rows, sums| {
            let m = m.rows_range(rows);
            arch().dispatch(ColumnSums { m, first: 0, sums, store: Store::Replace, eta: None });
        });
    }
    let parts = threads.parts(rows * cols).min(cols / MIN_COLS);
    if parts <= 1 {
        return arch().dispatch(ColumnSums { m, first: 0, sums, store, eta });
    }
    let column = MatrixViewMut::new(sums, cols, 1).expect("a column of sums");
    threads.split_rows(column, parts, |first, sums| {
        arch().dispatch(ColumnSums { m, first, sums: sums.into_slice(), store, eta });
    });
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
                let (pairs, last) = self.pairs();
                for [even, odd] in pairs {
                    add::<T, S, N>(simd, &mut sums[0], &even[from..from + N * lanes]);
                    add::<T, S, N>(simd, &mut sums[1], &odd[from..from + N * lanes]);
                }
                if let Some(last) = last {
                    add::<T, S, N>(simd, &mut sums[0], &last[from..from + N * lanes]);
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
        // SAFETY: `sums` has `count` values from `j` on, and every row those `first` further on; a vector
        // holds more.
        unsafe {
            let old = T::load_masked(simd, mask, self.sums[j..].as_ptr());
            let zero = T::splat(simd, T::zero());
            let mut sums = [if self.store == Store::Add { old } else { zero }, zero];
            let from = self.first + j;
            let (pairs, last) = self.pairs();
            for [even, odd] in pairs {
                add_few::<T, S>(simd, &mut sums[0], mask, &even[from..from + count]);
                add_few::<T, S>(simd, &mut sums[1], mask, &odd[from..from + count]);
            }
            if let Some(last) = last {
                add_few::<T, S>(simd, &mut sums[0], mask, &last[from..from + count]);
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

/// Adds `N` vectors of a row.
///
/// # Safety
/// `row` must fill them.
#[inline(always)]
unsafe fn add<T: Lanes, S: Simd, const N: usize>(simd: S, sums: &mut [T::Vector<S>; N], row: &[T]) {
    for (v, sum) in sums.iter_mut().enumerate() {
        // SAFETY: as promised by the caller.
        let x = unsafe { T::load::<S>(row.as_ptr().add(v * T::lanes::<S>())) };
        *sum = <T as Lanes>::add(simd, *sum, x);
    }
}

/// Adds a row that does not fill a vector.
///
/// # Safety
/// `row` must have the numbers of the mask's lanes.
#[inline(always)]
unsafe fn add_few<T: Lanes, S: Simd>(simd: S, sum: &mut T::Vector<S>, mask: T::Mask<S>, row: &[T]) {
    // SAFETY: as promised by the caller.
    *sum = <T as Lanes>::add(simd, *sum, unsafe { T::load_masked(simd, mask, row.as_ptr()) });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Matrix;

    /// With vectors of one number, which Miri can watch, and the processor's own.
    #[test]
    fn sums_of_even_and_odd_rows_are_added_and_stored_or_subtracted() {
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
    fn threads_share_columns_or_rows_without_changing_a_bit() {
        fn check<S: Scalar>((rows, cols): (usize, usize)) {
            let m = Matrix::from_fn(rows, cols, |i, j| S::of(1.0 / (i * 7 + j + 1) as f64));
            let all = |threads: &Threads| {
                let mut sums = [vec![S::nan(); cols], vec![S::of(0.3); cols], vec![S::one(); cols]];
                column_sums(m.view(), &mut sums[0], Store::Replace, threads);
                column_sums(m.view(), &mut sums[1], Store::Add, threads);
                sub_column_sums(S::of(0.7), m.view(), &mut sums[2], threads);
                sums
            };
            let expected = all(&Threads::one());
            for threads in [2, 3, 4].map(|count| Threads::new(count).unwrap()) {
                assert!(threads.parts(rows * cols) > 1);
                assert!(cols / MIN_COLS > 1 || Sections::of(cols, rows, 0).is_some());
                assert_eq!(all(&threads), expected, "{threads:?}");
            }
        }
        let shapes = [(9, 40), (1_000, 53), (3_001, 53), (20_001, 3)];
        // Miri takes minutes for the larger ones, which are too small to be shared elsewhere.
        for shape in if cfg!(miri) { &shapes[..1] } else { &shapes[1..] } {
            check::<f32>(*shape);
            check::<f64>(*shape);
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "takes minutes")]
    fn sums_of_many_rows_are_right() {
        for (rows, cols) in [(1_025, 1), (5_000, 4), (2_000, 40), (2_000, 0)] {
            // Sums of small integers are exact in any order.
            let m = Matrix::from_fn(rows, cols, |i, j| ((i * 3 + j) % 5) as f32 - 2.0);
            let sum = |j| (0..rows).map(|i| m[(i, j)]).sum::<f32>();
            let expected: Vec<f32> = (0..cols).map(sum).collect();
            let mut found = vec![1.0; cols];
            column_sums(m.view(), &mut found, Store::Add, &Threads::one());
            assert!(found.iter().zip(&expected).all(|(found, sum)| *found == 1.0 + sum));
            column_sums(m.view(), &mut found, Store::Replace, &Threads::one());
            assert_eq!(found, expected);
            sub_column_sums(2.0, m.view(), &mut found, &Threads::one());
            assert!(found.iter().zip(&expected).all(|(found, sum)| *found == -sum));
        }
    }
}
