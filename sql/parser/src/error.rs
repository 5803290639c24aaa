//! How refusals of the parser are worded (spec/sql.md §2.0, §11).

use weir_types::SqlError;

use crate::ast::Span;
use crate::keywords;
use crate::lexer::{Token, TokenKind};

/// A syntax error at a token: what was found and what could have stood there.
///
/// `expected` holds tokens as they are to be shown (`'FROM'`, `STRING`).
pub(crate) fn syntax(source: &str, found: &Token, expected: &[&str]) -> SqlError {
    let text = shown(source, found);
    let Span { line, column, .. } = found.span;
    let mut message = format!("line {line}:{column}: Syntax Error\n");
    match (&found.kind, expected) {
        (TokenKind::End, ["';'"]) => message.push_str("missing ';' at '<EOF>'"),
        _ => {
            message.push_str(&format!(
                "Syntax error at or near '{text}' at line {line}:{column}"
            ));
            match expected {
                [] => {}
                [one] => message.push_str(&format!("\nExpecting {one}")),
                many => message.push_str(&format!("\nExpecting {{{}}}", many.join(", "))),
            }
        }
    }
    if let TokenKind::Word(word) = &found.kind {
        if keywords::is_reserved(word)
            && (expected.contains(&IDENTIFIER) || expected.contains(&EXPRESSION))
        {
            message.push_str(&format!(
                "\n\"{word}\" is a reserved keyword and it can't be used as an identifier. \
                 You can use it as an identifier by escaping it as `{word}`"
            ));
        } else {
            let words: Vec<&str> = expected
                .iter()
                .map(|e| e.trim_matches('\''))
                .filter(|e| e.len() > 2 && e.bytes().all(|b| b.is_ascii_uppercase()))
                .filter(|e| *e != IDENTIFIER && *e != "STRING")
                .collect();
            if let Some((near, edits)) = keywords::nearest(word, &words)
                && edits <= 2
                && edits < near.len() / 2 + 1
            {
                message.push_str(&format!("\nDid you mean '{near}'?"));
            }
        }
    }
    SqlError::statement(message).at(found.span.into())
}

/// How a name is called in a list of what was expected.
pub(crate) const IDENTIFIER: &str = "IDENTIFIER";

/// How an expression is called there.
pub(crate) const EXPRESSION: &str = "expression";

/// A statement that begins with no known word.
pub(crate) fn unknown_statement(source: &str, found: &Token) -> SqlError {
    let text = shown(source, found);
    let Span { line, column, .. } = found.span;
    let near = keywords::nearest(&text, keywords::STATEMENT_STARTS).map_or("SELECT", |n| n.0);
    SqlError::statement(format!(
        "line {line}:{column}: Syntax Error\nUnknown statement '{text}'\nDid you mean '{near}'?"
    ))
    .at(found.span.into())
}

/// Text whose tree would be too deep.
pub(crate) fn too_deep(at: Span) -> SqlError {
    SqlError::statement(format!(
        "line {}:{}: The statement is too large to parse: expressions, types or statements are \
         nested too deeply. Split it into several statements.",
        at.line, at.column
    ))
    .at(at.into())
}

/// Text that follows the grammar but cannot become a statement.
pub(crate) fn prepare(at: Span, detail: impl AsRef<str>) -> SqlError {
    SqlError::statement(format!("Failed to prepare statement: {}", detail.as_ref())).at(at.into())
}

/// A name or value that is not allowed where it stands.
pub(crate) fn illegal(at: Span, detail: impl AsRef<str>) -> SqlError {
    SqlError::statement(format!(
        "Illegal argument at Line: {}, Col: {}. {}",
        at.line,
        at.column,
        detail.as_ref()
    ))
    .at(at.into())
}

/// The token as the message shows it, cut where it is long.
fn shown(source: &str, token: &Token) -> String {
    const MOST: usize = 100;
    if token.kind == TokenKind::End {
        return "<EOF>".to_owned();
    }
    let text = source
        .get(token.span.start..token.span.end)
        .unwrap_or_default();
    match text.char_indices().nth(MOST) {
        Some((at, _)) => format!("{}...", &text[..at]),
        None => text.to_owned(),
    }
}

/// Whether an error is about syntax, so that the whole request is at fault.
pub(crate) fn is_syntax(error: &SqlError) -> bool {
    error.position.is_some() && error.message.starts_with("line ")
}
