//! Commands of the prompt that are no SQL (spec/api.md §8.3): `help`, `output`, `server`, …
//!
//! ```text
//!  line ──find──► Invocation { command, arguments } ──run──► Outcome
//! ```
//!
//! Invariant: words are matched in any case, and a line that is no command is left to SQL; no SQL
//! statement begins like one of them.

use std::path::Path;

use crate::client::Answer;
use crate::console::{Console, OutputFormat};
use crate::session::{Failure, Session};

/// A command: its words, how many arguments it takes, and its help.
#[derive(Debug)]
pub(crate) struct Command {
    pub(crate) name: &'static str,
    arguments: std::ops::RangeInclusive<usize>,
    usage: &'static str,
    help: &'static str,
}

/// All commands, in the order of `help`.
pub(crate) const COMMANDS: [Command; 11] = [
    Command {
        name: "help",
        arguments: 0..=1,
        usage: "help [<command>]",
        help: "Shows this message, or the part of it about one command.",
    },
    Command {
        name: "clear",
        arguments: 0..=0,
        usage: "clear",
        help: "Clears the terminal.",
    },
    Command {
        name: "output",
        arguments: 0..=1,
        usage: "output [JSON|TABULAR]",
        help: "Shows or changes how answers are written.",
    },
    Command {
        name: "history",
        arguments: 0..=0,
        usage: "history",
        help: "Lists what was typed before.",
    },
    Command {
        name: "version",
        arguments: 0..=0,
        usage: "version",
        help: "Shows the version of this program.",
    },
    Command {
        name: "exit",
        arguments: 0..=0,
        usage: "exit",
        help: "Ends the session.",
    },
    Command {
        name: "server",
        arguments: 0..=1,
        usage: "server [<url>]",
        help: "Shows the address of the server, or asks another one from now on.",
    },
    Command {
        name: "request-pipelining",
        arguments: 0..=1,
        usage: "request-pipelining [ON|OFF]",
        help: "Shows or changes whether statements are sent without waiting until the server has \
               carried out those before. Default OFF.",
    },
    Command {
        name: "run script",
        arguments: 1..=1,
        usage: "run script '<path>'",
        help: "Runs the statements of a file. SELECT and PRINT cannot be in it.",
    },
    Command {
        name: "spool",
        arguments: 1..=1,
        usage: "spool <file>|OFF",
        help: "Copies the session to a file; OFF ends the copy.",
    },
    Command {
        name: "set cli",
        arguments: 2..=2,
        usage: "set cli <property> <value>",
        help: "Sets a property of this program, not of the server (that is SET 'name'='value';): \
               WRAP ON|OFF, whether long values of rows go on in the next line (default ON); \
               COLUMN-WIDTH <n>, columns of a cell of rows, 0 for automatic (default 0).",
    },
];

/// A command line understood.
#[derive(Debug)]
pub(crate) struct Invocation {
    command: &'static Command,
    arguments: Vec<String>,
}

/// Whether to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The next prompt.
    Continue,
    /// The session ends.
    Exit,
}

/// The command that a line is, if it is one; a final `;` may be there.
pub(crate) fn find(line: &str) -> Option<Invocation> {
    let words = words(line.trim().trim_end_matches(';'));
    COMMANDS.iter().find_map(|command| {
        let mut rest = words.as_slice();
        for name in command.name.split(' ') {
            let (first, after) = rest.split_first()?;
            if !first.eq_ignore_ascii_case(name) {
                return None;
            }
            rest = after;
        }
        Some(Invocation {
            command,
            arguments: rest.to_vec(),
        })
    })
}

/// Words at blanks; `'…'` is one word, without its quotes.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while let Some(first) = rest.chars().next() {
        let (word, after) = match rest.strip_prefix('\'') {
            Some(quoted) if first == '\'' => quoted.split_once('\'').unwrap_or((quoted, "")),
            _ => rest.split_once(char::is_whitespace).unwrap_or((rest, "")),
        };
        words.push(word.to_owned());
        rest = after.trim_start();
    }
    words
}

/// Carries out a command. `history` is what was typed, this line included.
///
/// # Errors
///
/// Too few or too many arguments, a file that cannot be read or written, an address that cannot be
/// used.
pub(crate) fn run(
    invocation: &Invocation,
    session: &mut Session,
    console: &mut Console,
    history: &[String],
) -> Result<Outcome, Failure> {
    let Invocation { command, arguments } = invocation;
    let given = arguments.len();
    if !command.arguments.contains(&given) {
        let many = if given < *command.arguments.start() {
            "few"
        } else {
            "many"
        };
        return Err(Failure(format!(
            "Too {many} parameters\n{}",
            help_of(command)
        )));
    }
    let first = arguments.first().map(String::as_str);
    match (command.name, first) {
        ("help", topic) => help(topic, console),
        ("clear", _) => console.clear(),
        ("output", None) => {
            let name = console.format.name();
            console.line(&format!("Current output format: {name}"));
        }
        ("output", Some(name)) => match OutputFormat::parse(name) {
            Some(format) => {
                console.format = format;
                console.line(&format!("Output format set to {}", format.name()));
            }
            None => console.line(&format!(
                "Invalid output format: '{name}' (valid formats: 'JSON', 'TABULAR')"
            )),
        },
        ("history", _) => {
            for (at, entry) in history.iter().enumerate() {
                console.line(&format!("{:4}: {entry}", at + 1));
            }
        }
        ("version", _) => console.line(&format!("Version: {}", crate::VERSION)),
        ("exit", _) => return Ok(Outcome::Exit),
        ("server", None) => {
            let server = session.client().server().to_owned();
            console.line(&server);
        }
        ("server", Some(url)) => {
            session.set_server(url)?;
            console.line(&format!("Server now: {}", session.client().server()));
            if !matches!(session.client().info(), Ok(Answer::Done(_))) {
                console.line("WARNING: it does not answer as a Weir or ksqlDB server would.");
            }
        }
        ("request-pipelining", None) => {
            let now = if session.pipelining { "ON" } else { "OFF" };
            console.line(&format!("Current request-pipelining configuration: {now}"));
        }
        ("request-pipelining", Some(value)) => match on_or_off(value) {
            Some(on) => {
                session.pipelining = on;
                let now = value.to_uppercase();
                console.line(&format!("request-pipelining configuration is now {now}"));
            }
            None => console.line(&format!(
                "Invalid request-pipelining setting: {value}. Valid options are 'ON' and 'OFF'."
            )),
        },
        ("run script", Some(path)) => {
            let text = std::fs::read_to_string(path)
                .map_err(|_| Failure(format!("Failed to read file: {path}")))?;
            session.run_script(&text, console)?;
        }
        ("spool", Some(path)) => spool(path, console)?,
        ("set cli", Some(property)) => {
            let value = arguments.get(1).map_or("", String::as_str);
            set_cli(property, value, console);
        }
        _ => {}
    }
    Ok(Outcome::Continue)
}

fn on_or_off(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("ON") {
        Some(true)
    } else if text.eq_ignore_ascii_case("OFF") {
        Some(false)
    } else {
        None
    }
}

fn spool(path: &str, console: &mut Console) -> Result<(), Failure> {
    if path.eq_ignore_ascii_case("OFF") {
        if let Some(path) = console.end_spool() {
            console.line(&format!("Spool written to {}", path.display()));
        }
        return Ok(());
    }
    console
        .start_spool(Path::new(path))
        .map_err(|e| Failure(format!("Cannot spool to {path}: {e}")))?;
    console.line(&format!(
        "Session will be spooled to {path}\nEnter SPOOL OFF to disable"
    ));
    Ok(())
}

fn set_cli(property: &str, value: &str, console: &mut Console) {
    match property.to_ascii_uppercase().as_str() {
        "WRAP" => match on_or_off(value) {
            Some(on) => console.wrap = on,
            None => console.line(&format!(
                "Invalid value {value} for configuration WRAP: String must be one of: ON, OFF"
            )),
        },
        "COLUMN-WIDTH" => match value.parse() {
            Ok(width) => console.cell = width,
            Err(_) => {
                let why = match value.parse::<i32>() {
                    Ok(_) => "Not zero or positive",
                    Err(_) => "Not a number of type INT",
                };
                console.line(&format!(
                    "Invalid value {value} for configuration COLUMN-WIDTH: {why}"
                ));
            }
        },
        _ => console.line(&format!(
            "Undefined property: {property}. Valid properties are: [WRAP, COLUMN-WIDTH]"
        )),
    }
}

fn help_of(command: &Command) -> String {
    format!("{}:\n\t{}", command.usage, command.help)
}

fn help(topic: Option<&str>, console: &mut Console) {
    if let Some(topic) = topic {
        let known = COMMANDS.iter().find(|c| {
            let mut words = c.name.split(' ');
            words.any(|w| w.eq_ignore_ascii_case(topic)) || c.name.eq_ignore_ascii_case(topic)
        });
        match known {
            Some(command) => explain(console, &help_of(command)),
            None => console.line(&format!(
                "There is no command '{topic}'. 'help' lists all of them."
            )),
        }
        return;
    }
    explain(
        console,
        "Description:\n\tStatements of SQL are typed at the prompt and end with ';'. They may \
         span several lines.\n\tThe commands below are no SQL; they need no ';'.\n",
    );
    for command in &COMMANDS {
        explain(console, &format!("{}\n", help_of(command)));
    }
    explain(
        console,
        "Keyboard shortcuts:\n\n\
         CTRL-C:\n\tEnds the running query or clears what was typed.\n\
         CTRL-D:\n\tEnds the session.\n\
         TAB:\n\tCompletes keywords, names and the abbreviations cs, ct, csas, ctas, ii.\n\
         UP, DOWN, CTRL-R:\n\tGo through and search what was typed before.\n\n\
         Default behavior:\n\n\
         \tWhat is no command is sent to the server once it ends with ';'. An open quote or a \
         backslash at the end of a line continues it in the next line.",
    );
}

/// Prints a help text, its indented paragraphs fitted to the terminal.
fn explain(console: &mut Console, text: &str) {
    let width = match console.width() {
        0 => usize::MAX,
        width => width.saturating_sub(9).max(20),
    };
    for line in text.split('\n') {
        match line.strip_prefix('\t') {
            Some(paragraph) => {
                for line in folded(paragraph, width) {
                    console.line(&format!("\t{line}"));
                }
            }
            None => console.line(line),
        }
    }
}

/// A paragraph as lines of at most `width` columns; a longer word stands alone.
fn folded(paragraph: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in paragraph.split(' ') {
        match lines.last_mut() {
            Some(line) if line.len() + 1 + word.len() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn paragraphs_are_folded_between_words() {
        assert_eq!(folded("one two three", 7), ["one two", "three"]);
        assert_eq!(folded("extraordinary on", 5), ["extraordinary", "on"]);
        assert_eq!(folded("one two", usize::MAX), ["one two"]);
    }

    #[test]
    fn commands_are_told_from_statements() {
        for (line, expected) in [
            ("exit", Some(("exit", vec![]))),
            (" EXIT ; ", Some(("exit", vec![]))),
            ("Output json", Some(("output", vec!["json"]))),
            (
                "run script 'a b.sql';",
                Some(("run script", vec!["a b.sql"])),
            ),
            ("SET CLI wrap off", Some(("set cli", vec!["wrap", "off"]))),
            ("set cli", Some(("set cli", vec![]))),
            ("SET 'a'='b';", None),
            ("run", None),
            ("SHOW STREAMS;", None),
            ("exits", None),
            ("", None),
        ] {
            let got = find(line);
            let got = got.as_ref().map(|i| {
                let arguments: Vec<&str> = i.arguments.iter().map(String::as_str).collect();
                (i.command.name, arguments)
            });
            assert_eq!(got, expected, "{line}");
        }
    }
}
