//! Activations that level off on both sides.

use chainrule_tensor::Scalar;
use chainrule_tensor::math::{self, exp_neg};

/// `σ'(a) = σ(a) σ(−a) = e / (1 + e)²` with `e = e^{−|a|}`: no cancellation in either tail.
#[inline(always)]
pub(super) fn sigmoid_derivative<S: Scalar>(a: S) -> S {
    let e = exp_neg(a.abs());
    let d = S::one() + e;
    e / (d * d)
}

/// `tanh'(a) = 1 / cosh² a = 4 e / (1 + e)²` with `e = e^{−2|a|}`, where `1 − h²` would cancel.
#[inline(always)]
pub(super) fn tanh_derivative<S: Scalar>(a: S) -> S {
    S::of(4.0) * sigmoid_derivative(a + a)
}

/// `a / (1 + |a|)`.
#[inline(always)]
pub(super) fn softsign<S: Scalar>(a: S) -> S {
    // Beyond 1e20 the quotient is ±1 in either type, at infinity too.
    let a = math::clamp(a, S::of(-1e20), S::of(1e20));
    a / (S::one() + a.abs())
}

/// `1 / (1 + |a|)²`, as a square of the quotient: the square of the denominator overflows while
/// the derivative is still a number.
#[inline(always)]
pub(super) fn softsign_derivative<S: Scalar>(a: S) -> S {
    let r = S::one() / (S::one() + a.abs());
    r * r
}

/// `(a + 3)/6`, held between 0 and 1. Next to −3 the sum is exact, where `a/6 + 1/2` would cancel.
#[inline(always)]
pub(super) fn hard_sigmoid<S: Scalar>(a: S) -> S {
    math::clamp((a + S::of(3.0)) / S::of(6.0), S::zero(), S::one())
}

/// 1/6 for `−3 < a < 3`, else 0.
#[inline(always)]
pub(super) fn hard_sigmoid_derivative<S: Scalar>(a: S) -> S {
    let slope = if a.abs() < S::of(3.0) { S::of(1.0 / 6.0) } else { S::zero() };
    super::nan_or(a, slope)
}
