//! The cuts of a derivative add up to the whole; neurons are judged; the depth names its cause.

use chainrule_autograd_manual::{Network, Param, Workspace};
use chainrule_explain::{Cause, Context, Depth, Explainer, Fate, NeuronState, Quantity, Through};
use chainrule_layers::{Activation, Dropout, Layer};
use chainrule_loss::{Reduction, SquaredError, Targets};
use chainrule_tensor::Matrix;
use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;

use crate::common::{Case, dense, recipes};

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..Default::default() })]

    #[test]
    fn every_cut_adds_up_to_the_whole(
        recipe in recipes(5, 4), pick in any::<prop::sample::Index>(), unfused in any::<bool>(),
    ) {
        let case = Case::new(&recipe);
        let mut workspace = case.workspace();
        let backward = case.backward(&mut workspace);
        let mut explainer = Explainer::new(&backward);
        if unfused {
            explainer = explainer.unfused(&*case.loss, case.targets()).unwrap();
        }
        let params = case.params();
        let param = *pick.get(&params);
        let answer = explainer.responsibility(param, Some(&case.classes)).unwrap();
        let paths = explainer.batch_paths(param, 5000).unwrap();
        let bound = 1e-12 * paths.magnitude + f64::MIN_POSITIVE;
        let mut gradient = vec![0.0; case.network.parameter_count()];
        backward.weights_and_biases(&mut gradient).unwrap();
        let whole = gradient[case.network.layout().index(param).unwrap()];
        let near = |x: f64| (x - whole).abs() <= paths.certificate.bound;
        prop_assert!(near(answer.value), "{answer}\n{whole}");
        prop_assert!(near(answer.examples.iter().map(|e| e.part).sum()), "{answer}");
        prop_assert!(near(answer.classes.iter().map(|c| c.part).sum()), "{answer}");
        let counted: usize = answer.classes.iter().map(|class| class.examples).sum();
        prop_assert_eq!(counted, recipe.rows);
        prop_assert_eq!(answer.layers.len(), case.network.depth() + 1 - param.layer());

        // All paths are here, so each neuron's part is the sum of those that pass it.
        prop_assert_eq!(paths.covered, 1.0);
        let scale = match recipe.reduction {
            Reduction::Mean => 1.0 / recipe.rows as f64,
            Reduction::Sum => 1.0,
        };
        for layer in &answer.layers {
            prop_assert!(near(layer.neurons.iter().map(|n| n.part).sum()), "{answer}");
            let all: f64 = layer.neurons.iter().map(|n| n.magnitude).sum();
            prop_assert!((all - paths.magnitude).abs() <= bound, "{answer}");
            let quantity = match layer.layer == case.network.depth() {
                true => Quantity::PreActivation,
                false => Quantity::Activation,
            };
            for neuron in &layer.neurons {
                let through = paths.strongest.iter().filter(|path| {
                    path.nodes.iter().any(|node| {
                        (node.quantity, node.layer, node.unit)
                            == (quantity, layer.layer, neuron.unit)
                    })
                });
                let values: Vec<f64> = through.map(|path| path.value * scale).collect();
                let (sum, size): (f64, f64) =
                    (values.iter().sum(), values.iter().map(|x| x.abs()).sum());
                prop_assert!((neuron.part - sum).abs() <= bound, "{answer}");
                prop_assert!((neuron.magnitude - size).abs() <= bound, "{answer}");
            }
        }

        // The conversation ends with the example's own derivative, and the report is one of these.
        let mut own = vec![0.0; case.network.parameter_count()];
        backward.example_gradient(0, &mut own).unwrap();
        let own = own[case.network.layout().index(param).unwrap()];
        let conversation = explainer.conversation(param, 0).unwrap();
        let last = &conversation.turns.last().unwrap().gradient;
        prop_assert_eq!(&last.name, &format!("∂L/∂{param}"));
        let bound = explainer.paths(param, 0, 1).unwrap().certificate.bound;
        prop_assert!((last.values[0] - own).abs() <= bound, "{conversation}");
        let report = explainer.report(param, 3, Context::default()).unwrap();
        prop_assert!(near(report.value), "{report}");
        let largest = answer.examples.iter().map(|e| e.value.abs()).fold(0.0, f64::max);
        prop_assert!((report.explanation.value.abs() - largest).abs() <= paths.certificate.bound * recipe.rows as f64);
    }
}

/// Explains with `L = Σ (ŷ − y)²`.
fn with_explainer<T>(
    network: &Network<f64>,
    x: &Matrix<f64>,
    y: f64,
    answer: impl FnOnce(&Explainer<'_, f64>) -> T,
) -> T {
    let mut workspace = Workspace::new(network, x.rows()).unwrap();
    let y = Matrix::from_fn(x.rows(), network.outputs(), |_, _| y);
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
    let forward = network.forward_train(x.view(), &mut workspace, &mut rng).unwrap();
    let targets = Targets::Values(y.view());
    let backward = forward.output_units(&SquaredError::new(), targets).unwrap().hidden_units();
    answer(&Explainer::new(&backward))
}

#[test]
fn dead_saturated_and_dropped_neurons_are_told_apart() {
    // On both examples: neuron 1 works, 2 is off; 3 is off on the first example only.
    let relu = vec![dense(1, 3, Activation::Relu), dense(3, 1, Activation::Identity)];
    let mut network = Network::new(relu).unwrap();
    network.theta_mut()[..6].copy_from_slice(&[1.0, -1.0, 1.0, 0.0, 0.0, -1.5]);
    network.theta_mut()[6..9].fill(1.0);
    let x = Matrix::from_rows(&[[1.0], [2.0]]);
    let states = |network: &Network<f64>, param: &str| {
        let param: Param = param.parse().unwrap();
        with_explainer(network, &x, 0.0, |explainer| {
            let answer = explainer.responsibility(param, None).unwrap();
            let layer = answer.layers.last().unwrap().clone();
            (layer.neurons[0].state, layer.dead, layer.saturated, layer.neurons.len())
        })
    };
    assert_eq!(states(&network, "W_111"), (NeuronState::Working, 1, 0, 1));
    assert_eq!(states(&network, "W_121"), (NeuronState::Dead, 1, 0, 1));
    assert_eq!(states(&network, "W_131"), (NeuronState::Working, 1, 0, 1));

    let sigmoid = vec![dense(1, 2, Activation::Sigmoid), dense(2, 1, Activation::Identity)];
    let mut network = Network::new(sigmoid).unwrap();
    network.theta_mut().copy_from_slice(&[10.0, 0.1, 0.0, 0.0, 1.0, 1.0, 0.0]);
    assert_eq!(states(&network, "W_111"), (NeuronState::Saturated, 0, 1, 1));
    assert_eq!(states(&network, "W_121"), (NeuronState::Working, 0, 1, 1));

    let dropout = vec![
        dense(1, 40, Activation::Tanh),
        Box::new(Dropout::new(40, 0.9).unwrap()) as Box<dyn Layer<f64>>,
        dense(40, 1, Activation::Identity),
    ];
    let mut network = Network::new(dropout).unwrap();
    network.theta_mut().fill(0.1);
    let kept = with_explainer(&network, &x, 0.0, |explainer| {
        let state = |unit: usize| {
            let param = Param::Weight { layer: 1, neuron: unit, input: 1 };
            let answer = explainer.responsibility(param, None).unwrap();
            assert_eq!(answer.layers[1].layer, 2);
            // A dropout layer has no dead neurons; what it dropped carries nothing.
            assert_eq!((answer.layers[1].dead, answer.layers[1].saturated), (0, 0));
            answer.layers[1].neurons.len()
        };
        (1..=40).map(state).sum::<usize>()
    });
    assert!((1..20).contains(&kept), "{kept} of 40 kept on some of the examples");
}

fn depth(g: Activation, theta: &[f64], x: f64, y: f64) -> Depth {
    let layers = vec![dense(1, 2, g), dense(2, 2, g), dense(2, 1, Activation::Identity)];
    let mut network = Network::new(layers).unwrap();
    network.theta_mut().copy_from_slice(theta);
    let x = Matrix::from_rows(&[[x]]);
    with_explainer(&network, &x, y, |explainer| explainer.depth("W_111".parse().unwrap()).unwrap())
}

/// `W_1, b_1, W_2, b_2, W_3, b_3`.
fn theta(w_1: f64, w_2: [f64; 4], w_3: [f64; 2]) -> Vec<f64> {
    let mut theta = vec![w_1, w_1, 0.0, 0.0];
    theta.extend(w_2);
    theta.extend([0.0, 0.0, w_3[0], w_3[1], 0.0]);
    theta
}

#[test]
fn the_depth_names_the_factor_that_did_it() {
    let identity = Activation::Identity;
    let check = |depth: &Depth, fate: Fate, at: &str, cause: Cause| {
        assert_eq!(depth.fate, fate, "{depth}");
        let (stage, found) = depth.cause.unwrap();
        assert_eq!((depth.stages[stage].name.as_str(), found), (at, cause), "{depth}");
        assert!(depth.to_string().ends_with(&depth.verdict()));
    };
    let plain = theta(1.0, [1.0; 4], [1.0; 2]);
    let steady = depth(identity, &plain, 1.0, 0.0);
    assert_eq!((steady.fate, steady.cause), (Fate::Steady, None), "{steady}");
    // L' = 2 · 4 arrives at a_31; every edge is 1, and two meet in h_11.
    let sizes: Vec<f64> = steady.stages.iter().map(|stage| stage.size).collect();
    assert_eq!(sizes, [8.0, 8.0, 8.0, 16.0, 16.0, 16.0]);
    let names: Vec<&str> = steady.stages.iter().map(|stage| stage.name.as_str()).collect();
    assert_eq!(names, ["∇_{a_3} L", "∇_{h_2} L", "∇_{a_2} L", "∂L/∂h_11", "∂L/∂a_11", "∂L/∂W_111"]);
    assert_eq!(steady.stages[2].through, Through::Activation);

    let small = theta(1.0, [1e-5; 4], [1.0; 2]);
    let found = depth(identity, &small, 1.0, 1.0);
    check(&found, Fate::Vanishes, "∂L/∂h_11", Cause::SmallWeights);
    let large = theta(1.0, [1e5; 4], [1.0; 2]);
    check(&depth(identity, &large, 1.0, 0.0), Fate::Explodes, "∂L/∂h_11", Cause::LargeWeights);
    let argue = theta(1.0, [1.0, 1.0, -1.0 + 1e-6, 1.0], [1.0; 2]);
    check(&depth(identity, &argue, 1.0, 9.0), Fate::Vanishes, "∂L/∂h_11", Cause::Cancellation);
    let cancel = theta(1.0, [1.0, 1.0, -1.0, 1.0], [1.0; 2]);
    check(&depth(identity, &cancel, 1.0, 9.0), Fate::Zero, "∂L/∂h_11", Cause::Cancellation);
    let flat = theta(12.0, [1.0; 4], [1.0; 2]);
    let found = depth(Activation::Sigmoid, &flat, 1.0, 0.0);
    check(&found, Fate::Vanishes, "∂L/∂a_11", Cause::FlatActivation);
    let dead = theta(-1.0, [1.0; 4], [1.0; 2]);
    let found = depth(Activation::Relu, &dead, 1.0, 9.0);
    check(&found, Fate::Zero, "∇_{a_2} L", Cause::FlatActivation);
    check(&depth(identity, &plain, 0.0, 5.0), Fate::Zero, "∂L/∂W_111", Cause::ZeroInput);
    check(&depth(identity, &plain, 1e-6, 5.0), Fate::Vanishes, "∂L/∂W_111", Cause::ZeroInput);
    check(&depth(identity, &plain, 1e6, 0.0), Fate::Explodes, "∂L/∂W_111", Cause::LargeInput);
    let right = depth(identity, &plain, 1.0, 4.0);
    assert_eq!((right.fate, right.ratio, right.cause), (Fate::NothingAsked, None, None));
    assert_eq!(right.verdict(), "the loss asks for nothing");
}

#[test]
fn labels_and_classes_must_be_one_an_example() {
    let layers = vec![dense(1, 2, Activation::Tanh), dense(2, 1, Activation::Identity)];
    let network = Network::new(layers).unwrap();
    let x = Matrix::from_rows(&[[1.0], [2.0]]);
    with_explainer(&network, &x, 0.0, |explainer| {
        let param: Param = "W_111".parse().unwrap();
        let text = explainer.responsibility(param, Some(&[0])).unwrap_err().to_string();
        assert_eq!(text, "1 labels were given for a batch of 2 examples");
        let text = explainer.clone().labelled(&[1, 2, 3]).unwrap_err().to_string();
        assert_eq!(text, "3 labels were given for a batch of 2 examples");
        let labelled = explainer.clone().labelled(&[30, 10]).unwrap();
        let report = labelled.report(param, 4, Context::default()).unwrap();
        assert_eq!(report.rows, [30, 10]);
        let rows: Vec<usize> = report.responsibility.examples.iter().map(|e| e.row).collect();
        assert_eq!(rows, [30, 10]);
        assert!([10, 30].contains(&report.explanation.row));
        assert_eq!(labelled.batch(param).unwrap().examples[1].row, 10);
        // Questions count the rows of the batch.
        assert!(labelled.explain(param, 10).is_err());
    });
}
