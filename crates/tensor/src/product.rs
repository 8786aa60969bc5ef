//! Matrix products in the three forms a training step needs.
//!
//! | form | function | in a step |
//! | --- | --- | --- |
//! | `C = A Bᵀ` | [`mul_nt`], [`affine`] | forward: `A_i = H_{i-1} W_iᵀ + 1 b_iᵀ` |
//! | `C = A B` | [`mul_nn`] | hidden units: `∇_{H_{i-1}} L = ∇_{A_i} L · W_i` |
//! | `C = Aᵀ B` | [`mul_tn`] | weights: `∇_{W_i} L = (∇_{A_i} L)ᵀ H_{i-1}` |
//!
//! Where the processor has fused multiply-adds on vectors (AVX2, AVX-512, NEON), every element of
//! a product of more than a few rows is one chain of them over `k`, in that order; `A Bᵀ` of one to
//! three rows takes interleaved parts of the sum instead. Threads share a product by parts of its
//! output, so no sum is split and the bits do not depend on the number of threads. (Another
//! instruction set may round differently.) Elsewhere faer multiplies.

mod blocks;
mod fallback;
mod lanes;
mod pack;
mod scratch;
mod tile;
mod vector;

use pulp::Arch;
#[cfg(test)]
use pulp::WithSimd;

use crate::simd::arch;
use crate::{MatrixView, MatrixViewMut, Scalar, Threads};
use blocks::Part;
use fallback::Gemm;
#[doc(hidden)]
pub use lanes::Lanes;

/// What a product does to its destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Store {
    /// Overwrite it.
    Replace,
    /// Add to it.
    Add,
}

/// What a product starts from.
#[doc(hidden)]
#[derive(Debug, Clone, Copy)]
pub enum Begin<'a, S> {
    /// 0.
    Zero,
    /// What stands in the destination.
    Destination,
    /// This row, in every row.
    Row(&'a [S]),
}

impl<S> From<Store> for Begin<'_, S> {
    fn from(store: Store) -> Self {
        match store {
            Store::Replace => Self::Zero,
            Store::Add => Self::Destination,
        }
    }
}

/// A row-major (rows × cols) matrix or the transpose of one, without copying.
#[derive(Debug, Clone, Copy)]
pub struct Operand<'a, S> {
    data: &'a [S],
    rows: usize,
    cols: usize,
    transposed: bool,
}

impl<'a, S: Scalar> Operand<'a, S> {
    fn plain(m: MatrixView<'a, S>) -> Self {
        Self { data: m.as_slice(), rows: m.rows(), cols: m.cols(), transposed: false }
    }

    fn transposed(m: MatrixView<'a, S>) -> Self {
        Self { transposed: true, ..Self::plain(m) }
    }

    /// The inner dimension, of a left factor.
    fn inner(&self) -> usize {
        if self.transposed { self.rows } else { self.cols }
    }
}

/// Multiplications below which a product is not worth a second thread.
const MIN_WORK_PER_THREAD: usize = 1 << 18;
/// A part of a product has at least as many rows or columns.
const MIN_BLOCK: usize = 16;
/// Rows of a block of faer's.
const FAER_BLOCK: usize = 64;

/// Into how many blocks of rows faer's (m × n) product over `k` is cut, for any number of threads:
/// faer fits the cut of the inner dimension to the shape, so the blocks follow from it alone.
fn parts((m, n, k): (usize, usize, usize)) -> usize {
    let work = m.saturating_mul(n).saturating_mul(k);
    let worthwhile = (work / MIN_WORK_PER_THREAD).min(m / MIN_BLOCK);
    if n < MIN_BLOCK || worthwhile < 2 { 1 } else { m.div_ceil(FAER_BLOCK).min(worthwhile) }
}

/// The product by tiles; each thread takes a range of its columns or, if there are fewer, rows.
fn multiply_tiled<S: Scalar>(
    arch: Arch,
    a: Operand<'_, S>,
    b: Operand<'_, S>,
    mut c: MatrixViewMut<'_, S>,
    begin: Begin<'_, S>,
    threads: &Threads,
) {
    let (m, n, k) = (c.rows(), c.cols(), a.inner());
    let work = m.saturating_mul(n).saturating_mul(k);
    let parts = (work / MIN_WORK_PER_THREAD).min(m.max(n) / MIN_BLOCK).clamp(1, threads.count());
    let whole = Part::new(a, b, c.as_mut_slice(), n, begin);
    if parts == 1 {
        return arch.dispatch(whole);
    }
    let whole = Shared(whole);
    threads.for_each(parts, |part| {
        let Shared(whole) = &whole;
        // Whole vectors of columns.
        let cut = |at: usize, count: usize, unit: usize| {
            (at * count.div_ceil(unit) / parts * unit).min(count)
        };
        let (rows, cols) = if n >= m {
            (0..m, cut(part, n, MIN_BLOCK)..cut(part + 1, n, MIN_BLOCK))
        } else {
            (cut(part, m, 1)..cut(part + 1, m, 1), 0..n)
        };
        arch.dispatch(whole.within(rows, cols));
    });
}

/// A product that the members of a team share.
struct Shared<S>(Part<S>);

// SAFETY: the operands are only read, and each member writes to rows or columns of its own.
unsafe impl<S: Scalar> Sync for Shared<S> {}

/// The products of one element type, compiled in this crate for both; use [`mul_nt`], [`mul_nn`] and
/// [`mul_tn`].
#[doc(hidden)]
pub trait Product: Sized {
    /// `C = begin + A B`.
    fn multiply(
        a: Operand<'_, Self>,
        b: Operand<'_, Self>,
        c: MatrixViewMut<'_, Self>,
        begin: Begin<'_, Self>,
        threads: &Threads,
    );
}

macro_rules! product {
    ($float:ty) => {
        impl Product for $float {
            fn multiply(
                a: Operand<'_, Self>,
                b: Operand<'_, Self>,
                c: MatrixViewMut<'_, Self>,
                begin: Begin<'_, Self>,
                threads: &Threads,
            ) {
                multiply(a, b, c, begin, threads);
            }
        }
    };
}

product!(f32);
product!(f64);

fn multiply<S: Scalar + Gemm>(
    a: Operand<'_, S>,
    b: Operand<'_, S>,
    mut c: MatrixViewMut<'_, S>,
    begin: Begin<'_, S>,
    threads: &Threads,
) {
    let (m, n, k) = (c.rows(), c.cols(), a.inner());
    if m == 0 || n == 0 {
        return;
    }
    match arch() {
        Arch::Scalar => {}
        arch => return multiply_tiled(arch, a, b, c, begin, threads),
    }
    let parts = parts((m, n, k));
    if parts < 2 {
        S::gemm_rows(a, b, 0, c.as_mut_slice(), begin);
    } else {
        threads.split_rows(c, parts, |first, mut c| {
            S::gemm_rows(a, b, first, c.as_mut_slice(), begin);
        });
    }
}

fn check(form: &str, a: (usize, usize), b: (usize, usize), c: (usize, usize)) {
    assert!(
        a.1 == b.0 && c == (a.0, b.1),
        "{form}: a {}×{} product of {}×{} and {}×{} factors",
        c.0,
        c.1,
        a.0,
        a.1,
        b.0,
        b.1
    );
}

/// `C = A Bᵀ` or `C += A Bᵀ`: `a` (m × k), `b` (n × k), `c` (m × n).
///
/// # Panics
/// If the shapes do not fit.
///
/// ```
/// use chainrule_tensor::{Matrix, Threads, mul_nt, product::Store};
/// let (x, w) = (Matrix::from_rows(&[[1.0, 2.0]]), Matrix::from_rows(&[[3.0, 4.0], [5.0, 6.0]]));
/// let mut a = Matrix::zeros(1, 2);
/// mul_nt(x.view(), w.view(), a.view_mut(), Store::Replace, &Threads::one());
/// assert_eq!(a.as_slice(), [11.0, 17.0]);
/// ```
pub fn mul_nt<S: Scalar>(
    a: MatrixView<'_, S>,
    b: MatrixView<'_, S>,
    c: MatrixViewMut<'_, S>,
    store: Store,
    threads: &Threads,
) {
    check("A Bᵀ", (a.rows(), a.cols()), (b.cols(), b.rows()), (c.rows(), c.cols()));
    S::multiply(Operand::plain(a), Operand::transposed(b), c, store.into(), threads);
}

/// `C = A Bᵀ + 1 vᵀ`, a row `v` added to every row: `a` (m × k), `b` (n × k), `v` (n), `c` (m × n).
/// The pre-activations of a layer, `A = X Wᵀ + 1 bᵀ`.
///
/// # Panics
/// If the shapes do not fit.
///
/// ```
/// use chainrule_tensor::{Matrix, Threads, affine};
/// let (x, w) = (Matrix::from_rows(&[[1.0, 2.0]]), Matrix::from_rows(&[[3.0, 4.0], [5.0, 6.0]]));
/// let mut a = Matrix::zeros(1, 2);
/// affine(x.view(), w.view(), &[0.5, 0.0], a.view_mut(), &Threads::one());
/// assert_eq!(a.as_slice(), [11.5, 17.0]);
/// ```
pub fn affine<S: Scalar>(
    a: MatrixView<'_, S>,
    b: MatrixView<'_, S>,
    v: &[S],
    c: MatrixViewMut<'_, S>,
    threads: &Threads,
) {
    check("A Bᵀ + 1 vᵀ", (a.rows(), a.cols()), (b.cols(), b.rows()), (c.rows(), c.cols()));
    assert_eq!(v.len(), c.cols(), "A Bᵀ + 1 vᵀ: one value of v a column");
    S::multiply(Operand::plain(a), Operand::transposed(b), c, Begin::Row(v), threads);
}

/// `C = A B` or `C += A B`: `a` (m × k), `b` (k × n), `c` (m × n).
///
/// # Panics
/// If the shapes do not fit.
pub fn mul_nn<S: Scalar>(
    a: MatrixView<'_, S>,
    b: MatrixView<'_, S>,
    c: MatrixViewMut<'_, S>,
    store: Store,
    threads: &Threads,
) {
    check("A B", (a.rows(), a.cols()), (b.rows(), b.cols()), (c.rows(), c.cols()));
    S::multiply(Operand::plain(a), Operand::plain(b), c, store.into(), threads);
}

/// `C = Aᵀ B` or `C += Aᵀ B`: `a` (k × m), `b` (k × n), `c` (m × n).
///
/// # Panics
/// If the shapes do not fit.
pub fn mul_tn<S: Scalar>(
    a: MatrixView<'_, S>,
    b: MatrixView<'_, S>,
    c: MatrixViewMut<'_, S>,
    store: Store,
    threads: &Threads,
) {
    check("Aᵀ B", (a.cols(), a.rows()), (b.rows(), b.cols()), (c.rows(), c.cols()));
    S::multiply(Operand::transposed(a), Operand::plain(b), c, store.into(), threads);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Matrix;

    #[test]
    fn faers_blocks_are_worth_their_while() {
        for shape in [(8, 16, 16), (128, 15, 4096), (31, 4096, 4096)] {
            assert_eq!(parts(shape), 1, "{shape:?}");
        }
        assert_eq!(parts((512, 1024, 2048)), 8);
    }

    /// Values of about one, with a rounding error in nearly every product.
    fn values<S: Scalar>(rows: usize, cols: usize) -> Matrix<S> {
        Matrix::from_fn(rows, cols, |i, j| S::of(((i * 31 + j * 17) % 23) as f64 / 7.0 - 1.5))
    }

    fn operand<S: Scalar>(m: &Matrix<S>, transposed: bool) -> Operand<'_, S> {
        if transposed { Operand::transposed(m.view()) } else { Operand::plain(m.view()) }
    }

    /// The tiles with vectors of one number, which Miri can watch, against a plain chain; and with
    /// the processor's own vectors.
    fn one_chain_an_element<S: Scalar>() {
        let shapes = [
            (1, 1, 1),
            (4, 3, 0),
            (5, 1, 9),
            (7, 20, 5),
            (25, 9, 17),
            (4, 40, 3),
            (40, 2, 11),
            (13, 4, 9),
            (8, 5, 4),
        ];
        let large = [(200, 70, 600), (33, 2100, 40)];
        let all = shapes.into_iter().chain(large);
        // Miri takes minutes for the larger ones.
        for (m, n, k) in all.filter(|(m, n, k)| !cfg!(miri) || m * n * k < 200) {
            for (ta, tb) in [(false, true), (false, false), (true, false), (true, true)] {
                let a = if ta { values::<S>(k, m) } else { values(m, k) };
                let b = if tb { values::<S>(n, k) } else { values(k, n) };
                let row = values::<S>(1, n);
                for begin in [Begin::Zero, Begin::Destination, Begin::Row(row.as_slice())] {
                    let chain = |i, j| {
                        let a = |p| if ta { a[(p, i)] } else { a[(i, p)] };
                        let b = |p| if tb { b[(j, p)] } else { b[(p, j)] };
                        let start = match begin {
                            Begin::Zero => S::zero(),
                            Begin::Destination => S::one(),
                            Begin::Row(row) => row[j],
                        };
                        (0..k).fold(start, |sum, p| a(p).mul_add(b(p), sum))
                    };
                    let product = |run: &dyn Fn(Part<S>)| {
                        let mut c = Matrix::from_fn(m, n, |_, _| S::one());
                        let (a, b) = (operand(&a, ta), operand(&b, tb));
                        run(Part::new(a, b, c.as_mut_slice(), n, begin));
                        c
                    };
                    let scalar = product(&|part| part.with_simd(pulp::Scalar::new()));
                    let place = format!("{m}×{n}×{k} {ta} {tb} {begin:?} {}", S::NAME);
                    if m >= vector::FEW_ROWS || ta || !tb {
                        assert_eq!(scalar, Matrix::from_fn(m, n, chain), "{place}");
                        if let arch @ (Arch::V3(_) | Arch::V4(_)) = Arch::new() {
                            assert_eq!(product(&|part| arch.dispatch(part)), scalar, "{place}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn every_element_is_one_chain_of_fused_operations() {
        one_chain_an_element::<f32>();
        one_chain_an_element::<f64>();
    }
}
