//! The drawing as SVG.

use std::fmt::Write;

use super::{Picture, PictureEdge, PictureNode};
use crate::text::{number, percent};

/// Between the columns' middles.
const COLUMN: f64 = 210.0;
/// Between the nodes' middles.
const ROW: f64 = 74.0;
const RADIUS: f64 = 27.0;
const MARGIN: f64 = 70.0;
/// Where the columns' heads stand; nodes begin below.
const HEAD: f64 = 112.0;
const FOOT: f64 = 64.0;

/// Plain colours and their dark counterparts: drawing programs do not know CSS variables.
const STYLE: &str = "\
svg{font-family:system-ui,'DejaVu Sans',sans-serif}\
.paper,.node{fill:#ffffff}text{fill:#1b1f24;text-anchor:middle}\
.title{font-size:24px;font-weight:600;text-anchor:start}\
.note{font-size:14px;text-anchor:start}.note,.kind,.called{fill:#5b6573}\
.head{font-size:17px;font-weight:600}.kind,.called{font-size:12px}\
.name{font-size:13px}.value{font-size:12px;font-weight:600}\
.edge,.mark,.halo{fill:none;stroke-linecap:round}\
.plus{stroke:#1f6fc4}.minus{stroke:#d4541b}.zero{stroke:#c2c9d2}\
.ring{fill-opacity:.14}.ring.plus{fill:#1f6fc4}.ring.minus{fill:#d4541b}.ring.zero{fill:none}\
.mark,.halo{stroke:#f7d154}\
@media(prefers-color-scheme:dark){.paper,.node{fill:#15191f}text{fill:#eef1f5}\
.note,.kind,.called{fill:#a3adba}.plus{stroke:#6cb2ff}.minus{stroke:#ff9a5c}.zero{stroke:#434c58}\
.ring.plus{fill:#6cb2ff}.ring.minus{fill:#ff9a5c}.mark,.halo{stroke:#8a6d12}}";

impl Picture {
    /// The drawing as SVG: one file without references to others, for light and dark.
    ///
    /// Edges are as wide as the part of the derivative that flows through them is large, blue where
    /// it is positive and orange where it is negative. The chosen parameter is named on its edge;
    /// the strongest paths are underlaid in yellow. Neurons hold their activations and are the
    /// fuller the larger their share of `Σ |paths|`.
    pub fn svg(&self) -> String {
        let columns = self.layers.len() + 1;
        let rows = self.layers.iter().map(|layer| layer.nodes.len()).max().unwrap_or(1).max(2);
        let width = (2.0 * MARGIN + (columns - 1) as f64 * COLUMN).max(860.0);
        let height = HEAD + 40.0 + rows as f64 * ROW + FOOT;
        let mut text = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
             width=\"{width}\" height=\"{height}\" role=\"img\">\n<title>{}</title>\n\
             <style>{STYLE}</style>\n<rect class=\"paper\" width=\"{width}\" height=\"{height}\"/>\n",
            escaped(&self.title)
        );
        let canvas = Canvas { picture: self, rows, width };
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "<text class=\"title\" x=\"24\" y=\"38\">{}</text>\n\
             <text class=\"note\" x=\"24\" y=\"62\">{}</text>",
            subscripted(&self.title.replace(" -", " −")),
            escaped(&self.subtitle)
        );
        canvas.marks(&mut text);
        canvas.edges(&mut text);
        for (l, layer) in self.layers.iter().enumerate() {
            let x = canvas.x(l);
            let _ = writeln!(
                text,
                "<text class=\"head\" x=\"{x}\" y=\"{HEAD}\">{}</text>\n\
                 <text class=\"kind\" x=\"{x}\" y=\"{}\">{}</text>",
                subscripted(&layer.name),
                HEAD + 18.0,
                escaped(&layer.kind)
            );
            for (n, node) in layer.nodes.iter().enumerate() {
                canvas.node(&mut text, (x, canvas.y(l, n)), node, l + 1 == self.layers.len());
            }
        }
        canvas.loss(&mut text);
        canvas.chosen(&mut text);
        canvas.legend(&mut text, height);
        text + "</svg>\n"
    }
}

struct Canvas<'a> {
    picture: &'a Picture,
    rows: usize,
    width: f64,
}

impl Canvas<'_> {
    fn x(&self, column: usize) -> f64 {
        let used = self.picture.layers.len() as f64 * COLUMN;
        (self.width - used) / 2.0 + column as f64 * COLUMN
    }

    fn y(&self, column: usize, n: usize) -> f64 {
        let count = self.picture.layers.get(column).map_or(1, |layer| layer.nodes.len());
        HEAD + 40.0 + ROW * ((self.rows - count) as f64 / 2.0 + n as f64 + 0.5)
    }

    /// A curve between the two nodes of an edge.
    fn curve(&self, edge: &PictureEdge) -> String {
        let (x1, y1) = (self.x(edge.layer - 1), self.y(edge.layer - 1, edge.from));
        let (x2, y2) = (self.x(edge.layer), self.y(edge.layer, edge.to));
        let bend = (x2 - x1) * 0.42;
        format!(
            "M{x1:.1} {y1:.1}C{:.1} {y1:.1} {:.1} {y2:.1} {x2:.1} {y2:.1}",
            x1 + bend,
            x2 - bend
        )
    }

    fn line_width(&self, edge: &PictureEdge) -> f64 {
        1.0 + 11.0 * edge.part.abs() / self.picture.largest()
    }

    /// The strongest paths, below everything.
    fn marks(&self, text: &mut String) {
        let marked = self.picture.edges.iter().filter(|edge| edge.rank.is_some());
        for edge in marked {
            let rank = edge.rank.unwrap_or(1) as f64;
            let width = self.line_width(edge) + 14.0 - 2.0 * rank;
            let opacity = 1.0 - 0.25 * (rank - 1.0);
            let _ = writeln!(
                text,
                "<path class=\"mark\" d=\"{}\" stroke-width=\"{width:.1}\" opacity=\"{opacity}\"/>",
                self.curve(edge)
            );
        }
    }

    fn edges(&self, text: &mut String) {
        // Thin ones first, so that they do not cross the others.
        let mut edges: Vec<&PictureEdge> = self.picture.edges.iter().collect();
        edges.sort_by(|a, b| a.part.abs().total_cmp(&b.part.abs()));
        for edge in edges {
            let width = self.line_width(edge);
            let opacity = if edge.rank.is_some() { 1.0 } else { 0.55 };
            let tip = match edge.part == 0.0 {
                true => String::new(),
                false => format!("<title>{}</title>", number(edge.part)),
            };
            let _ = writeln!(
                text,
                "<path class=\"edge {}\" d=\"{}\" stroke-width=\"{width:.1}\" \
                 opacity=\"{opacity}\">{tip}</path>",
                sign(edge.part),
                self.curve(edge)
            );
        }
    }

    fn node(&self, text: &mut String, (x, y): (f64, f64), node: &PictureNode, last: bool) {
        let share = percent(node.share).replace('+', "");
        let tip = format!("{}: part {}, {share} of Σ |paths|", node.name, number(node.part));
        let _ = write!(text, "<g><title>{}</title>", escaped(&tip));
        let ring = format!(
            "class=\"ring {}\" stroke-width=\"{:.1}\"",
            sign(node.part),
            1.5 + 4.0 * node.share.min(1.0)
        );
        if node.unit.is_none() && node.units > 0 {
            let (left, top) = (x - 48.0, y - 20.0);
            let place = format!("x=\"{left}\" y=\"{top}\" width=\"96\" height=\"40\" rx=\"9\"");
            let _ = write!(text, "<rect class=\"node\" {place}/><rect {ring} {place}/>");
            let second = if node.share > 0.0 { format!("{share} share") } else { String::new() };
            let y1 = if second.is_empty() { y + 4.0 } else { y - 3.0 };
            let _ = writeln!(
                text,
                "<text class=\"name\" x=\"{x}\" y=\"{y1}\">{}</text>\
                 <text class=\"value\" x=\"{x}\" y=\"{}\">{second}</text></g>",
                escaped(&node.name),
                y + 13.0
            );
            return;
        }
        if node.chosen {
            let _ = write!(
                text,
                "<circle class=\"halo\" cx=\"{x}\" cy=\"{y}\" r=\"{}\" stroke-width=\"6\"/>",
                RADIUS + 4.0
            );
        }
        let circle = format!("cx=\"{x}\" cy=\"{y}\" r=\"{RADIUS}\"");
        let _ = write!(text, "<circle class=\"node\" {circle}/><circle {ring} {circle}/>");
        let value = node.activation.filter(|_| node.units > 0).map(brief);
        let y1 = if value.is_some() { y - 4.0 } else { y + 5.0 };
        let _ = write!(
            text,
            "<text class=\"name\" x=\"{x}\" y=\"{y1}\">{}</text>\
             <text class=\"value\" x=\"{x}\" y=\"{}\">{}</text>",
            subscripted(&node.name),
            y + 13.0,
            value.unwrap_or_default()
        );
        // The names of the inputs stand beside the chosen one only: they may be many.
        if let Some(called) = node.called.as_ref().filter(|_| last || node.chosen) {
            let y = y + RADIUS + 15.0;
            let called = escaped(&shortened(called, 18));
            let _ = write!(text, "<text class=\"called\" x=\"{x}\" y=\"{y}\">{called}</text>");
        }
        text.push_str("</g>\n");
    }

    fn loss(&self, text: &mut String) {
        let column = self.picture.layers.len();
        let (x, y) = (self.x(column), self.y(column, 0));
        let (left, top) = (x - 34.0, y - 27.0);
        let place = format!("x=\"{left}\" y=\"{top}\" width=\"68\" height=\"54\" rx=\"10\"");
        let _ = writeln!(
            text,
            "<text class=\"head\" x=\"{x}\" y=\"{HEAD}\">loss</text>\n\
             <text class=\"kind\" x=\"{x}\" y=\"{}\">it asks first</text>\n\
             <rect class=\"node\" {place}/><rect class=\"ring zero\" {place} stroke-width=\"2\"/>\
             <text class=\"name\" x=\"{x}\" y=\"{}\">L</text>\
             <text class=\"value\" x=\"{x}\" y=\"{}\">{}</text>",
            HEAD + 18.0,
            y - 5.0,
            y + 14.0,
            brief(self.picture.loss)
        );
    }

    /// The name on the chosen edge.
    fn chosen(&self, text: &mut String) {
        for edge in self.picture.edges.iter().filter(|edge| edge.chosen) {
            let x = (self.x(edge.layer - 1) + self.x(edge.layer)) / 2.0;
            let y1 = self.y(edge.layer - 1, edge.from);
            let y2 = self.y(edge.layer, edge.to);
            let (y, name) = ((y1 + y2) / 2.0, self.picture.param.to_string());
            let half = 10.0 + 4.2 * name.chars().count() as f64;
            let (left, top) = (x - half, y - 14.0);
            let place = format!("x=\"{left}\" y=\"{top}\" width=\"{}\" height=\"28\"", 2.0 * half);
            let _ = writeln!(
                text,
                "<rect class=\"node\" {place} rx=\"8\"/>\
                 <rect class=\"ring {}\" {place} rx=\"8\" stroke-width=\"2\"/>\
                 <text class=\"head\" x=\"{x}\" y=\"{}\">{}</text>",
                sign(edge.part),
                y + 5.0,
                subscripted(&name)
            );
        }
    }

    fn legend(&self, text: &mut String, height: f64) {
        let y = height - 24.0;
        let entries = [
            ("edge plus", 5, "positive: descent makes the weight smaller"),
            ("edge minus", 5, "negative: larger"),
            ("mark", 12, self.marked_text()),
        ];
        let mut x = 24.0;
        for (class, width, words) in entries {
            let _ = writeln!(
                text,
                "<path class=\"{class}\" d=\"M{x} {}h30\" stroke-width=\"{width}\"/>\
                 <text class=\"note\" x=\"{}\" y=\"{y}\">{words}</text>",
                y - 5.0,
                x + 40.0
            );
            x += 68.0 + 7.6 * words.chars().count() as f64;
        }
    }

    fn marked_text(&self) -> &'static str {
        match self.picture.marked {
            1 => "the strongest path",
            2 => "the two strongest paths",
            _ => "the three strongest paths",
        }
    }
}

fn sign(part: f64) -> &'static str {
    match part {
        x if x > 0.0 => "plus",
        x if x < 0.0 => "minus",
        _ => "zero",
    }
}

/// Three digits, for a small circle.
fn brief(x: f64) -> String {
    let text = match x.abs() {
        0.0 => "0".to_owned(),
        a if (1e-2..10.0).contains(&a) => format!("{x:.2}"),
        a if (10.0..1e4).contains(&a) => format!("{x:.0}"),
        _ => format!("{x:.0e}"),
    };
    text.replace('-', "−")
}

fn shortened(text: &str, most: usize) -> String {
    match text.chars().count() > most {
        true => text.chars().take(most - 1).chain(['…']).collect(),
        false => text.to_owned(),
    }
}

/// Text as XML. Characters that XML does not allow are left out.
fn escaped(text: &str) -> String {
    let allowed =
        |c: &char| *c == '\t' || *c == '\n' || (*c >= ' ' && *c < '\u{FFFE}') || *c > '\u{FFFF}';
    let mut escaped = String::new();
    for c in text.chars().filter(allowed) {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// Text as XML with its indices lowered: `h_21`, `W_1,12,3`.
fn subscripted(text: &str) -> String {
    let mut parts = text.split('_');
    let mut lowered = escaped(parts.next().unwrap_or_default());
    for part in parts {
        let end = part.find(|c: char| !c.is_ascii_digit() && c != ',').unwrap_or(part.len());
        // A comma at the end belongs to the sentence.
        let end = part[..end].trim_end_matches(',').len();
        let (index, rest) = part.split_at(end);
        let _ = write!(
            lowered,
            "<tspan dy=\".3em\" font-size=\".72em\">{index}</tspan>\
             <tspan dy=\"-.216em\">\u{200b}{}</tspan>",
            escaped(rest)
        );
    }
    lowered
}
