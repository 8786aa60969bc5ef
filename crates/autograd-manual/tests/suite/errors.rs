//! Bad input gives an error that says what to do, and no panic.

use chainrule_autograd_manual::{
    CheckOptions, Network, NetworkError, Param, Quantity, Workspace, check_gradient,
};
use chainrule_layers::{Activation, Dense, Kept, Layer, LayerConfig, ParamKind, ParamShape, Pass};
use chainrule_loss::{CrossEntropy, LossError, Reduction, Targets};
use chainrule_tensor::{Matrix, MatrixView, MatrixViewMut, Threads};
use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;

fn dense(inputs: usize, outputs: usize) -> Box<dyn Layer<f64>> {
    Box::new(Dense::new(inputs, outputs, Activation::Identity).unwrap())
}

fn network() -> Network<f64> {
    let mut network = Network::new(vec![dense(4, 3), dense(3, 2)]).unwrap();
    network.initialise(&mut Xoshiro256PlusPlus::seed_from_u64(1));
    network
}

/// Fails unless the result is this error, with a message that contains `part`.
macro_rules! refused {
    ($result:expr, $pattern:pat, $part:expr) => {
        let error = $result.map(|_| ()).unwrap_err();
        assert!(matches!(error, $pattern), "{error:?}");
        assert!(error.to_string().contains($part), "{error}");
    };
}

/// A layer that only claims its sizes.
#[derive(Debug)]
struct Claim(Vec<ParamShape>);

impl Layer<f64> for Claim {
    fn name(&self) -> String {
        "claim".to_owned()
    }
    fn inputs(&self) -> usize {
        1
    }
    fn outputs(&self) -> usize {
        1
    }
    fn params(&self) -> Vec<ParamShape> {
        self.0.clone()
    }
    fn forward(
        &self,
        _: &[f64],
        _: MatrixView<'_, f64>,
        _: MatrixViewMut<'_, f64>,
        _: MatrixViewMut<'_, f64>,
        _: &mut Pass<'_>,
    ) {
    }
    fn backward_activation(
        &self,
        _: Kept<'_, f64>,
        _: MatrixView<'_, f64>,
        _: MatrixViewMut<'_, f64>,
    ) {
    }
    fn backward_input(
        &self,
        _: Kept<'_, f64>,
        _: MatrixView<'_, f64>,
        _: MatrixViewMut<'_, f64>,
        _: &Threads,
    ) {
    }
}

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
fn names_beyond_the_network() {
    let layers: Vec<Box<dyn Layer<f64>>> = vec![
        Box::new(Dense::new(4, 3, Activation::Relu).unwrap().without_bias()),
        Box::new(chainrule_layers::Dropout::new(3, 0.5).unwrap()),
        dense(3, 12),
    ];
    let network = Network::new(layers).unwrap();
    let layout = network.layout();
    let index = |name: &str| name.parse().and_then(|param: Param| layout.index(param));
    for (name, reason) in [
        ("W_411", "the network has no W_411: layers are 1 to 3"),
        ("W_211", "layer 2 (dropout 3, rate 0.5) has no weight"),
        ("b_11", "has no bias"),
        ("W_141", "neurons of layer 1 are 1 to 3"),
        ("W_135", "inputs of layer 1 are 1 to 4"),
        ("b_3,13", "no b_3,13: neurons of layer 3 are 1 to 12"),
    ] {
        refused!(index(name), NetworkError::NoParam { .. }, reason);
    }
    for param in [
        Param::Weight { layer: 0, neuron: 1, input: 1 },
        Param::Weight { layer: 1, neuron: 0, input: 1 },
        Param::Weight { layer: 1, neuron: 1, input: 0 },
        Param::Bias { layer: usize::MAX, neuron: 1 },
    ] {
        refused!(layout.index(param), NetworkError::NoParam { .. }, "the network has no");
    }
    refused!(index("W_1"), NetworkError::ParamName { .. }, "\"W_1\" names no parameter");

    // Every place has a name of its own that leads back to it.
    for place in 0..layout.len() {
        let param = layout.param(place).unwrap();
        assert_eq!(index(&param.to_string()).unwrap(), place);
    }
    assert_eq!(layout.param(layout.len()), None);
    assert_eq!(layout.param(0), Some("W_111".parse().unwrap()));
    assert_eq!(index("W_112").unwrap(), 1);
    assert_eq!(index("W_121").unwrap(), 4);
    assert_eq!(index("W_312").unwrap(), 13);
    assert_eq!(index("b_3,12").unwrap(), layout.len() - 1);
    assert_eq!(layout.layer_range(2), 0..0);
    assert_eq!(layout.weight_ranges(), [0..12, 12..48]);
}

#[test]
fn weights_and_biases_of_a_layer() {
    let layers: Vec<Box<dyn Layer<f64>>> = vec![
        Box::new(Dense::new(4, 3, Activation::Relu).unwrap().without_bias()),
        Box::new(chainrule_layers::Dropout::new(3, 0.5).unwrap()),
        dense(3, 2),
    ];
    let mut network = Network::new(layers).unwrap();
    for (place, theta) in network.theta_mut().iter_mut().enumerate() {
        *theta = place as f64;
    }
    let w = network.weights(1).unwrap();
    assert_eq!((w.rows(), w.cols()), (3, 4));
    assert_eq!(w.row(2), [8.0, 9.0, 10.0, 11.0]);
    assert_eq!(network.biases(1), None);
    let w = network.weights(3).unwrap();
    assert_eq!((w.rows(), w.cols()), (2, 3));
    assert_eq!(w.row(1), [15.0, 16.0, 17.0]);
    assert_eq!(network.biases(3), Some([18.0, 19.0].as_slice()));
    for i in [0, 2, 4, usize::MAX] {
        assert!(network.weights(i).is_none(), "W_{i}");
        assert_eq!(network.biases(i), None, "b_{i}");
    }
}

#[test]
fn only_what_the_lecture_names_has_a_name() {
    // A layer of one's own with a second weight matrix.
    let shape = |kind, rows, cols| ParamShape { kind, rows, cols };
    let (weight, bias) = (ParamKind::Weight, ParamKind::Bias);
    let shapes = vec![shape(weight, 1, 2), shape(weight, 1, 2), shape(bias, 1, 1)];
    let network = Network::new(vec![Box::new(Claim(shapes))]).unwrap();
    let names = (0..5).map(|place| network.layout().param(place).map(|param| param.to_string()));
    let names: Vec<_> = names.collect();
    let named = |name: &str| Some(name.to_owned());
    assert_eq!(names, [named("W_111"), named("W_112"), None, None, named("b_11")]);
    let first = network.weights(1).unwrap().as_slice();
    assert!(std::ptr::eq(first, &network.theta()[..2]));
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

#[test]
fn a_trained_f32_network_is_checked_in_f64() {
    let layers: Vec<Box<dyn Layer<f32>>> = vec![
        Box::new(Dense::new(4, 6, Activation::Gelu).unwrap()),
        Box::new(Dense::new(6, 3, Activation::Identity).unwrap()),
    ];
    let mut network = Network::new(layers).unwrap();
    network.initialise(&mut Xoshiro256PlusPlus::seed_from_u64(2));
    let x = Matrix::from_fn(5, 4, |i, j| ((i * 4 + j) % 7) as f32 / 7.0 - 0.4);
    let (loss, targets) = (CrossEntropy::new(), Targets::Classes(&[0, 1, 2, 1, 0]));
    let mut workspace = Workspace::new(&network, 5).unwrap();
    let mut gradient = vec![0.0; network.parameter_count()];
    let mut losses = Vec::new();
    for _ in 0..200 {
        let forward = network.forward(x.view(), &mut workspace).unwrap();
        losses.push(forward.backward(&loss, targets, &mut gradient).unwrap().loss());
        network.theta_mut().iter_mut().zip(&gradient).for_each(|(theta, g)| *theta -= 0.5 * g);
    }
    assert!(losses[199] < losses[0] / 2.0, "{losses:?}");

    let exact = network.cast::<f64>().unwrap();
    assert!(exact.theta().iter().zip(network.theta()).all(|(a, b)| *a == f64::from(*b)));
    assert_eq!(exact.config().unwrap(), network.config().unwrap());
    let (x, targets) = (x.cast::<f64>(), Targets::Classes(&[0, 1, 2, 1, 0]));
    let report =
        check_gradient(&exact, x.view(), &loss, targets, &CheckOptions::default()).unwrap();
    assert!(report.passed(), "{report}");
    assert_eq!(exact.cast::<f32>().unwrap().theta(), network.theta());
}
