//! Runs the queries of a case without Kafka (spec/semantics.md §13.3).
//!
//! ```text
//!  input ─► every part that reads its topic ─► step ─► internal records ─► … until quiet ─► flush
//!                                               └─► records of sinks, per topic
//! ```
//!
//! Invariant: one input's consequences end before the next input is offered.

use std::collections::VecDeque;
use std::sync::Arc;

use indexmap::IndexMap;
use weir_engine::{Emitted, StepLimits, Task, TaskOptions, TopicName, Topology};
use weir_state::MemoryStore;
use weir_types::records::{EncodedBatch, FetchedBatch, RecordHeaders, RecordMeta};

/// A record on a topic.
#[derive(Debug, Clone, Default)]
pub struct Stored {
    /// Key.
    pub key: Option<Vec<u8>>,
    /// Value; `None` is a tombstone.
    pub value: Option<Vec<u8>>,
    /// Milliseconds since the epoch.
    pub timestamp: i64,
    /// Headers in order.
    pub headers: RecordHeaders,
}

/// Topics by name, each a list of records.
pub type Topics = IndexMap<String, Vec<Stored>>;

/// A running query.
pub struct Query {
    topology: Topology,
    tasks: Vec<Box<dyn Task>>,
    /// Next offset of each input of each part.
    offsets: Vec<Vec<i64>>,
    step: usize,
}

impl Query {
    /// Makes the tasks of a topology, one partition each.
    pub fn new(
        topology: Topology,
        step: usize,
        fail_on_bad_timestamp: bool,
    ) -> Result<Self, String> {
        let mut tasks = Vec::new();
        let mut offsets = Vec::new();
        for part in &topology.parts {
            let options = TaskOptions {
                output_partitions: vec![1; part.outputs().len()],
                never_wait: true,
                fail_on_bad_timestamp,
                ..TaskOptions::default()
            };
            let stores = part
                .stores()
                .iter()
                .map(|store| Box::new(MemoryStore::new(&store.name)) as _)
                .collect();
            tasks.push(
                part.new_task(0, stores, &options)
                    .map_err(|error| error.to_string())?,
            );
            offsets.push(vec![0; part.inputs().len()]);
        }
        Ok(Self {
            topology,
            tasks,
            offsets,
            step,
        })
    }

    /// Whether the query reads that topic.
    pub fn reads(&self, topic: &str) -> bool {
        self.topology
            .parts
            .iter()
            .flat_map(|part| part.inputs())
            .any(|input| matches!(&input.topic, TopicName::User(name) if name == topic))
    }

    /// Feeds records of one topic and runs until nothing is left to do.
    pub fn feed(
        &mut self,
        topic: &str,
        records: &[Stored],
        topics: &mut Topics,
    ) -> Result<(), String> {
        let name = TopicName::User(topic.to_owned());
        self.offer(&name, &fetched(records));
        self.run(topics)
    }

    fn offer(&mut self, topic: &TopicName, batch: &FetchedBatch) {
        for (part, topology) in self.topology.parts.iter().enumerate() {
            for (input, spec) in topology.inputs().iter().enumerate() {
                if spec.topic != *topic {
                    continue;
                }
                let mut batch = batch.clone();
                for record in &mut batch.records {
                    record.offset = self.offsets[part][input];
                    self.offsets[part][input] += 1;
                }
                self.tasks[part].offer(input, batch);
            }
        }
    }

    fn run(&mut self, topics: &mut Topics) -> Result<(), String> {
        let limits = StepLimits {
            max_rows: self.step,
            now_ms: 0,
        };
        let mut internal: VecDeque<(TopicName, EncodedBatch)> = VecDeque::new();
        let mut failure = None;
        loop {
            let mut busy = false;
            for part in 0..self.tasks.len() {
                let mut emitted = Emitted::default();
                let step = self.tasks[part].step(limits, &mut emitted);
                self.collect(part, emitted, topics, &mut internal);
                match step {
                    Ok(rows) => busy |= rows > 0,
                    Err(error) => failure = Some(error.to_string()),
                }
            }
            if let Some(error) = failure {
                return Err(error);
            }
            while let Some((topic, batch)) = internal.pop_front() {
                let records: Vec<Stored> = (0..batch.timestamps.len())
                    .map(|row| stored(&batch, row))
                    .collect();
                self.offer(&topic, &fetched(&records));
                busy = true;
            }
            if busy {
                continue;
            }
            for part in 0..self.tasks.len() {
                let mut emitted = Emitted::default();
                let flush = self.tasks[part].flush(0, &mut emitted);
                self.collect(part, emitted, topics, &mut internal);
                flush.map_err(|error| error.to_string())?;
            }
            if internal.is_empty() {
                return Ok(());
            }
        }
    }

    fn collect(
        &self,
        part: usize,
        emitted: Emitted,
        topics: &mut Topics,
        internal: &mut VecDeque<(TopicName, EncodedBatch)>,
    ) {
        let outputs = self.topology.parts[part].outputs();
        for (output, batch) in emitted.records {
            match &outputs[output].topic {
                TopicName::Internal(_) => {
                    internal.push_back((outputs[output].topic.clone(), batch));
                }
                TopicName::User(name) => {
                    let records = topics.entry(name.clone()).or_default();
                    records.extend((0..batch.timestamps.len()).map(|row| stored(&batch, row)));
                }
            }
        }
    }
}

fn stored(batch: &EncodedBatch, row: usize) -> Stored {
    Stored {
        key: batch.keys.get(row).map(<[u8]>::to_vec),
        value: batch.values.get(row).map(<[u8]>::to_vec),
        timestamp: batch.timestamps[row],
        headers: batch.headers.get(row).cloned().unwrap_or_default(),
    }
}

/// Records as they come from Kafka.
fn fetched(records: &[Stored]) -> FetchedBatch {
    let mut arena: Vec<u8> = Vec::new();
    let mut headers = Vec::new();
    let mut put = |bytes: &[u8]| {
        let start = arena.len() as u32;
        arena.extend_from_slice(bytes);
        start..arena.len() as u32
    };
    let records = records
        .iter()
        .map(|record| {
            let first = headers.len() as u32;
            for (name, value) in &record.headers {
                let name = put(name.as_bytes());
                let value = value.as_deref().map(&mut put);
                headers.push((name, value));
            }
            RecordMeta {
                offset: 0,
                timestamp: record.timestamp,
                key: record.key.as_deref().map(&mut put),
                value: record.value.as_deref().map(&mut put),
                headers: first..headers.len() as u32,
            }
        })
        .collect();
    FetchedBatch {
        arena: Arc::new(arena),
        records,
        headers,
    }
}
