//! One-hot targets.

use chainrule_tensor::{Matrix, Scalar};

use crate::DataError;

/// The one-hot matrix of the labels, (examples × classes): row `i` is `e(ℓ_i)`, 1 at the example's
/// class and 0 elsewhere.
///
/// # Errors
/// [`DataError::Label`] for a label that is not below `classes`, and a matrix that does not fit
/// into memory.
///
/// ```
/// use chainrule_data::one_hot;
/// let y = one_hot::<f64>(&[2, 0], 3)?;
/// assert_eq!(y.as_slice(), [0.0, 0.0, 1.0, 1.0, 0.0, 0.0]);
/// # Ok::<(), chainrule_data::DataError>(())
/// ```
pub fn one_hot<S: Scalar>(labels: &[usize], classes: usize) -> Result<Matrix<S>, DataError> {
    check_labels(labels, classes)?;
    let mut matrix = Matrix::try_zeros(labels.len(), classes)?;
    for (row, &label) in labels.iter().enumerate() {
        matrix.row_mut(row)[label] = S::one();
    }
    Ok(matrix)
}

pub(crate) fn check_labels(labels: &[usize], classes: usize) -> Result<(), DataError> {
    match labels.iter().position(|&label| label >= classes) {
        Some(row) => Err(DataError::Label { row, label: labels[row], classes }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_outside_the_classes_names_its_row() {
        let error = one_hot::<f32>(&[0, 1, 3], 3).unwrap_err();
        assert!(matches!(error, DataError::Label { row: 2, label: 3, classes: 3 }));
        assert_eq!(error.to_string(), "row 2: label 3 is not one of the 3 classes 0 to 2");
        assert!(one_hot::<f32>(&[0], 0).is_err());
    }

    #[test]
    fn a_matrix_beyond_memory_is_an_error() {
        let error = one_hot::<f64>(&[0, 1], usize::MAX / 2).unwrap_err();
        assert!(matches!(error, DataError::Tensor(_)));
    }
}
