//! Is a gradient right? Central differences of the loss tell: `(L(θ + h) − L(θ − h)) / 2h`, one
//! parameter at a time. The right gradient passes; each of four usual mistakes fails.
//!
//! `cargo run -p chainrule-examples --example 05_gradient_check`

use chainrule::autograd::CheckOptions;
use chainrule::gradcheck::{Options, check};
use chainrule::prelude::*;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut network = NetworkBuilder::<f64>::new(3)
        .dense(5, Activation::Tanh)
        .dense(2, Activation::Identity)
        .seed(5)
        .build()?;
    let x = Matrix::from_rows(&[[0.2, -0.7, 0.5], [-0.3, 0.9, 0.1], [0.8, 0.4, -0.6]]);
    let (loss, targets) = (CrossEntropy::new(), Targets::Classes(&[0, 1, 1]));

    // A whole network is one call.
    let report = check_gradient(&network, x.view(), &loss, targets, &CheckOptions::default())?;
    println!("backpropagation\n{report}\n");
    assert!(report.passed());

    // Any gradient at all is a slice, and a closure that gives the loss at θ.
    let mut workspace = Workspace::new(&network, x.rows())?;
    let mut gradient = vec![0.0; network.parameter_count()];
    let forward = network.forward(x.view(), &mut workspace)?;
    forward.backward(&loss, targets, &mut gradient)?;
    let layout = network.layout().clone();
    let w_112 = layout.index("W_112".parse()?)?;
    let b_2 = layout.index("b_21".parse()?)?..layout.len();

    let mut theta = network.theta().to_vec();
    let mut checked = |gradient: &[f64]| {
        let loss_at = |theta: &[f64]| {
            network.theta_mut().copy_from_slice(theta);
            let forward = network.forward(x.view(), &mut workspace).expect("x fits");
            forward.loss(&loss, targets).expect("the targets fit")
        };
        check(&mut theta, gradient, loss_at, &Options::default())
    };
    assert!(checked(&gradient)?.passed());

    let spoilt = |spoil: &dyn Fn(&mut [f64])| {
        let mut wrong = gradient.clone();
        spoil(&mut wrong);
        wrong
    };
    for (mistake, wrong) in [
        ("a wrong sign in ∂L/∂W_112", spoilt(&|g| g[w_112] = -g[w_112])),
        ("∇_b_2 L forgotten", spoilt(&|g| g[b_2.clone()].fill(0.0))),
        (
            "a sum over the examples instead of the mean",
            spoilt(&|g| g.iter_mut().for_each(|g| *g *= 3.0)),
        ),
        ("one entry off by a millionth", spoilt(&|g| g[0] += 1e-6)),
    ] {
        let report = checked(&wrong)?;
        println!("{mistake}\n{report}");
        if let Some(param) = report.worst.as_ref().and_then(|worst| layout.param(worst.index)) {
            println!("which is {param}\n");
        }
        assert!(!report.passed(), "{mistake} went unnoticed");
    }
    Ok(())
}
