//! PyTorch's networks: every `a_i`, `h_i`, their gradients, `∇θ L`, `∇_x L`, the loss and softmax.
//! `CHAINRULE_REFERENCE` names another folder with a `networks.json` of the same format.

use std::path::Path;

use chainrule_autograd_manual::{Network, Workspace};
use chainrule_layers::{Activation, Dense, Layer};
use chainrule_loss::{OutputFunction, Reduction, Targets, parse};
use chainrule_tensor::{Matrix, MatrixView, Scalar};
use serde_json::{Map, Value};

const KEYS: [&str; 17] = [
    "name",
    "sizes",
    "hidden_activation",
    "loss_name",
    "class_weights",
    "batch",
    "params",
    "x",
    "target",
    "pre_activations",
    "hidden",
    "softmax",
    "loss",
    "grad_pre_activations",
    "grad_hidden",
    "grad_x",
    "grads",
];

/// The copy of PyTorch's values, as seen from any crate of the workspace.
const COPY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../autograd-manual/tests/data");

fn cases(folder: &Path) -> Vec<Map<String, Value>> {
    let path = folder.join("networks.json");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let file: Value = serde_json::from_str(&text).unwrap();
    let file = file.as_object().expect("an object");
    assert_eq!(unknown_key(file, &["what", "torch", "seed", "cases"]), None, "keys of the file");
    let cases = file["cases"].as_array().expect("an array of cases");
    cases.iter().map(|case| case.as_object().expect("a case").clone()).collect()
}

fn unknown_key<'a>(object: &'a Map<String, Value>, known: &[&str]) -> Option<&'a String> {
    object.keys().find(|key| !known.contains(&key.as_str()))
}

fn number(value: &Value) -> f64 {
    match value {
        Value::String(text) if ["inf", "-inf", "nan"].contains(&text.as_str()) => {
            text.parse().expect("a float")
        }
        value => value.as_f64().unwrap_or_else(|| panic!("{value} is no number")),
    }
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().expect("an array").iter().map(number).collect()
}

fn matrix(value: &Value) -> Matrix<f64> {
    let rows: Vec<_> = value.as_array().expect("rows").iter().map(numbers).collect();
    Matrix::try_from_rows(&rows).unwrap()
}

/// The sizes of a list of tensors must fit, else some would go unchecked.
fn list(value: &Value, len: usize) -> &[Value] {
    let list = value.as_array().expect("a list of tensors");
    assert_eq!(list.len(), len, "tensors in a list");
    list
}

/// Compares tensors by `‖found − expected‖ ≤ tolerance · ‖expected‖`; keeps the worst one and
/// those that fail.
struct Comparison {
    case: String,
    tolerance: f64,
    worst: (f64, String),
    failures: Vec<String>,
}

impl Comparison {
    fn tensor<S: Scalar>(&mut self, what: &str, found: &[S], expected: &[f64]) {
        assert_eq!(found.len(), expected.len(), "{}: size of {what}", self.case);
        let (mut difference, mut norm) = (0.0_f64, 0.0_f64);
        for (found, &expected) in found.iter().map(|found| found.as_f64()).zip(expected) {
            // Infinities and NaN are right where they are the same.
            let same = found == expected || (found.is_nan() && expected.is_nan());
            difference = difference.hypot(if same { 0.0 } else { found - expected });
            norm = norm.hypot(if expected.is_finite() { expected } else { 0.0 });
        }
        // NaN, a value where there should be none, is above every bound.
        let error = if difference == 0.0 { 0.0 } else { difference / norm };
        let place = format!("{what} of {} in {}", self.case, S::NAME);
        if error.is_nan() || error > self.tolerance {
            self.failures.push(format!("{place}: {error:e} off, {found:?} for {expected:?}"));
        }
        if error > self.worst.0 {
            self.worst = (error, place);
        }
    }

    fn matrix<S: Scalar>(&mut self, what: &str, found: MatrixView<'_, S>, expected: &Value) {
        let expected = matrix(expected);
        let (found_shape, shape) =
            ((found.rows(), found.cols()), (expected.rows(), expected.cols()));
        assert_eq!(found_shape, shape, "{}: shape of {what}", self.case);
        self.tensor(what, found.as_slice(), expected.as_slice());
    }
}

fn build<S: Scalar>(case: &Map<String, Value>) -> Network<S> {
    let sizes: Vec<usize> = numbers(&case["sizes"]).iter().map(|&size| size as usize).collect();
    let depth = sizes.len() - 1;
    let hidden: Activation = case["hidden_activation"].as_str().unwrap().parse().unwrap();
    let layer = |i: usize| -> Box<dyn Layer<S>> {
        let activation = if i + 1 < depth { hidden } else { Activation::Identity };
        Box::new(Dense::new(sizes[i], sizes[i + 1], activation).unwrap())
    };
    let mut network = Network::new((0..depth).map(layer).collect()).unwrap();
    let theta = flat(&network, case["params"].as_object().expect("params"));
    for (to, from) in network.theta_mut().iter_mut().zip(theta) {
        *to = S::of(from);
    }
    network
}

/// Tensors named as PyTorch does, layers from 0, in the order of θ.
fn flat<S: Scalar>(network: &Network<S>, tensors: &Map<String, Value>) -> Vec<f64> {
    let mut theta = Vec::new();
    for block in network.layout().blocks() {
        let tensor = &tensors[&name(block)];
        if block.kind.name() == "weight" {
            let weight = matrix(tensor);
            assert_eq!((weight.rows(), weight.cols()), (block.rows, block.cols));
            theta.extend(weight.into_vec());
        } else {
            theta.extend(numbers(tensor));
        }
    }
    assert_eq!(tensors.len(), network.layout().blocks().len(), "number of tensors");
    assert_eq!(theta.len(), network.parameter_count());
    theta
}

fn name(block: &chainrule_autograd_manual::Block) -> String {
    format!("{}.{}", block.layer - 1, block.kind.name())
}

fn check<S: Scalar>(case: &Map<String, Value>, tolerance: f64) -> Comparison {
    let case_name = case["name"].as_str().expect("a name");
    let mut compare = Comparison {
        case: case_name.to_owned(),
        tolerance,
        worst: (0.0, "none".to_owned()),
        failures: Vec::new(),
    };
    if let Some(key) = unknown_key(case, &KEYS) {
        compare.failures.push(format!("{case_name} has an unknown key {key:?}"));
    }

    let network = build::<S>(case);
    let depth = network.depth();
    let x = matrix(&case["x"]).cast::<S>();
    assert_eq!(case["batch"].as_u64(), Some(x.rows() as u64));

    let target = case["target"].as_array().expect("targets");
    let (classes, values);
    let targets = if target[0].is_array() {
        classes = Vec::new();
        values = matrix(&case["target"]).cast::<S>();
        Targets::Values(values.view())
    } else {
        let class = |class: &Value| class.as_u64().expect("a class") as usize;
        classes = target.iter().map(class).collect::<Vec<_>>();
        Targets::Classes(&classes)
    };
    let mut loss_name = case["loss_name"].as_str().expect("the loss's name").to_owned();
    if let Some(first) = classes.first() {
        loss_name = loss_name.replace("ignore_index=first", &format!("ignore_index={first}"));
    }
    let weights = case.get("class_weights").map(numbers);
    let loss = parse::<S>(&loss_name, weights.as_deref(), Reduction::Mean)
        .unwrap_or_else(|e| panic!("{case_name}: {e}"));

    let mut workspace = Workspace::new(&network, x.rows()).unwrap();
    let mut gradient = vec![S::zero(); network.parameter_count()];
    let forward = network.forward(x.view(), &mut workspace).unwrap();
    let mut softmax = Matrix::zeros(x.rows(), network.outputs());
    OutputFunction::Softmax.apply(forward.output(), softmax.view_mut());
    compare.matrix("softmax", softmax.view(), &case["softmax"]);
    for (i, a) in (1..).zip(list(&case["pre_activations"], depth)) {
        compare.matrix(&format!("a_{i}"), forward.a(i), a);
    }
    for (i, h) in (1..).zip(list(&case["hidden"], depth - 1)) {
        compare.matrix(&format!("h_{i}"), forward.h(i), h);
    }

    let mut backward = forward.backward(&*loss, targets, &mut gradient).unwrap();
    compare.tensor("the loss", &[backward.loss()], &[number(&case["loss"])]);
    for (i, grad) in (1..).zip(list(&case["grad_pre_activations"], depth)) {
        compare.matrix(&format!("∇_a{i}"), backward.grad_a(i), grad);
    }
    for (i, grad) in (1..).zip(list(&case["grad_hidden"], depth - 1)) {
        compare.matrix(&format!("∇_h{i}"), backward.grad_h(i), grad);
    }
    compare.matrix("∇_x", backward.input_gradient(), &case["grad_x"]);
    let expected = flat(&network, case["grads"].as_object().expect("grads"));
    for block in network.layout().blocks() {
        let range = block.range.clone();
        compare.tensor(&name(block), &gradient[range.clone()], &expected[range]);
    }
    compare
}

fn check_all<S: Scalar>(cases: &[Map<String, Value>], tolerance: f64) {
    let mut worst = (0.0, "none".to_owned());
    for case in cases {
        let comparison = check::<S>(case, tolerance);
        assert!(comparison.failures.is_empty(), "{}", comparison.failures.join("\n"));
        if comparison.worst.0 > worst.0 {
            worst = comparison.worst;
        }
    }
    println!("largest relative error: {:.1e}, {}", worst.0, worst.1);
}

#[test]
fn networks_are_pytorchs() {
    let folder = std::env::var_os("CHAINRULE_REFERENCE").unwrap_or_else(|| COPY.into());
    let cases = cases(Path::new(&folder));
    assert!(!cases.is_empty(), "no cases");
    println!("networks.json: {} cases, each in f64 and f32", cases.len());
    check_all::<f64>(&cases, 1e-12);
    check_all::<f32>(&cases, 1e-5);
}

/// The comparison looks at every tensor, and sees an error just above its bound.
#[test]
fn a_wrong_reference_is_caught() {
    fn scale(value: &mut Value) {
        match value {
            Value::Array(values) => values.iter_mut().for_each(scale),
            Value::Object(values) => values.values_mut().for_each(scale),
            value => *value = Value::from(number(value) * (1.0 + 2e-12)),
        }
    }
    let case = cases(Path::new(COPY)).swap_remove(1);
    for key in &KEYS[9..] {
        let mut wrong = case.clone();
        scale(&mut wrong[*key]);
        let failures = check::<f64>(&wrong, 1e-12).failures;
        assert!(!failures.is_empty(), "a wrong {key} was not seen");
    }
    let mut unknown = case;
    unknown.insert("grad_y".to_owned(), Value::Null);
    assert_eq!(check::<f64>(&unknown, 1e-12).failures.len(), 1);
}
