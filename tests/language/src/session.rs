//! Statements against a catalog in memory: planned as the server plans them, compiled by the
//! engine, remembered for the statements behind them, never run.

use weir_parser::ast::{CreateAs, Statement};
use weir_parser::{Parsed, Variables};
use weir_planner::catalog::Catalog;
use weir_planner::ddl::{self, MemoryCatalog, Outcome, QueryResult};
use weir_planner::stream::QueryPlan;
use weir_planner::{QueryContext, attach_sink, plan_query, plan_source_table};
use weir_types::SqlError;

/// A catalog and the variables of a session.
#[derive(Debug, Clone, Default)]
pub struct Session {
    catalog: MemoryCatalog,
    variables: Variables,
}

impl Session {
    /// Nothing is there yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Executes the statements of a text; those before a refused one stay.
    ///
    /// # Errors
    ///
    /// What the parser, the planner or the engine refuses.
    pub fn execute(&mut self, text: &str) -> Result<(), SqlError> {
        let parsed = weir_parser::parse_all(text, &self.variables)?;
        parsed.iter().try_for_each(|parsed| self.statement(parsed))
    }

    fn statement(&mut self, parsed: &Parsed) -> Result<(), SqlError> {
        match &parsed.statement {
            Statement::CreateSource(create) => {
                if let Outcome::Do(plan) = ddl::create_source(create, &self.catalog)? {
                    if plan.source.materialized {
                        compile(&plan_source_table(&plan.source.clone().into())?)?;
                    }
                    if let Some(topic) = &plan.create_topic {
                        self.catalog.create_topic(topic);
                    }
                    self.catalog.put_source(plan.source);
                }
            }
            Statement::CreateAs(create) => self.create_as(create)?,
            Statement::InsertSelect {
                target,
                with,
                query,
            } => {
                ddl::check_insert_properties(with)?;
                let plan = plan_query(query, &self.catalog, QueryContext::Insert { target })?;
                if let Some(sink) = self.catalog.source(&target.name) {
                    compile(&attach_sink(plan, &sink))?;
                }
            }
            Statement::InsertValues {
                target,
                columns,
                values,
            } => {
                let plan = ddl::insert_values(target, columns, values.len(), &self.catalog)?;
                weir_planner::values::evaluate_insert(&plan, values, &self.catalog)?;
            }
            Statement::Query(query) if query.emit.is_none() => {
                weir_planner::pull::plan_pull(query, &self.catalog)?;
            }
            Statement::Query(query) => {
                compile(&plan_query(query, &self.catalog, QueryContext::Push)?)?;
            }
            Statement::ExplainStatement { statement, text } => {
                let explained = Parsed {
                    statement: statement.as_ref().clone(),
                    text: text.clone(),
                };
                // Nothing that it makes stays.
                self.clone().statement(&explained)?;
            }
            Statement::DropSource {
                kind,
                if_exists,
                name,
                delete_topic,
            } => {
                let plan = ddl::drop_source(*kind, name, *if_exists, *delete_topic, &self.catalog)?;
                if let Outcome::Do(plan) = plan {
                    self.catalog.remove_source(&plan.source.name);
                }
            }
            Statement::AlterSource { kind, name, add } => {
                let source = ddl::alter_source(*kind, name, add, &self.catalog)?;
                self.catalog.put_source(source);
            }
            Statement::CreateType {
                if_not_exists,
                name,
                type_name,
            } => {
                let made = ddl::create_type(name, type_name, *if_not_exists, &self.catalog)?;
                if let Outcome::Do(sql_type) = made {
                    self.catalog.put_type(&name.name, sql_type);
                }
            }
            Statement::DropType { if_exists, name } => {
                if let Outcome::Do(()) = ddl::drop_type(name, *if_exists, &self.catalog)? {
                    self.catalog.remove_type(&name.name);
                }
            }
            Statement::DescribeSource { name, .. } => self.exists(&name.name)?,
            Statement::CreateConnector { name, with, .. } => {
                ddl::check_connector(&name.name, with)?;
            }
            Statement::Set { name, value } => self.catalog.set_config(name, value),
            Statement::Unset { name } => self.catalog.unset_config(name),
            Statement::Define { name, value } => self.variables.define(name, value),
            Statement::Undefine { name } => {
                self.variables.undefine(name);
            }
            // What only lists, or acts on running queries and other servers, is parsed here.
            _ => {}
        }
        Ok(())
    }

    fn exists(&self, name: &str) -> Result<(), SqlError> {
        match self.catalog.source(name) {
            Some(_) => Ok(()),
            None => Err(SqlError::statement(format!("{name} does not exist."))),
        }
    }

    fn create_as(&mut self, create: &CreateAs) -> Result<(), SqlError> {
        let topic = ddl::sink_topic(create, &self.catalog)?;
        let context = QueryContext::CreateAs {
            kind: create.kind,
            sink: &create.name.name,
        };
        let plan = plan_query(&create.query, &self.catalog, context)?;
        let result = QueryResult {
            schema: &plan.schema,
            kind: plan.kind,
            window: plan.window,
        };
        let made = ddl::sink_source(create, &topic, result, &self.catalog)?;
        if let Outcome::Do(sink) = made {
            compile(&attach_sink(plan, &sink))?;
            if let Some(spec) = &topic.create {
                self.catalog.create_topic(spec);
            }
            self.catalog.put_source(sink);
        }
        Ok(())
    }
}

fn compile(plan: &QueryPlan) -> Result<(), SqlError> {
    weir_engine::compile(plan)
        .map(drop)
        .map_err(|error| SqlError::statement(error.to_string()))
}
