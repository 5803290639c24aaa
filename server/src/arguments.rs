//! The command line.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use weir_catalog::config::ServerConfig;

/// What is to be done.
#[derive(Debug)]
pub(crate) enum Command {
    /// Server and prompt.
    Both(ServerConfig),
    /// Server alone.
    Server(ServerConfig),
    /// Prompt alone, with these arguments.
    Cli(Vec<String>),
    /// Made-up records.
    Datagen(DatagenOptions),
    /// A first look.
    Demo(ServerConfig),
    /// Broker alone.
    Broker(BrokerOptions),
}

/// Options of `weir broker`.
#[derive(Debug)]
pub(crate) struct BrokerOptions {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// Where its data is; `None`: in memory.
    pub(crate) data: Option<PathBuf>,
    /// Kafka's configs of a broker, by name.
    pub(crate) configs: Vec<(String, String)>,
}

/// Options of `weir datagen`, as ksql-datagen names them.
#[derive(Debug, Clone)]
pub(crate) struct DatagenOptions {
    /// `orders`, `users`, `clickstream`, `pageviews`, …
    pub(crate) quickstart: String,
    /// Brokers.
    pub(crate) bootstrap: String,
    /// Topic; by default `<quickstart>`.
    pub(crate) topic: Option<String>,
    /// Name of the field that is the key.
    pub(crate) key: Option<String>,
    /// `json`, `kafka`.
    pub(crate) key_format: String,
    /// `json`, `delimited`.
    pub(crate) value_format: String,
    /// Between values of the delimited format.
    pub(crate) delimiter: char,
    /// Records to make; `None`: without end.
    pub(crate) iterations: Option<u64>,
    /// Records a second; `None`: as fast as it goes.
    pub(crate) rate: Option<u64>,
    /// Print each record.
    pub(crate) print: bool,
    /// Start of the random numbers: the same seed makes the same records.
    pub(crate) seed: u64,
}

/// Why nothing is done: help asked for, or arguments not understood.
pub(crate) struct Refusal {
    text: String,
    code: u8,
}

impl Refusal {
    fn help(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            code: 0,
        }
    }

    fn wrong(text: String) -> Self {
        Self {
            text: format!("{text}\nTry: weir help"),
            code: 2,
        }
    }

    /// Prints and gives the exit status.
    pub(crate) fn print(&self) -> ExitCode {
        let text = format!("{}\n", self.text.trim_end());
        // Nobody is there to tell if the stream is closed.
        let _ = if self.code == 0 {
            std::io::stdout().write_all(text.as_bytes())
        } else {
            std::io::stderr().write_all(text.as_bytes())
        };
        ExitCode::from(self.code)
    }
}

/// Prints an error for the user.
pub(crate) fn complain(message: &str) {
    let _ = writeln!(std::io::stderr(), "weir: {message}");
}

const HELP: &str = "\
Weir: streaming SQL for Kafka.

  weir                     start a server on this machine and open the prompt on it
  weir server [OPTIONS]    start a server
  weir cli [URL]           open the prompt on a running server (default http://localhost:8088)
  weir demo                made-up orders, a few statements, rows as they come; then the prompt
  weir datagen key=value…  write made-up records to a topic (weir datagen help)
  weir broker [OPTIONS]    start the embedded Kafka broker alone

Options of server:
  --config FILE            a properties file with ksqlDB's names
  key=value                one property, such as
      bootstrap.servers=kafka:9092         a Kafka cluster; without it, one is embedded
      listeners=http://0.0.0.0:8088        where the HTTP API listens
      ksql.service.id=default_             servers with the same id form a cluster
      ksql.streams.num.stream.threads=2    worker threads
      weir.data.dir=DIR                    state, and the embedded broker's data
      weir.broker.listeners=127.0.0.1:9092 where the embedded broker listens
  KSQL_… in the environment: properties as in ksqlDB's containers (KSQL_BOOTSTRAP_SERVERS=…)

Options of broker:
  --port N                 port on 127.0.0.1 (default 9092)
  --data DIR               where its data is kept; without it, in memory
  key=value                a config of Kafka's broker, such as num.partitions=4

weir cli --help tells the options of the prompt.";

const DATAGEN_HELP: &str = "\
weir datagen writes made-up records to a topic.

  quickstart=NAME      orders, users, pageviews, clickstream or ratings (required)
  bootstrap-server=B   Kafka (default localhost:9092)
  topic=T              topic (default: the quickstart's name)
  key=FIELD            field that becomes the key
  key-format=F         kafka (default) or json
  value-format=F       json (default) or delimited
  valueDelimiter=C     between values of the delimited format (default ,)
  iterations=N         records to write (default: until stopped)
  msgRate=N            records a second (default: as fast as it goes)
  printRows=BOOL       print each record (default true)
  seed=N               the same seed makes the same records";

/// Reads the arguments after the program's name.
pub(crate) fn parse(arguments: impl Iterator<Item = String>) -> Result<Command, Refusal> {
    let all: Vec<String> = arguments.collect();
    let (verb, rest) = match all.split_first() {
        None => return Ok(Command::Both(server_config(&[])?)),
        Some((verb, rest)) => (verb.as_str(), rest),
    };
    match verb {
        "server" => Ok(Command::Server(server_config(rest)?)),
        "cli" => Ok(Command::Cli(rest.to_vec())),
        "demo" => Ok(Command::Demo(server_config(rest)?)),
        "datagen" => Ok(Command::Datagen(datagen(rest)?)),
        "broker" => Ok(Command::Broker(broker(rest)?)),
        "help" | "-h" | "--help" => Err(Refusal::help(HELP)),
        "version" | "-V" | "--version" => {
            Err(Refusal::help(concat!("weir ", env!("CARGO_PKG_VERSION"))))
        }
        _ if verb.contains('=') || verb == "--config" => Ok(Command::Both(server_config(&all)?)),
        _ => Err(Refusal::wrong(format!("unknown command '{verb}'"))),
    }
}

fn server_config(arguments: &[String]) -> Result<ServerConfig, Refusal> {
    let mut properties: Vec<(String, String)> = std::env::vars()
        .filter_map(|(name, value)| Some((property_of_variable(&name)?, value)))
        .collect();
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        if argument == "--config" {
            let path = arguments
                .next()
                .ok_or_else(|| Refusal::wrong("--config needs a file".into()))?;
            let text = std::fs::read_to_string(path)
                .map_err(|e| Refusal::wrong(format!("cannot read {path}: {e}")))?;
            properties.extend(ServerConfig::read_properties(&text));
        } else if argument == "-h" || argument == "--help" {
            return Err(Refusal::help(HELP));
        } else if let Some((name, value)) = argument.split_once('=') {
            properties.push((name.trim_start_matches("--").to_owned(), value.to_owned()));
        } else {
            return Err(Refusal::wrong(format!(
                "'{argument}' is neither --config nor key=value"
            )));
        }
    }
    Ok(ServerConfig::new(properties))
}

/// The property that a variable sets, as in ksqlDB's containers: `KSQL_KSQL_SERVICE_ID` is
/// `ksql.service.id`; two underscores are a dash, three one underscore. What those containers take
/// for the JVM is none.
fn property_of_variable(variable: &str) -> Option<String> {
    const OF_THE_JVM: [&str; 8] = [
        "CLASSPATH",
        "CONFIG_DIR",
        "DIR",
        "HEAP_OPTS",
        "JMX_OPTS",
        "JVM_PERFORMANCE_OPTS",
        "LOG4J_OPTS",
        "OPTS",
    ];
    let name = variable.strip_prefix("KSQL_")?;
    if OF_THE_JVM.contains(&name) || name.starts_with("LOG4J_") {
        return None;
    }
    let name = name.to_ascii_lowercase();
    Some(
        name.replace("___", "\0")
            .replace("__", "-")
            .replace('_', ".")
            .replace('\0', "_"),
    )
}

fn broker(arguments: &[String]) -> Result<BrokerOptions, Refusal> {
    let mut options = BrokerOptions {
        address: SocketAddr::from(([127, 0, 0, 1], 9092)),
        data: None,
        configs: Vec::new(),
    };
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let mut value = || {
            arguments
                .next()
                .ok_or_else(|| Refusal::wrong(format!("{argument} needs a value")))
        };
        match argument.as_str() {
            "--port" => {
                let text = value()?;
                let port = text
                    .parse()
                    .map_err(|_| Refusal::wrong(format!("'{text}' is no port")))?;
                options.address.set_port(port);
            }
            "--data" => options.data = Some(PathBuf::from(value()?)),
            "-h" | "--help" => return Err(Refusal::help(HELP)),
            other => match other.split_once('=') {
                Some((name, value)) if !name.starts_with('-') => {
                    options.configs.push((name.to_owned(), value.to_owned()));
                }
                _ => return Err(Refusal::wrong(format!("unknown option '{other}'"))),
            },
        }
    }
    Ok(options)
}

fn datagen(arguments: &[String]) -> Result<DatagenOptions, Refusal> {
    let mut options = DatagenOptions {
        quickstart: String::new(),
        bootstrap: "localhost:9092".to_owned(),
        topic: None,
        key: None,
        key_format: "kafka".to_owned(),
        value_format: "json".to_owned(),
        delimiter: ',',
        iterations: None,
        rate: None,
        print: true,
        seed: 1,
    };
    for argument in arguments {
        if matches!(argument.as_str(), "help" | "-h" | "--help") {
            return Err(Refusal::help(DATAGEN_HELP));
        }
        let Some((name, value)) = argument.split_once('=') else {
            return Err(Refusal::wrong(format!("'{argument}' is not key=value")));
        };
        let number = || {
            value
                .parse::<u64>()
                .map_err(|_| Refusal::wrong(format!("{name}: '{value}' is not a whole number")))
        };
        match name {
            "quickstart" => options.quickstart = value.to_ascii_lowercase(),
            "bootstrap-server" => options.bootstrap = value.to_owned(),
            "topic" => options.topic = Some(value.to_owned()),
            "key" => options.key = Some(value.to_owned()),
            "key-format" => options.key_format = value.to_ascii_lowercase(),
            "value-format" | "format" => options.value_format = value.to_ascii_lowercase(),
            "valueDelimiter" => {
                options.delimiter = match value {
                    "TAB" => '\t',
                    "SPACE" => ' ',
                    other => other.chars().next().unwrap_or(','),
                };
            }
            "iterations" => options.iterations = Some(number()?),
            "msgRate" => options.rate = Some(number()?),
            "printRows" => options.print = value.eq_ignore_ascii_case("true"),
            "seed" => options.seed = number()?,
            other => return Err(Refusal::wrong(format!("unknown option '{other}'"))),
        }
    }
    if options.quickstart.is_empty() {
        return Err(Refusal::help(DATAGEN_HELP));
    }
    Ok(options)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic)]
    use super::*;

    fn parsed(arguments: &[&str]) -> Result<Command, Refusal> {
        parse(arguments.iter().map(|a| (*a).to_owned()))
    }

    #[test]
    fn commands() {
        assert!(matches!(parsed(&[]), Ok(Command::Both(_))));
        assert!(matches!(parsed(&["server", "a=b"]), Ok(Command::Server(_))));
        assert!(matches!(
            parsed(&["nonsense"]),
            Err(Refusal { code: 2, .. })
        ));
        assert!(matches!(parsed(&["--help"]), Err(Refusal { code: 0, .. })));
        let Ok(Command::Datagen(options)) =
            parsed(&["datagen", "quickstart=ORDERS", "iterations=5", "msgRate=10"])
        else {
            panic!("datagen is understood");
        };
        assert_eq!(options.quickstart, "orders");
        assert_eq!(options.iterations, Some(5));
    }

    #[test]
    fn variables_are_properties() {
        for (variable, property) in [
            ("KSQL_BOOTSTRAP_SERVERS", Some("bootstrap.servers")),
            ("KSQL_KSQL_SERVICE_ID", Some("ksql.service.id")),
            ("KSQL_A__B___C", Some("a-b_c")),
            ("KSQL_HEAP_OPTS", None),
            ("KSQL_LOG4J_ROOT_LOGLEVEL", None),
            ("HOME", None),
        ] {
            assert_eq!(
                property_of_variable(variable).as_deref(),
                property,
                "{variable}"
            );
        }
    }
}
