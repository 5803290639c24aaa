//! The group coordinator's state machine for the classic protocol. Pure: time comes in, replies go out through [`Reply`].
//!
//! ```text
//!            join                    all joined, or the deadline         leader's sync
//!  Empty ──────────► PreparingRebalance ──────────────► CompletingRebalance ──────────► Stable
//!    ▲                     ▲   ▲                                 │                        │
//!    └── nobody joined ────┘   └──── join with other protocols, leave, expired session ───┘
//! ```
//! Invariants: a generation has one protocol that every member supports and one leader among its members;
//! every join and sync gets exactly one reply; a static member's id changes with each incarnation, its assignment does not.

mod group;
mod liveness;
mod member;

pub(crate) use group::{Group, GroupState};
pub(crate) use member::{GroupError, JoinRequest, Joined, MemberRef, Reply, Token};

#[cfg(test)]
mod tests;
