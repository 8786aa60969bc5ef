//! Steps of gradient descent along a gradient that is never stored.

use chainrule_autograd_manual::{GradientFactors, Network, NetworkError, Workspace};
use chainrule_layers::{Activation, Dense, Dropout, Layer, Softmax};
use chainrule_loss::{CrossEntropy, SquaredError, Targets};
use chainrule_tensor::product::MAX_WHOLE;
use chainrule_tensor::{Matrix, MatrixView, Precision, Scalar, Threads};
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};

use crate::common::refused;

/// Dense layers with and without bias, dropout between them, and a softmax.
fn network<S: Scalar>(sizes: &[usize], softmax: bool) -> Network<S> {
    let mut layers: Vec<Box<dyn Layer<S>>> = Vec::new();
    for (i, pair) in sizes.windows(2).enumerate() {
        let dense = Dense::new(pair[0], pair[1], Activation::Tanh).unwrap();
        layers.push(Box::new(if i % 2 == 1 { dense.without_bias() } else { dense }));
        layers.push(Box::new(Dropout::new(pair[1], 0.1).unwrap()));
    }
    if softmax {
        layers.push(Box::new(Softmax::new(sizes[sizes.len() - 1]).unwrap()));
    }
    let mut network = Network::new(layers).unwrap();
    network.initialise(&mut Xoshiro256PlusPlus::seed_from_u64(5));
    network
}

fn examples<S: Scalar>(rows: usize, cols: usize, seed: u64) -> Matrix<S> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    Matrix::from_fn(rows, cols, |_, _| S::of(rng.random_range(-1.0..1.0)))
}

/// θ after each of three steps with η = 0.1, each by `step(network, factors)`.
fn train<S: Scalar>(
    sizes: &[usize],
    batch: usize,
    threads: usize,
    precision: Precision,
    step: fn(&mut Network<S>, GradientFactors<'_, S>),
) -> Vec<Vec<S>> {
    let mut network = network::<S>(sizes, false);
    let threads = Threads::new(threads).unwrap();
    let mut workspace = Workspace::with_threads(&network, batch, threads).unwrap();
    workspace.set_precision(precision).unwrap();
    let x = examples(batch, sizes[0], 1);
    let labels: Vec<usize> = (0..batch).map(|i| i % network.outputs()).collect();
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(6);
    let mut one_step = || {
        let forward = network.forward_train(x.view(), &mut workspace, &mut rng).unwrap();
        let units = forward.output_units(&CrossEntropy::new(), Targets::Classes(&labels)).unwrap();
        let factors = units.hidden_units().into_factors();
        assert_eq!(factors.examples(), batch);
        step(&mut network, factors);
        network.theta().to_vec()
    };
    (0..3).map(|_| one_step()).collect()
}

fn descend<S: Scalar>(network: &mut Network<S>, factors: GradientFactors<'_, S>) {
    let mut gradient = vec![S::nan(); network.parameter_count()];
    network.descend(factors, S::of(0.1), &mut gradient).unwrap();
    assert!(gradient.iter().all(|g| g.is_nan()), "a dense layer stores no gradient");
}

fn store_and_subtract<S: Scalar>(network: &mut Network<S>, factors: GradientFactors<'_, S>) {
    let mut gradient = vec![S::nan(); network.parameter_count()];
    factors.weights_and_biases(network, &mut gradient).unwrap();
    let eta = S::of(0.1);
    for (theta, &g) in network.theta_mut().iter_mut().zip(&gradient) {
        *theta -= eta * g;
    }
}

#[test]
fn the_bits_are_those_of_a_stored_gradient_on_any_number_of_threads() {
    fn check<S: Scalar>(precision: Precision) {
        for (sizes, batch) in [
            ([2, 16, 16, 2].as_slice(), 8),
            (&[5, 1, 3], 1),
            (&[33, 65, 17, 10], 20),
            (&[200, 130, 70, 10], 128),
            (&[9, 4], MAX_WHOLE),
        ] {
            let stored = train::<S>(sizes, batch, 1, precision, store_and_subtract);
            assert_ne!(stored[0], stored[1]);
            for threads in [1, 2, 3] {
                let found = train::<S>(sizes, batch, threads, precision, descend);
                let place = format!("{sizes:?} {batch} {precision} {}, {threads}", S::NAME);
                assert!(found == stored, "{place} threads");
            }
        }
    }
    check::<f32>(Precision::F32);
    check::<f32>(Precision::Bf16);
    check::<f64>(Precision::F32);
}

#[test]
fn many_examples_descend_to_the_same_place_and_the_same_bits() {
    let (sizes, batch) = ([40, 70, 3], 3 * MAX_WHOLE + 17);
    let stored = train::<f64>(&sizes, batch, 1, Precision::F32, store_and_subtract);
    let alone = train::<f64>(&sizes, batch, 1, Precision::F32, descend);
    for (found, stored) in alone.iter().flatten().zip(stored.iter().flatten()) {
        assert!((found - stored).abs() < 1e-14, "{found} {stored}");
    }
    for threads in [2, 3] {
        assert!(train::<f64>(&sizes, batch, threads, Precision::F32, descend) == alone);
    }
}

#[test]
fn factors_are_those_of_the_backward_pass() {
    let network = network::<f64>(&[4, 3, 2], true);
    let mut workspace = Workspace::new(&network, 6).unwrap();
    let (x, y) = (examples(5, 4, 1), examples(5, 2, 2));
    let (loss, targets) = (SquaredError::new(), Targets::Values(y.view()));
    let mut at_once = vec![0.0; network.parameter_count()];
    let backward = network.forward(x.view(), &mut workspace).unwrap();
    let value = backward.backward(&loss, targets, &mut at_once).unwrap().loss();
    let forward = network.forward(x.view(), &mut workspace).unwrap();
    let factors = forward.output_units(&loss, targets).unwrap().hidden_units().into_factors();
    let mut gradient = vec![f64::NAN; network.parameter_count()];
    factors.weights_and_biases(&network, &mut gradient).unwrap();
    assert_eq!((factors.loss(), factors.examples()), (value, 5));
    assert_eq!(gradient, at_once);
}

/// The gradient's factors of one example, 4 inputs wide.
fn factors<'w>(
    network: &Network<f64>,
    workspace: &'w mut Workspace<f64>,
) -> GradientFactors<'w, f64> {
    const X: [f64; 4] = [0.4, -0.3, 0.9, -0.8];
    let forward = network.forward(MatrixView::from_row(&X), workspace).unwrap();
    let y = MatrixView::from_row(&[0.5, -0.5]);
    let units = forward.output_units(&SquaredError::new(), Targets::Values(y)).unwrap();
    units.hidden_units().into_factors()
}

#[test]
fn bad_input_leaves_theta_alone() {
    let mut network = network::<f64>(&[4, 3, 2], false);
    let mut other = self::network::<f64>(&[4, 5, 2], false);
    let (before, others) = (network.theta().to_vec(), other.theta().to_vec());
    let mut workspace = Workspace::new(&network, 1).unwrap();
    let mut gradient = vec![0.0; network.parameter_count()];
    let mut longer = vec![0.0; other.parameter_count()];
    for eta in [-0.1, f64::INFINITY, f64::NAN] {
        let factors = factors(&network, &mut workspace);
        refused!(
            network.descend(factors, eta, &mut gradient),
            NetworkError::LearningRate { .. },
            "the learning rate must be finite and at least 0, found"
        );
    }
    let factors_of_network = factors(&network, &mut workspace);
    refused!(
        factors_of_network.weights_and_biases(&other, &mut longer),
        NetworkError::Factors,
        "another network"
    );
    refused!(
        factors_of_network.weights_and_biases(&network, &mut longer),
        NetworkError::Length { what: "the gradient", .. },
        "the gradient has"
    );
    refused!(
        other.descend(factors_of_network, 0.1, &mut longer),
        NetworkError::Factors,
        "another network"
    );
    let factors_of_network = factors(&network, &mut workspace);
    refused!(
        network.descend(factors_of_network, 0.1, &mut longer),
        NetworkError::Length { what: "the gradient", .. },
        "the gradient has"
    );
    assert_eq!((network.theta(), other.theta()), (before.as_slice(), others.as_slice()));
    let factors_of_network = factors(&network, &mut workspace);
    network.descend(factors_of_network, 0.0, &mut gradient).unwrap();
    assert_eq!(network.theta(), before);
}
