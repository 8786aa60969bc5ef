//! The numbers and bits of each element type that the formulas are made of.

/// What the formulas of [`crate::math`] need to know of an element type.
#[doc(hidden)]
pub trait Constants: Sized + 'static {
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
    /// `2^s + 1` with half of the bits of a number for `s`, rounded up.
    const SPLIT: Self;
    /// `k` where `(y + k) M(y)` is taken as a polynomial in `(y − k)/(y + k)`, with Mills' ratio
    /// `M(y) = e^{y²/2} Φ(−y)`.
    const MILLS_CENTRE: Self;
    /// Its coefficients, those that leave `M` the least relative error for their degree: 2^−29.7 in f32,
    /// 2^−56.1 in f64.
    const MILLS: &'static [Self];

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

impl Constants for f32 {
    const MAGIC: Self = 12_582_912.0;
    const LOW: Self = -110.0;
    const HIGH: Self = 89.0;
    const SHIFT: i16 = 64;
    const SHIFT_BACK: Self = Self::from_bits((127 - 64) << 23);
    const LN2: [Self; 2] = [0.693_359_4, -2.121_944_4e-4];
    const Q: &'static [Self] =
        &[0.499_999_94, 0.166_665_2, 0.041_668_39, 0.008_368_745, 0.001_381_454_2];
    const ATANH: &'static [Self] = &[1.0 / 3.0, 0.2, 1.0 / 7.0, 1.0 / 9.0, 1.0 / 11.0];
    const SPLIT: Self = 4097.0;
    const MILLS_CENTRE: Self = 4.0;
    const MILLS: &'static [Self] = &[
        0.755_285_14,
        -0.607_896_6,
        0.387_137_32,
        -0.186_521_55,
        0.060_398_106,
        -0.007_542_959,
        -0.003_491_101_8,
        0.001_637_403_3,
        1.707_319_8e-4,
        -2.226_318_8e-4,
        -4.657_513e-5,
    ];

    bits!(f32, u32, mantissa: 23, bias: 127);
}

impl Constants for f64 {
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
    const SPLIT: Self = 134_217_729.0;
    const MILLS_CENTRE: Self = 5.0;
    const MILLS: &'static [Self] = &[
        0.769_193_049_750_063,
        -0.665_382_502_890_056_6,
        0.495_305_615_969_976_9,
        -0.313_533_156_671_315,
        0.165_020_366_170_364_97,
        -0.069_118_638_705_974_69,
        0.020_795_066_800_172_93,
        -0.002_993_376_775_395_204_5,
        -7.978_694_007_391_444e-4,
        5.448_991_037_641_348e-4,
        -5.937_571_595_673_628_6e-5,
        -4.976_300_187_265_268e-5,
        1.668_116_318_594_997e-5,
        3.981_472_328_689_677e-6,
        -2.769_100_427_168_951e-6,
        -3.377_214_301_383_401e-7,
        4.327_543_373_992_917_7e-7,
        4.360_693_383_791_583e-8,
        -6.537_652_259_126_524e-8,
        -1.022_295_570_998_980_1e-8,
        7.202_112_775_401_796e-9,
        2.022_541_555_708_482e-9,
    ];

    bits!(f64, u64, mantissa: 52, bias: 1023);
}
