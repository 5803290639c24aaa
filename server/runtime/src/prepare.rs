//! What must be known and made before tasks can run: topics, offsets, changelog ends.
//!
//! ```text
//!   source topics ─► layout ─► internal topics ─► committed offsets, or where to start
//!                                              └► stores and how much of their changelogs to read
//! ```

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use weir_engine::{InputSpec, TopicName, Topology};
use weir_kafka::{Admin, ErrorKind, GroupMetadata, KafkaError, NewTopic, OffsetAt, TopicPartition};
use weir_state::{StateError, TaskId};

use crate::config::{OffsetReset, QueryOptions, QuerySpec};
use crate::failure::{ErrorClass, QueryError};
use crate::layout::Layout;
use crate::names::{application_id, slot_of, topic_name};
use crate::positions::{Committed, Decoded};
use crate::query::{QueryContext, QueryState};
use crate::worker::{RestorePlan, SeedInput, Shared, TaskSeed};

/// Partitions of a query's source topics. Fails for one that does not exist.
pub(crate) fn source_partitions(
    admin: &Admin,
    topology: &Topology,
) -> Result<BTreeMap<String, u32>, QueryError> {
    let mut found = BTreeMap::new();
    for part in &topology.parts {
        let inputs = part.inputs().iter().map(|input| &input.topic);
        let outputs = part.outputs().iter().map(|output| &output.topic);
        for (topic, is_source) in inputs.map(|t| (t, true)).chain(outputs.map(|t| (t, false))) {
            let TopicName::User(name) = topic else {
                continue;
            };
            if found.contains_key(name) {
                continue;
            }
            match existing(admin, name).map_err(|e| QueryError::of_kafka(&e))? {
                Some(partitions) => {
                    found.insert(name.clone(), partitions);
                }
                None if is_source => return Err(missing(name)),
                None => {
                    let message = format!("The query's sink topic {name} does not exist");
                    return Err(QueryError::new(ErrorClass::User, message));
                }
            }
        }
    }
    Ok(found)
}

fn missing(topic: &str) -> QueryError {
    QueryError::new(
        ErrorClass::User,
        format!("One or more source topics were missing: {topic}"),
    )
}

/// Partitions of a topic. One that was made a moment ago may not be known to every broker yet, so
/// a missing topic is asked for again for a while.
fn existing(admin: &Admin, topic: &str) -> Result<Option<u32>, KafkaError> {
    let until = Instant::now() + Duration::from_secs(3);
    loop {
        let found = admin.describe_topic(topic)?;
        let led = found.filter(|t| t.partitions.iter().all(|p| p.leader >= 0));
        if led.is_some() || Instant::now() > until {
            return Ok(led.map(|topic| topic.partitions.len() as u32));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The context of a query.
pub(crate) fn context(
    shared: &Shared,
    mut spec: QuerySpec,
    state: Arc<QueryState>,
) -> Result<QueryContext, QueryError> {
    let config = &shared.config;
    spec.options.task.memory = config.operator_memory.clone();
    let id = application_id(&config.service_id, &config.persistent_prefix, &spec.id);
    let sources = source_partitions(&shared.admin, &spec.topology)?;
    let layout = Layout::new(&spec.topology, &id, &sources).map_err(|topic| missing(&topic))?;
    let group = GroupMetadata::simple(&id).map_err(|e| QueryError::of_kafka(&e))?;
    Ok(QueryContext::new(spec, &id, layout, Arc::new(group), state))
}

/// Makes the internal topics of a query, and gives the names of those that were not there.
fn make_internal(shared: &Shared, layout: &Layout) -> Result<HashSet<String>, QueryError> {
    let mut made = Vec::new();
    for topic in &layout.internal {
        let found = shared.admin.describe_topic(&topic.name);
        if found.map_err(|e| QueryError::of_kafka(&e))?.is_none() {
            made.push(NewTopic {
                name: topic.name.clone(),
                partitions: topic.partitions,
                replicas: shared.config.replicas,
                configs: topic.configs(),
            });
        }
    }
    if !made.is_empty() {
        make_topics(&shared.admin, &made).map_err(|e| QueryError::of_kafka(&e))?;
    }
    for topic in &layout.internal {
        let found = existing(&shared.admin, &topic.name).map_err(|e| QueryError::of_kafka(&e))?;
        if found != Some(topic.partitions) {
            let message = format!(
                "The internal topic {} must have {} partitions and has {}. Drop the query, or \
                 delete the topic, and start it again.",
                topic.name,
                topic.partitions,
                found.unwrap_or(0)
            );
            return Err(QueryError::new(ErrorClass::User, message));
        }
    }
    Ok(made.into_iter().map(|topic| topic.name).collect())
}

/// Makes topics; those that exist are fine as they are. Brokers may hear of them a little later.
pub(crate) fn make_topics(admin: &Admin, topics: &[NewTopic]) -> Result<(), KafkaError> {
    for result in admin.create_topics(topics)? {
        match result {
            Err(error) if error.kind == ErrorKind::AlreadyExists => {}
            other => other?,
        }
    }
    Ok(())
}

/// A task in the making.
struct Place {
    part: u32,
    partition: u32,
    slot: u32,
    inputs: Vec<Option<Input>>,
}

struct Input {
    topic: String,
    /// Where it starts without a committed offset.
    reset: OffsetReset,
    offset: Option<i64>,
}

/// Seeds for those tasks of a query that are in one of `slots`. Makes its internal topics, but not
/// before it is known where the query begins, which whoever made the query waits for.
pub(crate) fn tasks(
    shared: &Shared,
    query: &Arc<QueryContext>,
    slots: &[u32],
    slot_count: u32,
) -> Result<Vec<TaskSeed>, QueryError> {
    let kafka = |e: KafkaError| QueryError::of_kafka(&e);
    let config = &shared.config;
    let id = application_id(
        &config.service_id,
        &config.persistent_prefix,
        &query.spec.id,
    );
    let mut places = places(query, &id, slots, slot_count);
    if places.is_empty() {
        query.state.begins.open();
        make_internal(shared, &query.layout)?;
        return Ok(Vec::new());
    }
    let mut read: Vec<TopicPartition> = places
        .iter()
        .flat_map(|place| {
            let partition = place.partition as i32;
            let inputs = place.inputs.iter().flatten();
            inputs.map(move |input| TopicPartition::new(input.topic.as_str(), partition))
        })
        .collect();
    read.sort();
    read.dedup();
    let committed: HashMap<(String, i32), Decoded> =
        patiently(|| shared.admin.committed(&id, &read))
            .map_err(kafka)?
            .into_iter()
            .map(|o| {
                (
                    (o.topic, o.partition),
                    Committed::decode(o.offset, &o.metadata),
                )
            })
            .collect();
    let mut metadata: HashMap<(u32, u32), String> = HashMap::new();
    let mut fresh: Vec<(u32, u32)> = Vec::new();
    for place in &mut places {
        let task = (place.part, place.partition);
        for (index, input) in place.inputs.iter_mut().enumerate() {
            let Some(input) = input else { continue };
            match committed.get(&(input.topic.clone(), place.partition as i32)) {
                Some(at) => {
                    input.offset = Some(at.position(place.part, index as u32));
                    if let Some(kept) = at.metadata(place.part) {
                        metadata.entry(task).or_insert_with(|| kept.to_owned());
                    }
                }
                None => fresh.push(task),
            }
        }
    }
    let internal = |topic: &str| query.layout.internal.iter().any(|i| i.name == topic);
    start_offsets(&shared.admin, &mut places, |topic| !internal(topic)).map_err(kafka)?;
    query.state.begins.open();
    let made = make_internal(shared, &query.layout)?;
    start_offsets(&shared.admin, &mut places, internal).map_err(kafka)?;
    let mut seeds = Vec::with_capacity(places.len());
    for place in places {
        let task = (place.part, place.partition);
        let state = state_of(shared, query, &place).map_err(|e| of_state(&e))?;
        seeds.push(TaskSeed {
            query: query.clone(),
            part: place.part,
            partition: place.partition,
            slot: place.slot,
            inputs: place
                .inputs
                .into_iter()
                .map(|input| {
                    input.map(|i| SeedInput {
                        topic: i.topic,
                        offset: i.offset.unwrap_or(0),
                    })
                })
                .collect(),
            metadata: metadata.remove(&task),
            fresh: fresh.contains(&task),
            state,
            restore: Vec::new(),
        });
    }
    plan_restores(shared, query, &mut seeds, &made)?;
    Ok(seeds)
}

fn places(query: &QueryContext, id: &str, slots: &[u32], slot_count: u32) -> Vec<Place> {
    let layout = &query.layout;
    let mut places = Vec::new();
    for (index, part) in query.spec.topology.parts.iter().enumerate() {
        let slot_topic = layout
            .slot_topics
            .get(index)
            .map(String::as_str)
            .unwrap_or_default();
        for partition in 0..layout.tasks.get(index).copied().unwrap_or(0) {
            let slot = slot_of(slot_topic, partition, slot_count);
            if !slots.contains(&slot) {
                continue;
            }
            let inputs = part
                .inputs()
                .iter()
                .map(|input| {
                    let topic = topic_name(id, &input.topic);
                    let exists = partition < layout.partitions_of(&topic);
                    let reset = reset_of(input, &query.spec.options);
                    exists.then_some(Input {
                        topic,
                        reset,
                        offset: None,
                    })
                })
                .collect();
            places.push(Place {
                part: index as u32,
                partition,
                slot,
                inputs,
            });
        }
    }
    places
}

/// Looks up where inputs of `those` topics without a committed offset start: repartition topics at
/// the beginning, others as `auto.offset.reset` says (spec/semantics.md §10.3).
fn start_offsets(
    admin: &Admin,
    places: &mut [Place],
    those: impl Fn(&str) -> bool,
) -> Result<(), KafkaError> {
    for reset in [OffsetReset::Earliest, OffsetReset::Latest] {
        let mut asked = Vec::new();
        let mut waiting: Vec<&mut Input> = Vec::new();
        for place in places.iter_mut() {
            let partition = place.partition as i32;
            for input in place.inputs.iter_mut().flatten() {
                if input.offset.is_none() && input.reset == reset && those(&input.topic) {
                    asked.push(TopicPartition::new(input.topic.as_str(), partition));
                    waiting.push(input);
                }
            }
        }
        for (input, offset) in waiting.into_iter().zip(offsets_at(admin, &asked, reset)?) {
            input.offset = Some(offset);
        }
    }
    Ok(())
}

fn reset_of(input: &InputSpec, options: &QueryOptions) -> OffsetReset {
    match input.topic {
        TopicName::Internal(_) => OffsetReset::Earliest,
        TopicName::User(_) if input.is_table => options.reset.unwrap_or(OffsetReset::Earliest),
        TopicName::User(_) => options.reset.unwrap_or(OffsetReset::Latest),
    }
}

fn offsets_at(
    admin: &Admin,
    places: &[TopicPartition],
    reset: OffsetReset,
) -> Result<Vec<i64>, KafkaError> {
    let at = match reset {
        OffsetReset::Earliest => OffsetAt::Beginning,
        OffsetReset::Latest => OffsetAt::CommittedEnd,
    };
    patiently(|| admin.offsets(places, at))
}

/// Tries again while a topic that was just made has no leader yet, or while a transaction of
/// another server's is still open (which ends by its timeout at the latest).
fn patiently<T>(mut ask: impl FnMut() -> Result<T, KafkaError>) -> Result<T, KafkaError> {
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        match ask() {
            Err(error)
                if matches!(error.kind, ErrorKind::Retriable | ErrorKind::NotFound)
                    && Instant::now() < until =>
            {
                std::thread::sleep(Duration::from_millis(50));
            }
            other => return other,
        }
    }
}

fn state_of(
    shared: &Shared,
    query: &QueryContext,
    place: &Place,
) -> Result<Option<Arc<weir_state::TaskState>>, StateError> {
    let Some(part) = query.spec.topology.parts.get(place.part as usize) else {
        return Ok(None);
    };
    if part.stores().is_empty() {
        return Ok(None);
    }
    let id = TaskId {
        query: query.spec.id.clone(),
        part: place.part,
        partition: place.partition,
    };
    let names: Vec<&str> = part
        .stores()
        .iter()
        .map(|store| store.name.as_str())
        .collect();
    shared
        .database
        .task(&id, &names)
        .map(|state| Some(Arc::new(state)))
}

/// How much of each changelog has to be read: from where the local data is to the end, and nothing
/// of those that were `made` a moment ago. Waits until no transaction is open on it, since its only
/// writer so far is gone.
fn plan_restores(
    shared: &Shared,
    query: &QueryContext,
    seeds: &mut [TaskSeed],
    made: &HashSet<String>,
) -> Result<(), QueryError> {
    let kafka = |e: KafkaError| QueryError::of_kafka(&e);
    let mut asked = Vec::new();
    let mut plans: Vec<(usize, RestorePlan)> = Vec::new();
    for (index, seed) in seeds.iter().enumerate() {
        let Some(state) = &seed.state else { continue };
        let known = state.positions().map_err(|e| of_state(&e))?;
        let part = seed.part as usize;
        let topics = query
            .changelogs
            .get(part)
            .map(Vec::as_slice)
            .unwrap_or_default();
        let Some(topology) = query.spec.topology.parts.get(part) else {
            continue;
        };
        for (store, (spec, topic)) in topology.stores().iter().zip(topics).enumerate() {
            if made.contains(topic.as_str()) {
                continue;
            }
            asked.push(TopicPartition::new(topic.as_str(), seed.partition as i32));
            let plan = RestorePlan {
                store,
                name: spec.name.clone(),
                topic: topic.clone(),
                partition: seed.partition as i32,
                from: known.get(&spec.name).copied().unwrap_or(0),
                to: 0,
            };
            plans.push((index, plan));
        }
    }
    if asked.is_empty() {
        return Ok(());
    }
    let until = Instant::now() + Duration::from_secs(60);
    let ends = loop {
        let committed =
            patiently(|| shared.admin.offsets(&asked, OffsetAt::CommittedEnd)).map_err(kafka)?;
        let all = shared.admin.offsets(&asked, OffsetAt::End).map_err(kafka)?;
        if committed == all {
            break committed;
        }
        if Instant::now() > until {
            let message = "an open transaction on its changelog did not end";
            return Err(QueryError::new(ErrorClass::Unknown, message));
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let begins = shared
        .admin
        .offsets(&asked, OffsetAt::Beginning)
        .map_err(kafka)?;
    for (((index, mut plan), end), begin) in plans.into_iter().zip(ends).zip(begins) {
        plan.from = plan.from.max(begin);
        plan.to = end;
        if plan.from < plan.to
            && let Some(seed) = seeds.get_mut(index)
        {
            seed.restore.push(plan);
        }
    }
    Ok(())
}

fn of_state(error: &StateError) -> QueryError {
    QueryError::new(ErrorClass::Unknown, error.to_string())
}

/// Where the tasks of a push query start. Nothing is made and nothing is committed.
pub(crate) fn push_places(
    admin: &Admin,
    topology: &Topology,
    options: &QueryOptions,
) -> Result<(Layout, Vec<crate::worker::PushPlace>), QueryError> {
    let sources = source_partitions(admin, topology)?;
    let layout = Layout::new(topology, "", &sources).map_err(|topic| missing(&topic))?;
    let mut places = Vec::new();
    for (index, part) in topology.parts.iter().enumerate() {
        for partition in 0..layout.tasks.get(index).copied().unwrap_or(0) {
            let inputs = part
                .inputs()
                .iter()
                .map(|input| match &input.topic {
                    TopicName::User(topic) => {
                        (partition < layout.partitions_of(topic)).then(|| Input {
                            topic: topic.clone(),
                            reset: reset_of(input, options),
                            offset: None,
                        })
                    }
                    TopicName::Internal(_) => None,
                })
                .collect();
            places.push(Place {
                part: index as u32,
                partition,
                slot: 0,
                inputs,
            });
        }
    }
    start_offsets(admin, &mut places, |_| true).map_err(|e| QueryError::of_kafka(&e))?;
    let places = places
        .into_iter()
        .map(|place| {
            let inputs = place
                .inputs
                .into_iter()
                .map(|i| {
                    i.map(|i| SeedInput {
                        topic: i.topic,
                        offset: i.offset.unwrap_or(0),
                    })
                })
                .collect();
            (place.part, place.partition, inputs)
        })
        .collect();
    Ok((layout, places))
}
