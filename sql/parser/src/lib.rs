//! ksqlDB statements and expressions as a syntax tree (spec/sql.md §1, §2, §6).
//!
//! ```text
//!  text ──split──► statements ──tokens of sqlparser──► productions of ours ──► ast::Statement
//!                     │                                                            │
//!                  ${variables} substituted                            printer: back to SQL
//! ```
//!
//! Invariant: parsing knows no catalog; names are folded to their stored form here and nowhere
//! else, and every node that an error may point at keeps its [`ast::Span`]. No text makes the
//! parser panic or overflow the stack: trees are at most [`MAX_DEPTH`] nodes deep.

pub mod ast;
mod error;
mod grammar;
mod keywords;
mod lexer;
pub mod printer;
mod split;
mod variables;

use weir_types::SqlError;

pub use grammar::MAX_DEPTH;
pub use keywords::is_reserved;
pub use split::{RawStatement, split};
pub use variables::Variables;

use ast::{Expr, Statement, TypeName};
use grammar::Parser;

/// A statement with its text.
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed {
    /// The statement.
    pub statement: Statement,
    /// Its text as typed, semicolon included, variables substituted.
    pub text: String,
}

/// Parses one statement, its variables substituted.
///
/// # Errors
///
/// 40001: `line L:C: Syntax Error…` with the whole request as the statement shown, or
/// `Failed to prepare statement: …` for what follows the grammar but can never be a statement.
pub fn parse_statement(raw: &RawStatement, variables: &Variables) -> Result<Parsed, SqlError> {
    let (tokens, text) = variables::substitute(&raw.source, raw.span(), &raw.tokens, variables)?;
    let mut parser = Parser::new(&raw.source, &tokens);
    let statement = parser.single_statement().map_err(|e| {
        let shown = if error::is_syntax(&e) {
            raw.request()
        } else {
            &text
        };
        e.in_statement(shown)
    })?;
    Ok(Parsed { statement, text })
}

/// Parses a request: its statements in order. DEFINE and UNDEFINE act on the statements after
/// them; `variables` itself is not changed.
///
/// # Errors
///
/// Those of [`parse_statement`], for the first statement that has one.
pub fn parse_all(text: &str, variables: &Variables) -> Result<Vec<Parsed>, SqlError> {
    let mut variables = variables.clone();
    let mut all = Vec::new();
    for raw in split(text) {
        let parsed = parse_statement(&raw, &variables)?;
        match &parsed.statement {
            Statement::Define { name, value } => variables.define(name, value),
            Statement::Undefine { name } => {
                variables.undefine(name);
            }
            _ => {}
        }
        all.push(parsed);
    }
    Ok(all)
}

/// Parses an expression that stands alone.
///
/// # Errors
///
/// 40001: `line L:C: Syntax Error…`.
pub fn parse_expression(text: &str) -> Result<Expr, SqlError> {
    let tokens = lexer::tokenize(text);
    let mut parser = Parser::new(text, &tokens);
    let expr = parser.expression()?;
    parser.expect_end()?;
    Ok(expr)
}

/// Parses a type that stands alone.
///
/// # Errors
///
/// 40001: `line L:C: Syntax Error…`.
pub fn parse_type(text: &str) -> Result<TypeName, SqlError> {
    let tokens = lexer::tokenize(text);
    let mut parser = Parser::new(text, &tokens);
    let type_name = parser.type_name()?;
    parser.expect_end()?;
    Ok(type_name)
}
