//! A folder of four IDX files: training and test images with their labels.

use std::path::{Path, PathBuf};

use chainrule_tensor::{Matrix, Scalar};

use super::{IdxArray, read_idx};
use crate::error::reserve;
use crate::{DataError, Dataset, Target};

/// Reads a folder with MNIST's four files, or files of other data in that form (Fashion-MNIST,
/// Kuzushiji-MNIST): training and test data.
///
/// The files are `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, `t10k-images-idx3-ubyte` and
/// `t10k-labels-idx1-ubyte`; `.idx3-ubyte` and `.idx1-ubyte` are as good, and so is `.gz` behind
/// it. A plain file is preferred to a compressed one. Pixels stay numbers from 0 to 255, in the
/// columns `p0`, `p1`, ... (row by row); the classes are the numbers from 0 to the largest label,
/// the target's name is `label`.
///
/// # Errors
/// As [`read_idx`]; a missing file (with the names looked for), images and labels of different
/// numbers, no images, images of different sizes, a single class, too little memory.
///
/// ```no_run
/// let (train, test) = chainrule_data::read_idx_directory::<f32>("mnist")?;
/// assert_eq!((train.len(), test.len(), train.features().cols()), (60_000, 10_000, 784));
/// # Ok::<(), chainrule_data::DataError>(())
/// ```
pub fn read_idx_directory<S: Scalar>(
    folder: impl AsRef<Path>,
) -> Result<(Dataset<S>, Dataset<S>), DataError> {
    let folder = folder.as_ref();
    // All four are looked for before one is read, which takes a while.
    let paths = Parts::find(folder, "train")?;
    let test_paths = Parts::find(folder, "t10k")?;
    let train = paths.read::<S>()?;
    let test = test_paths.read::<S>()?;
    if test.size != train.size {
        return Err(DataError::IdxDimensions {
            file: test_paths.images.display().to_string(),
            found: [&[test.features.rows()], &test.size[..]].concat(),
            expected: format!("images of the size {:?}, as for training", train.size),
        });
    }
    let most = train.labels.iter().chain(&test.labels).max().copied().unwrap_or(0);
    let classes: Vec<String> = (0..=most).map(|class| class.to_string()).collect();
    let name = folder
        .canonicalize()
        .ok()
        .and_then(|folder| Some(folder.file_name()?.to_string_lossy().into_owned()))
        .unwrap_or_else(|| folder.display().to_string());
    if train.labels.iter().all(|label| label == &train.labels[0]) {
        // Other numbers are classes too, but none of them has an example.
        let class = train.labels[0].to_string();
        return Err(DataError::SingleClass { name: format!("{name} (train)"), class });
    }
    let dataset = |part: Part<S>, suffix: &str| {
        let names = (0..part.features.cols()).map(|j| format!("p{j}")).collect();
        let target = Target::Classes { labels: part.labels, names: classes.clone() };
        Ok::<_, DataError>(
            Dataset::new(format!("{name} ({suffix})"), part.features, names, target)?
                .with_target_name("label"),
        )
    };
    Ok((dataset(train, "train")?, dataset(test, "test")?))
}

struct Parts {
    images: PathBuf,
    labels: PathBuf,
}

struct Part<S> {
    features: Matrix<S>,
    labels: Vec<usize>,
    /// The dimensions of one image.
    size: Vec<usize>,
}

impl Parts {
    fn find(folder: &Path, split: &str) -> Result<Self, DataError> {
        let find = |kind: &str, rank: u8| {
            let looked_for: Vec<String> = ["", ".gz"]
                .iter()
                .flat_map(|gz| {
                    ['-', '.'].map(|dot| format!("{split}-{kind}{dot}idx{rank}-ubyte{gz}"))
                })
                .collect();
            let found = looked_for.iter().map(|name| folder.join(name)).find(|path| path.is_file());
            found.ok_or_else(|| DataError::IdxMissing {
                folder: folder.display().to_string(),
                what: format!("{} {kind}", if split == "train" { "training" } else { "test" }),
                looked_for,
            })
        };
        Ok(Self { images: find("images", 3)?, labels: find("labels", 1)? })
    }

    fn read<S: Scalar>(&self) -> Result<Part<S>, DataError> {
        let name = |path: &Path| path.display().to_string();
        let dimensions = |path: &Path, found: &[usize], expected: &str| {
            let (found, expected) = (found.to_vec(), expected.to_owned());
            Err(DataError::IdxDimensions { file: name(path), found, expected })
        };
        let labels = read_idx(&self.labels)?;
        if labels.dims.len() != 1 {
            return dimensions(&self.labels, &labels.dims, "one dimension, a label for each image");
        }
        let IdxArray { dims, data } = read_idx(&self.images)?;
        let [rows, size @ ..] = &dims[..] else { unreachable!("an IDX file has a dimension") };
        let rows = *rows;
        // With no rows the file's length does not bound the other dimensions.
        let columns = size.iter().try_fold(1_usize, |product, &n| product.checked_mul(n));
        let columns = if rows == 0 { 0 } else { columns.unwrap_or(0) };
        if size.is_empty() {
            return dimensions(&self.images, &dims, "images × rows × columns");
        }
        if rows == 0 || columns == 0 {
            return Err(DataError::Empty { name: name(&self.images), rows, columns });
        }
        if labels.dims[0] != rows {
            return Err(DataError::Count {
                name: name(&self.labels),
                what: "labels (one an image)",
                expected: rows,
                found: labels.dims[0],
            });
        }
        let mut features = Matrix::try_zeros(rows, columns)?;
        for (pixel, &byte) in features.as_mut_slice().iter_mut().zip(&data) {
            *pixel = S::of(f64::from(byte));
        }
        let mut classes = Vec::new();
        reserve(&mut classes, rows, "labels")?;
        classes.extend(labels.data.iter().map(|&label| usize::from(label)));
        Ok(Part { features, labels: classes, size: size.to_vec() })
    }
}
