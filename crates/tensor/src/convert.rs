//! Conversions from and to faer and ndarray, behind the features of their names.

use crate::{Matrix, MatrixView, Scalar};

#[cfg(feature = "faer")]
impl<S: Scalar> Matrix<S> {
    /// Copies a faer matrix of any strides.
    ///
    /// ```
    /// use chainrule_tensor::Matrix;
    /// let m = Matrix::from_rows(&[[1.0, 2.0], [3.0, 4.0]]);
    /// assert_eq!(Matrix::from_faer(m.view().to_faer()), m);
    /// ```
    pub fn from_faer(m: faer::MatRef<'_, S>) -> Self {
        Self::from_fn(m.nrows(), m.ncols(), |i, j| m[(i, j)])
    }
}

impl<'a, S: Scalar> MatrixView<'a, S> {
    /// The same values as a faer view, without copying.
    #[cfg(feature = "faer")]
    pub fn to_faer(&self) -> faer::MatRef<'a, S> {
        faer::MatRef::from_row_major_slice(self.as_slice(), self.rows(), self.cols())
    }

    /// The same values as an ndarray view, without copying.
    #[cfg(feature = "ndarray")]
    pub fn to_ndarray(&self) -> ndarray::ArrayView2<'a, S> {
        ndarray::ArrayView2::from_shape((self.rows(), self.cols()), self.as_slice())
            .expect("rows · cols values")
    }
}

#[cfg(feature = "ndarray")]
impl<S: Scalar> Matrix<S> {
    /// Copies an ndarray of any strides.
    pub fn from_ndarray(m: ndarray::ArrayView2<'_, S>) -> Self {
        Self::from_fn(m.nrows(), m.ncols(), |i, j| m[(i, j)])
    }
}
