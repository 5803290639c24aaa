//! Things compiled from argument texts (patterns, formats, paths), kept between rows and batches.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use ahash::AHashMap;

use super::{Call, row_error};

/// At most so many texts are kept for one call site; beyond, the cache starts anew.
const MAX_KEPT: usize = 256;

type Entry = Result<Arc<dyn Any + Send + Sync>, Arc<str>>;

/// What one call site has compiled so far.
#[derive(Default)]
pub struct CallCache {
    entries: Mutex<AHashMap<String, Entry>>,
}

impl fmt::Debug for CallCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CallCache")
    }
}

/// Compiles texts to `T`, each text once.
pub struct Compiled<'a, T> {
    cache: &'a CallCache,
    build: fn(&str) -> Result<T, String>,
    last: Option<(String, Result<Arc<T>, Arc<str>>)>,
}

impl<T: Send + Sync + 'static> Compiled<'_, T> {
    /// What `text` compiles to; if it does not, a row error and `None`.
    pub fn get(&mut self, text: &str) -> Option<&T> {
        if self.last.as_ref().is_none_or(|(last, _)| last != text) {
            self.last = Some((text.to_owned(), self.lookup(text)));
        }
        match &self.last {
            Some((_, Ok(compiled))) => Some(compiled),
            Some((_, Err(message))) => row_error(|| message.to_string()),
            None => None,
        }
    }

    fn lookup(&self, text: &str) -> Result<Arc<T>, Arc<str>> {
        let mut entries = self
            .cache
            .entries
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        match entries.get(text) {
            Some(Ok(compiled)) => {
                if let Ok(compiled) = Arc::clone(compiled).downcast::<T>() {
                    return Ok(compiled);
                }
            }
            Some(Err(message)) => return Err(Arc::clone(message)),
            None => {}
        }
        let compiled = (self.build)(text).map(Arc::new).map_err(Arc::from);
        if entries.len() >= MAX_KEPT {
            entries.clear();
        }
        let entry = match &compiled {
            Ok(compiled) => Ok(Arc::clone(compiled) as Arc<dyn Any + Send + Sync>),
            Err(message) => Err(Arc::clone(message)),
        };
        entries.insert(text.to_owned(), entry);
        compiled
    }
}

impl Call<'_> {
    /// A compiler of texts by `build`, whose error text becomes the row's error. A call site may
    /// use one kind of compiled thing only.
    pub fn compiled<T: Send + Sync + 'static>(
        &self,
        build: fn(&str) -> Result<T, String>,
    ) -> Compiled<'_, T> {
        Compiled {
            cache: self.cache,
            build,
            last: None,
        }
    }
}
