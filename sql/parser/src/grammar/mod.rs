//! The productions: recursive descent over tokens, one file per part of the language.
//!
//! ```text
//!  statement.rs ──► source.rs (columns, WITH)
//!       │      └──► query.rs (SELECT, joins, windows)
//!       │               └──► expression.rs ──► literal.rs, types.rs
//!       └─ all of them read tokens through the cursor of this file
//! ```

mod expression;
mod literal;
mod query;
mod source;
mod statement;
mod types;

use weir_types::SqlError;

use crate::ast::{Ident, Span, Statement, TimeSpan, TimeUnit};
use crate::error::{self, IDENTIFIER};
use crate::keywords;
use crate::lexer::{Symbol, Token, TokenKind};

/// Most nodes on a path from the root of a tree to a leaf. Whoever walks a tree recursively may
/// count on it.
pub const MAX_DEPTH: u32 = 400;

/// Most productions within one another, which bounds the parser's own stack.
const MAX_NESTING: u32 = 150;

/// A cursor over the tokens of one statement.
pub(crate) struct Parser<'a> {
    source: &'a str,
    tokens: &'a [Token],
    position: usize,
    nesting: u32,
    end: Token,
}

impl<'a> Parser<'a> {
    /// A parser at the first of `tokens`, whose spans count in `source`.
    pub(crate) fn new(source: &'a str, tokens: &'a [Token]) -> Self {
        let end = tokens.last().map_or_else(Span::default, |t| t.span);
        let end = Token {
            kind: TokenKind::End,
            span: end,
        };
        Self {
            source,
            tokens,
            position: 0,
            nesting: 0,
            end,
        }
    }

    /// One statement with its semicolon.
    pub(crate) fn single_statement(&mut self) -> Result<Statement, SqlError> {
        let statement = self.statement()?;
        self.expect_symbol(Symbol::Semicolon)?;
        self.expect_end()?;
        Ok(statement)
    }

    /// Nothing more.
    pub(crate) fn expect_end(&mut self) -> Result<(), SqlError> {
        if self.peek().kind == TokenKind::End {
            Ok(())
        } else {
            Err(self.fail(&["<EOF>"]))
        }
    }

    fn peek(&self) -> &Token {
        self.peek_at(0)
    }

    fn peek_at(&self, ahead: usize) -> &Token {
        self.tokens.get(self.position + ahead).unwrap_or(&self.end)
    }

    fn advance(&mut self) {
        self.position += 1;
    }

    fn here(&self) -> Span {
        self.peek().span
    }

    /// From `start` to the end of the token read last.
    fn span_from(&self, start: Span) -> Span {
        let last = self
            .position
            .checked_sub(1)
            .and_then(|at| self.tokens.get(at));
        Span {
            end: last.map_or(start.end, |t| t.span.end.max(start.end)),
            ..start
        }
    }

    /// The syntax error that one of `expected` is missing here.
    fn fail(&self, expected: &[&str]) -> SqlError {
        error::syntax(self.source, self.peek(), expected)
    }

    fn is_keyword_at(&self, ahead: usize, keyword: &str) -> bool {
        matches!(&self.peek_at(ahead).kind, TokenKind::Word(w) if w.eq_ignore_ascii_case(keyword))
    }

    fn is_keyword(&self, keyword: &str) -> bool {
        self.is_keyword_at(0, keyword)
    }

    fn are_keywords(&self, keywords: &[&str]) -> bool {
        keywords
            .iter()
            .enumerate()
            .all(|(i, k)| self.is_keyword_at(i, k))
    }

    fn eat_keyword(&mut self, keyword: &str) -> bool {
        let found = self.is_keyword(keyword);
        if found {
            self.advance();
        }
        found
    }

    /// Reads all of `keywords` or nothing.
    fn eat_keywords(&mut self, keywords: &[&str]) -> bool {
        let found = self.are_keywords(keywords);
        if found {
            self.position += keywords.len();
        }
        found
    }

    fn expect_keyword(&mut self, keyword: &str) -> Result<(), SqlError> {
        if self.eat_keyword(keyword) {
            Ok(())
        } else {
            Err(self.fail(&[&format!("'{keyword}'")]))
        }
    }

    fn is_symbol_at(&self, ahead: usize, symbol: Symbol) -> bool {
        self.peek_at(ahead).kind == TokenKind::Symbol(symbol)
    }

    fn is_symbol(&self, symbol: Symbol) -> bool {
        self.is_symbol_at(0, symbol)
    }

    fn eat_symbol(&mut self, symbol: Symbol) -> bool {
        let found = self.is_symbol(symbol);
        if found {
            self.advance();
        }
        found
    }

    fn expect_symbol(&mut self, symbol: Symbol) -> Result<(), SqlError> {
        if self.eat_symbol(symbol) {
            Ok(())
        } else {
            Err(self.fail(&[&format!("'{}'", symbol.text())]))
        }
    }

    /// `item, …` at least once, then `close`.
    fn comma_separated<T>(
        &mut self,
        close: Symbol,
        mut item: impl FnMut(&mut Self) -> Result<T, SqlError>,
    ) -> Result<Vec<T>, SqlError> {
        let mut items = Vec::new();
        loop {
            items.push(item(self)?);
            if self.eat_symbol(close) {
                return Ok(items);
            }
            if !self.eat_symbol(Symbol::Comma) {
                return Err(self.fail(&["','", &format!("'{}'", close.text())]));
            }
        }
    }

    fn is_identifier_at(&self, ahead: usize) -> bool {
        match &self.peek_at(ahead).kind {
            TokenKind::Word(word) => !keywords::is_reserved(word),
            TokenKind::DigitWord(_) | TokenKind::Quoted(_) | TokenKind::Variable(_) => true,
            _ => false,
        }
    }

    /// A name in stored form.
    fn identifier(&mut self) -> Result<Ident, SqlError> {
        let ident = self.identifier_as_written()?;
        Ok(if ident.quoted {
            ident
        } else {
            Ident {
                name: ident.name.to_uppercase(),
                ..ident
            }
        })
    }

    /// A name, not upper-cased.
    fn identifier_as_written(&mut self) -> Result<Ident, SqlError> {
        let Token { kind, span } = self.peek().clone();
        let (name, quoted) = match kind {
            TokenKind::Word(word) if !keywords::is_reserved(&word) => (word, false),
            TokenKind::DigitWord(word) => (word, false),
            TokenKind::Quoted(name) => (name, true),
            TokenKind::Variable(name) => {
                let got = format!("${{{}}}", name.to_uppercase());
                return Err(error::illegal(
                    span,
                    format!(
                        "The variable '{name}' is not defined, and names may only contain \
                         alphanumeric values, '_' or '-'. Got: '{got}'"
                    ),
                )
                .in_statement(got));
            }
            _ => return Err(self.fail(&[IDENTIFIER])),
        };
        self.advance();
        Ok(Ident { name, quoted, span })
    }

    /// Name of a stream or table, or its alias.
    fn source_name(&mut self) -> Result<Ident, SqlError> {
        let ident = self.identifier()?;
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if ident.name.is_empty() || !ident.name.chars().all(allowed) {
            return Err(error::illegal(
                ident.span,
                format!(
                    "Source names may only contain alphanumeric values, '_' or '-'. Got: '{}'",
                    ident.name
                ),
            )
            .in_statement(ident.name));
        }
        Ok(ident)
    }

    /// Name of a topic or subject: case kept, or a string.
    fn resource_name(&mut self) -> Result<String, SqlError> {
        if let TokenKind::String(_) = self.peek().kind {
            return self.string();
        }
        if self.is_identifier_at(0) {
            return Ok(self.identifier_as_written()?.name);
        }
        Err(self.fail(&["STRING", IDENTIFIER]))
    }

    fn string(&mut self) -> Result<String, SqlError> {
        match &self.peek().kind {
            TokenKind::String(value) => {
                let value = value.clone();
                self.advance();
                Ok(value)
            }
            _ => Err(self.fail(&["STRING"])),
        }
    }

    /// An integer with an optional minus, within 64 bits.
    fn integer(&mut self, what: &str) -> Result<i64, SqlError> {
        let at = self.here();
        let ahead = usize::from(self.is_symbol(Symbol::Minus));
        let digits = match &self.peek_at(ahead).kind {
            TokenKind::Integer(digits) => digits,
            TokenKind::Decimal(text) | TokenKind::Float(text) => {
                return Err(error::prepare(
                    at,
                    format!(
                        "Line: {}, Col: {}: Value must be an integer for {what}: {text}",
                        at.line, at.column
                    ),
                ));
            }
            _ => return Err(self.fail(&["INTEGER_VALUE"])),
        };
        let signed = format!("{}{digits}", if ahead == 1 { "-" } else { "" });
        let value = signed.parse().map_err(|_| invalid_number(at, &signed))?;
        self.position += ahead + 1;
        Ok(value)
    }

    /// `n unit`.
    fn time_span(&mut self, what: &str) -> Result<TimeSpan, SqlError> {
        let amount = self.integer(what)?;
        match self.time_unit_at(0) {
            Some(unit) => {
                self.advance();
                Ok(TimeSpan { amount, unit })
            }
            None => Err(self.fail(&[
                "'DAYS'",
                "'HOURS'",
                "'MINUTES'",
                "'SECONDS'",
                "'MILLISECONDS'",
            ])),
        }
    }

    fn time_unit_at(&self, ahead: usize) -> Option<TimeUnit> {
        let TokenKind::Word(word) = &self.peek_at(ahead).kind else {
            return None;
        };
        Some(match word.to_ascii_uppercase().as_str() {
            "DAY" | "DAYS" => TimeUnit::Days,
            "HOUR" | "HOURS" => TimeUnit::Hours,
            "MINUTE" | "MINUTES" => TimeUnit::Minutes,
            "SECOND" | "SECONDS" => TimeUnit::Seconds,
            "MILLISECOND" | "MILLISECONDS" => TimeUnit::Milliseconds,
            _ => return None,
        })
    }

    /// Runs a production that can contain itself, one level deeper.
    fn nested<T>(
        &mut self,
        production: impl FnOnce(&mut Self) -> Result<T, SqlError>,
    ) -> Result<T, SqlError> {
        if self.nesting >= MAX_NESTING {
            return Err(error::too_deep(self.here()));
        }
        self.nesting += 1;
        let result = production(self);
        self.nesting -= 1;
        result
    }
}

/// A number beyond its range.
fn invalid_number(at: Span, text: &str) -> SqlError {
    error::prepare(
        at,
        format!(
            "line {}:{}: Invalid numeric literal: {text}",
            at.line, at.column
        ),
    )
}
