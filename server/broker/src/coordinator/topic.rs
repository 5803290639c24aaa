//! Creating, changing and deleting topics.

use super::{Coordinator, CoordinatorError, Result};
use crate::config::Overrides;
use crate::journal::Entry;
use crate::topics::Topic;
use std::sync::Arc;
use uuid::Uuid;

impl Coordinator {
    /// Creates a topic. Name, counts and overrides were checked.
    pub(crate) fn create_topic(
        &self,
        name: &str,
        partitions: i32,
        overrides: Overrides,
    ) -> Result<Arc<Topic>> {
        let mut state = self.state.lock();
        if self.topics.get(name).is_some() {
            return Err(CoordinatorError::TopicExists(name.to_owned()));
        }
        let id = Uuid::new_v4();
        let created = self
            .topics
            .open(name, id, partitions, overrides.clone())
            .and_then(|topic| {
                let entry = Entry::Topic {
                    name: name.to_owned(),
                    id,
                    partitions,
                    overrides,
                };
                self.record(&mut state, &[entry])?;
                Ok(topic)
            });
        match created {
            Ok(topic) => {
                self.topics.insert(topic.clone());
                Ok(topic)
            }
            Err(e) => {
                self.topics.remove_files(name, id);
                Err(e.into())
            }
        }
    }

    /// Deletes a topic and the offsets that groups committed for it.
    pub(crate) fn delete_topic(&self, name: &str) -> Result<()> {
        let mut state = self.state.lock();
        let topic = self
            .topics
            .get(name)
            .ok_or(CoordinatorError::UnknownTopic)?;
        let entry = Entry::TopicDeleted {
            name: name.to_owned(),
        };
        self.record(&mut state, &[entry])?;
        self.topics.remove(&topic);
        Ok(())
    }

    /// Adds partitions to a topic up to `count`; only checks when `dry`.
    pub(crate) fn add_partitions(&self, name: &str, count: i32, dry: bool) -> Result<()> {
        let mut state = self.state.lock();
        let topic = self
            .topics
            .get(name)
            .ok_or(CoordinatorError::UnknownTopic)?;
        let present = topic.partition_count();
        if count <= present {
            return Err(CoordinatorError::NotMorePartitions(present));
        }
        if dry {
            return Ok(());
        }
        let entry = Entry::Topic {
            name: name.to_owned(),
            id: topic.id,
            partitions: count,
            overrides: topic.overrides(),
        };
        self.record(&mut state, &[entry])?;
        Ok(self.topics.grow(&topic, count)?)
    }

    /// Changes a topic's overrides by `change`, which may refuse with an error of its own; only checks when `dry`.
    pub(crate) fn change_overrides<E: From<CoordinatorError>>(
        &self,
        name: &str,
        dry: bool,
        change: impl FnOnce(Overrides) -> std::result::Result<Overrides, E>,
    ) -> std::result::Result<(), E> {
        let mut state = self.state.lock();
        let topic = self
            .topics
            .get(name)
            .ok_or(CoordinatorError::UnknownTopic)?;
        let overrides = change(topic.overrides())?;
        if dry {
            return Ok(());
        }
        let entry = Entry::Topic {
            name: name.to_owned(),
            id: topic.id,
            partitions: topic.partition_count(),
            overrides: overrides.clone(),
        };
        self.record(&mut state, &[entry])
            .map_err(CoordinatorError::from)?;
        topic.set_overrides(overrides);
        Ok(())
    }
}
