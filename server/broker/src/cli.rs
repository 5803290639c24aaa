//! `weir broker`: the broker alone, in the foreground.

use crate::{Broker, BrokerConfig, BrokerError};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use tokio::signal::unix::{SignalKind, signal};

/// Runs a broker on 127.0.0.1:`port` with its data in `data` (`None`: in memory) until SIGINT or SIGTERM.
/// Its address and what it heals go to the log.
pub async fn run_cli(port: u16, data: Option<PathBuf>) -> Result<(), BrokerError> {
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let broker = Broker::start(BrokerConfig {
        data,
        listen,
        ..BrokerConfig::default()
    })
    .await?;
    tracing::info!(address = %broker.address, "the broker answers");
    let signals = |error| BrokerError::Listen { listen, error };
    let mut terminate = signal(SignalKind::terminate()).map_err(signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(signals)?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("the broker stops");
    broker.stop().await;
    Ok(())
}
