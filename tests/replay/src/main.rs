//! Plays recorded exchanges of a real ksqlDB against a server of its own.
//!
//! ```text
//!  scenario.json ─► steps: requests (HTTP/1.1, HTTP/2), streams, records, web sockets ─┐
//!  transcript.json ─► `weir cli` with arguments, input, perhaps a pseudo-terminal ─────┤
//!  cases.json ─────► statements, records, queries over HTTP (rest) ────────────────────┤
//!                                                                                      ▼
//!                         compare with what was recorded, volatile parts and prose apart
//! ```
//!
//! Every step of a scenario, every transcript and every case counts as one. The last line is
//! `N passed, N failed`; failures that are not on the list of known ones make the exit status 1.

mod cli;
mod compare;
mod http1;
mod http2;
mod kafka;
mod proto;
mod report;
mod rest;
mod scenario;
mod server;
mod transcript;
mod websocket;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

/// Plays recorded HTTP exchanges and CLI transcripts against a server of its own.
#[derive(Parser)]
struct Arguments {
    /// Names every failure with what differs.
    #[arg(long)]
    list_failed: bool,
    /// Failures that are known: one name in a line.
    #[arg(long)]
    known: Option<PathBuf>,
    /// The server's binary (default: `weir` beside this program).
    #[arg(long)]
    weir: Option<PathBuf>,
    /// Only scenarios whose name contains this.
    #[arg(long)]
    only: Option<String>,
    /// Recorded files, or folders of them.
    #[arg(required = true)]
    paths: Vec<PathBuf>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            report::say(&format!("replay: {message}"));
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<bool, String> {
    let binary = match &arguments.weir {
        Some(path) => path.clone(),
        None => std::env::current_exe()
            .map_err(|e| e.to_string())?
            .with_file_name("weir"),
    };
    let files = files(&arguments.paths, arguments.only.as_deref())?;
    let server = server::Server::start(&binary, &[])?;
    let mut servers = rest::Servers::new(&binary);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|e| e.to_string())?;
    let mut report = report::Report::new(arguments.known.as_deref(), arguments.list_failed)?;
    for file in files {
        let text = std::fs::read_to_string(&file)
            .map_err(|e| format!("cannot read {}: {e}", file.display()))?;
        let recorded: serde_json::Value = serde_json::from_str(&text)
            .map_err(|e| format!("{} is no recording: {e}", file.display()))?;
        let name = file
            .file_stem()
            .map(|s| s.to_string_lossy().into_owned())
            .unwrap_or_default();
        if recorded.get("steps").is_some() {
            runtime.block_on(scenario::play(&name, &recorded, &server, &mut report));
        } else if recorded.get("stdout").is_some() {
            runtime.block_on(cli::play(&name, &recorded, &server, &binary, &mut report));
        } else if recorded.get("tests").is_some() {
            runtime.block_on(rest::play(&file, &mut servers, &mut report))?;
        }
    }
    server.stop();
    servers.stop();
    Ok(report.finish())
}

/// The JSON files of the paths, by name.
fn files(paths: &[PathBuf], only: Option<&str>) -> Result<Vec<PathBuf>, String> {
    let mut found = Vec::new();
    for path in paths {
        if path.is_dir() {
            let entries = std::fs::read_dir(path)
                .map_err(|e| format!("cannot read {}: {e}", path.display()))?;
            for entry in entries {
                let path = entry.map_err(|e| e.to_string())?.path();
                if path.extension().is_some_and(|e| e == "json") {
                    found.push(path);
                }
            }
        } else {
            found.push(path.clone());
        }
    }
    found.retain(|path| {
        only.is_none_or(|only| {
            path.file_stem()
                .is_some_and(|s| s.to_string_lossy().contains(only))
        })
    });
    found.sort();
    Ok(found)
}
