//! Measures what an explanation costs, in passes of its own example and in memory.
//!
//! `cargo run --release -q -p chainrule-benches --bin explain`
//!
//! ```text
//! {"network":"784-512-512-10","k":10,"paths":5120,"us_per_pass":310.1,
//!  "paths_in_passes":12.3,"report_in_passes":30.1,"peak_in_parameters":0.4}
//! ```
//!
//! A pass is a forward and a backward pass of one example, one thread, with the gradient of all
//! weights. `paths_in_passes` is the time of `Explainer::paths` for one weight of the first layer
//! over that of a pass, `report_in_passes` of all answers together (`Explainer::report`), both
//! medians of interleaved repetitions. `peak_in_parameters` is the most memory that a report holds
//! at once over the size of the network's parameters: the rise of the process's peak, so `null`
//! where the system does not tell.

use std::error::Error;
use std::hint::black_box;
use std::io::{Write, stdout};
use std::process::ExitCode;
use std::time::Instant;

use chainrule::explain::{Context, Explainer};
use chainrule::prelude::*;
use chainrule::rand::{RngExt, SeedableRng, rngs::Xoshiro256PlusPlus};
use chainrule_benches::program;

const K: usize = 10;
const REPETITIONS: usize = 31;

fn main() -> ExitCode {
    program::end("explain", run())
}

fn run() -> Result<(), Box<dyn Error>> {
    let network = NetworkBuilder::<f64>::new(784)
        .dense(512, Activation::Relu)
        .dense(512, Activation::Relu)
        .dense(10, Activation::Identity)
        .seed(1)
        .build()?;
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(2);
    let x = Matrix::from_fn(1, 784, |_, _| rng.random_range(0.0..1.0));
    let (loss, targets) = (CrossEntropy::new(), Targets::Classes(&[3]));
    let mut gradient = vec![0.0; network.parameter_count()];
    let (mut own, mut other) = (Workspace::new(&network, 1)?, Workspace::new(&network, 1)?);
    let backward = network.forward(x.view(), &mut own)?.backward(&loss, targets, &mut gradient)?;
    let explainer = Explainer::new(&backward);
    // A weight whose neuron is on, so that its paths carry something.
    let neuron = backward.forward().h(1).row(0).iter().position(|&h| h > 0.0).unwrap_or(0) + 1;
    let param = Param::Weight { layer: 1, neuron, input: 400 };

    let before = peak_bytes();
    let report = explainer.report(param, K, Context::default())?;
    let held = before.zip(peak_bytes()).map(|(before, after)| after - before);
    let (mut passes, mut paths, mut reports) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..REPETITIONS {
        passes.push(time(|| {
            let forward = network.forward(x.view(), &mut other)?;
            forward.backward(&loss, targets, &mut gradient)?;
            Ok(())
        })?);
        paths.push(time(|| {
            black_box(explainer.paths(param, 0, K)?);
            Ok(())
        })?);
        reports.push(time(|| {
            black_box(explainer.report(param, K, Context::default())?);
            Ok(())
        })?);
    }
    let (pass, paths, all) = (median(passes), median(paths), median(reports));
    let size = (network.parameter_count() * size_of::<f64>()) as f64;
    let peak = held.map_or("null".to_owned(), |bytes| format!("{:.2}", bytes as f64 / size));
    writeln!(
        stdout(),
        "{{\"network\":\"784-512-512-10\",\"k\":{K},\"paths\":{},\"us_per_pass\":{:.1},\
         \"paths_in_passes\":{:.1},\"report_in_passes\":{:.1},\"peak_in_parameters\":{peak}}}",
        report.paths.count.exact().unwrap_or(0),
        1e6 * pass,
        paths / pass,
        all / pass,
    )?;
    assert!(report.paths.certificate.holds);
    Ok(())
}

fn time(work: impl FnOnce() -> Result<(), Box<dyn Error>>) -> Result<f64, Box<dyn Error>> {
    let start = Instant::now();
    work()?;
    Ok(start.elapsed().as_secs_f64())
}

fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}

/// The largest resident memory of the process so far.
fn peak_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(1024 * kib)
}
