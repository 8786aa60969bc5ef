//! Times a whole job: MNIST with one hidden layer of 128, to its test accuracy.
//!
//! `CHAINRULE_DATA=... cargo run --release -q -p chainrule-benches --bin mnist -- [EPOCHS [RATE [THREADS]]]`
//!
//! AdamW with a one-cycle schedule, batches of 128; 4 epochs at a rate of 0.015 unless told
//! otherwise. For five seeds it prints the seconds from the initial weights to the last evaluation
//! (scaling, shuffling and the evaluation of the test images after every epoch included, reading
//! the files excluded) and the test accuracy, then the means.

use std::io::{Write, stdout};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use chainrule::data::{Scaling, read_idx_directory};
use chainrule::optim::{AdamWConfig, OptimizerConfig};
use chainrule::{Config, Model};
use chainrule_benches::program;

const SEEDS: u64 = 5;

fn main() -> ExitCode {
    let Some(data) = std::env::var_os("CHAINRULE_DATA") else {
        eprintln!("mnist: set CHAINRULE_DATA to the folder that holds mnist/");
        return ExitCode::from(2);
    };
    program::end("mnist", run(PathBuf::from(data).join("mnist")))
}

fn run(folder: PathBuf) -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let epochs = arguments.next().map_or(Ok(4), |text| text.parse())?;
    let learning_rate = arguments.next().map_or(Ok(0.015), |text| text.parse())?;
    let threads = arguments.next().map(|text| text.parse()).transpose()?;

    let (train, test) = read_idx_directory::<f32>(&folder)?;
    let (mut seconds, mut accuracy) = (0.0, 0.0);
    for seed in 0..SEEDS {
        let mut config = Config::default();
        config.training.optimizer =
            OptimizerConfig::AdamW(AdamWConfig { learning_rate, ..AdamWConfig::default() });
        config.training.epochs = Some(epochs);
        config.training.batch_size = 128;
        config.training.scaling = Scaling::MinMax;
        config.training.seed = seed;
        config.training.threads = threads;

        // As they were read, for each seed.
        let (train, test) = (train.clone(), test.clone());
        let start = Instant::now();
        let mut model = Model::new(&config, &train)?;
        let prepared = model.prepare(test)?;
        let history = model.train(&config, train, |trainer| trainer.test(&prepared))?;
        let elapsed = start.elapsed().as_secs_f64();
        let test = history.epochs.last().and_then(|epoch| epoch.test.as_ref());
        let reached = test.map_or(f64::NAN, |scores| scores.metric.value());
        writeln!(stdout(), "seed {seed}: {elapsed:.3} s, test accuracy {:.2} %", 100.0 * reached)?;
        seconds += elapsed / SEEDS as f64;
        accuracy += 100.0 * reached / SEEDS as f64;
    }
    writeln!(stdout(), "mean: {seconds:.3} s, test accuracy {accuracy:.2} %")?;
    Ok(())
}
