//! Predictions from raw features.

use chainrule_autograd_manual::Workspace;
use chainrule_tensor::{Matrix, MatrixView, Scalar};
use serde::{Deserialize, Serialize};

use super::{Model, TargetInfo};
use crate::error::{Error, Result};
use crate::metrics::argmax;

/// What a model says of one example.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Answer {
    /// A class.
    Class {
        /// The most probable class.
        class: String,
        /// The probability of each class, in the model's order.
        probabilities: Vec<f64>,
    },
    /// Real values, in the units of the training data.
    Values {
        /// One a target column.
        values: Vec<f64>,
    },
}

/// Predictions for a batch: `ŷ = O(a_L)`, or values in their own units.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction<S> {
    outputs: Matrix<S>,
}

impl<S: Scalar> Prediction<S> {
    /// Probabilities, (examples × classes), or values, (examples × targets).
    pub fn outputs(&self) -> MatrixView<'_, S> {
        self.outputs.view()
    }

    /// The index of the most probable class by example; `None` where an output is NaN.
    pub fn classes(&self) -> impl Iterator<Item = Option<usize>> + '_ {
        self.outputs().iter_rows().map(argmax)
    }
}

/// Rows that go through the network at once.
const BATCH: usize = 256;

impl<S: Scalar> Model<S> {
    /// Predicts for raw features, (examples × features), in the order of the model's features.
    ///
    /// The output function of the loss is applied here, once: softmax for classes (unless the
    /// network ends with that layer); for values the inverse of the target's scaling.
    ///
    /// # Errors
    /// [`Error`](enum@crate::Error) if the number of features differs, memory is short, or an output
    /// is infinite or NaN; it names the row.
    pub fn predict(&self, features: MatrixView<'_, S>) -> Result<Prediction<S>> {
        let mut outputs = Matrix::try_zeros(features.rows(), self.network().outputs())?;
        if features.rows() == 0 {
            return Ok(Prediction { outputs });
        }
        let mut scaled = features.to_matrix();
        self.info().scaler.transform(&mut scaled)?;
        let function = self.loss()?.output_function();
        let mut workspace = Workspace::new(self.network(), features.rows().min(BATCH))?;
        let width = outputs.cols();
        for (i, out) in outputs.as_mut_slice().chunks_mut(BATCH * width).enumerate() {
            let rows = i * BATCH..i * BATCH + out.len() / width;
            let a =
                self.network().predict(scaled.view().rows_range(rows.clone()), &mut workspace)?;
            function.apply(a, chainrule_tensor::MatrixViewMut::new(out, rows.len(), width)?);
            if let Some(at) = out.iter().position(|y| !y.is_finite()) {
                return Err(Error::Mismatch(format!(
                    "the prediction for row {} (counted from 0) is {}: its features, or the \
                     model's weights, are too large; correct the row, or train again",
                    rows.start + at / width,
                    out[at]
                )));
            }
        }
        if let TargetInfo::Values { scaler, .. } = &self.info().target {
            scaler.inverse(&mut outputs)?;
        }
        Ok(Prediction { outputs })
    }

    /// Predicts for one example of raw features.
    ///
    /// # Errors
    /// As [`Model::predict`].
    pub fn predict_one(&self, features: &[S]) -> Result<Answer> {
        let prediction = self.predict(MatrixView::from_row(features))?;
        Ok(self.answer(prediction.outputs().row(0)))
    }

    /// One row of a [`Prediction`] in words.
    pub fn answer(&self, outputs: &[S]) -> Answer {
        let numbers = outputs.iter().map(|y| y.as_f64()).collect();
        match &self.info().target {
            TargetInfo::Classes { classes, .. } => Answer::Class {
                class: argmax(outputs).map_or("NaN".to_owned(), |i| classes[i].clone()),
                probabilities: numbers,
            },
            TargetInfo::Values { .. } => Answer::Values { values: numbers },
        }
    }
}
