//! The welcome.

use serde_json::Value;

use crate::client::Answer;
use crate::console::{Console, message_of};
use crate::session::Session;

const LOGO: [&str; 6] = [
    r"  __        __   _        ",
    r"  \ \      / /__(_)_ __   ",
    r"   \ \ /\ / / _ \ | '__|  ",
    r"    \ V  V /  __/ | |     ",
    r"     \_/\_/ \___|_|_|     ",
    r" ~~~~~~~~~~~~~~~~~~~~~~~~~",
];
const CLAIM: &str = "Streaming SQL for Kafka";
const COPYRIGHT: &str = "Weir, Copyright 2026 The Weir Authors";

/// Greets with names and versions; warns if there is no server, or an unlike one.
pub(super) fn welcome(session: &Session, console: &mut Console) {
    if console.width() > 40 {
        console.line("");
        for line in LOGO {
            console.line(line);
        }
        console.line(&format!("  {CLAIM}\n"));
    }
    console.line(&format!("{COPYRIGHT}\n"));
    let info = session.client().info();
    let member = |key: &str| match &info {
        Ok(Answer::Done(info)) => info.get(key).and_then(Value::as_str).unwrap_or("<unknown>"),
        _ => "<unknown>",
    };
    let (ours, theirs) = (crate::VERSION, member("version"));
    console.line(&format!(
        "CLI v{ours}, Server v{theirs} located at {}\nServer Status: {}\n",
        session.client().server(),
        member("serverStatus")
    ));
    match &info {
        Ok(Answer::Done(_)) if release(ours) != release(theirs) => console.line(
            "WARNING: CLI and server version don't match. This may lead to unexpected errors.\n\
             \x20        It is recommended to use a CLI that matches the server version.\n",
        ),
        Ok(Answer::Done(_)) => {}
        Ok(Answer::Refused(error)) => {
            console.line(&format!(
                "WARNING: the server refuses: {}\n",
                message_of(error)
            ));
        }
        Err(error) => console.line(&format!("WARNING: {error}\n")),
    }
    console
        .line("Having trouble? Type 'help' (case-insensitive) for a rundown of how things work!\n");
}

/// Major and minor version.
fn release(version: &str) -> Vec<&str> {
    version.split('.').take(2).collect()
}
