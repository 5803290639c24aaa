//! Runs the broker alone, without the rest of Weir: `broker --port 9092 [--data FOLDER] [key=value…]`, as `weir broker`.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};
use weir_broker::{Broker, BrokerConfig};

fn arguments() -> Option<BrokerConfig> {
    let mut config = BrokerConfig::default();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--port" => {
                let port = arguments.next()?.parse().ok()?;
                config.listen = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            }
            "--data" => config.data = Some(arguments.next()?.into()),
            other => {
                let (name, value) = other.split_once('=')?;
                config.configs.push((name.to_owned(), value.to_owned()));
            }
        }
    }
    Some(config)
}

async fn run(config: BrokerConfig) -> Result<(), Box<dyn std::error::Error>> {
    let broker = Broker::start(config).await?;
    tracing::info!(address = %broker.address, "the broker answers");
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    broker.stop().await;
    Ok(())
}

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt().with_ansi(false).init();
    let Some(config) = arguments() else {
        return ExitCode::from(2);
    };
    match run(config).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "the broker did not start");
            ExitCode::FAILURE
        }
    }
}
