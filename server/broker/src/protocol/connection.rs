//! One client connection.

use super::dispatch::{Peer, answer, may_wait};
use super::frame;
use super::response::Response;
use crate::broker::Broker;
use bytes::Buf;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

const READ_BUFFER: usize = 16 << 10;
/// A peer that takes nothing of a response for this long has its connection closed: the response holds memory that others
/// wait for.
const TAKE_WITHIN: Duration = Duration::from_secs(60);

/// Serves a connection until either side closes it or the broker stops.
pub(crate) async fn serve(broker: Arc<Broker>, mut socket: TcpStream) {
    let peer = match socket.peer_addr() {
        Ok(address) => Peer {
            host: format!("/{}", address.ip()),
        },
        Err(_) => return,
    };
    let stopped = broker.stopped.clone();
    let served = tokio::select! {
        served = requests(&broker, &mut socket, &peer) => served,
        () = stopped.cancelled() => Ok(()),
    };
    if let Err(e) = served {
        tracing::debug!(peer = %peer.host, error = %e, "connection closed");
    }
}

async fn requests(broker: &Broker, socket: &mut TcpStream, peer: &Peer) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let (reader, mut writer) = socket.split();
    let mut reader = BufReader::with_capacity(READ_BUFFER, reader);
    let limit = broker.settings.max_request_bytes;
    while let Some(frame) = frame::read(&mut reader, limit, &broker.request_memory).await? {
        // One that waits for others must not keep them from sending.
        let lease = (!may_wait(&frame.bytes)).then_some(frame.lease);
        let response = answer(broker, frame.bytes, peer).await?;
        drop(lease);
        if let Some(response) = response {
            send(&mut writer, response).await?;
        }
    }
    Ok(())
}

async fn send(writer: &mut (impl AsyncWrite + Unpin), mut response: Response) -> io::Result<()> {
    while response.has_remaining() {
        let sent = tokio::time::timeout(TAKE_WITHIN, writer.write_buf(&mut response)).await??;
        if sent == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
    }
    Ok(())
}
