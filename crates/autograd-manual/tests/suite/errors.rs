//! Bad input gives an error that says what to do, and no panic.

use chainrule_autograd_manual::{
    CheckOptions, Network, NetworkError, Quantity, Workspace, check_gradient,
};
use chainrule_layers::{Activation, Dense, LayerConfig, ParamKind, ParamShape};
use chainrule_loss::{CrossEntropy, LossError, Reduction, Targets};
use chainrule_tensor::{Matrix, MatrixView};
use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;

use crate::common::{Claim, dense, network, refused};

#[test]
fn networks_that_cannot_be() {
    refused!(Network::<f64>::new(vec![]), NetworkError::Empty, "at least one layer");
    refused!(
        Network::new(vec![dense(4, 3), dense(3, 3), dense(2, 1)]),
        NetworkError::Mismatch { layer: 3, inputs: 2, outputs: 3 },
        "layer 3 takes 2 inputs, but layer 2 gives 3 outputs"
    );
    let config = |text: &str| serde_json::from_str::<LayerConfig>(text).unwrap();
    let good = config(r#"{"kind": "dense", "inputs": 4, "outputs": 3, "activation": "relu"}"#);
    for bad in [
        r#"{"kind": "dense", "inputs": 0, "outputs": 3, "activation": "relu"}"#,
        r#"{"kind": "dense", "inputs": 1099511627776, "outputs": 1048576, "activation": "relu"}"#,
        r#"{"kind": "dropout", "units": 3, "rate": 1.5}"#,
    ] {
        refused!(
            Network::<f32>::from_config(&[good.clone(), config(bad)]),
            NetworkError::Layer { layer: 2, .. },
            "layer 2: "
        );
    }
    let undescribed = Network::new(vec![dense(2, 1), Box::new(Claim(vec![]))]).unwrap();
    refused!(undescribed.config(), NetworkError::Undescribed { layer: 2, .. }, "layer 2 (claim)");
    refused!(undescribed.cast::<f32>(), NetworkError::Undescribed { layer: 2, .. }, "claim");
}

#[test]
fn sizes_beyond_memory() {
    assert!(Dense::new(1 << 40, 1 << 20, Activation::Relu).is_err());
    // These can be addressed, but there is no such memory.
    for (inputs, outputs) in [(1 << 29, 1 << 30), (1, 1 << 50), (1 << 23, 1 << 24)] {
        refused!(
            Network::new(vec![dense(inputs, outputs)]),
            NetworkError::TooLarge { .. },
            "parameters does not fit into memory; choose smaller sizes"
        );
    }
    // Each of these can be addressed, but not both together.
    refused!(
        Network::new(vec![dense(1 << 29, 1 << 30), dense(1 << 30, 1 << 29)]),
        NetworkError::TooLarge { .. },
        "memory"
    );
    let shape = |rows, cols| ParamShape { kind: ParamKind::Weight, rows, cols };
    for shapes in [vec![shape(usize::MAX, 2)], vec![shape(usize::MAX, 1), shape(1, 1)]] {
        refused!(
            Network::new(vec![Box::new(Claim(shapes))]),
            NetworkError::TooLarge { .. },
            "memory"
        );
    }
    for batch in [1 << 48, usize::MAX / 4, usize::MAX] {
        refused!(
            Workspace::new(&network(), batch),
            NetworkError::TooLarge { .. },
            "a workspace for"
        );
    }
}

#[test]
fn batches_that_do_not_fit() {
    let network = network();
    let x = Matrix::<f64>::zeros(3, 4);
    let mut workspace = Workspace::new(&network, 2).unwrap();
    refused!(Workspace::new(&network, 0), NetworkError::EmptyBatch, "at least one example");
    refused!(
        network.forward(Matrix::zeros(0, 4).view(), &mut workspace),
        NetworkError::EmptyBatch,
        "at least one"
    );
    refused!(
        network.forward(x.view(), &mut workspace),
        NetworkError::BatchTooLarge { capacity: 2, rows: 3 },
        "made for 2 examples, the batch has 3"
    );
    refused!(
        network.predict_one(&[0.0; 5], &mut workspace),
        NetworkError::Inputs { expected: 4, found: 5 },
        "takes 4 inputs, the examples have 5"
    );
    refused!(
        network.predict_one(&[], &mut workspace),
        NetworkError::Inputs { expected: 4, found: 0 },
        "have 0"
    );
    for layers in [
        vec![dense(4, 3)],
        vec![dense(4, 2), dense(2, 2)],
        vec![dense(5, 3), dense(3, 2)],
        vec![dense(4, 3), dense(3, 2), dense(2, 2)],
    ] {
        let mut foreign = Workspace::new(&Network::new(layers).unwrap(), 2).unwrap();
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
        refused!(
            network.forward_train(x.view().rows_range(0..1), &mut foreign, &mut rng),
            NetworkError::Workspace,
            "Workspace::new(&network"
        );
    }
}

#[test]
fn gradients_that_do_not_fit() {
    let network = network();
    let x = Matrix::from_rows(&[[0.1, 0.2, 0.3, 0.4], [0.5, 0.6, 0.7, 0.8]]);
    let mut workspace = Workspace::new(&network, 2).unwrap();
    let mut gradient = vec![7.0; network.parameter_count() - 1];
    let mut right = vec![7.0; network.parameter_count()];
    let (loss, targets) = (CrossEntropy::new(), Targets::Classes(&[0, 1]));

    let forward = network.forward(x.view(), &mut workspace).unwrap();
    refused!(
        forward.backward(&loss, targets, &mut gradient),
        NetworkError::Length { expected: 23, found: 22, .. },
        "the gradient has 22 values, the network has 23 parameters"
    );
    let forward = network.forward(x.view(), &mut workspace).unwrap();
    refused!(
        forward.backward_accumulate(&loss, targets, &mut gradient),
        NetworkError::Length { .. },
        "the gradient"
    );
    let forward = network.forward(x.view(), &mut workspace).unwrap();
    refused!(
        forward.backward(&loss, Targets::Classes(&[0, 2]), &mut right),
        NetworkError::Loss(LossError::Class { row: 1, .. }),
        "label 2"
    );
    assert!(right.iter().all(|&g| g == 7.0), "a refused call wrote a gradient");
    let forward = network.forward(x.view(), &mut workspace).unwrap();
    refused!(
        forward.loss(&loss, Targets::Classes(&[0])),
        NetworkError::Loss(LossError::TargetCount { .. }),
        "1"
    );
    refused!(
        forward.output_units_from(Matrix::zeros(2, 3).view(), 0.0, Reduction::Mean),
        NetworkError::OutputGradient { expected: (2, 2), found: (2, 3) },
        "the output is 2×2, its gradient 2×3"
    );

    let forward = network.forward(x.view(), &mut workspace).unwrap();
    let backward = forward.backward(&loss, targets, &mut right).unwrap();
    refused!(
        backward.weights_and_biases(&mut gradient),
        NetworkError::Length { .. },
        "the gradient"
    );
    refused!(
        backward.example_gradient(0, &mut gradient),
        NetworkError::Length { .. },
        "the gradient"
    );
    refused!(
        backward.example_gradient(2, &mut right),
        NetworkError::Row { rows: 2, row: 2 },
        "no example 2 (counted from 0)"
    );
}

#[test]
fn checks_that_cannot_be_made() {
    let options = CheckOptions::default();
    let x = Matrix::from_rows(&[[0.1, 0.2, 0.3, f64::NAN]]);
    let (loss, targets) = (CrossEntropy::new(), Targets::Classes(&[0]));
    refused!(
        check_gradient(&network(), x.view(), &loss, targets, &options),
        NetworkError::Gradcheck(_),
        "expected a finite number"
    );
    refused!(
        check_gradient(&network(), Matrix::zeros(0, 4).view(), &loss, targets, &options),
        NetworkError::EmptyBatch,
        "at least one"
    );
    refused!(
        check_gradient(
            &network(),
            Matrix::zeros(1, 4).view(),
            &loss,
            Targets::Classes(&[2]),
            &options
        ),
        NetworkError::Loss(_),
        "label 2"
    );
    let without = Network::new(vec![Box::new(Claim(vec![]))]).unwrap();
    refused!(
        check_gradient(&without, Matrix::zeros(1, 1).view(), &loss, targets, &options),
        NetworkError::Gradcheck(_),
        "no entries"
    );
}

#[test]
fn the_first_value_that_is_not_finite_is_found() {
    let mut network = network();
    let mut workspace = Workspace::new(&network, 2).unwrap();
    let mut x = Matrix::<f64>::zeros(2, 4);
    let find = |network: &Network<f64>, x: &Matrix<f64>, workspace: &mut Workspace<f64>| {
        network.forward(x.view(), workspace).unwrap().first_non_finite()
    };
    assert_eq!(find(&network, &x, &mut workspace), None);

    let bias = network.layout().index("b_22".parse().unwrap()).unwrap();
    network.theta_mut()[bias] = f64::INFINITY;
    let found = find(&network, &x, &mut workspace).unwrap();
    assert_eq!((found.quantity, found.layer), (Quantity::PreActivation, 2));
    assert_eq!((found.unit, found.row, found.value), (2, 0, f64::INFINITY));
    assert_eq!(
        found.to_string(),
        "layer 2: the pre-activation of neuron 2 is inf for example 0 (counted from 0)"
    );

    x.as_mut_slice()[6] = f64::NAN;
    let found = find(&network, &x, &mut workspace).unwrap();
    assert_eq!((found.quantity, found.unit, found.row), (Quantity::Input, 3, 1));
    assert_eq!(found.to_string(), "input 3 of example 1 (counted from 0) is NaN");

    // SELU's scale is above 1.
    let selu = Dense::new(1, 2, Activation::Selu).unwrap();
    let mut network = Network::new(vec![Box::new(selu), dense(2, 1)]).unwrap();
    network.theta_mut()[..2].copy_from_slice(&[1.0, 1.75e308]);
    let mut workspace = Workspace::new(&network, 1).unwrap();
    let forward = network.forward(MatrixView::from_row(&[1.0]), &mut workspace).unwrap();
    let found = forward.first_non_finite().unwrap();
    assert_eq!((found.quantity, found.layer, found.unit), (Quantity::Activation, 1, 2));
}
