//! Runs the broker alone: `broker --port 9092 [--data FOLDER]`.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    let mut port = 9092;
    let mut data = None;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match (argument.as_str(), arguments.next()) {
            ("--port", Some(value)) => match value.parse() {
                Ok(parsed) => port = parsed,
                Err(_) => return ExitCode::from(2),
            },
            ("--data", Some(value)) => data = Some(value.into()),
            _ => return ExitCode::from(2),
        }
    }
    tracing_subscriber::fmt().with_ansi(false).init();
    match weir_broker::run_cli(port, data).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "the broker did not start");
            ExitCode::FAILURE
        }
    }
}
