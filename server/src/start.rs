//! Starting the parts in order: broker, catalog, HTTP; then the prompt, or waiting for a signal.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::runtime::Runtime;
use weir_broker::{Broker, BrokerConfig, RunningBroker};
use weir_catalog::Weir;
use weir_catalog::config::ServerConfig;
use weir_http::{HttpServer, Tls};

use crate::arguments::BrokerOptions;

/// Port of the HTTP API.
const HTTP_PORT: u16 = 8088;
/// Port of the embedded broker.
const BROKER_PORT: u16 = 9092;

/// Milliseconds since the epoch.
pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// A server with everything under it. Dropping it without [`stop`](Self::stop) is as a crash.
pub(crate) struct Running {
    tokio: Runtime,
    weir: Arc<Weir>,
    /// At least one.
    http: Vec<HttpServer>,
    broker: Option<RunningBroker>,
    data: PathBuf,
    bootstrap: String,
}

impl Running {
    /// Addresses of the HTTP API, as a client on this machine reaches them; those without TLS
    /// first.
    fn urls(&self) -> Vec<String> {
        let mut servers: Vec<&HttpServer> = self.http.iter().collect();
        servers.sort_by_key(|server| server.is_tls());
        servers
            .into_iter()
            .map(|server| {
                let mut address = server.address();
                if address.ip().is_unspecified() {
                    address.set_ip(IpAddr::V4(Ipv4Addr::LOCALHOST));
                }
                let scheme = if server.is_tls() { "https" } else { "http" };
                format!("{scheme}://{address}")
            })
            .collect()
    }

    /// The address for the prompt.
    pub(crate) fn url(&self) -> String {
        self.urls().into_iter().next().unwrap_or_default()
    }

    /// `bootstrap.servers`
    pub(crate) fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// Stops in order: HTTP, queries, broker.
    pub(crate) fn stop(self) {
        let Self {
            tokio,
            weir,
            http,
            broker,
            ..
        } = self;
        for server in http {
            tokio.block_on(server.stop());
        }
        weir.stop();
        drop(weir);
        if let Some(broker) = broker {
            tokio.block_on(broker.stop());
        }
        tokio.shutdown_timeout(Duration::from_secs(5));
    }

    /// What a user is told at the start.
    fn banner(&self) -> String {
        let kafka = match &self.broker {
            Some(_) => format!("embedded broker on {}", self.bootstrap),
            None => self.bootstrap.clone(),
        };
        format!(
            "Weir {} is running.\n  HTTP API  {}\n  Kafka     {kafka}\n  Data      {}",
            env!("CARGO_PKG_VERSION"),
            self.urls().join(", "),
            self.data.display()
        )
    }
}

fn init_logging() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("WEIR_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn"));
    // A second call (in one process) keeps the first one's settings.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false)
        .try_init();
}

/// Folder of state and of the embedded broker's data.
fn data_dir(config: &ServerConfig) -> PathBuf {
    if let Some(dir) = config.given_value("weir.data.dir") {
        return PathBuf::from(dir);
    }
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let base = std::env::var_os("XDG_DATA_HOME")
        .map(PathBuf::from)
        .or_else(|| home.map(|home| home.join(".local/share")));
    base.unwrap_or_else(|| PathBuf::from(".")).join("weir")
}

/// Takes the folder for this process: one server at a time.
fn lock(dir: &Path) -> Result<std::fs::File, String> {
    std::fs::create_dir_all(dir).map_err(|e| format!("cannot make {}: {e}", dir.display()))?;
    let path = dir.join("server.lock");
    let file = std::fs::File::create(&path)
        .map_err(|e| format!("cannot write {}: {e}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(_) => Err(format!(
            "another Weir server is using {}. Stop it, or choose another folder with \
             weir.data.dir=DIR.",
            dir.display()
        )),
    }
}

/// Where the HTTP API listens.
struct Listener {
    address: SocketAddr,
    is_tls: bool,
}

/// All of `listeners`. Without one, on loopback with the embedded broker and on every address, as
/// ksqlDB, with a cluster.
fn listeners(config: &ServerConfig, embedded: bool) -> Result<Vec<Listener>, String> {
    let Some(list) = config.given_value("listeners") else {
        let ip = if embedded {
            Ipv4Addr::LOCALHOST
        } else {
            Ipv4Addr::UNSPECIFIED
        };
        return Ok(vec![Listener {
            address: SocketAddr::from((ip, HTTP_PORT)),
            is_tls: false,
        }]);
    };
    list.split(',')
        .map(str::trim)
        .map(|url| {
            let (is_tls, rest) = match url.strip_prefix("https://") {
                Some(rest) => (true, rest),
                None => (false, url.trim_start_matches("http://")),
            };
            let address = address(rest.trim_end_matches('/'), HTTP_PORT).ok_or_else(|| {
                format!("listeners={url}: not an address such as http://0.0.0.0:8088")
            })?;
            Ok(Listener { address, is_tls })
        })
        .collect()
}

/// Listens everywhere, or nowhere.
async fn listen(
    listeners: Vec<Listener>,
    tls: Option<&Tls>,
    weir: &Arc<Weir>,
) -> Result<Vec<HttpServer>, String> {
    let mut started = Vec::new();
    for Listener { address, is_tls } in listeners {
        let tls = tls.filter(|_| is_tls).cloned();
        match HttpServer::start(address, tls, weir.clone()).await {
            Ok(server) => started.push(server),
            Err(error) => {
                for server in started {
                    server.stop().await;
                }
                return Err(error.to_string());
            }
        }
    }
    Ok(started)
}

fn address(text: &str, default_port: u16) -> Option<SocketAddr> {
    use std::net::ToSocketAddrs;
    if let Ok(address) = text.parse() {
        return Some(address);
    }
    let with_port = if text.contains(':') {
        text.to_owned()
    } else {
        format!("{text}:{default_port}")
    };
    with_port.to_socket_addrs().ok()?.next()
}

/// Starts the embedded broker: on its usual port, or any free one if that is taken.
fn start_broker(
    tokio: &Runtime,
    config: &ServerConfig,
    data: &Path,
) -> Result<RunningBroker, String> {
    let given = config.given_value("weir.broker.listeners");
    let listen = match given {
        Some(text) => {
            let text = text.trim_start_matches("PLAINTEXT://");
            address(text, BROKER_PORT)
                .ok_or_else(|| format!("weir.broker.listeners={text}: not an address"))?
        }
        None => SocketAddr::from((Ipv4Addr::LOCALHOST, BROKER_PORT)),
    };
    let start = |listen| {
        let config = BrokerConfig {
            data: Some(data.join("broker")),
            listen,
            ..BrokerConfig::default()
        };
        tokio
            .block_on(Broker::start(config))
            .map_err(|e| e.to_string())
    };
    match start(listen) {
        Ok(broker) => Ok(broker),
        Err(_) if given.is_none() && TcpStream::connect(listen).is_ok() => {
            start(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
        }
        Err(error) => Err(format!("the embedded broker does not start: {error}")),
    }
}

/// Starts a server.
pub(crate) fn start(config: ServerConfig) -> Result<Running, String> {
    init_logging();
    let data = data_dir(&config);
    let lock = lock(&data)?;
    let tokio = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .worker_threads(2)
        .max_blocking_threads(128)
        .thread_keep_alive(Duration::from_secs(5))
        .build()
        .map_err(|e| e.to_string())?;
    let embedded = config.given_value("bootstrap.servers").is_none();
    let mut properties: Vec<(String, String)> = config
        .given()
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .collect();
    let mut default = |name: &str, value: String| {
        if config.given_value(name).is_none() {
            properties.push((name.to_owned(), value));
        }
    };
    default(
        "ksql.streams.state.dir",
        data.join("state").display().to_string(),
    );
    let broker = if embedded {
        Some(start_broker(&tokio, &config, &data)?)
    } else {
        None
    };
    if let Some(broker) = &broker {
        default("bootstrap.servers", broker.bootstrap_servers());
        // A first user sees what went wrong without having to ask for the log beforehand.
        default(
            "ksql.logging.processing.topic.auto.create",
            "true".to_owned(),
        );
        default(
            "ksql.logging.processing.stream.auto.create",
            "true".to_owned(),
        );
    }
    let config = ServerConfig::new(properties);
    let bootstrap = config
        .given_value("bootstrap.servers")
        .unwrap_or_default()
        .to_owned();
    let listeners = listeners(&config, embedded)?;
    let tls = if listeners.iter().any(|listener| listener.is_tls) {
        let property = |name: &str| config.given_value(name).map(str::to_owned);
        Some(Tls::from_properties(&property).map_err(|e| e.to_string())?)
    } else {
        None
    };
    let address = listeners
        .first()
        .map_or(SocketAddr::from(([127, 0, 0, 1], HTTP_PORT)), |l| l.address);
    let host = config.given_value("ksql.advertised.listener").map(|url| {
        url.trim_start_matches("http://")
            .trim_start_matches("https://")
            .trim_end_matches('/')
            .to_owned()
    });
    let shown = if address.ip().is_unspecified() {
        format!("localhost:{}", address.port())
    } else {
        address.to_string()
    };
    let weir = patiently(&format!("Connecting to Kafka at {bootstrap} …"), || {
        Weir::start(config, host.unwrap_or(shown)).map_err(|e| e.to_string())
    })?;
    let http = match tokio.block_on(listen(listeners, tls.as_ref(), &weir)) {
        Ok(http) => http,
        Err(error) => {
            weir.stop();
            return Err(error);
        }
    };
    // The lock lives as long as the process: a folder is never given up while something may
    // still write to it.
    std::mem::forget(lock);
    Ok(Running {
        tokio,
        weir,
        http,
        broker,
        data,
        bootstrap,
    })
}

/// Does what may take a while; after a second the user is told what is being done.
fn patiently<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let (done, waiting) = std::sync::mpsc::channel::<()>();
    std::thread::scope(|threads| {
        threads.spawn(move || {
            let waited = waiting.recv_timeout(Duration::from_secs(1));
            if waited == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                say(what);
            }
        });
        let result = work();
        drop(done);
        result
    })
}

/// `weir server`: until a signal comes.
pub(crate) fn server(config: ServerConfig) -> Result<(), String> {
    let running = start(config)?;
    say(&running.banner());
    running.tokio.block_on(stop_signal());
    say("Stopping.");
    running.stop();
    Ok(())
}

/// `weir`: a server, or the one that is running already, and the prompt on it.
pub(crate) fn both(config: ServerConfig) -> Result<(), String> {
    let embedded = config.given_value("bootstrap.servers").is_none();
    let wanted = listeners(&config, embedded)?;
    let answering = wanted
        .iter()
        .find(|listener| TcpStream::connect(listener.address).is_ok());
    if let Some(Listener { address, is_tls }) = answering {
        say(&format!(
            "Something answers on {address} already: the prompt opens on it."
        ));
        let scheme = if *is_tls { "https" } else { "http" };
        weir_cli::main(&[format!("{scheme}://{address}")]);
        return Ok(());
    }
    let running = start(config)?;
    say(&running.banner());
    weir_cli::main(&[running.url()]);
    running.stop();
    Ok(())
}

/// `weir broker`: the broker alone, until a signal comes.
pub(crate) fn broker(options: &BrokerOptions) -> Result<(), String> {
    init_logging();
    let tokio = Runtime::new().map_err(|e| e.to_string())?;
    let config = BrokerConfig {
        data: options.data.clone(),
        listen: options.address,
        configs: options.configs.clone(),
        ..BrokerConfig::default()
    };
    let running = tokio
        .block_on(Broker::start(config))
        .map_err(|e| e.to_string())?;
    say(&format!("Kafka broker on {}", running.address));
    tokio.block_on(stop_signal());
    tokio.block_on(running.stop());
    Ok(())
}

/// Prints a line for the user; a closed stream is no error.
pub(crate) fn say(text: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stdout(), "{text}");
    let _ = std::io::stdout().flush();
}

async fn stop_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}
