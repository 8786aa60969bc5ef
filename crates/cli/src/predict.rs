//! `chainrule predict`.

use std::fmt::Write;
use std::process::ExitCode;

use chainrule::file::write_atomically;
use chainrule::{Model, TargetInfo};
use serde::{Serialize, Serializer};

use crate::args::Predict;
use crate::error::Result;
use crate::output::Output;
use crate::source;
use crate::train::check_output;

pub(crate) fn run(args: &Predict, output: &mut Output) -> Result<ExitCode> {
    if let Some(path) = &args.output {
        check_output(path, &[Some(&args.model.model), args.model.data.as_deref()])?;
    }
    let model = Model::<f32>::load(&args.model.model)?;
    let features = source::features(&model, args.model.data.as_deref())?;
    let prediction = model.predict(features.view())?;
    let mut classes = prediction.classes();
    let mut file = String::new();
    output.buffer();
    let mut emit = |line: &str| match &args.output {
        Some(_) => {
            file.push_str(line);
            true
        }
        None => {
            output.raw(line);
            !output.has_failed()
        }
    };
    let json = args.model.json;
    if json || emit(&header(&model.info().target)) {
        for (i, row) in prediction.outputs().iter_rows().enumerate() {
            let class = classes.next().flatten();
            let line = match json {
                true => json_line(&model.info().target, i, class, row),
                false => csv_line(&model.info().target, class, row),
            };
            if !emit(&line) {
                break;
            }
        }
    }
    if let Some(path) = &args.output {
        write_atomically(path, file.as_bytes())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn header(target: &TargetInfo) -> String {
    let names: Vec<String> = match target {
        TargetInfo::Classes { classes, .. } => {
            let probabilities = classes.iter().map(|class| field(&format!("p_{class}")));
            ["class".to_owned()].into_iter().chain(probabilities).collect()
        }
        TargetInfo::Values { names, .. } => names.iter().map(|name| field(name)).collect(),
    };
    names.join(",") + "\n"
}

fn csv_line(target: &TargetInfo, class: Option<usize>, row: &[f32]) -> String {
    let mut line = String::new();
    if let TargetInfo::Classes { classes, .. } = target {
        line += &class.map_or("NaN".to_owned(), |class| field(&classes[class]));
        line.push(',');
    }
    for (j, value) in row.iter().enumerate() {
        let comma = if j > 0 { "," } else { "" };
        // Writing to a string cannot fail. `{:?}` is the shortest text that reads back the same.
        let _ = write!(line, "{comma}{value:?}");
    }
    line.push('\n');
    line
}

/// A field of CSV, quoted where it must be (RFC 4180).
fn field(text: &str) -> String {
    let quote = text.contains([',', '"', '\n', '\r']) || text.trim() != text;
    if quote { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}

#[derive(Serialize)]
struct Record<'a> {
    kind: &'static str,
    /// The row of the data, from 0.
    row: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    class: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    probabilities: Option<Named<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    values: Option<Named<'a>>,
}

/// Numbers by name, in their order.
struct Named<'a>(&'a [String], &'a [f32]);

impl Serialize for Named<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().zip(self.1))
    }
}

fn json_line(target: &TargetInfo, row: usize, class: Option<usize>, values: &[f32]) -> String {
    let kind = "prediction";
    let record = match target {
        TargetInfo::Classes { classes, .. } => Record {
            kind,
            row,
            class: class.map(|class| &*classes[class]),
            probabilities: Some(Named(classes, values)),
            values: None,
        },
        TargetInfo::Values { names, .. } => {
            let values = Some(Named(names, values));
            Record { kind, row, class: None, probabilities: None, values }
        }
    };
    serde_json::to_string(&record).unwrap_or_default() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_quoted_where_they_must_be() {
        assert_eq!(field("plain name"), "plain name");
        assert_eq!(field("a,b"), "\"a,b\"");
        assert_eq!(field("say \"a\""), "\"say \"\"a\"\"\"");
        assert_eq!(field(" a"), "\" a\"");
    }
}
