//! GROUP BY, its windows, and HAVING (spec/sql.md §8, §9.3).

use std::sync::Arc;

use datafusion::common::{Column as PlanColumn, TableReference};
use datafusion::logical_expr::{Expr as PlanExpr, LogicalPlan, Projection};
use datafusion::scalar::ScalarValue;
use weir_functions::registry::{self, CollectLimits};
use weir_functions::{ArgType, FunctionKind};
use weir_parser::ast::{Emit, Expr, ExprKind, Ident, SourceKind, Span, Window, WindowShape};
use weir_types::ident::pseudo;
use weir_types::{ErrorCode, FormatKind, SqlError, SqlType, WindowInfo, WindowKind};

use super::formats::internal_key;
use super::stage::{KeyColumn, KeyOrigin, Stage, StageScope, internal, schema};
use super::{in_clause, source};
use crate::analysis::names::Namer;
use crate::analysis::{Analysis, contains_kind};
use crate::catalog::Catalog;
use crate::expr::{Lowering, NoColumns, Typed, coerce, refuse, refused, tree};
use crate::printed;
use crate::stream::{Aggregate, AggregateCall, Repartition, StreamNode, WindowShapeMs, WindowSpec};

const DAY_MS: i64 = 86_400_000;

/// Aggregates the rows of `stage`.
///
/// # Errors
/// Broken rules of GROUP BY, HAVING and windows; functions that cannot be applied.
pub(crate) fn build(analysis: &Analysis<'_>, stage: Stage) -> Result<Stage, SqlError> {
    check(analysis, &stage)?;
    let calls = calls(analysis)?;
    let mut group = Vec::with_capacity(analysis.group_by.len());
    for expr in &analysis.group_by {
        let typed = lowering(analysis, &stage, |l| l.lower(expr))?;
        let Some(sql_type) = typed.sql_type else {
            return Err(refuse(expr, "GROUP BY NULL is not supported."));
        };
        group.push((expr, typed.expr, sql_type));
    }
    let mut functions = Vec::with_capacity(calls.len());
    for (i, call) in calls.iter().enumerate() {
        functions.push(resolve(
            analysis,
            &stage,
            call,
            format!("KSQL_AGG_VARIABLE_{i}"),
        )?);
    }
    let names = group_names(analysis);
    let is_table = stage.kind == SourceKind::Table;
    // Behind PARTITION BY the rows still lie where their old key put them.
    let lies_there = !is_table && stage.window.is_none() && stage.origin != KeyOrigin::Partition;
    let key = match stage.keys.as_slice() {
        [key] if lies_there && stage.is_keyed_by(&analysis.group_by, &analysis.items) => Some(key),
        _ => None,
    };
    let keyed = key.is_some();
    let types: Vec<_> = group.iter().map(|(_, _, t)| t).collect();
    let key_format = internal_key(&stage.key_format, &types, analysis.catalog);
    // The key itself, which a row of an outer join has also where the side named has none.
    let mut group_exprs = match key {
        Some(key) => vec![PlanExpr::Column(key.column.clone())],
        None => group.iter().map(|(_, e, _)| e.clone()).collect(),
    };
    let mut input = stage.plan.clone();
    if !keyed {
        input = narrowed(input, &names, &group, &mut group_exprs, &mut functions)?;
        input = StreamNode::Repartition(Repartition {
            input: Arc::new(input),
            key: (0..group.len()).collect(),
            topic_suffix: "Aggregate-GroupBy-repartition".to_owned(),
            key_format: key_format.clone(),
        })
        .into_plan();
    }
    let window = match &analysis.window {
        Some(window) => Some(window_spec(window, analysis.emit)?),
        None => None,
    };
    let mut columns: Vec<_> = names
        .iter()
        .zip(&group)
        .map(|(name, (_, _, sql_type))| (None, name.clone(), sql_type.clone()))
        .collect();
    if window.is_some() {
        for bound in [pseudo::WINDOWSTART, pseudo::WINDOWEND] {
            columns.push((None, bound.to_owned(), SqlType::Bigint));
        }
    }
    let mut computed = Vec::new();
    for ((expr, _, sql_type), name) in group.iter().zip(&names) {
        computed.push((tree::shape(expr), unqualified(name), sql_type.clone()));
    }
    for (call, function) in calls.iter().zip(&functions) {
        let sql_type = function.function.return_type();
        columns.push((None, function.output.clone(), sql_type.clone()));
        computed.push((tree::shape(call), unqualified(&function.output), sql_type));
    }
    let bounds = [pseudo::WINDOWSTART, pseudo::WINDOWEND];
    if window.is_some() {
        for bound in bounds {
            let name = Ident {
                name: bound.to_owned(),
                quoted: false,
                span: Span::default(),
            };
            let kind = ExprKind::Column { source: None, name };
            let bound_expr = Expr {
                kind,
                span: Span::default(),
            };
            computed.push((bound_expr, unqualified(bound), SqlType::Bigint));
        }
    }
    let keys = names
        .iter()
        .zip(&group)
        .map(|(name, (expr, _, sql_type))| KeyColumn {
            column: PlanColumn::new_unqualified(name.clone()),
            sql_type: sql_type.clone(),
            means: vec![(*expr).clone()],
        })
        .collect();
    let emit_final = window.as_ref().is_some_and(|w| w.emit_final);
    let plan = StreamNode::Aggregate(Aggregate {
        input: Arc::new(input),
        input_is_table: is_table,
        group: group_exprs,
        keyed,
        aggregates: functions,
        window,
        store: "Aggregate-Aggregate-Materialize".to_owned(),
        schema: schema(columns)?,
    })
    .into_plan();
    let mut result = Stage {
        plan,
        kind: SourceKind::Table,
        keys,
        origin: KeyOrigin::Group,
        key_format: stage.key_format,
        window: analysis
            .window
            .as_ref()
            .map(|w| (window_info(w), bounds.map(unqualified))),
        computed,
    };
    if let Some(having) = &analysis.having {
        let scope = StageScope {
            sources: &NoColumns,
            stage: &result,
        };
        let predicate = Lowering::new(&scope, analysis.catalog)
            .boolean(having, "HAVING")
            .map_err(|e| in_clause(e, "HAVING", having))?;
        // Final rows have no row before them that a tombstone could take back.
        let kind = if emit_final {
            SourceKind::Stream
        } else {
            SourceKind::Table
        };
        result.plan = source::filter(result.plan, predicate.expr, kind, "HAVING")?;
    }
    Ok(result)
}

fn lowering<T>(
    analysis: &Analysis<'_>,
    stage: &Stage,
    work: impl FnOnce(&mut Lowering<'_>) -> Result<T, SqlError>,
) -> Result<T, SqlError> {
    let scope = StageScope {
        sources: &analysis.sources,
        stage,
    };
    work(&mut Lowering::new(&scope, analysis.catalog))
}

fn unqualified(name: impl Into<String>) -> PlanExpr {
    PlanExpr::Column(PlanColumn::new_unqualified(name))
}

/// Projects to the group columns and the arguments of the aggregates, which is what goes through
/// the repartition topic; the aggregates then read columns.
fn narrowed(
    input: LogicalPlan,
    names: &[String],
    group: &[(&Expr, PlanExpr, SqlType)],
    group_exprs: &mut [PlanExpr],
    functions: &mut [AggregateCall],
) -> Result<LogicalPlan, SqlError> {
    let mut exprs = Vec::new();
    let mut columns: Vec<(Option<TableReference>, String, SqlType)> = Vec::new();
    for ((name, (_, expr, sql_type)), slot) in names.iter().zip(group).zip(group_exprs) {
        exprs.push(expr.clone().alias(name));
        columns.push((None, name.clone(), sql_type.clone()));
        *slot = unqualified(name);
    }
    let mut args: Vec<PlanExpr> = Vec::new();
    for function in functions {
        let types = function.function.arg_types().to_vec();
        for (arg, sql_type) in function.args.iter_mut().zip(types) {
            let index = match args.iter().position(|known| known == arg) {
                Some(index) => index,
                None => {
                    let name = format!("KSQL_INTERNAL_COL_{}", args.len());
                    exprs.push(arg.clone().alias(&name));
                    columns.push((None, name, sql_type));
                    args.push(arg.clone());
                    args.len() - 1
                }
            };
            *arg = unqualified(format!("KSQL_INTERNAL_COL_{index}"));
        }
    }
    Projection::try_new_with_schema(exprs, Arc::new(input), schema(columns)?)
        .map(LogicalPlan::Projection)
        .map_err(internal)
}

fn group_names(analysis: &Analysis<'_>) -> Vec<String> {
    let mut namer = Namer::new(&analysis.sources);
    let mut names: Vec<String> = Vec::new();
    for expr in &analysis.group_by {
        let mut name = namer.name(expr);
        while names.contains(&name) {
            name = namer.generated();
        }
        names.push(name);
    }
    names
}

fn check(analysis: &Analysis<'_>, stage: &Stage) -> Result<(), SqlError> {
    let aggregates = |expr: &Expr| contains_kind(expr, FunctionKind::Aggregate);
    if !analysis.items.iter().any(|i| aggregates(&i.expr))
        && !analysis.having.iter().any(aggregates)
    {
        return Err(SqlError::statement(
            "GROUP BY requires aggregate functions in either the SELECT or HAVING clause.",
        ));
    }
    let mut loose = Vec::new();
    for item in &analysis.items {
        let mut columns = Vec::new();
        ungrouped(&item.expr, &analysis.group_by, &mut columns);
        if columns.is_empty() {
            continue;
        }
        if aggregates(&item.expr) {
            loose.extend(columns.into_iter().map(printed::plain));
        } else {
            loose.push(printed::plain(&item.expr));
        }
    }
    if !loose.is_empty() {
        return Err(SqlError::statement(format!(
            "Non-aggregate SELECT expression(s) not part of GROUP BY: {}\nEither add the column(s) \
             to the GROUP BY or remove them from the SELECT.",
            loose.join(", ")
        )));
    }
    if let Some(having) = &analysis.having {
        let mut columns = Vec::new();
        ungrouped(having, &analysis.group_by, &mut columns);
        if let Some(column) = columns.first() {
            return Err(refuse(
                column,
                format!(
                    "Non-aggregate HAVING expression not part of GROUP BY: {}\nConsider switching \
                     the HAVING clause to a WHERE clause before the GROUP BY.",
                    printed::plain(column)
                ),
            ));
        }
    }
    if analysis.group_by.is_empty() && analysis.purpose.is_persistent() {
        return Err(SqlError::statement(
            "Aggregate functions require a GROUP BY clause in a persistent query.",
        ));
    }
    if stage.window.is_some() && analysis.window.is_none() {
        return Err(SqlError::statement(
            "GROUP BY on a windowed source requires a WINDOW clause: implicit repartitioning of \
             windowed sources is not supported.",
        ));
    }
    Ok(())
}

/// The columns in `expr` that are neither below an aggregate nor part of a group expression.
fn ungrouped<'a>(expr: &'a Expr, group: &[Expr], columns: &mut Vec<&'a Expr>) {
    if group.iter().any(|g| tree::same(g, expr)) {
        return;
    }
    match &expr.kind {
        ExprKind::Column {
            source: Some(_), ..
        } => columns.push(expr),
        ExprKind::Call { function, .. } if is_aggregate(function) => {}
        _ => tree::children(expr)
            .into_iter()
            .for_each(|e| ungrouped(e, group, columns)),
    }
}

fn is_aggregate(function: &Ident) -> bool {
    registry::registry().kind(&function.name) == Some(FunctionKind::Aggregate)
}

/// The aggregate calls of SELECT and HAVING, each once.
fn calls<'a>(analysis: &'a Analysis<'_>) -> Result<Vec<&'a Expr>, SqlError> {
    let mut calls: Vec<&Expr> = Vec::new();
    let mut nested = None;
    for expr in analysis
        .items
        .iter()
        .map(|i| &i.expr)
        .chain(&analysis.having)
    {
        tree::walk(expr, &mut |e| {
            let ExprKind::Call { function, args } = &e.kind else {
                return true;
            };
            if !is_aggregate(function) {
                return true;
            }
            if args
                .iter()
                .any(|arg| contains_kind(arg, FunctionKind::Aggregate))
            {
                nested.get_or_insert(e);
            }
            if !calls.iter().any(|known| tree::same(known, e)) {
                calls.push(e);
            }
            false
        });
    }
    match nested {
        Some(expr) => Err(refuse(
            expr,
            format!(
                "Aggregate functions can not be nested: {}",
                printed::plain(expr)
            ),
        )),
        None => Ok(calls),
    }
}

fn resolve(
    analysis: &Analysis<'_>,
    stage: &Stage,
    call: &Expr,
    output: String,
) -> Result<AggregateCall, SqlError> {
    let ExprKind::Call { function, args } = &call.kind else {
        return Err(SqlError::internal("An aggregate that is no call."));
    };
    let mut typed: Vec<Typed> = Vec::with_capacity(args.len());
    for arg in args.iter().filter(|arg| arg.kind != ExprKind::Star) {
        if let ExprKind::Column { source: None, name } = &arg.kind {
            return Err(refuse(
                arg,
                format!(
                    "Window bounds column {} can only be used in the SELECT clause of windowed \
                     aggregations and can not be passed to aggregate functions.",
                    name.name
                ),
            ));
        }
        typed.push(lowering(analysis, stage, |l| l.lower(arg))?);
    }
    let resolved = function_of(analysis.catalog, call, &typed)?;
    if stage.kind == SourceKind::Table && !resolved.supports_undo() {
        return Err(refuse(
            call,
            format!(
                "The aggregation function {} cannot be applied to a table source, only to a stream \
                 source.",
                function.name
            ),
        ));
    }
    let flat = analysis.sources.list.first().is_some_and(|s| {
        matches!(
            s.info.value_format.format.kind,
            FormatKind::Delimited | FormatKind::Kafka
        )
    });
    if flat && resolved.has_composite_state() {
        return Err(refuse(
            call,
            format!(
                "One of the functions used in the statement has an intermediate type that the \
                 value format can not handle. Please remove the function {} or change the format.",
                function.name
            ),
        ));
    }
    let args = typed
        .into_iter()
        .zip(resolved.arg_types())
        .map(|(arg, wanted)| coerce(arg, wanted).map_err(|m| refuse(call, m)))
        .collect::<Result<_, _>>()?;
    Ok(AggregateCall {
        function: resolved,
        args,
        output,
    })
}

/// The aggregate that `call` means for these arguments.
///
/// # Errors
/// No variant for them, constants that it does not take.
pub(crate) fn function_of(
    catalog: &dyn Catalog,
    call: &Expr,
    args: &[Typed],
) -> Result<Arc<dyn weir_functions::aggregate::Aggregate>, SqlError> {
    let ExprKind::Call { function, .. } = &call.kind else {
        return Err(SqlError::internal("An aggregate that is no call."));
    };
    let types: Vec<_> = args
        .iter()
        .map(|t| t.sql_type.clone().map_or(ArgType::Null, ArgType::Sql))
        .collect();
    let constants: Vec<Option<ScalarValue>> = args
        .iter()
        .map(|t| match &t.expr {
            PlanExpr::Literal(value, _) => Some(value.clone()),
            _ => None,
        })
        .collect();
    registry::registry()
        .resolve_aggregate(&function.name, &types, &constants, collect_limits(catalog))
        .map_err(|e| refused(call, e))
}

/// How many items COLLECT_LIST and COLLECT_SET keep.
fn collect_limits(catalog: &dyn Catalog) -> CollectLimits {
    let limit = |name: &str, default: usize| {
        catalog
            .config(name)
            .and_then(|value| value.parse().ok())
            .unwrap_or(default)
    };
    let default = CollectLimits::default();
    CollectLimits {
        list: limit("ksql.functions.collect_list.limit", default.list),
        set: limit("ksql.functions.collect_set.limit", default.set),
    }
}

/// The windows in milliseconds, with the defaults of spec/semantics.md §5.1.
///
/// # Errors
/// Sizes that make no windows, RETENTION below size and grace: the reference's runtime refuses
/// these, not its analysis, so their code is that of a server error (spec/api.md §1.1).
fn window_spec(window: &Window, emit: Emit) -> Result<WindowSpec, SqlError> {
    let refuse = |message: String| {
        let error = SqlError::new(ErrorCode::ServerError, message);
        Err(error.at(window.span.into()))
    };
    let (shape, length) = match window.shape {
        WindowShape::Tumbling(size) => {
            let size = size.millis();
            (
                WindowShapeMs::Time {
                    size,
                    advance: size,
                },
                size,
            )
        }
        WindowShape::Hopping { size, advance } => {
            let (size, advance) = (size.millis(), advance.millis());
            if advance <= 0 || advance > size {
                return refuse(format!(
                    "ADVANCE BY must be more than zero and at most SIZE. Got {advance} ms for \
                     windows of {size} ms."
                ));
            }
            (WindowShapeMs::Time { size, advance }, size)
        }
        WindowShape::Session(gap) => (WindowShapeMs::Session { gap: gap.millis() }, gap.millis()),
    };
    let is_session = matches!(shape, WindowShapeMs::Session { .. });
    if length < 0 || (length == 0 && !is_session) {
        return refuse(match is_session {
            true => format!("The gap of a session must not be negative. Got {length} ms."),
            false => format!("The size of a window must be more than zero. Got {length} ms."),
        });
    }
    if window.grace.is_some_and(|grace| grace.millis() < 0) {
        return refuse("The grace period of a window must not be negative.".to_owned());
    }
    let emit_final = emit == Emit::Final;
    let grace_ms = match window.grace {
        Some(grace) => grace.millis(),
        None if emit_final => 0,
        None => (DAY_MS - length).max(0),
    };
    let least = length.saturating_add(grace_ms);
    let retention_ms = window.retention.map_or(least, |r| r.millis());
    if retention_ms < least {
        return refuse(format!(
            "The retention period of the window store must be at least its size plus its grace \
             period. Got size {length} ms, grace {grace_ms} ms and retention {retention_ms} ms."
        ));
    }
    Ok(WindowSpec {
        shape,
        grace_ms,
        retention_ms,
        emit_final,
    })
}

/// The window in the key of the result.
fn window_info(window: &Window) -> WindowInfo {
    match window.shape {
        WindowShape::Tumbling(size) => WindowInfo {
            kind: WindowKind::Tumbling,
            size_ms: Some(size.millis()),
        },
        WindowShape::Hopping { size, .. } => WindowInfo {
            kind: WindowKind::Hopping,
            size_ms: Some(size.millis()),
        },
        WindowShape::Session(_) => WindowInfo {
            kind: WindowKind::Session,
            size_ms: None,
        },
    }
}
