//! Recorded cases of ksqlDB, read and played without Kafka and without a clock.
//!
//! ```text
//!  file ─case─► variants ─session─► catalog, topologies ─driver─► records ─run─► passed, failed
//! ```
//!
//! The program `conformance` counts which cases pass. What plays cases against a server takes from
//! here how cases are read, and how their records are written and compared.
//!
//! Invariant: one case leaves nothing behind for the next.

mod bytes;
pub mod case;
mod compare;
pub mod driver;
pub mod run;
pub mod session;
