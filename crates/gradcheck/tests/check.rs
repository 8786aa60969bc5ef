//! The rule of the check: what passes, what fails, what is refused.

use chainrule_gradcheck::{
    GradcheckError, Options, Pieces, Report, Sample, check, numeric_gradient,
};
use proptest::prelude::*;

fn run(theta: &[f64], gradient: &[f64], f: impl Fn(&[f64]) -> f64) -> Report {
    let mut moved = theta.to_vec();
    let report = check(&mut moved, gradient, f, &Options::default()).unwrap();
    assert_eq!(moved, theta, "θ is restored");
    report
}

/// The mean over `n` examples of `(w_1 x + w_2 x² + w_3 − y)²`, and its gradient.
fn mean_squared_error(theta: &[f64]) -> (f64, Vec<f64>) {
    let n = 40;
    let (mut value, mut gradient) = (0.0, vec![0.0; 3]);
    for i in 0..n {
        let x = f64::from(i) / 20.0 - 1.0;
        let y = (3.0 * x).sin();
        let error = theta[0] * x + theta[1] * x * x + theta[2] - y;
        value += error * error / f64::from(n);
        for (g, factor) in gradient.iter_mut().zip([x, x * x, 1.0]) {
            *g += 2.0 * error * factor / f64::from(n);
        }
    }
    (value, gradient)
}

/// `Σ |θ_i|` with its pieces.
fn absolute(theta: &[f64]) -> Sample {
    let mut pieces = Pieces::new();
    theta.iter().for_each(|&x| pieces.note(u8::from(x > 0.0)));
    Sample { value: theta.iter().map(|x| x.abs()).sum(), piece: pieces.finish() }
}

#[test]
fn right_gradients_pass() {
    let theta = [0.3, -1.2, 0.7];
    let report = run(&theta, &mean_squared_error(&theta).1, |t| mean_squared_error(t).0);
    assert!(report.passed(), "{report}");
    assert_eq!((report.entries, report.checked, report.kinks), (3, 3, 0));
    assert_eq!(report.value, mean_squared_error(&theta).0);
}

#[test]
fn wrong_gradients_fail_and_name_the_worst_entry() {
    let theta = [0.3, -1.2, 0.7];
    let right = mean_squared_error(&theta).1;
    let fails = |gradient: &[f64]| {
        let report = run(&theta, gradient, |t| mean_squared_error(t).0);
        assert!(!report.passed(), "{report}");
        report
    };
    // All signs, no 1/n, half of it.
    fails(&right.iter().map(|g| -g).collect::<Vec<_>>());
    fails(&right.iter().map(|g| 40.0 * g).collect::<Vec<_>>());
    fails(&right.iter().map(|g| g / 2.0).collect::<Vec<_>>());
    for index in 0..3 {
        for wrong in [0.0, -right[index], right[index] * (1.0 + 1e-5)] {
            let mut gradient = right.clone();
            gradient[index] = wrong;
            let worst = fails(&gradient).worst.unwrap();
            assert_eq!((worst.index, worst.analytic), (index, wrong));
            assert!((worst.numeric - right[index]).abs() < 1e-9);
        }
    }
}

#[test]
fn a_zero_gradient_of_a_constant_passes() {
    assert!(run(&[1.0, 2.0], &[0.0, 0.0], |_| 7.0).passed());
}

#[test]
fn the_bound_is_the_one_promised() {
    let report = run(&[3.0, 4.0], &[6.0, 8.0], |t| t[0] * t[0] + t[1] * t[1]);
    let norm = report.numeric_norm.max(10.0);
    let expected = 1e-8 * norm + 2.2e-16 * 25.0 * 2.0_f64.sqrt() / 1e-5;
    assert!((report.bound - expected).abs() < 1e-12 * expected);
    assert_eq!(report.analytic_norm, 10.0);
}

#[test]
fn the_represented_step_divides() {
    // θ ± h rounds to a grid of 2^-19 here: dividing by 2h would be off by a few percent.
    let theta = 2.0_f64.powi(33) + 1.0;
    let gradient = numeric_gradient(&mut [theta], |t| t[0] - theta, 1e-5).unwrap();
    assert_eq!(gradient, [1.0]);
}

#[test]
fn kinks_are_left_out_up_to_one_percent() {
    let gradient_of = |theta: &[f64]| theta.iter().map(|x| x.signum()).collect::<Vec<_>>();
    let mut theta: Vec<f64> = (0..200).map(|i| 0.01 * (f64::from(i) - 99.5)).collect();
    let options = Options::default();
    for kinks in 0..=4 {
        if kinks > 0 {
            theta[50 * (kinks - 1)] = 0.4e-5 * if kinks % 2 == 0 { 1.0 } else { -1.0 };
        }
        let mut gradient = gradient_of(&theta);
        let report = check(&mut theta, &gradient, absolute, &options).unwrap();
        assert_eq!((report.checked, report.kinks), (200 - kinks, kinks));
        assert_eq!(report.passed(), kinks <= 2, "{report}");
        assert_eq!(report.to_string().contains("kinks"), kinks > 0);
        // What is left is still checked.
        gradient[120] = -gradient[120];
        let report = check(&mut theta, &gradient, absolute, &options).unwrap();
        assert!(!report.passed());
        assert_eq!(report.worst.map(|entry| entry.index), Some(120));
    }
}

#[test]
fn kinks_unreported_make_the_check_fail() {
    let report = run(&[1e-6, 1.0], &[1.0, 1.0], |t| absolute(t).value);
    assert!(!report.passed());
}

#[test]
fn all_entries_at_kinks_do_not_pass() {
    let report = check(&mut [0.0], &[0.0], absolute, &Options::default()).unwrap();
    assert_eq!((report.checked, report.kinks, report.worst), (0, 1, None));
    assert!(!report.passed());
}

#[test]
fn max_entries_samples_a_seeded_part() {
    let mut theta: Vec<f64> = (0..500).map(|i| (f64::from(i) * 0.37).sin()).collect();
    let square = |t: &[f64]| t.iter().map(|x| x * x).sum::<f64>();
    let mut gradient: Vec<f64> = theta.iter().map(|x| 2.0 * x).collect();
    let options = Options { max_entries: Some(50), ..Options::default() };
    let report = check(&mut theta, &gradient, square, &options).unwrap();
    assert!(report.passed(), "{report}");
    assert_eq!((report.entries, report.checked), (500, 50));
    assert_eq!(report, check(&mut theta, &gradient, square, &options).unwrap());

    gradient[123] += 1.0;
    let found = |seed| {
        let options = Options { seed, max_entries: Some(50), ..Options::default() };
        !check(&mut theta.clone(), &gradient, square, &options).unwrap().passed()
    };
    let hits = (0..100).filter(|&seed| found(seed)).count();
    assert!((1..40).contains(&hits), "one entry in ten is drawn, {hits} hits of 100");

    let options = Options { max_entries: Some(1000), ..Options::default() };
    assert_eq!(check(&mut theta, &gradient, square, &options).unwrap().checked, 500);
}

#[test]
fn bad_input_is_named() {
    let sum = |t: &[f64]| t.iter().sum::<f64>();
    let error = |theta: &[f64], gradient: &[f64], options: &Options| {
        check(&mut theta.to_vec(), gradient, sum, options).unwrap_err()
    };
    let default = Options::default();
    let length = GradcheckError::Length { theta: 2, gradient: 1 };
    assert_eq!(error(&[1.0, 2.0], &[1.0], &default), length);
    assert_eq!(error(&[], &[], &default), GradcheckError::NoEntries);
    let none = Options { max_entries: Some(0), ..Options::default() };
    assert_eq!(error(&[1.0], &[1.0], &none), GradcheckError::NoEntries);
    for step in [0.0, -1e-5, f64::NAN, f64::INFINITY] {
        let options = Options { step, ..Options::default() };
        assert!(matches!(error(&[1.0], &[1.0], &options), GradcheckError::Step { .. }));
    }
    for tolerance in [-1e-8, f64::NAN, f64::INFINITY] {
        let options = Options { tolerance, ..Options::default() };
        assert!(matches!(error(&[1.0], &[1.0], &options), GradcheckError::Tolerance { .. }));
    }
    let theta = error(&[1.0, f64::INFINITY], &[1.0, 1.0], &default);
    assert!(matches!(theta, GradcheckError::Theta { index: 1, .. }));
    let gradient = error(&[1.0, 2.0], &[1.0, f64::NAN], &default);
    assert!(gradient.to_string().contains("entry 1 of the gradient is NaN"), "{gradient}");
    let lost = error(&[1.0, 1e30], &[1.0, 1.0], &default);
    assert!(matches!(lost, GradcheckError::StepLost { index: 1, .. }));
}

#[test]
fn values_that_are_not_finite_are_errors_that_name_the_entry() {
    let mut theta = [1.0, 1e-6];
    let log = |t: &[f64]| t[0] + t[1].ln();
    let error = check(&mut theta, &[1.0, 1e6], log, &Options::default()).unwrap_err();
    assert!(matches!(error, GradcheckError::PerturbedValue { index: 1, .. }), "{error}");
    assert_eq!(theta, [1.0, 1e-6], "θ is restored after an error");

    let error = check(&mut [-1.0], &[1.0], |t| t[0].ln(), &Options::default()).unwrap_err();
    assert!(matches!(error, GradcheckError::Value { .. }), "{error}");
    let error = numeric_gradient(&mut [0.0], |t| t[0].sqrt(), 1e-5).unwrap_err();
    assert!(matches!(error, GradcheckError::PerturbedValue { index: 0, .. }), "{error}");
}

#[test]
fn a_random_function_is_refused() {
    let mut calls = 0.0;
    let noisy = |_: &[f64]| {
        calls += 1.0;
        calls
    };
    let error = check(&mut [0.0], &[0.0], noisy, &Options::default()).unwrap_err();
    assert!(matches!(error, GradcheckError::NotDeterministic { .. }), "{error}");
}

#[test]
fn theta_is_restored_after_a_panic() {
    let mut theta = [0.1, -0.0];
    let bits = theta.map(f64::to_bits);
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let panics = |t: &[f64]| if t[1] > 0.0 { panic!("expected by this test") } else { 0.0 };
        check(&mut theta, &[0.0, 0.0], panics, &Options::default())
    }));
    assert!(outcome.is_err());
    assert_eq!(theta.map(f64::to_bits), bits);
}

#[test]
fn the_report_reads_as_two_lines() {
    let report = run(&[3.0], &[6.0], |t| t[0] * t[0]);
    let text = report.to_string();
    assert!(text.starts_with("gradient check passed: 1 of 1 entries, ‖ĝ−g‖ = "), "{text}");
    assert_eq!(text.lines().count(), 2);
    let text = run(&[3.0], &[-6.0], |t| t[0] * t[0]).to_string();
    assert!(text.contains("failed") && text.contains("worst entry 0: analytic -6"), "{text}");
}

/// `‖g‖`, which these checks keep off 0: near a stationary point the differences' own error,
/// `h² L'''/6`, is larger than a bound relative to it.
fn norm(gradient: &[f64]) -> f64 {
    gradient.iter().map(|g| g * g).sum::<f64>().sqrt()
}

proptest! {
    #[test]
    fn polynomials(theta in prop::collection::vec(-3.0..3.0_f64, 1..20), c in -2.0..2.0_f64) {
        // L = c Σ θ_i³ + Σ θ_i θ_{i+1}
        let f = |t: &[f64]| {
            let cubes: f64 = t.iter().map(|x| c * x * x * x).sum();
            cubes + t.windows(2).map(|pair| pair[0] * pair[1]).sum::<f64>()
        };
        let at = |i: usize| theta.get(i).copied().unwrap_or(0.0);
        let gradient: Vec<f64> = (0..theta.len())
            .map(|i| 3.0 * c * theta[i] * theta[i] + at(i + 1) + at(i.wrapping_sub(1)))
            .collect();
        prop_assume!(norm(&gradient) > 0.1);
        let report = run(&theta, &gradient, f);
        prop_assert!(report.passed(), "{report}");
    }

    #[test]
    fn trigonometry(theta in prop::collection::vec(-5.0..5.0_f64, 1..20)) {
        let f = |t: &[f64]| t.iter().map(|x| x.sin() + (x * 0.5).cos() + x.tanh()).sum::<f64>();
        let gradient: Vec<f64> = theta
            .iter()
            .map(|x| x.cos() - 0.5 * (x * 0.5).sin() + 1.0 / (x.cosh() * x.cosh()))
            .collect();
        prop_assume!(norm(&gradient) > 0.1);
        let report = run(&theta, &gradient, f);
        prop_assert!(report.passed(), "{report}");
    }

    #[test]
    fn an_error_in_any_entry_is_found(
        theta in prop::collection::vec(-1.0..1.0_f64, 1..50),
        place in any::<prop::sample::Index>(),
        error in prop_oneof![-1.0..-1e-6, 1e-6..1.0_f64],
    ) {
        let mut gradient: Vec<f64> = theta.iter().map(|x| x.exp()).collect();
        let index = place.index(theta.len());
        gradient[index] += error;
        let report = run(&theta, &gradient, |t| t.iter().map(|x| x.exp()).sum());
        prop_assert!(!report.passed(), "{report}");
        prop_assert_eq!(report.worst.unwrap().index, index);
    }

    #[test]
    fn numeric_gradient_agrees(theta in prop::collection::vec(-2.0..2.0_f64, 1..10)) {
        let mut moved = theta.clone();
        let g = numeric_gradient(&mut moved, |t| t.iter().map(|x| x.sin()).sum::<f64>(), 1e-5);
        prop_assert_eq!(&moved, &theta);
        for (g, x) in g.unwrap().iter().zip(&theta) {
            prop_assert!((g - x.cos()).abs() < 1e-9);
        }
    }
}
