//! The output function `O` of `ŷ = O(a_L)`.

use std::fmt::{self, Display};

use chainrule_tensor::{MatrixView, MatrixViewMut, Scalar, Threads, kernels};
use serde::{Deserialize, Serialize};

/// The output function `O` of `ŷ = O(a_L)` that belongs to a loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputFunction {
    /// `ŷ = a_L`: real values, or a network that ends with its own output function.
    #[default]
    Identity,
    /// `ŷ_j = e^{a_j} / Σ_k e^{a_k}`: one of several classes.
    Softmax,
    /// `ŷ_j = σ(a_j)`: each output a probability of its own.
    Sigmoid,
}

impl OutputFunction {
    /// `ŷ = O(a)`, for a batch (examples × outputs).
    ///
    /// # Panics
    /// If the shapes differ.
    ///
    /// ```
    /// use chainrule_loss::OutputFunction;
    /// use chainrule_tensor::Matrix;
    /// let a = Matrix::from_rows(&[[0.0, 3.0_f64.ln()]]);
    /// let mut y = Matrix::zeros(1, 2);
    /// OutputFunction::Softmax.apply(a.view(), y.view_mut());
    /// assert!((y[(0, 1)] - 0.75).abs() < 1e-15);
    /// ```
    pub fn apply<S: Scalar>(self, a: MatrixView<'_, S>, mut y: MatrixViewMut<'_, S>) {
        assert_eq!((a.rows(), a.cols()), (y.rows(), y.cols()), "shapes differ");
        match self {
            Self::Identity => y.copy_from(a),
            Self::Softmax => kernels::softmax_rows(a, y),
            Self::Sigmoid => {
                let threads = Threads::one();
                kernels::map(a.as_slice(), y.as_mut_slice(), kernels::Sigmoid, &threads);
            }
        }
    }
}

impl Display for OutputFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Identity => "identity",
            Self::Softmax => "softmax",
            Self::Sigmoid => "sigmoid",
        })
    }
}

#[cfg(test)]
mod tests {
    use chainrule_tensor::Matrix;

    use super::*;

    #[test]
    fn each_function_is_applied() {
        let a = Matrix::from_rows(&[[0.0, -1e4, 1e4]]);
        for (function, expected) in [
            (OutputFunction::Identity, [0.0, -1e4, 1e4]),
            (OutputFunction::Softmax, [0.0, 0.0, 1.0]),
            (OutputFunction::Sigmoid, [0.5, 0.0, 1.0]),
        ] {
            let mut y = Matrix::<f64>::zeros(1, 3);
            function.apply(a.view(), y.view_mut());
            assert_eq!(y.as_slice(), expected, "{function}");
        }
    }
}
