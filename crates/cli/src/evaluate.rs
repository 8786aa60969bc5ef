//! `chainrule evaluate`.

use std::process::ExitCode;

use chainrule::data::{Dataset, Target};
use chainrule::loss::Loss;
use chainrule::metrics::{
    ConfusionMatrix, Metric, Scores, mean_absolute_error, mean_squared_error,
};
use chainrule::tensor::MatrixView;
use chainrule::{Model, Prediction};
use serde_json::json;

use crate::args::Evaluate;
use crate::error::Result;
use crate::list::short;
use crate::output::Output;
use crate::source;

pub(crate) fn run(args: &Evaluate, output: &mut Output) -> Result<ExitCode> {
    let model = Model::<f32>::load(&args.model.model)?;
    let (data, words) = source::labelled(&model, args.model.data.as_deref(), args.all)?;
    let scores = model.evaluate(&data)?;
    let prediction = model.predict(data.features())?;
    output.titled("model", args.model.model.display());
    output.titled("data", words);
    match data.target() {
        Target::Classes { labels, names } => {
            classes(labels, names, &prediction, &data, &scores, &*model.loss()?, output);
        }
        Target::Values { values, names } => {
            of_values(values.view(), names, &prediction, &data, &scores, &model, output);
        }
    }
    output.line(scores.metric);
    Ok(ExitCode::SUCCESS)
}

fn classes(
    labels: &[usize],
    names: &[String],
    prediction: &Prediction<f32>,
    data: &Dataset<f32>,
    scores: &Scores,
    loss: &dyn Loss<f32>,
    output: &mut Output,
) {
    let mut confusion = ConfusionMatrix::new(names);
    let counted = labels.iter().zip(prediction.classes()).filter(|(label, _)| loss.counts(**label));
    // An answer that is NaN is no class; it counts as wrong, but in no column.
    for (&truth, predicted) in counted {
        if let Some(predicted) = predicted {
            confusion.add(truth, predicted);
        }
    }
    output.titled(
        "confusion",
        format_args!("true class by row, predicted class by column\n{confusion}"),
    );
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0).max(5);
    let share = |x: f64| if x.is_nan() { "-".to_owned() } else { format!("{:.1} %", 100.0 * x) };
    let lines: Vec<String> = names
        .iter()
        .enumerate()
        .map(|(i, name)| {
            let (recall, precision) = (share(confusion.recall(i)), share(confusion.precision(i)));
            format!("{name:>width$}  {recall:>8}  {precision:>9}")
        })
        .collect();
    let head = format!("{:>width$}  {:>8}  {:>9}", "class", "recall", "precision");
    output.titled("classes", format_args!("{head}\n{}", lines.join("\n")));
    output.titled("loss", format_args!("{} ({})", short(scores.loss), loss.name()));
    let counts: Vec<Vec<usize>> = (0..names.len())
        .map(|i| (0..names.len()).map(|j| confusion.count(i, j)).collect())
        .collect();
    let per_class = |f: &dyn Fn(usize) -> f64| (0..names.len()).map(f).collect::<Vec<_>>();
    output.record(
        "evaluation",
        json!({
            "data": data.name(),
            "examples": data.len(),
            "loss": scores.loss,
            "accuracy": scores.metric.value(),
            "classes": names,
            "confusion": counts,
            "recall": per_class(&|i| confusion.recall(i)),
            "precision": per_class(&|i| confusion.precision(i)),
        }),
    );
}

fn of_values(
    truth: MatrixView<'_, f32>,
    names: &[String],
    prediction: &Prediction<f32>,
    data: &Dataset<f32>,
    scores: &Scores,
    model: &Model<f32>,
    output: &mut Output,
) {
    let rmse = mean_squared_error(prediction.outputs(), truth).sqrt();
    let mae = mean_absolute_error(prediction.outputs(), truth);
    output.titled(
        "loss",
        format_args!("{} ({}, on the standardised target)", short(scores.loss), model.info().loss),
    );
    let unit = names.join(", ");
    output.titled("RMSE", format_args!("{} in units of `{unit}`", short(rmse)));
    output.titled("MAE", format_args!("{} in units of `{unit}`", short(mae)));
    let r_squared = match scores.metric {
        Metric::RSquared(value) => Some(value),
        _ => None,
    };
    output.record(
        "evaluation",
        json!({
            "data": data.name(),
            "examples": data.len(),
            "loss": scores.loss,
            "r_squared": r_squared,
            "rmse": rmse,
            "mae": mae,
        }),
    );
}
