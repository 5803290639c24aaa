//! The command line of Weir: SQL typed at a prompt, answers as tables (spec/api.md §8).
//!
//! ```text
//!  arguments ──► run ──┬─ -e, -f: one text ───────┐
//!                      └─ repl: lines ── commands ┤
//!                                                 ▼
//!                                    session: SET, DEFINE, batches
//!                                                 │
//!                    client: HTTP/1.1 ◄───────────┤
//!                                                 ▼
//!                       console: render (entities), rows (queries), spool
//! ```
//!
//! Invariant: it knows the HTTP API and the grammar, nothing else of the server, so it works with
//! any server of that API. Everything it reads and writes comes in through [`Io`].

mod arguments;
mod client;
mod commands;
mod config;
mod console;
mod interrupt;
mod render;
mod repl;
mod rows;
mod session;
mod terminal;
mod tls;

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;

use arguments::{Invocation, Options};
use client::{Client, Credentials};
use console::Console;
use session::{Limits, Session};

pub use arguments::DEFAULT_SERVER;
pub use console::{Size, SizeOf};
pub use interrupt::Interrupt;

/// The version that this program says it has: that of the ksqlDB whose API it speaks.
pub const VERSION: &str = "0.29.0";

/// Exit status of success.
const OK: i32 = 0;
/// Exit status of a failure on this side of the connection.
const FAILED: i32 = 255;

/// Where lines are read.
pub enum Input {
    /// The terminal of the process, with editing.
    Terminal,
    /// A stream, line by line.
    Lines(Box<dyn BufRead + Send>),
}

/// All that a session touches besides the network and the files that are named to it.
pub struct Io {
    /// What the user types.
    pub input: Input,
    /// Answers and errors of statements.
    pub output: Box<dyn Write + Send>,
    /// Errors of arguments.
    pub errors: Box<dyn Write + Send>,
    /// The terminal that `output` is, if it is one.
    pub size: SizeOf,
    /// The folder of the history file.
    pub home: Option<PathBuf>,
    /// Rings when the user presses Ctrl-C.
    pub interrupt: Interrupt,
}

/// Runs the command line on the streams of the process. `arguments` follow the subcommand; the
/// result is the exit status.
pub fn main(arguments: &[String]) -> i32 {
    let interactive = terminal::is_interactive();
    let io = Io {
        input: if interactive {
            Input::Terminal
        } else {
            Input::Lines(Box::new(BufReader::new(std::io::stdin())))
        },
        output: Box::new(std::io::stdout()),
        errors: Box::new(std::io::stderr()),
        size: Box::new(terminal::stdout_size),
        home: terminal::home(),
        interrupt: Interrupt::default(),
    };
    let bell = io.interrupt.clone();
    run_with(arguments, io, move |client| {
        client.runtime().spawn(async move {
            while tokio::signal::ctrl_c().await.is_ok() {
                // With nothing under way, Ctrl-C at a prompt is the editor's business.
                if !bell.ring() && !interactive {
                    std::process::exit(128 + libc::SIGINT);
                }
            }
        });
    })
}

/// Runs the command line on the given streams; the result is the exit status.
pub fn run(arguments: &[String], io: Io) -> i32 {
    run_with(arguments, io, |_| {})
}

fn run_with(arguments: &[String], mut io: Io, started: impl FnOnce(&Client)) -> i32 {
    let options = match arguments::parse(arguments) {
        Ok(Invocation::Help) => {
            // Nothing is to be done about a closed output.
            let _ = io.output.write_all(arguments::USAGE.as_bytes());
            return FAILED;
        }
        Ok(Invocation::Run(options)) => options,
        Err(problem) => return refuse(&mut io.errors, &problem),
    };
    let prepared = credentials(&options).and_then(|credentials| {
        let api_key = options.api_key.as_ref();
        let ssl = options.config.as_deref().map(config::of_the_connection);
        let ssl = ssl.unwrap_or_default();
        let interrupt = io.interrupt.clone();
        Client::new(&options.server, &credentials, api_key, &ssl, interrupt)
            .map_err(|e| e.to_string())
    });
    let client = match prepared {
        Ok(client) => client,
        Err(problem) => return refuse(&mut io.errors, &problem),
    };
    started(&client);
    let mut console = Console::new(io.output, io.size);
    console.format = options.output;
    console.cell = options.column_width.unwrap_or(0);
    let limits = Limits {
        timeout: options.query_timeout,
        rows: options.row_limit,
    };
    let mut session = Session::new(client, limits);
    for (name, value) in &options.variables {
        session.define(name, value);
    }
    match work(&options, &mut session, &mut console, io.input, io.home) {
        Ok(()) => OK,
        Err(problem) => {
            console.error(&problem, None);
            FAILED
        }
    }
}

fn refuse(errors: &mut Box<dyn Write + Send>, problem: &str) -> i32 {
    // Nothing is to be done about closed streams.
    let _ = errors.write_all(format!("{problem}\n").as_bytes());
    FAILED
}

fn credentials(options: &Options) -> Result<Credentials, String> {
    match (&options.user, &options.password, &options.token) {
        (None, _, None) => Ok(Credentials::None),
        (None, _, Some(token)) => Ok(Credentials::Bearer(token.clone())),
        (Some(user), Some(password), _) => Ok(Credentials::Basic(user.clone(), password.clone())),
        (Some(user), None, _) => match terminal::ask_password() {
            Ok(password) => Ok(Credentials::Basic(user.clone(), password)),
            Err(_) => Err(arguments::NEEDS_BOTH.to_owned()),
        },
    }
}

fn work(
    options: &Options,
    session: &mut Session,
    console: &mut Console,
    input: Input,
    home: Option<PathBuf>,
) -> Result<(), String> {
    if let Some(path) = &options.config {
        for (name, value) in config::load(path)? {
            let set = session.set_quietly(&name, &value);
            set.map_err(|e| format!("{}: {e}", path.display()))?;
        }
    }
    if let Some(text) = &options.execute {
        let end = if text.trim_end().ends_with(';') {
            ""
        } else {
            ";"
        };
        let text = format!("{text}{end}");
        return session.execute(&text, console).map_err(|e| e.to_string());
    }
    if let Some(path) = &options.script {
        let text = std::fs::read_to_string(path)
            .map_err(|e| format!("Failed to read file: {}: {e}", path.display()))?;
        return session.execute(&text, console).map_err(|e| e.to_string());
    }
    match input {
        Input::Lines(lines) => repl::run(session, console, &mut repl::Plain::new(lines)),
        Input::Terminal => {
            let mut editor = repl::Editor::new(session.client().clone(), home)
                .map_err(|e| format!("The terminal cannot be used: {e}"))?;
            console.show_carets();
            repl::run(session, console, &mut editor);
        }
    }
    Ok(())
}
