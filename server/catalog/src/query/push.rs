//! Push queries: a task of the runtime whose rows go to the client.

use std::sync::Arc;

use arrow::array::{Array, BooleanArray, RecordBatch};
use tokio::sync::mpsc;
use weir_parser::ast::Query;
use weir_planner::catalog::Catalog;
use weir_planner::stream::QueryPlan;
use weir_planner::{QueryContext, plan_query};
use weir_protocol::ApiError;
use weir_runtime::{PushEvent, PushHandle};
use weir_types::{Column, ErrorCode};

use crate::api::{EndReason, QueryKind, RowEvent, RowStream};
use crate::metastore::View;
use crate::push::{PushRegistry, PushTicket};
use crate::runtime_view::PushQueryInfo;
use crate::weir::Weir;

/// Batches that may wait for the client.
pub(super) const CAPACITY: usize = 4;

/// Plans and starts a push query.
pub(super) fn start(
    weir: &Arc<Weir>,
    query: &Query,
    text: &str,
    view: &View<'_>,
) -> Result<RowStream, ApiError> {
    let plan =
        plan_query(query, view, QueryContext::Push).map_err(|e| ApiError::from_sql(e, text))?;
    let limit = plan.limit.map(|n| u64::try_from(n).unwrap_or(0));
    let columns = columns(&plan);
    let id = if shares_reader(query, view) {
        PushRegistry::new_shared_id()
    } else {
        query_id(query)
    };
    let topology = crate::fleet::compile(&plan)
        .map_err(|e| ApiError::statement(ErrorCode::ServerError, e, text))?;
    let info = PushQueryInfo {
        id: id.clone(),
        sql: text.to_owned(),
        columns: columns.clone(),
        sources: plan.sources.clone(),
        topology: topology.description.clone(),
        plan: plan.root.display_indent().to_string(),
    };
    let ticket = weir.push.open(info).ok_or_else(|| {
        ApiError::generic(
            ErrorCode::TooManyPushQueries,
            format!(
                "Maximum number of push queries exceeded: the limit is {} \
                 (ksql.max.push.queries)",
                weir.push.limit()
            ),
        )
    })?;
    let (sender, rows) = mpsc::channel(CAPACITY);
    if limit == Some(0) {
        // The channel has room for it.
        let _ = sender.try_send(RowEvent::End(EndReason::Limit));
    } else {
        let options = weir.fleet.options(&view.effective());
        let handle = weir
            .fleet
            .runtime()
            .start_push(&id, topology, options, limit)
            .map_err(|e| ApiError::generic(ErrorCode::ServerError, e.to_string()))?;
        tokio::spawn(forward(handle, sender, ticket));
    }
    Ok(RowStream {
        query_id: id,
        kind: QueryKind::Push,
        columns,
        rows,
        guard: Box::new(()),
    })
}

/// Whether ksqlDB would serve the query from one reader that all such queries share, when asked to
/// by `ksql.query.push.v2.enabled` (spec/semantics.md §9). Here every reader of a partition is
/// shared; what clients see of it is the query's id.
fn shares_reader(query: &Query, view: &View<'_>) -> bool {
    let is = |name: &str, value: &str| view.config(name).is_some_and(|v| v == value);
    let plain = query.joins.is_empty()
        && query.window.is_none()
        && query.group_by.is_empty()
        && query.partition_by.is_empty()
        && query.having.is_none();
    is("ksql.query.push.v2.enabled", "true")
        && !is("auto.offset.reset", "earliest")
        && plain
        && view.store.writers(&query.from.name.name).count() == 1
}

/// `transient_<alias>_<random>`
pub(super) fn query_id(query: &Query) -> String {
    let source = query.from.alias.as_ref().unwrap_or(&query.from.name);
    PushRegistry::new_id(&source.name)
}

/// The columns of the answer; push queries mark no keys.
pub(super) fn columns(plan: &QueryPlan) -> Vec<Column> {
    plan.schema
        .columns()
        .iter()
        .map(|c| Column::value(&c.name, c.sql_type.clone()))
        .collect()
}

/// Passes rows on until the query ends, its client goes, or it is closed by request. Dropping the
/// handle ends the query.
async fn forward(mut handle: PushHandle, rows: mpsc::Sender<RowEvent>, ticket: PushTicket) {
    loop {
        let event = tokio::select! {
            event = handle.next() => event,
            () = rows.closed() => return,
            () = ticket.close.notified() => {
                // Held back rows may fill the channel: the end waits behind them.
                let _ = rows.send(RowEvent::End(EndReason::Completed)).await;
                return;
            }
        };
        let (event, last) = match event {
            Some(PushEvent::Rows(batch)) => (with_tombstones(&batch), false),
            Some(PushEvent::LimitReached) => (RowEvent::End(EndReason::Limit), true),
            Some(PushEvent::Failed(message)) => {
                let error = ApiError::generic(ErrorCode::ServerError, message);
                (RowEvent::Failed(error), true)
            }
            None => (RowEvent::End(EndReason::Completed), true),
        };
        if rows.send(event).await.is_err() || last {
            return;
        }
    }
}

/// The engine's rows: its last column says whether a row is a tombstone.
pub(super) fn with_tombstones(batch: &RecordBatch) -> RowEvent {
    let last = batch.num_columns().saturating_sub(1);
    let tombstones = batch
        .columns()
        .get(last)
        .and_then(|c| c.as_any().downcast_ref::<BooleanArray>())
        .map(|flags| {
            (0..flags.len())
                .map(|i| flags.is_valid(i) && flags.value(i))
                .collect()
        })
        .unwrap_or_default();
    let kept: Vec<usize> = (0..last).collect();
    let batch = batch.project(&kept).unwrap_or_else(|_| batch.clone());
    RowEvent::Rows { batch, tombstones }
}
