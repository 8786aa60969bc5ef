//! The whole answer as text, kept as snapshots.

use chainrule_autograd_manual::{Network, Workspace};
use chainrule_explain::{Context, Explainer, Report};
use chainrule_layers::{Activation, Dense, Layer};
use chainrule_loss::{CrossEntropy, SquaredError, Targets};
use chainrule_tensor::{Matrix, MatrixView};

/// The sizes 2-2-2 with weights of a few digits.
fn small() -> Network<f64> {
    let layers: Vec<Box<dyn Layer<f64>>> = vec![
        Box::new(Dense::new(2, 2, Activation::Sigmoid).unwrap()),
        Box::new(Dense::new(2, 2, Activation::Identity).unwrap()),
    ];
    let mut network = Network::new(layers).unwrap();
    network.theta_mut().copy_from_slice(&[
        0.5, -0.25, 1.0, 0.75, 0.1, -0.1, // W_1, b_1
        1.5, -1.0, -0.5, 2.0, 0.0, 0.25, // W_2, b_2
    ]);
    network
}

fn context() -> Context {
    let names = |text: &str| text.split(' ').map(str::to_owned).collect();
    Context {
        model: Some("small.safetensors".to_owned()),
        data: Some("two flowers".to_owned()),
        loss: Some("cross_entropy".to_owned()),
        features: names("length width"),
        outputs: names("iris rose"),
        classes: Vec::new(),
    }
}

/// The text without what the last bits decide: those differ between instruction sets.
fn settled(report: &Report) -> String {
    let lines = report.to_string();
    let lines = lines.lines().map(|line| match line.split_once(", difference ") {
        Some((before, after)) => {
            let (_, allowed) = after.split_once(' ').unwrap();
            format!("{before}, difference … {allowed}\n")
        }
        None => format!("{line}\n"),
    });
    lines.collect()
}

#[test]
fn one_example() {
    let network = small();
    let mut workspace = Workspace::new(&network, 1).unwrap();
    let forward = network.forward(MatrixView::from_row(&[1.0, 2.0]), &mut workspace).unwrap();
    let (loss, targets) = (CrossEntropy::new(), Targets::Classes(&[0]));
    let backward = forward.output_units(&loss, targets).unwrap().hidden_units();
    let explainer = Explainer::new(&backward).labelled(&[17]).unwrap();
    let context = Context { classes: vec![0], ..context() };
    let report = explainer.report("W_112".parse().unwrap(), 10, context.clone()).unwrap();
    insta::assert_snapshot!("one_example", settled(&report));
    let explainer = explainer.unfused(&loss, targets).unwrap();
    let report = explainer.report("b_21".parse().unwrap(), 10, context).unwrap();
    insta::assert_snapshot!("unfused_bias", settled(&report));
}

#[test]
fn a_batch() {
    let network = small();
    let mut workspace = Workspace::new(&network, 3).unwrap();
    let x = Matrix::from_rows(&[[1.0, 2.0], [-1.0, 0.5], [0.25, 0.0]]);
    let forward = network.forward(x.view(), &mut workspace).unwrap();
    let targets = Targets::Classes(&[0, 1, 0]);
    let backward = forward.output_units(&CrossEntropy::new(), targets).unwrap().hidden_units();
    let context = Context { classes: vec![0, 1, 0], ..context() };
    let report = Explainer::new(&backward).report("W_121".parse().unwrap(), 3, context).unwrap();
    insta::assert_snapshot!("batch", settled(&report));
}

#[test]
fn a_thin_network() {
    let layer = |g| Box::new(Dense::new(1, 1, g).unwrap()) as Box<dyn Layer<f64>>;
    let layers =
        vec![layer(Activation::Tanh), layer(Activation::Sigmoid), layer(Activation::Identity)];
    let mut network = Network::new(layers).unwrap();
    network.theta_mut().copy_from_slice(&[0.5, 0.0, -1.5, 0.25, 2.0, 0.0]);
    let mut workspace = Workspace::new(&network, 1).unwrap();
    let (loss, y) = (SquaredError::new(), [1.0]);
    let targets = Targets::Values(MatrixView::from_row(&y));
    let forward = network.forward(MatrixView::from_row(&[1.5]), &mut workspace).unwrap();
    let backward = forward.output_units(&loss, targets).unwrap().hidden_units();
    let explainer = Explainer::new(&backward).unfused(&loss, targets).unwrap();
    let report = explainer.report("W_111".parse().unwrap(), 10, Context::default()).unwrap();
    assert_eq!(report.thin.as_ref().unwrap().expanded, report.paths.strongest[0].factors);
    insta::assert_snapshot!("thin", settled(&report));
}
