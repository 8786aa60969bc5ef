//! XOR by the lecture's gradient descent: `θ_{t+1} = θ_t − η ∇θ_t`, `max_iterations` times, with
//! the gradient of the full batch.
//!
//! No line separates the two classes, so a network without a hidden layer cannot learn them.
//!
//! `cargo run -p chainrule-examples --example 04_xor`

use chainrule::metrics::{accuracy, argmax};
use chainrule::optim::{Descent, DescentConfig, gradient_descent};
use chainrule::prelude::*;

/// The classes of the four corners (0, 0), (0, 1), (1, 0), (1, 1).
const LABELS: [usize; 4] = [0, 1, 1, 0];

fn descend(network: &mut Network<f64>, x: &Matrix<f64>) -> chainrule::Result<Descent<f64>> {
    let mut workspace = Workspace::new(network, x.rows())?;
    let config = DescentConfig { learning_rate: 0.5, max_iterations: 1000, tolerance: 0.0 };
    let theta_0 = network.theta().to_vec();
    let found = gradient_descent(theta_0, &config, |theta, gradient| {
        network.theta_mut().copy_from_slice(theta);
        network
            .forward(x.view(), &mut workspace)
            .and_then(|forward| {
                forward.backward(&CrossEntropy::new(), Targets::Classes(&LABELS), gradient)
            })
            .expect("x, targets and gradient fit the network")
            .loss()
    })?;
    network.theta_mut().copy_from_slice(&found.theta);
    Ok(found)
}

fn main() -> chainrule::Result<()> {
    let x = Matrix::from_rows(&[[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]);
    let mut network = NetworkBuilder::new(2)
        .dense(4, Activation::Tanh)
        .dense(2, Activation::Identity)
        .seed(1)
        .build()?;
    let found = descend(&mut network, &x)?;

    println!("   t    loss  ‖∇θ‖");
    for (t, at) in found.history.iter().enumerate().filter(|(t, _)| t % 100 == 0 || *t == 999) {
        let bar = "█".repeat((40.0 * at.loss / found.history[0].loss) as usize);
        println!("{t:4}  {:.4}  {:.4}  {bar}", at.loss, at.gradient_norm);
    }
    assert_eq!(found.history.len(), 1000);
    assert!(found.history[999].loss < 0.05 * found.history[0].loss);

    let mut workspace = Workspace::new(&network, 4)?;
    let a = network.predict(x.view(), &mut workspace)?;
    let mut y_hat = Matrix::zeros(4, 2);
    Loss::<f64>::output_function(&CrossEntropy::new()).apply(a, y_hat.view_mut());
    println!("\n  x        ŷ = P(equal), P(different)");
    for (x, y_hat) in x.view().iter_rows().zip(y_hat.view().iter_rows()) {
        println!("  {x:?}  {y_hat:.3?}");
    }
    assert_eq!(accuracy(y_hat.view(), &LABELS), 1.0);

    println!("\nthe decision over the square, · equal, # different (x_1 to the right, x_2 up)");
    for row in (0..11).rev() {
        let mut line = String::new();
        for column in 0..23 {
            let point = [column as f64 / 22.0, row as f64 / 10.0];
            let a = network.predict_one(&point, &mut workspace)?;
            line.push_str(if argmax(a) == Some(1) { "#" } else { "·" });
        }
        println!("  {line}");
    }

    // Without the hidden layer at best a line: three corners of four, and the loss stays at ln 2.
    let mut line = NetworkBuilder::new(2).dense(2, Activation::Identity).build()?;
    let found = descend(&mut line, &x)?;
    println!("\nwithout a hidden layer the loss stays at {:.4}", found.history[999].loss);
    assert!((found.history[999].loss - 2.0_f64.ln()).abs() < 1e-3);
    Ok(())
}
