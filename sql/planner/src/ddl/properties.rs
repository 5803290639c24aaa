//! The properties of WITH clauses (spec/sql.md §3.1): one table for what is accepted and for the
//! reference pages.

/// Statements with a WITH clause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WithScope {
    /// CREATE STREAM / TABLE.
    Create,
    /// CREATE STREAM / TABLE … AS SELECT.
    CreateAs,
    /// INSERT INTO … SELECT.
    Insert,
}

/// One property.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WithProperty {
    /// Name, upper case.
    pub name: &'static str,
    /// Where it may stand.
    pub scopes: &'static [WithScope],
    /// What values it takes, in a few words.
    pub values: &'static str,
    /// What it does and what holds without it, as a sentence of the reference.
    pub about: &'static str,
}

const BOTH: &[WithScope] = &[WithScope::Create, WithScope::CreateAs];
const CREATE: &[WithScope] = &[WithScope::Create];

const fn property(
    name: &'static str,
    scopes: &'static [WithScope],
    values: &'static str,
    about: &'static str,
) -> WithProperty {
    WithProperty {
        name,
        scopes,
        values,
        about,
    }
}

/// Every property that a WITH clause knows.
pub const WITH_PROPERTIES: &[WithProperty] = &[
    property(
        "KAFKA_TOPIC",
        BOTH,
        "string",
        "The topic. A plain CREATE needs it; a sink without it writes to a topic of its own name.",
    ),
    property(
        "VALUE_FORMAT",
        BOTH,
        "format",
        "How values are written. A plain CREATE takes `ksql.persistence.default.format.value`, a \
         sink the format of its left-most source.",
    ),
    property(
        "KEY_FORMAT",
        BOTH,
        "format",
        "How keys are written. A plain CREATE takes `ksql.persistence.default.format.key`, which \
         is KAFKA; a sink the format of its left-most source.",
    ),
    property(
        "FORMAT",
        BOTH,
        "format",
        "Key and value format at once; not beside KEY_FORMAT or VALUE_FORMAT.",
    ),
    property(
        "PARTITIONS",
        BOTH,
        "integer, at least 1",
        "Partitions of a topic that the statement makes. A plain CREATE needs it if the topic is \
         not there; a sink takes the count of its left-most source.",
    ),
    property(
        "REPLICAS",
        BOTH,
        "integer",
        "Replicas of a topic that the statement makes. Without it the broker's default, for a \
         sink the count of its left-most source.",
    ),
    property(
        "RETENTION_MS",
        BOTH,
        "milliseconds",
        "How long the topic that the statement makes keeps records: without it that of the \
         left-most source, else a week. Not for tables without windows.",
    ),
    property(
        "TIMESTAMP",
        BOTH,
        "name of a column",
        "The column that gives a record its time (ROWTIME): BIGINT, TIMESTAMP, or STRING with \
         TIMESTAMP_FORMAT. Without it the record's own timestamp.",
    ),
    property(
        "TIMESTAMP_FORMAT",
        BOTH,
        "pattern",
        "How the STRING column of TIMESTAMP is read: a pattern of Java's DateTimeFormatter.",
    ),
    property(
        "KEY_DELIMITER",
        BOTH,
        "one character, SPACE or TAB",
        "Separates the columns of a DELIMITED key; a comma without it.",
    ),
    property(
        "VALUE_DELIMITER",
        BOTH,
        "one character, SPACE or TAB",
        "Separates the columns of a DELIMITED value; a comma without it.",
    ),
    property(
        "WRAP_SINGLE_VALUE",
        BOTH,
        "boolean",
        "Whether a value of one column is written as an object with one field or bare. Only with \
         exactly one value column.",
    ),
    property(
        "WINDOW_TYPE",
        CREATE,
        "SESSION, HOPPING or TUMBLING",
        "Says that the keys on the topic are windowed.",
    ),
    property(
        "WINDOW_SIZE",
        CREATE,
        "text such as '10 SECONDS'",
        "Size of those windows: needed for HOPPING and TUMBLING, not allowed for SESSION.",
    ),
    property(
        "KEY_SCHEMA_ID",
        BOTH,
        "integer",
        "The registered schema of the key. Registry formats only.",
    ),
    property(
        "VALUE_SCHEMA_ID",
        BOTH,
        "integer",
        "The registered schema of the value. Registry formats only.",
    ),
    property(
        "KEY_SCHEMA_FULL_NAME",
        BOTH,
        "string",
        "Name of the record or message in the key's schema. Registry formats only.",
    ),
    property(
        "VALUE_SCHEMA_FULL_NAME",
        BOTH,
        "string",
        "Name of the record or message in the value's schema. Registry formats only.",
    ),
    property(
        "VALUE_AVRO_SCHEMA_FULL_NAME",
        BOTH,
        "string",
        "The older word for VALUE_SCHEMA_FULL_NAME.",
    ),
    property(
        "KEY_PROTOBUF_NULLABLE_REPRESENTATION",
        BOTH,
        "OPTIONAL or WRAPPER",
        "How NULL is told from a default in a PROTOBUF key.",
    ),
    property(
        "VALUE_PROTOBUF_NULLABLE_REPRESENTATION",
        BOTH,
        "OPTIONAL or WRAPPER",
        "How NULL is told from a default in a PROTOBUF value.",
    ),
    property(
        "SOURCE_CONNECTOR",
        CREATE,
        "string",
        "Name of the connector that fills the topic: kept, without effect.",
    ),
    property(
        "SOURCED_BY_CONNECTOR",
        CREATE,
        "string",
        "As SOURCE_CONNECTOR.",
    ),
    property(
        "CLEANUP_POLICY",
        BOTH,
        "none",
        "Shown in the canonical form of statements; setting it is refused, since it follows from \
         the kind of source.",
    ),
    property(
        "QUERY_ID",
        &[WithScope::Insert],
        "letters, digits, `_`",
        "Id of the query, upper-cased; without it `INSERTQUERY_n`.",
    ),
];

/// The names that may stand in the WITH clause of such a statement.
pub(super) fn names(scope: WithScope) -> Vec<&'static str> {
    let there = |p: &&WithProperty| p.scopes.contains(&scope);
    WITH_PROPERTIES
        .iter()
        .filter(there)
        .map(|p| p.name)
        .collect()
}
