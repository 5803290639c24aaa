//! SHOW and DESCRIBE: what is there, as entities (spec/api.md §3.3).

use indexmap::IndexMap;
use weir_functions::FunctionKind;
use weir_functions::registry::registry;
use weir_parser::ast::{Ident, SourceKind};
use weir_planner::catalog::SourceInfo;
use weir_protocol::{
    ApiError, ArgumentInfo, DescribeFunction, Entity, FieldInfo, FunctionName, KafkaTopic,
    KafkaTopicExtended, QueryDescription, RunningQuery, SchemaInfo, SourceDescription,
    SourceListing, VariableInfo, VariantInfo,
};
use weir_types::ErrorCode;

use crate::hash_order;
use crate::metastore::{Metastore, PersistentQuery, kind_word};
use crate::runtime_view::{PushQueryInfo, RuntimeView};
use crate::statements::statistics::Statistics;

/// Everything that listings look at.
pub struct Listing<'a> {
    /// The metastore.
    pub store: &'a Metastore,
    /// Running queries and topics.
    pub runtime: &'a dyn RuntimeView,
}

impl Listing<'_> {
    /// LIST STREAMS, LIST TABLES.
    pub fn sources(&self, kind: SourceKind, extended: bool, text: &str) -> Entity {
        let mut matching: Vec<&SourceInfo> = self
            .store
            .sources()
            .filter(|s| s.kind == kind)
            .map(|s| s.as_ref())
            .collect();
        matching.sort_by(|a, b| a.name.cmp(&b.name));
        if extended {
            return self.describe_all(kind, true, text);
        }
        let lines: Vec<SourceListing> = matching.into_iter().map(source_line).collect();
        match kind {
            SourceKind::Stream => Entity::streams(text, &lines),
            SourceKind::Table => Entity::tables(text, &lines),
        }
    }

    /// DESCRIBE STREAMS, DESCRIBE TABLES.
    pub fn describe_all(&self, kind: SourceKind, extended: bool, text: &str) -> Entity {
        let mut all = Vec::new();
        let mut warnings = Vec::new();
        for source in self.store.sources().filter(|s| s.kind == kind) {
            let (description, warning) = self.description(source, extended);
            all.push(description);
            warnings.extend(warning);
        }
        warnings.into_iter().fold(
            Entity::source_descriptions(text, &all),
            |entity, warning| entity.warn(warning),
        )
    }

    /// DESCRIBE name.
    pub fn describe(&self, name: &str, extended: bool, text: &str) -> Result<Entity, ApiError> {
        let Some(source) = self.store.source(name) else {
            return Err(self.unknown_source(name, text));
        };
        let (description, warning) = self.description(source, extended);
        let entity = Entity::source_description(text, &description);
        Ok(match warning {
            Some(warning) => entity.warn(warning),
            None => entity,
        })
    }

    /// The refusal to describe what is not there, with a hint where only the case differs.
    fn unknown_source(&self, name: &str, text: &str) -> ApiError {
        let mut message = format!("Could not find STREAM/TABLE '{name}' in the Metastore");
        let near: Vec<&str> = self
            .store
            .sources()
            .map(|s| s.name.as_str())
            .filter(|n| n.eq_ignore_ascii_case(name))
            .collect();
        if !near.is_empty() {
            message.push_str("\nDid you mean ");
            let quoted: Vec<String> = near
                .iter()
                .map(|n| weir_types::ident::quoted_if_needed(n))
                .collect();
            message.push_str(&quoted.join(", "));
            message.push_str("? Hint: wrap a name in backticks to keep its case.");
        } else {
            let names = self.store.sources().map(|s| s.name.as_str());
            message.push_str(&weir_planner::near::hint(name, names));
        }
        ApiError::statement(ErrorCode::BadStatement, message, text)
    }

    fn description(
        &self,
        source: &SourceInfo,
        extended: bool,
    ) -> (SourceDescription, Option<String>) {
        let topic = self.runtime.topic(&source.topic);
        let (partitions, replication, warning) = match topic {
            Ok(Some((partitions, replicas))) => (partitions, replicas, None),
            Ok(None) => {
                let message = format!("Error from Kafka: topic {} does not exist", source.topic);
                (0, 0, Some(message))
            }
            Err(error) => (0, 0, Some(format!("Error from Kafka: {error}"))),
        };
        let statistics = Statistics::new(&self.runtime.traffic(&source.topic));
        let host = self.runtime.host();
        let line = |line: String| if extended { line } else { String::new() };
        let description = SourceDescription {
            name: source.name.clone(),
            window_type: source.window.map(|w| w.kind.name().to_owned()),
            read_queries: self
                .store
                .readers(&source.name)
                .map(|q| self.running(q))
                .collect(),
            write_queries: self
                .store
                .writers(&source.name)
                .map(|q| self.running(q))
                .collect(),
            fields: source
                .schema
                .columns()
                .iter()
                .map(FieldInfo::from)
                .collect(),
            kind: kind_word(source.kind).to_owned(),
            timestamp: source
                .timestamp
                .as_ref()
                .map(|t| t.column.clone())
                .unwrap_or_default(),
            statistics: line(statistics.record_line()),
            error_stats: line(statistics.error_line()),
            extended,
            key_format: source.key_format.format.kind.name().to_owned(),
            value_format: source.value_format.format.kind.name().to_owned(),
            topic: source.topic.clone(),
            partitions,
            replication,
            statement: source.sql.clone(),
            query_offset_summaries: if extended {
                self.store
                    .writers(&source.name)
                    .filter_map(|q| self.runtime.offset_summary(&q.id))
                    .collect()
            } else {
                Vec::new()
            },
            source_constraints: if warning.is_some() {
                Vec::new()
            } else {
                self.store.dependents(&source.name)
            },
            cluster_statistics: statistics.records_of(&host),
            cluster_error_stats: statistics.errors_of(&host),
        };
        (description, warning)
    }

    fn running(&self, query: &PersistentQuery) -> RunningQuery {
        let state = self.runtime.query_state(&query.id);
        let (sinks, topics) = match &query.sink {
            Some((name, topic)) => (vec![name.clone()], vec![topic.clone()]),
            None => (Vec::new(), Vec::new()),
        };
        RunningQuery {
            query_string: query.sql.clone(),
            sinks,
            sink_kafka_topics: topics,
            id: query.id.clone(),
            status_count: IndexMap::from([(state.clone(), 1)]),
            query_type: "PERSISTENT".to_owned(),
            state,
        }
    }

    /// LIST QUERIES.
    pub fn queries(&self, extended: bool, text: &str) -> Entity {
        if extended {
            let mut all: Vec<QueryDescription> = self
                .store
                .queries()
                .map(|q| self.query_description(q))
                .collect();
            all.extend(
                self.runtime
                    .push_queries()
                    .iter()
                    .map(|q| self.push_description(q)),
            );
            return Entity::query_descriptions(text, &all);
        }
        let mut all: Vec<RunningQuery> = self.store.queries().map(|q| self.running(q)).collect();
        all.extend(
            self.runtime
                .push_queries()
                .into_iter()
                .map(|query| RunningQuery {
                    query_string: query.sql,
                    sinks: Vec::new(),
                    sink_kafka_topics: Vec::new(),
                    id: query.id,
                    status_count: IndexMap::from([("RUNNING".to_owned(), 1)]),
                    query_type: "PUSH".to_owned(),
                    state: "RUNNING".to_owned(),
                }),
        );
        Entity::queries(text, &all)
    }

    /// EXPLAIN of a running query.
    pub fn explain_query(&self, id: &str, text: &str) -> Result<Entity, ApiError> {
        if let Some(query) = self.store.query(id) {
            return Ok(Entity::query_description(
                text,
                &self.query_description(query),
            ));
        }
        if let Some(query) = self.runtime.push_queries().iter().find(|q| q.id == id) {
            return Ok(Entity::query_description(
                text,
                &self.push_description(query),
            ));
        }
        let message = format!(
            "Query with id:{id} does not exist, use SHOW QUERIES to view the full set of queries."
        );
        Err(ApiError::statement(ErrorCode::BadStatement, message, text))
    }

    fn query_description(&self, query: &PersistentQuery) -> QueryDescription {
        let state = self.runtime.query_state(&query.id);
        QueryDescription {
            id: query.id.clone(),
            statement_text: query.sql.clone(),
            window_type: query.plan.window.map(|w| w.kind.name().to_owned()),
            fields: query
                .plan
                .schema
                .columns()
                .iter()
                .map(FieldInfo::from)
                .collect(),
            sources: in_hash_order(&query.plan.sources),
            sinks: query.sink.iter().map(|(name, _)| name.clone()).collect(),
            topology: self.runtime.topology(&query.id).unwrap_or_default(),
            execution_plan: query.plan.root.display_indent().to_string(),
            overridden_properties: query
                .overrides
                .0
                .iter()
                .map(|(k, v)| (k.clone(), v.clone().into()))
                .collect(),
            ksql_host_query_status: IndexMap::from([(self.runtime.host(), state.clone())]),
            query_type: Some("PERSISTENT".to_owned()),
            query_errors: self.runtime.query_errors(&query.id),
            tasks_metadata: {
                let sources = query.plan.sources.iter();
                let topics: Vec<&str> = sources
                    .filter_map(|name| self.store.source(name))
                    .map(|source| source.topic.as_str())
                    .collect();
                self.runtime.tasks(&query.id, &topics)
            },
            consumer_group_id: Some(self.runtime.group_id(&query.id)),
            state: Some(state),
        }
    }

    fn push_description(&self, query: &PushQueryInfo) -> QueryDescription {
        QueryDescription {
            id: query.id.clone(),
            statement_text: query.sql.clone(),
            window_type: None,
            fields: query.columns.iter().map(FieldInfo::from).collect(),
            sources: in_hash_order(&query.sources),
            sinks: Vec::new(),
            topology: query.topology.clone(),
            execution_plan: query.plan.clone(),
            overridden_properties: IndexMap::new(),
            ksql_host_query_status: IndexMap::from([(self.runtime.host(), "RUNNING".to_owned())]),
            query_type: Some("PUSH".to_owned()),
            query_errors: Vec::new(),
            tasks_metadata: Vec::new(),
            consumer_group_id: None,
            state: Some("RUNNING".to_owned()),
        }
    }

    /// LIST TOPICS.
    pub fn topics(&self, all: bool, extended: bool, text: &str) -> Result<Entity, ApiError> {
        let refused = |e: String| ApiError::statement(ErrorCode::ServerError, e, text);
        let topics = self.runtime.topics(all).map_err(refused)?;
        if extended {
            let lines: Vec<KafkaTopicExtended> = topics
                .into_iter()
                .map(|(name, replica_info)| {
                    let (consumers, groups) = self.runtime.consumers(&name);
                    KafkaTopicExtended {
                        name,
                        replica_info,
                        consumer_count: consumers,
                        consumer_group_count: groups,
                    }
                })
                .collect();
            return Ok(Entity::topics_extended(text, &lines));
        }
        let lines: Vec<KafkaTopic> = topics
            .into_iter()
            .map(|(name, replica_info)| KafkaTopic { name, replica_info })
            .collect();
        Ok(Entity::topics(text, &lines))
    }

    /// LIST TYPES.
    pub fn types(&self, text: &str) -> Entity {
        let types: IndexMap<String, SchemaInfo> = self
            .store
            .types()
            .iter()
            .map(|(name, t)| (name.clone(), t.into()))
            .collect();
        Entity::types(text, &types)
    }
}

/// The sources of a query as the reference gives them.
fn in_hash_order(sources: &[String]) -> Vec<String> {
    let mut sources = sources.to_vec();
    hash_order::sort(&mut sources);
    sources
}

/// A line of LIST STREAMS / TABLES.
fn source_line(source: &SourceInfo) -> SourceListing {
    SourceListing {
        kind: kind_word(source.kind).to_owned(),
        name: source.name.clone(),
        topic: source.topic.clone(),
        key_format: source.key_format.format.kind.name().to_owned(),
        value_format: source.value_format.format.kind.name().to_owned(),
        is_windowed: source.window.is_some(),
    }
}

/// LIST VARIABLES, sorted by name as the reference prints them.
pub fn variables<'a>(all: impl Iterator<Item = (&'a str, &'a str)>, text: &str) -> Entity {
    let lines: Vec<VariableInfo> = all
        .map(|(name, value)| VariableInfo {
            name: name.to_owned(),
            value: value.to_owned(),
        })
        .collect();
    Entity::variables(text, &lines)
}

fn function_kind(kind: FunctionKind) -> &'static str {
    match kind {
        FunctionKind::Scalar => "SCALAR",
        FunctionKind::Aggregate => "AGGREGATE",
        FunctionKind::Table => "TABLE",
    }
}

/// LIST FUNCTIONS.
pub fn functions(text: &str) -> Entity {
    let mut lines: Vec<FunctionName> = registry()
        .list()
        .into_iter()
        .map(|(name, kind, category)| FunctionName {
            name: name.to_owned(),
            kind: function_kind(kind).to_owned(),
            category: category.to_owned(),
        })
        .collect();
    lines.sort_by(|a, b| a.name.cmp(&b.name));
    Entity::functions(text, &lines)
}

/// DESCRIBE FUNCTION.
pub fn describe_function(name: &Ident, text: &str) -> Result<Entity, ApiError> {
    // The reference takes the name as it is written, so a quoted one is never found.
    let found = registry().describe(&name.name).filter(|_| !name.quoted);
    let Some(doc) = found else {
        let name = if name.quoted {
            weir_types::ident::quoted(&name.name)
        } else {
            name.name.clone()
        };
        let near = registry().similar_names(&name).first().copied();
        let hint = near.map_or_else(String::new, |near| format!("\nDid you mean '{near}'?"));
        let message = format!("Can't find any functions with the name '{name}'{hint}");
        return Err(ApiError::generic(ErrorCode::BadRequest, message));
    };
    let functions = doc
        .variants
        .iter()
        .map(|variant| VariantInfo {
            arguments: variant
                .arguments
                .iter()
                .map(|argument| ArgumentInfo {
                    name: argument.name.clone(),
                    type_name: argument.type_name.clone(),
                    description: argument.description.clone(),
                    is_variadic: argument.variadic,
                })
                .collect(),
            return_type: variant.return_type.clone(),
            description: variant.description.clone(),
            argument_types: variant
                .arguments
                .iter()
                .map(|a| a.type_name.clone())
                .collect(),
        })
        .collect();
    Ok(Entity::describe_function(
        text,
        &DescribeFunction {
            name: doc.name.clone(),
            description: doc.description.clone(),
            author: doc.author.clone(),
            version: doc.version.clone(),
            path: "internal".to_owned(),
            functions,
            kind: function_kind(doc.kind).to_owned(),
        },
    ))
}
