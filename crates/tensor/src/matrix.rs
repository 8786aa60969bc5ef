//! The owned matrix.

use std::ops::{Index, IndexMut};

use crate::{MatrixView, MatrixViewMut, Scalar, TensorError, pages};

/// An owned matrix, (rows × cols), row-major and contiguous; in a batch a row is an example.
///
/// ```
/// use chainrule_tensor::Matrix;
/// let m = Matrix::from_rows(&[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]);
/// assert_eq!((m.rows(), m.cols()), (3, 2));
/// assert_eq!(m[(2, 1)], 6.0);
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Matrix<S> {
    data: Vec<S>,
    rows: usize,
    cols: usize,
}

impl<S: Scalar> Matrix<S> {
    pub(crate) fn from_parts(data: Vec<S>, rows: usize, cols: usize) -> Self {
        debug_assert_eq!(data.len(), rows * cols);
        Self { data, rows, cols }
    }

    /// A matrix of zeros.
    ///
    /// # Panics
    /// If it does not fit into memory; see [`Matrix::try_zeros`] for sizes that come from outside.
    pub fn zeros(rows: usize, cols: usize) -> Self {
        Self::try_zeros(rows, cols).expect("a matrix that fits into memory")
    }

    /// A matrix of zeros, for sizes that come from outside the program.
    ///
    /// # Errors
    /// [`TensorError::TooLarge`] if it does not fit into memory.
    pub fn try_zeros(rows: usize, cols: usize) -> Result<Self, TensorError> {
        let too_large = TensorError::TooLarge { rows, cols };
        let Some(len) = rows.checked_mul(cols) else { return Err(too_large) };
        let mut data = pages::with_capacity(len).map_err(|_| too_large)?;
        data.resize(len, S::zero());
        Ok(Self { data, rows, cols })
    }

    /// A matrix of the values in `data`, row by row.
    ///
    /// # Errors
    /// [`TensorError::Length`] unless `data` holds exactly `rows * cols` values.
    pub fn from_vec(rows: usize, cols: usize, data: Vec<S>) -> Result<Self, TensorError> {
        match rows.checked_mul(cols) {
            Some(len) if len == data.len() => Ok(Self { data, rows, cols }),
            _ => Err(TensorError::Length { rows, cols, found: data.len() }),
        }
    }

    /// A matrix whose rows are the given arrays.
    pub fn from_rows<const N: usize>(rows: &[[S; N]]) -> Self {
        Self { data: rows.as_flattened().to_vec(), rows: rows.len(), cols: N }
    }

    /// A matrix whose rows are the given slices.
    ///
    /// # Errors
    /// [`TensorError::Ragged`] if the rows differ in length.
    pub fn try_from_rows(rows: &[impl AsRef<[S]>]) -> Result<Self, TensorError> {
        let expected = rows.first().map_or(0, |row| row.as_ref().len());
        let mut data = Vec::with_capacity(rows.len() * expected);
        for (row, values) in rows.iter().map(AsRef::as_ref).enumerate() {
            if values.len() != expected {
                return Err(TensorError::Ragged { row, expected, found: values.len() });
            }
            data.extend_from_slice(values);
        }
        Ok(Self { data, rows: rows.len(), cols: expected })
    }

    /// A matrix with the values `f(i, j)`, row by row.
    ///
    /// # Panics
    /// As [`Matrix::zeros`].
    pub fn from_fn(rows: usize, cols: usize, mut f: impl FnMut(usize, usize) -> S) -> Self {
        let mut m = Self::zeros(rows, cols);
        for (i, row) in m.data.chunks_exact_mut(cols.max(1)).enumerate() {
            for (j, value) in row.iter_mut().enumerate() {
                *value = f(i, j);
            }
        }
        m
    }

    /// Number of rows (examples).
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns (units).
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// All values, row by row.
    pub fn as_slice(&self) -> &[S] {
        &self.data
    }

    /// All values, row by row, to write.
    pub fn as_mut_slice(&mut self) -> &mut [S] {
        &mut self.data
    }

    /// The values, row by row.
    pub fn into_vec(self) -> Vec<S> {
        self.data
    }

    /// A view of the whole matrix.
    pub fn view(&self) -> MatrixView<'_, S> {
        self.first_rows(self.rows)
    }

    /// A mutable view of the whole matrix.
    pub fn view_mut(&mut self) -> MatrixViewMut<'_, S> {
        self.first_rows_mut(self.rows)
    }

    /// A view of the first `n` rows: a last, smaller batch in a buffer made for a full one.
    ///
    /// # Panics
    /// If there are fewer rows.
    #[inline]
    pub fn first_rows(&self, n: usize) -> MatrixView<'_, S> {
        assert!(n <= self.rows, "{n} rows of a matrix with {} rows", self.rows);
        MatrixView::of_rows(&self.data[..n * self.cols], n, self.cols)
    }

    /// A mutable view of the first `n` rows.
    ///
    /// # Panics
    /// If there are fewer rows.
    #[inline]
    pub fn first_rows_mut(&mut self, n: usize) -> MatrixViewMut<'_, S> {
        assert!(n <= self.rows, "{n} rows of a matrix with {} rows", self.rows);
        MatrixViewMut::of_rows(&mut self.data[..n * self.cols], n, self.cols)
    }

    /// Row `i`, from 0.
    ///
    /// # Panics
    /// If there is no row `i`.
    pub fn row(&self, i: usize) -> &[S] {
        self.view().row(i)
    }

    /// Row `i`, from 0, to write.
    ///
    /// # Panics
    /// If there is no row `i`.
    pub fn row_mut(&mut self, i: usize) -> &mut [S] {
        assert!(i < self.rows, "row {i} of a matrix with {} rows", self.rows);
        &mut self.data[i * self.cols..(i + 1) * self.cols]
    }

    /// The transposed matrix, (cols × rows).
    pub fn transpose(&self) -> Matrix<S> {
        Matrix::from_fn(self.cols, self.rows, |i, j| self.data[j * self.cols + i])
    }

    /// The same values in another element type, rounded to the nearest.
    pub fn cast<T: Scalar>(&self) -> Matrix<T> {
        let data = self.data.iter().map(|&x| T::of(x.as_f64())).collect();
        Matrix { data, rows: self.rows, cols: self.cols }
    }
}

impl<S: Scalar> Index<(usize, usize)> for Matrix<S> {
    type Output = S;

    fn index(&self, (i, j): (usize, usize)) -> &S {
        &self.row(i)[j]
    }
}

impl<S: Scalar> IndexMut<(usize, usize)> for Matrix<S> {
    fn index_mut(&mut self, (i, j): (usize, usize)) -> &mut S {
        &mut self.row_mut(i)[j]
    }
}

impl<'a, S: Scalar> From<&'a Matrix<S>> for MatrixView<'a, S> {
    fn from(matrix: &'a Matrix<S>) -> Self {
        matrix.view()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_row_major() {
        let m = Matrix::from_fn(2, 3, |i, j| (10 * i + j) as f64);
        assert_eq!(m.as_slice(), [0.0, 1.0, 2.0, 10.0, 11.0, 12.0]);
        assert_eq!(m.transpose().row(1), [1.0, 11.0]);
        assert_eq!(m.transpose().transpose(), m);
    }

    #[test]
    fn wrong_lengths_and_ragged_rows_are_refused() {
        assert_eq!(
            Matrix::from_vec(2, 2, vec![1.0_f32; 3]),
            Err(TensorError::Length { rows: 2, cols: 2, found: 3 })
        );
        assert_eq!(
            Matrix::try_from_rows(&[vec![1.0, 2.0], vec![3.0]]),
            Err(TensorError::Ragged { row: 1, expected: 2, found: 1 })
        );
        assert!(MatrixView::new(&[0.0; 4], usize::MAX, 2).is_err());
    }

    #[test]
    fn sizes_beyond_memory_are_an_error() {
        for (rows, cols) in [(usize::MAX, 2), (1 << 40, 1 << 20)] {
            assert_eq!(
                Matrix::<f64>::try_zeros(rows, cols),
                Err(TensorError::TooLarge { rows, cols })
            );
        }
    }

    #[test]
    fn a_matrix_without_columns_has_no_rows_to_iterate() {
        let m = Matrix::<f32>::zeros(3, 0);
        assert_eq!(m.view().iter_rows().count(), 0);
        assert_eq!(m.rows(), 3);
    }
}
