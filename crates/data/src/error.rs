//! What can go wrong with data.

use std::fmt;
use std::io;

use chainrule_tensor::TensorError;
use thiserror::Error;

use crate::message::shorten;

/// A field of a file: where an error is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file, as it was named.
    pub file: String,
    /// The line, from 1.
    pub line: u64,
    /// The column, from 1.
    pub column: usize,
    /// The column's name; empty where it has none.
    pub name: String,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, line {}, column {}", self.file, self.line, self.column)?;
        if self.name.is_empty() { Ok(()) } else { write!(f, " (`{}`)", shorten(&self.name)) }
    }
}

/// An error of this crate. Rows and columns of matrices count from 0, lines and columns of files
/// from 1.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DataError {
    /// A file cannot be opened or read.
    #[error("{file}: {source}")]
    Io {
        /// The file or folder, as it was named.
        file: String,
        /// What the operating system says.
        source: io::Error,
    },
    /// A matrix is too large or of the wrong shape.
    #[error(transparent)]
    Tensor(#[from] TensorError),
    /// Memory ran out while something was read or built.
    #[error("{what}: {count} items do not fit into memory; use fewer rows")]
    OutOfMemory {
        /// What was read or built.
        what: String,
        /// How many items it would hold.
        count: usize,
    },
    /// A setting has a value that makes no sense.
    #[error("{setting} cannot be {value}; use {expected}")]
    Setting {
        /// The setting's name.
        setting: &'static str,
        /// The value found.
        value: String,
        /// The values that are possible.
        expected: &'static str,
    },

    /// A data set without rows or without columns.
    #[error("{name} has {rows} rows and {columns} feature columns; it needs at least one of each")]
    Empty {
        /// The data set or file.
        name: String,
        /// Rows found.
        rows: usize,
        /// Feature columns found.
        columns: usize,
    },
    /// Two parts that belong together differ in length.
    #[error("{name}: {expected} {what} expected, found {found}; they must match one to one")]
    Count {
        /// The data set or file.
        name: String,
        /// What is counted.
        what: &'static str,
        /// How many there should be.
        expected: usize,
        /// How many there are.
        found: usize,
    },
    /// A name that occurs twice.
    #[error("{name}: the {what} `{repeated}` occurs twice; names must differ")]
    RepeatedName {
        /// The data set.
        name: String,
        /// What is named.
        what: &'static str,
        /// The repeated name.
        repeated: String,
    },
    /// A label that names no class.
    #[error("row {row}: label {label} is not one of the {classes} classes 0 to {}", .classes.saturating_sub(1))]
    Label {
        /// The row, from 0.
        row: usize,
        /// The label found.
        label: usize,
        /// Number of classes.
        classes: usize,
    },
    /// NaN or an infinity in a matrix.
    #[error("{what}, row {row}, column {column}: {value} is not a finite number; correct the data")]
    NotFinite {
        /// The matrix.
        what: String,
        /// The row, from 0.
        row: usize,
        /// The column, from 0.
        column: usize,
        /// The value found.
        value: f64,
    },
    /// All examples have one class, so that there is nothing to learn.
    #[error("{name}: the target has a single class `{class}`; classification needs at least two")]
    SingleClass {
        /// The data set or file.
        name: String,
        /// The only class.
        class: String,
    },
    /// A split that cannot give both parts what they need.
    #[error(
        "cannot hold out {test} of {rows} rows while {needed} stay for training (one of each class); \
         use more rows or a smaller fraction"
    )]
    TooFewRows {
        /// Rows to split.
        rows: usize,
        /// Rows wanted for the part held out.
        test: usize,
        /// Rows that training needs at least.
        needed: usize,
    },
    /// A scaler meets data of another width.
    #[error("the scaler was fitted to {expected} columns, found {found}; pass the same columns")]
    ScalerColumns {
        /// Columns it was fitted to.
        expected: usize,
        /// Columns found.
        found: usize,
    },
    /// A column whose statistics leave the range of `f64`, or a stored scaler that makes no sense.
    #[error(
        "scaler, column {column}: shift {shift:e}, scale {scale:e}; both must be finite, the scale ≥ 0"
    )]
    ScalerStatistics {
        /// The column, from 0.
        column: usize,
        /// The shift found.
        shift: f64,
        /// The scale found.
        scale: f64,
    },

    /// A file without content.
    #[error("{file} is empty; expected a header line and at least one example")]
    EmptyFile {
        /// The file.
        file: String,
    },
    /// A file with a header and nothing else.
    #[error("{file} holds a header but no examples; add at least one line of data")]
    HeaderOnly {
        /// The file.
        file: String,
    },
    /// A line with too many or too few fields.
    #[error("{file}, line {line}: found {found} fields, expected {expected} as in the first line")]
    Ragged {
        /// The file.
        file: String,
        /// The line, from 1.
        line: u64,
        /// Fields in the first line.
        expected: usize,
        /// Fields in this line.
        found: usize,
    },
    /// A quote that is never closed: all lines after it would be one field.
    #[error(
        "{file}, line {line}: a quote opens a field and is never closed; close it, or write `\"\"` \
         for a quote in a quoted field"
    )]
    UnclosedQuote {
        /// The file.
        file: String,
        /// The line of the quote, from 1.
        line: u64,
    },
    /// Text where a number belongs.
    #[error(
        "{place}: expected a number, found `{text}`; correct the field or leave out the column"
    )]
    NotANumber {
        /// The field.
        place: Place,
        /// What stands there.
        text: String,
    },
    /// NaN, an infinity, or a number too large for the element type.
    #[error("{place}: `{text}` is not a finite {element}; correct the field or leave out the row")]
    NotFiniteField {
        /// The field.
        place: Place,
        /// What stands there.
        text: String,
        /// The element type, `f32` or `f64`.
        element: &'static str,
    },
    /// Numbers that the element type does not tell apart.
    #[error(
        "{file}, column {column} (`{name}`): the numbers from {low} to {high} are too close together \
         for {element}, which moves them by up to {moved:.1e}; subtract an offset from the column"
    )]
    Precision {
        /// The file.
        file: String,
        /// The column, from 1.
        column: usize,
        /// The column's name.
        name: String,
        /// The lowest number.
        low: f64,
        /// The highest number.
        high: f64,
        /// How far rounding moves one of them.
        moved: f64,
        /// The element type, `f32` or `f64`.
        element: &'static str,
    },
    /// A field with nothing in it.
    #[error("{place}: the field is empty; fill it in or leave out the row")]
    MissingField {
        /// The field.
        place: Place,
    },
    /// Bytes that are not UTF-8.
    #[error("{place}: the field is not UTF-8 text; save the file as UTF-8")]
    NotUtf8 {
        /// The field.
        place: Place,
    },
    /// A line that never ends: no text file.
    #[error("{file}: a line is longer than {limit} bytes; this is no CSV file")]
    LineTooLong {
        /// The file.
        file: String,
        /// The most bytes a line may have.
        limit: usize,
    },
    /// A column without a name in the header.
    #[error("{place}: the column has no name; name every column in the header")]
    UnnamedColumn {
        /// The field in the header.
        place: Place,
    },
    /// Two columns of one name.
    #[error("{place}: column {first} has the same name; name every column differently")]
    DuplicateColumn {
        /// The field in the header.
        place: Place,
        /// The earlier column, from 1.
        first: usize,
    },
    /// A target column that the file does not have.
    #[error("{file} has no column `{target}` to take as the target; it has {columns}")]
    UnknownTarget {
        /// The file.
        file: String,
        /// The name asked for.
        target: String,
        /// The columns there are.
        columns: String,
    },
    /// The target is the only column.
    #[error("{file}: `{target}` is the only column; a target needs features to be learnt from")]
    OnlyTarget {
        /// The file.
        file: String,
        /// The target column.
        target: String,
    },
    /// The first line was read as a header, but it reads like the others.
    #[error(
        "{file}, line 1 reads like an example, not like column names (its last field `{text}` is \
         a class of later lines); add a header line"
    )]
    HeaderIsExample {
        /// The file.
        file: String,
        /// The last field of the first line.
        text: String,
    },
    /// Columns that a model does not know.
    #[error(
        "{file}: unknown column {unknown}; the model was trained on {expected}; leave out what it does not know"
    )]
    UnknownColumn {
        /// The file.
        file: String,
        /// The unknown columns.
        unknown: String,
        /// The columns it was trained on.
        expected: String,
    },
    /// Columns that a model needs and the file does not have.
    #[error("{file}: missing column {missing}; the file has {found}")]
    MissingColumn {
        /// The file.
        file: String,
        /// The missing columns.
        missing: String,
        /// The columns the file has.
        found: String,
    },
    /// A file without a header whose number of columns is not the model's.
    #[error(
        "{file} has no header and {found} columns, the model takes {expected}; \
         give as many, or a header with their names"
    )]
    ColumnCount {
        /// The file.
        file: String,
        /// Columns the model takes.
        expected: usize,
        /// Columns found.
        found: usize,
    },
    /// A target that is needed and not there.
    #[error("{file} has no target column{}; evaluation needs one", .target.as_ref().map(|t| format!(" `{t}`")).unwrap_or_default())]
    NoTarget {
        /// The file.
        file: String,
        /// Its name, where it has one.
        target: Option<String>,
    },
    /// A class that the model was not trained on.
    #[error("{place}: unknown class `{text}`; the model knows {classes}")]
    UnknownClass {
        /// The field.
        place: Place,
        /// What stands there.
        text: String,
        /// The classes there are.
        classes: String,
    },

    /// Compressed data that does not unpack.
    #[error("{file}: the gzip data is damaged or ends early ({source}); get the file again")]
    Gzip {
        /// The file.
        file: String,
        /// What the decompressor says.
        source: io::Error,
    },
    /// A file that is not in the IDX format.
    #[error(
        "{file} is no IDX file: it starts with {found}, expected the bytes 00 00 08 and the \
         number of dimensions"
    )]
    IdxMagic {
        /// The file.
        file: String,
        /// The first bytes, in words.
        found: String,
    },
    /// An IDX file of another element type.
    #[error("{file} holds elements of type {element}, which is unsupported; expected u8 (08)")]
    IdxElement {
        /// The file.
        file: String,
        /// The element type found.
        element: &'static str,
    },
    /// An IDX file whose dimensions are not those of its role.
    #[error("{file} has the dimensions {found:?}, expected {expected}")]
    IdxDimensions {
        /// The file.
        file: String,
        /// The dimensions found.
        found: Vec<usize>,
        /// What was expected.
        expected: String,
    },
    /// Dimensions that no memory can hold, or too large to trust a compressed file with.
    #[error("{file}: the dimensions {found:?} are too large to read; {advice}")]
    IdxTooLarge {
        /// The file.
        file: String,
        /// The dimensions found.
        found: Vec<usize>,
        /// What to do.
        advice: &'static str,
    },
    /// An IDX file that ends early.
    #[error("{file} ends after {found} of {expected} bytes{part}; get the file again")]
    IdxShort {
        /// The file.
        file: String,
        /// Which part: header or elements.
        part: &'static str,
        /// Bytes promised.
        expected: usize,
        /// Bytes found.
        found: usize,
    },
    /// An IDX file that goes on after its last element.
    #[error("{file} holds more than the {expected} bytes that its header {dims:?} promises")]
    IdxLong {
        /// The file.
        file: String,
        /// The dimensions in the header.
        dims: Vec<usize>,
        /// Bytes promised.
        expected: usize,
    },
    /// Files that are not where they should be.
    #[error("{folder} has no {what}; looked for {}", .looked_for.join(", "))]
    IdxMissing {
        /// The folder.
        folder: String,
        /// What is missing.
        what: String,
        /// The file names looked for.
        looked_for: Vec<String>,
    },
}

/// Reserves room for `more` items, or says what does not fit.
pub(crate) fn reserve<T>(items: &mut Vec<T>, more: usize, what: &str) -> Result<(), DataError> {
    items.try_reserve(more).map_err(|_| DataError::OutOfMemory {
        what: what.to_owned(),
        count: items.len().saturating_add(more),
    })
}
