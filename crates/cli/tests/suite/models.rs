//! `predict`, `evaluate`, `check` and `info`, end to end.

use crate::common::{Lab, classes_csv, json, line_csv};

const MODEL: &str = "chainrule-model.safetensors";

#[test]
fn digits_are_evaluated_on_what_was_held_out() {
    let lab = Lab::new();
    let trained = lab.ok("train --epochs 2 --seed 3 --test-fraction 0.3");
    let stdout = lab.ok(&format!("evaluate {MODEL}"));
    assert!(stdout.contains("the 539 examples of 1,797 that training held out (seed 3)"));
    let score = trained.lines().last().unwrap().strip_prefix("test ").unwrap();
    assert_eq!(stdout.lines().last(), Some(score));
    assert!(stdout.contains("predicted class by column"), "{stdout}");

    let all = json(&lab.ok(&format!("evaluate {MODEL} --all --json")));
    assert_eq!(all[0]["examples"], 1797);
    let counts = all[0]["confusion"].as_array().unwrap();
    let row = |i: usize| counts[i].as_array().unwrap().iter().map(|n| n.as_u64().unwrap());
    assert_eq!((0..10).flat_map(row).sum::<u64>(), 1797);
    let right: u64 = (0..10).map(|i| row(i).nth(i).unwrap()).sum();
    assert!((all[0]["accuracy"].as_f64().unwrap() - right as f64 / 1797.0).abs() < 1e-12);

    assert_eq!(lab.ok(&format!("predict {MODEL}")).lines().count(), 1798);
    assert!(lab.ok(&format!("check {MODEL}")).ends_with("PASS\n"));
}

#[test]
fn predictions_do_not_depend_on_the_order_of_columns() {
    let lab = Lab::new();
    lab.write("kinds.csv", classes_csv(60));
    lab.ok("train --data kinds.csv --target kind --epochs 5 --hidden 6");
    lab.write("a.csv", "u,v\n1,2\n9.5,0\n");
    lab.write("b.csv", "v,kind,u\n2,,1\n0,?,9.5\n");
    let answer = lab.ok(&format!("predict {MODEL} --data a.csv"));
    assert_eq!(answer, lab.ok(&format!("predict {MODEL} --data b.csv")));
    let lines: Vec<&str> = answer.lines().collect();
    assert_eq!(lines[0], "class,\"p_over, all\",p_under");
    assert_eq!(lines.len(), 3);
    let records = json(&lab.ok(&format!("predict {MODEL} --data a.csv --json")));
    for (line, record) in lines[1..].iter().zip(&records) {
        let probabilities = record["probabilities"].as_object().unwrap();
        let sum: f64 = probabilities.values().map(|p| p.as_f64().unwrap()).sum();
        assert!((sum - 1.0).abs() < 1e-6);
        let under = probabilities["under"].as_f64().unwrap();
        assert!(line.ends_with(&format!(",{:?}", under as f32)), "{line}");
        let likely = if under > 0.5 { "under" } else { "over, all" };
        assert_eq!(record["class"], likely);
    }
    lab.ok(&format!("predict {MODEL} --data a.csv --output out.csv"));
    assert_eq!(std::fs::read_to_string(lab.path("out.csv")).unwrap(), answer);

    lab.write("unknown.csv", "u,v,w\n1,2,3\n");
    let line = lab.fails(&format!("predict {MODEL} --data unknown.csv"), 2);
    assert!(line.contains("unknown column `w`"), "{line}");
    lab.write("missing.csv", "u\n1\n");
    let line = lab.fails(&format!("predict {MODEL} --data missing.csv"), 2);
    assert!(line.contains("missing column `v`"), "{line}");
    let line = lab.fails(&format!("evaluate {MODEL} --data a.csv"), 2);
    assert!(line.contains("no target column `kind`"), "{line}");
    lab.write("strange.csv", "u,v,kind\n1,2,sideways\n");
    let line = lab.fails(&format!("evaluate {MODEL} --data strange.csv"), 2);
    assert!(line.contains("unknown class `sideways`"), "{line}");
}

#[test]
fn values_come_in_their_own_units() {
    let lab = Lab::new();
    lab.write("line.csv", line_csv(120));
    lab.ok("train --data line.csv --hidden none --optimizer sgd --learning-rate 0.1 --epochs 60");
    lab.write("new.csv", "v,u\n1,10\n");
    let answer = lab.ok(&format!("predict {MODEL} --data new.csv"));
    let (header, value) = answer.trim_end().split_once('\n').unwrap();
    assert_eq!(header, "y");
    assert!((value.parse::<f64>().unwrap() - 22.0).abs() < 0.1, "{value}");
    let records = json(&lab.ok(&format!("evaluate {MODEL} --data line.csv --json")));
    assert!(records[0]["rmse"].as_f64().unwrap() < 0.1);
    assert!(records[0]["mae"].as_f64() <= records[0]["rmse"].as_f64());
    let text = lab.ok(&format!("evaluate {MODEL} --data line.csv"));
    assert!(text.contains("RMSE") && text.contains("in units of `y`"), "{text}");
    let score = text.lines().last().unwrap().strip_prefix("R² ");
    assert!(score.unwrap().parse::<f64>().unwrap() > 0.99, "{text}");
    assert!(lab.ok(&format!("check {MODEL} --data line.csv --examples 3")).contains("3 examples"));
}

#[test]
fn fresh_networks_are_checked() {
    let lab = Lab::new();
    for options in [
        "--sizes 4,3,2",
        "--sizes 4,5,3 --activation gelu-tanh --loss cross-entropy(label_smoothing=0.1)",
        "--sizes 2,1 --loss mse --seed 7",
        "--sizes 3,4,2 --activation tanh --loss bce_with_logits --examples 1",
        "--sizes 3,4,2 --activation tanh --loss probability-cross-entropy",
    ] {
        let stdout = lab.ok(&format!("check {options}"));
        assert!(stdout.ends_with("PASS\n"), "{options}: {stdout}");
    }
    let records = json(&lab.ok("check --sizes 20,30,5 --entries 100 --activation tanh --json"));
    assert_eq!(records[0]["checked"], 100);
    assert_eq!(records[0]["parameters"], 20 * 30 + 30 + 30 * 5 + 5);
    assert_eq!(records[0]["passed"], true);
    for bad in ["--sizes 4", "--sizes 4,0,2", "--sizes 4,2 --entries 0", "--sizes 4,2 --loss x", ""]
    {
        lab.fails(&format!("check {bad}"), 2);
    }
}

#[test]
fn a_check_that_fails_says_so_with_its_exit_code() {
    let lab = Lab::new();
    lab.write("kink.csv", "x,y\n".to_owned() + &"0,1.5\n0,2.5\n0,4\n".repeat(4));
    let rows = "x,y\n".to_owned() + &"0,1\n".repeat(8);
    lab.ok("train --data kink.csv --task values --loss l1 --epochs 1 --hidden none");
    lab.write("rows.csv", rows);
    let output = lab.ok(&format!("predict {MODEL} --data rows.csv"));
    let value = output.lines().nth(1).unwrap();
    // The target is exactly what the model says, so that the loss has its kink there.
    lab.write("at.csv", "x,y\n".to_owned() + &format!("0,{value}\n").repeat(8));
    let run = lab.run(&format!("check {MODEL} --data at.csv"));
    assert_eq!((run.code, run.stdout.lines().last()), (Some(1), Some("FAIL")), "{}", run.stdout);
    assert!(run.stdout.contains("kink"), "{}", run.stdout);
}

#[test]
fn info_tells_what_the_file_holds() {
    let lab = Lab::new();
    lab.ok("train --epochs 1 --hidden 12,6 --dropout 0.1");
    let text = lab.ok(&format!("info {MODEL}"));
    for part in
        ["0.weight 12×64", "0.bias 12", "10 classes", "digits, 1,348 examples", "seed 1", "adamw"]
    {
        assert!(text.contains(part), "`{part}` is missing in\n{text}");
    }
    let records = json(&lab.ok(&format!("info {MODEL} --json")));
    assert_eq!(records[0]["parameters"], 64 * 12 + 12 + 12 * 6 + 6 + 6 * 10 + 10);
    assert_eq!(records[0]["tensors"][0]["shape"], serde_json::json!([12, 64]));
}

#[test]
fn info_tells_whose_vectors_are_used() {
    let lab = Lab::new();
    let set = json(&lab.ok("info --json"))[0]["instruction_set"].as_str().unwrap().to_owned();
    assert!(lab.ok("info").contains(&format!("; {set} vectors; ")));
    assert_eq!(json(&lab.ok("train --epochs 1 --json"))[1]["instruction_set"], set);
    let mut command = lab.command();
    let asked = command.env("CHAINRULE_SIMD", "portable").args(["info", "--json"]);
    let records = json(&String::from_utf8(asked.output().unwrap().stdout).unwrap());
    assert_eq!(records[0]["instruction_set"], "portable");
    assert!(records[0]["bf16_instructions"].is_null());
}

#[test]
fn vectors_that_are_not_known_are_refused() {
    let lab = Lab::new();
    for arguments in [&["info"][..], &["train", "--epochs", "1"]] {
        let mut command = lab.command();
        let output = command.env("CHAINRULE_SIMD", "avx").args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(told.contains("CHAINRULE_SIMD is `avx`; set it to avx2 or portable"), "{told}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn info_tells_how_bf16_is_computed_and_that_a_model_was_trained_so() {
    let lab = Lab::new();
    lab.ok("train --epochs 2 --precision bf16 --json");
    let told = lab.ok(&format!("info {MODEL}"));
    assert!(told.contains("schedule one-cycle, products in bf16\n"), "{told}");
    let machine = lab.ok("info");
    assert!(told.ends_with(&machine) && machine.contains("products in bf16 by "), "{machine}");
    let record = json(&lab.ok("info --json"));
    let named = record[0]["bf16_instructions"].as_str().unwrap_or("rounding to bf16");
    assert!(machine.contains(&format!("products in bf16 by {named}")), "{record:?} {machine}");

    lab.ok("train --epochs 2");
    assert!(!lab.ok(&format!("info {MODEL}")).contains("one-cycle, products in bf16"));
    let error = lab.fails("train --precision fp8", 2);
    assert!(error.contains("unknown precision `fp8`; there are f32 and bf16"), "{error}");
}
