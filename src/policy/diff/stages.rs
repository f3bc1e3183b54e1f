//! Stages that too few people can answer, among the groups that were edited.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{Inputs, edits};
use crate::domain::{
    group::{Group, Stage, Who},
    id::{GroupId, PersonId},
};

/// A stage with fewer eligible people than it needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EmptyStage {
    /// The group.
    pub group: GroupId,
    /// The rule.
    pub rule: String,
    /// Which stage of it, from 1.
    pub stage: usize,
    /// Who is asked, as written.
    pub from: String,
    /// How many must agree.
    pub need: u32,
    /// How many can.
    pub eligible: usize,
}

/// Stages of new or edited groups that cannot be answered by enough people.
pub(super) fn empty(inputs: &Inputs<'_>) -> Vec<EmptyStage> {
    let mut found = Vec::new();
    for (_, pair) in edits::pairs(inputs.before, inputs.after) {
        let Some(new) = pair.after else { continue };
        let known = |stage: &Stage| {
            pair.before.is_some_and(|old| old.owner == new.owner && old.rules.iter().flat_map(|r| &r.stages).any(|s| s.from == stage.from && s.need == stage.need))
        };
        for rule in &new.rules {
            for (at, stage) in rule.stages.iter().enumerate().filter(|(_, s)| !known(s)) {
                // Who the manager is depends on who asks: such a stage is never empty for everyone.
                if stage.from.contains(&Who::Manager) {
                    continue;
                }
                let eligible = eligible(inputs, stage, new).len();
                if eligible < usize::try_from(stage.need).unwrap_or(usize::MAX) {
                    let from = stage.from.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
                    found.push(EmptyStage { group: new.id.clone(), rule: rule.name.clone(), stage: at + 1, from, need: stage.need, eligible });
                }
            }
        }
    }
    found
}

fn eligible<'a>(inputs: &'a Inputs<'_>, stage: &Stage, group: &Group) -> BTreeSet<&'a PersonId> {
    let owners = if stage.from.contains(&Who::Owner) { group.owner.as_slice() } else { &[] };
    let words: Vec<&Who> = stage.from.iter().chain(owners).collect();
    let is = |id: &PersonId, teams: &BTreeSet<crate::domain::id::TeamId>| {
        words.iter().any(|who| match who {
            Who::Person(person) => person == id,
            Who::Team(team) => teams.contains(team),
            Who::Group(group) => inputs.holdings.get(id).is_some_and(|h| h.contains(group)),
            Who::Everyone | Who::Manager | Who::Owner => false,
        })
    };
    inputs.subjects.iter().filter(|s| s.person.is_active() && is(&s.person.id, s.teams)).map(|s| &s.person.id).collect()
}
