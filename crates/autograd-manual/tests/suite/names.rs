//! Names of parameters, and the weights and biases that they name.

use chainrule_autograd_manual::{Network, NetworkError, Param};
use chainrule_layers::{Activation, Dense, Layer, ParamKind, ParamShape};

use crate::common::{Claim, dense, refused};

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
