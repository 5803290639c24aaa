//! The syntax tree. Names are in stored form (unquoted ones upper-cased); spans count from 1 in
//! the whole request text.

use weir_types::SqlType;

/// Where a node begins and ends in the request text: byte offsets, and line and column (from 1)
/// of the beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// Byte after the last.
    pub end: usize,
    /// Line of `start`, from 1.
    pub line: u32,
    /// Column of `start` in characters, from 1 (ksqlDB's messages count as it does).
    pub column: u32,
}

impl From<Span> for weir_types::Position {
    fn from(span: Span) -> Self {
        Self {
            line: span.line,
            column: span.column,
        }
    }
}

/// A name in stored form.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Ident {
    /// Upper-cased unless quoted.
    pub name: String,
    /// Whether it was quoted.
    pub quoted: bool,
    /// Where it stands.
    pub span: Span,
}

/// A type as written: a built-in one, or the name of a custom type not yet resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TypeName {
    /// A type without custom parts.
    Sql(SqlType),
    /// A custom type.
    Custom(Ident),
    /// ARRAY of a type with custom parts.
    Array(Box<TypeName>),
    /// MAP with custom parts.
    Map(Box<TypeName>, Box<TypeName>),
    /// STRUCT with custom parts.
    Struct(Vec<(String, TypeName)>),
}

/// A literal.
#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    /// NULL.
    Null,
    /// TRUE, FALSE.
    Boolean(bool),
    /// Fits 32 bits.
    Integer(i32),
    /// Fits 64 bits.
    Bigint(i64),
    /// With a point, no exponent: the digits as written, one zero at least before the point,
    /// sign included where it was folded in.
    Decimal(String),
    /// With an exponent.
    Double(f64),
    /// `'…'`, unescaped.
    String(String),
}

/// Binary operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BinaryOp {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `%`
    Modulo,
    /// `||`
    Concat,
    /// `=`
    Eq,
    /// `<>` or `!=`
    NotEq,
    /// `<`
    Lt,
    /// `<=`
    LtEq,
    /// `>`
    Gt,
    /// `>=`
    GtEq,
    /// `IS DISTINCT FROM`
    IsDistinctFrom,
    /// `IS NOT DISTINCT FROM`
    IsNotDistinctFrom,
    /// `AND`
    And,
    /// `OR`
    Or,
}

/// Units of windows and of date arithmetic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TimeUnit {
    /// DAY[S]
    Days,
    /// HOUR[S]
    Hours,
    /// MINUTE[S]
    Minutes,
    /// SECOND[S]
    Seconds,
    /// MILLISECOND[S]
    Milliseconds,
}

impl TimeUnit {
    /// Milliseconds in one unit.
    pub fn millis(self) -> i64 {
        match self {
            Self::Days => 86_400_000,
            Self::Hours => 3_600_000,
            Self::Minutes => 60_000,
            Self::Seconds => 1_000,
            Self::Milliseconds => 1,
        }
    }

    /// The word as ksqlDB prints it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Days => "DAYS",
            Self::Hours => "HOURS",
            Self::Minutes => "MINUTES",
            Self::Seconds => "SECONDS",
            Self::Milliseconds => "MILLISECONDS",
        }
    }
}

/// `n unit`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TimeSpan {
    /// Count.
    pub amount: i64,
    /// Unit.
    pub unit: TimeUnit,
}

impl TimeSpan {
    /// In milliseconds, saturating.
    pub fn millis(self) -> i64 {
        self.amount.saturating_mul(self.unit.millis())
    }
}

/// An expression with its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Where it stands.
    pub span: Span,
}

/// Expressions (spec/sql.md §6).
#[derive(Debug, Clone, PartialEq)]
pub enum ExprKind {
    /// A literal.
    Literal(Literal),
    /// `column` or `source.column`; also a lambda parameter, and the bare words DAYS, HOURS… as
    /// arguments (the analysis tells them apart).
    Column {
        /// The qualifier.
        source: Option<Ident>,
        /// The column.
        name: Ident,
    },
    /// `*` as an argument of COUNT.
    Star,
    /// `a op b`.
    Binary {
        /// The operator.
        op: BinaryOp,
        /// Left operand.
        left: Box<Expr>,
        /// Right operand.
        right: Box<Expr>,
    },
    /// `NOT x`.
    Not(Box<Expr>),
    /// `-x` (of a literal: folded into it).
    Negate(Box<Expr>),
    /// `+x`.
    Plus(Box<Expr>),
    /// `x IS [NOT] NULL`.
    IsNull {
        /// The operand.
        expr: Box<Expr>,
        /// NOT given.
        negated: bool,
    },
    /// `x [NOT] BETWEEN low AND high`.
    Between {
        /// The operand.
        expr: Box<Expr>,
        /// NOT given.
        negated: bool,
        /// Lower bound, inclusive.
        low: Box<Expr>,
        /// Upper bound, inclusive.
        high: Box<Expr>,
    },
    /// `x [NOT] IN (…)`.
    In {
        /// The operand.
        expr: Box<Expr>,
        /// NOT given.
        negated: bool,
        /// The list, not empty.
        list: Vec<Expr>,
    },
    /// `x [NOT] LIKE p [ESCAPE 'c']`.
    Like {
        /// The operand.
        expr: Box<Expr>,
        /// NOT given.
        negated: bool,
        /// The pattern.
        pattern: Box<Expr>,
        /// The escape text as written.
        escape: Option<String>,
    },
    /// `CASE WHEN … THEN … [ELSE …] END`, or with an operand after CASE (refused by analysis).
    Case {
        /// `CASE x`.
        operand: Option<Box<Expr>>,
        /// Conditions with results.
        branches: Vec<(Expr, Expr)>,
        /// ELSE.
        otherwise: Option<Box<Expr>>,
    },
    /// `CAST(x AS type)`.
    Cast {
        /// The operand.
        expr: Box<Expr>,
        /// The target.
        target: TypeName,
    },
    /// `f(args)`, lambdas among the last ones.
    Call {
        /// Name, upper-cased unless quoted.
        function: Ident,
        /// The arguments.
        args: Vec<Expr>,
    },
    /// `x => body`, `(x, y) => body`.
    Lambda {
        /// Parameters.
        params: Vec<Ident>,
        /// Body.
        body: Box<Expr>,
    },
    /// `ARRAY[…]`.
    Array(Vec<Expr>),
    /// `MAP(k := v, …)`.
    Map(Vec<(Expr, Expr)>),
    /// `STRUCT(f := v, …)`.
    Struct(Vec<(Ident, Expr)>),
    /// `base[index]`.
    Subscript {
        /// Array or map.
        base: Box<Expr>,
        /// Index or key.
        index: Box<Expr>,
    },
    /// `base->field`.
    Field {
        /// A struct.
        base: Box<Expr>,
        /// The field.
        field: Ident,
    },
    /// `x AT TIME ZONE 'z'`: in the grammar, refused by analysis.
    AtTimeZone(Box<Expr>, Box<Expr>),
}

/// One entry of a SELECT list.
#[derive(Debug, Clone, PartialEq)]
pub enum SelectItem {
    /// `*`
    Star(Span),
    /// `source.*`
    QualifiedStar(Ident),
    /// `struct->*`
    StructStar(Expr),
    /// `expr [AS alias]`
    Expr {
        /// The expression.
        expr: Expr,
        /// The alias.
        alias: Option<Ident>,
    },
}

/// A source in FROM or JOIN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceRef {
    /// Name of a stream or table.
    pub name: Ident,
    /// Alias.
    pub alias: Option<Ident>,
}

/// Kinds of joins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JoinKind {
    /// [INNER] JOIN
    Inner,
    /// LEFT [OUTER] JOIN
    Left,
    /// RIGHT [OUTER] JOIN
    Right,
    /// FULL [OUTER] JOIN
    Full,
}

/// WITHIN of a stream-stream join.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Within {
    /// How much earlier a right record may be.
    pub before: TimeSpan,
    /// How much later a right record may be.
    pub after: TimeSpan,
    /// Whether two numbers were given: `(before, after)`.
    pub asymmetric: bool,
    /// GRACE PERIOD.
    pub grace: Option<TimeSpan>,
}

/// One JOIN clause.
#[derive(Debug, Clone, PartialEq)]
pub struct Join {
    /// Kind.
    pub kind: JoinKind,
    /// The source joined.
    pub source: SourceRef,
    /// WITHIN.
    pub within: Option<Within>,
    /// ON.
    pub on: Expr,
    /// Where the clause stands.
    pub span: Span,
}

/// A WINDOW clause (spec/sql.md §8).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// Shape of the windows.
    pub shape: WindowShape,
    /// RETENTION.
    pub retention: Option<TimeSpan>,
    /// GRACE PERIOD.
    pub grace: Option<TimeSpan>,
    /// Where the clause stands.
    pub span: Span,
}

/// Shape of the windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WindowShape {
    /// TUMBLING (SIZE n u)
    Tumbling(TimeSpan),
    /// HOPPING (SIZE n u, ADVANCE BY n u)
    Hopping {
        /// SIZE
        size: TimeSpan,
        /// ADVANCE BY
        advance: TimeSpan,
    },
    /// SESSION (n u)
    Session(TimeSpan),
}

/// EMIT clause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Emit {
    /// EMIT CHANGES
    Changes,
    /// EMIT FINAL
    Final,
}

/// A SELECT (spec/sql.md §2.5).
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// The SELECT list.
    pub select: Vec<SelectItem>,
    /// FROM.
    pub from: SourceRef,
    /// JOINs, left-deep.
    pub joins: Vec<Join>,
    /// WINDOW.
    pub window: Option<Window>,
    /// WHERE.
    pub filter: Option<Expr>,
    /// GROUP BY; empty if there is none.
    pub group_by: Vec<Expr>,
    /// PARTITION BY; empty if there is none.
    pub partition_by: Vec<Expr>,
    /// HAVING.
    pub having: Option<Expr>,
    /// EMIT.
    pub emit: Option<Emit>,
    /// LIMIT.
    pub limit: Option<i64>,
    /// Where it stands.
    pub span: Span,
}

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
        /// Id, upper-cased.
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
        /// Name, case kept.
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
