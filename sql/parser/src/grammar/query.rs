//! SELECT, its joins and windows (spec/sql.md §2.5, §8).

use weir_types::SqlError;

use super::Parser;
use crate::ast::{
    Emit, Expr, Join, JoinKind, Query, SelectItem, SourceRef, TimeSpan, Window, WindowShape, Within,
};
use crate::error;
use crate::lexer::Symbol;

impl Parser<'_> {
    /// A query from SELECT on.
    pub(super) fn query(&mut self) -> Result<Query, SqlError> {
        let start = self.here();
        self.expect_keyword("SELECT")?;
        let mut select = vec![self.select_item()?];
        while self.eat_symbol(Symbol::Comma) {
            select.push(self.select_item()?);
        }
        if !self.eat_keyword("FROM") {
            return Err(self.fail(&["','", "'FROM'"]));
        }
        let from = self.source_ref()?;
        let mut joins = Vec::new();
        while let Some(kind) = self.join_kind()? {
            joins.push(self.join(kind)?);
        }
        let window = self.window()?;
        let filter = self.after_keyword("WHERE")?;
        let group_by = if self.eat_keyword("GROUP") {
            self.by_list("GROUP BY")?
        } else {
            Vec::new()
        };
        let partition_by = if self.eat_keyword("PARTITION") {
            self.by_list("PARTITION BY")?
        } else {
            Vec::new()
        };
        let having = self.after_keyword("HAVING")?;
        let emit = if self.eat_keyword("EMIT") {
            Some(if self.eat_keyword("CHANGES") {
                Emit::Changes
            } else if self.eat_keyword("FINAL") {
                Emit::Final
            } else {
                return Err(self.fail(&["'CHANGES'", "'FINAL'"]));
            })
        } else {
            None
        };
        let limit = self.limit()?;
        Ok(Query {
            select,
            from,
            joins,
            window,
            filter,
            group_by,
            partition_by,
            having,
            emit,
            limit,
            span: self.span_from(start),
        })
    }

    /// LIMIT n, if it comes next.
    pub(super) fn limit(&mut self) -> Result<Option<i64>, SqlError> {
        if self.eat_keyword("LIMIT") {
            self.integer("LIMIT").map(Some)
        } else {
            Ok(None)
        }
    }

    fn after_keyword(&mut self, keyword: &str) -> Result<Option<Expr>, SqlError> {
        if self.eat_keyword(keyword) {
            self.expression().map(Some)
        } else {
            Ok(None)
        }
    }

    fn select_item(&mut self) -> Result<SelectItem, SqlError> {
        let start = self.here();
        if self.eat_symbol(Symbol::Star) {
            return Ok(SelectItem::Star(start));
        }
        if self.is_identifier_at(0)
            && self.is_symbol_at(1, Symbol::Dot)
            && self.is_symbol_at(2, Symbol::Star)
        {
            let source = self.identifier()?;
            self.position += 2;
            return Ok(SelectItem::QualifiedStar(source));
        }
        let before = self.position;
        let expr = self.expression()?;
        if self.is_symbol(Symbol::Arrow) {
            // `->*` follows a primary expression only, so `a + b->*` is refused.
            self.position = before;
            let base = self.primary_expression()?;
            self.expect_symbol(Symbol::Arrow)?;
            self.expect_symbol(Symbol::Star)?;
            return Ok(SelectItem::StructStar(base));
        }
        let alias = if self.eat_keyword("AS") || self.is_identifier_at(0) {
            Some(self.identifier()?)
        } else {
            None
        };
        Ok(SelectItem::Expr { expr, alias })
    }

    /// A source and its alias. EMIT, PARTITION and the name of a window clause can be aliases too,
    /// unless what follows shows that they begin a clause.
    fn source_ref(&mut self) -> Result<SourceRef, SqlError> {
        let name = self.source_name()?;
        let begins_clause = self.are_keywords(&["EMIT", "CHANGES"])
            || self.are_keywords(&["EMIT", "FINAL"])
            || self.are_keywords(&["PARTITION", "BY"]);
        let alias = if self.eat_keyword("AS") || (!begins_clause && self.is_identifier_at(0)) {
            Some(self.source_name()?)
        } else {
            None
        };
        Ok(SourceRef { name, alias })
    }

    fn join_kind(&mut self) -> Result<Option<JoinKind>, SqlError> {
        let kind = if self.eat_keyword("JOIN") {
            return Ok(Some(JoinKind::Inner));
        } else if self.eat_keyword("INNER") {
            JoinKind::Inner
        } else if self.eat_keyword("LEFT") {
            JoinKind::Left
        } else if self.eat_keyword("RIGHT") {
            JoinKind::Right
        } else if self.eat_keyword("FULL") {
            JoinKind::Full
        } else {
            return Ok(None);
        };
        if kind != JoinKind::Inner {
            self.eat_keyword("OUTER");
        }
        self.expect_keyword("JOIN")?;
        Ok(Some(kind))
    }

    /// The rest of a join after JOIN.
    fn join(&mut self, kind: JoinKind) -> Result<Join, SqlError> {
        let start = self.here();
        let source = self.source_ref()?;
        let within = if self.eat_keyword("WITHIN") {
            Some(self.within()?)
        } else {
            None
        };
        if !self.eat_keyword("ON") {
            return Err(match &within {
                None => self.fail(&["'WITHIN'", "'ON'"]),
                Some(Within { grace: None, .. }) => self.fail(&["'GRACE'", "'ON'"]),
                Some(_) => self.fail(&["'ON'"]),
            });
        }
        let on = self.expression()?;
        Ok(Join {
            kind,
            source,
            within,
            on,
            span: self.span_from(start),
        })
    }

    fn within(&mut self) -> Result<Within, SqlError> {
        let asymmetric = self.eat_symbol(Symbol::LeftParen);
        let before = self.time_span("WITHIN")?;
        let mut after = before;
        if asymmetric {
            self.expect_symbol(Symbol::Comma)?;
            after = self.time_span("WITHIN")?;
            self.expect_symbol(Symbol::RightParen)?;
        }
        let grace = self.grace()?;
        Ok(Within {
            before,
            after,
            asymmetric,
            grace,
        })
    }

    fn grace(&mut self) -> Result<Option<TimeSpan>, SqlError> {
        if !self.eat_keyword("GRACE") {
            return Ok(None);
        }
        self.expect_keyword("PERIOD")?;
        self.time_span("GRACE PERIOD").map(Some)
    }

    fn window(&mut self) -> Result<Option<Window>, SqlError> {
        let start = self.here();
        if !self.eat_keyword("WINDOW") {
            return Ok(None);
        }
        let is_shape = ["TUMBLING", "HOPPING"]
            .iter()
            .any(|shape| self.is_keyword(shape))
            || (self.is_keyword("SESSION") && self.is_symbol_at(1, Symbol::LeftParen));
        if !is_shape && self.is_identifier_at(0) {
            // A window may be given a name, which nothing can refer to.
            self.identifier()?;
        }
        let shape = if self.eat_keyword("TUMBLING") {
            self.expect_symbol(Symbol::LeftParen)?;
            WindowShape::Tumbling(self.sized()?)
        } else if self.eat_keyword("HOPPING") {
            self.expect_symbol(Symbol::LeftParen)?;
            let size = self.sized()?;
            self.expect_symbol(Symbol::Comma)?;
            self.expect_keyword("ADVANCE")?;
            self.expect_keyword("BY")?;
            WindowShape::Hopping {
                size,
                advance: self.time_span("ADVANCE BY")?,
            }
        } else if self.eat_keyword("SESSION") {
            self.expect_symbol(Symbol::LeftParen)?;
            WindowShape::Session(self.time_span("SESSION")?)
        } else {
            return Err(self.fail(&["'TUMBLING'", "'HOPPING'", "'SESSION'"]));
        };
        let (retention, grace) = self.window_options()?;
        Ok(Some(Window {
            shape,
            retention,
            grace,
            span: self.span_from(start),
        }))
    }

    fn sized(&mut self) -> Result<TimeSpan, SqlError> {
        self.expect_keyword("SIZE")?;
        self.time_span("SIZE")
    }

    /// `, RETENTION …`, `, GRACE PERIOD …` and the closing parenthesis.
    fn window_options(&mut self) -> Result<(Option<TimeSpan>, Option<TimeSpan>), SqlError> {
        let (mut retention, mut grace) = (None, None);
        while grace.is_none() && self.eat_symbol(Symbol::Comma) {
            if retention.is_none() && self.eat_keyword("RETENTION") {
                retention = Some(self.time_span("RETENTION")?);
            } else {
                grace = self.grace()?;
                if grace.is_none() {
                    return Err(match retention {
                        None => self.fail(&["'RETENTION'", "'GRACE'"]),
                        Some(_) => self.fail(&["'GRACE'"]),
                    });
                }
            }
        }
        if !self.eat_symbol(Symbol::RightParen) {
            let more = if grace.is_none() {
                &["','", "')'"][..]
            } else {
                &["')'"]
            };
            return Err(self.fail(more));
        }
        Ok((retention, grace))
    }

    /// BY and the expressions of GROUP or PARTITION, which may be in parentheses.
    fn by_list(&mut self, clause: &str) -> Result<Vec<Expr>, SqlError> {
        self.expect_keyword("BY")?;
        let start = self.here();
        if let Some(list) = self.parenthesized_list()? {
            if list.is_empty() {
                let rule = format!("{clause} requires at least one expression");
                return Err(error::prepare(start, rule));
            }
            return Ok(list);
        }
        let mut list = vec![self.value_expression()?];
        while self.eat_symbol(Symbol::Comma) {
            list.push(self.value_expression()?);
        }
        Ok(list)
    }

    /// `(a, b)` as a whole list, told apart from `(a) + b`, which begins a list, by its end.
    fn parenthesized_list(&mut self) -> Result<Option<Vec<Expr>>, SqlError> {
        if !self.is_symbol(Symbol::LeftParen) {
            return Ok(None);
        }
        let mut depth = 0usize;
        let mut commas = 0usize;
        let mut close = None;
        for ahead in 0..self.tokens.len() {
            if self.is_symbol_at(ahead, Symbol::LeftParen) {
                depth += 1;
            } else if self.is_symbol_at(ahead, Symbol::RightParen) {
                depth -= 1;
                if depth == 0 {
                    close = Some(ahead);
                    break;
                }
            } else if depth == 1 && self.is_symbol_at(ahead, Symbol::Comma) {
                commas += 1;
            }
        }
        let Some(close) = close else { return Ok(None) };
        if commas == 0 && close > 1 {
            // One expression in parentheses reads the same either way.
            return Ok(None);
        }
        self.advance();
        if self.eat_symbol(Symbol::RightParen) {
            return Ok(Some(Vec::new()));
        }
        self.comma_separated(Symbol::RightParen, Self::value_expression)
            .map(Some)
    }
}
