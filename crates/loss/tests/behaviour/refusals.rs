//! What is refused, and how.

use chainrule_loss::{
    BinaryCrossEntropy, CrossEntropy, Loss, LossError, MeanSquaredError, NAMES,
    ProbabilityCrossEntropy, Reduction, Targets, parse,
};
use chainrule_tensor::Matrix;

use crate::evaluate;

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
