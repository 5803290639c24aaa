//! One client connection.

use super::dispatch::{Peer, answer};
use super::frame;
use crate::broker::Broker;
use std::io;
use std::sync::Arc;
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

const READ_BUFFER: usize = 16 << 10;

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
    while let Some(request) = frame::read(&mut reader, broker.settings.max_request_bytes).await? {
        if let Some(mut response) = answer(broker, request, peer).await? {
            writer.write_all_buf(&mut response).await?;
        }
    }
    Ok(())
}
