//! Heartbeats, commits, leaving and timeouts: what keeps a member in its group, and what puts it out.

use super::group::{Group, GroupState};
use super::member::{GroupError, MemberRef, Reply};

impl Group {
    /// A member says that it is alive.
    pub(crate) fn heartbeat(
        &mut self,
        member: MemberRef<'_>,
        generation: i32,
        now: u64,
    ) -> Result<(), GroupError> {
        self.check(member, generation)?;
        if let Some(found) = self.members.get_mut(member.id) {
            found.touch(now);
        }
        match self.state {
            GroupState::PreparingRebalance => Err(GroupError::RebalanceInProgress),
            _ => Ok(()),
        }
    }

    /// Whether a member may commit offsets now. Outside of generations (`generation` below 0, no member id) only while
    /// nobody is in the group.
    pub(crate) fn check_commit(
        &mut self,
        member: MemberRef<'_>,
        generation: i32,
        now: u64,
    ) -> Result<(), GroupError> {
        if generation < 0 && self.members.is_empty() {
            return Ok(());
        }
        self.check(member, generation)?;
        if self.state == GroupState::CompletingRebalance {
            return Err(GroupError::RebalanceInProgress);
        }
        if let Some(found) = self.members.get_mut(member.id) {
            found.touch(now);
        }
        Ok(())
    }

    /// Whether offsets may be added to a transaction on behalf of this member (KIP-447).
    pub(crate) fn check_transactional_commit(
        &self,
        member: MemberRef<'_>,
        generation: i32,
    ) -> Result<(), GroupError> {
        if generation < 0 && member.id.is_empty() {
            return Ok(());
        }
        self.check(member, generation)
    }

    /// A member leaves; a static one by its instance, whatever its member id.
    pub(crate) fn leave(
        &mut self,
        member: MemberRef<'_>,
        now: u64,
        out: &mut Vec<Reply>,
    ) -> Result<(), GroupError> {
        let id = match member.instance {
            Some(instance) => match self.instances.get(instance) {
                Some(id) if member.id.is_empty() || member.id == id => id.clone(),
                Some(_) => return Err(GroupError::FencedInstance),
                None => return Err(GroupError::UnknownMember),
            },
            None => member.id.to_owned(),
        };
        if self.pending.remove(&id).is_some() {
            self.complete_if_all_joined(now, out);
            return Ok(());
        }
        if !self.members.contains_key(&id) {
            return Err(GroupError::UnknownMember);
        }
        self.remove(&id, now, out);
        Ok(())
    }

    fn remove(&mut self, id: &str, now: u64, out: &mut Vec<Reply>) {
        let Some(member) = self.members.remove(id) else {
            return;
        };
        if let Some(instance) = &member.instance {
            self.instances.remove(instance);
        }
        if let Some(waiting) = member.joining {
            let gone = Err((GroupError::UnknownMember, id.to_owned()));
            out.push(Reply::Join(waiting, gone));
        }
        if let Some(waiting) = member.syncing {
            out.push(Reply::Sync(waiting, Err(GroupError::UnknownMember)));
        }
        match self.state {
            GroupState::Empty => {}
            GroupState::PreparingRebalance => {}
            GroupState::CompletingRebalance | GroupState::Stable => self.prepare(now, out),
        }
        self.complete_if_all_joined(now, out);
    }

    /// When [`Self::expire`] has something to do, if nothing happens before.
    pub(crate) fn next_deadline(&self) -> Option<u64> {
        let sessions = self
            .members
            .values()
            .filter(|m| m.joining.is_none() && m.syncing.is_none())
            .map(|m| m.session_deadline);
        let step = (self.deadline != u64::MAX).then_some(self.deadline);
        sessions
            .chain(self.pending.values().copied())
            .chain(step)
            .min()
    }

    /// Ends what has taken too long: sessions, ids never used, join and sync phases.
    pub(crate) fn expire(&mut self, now: u64, out: &mut Vec<Reply>) {
        let before = self.pending.len();
        self.pending.retain(|_, deadline| *deadline > now);
        if self.pending.len() < before {
            self.complete_if_all_joined(now, out);
        }
        let dead: Vec<String> = self
            .members
            .iter()
            .filter(|(_, m)| {
                m.joining.is_none() && m.syncing.is_none() && m.session_deadline <= now
            })
            .map(|(id, _)| id.clone())
            .collect();
        for id in dead {
            self.remove(&id, now, out);
        }
        if now < self.deadline {
            return;
        }
        match self.state {
            GroupState::PreparingRebalance => match &mut self.initial {
                Some(initial) if initial.grown && now < initial.latest => {
                    initial.grown = false;
                    self.deadline = now.saturating_add(initial.step).min(initial.latest);
                }
                Some(_) => {
                    self.initial = None;
                    self.deadline = now.saturating_add(self.longest_rebalance());
                    self.complete_if_all_joined(now, out);
                }
                None => {
                    self.pending.clear();
                    self.complete_join(now, out);
                }
            },
            GroupState::CompletingRebalance => {
                // Who has not synced is gone; without the leader's assignment the others start anew.
                let silent: Vec<String> = self
                    .members
                    .iter()
                    .filter(|(_, m)| m.syncing.is_none())
                    .map(|(id, _)| id.clone())
                    .collect();
                for id in silent {
                    self.remove(&id, now, out);
                }
            }
            GroupState::Empty | GroupState::Stable => self.deadline = u64::MAX,
        }
    }
}
