//! Matrices of other libraries come and go without a change.

use chainrule_tensor::Matrix;

fn matrix() -> Matrix<f32> {
    Matrix::from_rows(&[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
}

#[test]
fn faer_round_trip() {
    let m = matrix();
    assert_eq!(Matrix::from_faer(m.view().to_faer()), m);
    assert_eq!(Matrix::from_faer(m.view().to_faer().transpose()), m.transpose());
}

#[test]
fn ndarray_round_trip() {
    let m = matrix();
    assert_eq!(Matrix::from_ndarray(m.view().to_ndarray()), m);
    assert_eq!(Matrix::from_ndarray(m.view().to_ndarray().t()), m.transpose());
}
