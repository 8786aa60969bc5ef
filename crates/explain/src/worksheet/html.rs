//! The worksheet for the browser and the printer.

use std::fmt::{self, Formatter, Write};

use super::Worksheet;
use super::latex::is_words;
use super::problem::{Blank, Section, answer};
use crate::html::{fill, head, text};

const TEMPLATE: &str = include_str!("../../assets/worksheet/worksheet.html");
const STYLE: &str = include_str!("../../assets/worksheet/style.css");
const SCRIPT: &str = include_str!("../../assets/worksheet/check.js");

/// How a section is written.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Sheet,
    Given,
    Key,
}

pub(super) fn page(sheet: &Worksheet) -> String {
    Filled(sheet).to_string()
}

struct Filled<'a>(&'a Worksheet);

impl fmt::Display for Filled<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let sheet = self.0;
        fill(f, TEMPLATE, |f, mark| match mark {
            "head" => head(f, &sheet.title, STYLE),
            "title" => f.write_str(&text(&sheet.title)),
            "script" => f.write_str(SCRIPT),
            "given" => {
                section(f, &sheet.given, Kind::Given)?;
                sheet.rules.iter().try_for_each(|rule| {
                    writeln!(f, "<p class=\"rule\">{}</p>", symbols(&rule.html))
                })
            }
            "sheet" => sheet.sections.iter().try_for_each(|part| section(f, part, Kind::Sheet)),
            "key" => sheet.sections.iter().try_for_each(|part| section(f, part, Kind::Key)),
            _ => Err(fmt::Error),
        })
    }
}

fn section(f: &mut Formatter<'_>, section: &Section, kind: Kind) -> fmt::Result {
    writeln!(f, "<section>\n<h2>{}</h2>", text(section.title))?;
    if !section.words.is_empty() {
        writeln!(f, "<p>{}</p>", symbols(&section.words))?;
    }
    writeln!(f, "<div class=\"quantities\">")?;
    for blank in &section.blanks {
        quantity(f, blank, kind)?;
    }
    writeln!(f, "</div>\n</section>")
}

fn quantity(f: &mut Formatter<'_>, blank: &Blank, kind: Kind) -> fmt::Result {
    let named = |name: &str| if is_words(name) { text(name) } else { symbols(name) };
    let name = match blank.name.split_once(" new") {
        Some((name, _)) => format!("{}<sup>new</sup>", symbols(name)),
        None => named(&blank.name),
    };
    let (how, note) = match &blank.formula {
        how if how.is_empty() => (String::new(), String::new()),
        how if is_words(how) => {
            (String::new(), format!(" <span class=\"note\">({})</span>", text(how)))
        }
        how => (format!(" = {}", symbols(how)), String::new()),
    };
    let columns = blank.values[0].len();
    let single = columns == 1 && blank.values.len() == 1;
    let class = if single { "matrix single" } else { "matrix" };
    write!(
        f,
        "<div class=\"quantity\"><span class=\"name\">{name}{how} =</span> \
         <span class=\"{class}\" style=\"--columns:{columns}\">"
    )?;
    for (i, row) in blank.values.iter().enumerate() {
        for (j, &value) in row.iter().enumerate() {
            if kind != Kind::Sheet {
                write!(f, "<span>{}</span>", number(value))?;
                continue;
            }
            let place = match (single, columns) {
                (true, _) => String::new(),
                (false, 1) => format!(", entry {}", i + 1),
                _ => format!(", row {}, column {}", i + 1, j + 1),
            };
            let label = text(&format!("{}{place}", blank.name.replace(['_', '{', '}'], " ")));
            write!(
                f,
                "<input type=\"text\" inputmode=\"decimal\" size=\"7\" aria-label=\"{label}\" data-answer=\"{value}\" />"
            )?;
        }
    }
    writeln!(f, "</span>{note}</div>")
}

/// A formula with its subscripts, superscripts and italics.
fn symbols(formula: &str) -> String {
    let mut out = String::new();
    let mut rest = formula;
    while let Some(c) = rest.chars().next() {
        let after = &rest[c.len_utf8()..];
        match c {
            '_' | '^' => {
                let tag = if c == '_' { "sub" } else { "sup" };
                let (inner, after) = match after.strip_prefix('{') {
                    Some(group) => braced(group),
                    None => {
                        let is_index =
                            |c: char| c.is_ascii_digit() || c == ',' || c == 'ℓ' || c == 't';
                        after.split_at(after.find(|c| !is_index(c)).unwrap_or(after.len()))
                    }
                };
                let _ = write!(out, "<{tag}>{}</{tag}>", symbols(inner));
                rest = after;
            }
            'ᵀ' => {
                out.push_str("<sup>T</sup>");
                rest = after;
            }
            c => {
                let symbol = c.is_ascii_alphabetic() || "ŷηθℓ".contains(c);
                // A letter alone is a symbol, letters together a word or a function.
                let alone = symbol
                    && !after.starts_with(|c: char| c.is_ascii_lowercase())
                    && !out.ends_with(|c: char| c.is_ascii_lowercase());
                match alone {
                    true => out.push_str(&format!("<i>{c}</i>")),
                    false => out.push_str(&text(&c.to_string())),
                }
                rest = after;
            }
        }
    }
    out
}

/// What stands before the brace that closes, and what after it.
fn braced(text: &str) -> (&str, &str) {
    let mut depth = 1;
    for (i, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return (&text[..i], &text[i + 1..]);
        }
    }
    (text, "")
}

fn number(x: f64) -> String {
    match answer(x) {
        (mantissa, Some(exponent)) => {
            format!("{} · 10<sup>{exponent}</sup>", mantissa).replace('-', "−")
        }
        (text, None) => text.replace('-', "−"),
    }
}
