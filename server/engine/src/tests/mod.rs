//! Plans made by hand, and tasks fed without Kafka.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bounds;
mod invariance;
mod operators;
mod point;
mod restart;
mod restore;
mod through_topics;

use std::sync::Arc;

use arrow::datatypes::Field;
use datafusion::common::{Column, DFSchema, DFSchemaRef, TableReference};
use datafusion::logical_expr::{Expr, Filter, LogicalPlan, Projection};
use weir_functions::ArgType;
use weir_functions::registry::registry;
use weir_parser::ast::SourceKind;
use weir_planner::stream::*;
use weir_state::MemoryStore;
use weir_types::records::{FetchedBatch, RecordMeta};
use weir_types::{Column as SqlColumn, FormatKind, FormatSpec, Schema, SqlType, ValueFormat};

use crate::{Emitted, StepLimits, Task, TaskOptions, compile};

/// A record: topic index, key, value, timestamp.
pub(super) type Row = (usize, Option<String>, Option<String>, i64);

pub(super) fn format(kind: FormatKind) -> ValueFormat {
    ValueFormat {
        format: FormatSpec::new(kind),
        wrap_single: None,
    }
}

pub(super) fn schema(fields: &[(&str, &str, SqlType)]) -> DFSchemaRef {
    let fields = fields
        .iter()
        .map(|(alias, name, sql_type)| {
            let qualifier = (!alias.is_empty()).then(|| TableReference::bare(*alias));
            (
                qualifier,
                Arc::new(Field::new(*name, sql_type.to_arrow(), true)),
            )
        })
        .collect();
    Arc::new(DFSchema::new_with_metadata(fields, Default::default()).unwrap())
}

/// `alias (K STRING KEY, V INTEGER, B BOOLEAN)` over topic `alias`.
pub(super) fn source(alias: &str, kind: SourceKind) -> LogicalPlan {
    StreamNode::Source(Source {
        name: alias.into(),
        alias: alias.into(),
        kind,
        topic: alias.into(),
        declared: Schema::new(vec![
            SqlColumn::key("K", SqlType::String),
            SqlColumn::value("V", SqlType::Integer),
            SqlColumn::value("B", SqlType::Boolean),
        ]),
        key_format: format(FormatKind::Kafka),
        value_format: format(FormatKind::Json),
        window: None,
        timestamp: None,
        columns: vec![
            SourceColumn::Key(0),
            SourceColumn::Value(0),
            SourceColumn::Value(1),
        ],
        store: (kind == SourceKind::Table).then(|| format!("{alias}-Reduce")),
        schema: schema(&[
            (alias, "K", SqlType::String),
            (alias, "V", SqlType::Integer),
            (alias, "B", SqlType::Boolean),
        ]),
    })
    .into_plan()
}

pub(super) fn col(alias: &str, name: &str) -> Expr {
    let relation = (!alias.is_empty()).then(|| TableReference::bare(alias));
    Expr::Column(Column::new(relation, name))
}

pub(super) fn filter(input: LogicalPlan, predicate: Expr) -> LogicalPlan {
    LogicalPlan::Filter(Filter::try_new(predicate, Arc::new(input)).unwrap())
}

pub(super) fn table_filter(input: LogicalPlan, predicate: Expr) -> LogicalPlan {
    let input = Arc::new(input);
    StreamNode::TableFilter(TableFilter {
        input,
        predicate,
        clause: "WHERE",
    })
    .into_plan()
}

pub(super) fn project(input: LogicalPlan, exprs: Vec<Expr>) -> LogicalPlan {
    LogicalPlan::Projection(Projection::try_new(exprs, Arc::new(input)).unwrap())
}

/// `SELECT K, SUM(V), COUNT(V) FROM S GROUP BY K`, the rows being keyed already.
pub(super) fn aggregate(input: LogicalPlan, window: Option<WindowSpec>) -> LogicalPlan {
    let input_is_table = crate::plan_info::is_table(&input);
    let call = |name: &str, result: &str| AggregateCall {
        function: registry()
            .resolve_aggregate(
                name,
                &[ArgType::Sql(SqlType::Integer)],
                &[None],
                Default::default(),
            )
            .unwrap(),
        args: vec![col("S", "V")],
        output: result.into(),
    };
    let mut fields = vec![("", "K", SqlType::String)];
    if window.is_some() {
        fields.push(("", "WINDOWSTART", SqlType::Bigint));
        fields.push(("", "WINDOWEND", SqlType::Bigint));
    }
    fields.push(("", "A", SqlType::Integer));
    fields.push(("", "C", SqlType::Bigint));
    StreamNode::Aggregate(Aggregate {
        input: Arc::new(input),
        input_is_table,
        group: vec![col("S", "K")],
        keyed: true,
        aggregates: vec![call("SUM", "A"), call("COUNT", "C")],
        window,
        store: "Aggregate-Aggregate-Materialize".into(),
        schema: schema(&fields),
    })
    .into_plan()
}

pub(super) fn join_inputs(join_type: JoinType, kinds: [SourceKind; 2]) -> JoinInputs {
    let [left, right] = kinds;
    let fields: Vec<_> = ["S", "R"]
        .into_iter()
        .flat_map(|alias| {
            [
                (alias, "K", SqlType::String),
                (alias, "V", SqlType::Integer),
                (alias, "B", SqlType::Boolean),
            ]
        })
        .collect();
    let mut all = vec![("", "ROWKEY", SqlType::String)];
    all.extend(fields);
    JoinInputs {
        left: Arc::new(source("S", left)),
        right: Arc::new(source("R", right)),
        left_key: 0,
        right_key: 0,
        windows: None,
        join_type,
        synthetic_key: true,
        schema: schema(&all),
    }
}

/// The query that hands out the rows of `plan`.
pub(super) fn query(plan: LogicalPlan) -> QueryPlan {
    let kind = match crate::plan_info::is_table(&plan) {
        true => SourceKind::Table,
        false => SourceKind::Stream,
    };
    let types = plan
        .schema()
        .fields()
        .iter()
        .map(|field| SqlType::from_arrow(field.data_type()).unwrap())
        .collect();
    let output = Output {
        input: Arc::new(plan),
        key: vec![0],
        types,
    };
    QueryPlan {
        root: StreamNode::Output(output).into_plan(),
        schema: Schema::default(),
        kind,
        window: None,
        retention_ms: None,
        sources: vec![],
        limit: None,
    }
}

/// The task of a plan without internal topics, and the topics of its inputs.
pub(super) fn task(plan: &LogicalPlan, options: &TaskOptions) -> (Box<dyn Task>, Vec<String>) {
    let topology = compile(&query(plan.clone())).unwrap();
    let [part] = &topology.parts[..] else {
        panic!("one part")
    };
    let stores = part
        .stores()
        .iter()
        .map(|store| Box::new(MemoryStore::new(&store.name)) as _)
        .collect();
    let topics = part
        .inputs()
        .iter()
        .map(|input| match &input.topic {
            crate::TopicName::User(name) | crate::TopicName::Internal(name) => name.clone(),
        })
        .collect();
    (part.new_task(0, stores, options).unwrap(), topics)
}

pub(super) fn fetched(rows: &[&Row]) -> FetchedBatch {
    let bytes = |text: &Option<String>| text.clone().map(String::into_bytes);
    let records = rows
        .iter()
        .map(|(_, key, value, timestamp)| (bytes(key), bytes(value), *timestamp));
    fetched_records(records)
}

/// Keys, values and timestamps as they are fetched from offset 0 on.
pub(super) fn fetched_records<B: AsRef<[u8]>>(
    records: impl Iterator<Item = (Option<B>, Option<B>, i64)>,
) -> FetchedBatch {
    let mut arena: Vec<u8> = Vec::new();
    let mut put = |bytes: B| {
        let start = arena.len() as u32;
        arena.extend_from_slice(bytes.as_ref());
        start..arena.len() as u32
    };
    let records = records
        .enumerate()
        .map(|(offset, (key, value, timestamp))| RecordMeta {
            offset: offset as i64,
            timestamp,
            key: key.map(&mut put),
            value: value.map(&mut put),
            headers: 0..0,
        })
        .collect();
    FetchedBatch {
        arena: Arc::new(arena),
        records,
        headers: vec![],
    }
}

/// Feeds all rows, steps until nothing is left and gives the rows handed out as text.
pub(super) fn run(plan: &LogicalPlan, rows: &[Row], max_rows: usize) -> Vec<String> {
    run_with(
        plan,
        rows,
        max_rows,
        &TaskOptions {
            never_wait: true,
            ..TaskOptions::default()
        },
    )
}

pub(super) fn run_with(
    plan: &LogicalPlan,
    rows: &[Row],
    max_rows: usize,
    options: &TaskOptions,
) -> Vec<String> {
    let (mut task, topics) = task(plan, options);
    for (input, topic) in topics.iter().enumerate() {
        let index = usize::from(topic == "R");
        let own: Vec<&Row> = rows.iter().filter(|row| row.0 == index).collect();
        task.offer(input, fetched(&own));
    }
    let mut out = Emitted::default();
    while task
        .step(
            StepLimits {
                max_rows,
                now_ms: 0,
            },
            &mut out,
        )
        .unwrap()
        > 0
    {}
    task.flush(0, &mut out).unwrap();
    lines(&out)
}

pub(super) fn lines(out: &Emitted) -> Vec<String> {
    let mut lines = Vec::new();
    for batch in &out.rows {
        for row in 0..batch.num_rows() {
            let cells: Vec<String> = batch
                .columns()
                .iter()
                .map(|column| arrow::util::display::array_value_to_string(column, row).unwrap())
                .collect();
            lines.push(cells.join(","));
        }
    }
    lines
}
