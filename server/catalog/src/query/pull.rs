//! Pull queries over a table: the state of the query that keeps it, filtered and projected.
//!
//! ```text
//!  PullPlan ─► keys │ range │ scan of the partitions' stores ─► WHERE ─► SELECT ─► LIMIT
//! ```

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::compute::{concat_batches, filter_record_batch};
use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use datafusion::scalar::ScalarValue;
use tokio::sync::mpsc;
use weir_engine::{Access, KeyAccess};
use weir_planner::pull::{KeyLookup, PullAccess, PullPlan};
use weir_protocol::ApiError;
use weir_types::{Column, ErrorCode};

use super::{Select, lookup};
use crate::api::{EndReason, QueryKind, RowEvent, RowStream};
use crate::clock::now_ms;
use crate::fleet::partition_of;
use crate::metastore::Metastore;
use crate::weir::Weir;

fn failed(message: impl std::fmt::Display) -> ApiError {
    ApiError::generic(ErrorCode::ServerError, message.to_string())
}

fn not_yet(name: &str) -> ApiError {
    failed(format!(
        "{name} is not available yet. Please try again later."
    ))
}

/// Reads the state and answers all rows at once.
pub(super) fn answer(
    weir: &Arc<Weir>,
    store: &Arc<Metastore>,
    plan: &PullPlan,
    statement: &Select<'_>,
) -> Result<RowStream, ApiError> {
    let name = &plan.source.name;
    let Some(query) = store.own_query(name) else {
        return Err(ApiError::statement(
            ErrorCode::BadStatement,
            format!("The query that keeps `{name}` is not running, so it cannot be read."),
            statement.text,
        ));
    };
    let Some(info) = weir.fleet.materialized(&query.id) else {
        return Err(not_yet(name));
    };
    // Whoever made a table asks for it at once.
    if !weir.fleet.runtime().await_state(&query.id) {
        return Err(not_yet(name));
    }
    // Those of the store: the sink's topic may have another number.
    let Some(partitions) = weir.fleet.runtime().partitions(&query.id, info.part) else {
        return Err(not_yet(name));
    };
    lookup::Candidate {
        query: statement.query,
        plan,
        query_id: &query.id,
        info: &info,
        partitions,
    }
    .remember(weir, store, statement.request);
    let mut batches = Vec::new();
    for (partition, access) in accesses(plan, partitions)? {
        let read = weir
            .fleet
            .read_state(&query.id, &info, partition, &access)
            .map_err(failed)?;
        batches.extend(read);
    }
    let schema: SchemaRef = plan.input.inner().clone();
    let renamed = batches
        .into_iter()
        .map(|batch| RecordBatch::try_new(schema.clone(), batch.columns().to_vec()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(failed)?;
    let batch = concat_batches(&schema, &renamed).map_err(failed)?;
    let batch = finish(plan, batch)?;
    Ok(rows_of(batch, plan.schema.columns().to_vec()))
}

/// A name for a pull query.
pub(super) fn query_id() -> String {
    format!("query_{}", now_ms())
}

/// An answer of these rows.
pub(super) fn rows_of(batch: RecordBatch, columns: Vec<Column>) -> RowStream {
    let (sender, rows) = mpsc::channel(2);
    let tombstones = Vec::new();
    // The channel has room for both.
    let _ = sender.try_send(RowEvent::Rows { batch, tombstones });
    let _ = sender.try_send(RowEvent::End(EndReason::Completed));
    RowStream {
        query_id: query_id(),
        kind: QueryKind::PullTable,
        columns,
        rows,
        guard: Box::new(()),
    }
}

/// What to read of which partition; `None`: of all.
fn accesses(plan: &PullPlan, partitions: u32) -> Result<Vec<(Option<u32>, Access)>, ApiError> {
    match &plan.access {
        PullAccess::Scan => Ok(vec![(None, Access::Scan)]),
        PullAccess::Range(range) => {
            let bound = |value: &Option<ScalarValue>| {
                value
                    .as_ref()
                    .map(ScalarValue::to_array)
                    .transpose()
                    .map_err(failed)
            };
            let access = Access::Range {
                from: bound(&range.from)?,
                to: bound(&range.to)?,
            };
            Ok(vec![(None, access)])
        }
        PullAccess::Keys(lookups) => {
            // Rows of several keys come in no set order in the reference (its keys hash by
            // identity); where they always came in the same one, it was the last key first.
            lookups
                .iter()
                .rev()
                .map(|lookup| access_of(plan, lookup, partitions))
                .collect()
        }
    }
}

fn access_of(
    plan: &PullPlan,
    lookup: &KeyLookup,
    partitions: u32,
) -> Result<(Option<u32>, Access), ApiError> {
    let key: Vec<ArrayRef> = lookup
        .key
        .iter()
        .map(ScalarValue::to_array)
        .collect::<Result<_, _>>()
        .map_err(failed)?;
    let partition = partition_of(&plan.source, &key, partitions).map_err(failed)?;
    let access = Access::Keys(vec![KeyAccess {
        key,
        start: lookup.windows.start,
        end: lookup.windows.end,
    }]);
    Ok((Some(partition), access))
}

/// WHERE, SELECT, LIMIT.
fn finish(plan: &PullPlan, mut batch: RecordBatch) -> Result<RecordBatch, ApiError> {
    if let Some(filter) = &plan.filter {
        let predicate = weir_functions::compile::physical(filter, &plan.input).map_err(failed)?;
        let mask = predicate
            .evaluate(&batch)
            .and_then(|v| v.into_array(batch.num_rows()))
            .map_err(failed)?;
        let mask = mask
            .as_any()
            .downcast_ref::<arrow::array::BooleanArray>()
            .ok_or_else(|| failed("WHERE is not Boolean"))?;
        batch = filter_record_batch(&batch, mask).map_err(failed)?;
    }
    if let Some(limit) = plan.limit {
        batch = batch.slice(0, batch.num_rows().min(limit));
    }
    let columns = plan
        .projection
        .iter()
        .map(|expr| {
            weir_functions::compile::physical(expr, &plan.input)
                .and_then(|e| e.evaluate(&batch)?.into_array(batch.num_rows()))
                .map_err(failed)
        })
        .collect::<Result<Vec<_>, _>>()?;
    columns_of(plan.schema.columns(), columns, batch.num_rows()).map_err(failed)
}

/// The columns of an answer as a batch.
pub(super) fn columns_of(
    columns: &[Column],
    arrays: Vec<ArrayRef>,
    rows: usize,
) -> Result<RecordBatch, ArrowError> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    let fields: Vec<Field> = arrays
        .iter()
        .zip(columns)
        .map(|(array, column)| Field::new(&column.name, array.data_type().clone(), true))
        .collect();
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)
}
