//! JOIN clauses: which side of ON belongs to which input, and which joins there are at all
//! (spec/sql.md §9.1, §9.2).

use weir_parser::ast::{BinaryOp, Expr, ExprKind, Join, JoinKind, Query, SourceKind, Within};
use weir_types::{ErrorCode, SqlError, WindowKind};

use crate::expr::scope::{Qualifier, SourceScope, Sources};
use crate::expr::tree;
use crate::printed;

/// A JOIN clause, its sides told apart.
#[derive(Debug, Clone)]
pub(crate) struct JoinClause {
    pub(crate) kind: JoinKind,
    /// Side of ON over a source before the joined one, qualified.
    pub(crate) left: Expr,
    /// Side of ON over the joined source, qualified.
    pub(crate) right: Expr,
    /// ON as written, qualified, for messages.
    pub(crate) on: Expr,
    /// Index of the joined source.
    pub(crate) right_source: usize,
    pub(crate) within: Option<Within>,
    /// The expressions that stand for the key of the joined rows (spec/sql.md §5.3), those of
    /// earlier joins first.
    pub(crate) equal: Vec<Expr>,
}

impl JoinClause {
    /// Those of the equal expressions that are plain columns.
    pub(crate) fn viable(&self) -> impl Iterator<Item = &Expr> {
        self.equal
            .iter()
            .filter(|e| matches!(e.kind, ExprKind::Column { .. }))
    }

    /// Whether the rows get a key column of no source (`ROWKEY`).
    pub(crate) fn synthetic_key(&self) -> bool {
        self.kind == JoinKind::Full || self.viable().next().is_none()
    }

    /// `A [INNER] JOIN B`, for messages.
    fn title(&self, sources: &Sources) -> String {
        let name = |i: usize| sources.list.get(i).map_or("", |s| s.info.name.as_str());
        let word = match self.kind {
            JoinKind::Inner => "[INNER] JOIN",
            JoinKind::Left => "LEFT [OUTER] JOIN",
            JoinKind::Right => "RIGHT [OUTER] JOIN",
            JoinKind::Full => "FULL [OUTER] JOIN",
        };
        format!("{} {word} {}", name(0), name(self.right_source))
    }
}

/// The joins of `query`.
///
/// # Errors
/// Conditions that are no single equality between the joined source and an earlier one, unknown
/// columns, joins that do not exist between the kinds of the inputs, windows that do not fit.
pub(crate) fn analyse(query: &Query, sources: &Sources) -> Result<Vec<JoinClause>, SqlError> {
    let mut clauses: Vec<JoinClause> = Vec::new();
    for (i, join) in query.joins.iter().enumerate() {
        let mut clause = sides(join, i + 1, sources)?;
        clause.equal = match clauses.last() {
            Some(before) if before.equal.iter().any(|e| tree::same(e, &clause.left)) => {
                before.equal.clone()
            }
            _ => vec![clause.left.clone()],
        };
        clause.equal.push(clause.right.clone());
        check_kinds(&clause, i, sources)?;
        check_windows(&clause, sources)?;
        clauses.push(clause);
    }
    Ok(clauses)
}

fn sides(join: &Join, joined: usize, sources: &Sources) -> Result<JoinClause, SqlError> {
    let mut on = join.on.clone();
    let known = Sources {
        list: sources.list.iter().take(joined + 1).cloned().collect(),
    };
    Qualifier {
        sources: &known,
        clause: "JOIN ON",
        window_bounds: false,
        synthetic_key: None,
    }
    .qualify(&mut on)?;
    let refuse = |message: String| Err(SqlError::statement(message).at(join.on.span.into()));
    let ExprKind::Binary { op, left, right } = &on.kind else {
        return refuse(format!(
            "Unsupported join expression: {}. Joins must be on one equality.",
            printed::qualified(&on)
        ));
    };
    if matches!(op, BinaryOp::And | BinaryOp::Or) {
        return refuse(format!(
            "Invalid join condition: joins on multiple conditions are not yet supported. Got {}.",
            printed::qualified(&on)
        ));
    }
    if *op != BinaryOp::Eq {
        return refuse(format!(
            "Unsupported join expression: {}. Only equality comparison is supported.",
            printed::qualified(&on)
        ));
    }
    let source_of = |side: &Expr| {
        let mut found = Vec::new();
        tree::walk(side, &mut |e| {
            if let ExprKind::Column {
                source: Some(source),
                ..
            } = &e.kind
                && let Some(index) = known.list.iter().position(|s| s.alias == source.name)
                && !found.contains(&index)
            {
                found.push(index);
            }
            true
        });
        match found.as_slice() {
            [one] => Ok(*one),
            _ => Err(SqlError::statement(format!(
                "Invalid comparison expression '{}' in join '{}'. Each side of the join comparision \
                 must contain references from exactly one source.",
                printed::qualified(side),
                printed::qualified(&on)
            ))
            .at(side.span.into())),
        }
    };
    let (left_source, right_source) = (source_of(left)?, source_of(right)?);
    let name = |i: usize| known.list.get(i).map_or("", |s| s.alias.as_str());
    if left_source == right_source {
        return refuse(format!(
            "Each side of the join must reference exactly one source and not the same source. Left \
             side references `{0}` and right references `{0}`",
            name(left_source)
        ));
    }
    let (left, right) = if right_source == joined {
        (left, right)
    } else if left_source == joined {
        (right, left)
    } else {
        return refuse(format!(
            "A join criteria is expected to reference the source (`{}`) in the FROM clause, \
             instead the right source references `{}` and the left source references `{}`",
            name(joined),
            name(right_source),
            name(left_source)
        ));
    };
    Ok(JoinClause {
        kind: join.kind,
        left: left.as_ref().clone(),
        right: right.as_ref().clone(),
        right_source: joined,
        within: join.within,
        equal: Vec::new(),
        on: on.clone(),
    })
}

fn check_kinds(clause: &JoinClause, index: usize, sources: &Sources) -> Result<(), SqlError> {
    let kind = |i: usize| sources.list.get(i).map(|s| s.info.kind);
    // What the joins before give: a stream as soon as one of their sources is one.
    let left_is_stream = (0..=index).any(|i| kind(i) == Some(SourceKind::Stream));
    let right_is_stream = kind(clause.right_source) == Some(SourceKind::Stream);
    let title = clause.title(sources);
    let refuse = |message: String| Err(SqlError::statement(message).at(clause.on.span.into()));
    match (left_is_stream, right_is_stream) {
        (true, true) if clause.within.is_none() => refuse(format!(
            "{title}: stream-stream joins must have a WITHIN clause specified. None was provided. \
             To learn about how to specify a WITHIN clause with a stream-stream join, please \
             visit the documentation of joins."
        )),
        (true, false) | (false, false) if clause.within.is_some() => refuse(format!(
            "A window definition was provided for a {}-table join. These joins are not windowed. \
             Please drop the window definition (ie. the WITHIN clause) and try to execute your \
             join again: {title}.",
            if left_is_stream { "Stream" } else { "Table" }
        )),
        (true, false) if clause.kind == JoinKind::Full => refuse(format!(
            "Invalid join type: full-outer join not supported for stream-table join. Got {title}."
        )),
        (true, false) if clause.kind == JoinKind::Right => refuse(format!(
            "Invalid join type encountered: RIGHT [OUTER] JOIN of a stream with a table. Got \
             {title}."
        )),
        (false, true) => refuse(format!(
            "Invalid join order: table-stream joins are not supported; only stream-table joins. \
             Got {title}."
        )),
        _ => match &clause.within {
            Some(within) => check_within(within).map_err(|message| {
                // Refused by the reference's runtime, as windows are.
                let error = SqlError::new(ErrorCode::ServerError, message);
                error.at(clause.on.span.into())
            }),
            None => Ok(()),
        },
    }
}

/// The error is the reason.
fn check_within(within: &Within) -> Result<(), String> {
    let (before, after) = (within.before.millis(), within.after.millis());
    if before.saturating_add(after) < 0 {
        return Err(format!(
            "The interval of a WITHIN clause must not be negative. Got {before} ms before and \
             {after} ms after."
        ));
    }
    match within.grace {
        Some(grace) if grace.millis() < 0 => {
            Err("The grace period of a WITHIN clause must not be negative.".to_owned())
        }
        _ => Ok(()),
    }
}

fn check_windows(clause: &JoinClause, sources: &Sources) -> Result<(), SqlError> {
    let (Some(left), Some(right)) = (sources.list.first(), sources.list.get(clause.right_source))
    else {
        return Ok(());
    };
    let describe = |source: &SourceScope| match source.info.window {
        Some(window) => format!("`{}` is {} windowed", source.alias, window.kind.name()),
        None => format!("`{}` is not windowed", source.alias),
    };
    let session = |source: &SourceScope| {
        source
            .info
            .window
            .is_some_and(|w| w.kind == WindowKind::Session)
    };
    if left.info.window.is_some() != right.info.window.is_some() {
        return Err(SqlError::statement(format!(
            "Can not join windowed source to non-windowed source.\n{}\n{}",
            describe(left),
            describe(right)
        )));
    }
    if session(left) != session(right) {
        return Err(SqlError::statement(format!(
            "Incompatible windowed sources.\n{}\n{}\nSession windowed sources can only be joined \
             to other session windowed sources, and may not be joined to hopping or tumbling \
             windowed sources.",
            describe(left),
            describe(right)
        )));
    }
    Ok(())
}
