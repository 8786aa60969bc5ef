//! Weights, smoothing, an ignored class: PyTorch's rules where they meet.

use chainrule_loss::{
    CrossEntropy, Huber, L1, Loss, MeanSquaredError, NAMES, OutputFunction, Reduction,
    SquaredError, Targets, parse,
};
use chainrule_tensor::Matrix;

use crate::{LN_2, evaluate, near};

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

/// Without options the cross-entropy is worked out by another way, rows of up to 15 classes by a third.
#[test]
fn weights_of_one_have_the_bits_of_no_weights() {
    for classes in 2..=17 {
        let weighted = CrossEntropy::new().with_class_weights(vec![1.0; classes]).unwrap();
        for rows in 1..=17 {
            let logits = Matrix::from_fn(rows, classes, |i, j| ((i * 7 + j * 5) % 23) as f32 / 3.0);
            let labels: Vec<usize> = (0..rows).map(|i| i % classes).collect();
            let bits = |loss: &CrossEntropy| {
                let mut gradient = Matrix::zeros(rows, classes);
                let targets = Targets::Classes(&labels);
                let value =
                    loss.value_and_gradient(logits.view(), targets, gradient.view_mut()).unwrap();
                assert_eq!(loss.value(logits.view(), targets).unwrap(), value);
                let numbers = gradient.as_slice().iter().chain([&value]);
                numbers.map(|x| x.to_bits()).collect::<Vec<u32>>()
            };
            let expected = bits(&weighted);
            assert_eq!(bits(&CrossEntropy::new()), expected, "{rows} rows, {classes} classes");
        }
    }
}
