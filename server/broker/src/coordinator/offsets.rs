//! Committed offsets of the groups.

use super::{Coordinator, CoordinatorError, Result, State};
use crate::groups::{GroupState, MemberRef};
use crate::journal::{CommittedOffset, Entry, OffsetEntry};
use std::collections::BTreeMap;

/// The offsets that one group has committed.
#[derive(Clone, Debug, Default)]
pub(super) struct GroupOffsets {
    by_topic: BTreeMap<String, BTreeMap<i32, CommittedOffset>>,
}

impl GroupOffsets {
    fn get(&self, topic: &str, partition: i32) -> Option<&CommittedOffset> {
        self.by_topic.get(topic)?.get(&partition)
    }

    fn merge(&mut self, entries: &[OffsetEntry]) {
        for entry in entries {
            if !self.by_topic.contains_key(&entry.topic) {
                self.by_topic.insert(entry.topic.clone(), BTreeMap::new());
            }
            if let Some(partitions) = self.by_topic.get_mut(&entry.topic) {
                partitions.insert(entry.partition, entry.committed.clone());
            }
        }
    }

    pub(super) fn remove(&mut self, partitions: &[(String, i32)]) {
        for (topic, partition) in partitions {
            if let Some(found) = self.by_topic.get_mut(topic) {
                found.remove(partition);
            }
        }
        self.by_topic.retain(|_, partitions| !partitions.is_empty());
    }

    pub(super) fn remove_topic(&mut self, topic: &str) {
        self.by_topic.remove(topic);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_topic.is_empty()
    }

    pub(super) fn entries(&self) -> Vec<OffsetEntry> {
        let mut out = Vec::new();
        for (topic, partitions) in &self.by_topic {
            out.extend(partitions.iter().map(|(partition, committed)| OffsetEntry {
                topic: topic.clone(),
                partition: *partition,
                committed: committed.clone(),
            }));
        }
        out
    }
}

/// Answer to a question for one partition's offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum OffsetQuery {
    Committed(CommittedOffset),
    None,
    /// An open transaction may change it, and the reader wants stable offsets only.
    Unstable,
}

impl Coordinator {
    /// Commits offsets on behalf of a member, or outside of generations.
    pub(crate) fn commit_offsets(
        &self,
        group: &str,
        member: MemberRef<'_>,
        generation: i32,
        offsets: Vec<OffsetEntry>,
    ) -> Result<()> {
        let mut state = self.state.lock();
        match state.groups.get_mut(group) {
            Some(found) => found.check_commit(member, generation, self.monotonic())?,
            None if generation < 0 => {}
            None => return Err(crate::groups::GroupError::IllegalGeneration.into()),
        }
        if offsets.is_empty() {
            return Ok(());
        }
        let entry = Entry::Offsets {
            group: group.to_owned(),
            offsets,
        };
        Ok(self.record(&mut state, &[entry])?)
    }

    /// A group's offset for one partition.
    pub(crate) fn offset(
        &self,
        group: &str,
        topic: &str,
        partition: i32,
        stable: bool,
    ) -> OffsetQuery {
        let state = self.state.lock();
        if stable && state.transactions.has_pending(group, topic, partition) {
            return OffsetQuery::Unstable;
        }
        let offsets = state.offsets.get(group);
        match offsets.and_then(|o| o.get(topic, partition)) {
            Some(committed) => OffsetQuery::Committed(committed.clone()),
            None => OffsetQuery::None,
        }
    }

    /// The partitions for which a group has committed offsets, by topic.
    pub(crate) fn offset_partitions(&self, group: &str) -> Vec<(String, Vec<i32>)> {
        let state = self.state.lock();
        let Some(offsets) = state.offsets.get(group) else {
            return Vec::new();
        };
        let topics = offsets.by_topic.iter();
        topics
            .map(|(topic, partitions)| (topic.clone(), partitions.keys().copied().collect()))
            .collect()
    }

    /// Deletes offsets of a group; refused for topics that its members are subscribed to, as far as the broker can know:
    /// while the group has members.
    pub(crate) fn delete_offsets(&self, group: &str, partitions: Vec<(String, i32)>) -> Result<()> {
        let mut state = self.state.lock();
        if !state.exists(group) {
            return Err(CoordinatorError::UnknownGroup);
        }
        if state.groups.get(group).is_some_and(|g| !g.is_idle()) {
            return Err(CoordinatorError::Subscribed);
        }
        let entry = Entry::OffsetsRemoved {
            group: group.to_owned(),
            partitions,
        };
        Ok(self.record(&mut state, &[entry])?)
    }

    /// Deletes a group without members.
    pub(crate) fn delete_group(&self, group: &str) -> Result<()> {
        let mut state = self.state.lock();
        if !state.exists(group) {
            return Err(CoordinatorError::UnknownGroup);
        }
        if state
            .groups
            .get(group)
            .is_some_and(|g| g.state() != GroupState::Empty)
        {
            return Err(CoordinatorError::GroupNotEmpty);
        }
        let entry = Entry::GroupDeleted {
            group: group.to_owned(),
        };
        Ok(self.record(&mut state, &[entry])?)
    }
}

impl State {
    pub(super) fn exists(&self, group: &str) -> bool {
        self.offsets.contains_key(group) || self.groups.contains_key(group)
    }

    pub(super) fn merge_offsets(&mut self, group: &str, offsets: &[OffsetEntry]) {
        if offsets.is_empty() {
            return;
        }
        if !self.offsets.contains_key(group) {
            self.offsets
                .insert(group.to_owned(), GroupOffsets::default());
        }
        if let Some(found) = self.offsets.get_mut(group) {
            found.merge(offsets);
        }
    }

    /// Forgets a group that has neither members nor offsets.
    pub(super) fn forget_if_idle(&mut self, group: &str) {
        if self.offsets.get(group).is_some_and(GroupOffsets::is_empty) {
            self.offsets.remove(group);
        }
        if !self.offsets.contains_key(group) && self.groups.get(group).is_some_and(|g| g.is_idle())
        {
            self.groups.remove(group);
        }
    }

    /// Entries that remove the offsets committed longer than `retention_ms` ago by groups without members.
    pub(super) fn expired_offsets(&self, now: i64, retention_ms: i64) -> Vec<Entry> {
        let before = now.saturating_sub(retention_ms);
        let mut out = Vec::new();
        for (group, offsets) in &self.offsets {
            if self.groups.get(group).is_some_and(|g| !g.is_idle()) {
                continue;
            }
            let old: Vec<(String, i32)> = offsets
                .entries()
                .into_iter()
                .filter(|e| e.committed.at < before)
                .map(|e| (e.topic, e.partition))
                .collect();
            if !old.is_empty() {
                out.push(Entry::OffsetsRemoved {
                    group: group.clone(),
                    partitions: old,
                });
            }
        }
        out
    }
}
