//! The three groups against backpropagation and against finite differences.

use chainrule_autograd_manual::Network;
use chainrule_explain::{Derivative, Explainer, explain};
use chainrule_layers::{Activation, Dense, Layer, Softmax};
use chainrule_loss::{CrossEntropy, Reduction, Targets};
use chainrule_tensor::Matrix;
use proptest::prelude::*;

use crate::common::{Case, LOSSES, Recipe, recipes, recipes_of, sum_of_magnitudes};

const SMOOTH: [Activation; 6] = [
    Activation::Sigmoid,
    Activation::Tanh,
    Activation::Gelu,
    Activation::Silu,
    Activation::Softplus,
    Activation::Mish,
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..Default::default() })]

    #[test]
    fn the_product_of_the_groups_is_the_gradient(recipe in recipes(6, 4)) {
        let case = Case::new(&recipe);
        let mut workspace = case.workspace();
        let backward = case.backward(&mut workspace);
        let mut gradient = vec![0.0; case.network.parameter_count()];
        for row in 0..recipe.rows {
            backward.example_gradient(row, &mut gradient).unwrap();
            for (&expected, param) in gradient.iter().zip(case.params()) {
                let answer = explain(&backward, param, row).unwrap();
                prop_assert_eq!(answer.gradient, expected, "{}", param);
                let bound = 1e-12 * sum_of_magnitudes(&backward, param, row);
                prop_assert!((answer.value - expected).abs() <= bound, "{answer}");
                prop_assert_eq!(answer.output.values.len(), case.network.outputs());
                prop_assert_eq!(answer.hidden.values.len(), case.network.outputs());
                let sum: f64 = answer.contributions().sum();
                prop_assert!((sum - answer.value).abs() <= bound, "{answer}");
            }
        }
    }

    #[test]
    fn a_batch_is_the_mean_or_sum_of_the_products(recipe in recipes(6, 4)) {
        let case = Case::new(&recipe);
        let mut workspace = case.workspace();
        let backward = case.backward(&mut workspace);
        let mut gradient = vec![0.0; case.network.parameter_count()];
        backward.weights_and_biases(&mut gradient).unwrap();
        let explainer = Explainer::new(&backward);
        for (&expected, param) in gradient.iter().zip(case.params()) {
            let batch = explainer.batch(param).unwrap();
            prop_assert_eq!(batch.reduction, recipe.reduction);
            prop_assert_eq!(batch.examples.len(), recipe.rows);
            let rows = 0..recipe.rows;
            let bound: f64 = rows.map(|row| sum_of_magnitudes(&backward, param, row)).sum();
            for value in [batch.value, batch.gradient] {
                prop_assert!((value - expected).abs() <= 1e-12 * bound, "{batch}");
            }
        }
    }

    #[test]
    fn the_unfused_factors_multiply_to_the_fused_one(recipe in recipes(6, 4)) {
        let case = Case::new(&recipe);
        let mut workspace = case.workspace();
        let backward = case.backward(&mut workspace);
        let explainer = Explainer::new(&backward).unfused(&*case.loss, case.targets()).unwrap();
        for row in 0..recipe.rows {
            let answer = explainer.explain(case.params()[0], row).unwrap();
            let unfused = answer.unfused.as_ref().unwrap();
            prop_assert_eq!(unfused.output_function, case.loss.output_function());
            let pairs = unfused.grad_prediction.values.iter().zip(&unfused.prediction);
            // The terms that cancel in a softmax, of the loss or as the last layer.
            let terms: f64 = pairs.map(|(g, y)| (g * y).abs()).sum();
            let size = answer.output.values.iter().fold(terms, |sum, g| sum + g.abs());
            // A last activation scales the terms of the softmax down.
            let size = size.max(terms * 3.0);
            for (product, fused) in unfused.grad_a().iter().zip(&answer.output.values) {
                prop_assert!((product - fused).abs() <= 1e-12 * size, "{answer}");
            }
        }
    }

    #[test]
    fn finite_differences_agree(
        recipe in recipes_of(&SMOOTH, &LOSSES[..9], 6, 4), pick in any::<u64>(),
    ) {
        let mut case = Case::new(&recipe);
        let params = case.params();
        let param = params[(pick % params.len() as u64) as usize];
        let value = {
            let mut workspace = case.workspace();
            let backward = case.backward(&mut workspace);
            Explainer::new(&backward).batch(param).unwrap().value
        };
        let index = case.network.layout().index(param).unwrap();
        let (theta, h) = (case.network.theta()[index], 1e-5);
        let difference = (case.loss_at(index, theta + h) - case.loss_at(index, theta - h)) / (2.0 * h);
        let bound = 1e-6 * (1.0 + value.abs());
        prop_assert!((difference - value).abs() <= bound, "{param}: {difference} and {value}");
    }

    #[test]
    fn an_example_of_a_batch_is_explained_as_if_alone(
        recipe in recipes_of(
            &Activation::ALL, &["cross_entropy", "squared_error", "mse", "bce_with_logits"], 6, 4,
        ),
    ) {
        let recipe = Recipe { dropout: false, ..recipe };
        let case = Case::new(&recipe);
        let mut workspace = case.workspace();
        let backward = case.backward(&mut workspace);
        for row in 0..recipe.rows {
            let mut alone = Case::new(&recipe);
            alone.x = Matrix::from_vec(1, case.x.cols(), case.x.row(row).to_vec()).unwrap();
            alone.classes = vec![case.classes[row]];
            alone.values =
                Matrix::from_vec(1, case.values.cols(), case.values.row(row).to_vec()).unwrap();
            let mut workspace = alone.workspace();
            let single = alone.backward(&mut workspace);
            for param in case.params() {
                let value = explain(&single, param, 0).unwrap().value;
                let bound = 1e-12 * sum_of_magnitudes(&single, param, 0);
                let in_batch = explain(&backward, param, row).unwrap().value;
                // Products of matrices may sum in another order for another batch size.
                prop_assert!((in_batch - value).abs() <= bound + 1e-12 * value.abs() + 1e-15);
            }
        }
    }
}

fn softmax_case() -> Case {
    Case::new(&Recipe {
        seed: 3,
        widths: vec![2, 3, 3],
        activation: Activation::Tanh,
        output_activation: false,
        dropout: false,
        loss: "cross_entropy",
        reduction: Reduction::Mean,
        rows: 2,
    })
}

#[test]
fn the_unfused_cross_entropy_is_the_lectures() {
    let case = softmax_case();
    let mut workspace = case.workspace();
    let backward = case.backward(&mut workspace);
    let explainer = Explainer::new(&backward).unfused(&*case.loss, case.targets()).unwrap();
    let answer = explainer.explain("W_111".parse().unwrap(), 0).unwrap();
    let unfused = answer.unfused.unwrap();
    let y = &unfused.prediction;
    assert!((y.iter().sum::<f64>() - 1.0).abs() < 1e-15);
    let class = case.classes[0];
    for j in 0..3 {
        let expected = if j == class { -1.0 / y[j] } else { 0.0 };
        let found = unfused.grad_prediction.values[j];
        assert!((found - expected).abs() <= 1e-15 * expected.abs(), "{found} for {expected}");
    }
    assert_eq!(unfused.derivatives, [Derivative::Softmax(y.clone())]);
}

#[test]
fn in_the_last_layer_the_hidden_group_is_a_unit_vector() {
    let case = softmax_case();
    let mut workspace = case.workspace();
    let backward = case.backward(&mut workspace);
    let answer = explain(&backward, "b_22".parse().unwrap(), 1).unwrap();
    assert_eq!(answer.hidden.values, [0.0, 1.0, 0.0]);
    assert_eq!(answer.weights.value, 1.0);
    assert_eq!(answer.value, answer.output.values[1]);
    assert_eq!(answer.value, answer.gradient);
}

#[test]
fn single_precision_agrees_to_its_rounding() {
    let case = softmax_case();
    let network = case.network.cast::<f32>().unwrap();
    let x = case.x.cast::<f32>();
    let mut workspace = chainrule_autograd_manual::Workspace::new(&network, 2).unwrap();
    let (loss, targets) = (CrossEntropy::new(), Targets::Classes(&case.classes));
    let forward = network.forward(x.view(), &mut workspace).unwrap();
    let backward = forward.output_units(&loss, targets).unwrap().hidden_units();
    let mut reference_workspace = case.workspace();
    let reference = case.backward(&mut reference_workspace);
    let explainer = Explainer::new(&backward).unfused(&loss, targets).unwrap();
    for param in case.params() {
        let answer = explainer.explain(param, 1).unwrap();
        let exact = explain(&reference, param, 1).unwrap().value;
        let bound = 1e-5 * sum_of_magnitudes(&reference, param, 1);
        assert!((answer.value - exact).abs() <= bound, "{answer}");
        assert!((answer.gradient - exact).abs() <= bound, "{answer}");
    }
}

#[test]
fn a_softmax_between_dense_layers_is_passed_by_its_full_jacobian() {
    let layers: Vec<Box<dyn Layer<f64>>> = vec![
        Box::new(Dense::new(2, 4, Activation::Tanh).unwrap()),
        Box::new(Softmax::new(4).unwrap()),
        Box::new(Dense::new(4, 3, Activation::Sigmoid).unwrap()),
    ];
    let mut case = softmax_case();
    case.network = Network::new(layers).unwrap();
    let theta = case.network.theta_mut().iter_mut().enumerate();
    theta.for_each(|(i, theta)| *theta = (1.7 * i as f64).sin());
    let mut workspace = case.workspace();
    let backward = case.backward(&mut workspace);
    let mut gradient = vec![0.0; case.network.parameter_count()];
    backward.example_gradient(1, &mut gradient).unwrap();
    for (&expected, param) in gradient.iter().zip(case.params()) {
        let answer = explain(&backward, param, 1).unwrap();
        let bound = 1e-12 * sum_of_magnitudes(&backward, param, 1);
        assert!((answer.value - expected).abs() <= bound, "{answer}");
        assert!(expected != 0.0, "{param}");
    }
}
