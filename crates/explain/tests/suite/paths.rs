//! The strongest paths against an explicit list of all, made here from what forward left.

use chainrule_autograd_manual::{Backward, Network, Param, Workspace};
use chainrule_explain::{ExplainError, Explainer, PathCount, Paths, explain};
use chainrule_layers::{Activation, Layer, LayerConfig, Softmax};
use chainrule_loss::{Reduction, SquaredError, Targets};
use chainrule_tensor::{Matrix, MatrixView};
use proptest::prelude::*;

use crate::common::{Case, dense, recipes};

/// `∂h_m/∂a_m` entry by entry, `m` from 1, units from 0.
fn local(backward: &Backward<'_, '_, f64>, m: usize, row: usize, j: usize, k: usize) -> f64 {
    let (a, h) = (backward.forward().a(m).row(row), backward.forward().h(m).row(row));
    let same = f64::from(u8::from(j == k));
    match backward.network().layers()[m - 1].config().unwrap() {
        LayerConfig::Dense(dense) => same * dense.activation().derivative(a[j]),
        LayerConfig::Dropout(_) => same * a[j],
        LayerConfig::Softmax(_) => h[j] * (same - h[k]),
        _ => unreachable!(),
    }
}

/// The product of every path of an example from `a_m` (unit `o`, product so far) to `param`.
fn walk(
    backward: &Backward<'_, '_, f64>,
    param: Param,
    row: usize,
    (m, o, product): (usize, usize, f64),
    all: &mut Vec<f64>,
) {
    if m == param.layer() {
        if o + 1 == param.neuron() {
            all.push(match param {
                Param::Weight { input, .. } => {
                    product * backward.forward().h(m - 1).row(row)[input - 1]
                }
                Param::Bias { .. } => product,
            });
        }
        return;
    }
    let network = backward.network();
    for p in 0..network.layers()[m - 2].outputs() {
        let w = match network.weights(m) {
            Some(w) => w[(o, p)],
            None if o == p => 1.0,
            None => continue,
        };
        let softmax = matches!(network.layers()[m - 2].config(), Some(LayerConfig::Softmax(_)));
        for q in 0..network.layers()[m - 2].outputs() {
            if q == p || softmax {
                let product = product * w * local(backward, m - 1, row, p, q);
                walk(backward, param, row, (m - 1, q, product), all);
            }
        }
    }
}

fn brute_force(backward: &Backward<'_, '_, f64>, param: Param, row: usize) -> Vec<f64> {
    let depth = backward.network().depth();
    let mut all = Vec::new();
    for (o, g) in backward.grad_a(depth).row(row).iter().enumerate() {
        // A path to the parameter of the last layer has one output alone.
        if param.layer() < depth || o + 1 == param.neuron() {
            let top = g * backward.example_scale();
            walk(backward, param, row, (depth, o, top), &mut all);
        }
    }
    all
}

/// By magnitude, from the largest.
fn sorted(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_by(|a, b| b.abs().total_cmp(&a.abs()));
    values
}

fn check_paths(paths: &Paths, all: &[f64], k: usize, scale: f64) {
    let sum: f64 = all.iter().sum::<f64>() * scale;
    let magnitude: f64 = all.iter().map(|x| x.abs()).sum::<f64>() * scale;
    let bound = 1e-12 * magnitude;
    assert_eq!(paths.count.exact(), Some(all.len() as u128), "{paths}");
    let live = all.iter().filter(|x| **x != 0.0).count();
    assert_eq!(paths.live.exact(), Some(live as u128), "{paths}");
    assert_eq!(paths.strongest.len(), k.min(all.len()), "{paths}");
    assert!((paths.sum - sum).abs() <= bound, "{paths}\n{sum}");
    assert!((paths.magnitude - magnitude).abs() <= bound, "{paths}\n{magnitude}");
    match paths.cancellation() {
        Some(index) => assert!((index - sum.abs() / magnitude).abs() <= 1e-11, "{paths}"),
        None => assert_eq!(magnitude, 0.0),
    }
    let best = sorted(all.to_vec());
    let mut covered = 0.0;
    for (path, expected) in paths.strongest.iter().zip(&best) {
        // Ties aside: the values are compared, not who has them.
        assert!((path.value.abs() - expected.abs()).abs() <= 1e-14 * expected.abs(), "{paths}");
        let product: f64 = path.factors.iter().map(|factor| factor.value).product();
        assert_eq!(product, path.value);
        assert_eq!(path.nodes.len() + 1, path.factors.len());
        if magnitude > 0.0 {
            let share = path.value * scale / magnitude;
            assert!((path.share - share).abs() <= 1e-11, "{paths}");
        }
        covered += path.share.abs();
    }
    if magnitude > 0.0 {
        assert!((paths.covered - covered).abs() <= 1e-11, "{paths}");
    }
    let certificate = &paths.certificate;
    assert!(certificate.holds, "{paths}");
    let listed = certificate.listed.unwrap();
    assert!((listed - paths.sum).abs() <= bound, "{paths}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..Default::default() })]

    #[test]
    fn the_strongest_are_those_of_the_whole_list(
        recipe in recipes(5, 3), k in 1_usize..40, pick in any::<prop::sample::Index>(),
    ) {
        let case = Case::new(&recipe);
        let mut workspace = case.workspace();
        let backward = case.backward(&mut workspace);
        let explainer = Explainer::new(&backward);
        let params = case.params();
        let param = *pick.get(&params);
        let mut every = Vec::new();
        for row in 0..recipe.rows {
            let all = brute_force(&backward, param, row);
            let paths = explainer.paths(param, row, k).unwrap();
            check_paths(&paths, &all, k, 1.0);
            prop_assert!(paths.strongest.iter().all(|path| path.row == row));
            // More than there are: all of them, and they add up.
            let whole = explainer.paths(param, row, all.len() + 3).unwrap();
            prop_assert_eq!(whole.strongest.len(), all.len());
            prop_assert_eq!(whole.covered, 1.0);
            let sum: f64 = whole.strongest.iter().map(|path| path.value).sum();
            prop_assert!((sum - whole.sum).abs() <= 1e-12 * whole.magnitude, "{whole}");
            every.extend(all);
        }
        let paths = explainer.batch_paths(param, k).unwrap();
        // A batch of one is that example.
        let scale = match recipe.reduction {
            Reduction::Mean => 1.0 / recipe.rows as f64,
            Reduction::Sum => 1.0,
        };
        check_paths(&paths, &every, k, scale);
        let mut gradient = vec![0.0; case.network.parameter_count()];
        backward.weights_and_biases(&mut gradient).unwrap();
        let gradient = gradient[case.network.layout().index(param).unwrap()];
        prop_assert!((paths.sum - gradient).abs() <= paths.certificate.bound, "{paths}");
    }

    #[test]
    fn an_unfused_head_adds_its_own_factors(recipe in recipes(5, 3), k in 1_usize..30) {
        let case = Case::new(&recipe);
        let mut workspace = case.workspace();
        let backward = case.backward(&mut workspace);
        let fused = Explainer::new(&backward);
        let unfused = Explainer::new(&backward).unfused(&*case.loss, case.targets()).unwrap();
        for param in [case.params()[0], *case.params().last().unwrap()] {
            let paths = unfused.paths(param, 0, k).unwrap();
            let plain = fused.paths(param, 0, k).unwrap();
            prop_assert!(paths.count.exact() >= plain.count.exact());
            prop_assert!((paths.sum - plain.sum).abs() <= paths.certificate.bound, "{paths}");
            prop_assert!(paths.certificate.holds, "{paths}");
            let first = &paths.strongest[0].factors;
            prop_assert!(first[0].name.starts_with("∂L/∂ŷ"), "{paths}");
            prop_assert!(first[1].name.starts_with("∂ŷ"), "{paths}");
        }
    }
}

fn network(layers: Vec<Box<dyn Layer<f64>>>) -> Network<f64> {
    let mut network = Network::new(layers).unwrap();
    let theta = network.theta_mut().iter_mut().enumerate();
    theta.for_each(|(i, theta)| *theta = (1.3 * i as f64 + 0.4).sin());
    network
}

#[test]
fn every_pair_of_an_inner_softmax_is_an_edge() {
    let network = network(vec![
        dense(2, 4, Activation::Tanh),
        Box::new(Softmax::new(4).unwrap()),
        dense(4, 3, Activation::Sigmoid),
        dense(3, 2, Activation::Identity),
    ]);
    let mut workspace = Workspace::new(&network, 2).unwrap();
    let x = Matrix::from_rows(&[[0.4, -1.0], [1.2, 0.3]]);
    let y = Matrix::from_rows(&[[0.0, 1.0], [0.5, -1.0]]);
    let forward = network.forward(x.view(), &mut workspace).unwrap();
    let targets = Targets::Values(y.view());
    let backward = forward.output_units(&SquaredError::new(), targets).unwrap().hidden_units();
    let param = "W_132".parse().unwrap();
    let paths = Explainer::new(&backward).paths(param, 1, 7).unwrap();
    // 2 outputs, 3 and 4 units, and of the softmax any h_2 to the one a_2 above neuron 3.
    assert_eq!(paths.count.exact(), Some(2 * 3 * 4));
    check_paths(&paths, &brute_force(&backward, param, 1), 7, 1.0);
    let names: Vec<&str> = paths.strongest[0].factors.iter().map(|f| f.name.as_str()).collect();
    assert!(names[4].starts_with("∂h_2") && names[4].ends_with("∂a_23"), "{names:?}");
    assert_eq!(names[5], "∂a_23/∂h_13");
}

/// `ŷ = 3 h_11 + 2 h_12`, `h_1 = (2 x, −x)`, identity, `x = 1`, `L = (ŷ − 3.5)²`.
#[test]
fn the_text_is_worked_by_hand() {
    let mut network = network(vec![
        dense(1, 1, Activation::Identity),
        dense(1, 2, Activation::Identity),
        dense(2, 1, Activation::Identity),
    ]);
    network.theta_mut().copy_from_slice(&[1.0, 0.0, 2.0, -1.0, 0.0, 0.0, 3.0, 2.0, 0.0]);
    let mut workspace = Workspace::new(&network, 1).unwrap();
    let y = [3.5];
    let forward = network.forward(MatrixView::from_row(&[1.0]), &mut workspace).unwrap();
    let targets = Targets::Values(MatrixView::from_row(&y));
    let backward = forward.output_units(&SquaredError::new(), targets).unwrap().hidden_units();
    let explainer = Explainer::new(&backward).labelled(&[17]).unwrap();
    let paths = explainer.paths("W_111".parse().unwrap(), 0, 5).unwrap();
    // ∂L/∂a_31 = 2 · 0.5 = 1; the paths are 1 · 3 · 1 · 2 = 6 and 1 · 2 · 1 · −1 = −2.
    assert_eq!(
        paths.to_string(),
        "\
2 paths to W_111, 2 without a factor 0; the 2 strongest, with their shares of Σ |paths|:
  1.  +75.0 %  6
      = ∂L/∂a_31 · ∂a_31/∂h_21 · ∂h_21/∂a_21 · ∂a_21/∂h_11 · ∂h_11/∂a_11 · ∂a_11/∂W_111
      = 1 · 3 · 1 · 2 · 1 · 1
  2.  −25.0 %  -2
      = ∂L/∂a_31 · ∂a_31/∂h_22 · ∂h_22/∂a_22 · ∂a_22/∂h_11 · ∂h_11/∂a_11 · ∂a_11/∂W_111
      = 1 · 2 · 1 · -1 · 1 · 1
they cover 100.0 % of Σ |paths| = 8
cancellation |Σ paths| / Σ |paths| = 0.5: mostly an agreement
certificate: Σ paths = 4
  the network's backpropagation  4, difference 0 (allowed 8e-12)
  all 2 listed one by one  4, difference 0 (allowed 8e-12)
  it holds"
    );
    let json = serde_json::to_value(&paths).unwrap();
    assert_eq!(json["rows"], serde_json::json!([17]));
    assert_eq!(json["count"], serde_json::json!({ "exact": "2", "approximate": 2.0 }));
    assert_eq!(json["strongest"][0]["nodes"][1], "h_21");
    assert_eq!(json["strongest"][1]["factors"][1]["name"], "∂a_31/∂h_22");
    assert_eq!(json["strongest"][1]["value"], -2.0);
}

#[test]
fn a_wide_deep_network_is_ranked_without_a_list() {
    // 5 · 40⁹ paths.
    let mut layers = vec![dense(3, 40, Activation::Tanh)];
    layers.extend((0..9).map(|_| dense(40, 40, Activation::Tanh)));
    layers.push(dense(40, 5, Activation::Identity));
    let network = network(layers);
    let mut workspace = Workspace::new(&network, 1).unwrap();
    let forward = network.forward(MatrixView::from_row(&[0.1, 0.2, -0.3]), &mut workspace).unwrap();
    let y = [0.0; 5];
    let targets = Targets::Values(MatrixView::from_row(&y));
    let backward = forward.output_units(&SquaredError::new(), targets).unwrap().hidden_units();
    let explainer = Explainer::new(&backward);
    let param = "W_172".parse().unwrap();
    let paths = explainer.paths(param, 0, 20).unwrap();
    assert_eq!(paths.count.exact(), Some(5 * 40_u128.pow(9)));
    assert_eq!(paths.certificate.listed, None);
    assert!(paths.certificate.holds, "{paths}");
    assert_eq!(paths.strongest.len(), 20);
    assert!(paths.covered < 1.0 && paths.cancellation().unwrap() < 1.0);
    // Fewer are the first of more.
    let fewer = explainer.paths(param, 0, 3).unwrap();
    assert_eq!(fewer.strongest, paths.strongest[..3]);
    let expected = explain(&backward, param, 0).unwrap().value;
    assert!((paths.sum - expected).abs() <= 1e-12 * paths.magnitude);

    let error = |k| explainer.paths(param, 0, k).unwrap_err().to_string();
    assert_eq!(error(0), "0 paths were asked for; ask for at least 1");
    for k in [1_000_000_000, usize::MAX] {
        assert!(error(k).starts_with(&format!("{k} paths are more than fit")), "{}", error(k));
    }
    // What the refusal names is possible.
    let Err(ExplainError::TooManyPaths { most, .. }) = explainer.paths(param, 0, usize::MAX) else {
        panic!("not refused")
    };
    assert!(most > 1000, "{most}");
}

#[test]
fn what_is_not_finite_is_refused_by_place() {
    let mut network =
        network(vec![dense(1, 2, Activation::Tanh), dense(2, 1, Activation::Identity)]);
    network.theta_mut()[5] = f64::INFINITY;
    let mut workspace = Workspace::new(&network, 1).unwrap();
    let forward = network.forward(MatrixView::from_row(&[1.0]), &mut workspace).unwrap();
    let y = [0.0];
    let targets = Targets::Values(MatrixView::from_row(&y));
    let backward = forward.output_units(&SquaredError::new(), targets).unwrap().hidden_units();
    let text = Explainer::new(&backward).paths("W_111".parse().unwrap(), 0, 3).unwrap_err();
    let text = text.to_string();
    assert!(
        text.contains("a_21 is inf for example 0 (counted from 0): a weight is not finite"),
        "{text}"
    );
}

#[test]
fn counts_beyond_128_bits_are_approximate() {
    let mut count = PathCount::ONE;
    for _ in 0..40 {
        count = count.times(1000);
    }
    assert_eq!(count.exact(), None);
    assert!((count.approximate() / 1e120 - 1.0).abs() < 1e-12);
    assert_eq!(serde_json::to_value(count).unwrap()["exact"], serde_json::Value::Null);
    assert_eq!(count.plus(PathCount::ONE).exact(), None);
    assert_eq!(PathCount::ONE.plus(PathCount::ONE).exact(), Some(2));
}
