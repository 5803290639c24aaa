//! From a plan to sub-topologies.
//!
//! ```text
//!  LogicalPlan ─walk, inputs first─► nodes of the part at hand
//!      Repartition ─► ends a part (frames out), the part above reads the topic
//!      ForeignKeyJoin ─► a part for the right side, two topics in between
//! ```
//!
//! Walking down, `want_old` says whether somebody above reads old rows and `cached` whether table
//! changes may be held until the flush.
//!
//! Invariant: parts come in the order in which data flows first (a foreign-key join's response
//! flows back); every node's inputs stand before it.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::DFSchema;
use datafusion::logical_expr::{Expr, LogicalPlan};
use weir_formats::{Encoder, Side};
use weir_parser::ast::SourceKind;
use weir_planner::stream::{Aggregate, QueryPlan, Repartition, StreamNode, WindowShapeMs};
use weir_types::{SqlType, ValueFormat};

use crate::api::{InputSpec, MaterializedInfo, OutputSpec, StoreSpec, TopicName, Topology};
use crate::compile_ends;
use crate::compile_view;
use crate::describe;
use crate::expr::Exprs;
use crate::frames::FrameReader;
use crate::ops;
use crate::ops::table_store::TableStore;
use crate::plan_info::{is_table, key_columns, knows_old};
use crate::task::{NodeInput, NodeSpec, Part, ReaderSpec, shared};
use crate::{EngineError, SubTopology};

/// Compiles a planned query.
///
/// # Errors
/// [`EngineError::Plan`] if the plan holds what the engine cannot run.
pub fn compile(plan: &QueryPlan) -> Result<Topology, EngineError> {
    let mut compiler = Compiler { parts: Vec::new() };
    let mut part = Part::default();
    compiler.root(&plan.root, plan, &mut part)?;
    describe::label(&mut part, &plan.root);
    compiler.parts.push(part);
    let materialized = match compile_view::view(&plan.root)? {
        Some((store, view)) => {
            let part = compiler
                .parts
                .iter()
                .position(|part| part.stores.iter().any(|held| held.name == store));
            let stores = compiler.parts.iter_mut().flat_map(|part| &mut part.stores);
            stores.for_each(|held| held.queryable |= held.name == store);
            part.map(|part| MaterializedInfo {
                part,
                store,
                view: Arc::new(view),
            })
        }
        None => None,
    };
    let description = describe::operators(&compiler.parts);
    let parts: Vec<Arc<dyn SubTopology>> = compiler.parts.into_iter().map(shared).collect();
    Ok(Topology {
        parts,
        materialized,
        description,
    })
}

pub(crate) struct Compiler {
    pub(crate) parts: Vec<Part>,
}

/// What those above want of an input.
#[derive(Clone, Copy)]
pub(crate) struct Wants {
    /// Old rows of changes.
    pub(crate) old: bool,
    /// Changes may be held until the flush.
    pub(crate) cached: bool,
}

impl Compiler {
    fn root(
        &mut self,
        plan: &LogicalPlan,
        query: &QueryPlan,
        part: &mut Part,
    ) -> Result<(), EngineError> {
        let wants = Wants {
            old: false,
            cached: true,
        };
        match StreamNode::of(plan) {
            Some(StreamNode::Sink(node)) => {
                let input = self.node(&node.input, wants, part)?;
                compile_ends::sink(node, input, part)
            }
            Some(StreamNode::Output(node)) => {
                let input = self.node(&node.input, wants, part)?;
                let schema = ops::output::Output::schema(node.input.schema().as_arrow());
                let is_table = query.kind == SourceKind::Table;
                push(part, vec![input], move |_| {
                    Ok(Box::new(ops::output::Output {
                        schema: Arc::clone(&schema),
                        is_table,
                    }))
                });
                Ok(())
            }
            // CREATE SOURCE TABLE: state without an output.
            _ => self.node(plan, wants, part).map(|_| ()),
        }
    }

    /// Adds the nodes of `plan` to `part` and gives the last one.
    pub(crate) fn node(
        &mut self,
        plan: &LogicalPlan,
        wants: Wants,
        part: &mut Part,
    ) -> Result<NodeInput, EngineError> {
        let made = self.nodes_of(plan, wants, part)?;
        describe::label(part, plan);
        Ok(made)
    }

    fn nodes_of(
        &mut self,
        plan: &LogicalPlan,
        wants: Wants,
        part: &mut Part,
    ) -> Result<NodeInput, EngineError> {
        match plan {
            LogicalPlan::Projection(node) => {
                let input = self.node(&node.input, wants, part)?;
                let exprs = Exprs::new(&node.expr, node.input.schema())?;
                let texts: Vec<(String, String)> = node
                    .expr
                    .iter()
                    .zip(node.schema.fields())
                    .map(|(expr, field)| (expr.to_string(), field.name().clone()))
                    .collect();
                Ok(push(part, vec![input], move |_| {
                    Ok(Box::new(ops::project::Project {
                        exprs: exprs.clone(),
                        texts: texts.clone(),
                        want_old: wants.old,
                    }))
                }))
            }
            LogicalPlan::Filter(node) => {
                let input = self.node(&node.input, wants, part)?;
                let predicate = Exprs::new([&node.predicate], node.input.schema())?;
                let text = node.predicate.to_string();
                Ok(push(part, vec![input], move |_| {
                    Ok(Box::new(ops::filter::Filter {
                        predicate: predicate.clone(),
                        text: text.clone(),
                    }))
                }))
            }
            LogicalPlan::SubqueryAlias(node) => self.node(&node.input, wants, part),
            _ => match StreamNode::of(plan) {
                Some(node) => self.stream_node(node, plan, wants, part),
                None => Err(EngineError::Plan(format!("cannot run {}", plan.display()))),
            },
        }
    }

    fn stream_node(
        &mut self,
        node: &StreamNode,
        plan: &LogicalPlan,
        wants: Wants,
        part: &mut Part,
    ) -> Result<NodeInput, EngineError> {
        match node {
            StreamNode::Source(node) => compile_ends::source(node, wants, part),
            StreamNode::TableFilter(node) => {
                let old = wants.old || knows_old(&node.input);
                let input = self.node(&node.input, Wants { old, ..wants }, part)?;
                let predicate = Exprs::new([&node.predicate], node.input.schema())?;
                let text = node.predicate.to_string();
                let context = format!("{}Filter", node.clause);
                let kept = key_columns(&node.input);
                Ok(push(part, vec![input], move |_| {
                    Ok(Box::new(ops::table_filter::TableFilter {
                        predicate: predicate.clone(),
                        text: text.clone(),
                        context: context.clone(),
                        kept: kept.clone(),
                    }))
                }))
            }
            StreamNode::SelectKey(node) => {
                let input = self.node(&node.input, wants, part)?;
                let is_key = key_columns(&node.input);
                let keys = node
                    .keys
                    .iter()
                    .map(|key| {
                        let only_keys = key.column_refs().iter().all(|column| {
                            node.input
                                .schema()
                                .index_of_column(column)
                                .is_ok_and(|index| is_key.get(index) == Some(&true))
                        });
                        Ok((Exprs::new([key], node.input.schema())?, only_keys))
                    })
                    .collect::<Result<Vec<_>, EngineError>>()?;
                let texts: Vec<String> = node.keys.iter().map(Expr::to_string).collect();
                Ok(push(part, vec![input], move |_| {
                    Ok(Box::new(ops::select_key::SelectKey {
                        keys: keys.clone(),
                        texts: texts.clone(),
                    }))
                }))
            }
            StreamNode::Repartition(node) => self.repartition(node, plan, false, part),
            StreamNode::Aggregate(node) => self.aggregate(node, wants, part),
            StreamNode::FlatMap(node) => {
                let input = self.node(&node.input, wants, part)?;
                let functions = Exprs::new(&node.functions, node.input.schema())?;
                let texts: Vec<String> = node.functions.iter().map(Expr::to_string).collect();
                Ok(push(part, vec![input], move |_| {
                    Ok(Box::new(ops::flat_map::FlatMap {
                        functions: functions.clone(),
                        texts: texts.clone(),
                    }))
                }))
            }
            StreamNode::Materialize(node) => {
                let known = knows_old(&node.input);
                let old = wants.old && known;
                let input = self.node(&node.input, Wants { old, ..wants }, part)?;
                let store = store(part, &node.store, None);
                let layout = TableStore::new(store, types(node.input.schema()), &node.key);
                let computes_old = wants.old && !known;
                Ok(push(part, vec![input], move |_| {
                    let layout = layout.clone();
                    Ok(if computes_old {
                        Box::new(ops::table_source::TableSource::new(layout, false))
                    } else {
                        Box::new(ops::materialize::Materialize { layout })
                    })
                }))
            }
            StreamNode::StreamTableJoin(node) => self.stream_table(&node.inputs, part),
            StreamNode::StreamStreamJoin(node) => self.stream_stream(node, part),
            StreamNode::TableTableJoin(node) => self.table_table(&node.inputs, wants, part),
            StreamNode::ForeignKeyJoin(node) => self.foreign_key(node, wants, part),
            StreamNode::Sink(_) | StreamNode::Output(_) => Err(EngineError::Plan(format!(
                "not at the root: {}",
                plan.display()
            ))),
        }
    }

    /// Ends a part with frames and reads them in `part`.
    fn repartition(
        &mut self,
        node: &Repartition,
        plan: &LogicalPlan,
        grouping: bool,
        part: &mut Part,
    ) -> Result<NodeInput, EngineError> {
        let with_old = is_table(&node.input) && (grouping || knows_old(&node.input));
        let mut upstream = Part::default();
        let input = self.node(
            &node.input,
            Wants {
                old: with_old,
                cached: true,
            },
            &mut upstream,
        )?;
        let topic = TopicName::Internal(node.topic_suffix.clone());
        upstream.outputs.push(OutputSpec {
            topic: topic.clone(),
            internal_frames: true,
        });
        // A foreign-key join below has an output of its own.
        let output = upstream.outputs.len() - 1;
        let key = node.key.clone();
        let columns = columns_of(node.input.schema(), &node.key)?;
        let format = node.key_format.clone();
        key_encoder(&format, &columns)?;
        push(&mut upstream, vec![input], move |_| {
            let encoder = key_encoder(&format, &columns)?;
            Ok(Box::new(ops::repartition::Repartition::new(
                output,
                key.clone(),
                encoder,
                grouping,
            )))
        });
        describe::label(&mut upstream, plan);
        self.parts.push(upstream);

        let types = types(node.input.schema());
        let name = node.topic_suffix.clone();
        let reader: ReaderSpec =
            Box::new(move |_| Ok(Box::new(FrameReader::new(name.clone(), &types, with_old)?)));
        part.inputs.push(InputSpec {
            topic,
            internal_frames: true,
            is_table: is_table(&node.input),
        });
        part.readers.push(reader);
        Ok(NodeInput::Input(part.inputs.len() - 1))
    }

    fn aggregate(
        &mut self,
        node: &Aggregate,
        wants: Wants,
        part: &mut Part,
    ) -> Result<NodeInput, EngineError> {
        let input = match StreamNode::of(&node.input) {
            Some(StreamNode::Repartition(repartition)) => {
                self.repartition(repartition, &node.input, true, part)?
            }
            _ => {
                let old = node.input_is_table;
                self.node(&node.input, Wants { old, cached: true }, part)?
            }
        };
        let schema = node.input.schema();
        let retention = node.window.as_ref().map(|window| window.retention_ms);
        let store = store(part, &node.store, retention);
        let group_columns: Vec<(String, SqlType)> =
            columns_of(&node.schema, &(0..node.group.len()).collect::<Vec<_>>())?;
        let spec = Arc::new(ops::group_by::AggregateSpec {
            group: Exprs::new(&node.group, schema)?,
            group_types: group_columns.iter().map(|(_, t)| t.to_arrow()).collect(),
            functions: node
                .aggregates
                .iter()
                .map(|call| Arc::clone(&call.function))
                .collect(),
            args: node
                .aggregates
                .iter()
                .map(|call| Exprs::new(&call.args, schema))
                .collect::<Result<_, _>>()?,
            window: node.window.clone(),
            input_is_table: node.input_is_table,
            want_old: wants.old,
            store,
        });
        let emit_final = node.window.as_ref().is_some_and(|window| window.emit_final);
        let format = key_format(&node.input).filter(|_| emit_final);
        Ok(push(part, vec![input], move |_| {
            let order = match &format {
                Some(format) => Some(key_encoder(format, &group_columns)?),
                None => None,
            };
            let spec = Arc::clone(&spec);
            if let Some(window) = &spec.window
                && let WindowShapeMs::Session { gap } = window.shape
            {
                let window = window.clone();
                return Ok(Box::new(ops::session::SessionAggregate::new(
                    spec, window, gap, order,
                )));
            }
            let close = order.map(|order| {
                let layout = ops::groups::StateLayout::new(spec.functions.clone());
                ops::window_close::WindowClose::new(layout, order)
            });
            Ok(Box::new(ops::aggregate::Aggregate::new(spec, close)))
        }))
    }
}

/// Adds a node.
pub(crate) fn push(
    part: &mut Part,
    inputs: Vec<NodeInput>,
    build: impl Fn(u32) -> Result<Box<dyn ops::Operator>, EngineError> + Send + Sync + 'static,
) -> NodeInput {
    part.nodes.push(NodeSpec {
        label: String::new(),
        spec: Box::new(build),
        inputs,
    });
    NodeInput::Node(part.nodes.len() - 1)
}

/// Adds a store and gives its index.
pub(crate) fn store(part: &mut Part, name: &str, retention_ms: Option<i64>) -> usize {
    part.stores.push(StoreSpec {
        name: name.to_owned(),
        retention_ms,
        queryable: false,
    });
    part.stores.len() - 1
}

/// Arrow types of a schema's columns.
pub(crate) fn types(schema: &DFSchema) -> Vec<DataType> {
    schema
        .fields()
        .iter()
        .map(|field| field.data_type().clone())
        .collect()
}

/// Names and types of these columns.
pub(crate) fn columns_of(
    schema: &DFSchema,
    indices: &[usize],
) -> Result<Vec<(String, SqlType)>, EngineError> {
    indices
        .iter()
        .map(|index| {
            let field = schema
                .fields()
                .get(*index)
                .ok_or_else(|| EngineError::Plan(format!("there is no column {index}")))?;
            let sql_type = SqlType::from_arrow(field.data_type()).ok_or_else(|| {
                EngineError::Plan(format!("column {} has no SQL type", field.name()))
            })?;
            Ok((field.name().clone(), sql_type))
        })
        .collect()
}

/// An encoder of keys.
pub(crate) fn key_encoder(
    format: &ValueFormat,
    columns: &[(String, SqlType)],
) -> Result<Box<dyn Encoder>, EngineError> {
    weir_formats::encoder(format, Side::Key, columns)
        .map_err(|error| EngineError::Plan(error.to_string()))
}

/// The format in which the keys of a plan's rows are written before this point.
pub(crate) fn key_format(plan: &LogicalPlan) -> Option<ValueFormat> {
    match StreamNode::of(plan) {
        Some(StreamNode::Repartition(node)) => Some(node.key_format.clone()),
        Some(StreamNode::Source(node)) => Some(node.key_format.clone()),
        _ => plan.inputs().first().and_then(|input| key_format(input)),
    }
}
