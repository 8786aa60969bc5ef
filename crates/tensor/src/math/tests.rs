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

fn sweep(low: f64, high: f64) -> impl Iterator<Item = f64> {
    let steps = if cfg!(miri) { 500 } else { 200_000 };
    (0..=steps).map(move |i| low + (high - low) * f64::from(i) / f64::from(steps))
}

/// A sweep of the range, and of small numbers in it.
fn points(low: f64, high: f64) -> impl Iterator<Item = f64> {
    let small = sweep(-1.0, 1.0).map(|t| t * t * t * 1e-3);
    sweep(low, high).chain(small.filter(move |&x| x >= low))
}

fn assert_within_3_ulp<S: Scalar>(
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
    assert!(worst <= 3.0, "{name} {}: {worst} ulp at {at:e}", S::NAME);
}

/// f32 over its whole range against f64, where the exact value is known to more digits.
#[test]
fn f32_functions_are_within_3_ulp() {
    type Functions = (&'static str, [(&'static str, fn(f32) -> f32); 2], fn(f64) -> f64, f64, f64);
    let functions: [Functions; 6] = [
        ("exp", both!(exp), f64::exp, -110.0, 89.0),
        ("exp_m1", both!(exp_m1), f64::exp_m1, -110.0, 89.0),
        ("ln_1p", both!(ln_1p), f64::ln_1p, 0.0, 1e6),
        ("tanh", both!(tanh), f64::tanh, -20.0, 20.0),
        ("sigmoid", both!(sigmoid), |x| 1.0 / (1.0 + (-x).exp()), -104.0, 104.0),
        ("softplus", both!(softplus), |x| x.max(0.0) + (-x.abs()).exp().ln_1p(), -104.0, 104.0),
    ];
    for (name, both, exact, low, high) in functions {
        for (kind, ours) in both {
            let name = format!("{name} {kind}");
            let points = points(low, high).map(|x| x as f32);
            assert_within_3_ulp(&name, points, |x| ulps_f32(ours(x), exact(f64::from(x))));
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
            assert_within_3_ulp(&name, points(low, high), |x| ulps_f64(ours(x), exact(x)));
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

#[test]
fn the_normal_tail_keeps_its_digits() {
    // Φ(−30), Φ(−10), Φ(−1): exact values rounded (Abramowitz and Stegun 26.2).
    for (x, exact) in [
        (-30.0, 4.906_713_927_148_187e-198),
        (-10.0, 7.619_853_024_160_527e-24),
        (-1.0, 0.158_655_253_931_457_05),
    ] {
        assert!((normal_cdf(x) / exact - 1.0_f64).abs() < 1e-13, "Φ({x})");
    }
}
