//! Names of result columns (spec/sql.md §5.2).

use weir_parser::ast::{Expr, ExprKind};
use weir_types::ident::pseudo;

use crate::expr::scope::Sources;

/// Hands out the names of result columns that have no alias.
#[derive(Debug)]
pub(crate) struct Namer<'a> {
    sources: &'a Sources,
    next: usize,
    fields: Vec<String>,
}

impl<'a> Namer<'a> {
    pub(crate) fn new(sources: &'a Sources) -> Self {
        Self {
            sources,
            next: 0,
            fields: Vec::new(),
        }
    }

    /// The name of `expr`, columns qualified, where the statement gives none.
    pub(crate) fn name(&mut self, expr: &Expr) -> String {
        match &expr.kind {
            ExprKind::Column {
                source: Some(source),
                name,
            } => column_name(self.sources, &source.name, &name.name),
            ExprKind::Column { source: None, name } => name.name.clone(),
            ExprKind::Field { field, .. } => self.field(&field.name),
            _ => self.generated(),
        }
    }

    /// `KSQL_COL_<n>`, names of source columns left out.
    pub(crate) fn generated(&mut self) -> String {
        loop {
            let name = format!("KSQL_COL_{}", self.next);
            self.next += 1;
            if !self.sources.has_column(&name) {
                return name;
            }
        }
    }

    fn field(&mut self, field: &str) -> String {
        let taken =
            |name: &str| self.sources.has_column(name) || self.fields.iter().any(|f| f == name);
        let mut name = field.to_owned();
        let mut n = 1;
        while taken(&name) {
            name = format!("{field}_{n}");
            n += 1;
        }
        self.fields.push(name.clone());
        name
    }
}

/// The name of a source's column in a result: in a join, prefixed unless no other source has it;
/// system columns always prefixed.
pub(crate) fn column_name(sources: &Sources, alias: &str, name: &str) -> String {
    let prefix = sources.is_join() && (pseudo::is_pseudo(name) || sources.occurrences(name) > 1);
    if prefix {
        format!("{alias}_{name}")
    } else {
        name.to_owned()
    }
}

/// The name of a source's column where `*` stands for it: in a join always prefixed.
pub(crate) fn star_name(sources: &Sources, alias: &str, name: &str) -> String {
    if sources.is_join() {
        format!("{alias}_{name}")
    } else {
        name.to_owned()
    }
}

/// `ROWKEY`, or `ROWKEY_1` and so on where a source has a column of that name.
pub(crate) fn synthetic_key(sources: &Sources) -> String {
    let mut name = "ROWKEY".to_owned();
    let mut n = 1;
    while sources.has_column(&name) {
        name = format!("ROWKEY_{n}");
        n += 1;
    }
    name
}
