//! The brokers that are measured, each a process of its own.

use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use weir_test_support::{ApacheKafka, Usage, free_port, pause};

/// Longest wait for a broker to answer.
const LIMIT: Duration = Duration::from_secs(120);

/// A broker that runs.
pub(super) trait Brokered {
    /// HOST:PORT.
    fn bootstrap(&self) -> String;
    /// What its process has used.
    fn usage(&self) -> Usage;
}

/// `weir broker` in a folder of its own.
pub(super) struct WeirBroker {
    child: Child,
    port: u16,
    options: Vec<String>,
    dir: tempfile::TempDir,
}

fn binary() -> PathBuf {
    std::env::var_os("WEIR_BIN").map_or_else(|| PathBuf::from("target/release/weir"), PathBuf::from)
}

impl WeirBroker {
    /// Starts it with these configs of the broker (`name=value`) and waits until it answers.
    pub(super) fn start(options: &[&str]) -> Result<Self, String> {
        let dir = tempfile::tempdir().map_err(|e| e.to_string())?;
        let port = free_port();
        let data = dir.path().join("data").display().to_string();
        let mut all: Vec<String> = ["broker", "--port", &port.to_string(), "--data", &data]
            .map(str::to_owned)
            .to_vec();
        all.extend(options.iter().map(|o| (*o).to_owned()));
        let child = spawn(&all)?;
        let mut broker = Self {
            child,
            port,
            options: all,
            dir,
        };
        broker.answers()?;
        Ok(broker)
    }

    /// SIGKILL, then a start in the same folder. Returns the time from that to the first answer.
    pub(super) fn kill_and_start(&mut self) -> Result<Duration, String> {
        self.child.kill().map_err(|e| e.to_string())?;
        self.child.wait().map_err(|e| e.to_string())?;
        let began = Instant::now();
        self.child = spawn(&self.options)?;
        self.answers()?;
        Ok(began.elapsed())
    }

    /// Waits until it listens, which it answers on from the first moment.
    fn answers(&mut self) -> Result<(), String> {
        let end = Instant::now() + LIMIT;
        while TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_err() {
            let ended = self.child.try_wait().map_err(|e| e.to_string())?;
            if let Some(status) = ended {
                return Err(format!("weir broker ended: {status}"));
            }
            if Instant::now() > end {
                return Err(format!("weir broker does not answer in {LIMIT:?}"));
            }
            pause(Duration::from_millis(5));
        }
        Ok(())
    }

    /// How many files it has open, and how many it has mapped.
    pub(super) fn files(&self) -> (usize, usize) {
        let pid = self.child.id();
        let open = std::fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count);
        let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).unwrap_or_default();
        let folder = self.dir.path().display().to_string();
        (open, maps.lines().filter(|l| l.contains(&folder)).count())
    }

    /// Bytes of the files with this ending in its folder, and how many there are.
    pub(super) fn stored(&self, ending: &str) -> (u64, usize) {
        let mut folders = vec![self.dir.path().to_path_buf()];
        let (mut bytes, mut count) = (0, 0);
        while let Some(folder) = folders.pop() {
            // Files may go while they are counted.
            for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                let path = entry.path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|e| e == ending) {
                    bytes += entry.metadata().map_or(0, |m| m.len());
                    count += 1;
                }
            }
        }
        (bytes, count)
    }
}

fn spawn(arguments: &[String]) -> Result<Child, String> {
    let program = binary();
    Command::new(&program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|e| format!("cannot start {} (WEIR_BIN): {e}", program.display()))
}

impl Brokered for WeirBroker {
    fn bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
    fn usage(&self) -> Usage {
        Usage::of(self.child.id()).unwrap_or_default()
    }
}

impl Drop for WeirBroker {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Apache Kafka.
pub(super) struct Kafka(ApacheKafka);

impl Kafka {
    pub(super) fn start() -> Self {
        Self(ApacheKafka::start_for_speed())
    }
}

impl Brokered for Kafka {
    fn bootstrap(&self) -> String {
        self.0.bootstrap()
    }
    fn usage(&self) -> Usage {
        Usage::of(self.0.pid()).unwrap_or_default()
    }
}
