//! Elementary functions against more exact ones, and at their limits: of plain numbers, and with fused
//! operations.

use super::*;
use crate::number::Fused;

/// The function of a plain number, and that with fused operations.
macro_rules! both {
    ($f:ident) => {
        [("plain", $f as fn(_) -> _), ("fused", |x| $f(Fused([x])).0[0])]
    };
}

/// Distance in units of the last place of the exact value (subnormals: of the smallest one).
fn ulps_f32(found: f32, exact: f64) -> f64 {
    let nearest = exact as f32;
    if found == nearest || (found.is_nan() && exact.is_nan()) {
        return 0.0;
    }
    let exponent = (nearest.abs().to_bits() >> 23).max(1) as i32 - 127 - 23;
    (f64::from(found) - exact).abs() / 2.0_f64.powi(exponent)
}

fn ulps_f64(found: f64, nearest: f64) -> f64 {
    if found == nearest || (found.is_nan() && nearest.is_nan()) {
        return 0.0;
    }
    found.to_bits().abs_diff(nearest.to_bits()) as f64
}

/// Below one ulp of its own: no cancellation, and the lower tail as a quotient.
fn sigmoid_by_std(x: f64) -> f64 {
    let e = (-x.abs()).exp();
    (if x < 0.0 { e } else { 1.0 }) / (1.0 + e)
}

fn libm_normal_cdf(x: f64) -> f64 {
    0.5 * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2)
}

fn sweep(low: f64, high: f64) -> impl Iterator<Item = f64> {
    let steps = if cfg!(miri) { 100 } else { 200_000 };
    (0..=steps).map(move |i| low + (high - low) * f64::from(i) / f64::from(steps))
}

/// A sweep of the range, and of small numbers in it.
fn points(low: f64, high: f64) -> impl Iterator<Item = f64> {
    let small = sweep(-1.0, 1.0).map(|t| t * t * t * 1e-3);
    sweep(low, high).chain(small.filter(move |&x| x >= low))
}

fn assert_within<S: Scalar>(
    limit: f64,
    name: &str,
    points: impl Iterator<Item = S>,
    ulps: impl Fn(S) -> f64,
) {
    let (mut worst, mut at) = (0.0, S::zero());
    for x in points {
        let error = ulps(x);
        if error > worst {
            (worst, at) = (error, x);
        }
    }
    println!("{name} {}: {worst:.2} ulp at {at:e}", S::NAME);
    assert!(worst <= limit, "{name} {}: {worst} ulp at {at:e}", S::NAME);
}

/// f32 over its whole range against f64, where the exact value is known to more digits.
#[test]
fn f32_functions_are_within_a_few_ulp() {
    type Functions = (&'static str, [(&'static str, fn(f32) -> f32); 2], fn(f64) -> f64, f64, f64);
    let functions: [Functions; 7] = [
        ("exp", both!(exp), f64::exp, -110.0, 89.0),
        ("exp_m1", both!(exp_m1), f64::exp_m1, -110.0, 89.0),
        ("ln_1p", both!(ln_1p), f64::ln_1p, 0.0, 1e6),
        ("tanh", both!(tanh), f64::tanh, -20.0, 20.0),
        ("sigmoid", both!(sigmoid), |x| 1.0 / (1.0 + (-x).exp()), -104.0, 104.0),
        ("softplus", both!(softplus), |x| x.max(0.0) + (-x.abs()).exp().ln_1p(), -104.0, 104.0),
        ("normal_cdf", both!(normal_cdf), libm_normal_cdf, -14.5, 6.0),
    ];
    for (name, both, exact, low, high) in functions {
        for (kind, ours) in both {
            let name = format!("{name} {kind}");
            let points = points(low, high).map(|x| x as f32);
            let limit = if name.starts_with("normal") { 6.0 } else { 3.0 };
            assert_within(limit, &name, points, |x| ulps_f32(ours(x), exact(f64::from(x))));
        }
    }
}

/// f64 against the standard library, whose own error is below one ulp.
#[test]
#[cfg_attr(miri, ignore = "Miri adds random errors to the standard library's functions")]
fn f64_functions_are_within_3_ulp_of_std() {
    type Functions = (&'static str, [(&'static str, fn(f64) -> f64); 2], fn(f64) -> f64, f64, f64);
    let functions: [Functions; 6] = [
        ("exp", both!(exp), f64::exp, -750.0, 710.0),
        ("exp_m1", both!(exp_m1), f64::exp_m1, -750.0, 710.0),
        ("ln_1p", both!(ln_1p), f64::ln_1p, 0.0, 1e6),
        ("tanh", both!(tanh), f64::tanh, -25.0, 25.0),
        ("sigmoid", both!(sigmoid), sigmoid_by_std, -750.0, 750.0),
        ("softplus", both!(softplus), |x| x.max(0.0) + (-x.abs()).exp().ln_1p(), -750.0, 750.0),
    ];
    for (name, both, exact, low, high) in functions {
        for (kind, ours) in both {
            let name = format!("{name} {kind}");
            assert_within(3.0, &name, points(low, high), |x| ulps_f64(ours(x), exact(x)));
        }
    }
}

#[test]
fn of_negative_arguments_both_ways_give_the_same_bits() {
    fn check<N: Number>(y: N::Element, bits: fn(N) -> u64) {
        let y = N::all(y);
        assert_eq!(bits(exp_neg(y)), bits(exp(-y)));
        assert_eq!(bits(exp_m1_neg(y)), bits(exp_m1(-y)));
    }
    for y in sweep(0.0, 120.0).map(|y| y as f32).chain([f32::INFINITY, 1e-30]) {
        check::<f32>(y, |x| x.to_bits().into());
        check::<Fused<f32, 1>>(y, |x| x.0[0].to_bits().into());
    }
    for y in sweep(0.0, 760.0).chain([f64::INFINITY, 1e-300]) {
        check::<f64>(y, |x| x.to_bits());
        check::<Fused<f64, 1>>(y, |x| x.0[0].to_bits());
    }
}

#[test]
fn limits_are_exact() {
    fn check<N: Number>(number: fn(N) -> N::Element) {
        let of = |f: fn(N) -> N, x| number(f(N::all(x)));
        let (inf, nan) = (N::Element::infinity(), N::Element::nan());
        let (zero, one) = (N::Element::zero(), N::Element::one());
        assert_eq!(of(exp, inf), inf);
        assert_eq!(of(exp, -inf), zero);
        assert_eq!(of(exp_m1, -inf), -one);
        assert_eq!(of(exp_m1, inf), inf);
        assert_eq!(of(tanh, inf), one);
        assert_eq!(of(tanh, -inf), -one);
        assert_eq!(of(sigmoid, -inf), zero);
        assert_eq!(of(sigmoid, inf), one);
        assert_eq!(of(ln_1p, zero), zero);
        assert_eq!(of(ln_1p, inf), inf);
        assert_eq!(of(softplus, -inf), zero);
        assert_eq!(of(softplus, inf), inf);
        assert_eq!(of(normal_cdf, -inf), zero);
        assert_eq!(of(normal_pdf, inf), zero);
        for f in [
            exp, exp_m1, exp_neg, exp_m1_neg, ln_1p, tanh, sigmoid, softplus, normal_cdf,
            normal_pdf,
        ] {
            assert!(of(f, nan).is_nan());
        }
        let smallest = N::Element::min_positive_value();
        assert_eq!(of(tanh, smallest), smallest);
        assert!(of(tanh, -zero).is_sign_negative());
    }
    check::<f32>(|x| x);
    check::<f64>(|x| x);
    check::<Fused<f32, 1>>(|x| x.0[0]);
    check::<Fused<f64, 1>>(|x| x.0[0]);
}

/// Φ and φ as mpmath gives them, at 40 digits.
#[test]
fn the_normal_distribution_is_exact_to_its_last_digits() {
    let exact: [(f64, f64, f64); 13] = [
        (-38.0, 2.885_428_35e-316, 1.097_221_052e-314),
        (-30.0, 4.906_713_927_148_187e-198, 1.473_646_134_878_547_6e-196),
        (-20.0, 2.753_624_118_606_233_7e-89, 5.520_948_362_159_764e-88),
        (-10.0, 7.619_853_024_160_525e-24, 7.694_598_626_706_419e-23),
        (-5.5, 1.898_956_246_588_771_8e-8, 1.076_976_004_254_327_6e-7),
        (-3.0, 0.001_349_898_031_630_094_6, 0.004_431_848_411_938_007_5),
        (-1.0, 0.158_655_253_931_457_05, 0.241_970_724_519_143_34),
        (-0.1, 0.460_172_162_722_971, 0.396_952_547_477_011_75),
        (-1e-9, 0.499_999_999_601_057_73, 0.398_942_280_401_432_7),
        (0.3, 0.617_911_422_188_952_7, 0.381_387_815_460_524_1),
        (2.5, 0.993_790_334_674_223_8, 0.017_528_300_493_568_537),
        (6.0, 0.999_999_999_013_412_3, 6.075_882_849_823_285e-9),
        (8.3, 0.999_999_999_999_999_947_9, 4.381_639_435_509_332_5e-16),
    ];
    for (x, cdf, pdf) in exact {
        for number in [normal_cdf(x), normal_cdf(Fused([x])).0[0]] {
            assert!(ulps_f64(number, cdf) <= 3.0, "Φ({x}) = {number:e}, not {cdf:e}");
        }
        for number in [normal_pdf(x), normal_pdf(Fused([x])).0[0]] {
            assert!(ulps_f64(number, pdf) <= 3.0, "φ({x}) = {number:e}, not {pdf:e}");
        }
    }
}

/// f64 against libm, whose argument is rounded: x² times that is lost in the tail.
#[test]
fn the_normal_distribution_is_that_of_libm() {
    for x in sweep(-37.0, 9.0) {
        let libm = libm_normal_cdf(x);
        let bound = (4.0 + x * x) * f64::EPSILON * libm;
        for number in [normal_cdf(x), normal_cdf(Fused([x])).0[0]] {
            assert!((number - libm).abs() <= bound, "Φ({x}) = {number:e}, not {libm:e}");
        }
    }
}
