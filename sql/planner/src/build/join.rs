//! The sources of a query and their joins (spec/sql.md §9.1, §9.2; spec/semantics.md §2.3).
//!
//! ```text
//!  left ──[SelectKey]─[Repartition]──┐
//!                                    ├─► join ─► left of the next one
//!  right ─[SelectKey]─[Repartition]──┘
//! ```
//!
//! A side is sent through a topic where its rows are not keyed by the join expression, or where
//! its keys are not written as the other side's are.

use std::sync::Arc;

use datafusion::common::{Column as PlanColumn, TableReference};
use datafusion::logical_expr::{Expr as PlanExpr, LogicalPlan, Projection};
use weir_functions::{ArgType, registry};
use weir_parser::ast::{Expr, ExprKind, Ident, JoinKind, SourceKind, Span};
use weir_types::{SqlError, SqlType, ValueFormat};

use super::TABLE_STORE;
use super::formats::internal_key;
use super::numbering;
use super::project::map_key;
use super::rekey::{input, select_key};
use super::source::{self, Used};
use super::stage::{KeyColumn, KeyOrigin, Stage, StageScope, extended, index_of, internal};
use crate::analysis::Analysis;
use crate::analysis::joins::JoinClause;
use crate::analysis::names;
use crate::expr::scope::SourceScope;
use crate::expr::{Lowering, Typed, refuse, tree};
use crate::printed;
use crate::stream::{
    ForeignKeyJoin, JoinInputs, JoinType, Materialize, Repartition, StreamNode, StreamStreamJoin,
    StreamTableJoin, TableTableJoin,
};

/// The rows of FROM and all JOINs.
///
/// # Errors
/// Joins whose sides do not fit: types, keys, partition counts.
pub(crate) fn build(analysis: &Analysis<'_>, used: &Used) -> Result<Stage, SqlError> {
    let mut sources = analysis.sources.list.iter();
    let Some(first) = sources.next() else {
        return Err(SqlError::internal("A query without sources."));
    };
    let joins = analysis.joins.len();
    if joins == 0 {
        return source::read(first, used, Some(TABLE_STORE.to_owned()));
    }
    // The innermost join has the longest name: L_L_Join, L_Join, Join.
    let level = |join: usize| "L_".repeat(joins - 1 - join);
    let store = |join: usize, side: &str| Some(format!("KafkaTopic_{}{side}-Reduce", level(join)));
    let mut left = source::read(first, used, store(0, "Left"))?;
    for (i, (clause, joined)) in analysis.joins.iter().zip(sources).enumerate() {
        let right = source::read(joined, used, store(i, "Right"))?;
        let join = Joining {
            analysis,
            clause,
            index: i,
            level: level(i),
            first,
            joined,
        };
        left = join.join(left, right)?;
    }
    left.plan = numbering::number(left.plan)?;
    Ok(left)
}

/// One join on its way.
struct Joining<'a> {
    analysis: &'a Analysis<'a>,
    clause: &'a JoinClause,
    index: usize,
    /// `L_` for each join behind this one.
    level: String,
    first: &'a SourceScope,
    joined: &'a SourceScope,
}

/// A side ready to be joined.
struct Side {
    stage: Stage,
    /// Its join column.
    key: PlanColumn,
}

/// Which side.
#[derive(Debug, Clone, Copy)]
enum Hand {
    Left,
    Right,
}

impl Hand {
    fn name(self) -> &'static str {
        match self {
            Self::Left => "Left",
            Self::Right => "Right",
        }
    }
}

impl Joining<'_> {
    fn join(&self, left: Stage, right: Stage) -> Result<Stage, SqlError> {
        let clause = self.clause;
        let left_key = self.lower(&left, &clause.left)?;
        let right_key = self.lower(&right, &clause.right)?;
        let key_type = self.key_type(&left_key, &right_key)?;
        let left_keyed = match self.analysis.joins.get(self.index.wrapping_sub(1)) {
            Some(before) if left.origin == KeyOrigin::Join => {
                before.equal.iter().any(|e| tree::same(e, &clause.left))
            }
            _ => left.is_key(&clause.left),
        };
        let right_keyed = right.is_key(&clause.right);
        let (left_kind, right_kind) = (left.kind, right.kind);
        if right_kind == SourceKind::Table && !right_keyed {
            let rule = if left_kind == SourceKind::Stream {
                "stream-table joins require to join on the table's primary key"
            } else {
                "table-table joins require to join on the primary key of the right input table"
            };
            return Err(self.invalid(rule));
        }
        if left_kind == SourceKind::Table && !left_keyed {
            return self.foreign_key(left, right, left_key, key_type);
        }
        self.check_partitions()?;
        let mut left_rekey = left_kind == SourceKind::Stream && !left_keyed;
        let mut right_rekey = right_kind == SourceKind::Stream && !right_keyed;
        let format = self.align(&left, &right, &key_type, &mut left_rekey, &mut right_rekey)?;
        let stream_stream = (left_kind, right_kind) == (SourceKind::Stream, SourceKind::Stream);
        let known = |stage: &Stage, keyed: bool| {
            stage
                .keys
                .first()
                .filter(|_| keyed)
                .map(|key| key.column.clone())
        };
        let (left_known, right_known) = (known(&left, left_keyed), known(&right, right_keyed));
        let format_of = |rekey: bool| rekey.then_some(&format);
        let left = self.side(
            left,
            left_key,
            left_known,
            format_of(left_rekey),
            Hand::Left,
            stream_stream,
        )?;
        let right = self.side(
            right,
            right_key,
            right_known,
            format_of(right_rekey),
            Hand::Right,
            stream_stream,
        )?;
        self.finish(left, right, key_type, format)
    }

    fn lower(&self, stage: &Stage, expr: &Expr) -> Result<Typed, SqlError> {
        let scope = StageScope {
            sources: &self.analysis.sources,
            stage,
        };
        Lowering::new(&scope, self.analysis.catalog).lower(expr)
    }

    fn key_type(&self, left: &Typed, right: &Typed) -> Result<SqlType, SqlError> {
        let clause = self.clause;
        match (&left.sql_type, &right.sql_type) {
            (Some(l), Some(r)) if l == r => {
                if l.contains_map() {
                    let name = clause
                        .viable()
                        .next()
                        .map(printed::plain)
                        .unwrap_or_default();
                    return Err(map_key(&name, l));
                }
                Ok(l.clone())
            }
            _ => Err(refuse(
                &clause.on,
                format!(
                    "Invalid join condition: types don't match. Got {}{{{}}} = {}{{{}}}.",
                    printed::qualified(&clause.left),
                    left.type_text(),
                    printed::qualified(&clause.right),
                    right.type_text()
                ),
            )),
        }
    }

    fn invalid(&self, rule: &str) -> SqlError {
        let condition = match &self.clause.on.kind {
            ExprKind::Binary { left, right, .. } => {
                format!(
                    "{} = {}",
                    printed::qualified(left),
                    printed::qualified(right)
                )
            }
            _ => printed::qualified(&self.clause.on),
        };
        refuse(
            &self.clause.on,
            format!("Invalid join condition: {rule}. Got {condition}."),
        )
    }

    fn check_partitions(&self) -> Result<(), SqlError> {
        let partitions = |source: &SourceScope| {
            self.analysis
                .catalog
                .topic(&source.info.topic)
                .map(|t| t.partitions)
        };
        match (partitions(self.first), partitions(self.joined)) {
            (Some(left), Some(right)) if left != right => Err(refuse(
                &self.clause.on,
                format!(
                    "Can't join `{0}` with `{1}` since the number of partitions don't match. `{0}` \
                     partitions = {left}; `{1}` partitions = {right}. Please repartition either \
                     one so that the number of partitions match.",
                    self.first.alias, self.joined.alias
                ),
            )),
            _ => Ok(()),
        }
    }

    /// Decides which sides are rewritten so that equal keys have equal bytes, and in what format.
    fn align(
        &self,
        left: &Stage,
        right: &Stage,
        key_type: &SqlType,
        left_rekey: &mut bool,
        right_rekey: &mut bool,
    ) -> Result<ValueFormat, SqlError> {
        let windows = |stage: &Stage| stage.window.as_ref().map(|(window, _)| *window);
        let windowed = left.window.is_some();
        let (l, r) = (&left.key_format.format, &right.key_format.format);
        let registry = l.kind.uses_registry() || r.kind.uses_registry();
        let mut format = &left.key_format;
        if registry && !windowed {
            if *left_rekey && !*right_rekey {
                format = &right.key_format;
            }
            (*left_rekey, *right_rekey) = (true, true);
        } else if l != r || windows(left) != windows(right) {
            if *left_rekey && !*right_rekey {
                format = &right.key_format;
            } else {
                *right_rekey = true;
            }
        }
        if windowed && (*left_rekey || *right_rekey) {
            return Err(refuse(
                &self.clause.on,
                "Implicit repartitioning of windowed sources is not supported.",
            ));
        }
        if *left_rekey || *right_rekey {
            return Ok(internal_key(format, &[key_type], self.analysis.catalog));
        }
        Ok(format.clone())
    }

    /// A side with its join column: `known` where its rows are keyed by it; sent through a topic
    /// in that format where `rekey` says so.
    fn side(
        &self,
        mut stage: Stage,
        key: Typed,
        known: Option<PlanColumn>,
        rekey: Option<&ValueFormat>,
        hand: Hand,
        stream_stream: bool,
    ) -> Result<Side, SqlError> {
        let column = match (known, &key.expr) {
            (Some(column), _) => column,
            (None, PlanExpr::Column(column)) => column.clone(),
            (None, _) => {
                let expr = match hand {
                    Hand::Left => &self.clause.left,
                    Hand::Right => &self.clause.right,
                };
                let qualifier = format!("$key_{}_{}", self.index, hand.name().to_lowercase());
                let origin = stage.origin;
                stage = select_key(stage, vec![(expr.clone(), key)], origin, &qualifier)?;
                match stage.keys.first() {
                    Some(key) => key.column.clone(),
                    None => return Err(SqlError::internal("A join without a key.")),
                }
            }
        };
        let Some(format) = rekey else {
            return Ok(Side { stage, key: column });
        };
        let index = index_of(&stage.plan, &column)?;
        let is_table = stage.kind == SourceKind::Table;
        let (level, side) = (&self.level, hand.name());
        let (topic_suffix, input) = match (is_table, stream_stream) {
            (true, _) => (
                format!("{level}{side}SourceKeyed-SelectKey-repartition"),
                without_store(&stage.plan),
            ),
            (false, true) => (
                format!("{level}Join-{}-repartition", side.to_lowercase()),
                stage.plan,
            ),
            (false, false) => (format!("{level}Join-repartition"), stage.plan),
        };
        stage.plan = StreamNode::Repartition(Repartition {
            input: Arc::new(input),
            key: vec![index],
            topic_suffix,
            key_format: format.clone(),
        })
        .into_plan();
        if is_table {
            stage.plan = StreamNode::Materialize(Materialize {
                input: Arc::new(stage.plan),
                key: vec![index],
                store: format!("{level}{side}SourceKeyed-Materialize"),
            })
            .into_plan();
        }
        Ok(Side { stage, key: column })
    }

    fn finish(
        &self,
        left: Side,
        right: Side,
        key_type: SqlType,
        key_format: ValueFormat,
    ) -> Result<Stage, SqlError> {
        let clause = self.clause;
        let synthetic = clause.synthetic_key();
        let name = names::synthetic_key(&self.analysis.sources);
        let qualifier = TableReference::bare(format!("$join_{}", self.index));
        let own_key = PlanColumn::new(Some(qualifier.clone()), name.as_str());
        let before = if synthetic {
            vec![(Some(qualifier), name.clone(), key_type.clone())]
        } else {
            Vec::new()
        };
        let inputs = self.inputs(&left, &right, synthetic, before)?;
        let mut computed = left.stage.computed.clone();
        computed.extend(right.stage.computed.clone());
        let record_key = match clause.kind {
            _ if synthetic => own_key.clone(),
            JoinKind::Right => right.key.clone(),
            _ => left.key.clone(),
        };
        let means = if synthetic {
            let ident = Ident {
                name: name.clone(),
                quoted: false,
                span: Span::default(),
            };
            let kind = ExprKind::Column {
                source: None,
                name: ident,
            };
            let means = Expr {
                kind,
                span: Span::default(),
            };
            computed.push((means.clone(), PlanExpr::Column(own_key), key_type.clone()));
            vec![means]
        } else {
            clause.viable().cloned().collect()
        };
        let window = self.window(&left.stage, &right.stage)?;
        let kinds = (left.stage.kind, right.stage.kind);
        let node = match (kinds, &clause.within) {
            ((SourceKind::Stream, SourceKind::Stream), Some(within)) => {
                StreamNode::StreamStreamJoin(StreamStreamJoin {
                    inputs,
                    before_ms: within.before.millis(),
                    after_ms: within.after.millis(),
                    grace_ms: within.grace.map(|g| g.millis()),
                    // Named by [`numbering`], once all joins are there.
                    stores: Default::default(),
                })
            }
            ((SourceKind::Stream, _), _) => StreamNode::StreamTableJoin(StreamTableJoin { inputs }),
            _ => StreamNode::TableTableJoin(TableTableJoin { inputs }),
        };
        Ok(Stage {
            plan: node.into_plan(),
            kind: kinds.0,
            keys: vec![KeyColumn {
                column: record_key,
                sql_type: key_type,
                means,
            }],
            origin: KeyOrigin::Join,
            key_format,
            window,
            computed,
        })
    }

    fn inputs(
        &self,
        left: &Side,
        right: &Side,
        synthetic_key: bool,
        before: Vec<(Option<TableReference>, String, SqlType)>,
    ) -> Result<JoinInputs, SqlError> {
        let both = left
            .stage
            .plan
            .schema()
            .join(right.stage.plan.schema())
            .map_err(internal)?;
        let schema = extended(before, &both, Vec::new())?;
        let bounds = |stage: &Stage| -> Result<Option<[usize; 2]>, SqlError> {
            match &stage.window {
                Some((_, [PlanExpr::Column(start), PlanExpr::Column(end)])) => Ok(Some([
                    index_of(&stage.plan, start)?,
                    index_of(&stage.plan, end)?,
                ])),
                _ => Ok(None),
            }
        };
        let windows = match (bounds(&left.stage)?, bounds(&right.stage)?) {
            (Some(left), Some(right)) => Some([left, right]),
            _ => None,
        };
        Ok(JoinInputs {
            left_key: index_of(&left.stage.plan, &left.key)?,
            right_key: index_of(&right.stage.plan, &right.key)?,
            left: input(&left.stage),
            right: input(&right.stage),
            windows,
            join_type: match self.clause.kind {
                JoinKind::Inner => JoinType::Inner,
                JoinKind::Left => JoinType::Left,
                JoinKind::Right => JoinType::Right,
                JoinKind::Full => JoinType::Full,
            },
            synthetic_key,
            schema,
        })
    }

    /// The window of the joined rows: of whichever side is always there.
    fn window(
        &self,
        left: &Stage,
        right: &Stage,
    ) -> Result<Option<(weir_types::WindowInfo, [PlanExpr; 2])>, SqlError> {
        let (Some((window, [ls, le])), Some((_, [rs, re]))) = (&left.window, &right.window) else {
            return Ok(None);
        };
        let bounds = match self.clause.kind {
            JoinKind::Inner | JoinKind::Left => [ls.clone(), le.clone()],
            JoinKind::Right => [rs.clone(), re.clone()],
            JoinKind::Full => {
                let types = [ArgType::Sql(SqlType::Bigint), ArgType::Sql(SqlType::Bigint)];
                let call = registry::registry()
                    .resolve_scalar("COALESCE", &types, Vec::new())
                    .map_err(internal)?;
                [
                    call.udf.call(vec![ls.clone(), rs.clone()]),
                    call.udf.call(vec![le.clone(), re.clone()]),
                ]
            }
        };
        Ok(Some((*window, bounds)))
    }

    fn foreign_key(
        &self,
        mut left: Stage,
        right: Stage,
        key: Typed,
        key_type: SqlType,
    ) -> Result<Stage, SqlError> {
        let clause = self.clause;
        if self.index > 0 {
            return Err(self.invalid(
                "foreign-key table-table joins are not supported as part of n-way joins",
            ));
        }
        if left.window.is_some() || right.window.is_some() {
            return Err(
                self.invalid("foreign-key table-table joins are not supported on windowed tables")
            );
        }
        if !matches!(clause.kind, JoinKind::Inner | JoinKind::Left) {
            return Err(refuse(
                &clause.on,
                format!(
                    "Invalid join type: only INNER and LEFT joins are supported for foreign-key \
                     table-table joins. Got {} with {}.",
                    self.first.alias, self.joined.alias
                ),
            ));
        }
        let left_key = match key.expr {
            PlanExpr::Column(column) => column,
            computed => {
                let qualifier = TableReference::bare("$foreign_key");
                let column = PlanColumn::new(Some(qualifier.clone()), "KEY_0");
                let mut exprs: Vec<_> = left
                    .plan
                    .schema()
                    .columns()
                    .into_iter()
                    .map(PlanExpr::Column)
                    .collect();
                exprs.push(computed.alias_qualified(Some(qualifier.clone()), "KEY_0"));
                let added = vec![(Some(qualifier), "KEY_0".to_owned(), key_type)];
                let schema = extended(Vec::new(), left.plan.schema(), added)?;
                left.plan =
                    Projection::try_new_with_schema(exprs, Arc::new(left.plan.clone()), schema)
                        .map(LogicalPlan::Projection)
                        .map_err(internal)?;
                column
            }
        };
        let Some(right_key) = right.keys.first().map(|k| k.column.clone()) else {
            return Err(SqlError::internal("A table without a key."));
        };
        let left_primary_key = left
            .keys
            .iter()
            .map(|k| index_of(&left.plan, &k.column))
            .collect::<Result<_, _>>()?;
        let (left, right) = (
            Side {
                stage: left,
                key: left_key,
            },
            Side {
                stage: right,
                key: right_key,
            },
        );
        let inputs = self.inputs(&left, &right, false, Vec::new())?;
        let node = ForeignKeyJoin {
            inputs,
            left_primary_key,
            // Named by [`numbering`], as is the subscription store.
            topic_suffixes: Default::default(),
            stores: [
                String::new(),
                format!("{}Join-Left-Materialize", self.level),
            ],
        };
        Ok(Stage {
            plan: StreamNode::ForeignKeyJoin(node).into_plan(),
            kind: SourceKind::Table,
            keys: left.stage.keys,
            origin: KeyOrigin::ForeignKey,
            key_format: left.stage.key_format,
            window: None,
            computed: left.stage.computed,
        })
    }
}

/// A table's source without its store: it is kept behind the topic instead.
fn without_store(plan: &LogicalPlan) -> LogicalPlan {
    match StreamNode::of(plan) {
        Some(StreamNode::Source(source)) => {
            let mut source = source.clone();
            source.store = None;
            StreamNode::Source(source).into_plan()
        }
        _ => plan.clone(),
    }
}
