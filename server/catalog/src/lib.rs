//! Metastore, command log, statement execution and the life of queries.
//!
//! ```text
//!  http ─► Weir ─► request (/ksql) ─► planning ─► command log ─► metastore ─► fleet (runtime)
//!             └──► query (/query)  ─► push │ pull │ scan │ print
//!  config: properties of the server and of requests       processing_log: what tasks report
//! ```
//!
//! Invariant: the metastore is what the command log says, applied in order; a server that starts
//! reads the log and holds the same queries under the same ids.

mod api;
mod clock;
pub mod command;
mod command_log;
pub mod config;
mod effects;
mod fleet;
mod hash_order;
mod inserter;
mod json_values;
pub mod metastore;
pub mod planning;
mod print;
pub mod processing_log;
mod push;
mod query;
mod request;
pub mod runtime_view;
pub mod statements;
mod topics;
mod weir;

pub use api::{
    Answer, EndReason, Endpoint, PrintEvent, PrintStream, QueryKind, QueryRequest, RowEvent,
    RowStream, ServerInfo,
};
pub use inserter::Inserter;
pub use query::{Lookup, LookupRows};
pub use weir::{Health, QueryFailure, RELEASE, StartError, VERSION, Weir};
pub use weir_engine::Scalar;
