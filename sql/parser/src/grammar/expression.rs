//! Expressions (spec/sql.md §6): operator precedence over prefix, primary and postfix forms.
//!
//! ```text
//!  loosest                                                                     tightest
//!  OR < AND < NOT < comparison, IS, BETWEEN, IN, LIKE < || < + - < * / % < sign < AT TIME ZONE
//!                   (one, not a chain: `a = b = c` is refused)
//! ```

use std::collections::HashSet;

use weir_types::SqlError;

use super::literal::is_number;
use super::{MAX_DEPTH, Parser};
use crate::ast::{BinaryOp, Expr, ExprKind, Ident, Literal, Span};
use crate::error::{self, EXPRESSION};
use crate::lexer::{Symbol, TokenKind};
use crate::printer::print_expr;

/// How tightly an operator binds.
type Level = u8;
const OR: Level = 1;
const AND: Level = 2;
const NOT: Level = 3;
const PREDICATE: Level = 4;
const CONCAT: Level = 5;
const ADD: Level = 6;
const MULTIPLY: Level = 7;
const SIGN: Level = 8;
const ZONE: Level = 9;

/// An expression and how deep its tree is.
struct Tree {
    expr: Expr,
    depth: u32,
}

impl Parser<'_> {
    /// Any expression.
    pub(crate) fn expression(&mut self) -> Result<Expr, SqlError> {
        Ok(self.tree(OR)?.expr)
    }

    /// An expression without AND, OR, NOT and comparisons outside of parentheses.
    pub(super) fn value_expression(&mut self) -> Result<Expr, SqlError> {
        Ok(self.tree(CONCAT)?.expr)
    }

    /// A primary expression with its subscripts and field accesses, as before `->*`.
    pub(super) fn primary_expression(&mut self) -> Result<Expr, SqlError> {
        Ok(self.nested(Self::postfix)?.expr)
    }

    /// `kind` over operands of at most `below` depth.
    fn node(&self, kind: ExprKind, start: Span, below: u32) -> Result<Tree, SqlError> {
        let span = self.span_from(start);
        if below >= MAX_DEPTH {
            return Err(error::too_deep(span));
        }
        Ok(Tree {
            expr: Expr { kind, span },
            depth: below + 1,
        })
    }

    /// An expression whose operators bind at least as tightly as `least`.
    fn tree(&mut self, least: Level) -> Result<Tree, SqlError> {
        self.nested(|p| p.operators(least))
    }

    fn operators(&mut self, least: Level) -> Result<Tree, SqlError> {
        let start = self.here();
        // The tightest operator that may still take what was read as its left operand.
        let mut tightest = ZONE;
        let mut left = if least <= NOT && self.eat_keyword("NOT") {
            tightest = AND;
            let operand = self.tree(NOT)?;
            let depth = operand.depth;
            self.node(ExprKind::Not(Box::new(operand.expr)), start, depth)?
        } else {
            self.signed()?
        };
        loop {
            let Some((level, op)) = self.infix() else {
                return Ok(left);
            };
            if level < least || level > tightest {
                return Ok(left);
            }
            left = match op {
                Some(op) => {
                    self.advance();
                    let right = self.tree(level + 1)?;
                    let depth = left.depth.max(right.depth);
                    let (left, right) = (Box::new(left.expr), Box::new(right.expr));
                    self.node(ExprKind::Binary { op, left, right }, start, depth)?
                }
                None if level == ZONE => self.at_time_zone(left, start)?,
                None => self.predicate(left, start)?,
            };
            if level == PREDICATE {
                tightest = AND;
            }
        }
    }

    /// The operator at hand: how tightly it binds, and which it is if it is a plain binary one.
    fn infix(&self) -> Option<(Level, Option<BinaryOp>)> {
        let found = match &self.peek().kind {
            TokenKind::Symbol(symbol) => match symbol {
                Symbol::Eq => (PREDICATE, BinaryOp::Eq),
                Symbol::NotEq => (PREDICATE, BinaryOp::NotEq),
                Symbol::Lt => (PREDICATE, BinaryOp::Lt),
                Symbol::LtEq => (PREDICATE, BinaryOp::LtEq),
                Symbol::Gt => (PREDICATE, BinaryOp::Gt),
                Symbol::GtEq => (PREDICATE, BinaryOp::GtEq),
                Symbol::Concat => (CONCAT, BinaryOp::Concat),
                Symbol::Plus => (ADD, BinaryOp::Add),
                Symbol::Minus => (ADD, BinaryOp::Subtract),
                Symbol::Star => (MULTIPLY, BinaryOp::Multiply),
                Symbol::Slash => (MULTIPLY, BinaryOp::Divide),
                Symbol::Percent => (MULTIPLY, BinaryOp::Modulo),
                _ => return None,
            },
            TokenKind::Word(word) => match word.to_ascii_uppercase().as_str() {
                "OR" => (OR, BinaryOp::Or),
                "AND" => (AND, BinaryOp::And),
                "NOT" | "IS" | "BETWEEN" | "IN" | "LIKE" => return Some((PREDICATE, None)),
                "AT" => return Some((ZONE, None)),
                _ => return None,
            },
            _ => return None,
        };
        Some((found.0, Some(found.1)))
    }

    /// IS, BETWEEN, IN, LIKE after their left operand.
    fn predicate(&mut self, operand: Tree, start: Span) -> Result<Tree, SqlError> {
        let depth = operand.depth;
        let expr = Box::new(operand.expr);
        if self.eat_keyword("IS") {
            let negated = self.eat_keyword("NOT");
            if self.eat_keyword("NULL") {
                return self.node(ExprKind::IsNull { expr, negated }, start, depth);
            }
            if self.eat_keyword("DISTINCT") {
                self.expect_keyword("FROM")?;
                let right = self.tree(CONCAT)?;
                let depth = depth.max(right.depth);
                let op = if negated {
                    BinaryOp::IsNotDistinctFrom
                } else {
                    BinaryOp::IsDistinctFrom
                };
                let right = Box::new(right.expr);
                return self.node(
                    ExprKind::Binary {
                        op,
                        left: expr,
                        right,
                    },
                    start,
                    depth,
                );
            }
            return Err(self.fail(&["'NULL'", "'DISTINCT'"]));
        }
        let negated = self.eat_keyword("NOT");
        if self.eat_keyword("BETWEEN") {
            let low = self.tree(CONCAT)?;
            self.expect_keyword("AND")?;
            let high = self.tree(CONCAT)?;
            let depth = depth.max(low.depth).max(high.depth);
            let (low, high) = (Box::new(low.expr), Box::new(high.expr));
            self.node(
                ExprKind::Between {
                    expr,
                    negated,
                    low,
                    high,
                },
                start,
                depth,
            )
        } else if self.eat_keyword("IN") {
            self.expect_symbol(Symbol::LeftParen)?;
            let (list, below) = self.trees(Symbol::RightParen, |p| p.tree(OR))?;
            self.node(
                ExprKind::In {
                    expr,
                    negated,
                    list,
                },
                start,
                depth.max(below),
            )
        } else if self.eat_keyword("LIKE") {
            let pattern = self.tree(CONCAT)?;
            let escape = if self.eat_keyword("ESCAPE") {
                Some(self.string()?)
            } else {
                None
            };
            let depth = depth.max(pattern.depth);
            let pattern = Box::new(pattern.expr);
            self.node(
                ExprKind::Like {
                    expr,
                    negated,
                    pattern,
                    escape,
                },
                start,
                depth,
            )
        } else {
            Err(self.fail(&["'BETWEEN'", "'IN'", "'LIKE'"]))
        }
    }

    fn at_time_zone(&mut self, operand: Tree, start: Span) -> Result<Tree, SqlError> {
        self.expect_keyword("AT")?;
        self.expect_keyword("TIME")?;
        self.expect_keyword("ZONE")?;
        let span = self.here();
        let zone = Expr {
            kind: ExprKind::Literal(Literal::String(self.string()?)),
            span,
        };
        let kind = ExprKind::AtTimeZone(Box::new(operand.expr), Box::new(zone));
        self.node(kind, start, operand.depth)
    }

    /// A sign and its operand, or no sign.
    fn signed(&mut self) -> Result<Tree, SqlError> {
        let start = self.here();
        let minus = self.is_symbol(Symbol::Minus);
        if minus && is_number(&self.peek_at(1).kind) {
            return self.postfix();
        }
        if !minus && !self.is_symbol(Symbol::Plus) {
            return self.postfix();
        }
        self.advance();
        let operand = self.tree(SIGN)?;
        let (expr, depth) = (Box::new(operand.expr), operand.depth);
        let kind = if minus {
            ExprKind::Negate(expr)
        } else {
            ExprKind::Plus(expr)
        };
        self.node(kind, start, depth)
    }

    /// A primary expression, then `[index]` and `->field` as often as they come.
    fn postfix(&mut self) -> Result<Tree, SqlError> {
        let start = self.here();
        let mut base = self.primary()?;
        loop {
            if self.eat_symbol(Symbol::LeftBracket) {
                let index = self.tree(CONCAT)?;
                self.expect_symbol(Symbol::RightBracket)?;
                let depth = base.depth.max(index.depth);
                let (base_expr, index) = (Box::new(base.expr), Box::new(index.expr));
                base = self.node(
                    ExprKind::Subscript {
                        base: base_expr,
                        index,
                    },
                    start,
                    depth,
                )?;
            } else if self.is_symbol(Symbol::Arrow) && !self.is_symbol_at(1, Symbol::Star) {
                self.advance();
                let field = self.identifier()?;
                let (base_expr, depth) = (Box::new(base.expr), base.depth);
                base = self.node(
                    ExprKind::Field {
                        base: base_expr,
                        field,
                    },
                    start,
                    depth,
                )?;
            } else {
                return Ok(base);
            }
        }
    }

    fn primary(&mut self) -> Result<Tree, SqlError> {
        let start = self.here();
        if let Some(literal) = self.try_literal()? {
            return self.node(ExprKind::Literal(literal), start, 0);
        }
        if self.eat_symbol(Symbol::LeftParen) {
            let inner = self.tree(OR)?;
            self.expect_symbol(Symbol::RightParen)?;
            return Ok(inner);
        }
        if let TokenKind::Word(word) = &self.peek().kind {
            let opens = |symbol| self.is_symbol_at(1, symbol);
            match word.to_ascii_uppercase().as_str() {
                "CASE" => return self.case(start),
                "CAST" if opens(Symbol::LeftParen) => return self.cast(start),
                "ARRAY" if opens(Symbol::LeftBracket) => return self.array(start),
                "MAP" if opens(Symbol::LeftParen) => return self.map(start),
                "STRUCT" if opens(Symbol::LeftParen) => return self.structure(start),
                _ => {}
            }
        }
        if !self.is_identifier_at(0) {
            return Err(self.fail(&[EXPRESSION]));
        }
        let name = self.identifier()?;
        if self.eat_symbol(Symbol::LeftParen) {
            return self.call(name, start);
        }
        if let TokenKind::String(_) = self.peek().kind {
            return Err(error::prepare(
                start,
                format!(
                    "line {}:{}: Unknown type: {}",
                    start.line, start.column, name.name
                ),
            ));
        }
        let kind = if self.is_symbol(Symbol::Dot) && !self.is_symbol_at(1, Symbol::Star) {
            self.advance();
            ExprKind::Column {
                source: Some(name),
                name: self.identifier()?,
            }
        } else {
            ExprKind::Column { source: None, name }
        };
        self.node(kind, start, 0)
    }

    /// `item, …` to `close`, and the greatest depth of an item.
    fn trees(
        &mut self,
        close: Symbol,
        mut item: impl FnMut(&mut Self) -> Result<Tree, SqlError>,
    ) -> Result<(Vec<Expr>, u32), SqlError> {
        let mut below = 0;
        let items = self.comma_separated(close, |p| {
            let tree = item(p)?;
            below = below.max(tree.depth);
            Ok(tree.expr)
        })?;
        Ok((items, below))
    }

    fn case(&mut self, start: Span) -> Result<Tree, SqlError> {
        self.expect_keyword("CASE")?;
        let mut below = 0;
        let mut part = |tree: Tree| {
            below = below.max(tree.depth);
            tree.expr
        };
        let operand = match self.is_keyword("WHEN") {
            true => None,
            false => Some(Box::new(part(self.tree(CONCAT)?))),
        };
        let mut branches = Vec::new();
        loop {
            self.expect_keyword("WHEN")?;
            let condition = part(self.tree(OR)?);
            self.expect_keyword("THEN")?;
            branches.push((condition, part(self.tree(OR)?)));
            if !self.is_keyword("WHEN") {
                break;
            }
        }
        let otherwise = match self.eat_keyword("ELSE") {
            true => Some(Box::new(part(self.tree(OR)?))),
            false => None,
        };
        if !self.eat_keyword("END") {
            return Err(self.fail(match otherwise {
                Some(_) => &["'END'"],
                None => &["'WHEN'", "'ELSE'", "'END'"],
            }));
        }
        self.node(
            ExprKind::Case {
                operand,
                branches,
                otherwise,
            },
            start,
            below,
        )
    }

    fn cast(&mut self, start: Span) -> Result<Tree, SqlError> {
        self.position += 2;
        let operand = self.tree(OR)?;
        self.expect_keyword("AS")?;
        let target = self.type_name()?;
        self.expect_symbol(Symbol::RightParen)?;
        let (expr, depth) = (Box::new(operand.expr), operand.depth);
        self.node(ExprKind::Cast { expr, target }, start, depth)
    }

    fn array(&mut self, start: Span) -> Result<Tree, SqlError> {
        self.position += 2;
        if self.eat_symbol(Symbol::RightBracket) {
            return self.node(ExprKind::Array(Vec::new()), start, 0);
        }
        let (items, below) = self.trees(Symbol::RightBracket, |p| p.tree(OR))?;
        self.node(ExprKind::Array(items), start, below)
    }

    fn map(&mut self, start: Span) -> Result<Tree, SqlError> {
        self.position += 2;
        if self.eat_symbol(Symbol::RightParen) {
            return self.node(ExprKind::Map(Vec::new()), start, 0);
        }
        let mut below = 0;
        let entries = self.comma_separated(Symbol::RightParen, |p| {
            let key = p.tree(OR)?;
            p.expect_symbol(Symbol::Assign)?;
            let value = p.tree(OR)?;
            below = below.max(key.depth).max(value.depth);
            Ok((key.expr, value.expr))
        })?;
        let mut keys = HashSet::new();
        for (key, _) in &entries {
            let text = print_expr(key);
            if keys.contains(&text) {
                let problem = format!("Multiple entries with same key: {text}");
                return Err(error::prepare(key.span, problem));
            }
            keys.insert(text);
        }
        self.node(ExprKind::Map(entries), start, below)
    }

    fn structure(&mut self, start: Span) -> Result<Tree, SqlError> {
        self.position += 2;
        if self.eat_symbol(Symbol::RightParen) {
            return self.node(ExprKind::Struct(Vec::new()), start, 0);
        }
        let mut below = 0;
        let fields = self.comma_separated(Symbol::RightParen, |p| {
            let name = p.identifier()?;
            p.expect_symbol(Symbol::Assign)?;
            let value = p.tree(OR)?;
            below = below.max(value.depth);
            Ok((name, value.expr))
        })?;
        self.node(ExprKind::Struct(fields), start, below)
    }

    /// The arguments of a call, its opening parenthesis read.
    fn call(&mut self, function: Ident, start: Span) -> Result<Tree, SqlError> {
        if self.eat_symbol(Symbol::RightParen) {
            return self.node(
                ExprKind::Call {
                    function,
                    args: Vec::new(),
                },
                start,
                0,
            );
        }
        if self.is_symbol(Symbol::Star) && self.is_symbol_at(1, Symbol::RightParen) {
            let star = Expr {
                kind: ExprKind::Star,
                span: self.here(),
            };
            self.position += 2;
            return self.node(
                ExprKind::Call {
                    function,
                    args: vec![star],
                },
                start,
                1,
            );
        }
        if self.starts_lambda() {
            // Lambdas come after at least one other argument.
            self.position += 1 + usize::from(self.is_symbol(Symbol::LeftParen));
            return Err(self.fail(&["','", "')'"]));
        }
        let (args, below) = self.trees(Symbol::RightParen, Self::argument)?;
        self.node(ExprKind::Call { function, args }, start, below)
    }

    fn argument(&mut self) -> Result<Tree, SqlError> {
        let start = self.here();
        let ends = self.is_symbol_at(1, Symbol::Comma) || self.is_symbol_at(1, Symbol::RightParen);
        if ends && self.time_unit_at(0).is_some() {
            // DAYS and the like are reserved, but are words of their own here.
            if let TokenKind::Word(word) = &self.peek().kind {
                let name = Ident {
                    name: word.to_ascii_uppercase(),
                    quoted: false,
                    span: start,
                };
                self.advance();
                return self.node(ExprKind::Column { source: None, name }, start, 0);
            }
        }
        if !self.starts_lambda() {
            return self.tree(OR);
        }
        let params = if self.eat_symbol(Symbol::LeftParen) {
            self.comma_separated(Symbol::RightParen, Self::identifier)?
        } else {
            vec![self.identifier()?]
        };
        self.expect_symbol(Symbol::FatArrow)?;
        let body = self.tree(OR)?;
        let depth = body.depth;
        self.node(
            ExprKind::Lambda {
                params,
                body: Box::new(body.expr),
            },
            start,
            depth,
        )
    }

    /// Whether `x =>` or `(x, …) =>` comes next.
    fn starts_lambda(&self) -> bool {
        if self.is_identifier_at(0) {
            return self.is_symbol_at(1, Symbol::FatArrow);
        }
        if !self.is_symbol(Symbol::LeftParen) {
            return false;
        }
        let mut at = 1;
        while self.is_identifier_at(at) && self.is_symbol_at(at + 1, Symbol::Comma) {
            at += 2;
        }
        self.is_identifier_at(at)
            && self.is_symbol_at(at + 1, Symbol::RightParen)
            && self.is_symbol_at(at + 2, Symbol::FatArrow)
    }
}
