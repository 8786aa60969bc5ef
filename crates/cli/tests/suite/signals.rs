//! Ctrl-C and closed pipes.

#![cfg(unix)]

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

use crate::common::{Lab, json};

const MODEL: &str = "chainrule-model.safetensors";

fn spawn(lab: &Lab, words: &str) -> Child {
    Command::new(assert_cmd::cargo::cargo_bin!("chainrule"))
        .current_dir(lab.folder.path())
        .args(words.split(' '))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn interrupt(child: &Child) {
    let status = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(status.success());
}

#[test]
fn ctrl_c_saves_the_best_model_so_far() {
    let lab = Lab::new();
    let mut child = spawn(&lab, "train --epochs 10000000 --schedule constant --hidden 8 --seed 5");
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    let (mut stdout, mut line) = (String::new(), String::new());
    while !line.trim_start().starts_with("3 ") {
        line.clear();
        assert!(reader.read_line(&mut line).unwrap() > 0, "ended early:\n{stdout}");
        stdout += &line;
    }
    interrupt(&child);
    reader.read_to_string(&mut stdout).unwrap();
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(0), "{stdout}");
    assert!(stdout.contains("interrupted: saved the best weights, of epoch "), "{stdout}");
    assert!(stdout.lines().last().unwrap().starts_with("test accuracy "), "{stdout}");
    // The file is whole, and scores what the run said.
    let evaluation = lab.ok(&format!("evaluate {MODEL}"));
    let score = stdout.lines().last().unwrap().strip_prefix("test ");
    assert_eq!(evaluation.lines().last(), score);
    assert_eq!(lab.files(), [MODEL]);
}

#[test]
fn ctrl_c_in_json_is_a_record() {
    let lab = Lab::new();
    let mut child = spawn(&lab, "train --epochs 10000000 --hidden 8 --json");
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    let (mut stdout, mut line) = (String::new(), String::new());
    while !line.contains("\"epoch\":2") {
        line.clear();
        assert!(reader.read_line(&mut line).unwrap() > 0, "ended early:\n{stdout}");
        stdout += &line;
    }
    interrupt(&child);
    reader.read_to_string(&mut stdout).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{stdout}");
    let records = json(&stdout);
    let saved = records.iter().find(|record| record["kind"] == "saved").unwrap();
    assert_eq!((&saved["interrupted"], &saved["path"]), (&true.into(), &MODEL.into()));
    assert_eq!(records.last().unwrap()["stop"], "cancelled");
}

#[test]
fn a_closed_pipe_ends_quietly() {
    let lab = Lab::new();
    lab.ok("train --epochs 1 -q");
    // Much more than a pipe holds.
    let mut child = spawn(&lab, &format!("predict {MODEL}"));
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    assert!(line.starts_with("class,p_0"), "{line}");
    drop(reader);
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr), (Some(0), Vec::new()));

    // Training goes on: its product is the file.
    let mut child = spawn(&lab, "train --epochs 3 --output other");
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr), (Some(0), Vec::new()));
    assert!(lab.ok("info other").contains("3 epochs of at most 3"));
}
