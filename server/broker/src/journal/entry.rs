//! What the journal can say. Names are part of the format on disk: they may be added, never changed.

use crate::config::Overrides;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A group's position in one partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CommittedOffset {
    pub(crate) offset: i64,
    pub(crate) leader_epoch: i32,
    pub(crate) metadata: Option<String>,
    /// When it was committed, ms since the epoch.
    pub(crate) at: i64,
}

/// A committed offset with its partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OffsetEntry {
    pub(crate) topic: String,
    pub(crate) partition: i32,
    pub(crate) committed: CommittedOffset,
}

/// A topic's id as text.
mod id_text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};
    use uuid::Uuid;

    pub(super) fn serialize<S: Serializer>(id: &Uuid, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(id)
    }
    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Uuid, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

/// One change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Entry {
    /// A topic exists, with these partitions and overrides (again: they changed).
    Topic {
        name: String,
        #[serde(with = "id_text")]
        id: Uuid,
        partitions: i32,
        overrides: Overrides,
    },
    /// A topic is gone, and with it the offsets that groups committed for it.
    TopicDeleted { name: String },
    /// A group committed offsets.
    Offsets {
        group: String,
        offsets: Vec<OffsetEntry>,
    },
    /// Offsets of a group are gone.
    OffsetsRemoved {
        group: String,
        partitions: Vec<(String, i32)>,
    },
    /// A group is gone with all its offsets.
    GroupDeleted { group: String },
    /// Producer ids below this one may have been given out.
    ProducerIds { next: i64 },
    /// A transactional id has this producer id and epoch; no transaction is open.
    Initialized {
        id: String,
        producer_id: i64,
        epoch: i16,
        timeout_ms: i32,
        at: i64,
    },
    /// A transaction includes these partitions; the first such entry begins it.
    Enlisted {
        id: String,
        partitions: Vec<(String, i32)>,
        at: i64,
    },
    /// A transaction will commit these offsets of a group; may be none yet.
    PendingOffsets {
        id: String,
        group: String,
        offsets: Vec<OffsetEntry>,
        at: i64,
    },
    /// The outcome is decided; markers with this epoch are being written.
    Prepared {
        id: String,
        commit: bool,
        epoch: i16,
    },
    /// All markers are written; pending offsets count if it was a commit.
    Completed { id: String, at: i64 },
    /// A transactional id that was not used for long is forgotten.
    Forgotten { id: String },
}
