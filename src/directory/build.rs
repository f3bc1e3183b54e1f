//! Making the snapshot: whole, or from the one before and what changed since. The second shares with the first what is the same.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use super::{Directory, MAX_DEPTH, records::Records, sorted::Sorted};
use crate::domain::{
    id::{PersonId, TeamId},
    person::{Person, Team},
    record::{PersonRecord, TeamRecord},
};

/// People, teams and records that are new or different.
#[derive(Debug, Default)]
pub struct Changed {
    /// People.
    pub people: Vec<Person>,
    /// Teams.
    pub teams: Vec<Team>,
    /// What sources say of people.
    pub person_records: Vec<PersonRecord>,
    /// What sources say of teams.
    pub team_records: Vec<TeamRecord>,
}

type Lists<K> = HashMap<K, Vec<PersonId>>;

impl Directory {
    /// Builds the snapshot and its indexes. `revision` is the sequence number of the last directory event.
    pub fn new(people: Vec<Person>, teams: Vec<Team>, revision: i64) -> Self {
        let teams: BTreeMap<TeamId, Team> = teams.into_iter().map(|t| (t.id.clone(), t)).collect();
        let people: Sorted<PersonId, Arc<Person>> = people.into_iter().map(|p| (p.id.clone(), Arc::new(p))).collect();
        let sub_teams = Arc::new(sub_teams(&teams));
        let folded = people.keys().filter_map(|id| Some((folded(id)?, id.clone()))).collect();
        let mut shared: HashMap<BTreeSet<TeamId>, Arc<BTreeSet<TeamId>>> = HashMap::new();
        let mut teams_of = Vec::with_capacity(people.len());
        let mut accounts = Vec::new();
        let (mut members, mut reports): (Lists<TeamId>, Lists<PersonId>) = Default::default();
        for person in people.values() {
            let direct = direct(person);
            if person.is_active() {
                for team in &direct {
                    members.entry(team.clone()).or_default().push(person.id.clone());
                }
                if let Some(manager) = &person.manager {
                    reports.entry(manager.clone()).or_default().push(person.id.clone());
                }
            }
            accounts.extend(person.accounts.iter().map(|(c, a)| ((c.clone(), a.clone()), person.id.clone())));
            let all = shared.entry(direct).or_insert_with_key(|direct| Arc::new(with_ancestors(direct, &teams)));
            teams_of.push((person.id.clone(), Arc::clone(all)));
        }
        Self {
            revision,
            people,
            teams: Arc::new(teams),
            teams_of: teams_of.into_iter().collect(),
            sub_teams,
            members: members.into_iter().map(|(k, v)| (k, Arc::new(v))).collect(),
            reports: reports.into_iter().map(|(k, v)| (k, Arc::new(v))).collect(),
            accounts: accounts.into_iter().collect(),
            folded,
            records: Records::default(),
            seen: Arc::default(),
        }
    }

    /// The same with what sources say.
    #[must_use]
    pub fn with_records(mut self, people: Vec<PersonRecord>, teams: Vec<TeamRecord>) -> Self {
        for record in people {
            let merged = self.people.get(record.id());
            self.records.put_person(record, merged);
        }
        teams.into_iter().for_each(|r| self.records.put_team(r));
        self
    }

    /// The directory after some changes, and whose facts or teams those touched. Costs what changed, not what there is; a team
    /// with another parent costs a look at everybody.
    #[must_use]
    pub fn with_changed(&self, changed: Changed, revision: i64) -> (Self, Vec<PersonId>) {
        let mut next = Self { revision, ..self.clone() };
        let mut touched: Vec<PersonId> = changed.people.iter().map(|p| p.id.clone()).collect();
        if !changed.teams.is_empty() {
            let elsewhere: Vec<TeamId> =
                changed.teams.iter().filter(|t| self.teams.get(&t.id).and_then(|old| old.parent.as_ref()) != t.parent.as_ref()).map(|t| t.id.clone()).collect();
            let teams = Arc::make_mut(&mut next.teams);
            teams.extend(changed.teams.into_iter().map(|t| (t.id.clone(), t)));
            next.sub_teams = Arc::new(sub_teams(teams));
            if !elsewhere.is_empty() {
                let below: Vec<PersonId> =
                    next.teams_of.iter().filter(|(_, all)| elsewhere.iter().any(|t| all.contains(t))).map(|(id, _)| id.clone()).collect();
                for id in &below {
                    if let Some(person) = next.people.get(id).cloned() {
                        let all = Arc::new(with_ancestors(&direct(&person), &next.teams));
                        next.teams_of.insert(id.clone(), all);
                    }
                }
                touched.extend(below);
            }
        }
        for person in changed.people {
            next.put(Arc::new(person));
        }
        for record in changed.person_records {
            let merged = next.people.get(record.id());
            next.records.put_person(record, merged);
        }
        changed.team_records.into_iter().for_each(|r| next.records.put_team(r));
        touched.sort();
        touched.dedup();
        (next, touched)
    }

    fn put(&mut self, person: Arc<Person>) {
        let old = self.people.get(&person.id).cloned();
        let active = |p: &Option<Arc<Person>>| p.clone().filter(|p| p.is_active());
        let new = Some(Arc::clone(&person));
        let teams = |p: &Option<Arc<Person>>| active(p).map(|p| direct(&p)).unwrap_or_default();
        let (before, after) = (teams(&old), teams(&new));
        before.difference(&after).for_each(|team| leave(&mut self.members, team, &person.id));
        after.difference(&before).for_each(|team| join(&mut self.members, team, &person.id));
        let manager = |p: &Option<Arc<Person>>| active(p).and_then(|p| p.manager.clone());
        let (before, after) = (manager(&old), manager(&new));
        if before != after {
            before.iter().for_each(|m| leave(&mut self.reports, m, &person.id));
            after.iter().for_each(|m| join(&mut self.reports, m, &person.id));
        }
        for (connector, account) in old.iter().flat_map(|p| &p.accounts) {
            let key = (connector.clone(), account.clone());
            if self.accounts.get(&key) == Some(&person.id) {
                self.accounts.remove(&key);
            }
        }
        for (connector, account) in &person.accounts {
            self.accounts.insert((connector.clone(), account.clone()), person.id.clone());
        }
        let direct = direct(&person);
        let same = |id: &PersonId| self.people.get(id).filter(|p| self::direct(p) == direct).and_then(|_| self.teams_of.get(id));
        // Whoever is in the same teams has the set already.
        let neighbour = direct.iter().next().and_then(|t| self.members.get(t)).and_then(|m| m.iter().find(|id| **id != person.id));
        let all = neighbour.and_then(same).cloned().unwrap_or_else(|| Arc::new(with_ancestors(&direct, &self.teams)));
        self.teams_of.insert(person.id.clone(), all);
        if let Some(folded) = folded(&person.id) {
            self.folded.insert(folded, person.id.clone());
        }
        self.people.insert(person.id.clone(), person);
    }
}

/// An id in small letters, when it is not so already.
fn folded(id: &PersonId) -> Option<String> {
    id.as_str().bytes().any(|b| b.is_ascii_uppercase()).then(|| id.as_str().to_ascii_lowercase())
}

/// The teams that a person is in themselves, the main one included.
fn direct(person: &Person) -> BTreeSet<TeamId> {
    let mut direct = person.teams.clone();
    direct.extend(person.team.clone());
    direct
}

fn sub_teams(teams: &BTreeMap<TeamId, Team>) -> HashMap<TeamId, Vec<TeamId>> {
    let mut found: HashMap<TeamId, Vec<TeamId>> = HashMap::new();
    for team in teams.values() {
        if let Some(parent) = &team.parent {
            found.entry(parent.clone()).or_default().push(team.id.clone());
        }
    }
    found
}

fn join<K: Ord + Clone>(lists: &mut Sorted<K, Arc<Vec<PersonId>>>, key: &K, person: &PersonId) {
    let mut list = lists.get(key).map(|l| l.to_vec()).unwrap_or_default();
    if let Err(place) = list.binary_search(person) {
        list.insert(place, person.clone());
    }
    lists.insert(key.clone(), Arc::new(list));
}

fn leave<K: Ord + Clone>(lists: &mut Sorted<K, Arc<Vec<PersonId>>>, key: &K, person: &PersonId) {
    let Some(list) = lists.get(key) else { return };
    let rest: Vec<PersonId> = list.iter().filter(|p| *p != person).cloned().collect();
    if rest.is_empty() {
        lists.remove(key);
    } else {
        lists.insert(key.clone(), Arc::new(rest));
    }
}

/// Teams with their ancestors, as far up as [`MAX_DEPTH`]; a cycle of parents ends the walk.
fn with_ancestors(direct: &BTreeSet<TeamId>, teams: &BTreeMap<TeamId, Team>) -> BTreeSet<TeamId> {
    let mut all = BTreeSet::new();
    for team in direct {
        // Each walk by itself: where another one ended by depth is no end for this one.
        let mut at = Some(team);
        let mut walked = BTreeSet::new();
        while let Some(team) = at.filter(|t| walked.len() < MAX_DEPTH && walked.insert(*t)) {
            at = teams.get(team).and_then(|t| t.parent.as_ref());
        }
        all.extend(walked.into_iter().cloned());
    }
    all
}
