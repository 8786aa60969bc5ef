//! Every gradient against central finite differences, with wrong gradients that must be caught.

use chainrule_loss::{
    BinaryCrossEntropy, CrossEntropy, Huber, L1, Loss, MeanSquaredError, OutputFunction,
    ProbabilityCrossEntropy, Reduction, SquaredError, Targets,
};
use chainrule_tensor::Matrix;
use proptest::prelude::*;

const H: f64 = 1e-5;

/// Whether the gradient agrees with central differences, and how many entries crossed a kink.
///
/// The bound is that of two rounded values of the loss over `2h`, and of the `h²` that the
/// difference itself leaves.
fn check(
    loss: &dyn Loss<f64>,
    output: &Matrix<f64>,
    targets: Targets<'_, f64>,
    gradient: &Matrix<f64>,
) -> (Result<(), String>, usize) {
    let value = loss.value(output.view(), targets).unwrap();
    let pieces = |output: &Matrix<f64>| {
        let mut pieces = Vec::new();
        loss.pieces(output.view(), targets, &mut |piece| pieces.push(piece));
        pieces
    };
    let (mut error, mut norm, mut norm_of_differences) = (0.0, 0.0, 0.0);
    let (mut checked, mut kinks) = (0, 0);
    let mut moved = output.clone();
    for i in 0..output.as_slice().len() {
        let mut value_at = |z: f64| {
            moved.as_mut_slice()[i] = z;
            (loss.value(moved.view(), targets).unwrap(), pieces(&moved))
        };
        let z = output.as_slice()[i];
        let ((above, right), (below, left)) = (value_at(z + H), value_at(z - H));
        value_at(z);
        if right != left {
            kinks += 1;
            continue;
        }
        let (difference, exact) = ((above - below) / (2.0 * H), gradient.as_slice()[i]);
        error += (difference - exact).powi(2);
        norm += exact * exact;
        norm_of_differences += difference * difference;
        checked += 1;
    }
    let rounding = 2.2e-16 * value.abs().max(1.0) * f64::from(checked).sqrt() / H;
    let bound = 1e-8 * f64::sqrt(f64::max(norm, norm_of_differences)) + rounding;
    let error = f64::sqrt(error);
    if error <= bound {
        (Ok(()), kinks)
    } else {
        (Err(format!("{} ({}): error {error:e} > {bound:e}", loss.name(), loss.reduction())), kinks)
    }
}

/// Targets that own their values.
#[derive(Debug, Clone)]
enum Owned {
    Classes(Vec<usize>),
    Values(Matrix<f64>),
}

impl Owned {
    fn get(&self) -> Targets<'_, f64> {
        match self {
            Self::Classes(classes) => Targets::Classes(classes),
            Self::Values(values) => Targets::Values(values.view()),
        }
    }
}

#[derive(Debug)]
struct Case {
    loss: Box<dyn Loss<f64>>,
    output: Matrix<f64>,
    targets: Owned,
}

impl Case {
    fn gradient(&self) -> Matrix<f64> {
        let mut gradient = Matrix::zeros(self.output.rows(), self.output.cols());
        let value = self
            .loss
            .value_and_gradient(self.output.view(), self.targets.get(), gradient.view_mut())
            .unwrap();
        let alone = self.loss.value(self.output.view(), self.targets.get()).unwrap();
        assert_eq!(value.to_bits(), alone.to_bits(), "the value alone differs");
        gradient
    }
}

fn matrix(rows: usize, cols: usize, low: f64, high: f64) -> impl Strategy<Value = Matrix<f64>> {
    prop::collection::vec(low..high, rows * cols)
        .prop_map(move |data| Matrix::from_vec(rows, cols, data).unwrap())
}

fn softmax(logits: &Matrix<f64>) -> Matrix<f64> {
    let mut y = Matrix::zeros(logits.rows(), logits.cols());
    OutputFunction::Softmax.apply(logits.view(), y.view_mut());
    y
}

fn shape() -> impl Strategy<Value = (usize, usize)> {
    prop_oneof![(1..6_usize, 1..6_usize), (1..4_usize, 15..36_usize)]
}

fn reduction() -> impl Strategy<Value = Reduction> {
    prop_oneof![Just(Reduction::Mean), Just(Reduction::Sum)]
}

/// A loss that compares outputs with values.
fn elementwise_case() -> impl Strategy<Value = Case> {
    let values = |(rows, cols)| (matrix(rows, cols, -3.0, 3.0), matrix(rows, cols, 0.0, 1.0));
    (0..5, 0.1..2.0, reduction(), shape().prop_flat_map(values)).prop_map(
        |(which, delta, reduction, (output, targets))| {
            let loss: Box<dyn Loss<f64>> = match which {
                0 => Box::new(SquaredError::new().with_reduction(reduction)),
                1 => Box::new(MeanSquaredError::new().with_reduction(reduction)),
                2 => Box::new(L1::new().with_reduction(reduction)),
                3 => Box::new(Huber::new(delta).unwrap().with_reduction(reduction)),
                _ => Box::new(BinaryCrossEntropy::new().with_reduction(reduction)),
            };
            Case { loss, output, targets: Owned::Values(targets) }
        },
    )
}

/// A cross-entropy from logits with any of its options, against classes or probabilities.
fn cross_entropy_case() -> impl Strategy<Value = Case> {
    let parts = |(rows, cols): (usize, usize)| {
        (
            matrix(rows, cols, -4.0, 4.0),
            prop::collection::vec(0..cols, rows),
            matrix(rows, cols, -2.0, 2.0),
            prop::option::of(prop::collection::vec(0.1..2.0, cols)),
            // Rows have a class of their own now and then, so that some are left.
            prop::option::of(0..cols),
        )
    };
    let smoothing = prop_oneof![Just(0.0), 0.0..1.0, Just(1.0)];
    (shape().prop_flat_map(parts), smoothing, any::<bool>(), reduction()).prop_map(
        |((output, mut labels, soft, weights, ignored), smoothing, classes, reduction)| {
            let mut loss = CrossEntropy::new()
                .with_label_smoothing(smoothing)
                .unwrap()
                .with_reduction(reduction);
            if let Some(weights) = weights {
                loss = loss.with_class_weights(weights).unwrap();
            }
            let targets = if classes {
                if let Some(ignored) = ignored.filter(|_| output.cols() > 1) {
                    loss = loss.with_ignore_index(ignored);
                    labels[0] = (ignored + 1) % output.cols();
                }
                Owned::Classes(labels)
            } else {
                Owned::Values(softmax(&soft))
            };
            Case { loss: Box::new(loss), output, targets }
        },
    )
}

/// The unfused cross-entropy on probabilities that are not tiny.
fn probability_case() -> impl Strategy<Value = Case> {
    let parts = |(rows, cols): (usize, usize)| {
        let labels = prop::collection::vec(0..cols, rows);
        (matrix(rows, cols, 0.2, 1.0), labels, matrix(rows, cols, -2.0, 2.0))
    };
    (shape().prop_flat_map(parts), any::<bool>(), reduction()).prop_map(
        |((output, labels, soft), classes, reduction)| {
            let targets =
                if classes { Owned::Classes(labels) } else { Owned::Values(softmax(&soft)) };
            let loss = Box::new(ProbabilityCrossEntropy::new().with_reduction(reduction));
            Case { loss, output, targets }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 512,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn gradients_are_derivatives(
        case in prop_oneof![elementwise_case(), cross_entropy_case(), probability_case()]
    ) {
        let gradient = case.gradient();
        let (result, kinks) = check(&*case.loss, &case.output, case.targets.get(), &gradient);
        prop_assert!(kinks <= 2, "{kinks} entries cross a kink");
        result.map_err(TestCaseError::fail)?;
    }

    /// Adding the same number to all logits changes nothing, so their derivatives sum to 0.
    #[test]
    fn the_gradient_of_a_cross_entropy_sums_to_0(case in cross_entropy_case()) {
        for row in case.gradient().view().iter_rows() {
            let size = row.iter().map(|g| g.abs()).sum::<f64>();
            let sum = row.iter().sum::<f64>();
            prop_assert!(sum.abs() <= 1e-14 * size.max(1.0), "{sum:e} of {size:e}");
        }
    }

    /// `∇_a L = J_softmax(a)ᵀ ∇_ŷ L`, with `J = diag(ŷ) − ŷ ŷᵀ`: the lecture's two routes.
    #[test]
    fn fused_and_unfused_agree(
        (logits, labels) in shape().prop_flat_map(|(rows, cols)| {
            (matrix(rows, cols, -4.0, 4.0), prop::collection::vec(0..cols, rows))
        }),
        reduction in reduction(),
    ) {
        let (rows, cols) = (logits.rows(), logits.cols());
        let targets = Targets::Classes(&labels);
        let (mut fused, mut unfused) = (Matrix::zeros(rows, cols), Matrix::zeros(rows, cols));
        let y = softmax(&logits);
        let value = CrossEntropy::new().with_reduction(reduction)
            .value_and_gradient(logits.view(), targets, fused.view_mut()).unwrap();
        let on_probabilities = ProbabilityCrossEntropy::new().with_reduction(reduction)
            .value_and_gradient(y.view(), targets, unfused.view_mut()).unwrap();
        prop_assert!((value - on_probabilities).abs() <= 1e-13 * value.abs().max(1.0));
        for i in 0..rows {
            let inner: f64 = y.row(i).iter().zip(unfused.row(i)).map(|(y, g)| y * g).sum();
            for j in 0..cols {
                let through_softmax = y[(i, j)] * (unfused[(i, j)] - inner);
                prop_assert!((through_softmax - fused[(i, j)]).abs() <= 1e-14);
            }
        }
    }

    /// A batch of the weighted mean is not the mean of its examples, but the sum always adds up.
    #[test]
    fn sums_add_up_over_rows(case in cross_entropy_case()) {
        prop_assume!(case.loss.reduction() == Reduction::Sum);
        let whole = case.loss.value(case.output.view(), case.targets.get()).unwrap();
        let parts: f64 = (0..case.output.rows())
            .map(|i| {
                let targets = case.targets.get().rows_range(i..i + 1);
                // An example that is ignored alone is an error; in the sum it is 0.
                case.loss.value(case.output.view().rows_range(i..i + 1), targets).unwrap_or(0.0)
            })
            .sum();
        prop_assert!((whole - parts).abs() <= 1e-12 * whole.abs().max(1.0));
    }
}

/// What the check above must catch, for each loss.
#[test]
fn wrong_gradients_are_caught() {
    let output = Matrix::from_rows(&[[0.3, -1.2, 0.8], [1.7, 0.1, -0.4], [0.2, 0.5, 2.5]]);
    let values = Matrix::from_rows(&[[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.7, 0.3]]);
    let (classes, values) = (Owned::Classes(vec![0, 2, 1]), Owned::Values(values));
    let weighted = CrossEntropy::new().with_class_weights(vec![0.5, 2.0, 1.0]).unwrap();
    let cases: [(Box<dyn Loss<f64>>, &Owned); 9] = [
        (Box::new(SquaredError::new()), &values),
        (Box::new(MeanSquaredError::new()), &values),
        (Box::new(L1::new()), &values),
        (Box::new(Huber::default()), &values),
        (Box::new(BinaryCrossEntropy::new()), &values),
        (Box::new(CrossEntropy::new()), &classes),
        (Box::new(CrossEntropy::new()), &values),
        (Box::new(weighted), &classes),
        (Box::new(CrossEntropy::new().with_label_smoothing(0.2).unwrap()), &classes),
    ];
    for (loss, targets) in cases {
        let case = Case { loss, output: output.clone(), targets: targets.clone() };
        let right = case.gradient();
        let accepted = |gradient: &Matrix<f64>| {
            check(&*case.loss, &case.output, case.targets.get(), gradient).0.is_ok()
        };
        let changed =
            |f: &dyn Fn(usize, usize) -> f64| Matrix::from_fn(3, 3, |i, j| right[(i, j)] * f(i, j));
        assert!(accepted(&right), "{}: the right gradient", case.loss.name());
        let wrong: [(&str, Matrix<f64>); 4] = [
            ("a wrong sign", changed(&|_, _| -1.0)),
            ("a missing 1/n", changed(&|_, _| 3.0)),
            ("one entry missing", changed(&|i, j| f64::from(u8::from((i, j) != (1, 2))))),
            ("an error of 1e-6", changed(&|_, _| 1.0 + 1e-6)),
        ];
        for (what, gradient) in wrong {
            assert!(!accepted(&gradient), "{}: {what} was not caught", case.loss.name());
        }
    }
}
