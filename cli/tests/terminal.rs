//! The prompt at a pseudo-terminal, against a server that is told what to answer.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod fake;

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use fake::{Fake, PATIENCE, Reply};
use serde_json::json;

/// Names the server to the process at the terminal.
const SERVER: &str = "WEIR_TEST_SERVER";

/// Not a test of its own: the process that the tests start at their terminal.
#[test]
#[ignore = "started by the other tests, at a terminal"]
fn process_at_the_terminal() {
    let server = std::env::var(SERVER).expect("started by a test");
    std::process::exit(weir_cli::main(&[server]));
}

/// A process at a pseudo-terminal.
struct Terminal {
    master: File,
    output: Receiver<Vec<u8>>,
    seen: String,
    child: Child,
}

impl Terminal {
    fn start(server: &str, home: &Path) -> Self {
        let (mut master, mut slave) = (0, 0);
        let size = libc::winsize {
            ws_row: 30,
            ws_col: 100,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        // SAFETY: openpty writes two descriptors and reads the size; all are live.
        let opened = unsafe {
            libc::openpty(
                &mut master,
                &mut slave,
                std::ptr::null_mut(),
                std::ptr::null(),
                &size,
            )
        };
        assert_eq!(opened, 0);
        // SAFETY: openpty gave both descriptors to nobody else.
        let (master, slave) = unsafe { (File::from_raw_fd(master), OwnedFd::from_raw_fd(slave)) };
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args([
                "--ignored",
                "--exact",
                "--nocapture",
                "process_at_the_terminal",
            ])
            .env(SERVER, server)
            .env("HOME", home)
            .env("TERM", "xterm")
            .stdin(Stdio::from(slave.try_clone().unwrap()))
            .stdout(Stdio::from(slave.try_clone().unwrap()))
            .stderr(Stdio::from(slave));
        // SAFETY: both calls are allowed between fork and exec.
        unsafe {
            command.pre_exec(|| {
                libc::setsid();
                libc::ioctl(libc::STDIN_FILENO, libc::TIOCSCTTY, 0);
                Ok(())
            })
        };
        let child = command.spawn().unwrap();
        // The copies of the slave in `command` would keep the terminal open.
        drop(command);
        let (sender, output) = channel();
        let mut reader = master.try_clone().unwrap();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(n @ 1..) = reader.read(&mut buffer) {
                if sender.send(buffer[..n].to_vec()).is_err() {
                    break;
                }
            }
        });
        let mut terminal = Self {
            master,
            output,
            seen: String::new(),
            child,
        };
        terminal.expect("ksql> ");
        terminal
    }

    fn type_in(&mut self, text: &str) {
        self.master.write_all(text.as_bytes()).unwrap();
    }

    /// Waits until the text has come; what came before it.
    fn expect(&mut self, text: &str) -> String {
        loop {
            if let Some(at) = self.seen.find(text) {
                let before = self.seen[..at].to_owned();
                self.seen.drain(..at + text.len());
                return before;
            }
            match self.output.recv_timeout(PATIENCE) {
                Ok(bytes) => self.seen.push_str(&String::from_utf8_lossy(&bytes)),
                Err(_) => panic!("no {text:?} in {:?}", self.seen),
            }
        }
    }

    fn exit(mut self) -> i32 {
        self.child.wait().unwrap().code().unwrap()
    }
}

fn list(asked: &fake::Asked) -> Reply {
    if asked.line.contains("/query") {
        return Reply::Open(Reply::rows("`A` INTEGER", &[json!([7])], None));
    }
    if asked.sql().contains("DESCRIBE STREAMS") {
        let source = json!({"name": "WIDGETS", "fields": [{"name": "WEIGHT_KG"}]});
        return Reply::json(
            json!([{"@type": "source_descriptions", "sourceDescriptions": [source]}]),
        );
    }
    if asked.sql().contains("NOPE") {
        return Reply::refused(400, "Line: 1, Col: 8: no column NOPE");
    }
    Reply::json(json!([{"@type": "warning_entity", "message": asked.sql(), "warnings": []}]))
}

#[test]
fn statements_of_several_lines_run_and_ctrl_d_ends_the_session() {
    let home = tempfile::tempdir().unwrap();
    let server = Fake::start(list);
    let mut terminal = Terminal::start(&server.url, home.path());
    terminal.type_in("DROP -- ;\r");
    terminal.expect("> ");
    terminal.type_in("STREAM s;\r");
    terminal.expect(" Message ");
    terminal.expect("ksql> ");
    assert_eq!(server.asked("/ksql ")[0].sql(), "DROP -- ;\nSTREAM s;");
    // Ctrl-C forgets what was typed, and no more.
    terminal.type_in("DROP STREAM half");
    terminal.expect("half");
    terminal.type_in("\x03");
    terminal.expect("ksql> ");
    terminal.type_in("version\r");
    terminal.expect("Version: 0.29.0");
    terminal.expect("ksql> ");
    terminal.type_in("\x04");
    terminal.expect("Exiting Weir.");
    assert_eq!(terminal.exit(), 0);
    assert_eq!(server.asked("/ksql ").len(), 1);
}

#[test]
fn ctrl_c_ends_a_query_and_not_the_session() {
    let home = tempfile::tempdir().unwrap();
    let server = Fake::start(list);
    let mut terminal = Terminal::start(&server.url, home.path());
    let sql = "SELECT A FROM S EMIT CHANGES;";
    for _ in 0..2 {
        terminal.type_in(&format!("{sql}\r"));
        terminal.expect("Press CTRL-C to interrupt");
        terminal.expect("|7 ");
        terminal.type_in("\x03");
        terminal.expect("Query terminated");
        assert_eq!(server.wait_for_hang_up(), sql);
        terminal.expect("ksql> ");
    }
    terminal.type_in("exit\r");
    terminal.expect("Exiting Weir.");
    assert_eq!(terminal.exit(), 0);
}

#[test]
fn history_outlives_the_session_without_repetitions() {
    let home = tempfile::tempdir().unwrap();
    let server = Fake::start(list);
    let mut terminal = Terminal::start(&server.url, home.path());
    for (line, answer) in [
        ("output", "format: TABULAR"),
        ("output", "format: TABULAR"),
        ("version", "Version: "),
        ("output", "format: TABULAR"),
    ] {
        terminal.type_in(&format!("{line}\r"));
        terminal.expect(answer);
        terminal.expect("ksql> ");
    }
    terminal.type_in("exit\r");
    assert_eq!(terminal.exit(), 0);
    let mut terminal = Terminal::start(&server.url, home.path());
    terminal.type_in("history\r");
    terminal
        .expect("1: output\r\n   2: version\r\n   3: output\r\n   4: exit\r\n   5: history\r\n");
    terminal.expect("ksql> ");
    // Up goes back: past `history` and `exit` to `output`.
    terminal.type_in("\x1b[A\x1b[A\x1b[A\r");
    terminal.expect("Current output format: TABULAR");
    terminal.expect("ksql> ");
    terminal.type_in("\x04");
    terminal.expect("Exiting Weir.");
    assert_eq!(terminal.exit(), 0);
}

#[test]
fn tab_completes_names_that_the_server_knows_and_carets_show_places() {
    let home = tempfile::tempdir().unwrap();
    let server = Fake::start(list);
    let mut terminal = Terminal::start(&server.url, home.path());
    terminal.type_in("DROP STREAM wid\t;\r");
    terminal.expect(" DROP STREAM WIDGETS; ");
    terminal.expect("ksql> ");
    terminal.type_in("DESCRIBE NOPE;\r");
    terminal.expect("\x1b[31mLine: 1, Col: 8: no column NOPE\x1b[0m\r\n");
    terminal.expect("  DESCRIBE NOPE;\r\n         \x1b[31m^\x1b[0m\r\n");
    // Before the prompt is there the terminal itself would take the key.
    terminal.expect("ksql> ");
    terminal.type_in("\x04");
    terminal.expect("Exiting Weir.");
    assert_eq!(terminal.exit(), 0);
}
