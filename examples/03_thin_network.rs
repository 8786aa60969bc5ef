//! The deep, thin network, one neuron a layer: the chain rule as one product of named factors.
//!
//! `∂L/∂W_111 = ∂L/∂ŷ · ∂ŷ/∂a_41 · ∂a_41/∂h_31 · … · ∂h_11/∂a_11 · ∂a_11/∂W_111`, expanded and
//! compressed, with the values of this network.
//!
//! `cargo run -p chainrule-examples --example 03_thin_network`

use chainrule::explain::Explainer;
use chainrule::prelude::*;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut network = NetworkBuilder::<f64>::new(1)
        .dense(1, Activation::Sigmoid)
        .dense(1, Activation::Sigmoid)
        .dense(1, Activation::Sigmoid)
        .dense(1, Activation::Identity)
        .build()?;
    // θ = [W_111, b_11, W_211, b_21, W_311, b_31, W_411, b_41]
    network.theta_mut().copy_from_slice(&[1.5, -0.5, -2.0, 1.0, 3.0, -1.0, 0.8, 0.2]);

    let (x, y) = (Matrix::from_rows(&[[0.6]]), Matrix::from_rows(&[[1.0]]));
    let (loss, targets) = (SquaredError::new(), Targets::Values(y.view()));
    let mut workspace = Workspace::new(&network, 1)?;
    let forward = network.forward(x.view(), &mut workspace)?;
    let backward = forward.output_units(&loss, targets)?.hidden_units();
    let explainer = Explainer::new(&backward).unfused(&loss, targets)?;

    let ends_with = [
        ("W_111", "∂L/∂h_11 · ∂h_11/∂W_111"),
        ("W_211", "∂L/∂h_21 · ∂h_21/∂W_211"),
        ("W_411", "∂L/∂a_41 · ∂a_41/∂W_411"),
    ];
    for (weight, compressed) in ends_with {
        let thin = explainer.thin(weight.parse()?, 0)?;
        println!("{thin}\n");

        // The factors multiply to what backpropagation says.
        let product: f64 = thin.expanded.iter().map(|factor| factor.value).product();
        assert!((product / thin.gradient - 1.0).abs() < 1e-14);
        let [above, below] = &thin.compressed;
        assert!((above.value * below.value / thin.gradient - 1.0).abs() < 1e-14);
        assert_eq!(format!("{} · {}", above.name, below.name), compressed);
    }

    // Why deep logistic networks learn slowly: σ' is at most ¼, and there is one in each layer.
    let thin = explainer.thin("W_111".parse()?, 0)?;
    let slopes = thin.expanded.iter().filter(|factor| factor.name.starts_with("∂h_"));
    let slopes: Vec<f64> = slopes.map(|factor| factor.value).collect();
    println!("the three σ' = {slopes:.4?} multiply to {:.5}", slopes.iter().product::<f64>());
    assert!(slopes.len() == 3 && slopes.iter().all(|slope| *slope <= 0.25));
    Ok(())
}
