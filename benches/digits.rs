//! A whole process to time from outside: the bundled digits, 64-32-10, to the printed accuracy.
//!
//! `cargo build --release -p chainrule-benches --bin digits && time target/release/digits`
//!
//! 50 epochs over all 1,797 images in batches of 32, sigmoid units, SGD with the rate 0.1, on one
//! thread; then the accuracy on the same images.

use std::io::{Write, stdout};
use std::process::ExitCode;

use chainrule::data::{Scaling, digits};
use chainrule::layers::Activation;
use chainrule::optim::{OptimizerConfig, Schedule, SgdConfig};
use chainrule::{Config, Model};
use chainrule_benches::program;

fn main() -> ExitCode {
    program::end("digits", run())
}

fn run() -> Result<(), Box<dyn std::error::Error>> {
    let mut config = Config::default();
    config.network.hidden = vec![32];
    config.network.activation = Activation::Sigmoid;
    config.training.optimizer =
        OptimizerConfig::Sgd(SgdConfig { learning_rate: 0.1, ..SgdConfig::default() });
    config.training.schedule = Schedule::Constant;
    config.training.epochs = Some(50);
    config.training.batch_size = 32;
    config.training.scaling = Scaling::MinMax;
    config.training.threads = Some(1);

    let digits = digits::<f32>();
    let mut model = Model::new(&config, &digits)?;
    model.train(&config, &digits, |trainer| trainer)?;
    writeln!(stdout(), "accuracy {:.1} %", 100.0 * model.evaluate(&digits)?.metric.value())?;
    Ok(())
}
