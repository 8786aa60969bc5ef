//! The worksheet for pdfLaTeX.

use std::fmt::{self, Write};

use super::Worksheet;
use super::problem::{Blank, Section, answer};
use crate::latex::marks::{escape, formula};

const HEAD: &str = r"\documentclass[11pt]{article}
\usepackage[T1]{fontenc}
\IfFileExists{lmodern.sty}{\usepackage{lmodern}}{}
\usepackage[utf8]{inputenc}
\usepackage{amsmath,amssymb}
\usepackage[margin=2cm]{geometry}
\setlength{\parindent}{0pt}
\setlength{\parskip}{0.5em}
\renewcommand{\arraystretch}{1.25}
\setcounter{MaxMatrixCols}{12}
\setlength{\arraycolsep}{3.5pt}
\newcommand{\blank}{\underline{\hspace{1.35cm}}\rule[-0.5ex]{0pt}{3.4ex}}
\raggedright
\begin{document}
";

pub(super) fn document(sheet: &Worksheet) -> String {
    let mut out = HEAD.to_owned();
    // Writing to a string cannot fail.
    let _ = write(&mut out, sheet);
    out
}

fn write(out: &mut String, sheet: &Worksheet) -> fmt::Result {
    writeln!(
        out,
        "\\section*{{{}}}\nName: \\underline{{\\hspace{{6cm}}}}\n",
        escape(&sheet.title)
    )?;
    section(out, &sheet.given, true)?;
    for rule in &sheet.rules {
        writeln!(out, "\\[\n{}\n\\]", rule.latex)?;
    }
    writeln!(out, "Give four decimals; go on with the numbers that you have not rounded.")?;
    for part in &sheet.sections {
        section(out, part, false)?;
    }
    writeln!(out, "\\newpage\n\\section*{{Answer key}}\n{}\n", escape(&sheet.title))?;
    for part in &sheet.sections {
        section(out, part, true)?;
    }
    writeln!(out, "\\end{{document}}")
}

fn section(out: &mut String, section: &Section, filled: bool) -> fmt::Result {
    writeln!(out, "\\subsection*{{{}}}\n{}\n", escape(section.title), words(&section.words))?;
    for blank in &section.blanks {
        quantity(out, blank, filled)?;
    }
    Ok(())
}

/// Words in which names of the lecture are formulas.
fn words(text: &str) -> String {
    let name = |word: &str| word.contains(['_', '∂', 'θ', 'η', 'ℓ', '=', '−']);
    let words = text.split(' ').map(|word| {
        let bare = word.trim_end_matches(['.', ',', ';', '?']);
        match name(bare) {
            true => format!("${}${}", formula(bare), &word[bare.len()..]),
            false => escape(word),
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

fn quantity(out: &mut String, blank: &Blank, filled: bool) -> fmt::Result {
    let name = match blank.name.split_once(" new") {
        Some((name, _)) => format!("{}^{{\\text{{new}}}}", formula(name)),
        None if is_words(&blank.name) => format!("\\text{{{}}}", escape(&blank.name)),
        None => formula(&blank.name),
    };
    let how = match &blank.formula {
        // The key of a wide matrix needs the line; the sheet has the formula.
        text if text.is_empty() || (filled && blank.values[0].len() > 4) => String::new(),
        text if is_words(text) => format!("\\quad \\text{{({})}}", escape(text)),
        text => format!(" = {}", formula(text)),
    };
    let (how, note) =
        if how.starts_with("\\quad") { (String::new(), how) } else { (how, String::new()) };
    let entry = |x: &f64| if filled { number(*x) } else { "\\blank".to_owned() };
    let rows: Vec<String> = blank
        .values
        .iter()
        .map(|row| row.iter().map(entry).collect::<Vec<_>>().join(" & "))
        .collect();
    let value = match (&rows[..], blank.values[0].len()) {
        ([one], 1) => one.clone(),
        _ => format!("\\begin{{pmatrix}} {} \\end{{pmatrix}}", rows.join(" \\\\ ")),
    };
    // Quantities stand beside each other where they fit.
    writeln!(out, "\\mbox{{$\\displaystyle {name}{how} = {value}{note}$}}\\quad")
}

/// Whether a name or formula is told in words.
pub(super) fn is_words(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c == ' ';
    text.len() > 2 && text.chars().all(plain)
}

fn number(x: f64) -> String {
    match answer(x) {
        (mantissa, Some(exponent)) => format!("{mantissa} \\cdot 10^{{{exponent}}}"),
        (text, None) => text,
    }
}
