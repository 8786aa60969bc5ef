//! The cross-entropy from logits, fused with softmax.

mod terms;

use chainrule_tensor::kernels::{self, RowSum};
use chainrule_tensor::{MatrixView, MatrixViewMut, Scalar};
use serde::{Deserialize, Serialize};

use crate::{Loss, LossError, OutputFunction, Reduction, Targets, check};
use terms::{Terms, sum_without};

/// The cross-entropy from logits `a = a_L`, fused with softmax: for `ŷ = softmax(a)` and the true
/// class ℓ
///
/// `L = −ln ŷ_ℓ = ln Σ_j e^{a_j} − a_ℓ`, `∇_a L = −(e(ℓ) − ŷ)`,
///
/// averaged over the examples. Nothing overflows and nothing cancels where logits are large. The
/// options follow PyTorch's `cross_entropy`. With `K` classes, class weights `w` (1 without the
/// option) and label smoothing `ε`:
///
/// | targets | an example's loss | the mean divides by |
/// | --- | --- | --- |
/// | class ℓ | `−(1−ε) w_ℓ ln ŷ_ℓ − ε/K Σ_j w_j ln ŷ_j` | `Σ w_ℓ` of the examples |
/// | probabilities `y` | `−Σ_j w_j ((1−ε) y_j + ε/K) ln ŷ_j` | the number of examples |
///
/// Examples of the ignored class, which need not be among the `K`, give no loss, a gradient of 0,
/// and do not count in the mean. The gradient of every example sums to 0. Probabilities are not
/// checked to sum to 1. Source: the lecture's module 4.5, PyTorch's documentation of
/// `torch.nn.CrossEntropyLoss`.
///
/// ```
/// use chainrule_loss::{CrossEntropy, Loss, Targets};
/// use chainrule_tensor::Matrix;
///
/// let loss = CrossEntropy::new().with_class_weights(vec![1.0, 3.0])?.with_label_smoothing(0.1)?;
/// let logits = Matrix::from_rows(&[[0.0_f64, 0.0], [0.0, 0.0]]);
/// let value = loss.value(logits.view(), Targets::Classes(&[0, 1]))?;
/// assert!((value - 2.0_f64.ln()).abs() < 1e-15);
/// # Ok::<(), chainrule_loss::LossError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(try_from = "Fields")]
pub struct CrossEntropy {
    #[serde(skip_serializing_if = "Option::is_none")]
    class_weights: Option<Vec<f64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ignore_index: Option<usize>,
    label_smoothing: f64,
    reduction: Reduction,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Fields {
    class_weights: Option<Vec<f64>>,
    ignore_index: Option<usize>,
    label_smoothing: f64,
    reduction: Reduction,
}

impl TryFrom<Fields> for CrossEntropy {
    type Error = LossError;

    fn try_from(fields: Fields) -> Result<Self, LossError> {
        let Fields { class_weights, ignore_index, label_smoothing, reduction } = fields;
        let loss = Self { ignore_index, reduction, ..Self::default() };
        let loss = loss.with_label_smoothing(label_smoothing)?;
        match class_weights {
            Some(weights) => loss.with_class_weights(weights),
            None => Ok(loss),
        }
    }
}

impl CrossEntropy {
    pub(crate) const NAME: &'static str = "cross_entropy";

    /// No option; the mean over examples.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same loss with a weight for each class.
    ///
    /// # Errors
    /// [`LossError::ClassWeight`] unless all are finite and at least 0, and there is one.
    pub fn with_class_weights(mut self, weights: Vec<f64>) -> Result<Self, LossError> {
        let wrong = weights.iter().position(|w| !(w.is_finite() && *w >= 0.0));
        if let Some(class) = wrong {
            return Err(LossError::ClassWeight { class, weight: weights[class] });
        }
        if weights.is_empty() {
            return Err(LossError::ClassWeightCount { classes: 1, found: 0 });
        }
        self.class_weights = Some(weights);
        Ok(self)
    }

    /// The same loss, leaving out the examples with this label.
    pub fn with_ignore_index(self, class: usize) -> Self {
        Self { ignore_index: Some(class), ..self }
    }

    /// The same loss with the share `ε` of every target spread over all classes (Szegedy et al.,
    /// Rethinking the inception architecture, 2016).
    ///
    /// # Errors
    /// [`LossError::LabelSmoothing`] unless it is in [0, 1].
    pub fn with_label_smoothing(self, label_smoothing: f64) -> Result<Self, LossError> {
        if (0.0..=1.0).contains(&label_smoothing) {
            Ok(Self { label_smoothing, ..self })
        } else {
            Err(LossError::LabelSmoothing(label_smoothing))
        }
    }

    /// The same loss with another reduction.
    pub fn with_reduction(self, reduction: Reduction) -> Self {
        Self { reduction, ..self }
    }

    /// The ignored class.
    pub fn ignore_index(&self) -> Option<usize> {
        self.ignore_index
    }

    /// The share of every target that is spread over all classes.
    pub fn label_smoothing(&self) -> f64 {
        self.label_smoothing
    }

    #[inline(always)]
    fn class_weight(&self, class: usize) -> f64 {
        self.class_weights.as_ref().map_or(1.0, |weights| weights[class])
    }

    /// Whether it has no option but the reduction.
    fn is_plain(&self) -> bool {
        self.class_weights.is_none() && self.ignore_index.is_none() && self.label_smoothing == 0.0
    }

    /// Checks everything; what the sum over the examples is multiplied with.
    fn scale<S: Scalar>(
        &self,
        output: MatrixView<'_, S>,
        targets: Targets<'_, S>,
    ) -> Result<f64, LossError> {
        let (rows, classes) = (output.rows(), output.cols());
        check::output(output)?;
        if let Some(weights) = self.class_weights.as_ref().filter(|w| w.len() != classes) {
            return Err(LossError::ClassWeightCount { classes, found: weights.len() });
        }
        // A weight that rounds to 0 or infinity would end in 0 · ∞.
        let lost = |&w: &f64| w != 0.0 && !S::of(w).is_normal();
        if let Some(weights) = &self.class_weights
            && let Some(class) = weights.iter().position(lost)
        {
            let (weight, scalar) = (weights[class], S::NAME);
            return Err(LossError::ClassWeightRange { class, weight, scalar });
        }
        let labels = match targets {
            Targets::Classes(labels) => labels,
            Targets::Values(values) => {
                check::values(output, values)?;
                return match self.ignore_index {
                    Some(ignore_index) => Err(LossError::IgnoreIndexWithValues { ignore_index }),
                    None => Ok(self.reduction.scale(rows)),
                };
            }
        };
        let (mut kept, mut total_weight) = (0_usize, 0.0);
        check::classes(output, labels, self.ignore_index, |class| {
            kept += 1;
            total_weight += self.class_weight(class);
        })?;
        match (self.ignore_index, self.reduction) {
            (Some(ignore_index), _) if kept == 0 => {
                Err(LossError::AllIgnored { rows, ignore_index })
            }
            (_, Reduction::Sum) => Ok(1.0),
            (_, Reduction::Mean) if total_weight == 0.0 => Err(LossError::ZeroWeight { rows }),
            (_, Reduction::Mean) => Ok(1.0 / total_weight),
        }
    }

    fn row_terms<'a, S: Scalar>(&'a self, classes: usize) -> Terms<'a, S> {
        let weights = self.class_weights.as_deref();
        let total_weight = weights.map_or(classes as f64, |weights| weights.iter().sum::<f64>());
        Terms {
            weights,
            smoothed: self.label_smoothing > 0.0,
            kept: S::of(1.0 - self.label_smoothing),
            share: S::of(self.label_smoothing / classes as f64),
            spread: S::of(self.label_smoothing / classes as f64 * total_weight),
        }
    }
}

impl<S: Scalar> Loss<S> for CrossEntropy {
    fn name(&self) -> String {
        let mut options = Vec::new();
        if let Some(class) = self.ignore_index {
            options.push(format!("ignore_index={class}"));
        }
        if self.label_smoothing > 0.0 {
            options.push(format!("label_smoothing={}", self.label_smoothing));
        }
        if self.class_weights.is_some() {
            options.push("class_weights".to_owned());
        }
        if options.is_empty() {
            return Self::NAME.to_owned();
        }
        format!("{}({})", Self::NAME, options.join(","))
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
        let scale = self.scale(output, targets)?;
        check::gradient(output, &gradient)?;
        let (terms, factor) = (self.row_terms(output.cols()), S::of(scale));
        let mut total = 0.0;
        match targets {
            Targets::Classes(labels) if self.is_plain() => {
                let a = output.as_slice();
                kernels::scaled_exponential_rows(
                    output,
                    gradient,
                    #[inline(always)]
                    |others| factor / (S::one() + others),
                    #[inline(always)]
                    |i, RowSum { max, others, ln_sum }, e| {
                        let class = labels[i];
                        total += ((max - a[i * output.cols() + class]) + ln_sum).as_f64();
                        let factor = factor / (S::one() + others);
                        Some((class, -factor * sum_without(others, e(class))))
                    },
                );
            }
            Targets::Classes(labels) => {
                kernels::exponential_rows(
                    output,
                    gradient,
                    #[inline(always)]
                    |i, e, sum| {
                        let class = labels[i];
                        if Some(class) == self.ignore_index {
                            return e.fill(S::zero());
                        }
                        total +=
                            terms.class_value(output.row(i), class, sum.max, sum.ln_sum).as_f64();
                        terms.class_gradient(e, class, sum.others, factor);
                    },
                );
            }
            Targets::Values(values) => {
                kernels::exponential_rows(
                    output,
                    gradient,
                    #[inline(always)]
                    |i, e, sum| {
                        let y = values.row(i);
                        total += terms.soft_value(output.row(i), y, sum.max, sum.ln_sum).as_f64();
                        terms.soft_gradient(e, y, S::one() + sum.others, factor);
                    },
                );
            }
        }
        Ok(S::of(total * scale))
    }

    fn value(&self, output: MatrixView<'_, S>, targets: Targets<'_, S>) -> Result<S, LossError> {
        let scale = self.scale(output, targets)?;
        let terms = self.row_terms(output.cols());
        let mut total = 0.0;
        kernels::exponential_sums(output, |i, RowSum { max, ln_sum, .. }| {
            let a = output.row(i);
            let value: S = match targets {
                Targets::Classes(labels) if Some(labels[i]) == self.ignore_index => return,
                Targets::Classes(labels) => terms.class_value(a, labels[i], max, ln_sum),
                Targets::Values(values) => terms.soft_value(a, values.row(i), max, ln_sum),
            };
            total += value.as_f64();
        });
        Ok(S::of(total * scale))
    }

    /// Of classes `Σ w_ℓ` without the ignored; a label that is no class counts 0. Of
    /// probabilities the number of examples.
    fn weight(&self, targets: Targets<'_, S>) -> f64 {
        let Targets::Classes(labels) = targets else { return targets.len() as f64 };
        let kept = labels.iter().filter(|&&class| Some(class) != self.ignore_index);
        match &self.class_weights {
            None => kept.count() as f64,
            Some(weights) => kept.filter_map(|&class| weights.get(class)).sum(),
        }
    }

    /// All but the ignored class.
    fn counts(&self, class: usize) -> bool {
        Some(class) != self.ignore_index
    }

    fn output_function(&self) -> OutputFunction {
        OutputFunction::Softmax
    }

    fn class_weights(&self) -> Option<&[f64]> {
        self.class_weights.as_deref()
    }
}
