//! Compiling both ends of a query: the topics that it reads and the one that it writes.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::DFSchema;
use datafusion::logical_expr::Expr;
use weir_formats::Side;
use weir_parser::ast::SourceKind;
use weir_planner::stream::{Sink, Source, SourceColumn};
use weir_types::SqlType;

use crate::EngineError;
use crate::api::{InputSpec, OutputSpec, TopicName};
use crate::compile::{Wants, push, store, types};
use crate::expr::Exprs;
use crate::ops;
use crate::ops::table_store::TableStore;
use crate::source::{SourceReader, SourceSpec};
use crate::task::{NodeInput, Part};
use crate::timestamps::TimestampReader;

/// Positions of the key columns in the output of a source.
pub(crate) fn source_key(node: &Source) -> Vec<usize> {
    let mut key: Vec<(usize, usize)> = node
        .columns
        .iter()
        .enumerate()
        .filter_map(|(position, column)| match column {
            SourceColumn::Key(index) => Some((*index, position)),
            _ => None,
        })
        .collect();
    key.sort_unstable();
    key.into_iter().map(|(_, position)| position).collect()
}

/// Reads a topic; a table with a store is kept there first.
pub(crate) fn source(
    node: &Source,
    wants: Wants,
    part: &mut Part,
) -> Result<NodeInput, EngineError> {
    let timestamp = match &node.timestamp {
        Some(timestamp) => {
            let find =
                |position: Option<usize>, make: fn(usize) -> SourceColumn| position.map(make);
            let column = find(
                node.declared
                    .keys()
                    .position(|c| c.name == timestamp.column),
                SourceColumn::Key,
            )
            .or_else(|| {
                find(
                    node.declared
                        .values()
                        .position(|c| c.name == timestamp.column),
                    SourceColumn::Value,
                )
            })
            .ok_or_else(|| {
                EngineError::Plan(format!("no timestamp column {}", timestamp.column))
            })?;
            Some((column, timestamp_parser(timestamp)?))
        }
        None => None,
    };
    let spec = Arc::new(SourceSpec {
        source: node.clone(),
        timestamp,
        context: "KsqlTopic.Source".to_owned(),
    });
    SourceReader::new(&spec, 0)?;
    part.inputs.push(InputSpec {
        topic: TopicName::User(node.topic.clone()),
        internal_frames: false,
        is_table: node.kind == SourceKind::Table,
    });
    part.readers.push(Box::new(move |partition| {
        Ok(Box::new(SourceReader::new(&spec, partition)?))
    }));
    let input = NodeInput::Input(part.inputs.len() - 1);
    let Some(name) = &node.store else {
        return Ok(input);
    };
    let store = store(part, name, None);
    let layout = TableStore::new(store, types(&node.schema), &source_key(node));
    Ok(push(part, vec![input], move |_| {
        Ok(Box::new(ops::table_source::TableSource::new(
            layout.clone(),
            wants.cached,
        )))
    }))
}

/// What turns text into milliseconds; `None` for columns that hold them.
fn timestamp_parser(
    timestamp: &weir_planner::catalog::TimestampColumn,
) -> Result<Option<Exprs>, EngineError> {
    let Some(format) = &timestamp.format else {
        return Ok(None);
    };
    let plan = |error: String| EngineError::Plan(error);
    let call = weir_functions::registry::registry()
        .resolve_scalar(
            "STRINGTOTIMESTAMP",
            &[
                weir_functions::ArgType::Sql(SqlType::String),
                weir_functions::ArgType::Sql(SqlType::String),
            ],
            Vec::new(),
        )
        .map_err(|error| plan(error.to_string()))?;
    let field = arrow::datatypes::Field::new("T", DataType::Utf8, true);
    let schema = DFSchema::from_unqualified_fields(vec![field].into(), Default::default())
        .map_err(|error| plan(error.to_string()))?;
    let column = Expr::Column(datafusion::common::Column::from_name("T"));
    let literal = Expr::Literal(
        datafusion::common::ScalarValue::Utf8(Some(format.clone())),
        None,
    );
    let parse = call.udf.call(vec![column, literal]);
    Ok(Some(Exprs::new([&parse], &schema)?))
}

/// Writes to a topic.
pub(crate) fn sink(node: &Sink, input: NodeInput, part: &mut Part) -> Result<(), EngineError> {
    part.outputs.push(OutputSpec {
        topic: TopicName::User(node.topic.clone()),
        internal_frames: false,
    });
    let named = |columns: Vec<&weir_types::Column>| -> Vec<(String, SqlType)> {
        columns
            .iter()
            .map(|c| (c.name.clone(), c.sql_type.clone()))
            .collect()
    };
    let keys = named(node.declared.keys().collect());
    let values = named(node.declared.values().collect());
    let output = part.outputs.len() - 1;
    let timestamp = match &node.timestamp {
        Some(timestamp) => {
            let names = keys.iter().chain(&values).map(|(name, _)| name);
            let index = names
                .clone()
                .position(|name| *name == timestamp.column)
                .ok_or_else(|| {
                    EngineError::Plan(format!("no timestamp column {}", timestamp.column))
                })?;
            Some((index, timestamp_parser(timestamp)?))
        }
        None => None,
    };
    let node = node.clone();
    let build = move || -> Result<ops::sink::Sink, EngineError> {
        let plan = |error: weir_formats::FormatError| EngineError::Plan(error.to_string());
        let key_encoder = if keys.is_empty() {
            None
        } else {
            Some(weir_formats::encoder(&node.key_format, Side::Key, &keys).map_err(plan)?)
        };
        Ok(ops::sink::Sink {
            output,
            topic: node.topic.clone(),
            keys: keys.len(),
            values: values.len(),
            key_encoder,
            value_encoder: weir_formats::encoder(&node.value_format, Side::Value, &values)
                .map_err(plan)?,
            window: node.window,
            timestamp: timestamp.clone().map(|(index, parse)| {
                (
                    index,
                    TimestampReader::new(SourceColumn::Value(index), parse),
                )
            }),
        })
    };
    build()?;
    push(part, vec![input], move |_| Ok(Box::new(build()?)));
    Ok(())
}
