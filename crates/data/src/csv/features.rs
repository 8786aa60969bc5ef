//! CSV files to predict from.

use std::io::Read;
use std::path::Path;

use chainrule_tensor::{Matrix, MatrixView, Scalar};

use super::open;
use super::table::{Names, Table, parse};
use crate::error::reserve;
use crate::message::{list, shorten};
use crate::{DataError, Place, find_class};

/// Examples to predict from, in the columns that the model was trained on, and the target as text
/// if the file has one.
#[derive(Debug, Clone, PartialEq)]
pub struct Features<S> {
    file: String,
    features: Matrix<S>,
    /// Line of each example, for errors.
    lines: Vec<u64>,
    target_name: Option<String>,
    target: Option<TextColumn>,
}

#[derive(Debug, Clone, PartialEq)]
struct TextColumn {
    column: usize,
    name: String,
    texts: Vec<String>,
}

impl<S: Scalar> Features<S> {
    /// The features, (examples × columns), in the order of the names expected.
    pub fn features(&self) -> MatrixView<'_, S> {
        self.features.view()
    }

    /// The features, owned.
    pub fn into_features(self) -> Matrix<S> {
        self.features
    }

    /// The features to change in place, such as by a scaler.
    pub fn features_mut(&mut self) -> &mut Matrix<S> {
        &mut self.features
    }

    /// Number of examples.
    pub fn len(&self) -> usize {
        self.features.rows()
    }

    /// Always false: a file without examples is an error.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The target column as it stands in the file, if it is there; fields may be empty.
    pub fn target(&self) -> Option<&[String]> {
        self.target.as_ref().map(|target| target.texts.as_slice())
    }

    /// The line of each example in the file, from 1.
    pub fn lines(&self) -> &[u64] {
        &self.lines
    }

    /// The target column as classes: an index into `classes` for each example.
    ///
    /// # Errors
    /// No target column, an empty field, a class that is not among `classes`; with line and column.
    pub fn labels(&self, classes: &[String]) -> Result<Vec<usize>, DataError> {
        self.targets(|text, place| {
            find_class(classes, text).ok_or_else(|| DataError::UnknownClass {
                place: place(),
                text: shorten(text),
                classes: list(classes),
            })
        })
    }

    /// The target column as values, (examples × 1).
    ///
    /// # Errors
    /// No target column, an empty field, text, NaN or infinities; with line and column.
    pub fn values(&self) -> Result<Matrix<S>, DataError> {
        let values = self.targets(|text, place| Ok(S::of(parse::<S>(text, place)?)))?;
        Ok(Matrix::from_vec(values.len(), 1, values)?)
    }

    fn targets<T>(
        &self,
        mut read: impl FnMut(&str, &dyn Fn() -> Place) -> Result<T, DataError>,
    ) -> Result<Vec<T>, DataError> {
        let Some(target) = &self.target else {
            let (file, target) = (self.file.clone(), self.target_name.clone());
            return Err(DataError::NoTarget { file, target });
        };
        let mut values = Vec::new();
        reserve(&mut values, target.texts.len(), "the target")?;
        for (text, &line) in target.texts.iter().zip(&self.lines) {
            let place = || Place {
                file: self.file.clone(),
                line,
                column: target.column + 1,
                name: target.name.clone(),
            };
            if text.is_empty() {
                return Err(DataError::MissingField { place: place() });
            }
            values.push(read(text, &place)?);
        }
        Ok(values)
    }
}

/// Reads a CSV file of examples to predict, for a model that was trained on the columns
/// `expected_names`.
///
/// With a header, columns are matched by name, in any order; the target column `target_name` may be
/// there too and is returned as text. A file whose first line is all numbers, or is numbers but for
/// a last field beyond those expected, has no header (unless the numbers are the very names
/// expected): its columns are matched by position, and one more column is the target. Such a target
/// is the last column, unless the model was trained on a file without a header, where the names
/// `c1`, `c2`, ... tell.
///
/// # Errors
/// As [`read_csv`](crate::read_csv), and for columns that are unknown, missing, or of another
/// number; the error names them.
pub fn read_features<S: Scalar>(
    path: impl AsRef<Path>,
    expected_names: &[String],
    target_name: Option<&str>,
) -> Result<Features<S>, DataError> {
    let (input, file) = open(path.as_ref())?;
    read_features_from(input, &file, expected_names, target_name)
}

/// Reads examples to predict from any source, as [`read_features`]; `name` names it in errors.
///
/// # Errors
/// As [`read_features`].
///
/// ```
/// use chainrule_data::read_features_from;
///
/// let names = ["width", "height"].map(str::to_owned);
/// let text = "height,kind,width\n2,cat,1\n4,dog,3\n";
/// let pets = read_features_from::<f64>(text.as_bytes(), "pets", &names, Some("kind"))?;
/// assert_eq!(pets.features().as_slice(), [1.0, 2.0, 3.0, 4.0]);
/// assert_eq!(pets.target().unwrap(), ["cat", "dog"]);
/// # Ok::<(), chainrule_data::DataError>(())
/// ```
pub fn read_features_from<S: Scalar>(
    input: impl Read,
    name: &str,
    expected_names: &[String],
    target_name: Option<&str>,
) -> Result<Features<S>, DataError> {
    let mut table = Table::open(input, name, None)?;
    let header = has_header(table.first(), expected_names, target_name);
    table.name_columns(if header { Names::Header } else { Names::Numbered })?;
    let (columns, target) =
        match_columns(name, table.columns(), header, expected_names, target_name)?;

    let mut values = Vec::new();
    let mut lines = Vec::new();
    let mut texts = Vec::new();
    while table.advance()? {
        reserve(&mut values, columns.len(), name)?;
        for &j in &columns {
            values.push(S::of(table.number::<S>(j)?));
        }
        if let Some(j) = target {
            reserve(&mut texts, 1, name)?;
            texts.push(table.text(j)?.to_owned());
        }
        reserve(&mut lines, 1, name)?;
        lines.push(table.line());
    }
    if lines.is_empty() {
        return Err(DataError::HeaderOnly { file: name.to_owned() });
    }
    Ok(Features {
        file: name.to_owned(),
        features: Matrix::from_vec(lines.len(), columns.len(), values)?,
        lines,
        target_name: target_name.map(str::to_owned),
        target: target.map(|column| TextColumn {
            column,
            name: table.columns()[column].clone(),
            texts,
        }),
    })
}

fn has_header(first: &[String], expected_names: &[String], target_name: Option<&str>) -> bool {
    let is_number = |field: &String| field.parse::<f64>().is_ok();
    if first.iter().all(is_number) {
        return !expected_names.is_empty()
            && expected_names.iter().all(|name| first.contains(name));
    }
    let known =
        |field: &String| expected_names.contains(field) || Some(field.as_str()) == target_name;
    let text_last = first.len() == expected_names.len() + 1
        && first[..expected_names.len()].iter().all(is_number);
    !text_last || known(&first[expected_names.len()])
}

/// The column of each expected name, and of the target if it is there.
fn match_columns(
    file: &str,
    columns: &[String],
    header: bool,
    expected_names: &[String],
    target_name: Option<&str>,
) -> Result<(Vec<usize>, Option<usize>), DataError> {
    let positions: std::collections::HashMap<&str, usize> =
        columns.iter().enumerate().map(|(j, name)| (name.as_str(), j)).collect();
    let position = |name: &str| positions.get(name).copied();
    let by_name = || expected_names.iter().map(|name| position(name)).collect::<Option<Vec<_>>>();
    let target = target_name.and_then(position);
    let file = file.to_owned();
    if !header {
        let (expected, found) = (expected_names.len(), columns.len());
        return match (found.checked_sub(expected), by_name(), target) {
            (Some(1), Some(by_name), Some(target)) => Ok((by_name, Some(target))),
            (Some(1), ..) if target_name.is_some() => Ok(((0..expected).collect(), Some(expected))),
            (Some(0), ..) => Ok(((0..expected).collect(), None)),
            _ => Err(DataError::ColumnCount { file, expected, found }),
        };
    }
    let expected: std::collections::HashSet<&str> =
        expected_names.iter().map(String::as_str).collect();
    let known = |name: &str| expected.contains(name) || Some(name) == target_name;
    let unknown: Vec<String> = columns.iter().filter(|name| !known(name)).cloned().collect();
    let missing: Vec<String> =
        expected_names.iter().filter(|name| position(name).is_none()).cloned().collect();
    match by_name() {
        _ if !unknown.is_empty() => Err(DataError::UnknownColumn {
            file,
            unknown: list(&unknown),
            expected: list(expected_names),
        }),
        Some(by_name) => Ok((by_name, target)),
        None => {
            let (missing, found) = (list(&missing), list(columns));
            Err(DataError::MissingColumn { file, missing, found })
        }
    }
}
