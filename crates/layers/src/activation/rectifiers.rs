//! Activations with one shape below 0 and the identity above.

use chainrule_tensor::Scalar;
use chainrule_tensor::math::{exp_m1_neg, exp_neg};

/// SELU's α and scale (Klambauer et al. 2017, appendix).
pub(super) const SELU_ALPHA: f64 = 1.673_263_242_354_377_2;
pub(super) const SELU_SCALE: f64 = 1.050_700_987_355_480_5;

/// `max(a, 0)`.
#[inline(always)]
pub(super) fn relu<S: Scalar>(a: S) -> S {
    if a < S::zero() { S::zero() } else { a }
}

/// 1 for `a > 0`, else 0 (the lecture and PyTorch: 0 at 0).
#[inline(always)]
pub(super) fn relu_derivative<S: Scalar>(a: S) -> S {
    super::nan_or(a, if a > S::zero() { S::one() } else { S::zero() })
}

/// `a` above 0, `slope · a` below.
#[inline(always)]
pub(super) fn leaky_relu<S: Scalar>(a: S, slope: S) -> S {
    if a > S::zero() { a } else { slope * a }
}

/// 1 for `a > 0`, else the slope.
#[inline(always)]
pub(super) fn leaky_relu_derivative<S: Scalar>(a: S, slope: S) -> S {
    super::nan_or(a, if a > S::zero() { S::one() } else { slope })
}

/// `a` above 0, `α (e^a − 1)` below, all times `scale`.
#[inline(always)]
pub(super) fn elu<S: Scalar>(a: S, alpha: S, scale: S) -> S {
    scale * if a > S::zero() { a } else { alpha * exp_m1_neg(-a) }
}

/// 1 above 0, `α e^a` below and at 0, all times `scale`.
#[inline(always)]
pub(super) fn elu_derivative<S: Scalar>(a: S, alpha: S, scale: S) -> S {
    scale * if a > S::zero() { S::one() } else { alpha * exp_neg(-a) }
}
