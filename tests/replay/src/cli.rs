//! CLI transcripts: `weir cli` with the recorded arguments and input, perhaps on a
//! pseudo-terminal.

use std::io::{Read, Write};
use std::os::fd::{FromRawFd, OwnedFd};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use weir_test_support::{Looks, look_for};

use crate::kafka;
use crate::report::Report;
use crate::scenario::{clean, query, statement};
use crate::server::Server;
use crate::transcript;

/// How long a transcript may take.
const PATIENCE: Duration = Duration::from_secs(40);

/// What a run printed.
pub(crate) struct Printed {
    /// Output, the folder of the transcript's files written as `{{dir}}`.
    pub(crate) stdout: String,
    /// Exit status.
    pub(crate) exit: Option<i32>,
}

/// Plays one transcript.
pub(crate) async fn play(
    name: &str,
    recorded: &Value,
    server: &Server,
    binary: &Path,
    report: &mut Report,
) {
    let result = match prepare(recorded, server).await {
        Ok(()) => run(recorded, server, binary)
            .and_then(|printed| transcript::compare(recorded, server, &printed)),
        Err(error) => Err(format!("set-up failed: {error}")),
    };
    report.count("cli", name, result);
}

/// Empties the server and does the set-up.
async fn prepare(recorded: &Value, server: &Server) -> Result<(), String> {
    clean(server).await?;
    for step in recorded["setup"].as_array().into_iter().flatten() {
        if let Some(sql) = step.as_str().or_else(|| step["statement"].as_str()) {
            let answer = statement(server, sql).await?;
            if answer.contains("\"error_code\"") {
                return Err(format!("{sql}: {answer}"));
            }
        } else if let Some(topic) = step.get("create_topic") {
            kafka::create_topic(&server.bootstrap(), topic).await?;
        } else if let Some(records) = step.get("produce") {
            kafka::produce(&server.bootstrap(), records)?;
        } else if step.get("records").is_some() {
            kafka::produce(&server.bootstrap(), step)?;
        }
    }
    // The queries have worked their input off once the tables that they keep have rows and stay
    // as they are.
    let listed = statement(server, "LIST TABLES;").await?;
    let tables: Value = serde_json::from_str(&listed).map_err(|e| e.to_string())?;
    for table in tables[0]["tables"].as_array().into_iter().flatten() {
        let name = table["name"].as_str().unwrap_or_default();
        let looks = Looks::within(Duration::from_secs(5)).every(Duration::from_millis(100));
        let (mut last, mut same) = (String::new(), 0);
        while same < 3
            && let Some(pause) = looks.pause()
        {
            let rows = query(server, &format!("SELECT * FROM `{name}`;")).await?;
            // A table that no query keeps cannot be asked.
            if rows.contains("\"error_code\"") {
                break;
            }
            let rows = rows
                .split_once('\n')
                .map(|(_, rows)| rows.to_owned())
                .unwrap_or_default();
            same = if !rows.is_empty() && rows == last {
                same + 1
            } else {
                0
            };
            last = rows;
            tokio::time::sleep(pause).await;
        }
    }
    Ok(())
}

fn run(recorded: &Value, server: &Server, binary: &Path) -> Result<Printed, String> {
    let dir = tempfile::tempdir().map_err(|e| e.to_string())?;
    let home = tempfile::tempdir().map_err(|e| e.to_string())?;
    let fill = |text: &str| {
        text.replace("{{server}}", &format!("http://{}", server.host()))
            .replace("{{dir}}", &dir.path().display().to_string())
    };
    for (name, text) in recorded["files"].as_object().into_iter().flatten() {
        let path = dir.path().join(name);
        std::fs::write(path, fill(text.as_str().unwrap_or_default())).map_err(|e| e.to_string())?;
    }
    let mut command = Command::new(binary);
    command.arg("cli");
    for argument in recorded["args"].as_array().into_iter().flatten() {
        command.arg(fill(argument.as_str().unwrap_or_default()));
    }
    command
        .env("HOME", home.path())
        .env_remove("COLUMNS")
        .env_remove("TERM");
    for (name, value) in recorded["env"].as_object().into_iter().flatten() {
        command.env(name, value.as_str().unwrap_or_default());
    }
    let stdin = fill(recorded["stdin"].as_str().unwrap_or_default());
    let mut printed = match recorded["tty"].as_object() {
        Some(tty) => {
            let columns = tty.get("cols").and_then(Value::as_u64).unwrap_or(80);
            command.env(
                "TERM",
                tty.get("term").and_then(Value::as_str).unwrap_or("xterm"),
            );
            on_terminal(command, &stdin, u16::try_from(columns).unwrap_or(80))?
        }
        None => on_pipes(command, &stdin)?,
    };
    printed.stdout = printed
        .stdout
        .replace(&dir.path().display().to_string(), "{{dir}}");
    Ok(printed)
}

fn on_pipes(mut command: Command, stdin: &str) -> Result<Printed, String> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|e| e.to_string())?;
    if let Some(mut input) = child.stdin.take() {
        // A program that does not read closes its end.
        let _ = input.write_all(stdin.as_bytes());
    }
    let mut output = child.stdout.take().ok_or("no output")?;
    let reader = std::thread::spawn(move || {
        let mut text = Vec::new();
        let _ = output.read_to_end(&mut text);
        String::from_utf8_lossy(&text).into_owned()
    });
    let exit = wait(&mut child)?;
    let stdout = reader.join().map_err(|_| "the reader broke".to_owned())?;
    Ok(Printed { stdout, exit })
}

fn wait(child: &mut std::process::Child) -> Result<Option<i32>, String> {
    let ended = look_for(PATIENCE, || child.try_wait().transpose());
    let Some(status) = ended else {
        let _ = child.kill();
        let _ = child.wait();
        return Err(format!("not done after {PATIENCE:?}"));
    };
    status.map(|s| s.code()).map_err(|e| e.to_string())
}

fn on_terminal(mut command: Command, stdin: &str, columns: u16) -> Result<Printed, String> {
    let size = libc::winsize {
        ws_row: 40,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    let (mut ours, mut theirs) = (0, 0);
    // SAFETY: both descriptors are written by the call; the other arguments may be null.
    let opened = unsafe {
        libc::openpty(
            &raw mut ours,
            &raw mut theirs,
            std::ptr::null_mut(),
            std::ptr::null(),
            &raw const size,
        )
    };
    if opened != 0 {
        return Err("no pseudo-terminal".to_owned());
    }
    // SAFETY: openpty gave both to us alone.
    let (ours, theirs) = unsafe { (OwnedFd::from_raw_fd(ours), OwnedFd::from_raw_fd(theirs)) };
    let end = |fd: &OwnedFd| fd.try_clone().map(Stdio::from).map_err(|e| e.to_string());
    let mut child = command
        .stdin(end(&theirs)?)
        .stdout(end(&theirs)?)
        .stderr(end(&theirs)?)
        .spawn()
        .map_err(|e| e.to_string())?;
    drop(command);
    drop(theirs);
    let mut terminal = std::fs::File::from(ours);
    terminal
        .write_all(stdin.as_bytes())
        .map_err(|e| e.to_string())?;
    let reader = std::thread::spawn(move || {
        let mut text = Vec::new();
        let mut chunk = [0u8; 4096];
        // The terminal gives an error once the program has gone.
        while let Ok(read) = terminal.read(&mut chunk) {
            if read == 0 {
                break;
            }
            text.extend_from_slice(&chunk[..read]);
        }
        String::from_utf8_lossy(&text).into_owned()
    });
    let exit = wait(&mut child)?;
    let stdout = reader.join().map_err(|_| "the reader broke".to_owned())?;
    Ok(Printed { stdout, exit })
}
