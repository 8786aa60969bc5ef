//! What `train` tells at its end: gradient check, two gradients explained, files, next steps,
//! the score on the test examples.

use std::path::Path;

use chainrule::Model;
use chainrule::autograd::{Param, Workspace};
use chainrule::data::Dataset;
use chainrule::explain::{Explainer, Explanation, largest_weight};
use chainrule::metrics::{Metric, Scores};
use chainrule::train::{History, StopReason, targets};
use serde_json::json;

use crate::args::Train;
use crate::check;
use crate::error::Result;
use crate::list::{count, plural};
use crate::output::Output;
use crate::page;
use crate::source::{DIGITS, Source, widen};

/// How many training examples the network's gradient is checked with.
const CHECKED_EXAMPLES: usize = 8;
/// How many parameters, if the network is not too large.
const CHECKED_ENTRIES: usize = 2000;
/// Multiplications that the check may take, some seconds; each entry takes two forward passes.
const CHECK_WORK: usize = 30_000_000_000;

/// A trained model, and how it went.
pub(crate) struct Trained {
    pub(crate) model: Model<f32>,
    pub(crate) history: History,
    pub(crate) test: Scores,
    pub(crate) seconds: f64,
}

impl Trained {
    /// The epoch whose weights the model has; `None` for those of the last step.
    fn best_epoch(&self) -> Option<usize> {
        self.model.info().training.as_ref()?.best_epoch
    }
}

pub(crate) fn show(
    args: &Train,
    source: &Source,
    trained: &Trained,
    output: &mut Output,
) -> Result {
    output.progress("");
    ended(source, trained, output);
    saved(&args.output, trained, output);
    gradient(source, trained, output)?;
    if let Err(error) = explanations(source, trained, output) {
        output.titled("why", format_args!("not possible: {}", error.line()));
    }
    let page = page::write(args, source, trained, output);
    if let Err(error) = &page {
        output.titled("page", format_args!("not possible: {}", error.line()));
    }
    next(args, trained, output);
    let Trained { history, test, seconds, .. } = trained;
    let (name, value) = match test.metric {
        Metric::Accuracy(share) => ("test_accuracy", share),
        Metric::RSquared(value) => ("test_r_squared", value),
    };
    output.record(
        "result",
        json!({
            name: value,
            "test_loss": test.loss,
            "test_examples": source.test.len(),
            "epochs": history.epochs.len(),
            "best_epoch": trained.best_epoch(),
            "stop": history.stop,
            "seconds": seconds,
        }),
    );
    output.line(format_args!("test {}", test.metric));
    // A page that nobody asked for may fail.
    if args.html.is_some() { page } else { Ok(()) }
}

/// How training ended.
fn ended(source: &Source, trained: &Trained, output: &mut Output) {
    let epochs = plural(trained.history.epochs.len(), "epoch");
    let loss = if source.validation.is_some() { "validation" } else { "training" };
    let kept = if trained.best_epoch().is_some() { "" } else { ", the last weights are kept" };
    let best = match trained.history.best() {
        Some(best) if trained.history.stop != StopReason::Cancelled => {
            format!("; best by the {loss} loss: epoch {}{kept}", best.epoch)
        }
        _ => String::new(),
    };
    let how = match trained.history.stop {
        StopReason::Finished => "",
        StopReason::EarlyStopping => ", ended early: no better loss",
        StopReason::Cancelled => ", interrupted",
    };
    output.titled("trained", format_args!("{epochs} in {:.2} s{how}{best}", trained.seconds));
}

/// The gradient check of the network just trained.
fn gradient(source: &Source, trained: &Trained, output: &mut Output) -> Result {
    let model = check::widen_model(&trained.model)?;
    let rows: Vec<usize> = (0..source.train.len().min(CHECKED_EXAMPLES)).collect();
    let examples = widen(&source.train.select(&rows))?;
    let pass = model.network().parameter_count().saturating_mul(2 * rows.len()).max(1);
    let entries = (CHECK_WORK / pass).clamp(20, CHECKED_ENTRIES);
    match check::of_model(&model, &examples, entries, 0) {
        Ok(checked) => checked.show(output, "training "),
        // Weights of a network that almost diverged may be beyond what a difference can resolve.
        Err(error) => {
            output.titled("gradient", format_args!("check not possible: {}", error.line()));
        }
    }
    Ok(())
}

/// `W_112`, or `W_111` where there is one input.
fn first_weight(trained: &Trained) -> Param {
    Param::Weight { layer: 1, neuron: 1, input: trained.model.network().inputs().min(2) }
}

/// `∂L/∂W_112` and the largest `|∂L/∂W|` of the first layer, on the hardest training example.
fn explanations(source: &Source, trained: &Trained, output: &mut Output) -> Result {
    let first = first_weight(trained);
    let (row, moves) = hardest(&trained.model, &source.train, first)?;
    let model = check::widen_model(&trained.model)?;
    let example = model.prepare(&widen(&source.train.select(&[row]))?)?;
    let network = model.network();
    let batch = example.as_batch();
    let (loss, targets) = (model.loss()?, targets(batch.target));
    let mut workspace = Workspace::new(network, 1)?;
    let backward = network
        .forward(batch.features, &mut workspace)?
        .output_units(&*loss, targets)?
        .hidden_units();
    let mut gradient = vec![0.0; network.parameter_count()];
    backward.weights_and_biases(&mut gradient)?;

    let largest = largest_weight(&gradient, network, 1).filter(|&param| param != first);
    let words = of_example(source, row);
    let which = if moves { format!(" of those that move {first}") } else { String::new() };
    output.titled("why", format_args!("on {words},\nthe one with the largest loss{which}"));
    // Called by its place among the training examples, not in the batch of one.
    let explainer = Explainer::new(&backward).labelled(&[row])?;
    for (param, note) in [(Some(first), ""), (largest, "the largest |∂L/∂W| of layer 1")] {
        let Some(param) = param else { continue };
        let explanation = explainer.explain(param, 0)?;
        let mut text = explanation.to_string();
        if !note.is_empty() {
            text = text.replacen('\n', &format!(", {note}\n"), 1);
        }
        if let Some(reason) = why_zero(&explanation) {
            text += &format!("\n  {reason}");
        }
        output.titled("", text);
        output.record("explanation", &explanation);
    }
    Ok(())
}

/// The training example with the largest loss among those whose `∂L/∂W` of `param`, a weight of
/// the first layer, is not 0, and true; among all, and false, if it is 0 everywhere.
fn hardest(model: &Model<f32>, data: &Dataset<f32>, param: Param) -> Result<(usize, bool)> {
    const BATCH: usize = 256;
    let loss = model.loss()?;
    let data = model.prepare(data)?;
    let mut workspace = Workspace::new(model.network(), data.len().min(BATCH))?;
    // (whether it moves the weight, its loss), in the order of preference.
    let (mut hardest, mut row) = ((false, f32::NEG_INFINITY), 0);
    for start in (0..data.len()).step_by(BATCH) {
        let batch = data.batch(start..(start + BATCH).min(data.len()));
        let (all, Param::Weight { neuron, input, .. }) = (targets(batch.target), param) else {
            return Ok((0, false));
        };
        let forward = model.network().forward(batch.features, &mut workspace)?;
        let backward = forward.output_units(&*loss, all)?.hidden_units();
        let outputs = backward.forward().output();
        for i in 0..batch.len() {
            let target = targets(data.batch(start + i..start + i + 1).target);
            // An example that the loss ignores has none.
            let Ok(value) = loss.value(outputs.rows_range(i..i + 1), target) else { continue };
            let gradient = backward.grad_a(1).row(i)[neuron - 1] * batch.features.row(i)[input - 1];
            if (gradient != 0.0, value) > hardest {
                (hardest, row) = ((gradient != 0.0, value), start + i);
            }
        }
    }
    Ok((row, hardest.0))
}

fn of_example(source: &Source, row: usize) -> String {
    let class = match (source.train.labels(), source.train.class_names()) {
        (Some(labels), Some(names)) => format!(", class `{}`", names[labels[row]]),
        _ => String::new(),
    };
    format!("training example {} (counted from 0{class})", count(row))
}

/// Why a gradient is 0, in words.
fn why_zero(explanation: &Explanation) -> Option<String> {
    if explanation.value != 0.0 {
        return None;
    }
    let zero = |values: &[f64]| values.iter().all(|&value| value == 0.0);
    let (layer, neuron) = (explanation.param.layer(), explanation.param.neuron());
    Some(if explanation.weights.value == 0.0 {
        "it is 0 since the input is 0 here (scaled; a column that never changes is always 0)"
            .to_owned()
    } else if zero(&explanation.hidden.values) {
        format!("it is 0 since nothing passes from neuron {neuron} of layer {layer} to the output")
            + " here: it, or all above it, is off (g' = 0)"
    } else {
        "it is 0 since the outputs ask for no change, or their wishes cancel".to_owned()
    })
}

fn saved(path: &Path, trained: &Trained, output: &mut Output) {
    let best = trained.best_epoch();
    let interrupted = trained.history.stop == StopReason::Cancelled;
    let path_text = path.display();
    let when = if trained.history.epochs.is_empty() { " in the first epoch" } else { "" };
    match (interrupted, best) {
        (false, _) => output.titled("saved", format_args!("to {path_text}")),
        (true, Some(epoch)) => output.titled(
            "saved",
            format_args!("interrupted: saved the best weights, of epoch {epoch}, to {path_text}"),
        ),
        (true, None) => output.titled(
            "saved",
            format_args!("interrupted{when}: saved the last weights to {path_text}"),
        ),
    }
    let bytes = std::fs::metadata(path).map(|file| file.len()).ok();
    output.record(
        "saved",
        json!({
            "path": path_text.to_string(),
            "bytes": bytes,
            "epoch": best,
            "interrupted": interrupted,
        }),
    );
}

/// What to try next, as it can be typed.
fn next(args: &Train, trained: &Trained, output: &mut Output) {
    // Cargo tells the programs that it runs where their package is.
    let program = match std::env::var_os("CARGO_MANIFEST_DIR") {
        Some(_) => "cargo run --release --",
        None => "chainrule",
    };
    let model = quoted(&args.output);
    let data =
        args.data.data.as_deref().map_or(String::new(), |path| format!(" --data {}", quoted(path)));
    let bundled = trained.model.info().training.as_ref().is_some_and(|t| t.data == DIGITS);
    let what = if bundled { "confusion matrix of the test examples" } else { "scores in detail" };
    let commands = [
        (format!("explain {model}{data}"), "why a gradient is what it is, path by path"),
        (format!("evaluate {model}{data}"), what),
        (format!("predict {model}{data}"), "every row's answer as CSV"),
        (format!("check {model}{data}"), "the gradient check again"),
        (format!("info {model}"), "layers, tensors, how it was trained"),
    ];
    let width = commands.iter().map(|(command, _)| command.chars().count()).max().unwrap_or(0);
    let lines: Vec<String> = commands
        .iter()
        .map(|(command, what)| format!("{program} {command:<width$}   {what}"))
        .collect();
    output.titled("next", lines.join("\n"));
    output.line("");
}

/// A path that a shell takes as one word.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_alphanumeric() || "-_./+:,@%=~\\".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}
