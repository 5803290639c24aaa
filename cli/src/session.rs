//! A session: what SET and DEFINE changed, and how statements run (spec/api.md §8.3).
//!
//! ```text
//!  text ──parse_all──► statements ──validate──► in order:
//!                                     SET UNSET DEFINE UNDEFINE LIST VARIABLES   here
//!                                     SELECT PRINT                               /query, one by one
//!                                     runs of all others                         /ksql, one request
//! ```
//!
//! Invariant: a text that does not parse, or sets what cannot be set, changes nothing; an error of
//! the server is part of the output and no failure.

use std::time::Duration;

use indexmap::IndexMap;
use serde_json::{Value, json};
use weir_parser::ast::Statement;
use weir_parser::{Parsed, Variables, parse_all};
use weir_protocol::KsqlRequest;

use crate::client::{Answer, Client, ClientError, Next};
use crate::console::{Console, message_of};

/// Why a text could not be run: something on this side of the connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Failure(pub String);

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        Self(error.to_string())
    }
}

/// Limits for streaming queries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Limits {
    /// End after this time.
    pub timeout: Option<Duration>,
    /// End after this many rows.
    pub rows: Option<u64>,
}

/// The state of a session.
#[derive(Debug)]
pub(crate) struct Session {
    client: Client,
    properties: IndexMap<String, Value>,
    variables: Variables,
    /// The highest command sequence number seen: the server waits for it before it answers, so
    /// that a session reads its own writes on any server of a cluster.
    sequence: i64,
    limits: Limits,
    /// `request-pipelining`: do not wait for the statements before.
    pub pipelining: bool,
}

impl Session {
    /// A session with nothing set.
    pub(crate) fn new(client: Client, limits: Limits) -> Self {
        Self {
            client,
            properties: IndexMap::new(),
            variables: Variables::new(),
            sequence: -1,
            limits,
            pipelining: false,
        }
    }

    /// The client.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// Asks another server from now on; its commands are counted from the beginning.
    ///
    /// # Errors
    ///
    /// The address cannot be used.
    pub(crate) fn set_server(&mut self, url: &str) -> Result<(), Failure> {
        self.client.set_server(url)?;
        self.sequence = -1;
        Ok(())
    }

    /// Defines a variable.
    pub(crate) fn define(&mut self, name: &str, value: &str) {
        self.variables.define(name, value);
    }

    /// Sets a property without a word, as a configuration file does.
    ///
    /// # Errors
    ///
    /// The server does not accept it.
    pub(crate) fn set_quietly(&mut self, name: &str, value: &str) -> Result<(), Failure> {
        self.check_property(name, value)?;
        self.properties.insert(name.to_owned(), Value::from(value));
        Ok(())
    }

    /// Runs the statements of a text.
    ///
    /// # Errors
    ///
    /// The text does not parse, a property cannot be set, or the server cannot be reached.
    pub(crate) fn execute(&mut self, text: &str, console: &mut Console) -> Result<(), Failure> {
        let statements = parse_all(text, &self.variables).map_err(|e| match &e.statement {
            Some(statement) => Failure(format!("{e}\nStatement: {statement}")),
            None => Failure(e.to_string()),
        })?;
        self.validate(&statements)?;
        let mut batch = String::new();
        for parsed in &statements {
            if !is_local(&parsed.statement) {
                batch.push_str(&parsed.text);
                continue;
            }
            self.send(&std::mem::take(&mut batch), console)?;
            self.run_local(parsed, console)?;
            if console.closed() {
                return Ok(());
            }
        }
        self.send(&batch, console)
    }

    /// Sends a whole script to `/ksql`, as RUN SCRIPT does: no SELECT and no PRINT in it.
    ///
    /// # Errors
    ///
    /// The server cannot be reached.
    pub(crate) fn run_script(&mut self, text: &str, console: &mut Console) -> Result<(), Failure> {
        let mut request = self.request(text);
        request.session_variables = self
            .variables
            .iter()
            .map(|(name, value)| (name.to_owned(), Value::from(value)))
            .collect();
        self.send_request(&request, console)
    }

    /// Everything that can be known to fail before anything has an effect.
    fn validate(&self, statements: &[Parsed]) -> Result<(), Failure> {
        let mut set: Vec<&str> = self.properties.keys().map(String::as_str).collect();
        for parsed in statements {
            match &parsed.statement {
                Statement::Set { name, value } => {
                    self.check_property(name, value)?;
                    set.push(name);
                }
                Statement::Unset { name } => {
                    if !set.contains(&name.as_str()) {
                        return Err(Failure(format!(
                            "Cannot unset local property '{name}' which was never set in the \
                             first place."
                        )));
                    }
                    set.retain(|n| n != name);
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Asks the server whether the property may be set and takes the value. SET in a request of
    /// its own is checked and has no effect.
    fn check_property(&self, name: &str, value: &str) -> Result<(), Failure> {
        if let Answer::Refused(error) = self.client.is_valid_property(name)? {
            return Err(Failure(message_of(&error).to_owned()));
        }
        let quoted = |s: &str| s.replace('\'', "''");
        let check = KsqlRequest {
            ksql: format!("SET '{}'='{}';", quoted(name), quoted(value)),
            ..KsqlRequest::default()
        };
        match self.client.statements(&check)? {
            Answer::Done(_) => Ok(()),
            Answer::Refused(error) => Err(Failure(message_of(&error).to_owned())),
        }
    }

    fn run_local(&mut self, parsed: &Parsed, console: &mut Console) -> Result<(), Failure> {
        match &parsed.statement {
            Statement::Set { name, value } => {
                let before = self
                    .properties
                    .insert(name.clone(), Value::from(value.as_str()));
                let from = match before.as_ref().and_then(Value::as_str) {
                    Some(before) => format!(" from '{before}'"),
                    None => String::new(),
                };
                let ending = if from.is_empty() {
                    " Use the UNSET command to revert your change."
                } else {
                    ""
                };
                console.line(&format!(
                    "Successfully changed local property '{name}'{from} to '{value}'.{ending}"
                ));
            }
            Statement::Unset { name } => {
                let before = self.properties.shift_remove(name);
                let before = before.as_ref().and_then(Value::as_str).unwrap_or_default();
                console.line(&format!(
                    "Successfully unset local property '{name}' (value was '{before}')."
                ));
            }
            Statement::Define { name, value } => self.variables.define(name, value),
            Statement::Undefine { name } => {
                if !self.variables.undefine(name) {
                    console.line(&format!(
                        "Cannot undefine variable '{name}' which was never defined."
                    ));
                }
            }
            Statement::ListVariables => {
                let variables: Vec<Value> = self
                    .variables
                    .iter()
                    .map(|(name, value)| json!({"name": name, "value": value}))
                    .collect();
                console.entities(&[json!({
                    "@type": "variables",
                    "statementText": parsed.text,
                    "variables": variables,
                    "warnings": [],
                })]);
            }
            Statement::Print { .. } => self.print_topic(&parsed.text, console)?,
            _ => self.query(&parsed.text, console)?,
        }
        Ok(())
    }

    fn request(&self, text: &str) -> KsqlRequest {
        KsqlRequest {
            ksql: text.to_owned(),
            streams_properties: self.properties.clone(),
            session_variables: IndexMap::new(),
            request_properties: IndexMap::new(),
            command_sequence_number: (!self.pipelining).then_some(self.sequence),
        }
    }

    fn send(&mut self, text: &str, console: &mut Console) -> Result<(), Failure> {
        if text.is_empty() {
            return Ok(());
        }
        let request = self.request(text);
        self.send_request(&request, console)
    }

    fn send_request(
        &mut self,
        request: &KsqlRequest,
        console: &mut Console,
    ) -> Result<(), Failure> {
        let entities = match self.client.statements(request)? {
            Answer::Refused(error) => {
                console.server_error(&error, Some(&request.ksql));
                return Ok(());
            }
            Answer::Done(entities) => entities,
        };
        let mut failed = false;
        for entity in &entities {
            let number = entity.get("commandSequenceNumber").and_then(Value::as_i64);
            self.sequence = self.sequence.max(number.unwrap_or(-1));
            let Some(status) = entity.get("commandStatus") else {
                continue;
            };
            if status.get("status").and_then(Value::as_str) == Some("ERROR") {
                let first = message_of(status).lines().next().unwrap_or_default();
                console.error(first, None);
                failed = true;
            }
        }
        if !failed {
            console.entities(&entities);
        }
        Ok(())
    }

    fn query(&mut self, text: &str, console: &mut Console) -> Result<(), Failure> {
        let request = self.request(text);
        let mut stream = match self.client.query(&request, self.limits.timeout)? {
            Answer::Done(stream) => stream,
            Answer::Refused(error) => {
                console.server_error(&error, Some(text));
                return Ok(());
            }
        };
        console.show_bar();
        let mut rows = 0;
        let ended = loop {
            let line = match stream.next() {
                Ok(Next::Line(line)) => line,
                Ok(Next::End) => break Ok(()),
                Ok(Next::Stopped) => {
                    self.note_stop(console);
                    break Ok(());
                }
                Err(error) => break Err(error),
            };
            let element = line
                .trim()
                .trim_start_matches('[')
                .trim_end_matches([',', ']']);
            if element.is_empty() {
                continue;
            }
            let element: Value = match serde_json::from_str(element) {
                Ok(element) => element,
                Err(error) => {
                    break Err(ClientError::Answer {
                        server: self.client.server().to_owned(),
                        reason: format!("{error} in {element}"),
                    });
                }
            };
            if let Some(header) = element.get("header") {
                console.row_header(header);
            }
            if let Some(error) = element.get("errorMessage") {
                console.server_error(error, None);
            }
            if let Some(message) = element.get("finalMessage").and_then(Value::as_str) {
                console.line(message);
            }
            if let Some(row) = element.get("row") {
                console.row(row);
                rows += 1;
            }
            if self.limits.rows.is_some_and(|most| rows >= most) || console.closed() {
                break Ok(());
            }
        };
        drop(stream);
        console.line("Query terminated");
        console.hide_bar();
        ended.map_err(Failure::from)
    }

    fn print_topic(&mut self, text: &str, console: &mut Console) -> Result<(), Failure> {
        let request = self.request(text);
        let mut stream = match self.client.query(&request, self.limits.timeout)? {
            Answer::Done(stream) => stream,
            Answer::Refused(error) => {
                console.line(message_of(&error));
                return Ok(());
            }
        };
        console.show_bar();
        let ended = loop {
            match stream.next() {
                Ok(Next::Line(line)) => console.line(&line),
                Ok(Next::End) => break Ok(()),
                Ok(Next::Stopped) => {
                    self.note_stop(console);
                    break Ok(());
                }
                Err(error) => break Err(error),
            }
            if console.closed() {
                break Ok(());
            }
        };
        drop(stream);
        console.line("Topic printing ceased");
        console.hide_bar();
        ended.map_err(Failure::from)
    }

    /// The terminal has echoed `^C` where the cursor was: go on in a line of its own.
    fn note_stop(&self, console: &mut Console) {
        if console.size().is_some() && self.limits.timeout.is_none() {
            console.screen("\n");
        }
    }
}

/// What does not go to `/ksql`.
fn is_local(statement: &Statement) -> bool {
    matches!(
        statement,
        Statement::Set { .. }
            | Statement::Unset { .. }
            | Statement::Define { .. }
            | Statement::Undefine { .. }
            | Statement::ListVariables
            | Statement::Query(_)
            | Statement::Print { .. }
    )
}
