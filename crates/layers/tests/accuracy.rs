//! Dense sweeps of every activation and derivative over the whole range, against an evaluation of
//! the defining formulas by other means: the standard library's functions and, where a rounded
//! argument would cost digits, twice the precision.

use chainrule_layers::Activation;
use chainrule_tensor::{Scalar, Threads};

/// The exact value, and the size of the terms it is the sum of. Next to a zero that is no
/// cancelling of exact numbers (SiLU's derivative at −1.278), rounding is relative to the latter.
struct Exact {
    value: f64,
    size: f64,
}

impl From<f64> for Exact {
    fn from(value: f64) -> Self {
        Self { value, size: value.abs() }
    }
}

fn terms(u: f64, v: f64) -> Exact {
    Exact { value: u + v, size: u.abs() + v.abs() }
}

/// `x · y` and its rounding error.
fn product(x: f64, y: f64) -> (f64, f64) {
    let p = x * y;
    (p, x.mul_add(y, -p))
}

/// `e^{high + low}` for a `low` far below 1.
fn exp2(high: f64, low: f64) -> f64 {
    high.exp() * (1.0 + low)
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// The normal density, with `x²/2` in twice the precision.
fn density(x: f64) -> f64 {
    let (square, error) = product(x, x);
    if square > 3000.0 {
        return 0.0;
    }
    exp2(-square / 2.0, -error / 2.0) / (2.0 * std::f64::consts::PI).sqrt()
}

/// The normal distribution: φ(x) (x + x³/3 + x⁵/15 + …) + 1/2 near 0, in the tails the continued
/// fraction φ(x) / (x + 1/(x + 2/(x + …))) (Abramowitz and Stegun 26.2.11 and 26.2.14).
fn distribution(x: f64) -> f64 {
    let z = x.abs();
    if z > 2.0 {
        let fraction = (1..=400).rev().fold(z, |below, k| z + f64::from(k) / below);
        let tail = density(z) / fraction;
        return if x < 0.0 { tail } else { 1.0 - tail };
    }
    let (mut term, mut sum) = (x, x);
    for k in 1..60 {
        term *= x * x / f64::from(2 * k + 1);
        sum += term;
    }
    0.5 + density(x) * sum
}

/// GELU's gate in its tanh form and the derivative of the gate's argument: `σ(2u)`, `σ(−2u)`, `2u'`.
fn tanh_gate(x: f64) -> (f64, f64, f64) {
    if x.abs() > 1e3 {
        return if x < 0.0 { (0.0, 1.0, 0.0) } else { (1.0, 0.0, 0.0) };
    }
    let c = (8.0 / std::f64::consts::PI).sqrt();
    // √(8/π) less its rounding.
    let c_low = -c.mul_add(c, -8.0 / std::f64::consts::PI) / (2.0 * c);
    let (square, square_low) = product(x, x);
    let (cubic, cubic_low) = product(0.044_715, square);
    let factor = 1.0 + cubic;
    let factor_low = (1.0 - factor) + cubic + cubic_low + 0.044_715 * square_low;
    let (linear, linear_low) = product(c, x);
    let (high, high_low) = product(linear, factor);
    let low = high_low + linear * factor_low + (linear_low + c_low * x) * factor;
    let gate = |high: f64, low: f64| {
        let e = if high > -750.0 { exp2(high, low) } else { 0.0 };
        if high > 40.0 { 1.0 } else { e / (1.0 + e) }
    };
    (gate(high, low), gate(-high, -low), c * (1.0 + 3.0 * 0.044_715 * square))
}

fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

const SELU: (f64, f64) = (1.673_263_242_354_377_2, 1.050_700_987_355_480_5);

fn elu(x: f64, alpha: f64) -> f64 {
    if x > 0.0 { x } else { alpha * x.exp_m1() }
}

/// `g(x)` for finite `x`.
fn value(g: Activation, x: f64) -> Exact {
    match g {
        Activation::Identity => x,
        Activation::Sigmoid => sigmoid(x),
        Activation::Tanh => x.tanh(),
        Activation::Relu => x.max(0.0),
        Activation::LeakyRelu { slope } => x.max(0.0) + slope * x.min(0.0),
        Activation::Elu { alpha } => elu(x, alpha),
        Activation::Selu => SELU.1 * elu(x, SELU.0),
        Activation::Gelu => x * distribution(x),
        Activation::GeluTanh => x * tanh_gate(x).0,
        Activation::Silu => x * sigmoid(x),
        Activation::Softplus => softplus(x),
        Activation::Softsign => x / (1.0 + x.abs()),
        Activation::HardSigmoid => ((x + 3.0) / 6.0).clamp(0.0, 1.0),
        Activation::HardSwish => x * ((x + 3.0) / 6.0).clamp(0.0, 1.0),
        Activation::Mish => x * softplus(x).tanh(),
        other => panic!("{other} has no evaluation here"),
    }
    .into()
}

/// `g'(x)` for finite `x`.
fn derivative(g: Activation, x: f64) -> Exact {
    let step = |at: f64| f64::from(u8::from(x > at));
    match g {
        Activation::Identity => 1.0.into(),
        Activation::Sigmoid => (sigmoid(x) * sigmoid(-x)).into(),
        Activation::Tanh => x.cosh().powi(-2).into(),
        Activation::Relu => step(0.0).into(),
        Activation::LeakyRelu { slope } => (if x > 0.0 { 1.0 } else { slope }).into(),
        Activation::Elu { alpha } => (if x > 0.0 { 1.0 } else { alpha * x.exp() }).into(),
        Activation::Selu => (SELU.1 * if x > 0.0 { 1.0 } else { SELU.0 * x.exp() }).into(),
        Activation::Gelu => terms(distribution(x), x * density(x)),
        Activation::GeluTanh => {
            let (gate, other, slope) = tanh_gate(x);
            terms(gate, x * gate * other * slope)
        }
        Activation::Silu => terms(sigmoid(x), x * sigmoid(x) * sigmoid(-x)),
        Activation::Softplus => sigmoid(x).into(),
        Activation::Softsign => (1.0 / (1.0 + x.abs()) / (1.0 + x.abs())).into(),
        Activation::HardSigmoid => (if x > -3.0 && x < 3.0 { 1.0 / 6.0 } else { 0.0 }).into(),
        Activation::HardSwish if x <= -3.0 => 0.0.into(),
        Activation::HardSwish if x >= 3.0 => 1.0.into(),
        Activation::HardSwish => ((2.0 * x + 3.0) / 6.0).into(),
        Activation::Mish => {
            let s = softplus(x);
            terms(s.tanh(), x * s.cosh().powi(-2) * sigmoid(x))
        }
        other => panic!("{other} has no evaluation here"),
    }
}

/// From −120 to 120 in small uneven steps, ±10^p over the exponents of the type, subnormal numbers
/// among them, the neighbours of the kinks, and the largest numbers.
fn points<S: Scalar>(exponents: std::ops::RangeInclusive<i32>) -> Vec<S> {
    let steps = 60_000;
    let inner = (-steps..=steps).map(|i| f64::from(i) * 120.0 / f64::from(steps) + 1e-7);
    let middle = (-steps..=steps).map(|i| f64::from(i) * 4.0 / f64::from(steps));
    let tenth = 10 * exponents.start()..=10 * exponents.end();
    let outer = tenth.flat_map(|p| [1.0, -1.0].map(|sign| sign * 10_f64.powf(f64::from(p) / 10.0)));
    let far = (0..2000).flat_map(|i| [1.0, -1.0].map(|sign| sign * (120.0 + 0.4 * f64::from(i))));
    let special = [0.0, -0.0, 3.0, -3.0, 1e3, -1e3, 1.0, -1.0, S::max_value().as_f64()];
    let near_kinks = [2.999_999, 3.000_001, -2.999_999, -3.000_001];
    let all = inner.chain(middle).chain(outer).chain(far).chain(special).chain(near_kinks);
    all.map(S::of).chain([S::min_value(), S::min_positive_value()]).collect()
}

/// The largest error relative to the size of the terms, and its place; errors below `absolute`
/// are left out.
fn worst<S: Scalar>(
    x: &[S],
    found: &[S],
    absolute: f64,
    exact: impl Fn(f64) -> Exact,
) -> (f64, f64) {
    let mut worst = (0.0, 0.0);
    for (x, found) in x.iter().zip(found) {
        let Exact { value, size } = exact(x.as_f64());
        let error = (found.as_f64() - value).abs();
        if S::of(value) == *found || error <= absolute {
            continue;
        }
        let relative = error / size;
        assert!(!relative.is_nan(), "{found:e} at {x:e}, not {value:e}");
        if relative > worst.0 {
            worst = (relative, x.as_f64());
        }
    }
    worst
}

fn sweep<S: Scalar>(
    exponents: std::ops::RangeInclusive<i32>,
    bound: impl Fn(Activation) -> f64,
    absolute: f64,
) {
    let x = points::<S>(exponents);
    let ones = vec![S::one(); x.len()];
    let (mut h, mut slope) = (ones.clone(), ones.clone());
    let more = [
        Activation::LeakyRelu { slope: -0.5 },
        Activation::LeakyRelu { slope: 0.0 },
        Activation::Elu { alpha: 0.3 },
    ];
    for g in Activation::ALL.into_iter().chain(more) {
        g.apply(&x, &mut h, &Threads::one());
        g.backward(&x, &ones, &mut slope, &Threads::one());
        // A parameter rounds to the type before it is used.
        let rounded = match g {
            Activation::LeakyRelu { slope } => {
                Activation::LeakyRelu { slope: S::of(slope).as_f64() }
            }
            Activation::Elu { alpha } => Activation::Elu { alpha: S::of(alpha).as_f64() },
            g => g,
        };
        let (error, at) = worst(&x, &h, absolute, |x| value(rounded, x));
        let (slope_error, slope_at) = worst(&x, &slope, absolute, |x| derivative(rounded, x));
        let name = S::NAME;
        println!("{g} {name}: g {error:.1e} at {at:.4}, g' {slope_error:.1e} at {slope_at:.4}");
        let bound = bound(g);
        assert!(error <= bound, "{g} in {name}: {error:.2e} off at {at:e}");
        assert!(slope_error <= bound, "{g}' in {name}: {slope_error:.2e} off at {slope_at:e}");
    }
}

/// In their tails the two GELUs are `e^{−y}` of a `y` up to 745 (`f32`: 90), whose own rounding
/// counts `y` times; all others are within a few units in the last place.
fn bound(g: Activation, unit: f64, largest_argument: f64) -> f64 {
    match g {
        Activation::Gelu | Activation::GeluTanh => largest_argument * unit,
        _ => 4.0 * unit,
    }
}

#[test]
fn f64_sweep() {
    sweep::<f64>(-323..=308, |g| bound(g, f64::EPSILON, 1000.0), 1e-300);
}

#[test]
fn f32_sweep() {
    sweep::<f32>(-45..=38, |g| bound(g, f32::EPSILON.into(), 40.0), 1e-37);
}

#[test]
fn infinity_and_nan_go_where_mathematics_sends_them() {
    fn check<S: Scalar>() {
        let (inf, zero, one) = (S::infinity(), S::zero(), S::one());
        for g in Activation::ALL {
            assert!(g.value(S::nan()).is_nan() && g.derivative(S::nan()).is_nan(), "{g}");
            let (above, slope_above) = match g {
                Activation::Sigmoid | Activation::Tanh => (one, zero),
                Activation::Softsign | Activation::HardSigmoid => (one, zero),
                Activation::Selu => (inf, S::of(SELU.1)),
                _ => (inf, one),
            };
            assert_eq!((g.value(inf), g.derivative(inf)), (above, slope_above), "{g}");
            let (below, slope_below) = match g {
                Activation::Identity => (-inf, one),
                Activation::LeakyRelu { slope } => (-inf, S::of(slope)),
                Activation::Elu { alpha } => (S::of(-alpha), zero),
                Activation::Selu => (S::of(-SELU.0) * S::of(SELU.1), zero),
                Activation::Tanh | Activation::Softsign => (-one, zero),
                _ => (zero, zero),
            };
            assert_eq!((g.value(-inf), g.derivative(-inf)), (below, slope_below), "{g}");
        }
        let flat = Activation::LeakyRelu { slope: 0.0 };
        assert_eq!((flat.value(-inf), flat.derivative(-inf)), (zero, zero));
    }
    check::<f32>();
    check::<f64>();
}

#[test]
fn at_kinks_the_derivative_is_that_of_pytorch() {
    for (text, kink, slope) in [
        ("relu", 0.0, 0.0),
        ("leaky_relu(0.1)", 0.0, 0.1),
        ("elu(0.5)", 0.0, 0.5),
        ("selu", 0.0, SELU.0 * SELU.1),
        ("hard_sigmoid", -3.0, 0.0),
        ("hard_sigmoid", 3.0, 0.0),
        ("hard_swish", -3.0, 0.0),
        ("hard_swish", 3.0, 1.0),
    ] {
        let g: Activation = text.parse().expect(text);
        assert!(g.kinks().contains(&kink), "{text}");
        assert!((g.derivative(kink) - slope).abs() < 1e-15, "{text} at {kink}");
    }
}
