//! A network in the other precision.

use chainrule_autograd_manual::{CheckOptions, Network, Workspace, check_gradient};
use chainrule_layers::{Activation, Dense, Layer};
use chainrule_loss::{CrossEntropy, Targets};
use chainrule_tensor::Matrix;
use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;

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
