//! Inverted dropout.

use chainrule_tensor::kernels::zip_map;
use chainrule_tensor::{Compute, MatrixView, MatrixViewMut, Scalar};
use serde::{Deserialize, Serialize};

use crate::error::check_widths;
use crate::{Kept, Layer, LayerConfig, LayerError, Pass};

/// Inverted dropout (Srivastava et al. 2014; scaled in training as in PyTorch): `h = x ⊙ m` with
/// `m = 0` by chance `rate`, else `1 / (1 − rate)`, drawn anew in every training pass from the
/// generator passed in. In evaluation `h = x`.
///
/// The mask stands where other layers keep their pre-activation, so that backward and explanations
/// use it as it was drawn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dropout {
    units: usize,
    rate: f64,
}

impl Dropout {
    /// Dropout of `units` units, each zeroed by chance `rate`.
    ///
    /// # Errors
    /// [`LayerError::Width`] if `units` is 0 or could not be addressed;
    /// [`LayerError::Value`] unless `0 ≤ rate < 1`.
    pub fn new(units: usize, rate: f64) -> Result<Self, LayerError> {
        let layer = Self { units, rate };
        layer.validate()?;
        Ok(layer)
    }

    /// The chance that a unit is zeroed.
    pub fn rate(&self) -> f64 {
        self.rate
    }

    pub(crate) fn validate(&self) -> Result<(), LayerError> {
        check_widths("dropout", self.units, 1)?;
        if (0.0..1.0).contains(&self.rate) {
            return Ok(());
        }
        let (name, expected) = ("the dropout rate", "at least 0 and below 1");
        Err(LayerError::Value { name, found: self.rate, expected })
    }
}

impl<S: Scalar> Layer<S> for Dropout {
    fn name(&self) -> String {
        format!("dropout {}, rate {}", self.units, self.rate)
    }

    fn inputs(&self) -> usize {
        self.units
    }

    fn outputs(&self) -> usize {
        self.units
    }

    /// `h = x ⊙ m`; the mask `m` goes where `a` stands.
    fn forward(
        &self,
        _theta: &[S],
        x: MatrixView<'_, S>,
        mut a: MatrixViewMut<'_, S>,
        mut h: MatrixViewMut<'_, S>,
        pass: &mut Pass<'_>,
    ) {
        let mask = a.as_mut_slice();
        match &mut pass.rng {
            Some(rng) => {
                let kept = S::of(1.0 / (1.0 - self.rate));
                // A 32-bit draw below the threshold drops the unit.
                let threshold = (self.rate * 2.0_f64.powi(32)) as u32;
                for m in mask.iter_mut() {
                    *m = if rng.next_u32() < threshold { S::zero() } else { kept };
                }
            }
            None => mask.fill(S::one()),
        }
        zip_map(x.as_slice(), mask, h.as_mut_slice(), |x, m| x * m, pass.compute.threads());
    }

    /// `∇_h L ⊙ m`, the gradient with respect to `x` already.
    fn backward_activation(
        &self,
        kept: Kept<'_, S>,
        grad_h: MatrixView<'_, S>,
        mut grad_a: MatrixViewMut<'_, S>,
        compute: &Compute,
    ) {
        let (mask, grad_a) = (kept.a.as_slice(), grad_a.as_mut_slice());
        zip_map(grad_h.as_slice(), mask, grad_a, |g, m| g * m, compute.threads());
    }

    /// `∇_x L`, as `backward_activation` left it.
    fn backward_input(
        &self,
        _kept: Kept<'_, S>,
        grad_a: MatrixView<'_, S>,
        mut grad_x: MatrixViewMut<'_, S>,
        _compute: &Compute,
    ) {
        grad_x.copy_from(grad_a);
    }

    fn config(&self) -> Option<LayerConfig> {
        Some(LayerConfig::Dropout(self.clone()))
    }
}
