//! The drawing for Graphviz.

use std::fmt::Write;

use super::{Picture, PictureNode};
use crate::text::{number, percent};

impl Picture {
    /// The drawing in Graphviz's language: `dot -Tpdf`. Edges are as wide as their part is large,
    /// blue where it is positive and orange where it is negative; the chosen parameter and the
    /// strongest paths are drawn in full, the others pale.
    pub fn dot(&self) -> String {
        let largest = self.largest();
        let mut text = String::from("digraph explain {\n  rankdir=LR;\n");
        let title = quoted(&format!("{}\n{}", self.title, self.subtitle));
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  label={title};\n  labelloc=t;");
        text += "  node [shape=circle, fixedsize=true, width=0.9, fontsize=10];\n";
        for (l, layer) in self.layers.iter().enumerate() {
            let name = quoted(&format!("{}: {}", layer.name, layer.kind));
            let _ = writeln!(text, "  subgraph cluster_{l} {{\n    label={name};\n    color=gray;");
            for (n, node) in layer.nodes.iter().enumerate() {
                let shape = if node.units > 1 { ", shape=box, width=1.2" } else { "" };
                let pen = if node.chosen { ", penwidth=3" } else { "" };
                let label = quoted(&label(node));
                let _ = writeln!(text, "    n{l}_{n} [label={label}{shape}{pen}];");
            }
            text += "  }\n";
        }
        let loss = quoted(&format!("L\n{}", number(self.loss)));
        let _ = writeln!(text, "  n{}_0 [label={loss}, shape=box];", self.layers.len());
        for edge in &self.edges {
            let below = edge.layer - 1;
            let _ =
                write!(text, "  n{below}_{} -> n{}_{} [dir=none", edge.from, edge.layer, edge.to);
            if edge.part == 0.0 {
                text += ", color=\"#cccccc\"";
            } else {
                let color = if edge.part > 0.0 { "#1f6fc4" } else { "#d4541b" };
                let alpha = if edge.rank.is_some() { "" } else { "80" };
                let width = 0.5 + 7.0 * edge.part.abs() / largest;
                let tip = quoted(&number(edge.part));
                let _ = write!(
                    text,
                    ", color=\"{color}{alpha}\", penwidth={width:.2}, edgetooltip={tip}"
                );
            }
            text += "];\n";
        }
        text + "}\n"
    }

    /// The largest `|part|` of an edge, or 1 if all are 0.
    pub(super) fn largest(&self) -> f64 {
        let largest = self.edges.iter().fold(0.0, |most: f64, edge| most.max(edge.part.abs()));
        if largest > 0.0 { largest } else { 1.0 }
    }
}

fn label(node: &PictureNode) -> String {
    let called = node.called.as_ref().map_or(String::new(), |name| format!("\n{name}"));
    match node.activation {
        Some(activation) => format!("{}\n{}{called}", node.name, number(activation)),
        None => format!("{}\n{}", node.name, percent(node.share).replace('+', "")),
    }
}

/// A quoted string of the language; a line break is `\n`, other control characters are left out.
fn quoted(text: &str) -> String {
    let plain: String = text.chars().filter(|c| *c == '\n' || !c.is_control()).collect();
    let escaped = plain.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("\"{escaped}\"")
}
