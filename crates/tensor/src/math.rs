//! Elementary functions as branch-free formulas over the whole range.
//!
//! Each is written for a [`Number`], without branches, table look-ups or calls, so that a loop over a
//! slice compiles to vector instructions. Infinities and NaN go where mathematics sends them. Of a plain
//! number every operation rounds by itself; as a [`Formula`](crate::kernels::Formula) of
//! [`crate::kernels`] the function may differ in its last bits, by fused operations where the processor
//! has them, and has the same bits wherever in the slice a number stands.
//!
//! The largest errors that this module's tests find over the whole range, in units of the last
//! place (in f64 the distance from the standard library's result, of [`normal_cdf`] from exact values), with
//! fused operations and without; the tests allow 3, and 6 for [`normal_cdf`] in f32:
//!
//! | function | f32 | f64 |
//! | --- | --- | --- |
//! | [`exp`] | 1.0 | 1 |
//! | [`exp_m1`] | 1.5 | 2 |
//! | [`ln_1p`] | 1.8 | 2 |
//! | [`tanh`] | 2.5 | 3 |
//! | [`sigmoid`] | 2.1 | 2 |
//! | [`softplus`] | 2.2 | 2 |
//! | [`normal_cdf`] | 5.4 | 3 |

mod constants;
#[cfg(test)]
mod tests;

use num_traits::{Float, One, Zero};

use crate::{Number, Scalar};

pub use constants::Constants;

/// `e^x`: 0 below the range, infinity above it.
///
/// ```
/// use chainrule_tensor::math::exp;
/// assert_eq!(exp(0.0_f32), 1.0);
/// assert_eq!(exp(f64::NEG_INFINITY), 0.0);
/// ```
#[inline(always)]
pub fn exp<N: Number>(x: N) -> N {
    let (p, shifted) = reduce(between(x, N::Element::LOW, N::Element::HIGH));
    let (shifted1, shifted2) = halves(shifted);
    let scale1 = power(shifted1, 0);
    p.muladd(scale1, scale1) * power(shifted2, 0)
}

/// `e^x − 1` without the cancellation near 0.
#[inline(always)]
pub fn exp_m1<N: Number>(x: N) -> N {
    let (p, shifted) = reduce(between(x, N::Element::LOW, N::Element::HIGH));
    let (shifted1, shifted2) = halves(shifted);
    let (scale1, scale2) = (power(shifted1, 0), power(shifted2, 0));
    scale1.muladd(p, scale1 - scale2.each(Constants::reciprocal)) * scale2
}

/// `e^{−y}` for `y ≥ 0`, the bits of [`exp`] in fewer operations; below 0 the result is meaningless.
///
/// ```
/// use chainrule_tensor::math::{exp, exp_neg};
/// assert_eq!(exp_neg(1.5_f32), exp(-1.5));
/// ```
#[inline(always)]
pub fn exp_neg<N: Number>(y: N) -> N {
    let (p, shifted) = reduce(at_least(-y, N::Element::LOW));
    let scale1 = power(shifted, N::Element::SHIFT);
    p.muladd(scale1, scale1) * N::all(N::Element::SHIFT_BACK)
}

/// `e^{−y} − 1` for `y ≥ 0`, the bits of [`exp_m1`] in fewer operations; below 0 the result is
/// meaningless.
#[inline(always)]
pub fn exp_m1_neg<N: Number>(y: N) -> N {
    // Past 50 the result is −1 in either type.
    let (p, shifted) = reduce(at_least(-y, N::Element::of(-50.0)));
    let scale = power(shifted, 0);
    scale.muladd(p, scale - N::constant(1.0))
}

/// `ln(1 + y)` for `y ≥ 0`, as softplus and the logarithm of a sum of exponentials need it; below 0
/// the result is meaningless.
///
/// ```
/// use chainrule_tensor::math::ln_1p;
/// assert_eq!(ln_1p(1e-30_f32), 1e-30);
/// assert!((ln_1p(2.0_f64) - 3.0_f64.ln()).abs() < 1e-15);
/// ```
// 1 + y = 2^k (1 + f) with f in [√½ − 1, √2 − 1]; ln(1 + f) = 2 atanh(f / (2 + f)). What rounding
// 1 + y to u leaves, divided by u, is its share of the logarithm.
#[inline(always)]
pub fn ln_1p<N: Number>(y: N) -> N {
    let (one, two) = (N::constant(1.0), N::constant(2.0));
    let [ln2, ln2_rest] = N::Element::LN2.map(N::all);
    let u = one + y;
    let rest = y.select(|y| y < One::one(), y - (u - one), (y - u) + one);
    let k = u.each(Constants::exponent);
    let m = u.each(Constants::significand);
    let f = k.select(|k| k.is_zero(), y, m - one);
    let rest = k.select(|k| k.is_zero(), N::constant(0.0), rest / u);
    let s = f / (two + f);
    let (s2, z) = (s + s, s * s);
    let small = s2.muladd(z * polynomial(z, N::Element::ATANH), k.muladd(ln2_rest, rest));
    let ln = k.muladd(ln2, s2 + small);
    y.select(|y| y == Float::infinity(), y, ln)
}

/// `σ(x) = 1 / (1 + e^{−x})`, with full relative accuracy in the lower tail.
#[inline(always)]
pub fn sigmoid<N: Number>(x: N) -> N {
    let (e, one) = (exp_neg(abs(x)), N::constant(1.0));
    if_negative(x, e, one) / (one + e)
}

/// `tanh x = (1 − e^{−2|x|}) / (1 + e^{−2|x|})`, with the sign of `x`.
#[inline(always)]
pub fn tanh<N: Number>(x: N) -> N {
    let y = abs(x);
    let m = exp_m1_neg(y + y);
    (m / (m + N::constant(2.0))).zip(x, Float::copysign)
}

/// `ln(1 + e^x)`: `e^x` in the lower tail, `x` in the upper one.
#[inline(always)]
pub fn softplus<N: Number>(x: N) -> N {
    if_negative(x, N::constant(0.0), x) + ln_1p(exp_neg(abs(x)))
}

/// `Φ(x) = ∫ φ` up to `x`, the cumulative distribution of the standard normal, with full relative accuracy
/// in the lower tail.
///
/// `Φ(−y) = e^{−y²/2} M(y)`, where `(y + k) M(y)` is a polynomial in `(y − k)/(y + k)`, as Shepherd and
/// Laframboise (Math. Comp. 36, 1981) have it for `e^{x²} erfc x`.
///
/// ```
/// use chainrule_tensor::math::normal_cdf;
/// assert!((normal_cdf(0.0_f64) - 0.5).abs() < 1e-15);
/// assert!((normal_cdf(-10.0_f64) / 7.619_853_024_160_526e-24 - 1.0).abs() < 1e-15);
/// ```
#[inline(always)]
pub fn normal_cdf<N: Number>(x: N) -> N {
    let (k, one) = (N::all(N::Element::MILLS_CENTRE), N::constant(1.0));
    let x = normal_range(x);
    let y = abs(x);
    let r = one / (y + k);
    let tail = bell(y) * (polynomial((y - k) * r, N::Element::MILLS) * r);
    if_negative(x, tail, one - tail)
}

/// `φ(x) = e^{−x²/2} / √(2π)`, the density of the standard normal.
#[inline(always)]
pub fn normal_pdf<N: Number>(x: N) -> N {
    const INV_SQRT_TAU: f64 = 0.398_942_280_401_432_7;
    N::constant(INV_SQRT_TAU) * bell(normal_range(x))
}

/// `x`, held where the normal distribution's tails are 0 in either type.
#[inline(always)]
fn normal_range<N: Number>(x: N) -> N {
    clamp(x, -40.0, 40.0)
}

/// `e^{−x²/2}`. What rounding x² leaves is made good: the tail would lose its digits by it.
#[inline(always)]
fn bell<N: Number>(x: N) -> N {
    // Veltkamp's halves of x, whose products are exact (Dekker 1971).
    let c = N::all(N::Element::SPLIT) * x;
    let high = c - (c - x);
    let low = x - high;
    let square = x * x;
    let rest = ((high * high - square) + N::constant(2.0) * high * low) + low * low;
    let e = exp_neg(N::constant(0.5) * square);
    e.muladd(N::constant(-0.5) * rest, e)
}

/// `|x|`.
#[inline(always)]
pub fn abs<N: Number>(x: N) -> N {
    x.each(Float::abs)
}

/// `x` held between `low` and `high`; NaN stays NaN.
#[inline(always)]
pub fn clamp<N: Number>(x: N, low: f64, high: f64) -> N {
    between(x, N::Element::of(low), N::Element::of(high))
}

/// `yes` where `x < 0`, else `no`, where `x` is NaN, too.
#[inline(always)]
pub fn if_negative<N: Number>(x: N, yes: N, no: N) -> N {
    x.select(|x| x < Zero::zero(), yes, no)
}

/// `x`, or `low` where it is less; NaN stays NaN.
#[inline(always)]
fn at_least<N: Number>(x: N, low: N::Element) -> N {
    x.each(|x| if x < low { low } else { x })
}

/// `x`, or `low` where it is less, or `high` where it is more; NaN stays NaN.
#[inline(always)]
fn between<N: Number>(x: N, low: N::Element, high: N::Element) -> N {
    at_least(x, low).each(|x| if x > high { high } else { x })
}

/// `c[0] + c[1] x + c[2] x² + …` of up to 24 terms. What is long is taken in pieces of 8: in one loop a
/// formula takes two to four times as long.
#[inline(always)]
fn polynomial<N: Number>(x: N, c: &[N::Element]) -> N {
    let square = x * x;
    if c.len() <= 10 {
        return horner(x, square, c);
    }
    let (low, rest) = c.split_at(8);
    let low = horner(x, square, low);
    let power4 = square * square;
    let power8 = power4 * power4;
    if rest.len() <= 8 {
        return horner(x, square, rest).muladd(power8, low);
    }
    let (middle, high) = rest.split_at(8);
    let middle = horner(x, square, middle);
    horner(x, square, high).muladd(power8, middle).muladd(power8, low)
}

/// The same, by Horner's scheme in x² for pairs of terms, which do not wait for each other, as one chain of
/// dependent operations would leave a vector unit waiting.
#[inline(always)]
fn horner<N: Number>(x: N, square: N, c: &[N::Element]) -> N {
    let mut i = (c.len() - 1) / 2 * 2;
    let mut sum = N::all(c[i]);
    if i + 1 < c.len() {
        sum = x.muladd(N::all(c[i + 1]), sum);
    }
    while i > 0 {
        i -= 2;
        sum = sum.muladd(square, x.muladd(N::all(c[i + 1]), N::all(c[i])));
    }
    sum
}

// n = round(x/ln 2) by adding a number so large that the sum's last bit is worth 1, r = x − n·ln 2 with
// ln 2 in two parts (the first has so few bits that n times it is exact), e^r − 1 = r + r² q(r) on
// |r| ≤ ln 2 / 2, and the scale 2^n as 2^n1 · 2^n2, so that results beyond the normal range still come
// out (Muller, Elementary Functions, ch. 11). Where n ≤ 0, the second factor can be a constant.

/// `e^r − 1`, and `n + MAGIC`, whose last bits are the integer `n`, of `e^x = 2^n e^r`.
#[inline(always)]
fn reduce<N: Number>(x: N) -> (N, N) {
    let magic = N::all(N::Element::MAGIC);
    let [ln2, ln2_rest] = N::Element::LN2;
    let shifted = x.muladd(N::constant(std::f64::consts::LOG2_E), magic);
    let n = shifted - magic;
    let r = n.muladd(N::all(-ln2_rest), n.muladd(N::all(-ln2), x));
    ((r * r).muladd(polynomial(r, N::Element::Q), r), shifted)
}

/// `2^{n + more}` from `n + MAGIC`, in the normal range.
#[inline(always)]
fn power<N: Number>(shifted: N, more: i16) -> N {
    shifted.each(|shifted| Constants::power(shifted, more))
}

/// `n1 + MAGIC` and `n2 + MAGIC`, where `n1 + n2 = n` and both are about half.
#[inline(always)]
fn halves<N: Number>(shifted: N) -> (N, N) {
    let magic = N::all(N::Element::MAGIC);
    let n = shifted - magic;
    let shifted1 = n.muladd(N::constant(0.5), magic);
    (shifted1, (n - (shifted1 - magic)) + magic)
}
