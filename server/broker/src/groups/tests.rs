#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use bytes::Bytes;

const DELAY: u64 = 100;

/// A group with a clock and the replies it gave.
struct Harness {
    group: Group,
    now: u64,
    token: Token,
    out: Vec<Reply>,
}

impl Harness {
    fn new() -> Self {
        Self {
            group: Group::default(),
            now: 1000,
            token: 0,
            out: Vec::new(),
        }
    }

    fn request(id: &str, protocols: &[&str]) -> JoinRequest {
        JoinRequest {
            member_id: id.to_owned(),
            instance: None,
            client_id: "client".to_owned(),
            client_host: "/127.0.0.1".to_owned(),
            session_timeout_ms: 6000,
            rebalance_timeout_ms: 10_000,
            protocol_type: "consumer".to_owned(),
            protocols: protocols
                .iter()
                .map(|p| ((*p).to_owned(), Bytes::from(format!("{p} of {id}"))))
                .collect(),
            id_required: false,
            fresh_id: format!("fresh-{id}"),
        }
    }

    fn join(&mut self, request: JoinRequest) -> Token {
        self.token += 1;
        let token = self.token;
        self.group
            .join(request, token, self.now, DELAY, &mut self.out);
        token
    }

    /// A new member called `name`; its id is `fresh-NAME`.
    fn join_new(&mut self, name: &str) -> Token {
        let mut request = Self::request("", &["range"]);
        request.fresh_id = format!("fresh-{name}");
        self.join(request)
    }

    fn sync(&mut self, id: &str, generation: i32, assignments: &[(&str, &str)]) -> Token {
        self.token += 1;
        let token = self.token;
        let assignments = assignments
            .iter()
            .map(|(id, a)| ((*id).to_owned(), Bytes::copy_from_slice(a.as_bytes())))
            .collect();
        self.group.sync(
            member(id),
            generation,
            assignments,
            token,
            self.now,
            &mut self.out,
        );
        token
    }

    fn advance(&mut self, ms: u64) {
        self.now += ms;
        self.group.expire(self.now, &mut self.out);
    }

    fn reply(&mut self, token: Token) -> Option<Reply> {
        let of = |r: &Reply| match r {
            Reply::Join(t, _) | Reply::Sync(t, _) => *t == token,
        };
        let at = self.out.iter().position(of)?;
        Some(self.out.remove(at))
    }

    fn joined(&mut self, token: Token) -> Joined {
        match self.reply(token) {
            Some(Reply::Join(_, Ok(joined))) => joined,
            other => panic!("join {token}: {other:?}"),
        }
    }

    fn refused(&mut self, token: Token) -> GroupError {
        match self.reply(token) {
            Some(Reply::Join(_, Err((error, _))) | Reply::Sync(_, Err(error))) => error,
            other => panic!("{token}: {other:?}"),
        }
    }

    fn assigned(&mut self, token: Token) -> Bytes {
        match self.reply(token) {
            Some(Reply::Sync(_, Ok(assignment))) => assignment,
            other => panic!("sync {token}: {other:?}"),
        }
    }

    /// Two members, stable in generation 1, the first leading.
    fn stable_pair() -> Self {
        let mut h = Self::new();
        let (a, b) = (h.join_new("a"), h.join_new("b"));
        h.advance(DELAY);
        h.advance(DELAY);
        assert_eq!(h.joined(a).leader, "fresh-a");
        assert_eq!(h.joined(b).generation, 1);
        let follower = h.sync("fresh-b", 1, &[]);
        assert_eq!(h.reply(follower), None, "waits for the leader");
        let leader = h.sync("fresh-a", 1, &[("fresh-a", "A"), ("fresh-b", "B")]);
        assert_eq!(
            (h.assigned(leader), h.assigned(follower)),
            ("A".into(), "B".into())
        );
        assert_eq!(h.group.state(), GroupState::Stable);
        h
    }
}

fn member(id: &str) -> MemberRef<'_> {
    MemberRef { id, instance: None }
}

fn instance<'a>(id: &'a str, instance: &'a str) -> MemberRef<'a> {
    MemberRef {
        id,
        instance: Some(instance),
    }
}

#[test]
fn the_first_rebalance_waits_for_others_and_is_extended_by_them() {
    let mut h = Harness::new();
    let a = h.join_new("a");
    assert_eq!(h.group.next_deadline(), Some(1000 + DELAY));
    h.advance(DELAY - 1);
    assert_eq!(h.reply(a), None);
    let b = h.join_new("b");
    h.advance(1);
    assert_eq!(h.reply(a), None, "b came late: once more the delay");
    h.advance(DELAY);
    let (a, b) = (h.joined(a), h.joined(b));
    assert_eq!((a.generation, a.protocol.as_str()), (1, "range"));
    assert_eq!(a.members.len(), 2);
    assert!(b.members.is_empty(), "only the leader sees the members");
}

#[test]
fn a_new_member_is_told_its_id_first_when_the_version_asks_for_it() {
    let mut h = Harness::new();
    let mut request = Harness::request("", &["range"]);
    request.id_required = true;
    let first = h.join(request);
    assert_eq!(
        h.reply(first),
        Some(Reply::Join(
            first,
            Err((GroupError::MemberIdRequired, "fresh-".to_owned()))
        ))
    );
    let again = h.join(Harness::request("fresh-", &["range"]));
    h.advance(DELAY);
    assert_eq!(h.joined(again).member_id, "fresh-");
    let unknown = h.join(Harness::request("made-up", &["range"]));
    assert_eq!(h.refused(unknown), GroupError::UnknownMember);
}

#[test]
fn an_id_never_used_does_not_hold_the_rebalance_up_for_long() {
    let mut h = Harness::stable_pair();
    let mut request = Harness::request("", &["range"]);
    request.id_required = true;
    let pending = h.join(request);
    h.refused(pending);
    let (a, b) = (
        h.join(Harness::request("fresh-a", &["range"])),
        h.join(Harness::request("fresh-b", &["range"])),
    );
    // The leader asked, so a rebalance began; the pending id holds it up.
    assert_eq!((h.reply(a), h.reply(b)), (None, None));
    h.advance(6000);
    assert_eq!(h.joined(a).generation, 2);
}

#[test]
fn requests_of_another_generation_or_member_are_refused() {
    let mut h = Harness::stable_pair();
    let now = h.now;
    for (id, generation, expected) in [
        ("fresh-a", 1, Ok(())),
        ("fresh-a", 0, Err(GroupError::IllegalGeneration)),
        ("fresh-a", 2, Err(GroupError::IllegalGeneration)),
        ("nobody", 1, Err(GroupError::UnknownMember)),
    ] {
        assert_eq!(h.group.heartbeat(member(id), generation, now), expected);
        assert_eq!(h.group.check_commit(member(id), generation, now), expected);
        assert_eq!(
            h.group.check_transactional_commit(member(id), generation),
            expected
        );
    }
    assert_eq!(
        h.group.check_commit(member(""), -1, now),
        Err(GroupError::UnknownMember),
        "outside of generations only while nobody is in the group"
    );
    assert_eq!(h.group.check_transactional_commit(member(""), -1), Ok(()));
    assert_eq!(Group::default().check_commit(member(""), -1, now), Ok(()));
}

#[test]
fn a_join_starts_a_rebalance_that_heartbeats_announce() {
    let mut h = Harness::stable_pair();
    let c = h.join_new("c");
    let now = h.now;
    assert_eq!(
        h.group.heartbeat(member("fresh-a"), 1, now),
        Err(GroupError::RebalanceInProgress)
    );
    let a = h.join(Harness::request("fresh-a", &["range"]));
    let b = h.join(Harness::request("fresh-b", &["range"]));
    assert_eq!(h.joined(a).members.len(), 3);
    assert_eq!((h.joined(b).generation, h.joined(c).generation), (2, 2));
    assert_eq!(
        h.group.check_commit(member("fresh-a"), 2, now),
        Err(GroupError::RebalanceInProgress),
        "between join and sync"
    );
}

#[test]
fn who_does_not_rejoin_in_time_is_out() {
    let mut h = Harness::stable_pair();
    let c = h.join_new("c");
    let a = h.join(Harness::request("fresh-a", &["range"]));
    // b's session ends before the rebalance does.
    h.advance(6000);
    assert_eq!(h.joined(a).members.len(), 2);
    assert_eq!(h.joined(c).generation, 2);
    assert!(!h.group.members().contains_key("fresh-b"));
}

#[test]
fn a_silent_member_expires_and_a_heartbeat_keeps_it() {
    let mut h = Harness::stable_pair();
    for _ in 0..3 {
        h.advance(3000);
        let now = h.now;
        let _ = h.group.heartbeat(member("fresh-a"), 1, now);
    }
    assert_eq!(h.group.members().len(), 1);
    assert_eq!(h.group.state(), GroupState::PreparingRebalance);
    h.advance(20_000);
    assert_eq!(h.group.state(), GroupState::Empty);
    assert!(h.group.is_idle() && h.group.next_deadline().is_none());
}

#[test]
fn without_the_leaders_assignment_the_phase_ends() {
    let mut h = Harness::new();
    let (a, b) = (h.join_new("a"), h.join_new("b"));
    h.advance(DELAY);
    h.advance(DELAY);
    h.joined(a);
    h.joined(b);
    let waiting = h.sync("fresh-b", 1, &[]);
    h.advance(10_000);
    assert_eq!(h.refused(waiting), GroupError::RebalanceInProgress);
    assert!(!h.group.members().contains_key("fresh-a"));
}

#[test]
fn leaving_rebalances_and_empties() {
    let mut h = Harness::stable_pair();
    let now = h.now;
    assert_eq!(
        h.group.leave(member("nobody"), now, &mut h.out),
        Err(GroupError::UnknownMember)
    );
    h.group.leave(member("fresh-a"), now, &mut h.out).unwrap();
    assert_eq!(h.group.state(), GroupState::PreparingRebalance);
    h.group.leave(member("fresh-b"), now, &mut h.out).unwrap();
    assert_eq!(h.group.state(), GroupState::Empty);
}

#[test]
fn protocols_must_be_shared_and_the_most_preferred_wins() {
    let mut h = Harness::new();
    for (id, protocols) in [
        ("a", &["range", "sticky"][..]),
        ("b", &["sticky", "range"]),
        ("c", &["sticky", "range"]),
    ] {
        let mut request = Harness::request("", protocols);
        request.fresh_id = id.to_owned();
        h.join(request);
    }
    let odd = h.join(Harness::request("", &["roundrobin"]));
    assert_eq!(h.refused(odd), GroupError::InconsistentProtocol);
    let mut other = Harness::request("", &["range"]);
    other.protocol_type = "connect".to_owned();
    let other = h.join(other);
    assert_eq!(h.refused(other), GroupError::InconsistentProtocol);
    let mut none = Harness::request("", &[]);
    none.session_timeout_ms = 0;
    let none = h.join(none);
    assert_eq!(h.refused(none), GroupError::InvalidSessionTimeout);
    h.advance(DELAY);
    h.advance(DELAY);
    assert_eq!(h.group.protocol(), "sticky");
}

fn static_request(id: &str, fresh: &str) -> JoinRequest {
    JoinRequest {
        instance: Some("i1".to_owned()),
        fresh_id: fresh.to_owned(),
        ..Harness::request(id, &["range"])
    }
}

#[test]
fn a_restarted_static_member_gets_its_assignment_back_unnoticed() {
    let mut h = Harness::new();
    let mut first = static_request("", "i1-1");
    first.protocols = vec![("range".to_owned(), Bytes::new())];
    let a = h.join(first.clone());
    h.advance(DELAY);
    assert_eq!(h.joined(a).leader, "i1-1");
    let synced = h.sync("i1-1", 1, &[("i1-1", "mine")]);
    assert_eq!(h.assigned(synced), "mine");
    first.fresh_id = "i1-2".to_owned();
    let again = h.join(first);
    let joined = h.joined(again);
    assert_eq!(
        (
            joined.member_id.as_str(),
            joined.generation,
            joined.members.len()
        ),
        ("i1-2", 1, 0)
    );
    assert_ne!(joined.leader, "i1-2", "it must not assign anew");
    let synced = h.sync("i1-2", 1, &[]);
    assert_eq!(h.assigned(synced), "mine");
    let now = h.now;
    assert_eq!(
        h.group.heartbeat(instance("i1-1", "i1"), 1, now),
        Err(GroupError::FencedInstance)
    );
    assert_eq!(h.group.heartbeat(instance("i1-2", "i1"), 1, now), Ok(()));
    assert_eq!(
        h.group.leave(instance("", "i1"), now, &mut h.out),
        Ok(()),
        "an administrator names the instance alone"
    );
}

#[test]
fn a_join_asked_twice_is_answered_twice() {
    let mut h = Harness::stable_pair();
    let c = h.join_new("c");
    let first = h.join(Harness::request("fresh-a", &["range"]));
    let second = h.join(Harness::request("fresh-a", &["range"]));
    assert_eq!(h.refused(first), GroupError::RebalanceInProgress);
    let b = h.join(Harness::request("fresh-b", &["range"]));
    assert_eq!(h.joined(second).generation, 2);
    h.joined(b);
    h.joined(c);
}
