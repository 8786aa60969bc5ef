//! Runs as data: JSON and TOML.

use chainrule::Config;
use chainrule::data::Scaling;
use chainrule::optim::{GradientClip, OptimizerConfig, PlateauConfig, Schedule};
use chainrule::prelude::*;

use crate::common;

fn full() -> Config {
    let mut config = common::config(7);
    config.network.hidden = vec![5, 1];
    config.network.activation = Activation::LeakyRelu { slope: 0.2 };
    config.network.dropout = 0.1;
    config.network.weight_init = Init::HeNormal;
    config.network.bias_init = Init::Constant(0.3);
    let training = &mut config.training;
    training.loss = Some("cross_entropy(label_smoothing=0.1,class_weights)".to_owned());
    training.class_weights = Some(vec![1.0, 0.1 + 0.2]);
    training.optimizer = OptimizerConfig::from_name("rmsprop").unwrap();
    training.decay_biases = true;
    training.schedule = Schedule::cosine().after_warmup(5);
    training.plateau = Some(PlateauConfig { patience: 3, ..PlateauConfig::default() });
    training.clip = Some(GradientClip::Norm(2.5));
    training.scaling = Scaling::MinMax;
    training.patience = Some(3);
    training.keep_best = false;
    training.seed = 12;
    training.threads = Some(2);
    training.precision = Precision::Bf16;
    config
}

#[test]
fn json_goes_round() {
    for config in [full(), Config::default()] {
        let text = serde_json::to_string(&config).unwrap();
        assert_eq!(Config::from_json(&text).unwrap(), config);
    }
    assert_eq!(Config::from_json("{}").unwrap(), Config::default());
    let config = Config::from_json(r#"{"training": {"epochs": 3}}"#).unwrap();
    assert_eq!((config.training.epochs, config.training.batch_size), (Some(3), 32));
}

#[test]
fn optimizer_and_schedule_may_be_named_alone() {
    let text = r#"{"training": {"optimizer": "sgd", "schedule": "warmup:5+cosine"}}"#;
    let config = Config::from_json(text).unwrap();
    assert_eq!(config.training.optimizer, OptimizerConfig::from_name("sgd").unwrap());
    assert_eq!(config.training.schedule, Schedule::cosine().after_warmup(5));
    let marked = Config::from_json(&format!("\u{feff}{text}")).unwrap();
    assert_eq!(marked, config);
}

#[test]
fn a_default_run_is_valid() {
    Config::default().validate().unwrap();
    full().validate().unwrap();
}

#[test]
fn unknown_names_and_numbers_out_of_range_are_refused_in_one_line() {
    for (text, part) in [
        (r#"{"trainig": {}}"#, "trainig"),
        (r#"{"network": {"hiden": [3]}}"#, "hiden"),
        (r#"{"training": {"epoch": 3}}"#, "epoch"),
        (r#"{"training": {"optimizer": {"name": "lion"}}}"#, "lion"),
        (r#"{"training": {"optimizer": {"name": "sgd", "momentun": 0.9}}}"#, "momentun"),
        (r#"{"training": {"optimizer": {"name": "sgd", "momentum": -0.9}}}"#, "momentum"),
        (r#"{"training": {"optimizer": {"name": "adam", "learning_rate": -1}}}"#, "learning"),
        (r#"{"training": {"optimizer": {"name": "adam", "learning_rate": 1e400}}}"#, "line 1"),
        (r#"{"training": {"schedule": {"name": "step", "every": 0, "factor": 0.5}}}"#, "every"),
        (r#"{"training": {"schedule": {"name": "sideways"}}}"#, "sideways"),
        (r#"{"training": {"clip": {"norm": 0}}}"#, "norm"),
        (r#"{"training": {"plateau": {"factor": 1}}}"#, "factor"),
        (r#"{"training": {"plateau": {"mode": "max"}}}"#, "must be min"),
        (r#"{"training": {"plateau": {"patients": 3}}}"#, "patients"),
        (r#"{"training": {"epochs": 0}}"#, "epochs is 0"),
        (r#"{"training": {"epochs": -1}}"#, "-1"),
        (r#"{"training": {"batch_size": 0}}"#, "batch_size is 0"),
        (r#"{"training": {"patience": 0}}"#, "patience is 0"),
        (r#"{"training": {"threads": 0}}"#, "threads is 0"),
        (r#"{"training": {"scaling": "log"}}"#, "log"),
        (r#"{"network": {"hidden": [3, 0]}}"#, "hidden layer 2"),
        (r#"{"network": {"activation": "rleu"}}"#, "rleu"),
        (r#"{"network": {"dropout": 1}}"#, "dropout is 1"),
        (r#"{"network": {"dropout": -0.1}}"#, "dropout is -0.1"),
        (r#"{"network": {"weight_init": "normal(0,-1)"}}"#, "deviation"),
        (r#"{"training": {"epochs": 3}"#, "line 1"),
        ("[]", "expected a map at line 1"),
        (r#"[{"hidden": [3]}]"#, "expected a map"),
        (r#"{"network": [[3]]}"#, "expected a map"),
        (r#"{"training": {"optimizer": ["sgd"]}}"#, "a name, or a table with a `name`"),
        (r#"{"training": {"optimizer": "lion"}}"#, "unknown optimizer `lion`"),
        (r#"{"training": {"optimizer": 0.1}}"#, "a name, or a table with a `name`"),
        (r#"{"training": {"schedule": "step:0:0.5"}}"#, "every must be at least 1"),
        ("", "line 1"),
    ] {
        let error = Config::from_json(text).unwrap_err().to_string();
        assert!(error.contains(part) && !error.contains('\n'), "{text}: {error}");
    }
    let mut config = Config::default();
    config.network.dropout = f64::NAN;
    assert!(config.validate().is_err());
}

#[cfg(feature = "toml")]
mod toml {
    use super::*;

    #[test]
    fn toml_goes_round() {
        for config in [full(), Config::default()] {
            let text = config.to_toml().unwrap();
            assert_eq!(Config::from_toml(&text).unwrap(), config, "{text}");
        }
        assert_eq!(Config::from_toml("").unwrap(), Config::default());
    }

    #[test]
    fn errors_are_one_line_with_the_place() {
        for (text, parts) in [
            ("[training]\nepoch = 3\n", ["epoch", "line 2 column 1"]),
            ("[training]\nepochs = 3\n\n  batch_size = -1", ["-1", "line 4 column 16"]),
            ("seeed = 1", ["seeed", "line 1 column 1"]),
            ("[training\n", ["", "line 1"]),
            ("[training]\nepochs = 0", ["epochs is 0", ""]),
            ("[network]\nactivation = \"rleu\"", ["rleu", "line 2"]),
            ("network = [[3]]", ["expected a map", "line 1"]),
            ("[training]\noptimizer = \"lion\"", ["unknown optimizer `lion`", "line 2"]),
            ("[training]\noptimizer = [\"sgd\"]", ["a name, or a table", "line 2"]),
            ("[training]\nschedule = { name = \"step\" }", ["every", "line 2"]),
        ] {
            let error = Config::from_toml(text).unwrap_err().to_string();
            let complete = parts.iter().all(|part| error.contains(part));
            assert!(complete && !error.contains('\n'), "{text}: {error}");
        }
    }

    #[test]
    fn the_largest_seed_is_kept_or_refused() {
        let mut config = Config::default();
        config.training.seed = u64::MAX;
        let read = config.to_toml().and_then(|text| Config::from_toml(&text));
        assert!(read.is_err() || read.is_ok_and(|read| read == config));
    }
}
