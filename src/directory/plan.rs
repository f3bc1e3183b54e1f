//! What an import would change.

use std::{collections::BTreeMap, sync::Arc};

use super::{Directory, merge::Precedence, tell::Telling};
use crate::domain::{
    directory_change::{DirectoryChange, Told},
    id::{PersonId, TeamId},
    person::{Person, PersonStatus, Team},
    record::{Dates, PersonRecord, SourceName, TeamRecord},
};

/// People and teams as a source gives them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Source {
    /// By id.
    pub people: BTreeMap<PersonId, Person>,
    /// By id.
    pub teams: BTreeMap<TeamId, Team>,
}

/// The changes that make the directory equal to a complete source.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImportPlan {
    /// Revision of the directory that it was made on, for compare and set.
    pub revision: i64,
    /// In the order in which they are recorded: teams first.
    pub changes: Vec<DirectoryChange>,
    /// What the source says of those of whom others speak as well.
    pub told: Told,
    /// Active people of whom the source spoke before.
    pub active_before: usize,
    /// Of those, how many leave.
    pub leaving: usize,
    /// Accounts that would be given to another person: each a sentence. The import is refused.
    pub refused: Vec<String>,
    /// Who has left and of whom this source never spoke before: it brings nobody back.
    pub left_out: Vec<PersonId>,
}

/// An import that would drop more people than the configured share.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "this import would drop {leaving} of {active} active people ({percent} %), more than the {limit} % that `directory.max_leave_share` allows; if that is right, say `--confirm`"
)]
pub struct TooManyLeave {
    leaving: usize,
    active: usize,
    percent: usize,
    limit: usize,
}

impl ImportPlan {
    /// Refuses a plan that drops more than a share (0.0 to 1.0) of the active people.
    ///
    /// # Errors
    /// [`TooManyLeave`] with the numbers.
    pub fn check_shrink(&self, max_share: f64) -> Result<(), TooManyLeave> {
        #[allow(clippy::cast_precision_loss, reason = "counts of people are far below 2^52")]
        let share = if self.active_before == 0 { 0.0 } else { self.leaving as f64 / self.active_before as f64 };
        if share <= max_share {
            return Ok(());
        }
        let percent = |share: f64| {
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of at most 100 percent")]
            let rounded = (share * 100.0).round() as usize;
            rounded
        };
        Err(TooManyLeave { leaving: self.leaving, active: self.active_before, percent: percent(share), limit: percent(max_share) })
    }

    /// How many of each: added, changed, leaving, teams.
    pub fn counts(&self) -> (usize, usize, usize, usize) {
        let of = |f: fn(&DirectoryChange) -> bool| self.changes.iter().filter(|c| f(c)).count();
        (
            of(|c| matches!(c, DirectoryChange::PersonAdded { .. })),
            of(|c| matches!(c, DirectoryChange::PersonChanged { .. })),
            of(|c| matches!(c, DirectoryChange::PersonLeft { .. })),
            of(|c| matches!(c, DirectoryChange::TeamPut { .. } | DirectoryChange::TeamGone { .. })),
        )
    }
}

/// Compares a complete source with the directory, in the usual order of sources. People are matched by id, never by name or
/// mail (semantics.md, 29).
pub fn plan(current: &Directory, source: &Source) -> ImportPlan {
    plan_of(current, source, &SourceName::files(), &Precedence::default())
}

/// The same for a named source that says everything that it says at once. Where files alone speak of a person, what they say
/// is the directory itself; where others do as well, it is a record beside theirs.
pub fn plan_of(current: &Directory, source: &Source, name: &SourceName, precedence: &Precedence) -> ImportPlan {
    let records = current.records();
    let files = *name == SourceName::files();
    let speaks_of = |id: &PersonId| match records.of_person(id.as_str()) {
        [] => files,
        some => some.iter().any(|r| r.source == *name && !r.gone),
    };
    let active = || current.people().values().filter(|p| p.is_active() && speaks_of(&p.id));
    let mut plan = ImportPlan { revision: current.revision(), active_before: active().count(), ..ImportPlan::default() };
    let mut telling = Telling::new(current, precedence);
    for (id, team) in &source.teams {
        if files && records.of_team(id.as_str()).is_empty() {
            if current.team(id.as_str()) != Some(team) {
                plan.changes.push(DirectoryChange::TeamPut { team: team.clone() });
            }
        } else if records.team(name, id.as_str()).is_none_or(|r| r.team != *team) {
            let dates = Dates::now(records.team(name, id.as_str()).map(|r| &r.dates));
            telling.team(TeamRecord { source: name.clone(), team: team.clone(), external_id: None, gone: false, dates });
        }
    }
    for (id, person) in &source.people {
        if let Some(other) = current.alike(id.as_str()).filter(|other| *other != id && current.person(id.as_str()).is_none()) {
            plan.refused.push(format!("the id `{id}` differs only by case from `{other}`, which is or was another's"));
        } else if files && records.of_person(id.as_str()).is_empty() {
            plan.refused.extend(telling.claim(person));
            match current.person(id.as_str()).filter(|p| p.is_active()) {
                None => plan.changes.push(DirectoryChange::PersonAdded { person: Box::new(person.clone()) }),
                Some(known) => {
                    let fields = differing(known, person);
                    if !fields.is_empty() {
                        plan.changes.push(DirectoryChange::PersonChanged { person: Box::new(person.clone()), fields });
                    }
                }
            }
        } else if records.person(name, id.as_str()).is_none() && current.person(id.as_str()).is_some_and(|p| !p.is_active()) {
            plan.left_out.push(id.clone());
        } else if records.person(name, id.as_str()).is_none_or(|r| r.gone || *r.person != *person) {
            let dates = Dates::now(records.person(name, id.as_str()).map(|r| &r.dates));
            telling.person(PersonRecord::new(name.clone(), Arc::new(person.clone()), None, dates));
        }
    }
    for person in active().filter(|p| !source.people.contains_key(&p.id) && records.of_person(p.id.as_str()).is_empty()) {
        plan.leaving += 1;
        plan.changes.push(DirectoryChange::PersonLeft { id: person.id.clone() });
    }
    // Also of who has left already: what is said of them no more must not be there when they come back.
    for record in records.people_of(name).filter(|r| !source.people.contains_key(r.id())) {
        telling.person(record.deleted());
    }
    for id in current.teams().keys().filter(|id| !source.teams.contains_key(*id)) {
        match records.of_team(id.as_str()) {
            [] if files => plan.changes.push(DirectoryChange::TeamGone { id: id.clone() }),
            some if some.iter().any(|r| r.source == *name && !r.gone) => telling.forget_team(name, id),
            _ => {}
        }
    }
    let effect = telling.effect();
    plan.leaving += effect.leavers().len();
    plan.changes.extend(effect.changes);
    plan.told = effect.told;
    plan.refused.extend(effect.refused);
    plan
}

pub(super) fn differing(a: &Person, b: &Person) -> Vec<String> {
    let pairs = [
        ("name", a.name != b.name),
        ("email", a.email != b.email),
        ("manager", a.manager != b.manager),
        ("team", a.team != b.team),
        ("teams", a.teams != b.teams),
        ("employment", a.employment != b.employment),
        ("location", a.location != b.location),
        ("title", a.title != b.title),
        ("attributes", a.attributes != b.attributes),
        ("accounts", a.accounts != b.accounts),
    ];
    pairs.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name.to_owned()).collect()
}

/// The directory after some changes, for showing what an import leads to.
pub fn apply(current: &Directory, changes: &[DirectoryChange], revision: i64) -> Directory {
    let mut people: BTreeMap<PersonId, Person> = current.people().iter().map(|(id, p)| (id.clone(), Person::clone(p))).collect();
    let mut teams: BTreeMap<TeamId, Team> = current.teams().clone();
    for change in changes {
        match change {
            DirectoryChange::PersonAdded { person } | DirectoryChange::PersonChanged { person, .. } => {
                people.insert(person.id.clone(), Person::clone(person));
            }
            DirectoryChange::PersonLeft { id } => {
                if let Some(person) = people.get_mut(id) {
                    person.status = PersonStatus::Left;
                }
            }
            DirectoryChange::TeamPut { team } => {
                teams.insert(team.id.clone(), team.clone());
            }
            DirectoryChange::TeamGone { id } => {
                teams.remove(id);
            }
        }
    }
    Directory::new(people.into_values().collect(), teams.into_values().collect(), revision)
}
