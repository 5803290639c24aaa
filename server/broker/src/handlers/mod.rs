//! The requests: each handler turns a decoded request into questions to the topics, the partitions or the coordinator, and
//! their results into a response. No state of their own.

mod admin;
mod cluster;
mod configs;
mod fetch;
mod groups;
mod offsets;
mod produce;
mod transaction_views;
mod transactions;

use crate::error_code::ResponseCode;
use kafka_protocol::protocol::StrBytes;

/// Leader epoch of every partition: the one leader never changes.
const LEADER_EPOCH: i32 = 0;

fn text(s: impl Into<String>) -> StrBytes {
    StrBytes::from_string(s.into())
}

/// Checks the leader epoch that a client knows; -1 for none.
fn check_epoch(known: i32) -> Result<(), ResponseCode> {
    if known > LEADER_EPOCH {
        Err(ResponseCode::UnknownLeaderEpoch)
    } else {
        Ok(())
    }
}
