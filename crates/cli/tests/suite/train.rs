//! `chainrule train`, end to end.

use crate::common::{Lab, classes_csv, idx_folder, json, line_csv};

/// The lines that start as the final one does.
fn scores(stdout: &str) -> Vec<&str> {
    stdout.lines().filter(|line| line.starts_with("test ")).collect()
}

#[test]
fn the_main_job_ends_with_the_test_accuracy() {
    let lab = Lab::new();
    let stdout = lab.ok("train --epochs 3");
    assert_eq!(stdout.matches("test accuracy").count(), 1, "{stdout}");
    let last = stdout.lines().last().unwrap();
    let percent = last.strip_prefix("test accuracy ").and_then(|rest| rest.strip_suffix(" %"));
    let (_, decimals) = percent.unwrap().split_once('.').unwrap();
    assert_eq!(decimals.len(), 1, "{last}");
    assert!(percent.unwrap().parse::<f64>().unwrap() > 80.0, "{last}");
    for part in [
        "digits",
        "1,348 examples to train, 449 to test",
        "target `label`: 10 classes (few distinct whole numbers)",
        "loss cross_entropy",
        "9,610 parameters",
        "3 epochs of 43 batches of 32, seed 1",
        "check passed: ",
        "2,000 of 9,610 parameters",
        "∂L/∂W_112 = ",
        "the largest |∂L/∂W| of layer 1",
        "output layer",
        "hidden layers",
        "weights ",
        "to chainrule-model.safetensors",
        "evaluate chainrule-model.safetensors",
        "predict chainrule-model.safetensors",
        "info chainrule-model.safetensors",
    ] {
        assert!(stdout.contains(part), "`{part}` is missing in\n{stdout}");
    }
    assert!(!stdout.contains('\u{1b}') && !stdout.contains('\r'), "colour or bars in a pipe");
    assert!(stdout.contains("page      chainrule-model.html, "), "{stdout}");
    assert_eq!(lab.files(), ["chainrule-model.html", "chainrule-model.safetensors"]);
}

#[test]
fn the_page_is_written_where_it_is_wanted_and_nowhere_else() {
    let lab = Lab::new();
    let page = |name: &str| std::fs::read_to_string(lab.path(name)).unwrap();
    let generated = |text: &str| text.contains(r#"<meta name="generator" content="chainrule "#);
    lab.ok("train --epochs 1 -q --output m.safetensors --no-html");
    assert_eq!(lab.files(), ["m.safetensors"]);
    // What is not a page of the program stays; an earlier page is replaced.
    lab.write("m.html", "my notes");
    let stdout = lab.ok("train --epochs 1 -q --output m.safetensors");
    assert!(stdout.contains("page      not written: m.html is no page of chainrule"), "{stdout}");
    assert_eq!(page("m.html"), "my notes");
    // A model with the page's name is the model.
    lab.ok("train --epochs 1 -q --output model.html");
    lab.ok("info model.html");
    std::fs::remove_file(lab.path("model.html")).unwrap();
    lab.ok("train --epochs 1 -q --output m.safetensors --html m.html");
    let first = page("m.html");
    assert!(generated(&first));
    lab.ok("train --epochs 1 -q --output m.safetensors --seed 2");
    assert_ne!(page("m.html"), first);
    // Of other data only where it is asked for.
    lab.write("line.csv", line_csv(40));
    let train = "train --data line.csv --epochs 1 --hidden 3 --output l.safetensors";
    assert!(!lab.ok(train).contains("page "));
    let records = json(&lab.ok(&format!("{train} --html l.html --json")));
    let record = records.iter().find(|record| record["kind"] == "page").unwrap();
    assert_eq!(record["bytes"].as_u64().unwrap() as usize, page("l.html").len());
    assert_eq!(lab.files(), ["l.html", "l.safetensors", "line.csv", "m.html", "m.safetensors"]);
    for (options, part) in [
        ("--html l.safetensors", "the model is saved there"),
        ("--html line.csv", "would destroy the input"),
        ("--html nowhere/page.html", "no folder"),
        ("--html a.html --no-html", "cannot be used with"),
    ] {
        let line = lab.fails(&format!("{train} {options}"), 2);
        assert!(line.contains(part), "{options}: {line}");
    }
}

#[test]
fn json_is_one_object_a_line_and_agrees_with_the_text() {
    let lab = Lab::new();
    let records = json(&lab.ok("train --epochs 2 --json"));
    let kinds: Vec<_> = records.iter().map(|record| record["kind"].as_str().unwrap()).collect();
    let expected = [
        "data",
        "network",
        "epoch",
        "epoch",
        "saved",
        "gradient_check",
        "explanation",
        "explanation",
        "page",
        "result",
    ];
    assert_eq!(kinds, expected);
    assert_eq!(records[2]["epoch"], 1);
    assert!(records[2]["train"]["loss"].as_f64() > records[3]["train"]["loss"].as_f64());
    assert_eq!(records[5]["passed"], true);
    assert_eq!(records[6]["param"], "W_112");
    let product = records[7]["value"].as_f64().unwrap();
    assert!((product / records[7]["gradient"].as_f64().unwrap() - 1.0).abs() < 1e-12);
    let share = records[9]["test_accuracy"].as_f64().unwrap();
    let text = lab.ok("train --epochs 2 --quiet");
    assert_eq!(text.lines().last().unwrap(), format!("test accuracy {:.1} %", 100.0 * share));
    assert!(!text.contains("epoch  "), "{text}");
}

#[test]
fn runs_of_one_seed_give_the_same_bytes_on_any_number_of_threads() {
    let lab = Lab::new();
    let train = |name: &str, options: &str| {
        lab.ok(&format!("train --epochs 2 --dropout 0.1 -q --output {name} {options}"));
        std::fs::read(lab.path(name)).unwrap()
    };
    let one = train("one", "--threads 1");
    for (name, options) in [("again", "--threads 1"), ("three", "--threads 3"), ("all", "")] {
        assert!(one == train(name, options), "{name}");
    }
    assert!(one != train("other", "--threads 1 --seed 2"));
}

#[test]
fn text_labels_are_classes() {
    let lab = Lab::new();
    lab.write("kinds.csv", classes_csv(80));
    let stdout = lab.ok("train --data kinds.csv --target kind --hidden 8,4 --epochs 40 \
         --activation leaky-relu --learning-rate 0.02 --batch-size 8 --validation-fraction 0.2");
    assert!(stdout.contains("target `kind`: 2 classes (text): over, all, under"), "{stdout}");
    assert!(stdout.contains("48 examples to train, 12 to validate, 20 to test"), "{stdout}");
    assert!(stdout.contains("→ 8 leaky_relu(0.01) → 4 leaky_relu(0.01) → 2"), "{stdout}");
    assert!(stdout.contains("evaluate chainrule-model.safetensors --data kinds.csv"), "{stdout}");
    let [score] = scores(&stdout)[..] else { panic!("{stdout}") };
    let percent: f64 = score["test accuracy ".len()..score.len() - 2].parse().unwrap();
    assert!(percent >= 80.0, "{score}");
}

#[test]
fn real_values_are_regression() {
    let lab = Lab::new();
    lab.write("line.csv", line_csv(120));
    let stdout = lab
        .ok("train --data line.csv --hidden none --optimizer sgd --learning-rate 0.1 --epochs 30");
    assert!(stdout.contains("target `y`: real values (numbers); loss mse"), "{stdout}");
    assert!(stdout.contains("network   2 → 1, 3 parameters"), "{stdout}");
    let [score] = scores(&stdout)[..] else { panic!("{stdout}") };
    assert!(score.strip_prefix("test R² ").unwrap().parse::<f64>().unwrap() > 0.99, "{score}");
    assert_eq!(stdout.lines().last(), Some(score));
}

#[test]
fn a_score_that_does_not_exist_is_said_to_be_undefined() {
    let lab = Lab::new();
    lab.write("three.csv", "x,y\n1,1.5\n2,2.5\n3,4.5\n");
    let stdout = lab.ok("train --data three.csv --epochs 1");
    assert_eq!(stdout.lines().last(), Some("test R² undefined"), "one test example");
    assert!(!stdout.contains("NaN"), "{stdout}");
    let records = json(&lab.ok("train --data three.csv --epochs 1 --json"));
    assert!(records.last().unwrap()["test_r_squared"].is_null());
}

#[test]
fn a_batch_larger_than_the_data_is_all_of_it() {
    let lab = Lab::new();
    let stdout = lab.ok("train --epochs 2 --batch-size 9999999999999");
    assert!(stdout.contains("2 epochs of 1 batch of 1,348"), "{stdout}");
}

#[test]
fn the_loss_decides_what_the_target_is() {
    let lab = Lab::new();
    lab.write("few.csv", "a,b\n0.5,1\n1.5,2\n2.5,1\n3.5,2\n0.1,1\n0.2,2\n1.1,1\n1.2,2\n");
    let target = |options: &str| lab.ok(&format!("train --data few.csv --epochs 1 {options}"));
    assert!(target("").contains("2 classes (few distinct whole numbers)"));
    assert!(target("--loss huber").contains("real values (as the loss says); loss huber"));
    assert!(target("--task values").contains("real values (as --task says); loss mse"));
    let smooth = target("--loss cross-entropy(label-smoothing=0.1)");
    assert!(smooth.contains("2 classes (as the loss says)"), "{smooth}");
}

#[test]
fn one_feature_is_explained_by_its_only_weight() {
    let lab = Lab::new();
    lab.write("one.csv", "x,y\n1,1.5\n2,2.5\n3,3.5\n4,4.5\n5,5.5\n6,6.5\n7,7.5\n8,8.5\n");
    let stdout = lab.ok("train --data one.csv --epochs 1 --hidden 3");
    assert!(stdout.contains("∂L/∂W_111") && !stdout.contains("W_112"), "{stdout}");
}

#[test]
fn a_weight_without_influence_is_explained_in_words() {
    let lab = Lab::new();
    let rows: String = (0..20).map(|i| format!("{i},5,{}\n", 2 * i)).collect();
    lab.write("constant.csv", format!("x,always,y\n{rows}"));
    let stdout = lab.ok("train --data constant.csv --epochs 2 --activation tanh --task values");
    assert!(stdout.contains("it is 0 since the input is 0 here"), "{stdout}");
}

#[test]
fn an_idx_folder_brings_its_test_set() {
    let lab = Lab::new();
    idx_folder(&lab.path("images"));
    let train = "train --data images --epochs 30 --hidden 8";
    let stdout = lab.ok(train);
    assert!(stdout.contains("images (train): 40 examples to train, 10 to test"), "{stdout}");
    assert_eq!(stdout.lines().last(), Some("test accuracy 100.0 %"));
    let line = lab.fails(&format!("{train} --test-fraction 0.2"), 2);
    assert!(line.contains("--test-fraction"), "{line}");
    let evaluation = lab.ok("evaluate chainrule-model.safetensors --data images");
    assert!(evaluation.contains("10 examples"), "{evaluation}");
    let line = lab.fails("evaluate chainrule-model.safetensors", 2);
    assert!(line.contains("--data"), "{line}");
    assert_eq!(lab.ok("predict chainrule-model.safetensors --data images").lines().count(), 11);
}

#[test]
fn a_named_optimizer_has_its_own_defaults_or_the_files_values() {
    let lab = Lab::new();
    let rates = |options: &str| {
        let stdout = lab.ok(&format!("train --epochs 1 --hidden none {options}"));
        let line = stdout.lines().find(|line| line.contains("learning rate")).unwrap();
        let (_, rest) = line.split_once("learning rate ").unwrap();
        rest.split_once(", schedule").unwrap().0.to_owned()
    };
    let (ours, pytorch) = ("0.003, weight decay 0.3", "0.001, weight decay 0.01");
    assert_eq!(rates(""), ours);
    assert_eq!(rates("--optimizer adamw"), pytorch);
    lab.write("none.json", r#"{"training": {"batch_size": 64}}"#);
    assert_eq!(rates("--optimizer adamw --config none.json"), pytorch);
    // Also where the file's values are the same as the default's.
    let named = r#""optimizer": {"name": "adamw", "learning_rate": 0.003, "weight_decay": 0.3}"#;
    lab.write("named.json", format!("{{\"training\": {{{named}}}}}"));
    lab.write(
        "named.toml",
        "[training.optimizer]\nname = \"adamw\"\nlearning_rate = 0.003\nweight_decay = 0.3\n",
    );
    for file in ["named.json", "named.toml"] {
        assert_eq!(rates(&format!("--optimizer adamw --config {file}")), ours, "{file}");
        let other = rates(&format!("--optimizer adam --config {file}"));
        assert_eq!(other, "0.001, weight decay 0.0", "{file}");
    }
}

#[test]
fn without_keep_best_no_epoch_is_said_to_be_kept() {
    let lab = Lab::new();
    lab.write(
        "last.toml",
        "[training]\nkeep_best = false\nepochs = 2\nplateau = { patience = 1 }\n",
    );
    let train = "train --hidden none --config last.toml";
    let records = json(&lab.ok(&format!("{train} --json")));
    let of = |kind: &str| records.iter().find(|record| record["kind"] == kind).unwrap();
    assert!(of("saved")["epoch"].is_null() && of("result")["best_epoch"].is_null());
    let config = &of("network")["config"]["training"];
    assert_eq!(config["plateau"]["patience"], 1);
    assert!(!lab.ok("info chainrule-model.safetensors").contains("weights of epoch"));
    let stdout = lab.ok(train);
    assert!(stdout.contains("epoch 2, the last weights are kept"), "{stdout}");
    let stdout = lab.ok("train --hidden none --epochs 2");
    assert!(!stdout.contains("the last weights"), "{stdout}");
    assert!(lab.ok("info chainrule-model.safetensors").contains("weights of epoch 2"));
}

#[test]
fn the_configuration_files_that_are_shown_are_read() {
    let lab = Lab::new();
    let readme = include_str!("../../README.md");
    let (_, shown) = readme.split_once("```toml\n").unwrap();
    lab.write("readme.toml", shown.split_once("```").unwrap().0);
    let stdout = lab.ok("train --config readme.toml --epochs 2");
    for part in ["128 gelu (dropout 0.1) → 64 gelu", "loss cross_entropy(label_smoothing=0.1)"] {
        assert!(stdout.contains(part), "{stdout}");
    }
    assert!(stdout.contains("sgd, learning rate 0.05") && stdout.contains("2 threads"), "{stdout}");
    let help = lab.ok("train --help");
    let (_, shown) = help.split_once("default:\n\n").unwrap();
    lab.write("help.toml", shown.split_once("\n\n").unwrap().0);
    let stdout = lab.ok("train --config help.toml --epochs 2");
    assert!(stdout.contains("sgd, learning rate 0.1"), "{stdout}");
}

#[test]
fn options_go_before_the_configuration_file() {
    let lab = Lab::new();
    lab.write(
        "run.toml",
        "[network]\nhidden = [7]\nactivation = \"tanh\"\n[training]\nepochs = 2\n\
         optimizer = { name = \"sgd\", learning_rate = 0.1 }\n",
    );
    let stdout = lab.ok("train --config run.toml --epochs 1 --momentum 0.9 --schedule constant");
    assert!(stdout.contains("64 → 7 tanh → 10"), "{stdout}");
    assert!(
        stdout.contains("sgd, learning rate 0.1,") && stdout.contains("1 epoch of"),
        "{stdout}"
    );
    lab.write("run.json", r#"{"training": {"epochs": 1, "batch_size": 64}}"#);
    assert!(lab.ok("train --config run.json").contains("1 epoch of 22 batches of 64"));

    lab.write("bad.toml", "[training]\nepoch = 3\n");
    let line = lab.fails("train --config bad.toml", 2);
    assert!(line.contains("bad.toml") && line.contains("unknown field `epoch`"), "{line}");
    lab.write("bad.json", "{");
    assert!(lab.fails("train --config bad.json", 2).contains("line 1"));
    assert!(lab.fails("train --config run.yaml", 2).contains(".toml or .json"));
    assert!(lab.fails("train --config none.toml", 2).contains("cannot read none.toml"));
}
