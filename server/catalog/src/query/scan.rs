//! Pull queries over a stream: its topic from the beginning to the offsets of now, then the end
//! (spec/sql.md §10).

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use weir_engine::{Emitted, StepLimits, Task, TaskOptions, TopicName, Topology};
use weir_kafka::{ClientConfig, LogReader, OffsetAt, Polled, Role, TopicPartition};
use weir_parser::ast::{Emit, Query};
use weir_planner::{QueryContext, plan_query};
use weir_protocol::ApiError;
use weir_types::ErrorCode;

use super::push::{CAPACITY, columns, query_id, with_tombstones};
use crate::api::{EndReason, QueryKind, RowEvent, RowStream};
use crate::clock::now_ms;
use crate::metastore::View;
use crate::weir::Weir;

/// Rows of one step.
const STEP_ROWS: usize = 4096;

fn failed(message: impl std::fmt::Display) -> ApiError {
    ApiError::generic(ErrorCode::ServerError, message.to_string())
}

/// Plans the query as a push query and runs it over what is there.
pub(super) fn start(
    weir: &Arc<Weir>,
    query: &Query,
    text: &str,
    view: &View<'_>,
) -> Result<RowStream, ApiError> {
    let streaming = Query {
        emit: Some(Emit::Changes),
        ..query.clone()
    };
    let plan = plan_query(&streaming, view, QueryContext::Push)
        .map_err(|e| ApiError::from_sql(e, text))?;
    let limit = plan.limit.map(|n| usize::try_from(n).unwrap_or(0));
    let columns = columns(&plan);
    let topology = crate::fleet::compile(&plan).map_err(failed)?;
    let (sender, rows) = mpsc::channel(CAPACITY);
    let scan = Scan::open(weir, &topology, limit)?;
    std::thread::Builder::new()
        .name("stream-scan".to_owned())
        .spawn(move || scan.run(&sender))
        .map_err(failed)?;
    Ok(RowStream {
        query_id: query_id(query),
        kind: QueryKind::PullStream,
        columns,
        rows,
        guard: Box::new(()),
    })
}

/// One partition: its task, and where reading ends.
struct Partition {
    id: i32,
    end: i64,
    position: i64,
    task: Box<dyn Task>,
}

struct Scan {
    reader: LogReader,
    partitions: Vec<Partition>,
    left: Option<usize>,
}

impl Scan {
    fn open(weir: &Weir, topology: &Topology, limit: Option<usize>) -> Result<Self, ApiError> {
        let [part] = topology.parts.as_slice() else {
            return Err(failed("a pull query over a stream must not repartition"));
        };
        let Some(TopicName::User(topic)) = part.inputs().first().map(|i| i.topic.clone()) else {
            return Err(failed("a pull query over a stream reads one topic"));
        };
        let described = weir.admin.describe_topic(&topic).map_err(failed)?;
        let ids: Vec<i32> = described
            .map(|t| t.partitions.iter().map(|p| p.id).collect())
            .unwrap_or_default();
        let all: Vec<TopicPartition> = ids
            .iter()
            .map(|id| TopicPartition::new(&topic, *id))
            .collect();
        let starts = weir
            .admin
            .offsets(&all, OffsetAt::Beginning)
            .map_err(failed)?;
        let ends = weir.admin.offsets(&all, OffsetAt::End).map_err(failed)?;
        let mut partitions = Vec::with_capacity(ids.len());
        for (id, (start, end)) in ids.iter().zip(starts.iter().zip(&ends)) {
            let number = u32::try_from(*id).unwrap_or(0);
            let task = part
                .new_task(number, Vec::new(), &TaskOptions::default())
                .map_err(failed)?;
            partitions.push(Partition {
                id: *id,
                end: *end,
                position: *start,
                task,
            });
        }
        let clients = ClientConfig::from_properties(weir.config.given(), Role::Consumer)
            .with("isolation.level", "read_committed");
        let from: Vec<(i32, i64)> = partitions
            .iter()
            .filter(|p| p.position < p.end)
            .map(|p| (p.id, p.position))
            .collect();
        let reader = LogReader::open(&clients, &topic, &from).map_err(failed)?;
        Ok(Self {
            reader,
            partitions,
            left: limit,
        })
    }

    fn run(mut self, rows: &mpsc::Sender<RowEvent>) {
        let end = match self.read(rows) {
            Ok(Some(reason)) => RowEvent::End(reason),
            Ok(None) => return,
            Err(message) => RowEvent::Failed(failed(message)),
        };
        // A client that has gone needs no end.
        let _ = rows.blocking_send(end);
    }

    /// Reads to the end. `None`: the client has gone.
    fn read(&mut self, rows: &mpsc::Sender<RowEvent>) -> Result<Option<EndReason>, String> {
        let mut polled = Polled::default();
        if self.left == Some(0) {
            return Ok(Some(EndReason::Limit));
        }
        while self.partitions.iter().any(|p| p.position < p.end) {
            if rows.is_closed() {
                return Ok(None);
            }
            self.reader
                .poll(STEP_ROWS, Duration::from_millis(100), &mut polled);
            if let Some((_, error)) = polled.errors.first() {
                return Err(error.to_string());
            }
            for fetched in polled.fetched.drain(..) {
                let Some(id) = self.reader.partition(fetched.id) else {
                    continue;
                };
                let Some(partition) = self.partitions.iter_mut().find(|p| p.id == id) else {
                    continue;
                };
                let mut batch = fetched.batch;
                let end = partition.end;
                batch.records.retain(|record| record.offset < end);
                if let Some(last) = batch.records.last() {
                    partition.position = last.offset + 1;
                } else {
                    partition.position = end;
                    continue;
                }
                partition.task.offer(0, batch);
                let Some(events) = step(partition.task.as_mut())? else {
                    continue;
                };
                for event in events {
                    if let Some(reason) = self.send(event, rows)? {
                        return Ok(reason);
                    }
                }
            }
            for (id, end) in &polled.ends {
                let Some(id) = self.reader.partition(*id) else {
                    continue;
                };
                if let Some(partition) = self.partitions.iter_mut().find(|p| p.id == id) {
                    partition.position = partition.position.max(*end);
                }
            }
        }
        Ok(Some(EndReason::Completed))
    }

    /// Sends rows, cut at the limit. `Some`: the query is over (or its client has gone).
    #[allow(clippy::option_option)]
    fn send(
        &mut self,
        event: RowEvent,
        rows: &mpsc::Sender<RowEvent>,
    ) -> Result<Option<Option<EndReason>>, String> {
        let RowEvent::Rows { batch, .. } = event else {
            return Ok(None);
        };
        let count = self
            .left
            .map_or(batch.num_rows(), |left| left.min(batch.num_rows()));
        let event = RowEvent::Rows {
            batch: batch.slice(0, count),
            tombstones: Vec::new(),
        };
        if rows.blocking_send(event).is_err() {
            return Ok(Some(None));
        }
        if let Some(left) = &mut self.left {
            *left -= count;
            if *left == 0 {
                return Ok(Some(Some(EndReason::Limit)));
            }
        }
        Ok(None)
    }
}

/// Runs a task over what it was offered.
fn step(task: &mut dyn Task) -> Result<Option<Vec<RowEvent>>, String> {
    task.set_caught_up(0, true);
    let mut emitted = Emitted::default();
    loop {
        let limits = StepLimits {
            max_rows: STEP_ROWS,
            now_ms: now_ms(),
        };
        if task.step(limits, &mut emitted).map_err(|e| e.to_string())? == 0 {
            break;
        }
    }
    let events: Vec<RowEvent> = emitted.rows.iter().map(with_tombstones).collect();
    Ok((!events.is_empty()).then_some(events))
}
