//! Where answers go: the screen (or a pipe) and the spool file.
//!
//! ```text
//!  text ──► Console ──► output stream
//!              └──────► spool file, if one is open
//! ```
//!
//! Invariant: colours of errors are written whether or not the output is a terminal, as scripts
//! that read ksqlDB's output expect; everything else that moves the cursor is for terminals alone.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::render;
use crate::rows::RowLayout;

const RED: &str = "\x1b[31m";
const PLAIN: &str = "\x1b[0m";

/// Size of a terminal in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Columns.
    pub columns: usize,
    /// Rows.
    pub rows: usize,
}

/// How answers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OutputFormat {
    /// Tables.
    Tabular,
    /// The JSON of the server, indented.
    Json,
}

impl OutputFormat {
    /// The format called `name`, in any case.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        match name.to_ascii_uppercase().as_str() {
            "TABULAR" => Some(Self::Tabular),
            "JSON" => Some(Self::Json),
            _ => None,
        }
    }

    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Tabular => "TABULAR",
            Self::Json => "JSON",
        }
    }
}

/// The size of the terminal at this moment; `None` if the output is no terminal.
pub type SizeOf = Box<dyn Fn() -> Option<Size> + Send>;

/// Output of a session with its settings.
pub(crate) struct Console {
    out: Box<dyn Write + Send>,
    size: SizeOf,
    spool: Option<(PathBuf, File)>,
    closed: bool,
    carets: bool,
    /// `output`.
    pub format: OutputFormat,
    /// `set cli wrap`.
    pub wrap: bool,
    /// `set cli column-width`; 0 is automatic.
    pub cell: usize,
}

impl Console {
    /// A console that writes tables to `out`.
    pub(crate) fn new(out: Box<dyn Write + Send>, size: SizeOf) -> Self {
        Self {
            out,
            size,
            spool: None,
            closed: false,
            carets: false,
            format: OutputFormat::Tabular,
            wrap: true,
            cell: 0,
        }
    }

    /// From now on errors with a place are followed by the line and a caret under the place.
    pub(crate) fn show_carets(&mut self) {
        self.carets = true;
    }

    /// The size of the terminal, if the output is one.
    pub(crate) fn size(&self) -> Option<Size> {
        (self.size)()
    }

    /// Columns of the terminal, 0 if there is none.
    pub(crate) fn width(&self) -> usize {
        self.size().map_or(0, |s| s.columns)
    }

    /// Whether nobody reads the output any more (the pipe is closed).
    pub(crate) fn closed(&self) -> bool {
        self.closed
    }

    /// Writes text as it is.
    pub(crate) fn print(&mut self, text: &str) {
        self.screen(text);
        self.spooled(text);
    }

    /// Writes a line.
    pub(crate) fn line(&mut self, text: &str) {
        self.print(&format!("{text}\n"));
    }

    /// Writes to the output alone, not to the spool: prompts, cursor movements.
    pub(crate) fn screen(&mut self, text: &str) {
        let written = self.out.write_all(text.as_bytes());
        if written.and_then(|()| self.out.flush()).is_err() {
            self.closed = true;
        }
    }

    /// Writes to the spool alone: what the user typed.
    pub(crate) fn spooled(&mut self, text: &str) {
        if let Some((_, file)) = &mut self.spool
            && file.write_all(text.as_bytes()).is_err()
        {
            self.spool = None;
        }
    }

    /// Writes an error in red; `source` is the text that its line and column count in.
    pub(crate) fn error(&mut self, message: &str, source: Option<&str>) {
        self.line(&format!("{RED}{message}{PLAIN}"));
        if !self.carets {
            return;
        }
        let place = place(message);
        if let Some((line, column)) = place
            && let Some(text) = source.and_then(|s| s.lines().nth(line.saturating_sub(1)))
        {
            // Tabs stay tabs, so that the caret stands under its place at any tab width.
            let before: String = text
                .chars()
                .take(column.saturating_sub(1))
                .map(|c| if c == '\t' { '\t' } else { ' ' })
                .collect();
            self.line(&format!("  {text}\n  {before}{RED}^{PLAIN}"));
        }
    }

    /// Writes an error object of the server. The entities that a statement error carries come
    /// first, as an empty list where it has none.
    pub(crate) fn server_error(&mut self, error: &Value, source: Option<&str>) {
        if error.get("@type").and_then(Value::as_str) == Some("statement_error") {
            let entities = error.get("entities").and_then(Value::as_array);
            self.entities(entities.map_or(&[], Vec::as_slice));
        }
        self.error(message_of(error), source);
    }

    /// Writes the answer to `/ksql`.
    pub(crate) fn entities(&mut self, entities: &[Value]) {
        let text = match self.format {
            OutputFormat::Tabular => render::entities(entities, self.width()),
            OutputFormat::Json => render::json::pretty(&Value::Array(entities.to_vec())) + "\n",
        };
        self.print(&text);
    }

    /// Writes the header of a query.
    pub(crate) fn row_header(&mut self, header: &Value) {
        let text = match self.format {
            OutputFormat::Tabular => {
                let schema = header.get("schema").and_then(Value::as_str);
                self.layout().header(schema.unwrap_or_default())
            }
            OutputFormat::Json => render::json::pretty(header) + "\n",
        };
        self.print(&text);
    }

    /// Writes a row of a query.
    pub(crate) fn row(&mut self, row: &Value) {
        let text = match self.format {
            OutputFormat::Tabular => self.layout().row(row),
            OutputFormat::Json => render::json::pretty_row(row) + "\n",
        };
        self.print(&text);
    }

    fn layout(&self) -> RowLayout {
        RowLayout {
            width: self.width(),
            cell: self.cell,
            wrap: self.wrap,
        }
    }

    /// Shows below a running query how it is stopped: the last row is kept for that, the others
    /// scroll.
    pub(crate) fn show_bar(&mut self) {
        if let Some(Size { rows, .. }) = self.size() {
            let above = rows.saturating_sub(1);
            self.screen(&format!(
                "\n\x1b[A\x1b7\x1b[{rows};1H\x1b[J\x1b[{rows};1H\x1b[7mPress CTRL-C to \
                 interrupt\x1b[0m\x1b[1;{above}r\x1b8"
            ));
        }
    }

    /// Removes the bar and lets the whole terminal scroll again.
    pub(crate) fn hide_bar(&mut self) {
        if let Some(Size { rows, .. }) = self.size() {
            self.screen(&format!("\x1b7\x1b[{rows};1H\x1b[J\x1b[1;{rows}r\x1b8"));
        }
    }

    /// Clears a terminal.
    pub(crate) fn clear(&mut self) {
        if self.size().is_some() {
            self.screen("\x1b[H\x1b[2J");
        }
    }

    /// Starts a copy of the session in a file.
    ///
    /// # Errors
    ///
    /// A copy is being written already, or the file cannot be made.
    pub(crate) fn start_spool(&mut self, path: &Path) -> io::Result<()> {
        if let Some((open, _)) = &self.spool {
            return Err(io::Error::other(format!(
                "The session is being spooled to {} already. Issue SPOOL OFF first.",
                open.display()
            )));
        }
        let file = File::create(path)?;
        self.spool = Some((path.to_owned(), file));
        Ok(())
    }

    /// Ends the copy; the file it went to.
    pub(crate) fn end_spool(&mut self) -> Option<PathBuf> {
        self.spool.take().map(|(path, _)| path)
    }
}

/// The words of an error object.
pub(crate) fn message_of(error: &Value) -> &str {
    let message = error.get("message").and_then(Value::as_str);
    message.unwrap_or("The server answered with an error that has no message.")
}

/// Line and column that a message names: `line 1:8…` or `Line: 1, Col: 8…`.
fn place(message: &str) -> Option<(usize, usize)> {
    for (prefix, between) in [("line ", ":"), ("Line: ", ", Col: ")] {
        for (at, _) in message.match_indices(prefix) {
            let Some((line, rest)) = number(message.get(at + prefix.len()..).unwrap_or_default())
            else {
                continue;
            };
            if let Some((column, _)) = rest.strip_prefix(between).and_then(number) {
                return Some((line, column));
            }
        }
    }
    None
}

fn number(text: &str) -> Option<(usize, &str)> {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    digits.parse().ok().map(|n| (n, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_found_in_both_spellings() {
        for (message, expected) in [
            ("line 1:8: Syntax Error", Some((1, 8))),
            ("Bad line end. Line: 2, Col: 13: no column", Some((2, 13))),
            ("at line x, line 3:1", Some((3, 1))),
            ("line 4", None),
            ("nothing", None),
            ("line 99999999999999999999999:1", None),
        ] {
            assert_eq!(place(message), expected, "{message}");
        }
    }
}
