//! The command line as a library, against a server that is told what to answer.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod fake;

use std::io::{Cursor, Write};
use std::sync::{Arc, Mutex};

use fake::{Asked, Fake, Reply};
use serde_json::{Value, json};
use weir_cli::{Input, Interrupt, Io, Size, run};

#[derive(Clone, Default)]
struct Sink {
    bytes: Arc<Mutex<Vec<u8>>>,
    /// Rings when this text has been written.
    bell: Option<(&'static str, Interrupt)>,
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.bytes.lock().unwrap().extend_from_slice(bytes);
        if let Some((text, bell)) = &self.bell
            && self.text().contains(text)
        {
            let bell = bell.clone();
            // The client listens again as soon as this returns.
            std::thread::spawn(move || while !bell.ring() {});
            self.bell = None;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Sink {
    fn text(&self) -> String {
        String::from_utf8(self.bytes.lock().unwrap().clone()).unwrap()
    }
}

struct Done {
    out: String,
    err: String,
    exit: i32,
}

struct Call<'a> {
    arguments: &'a [&'a str],
    input: &'a str,
    size: Option<Size>,
    ring_after: Option<&'static str>,
}

impl<'a> Call<'a> {
    fn new(arguments: &'a [&'a str]) -> Self {
        Self {
            arguments,
            input: "",
            size: None,
            ring_after: None,
        }
    }

    fn run(self) -> Done {
        let interrupt = Interrupt::default();
        let out = Sink {
            bell: self.ring_after.map(|text| (text, interrupt.clone())),
            ..Sink::default()
        };
        let err = Sink::default();
        let size = self.size;
        let io = Io {
            input: Input::Lines(Box::new(Cursor::new(self.input.to_owned()))),
            output: Box::new(out.clone()),
            errors: Box::new(err.clone()),
            size: Box::new(move || size),
            home: None,
            interrupt,
        };
        let arguments: Vec<String> = self.arguments.iter().map(|a| (*a).to_owned()).collect();
        let exit = run(&arguments, io);
        Done {
            out: out.text(),
            err: err.text(),
            exit,
        }
    }
}

fn execute(server: &Fake, sql: &str) -> Done {
    Call::new(&["-e", sql, &server.url]).run()
}

fn status(text: &str, sequence: i64) -> Value {
    json!({"@type": "currentStatus", "statementText": text, "commandId": "x",
        "commandStatus": {"status": "SUCCESS", "message": "Stream created", "queryId": null},
        "commandSequenceNumber": sequence, "warnings": []})
}

/// One `currentStatus` per statement, numbered from 10.
fn accept(asked: &Asked) -> Reply {
    let statements = asked.sql().split_inclusive(';').enumerate();
    Reply::json(statements.map(|(n, s)| status(s, 10 + n as i64)).collect())
}

const MESSAGE: &str = " Message        \n\n Stream created \n\n";

#[test]
fn runs_of_statements_go_out_together_and_queries_alone() {
    let server = Fake::start(|asked| match asked.line.contains("/query") {
        true => Reply::Chunks(Reply::rows(
            "`A` INTEGER",
            &[json!([1])],
            Some("Limit Reached"),
        )),
        false => accept(asked),
    });
    let sql = "DROP STREAM A; DROP STREAM B; SELECT A FROM S EMIT CHANGES LIMIT 1; DROP STREAM C";
    let done = execute(&server, sql);
    assert_eq!(
        done.out,
        format!(
            "\nDROP STREAM A;\n{MESSAGE}\nDROP STREAM B;\n{MESSAGE}\
             +-----+\n|A    |\n+-----+\n|1    |\nLimit Reached\nQuery terminated\n\n{MESSAGE}"
        )
    );
    assert_eq!((done.exit, done.err.as_str()), (0, ""));
    let sql: Vec<String> = server
        .asked("/ksql ")
        .iter()
        .map(|a| a.sql().to_owned())
        .collect();
    assert_eq!(sql, ["DROP STREAM A;DROP STREAM B;", "DROP STREAM C;"]);
    let request = server.asked("/query ").remove(0);
    assert_eq!(request.sql(), "SELECT A FROM S EMIT CHANGES LIMIT 1;");
    let headers = request.headers.join("\n").to_lowercase();
    assert!(headers.contains("accept: application/json"), "{headers}");
    // Each request waits for what the session did before.
    assert_eq!(request.body["commandSequenceNumber"], 11);
    assert_eq!(server.asked("/ksql ")[0].body["commandSequenceNumber"], -1);
}

#[test]
fn settings_of_the_session_travel_with_each_request() {
    let server = Fake::start(accept);
    let sql = "DEFINE v = 'S'; SET 'auto.offset.reset'='earliest'; SET 'auto.offset.reset'='latest'; \
               SET 'x'='y'; UNSET 'x'; DROP STREAM ${v}; SHOW VARIABLES; UNDEFINE v; UNDEFINE v;";
    let done = execute(&server, sql);
    assert_eq!(
        done.out,
        format!(
            "Successfully changed local property 'auto.offset.reset' to 'earliest'. Use the UNSET \
             command to revert your change.\n\
             Successfully changed local property 'auto.offset.reset' from 'earliest' to 'latest'.\n\
             Successfully changed local property 'x' to 'y'. Use the UNSET command to revert your \
             change.\n\
             Successfully unset local property 'x' (value was 'y').\n\
             \n{MESSAGE}\n Variable Name | Value \n\n v             | S     \n\n\
             Cannot undefine variable 'v' which was never defined.\n"
        )
    );
    let last = server.asked("/ksql ").pop().unwrap();
    assert_eq!(last.sql(), "DROP STREAM S;");
    assert_eq!(
        last.body["streamsProperties"],
        json!({"auto.offset.reset": "latest"})
    );
}

#[test]
fn nothing_runs_if_something_cannot() {
    let server = Fake::start(|asked| match asked.sql().contains("'bad'") {
        true => Reply::statement_error(400, "Not recognizable: 'bad'", "statement_error"),
        false => accept(asked),
    });
    for (sql, words) in [
        ("DROP STREAM A; FOO;", "line 1:16"),
        ("DROP STREAM A; SET 'bad'='1';", "Not recognizable: 'bad'"),
        (
            "DROP STREAM A; UNSET 'u';",
            "Cannot unset local property 'u'",
        ),
        ("DROP STREAM ${NOPE};", "${NOPE}"),
    ] {
        let done = execute(&server, sql);
        assert!(done.out.contains(words), "{sql}: {}", done.out);
        assert!(done.out.starts_with("\x1b[31m") && done.out.ends_with("\x1b[0m\n"));
        assert_eq!(done.exit, 255, "{sql}");
    }
    assert!(
        server
            .asked("/ksql ")
            .iter()
            .all(|a| !a.sql().contains("DROP"))
    );
}

#[test]
fn errors_of_the_server_are_output() {
    for (reply, json, expected) in [
        (("generic_error", 400), false, "\x1b[31mno\x1b[0m\n"),
        (("statement_error", 400), false, "\x1b[31mno\x1b[0m\n"),
        (("generic_error", 400), true, "\x1b[31mno\x1b[0m\n"),
        (("statement_error", 417), true, "[ ]\n\x1b[31mno\x1b[0m\n"),
    ] {
        let (kind, status) = reply;
        let server = Fake::start(move |_| Reply::statement_error(status, "no", kind));
        let output = if json { "JSON" } else { "TABULAR" };
        for sql in ["DROP STREAM A;", "SELECT * FROM A;"] {
            let done = Call::new(&["--output", output, "-e", sql, &server.url]).run();
            assert_eq!(
                (done.out.as_str(), done.exit),
                (expected, 0),
                "{kind} {sql}"
            );
        }
        let done = Call::new(&["-e", "PRINT t;", &server.url]).run();
        assert_eq!((done.out.as_str(), done.exit), ("no\n", 0));
    }
    // A command that failed when it was carried out.
    let server = Fake::start(|_| {
        let mut entity = status("DROP STREAM A;", 1);
        entity["commandStatus"] = json!({"status": "ERROR", "message": "first\nsecond"});
        Reply::json(json!([entity]))
    });
    assert_eq!(
        execute(&server, "DROP STREAM A;").out,
        "\x1b[31mfirst\x1b[0m\n"
    );
}

#[test]
fn servers_that_are_none_are_named() {
    let server = Fake::start(|_| Reply::Whole(404, "Not Found".to_owned()));
    let done = execute(&server, "LIST STREAMS;");
    assert!(
        done.out.contains("/ksql") && done.out.contains(&server.url),
        "{}",
        done.out
    );
    let server = Fake::start(|_| Reply::Whole(200, "<html>".to_owned()));
    let done = execute(&server, "LIST STREAMS;");
    assert!(done.out.contains("not understood"), "{}", done.out);
    assert_eq!(done.exit, 255);
    // A port that nobody listens at.
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let url = format!("http://{port}");
    let done = Call::new(&["-e", "LIST STREAMS;", &url]).run();
    assert!(
        done.out
            .contains(&format!("Could not reach the server at {url}")),
        "{}",
        done.out
    );
    assert_eq!(done.exit, 255);
}

#[test]
fn rows_may_come_in_any_pieces() {
    let text = Reply::rows(
        "`A` INTEGER, `B` STRING",
        &[json!([1, "é"]), json!([2, null])],
        None,
    );
    let text = text.concat().trim_end().trim_end_matches(',').to_owned() + "]\n";
    let expected = "+-----+-----+\n|A    |B    |\n+-----+-----+\n|1    |é    |\n|2    |null |\n\
                    Query terminated\n";
    let mut pieces: Vec<Vec<String>> = vec![vec![text.clone()]];
    pieces.push(text.chars().map(String::from).collect());
    pieces.push(text.split_inclusive('{').map(str::to_owned).collect());
    for chunks in pieces {
        let server = Fake::start(move |_| Reply::Chunks(chunks.clone()));
        assert_eq!(execute(&server, "SELECT * FROM S;").out, expected);
    }
}

#[test]
fn json_rows_are_indented_and_keep_their_numbers() {
    let server = Fake::start(|_| {
        Reply::Chunks(vec![
            "[{\"header\":{\"queryId\":\"q\",\"schema\":\"`A` DOUBLE\"}},\n".to_owned(),
            "{\"row\":{\"columns\":[1.50,{\"k\":[]},1.0E3]}},\n".to_owned(),
            "{\"row\":{\"columns\":[null],\"tombstone\":true}}]".to_owned(),
        ])
    });
    let done = Call::new(&["--output", "JSON", "-e", "SELECT 1 FROM S;", &server.url]).run();
    assert_eq!(
        done.out,
        "{\n  \"queryId\" : \"q\",\n  \"schema\" : \"`A` DOUBLE\"\n}\n\
         {\n  \"columns\" : [ 1.50, {\n    \"k\" : [ ]\n  }, 1000 ]\n}\n\
         {\n  \"columns\" : [ null ],\n  \"tombstone\" : true\n}\nQuery terminated\n"
    );
}

#[test]
fn limits_and_interrupts_end_a_query_and_its_connection() {
    let server = Fake::start(|_| {
        Reply::Open(Reply::rows(
            "`A` INTEGER",
            &[json!([1]), json!([2]), json!([3])],
            None,
        ))
    });
    let head = "+-----+\n|A    |\n+-----+\n|1    |\n|2    |\n";
    let sql = "SELECT A FROM S EMIT CHANGES;";
    for (flags, ring_after, rows) in [
        (["--query-row-limit", "2"], None, head.to_owned()),
        (["--query-timeout", "300"], None, format!("{head}|3    |\n")),
        (
            ["--output", "TABULAR"],
            Some("|3    |"),
            format!("{head}|3    |\n"),
        ),
    ] {
        let arguments = [flags[0], flags[1], "-e", sql, &server.url];
        let mut call = Call::new(&arguments);
        call.ring_after = ring_after;
        let done = call.run();
        assert_eq!(done.out, format!("{rows}Query terminated\n"), "{flags:?}");
        assert_eq!(done.exit, 0);
        assert_eq!(server.wait_for_hang_up(), sql);
    }
}

#[test]
fn topics_are_printed_line_by_line() {
    let server = Fake::start(|_| {
        Reply::Chunks(
            ["Key format: ", "JSON\n", "\n", "rowtime: 1, key: 2\n", "\n"]
                .map(str::to_owned)
                .to_vec(),
        )
    });
    let done = execute(&server, "PRINT t LIMIT 1;");
    assert_eq!(
        done.out,
        "Key format: JSON\nrowtime: 1, key: 2\nTopic printing ceased\n"
    );
}

#[test]
fn errors_in_the_middle_of_a_query_are_shown() {
    let error =
        json!({"errorMessage": {"@type": "generic_error", "error_code": 50000, "message": "boom"}});
    let chunk = format!("{error}]");
    let server = Fake::start(move |_| {
        let mut chunks = Reply::rows("`A` INTEGER", &[], None);
        chunks.push(chunk.clone());
        Reply::Chunks(chunks)
    });
    let done = execute(&server, "SELECT A FROM S;");
    assert!(
        done.out
            .ends_with("+-----+\n\x1b[31mboom\x1b[0m\nQuery terminated\n"),
        "{}",
        done.out
    );
    let server = Fake::start(|_| Reply::Broken("[{\"header\"".to_owned()));
    let done = execute(&server, "SELECT A FROM S;");
    assert!(
        done.out.contains("Could not reach the server"),
        "{}",
        done.out
    );
    assert_eq!(done.exit, 255);
}

#[test]
fn the_prompt_goes_on_after_errors_and_ends_with_the_input() {
    let server = Fake::start(|asked| match asked.sql().contains("NOPE") {
        true => Reply::refused(400, "no NOPE"),
        false => accept(asked),
    });
    let mut call = Call::new(&[]);
    let arguments = [server.url.as_str()];
    call.arguments = &arguments;
    call.input = "DROP\n  STREAM -- it\nNOPE\n;\n\n-- nothing\noutput\nset cli wrap\nBAR;\nDROP STREAM B;\nhistory\nnever ended";
    let done = call.run();
    let (banner, rest) = done.out.split_once("things work!\n\n").unwrap();
    let located = format!(
        "CLI v0.29.0, Server v0.29.0 located at {}\nServer Status: RUNNING\n",
        server.url
    );
    assert!(banner.contains(&located), "{banner}");
    let prompts: Vec<&str> = rest.split("ksql> ").collect();
    assert_eq!(prompts[1], "\x1b[31mno NOPE\x1b[0m\n");
    assert_eq!(prompts[2..4], ["", ""]);
    assert_eq!(prompts[4], "Current output format: TABULAR\n");
    assert!(prompts[5].starts_with("\x1b[31mToo few parameters\nset cli <property>"));
    assert!(prompts[6].contains("line 1:1"), "{}", prompts[6]);
    assert_eq!(prompts[7], format!("\n{MESSAGE}"));
    assert!(prompts[8].starts_with("   1: DROP\n  STREAM -- it\nNOPE\n;\n   2: -- nothing\n"));
    assert_eq!(prompts[9], "Exiting Weir.\n");
    assert_eq!(done.exit, 0);
}

#[test]
fn scripts_spools_and_pipelines() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(path("a.sql"), "DROP STREAM A;\nDROP STREAM B;\n").unwrap();
    let server = Fake::start(accept);
    let arguments = [server.url.as_str()];
    let mut call = Call::new(&arguments);
    let input = format!(
        "spool '{}'\nspool x\nrequest-pipelining on\nrun script '{}';\nspool off\nexit\nDROP STREAM Z;\n",
        path("spool"),
        path("a.sql")
    );
    call.input = &input;
    let done = call.run();
    assert!(
        done.out
            .contains("request-pipelining configuration is now ON\n"),
        "{}",
        done.out
    );
    assert!(done.out.contains("already"), "{}", done.out);
    let asked = server.asked("/ksql ");
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].sql(), "DROP STREAM A;\nDROP STREAM B;\n");
    assert!(asked[0].body.get("commandSequenceNumber").is_none());
    let spool = std::fs::read_to_string(path("spool")).unwrap();
    assert!(spool.starts_with("Session will be spooled to"), "{spool}");
    assert!(
        spool.contains("ksql> request-pipelining on\nrequest-pipelining configuration"),
        "{spool}"
    );
    assert!(!spool.contains("Exiting"), "{spool}");
    // -f is one input: a statement that fails stops the rest.
    let done = Call::new(&["-f", &path("a.sql"), &server.url]).run();
    assert_eq!(done.exit, 0);
    assert_eq!(
        server.asked("/ksql ")[1].sql(),
        "DROP STREAM A;DROP STREAM B;"
    );
}

#[test]
fn credentials_are_sent_as_headers() {
    let server = Fake::start(accept);
    for (flags, header) in [
        (
            vec!["-u", "me", "-p", "pass"],
            Some("authorization: Basic bWU6cGFzcw=="),
        ),
        (vec!["-t", "abc"], Some("authorization: Bearer abc")),
        (vec![], None),
    ] {
        let mut arguments = flags.clone();
        arguments.extend(["-e", "DROP STREAM A;", &server.url]);
        Call::new(&arguments).run();
        let asked = server.asked("/ksql ").pop().unwrap();
        let sent = asked
            .headers
            .iter()
            .find(|h| h.starts_with("authorization"));
        assert_eq!(sent.map(String::as_str), header, "{flags:?}");
    }
}

#[test]
fn statements_of_the_command_line_go_before_a_script() {
    let server = Fake::start(accept);
    let done = Call::new(&["-f", "/no/such/file", "-e", "DROP STREAM A;", &server.url]).run();
    assert_eq!((done.err.as_str(), done.exit), ("", 0), "{}", done.out);
    assert_eq!(server.asked("/ksql").len(), 1);
}

#[test]
fn wrong_arguments_go_to_the_other_stream() {
    let done = Call::new(&["-d", "x", "-e", "LIST STREAMS;"]).run();
    assert_eq!((done.out.as_str(), done.exit), ("", 255));
    assert!(
        done.err.contains("x: variables must be defined"),
        "{}",
        done.err
    );
    let done = Call::new(&["--help"]).run();
    assert!(done.out.contains("--query-row-limit"));
    assert_eq!((done.err.as_str(), done.exit), ("", 255));
}

#[test]
fn a_terminal_shows_how_to_stop_a_query() {
    let server =
        Fake::start(|_| Reply::Chunks(Reply::rows("`A` INTEGER", &[json!([1])], Some("Done"))));
    let arguments = ["-e", "SELECT A FROM S EMIT CHANGES;", &server.url];
    let mut call = Call::new(&arguments);
    call.size = Some(Size {
        columns: 12,
        rows: 9,
    });
    let done = call.run();
    assert!(
        done.out
            .contains("\x1b[9;1H\x1b[7mPress CTRL-C to interrupt\x1b[0m\x1b[1;8r"),
        "{:?}",
        done.out
    );
    assert!(done.out.contains("|A         |\n"), "{}", done.out);
    assert!(
        done.out
            .ends_with("Query terminated\n\x1b7\x1b[9;1H\x1b[J\x1b[1;9r\x1b8"),
        "{:?}",
        done.out
    );
}
