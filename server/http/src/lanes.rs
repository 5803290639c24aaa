//! The threads that serve connections: each with a runtime of its own, and a connection stays on
//! the one that it was given to.
//!
//! ```text
//!  accept ─► lane 0: connections, their requests, the waiting for rows
//!        └─► lane 1: …
//! ```
//!
//! A runtime that moves tasks between threads wakes a second thread for each request that comes
//! after a pause, to see whether there is more to do. On a machine that is mostly idle, which a
//! server of dashboards is, that costs more than a lookup by key itself.
//!
//! Invariant: a connection lives no longer than its lane. What takes long has threads of its own
//! (statements, scans, queries that are planned): a lane itself reads single keys at most.

use std::io;
use std::net::TcpStream;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::sync::mpsc;

/// More threads than this have nothing to do: rows are made elsewhere.
const MOST: usize = 8;
/// How long statements under way may take to end once the lanes stop.
const ENDING: Duration = Duration::from_secs(5);

/// Threads that serve connections.
pub(crate) struct Lanes {
    lanes: Vec<Lane>,
    next: usize,
}

struct Lane {
    /// Without a bound of its own: that of open files holds.
    connections: mpsc::UnboundedSender<TcpStream>,
    thread: JoinHandle<()>,
}

impl Lanes {
    /// One lane for each core, each of which calls `serve` with its connections, in its runtime.
    ///
    /// # Errors
    /// No thread or no file handle is left for one.
    pub(crate) fn start(serve: impl Fn(TcpStream) + Clone + Send + 'static) -> io::Result<Self> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let lanes = (0..cores.min(MOST))
            .map(|number| lane(number, serve.clone()))
            .collect::<io::Result<_>>()?;
        Ok(Self { lanes, next: 0 })
    }

    /// Gives a connection to the next lane.
    pub(crate) fn give(&mut self, connection: TcpStream) {
        self.next = (self.next + 1) % self.lanes.len().max(1);
        if let Some(lane) = self.lanes.get(self.next) {
            // A lane ends only with all of them.
            let _ = lane.connections.send(connection);
        }
    }

    /// Closes all connections, and gives statements under way a little time; blocks until the
    /// threads have ended.
    pub(crate) fn stop(self) {
        let (connections, threads): (Vec<_>, Vec<_>) = self
            .lanes
            .into_iter()
            .map(|lane| (lane.connections, lane.thread))
            .unzip();
        drop(connections);
        for thread in threads {
            // A panic of it has been told where it happened.
            let _ = thread.join();
        }
    }
}

fn lane(number: usize, serve: impl Fn(TcpStream) + Send + 'static) -> io::Result<Lane> {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .thread_name("http-blocking")
        .max_blocking_threads(128)
        .thread_keep_alive(Duration::from_secs(5))
        .build()?;
    let (connections, mut given) = mpsc::unbounded_channel();
    let thread = std::thread::Builder::new()
        .name(format!("http-{number}"))
        .spawn(move || {
            runtime.block_on(async {
                while let Some(connection) = given.recv().await {
                    serve(connection);
                }
            });
            runtime.shutdown_timeout(ENDING);
        })?;
    Ok(Lane {
        connections,
        thread,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::net::TcpListener;

    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn connections_are_served_until_the_lanes_stop() {
        let mut lanes = Lanes::start(|connection| {
            connection.set_nonblocking(true).unwrap();
            let mut connection = tokio::net::TcpStream::from_std(connection).unwrap();
            tokio::spawn(async move {
                loop {
                    let byte = connection.read_u8().await.unwrap();
                    connection.write_u8(byte + 1).await.unwrap();
                }
            });
        })
        .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut clients = Vec::new();
        for _ in 0..MOST + 1 {
            let address = listener.local_addr().unwrap();
            let client = tokio::net::TcpStream::connect(address).await.unwrap();
            lanes.give(listener.accept().unwrap().0);
            clients.push(client);
        }
        for client in &mut clients {
            client.write_u8(7).await.unwrap();
            assert_eq!(client.read_u8().await.unwrap(), 8);
        }
        tokio::task::spawn_blocking(|| lanes.stop()).await.unwrap();
        for client in &mut clients {
            assert!(client.read_u8().await.is_err());
        }
    }
}
