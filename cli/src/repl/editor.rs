//! Lines typed at a terminal: editing, history, completion.

use std::path::PathBuf;

use rustyline::config::Configurer as _;
use rustyline::error::ReadlineError;
use rustyline::history::{DefaultHistory, History as _};
use rustyline::{CompletionType, Config};

use super::completion::Assistant;
use super::{CONTINUATION, Line, LineSource, PROMPT};
use crate::client::Client;
use crate::console::Console;

/// The name of the history file in the home folder.
const HISTORY: &str = ".ksql-history";
/// How many entries it keeps.
const HISTORY_SIZE: usize = 5_000;

/// The terminal.
pub(crate) struct Editor {
    inner: rustyline::Editor<Assistant, DefaultHistory>,
    file: Option<PathBuf>,
}

impl Editor {
    /// Takes over the terminal; history is read from and written to `home`.
    ///
    /// # Errors
    ///
    /// The terminal cannot be used.
    pub(crate) fn new(client: Client, home: Option<PathBuf>) -> Result<Self, ReadlineError> {
        let config = Config::builder()
            .completion_type(CompletionType::List)
            .build();
        let mut inner = rustyline::Editor::with_config(config)?;
        inner.set_max_history_size(HISTORY_SIZE)?;
        inner.set_history_ignore_dups(true)?;
        inner.set_helper(Some(Assistant::new(client)));
        let file = home.map(|home| home.join(HISTORY));
        if let Some(file) = &file {
            // There is none in the first session.
            let _ = inner.load_history(file);
        }
        Ok(Self { inner, file })
    }
}

impl LineSource for Editor {
    fn read(&mut self, continued: bool, _console: &mut Console) -> Line {
        let prompt = if continued { CONTINUATION } else { PROMPT };
        match self.inner.readline(prompt) {
            Ok(text) => Line::Text(text),
            Err(ReadlineError::Interrupted | ReadlineError::Signal(_)) => Line::Abandoned,
            Err(_) => Line::End,
        }
    }

    fn remember(&mut self, entry: &str) {
        if let Some(assistant) = self.inner.helper_mut() {
            assistant.forget_names();
        }
        // A home that cannot be written to costs the history, not the session.
        if let Ok(true) = self.inner.add_history_entry(entry)
            && let Some(file) = &self.file
        {
            let _ = self.inner.append_history(file);
        }
    }

    fn history(&self) -> Vec<String> {
        let history = self.inner.history();
        (0..history.len())
            .filter_map(|at| {
                let entry = history.get(at, rustyline::history::SearchDirection::Forward);
                entry.ok().flatten().map(|e| e.entry.into_owned())
            })
            .collect()
    }
}
