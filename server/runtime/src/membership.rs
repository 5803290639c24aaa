//! Holding slots: this server's place in the group that divides the work (DESIGN §4).
//!
//! A thread of its own, since a member that does not poll is taken for dead. Every transaction of
//! this server commits its slot's offset under the generation told here, so a server that lost its
//! slots without knowing (it was stopped, or cut off) cannot commit any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam_channel::{Sender, bounded};
use weir_kafka::{GroupMember, MemberEvent};

use crate::supervisor::Order;
use crate::worker::Membership;

/// How long a rebalance waits for this server's tasks to be closed.
const CLOSING: Duration = Duration::from_secs(30);

/// Follows the membership until `stop` is set.
pub(crate) fn follow(
    member: &GroupMember,
    topic: &Arc<str>,
    slot_count: u32,
    orders: &Sender<Order>,
    stop: &AtomicBool,
) {
    while !stop.load(Ordering::Acquire) {
        match member.poll(Duration::from_millis(250)) {
            None => {}
            Some(MemberEvent::Assigned(partitions)) => {
                if let Err(error) = member.accept(&partitions) {
                    tracing::warn!("{error}");
                    continue;
                }
                let Some(group) = member.metadata() else {
                    continue;
                };
                let membership = Membership {
                    group: Arc::new(group),
                    topic: topic.clone(),
                };
                let slots = partitions.iter().map(|p| *p as u32).collect();
                if orders
                    .send(Order::Joined {
                        membership,
                        slots,
                        slot_count,
                    })
                    .is_err()
                {
                    return;
                }
            }
            Some(MemberEvent::Revoked) => {
                let (done, wait) = bounded(0);
                if orders.send(Order::Revoked { done }).is_err() {
                    return;
                }
                let _ = wait.recv_timeout(CLOSING);
                if let Err(error) = member.release() {
                    tracing::warn!("{error}");
                }
            }
            Some(MemberEvent::Error(error)) => tracing::warn!("{error}"),
        }
    }
}
