//! What members ask and what they are answered.

use bytes::Bytes;

/// Names a request that waits for its reply.
pub(crate) type Token = u64;

/// Why a member's request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum GroupError {
    #[error("the member id is unknown to the group")]
    UnknownMember,
    #[error("the generation is not the present one")]
    IllegalGeneration,
    #[error("the group is rebalancing")]
    RebalanceInProgress,
    #[error("the member's protocols do not fit those of the group")]
    InconsistentProtocol,
    #[error("the session timeout is out of bounds")]
    InvalidSessionTimeout,
    /// The member must join again with the id it is given.
    #[error("join again with the member id given")]
    MemberIdRequired,
    #[error("another member has taken over this group.instance.id")]
    FencedInstance,
}

/// A member as requests name it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MemberRef<'a> {
    pub(crate) id: &'a str,
    pub(crate) instance: Option<&'a str>,
}

/// A JoinGroup request.
#[derive(Clone, Debug)]
pub(crate) struct JoinRequest {
    /// Empty for a new member.
    pub(crate) member_id: String,
    pub(crate) instance: Option<String>,
    pub(crate) client_id: String,
    pub(crate) client_host: String,
    pub(crate) session_timeout_ms: i32,
    pub(crate) rebalance_timeout_ms: i32,
    pub(crate) protocol_type: String,
    /// By preference: name and the member's metadata for it.
    pub(crate) protocols: Vec<(String, Bytes)>,
    /// Whether a new member is first told its id and must join again (JoinGroup v4 and later).
    pub(crate) id_required: bool,
    /// The id that a new member gets.
    pub(crate) fresh_id: String,
}

/// A successful join.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Joined {
    pub(crate) generation: i32,
    pub(crate) protocol_type: String,
    pub(crate) protocol: String,
    pub(crate) leader: String,
    pub(crate) member_id: String,
    /// For the leader alone: everyone, with the metadata from which it assigns.
    pub(crate) members: Vec<JoinedMember>,
}

/// A member as its leader sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct JoinedMember {
    pub(crate) id: String,
    pub(crate) instance: Option<String>,
    pub(crate) metadata: Bytes,
}

/// An answer to a waiting request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// To a join; an error comes with the member id to use.
    Join(Token, Result<Joined, (GroupError, String)>),
    /// To a sync: the member's assignment.
    Sync(Token, Result<Bytes, GroupError>),
}

/// A member of a group.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) instance: Option<String>,
    pub(crate) client_id: String,
    pub(crate) client_host: String,
    pub(crate) protocols: Vec<(String, Bytes)>,
    pub(crate) assignment: Bytes,
    pub(super) session_timeout: u64,
    pub(super) rebalance_timeout: u64,
    /// When it is taken for dead, unless it waits for a reply.
    pub(super) session_deadline: u64,
    pub(super) joining: Option<Token>,
    pub(super) syncing: Option<Token>,
}

impl Member {
    pub(super) fn supports(&self, protocol: &str) -> bool {
        self.protocols.iter().any(|(name, _)| name == protocol)
    }

    /// Its metadata for a protocol.
    pub(crate) fn metadata(&self, protocol: &str) -> Bytes {
        let found = self.protocols.iter().find(|(name, _)| name == protocol);
        found
            .map(|(_, metadata)| metadata.clone())
            .unwrap_or_default()
    }

    pub(super) fn touch(&mut self, now: u64) {
        self.session_deadline = now.saturating_add(self.session_timeout);
    }
}
