//! What the compile-fail example of `Forward` forbids is allowed once the pass is over: it fails
//! for no other reason.

use chainrule_autograd_manual::{Network, Workspace};
use chainrule_layers::{Activation, Dense};
use chainrule_loss::{CrossEntropy, Targets};
use chainrule_tensor::Matrix;

#[test]
fn theta_changes_between_two_passes() {
    let mut network =
        Network::new(vec![Box::new(Dense::new(3, 2, Activation::Identity).unwrap())]).unwrap();
    let mut workspace = Workspace::new(&network, 1).unwrap();
    let mut gradient = vec![0.0; network.parameter_count()];
    let x = Matrix::from_rows(&[[0.3, -1.0, 2.0]]);
    let mut losses = Vec::new();
    for _ in 0..2 {
        let forward = network.forward(x.view(), &mut workspace).unwrap();
        let targets = Targets::Classes(&[1]);
        let backward = forward.backward(&CrossEntropy::new(), targets, &mut gradient).unwrap();
        losses.push(backward.loss());
        network.theta_mut()[0] += 0.1;
    }
    assert_eq!(losses[0], 2.0_f64.ln());
    assert!(losses[1] > losses[0]);
}
