//! The server under test: `weir server` on the embedded broker, with the settings of the recorded
//! one, on free loopback ports, in a folder of its own.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use weir_test_support::look_for;

/// Where the server looks for a Connect worker: there is none.
pub(crate) const CONNECT_URL: &str = "http://127.0.0.1:9";

/// Where it looks for a schema registry: the same.
pub(crate) const REGISTRY_URL: &str = "http://127.0.0.1:10";

/// A running server.
pub(crate) struct Server {
    child: Child,
    pub(crate) port: u16,
    pub(crate) broker_port: u16,
    /// Goes with the server.
    dir: tempfile::TempDir,
}

fn free_port() -> Result<u16, String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|e| e.to_string())?;
    listener
        .local_addr()
        .map(|a| a.port())
        .map_err(|e| e.to_string())
}

impl Server {
    /// Starts the server, with these properties beside its own, and waits until it answers.
    pub(crate) fn start(binary: &Path, properties: &[String]) -> Result<Self, String> {
        let dir = tempfile::tempdir().map_err(|e| e.to_string())?;
        let (port, broker_port) = (free_port()?, free_port()?);
        let log =
            std::fs::File::create(dir.path().join("server.log")).map_err(|e| e.to_string())?;
        let child = Command::new(binary)
            .arg("server")
            .arg(format!(
                "weir.data.dir={}",
                dir.path().join("data").display()
            ))
            .arg(format!("listeners=http://127.0.0.1:{port}"))
            .arg(format!("weir.broker.listeners=127.0.0.1:{broker_port}"))
            .arg(format!("ksql.connect.url={CONNECT_URL}"))
            .arg(format!("ksql.schema.registry.url={REGISTRY_URL}"))
            .arg("ksql.streams.num.stream.threads=1")
            .arg("ksql.streams.replication.factor=1")
            .arg("ksql.logging.processing.topic.auto.create=false")
            .arg("ksql.logging.processing.stream.auto.create=false")
            .args(properties)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .map_err(|e| format!("cannot start {}: {e}", binary.display()))?;
        let mut server = Self {
            child,
            port,
            broker_port,
            dir,
        };
        let started = look_for(Duration::from_secs(60), || {
            if let Ok(Some(status)) = server.child.try_wait() {
                return Some(Err(format!("the server ended at once: {status}")));
            }
            let answers = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok();
            answers.then_some(Ok(()))
        });
        started.unwrap_or_else(|| Err("the server does not answer".to_owned()))?;
        Ok(server)
    }

    /// `host:port` of the HTTP API.
    pub(crate) fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// `ksql.streams.state.dir`
    pub(crate) fn state_dir(&self) -> String {
        let state = self.dir.path().join("data").join("state");
        state.display().to_string()
    }

    /// `bootstrap.servers`
    pub(crate) fn bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.broker_port)
    }

    /// Ends the server.
    pub(crate) fn stop(mut self) {
        // It may have ended already; what it wrote goes with its folder.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
