//! CREATE STREAM / TABLE, their columns and WITH clauses (spec/sql.md §2.1, §2.2, §3).

use weir_types::{SqlError, ident};

use super::Parser;
use crate::ast::{
    ColumnConstraint, ColumnDef, CreateAs, CreateSource, Ident, Literal, Properties, Property,
    SourceKind, Statement,
};
use crate::error::{self, IDENTIFIER};
use crate::lexer::{Symbol, TokenKind};

impl Parser<'_> {
    /// What follows CREATE [OR REPLACE] [SOURCE] (STREAM | TABLE).
    pub(super) fn create(
        &mut self,
        kind: SourceKind,
        or_replace: bool,
        read_only: bool,
    ) -> Result<Statement, SqlError> {
        let if_not_exists = self.if_not_exists()?;
        let name = self.source_name()?;
        let declares = self.eat_symbol(Symbol::LeftParen);
        let columns = if declares {
            self.comma_separated(Symbol::RightParen, |p| p.column(kind))?
        } else {
            Vec::new()
        };
        let has_with = self.eat_keyword("WITH");
        let with = if has_with {
            self.properties(true)?
        } else {
            Properties::default()
        };
        if !declares && !read_only && self.eat_keyword("AS") {
            if !self.is_keyword("SELECT") {
                return Err(self.fail(&["'SELECT'"]));
            }
            let query = self.query()?;
            if query.limit.is_some() {
                let word = kind_word(kind);
                return Err(error::prepare(
                    query.span,
                    format!("CREATE {word} AS SELECT statements don't support LIMIT clause."),
                ));
            }
            let create = CreateAs {
                kind,
                or_replace,
                if_not_exists,
                name,
                with,
                query,
            };
            return Ok(Statement::CreateAs(create));
        }
        if !self.is_symbol(Symbol::Semicolon) {
            return Err(match (declares, has_with, read_only) {
                (_, true, true) | (true, true, _) => self.fail(&["';'"]),
                (false, true, false) => self.fail(&["';'", "'AS'"]),
                (true, false, _) => self.fail(&["';'", "'WITH'"]),
                (false, false, true) => self.fail(&["';'", "'('", "'WITH'"]),
                (false, false, false) => self.fail(&["';'", "'('", "'WITH'", "'AS'"]),
            });
        }
        let create = CreateSource {
            kind,
            or_replace,
            read_only,
            if_not_exists,
            name,
            columns,
            with,
        };
        Ok(Statement::CreateSource(create))
    }

    /// IF NOT EXISTS, if it comes next. IF alone may be a name.
    pub(super) fn if_not_exists(&mut self) -> Result<bool, SqlError> {
        if !self.are_keywords(&["IF", "NOT"]) {
            return Ok(false);
        }
        self.position += 2;
        self.expect_keyword("EXISTS")?;
        Ok(true)
    }

    /// A declared column.
    fn column(&mut self, kind: SourceKind) -> Result<ColumnDef, SqlError> {
        let name = self.identifier()?;
        let type_name = self.type_name()?;
        let constraint = if self.eat_keyword("PRIMARY") {
            self.expect_keyword("KEY")?;
            ColumnConstraint::PrimaryKey
        } else if self.eat_keyword("KEY") {
            ColumnConstraint::Key
        } else if self.eat_keyword("HEADERS") {
            ColumnConstraint::Headers
        } else if self.eat_keyword("HEADER") {
            self.expect_symbol(Symbol::LeftParen)?;
            let key = self.string()?;
            self.expect_symbol(Symbol::RightParen)?;
            ColumnConstraint::Header(key)
        } else {
            ColumnConstraint::None
        };
        match (&constraint, kind) {
            (ColumnConstraint::PrimaryKey, SourceKind::Stream) => {
                Err(wrong_key(&name, "PRIMARY KEY", "KEY", "streams"))
            }
            (ColumnConstraint::Key, SourceKind::Table) => {
                Err(wrong_key(&name, "KEY", "PRIMARY KEY", "tables"))
            }
            _ => Ok(ColumnDef {
                name,
                type_name,
                constraint,
            }),
        }
    }

    /// `name type`, as ALTER adds it.
    pub(super) fn plain_column(&mut self) -> Result<ColumnDef, SqlError> {
        let name = self.identifier()?;
        let type_name = self.type_name()?;
        Ok(ColumnDef {
            name,
            type_name,
            constraint: ColumnConstraint::None,
        })
    }

    /// `(name = literal, …)`. `fold` upper-cases the names.
    pub(super) fn properties(&mut self, fold: bool) -> Result<Properties, SqlError> {
        self.expect_symbol(Symbol::LeftParen)?;
        let list = self.comma_separated(Symbol::RightParen, |p| {
            let span = p.here();
            let name = match p.peek().kind {
                TokenKind::String(_) => p.string()?,
                _ if p.is_identifier_at(0) => p.identifier_as_written()?.name,
                _ => return Err(p.fail(&["STRING", IDENTIFIER])),
            };
            p.expect_symbol(Symbol::Eq)?;
            let value = p.literal()?;
            Ok(Property {
                name: if fold { name.to_uppercase() } else { name },
                value,
                span,
            })
        })?;
        Ok(Properties(list))
    }

    /// A literal.
    pub(super) fn literal(&mut self) -> Result<Literal, SqlError> {
        match self.try_literal()? {
            Some(literal) => Ok(literal),
            None => match &self.peek().kind {
                // Says which variable is missing.
                TokenKind::Variable(_) => self.identifier().map(|_| Literal::Null),
                _ => Err(self.fail(&["a string, number or boolean literal", "'NULL'"])),
            },
        }
    }
}

/// The word for a kind of source.
pub(super) fn kind_word(kind: SourceKind) -> &'static str {
    match kind {
        SourceKind::Stream => "STREAM",
        SourceKind::Table => "TABLE",
    }
}

fn wrong_key(name: &Ident, given: &str, instead: &str, sources: &str) -> SqlError {
    let column = ident::quoted(&name.name);
    SqlError::statement(format!(
        "Line: {}, Col: {}: Column {column} is a '{given}' column: please use '{instead}' for \
         {sources}.\nTables have PRIMARY KEYs, which are unique and NON NULL.\nStreams have KEYs, \
         which have no uniqueness or NON NULL constraints.",
        name.span.line, name.span.column
    ))
    .at(name.span.into())
    .in_statement(column)
}
