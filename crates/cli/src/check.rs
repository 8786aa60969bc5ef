//! `chainrule check`, and the check itself.

use std::process::ExitCode;

use chainrule::autograd::{CheckOptions, NetworkReport, check_gradient};
use chainrule::data::Dataset;
use chainrule::gradcheck::Options;
use chainrule::layers::Activation;
use chainrule::loss::{OutputFunction, Reduction, Targets, parse};
use chainrule::rand::{RngExt, SeedableRng, rngs::Xoshiro256PlusPlus};
use chainrule::tensor::Matrix;
use chainrule::train::targets;
use chainrule::{Config, Model, NetworkBuilder};
use serde_json::json;

use crate::args::Check;
use crate::error::{CliError, FAILURE, Result};
use crate::list::{Widths, count, plural};
use crate::output::{Output, verdict_style};
use crate::source;

/// A finished check.
pub(crate) struct Checked {
    report: NetworkReport,
    examples: usize,
    seed: u64,
}

pub(crate) fn run(args: &Check, output: &mut Output) -> Result<ExitCode> {
    for (name, value) in [("--examples", args.examples), ("--entries", args.entries)] {
        if value == 0 {
            return Err(CliError::Usage(format!("{name} is 0; it must be at least 1")));
        }
    }
    let checked = match (&args.model, &args.sizes) {
        (Some(path), _) => {
            let model = Model::<f64>::load(path)?;
            let (data, words) = source::labelled(&model, args.data.as_deref(), false)?;
            let rows: Vec<usize> = (0..data.len().min(args.examples)).collect();
            output.titled("model", path.display());
            output.titled("data", format_args!("{words}; the first {}", count(rows.len())));
            of_model(&model, &data.select(&rows), args.entries, args.seed)?
        }
        (None, Some(sizes)) => fresh(args, sizes, output)?,
        (None, None) => return Err(CliError::usage("name a model, or widths with --sizes")),
    };
    checked.show(output, "");
    let passed = checked.report.passed();
    let style = verdict_style(passed);
    let verdict = if passed { "PASS" } else { "FAIL" };
    output.line(format_args!("{style}{verdict}{style:#}"));
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::from(FAILURE) })
}

/// Checks the gradient of a model's loss on raw examples.
pub(crate) fn of_model(
    model: &Model<f64>,
    examples: &Dataset<f64>,
    entries: usize,
    seed: u64,
) -> Result<Checked> {
    let prepared = model.prepare(examples)?;
    let batch = prepared.as_batch();
    let (loss, targets) = (model.loss()?, targets(batch.target));
    let options = options(entries, seed);
    let report = check_gradient(model.network(), batch.features, &*loss, targets, &options)?;
    Ok(Checked { report, examples: examples.len(), seed })
}

fn options(entries: usize, seed: u64) -> CheckOptions {
    let gradcheck = Options { max_entries: Some(entries), seed, ..Options::default() };
    CheckOptions { gradcheck, ..CheckOptions::default() }
}

/// The model in `f64`.
pub(crate) fn widen_model(model: &Model<f32>) -> Result<Model<f64>> {
    Ok(Model::from_parts(model.network().cast()?, model.info().clone())?)
}

/// Checks a fresh network on random examples.
fn fresh(args: &Check, Widths(sizes): &Widths, output: &mut Output) -> Result<Checked> {
    let (&[inputs, ref hidden @ .., outputs], true) = (&sizes[..], sizes.len() > 1) else {
        return Err(CliError::usage(
            "--sizes needs at least two widths, inputs and outputs, such as 4,3,2",
        ));
    };
    let name = args.loss.as_deref().unwrap_or("cross_entropy");
    let loss = parse::<f64>(name, None, Reduction::Mean)?;
    let activation = args.activation.unwrap_or(Config::default().network.activation);
    let mut builder = NetworkBuilder::<f64>::new(inputs).seed(args.seed);
    for &width in hidden {
        builder = builder.dense(width, activation);
    }
    builder = builder.dense(outputs, Activation::Identity);
    let on_probabilities = loss.name() == "probability_cross_entropy";
    if on_probabilities {
        builder = builder.softmax();
    }
    let network = builder.build()?;

    let mut rng = Xoshiro256PlusPlus::seed_from_u64(args.seed);
    let mut uniform = |low: f64, high: f64| rng.random_range(low..high);
    let mut x = Matrix::try_zeros(args.examples, inputs)?;
    x.as_mut_slice().iter_mut().for_each(|x| *x = uniform(-2.0, 2.0));
    let mut values = Matrix::try_zeros(args.examples, outputs)?;
    values.as_mut_slice().iter_mut().for_each(|y| *y = uniform(0.0, 1.0));
    let labels: Vec<usize> =
        (0..args.examples).map(|_| uniform(0.0, outputs as f64) as usize).collect();
    let classes = on_probabilities || loss.output_function() == OutputFunction::Softmax;
    let targets = if classes { Targets::Classes(&labels) } else { Targets::Values(values.view()) };

    let layers: Vec<String> = network.layers().iter().map(|layer| layer.name()).collect();
    output.titled("network", format_args!("{}; loss {}", layers.join("; "), loss.name()));
    output.titled("data", format_args!("{} at random", plural(args.examples, "example")));
    let options = options(args.entries, args.seed);
    let report = check_gradient(&network, x.view(), &*loss, targets, &options)?;
    Ok(Checked { report, examples: args.examples, seed: args.seed })
}

impl Checked {
    /// Tells the outcome; `which` examples were used.
    pub(crate) fn show(&self, output: &mut Output, which: &str) {
        let Self { report: NetworkReport { report, worst, .. }, examples, seed } = self;
        let passed = report.passed();
        let style = verdict_style(passed);
        let verdict = if passed { "passed" } else { "failed" };
        let relation = if report.difference <= report.bound { "≤" } else { ">" };
        let checked = report.checked + report.kinks;
        let mut text = format!(
            "check {style}{verdict}{style:#}: backpropagation against central differences, f64, \
             {}\n{} of {}: ‖ĝ−g‖ = {:.1e} {relation} {:.1e}, ‖g‖ = {:.1e}",
            plural(*examples, &format!("{which}example")),
            count(checked),
            plural(report.entries, "parameter"),
            report.difference,
            report.bound,
            report.analytic_norm,
        );
        if report.kinks > 0 {
            let too_many = if 100 * report.kinks > checked { ", more than 1 %" } else { "" };
            text += &format!(
                "\n{} left out: the difference crosses a kink{too_many}",
                plural(report.kinks, "parameter")
            );
        }
        if let (Some(entry), Some(param)) = (report.worst, worst) {
            text += &format!(
                "\nlargest difference at {param}: {:.6e} and {:.6e}",
                entry.analytic, entry.numeric
            );
        }
        output.titled("gradient", text);
        output.record(
            "gradient_check",
            json!({
                "passed": passed,
                "examples": examples,
                "seed": seed,
                "parameters": report.entries,
                "checked": report.checked,
                "kinks": report.kinks,
                "difference": report.difference,
                "bound": report.bound,
                "analytic_norm": report.analytic_norm,
                "numeric_norm": report.numeric_norm,
                "worst": report.worst.map(|entry| json!({
                    "param": worst.map(|param| param.to_string()),
                    "analytic": entry.analytic,
                    "numeric": entry.numeric,
                })),
            }),
        );
    }
}
