//! `chainrule explain`.

use std::process::ExitCode;

use chainrule::Model;
use chainrule::autograd::{Backward, Param, Workspace};
use chainrule::data::{Dataset, Target};
use chainrule::explain::{Context, Explainer, Report, largest_weight};
use chainrule::file::write_atomically;
use chainrule::train::targets;
use serde::Serialize;

use crate::args::{Explain, ExplainFormat};
use crate::error::{CliError, Result};
use crate::list::{names, plural};
use crate::output::Output;
use crate::page;
use crate::source;
use crate::train::check_output;

pub(crate) fn run(args: &Explain, output: &mut Output) -> Result<ExitCode> {
    if let Some(path) = &args.output {
        check_output(path, &[Some(&args.model), args.data.as_deref()])?;
    }
    let asked = asked(args)?;
    if args.top == 0 {
        return Err(CliError::usage("--top is 0; ask for at least one path"));
    }
    let model = Model::<f64>::load(&args.model)?;
    if let Some(param) = asked {
        model.network().layout().index(param)?;
    }
    let (data, words) = source::labelled(&model, args.data.as_deref(), args.all)?;
    let rows = rows(args, &data)?;
    let chosen = data.select(&rows);
    let prepared = model.prepare(&chosen)?;
    let batch = prepared.as_batch();
    let (loss, targets) = (model.loss()?, targets(batch.target));
    let mut workspace = Workspace::new(model.network(), rows.len())?;
    let forward = model.network().forward(batch.features, &mut workspace)?;
    let backward = forward.output_units(&*loss, targets)?.hidden_units();
    let param = match asked {
        Some(param) => param,
        None => strongest_weight(&backward)?,
    };
    let mut explainer = Explainer::new(&backward).labelled(&rows)?;
    if args.unfused {
        explainer = explainer.unfused(&*loss, targets)?;
    }
    let context = Context {
        model: Some(args.model.display().to_string()),
        data: Some(words),
        loss: Some(model.info().loss.clone()),
        features: model.info().features.clone(),
        outputs: output_names(&chosen),
        classes: chosen.labels().unwrap_or_default().to_vec(),
    };
    let text = match args.format {
        ExplainFormat::Text => format!("{}\n", explainer.report(param, args.top, context)?),
        ExplainFormat::Json => json(&explainer.report(param, args.top, context)?)?,
        ExplainFormat::Dot => explainer.picture(param, &context)?.dot(),
        ExplainFormat::Svg => explainer.picture(param, &context)?.svg(),
        ExplainFormat::Latex => explainer.report(param, args.top, context)?.latex_document(),
        ExplainFormat::Html => {
            let called = ("example", &rows[..]);
            page::of_backward(&model, &backward, &*loss, targets, &chosen, called)?
                .select(param)?
                .to_string()
        }
    };
    match &args.output {
        Some(path) => write_atomically(path, text.as_bytes())?,
        None => output.raw(&text),
    }
    Ok(ExitCode::SUCCESS)
}

#[derive(Serialize)]
struct Record<'a> {
    kind: &'static str,
    #[serde(flatten)]
    report: &'a Report,
}

fn json(report: &Report) -> Result<String> {
    let record = Record { kind: "explanation", report };
    let text = serde_json::to_string(&record);
    text.map(|text| text + "\n").map_err(|error| CliError::Output(error.into()))
}

/// The parameter that the command line names.
fn asked(args: &Explain) -> Result<Option<Param>> {
    let (option, text) = match (&args.weight, &args.bias) {
        (Some(text), _) => ("--weight", text),
        (None, Some(text)) => ("--bias", text),
        (None, None) => return Ok(None),
    };
    let param: Param = text.parse()?;
    match (param, option) {
        (Param::Bias { .. }, "--weight") => {
            Err(CliError::Usage(format!("--weight {text}: that is a bias; write --bias {text}")))
        }
        (Param::Weight { .. }, "--bias") => {
            Err(CliError::Usage(format!("--bias {text}: that is a weight; write --weight {text}")))
        }
        _ => Ok(Some(param)),
    }
}

/// The rows of the data to explain.
fn rows(args: &Explain, data: &Dataset<f64>) -> Result<Vec<usize>> {
    let first = args.row.unwrap_or(0);
    if first >= data.len() {
        return Err(CliError::Usage(format!(
            "--row {first}: {} has {}, counted from 0",
            data.name(),
            plural(data.len(), "example")
        )));
    }
    let from_first = first..data.len();
    let (candidates, of): (Vec<usize>, String) = match &args.class {
        None => (from_first.collect(), String::new()),
        Some(name) => {
            let class = class(name, data)?;
            let labels = data.labels().unwrap_or_default();
            let own = from_first.filter(|&row| labels[row] == class).collect();
            (own, format!(" of class `{name}`"))
        }
    };
    let count = match (args.batch, args.row, &args.class) {
        (Some(0), ..) => return Err(CliError::usage("--batch is 0; it must be at least 1")),
        (Some(count), ..) => count,
        (None, None, Some(_)) => candidates.len().max(1),
        _ => 1,
    };
    if candidates.len() < count {
        return Err(CliError::Usage(format!(
            "{} has {}{of} from row {first} on, not {count}",
            data.name(),
            plural(candidates.len(), "example"),
        )));
    }
    Ok(candidates[..count].to_vec())
}

fn class(name: &str, data: &Dataset<f64>) -> Result<usize> {
    let Some(classes) = data.class_names() else {
        return Err(CliError::Usage(format!("--class {name}: the target is real values")));
    };
    let place = classes.iter().position(|class| class == name);
    place.ok_or_else(|| {
        CliError::Usage(format!("--class {name}: the classes are {}", names(classes, 12)))
    })
}

/// The weight with the largest derivative, of the first layer that has weights.
fn strongest_weight(backward: &Backward<'_, '_, f64>) -> Result<Param> {
    let network = backward.network();
    let mut gradient = vec![0.0; network.parameter_count()];
    backward.weights_and_biases(&mut gradient)?;
    let found = (1..=network.depth()).find_map(|i| largest_weight(&gradient, network, i));
    found.ok_or_else(|| CliError::usage("no weight has a derivative that is a number"))
}

fn output_names(data: &Dataset<f64>) -> Vec<String> {
    match data.target() {
        Target::Classes { names, .. } | Target::Values { names, .. } => names.clone(),
    }
}
