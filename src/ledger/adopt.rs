//! Memberships that existed before Bandpass, many at once: what adopting them would do, and doing it.
//!
//! A dry run decides each with the code that a batch runs, on the rows as they are, and lets each see the ones before it: two
//! memberships that exclude each other are found although neither is recorded. Doing it decides all that way first and sends
//! to the writer what came out well; there each is decided once more, under the head lock.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use futures_util::future::join_all;
use uuid::Uuid;

use super::{
    Ledger, LedgerError, Snapshot,
    decide::{self, World},
    fresh_id,
    project::project,
    state::State,
};
use crate::{
    domain::{
        actor::Actor,
        adoption::{Adoption, AdoptionOutcome},
        command::{Answer, Command, Envelope},
        grant::Grant,
        id::{CommandId, GroupId, IdSource, PersonId},
        nearest::nearest,
        refusal::Refusal,
    },
    store::{
        load::Loaded,
        read::{GrantFilter, Page, StoreError},
    },
};

/// People whose grants are read by one query.
const PEOPLE_AT_ONCE: usize = 500;
/// Commands under way at the same time: one batch of the writer.
const COMMANDS_AT_ONCE: usize = 256;
/// Mistyped names that are compared with everybody's; further ones get no suggestion.
const NAMES_COMPARED: usize = 200;

/// A membership of the source: who, in what.
pub type Membership = (PersonId, GroupId);

/// Ids of what is never recorded.
struct NoIds(u128);

impl IdSource for NoIds {
    fn fresh(&mut self) -> Uuid {
        self.0 += 1;
        Uuid::from_u128(self.0)
    }
}

impl Ledger {
    /// What adopting these memberships in this order would do, in the same order. Nothing is recorded.
    ///
    /// # Errors
    /// [`LedgerError`] when the database cannot be read.
    pub async fn preview_adoptions(&self, actor: Actor, memberships: Vec<Membership>) -> Result<Vec<Adoption>, LedgerError> {
        let snapshot = self.snapshot();
        let mut state = State::new(snapshot.frozen);
        let mut people: BTreeSet<PersonId> = memberships.iter().map(|(person, _)| person.clone()).collect();
        people.extend(actor.person_id().cloned());
        state.take(Loaded { grants: self.live_grants_of_all(people).await?, ..Loaded::default() });
        let (ledger, limits) = (self.clone(), self.shared.config.limits.clone());
        let decided = tokio::task::spawn_blocking(move || {
            let now = ledger.now();
            let (mut ids, mut next_seq, mut names) = (NoIds(0), 1, Names::new(&snapshot));
            let mut adoptions = Vec::with_capacity(memberships.len());
            for (person, group) in memberships {
                let world =
                    World { snapshot: &snapshot, state: &state, now, next_seq, epoch: 1, limits: &limits, clock_behind: false, filed_last_hour: 0 };
                let outcome = match names.unknown(&person, &group) {
                    Some(violation) => violation,
                    None => {
                        let command = Command::Adopt { person: person.clone(), group: group.clone() };
                        let envelope = Envelope { id: CommandId(ids.fresh()), actor: actor.clone(), command, idempotency: None };
                        match decide::decide(&world, &envelope, &mut ids) {
                            Ok(decided) => {
                                next_seq += i64::try_from(decided.events.len()).unwrap_or(0);
                                decided.events.iter().flat_map(project).for_each(|change| state.apply(&change));
                                outcome_of(&snapshot, Ok(decided.answer))
                            }
                            Err(refusal) => outcome_of(&snapshot, Err(refusal)),
                        }
                    }
                };
                adoptions.push(Adoption { person, group, outcome });
            }
            adoptions
        });
        decided.await.map_err(|_| LedgerError::Unavailable("the dry run failed unexpectedly".to_owned()))
    }

    /// Adopts these memberships in this order; answers what became of each.
    ///
    /// # Errors
    /// [`LedgerError`] when the database fails; memberships before that may be recorded, and a repetition finds them held.
    pub async fn adopt(&self, actor: Actor, memberships: Vec<Membership>) -> Result<Vec<Adoption>, LedgerError> {
        let mut adoptions = self.preview_adoptions(actor.clone(), memberships).await?;
        let snapshot = self.snapshot();
        let mut wished: Vec<&mut Adoption> = adoptions.iter_mut().filter(|a| matches!(a.outcome, AdoptionOutcome::Adopted { .. })).collect();
        for together in wished.chunks_mut(COMMANDS_AT_ONCE) {
            let commands: Vec<Command> =
                together.iter().map(|a| Command::Adopt { person: a.person.clone(), group: a.group.clone() }).collect();
            let executed = commands
                .into_iter()
                .map(|command| self.execute_in_turn(Envelope { id: CommandId(fresh_id()), actor: actor.clone(), command, idempotency: None }));
            let replies = join_all(executed).await;
            for (adoption, reply) in together.iter_mut().zip(replies) {
                adoption.outcome = outcome_of(&snapshot, reply?.answer);
            }
        }
        Ok(adoptions)
    }

    async fn live_grants_of_all(&self, people: BTreeSet<PersonId>) -> Result<Vec<Grant>, StoreError> {
        let (people, mut found): (Vec<PersonId>, Vec<Grant>) = (people.into_iter().collect(), Vec::new());
        for some in people.chunks(PEOPLE_AT_ONCE) {
            let mut before = None;
            loop {
                let filter = GrantFilter { people: Some(some.iter().cloned().collect()), live: true, ..GrantFilter::default() };
                let page = self.reader.grants(filter, Page { before, limit: 1000 }).await?;
                found.extend(page.items);
                before = page.next;
                if before.is_none() {
                    break;
                }
            }
        }
        Ok(found)
    }
}

fn outcome_of(snapshot: &Snapshot, answer: Result<Answer, Refusal>) -> AdoptionOutcome {
    match answer {
        Ok(Answer::Grant { grant }) => {
            let accounts = snapshot.directory.person(grant.person.as_str()).map(|p| &p.accounts);
            let named: BTreeSet<_> = grant.entitlements.iter().map(|e| &e.connector).collect();
            let without_account = named.into_iter().filter(|c| !accounts.is_some_and(|a| a.contains_key(*c))).cloned().collect();
            AdoptionOutcome::Adopted { until: grant.ends_at, rule: grant.rule, without_account }
        }
        Ok(_) => AdoptionOutcome::Held,
        Err(refusal) => AdoptionOutcome::Violation { cause: refusal.to_string(), hint: None },
    }
}

/// Names that are not known, each compared with the known ones once.
struct Names<'a> {
    snapshot: &'a Arc<Snapshot>,
    people: BTreeMap<PersonId, Option<String>>,
    groups: BTreeMap<GroupId, Option<String>>,
}

impl<'a> Names<'a> {
    fn new(snapshot: &'a Arc<Snapshot>) -> Self {
        Self { snapshot, people: BTreeMap::new(), groups: BTreeMap::new() }
    }

    /// Why a membership names nobody, or nothing.
    fn unknown(&mut self, person: &PersonId, group: &GroupId) -> Option<AdoptionOutcome> {
        let violation = |cause: &str, hint: Option<String>| Some(AdoptionOutcome::Violation { cause: cause.to_owned(), hint });
        let (directory, set) = (&self.snapshot.directory, self.snapshot.policy.set());
        match directory.person(person.as_str()) {
            Some(known) if known.is_active() => {}
            Some(_) => return violation("the person has left", None),
            None => {
                let compared = self.people.len();
                let meant = self.people.entry(person.clone()).or_insert_with(|| {
                    let active = directory.people().values().filter(|p| p.is_active()).map(|p| p.id.as_str());
                    nearest(person.as_str(), active.filter(|_| compared < NAMES_COMPARED)).map(str::to_owned)
                });
                return violation("there is no such person in the directory", meant.clone());
            }
        }
        if set.group(group.as_str()).is_none() {
            let compared = self.groups.len();
            let meant = self.groups.entry(group.clone()).or_insert_with(|| {
                Some(group).filter(|_| compared < NAMES_COMPARED).and_then(|g| set.nearest_group(g.as_str())).map(ToString::to_string)
            });
            return violation("there is no such group in the policy", meant.clone());
        }
        None
    }
}
