//! A case for the HTTP API: statements, records, then queries whose rows are compared.
//!
//! ```text
//!  empty server ─► topics ─► statements (one request) ─► inputs ─► queries, until all rows agree
//!                                └─ the refusal, where one is expected        └─► output topics
//! ```
//!
//! A pull query sees what persistent queries have written by then, so queries are asked again until
//! their answers agree or time is up. A push query is asked once; where the case says so, its inputs
//! come when its header has. The sources' schemas, needed to write the inputs, come from a session of
//! the conformance runner that executes the same statements.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Map, Value, json};
use weir_conformance::case::{self, Case};
use weir_conformance::driver::{Stored, Topics};
use weir_conformance::run;
use weir_conformance::session::Session;
use weir_test_support::Looks;

use crate::http1;
use crate::kafka;
use crate::proto;
use crate::report::Report;
use crate::scenario::{clean, http1_request};
use crate::server::Server;

const JSON: &str = "application/json";
const PROTOBUF: &str = "application/vnd.ksql.v1+protobuf";

/// Partitions of a topic that a case does not describe.
const PARTITIONS: u64 = 4;

/// How long queries may take to see every input.
const PATIENCE: Duration = Duration::from_secs(6);

/// How long a whole case may take.
const LIMIT: Duration = Duration::from_secs(40);

/// Servers by the properties that cases ask of them. They write every change at once, as the
/// recorded ones did.
pub(crate) struct Servers {
    binary: PathBuf,
    running: BTreeMap<Vec<String>, Server>,
}

impl Servers {
    /// None yet.
    pub(crate) fn new(binary: &Path) -> Self {
        Self {
            binary: binary.to_owned(),
            running: BTreeMap::new(),
        }
    }

    /// The server with the `ksql.` properties of a case, and with those that a file is about.
    fn for_case(&mut self, file: &str, case: &Case) -> Result<&Server, String> {
        let mut properties = vec!["ksql.streams.cache.max.bytes.buffering=0".to_owned()];
        if file.starts_with("scalable-push") {
            properties.push("ksql.query.push.v2.registry.installed=true".to_owned());
            properties.push("ksql.query.push.v2.enabled=true".to_owned());
        }
        for (name, value) in case.properties.iter().filter(|(name, _)| of_server(name)) {
            let value = value.as_str().map_or(value.to_string(), str::to_owned);
            properties.push(format!("{name}={value}"));
        }
        Ok(match self.running.entry(properties) {
            Entry::Occupied(running) => running.into_mut(),
            Entry::Vacant(missing) => {
                let server = Server::start(&self.binary, missing.key())?;
                missing.insert(server)
            }
        })
    }

    /// Ends them all.
    pub(crate) fn stop(self) {
        self.running.into_values().for_each(Server::stop);
    }
}

/// Whether a property is the server's rather than a request's.
fn of_server(name: &str) -> bool {
    name.starts_with("ksql.")
}

/// Plays the cases of one file.
pub(crate) async fn play(
    path: &Path,
    servers: &mut Servers,
    report: &mut Report,
) -> Result<(), String> {
    let file = path
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    for case in case::load(path)? {
        let server = servers.for_case(&file, &case)?;
        let result = tokio::time::timeout(LIMIT, play_one(&case, server))
            .await
            .unwrap_or_else(|_| Err(format!("no end after {LIMIT:?}")));
        report.count(&file, &format!("{file}: {}", case.name.trim()), result);
    }
    Ok(())
}

async fn play_one(case: &Case, server: &Server) -> Result<(), String> {
    clean(server).await?;
    let (queries, statements): (Vec<&String>, Vec<&String>) =
        case.statements.iter().partition(|text| is_query(text));
    let mut session = Session::new(case, 1);
    for statement in &statements {
        // What it does not know (INSERT VALUES) or refuses is the server's to answer.
        let _ = session.execute(statement);
    }
    make_topics(case, &session, server).await?;

    let text: Vec<&str> = statements.iter().map(|s| s.as_str()).collect();
    let answer = Answer::of(server, "/ksql", &text.join("\n"), &case.properties).await?;
    if queries.is_empty()
        && let Some(expected) = &case.expected_error
    {
        return refused(expected, &answer);
    }
    let entities = answer.entities()?;
    let admin = case.responses.iter().filter_map(|r| r.get("admin"));
    for (expected, actual) in admin.zip(&entities) {
        contains(expected, actual, "entity")?;
    }

    let inputs = case
        .inputs
        .iter()
        .map(|input| {
            let mut record = run::stored(input, &session)?;
            // The client takes 0 for now.
            record.timestamp = input.timestamp.unwrap_or(0).max(1);
            Ok((input.topic.clone(), record))
        })
        .collect::<Result<Vec<_>, String>>()?;
    if !case.inputs_after_push {
        kafka::produce_stored(&server.bootstrap(), &inputs)?;
    }
    ask(case, &queries, &inputs, server).await?;
    written(case, &session, server).await
}

fn is_query(statement: &str) -> bool {
    statement
        .trim_start()
        .get(..6)
        .is_some_and(|word| word.eq_ignore_ascii_case("select"))
}

/// Makes the topics that the case describes, and those that its sources read: with the partitions
/// that the source's statement names, and with no cleaning that would refuse an input.
async fn make_topics(case: &Case, session: &Session, server: &Server) -> Result<(), String> {
    let mut wanted: BTreeMap<String, u64> = BTreeMap::new();
    for input in &case.inputs {
        wanted.insert(input.topic.clone(), PARTITIONS);
    }
    for statement in &case.statements {
        let upper = statement.to_uppercase();
        if upper.contains(" AS SELECT") {
            continue;
        }
        let partitions = upper.split_once("PARTITIONS").and_then(|(_, rest)| {
            let digits = rest.trim_start_matches([' ', '=']);
            let end = digits.find(|c: char| !c.is_ascii_digit());
            digits.get(..end.unwrap_or(digits.len()))?.parse().ok()
        });
        for source in session.catalog.sources() {
            if statement.contains(&format!("'{}'", source.topic)) {
                wanted.insert(source.topic.clone(), partitions.unwrap_or(PARTITIONS));
            }
        }
    }
    for topic in &case.topics {
        if let Some(name) = topic["name"].as_str() {
            let partitions = topic["partitions"].as_u64().unwrap_or(PARTITIONS);
            wanted.insert(name.to_owned(), partitions);
        }
    }
    for (topic, partitions) in wanted {
        let step = json!({ "topic": topic, "partitions": partitions });
        kafka::create_topic(&server.bootstrap(), &step).await?;
    }
    Ok(())
}

/// Asks the queries until every answer agrees.
async fn ask(
    case: &Case,
    queries: &[&String],
    inputs: &[(String, Stored)],
    server: &Server,
) -> Result<(), String> {
    let of = |kind: &str| -> Vec<&Value> {
        let responses = case.responses.iter();
        responses
            .filter_map(|response| response.get(kind))
            .collect()
    };
    let (expected, messages) = (of("query"), of("queryProto"));
    let looks = Looks::within(PATIENCE).every(Duration::from_millis(50));
    loop {
        let mut difference = None;
        for (at, query) in queries.iter().enumerate() {
            let late = case.inputs_after_push.then_some(inputs);
            let answer = Answer::of_query(server, query, JSON, &case.properties, late).await?;
            let mut result = match (&case.expected_error, expected.get(at)) {
                (Some(error), _) if at + 1 == queries.len() => refused(error, &answer),
                (_, Some(rows)) => {
                    let pushed = query.to_uppercase().contains("EMIT CHANGES");
                    answer
                        .entities()
                        .and_then(|actual| same(rows, &actual, pushed))
                }
                _ => Ok(()),
            };
            if result.is_ok()
                && let Some(rows) = messages.get(at)
            {
                let answer =
                    Answer::of_query(server, query, PROTOBUF, &case.properties, None).await?;
                let actual = answer.entities().and_then(|rows| proto::as_text(&rows));
                result = actual.and_then(|actual| same(rows, &actual, false));
            }
            if let Err(error) = result {
                difference = Some(format!("{query}\n{error}"));
                break;
            }
        }
        match difference {
            None => return Ok(()),
            Some(difference) => match looks.pause() {
                Some(pause) if !case.inputs_after_push => tokio::time::sleep(pause).await,
                _ => return Err(difference),
            },
        }
    }
}

/// Compares what the output topics hold, where the case says so.
async fn written(case: &Case, session: &Session, server: &Server) -> Result<(), String> {
    let Some(outputs) = &case.outputs else {
        return Ok(());
    };
    let looks = Looks::within(PATIENCE).every(Duration::from_millis(50));
    loop {
        let mut topics = Topics::new();
        for output in outputs {
            if !topics.contains_key(&output.topic) {
                let records = kafka::read(&server.bootstrap(), &output.topic).await?;
                topics.insert(output.topic.clone(), records);
            }
        }
        match run::outputs(case, session, &topics) {
            Ok(()) => return Ok(()),
            Err(error) => match looks.pause() {
                Some(pause) => tokio::time::sleep(pause).await,
                None => return Err(error),
            },
        }
    }
}

/// The answer to one request.
struct Answer {
    status: Option<u16>,
    body: String,
}

impl Answer {
    async fn of(
        server: &Server,
        path: &str,
        sql: &str,
        properties: &Map<String, Value>,
    ) -> Result<Self, String> {
        let mut exchange = start(server, path, sql, JSON, properties).await?;
        while exchange.next().await? {}
        Ok(Self {
            status: exchange.response.status,
            body: exchange.response.body(),
        })
    }

    /// Asks a query for rows of that media type; `late` are records to write once its header is there.
    async fn of_query(
        server: &Server,
        sql: &str,
        accept: &str,
        properties: &Map<String, Value>,
        late: Option<&[(String, Stored)]>,
    ) -> Result<Self, String> {
        let mut exchange = start(server, "/query", sql, accept, properties).await?;
        let mut late = late;
        loop {
            let more = exchange.next().await;
            let body = || exchange.response.body();
            if !more.map_err(|error| format!("{error} after {}", body()))? {
                break;
            }
            if exchange.response.body().contains("\"header\"")
                && let Some(inputs) = late.take()
            {
                kafka::produce_stored(&server.bootstrap(), inputs)?;
            }
        }
        Ok(Self {
            status: exchange.response.status,
            body: exchange.response.body(),
        })
    }

    /// The entities or rows of an answer that is no refusal.
    fn entities(&self) -> Result<Vec<Value>, String> {
        if self.status != Some(200) {
            return Err(format!("status {:?}: {}", self.status, self.body));
        }
        if self.body.trim().is_empty() {
            return Ok(Vec::new());
        }
        serde_json::from_str(&self.body).map_err(|error| format!("{error}: {}", self.body))
    }
}

async fn start(
    server: &Server,
    path: &str,
    sql: &str,
    accept: &str,
    properties: &Map<String, Value>,
) -> Result<http1::Exchange, String> {
    let mut overrides = properties.clone();
    overrides.retain(|name, _| !of_server(name));
    overrides
        .entry("auto.offset.reset")
        .or_insert_with(|| json!("earliest"));
    let body = json!({ "ksql": sql, "streamsProperties": overrides }).to_string();
    let headers = vec![
        ("Content-Type".to_owned(), JSON.to_owned()),
        ("Accept".to_owned(), accept.to_owned()),
    ];
    let request = http1_request("POST", path, &server.host(), "1.1", &headers, Some(&body));
    http1::Exchange::start(&server.host(), &request).await
}

/// Whether an answer is the refusal that was expected: its status and its class.
fn refused(expected: &Value, answer: &Answer) -> Result<(), String> {
    let status = answer.status.map(u64::from);
    let as_expected = match expected["status"].as_u64() {
        Some(code) => status == Some(code),
        None => status.is_some_and(|code| code >= 400),
    };
    if !as_expected {
        return Err(format!(
            "status {status:?} instead of a refusal: {expected}\n{}",
            answer.body
        ));
    }
    let of_statement = match expected["type"].as_str() {
        Some(name) => name.ends_with("KsqlStatementErrorMessage"),
        None => return Ok(()),
    };
    let actual: Value = serde_json::from_str(&answer.body).map_err(|e| e.to_string())?;
    // An error of a statement is an error, too.
    match actual["@type"].as_str() {
        Some("statement_error") => Ok(()),
        Some("generic_error") if !of_statement => Ok(()),
        kind => Err(format!("{kind:?} instead of {expected}: {}", answer.body)),
    }
}

/// Compares what a query answered. Rows of a pull query come partition by partition, in no order
/// that the cases hold to.
fn same(expected: &Value, actual: &[Value], in_order: bool) -> Result<(), String> {
    let sorted = |rows: &[Value]| {
        let mut rows = rows.to_vec();
        if !in_order {
            rows.sort_by_key(|row| row["row"].to_string());
        }
        rows
    };
    let expected = &sorted(expected.as_array().map_or(&[][..], Vec::as_slice))[..];
    let actual = &sorted(actual)[..];
    let shown = |rows: &[Value]| {
        rows.iter()
            .map(Value::to_string)
            .collect::<Vec<_>>()
            .join("\n    ")
    };
    let differ = |why: String| {
        format!(
            "{why}\n  expected\n    {}\n  actual\n    {}",
            shown(expected),
            shown(actual)
        )
    };
    if expected.len() != actual.len() {
        let why = format!("{} parts instead of {}", actual.len(), expected.len());
        return Err(differ(why));
    }
    for (expected, actual) in expected.iter().zip(actual) {
        contains(expected, actual, "row").map_err(&differ)?;
    }
    Ok(())
}

/// Whether every member of `expected` is in `actual`; `name|starts_with` names a beginning.
fn contains(expected: &Value, actual: &Value, what: &str) -> Result<(), String> {
    let Value::Object(members) = expected else {
        return match expected == actual {
            true => Ok(()),
            false => Err(format!("{what}: {actual} instead of {expected}")),
        };
    };
    for (name, expected) in members {
        match name.split_once('|') {
            Some((name, "starts_with")) => {
                let begins = actual[name].as_str().zip(expected.as_str());
                if !begins.is_some_and(|(actual, start)| actual.starts_with(start)) {
                    return Err(format!("{name}: {} instead of {expected}…", actual[name]));
                }
            }
            _ => contains(expected, &actual[name.as_str()], name)?,
        }
    }
    Ok(())
}
