//! What the reader of a run sees: results on standard output, what is going on beside them.

use std::io::{self, IsTerminal, Write};

/// A line of the result.
pub(crate) fn line(text: &str) {
    progress("");
    // Whoever closed the stream does not want to read it.
    let _ = writeln!(io::stdout(), "{text}");
}

/// What is being done; on a terminal it gives way to what comes next.
pub(crate) fn step(text: &str) {
    let mut err = io::stderr();
    let _ = if err.is_terminal() {
        write!(err, "\r\x1b[K{text} \x1b7")
    } else {
        writeln!(err, "{text}")
    };
}

/// How far the step is, on a terminal only.
pub(crate) fn progress(text: &str) {
    let mut err = io::stderr();
    if err.is_terminal() {
        let _ = if text.is_empty() {
            write!(err, "\r\x1b[K")
        } else {
            write!(err, "\x1b8\x1b[K{text}")
        };
        let _ = err.flush();
    }
}
