//! Bad usage and input: one line, the right exit code, earlier files intact.

use crate::common::{Lab, line_csv};

const MODEL: &str = "chainrule-model.safetensors";

#[test]
fn bad_options_are_refused_before_anything_is_written() {
    let lab = Lab::new();
    lab.write("line.csv", line_csv(20));
    for (options, part) in [
        ("--epochs 0", "epochs is 0"),
        ("--epochs x", "--epochs"),
        ("--batch-size 0", "batch_size is 0"),
        ("--threads 0", "threads is 0"),
        ("--threads 100000", "threads"),
        ("--test-fraction 1.5", "1.5"),
        ("--test-fraction nan", "NaN"),
        ("--test-fraction -0.1", "-0.1"),
        ("--validation-fraction 1", "--validation-fraction"),
        ("--learning-rate nan", "learning_rate"),
        ("--learning-rate -1", "learning_rate"),
        ("--weight-decay inf", "weight_decay"),
        ("--momentum 0.9", "adamw has no momentum"),
        ("--optimizer sgdd", "unknown optimizer"),
        ("--schedule linear", "one-cycle"),
        ("--clip-norm 0", "norm"),
        ("--patience 0", "patience is 0"),
        ("--dropout 1", "dropout is 1"),
        ("--activation relu7", "no activation"),
        ("--hidden 0", "no width"),
        ("--hidden 100000000000,100000000000", "does not fit into memory"),
        ("--hidden 18446744073709551615", "does not fit into memory"),
        ("--loss mse", "the target is classes"),
        ("--loss nosuch", "unknown loss"),
        ("--loss bce_with_logits", "wants a value of 0 or 1 for each output"),
        ("--task values", "classes"),
        ("--seed -1", "--seed"),
        ("--target label", "--data"),
        ("--data line.csv --target z", "`z`"),
        ("--data line.csv --loss cross-entropy --test-fraction 0.5", "rows"),
        ("--data nowhere.csv", "nowhere.csv"),
        ("--data .", "train-images-idx3-ubyte"),
        ("--nonsense", "--nonsense"),
    ] {
        let line = lab.fails(&format!("train {options}"), 2);
        assert!(line.contains(part), "{options}: {line}");
        assert!(!line.contains("Error {") && !line.contains("Some("), "debug output: {line}");
    }
    lab.fails("frobnicate", 2);
    lab.fails("predict", 2);
    assert_eq!(lab.files(), ["line.csv"]);
}

#[test]
fn malformed_data_is_named_by_line_and_column() {
    let lab = Lab::new();
    for (content, part) in [
        ("", "is empty"),
        ("a,b\n", "no examples"),
        ("a,b\n1,2\n3\n", "line 3"),
        ("a,b\n1,2.5\nx,3.5\n", "line 3, column 1 (`a`)"),
        ("a,b\nnan,2.5\n1,3.5\n", "not a finite"),
        ("a,b\n1,cat\n2,cat\n", "single class"),
        ("a,b\n1,2.5\n", "cannot hold out"),
        ("a,b\n1,2.5\n2,2.5\n3,2.5\n4,2.5\n", "`b` is 2.5 in every training example"),
        ("a,b\n1,x\n2,\"y\n3,x\n4,y\n", "line 3: a quote opens"),
        ("t,b\n1.7e9,1.5\n1700000001,2.5\n", "too close together for f32"),
    ] {
        lab.write("bad.csv", content);
        let line = lab.fails("train --data bad.csv", 2);
        assert!(line.contains(part), "{content:?}: {line}");
    }
}

#[test]
fn what_is_no_model_is_refused() {
    let lab = Lab::new();
    lab.ok("train --epochs 1 -q");
    let bytes = std::fs::read(lab.path(MODEL)).unwrap();
    lab.write("short", &bytes[..bytes.len() / 2]);
    lab.write("text", "not a model\n");
    lab.write("empty", "");
    for command in ["info", "evaluate", "predict", "check"] {
        for file in ["short", "text", "empty", "absent", "."] {
            let line = lab.fails(&format!("{command} {file}"), 2);
            assert!(line.contains(file), "{line}");
        }
    }
}

#[test]
fn an_output_that_cannot_be_is_found_out_before_training() {
    let lab = Lab::new();
    // Training this long would end the test by its patience.
    let long = "train --epochs 100000000";
    let line = lab.fails(&format!("{long} --output nowhere/model"), 2);
    assert!(line.contains("no folder nowhere"), "{line}");
    let line = lab.fails(&format!("{long} --output ."), 2);
    assert!(line.contains("folder"), "{line}");
    lab.write("file", "earlier");
    lab.fails(&format!("{long} --output file/model"), 2);
    assert_eq!(std::fs::read(lab.path("file")).unwrap(), b"earlier");
    assert_eq!(lab.files(), ["file"]);
}

#[test]
fn a_failed_run_leaves_the_earlier_model() {
    let lab = Lab::new();
    lab.ok("train --epochs 1 -q --no-html");
    let earlier = std::fs::read(lab.path(MODEL)).unwrap();
    let line = lab.fails("train --optimizer sgd --learning-rate 1e30 --schedule constant -q", 1);
    assert!(line.contains("diverged in epoch 1, batch ") && line.contains("layer "), "{line}");
    lab.fails("train --data absent.csv", 2);
    assert_eq!(std::fs::read(lab.path(MODEL)).unwrap(), earlier);
    assert_eq!(lab.files(), [MODEL]);
}

#[test]
fn divergence_after_an_epoch_saves_the_last_good_model() {
    let lab = Lab::new();
    lab.write("line.csv", line_csv(40));
    let line = lab.fails(
        "train --data line.csv --hidden 8 --activation identity --optimizer sgd \
         --learning-rate 20 --schedule constant --batch-size 1000 --epochs 1000 -q",
        1,
    );
    assert!(line.contains("diverged in epoch ") && line.contains("saved the last good model"));
    assert!(line.contains("the weights of epoch ") && line.contains(MODEL), "{line}");
    lab.ok(&format!("info {MODEL}"));
}

#[test]
fn an_input_is_not_overwritten() {
    let lab = Lab::new();
    lab.ok("train --epochs 1 -q");
    let mut rows = String::from("x,y,kind\n");
    for i in 0..20 {
        rows += &format!("{i},{},{}\n", i * i, ["a", "b"][i % 2]);
    }
    let data = lab.write("kinds.csv", &rows);
    let config = lab.write("run.toml", "[training]\nepochs = 1\n");
    let model = lab.path(MODEL);
    let before = std::fs::read(&model).unwrap();
    for words in [
        "train --data kinds.csv --epochs 1 --output kinds.csv".to_owned(),
        "train --config run.toml --output ./run.toml".to_owned(),
        "train --data kinds.csv --config run.toml --output run.toml".to_owned(),
        format!("predict {MODEL} --output {MODEL}"),
        format!("predict {MODEL} --data kinds.csv --output kinds.csv"),
    ] {
        let line = lab.fails(&words, 2);
        assert!(line.contains("would destroy the input"), "{line}");
    }
    assert_eq!(std::fs::read_to_string(data).unwrap(), rows);
    assert!(std::fs::read_to_string(config).unwrap().starts_with("[training]"));
    assert_eq!(std::fs::read(model).unwrap(), before);
    // Training again over an old model is what --output is for.
    lab.ok("train --epochs 1 -q");
    lab.fails(&format!("check {MODEL} --loss mse"), 2);
    lab.fails(&format!("check {MODEL} --activation tanh"), 2);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_a_failure() {
    let lab = Lab::new();
    let line = lab.fails("train --epochs 1 -q --output /dev/full", 1);
    assert!(line.contains("/dev/full"), "{line}");
    lab.ok("train --epochs 1 -q");
    lab.fails(&format!("predict {MODEL} --output /dev/full"), 1);
    for words in ["train --epochs 1 -q --output again", "info again", "predict again", "--help"] {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin!("chainrule"));
        command.current_dir(lab.folder.path()).args(words.split(' ')).stdout(full);
        let output = command.output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(!stderr.contains("panic"), "{words}: {stderr}");
        if words != "--help" {
            assert_eq!(output.status.code(), Some(1), "{words}: {stderr}");
            assert!(stderr.contains("standard output"), "{words}: {stderr}");
        }
    }
}

#[test]
fn help_shows_an_example_and_the_version_is_told() {
    let lab = Lab::new();
    for command in ["", "train", "predict", "evaluate", "check", "info"] {
        let help = lab.ok(&format!("{command} --help"));
        assert!(help.contains("Example") && help.contains("chainrule "), "{command}: {help}");
    }
    assert_eq!(lab.ok("--version"), format!("chainrule {}\n", env!("CARGO_PKG_VERSION")));
}
