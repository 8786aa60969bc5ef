//! Central differences and the comparison.

use rand::{SeedableRng, rngs::Xoshiro256PlusPlus, seq};

use crate::{Entry, GradcheckError, Report, Sample};

/// Rounding unit in the bound's term for the rounding of `L`.
const EPSILON: f64 = 2.2e-16;

/// How to check.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// `h`, by which every entry is moved up and down. Default 1e-5.
    pub step: f64,
    /// The factor of `max(‖g‖, ‖ĝ‖)` in the bound. Default 1e-8.
    pub tolerance: f64,
    /// Check this many entries, drawn without repetition; all if `None` (the default) or if there
    /// are no more.
    pub max_entries: Option<usize>,
    /// Seed of that draw. Default 0.
    pub seed: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { step: 1e-5, tolerance: 1e-8, max_entries: None, seed: 0 }
    }
}

/// Compares `gradient` with central differences of `f` at `theta`.
///
/// `ĝ_i = (L(θ + h e_i) − L(θ − h e_i)) / d`, where `d` is the distance of the two arguments as
/// they are represented, close to `2h`. On the `N` entries checked the rule is
/// `‖ĝ − g‖ ≤ tolerance · max(‖g‖, ‖ĝ‖) + ε · max(1, |L|) · √N / h` with ε = 2.2e-16. Entries
/// whose perturbation changes [`Sample::piece`] are left out, and at most 1 % of them may be.
///
/// `f` is called twice for each entry and twice at `theta`. `theta` is moved one entry at a time
/// and holds its old bits again on return, after an error and after a panic of `f` as well.
///
/// # Errors
/// [`GradcheckError`] if the lengths differ, there is nothing to check, a parameter, gradient
/// entry or value of `f` is not finite, the step is lost in the rounding of a parameter, or `f`
/// is not a function of `theta` alone. A wrong gradient is no error: ask [`Report::passed`].
///
/// ```
/// use chainrule_gradcheck::{Options, check};
/// let mut theta = [1.0, -2.0, 0.5];
/// let half_square = |theta: &[f64]| theta.iter().map(|x| x * x / 2.0).sum::<f64>();
/// let gradient = theta;
/// let report = check(&mut theta, &gradient, half_square, &Options::default())?;
/// assert!(report.passed(), "{report}");
/// # Ok::<(), chainrule_gradcheck::GradcheckError>(())
/// ```
pub fn check<T: Into<Sample>>(
    theta: &mut [f64],
    gradient: &[f64],
    mut f: impl FnMut(&[f64]) -> T,
    options: &Options,
) -> Result<Report, GradcheckError> {
    let &Options { step, tolerance, max_entries, seed } = options;
    let entries = theta.len();
    if entries != gradient.len() {
        return Err(GradcheckError::Length { theta: entries, gradient: gradient.len() });
    }
    let sampled = max_entries.map_or(entries, |max| max.min(entries));
    if sampled == 0 {
        return Err(GradcheckError::NoEntries);
    }
    if !(tolerance.is_finite() && tolerance >= 0.0) {
        return Err(GradcheckError::Tolerance { found: tolerance });
    }
    check_point(theta, step)?;
    if let Some((index, &found)) = gradient.iter().enumerate().find(|(_, g)| !g.is_finite()) {
        return Err(GradcheckError::Gradient { index, found });
    }

    let here: Sample = f(theta).into();
    if !here.value.is_finite() {
        return Err(GradcheckError::Value { found: here.value });
    }
    let (mut checked, mut kinks, mut worst) = (0, 0, None::<(f64, Entry)>);
    let (mut difference, mut analytic_norm, mut numeric_norm) = (0.0_f64, 0.0_f64, 0.0_f64);
    for index in indices(entries, sampled, seed) {
        let Difference { quotient: numeric, pieces } =
            central_difference(theta, index, step, &mut f)?;
        if pieces != [here.piece; 2] {
            kinks += 1;
            continue;
        }
        checked += 1;
        let analytic = gradient[index];
        let error = (numeric - analytic).abs();
        // `hypot` neither overflows nor underflows on the way.
        difference = difference.hypot(error);
        analytic_norm = analytic_norm.hypot(analytic);
        numeric_norm = numeric_norm.hypot(numeric);
        if worst.is_none_or(|(largest, _)| error > largest) {
            worst = Some((error, Entry { index, analytic, numeric }));
        }
    }
    let again: Sample = f(theta).into();
    if again != here {
        let (first, second) = (here.value, again.value);
        return Err(GradcheckError::NotDeterministic { first, second });
    }

    let rounding = EPSILON * here.value.abs().max(1.0) * (checked as f64).sqrt() / step;
    Ok(Report {
        entries,
        checked,
        kinks,
        value: here.value,
        difference,
        analytic_norm,
        numeric_norm,
        bound: tolerance * analytic_norm.max(numeric_norm) + rounding,
        worst: worst.map(|(_, entry)| entry),
    })
}

/// The gradient of `f` at `theta` by central differences with step `step`, all entries, whether
/// or not they cross a kink.
///
/// # Errors
/// [`GradcheckError`] if `theta` is empty or not finite, the step is not positive or lost in the
/// rounding of a parameter, or a value of `f` is not finite.
///
/// ```
/// use chainrule_gradcheck::numeric_gradient;
/// let gradient = numeric_gradient(&mut [3.0, 0.0], |t| t[0] * t[0] + t[1].sin(), 1e-5)?;
/// assert!((gradient[0] - 6.0).abs() < 1e-9 && (gradient[1] - 1.0).abs() < 1e-9);
/// # Ok::<(), chainrule_gradcheck::GradcheckError>(())
/// ```
pub fn numeric_gradient<T: Into<Sample>>(
    theta: &mut [f64],
    mut f: impl FnMut(&[f64]) -> T,
    step: f64,
) -> Result<Vec<f64>, GradcheckError> {
    if theta.is_empty() {
        return Err(GradcheckError::NoEntries);
    }
    check_point(theta, step)?;
    (0..theta.len())
        .map(|index| Ok(central_difference(theta, index, step, &mut f)?.quotient))
        .collect()
}

fn check_point(theta: &[f64], step: f64) -> Result<(), GradcheckError> {
    if !(step.is_finite() && step > 0.0) {
        return Err(GradcheckError::Step { found: step });
    }
    match theta.iter().enumerate().find(|(_, x)| !x.is_finite()) {
        Some((index, &found)) => Err(GradcheckError::Theta { index, found }),
        None => Ok(()),
    }
}

/// The places to check, ascending.
fn indices(entries: usize, sampled: usize, seed: u64) -> Vec<usize> {
    if sampled == entries {
        return (0..entries).collect();
    }
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut indices = seq::index::sample(&mut rng, entries, sampled).into_vec();
    indices.sort_unstable();
    indices
}

/// A central difference, and the pieces its two ends lie on.
struct Difference {
    quotient: f64,
    pieces: [u64; 2],
}

fn central_difference<T: Into<Sample>>(
    theta: &mut [f64],
    index: usize,
    step: f64,
    f: &mut impl FnMut(&[f64]) -> T,
) -> Result<Difference, GradcheckError> {
    let mut point = Moved { original: theta[index], theta, index };
    let (up, down) = (point.original + step, point.original - step);
    if !(up > point.original && down < point.original && (up - down).is_finite()) {
        return Err(GradcheckError::StepLost { index, theta: point.original, step });
    }
    let upper = point.sample(up, f)?;
    let lower = point.sample(down, f)?;
    let quotient = (upper.value - lower.value) / (up - down);
    Ok(Difference { quotient, pieces: [upper.piece, lower.piece] })
}

/// θ with one entry moved; dropping it puts the entry back, even while `f` panics.
struct Moved<'a> {
    theta: &'a mut [f64],
    index: usize,
    original: f64,
}

impl Moved<'_> {
    fn sample<T: Into<Sample>>(
        &mut self,
        to: f64,
        f: &mut impl FnMut(&[f64]) -> T,
    ) -> Result<Sample, GradcheckError> {
        self.theta[self.index] = to;
        let sample: Sample = f(self.theta).into();
        if sample.value.is_finite() {
            Ok(sample)
        } else {
            let (index, found) = (self.index, sample.value);
            Err(GradcheckError::PerturbedValue { index, theta: to, found })
        }
    }
}

impl Drop for Moved<'_> {
    fn drop(&mut self) {
        self.theta[self.index] = self.original;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_are_distinct_seeded_and_ascending() {
        let drawn = indices(1000, 100, 7);
        assert_eq!(drawn.len(), 100);
        assert!(drawn.windows(2).all(|pair| pair[0] < pair[1]) && drawn[99] < 1000);
        assert_eq!(drawn, indices(1000, 100, 7));
        assert_ne!(drawn, indices(1000, 100, 8));
        assert_eq!(indices(5, 5, 7), [0, 1, 2, 3, 4]);
    }
}
