//! CSV files.

mod features;
mod lines;
mod precision;
mod table;
mod target;

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use chainrule_tensor::{Matrix, Scalar};

pub use features::{Features, read_features, read_features_from};

use crate::error::reserve;
use crate::message::list;
use crate::{DataError, Dataset, Target, Task};
use precision::Precision;
use table::{Names, Table};
use target::Column;

/// How a CSV file is read; the default detects everything.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CsvOptions {
    /// The name of the target column; without one, the last column.
    pub target: Option<String>,
    /// Classes or values; without one it follows the target: text, or few distinct whole numbers,
    /// are classes.
    pub task: Option<Task>,
    /// The delimiter; without one, the most frequent of `,`, `;` and tab in the first line.
    pub delimiter: Option<u8>,
    /// Whether the first line holds the columns' names; without a word, it does unless all its
    /// fields are numbers.
    pub header: Option<bool>,
}

/// Reads a CSV file: one example a line, one column of it the target.
///
/// **Header.** The first line names the columns. If all its fields are numbers, the file has no
/// header; the columns are then called `c1`, `c2`, ... and the target is the last.
///
/// **Target.** Real values, or classes: text, or whole numbers of which there are few (at most two
/// distinct ones, or at most 20 that occur twice on average). [`Dataset::task`] says which it took,
/// [`CsvOptions::task`] chooses. Classes that are numbers are sorted as numbers, others as text.
/// NaN and infinities are refused in every column, and so are numbers too close together for `S`:
/// those that rounding moves by more than a thousandth of their column's range, such as times in
/// seconds since 1970 within one hour, in `f32`.
///
/// **Format.** UTF-8 with or without a byte order mark, any line ends, quoted fields, spaces around
/// fields, blank lines at the end. Memory grows with what the file really holds.
///
/// # Errors
/// One for everything that a file can do wrong, with file, line and column: empty or without
/// examples, ragged lines, a quote that is never closed, text where numbers belong, empty fields,
/// NaN or infinities, no UTF-8, columns without a name or with the same name, numbers too
/// close together for `S`, an unknown target (the columns are listed), a target without features, a
/// single class.
///
/// ```no_run
/// use chainrule_data::{CsvOptions, read_csv};
/// let options = CsvOptions { target: Some("species".to_owned()), ..CsvOptions::default() };
/// let iris = read_csv::<f32>("iris.csv", &options)?;
/// println!("{} rows, {:?}", iris.len(), iris.task());
/// # Ok::<(), chainrule_data::DataError>(())
/// ```
pub fn read_csv<S: Scalar>(
    path: impl AsRef<Path>,
    options: &CsvOptions,
) -> Result<Dataset<S>, DataError> {
    let (input, file) = open(path.as_ref())?;
    let mut data: Dataset<S> = read_csv_from(input, &file, options)?;
    if let Some(name) = path.as_ref().file_name() {
        data.rename(name.to_string_lossy());
    }
    Ok(data)
}

/// Reads CSV from any source, as [`read_csv`]; `name` names it in errors and is the data set's name.
///
/// # Errors
/// As [`read_csv`].
///
/// ```
/// use chainrule_data::{CsvOptions, Task, read_csv_from};
///
/// let text = "width,height,kind\n1,2,cat\n3,4,dog\n5,6,cat\n";
/// let data = read_csv_from::<f64>(text.as_bytes(), "pets", &CsvOptions::default())?;
/// assert_eq!(data.task(), Task::Classes);
/// assert_eq!(data.class_names().unwrap(), ["cat", "dog"]);
/// assert_eq!(data.labels().unwrap(), [0, 1, 0]);
///
/// let text = "width,height,kind\n1,2,cat\n3,high,dog\n";
/// let error = read_csv_from::<f64>(text.as_bytes(), "pets", &CsvOptions::default()).unwrap_err();
/// assert!(error.to_string().starts_with("pets, line 3, column 2 (`height`): expected a number"));
/// # Ok::<(), chainrule_data::DataError>(())
/// ```
pub fn read_csv_from<S: Scalar>(
    input: impl Read,
    name: &str,
    options: &CsvOptions,
) -> Result<Dataset<S>, DataError> {
    let mut table = Table::open(input, name, options.delimiter)?;
    let numbers = |fields: &[String]| fields.iter().all(|field| field.parse::<f64>().is_ok());
    let header = options.header.unwrap_or_else(|| !numbers(table.first()));
    table.name_columns(if header { Names::Header } else { Names::Numbered })?;

    let columns = table.columns().to_vec();
    let target = match &options.target {
        None => columns.len() - 1,
        Some(target) => columns.iter().position(|column| column == target).ok_or_else(|| {
            let (file, target) = (name.to_owned(), target.clone());
            DataError::UnknownTarget { file, target, columns: list(&columns) }
        })?,
    };
    let (file, target_name) = (name.to_owned(), columns[target].clone());
    if columns.len() == 1 {
        return Err(DataError::OnlyTarget { file, target: target_name });
    }

    let mut features = Vec::new();
    let mut precision = vec![Precision::new(); columns.len()];
    let mut column = Column::new(table.place(0, target));
    while table.advance()? {
        reserve(&mut features, columns.len() - 1, name)?;
        for j in (0..columns.len()).filter(|&j| j != target) {
            features.push(precision[j].round::<S>(table.number::<S>(j)?));
        }
        column.push(table.filled(target)?, table.line())?;
    }
    if column.is_empty() {
        return Err(DataError::HeaderOnly { file });
    }
    for j in (0..columns.len()).filter(|&j| j != target) {
        precision[j].check::<S>(|| table.place(0, j))?;
    }
    // "5.1,3.5,setosa" is no header, though not all of it is numbers.
    let doubtful = header && options.header.is_none() && options.target.is_none();
    if doubtful && numbers(&columns[..target]) && column.contains(&target_name) {
        return Err(DataError::HeaderIsExample { file, text: target_name });
    }

    let mut feature_names = columns;
    feature_names.remove(target);
    let features = Matrix::from_vec(column.len(), feature_names.len(), features)?;
    let target = column.finish(options.task)?;
    if let Target::Classes { names, .. } = &target
        && let [class] = names.as_slice()
    {
        return Err(DataError::SingleClass { name: file, class: class.clone() });
    }
    Ok(Dataset::new(name, features, feature_names, target)?.with_target_name(target_name))
}

fn open(path: &Path) -> Result<(File, String), DataError> {
    let file = path.display().to_string();
    let failed = |source| DataError::Io { file: file.clone(), source };
    let input = File::open(path).map_err(failed)?;
    if input.metadata().map_err(failed)?.is_dir() {
        return Err(failed(io::Error::from(io::ErrorKind::IsADirectory)));
    }
    Ok((input, file))
}
