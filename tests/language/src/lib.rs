//! The language as users meet it: statements run against a catalog in memory, the reference pages
//! made from the tables in code, and (under `tests/`) what holds for pages and for random text.
//!
//! ```text
//!  text ─► parser ─► planner ─► engine (compiled, not run)         session
//!  registry, WITH properties ─► functions.md, marked sections      reference
//! ```
//!
//! Invariant: nothing here touches Kafka or the clock.

pub mod reference;
pub mod session;
