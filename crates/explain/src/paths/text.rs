//! The strongest paths as readable text.

use std::fmt;

use super::{Path, Paths};
use crate::text::{examples, number, percent};
use crate::{Factor, PathCount};

impl fmt::Display for Paths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { param, count, live, strongest, .. } = self;
        let paths = match self.rows.len() {
            1 if *count == PathCount::ONE => "path",
            1 => "paths",
            _ => "(example, path) pairs",
        };
        write!(f, "{count} {paths} to {param}, {live} without a factor 0; ")?;
        match strongest.len() {
            1 => writeln!(f, "the strongest, with its share of Σ |paths|:")?,
            n => writeln!(f, "the {n} strongest, with their shares of Σ |paths|:")?,
        }
        let width = strongest.len().to_string().len();
        for (rank, path) in strongest.iter().enumerate() {
            self.path(f, rank + 1, width, path)?;
        }
        let covered = percent(self.covered).trim_start_matches('+').to_owned();
        writeln!(f, "they cover {covered} of Σ |paths| = {}", number(self.magnitude))?;
        writeln!(f, "{}", self.argument())?;
        write!(f, "{}", self.certificate_text())
    }
}

impl Paths {
    fn path(
        &self,
        f: &mut fmt::Formatter<'_>,
        rank: usize,
        width: usize,
        path: &Path,
    ) -> fmt::Result {
        let example = match self.rows.len() {
            1 => String::new(),
            _ => format!("  example {}", path.row),
        };
        let share = percent(path.share);
        writeln!(f, "  {rank:>width$}. {share:>8}  {}{example}", number(path.value))?;
        let indent = " ".repeat(width + 5);
        let join = |text: fn(&Factor) -> String| {
            path.factors.iter().map(text).collect::<Vec<_>>().join(" · ")
        };
        writeln!(f, "{indent}= {}", join(|factor| factor.name.clone()))?;
        writeln!(f, "{indent}= {}", join(|factor| number(factor.value)))
    }

    /// The cancellation in words.
    pub(crate) fn argument(&self) -> String {
        let Some(index) = self.cancellation() else {
            return "cancellation: every path is 0, there is nothing to argue about".to_owned();
        };
        let verdict = match index {
            x if x > 0.999_999 => "all paths push the same way",
            x if x >= 0.5 => "mostly an agreement",
            x if x >= 0.1 => "more an argument than an agreement",
            _ => "an argument: the paths cancel almost wholly",
        };
        format!("cancellation |Σ paths| / Σ |paths| = {}: {verdict}", number(index))
    }

    fn certificate_text(&self) -> String {
        let certificate = &self.certificate;
        let whole = examples(self.rows.len(), self.reduction);
        let mut text = format!(
            "certificate: Σ paths = {}{whole}\n  the network's backpropagation  {}, difference {} \
             (allowed {})",
            number(self.sum),
            number(certificate.gradient),
            number(certificate.difference),
            number(certificate.bound),
        );
        text += &match (certificate.listed, certificate.listed_difference) {
            (Some(listed), Some(difference)) => format!(
                "\n  all {} listed one by one  {}, difference {} (allowed {})",
                self.count,
                number(listed),
                number(difference),
                number(certificate.listed_bound)
            ),
            _ => "\n  too many paths to list them one by one".to_owned(),
        };
        text + if certificate.holds { "\n  it holds" } else { "\n  IT DOES NOT HOLD" }
    }
}
