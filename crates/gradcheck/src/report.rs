//! The outcome of a check.

use std::fmt;

/// One entry of the gradient, by both ways.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Entry {
    /// Its place in θ, from 0.
    pub index: usize,
    /// The gradient under check, `g_i`.
    pub analytic: f64,
    /// The central difference, `ĝ_i`.
    pub numeric: f64,
}

/// What a check found; [`Report::passed`] gives the verdict, `Display` one line or two.
///
/// Norms are Euclidean, over the entries checked.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Report {
    /// Entries of θ.
    pub entries: usize,
    /// Entries compared, `N`.
    pub checked: usize,
    /// Entries left out since their perturbation crosses a kink.
    pub kinks: usize,
    /// `L(θ)`.
    pub value: f64,
    /// `‖ĝ − g‖`.
    pub difference: f64,
    /// `‖g‖`.
    pub analytic_norm: f64,
    /// `‖ĝ‖`.
    pub numeric_norm: f64,
    /// The largest difference that passes.
    pub bound: f64,
    /// The entry with the largest `|ĝ_i − g_i|`; none if every entry was left out.
    pub worst: Option<Entry>,
}

impl Report {
    /// Whether the difference is within the bound and at most 1 % of the entries crossed a kink.
    pub fn passed(&self) -> bool {
        let within = self.difference <= self.bound && self.bound.is_finite();
        self.checked > 0 && within && !self.too_many_kinks()
    }

    fn too_many_kinks(&self) -> bool {
        self.kinks > (self.checked + self.kinks) / 100
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { entries, checked, kinks, difference, bound, .. } = self;
        let verdict = if self.passed() { "passed" } else { "failed" };
        write!(f, "gradient check {verdict}: {checked} of {entries} entries, ")?;
        let relation = if difference <= bound { '≤' } else { '>' };
        write!(f, "‖ĝ−g‖ = {difference:.2e} {relation} {bound:.2e}, ")?;
        write!(f, "‖g‖ = {:.4e}, ‖ĝ‖ = {:.4e}", self.analytic_norm, self.numeric_norm)?;
        if *kinks > 0 {
            write!(f, "; {kinks} left out at kinks")?;
        }
        if self.too_many_kinks() {
            write!(f, " (more than 1 %)")?;
        }
        if let Some(Entry { index, analytic, numeric }) = self.worst {
            write!(f, "\nworst entry {index}: analytic {analytic:.10e}, numeric {numeric:.10e}")?;
        }
        Ok(())
    }
}
