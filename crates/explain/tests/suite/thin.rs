//! Thin networks: one neuron a layer, a single path.

use chainrule_autograd_manual::{Network, Param, Workspace};
use chainrule_explain::{Explainer, ThinFactors, explain};
use chainrule_layers::{Activation, Dense, Dropout, Layer};
use chainrule_loss::{Loss, Reduction, Targets, parse};
use chainrule_tensor::MatrixView;
use proptest::prelude::*;
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};

fn network(depth: usize, hidden: Activation, output: Activation, seed: u64) -> Network<f64> {
    let g = |i| if i == depth { output } else { hidden };
    let layer = |i| Box::new(Dense::new(1, 1, g(i)).unwrap()) as Box<dyn Layer<f64>>;
    let mut network = Network::new((1..=depth).map(layer).collect()).unwrap();
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    for theta in network.theta_mut() {
        *theta = rng.random_range(0.3..1.5) * if rng.random() { 1.0 } else { -1.0 };
    }
    network
}

fn factors(network: &Network<f64>, x: f64, y: f64, loss: &str, param: &str) -> ThinFactors {
    let loss: Box<dyn Loss<f64>> = parse(loss, None, Reduction::Mean).unwrap();
    let (x, y) = ([x], [y]);
    let targets = Targets::Values(MatrixView::from_row(&y));
    let mut workspace = Workspace::new(network, 1).unwrap();
    let forward = network.forward(MatrixView::from_row(&x), &mut workspace).unwrap();
    let backward = forward.output_units(&*loss, targets).unwrap().hidden_units();
    let explainer = Explainer::new(&backward).unfused(&*loss, targets).unwrap();
    let param: Param = param.parse().unwrap();
    let thin = explainer.thin(param, 0).unwrap();
    // The wide view of the same path.
    let wide = explain(&backward, param, 0).unwrap();
    assert!((wide.value - thin.value).abs() <= 1e-14 * thin.value.abs(), "{wide}\n{thin}");
    assert_eq!(wide.gradient, thin.gradient);
    thin
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..Default::default() })]

    #[test]
    fn the_product_is_the_gradient(seed in any::<u64>(), x in -2.0..2.0, y in 0.01..0.99) {
        for depth in 1..=12 {
            for hidden in Activation::ALL {
                for (output, loss) in [
                    (Activation::Identity, "squared_error"),
                    (Activation::Identity, "bce_with_logits"),
                    (Activation::Sigmoid, "mse"),
                ] {
                    let network = network(depth, hidden, output, seed ^ depth as u64);
                    let layer = 1 + seed as usize % depth;
                    for param in [format!("W_{layer},1,1"), format!("b_{layer},1")] {
                        let thin = factors(&network, x, y, loss, &param);
                        let bound = 1e-14 * thin.gradient.abs();
                        let [above, below] = &thin.compressed;
                        for product in [
                            thin.value,
                            thin.expanded.iter().map(|factor| factor.value).product(),
                            above.value * below.value,
                        ] {
                            prop_assert!(product.is_finite());
                            prop_assert!(
                                (product - thin.gradient).abs() <= bound,
                                "{hidden}, {loss}, depth {depth}: {product:e}\n{thin}"
                            );
                        }
                        prop_assert_eq!(thin.expanded.len(), 2 * (depth - layer) + 3);
                    }
                }
            }
        }
    }
}

fn names(thin: &ThinFactors) -> (Vec<&str>, [&str; 2]) {
    let expanded = thin.expanded.iter().map(|factor| factor.name.as_str()).collect();
    (expanded, [&thin.compressed[0].name, &thin.compressed[1].name])
}

#[test]
fn the_factors_have_the_lectures_names() {
    let network = network(3, Activation::Sigmoid, Activation::Identity, 1);
    let thin = |param| factors(&network, 0.5, 1.0, "squared_error", param);
    assert_eq!(
        names(&thin("W_111")),
        (
            vec![
                "∂L/∂ŷ",
                "∂ŷ/∂a_31",
                "∂a_31/∂h_21",
                "∂h_21/∂a_21",
                "∂a_21/∂h_11",
                "∂h_11/∂a_11",
                "∂a_11/∂W_111"
            ],
            ["∂L/∂h_11", "∂h_11/∂W_111"]
        )
    );
    assert_eq!(
        names(&thin("b_21")),
        (
            vec!["∂L/∂ŷ", "∂ŷ/∂a_31", "∂a_31/∂h_21", "∂h_21/∂a_21", "∂a_21/∂b_21"],
            ["∂L/∂h_21", "∂h_21/∂b_21"]
        )
    );
    assert_eq!(
        names(&thin("W_311")),
        (vec!["∂L/∂ŷ", "∂ŷ/∂a_31", "∂a_31/∂W_311"], ["∂L/∂a_31", "∂a_31/∂W_311"])
    );
}

/// `L = (ŷ − y)²`, `x = 2`, `W = [0.5, −3, 2]`, `b = 0`, `y = −2`, no activations: every factor is
/// one of these numbers or 1.
#[test]
fn the_factors_have_the_values_worked_by_hand() {
    let mut network = network(3, Activation::Identity, Activation::Identity, 1);
    network.theta_mut().copy_from_slice(&[0.5, 0.0, -3.0, 0.0, 2.0, 0.0]);
    // h = 1, −3, −6; ŷ − y = −4.
    let thin = factors(&network, 2.0, -2.0, "mse", "W_111");
    let values: Vec<f64> = thin.expanded.iter().map(|factor| factor.value).collect();
    assert_eq!(values, [-8.0, 1.0, 2.0, 1.0, -3.0, 1.0, 2.0]);
    assert_eq!(thin.compressed.each_ref().map(|factor| factor.value), [48.0, 2.0]);
    assert_eq!((thin.value, thin.gradient), (96.0, 96.0));
    assert_eq!(
        thin.to_string(),
        "∂L/∂W_111 = 96 for example 0 (backpropagation: 96)
  = ∂L/∂ŷ · ∂ŷ/∂a_31 · ∂a_31/∂h_21 · ∂h_21/∂a_21 · ∂a_21/∂h_11 · ∂h_11/∂a_11 · ∂a_11/∂W_111
  = ∂L/∂h_11 · ∂h_11/∂W_111
  = 48 · 2
  expanded
    ∂L/∂ŷ        = -8
    ∂ŷ/∂a_31     = 1
    ∂a_31/∂h_21  = 2
    ∂h_21/∂a_21  = 1
    ∂a_21/∂h_11  = -3
    ∂h_11/∂a_11  = 1
    ∂a_11/∂W_111 = 2
  compressed
    ∂L/∂h_11     = 48
    ∂h_11/∂W_111 = 2"
    );
}

#[test]
fn deep_names_take_commas_and_the_fused_head_is_one_factor() {
    let network = network(11, Activation::Tanh, Activation::Identity, 5);
    let loss: Box<dyn Loss<f64>> = parse("mse", None, Reduction::Mean).unwrap();
    let mut workspace = Workspace::new(&network, 1).unwrap();
    let forward = network.forward(MatrixView::from_row(&[0.3]), &mut workspace).unwrap();
    let targets = Targets::Values(MatrixView::from_row(&[0.1]));
    let backward = forward.output_units(&*loss, targets).unwrap().hidden_units();
    let param = Param::Weight { layer: 10, neuron: 1, input: 1 };
    let thin = Explainer::new(&backward).thin(param, 0).unwrap();
    assert_eq!(
        names(&thin),
        (
            vec!["∂L/∂a_11,1", "∂a_11,1/∂h_10,1", "∂h_10,1/∂a_10,1", "∂a_10,1/∂W_10,1,1"],
            ["∂L/∂h_10,1", "∂h_10,1/∂W_10,1,1"]
        )
    );
}

#[test]
fn a_mask_is_a_factor_as_it_was_drawn() {
    let layers: Vec<Box<dyn Layer<f64>>> = vec![
        Box::new(Dense::new(2, 1, Activation::Identity).unwrap()),
        Box::new(Dropout::new(1, 0.5).unwrap()),
        Box::new(Dense::new(1, 1, Activation::Identity).unwrap()),
    ];
    let mut network = Network::new(layers).unwrap();
    network.theta_mut().copy_from_slice(&[0.5, 1.0, 0.0, 3.0, 0.0]);
    let loss: Box<dyn Loss<f64>> = parse("mse", None, Reduction::Mean).unwrap();
    let y = [0.0];
    let targets = Targets::Values(MatrixView::from_row(&y));
    let mut seen = Vec::new();
    for seed in 0..16 {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        let mut workspace = Workspace::new(&network, 1).unwrap();
        let x = MatrixView::from_row(&[1.0, 4.0]);
        let forward = network.forward_train(x, &mut workspace, &mut rng).unwrap();
        let backward = forward.output_units(&*loss, targets).unwrap().hidden_units();
        let thin = Explainer::new(&backward).thin("W_112".parse().unwrap(), 0).unwrap();
        assert_eq!(thin.expanded[2].name, "∂h_21/∂a_21");
        assert_eq!(thin.expanded[3].name, "∂a_21/∂h_11");
        assert_eq!(thin.expanded[3].value, 1.0);
        assert_eq!(thin.value, thin.gradient);
        seen.push(thin.expanded[2].value);
    }
    assert!(seen.contains(&0.0) && seen.contains(&2.0), "{seen:?}");
}
