//! One group. Times are milliseconds on a clock that never goes back.

use super::member::{
    GroupError, JoinRequest, Joined, JoinedMember, Member, MemberRef, Reply, Token,
};
use bytes::Bytes;
use std::collections::{BTreeMap, HashMap};

/// Bounds of `session.timeout.ms` (`group.min.session.timeout.ms`, `group.max.session.timeout.ms`).
const SESSION_TIMEOUT: std::ops::RangeInclusive<i32> = 1..=1_800_000;

/// Where a group stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GroupState {
    Empty,
    PreparingRebalance,
    CompletingRebalance,
    Stable,
}

impl GroupState {
    /// The name that clients see.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::PreparingRebalance => "PreparingRebalance",
            Self::CompletingRebalance => "CompletingRebalance",
            Self::Stable => "Stable",
        }
    }
}

/// The first rebalance of an empty group waits a little for further members.
#[derive(Clone, Copy, Debug)]
pub(super) struct InitialDelay {
    pub(super) step: u64,
    /// No longer than this in all.
    pub(super) latest: u64,
    pub(super) grown: bool,
}

/// See the module's documentation.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(super) state: GroupState,
    pub(super) generation: i32,
    protocol_type: String,
    protocol: String,
    leader: String,
    /// By member id.
    pub(super) members: BTreeMap<String, Member>,
    /// Member id of each static member.
    pub(super) instances: HashMap<String, String>,
    /// Ids given out but not yet used to join, with their deadline.
    pub(super) pending: HashMap<String, u64>,
    /// When the present rebalance step ends without those who have not answered.
    pub(super) deadline: u64,
    pub(super) initial: Option<InitialDelay>,
}

impl Default for Group {
    fn default() -> Self {
        Self {
            state: GroupState::Empty,
            generation: 0,
            protocol_type: String::new(),
            protocol: String::new(),
            leader: String::new(),
            members: BTreeMap::new(),
            instances: HashMap::new(),
            pending: HashMap::new(),
            deadline: u64::MAX,
            initial: None,
        }
    }
}

impl Group {
    pub(crate) fn state(&self) -> GroupState {
        self.state
    }
    pub(crate) fn protocol_type(&self) -> &str {
        &self.protocol_type
    }
    /// The chosen protocol; empty while there is none.
    pub(crate) fn protocol(&self) -> &str {
        match self.state {
            GroupState::Stable | GroupState::CompletingRebalance => &self.protocol,
            GroupState::Empty | GroupState::PreparingRebalance => "",
        }
    }
    pub(crate) fn members(&self) -> &BTreeMap<String, Member> {
        &self.members
    }
    /// Whether nothing would be lost by forgetting the group.
    pub(crate) fn is_idle(&self) -> bool {
        self.members.is_empty() && self.pending.is_empty()
    }

    /// A member joins. `delay`: how long the first rebalance of an empty group waits for others.
    pub(crate) fn join(
        &mut self,
        request: JoinRequest,
        token: Token,
        now: u64,
        delay: u64,
        out: &mut Vec<Reply>,
    ) {
        match self.admit(&request, now) {
            Err(error) => out.push(Reply::Join(token, Err(error))),
            Ok(None) => self.rejoin(request.member_id.clone(), request, token, now, delay, out),
            Ok(Some(id)) => {
                let replaced = request
                    .instance
                    .as_ref()
                    .and_then(|instance| self.instances.insert(instance.clone(), id.clone()));
                match replaced {
                    Some(old) => self.replace_static(&old, id, request, token, now, delay, out),
                    None => self.rejoin(id, request, token, now, delay, out),
                }
            }
        }
    }

    /// Whether a join is acceptable; the id of the member to create, or `None` when it is there.
    fn admit(
        &mut self,
        request: &JoinRequest,
        now: u64,
    ) -> Result<Option<String>, (GroupError, String)> {
        let refuse = |error| Err((error, request.member_id.clone()));
        if !SESSION_TIMEOUT.contains(&request.session_timeout_ms) {
            return refuse(GroupError::InvalidSessionTimeout);
        }
        let others = || {
            self.members
                .iter()
                .filter(|(id, _)| **id != request.member_id)
                .map(|(_, m)| m)
        };
        let shared = request
            .protocols
            .iter()
            .any(|(name, _)| others().all(|m| m.supports(name)));
        let type_fits = self.members.is_empty() || self.protocol_type == request.protocol_type;
        if request.protocol_type.is_empty() || !shared || !type_fits {
            return refuse(GroupError::InconsistentProtocol);
        }
        if request.member_id.is_empty() {
            let fresh = request.fresh_id.clone();
            if request.instance.is_none() && request.id_required {
                let deadline = now.saturating_add(request.session_timeout_ms as u64);
                self.pending.insert(fresh.clone(), deadline);
                return Err((GroupError::MemberIdRequired, fresh));
            }
            return Ok(Some(fresh));
        }
        let member = MemberRef {
            id: &request.member_id,
            instance: request.instance.as_deref(),
        };
        if self.pending.remove(member.id).is_some() {
            return Ok(Some(request.member_id.clone()));
        }
        match self.known(member) {
            Ok(()) => Ok(None),
            Err(error) => refuse(error),
        }
    }

    fn known(&self, member: MemberRef<'_>) -> Result<(), GroupError> {
        if let Some(instance) = member.instance {
            match self.instances.get(instance) {
                Some(id) if id != member.id => return Err(GroupError::FencedInstance),
                Some(_) => {}
                None => return Err(GroupError::UnknownMember),
            }
        }
        if self.members.contains_key(member.id) {
            Ok(())
        } else {
            Err(GroupError::UnknownMember)
        }
    }

    /// Checks the member and generation of a request.
    pub(crate) fn check(&self, member: MemberRef<'_>, generation: i32) -> Result<(), GroupError> {
        self.known(member)?;
        if generation == self.generation {
            Ok(())
        } else {
            Err(GroupError::IllegalGeneration)
        }
    }

    /// A restarted static member takes the place of its former self. In a stable group nobody else notices, unless its
    /// protocols changed.
    #[allow(clippy::too_many_arguments)]
    fn replace_static(
        &mut self,
        old: &str,
        id: String,
        request: JoinRequest,
        token: Token,
        now: u64,
        delay: u64,
        out: &mut Vec<Reply>,
    ) {
        let Some(mut member) = self.members.remove(old) else {
            return self.rejoin(id, request, token, now, delay, out);
        };
        if let Some(waiting) = member.joining.take() {
            let fenced = Err((GroupError::FencedInstance, old.to_owned()));
            out.push(Reply::Join(waiting, fenced));
        }
        if let Some(waiting) = member.syncing.take() {
            out.push(Reply::Sync(waiting, Err(GroupError::FencedInstance)));
        }
        let unchanged = member.protocols == request.protocols;
        member.protocols.clone_from(&request.protocols);
        member.touch(now);
        self.members.insert(id.clone(), member);
        let led = self.leader == old;
        if led {
            self.leader.clone_from(&id);
        }
        if self.state != GroupState::Stable || !unchanged {
            return self.rejoin(id, request, token, now, delay, out);
        }
        let mut joined = self.joined(&id);
        if led {
            // Told that someone else leads, it takes its assignment instead of computing a new one.
            joined.leader = old.to_owned();
            joined.members.clear();
        }
        out.push(Reply::Join(token, Ok(joined)));
    }

    fn rejoin(
        &mut self,
        id: String,
        request: JoinRequest,
        token: Token,
        now: u64,
        delay: u64,
        out: &mut Vec<Reply>,
    ) {
        let new = !self.members.contains_key(&id);
        let member = self.members.entry(id.clone()).or_insert_with(|| Member {
            instance: request.instance,
            client_id: request.client_id,
            client_host: request.client_host,
            protocols: Vec::new(),
            assignment: Bytes::new(),
            session_timeout: 0,
            rebalance_timeout: 0,
            session_deadline: 0,
            joining: None,
            syncing: None,
        });
        let changed = new || member.protocols != request.protocols;
        member.protocols = request.protocols;
        member.session_timeout = request.session_timeout_ms.max(1) as u64;
        member.rebalance_timeout = request.rebalance_timeout_ms.max(1) as u64;
        member.touch(now);
        if let Some(earlier) = member.joining.take() {
            // The client gave that request up and asks again.
            let stale = Err((GroupError::RebalanceInProgress, id.clone()));
            out.push(Reply::Join(earlier, stale));
        }
        self.protocol_type = request.protocol_type;
        let as_before = !changed
            && match self.state {
                GroupState::Stable => self.leader != id,
                GroupState::CompletingRebalance => true,
                GroupState::Empty | GroupState::PreparingRebalance => false,
            };
        if as_before {
            out.push(Reply::Join(token, Ok(self.joined(&id))));
            return;
        }
        if let Some(member) = self.members.get_mut(&id) {
            member.joining = Some(token);
        }
        match self.state {
            GroupState::PreparingRebalance => {
                if let Some(initial) = &mut self.initial {
                    initial.grown |= new;
                }
            }
            GroupState::Empty => {
                self.prepare(now, out);
                let step = delay.min(self.longest_rebalance());
                self.initial = Some(InitialDelay {
                    step,
                    latest: self.deadline,
                    grown: false,
                });
                self.deadline = now.saturating_add(step);
            }
            GroupState::CompletingRebalance | GroupState::Stable => self.prepare(now, out),
        }
        self.complete_if_all_joined(now, out);
    }

    pub(super) fn longest_rebalance(&self) -> u64 {
        let timeouts = self.members.values().map(|m| m.rebalance_timeout);
        timeouts.max().unwrap_or(0)
    }

    /// Starts a rebalance: everyone must join again.
    pub(super) fn prepare(&mut self, now: u64, out: &mut Vec<Reply>) {
        for member in self.members.values_mut() {
            if let Some(waiting) = member.syncing.take() {
                member.touch(now);
                out.push(Reply::Sync(waiting, Err(GroupError::RebalanceInProgress)));
            }
        }
        self.state = GroupState::PreparingRebalance;
        self.initial = None;
        self.deadline = now.saturating_add(self.longest_rebalance());
    }

    pub(super) fn complete_if_all_joined(&mut self, now: u64, out: &mut Vec<Reply>) {
        let all = self.state == GroupState::PreparingRebalance
            && self.initial.is_none()
            && self.pending.is_empty()
            && self.members.values().all(|m| m.joining.is_some());
        if all {
            self.complete_join(now, out);
        }
    }

    /// Ends the join phase with those who are there; absent dynamic members are out.
    pub(super) fn complete_join(&mut self, now: u64, out: &mut Vec<Reply>) {
        self.members
            .retain(|_, m| m.joining.is_some() || m.instance.is_some());
        self.initial = None;
        self.generation = self.generation.wrapping_add(1).max(1);
        let Some(first) = self.members.keys().next().cloned() else {
            self.state = GroupState::Empty;
            self.protocol.clear();
            self.leader.clear();
            self.deadline = u64::MAX;
            return;
        };
        let leads = |id: &String| self.members.get(id).is_some_and(|m| m.joining.is_some());
        if !leads(&self.leader) {
            let present = self.members.iter().find(|(_, m)| m.joining.is_some());
            self.leader = present.map_or(first, |(id, _)| id.clone());
        }
        self.protocol = self.elect_protocol();
        self.state = GroupState::CompletingRebalance;
        self.deadline = now.saturating_add(self.longest_rebalance());
        let waiting: Vec<(String, Token)> = self
            .members
            .iter_mut()
            .filter_map(|(id, m)| {
                m.touch(now);
                Some((id.clone(), m.joining.take()?))
            })
            .collect();
        for (id, token) in waiting {
            out.push(Reply::Join(token, Ok(self.joined(&id))));
        }
    }

    /// Of the protocols that everyone supports, the one that most members prefer; the leader's order breaks ties.
    fn elect_protocol(&self) -> String {
        let mut votes: HashMap<&str, usize> = HashMap::new();
        let everyone = |name: &str| self.members.values().all(|m| m.supports(name));
        for member in self.members.values() {
            if let Some((name, _)) = member.protocols.iter().find(|(name, _)| everyone(name)) {
                *votes.entry(name).or_default() += 1;
            }
        }
        let most = votes.values().copied().max().unwrap_or(0);
        let preferred = self.members.get(&self.leader).and_then(|leader| {
            let names = leader.protocols.iter().map(|(name, _)| name.as_str());
            names.clone().find(|name| votes.get(name) == Some(&most))
        });
        preferred.unwrap_or_default().to_owned()
    }

    fn joined(&self, id: &str) -> Joined {
        let all = || {
            let members = self.members.iter();
            members.map(|(id, m)| JoinedMember {
                id: id.clone(),
                instance: m.instance.clone(),
                metadata: m.metadata(&self.protocol),
            })
        };
        Joined {
            generation: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            leader: self.leader.clone(),
            member_id: id.to_owned(),
            members: if id == self.leader {
                all().collect()
            } else {
                Vec::new()
            },
        }
    }

    /// A member asks for its assignment; the leader brings everyone's.
    pub(crate) fn sync(
        &mut self,
        member: MemberRef<'_>,
        generation: i32,
        assignments: Vec<(String, Bytes)>,
        token: Token,
        now: u64,
        out: &mut Vec<Reply>,
    ) {
        if let Err(error) = self.check(member, generation) {
            out.push(Reply::Sync(token, Err(error)));
            return;
        }
        let leads = self.leader == member.id;
        let Some(found) = self.members.get_mut(member.id) else {
            return;
        };
        found.touch(now);
        match self.state {
            GroupState::Empty | GroupState::PreparingRebalance => {
                out.push(Reply::Sync(token, Err(GroupError::RebalanceInProgress)));
            }
            GroupState::Stable => out.push(Reply::Sync(token, Ok(found.assignment.clone()))),
            GroupState::CompletingRebalance => {
                if let Some(earlier) = found.syncing.replace(token) {
                    out.push(Reply::Sync(earlier, Err(GroupError::RebalanceInProgress)));
                }
                if leads {
                    self.assign(assignments.into_iter().collect(), now, out);
                }
            }
        }
    }

    fn assign(&mut self, mut by_id: HashMap<String, Bytes>, now: u64, out: &mut Vec<Reply>) {
        self.state = GroupState::Stable;
        self.deadline = u64::MAX;
        for (id, member) in &mut self.members {
            member.assignment = by_id.remove(id).unwrap_or_default();
            member.touch(now);
            if let Some(waiting) = member.syncing.take() {
                out.push(Reply::Sync(waiting, Ok(member.assignment.clone())));
            }
        }
    }
}
