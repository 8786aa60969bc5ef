//! The numbers and bits of each element type that the formulas are made of.

/// What the formulas of [`crate::math`] need to know of an element type.
#[doc(hidden)]
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
    /// `k` of `u = 2^k m` with `m` in `[√½, √2)`, for `u ≥ √½`.
    fn exponent(u: Self) -> Self;
    /// `m` of `u = 2^k m` with `m` in `[√½, √2)`, for `u ≥ √½`.
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
