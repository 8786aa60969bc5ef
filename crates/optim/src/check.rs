//! Ranges of hyperparameters.

use std::marker::PhantomData;

use chainrule_tensor::Scalar;

use crate::OptimError;

/// Checks hyperparameters of one rule, as they will be once rounded to `S`.
///
/// ```
/// use chainrule_optim::Check;
/// let check = Check::<f32>::of("adam");
/// assert!(check.positive("eps", 1e-8).is_ok());
/// // 1e-60 is 0 in f32, so that 0/0 could follow.
/// assert!(check.positive("eps", 1e-60).is_err());
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Check<S> {
    rule: &'static str,
    scalar: PhantomData<S>,
}

impl<S: Scalar> Check<S> {
    /// Checks for the rule of this name, which the errors carry.
    pub fn of(rule: &'static str) -> Self {
        Self { rule, scalar: PhantomData }
    }

    /// Finite and at least 0.
    ///
    /// # Errors
    /// [`OptimError::Hyperparameter`] otherwise.
    pub fn non_negative(self, name: &'static str, value: f64) -> Result<(), OptimError> {
        let ok = value >= 0.0 && S::of(value).is_finite();
        self.require(ok, name, value, "finite and at least 0")
    }

    /// Finite and above 0.
    ///
    /// # Errors
    /// [`OptimError::Hyperparameter`] otherwise.
    pub fn positive(self, name: &'static str, value: f64) -> Result<(), OptimError> {
        let ok = S::of(value) > S::zero() && S::of(value).is_finite();
        self.require(ok, name, value, "finite and above 0")
    }

    /// In `[0, 1)`.
    ///
    /// # Errors
    /// [`OptimError::Hyperparameter`] otherwise.
    pub fn fraction(self, name: &'static str, value: f64) -> Result<(), OptimError> {
        self.require((0.0..1.0).contains(&value), name, value, "at least 0 and below 1")
    }

    /// In `[0, 1]`.
    ///
    /// # Errors
    /// [`OptimError::Hyperparameter`] otherwise.
    pub fn unit(self, name: &'static str, value: f64) -> Result<(), OptimError> {
        self.require((0.0..=1.0).contains(&value), name, value, "between 0 and 1")
    }

    /// Whatever `ok` says; `expected` completes "must be ...".
    ///
    /// # Errors
    /// [`OptimError::Hyperparameter`] where `ok` is false.
    pub fn require(
        self,
        ok: bool,
        name: &'static str,
        value: impl ToString,
        expected: &str,
    ) -> Result<(), OptimError> {
        if ok {
            return Ok(());
        }
        let expected = match S::NAME {
            "f32" => format!("{expected} (in f32)"),
            _ => expected.to_owned(),
        };
        Err(OptimError::Hyperparameter {
            rule: self.rule,
            name,
            expected,
            found: value.to_string(),
        })
    }
}
