//! Who is meant by `manager`, `owner`, `team:`, `group:`, `person:`, and who may vote on a request.

use std::collections::BTreeSet;

use crate::{
    directory::Directory,
    domain::{
        group::{Stage, Who},
        id::{GroupId, PersonId},
        time::Time,
    },
};

/// Whether an active person is meant by a word of a rule, an owner list or a role. `manager` and `owner` need a request
/// and mean nobody here.
pub fn is_in(who: &Who, person: &PersonId, directory: &Directory, holds: &BTreeSet<GroupId>) -> bool {
    let Some(subject) = directory.subject(person.as_str()) else { return false };
    if !subject.person.is_active() {
        return false;
    }
    match who {
        Who::Everyone => true,
        Who::Person(id) => id == person,
        Who::Team(team) => subject.teams.contains(team),
        Who::Group(group) => holds.contains(group),
        Who::Manager | Who::Owner => false,
    }
}

/// The request that votes are wanted for.
#[derive(Debug, Clone, Copy)]
pub struct Asker<'a> {
    /// Who would hold it.
    pub person: &'a PersonId,
    /// Who filed it.
    pub filed_by: &'a PersonId,
    /// The group's owners.
    pub owner: &'a [Who],
    /// When it was filed: eligibility by holding a group must be older (semantics.md, 13).
    pub submitted_at: Time,
}

/// Who may vote at a stage: active people meant by `from` (and, once `within` has passed, by `escalate`), never the
/// requester and never the one who filed it. `holders` gives the live holders of a group with the start of their grant.
pub fn eligible(
    stage: &Stage,
    asker: Asker<'_>,
    stage_since: Time,
    now: Time,
    directory: &Directory,
    holders: &dyn Fn(&GroupId) -> Vec<(PersonId, Time)>,
) -> BTreeSet<PersonId> {
    let escalated = now >= stage_since.plus(stage.within);
    let words = stage.from.iter().chain(stage.escalate.iter().filter(|_| escalated));
    let mut people = BTreeSet::new();
    for who in words {
        match who {
            Who::Manager => people.extend(directory.person(asker.person.as_str()).and_then(|p| p.manager.clone())),
            Who::Owner => {
                for owner in asker.owner {
                    collect(owner, asker.submitted_at, directory, holders, &mut people);
                }
            }
            other => collect(other, asker.submitted_at, directory, holders, &mut people),
        }
    }
    people.retain(|p| p != asker.person && p != asker.filed_by && directory.person(p.as_str()).is_some_and(|p| p.is_active()));
    people
}

fn collect(
    who: &Who,
    before: Time,
    directory: &Directory,
    holders: &dyn Fn(&GroupId) -> Vec<(PersonId, Time)>,
    people: &mut BTreeSet<PersonId>,
) {
    match who {
        Who::Person(id) => {
            people.insert(id.clone());
        }
        Who::Team(team) => people.extend(directory.members(team)),
        Who::Group(group) => people.extend(holders(group).into_iter().filter(|(_, since)| *since < before).map(|(p, _)| p)),
        Who::Everyone | Who::Manager | Who::Owner => {}
    }
}
