//! Types (spec/sql.md §4).

use weir_types::{SqlError, SqlType, StructField};

use super::Parser;
use crate::ast::{Ident, Span, TypeName};
use crate::error::{self, IDENTIFIER};
use crate::lexer::{Symbol, TokenKind};

impl Parser<'_> {
    /// A type, custom names left as they are.
    pub(crate) fn type_name(&mut self) -> Result<TypeName, SqlError> {
        let mut type_name = self.nested(Self::prefix_type)?;
        let mut arrays = 0;
        while self.is_keyword("ARRAY") && !self.is_symbol_at(1, Symbol::Lt) {
            arrays += 1;
            if arrays > super::MAX_NESTING {
                return Err(error::too_deep(self.here()));
            }
            self.advance();
            type_name = array_of(type_name);
        }
        Ok(type_name)
    }

    fn prefix_type(&mut self) -> Result<TypeName, SqlError> {
        let start = self.here();
        if self.is_keyword("DECIMAL") {
            self.advance();
            return self.decimal(start).map(TypeName::Sql);
        }
        if self.is_symbol_at(1, Symbol::Lt) {
            if self.eat_keyword("ARRAY") {
                self.advance();
                let item = self.type_name()?;
                self.expect_symbol(Symbol::Gt)?;
                return Ok(array_of(item));
            }
            if self.eat_keyword("MAP") {
                self.advance();
                let key = self.type_name()?;
                self.expect_symbol(Symbol::Comma)?;
                let value = self.type_name()?;
                self.expect_symbol(Symbol::Gt)?;
                return Ok(match (key, value) {
                    (TypeName::Sql(key), TypeName::Sql(value)) => {
                        TypeName::Sql(SqlType::map(key, value))
                    }
                    (key, value) => TypeName::Map(Box::new(key), Box::new(value)),
                });
            }
            if self.eat_keyword("STRUCT") {
                self.advance();
                return self.struct_fields(start);
            }
        }
        if !self.is_identifier_at(0) {
            return Err(self.fail(&[IDENTIFIER, "'DECIMAL'"]));
        }
        let name = self.identifier()?;
        if self.eat_symbol(Symbol::LeftParen) {
            // `VARCHAR(STRING)`, `VARCHAR(10)`: accepted, without meaning.
            self.comma_separated(Symbol::RightParen, |p| {
                let fits = matches!(p.peek().kind, TokenKind::Integer(_)) || p.is_keyword("STRING");
                if !fits {
                    return Err(p.fail(&["'STRING'", "INTEGER_VALUE"]));
                }
                p.advance();
                Ok(())
            })?;
        }
        Ok(built_in(&name).map_or_else(|| TypeName::Custom(name), TypeName::Sql))
    }

    fn decimal(&mut self, start: Span) -> Result<SqlType, SqlError> {
        self.expect_symbol(Symbol::LeftParen)?;
        let precision = self.integer("DECIMAL")?;
        self.expect_symbol(Symbol::Comma)?;
        let scale = self.integer("DECIMAL")?;
        self.expect_symbol(Symbol::RightParen)?;
        let wrong = |rule: &str| {
            Err(error::prepare(
                start,
                format!("{rule}: DECIMAL({precision},{scale})"),
            ))
        };
        if precision < 1 {
            return wrong("DECIMAL precision must be >= 1");
        }
        if scale < 0 {
            return wrong("DECIMAL scale must be >= 0");
        }
        if precision < scale {
            return wrong("DECIMAL precision must be >= scale");
        }
        match (u32::try_from(precision), u32::try_from(scale)) {
            (Ok(precision), Ok(scale)) => Ok(SqlType::decimal(precision, scale)),
            _ => wrong("DECIMAL precision is too large"),
        }
    }

    fn struct_fields(&mut self, start: Span) -> Result<TypeName, SqlError> {
        let fields = if self.eat_symbol(Symbol::Gt) {
            Vec::new()
        } else {
            self.comma_separated(Symbol::Gt, |p| {
                let name = p.identifier()?;
                Ok((name.name, p.type_name()?))
            })?
        };
        for (i, (name, _)) in fields.iter().enumerate() {
            if fields.iter().take(i).any(|(earlier, _)| earlier == name) {
                return Err(error::prepare(
                    start,
                    format!("Duplicate field names found in STRUCT: `{name}`"),
                ));
            }
        }
        if fields.iter().all(|(_, t)| matches!(t, TypeName::Sql(_))) {
            let fields = fields.into_iter().filter_map(|(name, t)| match t {
                TypeName::Sql(sql_type) => Some(StructField { name, sql_type }),
                _ => None,
            });
            return Ok(TypeName::Sql(SqlType::Struct(fields.collect())));
        }
        Ok(TypeName::Struct(fields))
    }
}

fn array_of(item: TypeName) -> TypeName {
    match item {
        TypeName::Sql(item) => TypeName::Sql(SqlType::array(item)),
        item => TypeName::Array(Box::new(item)),
    }
}

/// The built-in type of that name. Built-in names win over custom types.
fn built_in(name: &Ident) -> Option<SqlType> {
    Some(match name.name.to_ascii_uppercase().as_str() {
        "BOOLEAN" => SqlType::Boolean,
        "INTEGER" | "INT" => SqlType::Integer,
        "BIGINT" => SqlType::Bigint,
        "DOUBLE" => SqlType::Double,
        "STRING" | "VARCHAR" => SqlType::String,
        "BYTES" => SqlType::Bytes,
        "DATE" => SqlType::Date,
        "TIME" => SqlType::Time,
        "TIMESTAMP" => SqlType::Timestamp,
        _ => return None,
    })
}
