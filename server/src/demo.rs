//! `weir demo`: a first look. Made-up orders flow into a topic, three statements run over them, and
//! a push query shows the result as it changes; then the prompt.
//!
//! Without a terminal it prints ten rows of the result and ends.

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use weir_catalog::config::ServerConfig;

use crate::arguments::DatagenOptions;
use crate::datagen;
use crate::start::{self, say};

/// The statements, each with what it shows.
const STATEMENTS: &[(&str, &str)] = &[
    (
        "A stream over the topic of orders:",
        "CREATE STREAM IF NOT EXISTS orders (orderid INT KEY, ordertime BIGINT, itemid VARCHAR, \
         orderunits DOUBLE, address STRUCT<city VARCHAR, state VARCHAR, zipcode BIGINT>) WITH \
         (KAFKA_TOPIC='orders', VALUE_FORMAT='JSON', PARTITIONS=1);",
    ),
    (
        "A table kept up to date, exactly once:",
        "CREATE TABLE IF NOT EXISTS units_by_state AS SELECT address->state AS state, COUNT(*) AS \
         orders, SUM(orderunits) AS units FROM orders GROUP BY address->state;",
    ),
];

const QUERY: &str = "SELECT * FROM units_by_state EMIT CHANGES LIMIT 10;";

/// Runs the demo.
pub(crate) fn run(config: ServerConfig) -> Result<(), String> {
    let running = start::start(config)?;
    say(&format!("Weir is running: {}\n", running.url()));
    for (title, statement) in STATEMENTS {
        say(&format!("{title}\n  {statement}\n"));
        cli(&running.url(), statement)?;
    }
    let stop = Arc::new(AtomicBool::new(false));
    let orders = write_orders(running.bootstrap(), stop.clone());
    say(&format!(
        "\nThe table as it changes (made-up orders are coming in):\n  {QUERY}\n"
    ));
    cli(&running.url(), QUERY)?;
    if std::io::stdin().is_terminal() && std::io::stdout().is_terminal() {
        say(
            "\nNow it is your turn. Try:\n  SELECT * FROM units_by_state WHERE state = 'State_1';\n  \
             SHOW QUERIES;\n  exit\n",
        );
        weir_cli::main(&[running.url()]);
    }
    stop.store(true, Ordering::Release);
    // What the generator says no longer matters.
    let _ = orders.join();
    running.stop();
    Ok(())
}

fn cli(url: &str, statement: &str) -> Result<(), String> {
    let mut arguments = vec![url, "--execute", statement];
    // Without a terminal there is no width to fit the cells to.
    if !std::io::stdout().is_terminal() {
        arguments.extend(["--column-width", "16"]);
    }
    let arguments: Vec<String> = arguments.into_iter().map(str::to_owned).collect();
    match weir_cli::main(&arguments) {
        0 => Ok(()),
        code => Err(format!("the statement failed (exit status {code})")),
    }
}

/// Writes orders until told to stop, some each second.
fn write_orders(bootstrap: &str, stop: Arc<AtomicBool>) -> std::thread::JoinHandle<()> {
    let options = DatagenOptions {
        quickstart: "orders".to_owned(),
        bootstrap: bootstrap.to_owned(),
        topic: Some("orders".to_owned()),
        key: None,
        key_format: "kafka".to_owned(),
        value_format: "json".to_owned(),
        delimiter: ',',
        iterations: Some(100),
        rate: Some(50),
        print: false,
        seed: 1,
    };
    std::thread::spawn(move || {
        let mut options = options;
        while !stop.load(Ordering::Acquire) {
            if let Err(error) = datagen::generate(&options, &mut |_| {}) {
                tracing::warn!(error, "made-up orders stop");
                return;
            }
            options.seed += 1;
        }
    })
}
