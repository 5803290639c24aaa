//! Whether what was typed is complete.

use crate::commands;

/// How the scan of a text ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Bare,
    Quoted(char),
    BlockComment,
}

/// Whether the text can be run: it is a command, it ends with `;` outside of quotes and comments,
/// or there is nothing in it at all.
pub(super) fn is_complete(text: &str) -> bool {
    let (state, last) = scan(text);
    match (state, last) {
        (State::Quoted(_) | State::BlockComment, _) | (_, Some('\\')) => false,
        (State::Bare, None | Some(';')) => true,
        (State::Bare, Some(_)) => commands::find(text).is_some(),
    }
}

/// Removes a `\` at the end, which joins the next line without a break; whether there was one.
pub(super) fn join_backslash(text: &mut String) -> bool {
    let joins = scan(text) == (State::Bare, Some('\\'));
    if joins {
        text.truncate(text.trim_end().len() - 1);
    }
    joins
}

/// Where the text ends, and its last character that is neither blank nor comment.
fn scan(text: &str) -> (State, Option<char>) {
    let mut state = State::Bare;
    let mut last = None;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match state {
            State::Quoted(quote) => {
                if c == quote {
                    state = State::Bare;
                }
            }
            State::BlockComment => {
                if c == '*' && chars.next_if_eq(&'/').is_some() {
                    state = State::Bare;
                }
            }
            State::Bare => match c {
                '-' if chars.next_if_eq(&'-').is_some() => {
                    while chars.next_if(|c| *c != '\n').is_some() {}
                }
                '/' if chars.next_if_eq(&'*').is_some() => state = State::BlockComment,
                '\'' | '`' | '"' => {
                    state = State::Quoted(c);
                    last = Some(c);
                }
                c if c.is_whitespace() => {}
                c => last = Some(c),
            },
        }
    }
    (state, last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_end_with_a_semicolon_of_their_own() {
        for (text, complete) in [
            ("", true),
            ("   ", true),
            ("-- only a comment", true),
            ("/* one */", true),
            ("/* open", false),
            ("LIST STREAMS", false),
            ("LIST STREAMS;", true),
            ("LIST STREAMS; -- and why", true),
            ("LIST -- ;", false),
            ("SELECT 'a;", false),
            ("SELECT 'it''s;'", false),
            ("SELECT 'a\nb';", true),
            ("SELECT `;", false),
            ("SELECT ';' /* x */ ;", true),
            ("a - b;", true),
            ("exit", true),
            ("set cli wrap off", true),
            ("LIST \\", false),
            ("LIST; \\", false),
        ] {
            assert_eq!(is_complete(text), complete, "{text}");
        }
    }

    #[test]
    fn backslashes_join_lines() {
        for (text, joined) in [("LIST \\", "LIST "), ("LIST\\  ", "LIST")] {
            let mut got = text.to_owned();
            assert!(join_backslash(&mut got));
            assert_eq!(got, joined);
        }
        for text in ["LIST", "'a\\", "-- c \\"] {
            let mut got = text.to_owned();
            assert!(!join_backslash(&mut got), "{text}");
            assert_eq!(got, text);
        }
    }
}
