//! The forward pass, every number of it: `a_i = W_i h_{i−1} + b_i`, `h_i = g(a_i)`, `ŷ = O(a_L)`.
//!
//! The last layer has no activation: the network hands out `a_L`. The output function `O`, here
//! the softmax, belongs to the loss and is applied once, by whoever wants probabilities.
//!
//! `cargo run -p chainrule-examples --example 01_forward_pass`

use chainrule::prelude::*;

fn main() -> chainrule::Result<()> {
    // L = 3: two hidden layers of logistic neurons, an output layer for two classes.
    let network = NetworkBuilder::<f64>::new(3)
        .dense(4, Activation::Sigmoid)
        .dense(3, Activation::Sigmoid)
        .dense(2, Activation::Identity)
        .seed(1)
        .build()?;
    let x = [0.5, -1.0, 2.0];

    let mut workspace = Workspace::new(&network, 1)?;
    let forward = network.forward(MatrixView::from_row(&x), &mut workspace)?;
    println!("x = h_0 = {:8.4?}\n", forward.h(0).row(0));
    for i in 1..=network.depth() {
        println!("layer {i}: {}", network.layers()[i - 1].name());
        println!("  a_{i} = {:8.4?}", forward.a(i).row(0));
        println!("  h_{i} = {:8.4?}", forward.h(i).row(0));
    }

    // The loss knows which O it belongs to.
    let output = Loss::<f64>::output_function(&CrossEntropy::new());
    let mut y_hat = Matrix::zeros(1, 2);
    output.apply(forward.a(3), y_hat.view_mut());
    println!("\nŷ = O(a_3) = {output}(a_3) = {:.4?}", y_hat.row(0));

    // The same by the definition, W_i and b_i read out of θ.
    let mut h = x.to_vec();
    for i in 1..=network.depth() {
        let (w, b) = (network.weights(i).expect("W_i"), network.biases(i).expect("b_i"));
        let neurons = w.iter_rows().zip(b);
        let a: Vec<f64> = neurons.map(|(w, b)| dot(w, &h) + b).collect();
        h = match i {
            3 => a.clone(),
            _ => a.iter().map(|a| 1.0 / (1.0 + (-a).exp())).collect(),
        };
        assert_close(&a, forward.a(i).row(0));
        assert_close(&h, forward.h(i).row(0));
    }
    let sum: f64 = h.iter().map(|a| a.exp()).sum();
    let softmax: Vec<f64> = h.iter().map(|a| a.exp() / sum).collect();
    assert_close(&softmax, y_hat.row(0));
    println!("every a_i, h_i and ŷ agrees with a plain loop over the definition");

    // Applying O twice is the classic mistake: still a distribution, but a flatter one.
    let mut twice = Matrix::zeros(1, 2);
    output.apply(y_hat.view(), twice.view_mut());
    println!("O applied twice would give {:.4?}", twice.row(0));
    assert!(twice.row(0).iter().all(|y| (y - 0.5).abs() < (y_hat[(0, 0)] - 0.5).abs()));
    Ok(())
}

fn dot(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).map(|(x, y)| x * y).sum()
}

fn assert_close(x: &[f64], y: &[f64]) {
    assert_eq!(x.len(), y.len());
    assert!(x.iter().zip(y).all(|(x, y)| (x - y).abs() < 1e-14), "{x:?} is not {y:?}");
}
