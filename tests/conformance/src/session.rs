//! Executes the statements of a case against a catalog in memory.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;
use weir_parser::Variables;
use weir_parser::ast::{CreateAs, Ident, Query as AstQuery, SourceKind, Statement};
use weir_planner::catalog::{Catalog, SourceInfo, TopicInfo};
use weir_planner::ddl::{self, MemoryCatalog, Outcome, QueryResult};
use weir_planner::stream::QueryPlan;
use weir_planner::{QueryContext, attach_sink, canonical_query, check_upgrade, plan_query};

use crate::case::Case;
use crate::driver::Query;

/// The state of a case after its statements.
pub struct Session {
    /// Sources, topics, types and properties.
    pub catalog: MemoryCatalog,
    /// Persistent queries, in order of their statements.
    pub queries: Vec<Running>,
    /// Topics that are there before the first statement names them.
    topics: HashMap<String, TopicInfo>,
    step: usize,
}

/// A persistent query.
pub struct Running {
    /// Name of the sink.
    pub sink: String,
    /// Topic of the sink.
    pub topic: String,
    /// Names of the sources.
    pub sources: Vec<String>,
    /// The query itself.
    pub query: Query,
    /// What a replacement has to fit.
    plan: QueryPlan,
}

impl Session {
    /// An empty session with the topics and properties of a case.
    pub fn new(case: &Case, step: usize) -> Self {
        let mut catalog = MemoryCatalog::new();
        for (name, value) in &case.properties {
            let value = match value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            catalog.set_config(name, value);
        }
        let mut topics = HashMap::new();
        for entry in &case.topics {
            if let Some(name) = entry.get("name").and_then(Value::as_str) {
                let number = |key: &str| entry.get(key).and_then(Value::as_u64).unwrap_or(1);
                let info = TopicInfo {
                    partitions: number("partitions") as u32,
                    replicas: number("replicas") as u16,
                    retention_ms: None,
                };
                topics.insert(name.to_owned(), info);
            }
        }
        Self {
            catalog,
            queries: Vec::new(),
            topics,
            step,
        }
    }

    /// Executes one statement; topics that it names are made if they are missing.
    ///
    /// # Errors
    /// The refusal, and statements that have no place in a case.
    pub fn execute(&mut self, text: &str) -> Result<(), String> {
        let parsed = weir_parser::parse_all(text, &Variables::default())
            .map_err(|error| error.to_string())?;
        for parsed in parsed {
            self.statement(&parsed.statement)?;
        }
        Ok(())
    }

    fn statement(&mut self, statement: &Statement) -> Result<(), String> {
        match statement {
            Statement::CreateSource(create) => {
                if create.with.get("PARTITIONS").is_none() {
                    self.make_topic(create.with.get("KAFKA_TOPIC"), &create.name);
                }
                let plan = ddl::create_source(create, &self.catalog).map_err(text)?;
                if let Outcome::Do(plan) = plan {
                    if let Some(topic) = &plan.create_topic {
                        self.catalog.create_topic(topic);
                    }
                    self.catalog.put_source(plan.source);
                }
                Ok(())
            }
            Statement::CreateAs(create) => self.create_as(create),
            Statement::InsertSelect {
                target,
                with,
                query,
            } => self.insert(target, with, query),
            Statement::DropSource {
                kind,
                if_exists,
                name,
                delete_topic,
            } => self.drop_source(*kind, *if_exists, name, *delete_topic),
            Statement::AlterSource { kind, name, add } => {
                let source = ddl::alter_source(*kind, name, add, &self.catalog).map_err(text)?;
                self.catalog.put_source(source);
                Ok(())
            }
            Statement::CreateType {
                if_not_exists,
                name,
                type_name,
            } => {
                let made = ddl::create_type(name, type_name, *if_not_exists, &self.catalog);
                if let Outcome::Do(sql_type) = made.map_err(text)? {
                    self.catalog.put_type(&name.name, sql_type);
                }
                Ok(())
            }
            Statement::DropType { if_exists, name } => {
                if let Outcome::Do(()) =
                    ddl::drop_type(name, *if_exists, &self.catalog).map_err(text)?
                {
                    self.catalog.remove_type(&name.name);
                }
                Ok(())
            }
            Statement::Set { name, value } => {
                self.catalog.set_config(name, value);
                Ok(())
            }
            Statement::Unset { name } => {
                self.catalog.unset_config(name);
                Ok(())
            }
            other => Err(format!("statement not supported here: {other:?}")),
        }
    }

    /// The recorded driver had every topic that a statement names.
    fn make_topic(&mut self, topic: Option<&weir_parser::ast::Literal>, name: &Ident) {
        let topic = match topic {
            Some(weir_parser::ast::Literal::String(topic)) => topic.clone(),
            _ => name.name.clone(),
        };
        if self.catalog.topic(&topic).is_none() {
            let usual = TopicInfo {
                partitions: 1,
                replicas: 1,
                retention_ms: None,
            };
            let info = self.topics.get(&topic).copied().unwrap_or(usual);
            self.catalog.put_topic(topic, info);
        }
    }

    fn create_as(&mut self, create: &CreateAs) -> Result<(), String> {
        let create = CreateAs {
            query: canonical_query(&create.query, &self.catalog),
            ..create.clone()
        };
        let topic = ddl::sink_topic(&create, &self.catalog).map_err(text)?;
        let context = QueryContext::CreateAs {
            kind: create.kind,
            sink: &create.name.name,
        };
        let plan = plan_query(&create.query, &self.catalog, context).map_err(text)?;
        let result = QueryResult {
            schema: &plan.schema,
            kind: plan.kind,
            window: plan.window,
        };
        let made = ddl::sink_source(&create, &topic, result, &self.catalog).map_err(text)?;
        let Outcome::Do(sink) = made else {
            return Ok(());
        };
        let plan = attach_sink(plan, &sink);
        let topology = weir_engine::compile(&plan).map_err(|error| error.to_string())?;
        let writers = self.queries.iter().filter(|q| q.sink == sink.name);
        for old in writers.filter(|_| create.or_replace) {
            check_upgrade(&old.sink, &old.plan, &plan).map_err(text)?;
        }
        let running = Running {
            sink: sink.name.clone(),
            topic: sink.topic.clone(),
            sources: plan.sources.clone(),
            query: self.query(topology)?,
            plan,
        };
        if let Some(spec) = &topic.create {
            self.catalog.create_topic(spec);
        }
        self.catalog.put_source(sink);
        match self
            .queries
            .iter_mut()
            .find(|query| query.sink == running.sink)
        {
            Some(replaced) if create.or_replace => *replaced = running,
            _ => self.queries.push(running),
        }
        Ok(())
    }

    fn query(&self, topology: weir_engine::Topology) -> Result<Query, String> {
        let fail = self.catalog.config("ksql.timestamp.throw.on.invalid");
        Query::new(topology, self.step, fail.as_deref() == Some("true"))
    }

    fn insert(
        &mut self,
        target: &Ident,
        with: &weir_parser::ast::Properties,
        query: &AstQuery,
    ) -> Result<(), String> {
        ddl::check_insert_properties(with).map_err(text)?;
        let query = canonical_query(query, &self.catalog);
        let plan =
            plan_query(&query, &self.catalog, QueryContext::Insert { target }).map_err(text)?;
        let sink = self
            .catalog
            .source(&target.name)
            .ok_or_else(|| format!("{} does not exist", target.name))?;
        let plan = attach_sink(plan, &sink);
        let topology = weir_engine::compile(&plan).map_err(|error| error.to_string())?;
        self.queries.push(Running {
            sink: sink.name.clone(),
            topic: sink.topic.clone(),
            sources: plan.sources.clone(),
            query: self.query(topology)?,
            plan,
        });
        Ok(())
    }

    fn drop_source(
        &mut self,
        kind: SourceKind,
        if_exists: bool,
        name: &Ident,
        delete_topic: bool,
    ) -> Result<(), String> {
        let plan =
            ddl::drop_source(kind, name, if_exists, delete_topic, &self.catalog).map_err(text)?;
        let Outcome::Do(plan) = plan else {
            return Ok(());
        };
        let name = &plan.source.name;
        if self
            .queries
            .iter()
            .any(|query| query.sources.contains(name))
        {
            return Err(format!("Cannot drop {name}: queries read from it"));
        }
        self.queries.retain(|query| query.sink != *name);
        self.catalog.remove_source(name);
        Ok(())
    }

    /// The source that a topic's records belong to: the first declared one.
    pub fn source_of(&self, topic: &str) -> Option<Arc<SourceInfo>> {
        self.catalog
            .sources()
            .find(|source| source.topic == topic)
            .cloned()
    }
}

fn text(error: weir_types::SqlError) -> String {
    error.to_string()
}
