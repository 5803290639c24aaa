//! The arguments of `weir cli` (spec/api.md §8.1).

use std::path::PathBuf;
use std::time::Duration;

use crate::console::OutputFormat;

/// The server that is asked if none is named.
pub const DEFAULT_SERVER: &str = "http://localhost:8088";

/// Usage, for `--help`.
pub(crate) const USAGE: &str = "\
NAME
    weir cli - ask a Weir or ksqlDB server in SQL

SYNOPSIS
    weir cli [<option>...] [--] [<server>]

OPTIONS
    -e, --execute <sql>            Run one or more SQL statements and exit
    -f, --file <file>              Run the SQL of a file and exit
    -d, --define <name>=<value>    Define a variable for ${name}; repeatable
    --output <JSON|TABULAR>        How answers are written (default TABULAR)
    --query-timeout <ms>           End streaming queries after this time
    --query-row-limit <n>          End streaming queries after this many rows
    --column-width <n>             Columns of a cell of rows, as by `set cli column-width`
    --config-file <file>           Properties to set for the session
    -u, --user <name>              User name for HTTP Basic authentication
    -p, --password <password>      Password; asked for if only -u is given
    -t, --token <token>            Bearer token, instead of user and password
    --confluent-api-key <key>      Key sent along with connector statements
    --confluent-api-secret <s>     Secret for that key
    -h, --help                     Show this message

SERVER
    Address of the server (default http://localhost:8088). Of several, separated by commas, the
    first one is used.
";

/// What the command line asks for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Options {
    /// Address of the server as given.
    pub server: String,
    /// `-e`; an empty text counts as absent.
    pub execute: Option<String>,
    /// `-f`.
    pub script: Option<PathBuf>,
    /// `-d`.
    pub variables: Vec<(String, String)>,
    /// `--output`.
    pub output: OutputFormat,
    /// `--query-timeout`.
    pub query_timeout: Option<Duration>,
    /// `--query-row-limit`.
    pub row_limit: Option<u64>,
    /// `--column-width`.
    pub column_width: Option<usize>,
    /// `--config-file`.
    pub config: Option<PathBuf>,
    /// `-u`.
    pub user: Option<String>,
    /// `-p`.
    pub password: Option<String>,
    /// `-t`.
    pub token: Option<String>,
    /// `--confluent-api-key` and `--confluent-api-secret`.
    pub api_key: Option<(String, String)>,
}

/// A command line understood.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Invocation {
    /// Show the usage.
    Help,
    /// Do this.
    Run(Box<Options>),
}

/// Reads the arguments, program and subcommand left out.
///
/// # Errors
///
/// Words for the user: which argument is wrong and what it must be.
pub(crate) fn parse(arguments: &[String]) -> Result<Invocation, String> {
    let mut options = Options {
        server: String::new(),
        execute: None,
        script: None,
        variables: Vec::new(),
        output: OutputFormat::Tabular,
        query_timeout: None,
        row_limit: None,
        column_width: None,
        config: None,
        user: None,
        password: None,
        token: None,
        api_key: None,
    };
    let mut servers: Vec<&str> = Vec::new();
    let (mut key, mut secret) = (None, None);
    let mut rest = arguments.iter();
    let mut flags = true;
    while let Some(argument) = rest.next() {
        if !flags || !argument.starts_with('-') || argument == "-" {
            servers.push(argument);
            continue;
        }
        if argument == "--" {
            flags = false;
            continue;
        }
        let (flag, attached) = match argument.split_once('=') {
            Some((flag, value)) if flag.starts_with("--") => (flag, Some(value.to_owned())),
            _ => (argument.as_str(), None),
        };
        let mut value = || {
            attached
                .clone()
                .or_else(|| rest.next().cloned())
                .ok_or_else(|| {
                    usage_error(&format!("Required value for option '{flag}' is missing"))
                })
        };
        match flag {
            "-h" | "--help" => return Ok(Invocation::Help),
            "-e" | "--execute" => options.execute = Some(value()?).filter(|e| !e.is_empty()),
            "-f" | "--file" => options.script = Some(PathBuf::from(value()?)),
            "-d" | "--define" => options.variables.push(variable(&value()?)?),
            "--output" => options.output = output(&value()?)?,
            "--query-timeout" => {
                let millis = number(flag, &value()?)?;
                options.query_timeout = Some(Duration::from_millis(millis));
            }
            "--query-row-limit" => options.row_limit = Some(number(flag, &value()?)?),
            "--column-width" => {
                let width = number(flag, &value()?)?;
                options.column_width = usize::try_from(width).ok();
            }
            "--config-file" => options.config = Some(PathBuf::from(value()?)),
            "-u" | "--user" => options.user = Some(value()?),
            "-p" | "--password" => options.password = Some(value()?),
            "-t" | "--token" => options.token = Some(value()?),
            "--confluent-api-key" => key = Some(value()?),
            "--confluent-api-secret" => secret = Some(value()?),
            unknown => {
                return Err(usage_error(&format!(
                    "Found unexpected parameters: [{unknown}]"
                )));
            }
        }
    }
    options.server = match servers.as_slice() {
        [] => DEFAULT_SERVER.to_owned(),
        [one] => (*one).to_owned(),
        many => {
            return Err(usage_error(&format!(
                "At most 1 arguments may be specified but {} were found",
                many.len()
            )));
        }
    };
    options.api_key = match (key, secret) {
        (Some(key), Some(secret)) => Some((key, secret)),
        (None, None) => None,
        _ => {
            return Err(
                "You must specify both --confluent-api-key and --confluent-api-secret, or neither"
                    .to_owned(),
            );
        }
    };
    if options.token.is_some() && (options.user.is_some() || options.password.is_some()) {
        return Err("Only one of username/password or token can be provided".to_owned());
    }
    if options.password.is_some() && options.user.is_none() {
        return Err(NEEDS_BOTH.to_owned());
    }
    if options.execute.is_none()
        && let Some(script) = &options.script
        && !script.is_file()
    {
        return Err(format!("No such script file: {}", script.display()));
    }
    Ok(Invocation::Run(Box::new(options)))
}

/// Why a user name or a password alone is refused.
pub(crate) const NEEDS_BOTH: &str = "You must specify both a username and a password. If you don't want \
     to use an authenticated session, don't specify either of the --user or the --password flags \
     on the command line";

fn usage_error(problem: &str) -> String {
    format!("{problem}\nSee the -h or --help flags for usage information")
}

fn variable(definition: &str) -> Result<(String, String), String> {
    let Some((name, value)) = definition.split_once('=') else {
        return Err(format!(
            "Failed to parse argument {definition}: variables must be defined using '=' (i.e. \
             var=val)."
        ));
    };
    Ok((name.trim().to_owned(), unquoted(value.trim()).to_owned()))
}

/// `'v'` and `v` are the same value.
fn unquoted(value: &str) -> &str {
    value
        .strip_prefix('\'')
        .and_then(|v| v.strip_suffix('\''))
        .unwrap_or(value)
}

fn output(name: &str) -> Result<OutputFormat, String> {
    OutputFormat::parse(name).ok_or_else(|| {
        usage_error(&format!(
            "Value for option 'output' was given as '{name}' which is not in the list of allowed \
             values: [JSON, TABULAR]"
        ))
    })
}

fn number(flag: &str, value: &str) -> Result<u64, String> {
    value.parse().ok().filter(|n| *n > 0).ok_or_else(|| {
        usage_error(&format!(
            "Value for option '{flag}' was given as '{value}' which is not a positive number"
        ))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    fn parse_line(line: &str) -> Result<Invocation, String> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        parse(&words)
    }

    fn options(line: &str) -> Options {
        match parse_line(line) {
            Ok(Invocation::Run(options)) => *options,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn every_flag_has_its_place() {
        let o = options(
            "-e LIST -d a=1 --define b='x' --output json --query-timeout 5 --query-row-limit=7 \
             --column-width 9 -u me -p secret http://h:1",
        );
        assert_eq!(o.execute.as_deref(), Some("LIST"));
        let variables = [
            ("a".to_owned(), "1".to_owned()),
            ("b".to_owned(), "x".to_owned()),
        ];
        assert_eq!(o.variables, variables);
        assert_eq!(o.output, OutputFormat::Json);
        assert_eq!(o.query_timeout, Some(Duration::from_millis(5)));
        assert_eq!(o.row_limit, Some(7));
        assert_eq!(o.column_width, Some(9));
        assert_eq!(
            (o.user.as_deref(), o.password.as_deref()),
            (Some("me"), Some("secret"))
        );
        assert_eq!(o.server, "http://h:1");
        assert_eq!(options("").server, DEFAULT_SERVER);
        assert_eq!(parse_line("-e x --help"), Ok(Invocation::Help));
    }

    #[test]
    fn an_empty_statement_is_none() {
        let words = ["-e".to_owned(), String::new()];
        let Ok(Invocation::Run(options)) = parse(&words) else {
            panic!("refused");
        };
        assert_eq!(options.execute, None);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (line, words) in [
            ("-d x", "Failed to parse argument x"),
            ("--output XML", "'XML'"),
            ("a b c", "3 were found"),
            ("--query-timeout soon", "'soon'"),
            ("--query-row-limit 0", "'0'"),
            ("--nope", "[--nope]"),
            ("-e", "'-e'"),
            ("-p x", "both a username and a password"),
            ("-t x -u y", "Only one of"),
            ("-f /no/such/file", "No such script file: /no/such/file"),
            ("--confluent-api-key k", "--confluent-api-secret"),
        ] {
            let error = parse_line(line).unwrap_err();
            assert!(error.contains(words), "{line}: {error}");
        }
    }
}
