//! Statements and queries.

use weir_types::ident;

use super::expression::{print_expr, print_literal};
use super::{join, print_ident, print_name, print_string, print_type};
use crate::ast::{
    ColumnConstraint, ColumnDef, CreateAs, CreateSource, Emit, Join, JoinKind, Literal, Properties,
    Query, QueryTarget, SelectItem, SourceKind, SourceRef, Statement, TimeSpan, Window,
    WindowShape, Within,
};

/// The text of a statement with its semicolon.
pub fn print_statement(statement: &Statement) -> String {
    format!("{};", body(statement))
}

/// An INSERT … VALUES with every value hidden, as errors and logs show it; `columns` are those of
/// the statement, or the target's where it names none.
pub fn mask_insert_values(target: &str, columns: &[String], values: usize) -> String {
    let columns = if columns.is_empty() {
        String::new()
    } else {
        format!(" ({})", join(columns, |c| ident::quoted(c)))
    };
    let hidden = vec!["'[value]'"; values].join(", ");
    format!(
        "INSERT INTO {}{columns} VALUES ({hidden});",
        ident::quoted(target)
    )
}

/// A CREATE CONNECTOR whose property values are hidden, but for the class: they hold passwords.
/// Other statements are printed as they are.
pub fn mask_connector(statement: &Statement) -> String {
    let mut masked = statement.clone();
    if let Statement::CreateConnector { with, .. } = &mut masked {
        let secret = with.0.iter_mut().filter(|p| p.name != "connector.class");
        secret.for_each(|p| p.value = Literal::String("[string]".to_owned()));
    }
    print_statement(&masked)
}

fn body(statement: &Statement) -> String {
    match statement {
        Statement::CreateSource(create) => create_source(create),
        Statement::CreateAs(create) => create_as(create),
        Statement::InsertSelect {
            target,
            with,
            query,
        } => {
            format!(
                "INSERT INTO {}{} {}",
                print_ident(target),
                with_clause(with),
                print_query(query)
            )
        }
        Statement::InsertValues {
            target,
            columns,
            values,
        } => {
            let columns = if columns.is_empty() {
                String::new()
            } else {
                format!(" ({})", join(columns, print_ident))
            };
            let values = join(values, print_expr);
            format!(
                "INSERT INTO {}{columns} VALUES ({values})",
                print_ident(target)
            )
        }
        Statement::Query(query) => print_query(query),
        Statement::Print {
            topic,
            from_beginning,
            interval,
            limit,
        } => format!(
            "PRINT {}{}{}{}",
            print_string(topic),
            flag(*from_beginning, "FROM BEGINNING"),
            option(interval, |n| format!("INTERVAL {n}")),
            option(limit, |n| format!("LIMIT {n}")),
        ),
        Statement::DropSource {
            kind,
            if_exists,
            name,
            delete_topic,
        } => format!(
            "DROP {}{} {}{}",
            word(*kind),
            flag(*if_exists, "IF EXISTS"),
            print_ident(name),
            flag(*delete_topic, "DELETE TOPIC"),
        ),
        Statement::AlterSource { kind, name, add } => {
            let add = join(add, |c| format!("ADD COLUMN {}", column(c)));
            format!("ALTER {} {} {add}", word(*kind), print_ident(name))
        }
        Statement::AlterSystem { name, value } => {
            format!(
                "ALTER SYSTEM {}={}",
                print_string(name),
                print_string(value)
            )
        }
        Statement::CreateType {
            if_not_exists,
            name,
            type_name,
        } => format!(
            "CREATE TYPE{} {} AS {}",
            flag(*if_not_exists, "IF NOT EXISTS"),
            print_ident(name),
            print_type(type_name),
        ),
        Statement::DropType { if_exists, name } => {
            format!(
                "DROP TYPE{} {}",
                flag(*if_exists, "IF EXISTS"),
                print_ident(name)
            )
        }
        Statement::Terminate(target) => format!("TERMINATE {}", query_target(target)),
        Statement::Pause(target) => format!("PAUSE {}", query_target(target)),
        Statement::Resume(target) => format!("RESUME {}", query_target(target)),
        Statement::ExplainQuery { id } => format!("EXPLAIN {}", print_name(id)),
        Statement::ExplainStatement { statement, .. } => format!("EXPLAIN {}", body(statement)),
        Statement::Set { name, value } => {
            format!("SET {}={}", print_string(name), print_string(value))
        }
        Statement::Unset { name } => format!("UNSET {}", print_string(name)),
        Statement::Define { name, value } => format!("DEFINE {name}={}", print_string(value)),
        Statement::Undefine { name } => format!("UNDEFINE {name}"),
        Statement::AssertTopic {
            not_exists,
            topic,
            with,
            timeout,
        } => format!(
            "ASSERT{} TOPIC {}{}{}",
            flag(*not_exists, "NOT EXISTS"),
            print_string(topic),
            with_clause(with),
            option(timeout, |t| format!("TIMEOUT {}", time(*t))),
        ),
        Statement::AssertSchema {
            not_exists,
            subject,
            id,
            timeout,
        } => format!(
            "ASSERT{} SCHEMA{}{}{}",
            flag(*not_exists, "NOT EXISTS"),
            option(subject, |s| format!("SUBJECT {}", print_string(s))),
            option(id, |id| format!("ID {id}")),
            option(timeout, |t| format!("TIMEOUT {}", time(*t))),
        ),
        Statement::CreateConnector {
            scope,
            if_not_exists,
            name,
            with,
        } => format!(
            "CREATE {scope} CONNECTOR{} {} WITH ({})",
            flag(*if_not_exists, "IF NOT EXISTS"),
            print_ident(name),
            join(&with.0, |p| format!(
                "{}={}",
                print_string(&p.name),
                print_literal(&p.value)
            )),
        ),
        Statement::DropConnector { if_exists, name } => {
            format!(
                "DROP CONNECTOR{} {}",
                flag(*if_exists, "IF EXISTS"),
                print_ident(name)
            )
        }
        listing => list_or_describe(listing),
    }
}

/// The statements that only show something.
fn list_or_describe(statement: &Statement) -> String {
    let extended = |extended: &bool| flag(*extended, "EXTENDED");
    match statement {
        Statement::ListStreams { extended: e } => format!("LIST STREAMS{}", extended(e)),
        Statement::ListTables { extended: e } => format!("LIST TABLES{}", extended(e)),
        Statement::ListTopics { all, extended: e } => {
            format!("LIST{} TOPICS{}", flag(*all, "ALL"), extended(e))
        }
        Statement::ListQueries { extended: e } => format!("LIST QUERIES{}", extended(e)),
        Statement::ListProperties => "LIST PROPERTIES".to_owned(),
        Statement::ListFunctions => "LIST FUNCTIONS".to_owned(),
        Statement::ListTypes => "LIST TYPES".to_owned(),
        Statement::ListVariables => "LIST VARIABLES".to_owned(),
        Statement::ListConnectors { scope } => {
            format!("LIST{} CONNECTORS", option(scope, |s| (*s).to_owned()))
        }
        Statement::ListConnectorPlugins => "LIST CONNECTOR PLUGINS".to_owned(),
        Statement::DescribeSource { name, extended: e } => {
            format!("DESCRIBE {}{}", print_ident(name), extended(e))
        }
        Statement::DescribeStreams { extended: e } => format!("DESCRIBE STREAMS{}", extended(e)),
        Statement::DescribeTables { extended: e } => format!("DESCRIBE TABLES{}", extended(e)),
        Statement::DescribeFunction { name } => format!("DESCRIBE FUNCTION {}", print_ident(name)),
        Statement::DescribeConnector { name } => {
            format!("DESCRIBE CONNECTOR {}", print_ident(name))
        }
        _ => String::new(),
    }
}

fn create_source(create: &CreateSource) -> String {
    let columns = if create.columns.is_empty() {
        String::new()
    } else {
        format!(" ({})", join(&create.columns, column))
    };
    format!(
        "CREATE{}{} {}{} {}{columns}{}",
        flag(create.or_replace, "OR REPLACE"),
        flag(create.read_only, "SOURCE"),
        word(create.kind),
        flag(create.if_not_exists, "IF NOT EXISTS"),
        print_ident(&create.name),
        with_clause(&create.with),
    )
}

fn create_as(create: &CreateAs) -> String {
    format!(
        "CREATE{} {}{} {}{} AS {}",
        flag(create.or_replace, "OR REPLACE"),
        word(create.kind),
        flag(create.if_not_exists, "IF NOT EXISTS"),
        print_ident(&create.name),
        with_clause(&create.with),
        print_query(&create.query),
    )
}

fn column(column: &ColumnDef) -> String {
    let constraint = match &column.constraint {
        ColumnConstraint::None => String::new(),
        ColumnConstraint::Key => " KEY".to_owned(),
        ColumnConstraint::PrimaryKey => " PRIMARY KEY".to_owned(),
        ColumnConstraint::Headers => " HEADERS".to_owned(),
        ColumnConstraint::Header(key) => format!(" HEADER({})", print_string(key)),
    };
    format!(
        "{} {}{constraint}",
        print_ident(&column.name),
        print_type(&column.type_name)
    )
}

/// ` WITH (…)` with names sorted, or nothing.
fn with_clause(with: &Properties) -> String {
    if with.0.is_empty() {
        return String::new();
    }
    let mut sorted: Vec<(&str, &Literal)> =
        with.0.iter().map(|p| (p.name.as_str(), &p.value)).collect();
    sorted.sort_by_key(|(name, _)| *name);
    let properties = join(&sorted, |(name, value)| {
        let name = if ident::is_plain(name) {
            (*name).to_owned()
        } else {
            print_string(name)
        };
        format!("{name}={}", print_literal(value))
    });
    format!(" WITH ({properties})")
}

/// A query, one clause per line, without a final line break.
pub fn print_query(query: &Query) -> String {
    let mut text = "SELECT".to_owned();
    match query.select.as_slice() {
        [only] => text.push_str(&format!(" {}", select_item(only))),
        items => {
            for (i, item) in items.iter().enumerate() {
                let comma = if i == 0 { "" } else { "," };
                text.push_str(&format!("{comma}\n  {}", select_item(item)));
            }
        }
    }
    text.push_str(&format!("\nFROM {}", source_ref(&query.from)));
    for join in &query.joins {
        text.push_str(&format!("\n{}", join_clause(join)));
    }
    if let Some(window) = &query.window {
        text.push_str(&format!("\n{}", window_clause(window)));
    }
    if let Some(filter) = &query.filter {
        text.push_str(&format!("\nWHERE {}", print_expr(filter)));
    }
    if !query.group_by.is_empty() {
        text.push_str(&format!("\nGROUP BY {}", join(&query.group_by, print_expr)));
    }
    if !query.partition_by.is_empty() {
        text.push_str(&format!(
            "\nPARTITION BY {}",
            join(&query.partition_by, print_expr)
        ));
    }
    if let Some(having) = &query.having {
        text.push_str(&format!("\nHAVING {}", print_expr(having)));
    }
    match query.emit {
        Some(Emit::Changes) => text.push_str("\nEMIT CHANGES"),
        Some(Emit::Final) => text.push_str("\nEMIT FINAL"),
        None => {}
    }
    if let Some(limit) = query.limit {
        text.push_str(&format!("\nLIMIT {limit}"));
    }
    text
}

fn select_item(item: &SelectItem) -> String {
    match item {
        SelectItem::Star(_) => "*".to_owned(),
        SelectItem::QualifiedStar(source) => format!("{}.*", print_ident(source)),
        SelectItem::StructStar(base) => format!("{}->*", print_expr(base)),
        SelectItem::Expr {
            expr,
            alias: Some(alias),
        } => {
            format!("{} {}", print_expr(expr), print_ident(alias))
        }
        SelectItem::Expr { expr, alias: None } => print_expr(expr),
    }
}

fn source_ref(source: &SourceRef) -> String {
    let alias = source.alias.as_ref().unwrap_or(&source.name);
    format!("{} {}", print_ident(&source.name), print_ident(alias))
}

fn join_clause(join: &Join) -> String {
    let kind = match join.kind {
        JoinKind::Inner => "INNER",
        JoinKind::Left => "LEFT OUTER",
        JoinKind::Right => "RIGHT OUTER",
        JoinKind::Full => "FULL OUTER",
    };
    format!(
        "{kind} JOIN {}{} ON ({})",
        source_ref(&join.source),
        option(&join.within, within),
        print_expr(&join.on),
    )
}

fn within(within: &Within) -> String {
    let Within {
        before,
        after,
        grace,
        ..
    } = within;
    let spans = if before == after {
        time(*before)
    } else {
        format!("({}, {})", time(*before), time(*after))
    };
    format!(
        "WITHIN {spans}{}",
        option(grace, |g| format!("GRACE PERIOD {}", time(*g)))
    )
}

/// A window clause; ksqlDB leaves a blank behind it.
fn window_clause(window: &Window) -> String {
    let (word, mut parts) = match window.shape {
        WindowShape::Tumbling(size) => ("TUMBLING", vec![format!("SIZE {}", time(size))]),
        WindowShape::Hopping { size, advance } => (
            "HOPPING",
            vec![
                format!("SIZE {}", time(size)),
                format!("ADVANCE BY {}", time(advance)),
            ],
        ),
        WindowShape::Session(gap) => ("SESSION", vec![time(gap)]),
    };
    parts.extend(window.retention.map(|r| format!("RETENTION {}", time(r))));
    parts.extend(window.grace.map(|g| format!("GRACE PERIOD {}", time(g))));
    format!("WINDOW {word} ( {} ) ", parts.join(" , "))
}

fn time(span: TimeSpan) -> String {
    format!("{} {}", span.amount, span.unit.name())
}

fn query_target(target: &QueryTarget) -> String {
    match target {
        QueryTarget::All => "ALL".to_owned(),
        QueryTarget::Id(id) => print_name(id),
    }
}

fn word(kind: SourceKind) -> &'static str {
    match kind {
        SourceKind::Stream => "STREAM",
        SourceKind::Table => "TABLE",
    }
}

/// ` WORDS` or nothing.
fn flag(set: bool, words: &str) -> String {
    if set {
        format!(" {words}")
    } else {
        String::new()
    }
}

/// ` text` of a value, or nothing.
fn option<T>(value: &Option<T>, print: impl FnOnce(&T) -> String) -> String {
    value
        .as_ref()
        .map_or_else(String::new, |v| format!(" {}", print(v)))
}
