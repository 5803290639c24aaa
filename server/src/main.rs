//! `weir`: streaming SQL for Kafka in one binary.
//!
//! ```text
//!  weir            server on the embedded default, and the prompt on it
//!  weir server     the server alone          weir cli      the prompt alone
//!  weir demo       a first look              weir datagen  made-up records
//!  weir broker     the embedded broker alone
//! ```
//!
//! This crate only wires: it reads arguments and configuration and starts the parts.

mod arguments;
mod datagen;
mod demo;
mod memory;
mod start;

use std::process::ExitCode;

use arguments::Command;

fn main() -> ExitCode {
    memory::set_up();
    let command = match arguments::parse(std::env::args().skip(1)) {
        Ok(command) => command,
        Err(refusal) => return refusal.print(),
    };
    let result = match command {
        Command::Both(server) => start::both(server),
        Command::Server(server) => start::server(server),
        Command::Cli(arguments) => return exit(weir_cli::main(&arguments)),
        Command::Datagen(options) => datagen::run(&options),
        Command::Demo(server) => demo::run(server),
        Command::Broker(options) => start::broker(&options),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            arguments::complain(&message);
            ExitCode::FAILURE
        }
    }
}

/// The exit status of the prompt, as ksqlDB's: 0 or 255.
fn exit(code: i32) -> ExitCode {
    ExitCode::from(u8::try_from(code.rem_euclid(256)).unwrap_or(255))
}
