//! Names that sentences use for ids, and which team stands below which. What has no name is told by its id.

use std::{collections::{BTreeMap, BTreeSet}, sync::Arc};

use super::PolicySet;
use crate::domain::{
    group::Who,
    id::{PersonId, TeamId},
    person::{Subject, Team},
};

/// What ids are called.
#[derive(Clone, Default)]
pub struct Names {
    set: Option<Arc<PolicySet>>,
    /// Whom rules name, known or not.
    named: Arc<BTreeSet<PersonId>>,
    people: Arc<BTreeMap<PersonId, String>>,
    teams: Arc<BTreeMap<TeamId, Team>>,
}

impl Names {
    /// The titles of the set's groups, and the names of those people whom its rules name.
    pub(super) fn new<'a>(set: Arc<PolicySet>, people: impl Iterator<Item = Subject<'a>>) -> Self {
        let rules = set.groups.values().flat_map(|g| &g.rules);
        let words = rules.flat_map(|r| r.who.iter().chain(r.stages.iter().flat_map(|s| s.from.iter().chain(&s.escalate))));
        let named: BTreeSet<PersonId> = words.filter_map(|w| if let Who::Person(id) = w { Some(id.clone()) } else { None }).collect();
        let people: BTreeMap<PersonId, String> = people.filter(|s| named.contains(&s.person.id)).map(|s| (s.person.id.clone(), s.person.name.clone())).collect();
        Self { named: Arc::new(named), people: Arc::new(people), teams: Arc::default(), set: Some(set) }
    }

    /// The same after these people have changed.
    pub(super) fn with_changed<'a>(&self, people: impl Iterator<Item = Subject<'a>>) -> Self {
        let mut next = self.clone();
        for subject in people.filter(|s| self.named.contains(&s.person.id)) {
            Arc::make_mut(&mut next.people).insert(subject.person.id.clone(), subject.person.name.clone());
        }
        next
    }

    /// Keeps teams.
    pub(super) fn note_teams<'a>(&mut self, teams: impl IntoIterator<Item = &'a Team>) {
        self.teams = Arc::new(teams.into_iter().map(|t| (t.id.clone(), t.clone())).collect());
    }

    /// A group's title.
    pub fn group(&self, id: &str) -> String {
        self.set.as_ref().and_then(|set| set.group(id)).map_or_else(|| id.to_owned(), |g| g.title.clone())
    }

    /// A team's title.
    pub fn team(&self, id: &str) -> String {
        self.teams.get(id).map_or_else(|| id.to_owned(), |t| t.title.clone())
    }

    /// A person's name.
    pub fn person(&self, id: &PersonId) -> String {
        self.people.get(id).cloned().unwrap_or_else(|| id.to_string())
    }

    /// A team with those above it. Ends where teams form a ring.
    pub(super) fn with_ancestors(&self, team: &TeamId) -> BTreeSet<TeamId> {
        let mut found = BTreeSet::from([team.clone()]);
        let mut at = team;
        while let Some(parent) = self.teams.get(at).and_then(|t| t.parent.as_ref()) {
            if !found.insert(parent.clone()) {
                break;
            }
            at = parent;
        }
        found
    }
}
