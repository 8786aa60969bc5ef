//! Huge, infinite and nearly certain outputs.

use chainrule_loss::{CrossEntropy, Loss, MeanSquaredError, NAMES, Reduction, Targets, parse};
use chainrule_tensor::{Matrix, Scalar};

use crate::{LN_2, evaluate, near};

#[test]
fn logits_of_1e4_stay_finite_in_f32() {
    let output = Matrix::from_rows(&[
        [1e4_f32, -1e4, 0.0],
        [-1e4, -1e4, -1e4],
        [1e4, 1e4, 1e4],
        [-1e4, 1e4, 1.0],
    ]);
    let soft =
        Matrix::from_rows(&[[0.0, 1.0, 0.0], [0.2, 0.3, 0.5], [1.0, 0.0, 0.0], [1.0, 0.0, 0.0]]);
    let classes = [1, 2, 0, 0];
    for name in ["cross_entropy", "cross_entropy(label_smoothing=0.1)"] {
        for targets in [Targets::Classes(&classes), Targets::Values(soft.view())] {
            let loss = parse(name, None, Reduction::Mean).unwrap();
            let (value, gradient) = evaluate(&*loss, output.view(), targets).unwrap();
            assert!(value.is_finite() && value > 9e3, "{name}: {value}");
            assert!(gradient.as_slice().iter().all(|g| g.abs() <= 0.25), "{name}");
        }
    }
    for name in ["bce_with_logits", "mse", "l1", "huber(1)", "squared_error"] {
        let loss = parse(name, None, Reduction::Mean).unwrap();
        let (value, gradient) =
            evaluate(&*loss, output.view(), Targets::Values(soft.view())).unwrap();
        assert!(value.is_finite() && value > 0.0, "{name}: {value}");
        assert!(gradient.as_slice().iter().all(|g| g.is_finite()), "{name}");
    }
}

/// `m + ln Σ` rounds to a multiple of 1/1024 near 1e4.
#[test]
fn large_equal_logits_keep_the_digits_of_the_logarithm() {
    for shift in [-1e4_f32, 1e4] {
        let output = Matrix::from_rows(&[[shift, shift, shift - 1e3]]);
        let (value, gradient) =
            evaluate(&CrossEntropy::new(), output.view(), Targets::Classes(&[1])).unwrap();
        assert!((f64::from(value) - LN_2).abs() < 1e-7, "{value}");
        assert_eq!(gradient.as_slice(), [0.5, -0.5, 0.0]);
    }
}

/// Where the true class is nearly certain, `ln Σ − a_ℓ` and `ŷ_ℓ − 1` would round to 0.
#[test]
fn confident_predictions_keep_the_digits_of_value_and_gradient() {
    fn check<S: Scalar>(gap: f64, bound: f64) {
        let logits = Matrix::from_rows(&[[S::zero(), S::of(-gap), S::of(-gap)]]);
        let (value, gradient) =
            evaluate::<S>(&CrossEntropy::new(), logits.view(), Targets::Classes(&[0])).unwrap();
        let wrong = (-gap).exp();
        let close = |found: S, exact: f64| (found.as_f64() / exact - 1.0).abs() <= bound;
        assert!(close(value, (2.0 * wrong).ln_1p()), "{value:e} in {}", S::NAME);
        let y = wrong / (1.0 + 2.0 * wrong);
        for (&found, exact) in gradient.as_slice().iter().zip([-2.0 * y, y, y]) {
            assert!(close(found, exact), "{found:e} instead of {exact:e} in {}", S::NAME);
        }
    }
    check::<f32>(20.0, 1e-6);
    check::<f32>(80.0, 1e-6);
    check::<f64>(40.0, 1e-14);
    check::<f64>(700.0, 1e-14);
}

/// `0 · ∞` is 0, as for [`ProbabilityCrossEntropy`]: a masked class has the logit −∞, and a
/// difference of huge logits overflows.
#[test]
fn a_class_that_is_not_wanted_may_be_impossible() {
    let (inf, ln_2) = (f64::INFINITY, LN_2);
    let masked = Matrix::from_rows(&[[0.0, -inf, 0.0]]);
    let target = Matrix::from_rows(&[[1.0, 0.0, 0.0]]);
    let (value, gradient) =
        evaluate(&CrossEntropy::new(), masked.view(), Targets::Values(target.view())).unwrap();
    assert!(near(value, ln_2), "{value}");
    assert_eq!(gradient.as_slice(), [-0.5, 0.0, 0.5]);
    // Smoothing leaves out a class of weight 0.
    let loss = CrossEntropy::new().with_class_weights(vec![1.0, 0.0, 1.0]).unwrap();
    let loss = loss.with_label_smoothing(0.3).unwrap();
    for targets in [Targets::Classes(&[0]), Targets::Values(target.view())] {
        let (value, gradient) = evaluate(&loss, masked.view(), targets).unwrap();
        assert!(near(value, 0.9 * ln_2), "{value}");
        assert!(gradient.as_slice().iter().all(|g| g.is_finite()), "{gradient:?}");
    }
    let huge = Matrix::from_rows(&[[3e38_f32, -3e38, 0.0]]);
    let target = Matrix::from_rows(&[[1.0, 0.0, 0.0]]);
    let (value, gradient) =
        evaluate(&CrossEntropy::new(), huge.view(), Targets::Values(target.view())).unwrap();
    assert_eq!((value, gradient.as_slice()), (0.0, [0.0; 3].as_slice()));
    // NaN is no such 0.
    let nan = Matrix::from_rows(&[[0.0, f64::NAN, 0.0]]);
    let target = Matrix::from_rows(&[[1.0, 0.0, 0.0]]);
    assert!(
        CrossEntropy::new().value(nan.view(), Targets::Values(target.view())).unwrap().is_nan()
    );
}

/// `2 (ŷ − y) / n` is a number of `f32` where `2 (ŷ − y)` is none.
#[test]
fn the_gradient_of_the_squared_error_does_not_overflow_on_the_way() {
    let output = Matrix::from_rows(&[[3e38_f32, 1.0, 0.0, 0.0]]);
    let target = Matrix::zeros(1, 4);
    let targets = Targets::Values(target.view());
    let (_, gradient) = evaluate(&MeanSquaredError::new(), output.view(), targets).unwrap();
    assert_eq!(gradient.as_slice(), [1.5e38, 0.5, 0.0, 0.0]);
}

#[test]
fn nan_and_infinity_do_not_panic() {
    let soft = Matrix::from_rows(&[[0.25, 0.75], [0.5, 0.5]]);
    for name in NAMES {
        let loss = parse::<f64>(name, None, Reduction::Mean).unwrap();
        for bad in [f64::NAN, f64::INFINITY] {
            let output = Matrix::from_rows(&[[0.5, bad], [0.5, 0.5]]);
            let (value, _) = evaluate(&*loss, output.view(), Targets::Values(soft.view())).unwrap();
            assert!(!value.is_finite(), "{name}: {value} for {bad}");
        }
    }
    let output = Matrix::from_rows(&[[0.5, f64::NAN]]);
    let (value, gradient) =
        evaluate(&CrossEntropy::new(), output.view(), Targets::Classes(&[0])).unwrap();
    assert!(value.is_nan() && gradient[(0, 0)].is_nan());
}
