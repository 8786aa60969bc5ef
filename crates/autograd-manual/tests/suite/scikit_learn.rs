//! The worked example that scikit-learn publishes with its multi-layer perceptron (`test_fit` in
//! `sklearn/neural_network/tests/test_mlp.py`).

use chainrule_autograd_manual::{Network, Workspace};
use chainrule_layers::{Activation, Dense};
use chainrule_loss::{BinaryCrossEntropy, Targets};
use chainrule_tensor::{Matrix, math};

fn near(found: f64, expected: f64) {
    assert!((found - expected).abs() <= 1e-14, "{found:?} instead of {expected:?}");
}

#[test]
fn one_step_of_gradient_descent() {
    let (learning_rate, alpha, examples) = (0.1, 0.1, 1.0);
    // Binary cross-entropy applies the last sigmoid itself.
    let mut network = Network::new(vec![
        Box::new(Dense::new(3, 2, Activation::Sigmoid).unwrap()),
        Box::new(Dense::new(2, 1, Activation::Identity).unwrap()),
    ])
    .unwrap();
    // scikit-learn's W_1 is (inputs × outputs): here are its columns.
    let theta = [0.1, 0.3, 0.5, 0.2, 0.1, 0.0, 0.1, 0.1, 0.1, 0.2, 1.0];
    network.theta_mut().copy_from_slice(&theta);

    let x = Matrix::from_rows(&[[0.6, 0.8, 0.7]]);
    let y = Matrix::from_rows(&[[0.0]]);
    let mut gradient = vec![f64::NAN; network.parameter_count()];
    let mut workspace = Workspace::new(&network, 1).unwrap();
    let forward = network.forward(x.view(), &mut workspace).unwrap();
    near(forward.h(1).row(0)[0], 0.679178699175393);
    near(forward.h(1).row(0)[1], 0.574442516811659);
    near(math::sigmoid(forward.output().row(0)[0]), 0.76545202190952);
    let backward = forward
        .backward(&BinaryCrossEntropy::new(), Targets::Values(y.view()), &mut gradient)
        .unwrap();

    // L2 on weights alone: α/2 Σ W² / n, and α W / n in the gradient.
    let mut loss = backward.loss();
    for range in network.layout().weight_ranges() {
        for (g, w) in gradient[range.clone()].iter_mut().zip(&network.theta()[range]) {
            loss += 0.5 * alpha * w * w / examples;
            *g += alpha * w / examples;
        }
    }
    near(loss, 1.4725951146222291);

    for (theta, g) in network.theta_mut().iter_mut().zip(&gradient) {
        *theta -= learning_rate * g;
    }
    let theta =
        |name: &str| network.theta()[network.layout().index(name.parse().unwrap()).unwrap()];
    near(theta("W_211"), 0.04701212914783179);
    near(theta("W_212"), 0.15402918140357222);
    near(theta("b_21"), 0.9234547978090479);
}
