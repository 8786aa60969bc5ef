//! The bundled handwritten digits.

use chainrule_tensor::Scalar;
use flate2::read::GzDecoder;

use crate::{CsvOptions, Dataset, Task, read_csv_from};

static DIGITS: &[u8] = include_bytes!("../assets/digits.csv.gz");

/// The bundled handwritten digits: 1,797 images of 8×8 pixels, (1797 × 64) features with values
/// from 0 to 16 in the columns `p0` to `p63` (row by row), and the classes `0` to `9`.
///
/// Optical Recognition of Handwritten Digits, E. Alpaydin and C. Kaynak, 1998, UCI Machine Learning
/// Repository, CC BY 4.0; the images of its test set, as scikit-learn's `load_digits` has them.
///
/// ```
/// let digits = chainrule_data::digits::<f32>();
/// assert_eq!((digits.len(), digits.features().cols(), digits.outputs()), (1797, 64, 10));
/// ```
///
/// # Panics
/// If the copy does not fit into memory (half a megabyte in `f32`).
pub fn digits<S: Scalar>() -> Dataset<S> {
    let options = CsvOptions {
        target: Some("label".to_owned()),
        task: Some(Task::Classes),
        ..CsvOptions::default()
    };
    read_csv_from(GzDecoder::new(DIGITS), "digits", &options).expect("the bundled digits are whole")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digits_are_whole() {
        let digits = digits::<f64>();
        assert_eq!((digits.features().rows(), digits.features().cols()), (1797, 64));
        assert_eq!(
            digits.class_counts().unwrap(),
            [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
        );
        let pixels = digits.features().as_slice();
        assert!(pixels.iter().all(|&p| p.fract() == 0.0 && (0.0..=16.0).contains(&p)));
        assert!(pixels.contains(&16.0) && pixels.contains(&0.0));
        assert_eq!(digits.features().row(0)[..8], [0.0, 0.0, 5.0, 13.0, 9.0, 1.0, 0.0, 0.0]);
        assert_eq!(digits.feature_names()[63], "p63");
        let names: Vec<String> = (0..10).map(|i| i.to_string()).collect();
        assert_eq!(digits.class_names().unwrap(), names);
        assert_eq!(digits.target_name(), Some("label"));
        assert_eq!(digits.name(), "digits");
    }

    #[test]
    fn three_pixels_never_change() {
        let digits = digits::<f32>();
        let constant = |j: usize| digits.features().iter_rows().all(|row| row[j] == 0.0);
        assert_eq!((0..64).filter(|&j| constant(j)).collect::<Vec<_>>(), [0, 32, 39]);
    }
}
