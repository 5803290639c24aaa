//! From WHERE to key lookups: the condition in disjunctive normal form, and what each disjunct
//! says of the key.

use datafusion::scalar::ScalarValue;
use weir_parser::ast::{BinaryOp, Expr, ExprKind, Literal, SourceKind};
use weir_types::ident::pseudo;
use weir_types::{SqlError, SqlType};

use super::{HINT, KeyLookup, KeyRange, PullAccess, WindowBounds};
use crate::catalog::Catalog;
use crate::expr::scope::SourceScope;
use crate::expr::{Lowering, NoColumns, coerce, constant, refuse, tree};
use crate::printed;

/// More disjuncts than this are not looked for: the rows are scanned.
const MAX_DISJUNCTS: usize = 1000;

/// `column op constant`.
#[derive(Debug, Clone)]
struct Comparison {
    column: String,
    op: BinaryOp,
    value: Expr,
}

/// What one disjunct says.
#[derive(Debug, Default)]
struct Disjunct {
    /// Comparisons of key columns.
    keys: Vec<Comparison>,
    /// Comparisons of window bounds.
    windows: Vec<Comparison>,
    /// Why some part of it is no comparison of a key with a constant, if so.
    other: Option<String>,
}

/// Without WHERE every row is wanted.
///
/// # Errors
/// Scans are disabled.
pub(super) fn without_where(
    source: &SourceScope,
    catalog: &dyn Catalog,
) -> Result<PullAccess, SqlError> {
    if source.info.kind == SourceKind::Table && !scans(catalog) {
        return Err(needs_scan("Missing WHERE clause."));
    }
    Ok(PullAccess::Scan)
}

/// Refuses key columns compared with NULL in ways that typing lets pass.
///
/// # Errors
/// `key IS NULL`, `key IN (NULL)`.
pub(super) fn check_nulls(filter: &Expr, source: &SourceScope) -> Result<(), SqlError> {
    if source.info.kind == SourceKind::Stream {
        return Ok(());
    }
    let mut found = None;
    tree::walk(filter, &mut |e| {
        match &e.kind {
            ExprKind::IsNull { expr, .. } if key_of(expr, source).is_some() => {
                found.get_or_insert_with(|| {
                    refuse(
                        e,
                        format!(
                            "Unsupported expression in WHERE clause: {}. A key column is never \
                             NULL. {HINT}",
                            printed::plain(e)
                        ),
                    )
                });
            }
            ExprKind::In { expr, list, .. } if key_of(expr, source).is_some() => {
                if let Some(null) = list
                    .iter()
                    .find(|item| item.kind == ExprKind::Literal(Literal::Null))
                {
                    found.get_or_insert_with(|| {
                        refuse(
                            null,
                            format!(
                                "Primary key columns can not be NULL: ({} = null)",
                                printed::plain(expr)
                            ),
                        )
                    });
                }
            }
            _ => {}
        }
        true
    });
    found.map_or(Ok(()), Err)
}

/// How the rows that `filter` may accept are found.
///
/// # Errors
/// Constants that cannot be keys, bounds of windows that contradict their form, a scan where scans
/// are disabled.
pub(super) fn access(
    filter: &Expr,
    source: &SourceScope,
    catalog: &dyn Catalog,
) -> Result<PullAccess, SqlError> {
    if source.info.kind == SourceKind::Stream {
        return Ok(PullAccess::Scan);
    }
    let Some(disjuncts) = normal_form(filter, source) else {
        return scan(catalog, "The WHERE clause has too many alternatives.");
    };
    let disjuncts: Vec<_> = disjuncts
        .iter()
        .map(|atoms| classify(atoms, source))
        .collect();
    let keys: Vec<_> = source.keys().collect();
    let alone = disjuncts.len() == 1;
    let mut lookups: Vec<KeyLookup> = Vec::with_capacity(disjuncts.len());
    for disjunct in &disjuncts {
        let windows = window_bounds(disjunct, catalog)?;
        let mut key = Vec::with_capacity(keys.len());
        let mut problem = None;
        for column in &keys {
            let own: Vec<_> = disjunct
                .keys
                .iter()
                .filter(|c| c.column == column.name)
                .collect();
            match own.as_slice() {
                [] if keys.len() > 1 => {
                    problem = Some(
                        "Multi-column sources must specify every key in the WHERE clause."
                            .to_owned(),
                    );
                }
                [] => {
                    let reason = disjunct.other.clone();
                    problem = Some(reason.unwrap_or_else(|| {
                        format!("The WHERE clause is missing key column {}.", column.name)
                    }));
                }
                [one] if one.op == BinaryOp::Eq => {
                    match key_value(one, &column.sql_type, catalog)? {
                        Some(value) => key.push(value),
                        None => problem = Some("The key is no exact value of its type.".to_owned()),
                    }
                }
                [_] => {
                    problem = Some(format!(
                        "Bound on key columns '[`{}` {} KEY]' must currently be '='.",
                        column.name, column.sql_type
                    ));
                }
                _ => {
                    problem = Some(
                        "A comparison condition on the key column cannot be combined with other \
                         comparisons such as an IN predicate."
                            .to_owned(),
                    );
                }
            }
        }
        if let Some(problem) = problem {
            // Two bounds are a range to us, and a scan to ksqlDB: without scans they are refused.
            let range = match disjunct.keys.as_slice() {
                [_, _, ..] if !scans(catalog) => None,
                _ => range(disjunct, alone, source, catalog)?,
            };
            return match range {
                Some(range) => Ok(PullAccess::Range(range)),
                None => scan(catalog, &problem),
            };
        }
        let lookup = KeyLookup { key, windows };
        if !lookups.contains(&lookup) {
            lookups.push(lookup);
        }
    }
    // Two lookups of one key with different windows would find a row twice.
    let doubled = lookups.iter().enumerate().any(|(i, lookup)| {
        lookups
            .iter()
            .take(i)
            .any(|earlier| earlier.key == lookup.key)
    });
    if doubled {
        merge_windows(&mut lookups);
    }
    Ok(PullAccess::Keys(lookups))
}

/// One lookup for each key, over all windows that any of its lookups wants.
fn merge_windows(lookups: &mut Vec<KeyLookup>) {
    let mut merged: Vec<KeyLookup> = Vec::with_capacity(lookups.len());
    for lookup in lookups.drain(..) {
        match merged.iter_mut().find(|m| m.key == lookup.key) {
            None => merged.push(lookup),
            Some(known) => {
                let (a, b) = (&mut known.windows, lookup.windows);
                a.start = (a.start.0.min(b.start.0), a.start.1.max(b.start.1));
                a.end = (a.end.0.min(b.end.0), a.end.1.max(b.end.1));
            }
        }
    }
    *lookups = merged;
}

fn enabled(catalog: &dyn Catalog, name: &str) -> bool {
    catalog.config(name).is_none_or(|value| value != "false")
}

fn scans(catalog: &dyn Catalog) -> bool {
    enabled(catalog, "ksql.query.pull.table.scan.enabled")
}

fn scan(catalog: &dyn Catalog, reason: &str) -> Result<PullAccess, SqlError> {
    if scans(catalog) {
        Ok(PullAccess::Scan)
    } else {
        Err(needs_scan(reason))
    }
}

fn needs_scan(reason: &str) -> SqlError {
    SqlError::statement(format!(
        "{reason} {HINT}\nPull queries require a WHERE clause that:\n - includes a key equality \
         expression, e.g. `SELECT * FROM X WHERE <key-column> = Y;`.\n - in the case of a \
         multi-column key, is a conjunction of equality expressions that cover all key columns.\n \
         - for ranges of a STRING key, e.g. `<key-column> < Y`, has \
         ksql.query.pull.range.scan.enabled=true.\nQuery requires table scan to be enabled: if \
         more flexible queries are needed, table scans can be enabled by setting \
         ksql.query.pull.table.scan.enabled=true."
    ))
}

/// Disjunctive normal form: a list of conjunctions; `None` if it would be too long.
fn normal_form(expr: &Expr, source: &SourceScope) -> Option<Vec<Vec<Expr>>> {
    match &expr.kind {
        ExprKind::Binary {
            op: BinaryOp::Or,
            left,
            right,
        } => {
            let mut all = normal_form(left, source)?;
            all.extend(normal_form(right, source)?);
            (all.len() <= MAX_DISJUNCTS).then_some(all)
        }
        ExprKind::Binary {
            op: BinaryOp::And,
            left,
            right,
        } => {
            let (left, right) = (normal_form(left, source)?, normal_form(right, source)?);
            if left.len() * right.len() > MAX_DISJUNCTS {
                return None;
            }
            let mut all = Vec::with_capacity(left.len() * right.len());
            for l in &left {
                for r in &right {
                    all.push(l.iter().chain(r).cloned().collect());
                }
            }
            Some(all)
        }
        ExprKind::In {
            expr: value,
            negated: false,
            list,
        } if key_of(value, source).is_some() => {
            let equal = |item: &Expr| Expr {
                kind: ExprKind::Binary {
                    op: BinaryOp::Eq,
                    left: value.clone(),
                    right: Box::new(item.clone()),
                },
                span: expr.span,
            };
            (list.len() <= MAX_DISJUNCTS)
                .then(|| list.iter().map(|item| vec![equal(item)]).collect())
        }
        ExprKind::Between {
            expr: value,
            negated: false,
            low,
            high,
        } => {
            let compare = |op, bound: &Expr| Expr {
                kind: ExprKind::Binary {
                    op,
                    left: value.clone(),
                    right: Box::new(bound.clone()),
                },
                span: expr.span,
            };
            Some(vec![vec![
                compare(BinaryOp::GtEq, low),
                compare(BinaryOp::LtEq, high),
            ]])
        }
        _ => Some(vec![vec![expr.clone()]]),
    }
}

fn classify(atoms: &[Expr], source: &SourceScope) -> Disjunct {
    let mut disjunct = Disjunct::default();
    for atom in atoms {
        let Some((column, op, value)) = comparison(atom) else {
            disjunct.other.get_or_insert_with(|| {
                format!(
                    "Unsupported expression in WHERE clause: {}.",
                    printed::plain(atom)
                )
            });
            continue;
        };
        let constant = !reads_columns(value);
        let comparison = Comparison {
            column: column.to_owned(),
            op,
            value: value.clone(),
        };
        let bound = [pseudo::WINDOWSTART, pseudo::WINDOWEND].contains(&column);
        if source.keys().any(|k| k.name == column) {
            if constant {
                disjunct.keys.push(comparison);
            } else {
                disjunct.other.get_or_insert_with(|| {
                    "A comparison must be between a key column and a resolvable expression."
                        .to_owned()
                });
            }
        } else if bound && constant && op != BinaryOp::NotEq {
            disjunct.windows.push(comparison);
        } else {
            disjunct.other.get_or_insert_with(|| {
                "A comparison must directly reference a key column.".to_owned()
            });
        }
    }
    disjunct
}

/// `column op other`, turned round if need be.
fn comparison(expr: &Expr) -> Option<(&str, BinaryOp, &Expr)> {
    let ExprKind::Binary { op, left, right } = &expr.kind else {
        return None;
    };
    let turned = match op {
        BinaryOp::Eq => BinaryOp::Eq,
        BinaryOp::NotEq => BinaryOp::NotEq,
        BinaryOp::Lt => BinaryOp::Gt,
        BinaryOp::LtEq => BinaryOp::GtEq,
        BinaryOp::Gt => BinaryOp::Lt,
        BinaryOp::GtEq => BinaryOp::LtEq,
        _ => return None,
    };
    match (column_name(left), column_name(right)) {
        (Some(column), _) => Some((column, *op, right)),
        (None, Some(column)) => Some((column, turned, left)),
        _ => None,
    }
}

fn column_name(expr: &Expr) -> Option<&str> {
    match &expr.kind {
        ExprKind::Column {
            source: Some(_),
            name,
        } => Some(&name.name),
        _ => None,
    }
}

fn key_of<'a>(expr: &Expr, source: &'a SourceScope) -> Option<&'a str> {
    let name = column_name(expr)?;
    source
        .keys()
        .find(|k| k.name == name)
        .map(|k| k.name.as_str())
}

fn reads_columns(expr: &Expr) -> bool {
    let mut reads = false;
    tree::walk(expr, &mut |e| {
        reads |= matches!(
            e.kind,
            ExprKind::Column {
                source: Some(_),
                ..
            }
        );
        !reads
    });
    reads
}

/// The constant as a value of the key's type; `None` if it is no exact value of it.
fn key_value(
    comparison: &Comparison,
    key_type: &SqlType,
    catalog: &dyn Catalog,
) -> Result<Option<ScalarValue>, SqlError> {
    let value = &comparison.value;
    let cannot = || {
        refuse(
            value,
            format!(
                "{} can not be converted to the type of the key column: {} {key_type} KEY",
                printed::plain(value),
                comparison.column
            ),
        )
    };
    let typed = Lowering::new(&NoColumns, catalog).lower(value)?;
    let Some(own) = typed.sql_type.clone() else {
        return Err(refuse(
            value,
            format!(
                "Primary key columns can not be NULL: ({} = null)",
                comparison.column
            ),
        ));
    };
    if own.is_numeric() && key_type.is_numeric() {
        let found = constant::evaluate(&typed.expr).map_err(|m| refuse(value, m))?;
        return exact(&found, &own, key_type, value);
    }
    let converted = coerce(typed, key_type).map_err(|_| cannot())?;
    let found = constant::evaluate(&converted).map_err(|_| cannot())?;
    Ok((!found.is_null()).then_some(found))
}

/// A number as a value of the key's type, where it is one.
fn exact(
    found: &ScalarValue,
    own: &SqlType,
    key_type: &SqlType,
    at: &Expr,
) -> Result<Option<ScalarValue>, SqlError> {
    if own == key_type {
        return Ok((!found.is_null()).then(|| found.clone()));
    }
    let wanted = found.cast_to(&key_type.to_arrow());
    let Ok(wanted) = wanted else { return Ok(None) };
    // Back again: a fraction cut off, or too many digits, is no such key.
    let back = wanted
        .cast_to(&own.to_arrow())
        .map_err(|e| refuse(at, e.to_string()))?;
    Ok((!wanted.is_null() && back == *found).then_some(wanted))
}

fn range(
    disjunct: &Disjunct,
    alone: bool,
    source: &SourceScope,
    catalog: &dyn Catalog,
) -> Result<Option<KeyRange>, SqlError> {
    let keys: Vec<_> = source.keys().collect();
    let [key] = keys.as_slice() else {
        return Ok(None);
    };
    let ordered = matches!(key.sql_type, SqlType::String | SqlType::Bytes);
    if !alone
        || !ordered
        || source.info.window.is_some()
        || disjunct.keys.is_empty()
        || !enabled(catalog, "ksql.query.pull.range.scan.enabled")
    {
        return Ok(None);
    }
    let mut range = KeyRange {
        from: None,
        to: None,
    };
    for comparison in &disjunct.keys {
        let slot = match comparison.op {
            BinaryOp::Gt | BinaryOp::GtEq => &mut range.from,
            BinaryOp::Lt | BinaryOp::LtEq => &mut range.to,
            _ => return Ok(None),
        };
        if slot.is_some() {
            return Ok(None);
        }
        *slot = key_value(comparison, &key.sql_type, catalog)?;
    }
    Ok(Some(range))
}

fn window_bounds(disjunct: &Disjunct, catalog: &dyn Catalog) -> Result<WindowBounds, SqlError> {
    let mut bounds = WindowBounds::default();
    for column in [pseudo::WINDOWSTART, pseudo::WINDOWEND] {
        let own: Vec<_> = disjunct
            .windows
            .iter()
            .filter(|c| c.column == column)
            .collect();
        let slot = if column == pseudo::WINDOWSTART {
            &mut bounds.start
        } else {
            &mut bounds.end
        };
        let equal = own.iter().filter(|c| c.op == BinaryOp::Eq).count();
        if equal > 0 && own.len() > 1 {
            return Err(SqlError::statement(format!(
                "`{column}` equality cannot be combined with other `{column}` bounds. {HINT}"
            )));
        }
        for (lower, name) in [(true, "lower"), (false, "upper")] {
            let count = own.iter().filter(|c| is_lower(c.op) == Some(lower)).count();
            if count > 1 {
                return Err(SqlError::statement(format!(
                    "Duplicate {name} bounds on `{column}`. Please give one. {HINT}"
                )));
            }
        }
        for comparison in own {
            let millis = millis(comparison, catalog)?;
            match comparison.op {
                BinaryOp::Eq => *slot = (millis, millis),
                BinaryOp::Gt => slot.0 = millis.saturating_add(1),
                BinaryOp::GtEq => slot.0 = millis,
                BinaryOp::Lt => slot.1 = millis.saturating_sub(1),
                _ => slot.1 = millis,
            }
        }
    }
    Ok(bounds)
}

fn is_lower(op: BinaryOp) -> Option<bool> {
    match op {
        BinaryOp::Gt | BinaryOp::GtEq => Some(true),
        BinaryOp::Lt | BinaryOp::LtEq => Some(false),
        _ => None,
    }
}

fn millis(comparison: &Comparison, catalog: &dyn Catalog) -> Result<i64, SqlError> {
    let value = &comparison.value;
    let typed = Lowering::new(&NoColumns, catalog).lower(value)?;
    let found = match typed.sql_type {
        Some(SqlType::Integer | SqlType::Bigint) => {
            constant::evaluate(&typed.expr).map_err(|m| refuse(value, m))?
        }
        _ => ScalarValue::Null,
    };
    match found {
        ScalarValue::Int32(Some(millis)) => Ok(i64::from(millis)),
        ScalarValue::Int64(Some(millis)) => Ok(millis),
        _ => Err(refuse(
            value,
            format!(
                "Window bounds must be an INT, BIGINT or STRING containing a datetime. Got {} for \
                 {}.",
                printed::plain(value),
                comparison.column
            ),
        )),
    }
}
