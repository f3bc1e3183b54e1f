//! What an import would change.

use std::collections::BTreeMap;

use super::Directory;
use crate::domain::{
    directory_change::DirectoryChange,
    id::{ConnectorName, PersonId, TeamId},
    person::{Person, PersonStatus, Team},
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
    /// In the order in which they are recorded: teams first.
    pub changes: Vec<DirectoryChange>,
    /// Active people before.
    pub active_before: usize,
    /// Of those, how many leave.
    pub leaving: usize,
    /// Accounts that would be given to another person: each a sentence. The import is refused.
    pub refused: Vec<String>,
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

/// Compares a complete source with the directory. People are matched by id, never by name or mail (semantics.md, 29).
pub fn plan(current: &Directory, source: &Source) -> ImportPlan {
    let mut plan = ImportPlan { active_before: current.people().values().filter(|p| p.is_active()).count(), ..ImportPlan::default() };
    for (id, team) in &source.teams {
        if current.team(id.as_str()) != Some(team) {
            plan.changes.push(DirectoryChange::TeamPut { team: team.clone() });
        }
    }
    let owners = accounts_of(current);
    for (id, person) in &source.people {
        for (connector, account) in &person.accounts {
            if let Some(owner) = owners.get(&(connector, account.as_str())).filter(|owner| **owner != id) {
                plan.refused.push(format!("the account `{account}` in `{connector}` belongs to `{owner}` and cannot be given to `{id}`"));
            }
        }
        match current.person(id.as_str()) {
            None => plan.changes.push(DirectoryChange::PersonAdded { person: Box::new(person.clone()) }),
            Some(known) if !known.is_active() => plan.changes.push(DirectoryChange::PersonAdded { person: Box::new(person.clone()) }),
            Some(known) => {
                let fields = differing(known, person);
                if !fields.is_empty() {
                    plan.changes.push(DirectoryChange::PersonChanged { person: Box::new(person.clone()), fields });
                }
            }
        }
    }
    for person in current.people().values().filter(|p| p.is_active() && !source.people.contains_key(&p.id)) {
        plan.leaving += 1;
        plan.changes.push(DirectoryChange::PersonLeft { id: person.id.clone() });
    }
    for id in current.teams().keys().filter(|id| !source.teams.contains_key(*id)) {
        plan.changes.push(DirectoryChange::TeamGone { id: id.clone() });
    }
    plan
}

/// Accounts that are taken: by active people, and for ever by those who left.
fn accounts_of(current: &Directory) -> BTreeMap<(&ConnectorName, &str), &PersonId> {
    let people = current.people().values();
    people.flat_map(|p| p.accounts.iter().map(move |(c, a)| ((c, a.as_str()), &p.id))).collect()
}

fn differing(a: &Person, b: &Person) -> Vec<String> {
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
    let mut teams = current.teams().clone();
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
