//! Extreme logits, PyTorch's rules for options that meet, and what is refused.

use chainrule_loss::{
    BinaryCrossEntropy, CrossEntropy, Huber, L1, Loss, LossError, MeanSquaredError, NAMES,
    OutputFunction, ProbabilityCrossEntropy, Reduction, SquaredError, Targets, parse,
};
use chainrule_tensor::{Matrix, MatrixView, Scalar};

const LN_2: f64 = std::f64::consts::LN_2;

fn evaluate<S: Scalar>(
    loss: &dyn Loss<S>,
    output: MatrixView<'_, S>,
    targets: Targets<'_, S>,
) -> Result<(S, Matrix<S>), LossError> {
    let mut gradient = Matrix::from_fn(output.rows(), output.cols(), |_, _| S::nan());
    let value = loss.value_and_gradient(output, targets, gradient.view_mut())?;
    Ok((value, gradient))
}

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-14 * a.abs().max(1.0)
}

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

#[test]
fn the_weighted_mean_divides_by_the_weights_of_the_kept() {
    let output = Matrix::<f64>::zeros(4, 2);
    let loss = CrossEntropy::new().with_class_weights(vec![1.0, 5.0]).unwrap();
    // Equal logits cost ln 2 each, whatever the weights, if the mean divides by their sum.
    let value = loss.value(output.view(), Targets::Classes(&[0, 1, 1, 0])).unwrap();
    assert!(near(value, LN_2));
    // Probabilities: divided by the number of examples.
    let soft = Matrix::from_fn(4, 2, |_, j| j as f64);
    assert!(near(loss.value(output.view(), Targets::Values(soft.view())).unwrap(), 5.0 * LN_2));

    // Only rows 1 and 2 are kept; an ignored label need not be a class.
    let loss = loss.with_ignore_index(255);
    let output = Matrix::from_rows(&[[9.0, f64::NAN], [0.0, 0.0], [0.0, 0.0], [1.0, 2.0]]);
    let targets = Targets::Classes(&[255, 1, 0, 255]);
    let (value, gradient) = evaluate(&loss, output.view(), targets).unwrap();
    assert!(near(value, LN_2));
    assert_eq!([gradient.row(0), gradient.row(3)], [[0.0, 0.0], [0.0, 0.0]]);
    assert!(near(gradient[(1, 1)], -0.5 * 5.0 / 6.0));
}

/// `Σ value · weight` over parts is the whole, however it is cut.
#[test]
fn weights_put_the_means_of_parts_together() {
    let output = Matrix::from_fn(7, 3, |i, j| ((7 * i + 3 * j) % 11) as f64 / 4.0);
    let soft = Matrix::from_fn(7, 3, |i, j| ((5 * i + 2 * j) % 7) as f64 / 6.0);
    let weights = vec![0.0, 2.5, 0.5];
    let weighted = CrossEntropy::new().with_class_weights(weights).unwrap();
    let labels = Targets::Classes(&[1, 9, 2, 0, 1, 1, 2]);
    let values = Targets::Values(soft.view());
    type Case<'a> = (Box<dyn Loss<f64>>, Targets<'a, f64>, f64);
    let cases: [Case<'_>; 5] = [
        (Box::new(weighted.clone().with_ignore_index(9)), labels, 8.5),
        (Box::new(CrossEntropy::new().with_ignore_index(9)), labels, 6.0),
        (Box::new(weighted), values, 7.0),
        (Box::new(MeanSquaredError::new()), values, 7.0),
        (Box::new(SquaredError::new()), values, 7.0),
    ];
    for (loss, targets, weight) in cases {
        assert_eq!(loss.weight(targets), weight, "{}", loss.name());
        let whole = loss.value(output.view(), targets).unwrap() * weight;
        for cut in [1, 2, 5, 6] {
            let part = |rows: std::ops::Range<usize>| {
                let targets = targets.rows_range(rows.clone());
                loss.value(output.view().rows_range(rows), targets).unwrap() * loss.weight(targets)
            };
            let sum = part(0..cut) + part(cut..7);
            assert!(near(sum, whole), "{}: {sum} {whole}", loss.name());
        }
    }
    let loss = CrossEntropy::new().with_class_weights(vec![1.0, 2.0]).unwrap();
    assert_eq!(loss.weight(Targets::<f64>::Classes(&[0, 1, 2])), 3.0);
    let loss = loss.with_ignore_index(1);
    let counts = |class| Loss::<f64>::counts(&loss, class);
    assert_eq!([counts(0), counts(1), counts(2)], [true, false, true]);
}

/// Label smoothing with class weights and an ignored class, as PyTorch's source computes it:
/// `(1−ε) nll + ε/K Σ_i Σ_j w_j (−ln ŷ_ij) / Σ_i w_{y_i}`, both without the ignored rows.
#[test]
fn smoothing_combines_with_weights_and_the_ignored_class() {
    let output = Matrix::<f64>::from_rows(&[[0.2, -0.4, 1.1], [2.0, 0.3, -0.7], [0.1, 0.9, 0.4]]);
    let (labels, w, eps) = ([2, 0, 1], [0.5, 2.0, 1.5], 0.2);
    let loss = CrossEntropy::new()
        .with_class_weights(w.to_vec())
        .and_then(|loss| loss.with_label_smoothing(eps))
        .unwrap()
        .with_ignore_index(0);
    let mut y = Matrix::zeros(3, 3);
    OutputFunction::Softmax.apply(output.view(), y.view_mut());
    let (mut nll, mut smooth, mut weight) = (0.0, 0.0, 0.0);
    for (i, &label) in labels.iter().enumerate().filter(|(_, label)| **label != 0) {
        nll -= w[label] * y[(i, label)].ln();
        smooth -= (0..3).map(|j| w[j] * y[(i, j)].ln()).sum::<f64>();
        weight += w[label];
    }
    let sum = (1.0 - eps) * nll + eps / 3.0 * smooth;
    let mean = loss.value(output.view(), Targets::Classes(&labels)).unwrap();
    assert!(near(mean, sum / weight), "{mean}");
    let loss = loss.with_reduction(Reduction::Sum);
    assert!(near(loss.value(output.view(), Targets::Classes(&labels)).unwrap(), sum));
}

/// One-hot probabilities are the class, and smoothing mixes them with the uniform distribution.
#[test]
fn one_hot_probabilities_are_classes() {
    let output = Matrix::from_fn(3, 20, |i, j| ((7 * i + 3 * j) % 11) as f64 / 4.0);
    let labels = [19, 0, 7];
    for smoothing in [0.0, 0.1, 1.0] {
        let loss = CrossEntropy::new().with_label_smoothing(smoothing).unwrap();
        let one_hot = Matrix::from_fn(3, 20, |i, j| f64::from(u8::from(labels[i] == j)));
        let smoothed =
            Matrix::from_fn(3, 20, |i, j| (1.0 - smoothing) * one_hot[(i, j)] + smoothing / 20.0);
        let classes = evaluate(&loss, output.view(), Targets::Classes(&labels)).unwrap();
        for (loss, soft) in [(loss, one_hot), (CrossEntropy::new(), smoothed)] {
            let values = evaluate(&loss, output.view(), Targets::Values(soft.view())).unwrap();
            assert!(near(values.0, classes.0));
            let pairs = values.1.as_slice().iter().zip(classes.1.as_slice());
            pairs.for_each(|(a, b)| assert!((a - b).abs() < 1e-15));
        }
    }
}

#[test]
fn the_two_squared_errors_differ_by_the_number_of_outputs() {
    let output = Matrix::from_fn(4, 3, |i, j| (i * 3 + j) as f64);
    let target = Matrix::from_fn(4, 3, |i, j| (i + j) as f64 / 2.0);
    let targets = Targets::Values(target.view());
    let lecture = evaluate(&SquaredError::new(), output.view(), targets).unwrap();
    let mse = evaluate(&MeanSquaredError::new(), output.view(), targets).unwrap();
    assert!(near(lecture.0, 3.0 * mse.0));
    assert!(near(lecture.1[(3, 2)], 2.0 / 4.0 * (11.0 - 2.5)));
    assert!(near(mse.1[(3, 2)], 2.0 / 12.0 * (11.0 - 2.5)));
}

#[test]
fn bad_targets_are_refused_and_the_gradient_is_left_alone() {
    let output = Matrix::<f64>::zeros(3, 2);
    let (wide, long) = (Matrix::zeros(3, 3), Matrix::zeros(4, 2));
    let ignoring = CrossEntropy::new().with_ignore_index(1);
    let weightless = CrossEntropy::new().with_class_weights(vec![1.0, 0.0]).unwrap();
    let three = CrossEntropy::new().with_class_weights(vec![1.0; 3]).unwrap();
    let (ce, unfused) = (CrossEntropy::new(), ProbabilityCrossEntropy::new());
    let (mse, bce) = (MeanSquaredError::new(), BinaryCrossEntropy::new());
    let cases: [(&dyn Loss<f64>, Targets<'_, f64>, &str); 13] = [
        (&ce, Targets::Classes(&[0, 1, 2]), "row 2 (from 0) has class label 2"),
        (&ce, Targets::Classes(&[0, usize::MAX, 1]), "row 1 (from 0)"),
        (&unfused, Targets::Classes(&[5, 0, 0]), "row 0 (from 0) has class label 5"),
        (&ignoring, Targets::Classes(&[1, 1, 7]), "row 2 (from 0)"),
        (&ce, Targets::Classes(&[0, 1]), "3 rows but there are 2 class labels"),
        (&ce, Targets::Values(wide.view()), "the target is 3×3"),
        (&mse, Targets::Values(long.view()), "the target is 4×2"),
        (&bce, Targets::Classes(&[0, 1, 1]), "bce_with_logits compares every output"),
        (&mse, Targets::Classes(&[0, 1, 1]), "use cross_entropy"),
        (&ignoring, Targets::Classes(&[1, 1, 1]), "every target of the batch (3 rows) is the ig"),
        (&ignoring, Targets::Values(output.view()), "ignore_index=1 works with class labels"),
        (&weightless, Targets::Classes(&[1, 1, 1]), "sum to 0"),
        (&three, Targets::Classes(&[1, 1, 1]), "3 class weights for 2 classes"),
    ];
    for (loss, targets, part) in cases {
        let mut gradient = Matrix::from_fn(3, 2, |_, _| 7.0);
        let result = loss.value_and_gradient(output.view(), targets, gradient.view_mut());
        let error = result.unwrap_err();
        assert!(error.to_string().contains(part), "{error}");
        assert!(gradient.as_slice().iter().all(|&g| g == 7.0), "{error}: gradient written");
        assert_eq!(loss.value(output.view(), targets).unwrap_err(), error);
    }
    let all_ignored = ignoring.with_reduction(Reduction::Sum);
    let error = all_ignored.value(output.view(), Targets::Classes(&[1, 1, 1])).unwrap_err();
    assert_eq!(error, LossError::AllIgnored { rows: 3, ignore_index: 1 });
    // Without a division the value is well defined.
    let sum = weightless.with_reduction(Reduction::Sum);
    assert_eq!(sum.value(output.view(), Targets::Classes(&[1, 1, 1])), Ok(0.0));
}

#[test]
fn every_loss_refuses_empty_batches_and_wrong_gradients() {
    for name in NAMES {
        let loss = parse::<f32>(name, None, Reduction::Mean).unwrap();
        for (rows, cols) in [(0, 3), (0, 0), (2, 0)] {
            let empty = Matrix::zeros(rows, cols);
            let error = loss.value(empty.view(), Targets::Values(empty.view())).unwrap_err();
            assert_eq!(error, LossError::Empty { rows, cols }, "{name}");
        }
        let output = Matrix::from_fn(2, 2, |_, _| 0.5);
        let mut gradient = Matrix::zeros(2, 1);
        let targets = Targets::Values(output.view());
        let result = loss.value_and_gradient(output.view(), targets, gradient.view_mut());
        assert!(matches!(result, Err(LossError::Shape { what: "gradient", .. })), "{name}");
    }
    let none: Targets<'_, f32> = Targets::Classes(&[]);
    assert!(none.is_empty());
    let empty = Matrix::zeros(0, 3);
    let error = CrossEntropy::new().value(empty.view(), none).unwrap_err();
    assert_eq!(error, LossError::Empty { rows: 0, cols: 3 });
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

#[test]
fn the_unfused_cross_entropy_takes_probabilities_only() {
    let loss = ProbabilityCrossEntropy::new();
    let output = Matrix::from_rows(&[[0.5, 0.5], [1.25, -0.25]]);
    let error = loss.value(output.view(), Targets::Classes(&[0, 0])).unwrap_err();
    assert_eq!(error, LossError::Probability { row: 1, column: 1, value: -0.25 });
    // What the lecture's formula says where the true class has no probability left.
    let output = Matrix::from_rows(&[[1.0, 0.0]]);
    let (value, gradient) = evaluate(&loss, output.view(), Targets::Classes(&[1])).unwrap();
    assert_eq!((value, gradient[(0, 1)]), (f64::INFINITY, f64::NEG_INFINITY));
    // 0 ln 0 = 0.
    let target = Matrix::from_rows(&[[1.0, 0.0]]);
    let (value, gradient) = evaluate(&loss, output.view(), Targets::Values(target.view())).unwrap();
    assert_eq!((value, gradient.as_slice()), (0.0, [-1.0, 0.0].as_slice()));
}

#[test]
fn options_are_checked_when_made_and_when_read() {
    for share in [-0.1, 1.1, f64::NAN] {
        assert!(CrossEntropy::new().with_label_smoothing(share).is_err(), "{share}");
    }
    for weights in [vec![], vec![1.0, -1.0], vec![f64::INFINITY], vec![f64::NAN]] {
        assert!(CrossEntropy::new().with_class_weights(weights).is_err());
    }
    let read = |json: &str| serde_json::from_str::<CrossEntropy>(json);
    for (json, part) in [
        (r#"{"label_smoothing": 2}"#, "label_smoothing is 2"),
        (r#"{"class_weights": [1, -1]}"#, "weight of class 1 is -1"),
        (r#"{"weights": [1]}"#, "unknown field"),
        (r#"{"reduction": "none"}"#, "unknown variant"),
    ] {
        let error = read(json).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
    let full = CrossEntropy::new()
        .with_class_weights(vec![0.1, 2.0])
        .and_then(|loss| loss.with_label_smoothing(0.3))
        .unwrap()
        .with_ignore_index(9)
        .with_reduction(Reduction::Sum);
    for loss in [full, CrossEntropy::new()] {
        assert_eq!(read(&serde_json::to_string(&loss).unwrap()).unwrap(), loss);
    }
    assert_eq!(read("{}").unwrap(), CrossEntropy::new());
    assert!(serde_json::from_str::<L1>(r#"{"delta": 1}"#).is_err());
    let huber = Huber::new(0.5).unwrap().with_reduction(Reduction::Sum);
    let json = serde_json::to_string(&huber).unwrap();
    assert_eq!(json, r#"{"delta":0.5,"reduction":"sum"}"#);
    assert_eq!(serde_json::from_str::<Huber>(&json).unwrap(), huber);
}

#[test]
fn each_loss_says_which_output_function_it_applies() {
    for name in NAMES {
        let expected = match name {
            "cross_entropy" | "soft_cross_entropy" => OutputFunction::Softmax,
            "bce_with_logits" => OutputFunction::Sigmoid,
            _ => OutputFunction::Identity,
        };
        let loss = parse::<f32>(name, None, Reduction::Mean).unwrap();
        assert_eq!(loss.output_function(), expected, "{name}");
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

#[test]
fn class_weights_that_the_type_does_not_hold_are_refused() {
    for (weights, class) in [([1e300, 1.0], 0), ([1.0, 1e-60], 1), ([1.0, 1e-40], 1)] {
        let loss = CrossEntropy::new().with_class_weights(weights.to_vec()).unwrap();
        let logits = Matrix::from_rows(&[[0.1_f32, 0.2]]);
        let soft = Matrix::from_rows(&[[0.5_f32, 0.5]]);
        for targets in [Targets::Classes(&[0]), Targets::Values(soft.view())] {
            let error = evaluate(&loss, logits.view(), targets).unwrap_err();
            let expected =
                LossError::ClassWeightRange { class, weight: weights[class], scalar: "f32" };
            assert_eq!(error, expected);
            assert!(error.to_string().contains("beyond what f32 holds"), "{error}");
        }
        let logits = logits.cast::<f64>();
        let (value, gradient) = evaluate(&loss, logits.view(), Targets::Classes(&[class])).unwrap();
        assert!(
            value.is_finite() && gradient.as_slice().iter().all(|g| g.is_finite() && *g != 0.0)
        );
    }
    let zero = CrossEntropy::new().with_class_weights(vec![0.0, 1.0]).unwrap();
    let logits = Matrix::from_rows(&[[0.1_f32, 0.2]]);
    assert!(zero.value(logits.view(), Targets::Classes(&[1])).is_ok());
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
