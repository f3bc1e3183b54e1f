//! Begins what people hold without asking (`then = "always"`): finds who should hold what and does not, off the ledger's
//! thread, and sends a command for each. The ledger decides each again under its lock. A part of [`super::reconsider`], under
//! the same sole right: what ends is looked at first.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use futures_util::future::join_all;

use crate::{
    domain::{
        command::{Answer, Command},
        decision::Effect,
        grant::{Grant, Provenance},
        id::{GroupId, PersonId},
        time::Time,
    },
    ledger::{Ledger, Snapshot, decide::is_in},
    policy::{birthright::gives_birthrights, standing::HoldingsRead},
    store::read::{Reader, StoreError},
};

/// Commands sent at a time.
const AT_ONCE: usize = 200;
/// People whose grants are read by one query.
const PEOPLE_AT_ONCE: usize = 500;

type Holdings = HashMap<PersonId, BTreeSet<GroupId>>;

/// Begins what is due, for everybody or for some; answers how many began. Nothing begins while the freeze switch is on.
///
/// # Errors
/// When the database cannot be read or the ledger does not take it.
pub(super) async fn begin(ledger: &Ledger, reader: &Reader, snapshot: &Arc<Snapshot>, reads: &HoldingsRead, people: Option<BTreeSet<PersonId>>) -> Result<u64, StoreError> {
    let groups: BTreeSet<GroupId> = snapshot.policy.set().groups().values().filter(|g| gives_birthrights(g)).map(|g| g.id.clone()).collect();
    if groups.is_empty() || reader.head().await?.frozen {
        return Ok(0);
    }
    let here = snapshot.directory.people().values().filter(|p| p.is_active()).map(|p| &p.id);
    let people: Vec<PersonId> = match people {
        None => here.cloned().collect(),
        Some(some) => some.into_iter().filter(|p| snapshot.directory.person(p.as_str()).is_some_and(|p| p.is_active())).collect(),
    };
    let mut held: BTreeMap<GroupId, BTreeSet<PersonId>> = BTreeMap::new();
    // A few people are read whole; of everybody, only who is in these groups, and what the policy reads.
    let (of_groups, holdings) = if people.len() <= PEOPLE_AT_ONCE {
        let grants: Vec<Grant> = reader.live_grants_of_people(people.clone()).await?.into_iter().map(|l| l.grant).collect();
        let mut all = Holdings::new();
        grants.iter().for_each(|g| drop(all.entry(g.person.clone()).or_default().replace(g.group.clone())));
        (grants, all)
    } else {
        (reader.live_grants_of_groups(groups.clone()).await?, holdings(reader, reads, &people).await?)
    };
    for grant in of_groups {
        // One of an earlier life of the group ends first.
        if grant.provenance == Provenance::Birthright || grant.incarnation != snapshot.incarnation(&grant.group) {
            held.entry(grant.group).or_default().insert(grant.person);
        }
    }
    let (now, about) = (ledger.now(), Arc::clone(snapshot));
    let due = tokio::task::spawn_blocking(move || due(&about, &people, &groups, &held, &holdings, now)).await;
    let due = due.map_err(|e| StoreError(format!("looking for birthrights was interrupted: {e}")))?;
    let mut begun = 0;
    for some in due.chunks(AT_ONCE) {
        let commands = some.iter().map(|(person, group)| ledger.act("birthright", Command::Birthright { person: person.clone(), group: group.clone() }));
        for reply in join_all(commands).await {
            match reply.map_err(|e| StoreError(e.to_string()))?.answer {
                Ok(answer) => begun += u64::from(matches!(answer, Answer::Grant { .. })),
                // Left or changed meanwhile: the next pass looks again.
                Err(refusal) => tracing::debug!(%refusal, "a birthright was not begun"),
            }
        }
    }
    if begun > 0 {
        tracing::info!(begun, "birthrights were begun");
    }
    Ok(begun)
}

/// What of people's holdings the policy reads; the ledger sees all of them.
async fn holdings(reader: &Reader, reads: &HoldingsRead, people: &[PersonId]) -> Result<Holdings, StoreError> {
    let mut found = Holdings::new();
    let mut take = |grants: Vec<Grant>| {
        for grant in grants {
            found.entry(grant.person).or_default().insert(grant.group);
        }
    };
    if reads.all {
        for some in people.chunks(PEOPLE_AT_ONCE) {
            take(reader.live_grants_of_people(some.to_vec()).await?.into_iter().map(|l| l.grant).collect());
        }
    } else if !reads.groups.is_empty() {
        take(reader.live_grants_of_groups(reads.groups.clone()).await?);
    }
    Ok(found)
}

/// Who should hold what by a rule that says `always`, and does not.
fn due(
    snapshot: &Snapshot,
    people: &[PersonId],
    groups: &BTreeSet<GroupId>,
    held: &BTreeMap<GroupId, BTreeSet<PersonId>>,
    holdings: &Holdings,
    now: Time,
) -> Vec<(PersonId, GroupId)> {
    let mut due = Vec::new();
    for group in groups.iter().filter_map(|g| snapshot.policy.set().group(g.as_str())) {
        for person in people.iter().filter(|p| !held.get(&group.id).is_some_and(|h| h.contains(*p))) {
            let mut holds = holdings.get(person).cloned().unwrap_or_default();
            holds.remove(&group.id);
            let always = group.rules.iter().filter(|r| r.then == crate::domain::group::Then::Always);
            let meant = always.flat_map(|r| &r.who).any(|who| is_in(who, person, &snapshot.directory, &holds));
            let Some(subject) = snapshot.directory.subject(person.as_str()).filter(|_| meant) else { continue };
            if snapshot.policy.birthright(subject, &group.id, now, &holds).effect == Effect::Grant {
                due.push((person.clone(), group.id.clone()));
            }
        }
    }
    due
}
