//! The HTML page of a model: of `explain`, and what `train` writes at its end.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use chainrule::autograd::{Backward, Workspace};
use chainrule::data::{Dataset, Task};
use chainrule::explain::Page;
use chainrule::file::write_atomically;
use chainrule::loss::{Loss, Targets};
use chainrule::train::{StopReason, targets};
use chainrule::{Model, TargetInfo};
use serde_json::json;

use crate::args::Train;
use crate::check::widen_model;
use crate::error::{CliError, Result};
use crate::list::{count, plural};
use crate::output::Output;
use crate::results::Trained;
use crate::source::{DIGITS, Source, widen};
use crate::train::check_output;

/// Examples on the page that `train` writes.
const EXAMPLES: usize = 12;

/// The page of a backward pass of the model on `raw`, the examples before scaling, which are called
/// `what` and the place in their data.
pub(crate) fn of_backward(
    model: &Model<f64>,
    backward: &Backward<'_, '_, f64>,
    loss: &dyn Loss<f64>,
    targets: Targets<'_, f64>,
    raw: &Dataset<f64>,
    (what, rows): (&str, &[usize]),
) -> Result<Page> {
    let info = model.info();
    let outputs = match &info.target {
        TargetInfo::Classes { classes, .. } => classes,
        TargetInfo::Values { names, .. } => names,
    };
    let classes = raw.labels().zip(raw.class_names());
    let called = rows.iter().enumerate().map(|(i, &row)| match classes {
        Some((labels, names)) => format!("{what} {}: {}", count(row), names[labels[i]]),
        None => format!("{what} {}", count(row)),
    });
    let mut page = Page::new(backward, loss, targets)?
        .examples(&called.collect::<Vec<_>>())?
        .outputs(outputs)?
        .raw(raw.features())?;
    page = match picture(&info.features) {
        Some(side) => page.image(side, side)?,
        None => page.features(&info.features)?,
    };
    let widths: Vec<String> = [model.network().inputs()]
        .into_iter()
        .chain(model.network().layers().iter().map(|layer| layer.outputs()))
        .map(|width| width.to_string())
        .collect();
    let data = info.training.as_ref().map_or("examples", |training| &training.data);
    Ok(page.title(&format!("{data}: why each gradient is what it is ({})", widths.join("-"))))
}

/// The side of the square picture that the features are the pixels of: `p0`, `p1`, …, as the
/// bundled digits and IDX files have them.
fn picture(features: &[String]) -> Option<usize> {
    let side = features.len().isqrt();
    let pixels = features.iter().enumerate().all(|(i, name)| *name == format!("p{i}"));
    (side > 1 && side * side == features.len() && pixels).then_some(side)
}

/// Where `train` writes its page, if it writes one: where it is told to, or beside the model of the
/// bundled digits.
fn path(args: &Train, source: &Source) -> Option<PathBuf> {
    match &args.html {
        Some(path) => Some(path.clone()),
        None if args.no_html || source.train.name() != DIGITS => None,
        // A device or a pipe has no room beside it.
        None if args.output.exists() && !args.output.is_file() => None,
        None => Some(args.output.with_extension("html")).filter(|path| *path != args.output),
    }
}

/// Before training: whether a page that was asked for can be written.
pub(crate) fn check(args: &Train) -> Result {
    let Some(path) = &args.html else { return Ok(()) };
    if *path == args.output {
        let message = format!("--html {}: the model is saved there", path.display());
        return Err(CliError::Usage(message));
    }
    let inputs = [args.data.data.as_deref(), args.training.config.as_deref()];
    check_output(path, &inputs)
}

/// Writes the page of a model just trained, and names it. Whether it must succeed is the caller's
/// affair: the model is saved.
pub(crate) fn write(
    args: &Train,
    source: &Source,
    trained: &Trained,
    output: &mut Output,
) -> Result {
    let Some(path) = path(args, source) else { return Ok(()) };
    let name = path.display();
    if trained.history.stop == StopReason::Cancelled {
        return Ok(());
    }
    if args.html.is_none() && is_foreign(&path) {
        output.titled(
            "page",
            format_args!("not written: {name} is no page of chainrule; name one with --html FILE"),
        );
        return Ok(());
    }
    let rows = hardest(&trained.model, &source.train)?;
    let model = widen_model(&trained.model)?;
    let raw = widen(&source.train.select(&rows))?;
    let prepared = model.prepare(&raw)?;
    let batch = prepared.as_batch();
    let (loss, targets) = (model.loss()?, targets(batch.target));
    let mut workspace = Workspace::new(model.network(), rows.len())?;
    let forward = model.network().forward(batch.features, &mut workspace)?;
    let backward = forward.output_units(&*loss, targets)?.hidden_units();
    let called = ("training example", &rows[..]);
    let page = of_backward(&model, &backward, &*loss, targets, &raw, called)?.to_string();
    write_atomically(&path, page.as_bytes())?;
    let kilobytes = page.len().div_ceil(1000);
    output.titled(
        "page",
        format_args!(
            "{name}, {} kB: open it in a browser to step through the network\n\
             and the conversation backwards, on {} with large losses",
            count(kilobytes),
            plural(rows.len(), "training example")
        ),
    );
    output.record("page", json!({ "path": name.to_string(), "bytes": page.len(), "rows": rows }));
    Ok(())
}

/// Whether something stands there that a page of this program does not replace.
fn is_foreign(path: &Path) -> bool {
    let Ok(file) = File::open(path) else { return path.exists() };
    let mut head = Vec::new();
    let read = file.take(1000).read_to_end(&mut head);
    let mark = br#"<meta name="generator" content="chainrule "#;
    read.is_err() || !head.windows(mark.len()).any(|window| window == mark)
}

/// The example with the largest loss of each class, or of all; the largest first.
fn hardest(model: &Model<f32>, data: &Dataset<f32>) -> Result<Vec<usize>> {
    const BATCH: usize = 256;
    let loss = model.loss()?;
    let prepared = model.prepare(data)?;
    let mut workspace = Workspace::new(model.network(), prepared.len().min(BATCH))?;
    let mut losses = Vec::with_capacity(prepared.len());
    for start in (0..prepared.len()).step_by(BATCH) {
        let batch = prepared.batch(start..(start + BATCH).min(prepared.len()));
        let outputs = model.network().predict(batch.features, &mut workspace)?;
        for i in 0..batch.len() {
            let target = targets(prepared.batch(start + i..start + i + 1).target);
            // An example that the loss ignores has none.
            let value = loss.value(outputs.rows_range(i..i + 1), target);
            losses.push(value.unwrap_or(f32::NEG_INFINITY));
        }
    }
    let mut order: Vec<usize> = (0..losses.len()).collect();
    order.sort_by(|&i, &j| losses[j].total_cmp(&losses[i]));
    if let (Task::Classes, Some(labels)) = (data.task(), data.labels()) {
        let mut seen = std::collections::HashSet::new();
        order.retain(|&row| seen.insert(labels[row]));
    }
    order.truncate(EXAMPLES);
    Ok(order)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_make_a_square_picture() {
        let names = |n: usize| (0..n).map(|i| format!("p{i}")).collect::<Vec<_>>();
        for (features, side) in
            [(64, Some(8)), (784, Some(28)), (4, Some(2)), (63, None), (1, None), (0, None)]
        {
            assert_eq!(picture(&names(features)), side, "{features}");
        }
        assert_eq!(picture(&["a", "b", "c", "d"].map(str::to_owned)), None);
    }
}
