//! Activations of the form `a · gate(a)` with a gate between 0 and 1.
//!
//! Far out the gate is 0 or 1 exactly; holding its argument there keeps `∞ · 0` away.

use chainrule_tensor::Scalar;
use chainrule_tensor::math::{clamp, exp_neg, normal_cdf, normal_pdf, sigmoid};

/// Beyond it every gate here is 0 or 1 in either type.
const FAR: f64 = 1e3;

#[inline(always)]
fn near<S: Scalar>(a: S) -> S {
    clamp(a, S::of(-FAR), S::of(FAR))
}

/// `a · gate`, with `a` held from below, where the gate is 0.
#[inline(always)]
fn gated<S: Scalar>(a: S, gate: S) -> S {
    let low = S::of(-FAR);
    (if a < low { low } else { a }) * gate
}

/// `a Φ(a)` (Hendrycks and Gimpel 2016).
#[inline(always)]
pub(super) fn gelu<S: Scalar>(a: S) -> S {
    gated(a, normal_cdf(near(a)))
}

/// `Φ(a) + a φ(a)`.
#[inline(always)]
pub(super) fn gelu_derivative<S: Scalar>(a: S) -> S {
    let a = near(a);
    normal_cdf(a) + a * normal_pdf(a)
}

/// `√(8/π)`, and `0.044715 √(8/π)`.
const LINEAR: f64 = 1.595_769_121_605_730_7;
const CUBIC: f64 = 0.071_354_816_272_600_25;

/// `2u = √(8/π) (a + 0.044715 a³)`, and the gate `(1 + tanh u)/2 = σ(2u)`.
///
/// `2u` is taken in `f64`, and what its rounding leaves is made good below 0: `f32` alone would
/// cost the lower tail, `e^{2u}` down to `2u = −90`, two of its digits.
#[inline(always)]
fn tanh_gate<S: Scalar>(a: S) -> (S, S) {
    let a = a.as_f64();
    let u2 = a * (LINEAR + CUBIC * (a * a));
    let rounded = S::of(u2);
    let rest = S::of(u2 - rounded.as_f64());
    let gate = sigmoid(rounded);
    (rounded, if rounded < S::zero() { gate + gate * rest } else { gate })
}

/// `a (1 + tanh u)/2 = a σ(2u)`, `u = √(2/π) (a + 0.044715 a³)`.
#[inline(always)]
pub(super) fn gelu_tanh<S: Scalar>(a: S) -> S {
    let (_, gate) = tanh_gate(near(a));
    gated(a, gate)
}

/// `σ(2u) + a σ(2u) σ(−2u) · 2u'`.
#[inline(always)]
pub(super) fn gelu_tanh_derivative<S: Scalar>(a: S) -> S {
    let a = near(a);
    let (u2, gate) = tanh_gate(a);
    let u2_derivative = S::of(LINEAR) + S::of(3.0 * CUBIC) * (a * a);
    gate + a * gate * sigmoid(-u2) * u2_derivative
}

/// `a σ(a)`.
#[inline(always)]
pub(super) fn silu<S: Scalar>(a: S) -> S {
    gated(a, sigmoid(a))
}

/// `σ(a) (1 + a σ(−a))`.
#[inline(always)]
pub(super) fn silu_derivative<S: Scalar>(a: S) -> S {
    let a = near(a);
    sigmoid(a) * (S::one() + a * sigmoid(-a))
}

/// 0 below −3, `a` above 3, `a (a + 3)/6` between (Howard et al. 2019).
#[inline(always)]
pub(super) fn hard_swish<S: Scalar>(a: S) -> S {
    let three = S::of(3.0);
    let between = a * (a + three) / S::of(6.0);
    if a <= -three {
        S::zero()
    } else if a >= three {
        a
    } else {
        between
    }
}

/// 0 up to −3, 1 from 3 on, `(a + 3/2)/3` between.
#[inline(always)]
pub(super) fn hard_swish_derivative<S: Scalar>(a: S) -> S {
    let three = S::of(3.0);
    if a <= -three {
        S::zero()
    } else if a >= three {
        S::one()
    } else {
        (a + S::of(1.5)) / three
    }
}

/// `e^{−|a|}` and, with it, the denominator of `tanh(ln(1 + e^a))` divided by its largest power:
/// `e² + 2e + 2` below 0, `1 + 2e + 2e²` above.
#[inline(always)]
fn mish_terms<S: Scalar>(a: S) -> (S, S) {
    let (one, two) = (S::one(), S::of(2.0));
    let e = exp_neg(a.abs());
    (e, if a < S::zero() { e * (e + two) + two } else { one + two * e * (one + e) })
}

/// `a tanh(ln(1 + e^a))` (Misra 2019), as a quotient of polynomials in `e^{−|a|}`.
#[inline(always)]
pub(super) fn mish<S: Scalar>(a: S) -> S {
    let (one, two) = (S::one(), S::of(2.0));
    let (e, d) = mish_terms(a);
    gated(a, (if a < S::zero() { e * (e + two) } else { one + two * e }) / d)
}

/// `tanh s + a (1 − tanh² s) σ(a)` with `s = ln(1 + e^a)`.
#[inline(always)]
pub(super) fn mish_derivative<S: Scalar>(a: S) -> S {
    let a = near(a);
    let (one, two, four) = (S::one(), S::of(2.0), S::of(4.0));
    let (e, d) = mish_terms(a);
    let negative = a < S::zero();
    let gate = (if negative { e * (e + two) } else { one + two * e }) / d;
    let power = if negative { e } else { e * e };
    gate + a * (four * power * (one + e) / (d * d))
}
