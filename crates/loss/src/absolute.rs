//! Losses that grow linearly: less drawn by outliers than the squared error.

use chainrule_tensor::{MatrixView, MatrixViewMut, Scalar};
use serde::{Deserialize, Serialize};

use crate::elementwise::{Elementwise, all_elements};
use crate::{Loss, LossError, Reduction, Targets};

/// PyTorch's `l1_loss`: the absolute error averaged over the `n` examples and the `k` outputs,
///
/// `L = 1/(n k) Σ_i Σ_j |ŷ_ij − y_ij|`, `∂L/∂ŷ_ij = 1/(n k) sign(ŷ_ij − y_ij)`, 0 at the kink.
///
/// With [`Reduction::Sum`] nothing is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct L1 {
    reduction: Reduction,
}

/// PyTorch's `huber_loss`: squared near the target, linear beyond `δ`. With `d = ŷ − y`,
///
/// `d²/2` where `|d| ≤ δ`, else `δ (|d| − δ/2)`, averaged over examples and outputs; its derivative
/// is `d` cut to [−δ, δ]. With [`Reduction::Sum`] nothing is divided.
///
/// Source: P. J. Huber, Robust estimation of a location parameter, 1964.
///
/// ```
/// use chainrule_loss::{Huber, Loss, Targets};
/// use chainrule_tensor::Matrix;
/// let (output, target) = (Matrix::from_rows(&[[0.5, 3.0]]), Matrix::zeros(1, 2));
/// let value = Huber::new(1.0)?.value(output.view(), Targets::Values(target.view()))?;
/// assert_eq!(value, (0.125 + 2.5) / 2.0);
/// # Ok::<(), chainrule_loss::LossError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "HuberFields")]
pub struct Huber {
    delta: f64,
    reduction: Reduction,
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct HuberFields {
    delta: f64,
    reduction: Reduction,
}

impl Default for HuberFields {
    fn default() -> Self {
        let Huber { delta, reduction } = Huber::default();
        Self { delta, reduction }
    }
}

impl TryFrom<HuberFields> for Huber {
    type Error = LossError;

    fn try_from(fields: HuberFields) -> Result<Self, LossError> {
        Ok(Self::new(fields.delta)?.with_reduction(fields.reduction))
    }
}

// What is neither above nor below is 0 or NaN, and goes through.
#[inline(always)]
fn absolute<S: Scalar>(z: S, y: S, scale: S) -> (S, S) {
    let d = z - y;
    let sign = if d < S::zero() { -scale } else { d };
    (d.abs(), if d > S::zero() { scale } else { sign })
}

// With c = d cut to [−δ, δ], both branches are c (d − c/2).
#[inline(always)]
fn huber<S: Scalar>(delta: S) -> impl Fn(S, S, S) -> (S, S) {
    let half = S::of(0.5);
    move |z, y, scale| {
        let d = z - y;
        let cut = if d > delta { delta } else { d };
        let cut = if cut < -delta { -delta } else { cut };
        (cut * (d - half * cut), cut * scale)
    }
}

impl L1 {
    pub(crate) const NAME: &'static str = "l1";

    /// The mean over examples and outputs.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same loss with another reduction.
    pub fn with_reduction(self, reduction: Reduction) -> Self {
        Self { reduction }
    }

    fn elementwise(&self) -> Elementwise {
        Elementwise { name: Self::NAME, reduction: self.reduction, count: all_elements }
    }
}

impl<S: Scalar> Loss<S> for L1 {
    fn name(&self) -> String {
        Self::NAME.to_owned()
    }

    fn reduction(&self) -> Reduction {
        self.reduction
    }

    fn value_and_gradient(
        &self,
        output: MatrixView<'_, S>,
        targets: Targets<'_, S>,
        gradient: MatrixViewMut<'_, S>,
    ) -> Result<S, LossError> {
        self.elementwise().evaluate(output, targets, Some(gradient), absolute)
    }

    fn value(&self, output: MatrixView<'_, S>, targets: Targets<'_, S>) -> Result<S, LossError> {
        self.elementwise().evaluate(output, targets, None, absolute)
    }

    /// 0 below the target, 1 on it, 2 above it.
    fn pieces(&self, output: MatrixView<'_, S>, targets: Targets<'_, S>, note: &mut dyn FnMut(u8)) {
        note_pieces(output, targets, S::zero(), note);
    }
}

impl Huber {
    pub(crate) const NAME: &'static str = "huber";

    /// Linear beyond `delta`; the mean over examples and outputs.
    ///
    /// # Errors
    /// [`LossError::Delta`] unless `delta` is positive and finite.
    pub fn new(delta: f64) -> Result<Self, LossError> {
        if delta > 0.0 && delta.is_finite() {
            Ok(Self { delta, reduction: Reduction::default() })
        } else {
            Err(LossError::Delta(delta))
        }
    }

    /// The same loss with another reduction.
    pub fn with_reduction(self, reduction: Reduction) -> Self {
        Self { reduction, ..self }
    }

    /// Where the loss turns linear.
    pub fn delta(&self) -> f64 {
        self.delta
    }

    fn elementwise(&self) -> Elementwise {
        Elementwise { name: Self::NAME, reduction: self.reduction, count: all_elements }
    }
}

impl Default for Huber {
    /// `δ = 1`, PyTorch's default.
    fn default() -> Self {
        Self { delta: 1.0, reduction: Reduction::default() }
    }
}

impl<S: Scalar> Loss<S> for Huber {
    fn name(&self) -> String {
        format!("{}({})", Self::NAME, self.delta)
    }

    fn reduction(&self) -> Reduction {
        self.reduction
    }

    fn value_and_gradient(
        &self,
        output: MatrixView<'_, S>,
        targets: Targets<'_, S>,
        gradient: MatrixViewMut<'_, S>,
    ) -> Result<S, LossError> {
        self.elementwise().evaluate(output, targets, Some(gradient), huber(S::of(self.delta)))
    }

    fn value(&self, output: MatrixView<'_, S>, targets: Targets<'_, S>) -> Result<S, LossError> {
        self.elementwise().evaluate(output, targets, None, huber(S::of(self.delta)))
    }

    /// 0 below −δ, 1 where the loss is squared, 2 above δ.
    fn pieces(&self, output: MatrixView<'_, S>, targets: Targets<'_, S>, note: &mut dyn FnMut(u8)) {
        note_pieces(output, targets, S::of(self.delta), note);
    }
}

fn note_pieces<S: Scalar>(
    output: MatrixView<'_, S>,
    targets: Targets<'_, S>,
    delta: S,
    note: &mut dyn FnMut(u8),
) {
    let Targets::Values(values) = targets else { return };
    for (&z, &y) in output.as_slice().iter().zip(values.as_slice()) {
        let d = z - y;
        note(if d > delta { 2 } else { u8::from(d >= -delta) });
    }
}

#[cfg(test)]
mod tests {
    use chainrule_tensor::Matrix;

    use super::*;

    #[test]
    fn the_gradient_of_l1_is_0_on_the_target() {
        let z = Matrix::from_rows(&[[1.0, -2.0, 3.0, f64::NAN]]);
        let y = Matrix::from_rows(&[[1.0, 0.0, 0.0, 0.0]]);
        let targets = Targets::Values(y.view());
        let mut gradient = Matrix::zeros(1, 4);
        let value = L1::new().value_and_gradient(z.view(), targets, gradient.view_mut());
        assert!(value.unwrap().is_nan());
        assert_eq!(gradient.as_slice()[..3], [0.0, -0.25, 0.25]);
        assert!(gradient[(0, 3)].is_nan());
    }

    #[test]
    fn pieces_name_the_sides_of_the_kinks() {
        let z = Matrix::from_rows(&[[-3.0, -2.0, 0.0, 2.0, 3.0]]);
        let y = Matrix::zeros(1, 5);
        let noted = |loss: &dyn Loss<f64>| {
            let mut noted = Vec::new();
            loss.pieces(z.view(), Targets::Values(y.view()), &mut |piece| noted.push(piece));
            noted
        };
        assert_eq!(noted(&L1::new()), [0, 0, 1, 2, 2]);
        assert_eq!(noted(&Huber::new(2.0).unwrap()), [0, 1, 1, 1, 2]);
    }

    #[test]
    fn delta_is_positive_and_finite() {
        for delta in [0.0, -1.0, f64::INFINITY, f64::NAN] {
            assert!(matches!(Huber::new(delta), Err(LossError::Delta(_))), "{delta}");
        }
        let read = serde_json::from_str::<Huber>;
        assert_eq!(read(r#"{"delta": 2.5}"#).unwrap(), Huber::new(2.5).unwrap());
        assert_eq!(read("{}").unwrap(), Huber::default());
        let error = read(r#"{"delta": -1}"#).unwrap_err().to_string();
        assert!(error.contains("positive"), "{error}");
        assert!(read(r#"{"beta": 1}"#).is_err());
    }
}
