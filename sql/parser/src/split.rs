//! From the text of a request to its statements.

use std::sync::Arc;

use crate::ast::Span;
use crate::lexer::{Symbol, Token, TokenKind, tokenize};

/// One statement as it was typed: from its first token to its semicolon.
#[derive(Debug, Clone)]
pub struct RawStatement {
    pub(crate) source: Arc<str>,
    pub(crate) tokens: Vec<Token>,
    span: Span,
}

impl RawStatement {
    /// The statement with its semicolon, comments and blanks around it left out.
    pub fn text(&self) -> &str {
        self.source
            .get(self.span.start..self.span.end)
            .unwrap_or_default()
    }

    /// Where it stands in the request.
    pub fn span(&self) -> Span {
        self.span
    }

    /// The text of the whole request.
    pub fn request(&self) -> &str {
        &self.source
    }
}

/// The statements of a request, without looking into them: a missing last semicolon or an empty
/// statement is reported by parsing it. Text of blanks and comments alone has no statements.
pub fn split(text: &str) -> Vec<RawStatement> {
    let source: Arc<str> = Arc::from(text);
    let mut statements = Vec::new();
    let mut tokens: Vec<Token> = Vec::new();
    for token in tokenize(text) {
        let at_end = token.kind == TokenKind::End;
        let closes = at_end || token.kind == TokenKind::Symbol(Symbol::Semicolon);
        if at_end && tokens.is_empty() {
            break;
        }
        let last = token.span;
        tokens.push(token);
        if closes {
            let first = tokens.first().map_or(last, |t| t.span);
            // Blanks and comments behind an unfinished statement are no part of it.
            let end = match tokens.as_slice() {
                [.., before, end] if end.kind == TokenKind::End => before.span.end,
                _ => last.end,
            };
            let span = Span { end, ..first };
            if !at_end {
                let end = Span {
                    start: last.end,
                    column: last.column + 1,
                    ..last
                };
                tokens.push(Token {
                    kind: TokenKind::End,
                    span: end,
                });
            }
            statements.push(RawStatement {
                source: Arc::clone(&source),
                tokens: std::mem::take(&mut tokens),
                span,
            });
        }
    }
    statements
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_at_semicolons_outside_of_strings_names_and_comments() {
        let text = "-- a;\nLIST\tSTREAMS\r\n; /* ; */ SET 'a;'='b'; SELECT `;` ; ;x  -- y\n";
        let raw = split(text);
        let texts: Vec<_> = raw.iter().map(|r| r.text()).collect();
        assert_eq!(
            texts,
            [
                "LIST\tSTREAMS\r\n;",
                "SET 'a;'='b';",
                "SELECT `;` ;",
                ";",
                "x"
            ]
        );
        assert_eq!((raw[0].span().line, raw[0].span().column), (2, 1));
        assert!(split(" -- nothing\n/* ; */ ").is_empty());
    }
}
