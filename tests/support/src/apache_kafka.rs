//! A real Apache Kafka: one node that is broker and controller, on loopback, in a folder of its
//! own, gone with the value.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::ports::free_port;
use crate::wait::wait_until;

/// A running Apache Kafka.
pub struct ApacheKafka {
    child: Child,
    port: u16,
    dir: tempfile::TempDir,
}

/// Folder that `tests/setup.sh kafka` fills.
fn home() -> PathBuf {
    if let Some(dir) = std::env::var_os("WEIR_KAFKA_HOME") {
        return PathBuf::from(dir);
    }
    let home = std::env::var_os("HOME").map_or_else(|| PathBuf::from("/"), PathBuf::from);
    home.join(".cache/weir/kafka-4.1.0")
}

fn java(class_path: &Path, memory: &str) -> Command {
    let mut command = Command::new("java");
    command
        .args([memory, "-XX:+UseSerialGC"])
        .arg("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn")
        .arg("-cp")
        .arg(class_path.join("*"))
        .stdin(Stdio::null());
    command
}

impl ApacheKafka {
    /// Starts a cluster of one node and waits until it serves.
    ///
    /// # Panics
    ///
    /// When Java or the jars are missing (`tests/setup.sh kafka` fetches them), or when Kafka
    /// does not come up within a minute.
    pub fn start() -> Self {
        // A broker that starts soon matters more here than one that is fast after a minute.
        Self::start_with("-XX:TieredStopAtLevel=1")
    }

    /// The same with all that the JVM can do for speed, for a broker that is measured itself.
    ///
    /// # Panics
    ///
    /// As [`Self::start`].
    pub fn start_for_speed() -> Self {
        Self::start_with("-XX:+TieredCompilation")
    }

    fn start_with(option: &str) -> Self {
        let home = home();
        assert!(
            home.join("complete").exists(),
            "Apache Kafka is not in {}: run tests/setup.sh kafka (it needs Java and Maven)",
            home.display()
        );
        let libs = home.join("libs");
        let dir = tempfile::tempdir().expect("a folder for Kafka");
        let (port, controller) = (free_port(), free_port());
        let properties = dir.path().join("server.properties");
        fs::write(&properties, server_properties(dir.path(), port, controller))
            .expect("Kafka's properties");
        let formatted = java(&libs, "-Xmx128m")
            .args(["kafka.tools.StorageTool", "format"])
            .args(["-t", "d2VpcnRlc3RjbHVzdGVyMQ", "-c"])
            .arg(&properties)
            .output()
            .unwrap_or_else(|e| panic!("java does not start ({e}): run tests/setup.sh kafka"));
        assert!(
            formatted.status.success(),
            "Kafka's storage is not formatted:\n{}{}",
            String::from_utf8_lossy(&formatted.stdout),
            String::from_utf8_lossy(&formatted.stderr)
        );
        let log = File::create(dir.path().join("kafka.log")).expect("Kafka's log");
        let child = java(&libs, "-Xmx512m")
            .arg(option)
            .arg("kafka.Kafka")
            .arg(&properties)
            .stdout(log.try_clone().expect("Kafka's log"))
            .stderr(log)
            .spawn()
            .expect("java has started before");
        let mut kafka = Self { child, port, dir };
        wait_until("Apache Kafka to serve", Duration::from_secs(60), || {
            if let Ok(Some(status)) = kafka.child.try_wait() {
                panic!("Apache Kafka ended ({status}):\n{}", kafka.log());
            }
            TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
        });
        kafka
    }

    /// `bootstrap.servers`
    pub fn bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("kafka.log")).unwrap_or_default()
    }
}

impl Drop for ApacheKafka {
    fn drop(&mut self) {
        // Its data goes with its folder: there is nothing to close in order.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Records carry event times of the past: nothing may be deleted because of them. What tests delete
/// is to leave the disk at once.
fn server_properties(dir: &Path, port: u16, controller: u16) -> String {
    format!(
        "process.roles=broker,controller\n\
         node.id=1\n\
         controller.quorum.voters=1@127.0.0.1:{controller}\n\
         listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n\
         advertised.listeners=PLAINTEXT://127.0.0.1:{port}\n\
         controller.listener.names=CONTROLLER\n\
         listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT\n\
         log.dirs={}\n\
         auto.create.topics.enable=false\n\
         offsets.topic.replication.factor=1\n\
         offsets.topic.num.partitions=4\n\
         transaction.state.log.replication.factor=1\n\
         transaction.state.log.min.isr=1\n\
         transaction.state.log.num.partitions=4\n\
         group.initial.rebalance.delay.ms=0\n\
         log.retention.ms=-1\n\
         log.segment.delete.delay.ms=100\n",
        dir.join("data").display()
    )
}
