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

use num_traits::{Float, One, Zero};

use crate::{Number, Scalar};

/// `e^x`: 0 below the range, infinity above it.
///
/// ```
/// use chainrule_tensor::math::exp;
/// assert_eq!(exp(0.0_f32), 1.0);
/// assert_eq!(exp(f64::NEG_INFINITY), 0.0);
/// ```
#[inline(always)]
pub fn exp<N: Number>(x: N) -> N {
    let (p, shifted) = reduce(in_range(x));
    let (shifted1, shifted2) = halves(shifted);
    let scale1 = power(shifted1, 0);
    p.muladd(scale1, scale1) * power(shifted2, 0)
}

/// `e^x − 1` without the cancellation near 0.
#[inline(always)]
pub fn exp_m1<N: Number>(x: N) -> N {
    let (p, shifted) = reduce(in_range(x));
    let (shifted1, shifted2) = halves(shifted);
    let (scale1, scale2) = (power(shifted1, 0), power(shifted2, 0));
    scale1.muladd(p, scale1 - scale2.each(Exponential::reciprocal)) * scale2
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
    let k = u.each(Exponential::exponent);
    let m = u.each(Exponential::significand);
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

/// `Φ(x) = erfc(−x/√2) / 2`, the cumulative distribution of the standard normal.
///
/// Through the `libm` crate's `erfc`, in `f64` for both types: its argument squared would cost
/// `f32` the digits of the tail. Not vectorised.
#[inline(always)]
pub fn normal_cdf<N: Number>(x: N) -> N {
    x.each(|x| {
        let erfc = libm::erfc(-x.as_f64() * std::f64::consts::FRAC_1_SQRT_2);
        Scalar::of(0.5 * erfc)
    })
}

/// `φ(x) = e^{−x²/2} / √(2π)`, the density of the standard normal.
#[inline(always)]
pub fn normal_pdf<N: Number>(x: N) -> N {
    const INV_SQRT_TAU: f64 = 0.398_942_280_401_432_7;
    // Past 1e3 the density is 0 in either type; the clamp keeps x² finite.
    let x = clamp(abs(x), 0.0, 1e3);
    N::constant(INV_SQRT_TAU) * exp_neg(N::constant(0.5) * x * x)
}

/// `|x|`.
#[inline(always)]
pub fn abs<N: Number>(x: N) -> N {
    x.each(Float::abs)
}

/// `x` held between `low` and `high`; NaN stays NaN.
#[inline(always)]
pub fn clamp<N: Number>(x: N, low: f64, high: f64) -> N {
    let high = N::Element::of(high);
    at_least(x, N::Element::of(low)).each(|x| if x > high { high } else { x })
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

/// `x`, held where the exponential is neither 0 nor infinite.
#[inline(always)]
fn in_range<N: Number>(x: N) -> N {
    let high = N::Element::HIGH;
    at_least(x, N::Element::LOW).each(|x| if x > high { high } else { x })
}

/// `c[0] + c[1] x + c[2] x² + …`: Horner's scheme in x² for pairs of terms, which do not wait for each
/// other, as one chain of dependent operations would leave a vector unit waiting.
#[inline(always)]
fn polynomial<N: Number>(x: N, c: &[N::Element]) -> N {
    let square = x * x;
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
    shifted.each(|shifted| Exponential::power(shifted, more))
}

/// `n1 + MAGIC` and `n2 + MAGIC`, where `n1 + n2 = n` and both are about half.
#[inline(always)]
fn halves<N: Number>(shifted: N) -> (N, N) {
    let magic = N::all(N::Element::MAGIC);
    let n = shifted - magic;
    let shifted1 = n.muladd(N::constant(0.5), magic);
    (shifted1, (n - (shifted1 - magic)) + magic)
}

/// What the formulas need to know of an element type.
pub trait Exponential: Sized + 'static {
    /// So large that the last bit of a sum with it is worth 1.
    const MAGIC: Self;
    /// Below it `e^x` is 0.
    const LOW: Self;
    /// Above it `e^x` is infinite.
    const HIGH: Self;
    /// `e^x`, down to `LOW`, times 2 to this power is in the normal range.
    const SHIFT: i16;
    /// `2^−SHIFT`.
    const SHIFT_BACK: Self;
    /// `ln 2` in two parts.
    const LN2: [Self; 2];
    /// Coefficients of `q` in `e^r = 1 + r + r² q(r)`, near those that leave `e^r` the least relative
    /// error for their degree: 2^−27.7 in f32, 2^−57.5 in f64.
    const Q: &'static [Self];
    /// Coefficients of `a` in `atanh s = s + s³ a(s²)`.
    const ATANH: &'static [Self];

    /// `2^{n + more}` from `n + MAGIC`, in the normal range.
    fn power(shifted: Self, more: i16) -> Self;
    /// `1/x` for a power of 2.
    fn reciprocal(x: Self) -> Self;
    /// `k` of `u = 2^k m` with `m` in `[√½, √2)`.
    fn exponent(u: Self) -> Self;
    /// `m` of `u = 2^k m` with `m` in `[√½, √2)`.
    fn significand(u: Self) -> Self;
}

macro_rules! bits {
    ($float:ident, $bits:ident, mantissa: $mantissa:expr, bias: $bias:expr) => {
        #[inline(always)]
        fn power(shifted: Self, more: i16) -> Self {
            let biased = shifted.to_bits().wrapping_add(($bias + more) as $bits);
            Self::from_bits(biased << $mantissa)
        }

        #[inline(always)]
        fn reciprocal(x: Self) -> Self {
            const SUM_OF_BIASES: $bits = (2 * $bias) << $mantissa;
            Self::from_bits(SUM_OF_BIASES.wrapping_sub(x.to_bits()))
        }

        #[inline(always)]
        fn exponent(u: Self) -> Self {
            const HALF_ROOT: $bits = std::$float::consts::FRAC_1_SQRT_2.to_bits();
            (u.to_bits().wrapping_sub(HALF_ROOT) >> $mantissa) as i32 as Self
        }

        #[inline(always)]
        fn significand(u: Self) -> Self {
            const HALF_ROOT: $bits = std::$float::consts::FRAC_1_SQRT_2.to_bits();
            let k = u.to_bits().wrapping_sub(HALF_ROOT) >> $mantissa;
            Self::from_bits(u.to_bits().wrapping_sub(k << $mantissa))
        }
    };
}

impl Exponential for f32 {
    const MAGIC: Self = 12_582_912.0;
    const LOW: Self = -110.0;
    const HIGH: Self = 89.0;
    const SHIFT: i16 = 64;
    const SHIFT_BACK: Self = Self::from_bits((127 - 64) << 23);
    const LN2: [Self; 2] = [0.693_359_4, -2.121_944_4e-4];
    const Q: &'static [Self] =
        &[0.499_999_94, 0.166_665_2, 0.041_668_39, 0.008_368_745, 0.001_381_454_2];
    const ATANH: &'static [Self] = &[1.0 / 3.0, 0.2, 1.0 / 7.0, 1.0 / 9.0, 1.0 / 11.0];

    bits!(f32, u32, mantissa: 23, bias: 127);
}

impl Exponential for f64 {
    const MAGIC: Self = 6_755_399_441_055_744.0;
    const LOW: Self = -750.0;
    const HIGH: Self = 710.0;
    const SHIFT: i16 = 128;
    const SHIFT_BACK: Self = Self::from_bits((1023 - 128) << 52);
    const LN2: [Self; 2] = [0.693_147_180_369_123_8, 1.908_214_929_270_587_7e-10];
    const Q: &'static [Self] = &[
        0.500_000_000_000_001_1,
        0.166_666_666_666_664_38,
        0.041_666_666_666_525_784,
        0.008_333_333_333_473_721,
        0.001_388_888_894_486_662,
        1.984_126_956_056_985_8e-4,
        2.480_149_171_196_028e-5,
        2.755_753_237_963_865_5e-6,
        2.763_078_252_454_406e-7,
        2.501_824_299_097_999_7e-8,
    ];
    const ATANH: &'static [Self] = &[
        1.0 / 3.0,
        0.2,
        1.0 / 7.0,
        1.0 / 9.0,
        1.0 / 11.0,
        1.0 / 13.0,
        1.0 / 15.0,
        1.0 / 17.0,
        1.0 / 19.0,
        1.0 / 21.0,
        1.0 / 23.0,
    ];

    bits!(f64, u64, mantissa: 52, bias: 1023);
}
