//! Push queries that run now: found by id to be closed, counted against the limit.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use rand::Rng;
use tokio::sync::Notify;

use crate::config::ServerConfig;
use crate::runtime_view::PushQueryInfo;

/// A running push query: what listings show, and how it is told to end.
struct Entry {
    info: PushQueryInfo,
    close: Arc<Notify>,
}

/// Push queries that run now.
pub struct PushRegistry {
    limit: usize,
    entries: Mutex<HashMap<String, Entry>>,
}

/// A place in the registry, given back when dropped.
pub struct PushTicket {
    registry: Arc<PushRegistry>,
    id: String,
    /// Told when the query is to end by request.
    pub close: Arc<Notify>,
}

impl Drop for PushTicket {
    fn drop(&mut self) {
        self.registry.entries.lock().remove(&self.id);
    }
}

impl PushRegistry {
    /// A registry with the limit of `ksql.max.push.queries`.
    pub fn new(config: &ServerConfig) -> Self {
        let limit = config.number("ksql.max.push.queries").unwrap_or(100);
        Self {
            limit: usize::try_from(limit).unwrap_or(0),
            entries: Mutex::new(HashMap::new()),
        }
    }

    /// `transient_<SOURCE>_<random>`
    pub fn new_id(source: &str) -> String {
        let number: u64 = rand::rng().random_range(0..(1 << 63));
        format!("transient_{source}_{number}")
    }

    /// `SCALABLE_PUSH_QUERY_<random>`
    pub fn new_shared_id() -> String {
        let number: u64 = rand::rng().random_range(0..(1 << 63));
        format!("SCALABLE_PUSH_QUERY_{number}")
    }

    /// Registers a query; `None`: the limit is reached.
    pub fn open(self: &Arc<Self>, info: PushQueryInfo) -> Option<PushTicket> {
        let mut entries = self.entries.lock();
        if entries.len() >= self.limit {
            return None;
        }
        let close = Arc::new(Notify::new());
        let id = info.id.clone();
        entries.insert(
            id.clone(),
            Entry {
                info,
                close: close.clone(),
            },
        );
        Some(PushTicket {
            registry: self.clone(),
            id,
            close,
        })
    }

    /// The limit.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Ends the query of that id, any case; whether there is one.
    pub fn close(&self, id: &str) -> bool {
        let entries = self.entries.lock();
        let found = entries.get(id).or_else(|| {
            entries
                .iter()
                .find(|(k, _)| k.eq_ignore_ascii_case(id))
                .map(|(_, e)| e)
        });
        match found {
            Some(entry) => {
                entry.close.notify_one();
                true
            }
            None => false,
        }
    }

    /// Whether there is a query of that id, any case.
    pub fn contains(&self, id: &str) -> bool {
        self.entries
            .lock()
            .keys()
            .any(|known| known.eq_ignore_ascii_case(id))
    }

    /// Ends all queries.
    pub fn close_all(&self) {
        self.entries
            .lock()
            .values()
            .for_each(|entry| entry.close.notify_one());
    }

    /// What listings show.
    pub fn list(&self) -> Vec<PushQueryInfo> {
        self.entries
            .lock()
            .values()
            .map(|e| e.info.clone())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn info(id: &str) -> PushQueryInfo {
        PushQueryInfo {
            id: id.to_owned(),
            sql: String::new(),
            columns: Vec::new(),
            sources: Vec::new(),
            topology: String::new(),
            plan: String::new(),
        }
    }

    #[test]
    fn places_are_limited_and_given_back() {
        let config = ServerConfig::new([("ksql.max.push.queries".to_owned(), "1".to_owned())]);
        let registry = Arc::new(PushRegistry::new(&config));
        let ticket = registry.open(info("transient_A_1")).unwrap();
        assert!(registry.open(info("transient_B_2")).is_none());
        assert!(registry.close("TRANSIENT_a_1"));
        assert!(!registry.close("other"));
        drop(ticket);
        assert!(registry.list().is_empty());
        assert!(registry.open(info("transient_B_2")).is_some());
    }
}
