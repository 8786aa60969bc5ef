//! What is seen while a network trains: a table of epochs, and a bar on a terminal.

use chainrule::explain::NetworkStatistics;
use chainrule::metrics::{Metric, Scores, Task};
use chainrule::train::{BatchReport, EpochReport};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::list::{plural, short};
use crate::output::{Output, title_style};

/// The table and the bar.
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    epochs: usize,
    validation: bool,
}

impl Progress {
    /// Writes the table's head.
    pub(crate) fn start(output: &mut Output, task: Task, epochs: usize, validation: bool) -> Self {
        let metric = match task {
            Task::Classes => "accuracy",
            Task::Values => "R²",
        };
        let style = title_style();
        let scores = |set: &str| format!("{:>12}  {metric:>8}", format!("{set} loss"));
        let checked = if validation { scores("valid") } else { String::new() };
        output.progress(format_args!(
            "\n{style}epoch  {}{checked}{}  {:>8}  seconds{style:#}",
            scores("train"),
            scores("test"),
            "rate"
        ));
        let bar = output.shows_progress().then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            let template = "{msg} {bar:32.cyan} {pos}/{len} batches, loss {prefix}";
            match ProgressStyle::with_template(template) {
                Ok(style) => bar.with_style(style.progress_chars("━╸─")),
                Err(_) => bar,
            }
        });
        Self { bar, epochs, validation }
    }

    /// Moves the bar.
    pub(crate) fn batch(&self, report: &BatchReport) {
        let Some(bar) = &self.bar else { return };
        if report.batch == 1 {
            bar.set_length(report.batches as u64);
            bar.set_message(format!("epoch {}/{}", report.epoch, self.epochs));
        }
        // The text is made for a few batches only; the bar redraws no more often.
        if report.batch % 16 == 1 {
            bar.set_prefix(short(report.loss));
        }
        bar.set_position(report.batch as u64);
    }

    /// Adds a line to the table.
    pub(crate) fn epoch(&self, output: &mut Output, report: &EpochReport) {
        let mut write = || {
            let width = self.epochs.to_string().len().max(5);
            let (train, test) = (columns(Some(report.train)), columns(report.test));
            let validation =
                if self.validation { columns(report.validation) } else { String::new() };
            output.progress(format_args!(
                "{:>width$}  {train}{validation}{test}  {:>8}  {:>7.3}",
                report.epoch,
                format!("{:.1e}", report.learning_rate),
                report.seconds
            ));
        };
        match &self.bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    /// Adds the layers' statistics below the epoch's line.
    pub(crate) fn statistics(&self, output: &mut Output, statistics: &NetworkStatistics) {
        let mut write = || {
            let text = statistics.to_string().replace('\n', "\n    ");
            output.progress(format_args!("    {text}"));
        };
        match &self.bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    /// Removes the bar.
    pub(crate) fn end(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Loss and metric in the table.
fn columns(scores: Option<Scores>) -> String {
    let Some(Scores { loss, metric }) = scores else { return format!("{:>22}", "") };
    let metric = match metric {
        Metric::Accuracy(share) => format!("{:.1} %", 100.0 * share),
        Metric::RSquared(value) if value.is_nan() => "-".to_owned(),
        Metric::RSquared(value) => format!("{value:.4}"),
    };
    format!("{:>12}  {metric:>8}", short(loss))
}

/// `12 epochs of 43 batches of 32`.
pub(crate) fn plan(epochs: usize, examples: usize, batch_size: usize) -> String {
    let batch = batch_size.min(examples);
    let batches = plural(examples.div_ceil(batch.max(1)), "batch");
    format!("{} of {batches} of {}", plural(epochs, "epoch"), crate::list::count(batch))
}
