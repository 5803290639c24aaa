//! The prompt: reads statements and commands until the input ends (spec/api.md §8.2).
//!
//! ```text
//!  LineSource (terminal: editor, else: plain) ──► input::is_complete? ──► command or statement
//!        ▲                                                                    │
//!        └──────────────── next prompt ◄── errors shown, never fatal ◄────────┘
//! ```
//!
//! Invariant: nothing that a user types and nothing that a server answers ends the session; only
//! `exit` and the end of the input do.

mod banner;
mod completion;
mod editor;
mod input;

use std::io::BufRead;

pub(crate) use editor::Editor;

use crate::commands::{self, Outcome};
use crate::console::Console;
use crate::session::Session;

/// What the user is asked with.
const PROMPT: &str = "ksql> ";
/// … while a statement is not complete.
const CONTINUATION: &str = "> ";

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Line {
    /// A line, without its end.
    Text(String),
    /// Ctrl-C: forget what was typed.
    Abandoned,
    /// There is no more.
    End,
}

/// Where lines come from.
pub(crate) trait LineSource {
    /// Reads a line. `continued` says that the statement began in a line before.
    fn read(&mut self, continued: bool, console: &mut Console) -> Line;

    /// Keeps a complete input.
    fn remember(&mut self, entry: &str);

    /// What was kept, oldest first.
    fn history(&self) -> Vec<String>;
}

/// Lines of a stream that is no terminal. The prompt is written as if it were one, but not that of
/// continued lines.
pub(crate) struct Plain {
    input: Box<dyn BufRead + Send>,
    entries: Vec<String>,
}

impl Plain {
    /// Reads from `input`.
    pub(crate) fn new(input: Box<dyn BufRead + Send>) -> Self {
        Self {
            input,
            entries: Vec::new(),
        }
    }
}

impl LineSource for Plain {
    fn read(&mut self, continued: bool, console: &mut Console) -> Line {
        if !continued {
            console.screen(PROMPT);
        }
        let mut bytes = Vec::new();
        match self.input.read_until(b'\n', &mut bytes) {
            Ok(0) | Err(_) => Line::End,
            Ok(_) => {
                let text = String::from_utf8_lossy(&bytes);
                Line::Text(text.trim_end_matches(['\n', '\r']).to_owned())
            }
        }
    }

    fn remember(&mut self, entry: &str) {
        if self.entries.last().is_none_or(|last| last != entry) {
            self.entries.push(entry.to_owned());
        }
    }

    fn history(&self) -> Vec<String> {
        self.entries.clone()
    }
}

/// Runs the prompt until the input ends.
pub(crate) fn run(session: &mut Session, console: &mut Console, source: &mut dyn LineSource) {
    banner::welcome(session, console);
    while !console.closed() {
        let Some(text) = read_input(source, console) else {
            break;
        };
        let text = text.trim();
        if text.is_empty() {
            continue;
        }
        source.remember(text);
        console.spooled(&format!("{PROMPT}{text}\n"));
        let done = match commands::find(text) {
            Some(command) => commands::run(&command, session, console, &source.history()),
            None => session.execute(text, console).map(|()| Outcome::Continue),
        };
        match done {
            Ok(Outcome::Continue) => {}
            Ok(Outcome::Exit) => break,
            Err(failure) => console.error(&failure.to_string(), Some(text)),
        }
    }
    console.line("Exiting Weir.");
}

/// Reads lines until they make a command or complete statements; `None` at the end of the input.
fn read_input(source: &mut dyn LineSource, console: &mut Console) -> Option<String> {
    let mut text = String::new();
    let mut continued = false;
    loop {
        match source.read(continued, console) {
            Line::End => return None,
            Line::Abandoned => {
                text.clear();
                continued = false;
            }
            Line::Text(line) => {
                text.push_str(&line);
                if input::is_complete(&text) {
                    return Some(text);
                }
                if !input::join_backslash(&mut text) {
                    text.push('\n');
                }
                continued = true;
            }
        }
    }
}
