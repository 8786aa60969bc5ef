//! Functions of each element.

use crate::number::Fused;
use crate::simd::with_vectors;
use crate::{Number, Scalar, Threads, math};

/// A function of `A` numbers, written for one of each or several at a time.
///
/// Every `Sync` closure over elements is one, worked out as it is written; so is a function of [`crate::math`]
/// passed by its name. A type that implements it itself leaves multiplications and additions to the
/// processor's fused operations ([`Number::muladd`], which [`crate::math`] uses), and is worked out for
/// several vectors in turn. Its results are those of the plain formula but for the rounding.
///
/// Write `#[inline(always)]` before `at`: left out of the loop, every `muladd` would be a call.
///
/// ```
/// use chainrule_tensor::kernels::{Formula, map};
/// use chainrule_tensor::{Number, Scalar, Threads, math};
///
/// /// `ln(1 + e^x)`.
/// struct Softplus;
/// impl<S: Scalar> Formula<S, 1> for Softplus {
///     #[inline(always)]
///     fn at<N: Number<Element = S>>(&self, [x]: [N; 1]) -> N {
///         math::softplus(x)
///     }
/// }
/// let mut h = [0.0; 3];
/// map(&[-1.0, 0.0, 1.0], &mut h, Softplus, &Threads::one());
/// assert!((h[1] - 2.0_f64.ln()).abs() < 1e-15);
/// ```
pub trait Formula<S: Scalar, const A: usize>: Sync {
    /// Whether a number's operations are so many, each waiting for the one before, that several vectors
    /// in turn take less time than one after the other. A closure's are taken to be few.
    const LONG: bool = true;

    /// The function's value.
    fn at<N: Number<Element = S>>(&self, x: [N; A]) -> N;
}

impl<S: Scalar, F: Fn(S) -> S + Sync> Formula<S, 1> for F {
    const LONG: bool = false;

    #[inline(always)]
    fn at<N: Number<Element = S>>(&self, [x]: [N; 1]) -> N {
        x.each(self)
    }
}

impl<S: Scalar, F: Fn(S, S) -> S + Sync> Formula<S, 2> for F {
    const LONG: bool = false;

    #[inline(always)]
    fn at<N: Number<Element = S>>(&self, [x, y]: [N; 2]) -> N {
        x.zip(y, self)
    }
}

/// [`math::tanh`].
#[derive(Debug, Clone, Copy)]
pub struct Tanh;

impl<S: Scalar> Formula<S, 1> for Tanh {
    #[inline(always)]
    fn at<N: Number<Element = S>>(&self, [x]: [N; 1]) -> N {
        math::tanh(x)
    }
}

/// [`math::sigmoid`].
#[derive(Debug, Clone, Copy)]
pub struct Sigmoid;

impl<S: Scalar> Formula<S, 1> for Sigmoid {
    #[inline(always)]
    fn at<N: Number<Element = S>>(&self, [x]: [N; 1]) -> N {
        math::sigmoid(x)
    }
}

/// `y = f(x)` for every element.
///
/// # Panics
/// If the lengths differ.
///
/// ```
/// use chainrule_tensor::Threads;
/// use chainrule_tensor::kernels::{Tanh, map};
/// let (x, mut h) = ([-1.0, 0.0, 1.0], [0.0; 3]);
/// map(&x, &mut h, Tanh, &Threads::one());
/// assert!((h[2] - 1.0_f64.tanh()).abs() < 1e-15);
/// map(&x, &mut h, |x: f64| x.max(0.0), &Threads::one());
/// assert_eq!(h, [0.0, 0.0, 1.0]);
/// ```
pub fn map<S: Scalar>(x: &[S], y: &mut [S], f: impl Formula<S, 1>, threads: &Threads) {
    assert_eq!(x.len(), y.len(), "map: lengths differ");
    threads.split([y], |range, [y]| fill([&x[range]], y, &f));
}

/// `z = f(x, y)` for every pair of elements.
///
/// # Panics
/// If the lengths differ.
pub fn zip_map<S: Scalar>(x: &[S], y: &[S], z: &mut [S], f: impl Formula<S, 2>, threads: &Threads) {
    assert!(x.len() == y.len() && y.len() == z.len(), "zip_map: lengths differ");
    threads.split([z], |range, [z]| fill([&x[range.clone()], &y[range]], z, &f));
}

/// `y = f(x, y)` for every pair of elements.
///
/// # Panics
/// If the lengths differ.
pub fn update<S: Scalar>(x: &[S], y: &mut [S], f: impl Formula<S, 2>) {
    assert_eq!(x.len(), y.len(), "update: lengths differ");
    with_vectors(
        #[inline(always)]
        |fused| each_element(fused, [x], y, &f),
    );
}

fn fill<S: Scalar, const A: usize>(x: [&[S]; A], y: &mut [S], f: &impl Formula<S, A>) {
    with_vectors(
        #[inline(always)]
        |fused| each_element(fused, x, y, f),
    );
}

/// Streams whose vectors alternate.
const STREAMS: usize = 4;
/// Numbers of each that are neighbours: more than one vector of any processor holds. With no more than
/// that, tanh took eight times as long.
const LENGTH: usize = 32;

/// `y = f(x)`, or `y = f(x, y)` if `f` takes one operand more than `x` has; to be inlined into
/// [`with_vectors`].
#[inline(always)]
pub(super) fn each_element<S: Scalar, F: Formula<S, B>, const A: usize, const B: usize>(
    fused: bool,
    x: [&[S]; A],
    y: &mut [S],
    f: &F,
) {
    const { assert!(B == A || B == A + 1) };
    const BLOCK: usize = STREAMS * LENGTH;
    let whole = if fused && F::LONG { y.len() / BLOCK * BLOCK } else { 0 };
    let (y, y_rest) = y.split_at_mut(whole);
    // So long exactly that no index needs to be checked.
    let x_rest = x.map(|x| &x[whole..][..y_rest.len()]);
    let blocks = x.map(|x| x.as_chunks::<LENGTH>().0.as_chunks::<STREAMS>().0);
    let y_blocks = y.as_chunks_mut::<LENGTH>().0.as_chunks_mut::<STREAMS>().0;
    for (block, y) in y_blocks.iter_mut().enumerate() {
        let x = blocks.map(|blocks| &blocks[block]);
        for i in 0..LENGTH {
            let mut operands = [Fused([S::zero(); STREAMS]); B];
            for (b, operand) in operands.iter_mut().enumerate() {
                for (stream, number) in operand.0.iter_mut().enumerate() {
                    *number = if b < A { x[b][stream][i] } else { y[stream][i] };
                }
            }
            let result = f.at(operands);
            for stream in 0..STREAMS {
                y[stream][i] = result.0[stream];
            }
        }
    }
    for i in 0..y_rest.len() {
        let mut operands = [y_rest[i]; B];
        for a in 0..A {
            operands[a] = x_rest[a][i];
        }
        y_rest[i] = of_one(fused, operands, f);
    }
}

/// `f(x)`, the bits of [`each_element`].
#[inline(always)]
pub(super) fn of_one<S: Scalar, const A: usize>(
    fused: bool,
    x: [S; A],
    f: &impl Formula<S, A>,
) -> S {
    if fused { f.at(x.map(|x| Fused([x]))).0[0] } else { f.at(x) }
}
