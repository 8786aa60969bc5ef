//! Matrix products in the three forms a training step needs.
//!
//! | form | function | in a step |
//! | --- | --- | --- |
//! | `C = A Bᵀ` | [`mul_nt`], [`affine`] | forward: `A_i = H_{i-1} W_iᵀ + 1 b_iᵀ` |
//! | `C = A B` | [`mul_nn`] | hidden units: `∇_{H_{i-1}} L = ∇_{A_i} L · W_i` |
//! | `C = Aᵀ B` | [`mul_tn`] | weights: `∇_{W_i} L = (∇_{A_i} L)ᵀ H_{i-1}` |
//! | `C ← C − η Aᵀ B` | [`sub_mul_tn`] | gradient descent: `W_i ← W_i − η ∇_{W_i} L` |
//!
//! Every element of a product of more than a few rows is one chain over `k`, in that order: of fused
//! multiply-adds where the processor has them on vectors (AVX2, AVX-512, NEON), elsewhere of products
//! and sums; `A Bᵀ` of one to four rows, and `A` times one column, take interleaved parts of the sum
//! instead. Of a small output, sums of more than [`MAX_WHOLE`] terms (but for such dot products) are cut into
//! sections, each a chain, which are then added in order. Threads share a product by parts of its output or by
//! those sections, which its shape alone decides, so the bits do not depend on the number of threads. (Another
//! instruction set may round differently.)
//!
//! With [`Precision::Bf16`] the factors of `f32` products are rounded to bf16 while they are packed.
//! Every element, or section of one, then is the chain over `k` of the rounded factors' products, by fused operations on
//! `f32` or, where the processor has them, by instructions that add two products at a time. With AMX 32
//! products at a time are summed first (those in even places, those in odd ones, and both), the chain of these
//! begins at 0, and after at most [`MAX_WHOLE`] terms, and in the end, it goes to what C starts from.

#[cfg(target_arch = "x86_64")]
mod amx;
mod arithmetic;
#[cfg(target_arch = "x86_64")]
mod avx;
mod blocks;
mod destination;
#[cfg(target_arch = "x86_64")]
mod dot;
mod lanes;
mod pack;
#[cfg(any(target_arch = "x86_64", test))]
mod pairs;
mod part;
mod rounded;
mod shape;
mod share;
#[cfg(test)]
mod tests;
mod tile;
#[cfg(any(target_arch = "x86_64", test))]
mod tile_registers;
mod vector;

use pulp::Arch;

use crate::simd::arch;
use crate::{Compute, MatrixView, MatrixViewMut, Precision, Scalar, Threads};
#[cfg(target_arch = "x86_64")]
use amx::Amx;
#[cfg(target_arch = "x86_64")]
use dot::Dot;
#[doc(hidden)]
pub use lanes::Lanes;
use part::RoundedPart;
use share::multiply_tiled;

/// What a product does to its destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Store {
    /// Overwrite it.
    Replace,
    /// Add to it.
    Add,
}

/// The longest sums that are never cut, and that [`sub_mul_tn`] subtracts as a whole.
pub const MAX_WHOLE: usize = 1024;

/// What a product starts from, or that it is subtracted.
#[doc(hidden)]
#[derive(Debug, Clone, Copy)]
pub enum Begin<'a, S> {
    /// 0.
    Zero,
    /// What stands in the destination.
    Destination,
    /// This row, in every row.
    Row(&'a [S]),
    /// 0, and this multiple of the sums is subtracted from the destination.
    Subtract(S),
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
}

/// The products of one element type, compiled in this crate for both; use [`mul_nt`], [`mul_nn`],
/// [`mul_tn`] and [`sub_mul_tn`].
#[doc(hidden)]
pub trait Product: Sized {
    /// `C = begin + A B`, or `C − η A B`.
    fn multiply(
        a: Operand<'_, Self>,
        b: Operand<'_, Self>,
        c: MatrixViewMut<'_, Self>,
        begin: Begin<'_, Self>,
        compute: &Compute,
    );
}

impl Product for f32 {
    fn multiply(
        a: Operand<'_, Self>,
        b: Operand<'_, Self>,
        c: MatrixViewMut<'_, Self>,
        begin: Begin<'_, Self>,
        compute: &Compute,
    ) {
        match compute.precision() {
            Precision::F32 => multiply(a, b, c, begin, compute.threads()),
            Precision::Bf16 => multiply_bf16(a, b, c, begin, compute.threads()),
        }
    }
}

impl Product for f64 {
    fn multiply(
        a: Operand<'_, Self>,
        b: Operand<'_, Self>,
        c: MatrixViewMut<'_, Self>,
        begin: Begin<'_, Self>,
        compute: &Compute,
    ) {
        multiply(a, b, c, begin, compute.threads());
    }
}

fn multiply<S: Scalar>(
    a: Operand<'_, S>,
    b: Operand<'_, S>,
    c: MatrixViewMut<'_, S>,
    begin: Begin<'_, S>,
    threads: &Threads,
) {
    let arch = arch();
    multiply_tiled(a, b, c, begin, threads, |part| part.fitting(arch).dispatch(part));
}

/// The product of operands rounded to bf16.
fn multiply_bf16(
    a: Operand<'_, f32>,
    b: Operand<'_, f32>,
    c: MatrixViewMut<'_, f32>,
    begin: Begin<'_, f32>,
    threads: &Threads,
) {
    match Bf16::here() {
        #[cfg(target_arch = "x86_64")]
        Bf16::Amx(amx) => multiply_tiled(a, b, c, begin, threads, |part| part.multiply_in(amx)),
        #[cfg(target_arch = "x86_64")]
        Bf16::Dot(dot) => multiply_tiled(a, b, c, begin, threads, |part| part.multiply(dot)),
        Bf16::Rounded(arch) => {
            multiply_tiled(a, b, c, begin, threads, |part| arch.dispatch(RoundedPart(part)));
        }
    }
}

/// What multiplies bf16.
enum Bf16 {
    #[cfg(target_arch = "x86_64")]
    Amx(Amx),
    #[cfg(target_arch = "x86_64")]
    Dot(Dot),
    /// Operations on `f32`.
    Rounded(Arch),
}

impl Bf16 {
    /// What is fastest where products are large.
    fn here() -> Self {
        let arch = arch();
        #[cfg(target_arch = "x86_64")]
        if let Some(amx) = Amx::under(arch) {
            return Self::Amx(amx);
        }
        #[cfg(target_arch = "x86_64")]
        if let Some(dot) = Dot::under(arch).filter(|dot| dot.pays()) {
            return Self::Dot(dot);
        }
        Self::Rounded(arch)
    }
}

/// The instructions on which products of bf16 run, if these are not those of `f32`.
pub(crate) fn bf16_instructions() -> Option<&'static str> {
    match Bf16::here() {
        #[cfg(target_arch = "x86_64")]
        Bf16::Amx(_) => Some("AMX"),
        #[cfg(target_arch = "x86_64")]
        Bf16::Dot(_) => Some("AVX512-BF16"),
        Bf16::Rounded(_) => None,
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
/// use chainrule_tensor::{Compute, Matrix, mul_nt, product::Store};
/// let (x, w) = (Matrix::from_rows(&[[1.0, 2.0]]), Matrix::from_rows(&[[3.0, 4.0], [5.0, 6.0]]));
/// let mut a = Matrix::zeros(1, 2);
/// mul_nt(x.view(), w.view(), a.view_mut(), Store::Replace, &Compute::one());
/// assert_eq!(a.as_slice(), [11.0, 17.0]);
/// ```
pub fn mul_nt<S: Scalar>(
    a: MatrixView<'_, S>,
    b: MatrixView<'_, S>,
    c: MatrixViewMut<'_, S>,
    store: Store,
    compute: &Compute,
) {
    check("A Bᵀ", (a.rows(), a.cols()), (b.cols(), b.rows()), (c.rows(), c.cols()));
    S::multiply(Operand::plain(a), Operand::transposed(b), c, store.into(), compute);
}

/// `C = A Bᵀ + 1 vᵀ`, a row `v` added to every row: `a` (m × k), `b` (n × k), `v` (n), `c` (m × n).
/// The pre-activations of a layer, `A = X Wᵀ + 1 bᵀ`.
///
/// # Panics
/// If the shapes do not fit.
///
/// ```
/// use chainrule_tensor::{Compute, Matrix, affine};
/// let (x, w) = (Matrix::from_rows(&[[1.0, 2.0]]), Matrix::from_rows(&[[3.0, 4.0], [5.0, 6.0]]));
/// let mut a = Matrix::zeros(1, 2);
/// affine(x.view(), w.view(), &[0.5, 0.0], a.view_mut(), &Compute::one());
/// assert_eq!(a.as_slice(), [11.5, 17.0]);
/// ```
pub fn affine<S: Scalar>(
    a: MatrixView<'_, S>,
    b: MatrixView<'_, S>,
    v: &[S],
    c: MatrixViewMut<'_, S>,
    compute: &Compute,
) {
    check("A Bᵀ + 1 vᵀ", (a.rows(), a.cols()), (b.cols(), b.rows()), (c.rows(), c.cols()));
    assert_eq!(v.len(), c.cols(), "A Bᵀ + 1 vᵀ: one value of v a column");
    S::multiply(Operand::plain(a), Operand::transposed(b), c, Begin::Row(v), compute);
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
    compute: &Compute,
) {
    check("A B", (a.rows(), a.cols()), (b.rows(), b.cols()), (c.rows(), c.cols()));
    S::multiply(Operand::plain(a), Operand::plain(b), c, store.into(), compute);
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
    compute: &Compute,
) {
    check("Aᵀ B", (a.cols(), a.rows()), (b.rows(), b.cols()), (c.rows(), c.cols()));
    S::multiply(Operand::transposed(a), Operand::plain(b), c, store.into(), compute);
}

/// `C ← C − η · Aᵀ B`: `a` (k × m), `b` (k × n), `c` (m × n). With the learning rate η a step of gradient
/// descent, `W ← W − η ∇_W L`, whose gradient is never stored.
///
/// For `k` up to [`MAX_WHOLE`] the bits are those of [`mul_tn`], each element of which is then multiplied
/// with η and subtracted; a longer sum may be subtracted in parts.
///
/// # Panics
/// If the shapes do not fit.
///
/// ```
/// use chainrule_tensor::{Compute, Matrix, sub_mul_tn};
/// let (grad_a, x) = (Matrix::from_rows(&[[2.0], [1.0]]), Matrix::from_rows(&[[1.0, 3.0], [0.0, 2.0]]));
/// let mut w = Matrix::from_rows(&[[1.0, 1.0]]);
/// sub_mul_tn(0.5, grad_a.view(), x.view(), w.view_mut(), &Compute::one());
/// assert_eq!(w.as_slice(), [0.0, -3.0]);
/// ```
pub fn sub_mul_tn<S: Scalar>(
    eta: S,
    a: MatrixView<'_, S>,
    b: MatrixView<'_, S>,
    c: MatrixViewMut<'_, S>,
    compute: &Compute,
) {
    check("C − η Aᵀ B", (a.cols(), a.rows()), (b.rows(), b.cols()), (c.rows(), c.cols()));
    S::multiply(Operand::transposed(a), Operand::plain(b), c, Begin::Subtract(eta), compute);
}
