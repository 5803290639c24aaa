//! Group requests: the state machine decides, waiting members are answered through their channels.

use super::{Coordinator, CoordinatorError, Result, State};
use crate::groups::{Group, GroupError, GroupState, JoinRequest, Joined, MemberRef, Reply, Token};
use bytes::Bytes;
use tokio::sync::oneshot;

type JoinOutcome = std::result::Result<Joined, (GroupError, String)>;
type SyncOutcome = std::result::Result<Bytes, GroupError>;
/// Gives a join's reply once there is one.
pub(crate) type JoinReceiver = oneshot::Receiver<JoinOutcome>;
/// Gives a sync's reply once there is one.
pub(crate) type SyncReceiver = oneshot::Receiver<SyncOutcome>;

/// A member that waits for a reply.
pub(super) enum Waiter {
    Join(oneshot::Sender<JoinOutcome>),
    Sync(oneshot::Sender<SyncOutcome>),
}

/// A group in a list.
#[derive(Clone, Debug)]
pub(crate) struct GroupListing {
    pub(crate) id: String,
    pub(crate) protocol_type: String,
    pub(crate) state: &'static str,
}

impl Coordinator {
    /// A member joins; the answer comes when the rebalance is through.
    pub(crate) fn join(&self, group: &str, request: JoinRequest) -> JoinReceiver {
        let (sender, receiver) = oneshot::channel();
        let now = self.monotonic();
        let delay = self.settings.initial_rebalance_delay_ms;
        let mut state = self.state.lock();
        if !request.member_id.is_empty() && !state.groups.contains_key(group) {
            let _ = sender.send(Err((GroupError::UnknownMember, request.member_id)));
            return receiver;
        }
        let token = state.wait(Waiter::Join(sender));
        let mut replies = Vec::new();
        let found = state.groups.entry(group.to_owned()).or_default();
        found.join(request, token, now, delay, &mut replies);
        self.settle(&mut state, group, replies);
        receiver
    }

    /// A member asks for its assignment.
    pub(crate) fn sync(
        &self,
        group: &str,
        member: MemberRef<'_>,
        generation: i32,
        assignments: Vec<(String, Bytes)>,
    ) -> SyncReceiver {
        let (sender, receiver) = oneshot::channel();
        let now = self.monotonic();
        let mut state = self.state.lock();
        if !state.groups.contains_key(group) {
            let _ = sender.send(Err(GroupError::UnknownMember));
            return receiver;
        }
        let token = state.wait(Waiter::Sync(sender));
        let mut replies = Vec::new();
        if let Some(found) = state.groups.get_mut(group) {
            found.sync(member, generation, assignments, token, now, &mut replies);
        }
        self.settle(&mut state, group, replies);
        receiver
    }

    /// A member says that it is alive.
    pub(crate) fn heartbeat(
        &self,
        group: &str,
        member: MemberRef<'_>,
        generation: i32,
    ) -> Result<()> {
        let now = self.monotonic();
        let mut state = self.state.lock();
        let found = state
            .groups
            .get_mut(group)
            .ok_or(GroupError::UnknownMember)?;
        Ok(found.heartbeat(member, generation, now)?)
    }

    /// A member leaves.
    pub(crate) fn leave(&self, group: &str, member: MemberRef<'_>) -> Result<()> {
        let now = self.monotonic();
        let mut state = self.state.lock();
        let mut replies = Vec::new();
        let found = state
            .groups
            .get_mut(group)
            .ok_or(GroupError::UnknownMember)?;
        found.leave(member, now, &mut replies)?;
        self.settle(&mut state, group, replies);
        Ok(())
    }

    /// A copy of a group for describing it; an empty one when only its offsets are known.
    pub(crate) fn describe(&self, group: &str) -> Result<Group> {
        let state = self.state.lock();
        match state.groups.get(group) {
            Some(found) => Ok(found.clone()),
            None if state.exists(group) => Ok(Group::default()),
            None => Err(CoordinatorError::UnknownGroup),
        }
    }

    /// All groups.
    pub(crate) fn list(&self) -> Vec<GroupListing> {
        let state = self.state.lock();
        let mut out: Vec<GroupListing> = state
            .groups
            .iter()
            .map(|(id, group)| GroupListing {
                id: id.clone(),
                protocol_type: group.protocol_type().to_owned(),
                state: group.state().name(),
            })
            .collect();
        let only_offsets = state
            .offsets
            .keys()
            .filter(|id| !state.groups.contains_key(*id));
        out.extend(only_offsets.map(|id| GroupListing {
            id: id.clone(),
            protocol_type: "consumer".to_owned(),
            state: GroupState::Empty.name(),
        }));
        out
    }

    /// Sends the replies and sets the timer for the group's next deadline.
    fn settle(&self, state: &mut State, group: &str, replies: Vec<Reply>) {
        state.answer(replies);
        state.forget_if_idle(group);
        let deadline = state.groups.get(group).and_then(Group::next_deadline);
        if let Some(deadline) = deadline {
            self.arm(state, deadline);
        }
    }

    pub(super) fn expire_groups(&self, state: &mut State, now: u64) {
        let mut replies = Vec::new();
        let mut touched = Vec::new();
        for (id, group) in &mut state.groups {
            if group.next_deadline().is_some_and(|at| at <= now) {
                group.expire(now, &mut replies);
                touched.push(id.clone());
            }
        }
        state.answer(replies);
        for id in touched {
            state.forget_if_idle(&id);
        }
    }
}

impl State {
    fn wait(&mut self, waiter: Waiter) -> Token {
        self.next_token += 1;
        self.waiting.insert(self.next_token, waiter);
        self.next_token
    }

    /// A receiver that is gone belongs to a closed connection: nobody is left to tell.
    fn answer(&mut self, replies: Vec<Reply>) {
        for reply in replies {
            match reply {
                Reply::Join(token, outcome) => {
                    if let Some(Waiter::Join(sender)) = self.waiting.remove(&token) {
                        let _ = sender.send(outcome);
                    }
                }
                Reply::Sync(token, outcome) => {
                    if let Some(Waiter::Sync(sender)) = self.waiting.remove(&token) {
                        let _ = sender.send(outcome);
                    }
                }
            }
        }
    }
}
