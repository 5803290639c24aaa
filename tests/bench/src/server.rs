//! What a server costs beside the records: its start, its idleness, statements, idle queries, and
//! pull queries. Idle queries are measured on Apache Kafka, so that what topics cost a broker is not
//! in the process; all else with the embedded broker.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

use serde_json::json;
use weir_test_support::{ApacheKafka, Http, Topics, Usage, WeirServer, pause, wait_until};

use crate::report::ServerFigure;
use crate::say;

const LIMIT: Duration = Duration::from_secs(60);
/// How long an idle server is watched.
const IDLE: Duration = Duration::from_secs(10);
const FILTERS: usize = 100;
/// Keys of the table that is pulled from.
const KEYS: usize = 10_000;
const PULLS: usize = 20_000;
/// How often so many pull queries are measured.
const ROUNDS: usize = 5;

fn usage(server: &WeirServer) -> Usage {
    server.usage().unwrap_or_default()
}

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// From start to the first answer, and at rest.
    Start,
    /// CREATE AS on Apache Kafka, and a hundred idle filters.
    Filters,
    /// Pull queries.
    Pull,
}

impl Part {
    /// All, with the words that ask for them.
    pub(crate) const ALL: [(&'static str, Self); 3] = [
        ("start", Self::Start),
        ("filters", Self::Filters),
        ("pull", Self::Pull),
    ];
}

/// The figures of these parts, on clusters of their own.
pub(crate) fn measure(parts: &[Part]) -> Vec<ServerFigure> {
    let mut figures = Vec::new();
    for part in parts {
        match part {
            Part::Start => figures.extend(embedded()),
            Part::Filters => figures.extend(filters(&ApacheKafka::start().bootstrap())),
            Part::Pull => figures.extend(pulls()),
        }
    }
    figures
}

/// From start to the first answer, and at rest.
fn embedded() -> Vec<ServerFigure> {
    say::step("start and idleness, embedded broker");
    let started = Instant::now();
    let server = WeirServer::start(&[]);
    let http = server.http();
    let list = json!({"ksql": "SHOW STREAMS;"});
    wait_until("an answer", LIMIT, || {
        http.post("/ksql", &list).is_ok_and(|a| a.status == 200)
    });
    let first = started.elapsed().as_secs_f64();
    let statements: Vec<f64> = (0..20)
        .map(|n| {
            if n == 0 {
                http.ksql(
                    "CREATE STREAM s (k VARCHAR KEY, v INT) WITH (KAFKA_TOPIC='s', \
                     VALUE_FORMAT='JSON', PARTITIONS=4);",
                );
            }
            create(&http, n)
        })
        .collect();
    drop(server);
    // Another one, at which nothing was asked.
    let server = WeirServer::start(&[]);
    settle(&server);
    let before = usage(&server);
    pause(IDLE);
    let after = usage(&server);
    let cpu = (after.cpu_seconds - before.cpu_seconds) / IDLE.as_secs_f64();
    vec![
        ServerFigure {
            name: "start to first answer, embedded broker, s",
            value: first,
            bar: 1.0,
        },
        ServerFigure {
            name: "idle, embedded broker, MiB resident",
            value: after.resident_mib,
            bar: 100.0,
        },
        ServerFigure {
            name: "idle, embedded broker, % of a core",
            value: cpu * 100.0,
            bar: 1.0,
        },
        ServerFigure {
            name: "CREATE AS, embedded broker, median ms",
            value: median(statements),
            bar: 100.0,
        },
    ]
}

/// Threads for statements go when they had nothing to do for 10 s.
const THREADS_GO: Duration = Duration::from_secs(12);

/// Waits until the server does nothing: less than 2 % of a core for a second.
fn settle(server: &WeirServer) {
    let mut before = f64::NEG_INFINITY;
    wait_until("the server to be idle", LIMIT, || {
        pause(Duration::from_secs(1));
        let now = usage(server).cpu_seconds;
        let is_idle = now - before < 0.02;
        before = now;
        is_idle
    });
}

/// Makes the `n`th filter; milliseconds until the answer.
fn create(http: &Http, n: usize) -> f64 {
    let started = Instant::now();
    http.ksql(&format!(
        "CREATE STREAM f{n} AS SELECT * FROM s WHERE v > {n};"
    ));
    started.elapsed().as_secs_f64() * 1000.0
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// A hundred filters over one topic that nobody writes to.
fn filters(bootstrap: &str) -> Vec<ServerFigure> {
    say::step("a hundred idle filters");
    Topics::new(bootstrap).create("s", 4);
    let server = WeirServer::start(&[
        ("bootstrap.servers", bootstrap),
        ("ksql.service.id", "bench_filters_"),
        ("ksql.internal.topic.replicas", "1"),
    ]);
    let http = server.http();
    http.ksql(
        "CREATE STREAM s (k VARCHAR KEY, v INT) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON');",
    );
    // What the first query makes is there for all.
    create(&http, 0);
    settle(&server);
    pause(THREADS_GO);
    let before = usage(&server);
    let statements: Vec<f64> = (1..=FILTERS).map(|n| create(&http, n)).collect();
    settle(&server);
    pause(THREADS_GO);
    let after = usage(&server);
    vec![
        ServerFigure {
            name: "CREATE AS, Apache Kafka, median ms",
            value: median(statements),
            bar: 100.0,
        },
        ServerFigure {
            name: "100 idle filters over 4 partitions, MiB added",
            value: after.resident_mib - before.resident_mib,
            bar: 20.0,
        },
        ServerFigure {
            name: "100 idle filters over 4 partitions, threads added",
            value: after.threads as f64 - before.threads as f64,
            bar: 0.0,
        },
    ]
}

/// Pull queries by key: one after the other on one connection, where most of the cost is that of
/// waking a machine that rests in between; and from several clients at once.
fn pulls() -> [ServerFigure; 2] {
    say::step("pull queries");
    let server = WeirServer::start(&[]);
    let topics = Topics::new(server.bootstrap());
    topics.create("visits", 4);
    let http = server.http();
    http.ksql(
        "CREATE STREAM visits (k VARCHAR KEY, v INT) WITH (KAFKA_TOPIC='visits', \
         VALUE_FORMAT='JSON'); \
         CREATE TABLE counts AS SELECT k, COUNT(*) AS n, SUM(v) AS total FROM visits GROUP BY k;",
    );
    let records = (0..KEYS).map(|n| (key(n), format!("{{\"v\":{n}}}"), 0));
    topics.produce("visits", records);
    wait_until("the rows", LIMIT, || {
        let last = format!("SELECT n FROM counts WHERE k = '{}';", key(KEYS - 1));
        http.try_query(&last).is_ok_and(|rows| !rows.is_empty())
    });
    settle(&server);
    let figure = |name, clients| ServerFigure {
        name,
        value: pull_all(&server, clients).unwrap_or_else(|error| {
            say::line(&format!("pull queries: {error}"));
            f64::NAN
        }),
        bar: 40.0,
    };
    [
        figure("pull query by key, µs of server CPU", 1),
        figure("the same, of 8 clients at once", 8),
    ]
}

fn key(n: usize) -> String {
    format!("key_{n:06}")
}

/// Microseconds of the server's CPU for one query: the median of the rounds, since what else the
/// machine does between two queries (its other guests, if it is a virtual one) is in each.
fn pull_all(server: &WeirServer, clients: usize) -> io::Result<f64> {
    let mut connections = (0..clients)
        .map(|_| {
            let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, server.port()))?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(LIMIT))?;
            Ok(BufReader::new(stream))
        })
        .collect::<io::Result<Vec<_>>>()?;
    pull_round(&mut connections, PULLS / 10)?;
    let mut rounds = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let before = usage(server).cpu_seconds;
        pull_round(&mut connections, PULLS)?;
        rounds.push((usage(server).cpu_seconds - before) * 1e6 / PULLS as f64);
    }
    let shown: Vec<String> = rounds.iter().map(|round| format!("{round:.1}")).collect();
    say::line(&format!(
        "pull queries, {clients} at once, µs in each round: {}",
        shown.join(" ")
    ));
    rounds.sort_by(f64::total_cmp);
    Ok(rounds[ROUNDS / 2])
}

/// So many queries, each of which must find its row, divided among the connections.
fn pull_round(connections: &mut [BufReader<TcpStream>], queries: usize) -> io::Result<()> {
    let share = queries / connections.len();
    let ask = |connection: &mut BufReader<TcpStream>, first: usize| {
        for n in first..first + share {
            let key = key(n * 7919 % KEYS);
            let answer = pull(connection, &key)?;
            if !answer.contains(&format!("[\"{key}\",1,")) {
                return Err(io::Error::other(format!("{key}: {answer}")));
            }
        }
        Ok(())
    };
    std::thread::scope(|threads| {
        let clients: Vec<_> = connections
            .iter_mut()
            .enumerate()
            .map(|(i, connection)| threads.spawn(move || ask(connection, i * share)))
            .collect();
        clients.into_iter().try_for_each(|client| {
            client
                .join()
                .unwrap_or_else(|_| Err(io::Error::other("a client panicked")))
        })
    })
}

/// One query on a connection that stays.
fn pull(connection: &mut BufReader<TcpStream>, key: &str) -> io::Result<String> {
    let body = json!({"sql": format!("SELECT * FROM counts WHERE k = '{key}';")}).to_string();
    let request = format!(
        "POST /query-stream HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    connection.get_mut().write_all(request.as_bytes())?;
    let mut line = String::new();
    let mut length = None;
    loop {
        line.clear();
        connection.read_line(&mut line)?;
        let line = line.trim_end().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse::<usize>().ok();
        }
    }
    let mut answer = Vec::new();
    let mut read = |connection: &mut BufReader<TcpStream>, size: usize| {
        let start = answer.len();
        answer.resize(start + size, 0);
        connection.read_exact(answer.get_mut(start..).unwrap_or_default())
    };
    if let Some(length) = length {
        read(connection, length)?;
    } else {
        loop {
            line.clear();
            connection.read_line(&mut line)?;
            let size = usize::from_str_radix(line.trim(), 16).map_err(io::Error::other)?;
            // The chunk and its line end.
            read(connection, size + 2)?;
            if size == 0 {
                break;
            }
        }
    }
    String::from_utf8(answer).map_err(io::Error::other)
}
