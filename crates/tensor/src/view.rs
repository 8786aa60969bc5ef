//! Borrowed matrices: contiguous, row-major, one example a row.

use std::ops::{Index, IndexMut, Range};

use crate::{Matrix, Scalar, TensorError};

/// A borrowed matrix, (rows × cols), row-major and contiguous.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MatrixView<'a, S> {
    data: &'a [S],
    rows: usize,
    cols: usize,
}

/// A mutably borrowed matrix, (rows × cols), row-major and contiguous.
#[derive(Debug, PartialEq)]
pub struct MatrixViewMut<'a, S> {
    data: &'a mut [S],
    rows: usize,
    cols: usize,
}

fn check_length(found: usize, rows: usize, cols: usize) -> Result<(), TensorError> {
    if rows.checked_mul(cols) == Some(found) {
        Ok(())
    } else {
        Err(TensorError::Length { rows, cols, found })
    }
}

impl<'a, S: Scalar> MatrixView<'a, S> {
    /// Reads `data` as a (rows × cols) matrix, row by row.
    ///
    /// # Errors
    /// [`TensorError::Length`] unless `data` holds exactly `rows * cols` values.
    ///
    /// ```
    /// use chainrule_tensor::MatrixView;
    /// let m = MatrixView::new(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 2, 3)?;
    /// assert_eq!(m.row(1), [4.0, 5.0, 6.0]);
    /// # Ok::<(), chainrule_tensor::TensorError>(())
    /// ```
    pub fn new(data: &'a [S], rows: usize, cols: usize) -> Result<Self, TensorError> {
        check_length(data.len(), rows, cols)?;
        Ok(Self { data, rows, cols })
    }

    /// As [`MatrixView::new`], of a length that is known to fit.
    #[inline]
    pub(crate) fn of_rows(data: &'a [S], rows: usize, cols: usize) -> Self {
        debug_assert_eq!(data.len(), rows * cols);
        Self { data, rows, cols }
    }

    /// One example as a (1 × n) matrix.
    pub fn from_row(row: &'a [S]) -> Self {
        Self { data: row, rows: 1, cols: row.len() }
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
    pub fn as_slice(&self) -> &'a [S] {
        self.data
    }

    /// Row `i`, from 0.
    ///
    /// # Panics
    /// If there is no row `i`.
    pub fn row(&self, i: usize) -> &'a [S] {
        assert!(i < self.rows, "row {i} of a matrix with {} rows", self.rows);
        &self.data[i * self.cols..(i + 1) * self.cols]
    }

    /// The rows, one slice each (none where the matrix has no columns).
    pub fn iter_rows(&self) -> std::slice::ChunksExact<'a, S> {
        self.data.chunks_exact(self.cols.max(1))
    }

    /// The given range of rows.
    ///
    /// # Panics
    /// If the range leaves the matrix.
    pub fn rows_range(&self, range: Range<usize>) -> MatrixView<'a, S> {
        let rows = self.rows;
        assert!(range.start <= range.end && range.end <= rows, "rows {range:?} of {rows}");
        let data = &self.data[range.start * self.cols..range.end * self.cols];
        MatrixView { data, rows: range.len(), cols: self.cols }
    }

    /// An owned copy.
    pub fn to_matrix(&self) -> Matrix<S> {
        Matrix::from_parts(self.data.to_vec(), self.rows, self.cols)
    }
}

impl<'a, S: Scalar> MatrixViewMut<'a, S> {
    /// Reads `data` as a (rows × cols) matrix, row by row.
    ///
    /// # Errors
    /// [`TensorError::Length`] unless `data` holds exactly `rows * cols` values.
    pub fn new(data: &'a mut [S], rows: usize, cols: usize) -> Result<Self, TensorError> {
        check_length(data.len(), rows, cols)?;
        Ok(Self { data, rows, cols })
    }

    /// As [`MatrixViewMut::new`], of a length that is known to fit.
    #[inline]
    pub(crate) fn of_rows(data: &'a mut [S], rows: usize, cols: usize) -> Self {
        debug_assert_eq!(data.len(), rows * cols);
        Self { data, rows, cols }
    }

    /// One example as a (1 × n) matrix.
    pub fn from_row(row: &'a mut [S]) -> Self {
        let cols = row.len();
        Self { data: row, rows: 1, cols }
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
        self.data
    }

    /// All values, row by row, to write.
    pub fn as_mut_slice(&mut self) -> &mut [S] {
        self.data
    }

    /// The values as long as the original borrow lasts.
    pub fn into_slice(self) -> &'a mut [S] {
        self.data
    }

    /// A read-only view.
    pub fn view(&self) -> MatrixView<'_, S> {
        MatrixView { data: self.data, rows: self.rows, cols: self.cols }
    }

    /// A shorter mutable borrow of the same matrix.
    pub fn view_mut(&mut self) -> MatrixViewMut<'_, S> {
        MatrixViewMut { data: self.data, rows: self.rows, cols: self.cols }
    }

    /// Row `i`, from 0, to write.
    ///
    /// # Panics
    /// If there is no row `i`.
    pub fn row_mut(&mut self, i: usize) -> &mut [S] {
        assert!(i < self.rows, "row {i} of a matrix with {} rows", self.rows);
        &mut self.data[i * self.cols..(i + 1) * self.cols]
    }

    /// The rows, one slice each, to write (none where the matrix has no columns).
    pub fn iter_rows_mut(&mut self) -> std::slice::ChunksExactMut<'_, S> {
        self.data.chunks_exact_mut(self.cols.max(1))
    }

    /// Copies `source`.
    ///
    /// # Panics
    /// If the shapes differ.
    pub fn copy_from(&mut self, source: MatrixView<'_, S>) {
        assert_eq!((self.rows, self.cols), (source.rows, source.cols), "shapes differ");
        self.data.copy_from_slice(source.data);
    }
}

impl<S: Scalar> Index<(usize, usize)> for MatrixView<'_, S> {
    type Output = S;

    fn index(&self, (i, j): (usize, usize)) -> &S {
        &self.row(i)[j]
    }
}

impl<S: Scalar> Index<(usize, usize)> for MatrixViewMut<'_, S> {
    type Output = S;

    fn index(&self, (i, j): (usize, usize)) -> &S {
        assert!(j < self.cols, "column {j} of a matrix with {} columns", self.cols);
        &self.data[i * self.cols + j]
    }
}

impl<S: Scalar> IndexMut<(usize, usize)> for MatrixViewMut<'_, S> {
    fn index_mut(&mut self, (i, j): (usize, usize)) -> &mut S {
        &mut self.row_mut(i)[j]
    }
}
