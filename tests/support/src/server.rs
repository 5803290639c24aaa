//! The server under test: `weir server` in a folder of its own, on ports that it keeps when it is
//! killed and started again.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use crate::http::Http;
use crate::ports::free_port;
use crate::process::Usage;
use crate::wait::{wait_for, wait_until};

/// A server that runs, or has run and can be started again.
pub struct WeirServer {
    child: Option<Child>,
    arguments: Vec<String>,
    port: u16,
    bootstrap: String,
    dir: tempfile::TempDir,
}

/// The binary: `WEIR_BIN`, or the one in the workspace's target folder.
fn binary() -> PathBuf {
    std::env::var_os("WEIR_BIN").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/release/weir"),
        PathBuf::from,
    )
}

impl WeirServer {
    /// Starts a server with these properties (`name`, `value`) and waits until it answers. Without
    /// `bootstrap.servers` it has a broker of its own.
    ///
    /// # Panics
    ///
    /// When it does not come up.
    pub fn start(properties: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().expect("a folder for the server");
        let port = free_port();
        let mut arguments = vec![
            "server".to_owned(),
            format!("weir.data.dir={}", dir.path().join("data").display()),
            format!("listeners=http://127.0.0.1:{port}"),
        ];
        let cluster = properties.iter().find(|(n, _)| *n == "bootstrap.servers");
        let bootstrap = match cluster {
            Some((_, servers)) => (*servers).to_owned(),
            None => {
                let broker = format!("127.0.0.1:{}", free_port());
                arguments.push(format!("weir.broker.listeners={broker}"));
                broker
            }
        };
        arguments.extend(properties.iter().map(|(n, v)| format!("{n}={v}")));
        let mut server = Self {
            child: None,
            arguments,
            port,
            bootstrap,
            dir,
        };
        server.restart();
        server
    }

    /// Starts the server again in its folder and on its ports, and waits until it answers.
    ///
    /// # Panics
    ///
    /// When it runs already, or does not come up within a minute.
    pub fn restart(&mut self) {
        assert!(self.child.is_none(), "the server runs already");
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.log_path())
            .expect("the server's log");
        let mut child = self
            .command()
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|e| {
                panic!("cannot start {} (WEIR_BIN): {e}", binary().display());
            });
        let port = self.port;
        wait_until("the server to answer", Duration::from_secs(60), || {
            if let Ok(Some(status)) = child.try_wait() {
                panic!("the server ended ({status}):\n{}", self.log());
            }
            TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
        });
        self.child = Some(child);
    }

    fn command(&self) -> Command {
        let mut command = Command::new(binary());
        command.args(&self.arguments).stdin(Stdio::null());
        command
    }

    /// Ends the server by SIGKILL: whatever it was doing stays half done.
    pub fn kill9(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    fn signal(&self, signal: libc::c_int) {
        if let Some(child) = &self.child
            && let Ok(pid) = libc::pid_t::try_from(child.id())
        {
            // SAFETY: a plain call; the process is our child and not waited for yet
            unsafe { libc::kill(pid, signal) };
        }
    }

    /// Ends the server in order (SIGTERM), and waits until it has.
    ///
    /// # Panics
    ///
    /// When it does not end within a minute, or not with success.
    pub fn stop(&mut self) {
        self.signal(libc::SIGTERM);
        if let Some(mut child) = self.child.take() {
            let status = wait_for("the server to stop", Duration::from_secs(60), || {
                child.try_wait().ok().flatten()
            });
            assert!(status.success(), "{status}:\n{}", self.log());
        }
    }

    /// Freezes the process (SIGSTOP), as a machine does that is suspended or swaps.
    pub fn freeze(&self) {
        self.signal(libc::SIGSTOP);
    }

    /// Lets a frozen process go on.
    pub fn thaw(&self) {
        self.signal(libc::SIGCONT);
    }

    /// Removes the state of its queries, as if the disk was lost. The broker's data stays.
    ///
    /// # Panics
    ///
    /// When the server runs, or there is no state.
    pub fn lose_state(&self) {
        assert!(self.child.is_none(), "the server still uses its state");
        fs::remove_dir_all(self.dir.path().join("data/state")).expect("the state folder");
    }

    /// Runs another server with the same arguments, other ports apart, until it ends by itself.
    ///
    /// # Panics
    ///
    /// When it goes on running.
    pub fn second_on_same_folder(&self) -> Output {
        let mut child = self
            .command()
            .arg(format!("listeners=http://127.0.0.1:{}", free_port()))
            .arg(format!("weir.broker.listeners=127.0.0.1:{}", free_port()))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary has started before");
        wait_until("the second server to end", Duration::from_secs(20), || {
            !matches!(child.try_wait(), Ok(None))
        });
        child
            .wait_with_output()
            .expect("the second server's output")
    }

    /// A client of its HTTP API.
    pub fn http(&self) -> Http {
        Http::new(self.port)
    }

    /// Port of its HTTP API on loopback.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `bootstrap.servers` of the brokers that it works on.
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// What the process that runs now has used.
    pub fn usage(&self) -> Option<Usage> {
        Usage::of(self.child.as_ref()?.id())
    }

    /// Everything that it has logged, over all its lives.
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    fn log_path(&self) -> PathBuf {
        self.dir.path().join("server.log")
    }
}

impl Drop for WeirServer {
    fn drop(&mut self) {
        self.kill9();
    }
}
