//! A sub-topology on one partition.
//!
//! ```text
//!  offer ─► queues ─► interleave ─► nodes, children first ─► Emitted
//!                                     └─ roots write records, rows
//!  flush ─► nodes give what they held ─► changelogs of all stores
//! ```
//!
//! Invariant: whatever was taken from the queues is in the operators, in the stores or in
//! `Emitted` when a step returns; a position is never ahead of that.

use std::sync::Arc;

use weir_state::KvStore;
use weir_types::records::{EncodedBatch, FetchedBatch};

use crate::batch::Batch;
use crate::input::{InputQueue, ReadContext, RecordReader, interleave};
use crate::ops::{Context, Operator, OperatorSpec};
use crate::{
    Emitted, EngineError, InputSpec, OutputSpec, StepLimits, StoreSpec, SubTopology, Task,
    TaskOptions,
};

/// What a node reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NodeInput {
    /// An input of the sub-topology.
    Input(usize),
    /// A node before it.
    Node(usize),
}

/// Makes the reader of an input for one partition.
pub(crate) type ReaderSpec =
    Box<dyn Fn(u32) -> Result<Box<dyn RecordReader>, EngineError> + Send + Sync>;

/// One node as compiled.
pub(crate) struct NodeSpec {
    /// What it is, for EXPLAIN.
    pub(crate) label: String,
    pub(crate) spec: OperatorSpec,
    pub(crate) inputs: Vec<NodeInput>,
}

/// A sub-topology as compiled.
#[derive(Default)]
pub(crate) struct Part {
    pub(crate) inputs: Vec<InputSpec>,
    pub(crate) readers: Vec<ReaderSpec>,
    pub(crate) stores: Vec<StoreSpec>,
    pub(crate) outputs: Vec<OutputSpec>,
    /// Children before parents.
    pub(crate) nodes: Vec<NodeSpec>,
}

impl SubTopology for Part {
    fn inputs(&self) -> &[InputSpec] {
        &self.inputs
    }

    fn stores(&self) -> &[StoreSpec] {
        &self.stores
    }

    fn outputs(&self) -> &[OutputSpec] {
        &self.outputs
    }

    fn new_task(
        &self,
        partition: u32,
        mut stores: Vec<Box<dyn KvStore>>,
        options: &TaskOptions,
    ) -> Result<Box<dyn Task>, EngineError> {
        if stores.len() != self.stores.len() {
            return Err(EngineError::Plan(format!(
                "a task needs {} stores and was given {}",
                self.stores.len(),
                stores.len()
            )));
        }
        let queues = self
            .readers
            .iter()
            .map(|reader| Ok(InputQueue::new(reader(partition)?)))
            .collect::<Result<_, EngineError>>()?;
        let nodes = self
            .nodes
            .iter()
            .map(|node| {
                Ok(Node {
                    operator: (node.spec)(partition)?,
                    inputs: node.inputs.clone(),
                })
            })
            .collect::<Result<_, EngineError>>()?;
        for (spec, store) in self.stores.iter().zip(&mut stores) {
            // Operators with windows keep the last ones themselves.
            if spec.retention_ms.is_some() {
                store.stop_remembering();
            }
        }
        Ok(Box::new(PartTask {
            queues,
            nodes,
            stores,
            options: options.clone(),
            task_time: -1,
            next_seq: 0,
        }))
    }
}

struct Node {
    operator: Box<dyn Operator>,
    inputs: Vec<NodeInput>,
}

/// See the module.
struct PartTask {
    queues: Vec<InputQueue>,
    nodes: Vec<Node>,
    stores: Vec<Box<dyn KvStore>>,
    options: TaskOptions,
    task_time: i64,
    next_seq: u64,
}

impl PartTask {
    /// The task time as of each row of a step, in order of `seq`.
    fn advance_time(&mut self, inputs: &[Batch], rows: usize) -> Vec<i64> {
        let first = self.next_seq - rows as u64;
        let mut times = vec![0; rows];
        for batch in inputs {
            for (seq, ts) in batch.seq.iter().zip(&batch.ts) {
                if let Some(time) = times.get_mut((seq - first) as usize) {
                    *time = *ts;
                }
            }
        }
        for time in &mut times {
            self.task_time = self.task_time.max(*time);
            *time = self.task_time;
        }
        times
    }

    /// Runs all nodes over the batches of the inputs; with `flush` each also gives what it held.
    fn run(
        &mut self,
        mut inputs: Vec<Batch>,
        task_times: &[i64],
        flush: bool,
        now_ms: i64,
        out: &mut Emitted,
    ) -> Result<(), EngineError> {
        let first_seq = self.next_seq - task_times.len() as u64;
        let mut ctx = Context {
            task_times,
            first_seq,
            stores: &mut self.stores,
            out,
            options: &self.options,
            now_ms,
            task_time: self.task_time,
            next_seq: &mut self.next_seq,
        };
        let mut results: Vec<Batch> = Vec::with_capacity(self.nodes.len());
        for node in &mut self.nodes {
            let batches: Vec<Batch> = node
                .inputs
                .iter()
                .map(|input| {
                    let slot = match input {
                        NodeInput::Input(index) => inputs.get_mut(*index),
                        NodeInput::Node(index) => results.get_mut(*index),
                    };
                    slot.map(std::mem::take).unwrap_or_default()
                })
                .collect();
            let mut result = if batches.iter().all(Batch::is_empty) {
                Batch::default()
            } else {
                node.operator.process(batches, &mut ctx)?
            };
            if flush {
                result = result.append(node.operator.flush(&mut ctx)?)?;
            }
            results.push(result);
        }
        Ok(())
    }
}

impl Task for PartTask {
    fn offer(&mut self, input: usize, records: FetchedBatch) {
        if let Some(queue) = self.queues.get_mut(input) {
            queue.offer(records);
        }
    }

    fn queued(&self, input: usize) -> usize {
        self.queues.get(input).map_or(0, InputQueue::queued)
    }

    fn set_caught_up(&mut self, input: usize, caught_up: bool) {
        if let Some(queue) = self.queues.get_mut(input) {
            queue.caught_up = caught_up;
        }
    }

    fn step(&mut self, limits: StepLimits, out: &mut Emitted) -> Result<usize, EngineError> {
        for queue in &mut self.queues {
            queue.fill(&mut ReadContext {
                options: &self.options,
                log: &mut out.log,
                counters: &mut out.counters,
            })?;
        }
        let waits = |queue: &InputQueue| queue.timestamp(0).is_none() && !queue.caught_up;
        if self.queues.len() > 1 && !self.options.never_wait && self.queues.iter().any(waits) {
            return Ok(0);
        }
        let chosen = interleave(&self.queues, limits.max_rows.max(1), &mut self.next_seq);
        let taken: usize = chosen.iter().map(Vec::len).sum();
        if taken == 0 {
            return Ok(0);
        }
        let inputs: Vec<Batch> = self
            .queues
            .iter_mut()
            .zip(chosen)
            .map(|(queue, seq)| {
                if seq.is_empty() {
                    Batch::default()
                } else {
                    queue.take(seq)
                }
            })
            .collect();
        let times = self.advance_time(&inputs, taken);
        self.run(inputs, &times, false, limits.now_ms, out)?;
        let held: usize = self
            .nodes
            .iter()
            .map(|node| node.operator.held_bytes())
            .sum();
        if self.options.cache_bytes > 0 && held > self.options.cache_bytes {
            self.run(Vec::new(), &[], true, limits.now_ms, out)?;
        }
        Ok(taken)
    }

    fn publish(&mut self) -> Result<(), EngineError> {
        let mut ctx = Context {
            task_times: &[],
            first_seq: self.next_seq,
            stores: &mut self.stores,
            out: &mut Emitted::default(),
            options: &self.options,
            now_ms: 0,
            task_time: self.task_time,
            next_seq: &mut self.next_seq,
        };
        let mut nodes = self.nodes.iter_mut();
        nodes.try_for_each(|node| node.operator.publish(&mut ctx))
    }

    fn flush(&mut self, now_ms: i64, out: &mut Emitted) -> Result<(), EngineError> {
        self.run(Vec::new(), &[], true, now_ms, out)?;
        for (index, store) in self.stores.iter_mut().enumerate() {
            let mut batch = EncodedBatch::default();
            store.drain_changelog(&mut |key, value, timestamp| {
                batch.keys.push(Some(key));
                batch.values.push(value);
                batch.timestamps.push(timestamp);
            })?;
            if !batch.timestamps.is_empty() {
                out.changelog.push((index, batch));
            }
        }
        Ok(())
    }

    fn positions(&self) -> Vec<Option<i64>> {
        self.queues
            .iter()
            .map(|queue| queue.position().map(|place| place.offset))
            .collect()
    }

    fn metadata(&self) -> String {
        let skips: Vec<String> = self
            .queues
            .iter()
            .map(|queue| queue.position().map_or(0, |place| place.index).to_string())
            .collect();
        let saved: Vec<String> = self.nodes.iter().map(|node| node.operator.save()).collect();
        format!(
            "1;{};{};{}",
            self.task_time,
            skips.join(","),
            saved.join(",")
        )
    }

    fn restore_metadata(&mut self, metadata: &str) {
        let fields: Vec<&str> = metadata.split(';').collect();
        let ["1", time, skips, saved] = fields[..] else {
            return;
        };
        self.task_time = time.parse().unwrap_or(-1);
        for (queue, skip) in self.queues.iter_mut().zip(skips.split(',')) {
            queue.set_skip(skip.parse().unwrap_or(0));
        }
        for (node, saved) in self.nodes.iter_mut().zip(saved.split(',')) {
            node.operator.restore(saved);
        }
    }

    fn stores(&mut self) -> &mut [Box<dyn KvStore>] {
        &mut self.stores
    }

    fn stores_changed(&mut self) {
        for node in &mut self.nodes {
            node.operator.stores_changed();
        }
    }
}

/// A finished part as the API sees it.
pub(crate) fn shared(part: Part) -> Arc<dyn SubTopology> {
    Arc::new(part)
}
