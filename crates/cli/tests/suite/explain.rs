//! `chainrule explain`, end to end.

use crate::common::{Lab, classes_csv, json, line_csv};

const MODEL: &str = "chainrule-model.safetensors";

#[test]
fn digits_are_explained_as_text_json_and_drawings() {
    let lab = Lab::new();
    let trained = lab.ok("train --hidden 12,8 --epochs 2 --dropout 0.2");
    assert!(trained.contains(&format!("explain {MODEL} ")), "{trained}");
    let text = lab.ok(&format!("explain {MODEL} --row 17 --weight W_1,2,21 --top 4"));
    for part in [
        "Why is ∂L/∂W_1,2,21 = ",
        "from input 21 (`p20`) to neuron 2 of layer 1",
        "example  17, class `",
        "the loss asks the output layer",
        "in three groups",
        "  4. ",
        "certificate: Σ paths = ",
        "it holds",
        "the gradient along the depth",
    ] {
        assert!(text.contains(part), "{part:?} is missing:\n{text}");
    }
    // The layers are dense, dropout, dense, dropout, dense: 10 outputs and 8 units above.
    let record = &json(
        &lab.ok(&format!("explain {MODEL} --row 17 --weight W_1,2,21 --format json --top 1000")),
    )[0];
    assert_eq!(record["kind"], "explanation");
    assert_eq!(record["param"], "W_1,2,21");
    assert_eq!(record["rows"], serde_json::json!([17]));
    assert_eq!(record["paths"]["count"]["exact"], "80");
    let paths = record["paths"]["strongest"].as_array().unwrap();
    assert_eq!(paths.len(), 80);
    let number = |value: &serde_json::Value| value.as_f64().unwrap();
    let sum: f64 = paths.iter().map(|path| number(&path["value"])).sum();
    let bound = 1e-12 * number(&record["paths"]["magnitude"]) + 1e-300;
    assert!((sum - number(&record["value"])).abs() <= bound, "{sum}");
    assert_eq!(record["paths"]["certificate"]["holds"], true);

    lab.ok(&format!("explain {MODEL} --row 17 --weight W_1,2,21 --format svg --output why.svg"));
    let svg = std::fs::read_to_string(lab.path("why.svg")).unwrap();
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
    assert!(svg.contains("p20") && !svg.contains("href"));
    let dot = lab.ok(&format!("explain {MODEL} --bias b_13 --format dot"));
    assert!(dot.starts_with("digraph explain {") && dot.ends_with("}\n"));
}

#[test]
fn a_batch_is_the_mean_of_its_examples() {
    let lab = Lab::new();
    lab.write("kinds.csv", classes_csv(40));
    lab.ok("train --data kinds.csv --target kind --epochs 3 --hidden 5 --activation tanh");
    let base = format!("explain {MODEL} --data kinds.csv --weight W_131 --format json");
    let value =
        |options: &str| json(&lab.ok(&format!("{base} {options}")))[0]["value"].as_f64().unwrap();
    let each: Vec<f64> = (3..9).map(|row| value(&format!("--row {row}"))).collect();
    let mean = each.iter().sum::<f64>() / 6.0;
    assert!((value("--row 3 --batch 6") - mean).abs() < 1e-12);
    assert!((value("--row 3 --batch 6 --unfused") - mean).abs() < 1e-12);

    let of_class = &json(&lab.ok(&format!("{base} --class under")))[0];
    let classes = of_class["responsibility"]["classes"].as_array().unwrap();
    assert_eq!((classes.len(), &classes[0]["name"]), (1, &"under".into()));
    assert_eq!(classes[0]["examples"], of_class["rows"].as_array().unwrap().len());
    assert_eq!(of_class["context"]["data"].as_str().unwrap().split(',').next(), Some("kinds.csv"));
    // Without a weight, the largest of layer 1.
    let text = lab.ok(&format!("explain {MODEL} --data kinds.csv --batch 5"));
    assert!(text.contains("Why is ∂L/∂W_1") && text.contains("the mean over 5 examples"), "{text}");
}

#[test]
fn real_values_are_explained() {
    let lab = Lab::new();
    lab.write("line.csv", line_csv(30));
    lab.ok("train --data line.csv --epochs 3 --hidden 4,4 --activation sigmoid");
    let text = lab.ok(&format!("explain {MODEL} --data line.csv --row 2 --bias b_31 --unfused"));
    assert!(text.contains("the bias of output 1 (`y`)"), "{text}");
    assert!(text.contains("∂L/∂ŷ · ∂ŷ/∂a_31 · ∂a_31/∂b_31"), "{text}");
}

#[test]
fn bad_requests_get_one_clear_line() {
    let lab = Lab::new();
    lab.write("kinds.csv", classes_csv(20));
    lab.write("other.csv", line_csv(20));
    lab.ok("train --data kinds.csv --target kind --epochs 1 --hidden 5");
    let files = lab.files();
    for (options, part) in [
        ("--weight W_999", "the network has no W_999: layers are 1 to 2"),
        ("--weight W_161", "neurons of layer 1 are 1 to 5"),
        ("--weight W_113", "inputs of layer 1 are 1 to 2"),
        ("--weight W_1", "write W_112 (layer, neuron, input)"),
        ("--weight b_11", "--bias b_11"),
        ("--bias W_111", "--weight W_111"),
        ("--weight W_111 --bias b_11", "--bias"),
        ("--row 20", "--row 20: kinds.csv has 20 examples, counted from 0"),
        ("--row -1", "-1"),
        ("--row 10 --batch 11", "10 examples from row 10 on, not 11"),
        ("--batch 0", "--batch is 0"),
        ("--class rose", "the classes are over, all, under"),
        ("--top 0", "--top is 0"),
        ("--top -3", "-3"),
        ("--top 99999999999999999999", "--top"),
        ("--format pdf", "svg"),
        ("--all", "--all"),
        ("--output kinds.csv", "would destroy the input"),
        ("--output nowhere/why.svg", "there is no folder nowhere"),
    ] {
        let line = lab.fails(&format!("explain {MODEL} --data kinds.csv {options}"), 2);
        assert!(line.contains(part), "{options}: {line}");
    }
    for (words, part) in [
        (format!("explain {MODEL}"), "name examples with --data"),
        (format!("explain {MODEL} --data other.csv"), "unknown column"),
        ("explain nowhere.safetensors".to_owned(), "nowhere.safetensors"),
        ("explain kinds.csv".to_owned(), "kinds.csv"),
        ("explain".to_owned(), "<MODEL>"),
    ] {
        let line = lab.fails(&words, 2);
        assert!(line.contains(part), "{words}: {line}");
    }
    assert_eq!(lab.files(), files);
    // More paths than there are is all of them, however many more.
    let all = lab.ok(&format!("explain {MODEL} --data kinds.csv --bias b_11 --top 1000000000"));
    assert!(all.contains("2 paths to b_11"), "{all}");
}

#[test]
fn absurdly_many_paths_are_refused() {
    let lab = Lab::new();
    lab.ok("train --hidden 64,64,64,64 --epochs 1 -q");
    let line = lab.fails(&format!("explain {MODEL} --top 100000000"), 2);
    assert!(
        line.contains("100000000 paths are more than fit into memory here; ask for at most"),
        "{line}"
    );
}

#[test]
fn training_prints_statistics_on_request() {
    let lab = Lab::new();
    let text = lab.ok("train --hidden 6 --epochs 2 --statistics");
    assert_eq!(text.matches("‖ΔW‖/‖W‖").count(), 2, "{text}");
    assert!(text.contains("dense 64 -> 6, relu"), "{text}");
    let records = json(&lab.ok("train --hidden 6 --epochs 2 --statistics --json"));
    let of_kind = |kind: &str| records.iter().filter(|record| record["kind"] == kind).count();
    assert_eq!((of_kind("epoch"), of_kind("statistics")), (2, 2));
    let layer =
        &records.iter().find(|r| r["kind"] == "statistics").unwrap()["statistics"]["layers"][0];
    assert!(layer["update_ratio"].as_f64().unwrap() > 0.0);
    assert!(layer["dead"].as_f64().unwrap() <= 1.0);
    assert!(!lab.ok("train --hidden 6 --epochs 1").contains("‖ΔW‖"));
    // What is printed changes nothing that is learnt.
    let model = std::fs::read(lab.path(MODEL)).unwrap();
    lab.ok("train --hidden 6 --epochs 1 --statistics");
    assert_eq!(std::fs::read(lab.path(MODEL)).unwrap(), model);
}

#[test]
fn a_diverged_run_tells_what_made_the_first_bad_value() {
    let lab = Lab::new();
    let line = lab.fails("train --hidden 8 --optimizer sgd --learning-rate 1e30 --epochs 1", 1);
    assert!(line.contains("first seen at layer "), "{line}");
    assert!(line.contains("the sum overflows") && line.contains("Σ_k W_"), "{line}");
}

#[test]
fn pages_and_documents_are_written_whole() {
    let lab = Lab::new();
    lab.ok("train --epochs 1 -q --no-html");
    let explain = "explain chainrule-model.safetensors --row 3 --batch 2 --weight W_1,5,20";
    let html = lab.ok(&format!("{explain} --format html"));
    assert!(html.starts_with("<!DOCTYPE html>") && html.ends_with("</html>\n"), "{}", html.len());
    for part in ["\"select\":\"W_1,5,20\"", "\"image\":[8,8]", "\"complete\":true", "example 3: "] {
        assert!(html.contains(part), "{part}");
    }
    let latex = lab.ok(&format!("{explain} --format latex"));
    assert!(latex.starts_with("\\documentclass") && latex.ends_with("\\end{document}\n"));
    assert!(latex.contains("\\partial W_{1,5,20}") && latex.contains("talk to the hidden layers"));
    lab.ok(&format!("{explain} --format html --output why.html"));
    assert_eq!(std::fs::read_to_string(lab.path("why.html")).unwrap(), html);
}
