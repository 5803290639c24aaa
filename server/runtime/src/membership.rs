//! Holding slots: this server's place in the group that divides the work (DESIGN §4).
//!
//! A thread of its own, since a member that does not poll is taken for dead. Every transaction of
//! this server commits its slot's offset under the generation told here, so a server that lost its
//! slots without knowing (it was stopped, or cut off) cannot commit any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam_channel::{Sender, bounded};
use weir_kafka::{ErrorKind, GroupMember, MemberEvent};

use crate::supervisor::Order;
use crate::worker::Membership;

/// How long a rebalance waits for this server's tasks to be closed.
const CLOSING: Duration = Duration::from_secs(30);

/// How long the broker may take to let this server go.
const LEAVING: Duration = Duration::from_secs(3);

/// How long to wait before joining again after the membership was lost for good.
const REJOIN: Duration = Duration::from_millis(500);

/// Follows memberships until `stop` is set: `join` makes the first, and another whenever one has
/// come to its end.
pub(crate) fn follow(
    join: impl Fn() -> weir_kafka::Result<GroupMember>,
    topic: &Arc<str>,
    slot_count: u32,
    orders: &Sender<Order>,
    stop: &AtomicBool,
) {
    while !stop.load(Ordering::Acquire) {
        match join() {
            Ok(member) => {
                follow_one(&member, topic, slot_count, orders, stop);
                // The tasks are closed by now; whoever is left of the cluster may have their slots.
                if stop.load(Ordering::Acquire)
                    && let Err(error) = member.leave(LEAVING)
                {
                    tracing::warn!("{error}");
                }
            }
            Err(error) => tracing::warn!("{error}"),
        }
        if !stop.load(Ordering::Acquire) {
            std::thread::sleep(REJOIN);
        }
    }
}

/// Follows one membership until it is of no more use.
fn follow_one(
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
                let joined = Order::Joined {
                    membership,
                    slots,
                    slot_count,
                };
                if orders.send(joined).is_err() {
                    return;
                }
            }
            Some(MemberEvent::Revoked) => {
                revoke(orders);
                if let Err(error) = member.release() {
                    tracing::warn!("{error}");
                }
            }
            Some(MemberEvent::Error(error)) => {
                tracing::warn!("{error}");
                // A static member whose join was answered twice (the broker went down in between)
                // is taken for its own successor. Only this server has this instance id, so it
                // may simply join again.
                if matches!(error.kind, ErrorKind::StaleMember | ErrorKind::Fatal) {
                    return revoke(orders);
                }
            }
        }
    }
}

/// Has everything closed that ran under the membership.
fn revoke(orders: &Sender<Order>) {
    let (done, wait) = bounded(0);
    if orders.send(Order::Revoked { done }).is_ok() {
        let _ = wait.recv_timeout(CLOSING);
    }
}
