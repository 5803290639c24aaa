//! CLI transcripts: `weir cli` with the recorded arguments and input, perhaps on a
//! pseudo-terminal.

use std::io::{Read, Write};
use std::os::fd::{FromRawFd, OwnedFd};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use fancy_regex::Regex;
use serde_json::Value;

use crate::compare::masked;
use crate::kafka;
use crate::report::Report;
use crate::scenario::{clean, query, statement};
use crate::server::Server;

/// How long a transcript may take.
const PATIENCE: Duration = Duration::from_secs(40);

/// What a run printed.
struct Printed {
    stdout: String,
    exit: Option<i32>,
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
        Ok(()) => {
            run(recorded, server, binary).and_then(|printed| compare(recorded, server, &printed))
        }
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
        let deadline = Instant::now() + Duration::from_secs(5);
        let (mut last, mut same) = (String::new(), 0);
        while same < 3 && Instant::now() < deadline {
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
            tokio::time::sleep(Duration::from_millis(100)).await;
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
    match recorded["tty"].as_object() {
        Some(tty) => {
            let columns = tty.get("cols").and_then(Value::as_u64).unwrap_or(80);
            command.env(
                "TERM",
                tty.get("term").and_then(Value::as_str).unwrap_or("xterm"),
            );
            on_terminal(command, &stdin, u16::try_from(columns).unwrap_or(80))
        }
        None => on_pipes(command, &stdin),
    }
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
    let deadline = Instant::now() + PATIENCE;
    loop {
        match child.try_wait().map_err(|e| e.to_string())? {
            Some(status) => return Ok(status.code()),
            None if Instant::now() > deadline => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("not done after {PATIENCE:?}"));
            }
            None => std::thread::sleep(Duration::from_millis(10)),
        }
    }
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

fn compare(recorded: &Value, server: &Server, printed: &Printed) -> Result<(), String> {
    let expected_exit = recorded["exit"].as_i64().map(|e| e as i32);
    if expected_exit.is_some() && expected_exit != printed.exit {
        return Err(format!(
            "exit {:?}, recorded {expected_exit:?}\n{}",
            printed.exit, printed.stdout
        ));
    }
    let fill = |text: &str| text.replace("{{server}}", &format!("http://{}", server.host()));
    let expected = fill(recorded["stdout"].as_str().unwrap_or_default());
    let volatile = &recorded["volatile"];
    let expected = normal(&masked(&expected, volatile));
    let actual = normal(&masked(&printed.stdout, volatile));
    if expected == actual {
        return Ok(());
    }
    let mut expected_lines: Vec<&str> = expected.lines().collect();
    let mut actual_lines: Vec<&str> = actual.lines().collect();
    // Lists come in hash order in the reference.
    expected_lines.sort_unstable();
    actual_lines.sort_unstable();
    if expected_lines == actual_lines {
        return Ok(());
    }
    // Errors are prose: both must have them, in red.
    let red = |text: &str| text.contains("\u{1b}[31m");
    let without_red = |lines: &str| {
        Regex::new("(?s)\u{1b}\\[31m.*?\u{1b}\\[0m")
            .map(|r| r.replace_all(lines, "<red>").into_owned())
            .unwrap_or_default()
    };
    if red(&expected) && red(&actual) && without_red(&expected) == without_red(&actual) {
        return Ok(());
    }
    Err(difference(&expected, &actual))
}

/// Without cursor movements, the status bar, the banner's lines, runs of blanks and of dashes.
fn normal(text: &str) -> String {
    let mut text = text.replace("\r\n", "\n");
    for (pattern, with) in [
        ("\u{1b}\\[7mPress CTRL-C to interrupt\u{1b}\\[0m", ""),
        ("\u{1b}[78]", ""),
        ("\u{1b}\\[[0-9;?]*[A-HJKSTfhlrsu]", ""),
        ("(?m)^.*Copyright.*$", "<copyright>"),
        ("(?m)^CLI v.*$", "<versions>"),
        ("Version: .*", "Version: <version>"),
        ("ksqlDB", "Weir"),
        (" {2,}", " "),
        ("-{2,}", "--"),
        ("(?m) +$", ""),
    ] {
        if let Ok(regex) = Regex::new(pattern) {
            text = regex.replace_all(&text, with).into_owned();
        }
    }
    text.trim_matches('\n').to_owned()
}

/// The first lines that differ.
fn difference(expected: &str, actual: &str) -> String {
    let (mut left, mut right) = (expected.lines(), actual.lines());
    let mut n = 0;
    loop {
        n += 1;
        let (a, b) = (left.next(), right.next());
        if a != b || a.is_none() {
            return format!("line {n}: {b:?}\nrecorded: {a:?}\nwhole output:\n{actual}");
        }
    }
}
