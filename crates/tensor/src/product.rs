//! Matrix products in the three forms a training step needs.
//!
//! | form | function | in a step |
//! | --- | --- | --- |
//! | `C = A Bᵀ` | [`mul_nt`] | forward: `A_i = H_{i-1} W_iᵀ` |
//! | `C = A B` | [`mul_nn`] | hidden units: `∇_{H_{i-1}} L = ∇_{A_i} L · W_i` |
//! | `C = Aᵀ B` | [`mul_tn`] | weights: `∇_{W_i} L = (∇_{A_i} L)ᵀ H_{i-1}` |
//!
//! faer multiplies, on one thread at a time; threads share a product by blocks of its rows, so
//! that no sum is split and the bits do not depend on the number of threads. (Another instruction
//! set may round differently.)

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};

use crate::{MatrixView, MatrixViewMut, Scalar, Threads};

/// What a product does to its destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Store {
    /// Overwrite it.
    Replace,
    /// Add to it.
    Add,
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
}

/// The product of one element type; use [`mul_nt`], [`mul_nn`] and [`mul_tn`].
pub trait Gemm: Sized {
    /// Rows `first..first + c.rows()` of `A B` into `c`, on the calling thread.
    fn gemm_rows(
        a: Operand<'_, Self>,
        b: Operand<'_, Self>,
        first: usize,
        c: &mut [Self],
        store: Store,
    );
}

macro_rules! gemm {
    ($float:ty) => {
        impl Gemm for $float {
            fn gemm_rows(
                a: Operand<'_, Self>,
                b: Operand<'_, Self>,
                first: usize,
                c: &mut [Self],
                store: Store,
            ) {
                fn view<'a>(m: Operand<'a, $float>) -> MatRef<'a, $float> {
                    let view = MatRef::from_row_major_slice(m.data, m.rows, m.cols);
                    if m.transposed { view.transpose() } else { view }
                }
                let b = view(b);
                let rows = c.len() / b.ncols();
                let c = MatMut::from_row_major_slice_mut(c, rows, b.ncols());
                let accum = match store {
                    Store::Replace => Accum::Replace,
                    Store::Add => Accum::Add,
                };
                matmul(c, accum, view(a).subrows(first, rows), b, 1.0, Par::Seq);
            }
        }
    };
}

gemm!(f32);
gemm!(f64);

/// Multiplications below which a product is not worth a second thread.
const MIN_WORK_PER_THREAD: usize = 1 << 18;
/// Fewer rows than this in a block, or columns in the product, and faer takes another kernel,
/// which may round differently.
const MIN_BLOCK: usize = 16;

/// Rows of a block where blocks must be cut by shape alone.
const FIXED_BLOCK: usize = 64;

/// Whether faer cuts the inner dimension of every product at the same places: its kernels for AVX2
/// with FMA and for AVX-512 do, its portable ones fit the cut to the product's shape.
fn inner_cut_is_fixed() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::is_x86_feature_detected as has;
        has!("avx512f") || (has!("avx2") && has!("fma"))
    }
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// Into how many blocks of rows an (m × n) product over `k` is cut. With a fixed inner cut any
/// number gives the same bits, so it is what suits the threads; else it follows from the shape
/// alone, on one thread too.
fn parts((m, n, k): (usize, usize, usize), threads: usize, inner_cut_is_fixed: bool) -> usize {
    let work = m.saturating_mul(n).saturating_mul(k);
    let worthwhile = (work / MIN_WORK_PER_THREAD).min(m / MIN_BLOCK);
    if n < MIN_BLOCK || worthwhile < 2 {
        1
    } else if inner_cut_is_fixed {
        threads.min(worthwhile)
    } else {
        m.div_ceil(FIXED_BLOCK).min(worthwhile)
    }
}

fn multiply<S: Scalar>(
    a: Operand<'_, S>,
    b: Operand<'_, S>,
    mut c: MatrixViewMut<'_, S>,
    store: Store,
    threads: &Threads,
) {
    let (m, n) = (c.rows(), c.cols());
    let k = if a.transposed { a.rows } else { a.cols };
    if m == 0 || n == 0 {
        return;
    }
    let parts = parts((m, n, k), threads.count(), inner_cut_is_fixed());
    if parts < 2 {
        S::gemm_rows(a, b, 0, c.as_mut_slice(), store);
    } else {
        threads.split_rows(c, parts, |first, mut c| {
            S::gemm_rows(a, b, first, c.as_mut_slice(), store);
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
    multiply(Operand::plain(a), Operand::transposed(b), c, store, threads);
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
    multiply(Operand::plain(a), Operand::plain(b), c, store, threads);
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
    multiply(Operand::transposed(a), Operand::plain(b), c, store, threads);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_fixed_inner_cut_the_blocks_follow_from_the_shape() {
        for shape in [(1, 512, 512), (128, 784, 512), (512, 1024, 2048), (100, 10, 4096)] {
            let cut = |threads| parts(shape, threads, false);
            assert!((1..=16).all(|threads| cut(threads) == cut(1)), "{shape:?}");
        }
        assert_eq!(parts((512, 1024, 2048), 1, false), 8);
    }

    #[test]
    fn small_and_thin_products_stay_whole() {
        for shape in [(8, 16, 16), (128, 15, 4096), (31, 4096, 4096)] {
            assert_eq!((parts(shape, 4, true), parts(shape, 4, false)), (1, 1), "{shape:?}");
        }
        assert_eq!(parts((128, 784, 512), 4, true), 4);
    }
}
