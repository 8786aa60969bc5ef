//! The report as LaTeX, with underbraces in the lecture's grouping.

pub(crate) mod marks;

use std::fmt::Write;

use chainrule_autograd_manual::Param;

use crate::text::{selection, unit};
use crate::{Factor, Node, Path, Quantity, Report};
use marks::{escape, math, number};

/// Up to so many outputs a group is a vector in the formula, beyond it a table.
const IN_A_ROW: usize = 6;
/// Groups of factors in a line.
const GROUPS: usize = 4;
/// Lines of a table.
const LINES: usize = 12;

impl Report {
    /// The report as a fragment for a document that loads `amsmath`: the three groups, the
    /// strongest paths factor by factor, and for a thin network the chain rule expanded and
    /// compressed, each with its numbers filled in.
    ///
    /// Names of models, classes and features are escaped; characters that a plain pdfLaTeX does not
    /// know are written as `[U+4E2D]`.
    pub fn latex(&self) -> String {
        let mut out = String::new();
        // Writing to a string cannot fail.
        let _ = self.write(&mut out);
        out
    }

    /// The report as a whole document for pdfLaTeX.
    pub fn latex_document(&self) -> String {
        format!(
            "\\documentclass{{article}}\n\\usepackage[T1]{{fontenc}}\n\
             \\IfFileExists{{lmodern.sty}}{{\\usepackage{{lmodern}}}}{{}}\n\\usepackage[utf8]{{inputenc}}\n\
             \\usepackage{{amsmath}}\n\\usepackage[margin=2cm]{{geometry}}\n\
             \\setlength{{\\parindent}}{{0pt}}\n\\setlength{{\\parskip}}{{0.6em}}\n\
             \\allowdisplaybreaks\n\\begin{{document}}\n{}\\end{{document}}\n",
            self.latex()
        )
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        let param = math(&self.param.to_string());
        let derivative = format!("\\frac{{\\partial L}}{{\\partial {param}}}");
        let many = self.rows.len() > 1;
        writeln!(
            out,
            "\\section*{{Why is $\\partial L/\\partial {param} = {}$?}}",
            number(self.value)
        )?;
        self.about(out)?;
        if many {
            self.examples(out, &derivative)?;
        }
        writeln!(out, "\\subsection*{{Three talks}}")?;
        if many {
            writeln!(out, "On example {}, the one that moves it most:", self.explanation.row)?;
        }
        self.groups(out, &derivative)?;
        match (&self.thin, self.paths.strongest.first()) {
            (Some(thin), Some(path)) if !many => {
                writeln!(out, "\\subsection*{{A single path}}\nExpanded:")?;
                factors(out, &derivative, path, self.param)?;
                writeln!(out, "Compressed:")?;
                let [above, below] = &thin.compressed;
                let names = format!("{} \\cdot {}", math(&above.name), math(&below.name));
                writeln!(
                    out,
                    "\\[\n{derivative} = {names} = {} \\cdot {} = {}\n\\]",
                    in_product(above.value),
                    in_product(below.value),
                    number(thin.value)
                )
            }
            _ => self.paths(out, &derivative),
        }
    }

    /// The model, the data, the loss and the examples.
    fn about(&self, out: &mut String) -> std::fmt::Result {
        let context = &self.context;
        let mut lines = Vec::new();
        for (what, text) in [("Model", &context.model), ("Data", &context.data)] {
            lines.extend(text.as_ref().map(|text| format!("{what}: {}", escape(text))));
        }
        let name =
            context.loss.as_ref().map_or(String::new(), |name| format!(" ({})", escape(name)));
        lines.push(format!("Loss: $L = {}${name}", number(self.loss)));
        if let ([row], classes) = (&self.rows[..], &context.classes[..]) {
            let class = classes.first().map_or(String::new(), |&class| {
                let name = context.outputs.get(class).cloned().unwrap_or_else(|| class.to_string());
                format!(", class {}, $\\ell = {}$", escape(&name), class + 1)
            });
            lines.push(format!("Example: {row} (counted from 0){class}"));
        }
        writeln!(out, "{}\n", lines.join("\\\\\n"))
    }

    /// Every example's derivative, and what they give together.
    fn examples(&self, out: &mut String, derivative: &str) -> std::fmt::Result {
        let examples = &self.responsibility.examples;
        let mut order: Vec<usize> = (0..examples.len()).collect();
        let size = |i: usize| examples[i].value.abs();
        order.sort_by(|&i, &j| size(j).total_cmp(&size(i)));
        writeln!(out, "\\subsection*{{The examples}}")?;
        writeln!(
            out,
            "\\[\n{derivative} = {}, \\text{{ the {} of the derivatives of {} examples}}\n\\]",
            number(self.value),
            self.reduction,
            examples.len()
        )?;
        writeln!(
            out,
            "\\begin{{tabular}}{{rr}}\nexample & $\\partial L/\\partial {}$ \\\\\n\\hline",
            math(&self.param.to_string())
        )?;
        for &i in order.iter().take(LINES) {
            writeln!(out, "{} & ${}$ \\\\", examples[i].row, number(examples[i].value))?;
        }
        writeln!(out, "\\end{{tabular}}")?;
        match order.len().saturating_sub(LINES) {
            0 => writeln!(out),
            more => writeln!(out, "\\\\ and {more} with smaller derivatives.\n"),
        }
    }

    /// `(∇_{a_L} L)ᵀ · ∂a_L/∂a_ij · h_{i−1,k}`, by names and with numbers.
    fn groups(&self, out: &mut String, derivative: &str) -> std::fmt::Result {
        let explanation = &self.explanation;
        let (output, hidden) = (&explanation.output, &explanation.hidden);
        let (input, weights) = match self.param {
            Param::Weight { layer, input, .. } => {
                (math(&unit('h', layer - 1, input)), "talk to the weights")
            }
            Param::Bias { .. } => ("1".to_owned(), "talk to the bias"),
        };
        let hidden_talk = match hidden.values.len() {
            _ if explanation.param.layer() == self.depth.stages[0].layer => {
                "the output layer's own"
            }
            _ => "talk to the hidden layers",
        };
        let a_l = output.name.trim_start_matches("∇_{").trim_end_matches("} L");
        let first = match &explanation.unfused {
            None => format!("({})^{{\\top}}", math(&output.name)),
            Some(_) => {
                let a = math(a_l);
                format!(
                    "\\left(\\frac{{\\partial L}}{{\\partial \\hat{{y}}}}\\right)^{{\\!\\top}} \\frac{{\\partial \\hat{{y}}}}{{\\partial {a}}}"
                )
            }
        };
        writeln!(out, "\\begin{{align*}}")?;
        writeln!(
            out,
            "{derivative} &= {} \\cdot {} \\cdot {}",
            brace(&first, "talk to the output layer"),
            brace(&math(&hidden.name), hidden_talk),
            brace(&input, weights)
        )?;
        let value = explanation.weights.value;
        if output.values.len() <= IN_A_ROW {
            writeln!(
                out,
                "\\\\ &= {} {} \\cdot {}",
                vector(&output.values, " & "),
                vector(&hidden.values, " \\\\ "),
                in_product(value)
            )?;
        }
        writeln!(out, "\\\\ &= {}\n\\end{{align*}}", number(explanation.value))?;
        if let Some(unfused) = &explanation.unfused {
            let loss = &unfused.grad_prediction.values;
            if loss.len() <= IN_A_ROW {
                writeln!(
                    out,
                    "with\n\\[\n\\hat{{y}} = {}, \\quad \\frac{{\\partial L}}{{\\partial \\hat{{y}}}} = {}.\n\\]",
                    vector(&unfused.prediction, " \\\\ "),
                    vector(loss, " \\\\ ")
                )?;
            }
        }
        if output.values.len() > IN_A_ROW {
            self.output_table(out, &input)?;
        }
        Ok(())
    }

    /// The groups of many outputs, by contribution.
    fn output_table(&self, out: &mut String, input: &str) -> std::fmt::Result {
        let explanation = &self.explanation;
        let products: Vec<f64> = explanation.contributions().collect();
        let order = selection(&products).unwrap_or_else(|| (0..products.len()).collect());
        writeln!(
            out,
            "\\begin{{tabular}}{{lrrrr}}\noutput & ${}$ & ${}$ & ${input}$ & product \\\\\n\\hline",
            math(&explanation.output.name),
            math(&explanation.hidden.name).replace("\\frac", "\\tfrac")
        )?;
        for &o in &order {
            let name = self.context.outputs.get(o).cloned().unwrap_or_else(|| (o + 1).to_string());
            writeln!(
                out,
                "{} & ${}$ & ${}$ & ${}$ & ${}$ \\\\",
                escape(&name),
                number(explanation.output.values[o]),
                number(explanation.hidden.values[o]),
                number(explanation.weights.value),
                number(products[o])
            )?;
        }
        let rest = explanation.value - order.iter().map(|&o| products[o]).sum::<f64>();
        if order.len() < products.len() {
            writeln!(
                out,
                "{} others & & & & ${}$ \\\\",
                products.len() - order.len(),
                number(rest)
            )?;
        }
        writeln!(out, "\\hline\nsum & & & & ${}$\n\\end{{tabular}}\n", number(explanation.value))
    }

    /// The ranked paths, and the strongest factor by factor.
    fn paths(&self, out: &mut String, derivative: &str) -> std::fmt::Result {
        let paths = &self.paths;
        let Some(strongest) = paths.strongest.first() else { return Ok(()) };
        if paths.magnitude == 0.0 {
            return writeln!(out, "All {} paths from the loss to it carry 0.", paths.count);
        }
        writeln!(out, "\\subsection*{{The strongest of {} paths}}", paths.count)?;
        let many = self.rows.len() > 1;
        let (column, example) = if many { ("r", "example & ") } else { ("", "") };
        writeln!(
            out,
            "\\begin{{tabular}}{{{column}lrr}}\n{example}path & value & share \\\\\n\\hline"
        )?;
        for path in paths.strongest.iter().take(LINES) {
            if many {
                write!(out, "{} & ", path.row)?;
            }
            let stops: Vec<String> =
                path.nodes.iter().map(|node| math(&node.to_string())).collect();
            let (value, share) = (number(path.value), number(100.0 * path.share.abs()));
            let stops = shortened(&stops).join(" \\leftarrow ");
            let param = math(&self.param.to_string());
            writeln!(
                out,
                "$L \\leftarrow {stops} \\leftarrow {param}$ & ${value}$ & ${share}\\,\\%$ \\\\"
            )?;
        }
        writeln!(out, "\\end{{tabular}}\n")?;
        if let Some(index) = paths.cancellation() {
            writeln!(
                out,
                "The {} shown cover ${}\\,\\%$ of $\\sum|\\text{{paths}}|$; the cancellation index is\n\\[\n\
                 \\frac{{\\left|\\sum \\text{{paths}}\\right|}}{{\\sum \\left|\\text{{paths}}\\right|}} = \
                 \\frac{{{}}}{{{}}} = {}.\n\\]",
                paths.strongest.len().min(LINES),
                number(100.0 * shown(paths)),
                number(paths.sum.abs()),
                number(paths.magnitude),
                number(index)
            )?;
        }
        writeln!(out, "The strongest, factor by factor:")?;
        let derivative = format!("\\text{{a share of }} {derivative}");
        factors(out, &derivative, strongest, self.param)
    }
}

/// What the paths that are listed cover.
fn shown(paths: &crate::Paths) -> f64 {
    match paths.strongest.len() > LINES {
        true => paths.strongest.iter().take(LINES).map(|path| path.share.abs()).sum(),
        false => paths.covered,
    }
}

/// The product of a path's factors, a group a layer.
fn factors(out: &mut String, derivative: &str, path: &Path, param: Param) -> std::fmt::Result {
    let groups = grouped(path, param);
    writeln!(out, "\\begin{{align*}}\n{derivative} &= ")?;
    for (i, (label, factors)) in groups.iter().enumerate() {
        let names: Vec<String> = factors.iter().map(|factor| math(&factor.name)).collect();
        separator(out, i)?;
        writeln!(out, "{}", brace(&names.join(" \\cdot "), label))?;
    }
    writeln!(out, "\\\\ &= ")?;
    let mut many = 0;
    for (i, (_, factors)) in groups.iter().enumerate() {
        separator(out, i)?;
        let values: Vec<String> = factors.iter().map(|f| in_product(f.value)).collect();
        many += values.len();
        writeln!(out, "{}", values.join(" \\cdot "))?;
    }
    // One number alone is the product.
    if many > 1 {
        writeln!(out, "\\\\ &= {}", number(path.value))?;
    }
    writeln!(out, "\\end{{align*}}")
}

/// Between the groups of a product: a dot, and after some of them a new line.
fn separator(out: &mut String, i: usize) -> std::fmt::Result {
    match i {
        0 => Ok(()),
        i if i % GROUPS == 0 => writeln!(out, "\\\\ &\\quad \\cdot "),
        _ => writeln!(out, "\\cdot "),
    }
}

/// The factors by who is asked: the output layer, each hidden layer, the weight.
fn grouped(path: &Path, param: Param) -> Vec<(String, Vec<&Factor>)> {
    let mut groups: Vec<(String, Vec<&Factor>)> = Vec::new();
    // A factor leads down to its node, the last one to the parameter. The output layer speaks until
    // its pre-activation.
    let is_a = |node: &Node| node.quantity == Quantity::PreActivation;
    let output = path.nodes.iter().position(is_a).unwrap_or(0);
    for (t, (factor, node)) in path.factors.iter().zip(&path.nodes).enumerate() {
        let label = match t <= output {
            true => "output layer".to_owned(),
            false => format!("hidden layer {}", node.layer),
        };
        match groups.last_mut() {
            Some((last, factors)) if *last == label => factors.push(factor),
            _ => groups.push((label, vec![factor])),
        }
    }
    let own = if matches!(param, Param::Bias { .. }) { "bias" } else { "weight" };
    groups.extend(path.factors.last().map(|factor| (own.to_owned(), vec![factor])));
    groups
}

/// `content` over a brace with its label.
fn brace(content: &str, label: &str) -> String {
    format!("\\underbrace{{{content}}}_{{\\text{{{}}}}}", escape(label))
}

/// A vector in brackets, its entries beside or below each other.
fn vector(values: &[f64], between: &str) -> String {
    let entries: Vec<String> = values.iter().copied().map(number).collect();
    format!("\\begin{{pmatrix}} {} \\end{{pmatrix}}", entries.join(between))
}

/// A number as a factor: in brackets where its sign would run into the dot before it.
fn in_product(value: f64) -> String {
    match value < 0.0 {
        true => format!("({})", number(value)),
        false => number(value),
    }
}

/// The stops of a path, the middle of a long one left out.
fn shortened(stops: &[String]) -> Vec<String> {
    const WHOLE: usize = 7;
    if stops.len() <= WHOLE {
        return stops.to_vec();
    }
    let dots = "\\cdots".to_owned();
    let (first, last) = (&stops[..3], &stops[stops.len() - 3..]);
    [first, &[dots], last].concat()
}
