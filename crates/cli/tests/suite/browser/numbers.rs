//! The page's numbers are the program's.

use std::process::Command;

use chainrule::autograd::{Backward, Network, Param, Workspace};
use chainrule::explain::{Explainer, Page};
use chainrule::layers::{Activation, Dense, Dropout, Layer, Softmax};
use chainrule::loss::{Loss, Reduction, Targets, parse};
use chainrule::rand::{RngExt, SeedableRng, rngs::Xoshiro256PlusPlus};
use chainrule::tensor::Matrix;
use serde_json::Value;

use super::driver::{Browser, OPTIONS, chromium};
use crate::common::Lab;

/// A network on random examples.
struct Case {
    network: Network<f64>,
    x: Matrix<f64>,
    values: Matrix<f64>,
    classes: Vec<usize>,
    loss: Box<dyn Loss<f64>>,
}

impl Case {
    fn new(layers: Vec<Box<dyn Layer<f64>>>, loss: &str, rows: usize) -> Self {
        let mut network = Network::new(layers).unwrap();
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(11);
        network.theta_mut().iter_mut().for_each(|t| *t = rng.random_range(-1.2..1.2));
        let k = network.outputs();
        let x = Matrix::from_fn(rows, network.inputs(), |_, _| rng.random_range(-1.5..1.5));
        let values = Matrix::from_fn(rows, k, |_, _| rng.random_range(0.05..0.95));
        let classes = (0..rows).map(|row| row % k).collect();
        let weights: Vec<f64> = (0..k).map(|c| 0.5 + c as f64).collect();
        let weights = loss.contains("class_weights").then_some(&weights[..]);
        let loss = parse(loss, weights, Reduction::Mean).unwrap();
        Self { network, x, values, classes, loss }
    }

    fn targets(&self) -> Targets<'_, f64> {
        match self.loss.name().contains("cross_entropy") {
            true => Targets::Classes(&self.classes),
            false => Targets::Values(self.values.view()),
        }
    }

    fn backward<'a>(&'a self, workspace: &'a mut Workspace<f64>) -> Backward<'a, 'a, f64> {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(4);
        let forward = self.network.forward_train(self.x.view(), workspace, &mut rng).unwrap();
        forward.output_units(&*self.loss, self.targets()).unwrap().hidden_units()
    }

    fn page(&self) -> String {
        let mut workspace = Workspace::new(&self.network, self.x.rows()).unwrap();
        let backward = self.backward(&mut workspace);
        Page::new(&backward, &*self.loss, self.targets()).unwrap().to_string()
    }
}

fn dense(inputs: usize, outputs: usize, g: Activation) -> Box<dyn Layer<f64>> {
    Box::new(Dense::new(inputs, outputs, g).unwrap())
}

#[test]
fn the_address_asks_for_a_weight() {
    let Some(chromium) = chromium() else { return };
    let lab = Lab::new();
    let case = Case::new(
        vec![dense(2, 3, Activation::Sigmoid), dense(3, 2, Activation::Identity)],
        "cross_entropy",
        2,
    );
    let path = lab.write("page.html", case.page());
    let profile = tempfile::tempdir().unwrap();
    let output = Command::new(chromium)
        .args(OPTIONS)
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg("--dump-dom")
        .arg(format!("file://{}#W_112&example=1", path.display()))
        .output()
        .unwrap();
    let dom = String::from_utf8(output.stdout).unwrap();
    let (_, rest) = dom.split_once(r#"<data id="derivative" value=""#).expect("the derivative");
    let found: f64 = rest.split_once('"').unwrap().0.parse().unwrap();
    let mut workspace = Workspace::new(&case.network, 2).unwrap();
    let backward = case.backward(&mut workspace);
    let mut gradient = vec![0.0; case.network.parameter_count()];
    backward.example_gradient(1, &mut gradient).unwrap();
    let expected = gradient[1];
    assert!((found / expected - 1.0).abs() < 1e-12, "{found} {expected}");
}

#[test]
fn the_page_computes_what_the_program_does() {
    let Some(browser) = Browser::start() else { return };
    let lab = Lab::new();
    // Every activation in one deep network; the losses on small ones.
    let mut all: Vec<_> = Activation::ALL.iter().map(|&g| dense(2, 2, g)).collect();
    all.push(dense(2, 2, Activation::Identity));
    let mut cases = vec![Case::new(all, "cross_entropy", 3)];
    for loss in [
        "cross_entropy(label_smoothing=0.1,class_weights)",
        "bce_with_logits",
        "squared_error",
        "mse",
        "l1",
        "huber(0.7)",
    ] {
        let drop = Box::new(Dropout::new(4, 0.4).unwrap());
        let layers =
            vec![dense(3, 4, Activation::Gelu), drop as _, dense(4, 3, Activation::Identity)];
        cases.push(Case::new(layers, loss, 3));
    }
    let softmax = Box::new(Softmax::new(3).unwrap());
    let layers = vec![dense(2, 3, Activation::Tanh), softmax as _];
    cases.push(Case::new(layers, "probability_cross_entropy", 2));
    for case in &cases {
        let name = case.loss.name();
        let path = lab.write("page.html", case.page());
        browser.open(&path, "");
        let difference = browser.number("difference");
        assert!(difference <= 1e-12, "{name}: {difference:e}");
        let mut workspace = Workspace::new(&case.network, case.x.rows()).unwrap();
        let backward = case.backward(&mut workspace);
        let explainer = Explainer::new(&backward);
        for param in ["W_112", "b_12", "W_111"] {
            browser.open(&path, &format!("#{param}"));
            let param: Param = param.parse().unwrap();
            let batch = explainer.batch(param).unwrap();
            let paths = explainer.paths(param, 0, 10).unwrap();
            let close = |found: f64, expected: f64| {
                (found - expected).abs() <= 1e-9 * paths.magnitude.max(f64::MIN_POSITIVE)
            };
            assert!(close(browser.number("derivative"), batch.examples[0].value), "{name} {param}");
            let mean = browser.number("batch-derivative");
            assert!((mean - batch.value).abs() <= 1e-9 * batch.value.abs(), "{name} {param}");
            let shares = browser.eval(
                "[...document.querySelectorAll('.paths tbody tr td:nth-child(2) .n')].map(n => Number(n.title))",
            );
            // A network with one path, or none that carries anything, has no table of them.
            let shares = shares.as_array().unwrap();
            let most = paths.strongest.len() == 1 || paths.magnitude == 0.0;
            assert_eq!(shares.len(), if most { 0 } else { paths.strongest.len() }, "{name}");
            for (found, path) in shares.iter().zip(&paths.strongest) {
                let found = found.as_f64().unwrap();
                assert!(close(found.abs(), path.value.abs()), "{name} {param}: {found}");
            }
        }
        // The page sees when its numbers are not the program's.
        let html = std::fs::read_to_string(&path).unwrap();
        let wrong = html.replacen("\"x\":[", "\"x\":[0.7,", 1);
        assert_ne!(wrong, html);
        browser.open(&lab.write("wrong.html", wrong), "");
        let difference = browser.number("difference");
        assert!(difference.is_nan() || difference > 1e-9, "{name}: {difference:e}");
        assert_eq!(browser.complaints(), Vec::<Value>::new(), "{name}");
    }
}

#[test]
fn of_a_network_too_large_for_the_page_every_derivative_is_there() {
    let Some(browser) = Browser::start() else { return };
    let lab = Lab::new();
    let case = Case::new(
        vec![
            dense(40, 500, Activation::Relu),
            dense(500, 200, Activation::Tanh),
            dense(200, 5, Activation::Identity),
        ],
        "cross_entropy",
        2,
    );
    let path = lab.write("page.html", case.page());
    let mut workspace = Workspace::new(&case.network, 2).unwrap();
    let backward = case.backward(&mut workspace);
    let explainer = Explainer::new(&backward);
    browser.open(&path, "");
    let exported = browser.eval("network.known(1)[3]").as_u64().unwrap() as usize;
    let other = (1..).find(|j| !browser.eval(&format!("network.knows(1, {j})")).as_bool().unwrap());
    let hidden = browser.eval("network.known(2)[0]").as_u64().unwrap();
    for (param, is_exported) in [
        (format!("W_1,{exported},7"), true),
        (format!("W_1,{},7", other.unwrap()), false),
        (format!("b_2,{hidden}"), true),
    ] {
        browser.open(&path, &format!("#{param}&example=1"));
        let param: Param = param.parse().unwrap();
        let paths = explainer.paths(param, 1, 10).unwrap();
        let found = browser.number("derivative");
        assert!((found - paths.sum).abs() <= 1e-9 * paths.magnitude, "{param}: {found}");
        let rows = browser.eval("document.querySelectorAll('.paths tbody tr').length");
        let expected =
            if !is_exported || paths.magnitude == 0.0 { 0 } else { paths.strongest.len() };
        assert_eq!(rows, expected, "{param}");
    }
    for step in 1..=browser.eval("steps.length").as_u64().unwrap() {
        browser.open(&path, &format!("#step={step}"));
        assert!(!browser.text("#talk").contains("NaN"), "step {step}");
    }
    assert_eq!(browser.complaints(), Vec::<Value>::new());
}
