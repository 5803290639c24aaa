//! Statements.

use super::{Expr, Ident, Literal, Query, Span, TimeSpan, TypeName};

/// A WITH clause: names upper-cased (kept verbatim for connectors), in the order written.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Properties(pub Vec<Property>);

/// One `name = literal` of a WITH clause.
#[derive(Debug, Clone, PartialEq)]
pub struct Property {
    /// Name.
    pub name: String,
    /// Value.
    pub value: Literal,
    /// Where the name stands.
    pub span: Span,
}

impl Properties {
    /// The value of the property called `name` (upper case).
    pub fn get(&self, name: &str) -> Option<&Literal> {
        self.0.iter().find(|p| p.name == name).map(|p| &p.value)
    }
}

/// Stream or table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SourceKind {
    /// STREAM
    Stream,
    /// TABLE
    Table,
}

/// What a declared column is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ColumnConstraint {
    /// A value column.
    None,
    /// KEY (of a stream).
    Key,
    /// PRIMARY KEY (of a table).
    PrimaryKey,
    /// HEADERS.
    Headers,
    /// HEADER('k').
    Header(String),
}

/// A declared column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnDef {
    /// Name.
    pub name: Ident,
    /// Type.
    pub type_name: TypeName,
    /// KEY and the like.
    pub constraint: ColumnConstraint,
}

/// CREATE STREAM / TABLE (spec/sql.md §2.1).
#[derive(Debug, Clone, PartialEq)]
pub struct CreateSource {
    /// Stream or table.
    pub kind: SourceKind,
    /// OR REPLACE.
    pub or_replace: bool,
    /// SOURCE: read-only.
    pub read_only: bool,
    /// IF NOT EXISTS.
    pub if_not_exists: bool,
    /// Name.
    pub name: Ident,
    /// Columns; empty if none were declared.
    pub columns: Vec<ColumnDef>,
    /// WITH.
    pub with: Properties,
}

/// CREATE … AS SELECT (spec/sql.md §2.2).
#[derive(Debug, Clone, PartialEq)]
pub struct CreateAs {
    /// Stream or table.
    pub kind: SourceKind,
    /// OR REPLACE.
    pub or_replace: bool,
    /// IF NOT EXISTS.
    pub if_not_exists: bool,
    /// Name of the sink.
    pub name: Ident,
    /// WITH.
    pub with: Properties,
    /// The query.
    pub query: Query,
}

/// What PAUSE, RESUME and TERMINATE mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QueryTarget {
    /// ALL
    All,
    /// One query, id upper-cased.
    Id(String),
}

/// Statements (spec/sql.md §2).
#[derive(Debug, Clone, PartialEq)]
pub enum Statement {
    /// CREATE STREAM / TABLE.
    CreateSource(CreateSource),
    /// CREATE STREAM / TABLE … AS SELECT.
    CreateAs(CreateAs),
    /// INSERT INTO … SELECT.
    InsertSelect {
        /// Target stream.
        target: Ident,
        /// WITH (QUERY_ID = …).
        with: Properties,
        /// The query.
        query: Query,
    },
    /// INSERT INTO … VALUES.
    InsertValues {
        /// Target.
        target: Ident,
        /// Columns; empty means all.
        columns: Vec<Ident>,
        /// Values.
        values: Vec<Expr>,
    },
    /// SELECT: push with EMIT, pull without.
    Query(Query),
    /// PRINT topic [FROM BEGINNING] [INTERVAL n] [LIMIT n].
    Print {
        /// Topic, case kept.
        topic: String,
        /// FROM BEGINNING.
        from_beginning: bool,
        /// INTERVAL / SAMPLE.
        interval: Option<i64>,
        /// LIMIT.
        limit: Option<i64>,
    },
    /// DROP STREAM / TABLE.
    DropSource {
        /// Stream or table.
        kind: SourceKind,
        /// IF EXISTS.
        if_exists: bool,
        /// Name.
        name: Ident,
        /// DELETE TOPIC.
        delete_topic: bool,
    },
    /// ALTER STREAM / TABLE … ADD.
    AlterSource {
        /// Stream or table.
        kind: SourceKind,
        /// Name.
        name: Ident,
        /// Columns to add.
        add: Vec<ColumnDef>,
    },
    /// ALTER SYSTEM 'k' = 'v'.
    AlterSystem {
        /// Property.
        name: String,
        /// Value.
        value: String,
    },
    /// CREATE TYPE.
    CreateType {
        /// IF NOT EXISTS.
        if_not_exists: bool,
        /// Name.
        name: Ident,
        /// Definition.
        type_name: TypeName,
    },
    /// DROP TYPE.
    DropType {
        /// IF EXISTS.
        if_exists: bool,
        /// Name.
        name: Ident,
    },
    /// TERMINATE.
    Terminate(QueryTarget),
    /// PAUSE.
    Pause(QueryTarget),
    /// RESUME.
    Resume(QueryTarget),
    /// SHOW / LIST STREAMS.
    ListStreams {
        /// EXTENDED.
        extended: bool,
    },
    /// SHOW / LIST TABLES.
    ListTables {
        /// EXTENDED.
        extended: bool,
    },
    /// SHOW / LIST [ALL] TOPICS.
    ListTopics {
        /// ALL: hidden ones too.
        all: bool,
        /// EXTENDED.
        extended: bool,
    },
    /// SHOW / LIST QUERIES.
    ListQueries {
        /// EXTENDED.
        extended: bool,
    },
    /// SHOW / LIST PROPERTIES.
    ListProperties,
    /// SHOW / LIST FUNCTIONS.
    ListFunctions,
    /// SHOW / LIST TYPES.
    ListTypes,
    /// SHOW / LIST VARIABLES.
    ListVariables,
    /// SHOW / LIST [SOURCE|SINK] CONNECTORS.
    ListConnectors {
        /// `Some("SOURCE")`, `Some("SINK")` or `None`.
        scope: Option<&'static str>,
    },
    /// SHOW / LIST CONNECTOR PLUGINS.
    ListConnectorPlugins,
    /// DESCRIBE name [EXTENDED].
    DescribeSource {
        /// Name.
        name: Ident,
        /// EXTENDED.
        extended: bool,
    },
    /// DESCRIBE STREAMS [EXTENDED].
    DescribeStreams {
        /// EXTENDED.
        extended: bool,
    },
    /// DESCRIBE TABLES [EXTENDED].
    DescribeTables {
        /// EXTENDED.
        extended: bool,
    },
    /// DESCRIBE FUNCTION f.
    DescribeFunction {
        /// Name.
        name: Ident,
    },
    /// DESCRIBE CONNECTOR c.
    DescribeConnector {
        /// Name.
        name: Ident,
    },
    /// EXPLAIN query id.
    ExplainQuery {
        /// Id, upper-cased unless it was quoted.
        id: String,
    },
    /// EXPLAIN statement.
    ExplainStatement {
        /// The statement.
        statement: Box<Statement>,
        /// Its text as written.
        text: String,
    },
    /// SET 'k' = 'v'.
    Set {
        /// Property.
        name: String,
        /// Value.
        value: String,
    },
    /// UNSET 'k'.
    Unset {
        /// Property.
        name: String,
    },
    /// DEFINE v = 'x'.
    Define {
        /// Variable.
        name: String,
        /// Value.
        value: String,
    },
    /// UNDEFINE v.
    Undefine {
        /// Variable.
        name: String,
    },
    /// ASSERT [NOT EXISTS] TOPIC.
    AssertTopic {
        /// NOT EXISTS given.
        not_exists: bool,
        /// Topic, case kept.
        topic: String,
        /// WITH.
        with: Properties,
        /// TIMEOUT.
        timeout: Option<TimeSpan>,
    },
    /// ASSERT [NOT EXISTS] SCHEMA.
    AssertSchema {
        /// NOT EXISTS given.
        not_exists: bool,
        /// SUBJECT.
        subject: Option<String>,
        /// ID.
        id: Option<i32>,
        /// TIMEOUT.
        timeout: Option<TimeSpan>,
    },
    /// CREATE SOURCE / SINK CONNECTOR.
    CreateConnector {
        /// `SOURCE` or `SINK`.
        scope: &'static str,
        /// IF NOT EXISTS.
        if_not_exists: bool,
        /// Name.
        name: Ident,
        /// WITH, names verbatim.
        with: Properties,
    },
    /// DROP CONNECTOR.
    DropConnector {
        /// IF EXISTS.
        if_exists: bool,
        /// Name.
        name: Ident,
    },
}
