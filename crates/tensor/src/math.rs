//! Elementary functions as branch-free formulas over the whole range.
//!
//! Each is written for one number, without branches, table look-ups or calls, so that a loop over
//! a slice (see [`crate::kernels::map`]) compiles to vector instructions, and every element gets
//! the same bits wherever in the slice it stands. Infinities and NaN go where mathematics sends
//! them.
//!
//! The largest errors that this module's tests find over the whole range, in units of the last
//! place (in f64 the distance from the standard library's result); the tests allow 3:
//!
//! | function | f32 | f64 |
//! | --- | --- | --- |
//! | [`exp`] | 1.0 | 1 |
//! | [`exp_m1`] | 1.5 | 2 |
//! | [`ln_1p`] | 1.8 | 2 |
//! | [`tanh`] | 2.5 | 3 |
//! | [`sigmoid`] | 2.1 | 2 |
//! | [`softplus`] | 2.2 | 2 |

#[cfg(test)]
mod tests;

use crate::Scalar;

/// The exponential and its kin for one element type; use the functions of [`crate::math`].
pub trait Exponential: Sized {
    /// `e^x`.
    fn exp(x: Self) -> Self;
    /// `e^x − 1`, accurate near 0.
    fn exp_m1(x: Self) -> Self;
    /// `e^{−y}` for `y ≥ 0`.
    fn exp_neg(y: Self) -> Self;
    /// `e^{−y} − 1` for `y ≥ 0`, accurate near 0.
    fn exp_m1_neg(y: Self) -> Self;
    /// `ln(1 + y)` for `y ≥ 0`.
    fn ln_1p(y: Self) -> Self;
    /// Φ(x), the cumulative distribution of the standard normal, accurate in the lower tail.
    fn normal_cdf(x: Self) -> Self;
}

/// `e^x`: 0 below the range, infinity above it.
///
/// ```
/// use chainrule_tensor::math::exp;
/// assert_eq!(exp(0.0_f32), 1.0);
/// assert_eq!(exp(f64::NEG_INFINITY), 0.0);
/// ```
#[inline(always)]
pub fn exp<S: Scalar>(x: S) -> S {
    <S as Exponential>::exp(x)
}

/// `e^x − 1` without the cancellation near 0.
#[inline(always)]
pub fn exp_m1<S: Scalar>(x: S) -> S {
    <S as Exponential>::exp_m1(x)
}

/// `e^{−y}` for `y ≥ 0`, the bits of [`exp`] in fewer operations; below 0 the result is meaningless.
///
/// ```
/// use chainrule_tensor::math::{exp, exp_neg};
/// assert_eq!(exp_neg(1.5_f32), exp(-1.5));
/// ```
#[inline(always)]
pub fn exp_neg<S: Scalar>(y: S) -> S {
    <S as Exponential>::exp_neg(y)
}

/// `e^{−y} − 1` for `y ≥ 0`, the bits of [`exp_m1`] in fewer operations; below 0 the result is
/// meaningless.
#[inline(always)]
pub fn exp_m1_neg<S: Scalar>(y: S) -> S {
    <S as Exponential>::exp_m1_neg(y)
}

/// `ln(1 + y)` for `y ≥ 0`, as softplus and the logarithm of a sum of exponentials need it; below 0
/// the result is meaningless.
///
/// ```
/// use chainrule_tensor::math::ln_1p;
/// assert_eq!(ln_1p(1e-30_f32), 1e-30);
/// assert!((ln_1p(2.0_f64) - 3.0_f64.ln()).abs() < 1e-15);
/// ```
#[inline(always)]
pub fn ln_1p<S: Scalar>(y: S) -> S {
    <S as Exponential>::ln_1p(y)
}

/// `σ(x) = 1 / (1 + e^{−x})`, with full relative accuracy in the lower tail.
#[inline(always)]
pub fn sigmoid<S: Scalar>(x: S) -> S {
    let e = exp_neg(x.abs());
    let numerator = if x < S::zero() { e } else { S::one() };
    numerator / (S::one() + e)
}

/// `tanh x = (1 − e^{−2|x|}) / (1 + e^{−2|x|})`, with the sign of `x`.
#[inline(always)]
pub fn tanh<S: Scalar>(x: S) -> S {
    let m = exp_m1_neg(x.abs() + x.abs());
    (m / (m + S::of(2.0))).copysign(x)
}

/// `ln(1 + e^x)`: `e^x` in the lower tail, `x` in the upper one.
#[inline(always)]
pub fn softplus<S: Scalar>(x: S) -> S {
    let positive = if x < S::zero() { S::zero() } else { x };
    positive + ln_1p(exp_neg(x.abs()))
}

/// `Φ(x) = erfc(−x/√2) / 2`, the cumulative distribution of the standard normal.
///
/// Through the `libm` crate's `erfc`, in `f64` for both types: its argument squared would cost
/// `f32` the digits of the tail. Not vectorised.
#[inline(always)]
pub fn normal_cdf<S: Scalar>(x: S) -> S {
    <S as Exponential>::normal_cdf(x)
}

/// `φ(x) = e^{−x²/2} / √(2π)`, the density of the standard normal.
#[inline(always)]
pub fn normal_pdf<S: Scalar>(x: S) -> S {
    const INV_SQRT_TAU: f64 = 0.398_942_280_401_432_7;
    // Past 1e3 the density is 0 in either type; the clamp keeps x² finite.
    let limit = S::of(1e3);
    let x = if x.abs() > limit { limit } else { x };
    S::of(INV_SQRT_TAU) * exp_neg(S::of(0.5) * x * x)
}

/// `x` held between `low` and `high`; NaN stays NaN.
#[inline(always)]
pub fn clamp<S: Scalar>(x: S, low: S, high: S) -> S {
    let x = at_least(x, low);
    if x > high { high } else { x }
}

/// `x`, or `low` where it is less; NaN stays NaN.
#[inline(always)]
fn at_least<S: Scalar>(x: S, low: S) -> S {
    if x < low { low } else { x }
}

/// `c[0] + c[1] x + c[2] x² + …`: Horner's scheme in x² for pairs of terms, which do not wait for each
/// other, as one chain of dependent operations would leave a vector unit waiting.
#[inline(always)]
fn polynomial<S: Scalar, const N: usize>(x: S, c: [S; N]) -> S {
    let square = x * x;
    let mut i = (N - 1) / 2 * 2;
    let mut sum = if i + 1 < N { c[i] + c[i + 1] * x } else { c[i] };
    while i > 0 {
        i -= 2;
        sum = sum * square + (c[i] + c[i + 1] * x);
    }
    sum
}

// Both types share the method: n = round(x/ln 2) by adding a number so large that the sum's last
// bit is worth 1, r = x − n·ln 2 with ln 2 in two parts (the first has so few bits that n times it
// is exact), e^r − 1 = r + r² q(r) on |r| ≤ ln 2 / 2, and the scale 2^n as 2^n1 · 2^n2, so that
// results beyond the normal range still come out (Muller, Elementary Functions, ch. 11). Where n ≤ 0,
// the second factor can be a constant. The coefficients of q are near those that leave e^r the least
// relative error for its degree: 2^−27.7 in f32, 2^−57.5 in f64.
macro_rules! exponential {
    ($float:ident, $bits:ty, magic: $magic:expr, mantissa: $mantissa:expr, bias: $bias:expr,
     range: $low:expr, $high:expr, shift: $shift:expr, ln2: $ln2_high:expr, $ln2_low:expr,
     q: $q:expr, atanh: $atanh:expr) => {
        impl Reduction for $float {
            const MAGIC: Self = $magic;

            #[inline(always)]
            fn reduce(x: Self) -> (Self, Self) {
                let shifted = x * std::$float::consts::LOG2_E + Self::MAGIC;
                let n = shifted - Self::MAGIC;
                let r = (x - n * $ln2_high) - n * $ln2_low;
                (r + (r * r) * polynomial(r, $q), shifted)
            }

            #[inline(always)]
            fn power(shifted: Self, more: i16) -> Self {
                let biased = shifted.to_bits().wrapping_add(($bias + more) as $bits);
                <$float>::from_bits(biased << $mantissa)
            }

            #[inline(always)]
            fn halves(shifted: Self) -> (Self, Self) {
                let n = shifted - Self::MAGIC;
                let shifted1 = n * 0.5 + Self::MAGIC;
                (shifted1, (n - (shifted1 - Self::MAGIC)) + Self::MAGIC)
            }
        }

        impl Exponential for $float {
            #[inline(always)]
            fn exp(x: Self) -> Self {
                let (p, shifted) = Self::reduce(clamp(x, $low, $high));
                let (shifted1, shifted2) = Self::halves(shifted);
                (1.0 + p) * Self::power(shifted1, 0) * Self::power(shifted2, 0)
            }

            #[inline(always)]
            fn exp_m1(x: Self) -> Self {
                let (p, shifted) = Self::reduce(clamp(x, $low, $high));
                let (shifted1, shifted2) = Self::halves(shifted);
                let (scale1, scale2) = (Self::power(shifted1, 0), Self::power(shifted2, 0));
                // 2^−n2
                let inverse2 = <$float>::from_bits(
                    (2 * ($bias as $bits) << $mantissa).wrapping_sub(scale2.to_bits()),
                );
                (scale1 * p + (scale1 - inverse2)) * scale2
            }

            #[inline(always)]
            fn exp_neg(y: Self) -> Self {
                const SCALE2: $float = <$float>::from_bits(($bias - $shift) << $mantissa);
                let (p, shifted) = Self::reduce(at_least(-y, $low));
                (1.0 + p) * Self::power(shifted, $shift) * SCALE2
            }

            #[inline(always)]
            fn exp_m1_neg(y: Self) -> Self {
                // Past 50 the result is −1 in either type.
                let (p, shifted) = Self::reduce(at_least(-y, -50.0));
                let scale = Self::power(shifted, 0);
                scale * p + (scale - 1.0)
            }

            // 1 + y = 2^k (1 + f) with f in [√½ − 1, √2 − 1]; ln(1 + f) = 2 atanh(f / (2 + f)). What
            // rounding 1 + y to u leaves, divided by u, is its share of the logarithm.
            #[inline(always)]
            fn ln_1p(y: Self) -> Self {
                const HALF_ROOT: $bits = std::$float::consts::FRAC_1_SQRT_2.to_bits();
                let u = 1.0 + y;
                let rest = if y < 1.0 { y - (u - 1.0) } else { (y - u) + 1.0 };
                let k = (u.to_bits().wrapping_sub(HALF_ROOT) >> $mantissa) as i32;
                let m = <$float>::from_bits(u.to_bits().wrapping_sub((k as $bits) << $mantissa));
                let small = k == 0;
                let f = if small { y } else { m - 1.0 };
                let rest = if small { 0.0 } else { rest / u };
                let k = k as $float;
                let s = f / (2.0 + f);
                let z = s * s;
                let ln = k * $ln2_high
                    + (s + s + ((s + s) * (z * polynomial(z, $atanh)) + (k * $ln2_low + rest)));
                if y == <$float>::INFINITY { y } else { ln }
            }

            #[inline(always)]
            fn normal_cdf(x: Self) -> Self {
                let x = f64::from(x);
                (0.5 * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2)) as $float
            }
        }
    };
}

/// The parts of `e^x = 2^n e^r`.
trait Reduction: Sized {
    /// So large that the last bit of a sum with it is worth 1.
    const MAGIC: Self;

    /// `e^r − 1`, and `n + MAGIC`, whose last bits are the integer `n`.
    fn reduce(x: Self) -> (Self, Self);

    /// `2^{n + more}` from `n + MAGIC`, in the normal range.
    fn power(shifted: Self, more: i16) -> Self;

    /// `n1 + MAGIC` and `n2 + MAGIC`, where `n1 + n2 = n` and both are about half.
    fn halves(shifted: Self) -> (Self, Self);
}

exponential!(
    f32, u32, magic: 12_582_912.0, mantissa: 23, bias: 127,
    range: -110.0, 89.0, shift: 64, ln2: 0.693_359_4, -2.121_944_4e-4,
    q: [0.499_999_94, 0.166_665_2, 0.041_668_39, 0.008_368_745, 0.001_381_454_2],
    atanh: [1.0 / 3.0, 0.2, 1.0 / 7.0, 1.0 / 9.0, 1.0 / 11.0]
);

exponential!(
    f64, u64, magic: 6_755_399_441_055_744.0, mantissa: 52, bias: 1023,
    range: -750.0, 710.0, shift: 128, ln2: 0.693_147_180_369_123_8, 1.908_214_929_270_587_7e-10,
    q: [
        0.500_000_000_000_001_1, 0.166_666_666_666_664_38, 0.041_666_666_666_525_784,
        0.008_333_333_333_473_721, 0.001_388_888_894_486_662, 1.984_126_956_056_985_8e-4,
        2.480_149_171_196_028e-5, 2.755_753_237_963_865_5e-6, 2.763_078_252_454_406e-7,
        2.501_824_299_097_999_7e-8
    ],
    atanh: [
        1.0 / 3.0, 0.2, 1.0 / 7.0, 1.0 / 9.0, 1.0 / 11.0, 1.0 / 13.0, 1.0 / 15.0, 1.0 / 17.0,
        1.0 / 19.0, 1.0 / 21.0, 1.0 / 23.0
    ]
);
