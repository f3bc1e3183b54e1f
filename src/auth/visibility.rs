//! Who sees what by default (semantics.md, 15): everyone sees groups, owners and rules; members and holdings are seen by
//! oneself, the manager chain, owners and auditors.

use super::Caller;
use crate::{
    domain::{group::{Group, Who}, id::{GroupId, PersonId}, request::Request},
    ledger::decide::is_in,
};

/// Whether the caller owns a group.
pub fn owns(caller: &Caller, group: &GroupId) -> bool {
    let group = caller.snapshot.policy.set().group(group.as_str());
    group.is_some_and(|g| g.owner.iter().any(|w: &Who| is_in(w, caller.id(), &caller.snapshot.directory, &caller.holds)))
}

/// Whether the caller sees what a person holds.
pub fn may_see_holdings(caller: &Caller, person: &PersonId) -> bool {
    caller.id() == person || caller.auditor || caller.snapshot.directory.manager_chain(person).contains(caller.id())
}

/// Whether the caller sees the members of a group.
pub fn may_see_members(caller: &Caller, group: &GroupId) -> bool {
    caller.auditor || owns(caller, group)
}

/// Whether the caller may look after what is left of a group that left the policy: auditors, admins, and whom it named last as
/// its owners.
pub fn answered_for(caller: &Caller, group: &Group) -> bool {
    caller.auditor || caller.admin || group.owner.iter().any(|w| is_in(w, caller.id(), &caller.snapshot.directory, &caller.holds))
}

/// Whether the caller sees a grant or a request of a person for a group; those who may vote on it are asked separately.
pub fn may_see(caller: &Caller, person: &PersonId, group: &GroupId) -> bool {
    may_see_holdings(caller, person) || owns(caller, group)
}

/// Whether the caller sees a request without being one of its voters.
pub fn may_see_request(caller: &Caller, request: &Request) -> bool {
    request.filed_by == *caller.id() || may_see(caller, &request.person, &request.group)
}
