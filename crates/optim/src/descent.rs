//! The lecture's gradient descent, as a function.

use chainrule_tensor::Scalar;
use serde::{Deserialize, Serialize};

use crate::{Check, OptimError, clip};

const NAME: &str = "gradient descent";

/// How [`gradient_descent`] runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DescentConfig {
    /// η, 0.1.
    pub learning_rate: f64,
    /// The most steps, 1000 as in the lecture.
    pub max_iterations: usize,
    /// Stops where ‖∇θ‖ is at most this; 0 stops at an exact stationary point only.
    pub tolerance: f64,
}

impl Default for DescentConfig {
    fn default() -> Self {
        Self { learning_rate: 0.1, max_iterations: 1000, tolerance: 0.0 }
    }
}

impl DescentConfig {
    /// Checks every number.
    ///
    /// # Errors
    /// [`OptimError::Hyperparameter`] for the first that is out of its range.
    pub fn validate(&self) -> Result<(), OptimError> {
        let check = Check::<f64>::of(NAME);
        check.positive("learning_rate", self.learning_rate)?;
        check.non_negative("tolerance", self.tolerance)
    }
}

/// One iteration, before its step: what holds at θ_t.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Iteration {
    /// The loss at θ_t.
    pub loss: f64,
    /// ‖∇θ_t‖.
    pub gradient_norm: f64,
}

/// Why gradient descent stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// The gradient's norm is at most the tolerance.
    Tolerance,
    /// All iterations were taken.
    MaxIterations,
}

/// What gradient descent found.
#[derive(Clone, Debug, PartialEq)]
pub struct Descent<S> {
    /// The last θ.
    pub theta: Vec<S>,
    /// Loss and norm at θ_0, θ_1, ...: one entry for each gradient taken.
    pub history: Vec<Iteration>,
    /// Why it stopped.
    pub stop: StopReason,
}

/// The lecture's algorithm: `t = 0`; while `t++ < max_iterations`: `θ_{t+1} = θ_t − η∇θ_t`.
///
/// `gradient(θ, ∇)` writes every component of the gradient at θ and returns the loss there. Before
/// a step the norm is compared with the tolerance, so that the last entry of the history belongs
/// to the θ returned where the tolerance stopped it, and to the θ before the last step otherwise.
///
/// # Errors
/// [`OptimError::Hyperparameter`] for a bad configuration; [`OptimError::NonFinite`], with the
/// iteration from 1, if the loss, a component of the gradient or of θ is infinite or NaN.
///
/// ```
/// use chainrule_optim::{DescentConfig, StopReason, gradient_descent};
/// // L(θ) = (θ₁ − 3)² + θ₂², from (0, 1).
/// let config = DescentConfig { tolerance: 1e-6, ..DescentConfig::default() };
/// let found = gradient_descent(vec![0.0, 1.0], &config, |theta: &[f64], gradient| {
///     gradient[0] = 2.0 * (theta[0] - 3.0);
///     gradient[1] = 2.0 * theta[1];
///     (theta[0] - 3.0).powi(2) + theta[1].powi(2)
/// })?;
/// assert_eq!(found.stop, StopReason::Tolerance);
/// assert!((found.theta[0] - 3.0).abs() < 1e-6);
/// assert_eq!(found.history[0].loss, 10.0);
/// # Ok::<(), chainrule_optim::OptimError>(())
/// ```
pub fn gradient_descent<S: Scalar>(
    theta: Vec<S>,
    config: &DescentConfig,
    mut gradient: impl FnMut(&[S], &mut [S]) -> S,
) -> Result<Descent<S>, OptimError> {
    config.validate()?;
    // What is a number in `f64` may round to 0 or infinity.
    Check::<S>::of(NAME).positive("learning_rate", config.learning_rate)?;
    let rate = S::of(config.learning_rate);
    let mut theta = theta;
    let mut nabla = vec![S::zero(); theta.len()];
    let mut history = Vec::new();
    check_finite(&theta, "θ", 1, config)?;
    for iteration in 1..=config.max_iterations {
        let loss = gradient(&theta, &mut nabla).as_f64();
        check_finite(&nabla, "∇θ", iteration, config)?;
        if !loss.is_finite() {
            return Err(non_finite("loss".to_owned(), loss, iteration, config));
        }
        let gradient_norm = clip::norm(&nabla);
        history.push(Iteration { loss, gradient_norm });
        if gradient_norm <= config.tolerance {
            return Ok(Descent { theta, history, stop: StopReason::Tolerance });
        }
        theta.iter_mut().zip(&nabla).for_each(|(theta, &g)| *theta -= rate * g);
        check_finite(&theta, "θ", iteration, config)?;
    }
    Ok(Descent { theta, history, stop: StopReason::MaxIterations })
}

fn check_finite<S: Scalar>(
    values: &[S],
    name: &str,
    iteration: usize,
    config: &DescentConfig,
) -> Result<(), OptimError> {
    match values.iter().position(|x| !x.is_finite()) {
        None => Ok(()),
        Some(i) => {
            let what = format!("component {} of {name}", i + 1);
            Err(non_finite(what, values[i].as_f64(), iteration, config))
        }
    }
}

fn non_finite(what: String, value: f64, iteration: usize, config: &DescentConfig) -> OptimError {
    let learning_rate = config.learning_rate;
    OptimError::NonFinite { iteration, what, value, learning_rate }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// L = ½λθ², so that θ_t = (1 − ηλ)ᵗ θ_0.
    fn parabola(lambda: f64) -> impl FnMut(&[f64], &mut [f64]) -> f64 {
        move |theta, gradient| {
            gradient[0] = lambda * theta[0];
            0.5 * lambda * theta[0] * theta[0]
        }
    }

    #[test]
    fn a_parabola_follows_its_closed_form_for_1000_iterations() {
        let config = DescentConfig { learning_rate: 0.01, ..DescentConfig::default() };
        let found = gradient_descent(vec![2.0], &config, parabola(0.5)).unwrap();
        assert_eq!((found.stop, found.history.len()), (StopReason::MaxIterations, 1000));
        let exact = |t: i32| 2.0 * 0.995_f64.powi(t);
        assert!((found.theta[0] - exact(1000)).abs() < 1e-12);
        for (t, entry) in found.history.iter().enumerate() {
            let theta = exact(t as i32);
            assert!((entry.gradient_norm - 0.5 * theta).abs() < 1e-12);
            assert!((entry.loss - 0.25 * theta * theta).abs() < 1e-12);
        }
    }

    #[test]
    fn the_tolerance_stops_it_at_the_first_small_gradient() {
        // |∇θ_t| = 2·½ᵗ: at most 0.01 first at t = 8.
        let config = DescentConfig { learning_rate: 0.5, tolerance: 0.01, max_iterations: 1000 };
        let found = gradient_descent(vec![2.0], &config, parabola(1.0)).unwrap();
        assert_eq!((found.stop, found.history.len()), (StopReason::Tolerance, 9));
        assert_eq!(found.theta, [2.0 / 256.0]);
        assert_eq!(found.history[8].gradient_norm, found.theta[0]);
    }

    #[test]
    fn no_iterations_and_no_parameters() {
        let config = DescentConfig { max_iterations: 0, ..DescentConfig::default() };
        let found = gradient_descent(vec![2.0], &config, parabola(1.0)).unwrap();
        assert_eq!((found.theta, found.history.len()), (vec![2.0], 0));
        let found =
            gradient_descent(Vec::<f32>::new(), &DescentConfig::default(), |_, _| 1.0).unwrap();
        assert_eq!(found.stop, StopReason::Tolerance);
    }

    #[test]
    fn divergence_names_the_iteration() {
        let bad_at = |n: usize| {
            let mut calls = 0;
            move |_: &[f32], gradient: &mut [f32]| {
                calls += 1;
                gradient.fill(1.0);
                gradient[1] = if calls == n { f32::NAN } else { 1.0 };
                0.0
            }
        };
        let config = DescentConfig::default();
        let error = gradient_descent(vec![0.0; 3], &config, bad_at(7)).unwrap_err().to_string();
        assert!(error.contains("iteration 7: the component 2 of ∇θ is NaN"), "{error}");
        // θ grows by a factor of 9 each time until it overflows.
        let config = DescentConfig { learning_rate: 10.0, ..DescentConfig::default() };
        let error = gradient_descent(vec![2.0], &config, parabola(1.0)).unwrap_err();
        assert!(matches!(error, OptimError::NonFinite { iteration: 100..400, .. }), "{error}");
        let error = gradient_descent(vec![1.0_f64], &DescentConfig::default(), |_, g| {
            g[0] = 0.0;
            f64::NAN
        });
        assert!(error.unwrap_err().to_string().contains("the loss is NaN"));
    }

    #[test]
    fn the_configuration_is_checked() {
        for (learning_rate, tolerance) in
            [(0.0, 0.0), (-1.0, 0.0), (f64::NAN, 0.0), (0.1, -1.0), (0.1, f64::NAN)]
        {
            let config = DescentConfig { learning_rate, tolerance, max_iterations: 5 };
            assert!(gradient_descent(vec![2.0], &config, parabola(1.0)).is_err());
        }
        // 0 and infinity in f32.
        for learning_rate in [1e-60, 1e60] {
            let config = DescentConfig { learning_rate, ..DescentConfig::default() };
            let found = gradient_descent(vec![2.0_f32], &config, |_, gradient| {
                gradient[0] = 1.0;
                0.0
            });
            assert!(matches!(found, Err(OptimError::Hyperparameter { .. })), "{found:?}");
        }
    }
}
