//! The requests that are served, with their versions.

use kafka_protocol::messages::ApiKey;

/// A request kind with its lowest and highest version.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Api {
    pub(crate) key: ApiKey,
    pub(crate) min: i16,
    pub(crate) max: i16,
}

macro_rules! apis {
    ($($key:ident $min:literal-$max:literal),* $(,)?) => {
        /// Everything that is advertised. EndTxn stays below 5, Produce below 12 and TxnOffsetCommit below 5: from there on
        /// a producer's epoch would change with each transaction. Fetch stays without sessions.
        pub(crate) const APIS: &[Api] = &[$(Api { key: ApiKey::$key, min: $min, max: $max }),*];
    };
}

apis! {
    Produce 3-10, Fetch 4-16, ListOffsets 1-7, Metadata 0-12,
    OffsetCommit 2-8, OffsetFetch 1-8, FindCoordinator 0-4,
    JoinGroup 0-8, Heartbeat 0-4, LeaveGroup 0-5, SyncGroup 0-5,
    DescribeGroups 0-5, ListGroups 0-4, ApiVersions 0-3,
    CreateTopics 2-7, DeleteTopics 1-6, DeleteRecords 0-2, InitProducerId 0-4,
    OffsetForLeaderEpoch 2-4, AddPartitionsToTxn 0-3, AddOffsetsToTxn 0-3, EndTxn 0-3,
    TxnOffsetCommit 0-3, DescribeConfigs 1-4, AlterConfigs 0-2, CreatePartitions 0-3,
    DeleteGroups 0-2, IncrementalAlterConfigs 0-1, OffsetDelete 0-0, DescribeCluster 0-0,
    DescribeProducers 0-0, DescribeTransactions 0-0, ListTransactions 0-1,
}

impl Api {
    /// The served API with this number.
    pub(crate) fn find(key: i16) -> Option<&'static Self> {
        APIS.iter().find(|api| api.key as i16 == key)
    }
    /// Whether this version is served.
    pub(crate) fn serves(&self, version: i16) -> bool {
        (self.min..=self.max).contains(&version)
    }
}
