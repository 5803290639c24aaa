//! What can go wrong at Kafka, sorted by what the caller can do about it.

use rdkafka::bindings::rd_kafka_resp_err_t as Code;

/// What the caller can do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// Try again: the cluster is busy electing, or a broker is away.
    Retriable,
    /// The deadline passed. A transactional producer that gave this is to be replaced.
    TimedOut,
    /// The transaction must be aborted; the producer lives on.
    AbortTransaction,
    /// Another producer of the same transactional id took over: this one must not write any more.
    Fenced,
    /// The group went on without this member: its offsets are refused until it has joined again.
    /// A transaction that carries them must be aborted.
    StaleMember,
    /// The client cannot be used any more.
    Fatal,
    /// Topic, partition or group does not exist.
    NotFound,
    /// The topic exists already.
    AlreadyExists,
    /// Authentication or authorisation failed.
    Unauthorized,
    /// The asked offset is not (or no more) in the log.
    OffsetOutOfRange,
    /// A record is larger than the topic takes.
    TooLarge,
    /// A setting or an argument is not accepted.
    Invalid,
    /// Anything else.
    Other,
}

/// An error of a Kafka client: what was done, to what, and what the client said.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{operation}: {message}")]
pub struct KafkaError {
    /// What the caller can do.
    pub kind: ErrorKind,
    /// What was tried, with the name of the thing (`create topic orders`).
    pub operation: String,
    /// What the client or the broker said.
    pub message: String,
}

/// Result of this crate.
pub type Result<T> = std::result::Result<T, KafkaError>;

impl KafkaError {
    /// An error of this kind.
    pub fn new(kind: ErrorKind, operation: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            kind,
            operation: operation.into(),
            message: message.into(),
        }
    }

    /// A deadline that passed.
    pub fn timed_out(operation: impl Into<String>) -> Self {
        Self::new(
            ErrorKind::TimedOut,
            operation,
            "no answer from the broker in time",
        )
    }
}

/// The kind of one of librdkafka's codes (the broker's own and the client's).
pub(crate) fn kind_of(code: Code) -> ErrorKind {
    use Code::*;
    match code {
        RD_KAFKA_RESP_ERR__TIMED_OUT | RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE => ErrorKind::TimedOut,
        RD_KAFKA_RESP_ERR__TRANSPORT
        | RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN
        | RD_KAFKA_RESP_ERR__WAIT_COORD
        | RD_KAFKA_RESP_ERR__IN_PROGRESS
        | RD_KAFKA_RESP_ERR__PREV_IN_PROGRESS
        | RD_KAFKA_RESP_ERR__RETRY
        | RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE
        | RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION
        | RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT
        | RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION
        | RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS
        | RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE
        | RD_KAFKA_RESP_ERR_NOT_COORDINATOR
        | RD_KAFKA_RESP_ERR_NOT_CONTROLLER
        | RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS
        | RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND
        | RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS
        | RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT
        | RD_KAFKA_RESP_ERR_FENCED_LEADER_EPOCH
        | RD_KAFKA_RESP_ERR_UNKNOWN_LEADER_EPOCH
        | RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR
        | RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS => ErrorKind::Retriable,
        RD_KAFKA_RESP_ERR__FENCED
        | RD_KAFKA_RESP_ERR_PRODUCER_FENCED
        | RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH => ErrorKind::Fenced,
        RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION
        | RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID
        | RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID => ErrorKind::StaleMember,
        RD_KAFKA_RESP_ERR__FATAL => ErrorKind::Fatal,
        RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC
        | RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION
        | RD_KAFKA_RESP_ERR__UNKNOWN_GROUP
        | RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART
        | RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_ID
        | RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND => ErrorKind::NotFound,
        RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS => ErrorKind::AlreadyExists,
        RD_KAFKA_RESP_ERR__AUTHENTICATION
        | RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED
        | RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED
        | RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED
        | RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED
        | RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED => ErrorKind::Unauthorized,
        RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET | RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE => {
            ErrorKind::OffsetOutOfRange
        }
        RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE | RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE => {
            ErrorKind::TooLarge
        }
        RD_KAFKA_RESP_ERR__INVALID_ARG
        | RD_KAFKA_RESP_ERR_INVALID_CONFIG
        | RD_KAFKA_RESP_ERR_INVALID_PARTITIONS
        | RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR
        | RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION
        | RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP => ErrorKind::Invalid,
        _ => ErrorKind::Other,
    }
}
