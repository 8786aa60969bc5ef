//! Statistics of all layers, and the first quantity that is not finite.

use chainrule_autograd_manual::{Network, Workspace};
use chainrule_explain::{
    NetworkStatistics, NonFiniteFinding, first_non_finite, first_non_finite_forward,
};
use chainrule_layers::{Activation, Dense, Dropout, Layer};
use chainrule_loss::{CrossEntropy, ProbabilityCrossEntropy, Reduction, SquaredError, Targets};
use chainrule_tensor::{Matrix, MatrixView};

fn dense(inputs: usize, outputs: usize, g: Activation) -> Box<dyn Layer<f32>> {
    Box::new(Dense::new(inputs, outputs, g).unwrap())
}

fn network(layers: Vec<Box<dyn Layer<f32>>>, theta: &[f32]) -> Network<f32> {
    let mut network = Network::new(layers).unwrap();
    network.theta_mut().copy_from_slice(theta);
    network
}

#[test]
fn statistics_are_those_worked_by_hand() {
    // a_1 = (x, −x, 20 x), ReLU and then, by hand, everything.
    let layers = vec![dense(1, 3, Activation::Relu), dense(3, 1, Activation::Identity)];
    let network = network(layers, &[1.0, -1.0, 20.0, 0.0, 0.0, 0.0, 3.0, 1.0, 0.0, 0.0]);
    let x = Matrix::from_rows(&[[1.0], [2.0]]);
    let y = Matrix::from_rows(&[[1.0], [2.0]]);
    let mut workspace = Workspace::new(&network, 2).unwrap();
    let mut gradient = vec![0.0; 10];
    let backward = network
        .forward(x.view(), &mut workspace)
        .unwrap()
        .backward(&SquaredError::new(), Targets::Values(y.view()), &mut gradient)
        .unwrap();
    let mut statistics = NetworkStatistics::new(&backward, &gradient);
    assert_eq!((statistics.examples, statistics.layers.len()), (2, 2));
    let [first, last] = &statistics.layers[..] else { panic!() };
    // h_1: (1, 0, 20), (2, 0, 40).
    assert_eq!(first.mean, 10.5);
    let variance =
        [1.0, 0.0, 20.0, 2.0, 0.0, 40.0].map(|h| (h - 10.5_f64).powi(2)).iter().sum::<f64>() / 6.0;
    assert!((first.deviation - variance.sqrt()).abs() < 1e-12);
    assert_eq!((first.dead, first.saturated), (Some(1.0 / 3.0), Some(0.0)));
    assert!((first.weights.unwrap() - 402.0_f64.sqrt()).abs() < 1e-12);
    // ŷ = 3, 6; of the examples ∂L/∂a_21 = 2 (ŷ − y) = 4, 8.
    assert!((last.gradient_a - 40.0_f64.sqrt()).abs() < 1e-6);
    assert_eq!((last.dead, last.saturated, last.update_ratio), (None, None, None));
    let own = |range: std::ops::Range<usize>| {
        gradient[range].iter().map(|g| f64::from(*g).powi(2)).sum::<f64>().sqrt()
    };
    assert!((last.gradient_w.unwrap() - own(6..9)).abs() < 1e-9);

    let before = network.theta().to_vec();
    let mut after = before.clone();
    (after[6], after[7]) = (3.03, 1.01);
    statistics.set_update(network.layout(), &before, &after);
    assert_eq!(statistics.layers[0].update_ratio, Some(0.0));
    assert!((statistics.layers[1].update_ratio.unwrap() - 0.01).abs() < 1e-7);
    let text = statistics.to_string();
    assert_eq!(text.lines().count(), 3);
    assert!(text.contains("dense 1 -> 3, relu") && text.contains("33.3%"), "{text}");
}

#[test]
fn layers_without_an_activation_have_no_slopes() {
    let layers = vec![
        dense(1, 2, Activation::Sigmoid),
        Box::new(Dropout::new(2, 0.5).unwrap()) as Box<dyn Layer<f32>>,
        dense(2, 2, Activation::Identity),
    ];
    let network = network(layers, &[8.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0]);
    let mut workspace = Workspace::new(&network, 1).unwrap();
    let mut gradient = vec![0.0; 10];
    let backward = network
        .forward(MatrixView::from_row(&[1.0]), &mut workspace)
        .unwrap()
        .backward(&CrossEntropy::new(), Targets::Classes(&[0]), &mut gradient)
        .unwrap();
    let statistics = NetworkStatistics::new(&backward, &gradient);
    assert_eq!(statistics.layers[0].saturated, Some(0.5));
    let dropout = &statistics.layers[1];
    assert_eq!((dropout.dead, dropout.weights, dropout.gradient_w), (None, None, None));
    assert_eq!(serde_json::to_value(&statistics).unwrap()["layers"][0]["saturated"], 0.5);
}

fn forward_finding(network: &Network<f32>, x: &[f32]) -> Option<NonFiniteFinding> {
    let mut workspace = Workspace::new(network, 1).unwrap();
    let forward = network.forward(MatrixView::from_row(x), &mut workspace).unwrap();
    first_non_finite_forward(network, &forward)
}

#[test]
fn the_way_forward_names_what_made_it() {
    let two = || vec![dense(2, 2, Activation::Identity), dense(2, 1, Activation::Identity)];
    let plain = [1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 1.0, 1.0, 0.0];
    let with = |changes: &[(usize, f32)]| {
        let mut theta = plain;
        changes.iter().for_each(|&(place, value)| theta[place] = value);
        network(two(), &theta)
    };
    assert_eq!(forward_finding(&with(&[]), &[1.0, 2.0]), None);
    let text = |network: &Network<f32>, x| forward_finding(network, x).unwrap().to_string();
    assert_eq!(
        text(&with(&[]), &[1.0, f32::NAN]),
        "x_2 is NaN for example 0 (counted from 0): the data holds it"
    );
    assert_eq!(
        text(&with(&[(2, f32::INFINITY)]), &[1.0, 2.0]),
        "a_12 is inf for example 0 (counted from 0): a weight is not finite; \
         a_12 = Σ_k W_1,2,k h_0,k + bias with W_121 = inf"
    );
    assert_eq!(
        text(&with(&[(8, f32::NAN)]), &[1.0, 2.0]),
        "a_21 is NaN for example 0 (counted from 0): the bias is not finite; \
         a_21 = Σ_k W_2,1,k h_1,k + bias with b_21 = NaN"
    );
    assert_eq!(
        text(&with(&[(6, 1e30), (7, 2.0)]), &[1e10, 2.0]),
        "a_21 is inf for example 0 (counted from 0): the sum overflows; \
         a_21 = Σ_k W_2,1,k h_1,k + bias with W_211 = 1e30, h_11 = 1e10, W_212 = 2, h_12 = 1e10"
    );
}

#[test]
fn the_way_backward_names_what_made_it() {
    // ŷ = 0 for the true class: the loss is infinite, the network's outputs are not.
    let layers = vec![
        dense(1, 2, Activation::Identity),
        Box::new(chainrule_layers::Softmax::new(2).unwrap()) as Box<dyn Layer<f32>>,
    ];
    let certain = network(layers, &[200.0, -200.0, 0.0, 0.0]);
    let mut workspace = Workspace::new(&certain, 1).unwrap();
    let forward = certain.forward(MatrixView::from_row(&[1.0]), &mut workspace).unwrap();
    let loss = ProbabilityCrossEntropy::new();
    let backward = forward.output_units(&loss, Targets::Classes(&[1])).unwrap().hidden_units();
    let finding = first_non_finite(&backward, None).unwrap();
    assert!(["L", "∂L/∂h_22"].contains(&finding.name.as_str()), "{finding}");
    assert_eq!((finding.layer, finding.row), (2, Some(0)), "{finding}");

    // ∇_{h_1} overflows: 1e20 asked of a_21, which W_211 = 1e20 passes on.
    let layers = vec![dense(1, 1, Activation::Identity), dense(1, 1, Activation::Identity)];
    let steep = network(layers, &[0.0, 0.0, 1e20, 0.0]);
    let mut workspace = Workspace::new(&steep, 1).unwrap();
    let forward = steep.forward(MatrixView::from_row(&[1.0]), &mut workspace).unwrap();
    let asked = [1e20];
    let asked = MatrixView::from_row(&asked);
    let backward = forward.output_units_from(asked, 1.0, Reduction::Sum).unwrap().hidden_units();
    let finding = first_non_finite(&backward, None).unwrap();
    assert_eq!(
        finding.to_string(),
        "∂L/∂h_11 is inf for example 0 (counted from 0): the sum overflows; \
         ∂L/∂h_11 = Σ_o W_2,o,1 ∂L/∂a_2,o with W_211 = 1e20, ∂L/∂a_21 = 1e20"
    );

    // Every unit's gradient is finite, a weight's is not.
    let layers = vec![dense(1, 1, Activation::Identity)];
    let network = network(layers, &[0.0, 0.0]);
    let mut workspace = Workspace::new(&network, 1).unwrap();
    let forward = network.forward(MatrixView::from_row(&[1e20]), &mut workspace).unwrap();
    let backward = forward.output_units_from(asked, 1.0, Reduction::Sum).unwrap().hidden_units();
    let mut gradient = vec![0.0; 2];
    backward.weights_and_biases(&mut gradient).unwrap();
    assert_eq!(first_non_finite(&backward, None), None);
    let finding = first_non_finite(&backward, Some(&gradient)).unwrap();
    assert_eq!((finding.name.as_str(), finding.row), ("∂L/∂W_111", None));
    assert_eq!(finding.operands[1].name, "h_01");
    assert_eq!(finding.value, f64::INFINITY);
}
