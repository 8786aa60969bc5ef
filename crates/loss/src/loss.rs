//! The interface of all losses.

use std::fmt::{self, Debug, Display};

use chainrule_tensor::{MatrixView, MatrixViewMut, Scalar};
use serde::{Deserialize, Serialize};

use crate::{LossError, OutputFunction, Targets};

/// How the losses of the examples become one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reduction {
    /// Their mean; each loss says what it divides by.
    #[default]
    Mean,
    /// Their sum.
    Sum,
}

impl Reduction {
    /// What the sum is multiplied with: `1/count` for the mean, 1 for the sum.
    pub(crate) fn scale(self, count: usize) -> f64 {
        match self {
            Self::Mean => 1.0 / count as f64,
            Self::Sum => 1.0,
        }
    }
}

impl Display for Reduction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Mean => "mean",
            Self::Sum => "sum",
        })
    }
}

/// A loss: how far a batch of outputs is from its targets, and which way is worse.
///
/// `output` is (examples × outputs), row-major: what the network's last layer hands over, which
/// for the losses on logits is `a_L`. Nothing is allocated, nothing kept between calls. The value
/// and the gradient do not depend on whether both are asked for.
///
/// Numbers that are not finite do not fail: NaN goes through to the value. Everything that is
/// wrong with shapes and labels is an error, found before the gradient is written.
///
/// ```
/// use chainrule_loss::{CrossEntropy, Loss, Targets};
/// use chainrule_tensor::Matrix;
///
/// let logits = Matrix::from_rows(&[[0.0_f64, 0.0], [1e4, -1e4]]);
/// let mut gradient = Matrix::zeros(2, 2);
/// let targets = Targets::Classes(&[0, 0]);
/// let loss = CrossEntropy::new();
/// let value = loss.value_and_gradient(logits.view(), targets, gradient.view_mut())?;
/// assert!((value - 2.0_f64.ln() / 2.0).abs() < 1e-15);
/// assert_eq!(gradient.as_slice(), [-0.25, 0.25, 0.0, 0.0]);
/// # Ok::<(), chainrule_loss::LossError>(())
/// ```
pub trait Loss<S: Scalar>: Debug + Send + Sync {
    /// The name with its options, `base` or `base(option,option=value)`, for instance
    /// `cross_entropy(label_smoothing=0.1,class_weights)`; [`crate::parse`] reads it.
    fn name(&self) -> String;

    /// How the examples' losses become one number.
    fn reduction(&self) -> Reduction;

    /// The value, and its gradient with respect to `output` into `gradient`, (examples ×
    /// outputs), which is overwritten.
    ///
    /// # Errors
    /// An empty batch, shapes that differ, targets of the wrong kind, a label outside of the
    /// classes, or nothing to average over. The gradient is then left as it was.
    fn value_and_gradient(
        &self,
        output: MatrixView<'_, S>,
        targets: Targets<'_, S>,
        gradient: MatrixViewMut<'_, S>,
    ) -> Result<S, LossError>;

    /// The value alone, the same bits as [`Loss::value_and_gradient`] gives.
    ///
    /// # Errors
    /// As [`Loss::value_and_gradient`].
    fn value(&self, output: MatrixView<'_, S>, targets: Targets<'_, S>) -> Result<S, LossError>;

    /// Tells `note` the smooth piece on which each output lies, row by row, so that a gradient
    /// check sees when a finite difference crosses a kink. A loss that is smooth everywhere notes
    /// nothing.
    fn pieces(&self, output: MatrixView<'_, S>, targets: Targets<'_, S>, note: &mut dyn FnMut(u8)) {
        let _ = (output, targets, note);
    }

    /// What the mean of these targets divides by, where an ordinary example counts 1: `Σ value ·
    /// weight / Σ weight` over batches is the mean over all their examples, however they are cut.
    /// A loss whose mean runs over examples and outputs divides by the outputs besides, and
    /// reports its examples here.
    fn weight(&self, targets: Targets<'_, S>) -> f64 {
        targets.len() as f64
    }

    /// Whether examples of this class count, in the loss and so in an accuracy.
    fn counts(&self, class: usize) -> bool {
        let _ = class;
        true
    }

    /// The output function `O` that the loss applies to the outputs itself. Training then leaves
    /// `O` out of the network, and prediction applies it once.
    fn output_function(&self) -> OutputFunction {
        OutputFunction::Identity
    }

    /// The weight of each class, if the loss has any: what [`crate::parse`] needs beside the name.
    fn class_weights(&self) -> Option<&[f64]> {
        None
    }
}
