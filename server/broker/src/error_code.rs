//! Kafka's error codes for what the rooms refuse.

use crate::coordinator::CoordinatorError;
use crate::groups::GroupError;
use crate::records::BatchError;
use crate::storage::{AppendError, ReadError, Refusal};
use crate::transactions::TransactionError;

macro_rules! codes {
    ($($name:ident = $code:literal),* $(,)?) => {
        /// An error code of the Kafka protocol.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum ResponseCode { $(#[allow(missing_docs)] $name = $code),* }
    };
}

codes! {
    None = 0, OffsetOutOfRange = 1, CorruptMessage = 2, UnknownTopicOrPartition = 3, MessageTooLarge = 10,
    OffsetMetadataTooLarge = 12, CoordinatorNotAvailable = 15, InvalidTopic = 17, InvalidRequiredAcks = 21,
    IllegalGeneration = 22, InconsistentGroupProtocol = 23, InvalidGroupId = 24, UnknownMemberId = 25,
    InvalidSessionTimeout = 26, RebalanceInProgress = 27, InvalidTimestamp = 32, UnsupportedVersion = 35,
    TopicAlreadyExists = 36, InvalidPartitions = 37, InvalidReplicationFactor = 38, InvalidReplicaAssignment = 39,
    InvalidConfig = 40, InvalidRequest = 42, UnsupportedForMessageFormat = 43, OutOfOrderSequence = 45,
    InvalidProducerEpoch = 47, InvalidTxnState = 48, InvalidProducerIdMapping = 49, InvalidTransactionTimeout = 50,
    ConcurrentTransactions = 51, StorageError = 56, NonEmptyGroup = 68, GroupIdNotFound = 69,
    FetchSessionIdNotFound = 70, UnknownLeaderEpoch = 75, MemberIdRequired = 79,
    FencedInstanceId = 82, GroupSubscribedToTopic = 86, InvalidRecord = 87, UnstableOffsetCommit = 88,
    ProducerFenced = 90, UnknownTopicId = 100,
    TransactionalIdNotFound = 105,
}

impl ResponseCode {
    pub(crate) fn code(self) -> i16 {
        self as i16
    }
}

impl From<GroupError> for ResponseCode {
    fn from(error: GroupError) -> Self {
        match error {
            GroupError::UnknownMember => Self::UnknownMemberId,
            GroupError::IllegalGeneration => Self::IllegalGeneration,
            GroupError::RebalanceInProgress => Self::RebalanceInProgress,
            GroupError::InconsistentProtocol => Self::InconsistentGroupProtocol,
            GroupError::InvalidSessionTimeout => Self::InvalidSessionTimeout,
            GroupError::MemberIdRequired => Self::MemberIdRequired,
            GroupError::FencedInstance => Self::FencedInstanceId,
        }
    }
}

impl From<TransactionError> for ResponseCode {
    fn from(error: TransactionError) -> Self {
        match error {
            TransactionError::UnknownMapping => Self::InvalidProducerIdMapping,
            TransactionError::Fenced => Self::ProducerFenced,
            TransactionError::InvalidState => Self::InvalidTxnState,
            TransactionError::Concurrent => Self::ConcurrentTransactions,
            TransactionError::InvalidTimeout => Self::InvalidTransactionTimeout,
        }
    }
}

impl From<&CoordinatorError> for ResponseCode {
    fn from(error: &CoordinatorError) -> Self {
        match error {
            CoordinatorError::Group(e) => (*e).into(),
            CoordinatorError::Transaction(e) => (*e).into(),
            CoordinatorError::Storage(_) => Self::CoordinatorNotAvailable,
            CoordinatorError::TopicExists(_) => Self::TopicAlreadyExists,
            CoordinatorError::UnknownTopic => Self::UnknownTopicOrPartition,
            CoordinatorError::NotMorePartitions(_) => Self::InvalidPartitions,
            CoordinatorError::GroupNotEmpty => Self::NonEmptyGroup,
            CoordinatorError::UnknownGroup => Self::GroupIdNotFound,
            CoordinatorError::Subscribed => Self::GroupSubscribedToTopic,
        }
    }
}

impl From<&AppendError> for ResponseCode {
    fn from(error: &AppendError) -> Self {
        match error {
            AppendError::Batch(BatchError::Magic(_)) => Self::UnsupportedForMessageFormat,
            AppendError::Batch(_) => Self::CorruptMessage,
            AppendError::Invalid(_) => Self::InvalidRecord,
            AppendError::TooLarge { .. } => Self::MessageTooLarge,
            AppendError::InvalidTimestamp { .. } => Self::InvalidTimestamp,
            AppendError::Producer(Refusal::OutOfOrderSequence) => Self::OutOfOrderSequence,
            AppendError::Producer(Refusal::InvalidEpoch) => Self::InvalidProducerEpoch,
            AppendError::Producer(Refusal::InvalidTransactionState) => Self::InvalidTxnState,
            AppendError::Storage(_) => Self::StorageError,
        }
    }
}

impl From<&ReadError> for ResponseCode {
    fn from(error: &ReadError) -> Self {
        match error {
            ReadError::OutOfRange => Self::OffsetOutOfRange,
            ReadError::Storage(_) => Self::StorageError,
        }
    }
}
