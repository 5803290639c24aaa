//! Topics: list, describe, create, change, delete. Offsets and groups are in sibling modules.
//!
//! Every call waits for the broker's answer, up to the deadline that the `Admin` was made with.

use std::collections::BTreeMap;
use std::ffi::{c_char, c_int};
use std::ptr;
use std::time::{Duration, Instant};

use rdkafka::bindings::*;

use crate::config::ClientConfig;
use crate::error::{ErrorKind, KafkaError, Result, kind_of};
use crate::raw::{Client, Event, OK, Queue, array, check, cstring, millis, take_error, text};

/// A client that asks about and changes the cluster.
pub struct Admin {
    client: Client,
    config: ClientConfig,
    wait: Duration,
    /// When librdkafka gives a request up by itself.
    request_timeout: Duration,
}

/// The longest time that librdkafka lets a request have.
const LONGEST: Duration = Duration::from_secs(60 * 60);

/// A partition of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionInfo {
    /// Its number.
    pub id: i32,
    /// Broker that leads it; -1: none.
    pub leader: i32,
    /// Brokers that hold it.
    pub replicas: Vec<i32>,
    /// Brokers that hold it and are in sync.
    pub in_sync: Vec<i32>,
}

/// A topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicDescription {
    /// Its name.
    pub name: String,
    /// Its partitions, by number.
    pub partitions: Vec<PartitionInfo>,
}

impl TopicDescription {
    /// Replicas of the first partition.
    pub fn replication_factor(&self) -> usize {
        self.partitions.first().map_or(0, |p| p.replicas.len())
    }
}

/// A topic to be created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTopic {
    /// Its name.
    pub name: String,
    /// Its partitions.
    pub partitions: u32,
    /// Copies of each; `None`: the broker's default.
    pub replicas: Option<u16>,
    /// Its configuration (`cleanup.policy`, `retention.ms`).
    pub configs: Vec<(String, String)>,
}

impl Admin {
    /// An administrator of the cluster; each call waits up to `wait`.
    pub fn new(config: &ClientConfig, wait: Duration) -> Result<Self> {
        // Asking whether a topic exists must not make it.
        let config = config
            .clone()
            .reconnecting()
            .or("allow.auto.create.topics", "false");
        let client = Client::new(rd_kafka_type_t::RD_KAFKA_PRODUCER, &config, |_| {})?;
        Ok(Self {
            client,
            config,
            wait,
            request_timeout: wait,
        })
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    pub(crate) fn config(&self) -> &ClientConfig {
        &self.config
    }

    /// The same on a client of its own, for requests to a group's coordinator.
    ///
    /// librdkafka 2.12 does not withdraw such a request when its time is over: once the
    /// coordinator is found all the same, an assertion (`eonce->refcnt > 0`) ends the process. A
    /// request of this client has no end of its own within our wait, and goes with the client.
    pub(crate) fn apart(&self) -> Result<Self> {
        let mut admin = Self::new(&self.config, self.wait)?;
        admin.request_timeout = LONGEST;
        Ok(admin)
    }

    /// How long each call waits.
    pub fn wait(&self) -> Duration {
        self.wait
    }

    /// The cluster's id.
    pub fn cluster_id(&self) -> Option<String> {
        // SAFETY: the string is ours and freed after it was copied
        unsafe {
            let id = rd_kafka_clusterid(self.client.native(), millis(self.wait));
            if id.is_null() {
                return None;
            }
            let copy = text(id);
            rd_kafka_mem_free(self.client.native(), id.cast());
            Some(copy)
        }
    }

    /// All topics of the cluster, by name.
    pub fn topics(&self) -> Result<Vec<TopicDescription>> {
        self.metadata(|| "list topics".to_owned())
            .map(|list| {
                list.into_iter()
                    .filter_map(|(topic, code)| (code == OK).then_some(topic))
            })
            .map(|topics| {
                let mut topics: Vec<_> = topics.collect();
                topics.sort_by(|a, b| a.name.cmp(&b.name));
                topics
            })
    }

    /// One topic; `None` if it does not exist.
    ///
    /// Asked as an administrator: a topic handle would have librdkafka remember for a while that
    /// the topic is missing, even when it is made right after.
    pub fn describe_topic(&self, name: &str) -> Result<Option<TopicDescription>> {
        let operation = || format!("describe topic {name}");
        let native = cstring(name)?;
        // SAFETY: the request is copied by the call; results are read while the event lives
        unsafe {
            let mut names = [native.as_ptr()];
            let wanted = rd_kafka_TopicCollection_of_topic_names(names.as_mut_ptr(), names.len());
            let event = self.ask(
                rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS,
                |rk, options, queue| {
                    rd_kafka_DescribeTopics(rk, wanted, options, queue);
                    rd_kafka_TopicCollection_destroy(wanted);
                },
                operation,
            )?;
            let result = rd_kafka_event_DescribeTopics_result(event.0);
            let mut count = 0;
            let topics = rd_kafka_DescribeTopics_result_topics(result, &mut count);
            let Some(topic) = array(topics, count).first() else {
                return Ok(None);
            };
            let error = rd_kafka_TopicDescription_error(*topic);
            if !error.is_null() {
                return match check(rd_kafka_error_code(error), operation) {
                    Err(e) if e.kind == ErrorKind::NotFound => Ok(None),
                    Err(e) => Err(e),
                    Ok(()) => Ok(Some(described(*topic))),
                };
            }
            Ok(Some(described(*topic)))
        }
    }

    fn metadata(
        &self,
        operation: impl FnOnce() -> String,
    ) -> Result<Vec<(TopicDescription, rd_kafka_resp_err_t)>> {
        let mut metadata: *const rd_kafka_metadata = ptr::null();
        let all = ptr::null_mut();
        // SAFETY: everything is copied before the metadata is destroyed
        unsafe {
            let wait = millis(self.wait);
            let code = rd_kafka_metadata(self.client.native(), 1, all, &mut metadata, wait);
            check(code, operation)?;
            let native: &[rd_kafka_metadata_topic] =
                slice((*metadata).topics, (*metadata).topic_cnt);
            let topics = native
                .iter()
                .map(|topic| {
                    let native: &[rd_kafka_metadata_partition] =
                        slice(topic.partitions, topic.partition_cnt);
                    let mut partitions: Vec<_> = native
                        .iter()
                        .map(|p| PartitionInfo {
                            id: p.id,
                            leader: p.leader,
                            replicas: slice(p.replicas, p.replica_cnt).to_vec(),
                            in_sync: slice(p.isrs, p.isr_cnt).to_vec(),
                        })
                        .collect();
                    partitions.sort_by_key(|p| p.id);
                    (
                        TopicDescription {
                            name: text(topic.topic),
                            partitions,
                        },
                        topic.err,
                    )
                })
                .collect();
            rd_kafka_metadata_destroy(metadata);
            Ok(topics)
        }
    }

    /// The configuration of a topic, defaults included.
    pub fn topic_config(&self, name: &str) -> Result<BTreeMap<String, String>> {
        let operation = || format!("describe configuration of topic {name}");
        let native = cstring(name)?;
        // SAFETY: the request is copied by the call; results are read while the event lives
        unsafe {
            let mut resource = rd_kafka_ConfigResource_new(
                rd_kafka_ResourceType_t::RD_KAFKA_RESOURCE_TOPIC,
                native.as_ptr(),
            );
            let event = self.ask(
                rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS,
                |rk, options, queue| {
                    rd_kafka_DescribeConfigs(rk, &mut resource, 1, options, queue);
                    rd_kafka_ConfigResource_destroy(resource);
                },
                operation,
            )?;
            let result = rd_kafka_event_DescribeConfigs_result(event.0);
            let mut count = 0;
            let resources = rd_kafka_DescribeConfigs_result_resources(result, &mut count);
            let mut configs = BTreeMap::new();
            for resource in array(resources, count) {
                let code = rd_kafka_ConfigResource_error(*resource);
                if code != OK {
                    let message = text(rd_kafka_ConfigResource_error_string(*resource));
                    return Err(KafkaError::new(kind_of(code), operation(), message));
                }
                let mut count = 0;
                let entries = rd_kafka_ConfigResource_configs(*resource, &mut count);
                for entry in array(entries, count) {
                    let name = text(rd_kafka_ConfigEntry_name(*entry));
                    configs.insert(name, text(rd_kafka_ConfigEntry_value(*entry)));
                }
            }
            Ok(configs)
        }
    }

    /// Sets (`Some`) or resets (`None`) single configurations of a topic.
    pub fn alter_topic_config(&self, name: &str, changes: &[(&str, Option<&str>)]) -> Result<()> {
        let operation = || format!("change configuration of topic {name}");
        let native = cstring(name)?;
        // SAFETY: as in topic_config
        unsafe {
            let mut resource = rd_kafka_ConfigResource_new(
                rd_kafka_ResourceType_t::RD_KAFKA_RESOURCE_TOPIC,
                native.as_ptr(),
            );
            for (key, value) in changes {
                use rd_kafka_AlterConfigOpType_t::*;
                let key = cstring(key)?;
                let kind = match value {
                    Some(_) => RD_KAFKA_ALTER_CONFIG_OP_TYPE_SET,
                    None => RD_KAFKA_ALTER_CONFIG_OP_TYPE_DELETE,
                };
                let value = cstring(value.unwrap_or_default())?;
                let error = rd_kafka_ConfigResource_add_incremental_config(
                    resource,
                    key.as_ptr(),
                    kind,
                    value.as_ptr(),
                );
                take_error(error, operation)?;
            }
            let event = self.ask(
                rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_INCREMENTALALTERCONFIGS,
                |rk, options, queue| {
                    rd_kafka_IncrementalAlterConfigs(rk, &mut resource, 1, options, queue);
                    rd_kafka_ConfigResource_destroy(resource);
                },
                operation,
            )?;
            let result = rd_kafka_event_IncrementalAlterConfigs_result(event.0);
            let mut count = 0;
            let resources = rd_kafka_IncrementalAlterConfigs_result_resources(result, &mut count);
            for resource in array(resources, count) {
                let code = rd_kafka_ConfigResource_error(*resource);
                if code != OK {
                    let message = text(rd_kafka_ConfigResource_error_string(*resource));
                    return Err(KafkaError::new(kind_of(code), operation(), message));
                }
            }
            Ok(())
        }
    }

    /// Waits until a topic that was made is known: brokers hear of it a little later than the
    /// controller answers, longer on a busy cluster.
    pub fn await_topic(&self, name: &str) -> Result<()> {
        let end = Instant::now() + self.wait;
        while self.describe_topic(name)?.is_none() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// Creates topics in one request. The result of each, in order; a topic that exists is
    /// [`ErrorKind::AlreadyExists`]. Brokers may not know of those that were made yet
    /// ([`await_topic`](Self::await_topic)).
    pub fn create_topics(&self, topics: &[NewTopic]) -> Result<Vec<Result<()>>> {
        let mut requests = Vec::with_capacity(topics.len());
        let mut message = [0 as c_char; 256];
        // SAFETY: requests are copied by the call and destroyed once
        unsafe {
            for topic in topics {
                let name = cstring(&topic.name)?;
                let request = rd_kafka_NewTopic_new(
                    name.as_ptr(),
                    c_int::try_from(topic.partitions).unwrap_or(c_int::MAX),
                    topic.replicas.map_or(-1, c_int::from),
                    message.as_mut_ptr(),
                    message.len(),
                );
                if request.is_null() {
                    destroy(&mut requests);
                    return Err(KafkaError::new(
                        ErrorKind::Invalid,
                        format!("create topic {}", topic.name),
                        text(message.as_ptr()),
                    ));
                }
                requests.push(request);
                for (key, value) in &topic.configs {
                    let (key, value) = (cstring(key)?, cstring(value)?);
                    rd_kafka_NewTopic_set_config(request, key.as_ptr(), value.as_ptr());
                }
            }
            let event = self.ask(
                rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_CREATETOPICS,
                |rk, options, queue| {
                    rd_kafka_CreateTopics(
                        rk,
                        requests.as_mut_ptr(),
                        requests.len(),
                        options,
                        queue,
                    );
                    destroy(&mut requests);
                },
                || "create topics".to_owned(),
            )?;
            let result = rd_kafka_event_CreateTopics_result(event.0);
            let mut count = 0;
            let results = rd_kafka_CreateTopics_result_topics(result, &mut count);
            Ok(topic_results(array(results, count), "create topic"))
        }
    }

    /// Creates one topic, and returns when brokers know of it.
    pub fn create_topic(&self, topic: NewTopic) -> Result<()> {
        let name = topic.name.clone();
        self.create_topics(&[topic])?
            .into_iter()
            .collect::<Result<()>>()?;
        self.await_topic(&name)
    }

    /// Deletes topics in one request. The result of each, in order.
    pub fn delete_topics(&self, names: &[&str]) -> Result<Vec<Result<()>>> {
        let mut requests = Vec::with_capacity(names.len());
        // SAFETY: requests are copied by the call and destroyed once
        unsafe {
            for name in names {
                requests.push(rd_kafka_DeleteTopic_new(cstring(name)?.as_ptr()));
            }
            let event = self.ask(
                rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DELETETOPICS,
                |rk, options, queue| {
                    let (list, count) = (requests.as_mut_ptr(), requests.len());
                    rd_kafka_DeleteTopics(rk, list, count, options, queue);
                    rd_kafka_DeleteTopic_destroy_array(list, count);
                },
                || "delete topics".to_owned(),
            )?;
            let result = rd_kafka_event_DeleteTopics_result(event.0);
            let mut count = 0;
            let results = rd_kafka_DeleteTopics_result_topics(result, &mut count);
            Ok(topic_results(array(results, count), "delete topic"))
        }
    }

    /// Deletes one topic.
    pub fn delete_topic(&self, name: &str) -> Result<()> {
        self.delete_topics(&[name])?.into_iter().collect()
    }

    /// Sends one request and waits for its answer.
    ///
    /// # Safety
    /// `send` makes one admin call with what it is given.
    pub(crate) unsafe fn ask(
        &self,
        operation: rd_kafka_admin_op_t,
        send: impl FnOnce(*mut rd_kafka_t, *mut rd_kafka_AdminOptions_t, *mut rd_kafka_queue_t),
        name: impl Fn() -> String,
    ) -> Result<Event> {
        // SAFETY: queue and options live through the call
        unsafe {
            let queue = Queue::new(&self.client);
            let options = self.options(operation);
            send(self.client.native(), options, queue.0);
            rd_kafka_AdminOptions_destroy(options);
            self.answer(&queue, name)
        }
    }

    /// Options of one request, with our deadline.
    ///
    /// # Safety
    /// The result is to be destroyed by the caller.
    pub(crate) unsafe fn options(
        &self,
        operation: rd_kafka_admin_op_t,
    ) -> *mut rd_kafka_AdminOptions_t {
        let mut message = [0 as c_char; 128];
        let wait = millis(self.request_timeout);
        // SAFETY: a fresh object; the buffer is as long as is said
        unsafe {
            let options = rd_kafka_AdminOptions_new(self.client.native(), operation);
            rd_kafka_AdminOptions_set_request_timeout(
                options,
                wait,
                message.as_mut_ptr(),
                message.len(),
            );
            options
        }
    }

    pub(crate) fn answer(&self, queue: &Queue, name: impl Fn() -> String) -> Result<Event> {
        let grace = Duration::from_millis(500);
        let event =
            Event::wait(queue, self.wait + grace).ok_or_else(|| KafkaError::timed_out(name()))?;
        event.check(name)?;
        Ok(event)
    }
}

/// # Safety
/// The topic is live.
unsafe fn described(topic: *const rd_kafka_TopicDescription_t) -> TopicDescription {
    // SAFETY: promised by the caller; everything is copied
    unsafe {
        let node = |node: *const rd_kafka_Node_t| match node.is_null() {
            true => -1,
            false => rd_kafka_Node_id(node),
        };
        let mut count = 0;
        let native = rd_kafka_TopicDescription_partitions(topic, &mut count);
        let mut partitions: Vec<_> = array(native, count)
            .iter()
            .map(|partition| {
                let (mut replicas, mut in_sync) = (0, 0);
                let all = rd_kafka_TopicPartitionInfo_replicas(*partition, &mut replicas);
                let synced = rd_kafka_TopicPartitionInfo_isr(*partition, &mut in_sync);
                PartitionInfo {
                    id: rd_kafka_TopicPartitionInfo_partition(*partition),
                    leader: node(rd_kafka_TopicPartitionInfo_leader(*partition)),
                    replicas: array(all, replicas).iter().map(|n| node(*n)).collect(),
                    in_sync: array(synced, in_sync).iter().map(|n| node(*n)).collect(),
                }
            })
            .collect();
        partitions.sort_by_key(|p| p.id);
        TopicDescription {
            name: text(rd_kafka_TopicDescription_name(topic)),
            partitions,
        }
    }
}

/// # Safety
/// Each request is live; none is used afterwards.
unsafe fn destroy(requests: &mut Vec<*mut rd_kafka_NewTopic_t>) {
    // SAFETY: promised by the caller
    unsafe { rd_kafka_NewTopic_destroy_array(requests.as_mut_ptr(), requests.len()) };
    requests.clear();
}

/// # Safety
/// Each result is live.
unsafe fn topic_results(
    results: &[*const rd_kafka_topic_result_t],
    operation: &str,
) -> Vec<Result<()>> {
    results
        .iter()
        .map(|result| {
            // SAFETY: promised by the caller
            unsafe {
                let code = rd_kafka_topic_result_error(*result);
                if code == OK {
                    return Ok(());
                }
                let name = text(rd_kafka_topic_result_name(*result));
                let message = text(rd_kafka_topic_result_error_string(*result));
                Err(KafkaError::new(
                    kind_of(code),
                    format!("{operation} {name}"),
                    message,
                ))
            }
        })
        .collect()
}

/// # Safety
/// `at` is null or points to `count` live elements.
unsafe fn slice<'a, T>(at: *const T, count: c_int) -> &'a [T] {
    if at.is_null() {
        return &[];
    }
    // SAFETY: promised by the caller
    unsafe { std::slice::from_raw_parts(at, usize::try_from(count).unwrap_or(0)) }
}
