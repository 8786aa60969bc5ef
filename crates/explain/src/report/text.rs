//! The report as readable text.

use std::fmt;

use chainrule_autograd_manual::Param;

use super::Report;
use crate::text::{examples, number, unit};

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { param, context, rows, .. } = self;
        let whole = examples(rows.len(), self.reduction);
        writeln!(f, "Why is ∂L/∂{param} = {}{whole}?", number(self.value))?;
        for (what, text) in [("model", &context.model), ("data", &context.data)] {
            if let Some(text) = text {
                writeln!(f, "  {what:<8} {text}")?;
            }
        }
        let name = context.loss.as_ref().map_or(String::new(), |name| format!(" ({name})"));
        writeln!(f, "  loss     {}{name}{whole}", number(self.loss))?;
        writeln!(f, "  {:<8} {}", param.to_string(), self.place())?;
        if let [row] = rows[..] {
            writeln!(f, "  example  {row}{}", self.class(0))?;
        } else {
            let leading = self.explanation.row;
            let place = rows.iter().position(|&row| row == leading).unwrap_or(0);
            let class = self.class(place);
            writeln!(
                f,
                "  examples {}; {leading}{class} has the largest |∂L/∂{param}|",
                span(rows)
            )?;
        }
        writeln!(f, "\n{}", self.conversation)?;
        writeln!(f, "\nin three groups: {}", self.explanation)?;
        if let Some(thin) = &self.thin {
            writeln!(f, "\na single path: {thin}")?;
        }
        writeln!(f, "\n{}", self.paths)?;
        writeln!(f, "\n{}", self.responsibility)?;
        write!(f, "\n{}", self.depth)
    }
}

impl Report {
    /// What the parameter joins, with the names of inputs and outputs where it touches them.
    fn place(&self) -> String {
        let (i, j) = (self.param.layer(), self.param.neuron());
        let depth = self.depth.stages[0].layer;
        let to = match self.context.outputs.get(j - 1) {
            Some(name) if i == depth => format!("output {j} (`{name}`)"),
            _ => format!("neuron {j} of layer {i}"),
        };
        match self.param {
            Param::Bias { .. } => format!("the bias of {to}"),
            Param::Weight { input, .. } => match self.context.features.get(input - 1) {
                Some(name) if i == 1 => format!("from input {input} (`{name}`) to {to}"),
                _ if i == 1 => format!("from input {input} to {to}"),
                _ => format!("from {} to {to}", unit('h', i - 1, input)),
            },
        }
    }

    /// `, class `7``, where classes are known.
    fn class(&self, place: usize) -> String {
        let Some(class) = self.context.classes.get(place) else { return String::new() };
        let name = self.context.outputs.get(*class);
        format!(", class `{}`", name.cloned().unwrap_or_else(|| class.to_string()))
    }
}

/// `3 to 10 (8 of them)`, or a list.
fn span(rows: &[usize]) -> String {
    let (first, last) = (rows[0], rows[rows.len() - 1]);
    if rows.windows(2).all(|pair| pair[1] == pair[0] + 1) {
        return format!("{first} to {last}, {} in all", rows.len());
    }
    let shown: Vec<String> = rows.iter().take(8).map(ToString::to_string).collect();
    let more = if rows.len() > shown.len() { ", …" } else { "" };
    format!("{}{more}, {} in all", shown.join(", "), rows.len())
}
