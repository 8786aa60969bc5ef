//! Every rule against PyTorch's values: `tests/data`, or the folder named by
//! `CHAINRULE_REFERENCE`.

use std::fs;
use std::path::PathBuf;

use chainrule_optim::{DecayOn, OptimizerConfig};
use chainrule_tensor::Scalar;
use serde_json::{Map, Value, json};

fn cases() -> Vec<Value> {
    let folder = std::env::var_os("CHAINRULE_REFERENCE").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../optim/tests/data")),
        PathBuf::from,
    );
    let path = folder.join("optimizers.json");
    let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let file: Value = serde_json::from_str(&text).unwrap();
    file["cases"].as_array().expect("cases").clone()
}

fn number(value: &Value) -> f64 {
    match value {
        Value::Number(x) => x.as_f64().unwrap(),
        Value::String(text) if ["inf", "-inf", "nan"].contains(&text.as_str()) => {
            text.parse().unwrap()
        }
        other => panic!("no number: {other}"),
    }
}

fn vector<S: Scalar>(value: &Value) -> Vec<S> {
    value.as_array().expect("a list").iter().map(|x| S::of(number(x))).collect()
}

/// PyTorch's name of the hyperparameter in ours. Unknown ones keep their name, and then fail as
/// unknown fields.
fn config(case: &Value) -> OptimizerConfig {
    let label = case["name"].as_str().expect("a name");
    let base = label.split(['+', '(']).next().unwrap();
    let mut fields = Map::from_iter([("name".to_owned(), json!(base))]);
    for (key, value) in case["hyperparameters"].as_object().expect("hyperparameters") {
        let key = match key.as_str() {
            "lr" => "learning_rate",
            "lr_decay" => "learning_rate_decay",
            "learning_rate" | "learning_rate_decay" | "name" => panic!("{label}: unknown {key}"),
            key => key,
        };
        fields.insert(key.to_owned(), value.clone());
    }
    serde_json::from_value(Value::Object(fields)).unwrap_or_else(|e| panic!("{label}: {e}"))
}

/// The largest ‖θ − θ_ref‖ / ‖θ_ref‖ over the steps of a case.
fn worst_error<S: Scalar>(case: &Value, config: &OptimizerConfig) -> f64 {
    let mut theta: Vec<S> = vector(&case["theta0"]);
    let grads = case["grads"].as_array().expect("grads");
    let thetas = case["thetas"].as_array().expect("thetas");
    assert_eq!(grads.len(), thetas.len());
    assert!(!thetas.is_empty());
    let mut optimizer = config.build::<S>(theta.len(), DecayOn::All).unwrap();
    let mut worst = 0.0_f64;
    for (gradient, expected) in grads.iter().zip(thetas) {
        optimizer.step(&mut theta, &vector::<S>(gradient)).unwrap();
        let expected: Vec<f64> = vector(expected);
        assert_eq!(expected.len(), theta.len());
        let difference = theta.iter().zip(&expected).map(|(a, b)| (a.as_f64() - b).powi(2));
        let error = difference.sum::<f64>().sqrt();
        let size = expected.iter().map(|b| b * b).sum::<f64>().sqrt();
        let relative = error / size;
        assert!(!relative.is_nan(), "{}: NaN", case["name"]);
        worst = worst.max(relative);
    }
    assert_eq!(optimizer.steps(), thetas.len() as u64);
    worst
}

#[test]
fn pytorch_agrees() {
    let cases = cases();
    assert!(!cases.is_empty());
    for case in &cases {
        let (name, config) = (&case["name"], config(case));
        let (double, single) =
            (worst_error::<f64>(case, &config), worst_error::<f32>(case, &config));
        println!("{name}: {double:.1e} in f64, {single:.1e} in f32");
        assert!(double <= 1e-12, "{name}: {double:e} in f64");
        assert!(single <= 1e-5, "{name}: {single:e} in f32");
    }
    println!("optimizers.json: {} cases", cases.len());
}

/// A rule that is nearly PyTorch's must not pass.
#[test]
fn a_wrong_rule_is_noticed() {
    let spoil = [
        ("sgd+nesterov", json!({"nesterov": false})),
        ("sgd+dampening", json!({"dampening": 0.0})),
        ("sgd+weight_decay", json!({"weight_decay": 0.0})),
        ("adagrad", json!({"eps": 1e-3})),
        ("rmsprop+centered+momentum", json!({"centered": false})),
        ("adadelta", json!({"rho": 0.89})),
        ("adam", json!({"eps": 1e-6})),
        ("adam+amsgrad", json!({"amsgrad": false})),
        ("adamw", json!({"weight_decay": 0.01})),
        ("nadam", json!({"momentum_decay": 0.0})),
    ];
    let text = fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../optim/tests/data/optimizers.json"
    ));
    let file: Value = serde_json::from_str(&text.unwrap()).unwrap();
    for (name, change) in spoil {
        let cases = file["cases"].as_array().unwrap();
        let mut case = cases.iter().find(|case| case["name"] == name).unwrap().clone();
        for (key, value) in change.as_object().unwrap() {
            case["hyperparameters"][key] = value.clone();
        }
        let error = worst_error::<f64>(&case, &config(&case));
        assert!(error > 1e-9, "{name} with {change}: {error:e}");
    }
}

#[test]
#[should_panic(expected = "unknown field `maximise`")]
fn an_unknown_hyperparameter_fails() {
    config(&json!({"name": "sgd+maximise", "hyperparameters": {"maximise": true}}));
}

#[test]
#[should_panic(expected = "unknown variant `lion`")]
fn an_unknown_name_fails() {
    config(&json!({"name": "lion+x", "hyperparameters": {}}));
}
