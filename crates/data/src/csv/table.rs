//! A table of text: named columns, and one line after another.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read};

use chainrule_tensor::Scalar;

use super::lines::{LONGEST_LINE, LineTooLong, Lines, line_ends};
use crate::message::shorten;
use crate::{DataError, Place};

/// Where the columns get their names.
pub(super) enum Names {
    /// From the first line.
    Header,
    /// `c1`, `c2`, ...; the first line is an example.
    Numbered,
}

pub(super) struct Table<R> {
    file: String,
    reader: csv::Reader<Lines<BufReader<R>>>,
    record: csv::ByteRecord,
    first: Vec<String>,
    columns: Vec<String>,
    /// Whether `record` holds an example that has not been handed out.
    pending: bool,
    line: u64,
}

impl<R: Read> Table<R> {
    /// Opens the table and reads its first line.
    pub(super) fn open(input: R, file: &str, delimiter: Option<u8>) -> Result<Self, DataError> {
        let mut input = BufReader::new(input);
        let start =
            input.fill_buf().map_err(|source| DataError::Io { file: file.to_owned(), source })?;
        let delimiter = match delimiter {
            None => detect_delimiter(start),
            Some(d)
                if d == b'\t'
                    || d == b' '
                    || d.is_ascii_punctuation() && !b"\".+-".contains(&d) =>
            {
                d
            }
            Some(d) => {
                return Err(DataError::Setting {
                    setting: "the delimiter",
                    value: format!("`{}`", char::from(d).escape_default()),
                    expected: "a character such as `,`, `;` or a tab",
                });
            }
        };
        let reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(delimiter)
            .from_reader(Lines::new(input, delimiter));
        let mut table = Self {
            file: file.to_owned(),
            reader,
            record: csv::ByteRecord::new(),
            first: Vec::new(),
            columns: Vec::new(),
            pending: false,
            line: 0,
        };
        if !table.read()? {
            return Err(DataError::EmptyFile { file: table.file });
        }
        let fields = (0..table.record.len()).map(|j| table.text(j).map(str::to_owned));
        table.first = fields.collect::<Result<_, _>>()?;
        Ok(table)
    }

    /// The fields of the first line.
    pub(super) fn first(&self) -> &[String] {
        &self.first
    }

    /// Names the columns; must precede [`advance`](Self::advance).
    pub(super) fn name_columns(&mut self, names: Names) -> Result<(), DataError> {
        match names {
            Names::Numbered => {
                self.columns = (1..=self.first.len()).map(|j| format!("c{j}")).collect();
                self.pending = true;
            }
            Names::Header => {
                let mut seen = HashMap::new();
                for (j, name) in self.first.iter().enumerate() {
                    if name.is_empty() {
                        return Err(DataError::UnnamedColumn { place: self.place(self.line, j) });
                    }
                    if let Some(first) = seen.insert(name, j + 1) {
                        let place = Place { name: name.clone(), ..self.place(self.line, j) };
                        return Err(DataError::DuplicateColumn { place, first });
                    }
                }
                self.columns = std::mem::take(&mut self.first);
            }
        }
        Ok(())
    }

    /// The columns' names.
    pub(super) fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Goes to the next example; false at the end.
    pub(super) fn advance(&mut self) -> Result<bool, DataError> {
        if !std::mem::take(&mut self.pending) && !self.read()? {
            return Ok(false);
        }
        let (expected, found) = (self.columns.len(), self.record.len());
        if found == expected {
            Ok(true)
        } else {
            let (file, line) = (self.file.clone(), self.line);
            Err(DataError::Ragged { file, line, expected, found })
        }
    }

    fn read(&mut self) -> Result<bool, DataError> {
        loop {
            let more = self.reader.read_byte_record(&mut self.record).map_err(|error| {
                let source = match error.into_kind() {
                    csv::ErrorKind::Io(source) => source,
                    kind => io::Error::other(format!("{kind:?}")),
                };
                if source.get_ref().is_some_and(|inner| inner.is::<LineTooLong>()) {
                    DataError::LineTooLong { file: self.file.clone(), limit: LONGEST_LINE }
                } else {
                    DataError::Io { file: self.file.clone(), source }
                }
            })?;
            if let Some(line) = self.reader.get_ref().unclosed_quote() {
                return Err(DataError::UnclosedQuote { file: self.file.clone(), line });
            }
            if !more {
                return Ok(false);
            }
            // The reader's own line is where it stopped before, ahead of blank lines and of the
            // second half of `\r\n`.
            let end = self.reader.position().byte();
            let inner: usize = self.record.iter().map(line_ends).sum();
            self.line = self.reader.get_mut().line_before(end).saturating_sub(inner as u64);
            self.record.trim();
            // A line of spaces is blank, unless the table has one column.
            if self.record.len() != 1 || !self.record[0].is_empty() || self.columns.len() == 1 {
                return Ok(true);
            }
        }
    }

    /// The line that the current example starts in, from 1.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// The field of column `j`, from 0, in the given line.
    pub(super) fn place(&self, line: u64, j: usize) -> Place {
        let name = self.columns.get(j).cloned().unwrap_or_default();
        Place { file: self.file.clone(), line, column: j + 1, name }
    }

    /// Field `j` of the current line, from 0.
    pub(super) fn text(&self, j: usize) -> Result<&str, DataError> {
        std::str::from_utf8(&self.record[j])
            .map_err(|_| DataError::NotUtf8 { place: self.place(self.line, j) })
    }

    /// Field `j`, which must not be empty.
    pub(super) fn filled(&self, j: usize) -> Result<&str, DataError> {
        match self.text(j)? {
            "" => Err(DataError::MissingField { place: self.place(self.line, j) }),
            text => Ok(text),
        }
    }

    /// Field `j` as a number that is finite in `S` too.
    pub(super) fn number<S: Scalar>(&self, j: usize) -> Result<f64, DataError> {
        parse::<S>(self.filled(j)?, || self.place(self.line, j))
    }
}

/// A number that is finite in `S` too, or the error of its place.
pub(super) fn parse<S: Scalar>(
    text: &str,
    place: impl FnOnce() -> Place,
) -> Result<f64, DataError> {
    match text.parse() {
        Ok(value) if S::of(value).is_finite() => Ok(value),
        Ok(_) => {
            let (place, text) = (place(), shorten(text));
            Err(DataError::NotFiniteField { place, text, element: S::NAME })
        }
        Err(_) => Err(DataError::NotANumber { place: place(), text: shorten(text) }),
    }
}

/// The delimiter that occurs most in the first line, outside of quotes.
fn detect_delimiter(start: &[u8]) -> u8 {
    let mut counts = [(b',', 0), (b';', 0), (b'\t', 0)];
    let mut quoted = false;
    for &byte in start.iter().skip_while(|byte| byte.is_ascii_whitespace()) {
        match byte {
            b'"' => quoted = !quoted,
            b'\n' | b'\r' if !quoted => break,
            _ if !quoted => {
                counts.iter_mut().filter(|(d, _)| *d == byte).for_each(|(_, count)| *count += 1);
            }
            _ => {}
        }
    }
    let most = counts.iter().map(|(_, count)| *count).max().unwrap_or(0);
    counts.iter().find(|(_, count)| *count == most).map_or(b',', |(d, _)| *d)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delimiters_are_detected_outside_of_quotes() {
        assert_eq!(detect_delimiter(b"a;b,c;d\n1,2,3,4,5"), b';');
        assert_eq!(detect_delimiter(b"a\tb\tc"), b'\t');
        assert_eq!(detect_delimiter(b"\"a;b;c\",d\n"), b',');
        assert_eq!(detect_delimiter(b"\n\na;b\n"), b';');
        assert_eq!(detect_delimiter(b"alone"), b',');
    }

    #[test]
    fn a_source_without_line_ends_is_refused_early() {
        let error = Table::open(io::repeat(b'x'), "endless", None).map(|_| ()).unwrap_err();
        assert!(matches!(error, DataError::LineTooLong { .. }), "{error}");
    }
}
