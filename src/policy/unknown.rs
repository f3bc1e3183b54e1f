//! Names that nobody knows. Errors depend on the files and on names never known; a name that left, or a team now empty, is a
//! warning and matches nobody (semantics.md, 7).

use std::{collections::BTreeSet, ops::Range};

use super::{Known, reader::{Reader, nearest}};
use crate::domain::{group::Who, id::{ConnectorName, GroupId}};

pub(super) fn group(reader: &mut Reader<'_>, group: &GroupId, at: &Range<usize>, ids: &BTreeSet<GroupId>) {
    if !ids.contains(group) {
        let near = nearest(group.as_str(), ids.iter().map(GroupId::as_str)).map(|n| format!("did you mean `{n}`?"));
        reader.tell(at.clone(), "BP070", format!("there is no group `{group}`"), near);
    }
}

pub(super) fn who(reader: &mut Reader<'_>, who: &Who, at: &Range<usize>, ids: &BTreeSet<GroupId>, known: &Known) {
    match who {
        Who::Group(id) => group(reader, id, at, ids),
        Who::Team(team) if known.former_teams.contains(team) => reader.tell(at.clone(), "BP071", format!("the team `{team}` is gone"), None),
        Who::Team(team) => match known.teams.get(team) {
            None => {
                let near = nearest(team.as_str(), known.teams.keys().map(|t| t.as_str())).map(|n| format!("did you mean `team:{n}`?"));
                reader.tell(at.clone(), "BP072", format!("there is no team `{team}`"), near);
            }
            Some(0) => reader.tell(at.clone(), "BP073", format!("the team `{team}` has nobody in it today"), None),
            Some(_) => {}
        },
        Who::Person(person) if known.former_people.contains(person) => reader.tell(at.clone(), "BP074", format!("`{person}` has left"), None),
        Who::Person(person) if !known.people.contains(person) => {
            let near = nearest(person.as_str(), known.people.iter().map(|p| p.as_str())).map(|n| format!("did you mean `person:{n}`?"));
            reader.tell(at.clone(), "BP075", format!("there is no person `{person}`"), near);
        }
        _ => {}
    }
}

pub(super) fn connector(reader: &mut Reader<'_>, connector: &ConnectorName, at: &Range<usize>, known: &Known) {
    if !known.connectors.contains(connector) {
        let near = nearest(connector.as_str(), known.connectors.iter().map(|c| c.as_str()));
        let help = near.map_or_else(|| "add a [[connector]] of this name to the configuration".to_owned(), |n| format!("did you mean `{n}`?"));
        reader.tell(at.clone(), "BP076", format!("there is no connector `{connector}`"), help);
    }
}

/// How many people a word means at most today; none when that cannot be told. `manager` is one person.
pub(super) fn most(who: &Who, known: &Known) -> Option<usize> {
    match who {
        Who::Person(person) if known.people.contains(person) => Some(1),
        Who::Person(person) if known.former_people.contains(person) => Some(0),
        Who::Team(team) if known.former_teams.contains(team) => Some(0),
        Who::Team(team) => known.teams.get(team).copied(),
        Who::Manager => Some(1),
        Who::Person(_) | Who::Group(_) | Who::Everyone | Who::Owner => None,
    }
}
