//! Backpropagation in the lecture's three parts, each on its own and each checked by hand:
//!
//! 1. output units: `∇_{a_L} L = −(e(ℓ) − ŷ)`
//! 2. hidden units: `∇_{h_i} L = W_{i+1}ᵀ ∇_{a_{i+1}} L`, `∇_{a_i} L = ∇_{h_i} L ⊙ g'(a_i)`
//! 3. weights and biases: `∇_{W_i} L = ∇_{a_i} L · h_{i−1}ᵀ`, `∇_{b_i} L = ∇_{a_i} L`
//!
//! `cargo run -p chainrule-examples --example 02_three_gradients`

use chainrule::autograd::CheckOptions;
use chainrule::loss::ProbabilityCrossEntropy;
use chainrule::prelude::*;

const CLASSES: usize = 3;
/// The true class ℓ, from 0.
const TRUE_CLASS: usize = 2;

fn builder() -> NetworkBuilder<f64> {
    NetworkBuilder::new(2)
        .dense(4, Activation::Sigmoid)
        .dense(3, Activation::Tanh)
        .dense(CLASSES, Activation::Identity)
        .seed(3)
}

fn main() -> chainrule::Result<()> {
    let network = builder().build()?;
    let (loss, targets) = (CrossEntropy::new(), Targets::Classes(&[TRUE_CLASS]));
    let x = Matrix::from_rows(&[[0.8, -0.3]]);
    let mut workspace = Workspace::new(&network, 1)?;
    let mut gradient = vec![0.0; network.parameter_count()];

    println!("part 1, output units");
    let forward = network.forward(x.view(), &mut workspace)?;
    let mut y_hat = Matrix::zeros(1, CLASSES);
    Loss::<f64>::output_function(&loss).apply(forward.output(), y_hat.view_mut());
    let output_units = forward.output_units(&loss, targets)?;
    let grad_a: Vec<f64> = output_units.grad_a().row(0).to_vec();
    println!("  L = {:.6}, ŷ = {:.4?}", output_units.loss(), y_hat.row(0));
    println!("  ∇_a_3 L = {grad_a:8.4?} = −(e(ℓ) − ŷ)");
    for (j, (grad_a, y_hat)) in grad_a.iter().zip(y_hat.row(0)).enumerate() {
        let e = if j == TRUE_CLASS { 1.0 } else { 0.0 };
        assert_close(*grad_a, -(e - y_hat));
    }

    // The unfused route: the softmax as a layer, the loss on probabilities. ∇_ŷ L has one entry,
    // −1/ŷ_ℓ, and the softmax's Jacobian turns it into the same ∇_a_L L.
    let unfused = builder().softmax().build()?;
    let mut unfused_workspace = Workspace::new(&unfused, 1)?;
    let forward = unfused.forward(x.view(), &mut unfused_workspace)?;
    let units = forward.output_units(&ProbabilityCrossEntropy::new(), targets)?;
    println!("  ∇_ŷ L   = {:8.4?} = −(1/ŷ_ℓ) e(ℓ)", units.grad_output().row(0));
    assert_close(units.grad_output()[(0, TRUE_CLASS)], -1.0 / y_hat[(0, TRUE_CLASS)]);
    grad_a
        .iter()
        .zip(units.grad_a().row(0))
        .for_each(|(fused, other)| assert_close(*fused, *other));

    println!("\npart 2, hidden units");
    let backward = output_units.hidden_units();
    for i in (1..network.depth()).rev() {
        println!("  ∇_h_{i} L = {:8.4?}", backward.grad_h(i).row(0));
        println!("  ∇_a_{i} L = {:8.4?}", backward.grad_a(i).row(0));
        let above = backward.grad_a(i + 1);
        let w = network.weights(i + 1).expect("W_{i+1}");
        let h = backward.forward().h(i);
        for j in 0..w.cols() {
            // Column j of W_{i+1}: what neuron j sends to each neuron above.
            let column = w.iter_rows().map(|row| row[j]);
            let grad_h = column.zip(above.row(0)).map(|(w, grad_a)| w * grad_a).sum();
            let g_prime = match i {
                1 => h[(0, j)] * (1.0 - h[(0, j)]),
                _ => 1.0 - h[(0, j)] * h[(0, j)],
            };
            assert_close(backward.grad_h(i)[(0, j)], grad_h);
            assert_close(backward.grad_a(i)[(0, j)], grad_h * g_prime);
        }
    }

    println!("\npart 3, weights and biases");
    backward.weights_and_biases(&mut gradient)?;
    let layout = network.layout();
    for i in 1..=network.depth() {
        let (grad_a, below) = (backward.grad_a(i), backward.forward().h(i - 1));
        for neuron in 1..=grad_a.cols() {
            let bias = gradient[layout.index(Param::Bias { layer: i, neuron })?];
            assert_close(bias, grad_a[(0, neuron - 1)]);
            for input in 1..=below.cols() {
                let weight = gradient[layout.index(Param::Weight { layer: i, neuron, input })?];
                assert_close(weight, grad_a[(0, neuron - 1)] * below[(0, input - 1)]);
            }
        }
        let norm = |range: std::ops::Range<usize>| chainrule::optim::norm(&gradient[range]);
        let mut blocks = layout.blocks().iter().filter(|block| block.layer == i);
        let (w, b) = (blocks.next().expect("W_i"), blocks.next().expect("b_i"));
        print!("  ‖∇_W_{i} L‖ = {:.6} ({} × {}), ", norm(w.range.clone()), w.rows, w.cols);
        println!("‖∇_b_{i} L‖ = {:.6}", norm(b.range.clone()));
    }
    let place = layout.index("W_112".parse()?)?;
    println!("  ∂L/∂W_112 = {:.8}", gradient[place]);

    // In training the three parts are one call, with the same bits.
    let mut at_once = vec![0.0; network.parameter_count()];
    let forward = network.forward(x.view(), &mut workspace)?;
    forward.backward(&loss, targets, &mut at_once)?;
    assert_eq!(gradient, at_once);

    // And the limit that all of this stands for.
    let report = check_gradient(&network, x.view(), &loss, targets, &CheckOptions::default())?;
    println!("\n{report}");
    assert!(report.passed());
    Ok(())
}

fn assert_close(x: f64, y: f64) {
    assert!((x - y).abs() <= 1e-13 * y.abs().max(1.0), "{x} is not {y}");
}
