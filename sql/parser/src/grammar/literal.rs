//! Literals (spec/sql.md §1).

use weir_types::SqlError;

use super::{Parser, invalid_number};
use crate::ast::{Literal, Span};
use crate::error;
use crate::lexer::{Symbol, Token, TokenKind};

impl Parser<'_> {
    /// A literal, its minus included; `None` (and nothing read) if there is none.
    pub(super) fn try_literal(&mut self) -> Result<Option<Literal>, SqlError> {
        let Token { kind, span } = self.peek().clone();
        let literal = match kind {
            TokenKind::String(value) => Literal::String(value),
            TokenKind::Word(word) => match word.to_ascii_uppercase().as_str() {
                "NULL" => Literal::Null,
                "TRUE" => Literal::Boolean(true),
                "FALSE" => Literal::Boolean(false),
                _ => return Ok(None),
            },
            TokenKind::Symbol(Symbol::Minus) if is_number(&self.peek_at(1).kind) => {
                let literal = number("-", &self.peek_at(1).kind, span)?;
                self.advance();
                literal
            }
            kind if is_number(&kind) => number("", &kind, span)?,
            _ => return Ok(None),
        };
        self.advance();
        Ok(Some(literal))
    }
}

/// Whether a token is a number without sign.
pub(super) fn is_number(kind: &TokenKind) -> bool {
    matches!(
        kind,
        TokenKind::Integer(_) | TokenKind::Decimal(_) | TokenKind::Float(_)
    )
}

/// The literal of a number and its sign.
fn number(sign: &str, kind: &TokenKind, at: Span) -> Result<Literal, SqlError> {
    match kind {
        TokenKind::Integer(digits) => {
            let text = format!("{sign}{digits}");
            let value: i64 = text.parse().map_err(|_| invalid_number(at, &text))?;
            Ok(i32::try_from(value).map_or(Literal::Bigint(value), Literal::Integer))
        }
        TokenKind::Float(digits) => {
            let value: f64 = digits.parse().map_err(|_| invalid_number(at, digits))?;
            if value.is_infinite() {
                return Err(error::prepare(
                    at,
                    format!(
                        "line {}:{}: Number overflows DOUBLE: {sign}{digits}",
                        at.line, at.column
                    ),
                ));
            }
            Ok(Literal::Double(if sign.is_empty() {
                value
            } else {
                -value
            }))
        }
        TokenKind::Decimal(digits) => {
            // `.5` is `0.5`, `007.5` is `7.5`.
            let digits = digits.trim_start_matches('0');
            let zero = if digits.starts_with('.') { "0" } else { "" };
            Ok(Literal::Decimal(format!("{sign}{zero}{digits}")))
        }
        _ => Err(invalid_number(at, "")),
    }
}
