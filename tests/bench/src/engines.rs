//! The two engines as processes that run one query on a cluster, each with the settings of ksqlDB:
//! exactly-once, a commit every 2 s, 10 MB of record cache, 2 threads.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use weir_test_support::{Usage, WeirServer};

use crate::queries::Query;

/// How ksqlDB starts its Java.
const JVM: [&str; 4] = [
    "-Xmx3g",
    "-XX:+UseG1GC",
    "-XX:+ExplicitGCInvokesConcurrent",
    "-XX:NewRatio=1",
];

/// An engine that runs a query.
pub(crate) trait Engine {
    /// The consumer group whose offsets tell its progress; names of its internal topics begin
    /// with it.
    fn group(&self) -> &str;

    /// The topic that it writes.
    fn output(&self) -> &str;

    /// What its process has used.
    ///
    /// # Errors
    ///
    /// Its log, when it has ended.
    fn usage(&mut self) -> Result<Usage, String>;
}

/// A server of Weir.
pub(crate) struct Weir {
    server: WeirServer,
    group: String,
    output: String,
}

impl Weir {
    /// Starts a server, and the query in it. `run` tells this run from all others: offsets that a
    /// group has committed outlive its topics.
    pub(crate) fn start(
        query: &Query,
        bootstrap: &str,
        run: &str,
        settings: &[(String, String)],
    ) -> Result<Self, String> {
        let service = format!("bench_{run}_");
        let mut properties = vec![
            ("bootstrap.servers", bootstrap),
            ("ksql.service.id", &service),
            ("ksql.internal.topic.replicas", "1"),
            ("ksql.streams.num.stream.threads", "2"),
            ("ksql.streams.commit.interval.ms", "2000"),
            ("ksql.streams.cache.max.bytes.buffering", "10000000"),
        ];
        properties.extend(settings.iter().map(|(n, v)| (n.as_str(), v.as_str())));
        let server = WeirServer::start(&properties);
        let answer = server.http().ksql(&query.statements());
        let id = answer
            .as_array()
            .and_then(|all| all.last()?["commandStatus"]["queryId"].as_str())
            .ok_or_else(|| format!("no query was started: {answer}"))?;
        Ok(Self {
            group: format!("_confluent-ksql-{service}query_{id}"),
            output: query.name.to_ascii_uppercase(),
            server,
        })
    }
}

impl Engine for Weir {
    fn group(&self) -> &str {
        &self.group
    }

    fn output(&self) -> &str {
        &self.output
    }

    fn usage(&mut self) -> Result<Usage, String> {
        let usage = self.server.usage().filter(|u| u.threads > 0);
        usage.ok_or_else(|| format!("the server has ended:\n{}", self.server.log()))
    }
}

/// The program on Kafka Streams in `peer/`.
pub(crate) struct Peer {
    child: Child,
    group: String,
    output: String,
    dir: tempfile::TempDir,
}

/// Folder that `tests/setup.sh peer` fills.
fn peer_home() -> PathBuf {
    std::env::var_os("WEIR_PEER_HOME").map_or_else(
        || {
            let home = std::env::var_os("HOME").map_or_else(|| PathBuf::from("/"), PathBuf::from);
            home.join(".cache/weir/peer")
        },
        PathBuf::from,
    )
}

/// Whether the program was built.
pub(crate) fn peer_is_built() -> bool {
    peer_home().join("peer.jar").exists()
}

impl Peer {
    /// Topic that it writes, which has to be there.
    pub(crate) fn output_of(query: &Query) -> String {
        format!("out-{}", query.name)
    }

    /// Starts the program, for a run that is told from all others by `run`.
    pub(crate) fn start(query: &Query, bootstrap: &str, run: &str) -> Result<Self, String> {
        let dir = tempfile::tempdir().map_err(|e| e.to_string())?;
        let home = peer_home();
        let (group, output) = (format!("peer-{run}"), Self::output_of(query));
        let log = File::create(dir.path().join("log")).map_err(|e| e.to_string())?;
        let class_path = format!("{}/peer.jar:{}/libs/*", home.display(), home.display());
        let child = Command::new("java")
            .args(JVM)
            .arg(format!("-Djava.io.tmpdir={}", dir.path().display()))
            .arg("-Dorg.slf4j.simpleLogger.defaultLogLevel=error")
            .args(["-cp", &class_path, "weir.bench.Peer", query.name, bootstrap])
            .args([group.as_str(), &output])
            .arg(dir.path().join("state"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .map_err(|e| format!("java does not start ({e}): run tests/setup.sh peer"))?;
        Ok(Self {
            child,
            group,
            output,
            dir,
        })
    }

    fn log(&self) -> String {
        read(&self.dir.path().join("log"))
    }
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

impl Engine for Peer {
    fn group(&self) -> &str {
        &self.group
    }

    fn output(&self) -> &str {
        &self.output
    }

    fn usage(&mut self) -> Result<Usage, String> {
        if let Ok(Some(status)) = self.child.try_wait() {
            return Err(format!("Kafka Streams ended ({status}):\n{}", self.log()));
        }
        Usage::of(self.child.id()).ok_or_else(|| "Kafka Streams has ended".to_owned())
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // Its state goes with its folder: there is nothing to close in order.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
