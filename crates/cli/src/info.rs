//! `chainrule info`.

use std::path::Path;
use std::process::ExitCode;

use chainrule::file::tensor_names;
use chainrule::layers::ParamKind;
use chainrule::tensor::{Precision, Threads, instruction_set};
use chainrule::{Model, ModelInfo, TargetInfo, TrainingInfo};
use serde_json::json;

use crate::args::Info;
use crate::error::Result;
use crate::list::{count, names, plural};
use crate::output::Output;

/// Names shown of a long list.
const SHOWN: usize = 12;

pub(crate) fn run(args: &Info, output: &mut Output) -> Result<ExitCode> {
    if let Some(path) = &args.model {
        describe(path, output)?;
    }
    let (threads, vectors) = (Threads::available().count(), instruction_set()?);
    output.titled(
        "machine",
        format_args!(
            "{} to use; {vectors} vectors; {}",
            plural(threads, "thread"),
            bf16_products()
        ),
    );
    output.record(
        "machine",
        json!({
            "threads": threads,
            "instruction_set": vectors,
            "bf16_instructions": Precision::bf16_instructions(),
        }),
    );
    Ok(ExitCode::SUCCESS)
}

/// What computes products in bf16 here.
pub(crate) fn bf16_products() -> String {
    match Precision::bf16_instructions() {
        Some(instructions) => format!("products in bf16 by {instructions}"),
        None => "products in bf16 by rounding to bf16 and multiplying in f32, no faster than f32 \
                 (there are no instructions here that are)"
            .to_owned(),
    }
}

fn describe(path: &Path, output: &mut Output) -> Result {
    let model = Model::<f32>::load(path)?;
    let (network, info) = (model.network(), model.info());
    let path = path.display();
    let parameters = plural(network.parameter_count(), "parameter");
    output.titled(
        "model",
        format_args!("{path}: {}, {parameters}", plural(network.depth(), "layer")),
    );
    output.titled("layers", layers(&model).join("\n"));
    output.titled("features", features(info));
    output.titled("target", target(&info.target));
    output.titled("loss", &info.loss);
    match &info.training {
        Some(training) => output.titled("training", trained(training)),
        None => output.titled("training", "no record"),
    }
    let blocks = network.layout().blocks().iter().zip(tensor_names(network));
    let tensors: Vec<_> = blocks
        .map(|(block, name)| {
            let shape = match block.kind {
                ParamKind::Weight => vec![block.rows, block.cols],
                ParamKind::Bias => vec![block.rows],
            };
            json!({ "name": name, "layer": block.layer, "shape": shape })
        })
        .collect();
    output.record(
        "model",
        json!({
            "path": path.to_string(),
            "parameters": network.parameter_count(),
            "tensors": tensors,
            "info": info,
        }),
    );
    Ok(())
}

/// Each layer with its tensors, as PyTorch names and shapes them.
fn layers(model: &Model<f32>) -> Vec<String> {
    let network = model.network();
    let tensors = tensor_names(network);
    let names: Vec<String> = network.layers().iter().map(|layer| layer.name()).collect();
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    let lines = names.iter().enumerate().map(|(i, name)| {
        let own = network.layout().blocks().iter().zip(&tensors);
        let own = own.filter(|(block, _)| block.layer == i + 1).map(|(block, tensor)| {
            let shape = match block.kind {
                ParamKind::Weight => format!("{}×{}", block.rows, block.cols),
                ParamKind::Bias => block.rows.to_string(),
            };
            format!("{tensor} {shape}")
        });
        let own = own.collect::<Vec<_>>().join(", ");
        format!("{}  {name:<width$}  {own}", i + 1).trim_end().to_owned()
    });
    lines.collect()
}

fn features(info: &ModelInfo) -> String {
    let scaling = match serde_json::to_value(info.scaler.scaling()) {
        Ok(serde_json::Value::String(name)) => name,
        _ => "unknown".to_owned(),
    };
    let constant = info.scaler.scale().iter().filter(|&&scale| scale == 0.0).count();
    let constant = match constant {
        0 => String::new(),
        n => format!(" ({} of them constant in training)", count(n)),
    };
    let columns = plural(info.features.len(), "column");
    format!("{columns}{constant}, scaling {scaling}: {}", names(&info.features, SHOWN))
}

fn target(target: &TargetInfo) -> String {
    match target {
        TargetInfo::Classes { name, classes } => format!(
            "`{}`, {} classes: {}",
            name.as_deref().unwrap_or("unnamed"),
            count(classes.len()),
            names(classes, SHOWN)
        ),
        TargetInfo::Values { names: values, .. } => {
            format!("real values of {}", names(values, SHOWN))
        }
    }
}

fn trained(training: &TrainingInfo) -> String {
    let config = &training.config.training;
    let optimizer = &config.optimizer;
    let held_out = training
        .test_fraction
        .map_or(String::new(), |share| format!("; {} % held out for the test", 100.0 * share));
    let best =
        training.best_epoch.map_or(String::new(), |epoch| format!(", weights of epoch {epoch}"));
    let precision = match config.precision {
        Precision::F32 => "",
        Precision::Bf16 => ", products in bf16",
    };
    let score = match &training.test {
        Some(scores) => format!("\nscore then: {} on the test examples", scores.metric),
        None => String::new(),
    };
    format!(
        "on {}, {}{held_out}\n{} of at most {}{best}; batches of {}, seed {}\n\
         {}, learning rate {:?}, weight decay {:?}, schedule {}{precision}{score}",
        training.data,
        plural(training.examples, "example"),
        plural(training.epochs, "epoch"),
        count(config.epochs_for(training.examples)),
        count(config.batch_size),
        config.seed,
        optimizer.name(),
        optimizer.learning_rate(),
        optimizer.weight_decay(),
        config.schedule,
    )
}
