//! `chainrule worksheet`.

use crate::common::Lab;

#[test]
fn worksheets_are_written_in_both_formats() {
    let lab = Lab::new();
    let latex = lab.ok("worksheet --sizes 2-2-2 --seed 5 --format latex");
    assert!(latex.starts_with("\\documentclass") && latex.ends_with("\\end{document}\n"));
    assert_eq!(latex, lab.ok("worksheet --sizes 2,2,2 --seed 5"));
    assert_ne!(latex, lab.ok("worksheet --sizes 2-2-2 --seed 6"));
    assert_eq!(lab.ok("worksheet --sizes 2-2-2 --seed 5 --format html --output sheet.html"), "");
    let html = std::fs::read_to_string(lab.path("sheet.html")).unwrap();
    assert!(html.starts_with("<!DOCTYPE html>") && html.contains("a 2-2-2 network"));
    let squared = lab.ok("worksheet --sizes 2-3-2 --loss squared-error --activation tanh");
    assert!(squared.contains("(\\hat{y}_j - y_j)^2") && squared.contains("\\tanh a"));
    assert_eq!(lab.files(), ["sheet.html"]);
}

#[test]
fn absurd_ones_are_refused() {
    let lab = Lab::new();
    for (options, part) in [
        ("--sizes 2", "1 width was given"),
        ("--sizes none", "0 widths were given"),
        ("--sizes 2-0-2", "no width"),
        ("--sizes 2--2", "no width"),
        ("--sizes 100-100-10", "a layer of 100 units; it must have 1 to 6"),
        ("--sizes 18446744073709551615-2", "units"),
        ("--sizes 6-6-6", "84 parameters are too many"),
        ("--sizes 2-2-2-2-2-2-2-2", "8 widths were given"),
        ("--sizes 2-2-1 --loss cross-entropy", "softmax of one unit"),
        ("--loss huber", "cross-entropy or squared-error"),
        ("--loss nosuch", "unknown loss"),
        ("--activation gelu", "not one for paper"),
        ("--learning-rate 0", "must be above 0"),
        ("--learning-rate -1", "must be above 0"),
        ("--format svg", "latex, html"),
        ("--output nowhere/sheet.tex", "no folder"),
    ] {
        let line = lab.fails(&format!("worksheet {options}"), 2);
        assert!(line.contains(part), "{options}: {line}");
    }
    assert!(lab.files().is_empty());
}
