//! Softmax as a layer of its own.

use chainrule_tensor::kernels::softmax_rows;
use chainrule_tensor::{Compute, MatrixView, MatrixViewMut, Scalar, vectorised};
use serde::{Deserialize, Serialize};

use crate::error::check_widths;
use crate::{Kept, Layer, LayerConfig, LayerError, Pass};

/// The lecture's output function `ŷ_j = e^{a_j} / Σ_k e^{a_k}`, as a layer without parameters.
///
/// For the lecture's unfused route: with it the loss is the cross-entropy on probabilities.
/// Training takes the fused cross-entropy on logits instead, and no such layer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Softmax {
    units: usize,
}

impl Softmax {
    /// A softmax over `units` classes.
    ///
    /// # Errors
    /// [`LayerError::Width`] if `units` is 0 or could not be addressed.
    pub fn new(units: usize) -> Result<Self, LayerError> {
        let layer = Self { units };
        layer.validate()?;
        Ok(layer)
    }

    pub(crate) fn validate(&self) -> Result<(), LayerError> {
        check_widths("softmax", self.units, 1)
    }
}

impl<S: Scalar> Layer<S> for Softmax {
    fn name(&self) -> String {
        format!("softmax {}", self.units)
    }

    fn inputs(&self) -> usize {
        self.units
    }

    fn outputs(&self) -> usize {
        self.units
    }

    /// `a = x`, `h = softmax(a)`, row by row.
    fn forward(
        &self,
        _theta: &[S],
        x: MatrixView<'_, S>,
        mut a: MatrixViewMut<'_, S>,
        h: MatrixViewMut<'_, S>,
        _pass: &mut Pass<'_>,
    ) {
        a.copy_from(x);
        softmax_rows(x, h);
    }

    /// The product with the full Jacobian `∂h_j/∂a_k = h_j (1[j = k] − h_k)`:
    /// `∇_a L = h ⊙ (∇_h L − ⟨∇_h L, h⟩)`.
    ///
    /// As `h` sums to 1, `∇_h L` may be measured from any of its entries. From that of the largest
    /// `h_p`, nothing cancels where `h_p` is nearly 1.
    fn backward_activation(
        &self,
        kept: Kept<'_, S>,
        grad_h: MatrixView<'_, S>,
        mut grad_a: MatrixViewMut<'_, S>,
        _: &Compute,
    ) {
        let rows = kept.h.iter_rows().zip(grad_h.iter_rows()).zip(grad_a.iter_rows_mut());
        vectorised(
            #[inline(always)]
            || {
                for ((h, grad_h), grad_a) in rows {
                    let (mut largest, mut pivot) = (S::neg_infinity(), S::nan());
                    for (&h, &g) in h.iter().zip(grad_h) {
                        (largest, pivot) = if h > largest { (h, g) } else { (largest, pivot) };
                    }
                    let pairs = h.iter().zip(grad_h);
                    let mean = pairs.fold(S::zero(), |sum, (&h, &g)| sum + h * (g - pivot));
                    for ((grad_a, &h), &g) in grad_a.iter_mut().zip(h).zip(grad_h) {
                        *grad_a = h * ((g - pivot) - mean);
                    }
                }
            },
        );
    }

    /// `∇_x L = ∇_a L`.
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
        Some(LayerConfig::Softmax(self.clone()))
    }
}
