//! What the CSV parser does not tell: the lines, and a quote that is never closed.

use std::collections::VecDeque;
use std::io::{self, Read};

/// The longest line that is read. Sources without line ends, such as devices, would otherwise fill
/// the memory.
pub(super) const LONGEST_LINE: usize = 1 << 26;

/// Line ends in a field: `\n`, `\r\n` or `\r`.
pub(super) fn line_ends(field: &[u8]) -> usize {
    let next = field.iter().skip(1).map(Some).chain([None]);
    field.iter().zip(next).filter(|&(byte, next)| ends_line(*byte, next.copied())).count()
}

fn ends_line(byte: u8, next: Option<u8>) -> bool {
    byte == b'\n' || byte == b'\r' && next != Some(b'\n')
}

/// Passes bytes on to the parser, counts lines, fails at a line that is too long, and knows whether
/// a quote is open.
pub(super) struct Lines<R> {
    input: R,
    delimiter: u8,
    /// Bytes passed on.
    passed: u64,
    /// Whether the input has ended.
    ended: bool,
    /// Bytes since the last line end.
    length: usize,
    /// Line ends left behind, and the byte after the last of them.
    behind: u64,
    after_last: u64,
    /// The line ends of the last bytes passed on that are not left behind yet.
    ahead: VecDeque<u64>,
    /// A `\r` whose next byte is not known yet.
    carriage_return: Option<u64>,
    field: Field,
    /// The byte of the last quote that opened a field.
    opened: u64,
}

/// Where in a field the last byte was, as the parser sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    /// Before its first byte.
    Start,
    /// Not quoted, or behind the quotes.
    Plain,
    /// Between the quotes.
    Quoted,
    /// At a quote between the quotes: the closing one, or half of `""`.
    Quote,
}

#[derive(Debug, thiserror::Error)]
#[error("a line is too long")]
pub(super) struct LineTooLong;

impl<R> Lines<R> {
    pub(super) fn new(input: R, delimiter: u8) -> Self {
        Self {
            input,
            delimiter,
            passed: 0,
            ended: false,
            length: 0,
            behind: 0,
            after_last: 0,
            ahead: VecDeque::new(),
            carriage_return: None,
            field: Field::Start,
            opened: 0,
        }
    }

    /// The line, from 1, of the byte before `end`; a line end belongs to the line it ends.
    pub(super) fn line_before(&mut self, end: u64) -> u64 {
        while let Some(&at) = self.ahead.front()
            && at < end
        {
            self.ahead.pop_front();
            self.behind += 1;
            self.after_last = at + 1;
        }
        if self.after_last == end { self.behind.max(1) } else { self.behind + 1 }
    }

    /// The line, from 1, of a quote that the input has ended without closing.
    pub(super) fn unclosed_quote(&self) -> Option<u64> {
        (self.ended && self.field == Field::Quoted).then_some(self.opened)
    }

    fn see(&mut self, at: u64, byte: u8) {
        if let Some(before) = self.carriage_return.take()
            && byte != b'\n'
        {
            self.ahead.push_back(before);
        }
        match byte {
            b'\n' => self.ahead.push_back(at),
            b'\r' => self.carriage_return = Some(at),
            _ => {}
        }
        self.length = if matches!(byte, b'\n' | b'\r') { 0 } else { self.length + 1 };

        let ends = byte == self.delimiter || matches!(byte, b'\n' | b'\r');
        self.field = match (self.field, byte) {
            (Field::Start, b'"') => {
                self.opened = self.behind + self.ahead.len() as u64 + 1;
                Field::Quoted
            }
            (Field::Quoted, b'"') => Field::Quote,
            (Field::Quoted, _) | (Field::Quote, b'"') => Field::Quoted,
            _ if ends => Field::Start,
            // A byte order mark is no part of the first field.
            (Field::Start, 0xef | 0xbb | 0xbf) if at < 3 => Field::Start,
            _ => Field::Plain,
        };
    }
}

impl<R: Read> Read for Lines<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // More is asked for only when all before has been consumed.
        self.line_before(self.passed);
        let count = self.input.read(buffer)?;
        self.ended = count == 0;
        for (at, &byte) in (self.passed..).zip(&buffer[..count]) {
            self.see(at, byte);
        }
        self.passed += count as u64;
        if self.length > LONGEST_LINE { Err(io::Error::other(LineTooLong)) } else { Ok(count) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_ends_are_counted_once() {
        for (field, count) in [("", 0), ("a", 0), ("a\nb\n", 2), ("a\r\nb", 1), ("\r\r\n\r", 3)] {
            assert_eq!(line_ends(field.as_bytes()), count, "{field:?}");
        }
    }

    #[test]
    fn open_quotes_are_told_by_line() {
        for (text, line) in [
            ("", None),
            ("a,b\n1,\"x\"\n", None),
            ("\"a\"\"\",b", None),
            ("a\"b,c", None),
            ("\"\"", None),
            ("\"a\" \"b", None),
            ("\"", Some(1)),
            ("a,\"b\n\"c", None),
            ("a\nb,\"c\nd", Some(2)),
            ("a\rb\r\n\"\"\"", Some(3)),
            ("\u{feff}\"a", Some(1)),
        ] {
            let mut lines = Lines::new(text.as_bytes(), b',');
            io::copy(&mut lines, &mut io::sink()).unwrap();
            assert_eq!(lines.unclosed_quote(), line, "{text:?}");
        }
    }
}
