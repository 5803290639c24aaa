//! Compiling joins: how both sides are read, and where tables are looked up.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::DFSchema;
use datafusion::logical_expr::LogicalPlan;
use weir_planner::stream::{ForeignKeyJoin, JoinInputs, StreamNode, StreamStreamJoin};

use crate::EngineError;
use crate::api::{InputSpec, OutputSpec, TopicName};
use crate::compile::{Compiler, Wants, columns_of, key_encoder, key_format, push, store, types};
use crate::compile_ends::source_key;
use crate::describe;
use crate::expr::Exprs;
use crate::frames::FrameReader;
use crate::ops;
use crate::ops::fk_left::{FkLeft, FkLeftSpec, RESPONSE_TYPES, SUBSCRIPTION_TYPES};
use crate::ops::join_spec::StreamStreamSpec;
use crate::ops::lookup::Lookup;
use crate::ops::stream_stream::StreamStreamJoin as Join;
use crate::ops::table_source::TableSource;
use crate::ops::table_store::TableStore;
use crate::plan_info::has_sessions;
use crate::task::{NodeInput, Part};

impl Compiler {
    pub(crate) fn stream_table(
        &mut self,
        join: &JoinInputs,
        part: &mut Part,
    ) -> Result<NodeInput, EngineError> {
        let stream = self.node(
            &join.left,
            Wants {
                old: false,
                cached: true,
            },
            part,
        )?;
        let table = self.node(
            &join.right,
            Wants {
                old: true,
                cached: false,
            },
            part,
        )?;
        let lookup = self.lookup(&join.right, part)?;
        let (stream_key, table_key) = (join.left_key, join.right_key);
        let (join_type, synthetic_key) = (join.join_type, join.synthetic_key);
        Ok(push(part, vec![stream, table], move |_| {
            Ok(Box::new(ops::stream_table::StreamTableJoin {
                stream_key,
                table_key,
                join_type,
                synthetic_key,
                lookup: lookup.clone(),
            }))
        }))
    }

    /// How the rows of a table are read by key; its nodes are in `part` already.
    pub(crate) fn lookup(&self, plan: &LogicalPlan, part: &Part) -> Result<Lookup, EngineError> {
        let no_lookup =
            || EngineError::Plan(format!("table cannot be looked up: {}", plan.display()));
        let held = |name: &str, schema: &DFSchema, key: &[usize]| {
            let store = part
                .stores
                .iter()
                .position(|store| store.name == name)
                .ok_or_else(no_lookup)?;
            Ok(Lookup::Store(TableStore::new(store, types(schema), key)))
        };
        match plan {
            LogicalPlan::Projection(node) => Ok(Lookup::Project(
                Arc::new(self.lookup(&node.input, part)?),
                Exprs::new(&node.expr, node.input.schema())?,
            )),
            LogicalPlan::SubqueryAlias(node) => self.lookup(&node.input, part),
            _ => match StreamNode::of(plan).ok_or_else(no_lookup)? {
                StreamNode::Source(node) => {
                    let name = node.store.as_deref().ok_or_else(no_lookup)?;
                    held(name, &node.schema, &source_key(node))
                }
                StreamNode::Materialize(node) => held(&node.store, node.input.schema(), &node.key),
                StreamNode::TableFilter(node) => Ok(Lookup::Filter(
                    Arc::new(self.lookup(&node.input, part)?),
                    Exprs::new([&node.predicate], node.input.schema())?,
                )),
                StreamNode::TableTableJoin(node) => Ok(Lookup::Join {
                    left: Arc::new(self.lookup(&node.inputs.left, part)?),
                    right: Arc::new(self.lookup(&node.inputs.right, part)?),
                    join_type: node.inputs.join_type,
                    synthetic_key: node
                        .inputs
                        .synthetic_key
                        .then_some((node.inputs.left_key, node.inputs.right_key)),
                }),
                StreamNode::ForeignKeyJoin(node) => held(
                    &fk_result_store(node),
                    &node.inputs.schema,
                    &node.left_primary_key,
                ),
                _ => Err(no_lookup()),
            },
        }
    }

    pub(crate) fn stream_stream(
        &mut self,
        node: &StreamStreamJoin,
        part: &mut Part,
    ) -> Result<NodeInput, EngineError> {
        let join = &node.inputs;
        let wants = Wants {
            old: false,
            cached: true,
        };
        let left = self.node(&join.left, wants, part)?;
        let right = self.node(&join.right, wants, part)?;
        let mut spec = StreamStreamSpec {
            join_type: join.join_type,
            before_ms: node.before_ms,
            after_ms: node.after_ms,
            grace_ms: node.grace_ms,
            synthetic_key: join.synthetic_key,
            keys: [join.left_key, join.right_key],
            windows: match join.windows {
                // Time windows match by their start; sessions are one only if both bounds are.
                Some(bounds) => {
                    let parts = if has_sessions(&join.left) { 2 } else { 1 };
                    bounds.map(|bounds| bounds[..parts].to_vec())
                }
                None => [Vec::new(), Vec::new()],
            },
            types: [types(join.left.schema()), types(join.right.schema())],
            stores: [0; 3],
        };
        let retention = Some(spec.retention());
        for (index, name) in node.stores.iter().enumerate() {
            spec.stores[index] = store(part, name, retention.filter(|_| index < 2));
        }
        let format = key_format(&join.left)
            .ok_or_else(|| EngineError::Plan("a join has no key format".into()))?;
        let left_key = columns_of(join.left.schema(), &[join.left_key])?;
        let right_key = columns_of(join.right.schema(), &[join.right_key])?;
        Ok(push(part, vec![left, right], move |_| {
            let encoders = [
                key_encoder(&format, &left_key)?,
                key_encoder(&format, &right_key)?,
            ];
            Ok(Box::new(Join::new(spec.clone(), encoders)))
        }))
    }

    pub(crate) fn table_table(
        &mut self,
        join: &JoinInputs,
        wants: Wants,
        part: &mut Part,
    ) -> Result<NodeInput, EngineError> {
        let side = Wants {
            old: true,
            cached: wants.cached,
        };
        let left = self.node(&join.left, side, part)?;
        let right = self.node(&join.right, side, part)?;
        let left_lookup = self.lookup(&join.left, part)?;
        let right_lookup = self.lookup(&join.right, part)?;
        let (left_key, right_key) = (join.left_key, join.right_key);
        let (join_type, synthetic_key) = (join.join_type, join.synthetic_key);
        let types = [types(join.left.schema()), types(join.right.schema())];
        Ok(push(part, vec![left, right], move |_| {
            Ok(Box::new(ops::table_table::TableTableJoin {
                left_key,
                right_key,
                join_type,
                synthetic_key,
                left: left_lookup.clone(),
                right: right_lookup.clone(),
                want_old: wants.old,
                types: types.clone(),
            }))
        }))
    }

    pub(crate) fn foreign_key(
        &mut self,
        node: &ForeignKeyJoin,
        wants: Wants,
        part: &mut Part,
    ) -> Result<NodeInput, EngineError> {
        let join = &node.inputs;
        let (left_types, right_types) = (types(join.left.schema()), types(join.right.schema()));
        let side = Wants {
            old: true,
            cached: wants.cached,
        };
        let [subscriptions, responses] = node.topic_suffixes.clone().map(TopicName::Internal);
        let foreign = columns_of(join.left.schema(), &[join.left_key])?;
        let foreign_type = left_types
            .get(join.left_key)
            .cloned()
            .ok_or_else(|| EngineError::Plan("a foreign-key join has no key column".into()))?;

        // The right part: subscriptions and changes of the right table in, responses out.
        let mut other = Part::default();
        let mut subscription_types = vec![foreign_type];
        subscription_types.extend(SUBSCRIPTION_TYPES);
        let asked = frames(&mut other, &subscriptions, subscription_types);
        let right = self.node(&join.right, side, &mut other)?;
        let lookup = self.lookup(&join.right, &other)?;
        let held = store(&mut other, &node.stores[0], None);
        other.outputs.push(OutputSpec {
            topic: responses.clone(),
            internal_frames: true,
        });
        let (key, types_of_right) = (join.right_key, right_types.clone());
        push(&mut other, vec![asked, right], move |_| {
            Ok(Box::new(ops::fk_right::FkRight {
                key,
                types: types_of_right.clone(),
                right: lookup.clone(),
                store: held,
                output: 0,
            }))
        });
        describe::label_as(&mut other, "ForeignKeyJoin: answers subscriptions");
        self.parts.push(other);

        // The left part: changes of the left table and responses in, subscriptions out.
        let left = self.node(&join.left, side, part)?;
        let left_lookup = self.lookup(&join.left, part)?;
        let mut response_types: Vec<DataType> = RESPONSE_TYPES.to_vec();
        response_types.extend(right_types.iter().cloned());
        let answered = frames(part, &responses, response_types);
        part.outputs.push(OutputSpec {
            topic: subscriptions,
            internal_frames: true,
        });
        let format = key_format(&join.right)
            .ok_or_else(|| EngineError::Plan("a join has no key format".into()))?;
        let left_format = key_format(&join.left)
            .ok_or_else(|| EngineError::Plan("a join has no key format".into()))?;
        let primary = columns_of(join.left.schema(), &node.left_primary_key)?;
        let spec = Arc::new(FkLeftSpec {
            join_type: join.join_type,
            foreign_key: join.left_key,
            primary_key: node.left_primary_key.clone(),
            left_types,
            right_types,
            left: left_lookup,
            output: part.outputs.len() - 1,
        });
        let joined = push(part, vec![left, answered], move |partition| {
            Ok(Box::new(FkLeft {
                spec: Arc::clone(&spec),
                encoder: key_encoder(&format, &foreign)?,
                primary_encoder: key_encoder(&left_format, &primary)?,
                partition,
            }))
        });
        if !wants.old {
            return Ok(joined);
        }
        // Somebody reads the rows before: the result is kept.
        let held = store(part, &fk_result_store(node), None);
        let layout = TableStore::new(held, types(&join.schema), &node.left_primary_key);
        Ok(push(part, vec![joined], move |_| {
            Ok(Box::new(TableSource::new(layout.clone(), false)))
        }))
    }
}

/// Name of the store that keeps the result of a foreign-key join where it is read.
fn fk_result_store(node: &ForeignKeyJoin) -> String {
    format!("{}-result", node.stores[1])
}

/// Adds an input of our own frames.
fn frames(part: &mut Part, topic: &TopicName, types: Vec<DataType>) -> NodeInput {
    let name = match topic {
        TopicName::User(name) | TopicName::Internal(name) => name.clone(),
    };
    part.inputs.push(InputSpec {
        topic: topic.clone(),
        internal_frames: true,
        is_table: false,
    });
    part.readers.push(Box::new(move |_| {
        Ok(Box::new(FrameReader::new(name.clone(), &types, false)?))
    }));
    NodeInput::Input(part.inputs.len() - 1)
}
