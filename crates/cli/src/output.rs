//! Standard output: styled lines for a terminal, plain ones for a pipe, or JSON lines.

use std::fmt::{Arguments, Display};
use std::io::{self, BufWriter, ErrorKind, IsTerminal, Write};

use anstream::AutoStream;
use anstyle::{AnsiColor, Style};
use serde::Serialize;

/// Column where the text of a titled line begins.
const INDENT: usize = 10;

/// Everything a command says. A failed write is kept for [`Output::finish`]: training goes on,
/// since its product is the model file.
pub(crate) struct Output {
    stream: Box<dyn Write>,
    terminal: bool,
    json: bool,
    quiet: bool,
    failure: Option<io::Error>,
}

#[derive(Serialize)]
struct Record<'a, T> {
    kind: &'a str,
    #[serde(flatten)]
    content: T,
}

impl Output {
    pub(crate) fn new(json: bool, quiet: bool) -> Self {
        let terminal = io::stdout().is_terminal();
        // A reader at a terminal or of training's lines wants each at once: standard output
        // flushes by line.
        let stream: Box<dyn Write> = match json {
            true => Box::new(io::stdout()),
            false => Box::new(AutoStream::auto(io::stdout())),
        };
        Self { stream, terminal, json, quiet, failure: None }
    }

    /// Writes in large pieces from now on.
    pub(crate) fn buffer(&mut self) {
        self.stream = Box::new(BufWriter::with_capacity(1 << 16, io::stdout()));
    }

    /// Whether a progress bar would be seen and disturb no one.
    pub(crate) fn shows_progress(&self) -> bool {
        self.terminal && io::stderr().is_terminal() && !self.json
    }

    /// Whether nobody reads any more.
    pub(crate) fn has_failed(&self) -> bool {
        self.failure.is_some()
    }

    fn write(&mut self, text: Arguments<'_>) {
        if self.failure.is_none() {
            self.failure = self.stream.write_fmt(text).err();
        }
    }

    /// A line of text; nothing if lines are JSON.
    pub(crate) fn line(&mut self, text: impl Display) {
        if !self.json {
            self.write(format_args!("{text}\n"));
        }
    }

    /// A line of progress, left out if only results are wanted.
    pub(crate) fn progress(&mut self, text: impl Display) {
        if !self.quiet {
            self.line(text);
        }
    }

    /// A titled line: the title in a column of its own, further lines of `text` below its first.
    pub(crate) fn titled(&mut self, title: &str, text: impl Display) {
        let style = title_style();
        let padding = " ".repeat(INDENT.saturating_sub(title.chars().count()));
        let below = format!("\n{}", " ".repeat(INDENT));
        let text = text.to_string().replace('\n', &below);
        self.line(format_args!("{style}{title}{style:#}{padding}{text}"));
    }

    /// A titled line of progress.
    pub(crate) fn titled_progress(&mut self, title: &str, text: impl Display) {
        if !self.quiet {
            self.titled(title, text);
        }
    }

    /// A JSON object on a line, its `kind` first; nothing unless lines are JSON.
    pub(crate) fn record(&mut self, kind: &str, content: impl Serialize) {
        if !self.json {
            return;
        }
        match serde_json::to_string(&Record { kind, content }) {
            Ok(text) => self.write(format_args!("{text}\n")),
            Err(error) => {
                self.failure.get_or_insert(error.into());
            }
        }
    }

    /// Raw text.
    pub(crate) fn raw(&mut self, text: &str) {
        self.write(format_args!("{text}"));
    }

    /// Flushes, and tells what went wrong. A reader that closed its end had enough.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        let failure = self.failure.take().or_else(|| self.stream.flush().err());
        match failure {
            Some(error) if error.kind() != ErrorKind::BrokenPipe => Err(error),
            _ => Ok(()),
        }
    }
}

/// Titles of lines and tables.
pub(crate) fn title_style() -> Style {
    Style::new().bold().fg_color(Some(AnsiColor::Cyan.into()))
}

/// Good news and bad.
pub(crate) fn verdict_style(good: bool) -> Style {
    let color = if good { AnsiColor::Green } else { AnsiColor::Red };
    Style::new().bold().fg_color(Some(color.into()))
}
