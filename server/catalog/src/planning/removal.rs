//! Planning of DROP STREAM / TABLE and of what is said to running queries.

use weir_parser::ast::{Ident, QueryTarget, SourceKind};
use weir_planner::ddl::{self, Outcome};
use weir_types::SqlError;

use super::{Effect, PlanContext, Planned, planned};
use crate::command::CommandId;
use crate::metastore::{PersistentKind, kind_word};

/// DROP STREAM / TABLE: refused while anything reads or writes the source but its own query.
pub(super) fn drop_source(
    kind: SourceKind,
    name: &Ident,
    if_exists: bool,
    delete_topic: bool,
    context: &PlanContext<'_>,
) -> Result<Outcome<Planned>, SqlError> {
    let plan = match ddl::drop_source(kind, name, if_exists, delete_topic, context.catalog)? {
        Outcome::Do(plan) => plan,
        Outcome::Nothing(warning) => return Ok(Outcome::Nothing(warning)),
    };
    let source = plan.source;
    let dependents = context.store.dependents(&source.name);
    if !dependents.is_empty() {
        return Err(SqlError::statement(format!(
            "Cannot drop {}.\nThe following streams and/or tables read from this source: [{}].\n\
             You need to drop them before dropping {}.",
            source.name,
            dependents.join(", "),
            source.name
        )));
    }
    let own = context.store.own_query(&source.name).map(|q| q.id.clone());
    let other = |queries: Vec<String>| {
        let mut ids: Vec<String> = queries
            .into_iter()
            .filter(|id| Some(id) != own.as_ref())
            .collect();
        ids.sort();
        ids
    };
    let readers = other(
        context
            .store
            .readers(&source.name)
            .map(|q| q.id.clone())
            .collect(),
    );
    let writers = other(
        context
            .store
            .writers(&source.name)
            .map(|q| q.id.clone())
            .collect(),
    );
    if !readers.is_empty() || !writers.is_empty() {
        return Err(SqlError::statement(format!(
            "Cannot drop {}.\nThe following queries read from this source: [{}].\nThe following \
             queries write into this source: [{}].\nYou need to terminate them before dropping {}.",
            source.name,
            readers.join(", "),
            writers.join(", "),
            source.name
        )));
    }
    let word = kind_word(kind);
    let exists = if if_exists { "IF EXISTS " } else { "" };
    let text = format!(
        "DROP {word} {exists}{};",
        weir_parser::printer::print_name(&source.name)
    );
    let mut planned = planned(
        CommandId::new(&word.to_ascii_lowercase(), &source.name, "drop"),
        &text,
        Effect::DropSource {
            name: source.name.clone(),
            topic: source.topic.clone(),
            query: own,
        },
    );
    planned.delete_topic = plan.delete_topic.then(|| source.topic.clone());
    Ok(Outcome::Do(planned))
}

/// TERMINATE, PAUSE, RESUME.
pub(super) fn control(
    kind: &str,
    target: &QueryTarget,
    text: &str,
    context: &PlanContext<'_>,
    effect: impl FnOnce(Vec<String>) -> Effect,
) -> Result<Outcome<Planned>, SqlError> {
    let (entity, ids) = match target {
        QueryTarget::All => {
            let all = context
                .store
                .queries()
                .filter(|q| q.kind != PersistentKind::SourceTable)
                .map(|q| q.id.clone())
                .collect();
            ("ALL".to_owned(), all)
        }
        QueryTarget::Id(id) => {
            let query = context.store.query(id).ok_or_else(|| {
                let ids = context.store.queries().map(|q| q.id.as_str());
                let hint = weir_planner::near::hint(id, ids);
                SqlError::statement(format!("Unknown queryId: {id}{hint}"))
            })?;
            if query.kind == PersistentKind::SourceTable {
                return Err(SqlError::statement(format!(
                    "Cannot {kind} query '{id}' because it is linked to a source table."
                )));
            }
            (id.clone(), vec![id.clone()])
        }
    };
    Ok(Outcome::Do(planned(
        CommandId::new(kind, entity, "execute"),
        text,
        effect(ids),
    )))
}
