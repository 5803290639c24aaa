//! Membership of a consumer group, without reading: who holds which slot (DESIGN §4).
//!
//! ```text
//!   join ─► poll ─► Assigned(partitions) ─► accept ─► metadata(): generation of this assignment
//!              └──► Revoked ─► (finish what is open) ─► release ─► poll … ─► leave
//! ```
//!
//! Invariant: metadata taken after an assignment is of that generation. Once another member took
//! over, the broker refuses whatever is committed under it.

use std::time::{Duration, Instant};

use rdkafka::bindings::rd_kafka_resp_err_t as Code;
use rdkafka::bindings::*;

use crate::config::ClientConfig;
use crate::error::{KafkaError, Result};
use crate::raw::{
    Client, Event, GroupMetadata, PartitionList, Queue, check, entries, failure, take_error,
};

/// Between two looks at whether a member has left.
const STEP: Duration = Duration::from_millis(5);

/// What happened to a membership.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MemberEvent {
    /// These partitions are ours once [`accept`](GroupMember::accept)ed.
    Assigned(Vec<i32>),
    /// Ours no more; to be answered by [`release`](GroupMember::release).
    Revoked,
    /// Something failed; the client goes on trying.
    Error(KafkaError),
}

/// A member of a group that divides the partitions of one topic.
pub struct GroupMember {
    queue: Queue,
    client: Client,
    topic: String,
}

impl GroupMember {
    /// Joins `group` for the partitions of `topic`. A member that comes back under the same
    /// `instance` gets its partitions again at once, and the one that it was before is fenced.
    pub fn join(config: &ClientConfig, group: &str, instance: &str, topic: &str) -> Result<Self> {
        let config = config
            .clone()
            .or("session.timeout.ms", "10000")
            .or("heartbeat.interval.ms", "1000")
            .reconnecting()
            .with("group.id", group)
            .with("group.instance.id", instance)
            .with("partition.assignment.strategy", "roundrobin")
            .with("enable.auto.commit", "false")
            .with("enable.auto.offset.store", "false")
            .with("auto.offset.reset", "latest");
        let client = Client::new(rd_kafka_type_t::RD_KAFKA_CONSUMER, &config, |conf| {
            // SAFETY: the configuration is live
            unsafe { rd_kafka_conf_set_events(conf, RD_KAFKA_EVENT_REBALANCE) };
        })?
        // Not to leave the group: whoever comes back under the instance takes up at once.
        .without_close();
        let operation = || format!("join group {group}");
        // SAFETY: client and list are live; the list is copied by the call
        let queue = unsafe {
            check(rd_kafka_poll_set_consumer(client.native()), operation)?;
            let mut list = PartitionList::new(1);
            list.add(topic, -1, 0, "")?;
            check(rd_kafka_subscribe(client.native(), list.0), operation)?;
            Queue(rd_kafka_queue_get_consumer(client.native()))
        };
        Ok(Self {
            queue,
            client,
            topic: topic.to_owned(),
        })
    }

    /// Leaves the group at once, so that others take over: without this a member that ends is
    /// waited for until its session is over, in case it comes back. Waits up to `wait` for the
    /// broker to know; what is assigned must have been given up.
    ///
    /// librdkafka does not let a member with an instance id leave when it closes (KIP-345), but it
    /// does when it unsubscribes.
    pub fn leave(self, wait: Duration) -> Result<()> {
        let operation = || "leave group".to_owned();
        let until = Instant::now() + wait;
        let left = |done: &dyn Fn() -> bool| {
            while !done() {
                let rest = until.saturating_duration_since(Instant::now());
                if rest.is_zero() {
                    return Err(KafkaError::timed_out(operation()));
                }
                if let Some(MemberEvent::Revoked) = self.poll(rest.min(STEP)) {
                    self.release()?;
                }
            }
            Ok(())
        };
        // SAFETY: the client is live
        let code = unsafe { rd_kafka_unsubscribe(self.client.native()) };
        check(code, operation)?;
        // The member id is given up in the moment in which the request goes out.
        left(&|| GroupMetadata::of_member(&self.client).is_none_or(|m| m.member_id().is_empty()))?;
        // SAFETY: client and queue are live; closing waits for the answer to that request
        unsafe {
            let error = rd_kafka_consumer_close_queue(self.client.native(), self.queue.0);
            take_error(error, operation)?;
        }
        // SAFETY: the client is live
        left(&|| unsafe { rd_kafka_consumer_closed(self.client.native()) } == 1)
    }

    /// What happens next, if something does in time. To be called all the time: a member that does
    /// not is taken for dead after `max.poll.interval.ms`.
    pub fn poll(&self, wait: Duration) -> Option<MemberEvent> {
        let event = Event::wait(&self.queue, wait)?;
        // SAFETY: the event is live while it is read
        unsafe {
            if rd_kafka_event_type(event.0) != RD_KAFKA_EVENT_REBALANCE {
                return match event.error() {
                    crate::raw::OK => None,
                    code => Some(MemberEvent::Error(failure(code, "group membership"))),
                };
            }
            match event.error() {
                Code::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => {
                    let list = rd_kafka_event_topic_partition_list(event.0);
                    let mut partitions: Vec<_> =
                        entries(list).iter().map(|p| p.partition).collect();
                    partitions.sort_unstable();
                    Some(MemberEvent::Assigned(partitions))
                }
                _ => Some(MemberEvent::Revoked),
            }
        }
    }

    /// Takes an assignment on. Nothing is fetched of it.
    pub fn accept(&self, partitions: &[i32]) -> Result<()> {
        let mut list = PartitionList::new(partitions.len());
        for partition in partitions {
            list.add(&self.topic, *partition, i64::from(RD_KAFKA_OFFSET_END), "")?;
        }
        // SAFETY: client and list are live
        unsafe {
            check(rd_kafka_assign(self.client.native(), list.0), || {
                "take slots".to_owned()
            })?;
            check(
                rd_kafka_pause_partitions(self.client.native(), list.0),
                || "pause slots".to_owned(),
            )
        }
    }

    /// Gives everything back.
    pub fn release(&self) -> Result<()> {
        // SAFETY: the client is live; null means nothing
        let code = unsafe { rd_kafka_assign(self.client.native(), std::ptr::null()) };
        check(code, || "give slots back".to_owned())
    }

    /// The membership as it is now: group, generation, member. `None` before the first join.
    pub fn metadata(&self) -> Option<GroupMetadata> {
        GroupMetadata::of_member(&self.client)
    }
}
