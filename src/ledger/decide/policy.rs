//! A policy set comes into force: groups begin and end lives, requests for vanished groups are denied, and what groups
//! carry at target systems is brought up to date, all in the load's own transaction (semantics.md, 12, 21, 28).

use std::collections::{BTreeMap, BTreeSet};

use super::{Decided, Intents, Recorder, World, hold_first};
use crate::policy::PolicySet;
use crate::domain::{
    access_change::Compared,
    commit::Commit,
    delivery::DeliveryAction,
    event::{Change, Personal},
    grant::Grant,
    group::Entitlement,
    id::{GrantId, GroupId, IdSource, PersonId, PolicyRevision},
    refusal::Refusal,
    request::{Request, RequestStatus},
    standing::Departure,
};

/// `world.snapshot.policy` is the set in force; `world.snapshot.next` the one that comes.
pub(super) fn load(
    world: &World<'_>,
    revision: &PolicyRevision,
    parent: Option<&PolicyRevision>,
    (source, commit, access): (&str, Option<&Commit>, Option<&Compared>),
    mut recorder: Recorder<'_>,
    ids: &mut dyn IdSource,
) -> Result<Decided, Refusal> {
    let stale = || Refusal::Stale { what: "the policy in force".to_owned() };
    let next = world.snapshot.next.as_ref().filter(|n| n.revision() == revision).ok_or_else(stale)?;
    if parent != world.snapshot.in_force.as_ref() {
        return Err(stale());
    }
    // The same set is loaded again only to record which commit it is: where a repository is followed from now on.
    if parent == Some(revision) && commit.is_none() {
        return Ok(recorder.done());
    }
    let living: BTreeSet<&GroupId> = world.snapshot.lives.iter().filter(|(_, life)| life.live).map(|(id, _)| id).collect();
    let groups_added: Vec<GroupId> = next.groups().keys().filter(|g| !living.contains(g)).cloned().collect();
    let groups_removed: Vec<GroupId> = living.iter().filter(|g| next.group(g.as_str()).is_none()).map(|g| (*g).clone()).collect();
    let departures = groups_removed
        .iter()
        .map(|id| {
            let last = world.snapshot.policy.set().group(id.as_str());
            (id.clone(), last.map_or_else(Departure::default, |g| Departure { on_change: g.on_change, grace: g.grace }))
        })
        .collect();
    let born = recorder.seq();
    let began: BTreeSet<GroupId> = groups_added.iter().cloned().collect();
    let told = format!("{} groups, {} new, {} gone{}", next.groups().len(), groups_added.len(), groups_removed.len(), who_gains(access));
    let (access, named) = access.and_then(|told| told.as_ref().ok()).map_or((None, Vec::new()), |(count, named)| (Some(*count), named.clone()));
    recorder.record(
        Change::PolicyLoaded {
            revision: revision.clone(),
            parent: parent.cloned(),
            source: source.to_owned(),
            groups_added,
            groups_removed: groups_removed.clone(),
            departures,
            commit: commit.map(|c| c.id.clone()),
            access,
        },
        Personal { reason: Some(told), commit: commit.map(|c| Box::new(c.clone())), access: named, ..Personal::default() },
    );
    for request in world.state.all_pending().into_iter().filter(|r| groups_removed.contains(&r.group)) {
        let denied =
            Request { status: RequestStatus::Denied, decided_at: Some(world.now), decided_seq: Some(recorder.seq()), ..request.clone() };
        recorder.record(
            Change::RequestDenied { request: denied, decided_revision: revision.clone(), cooldown_until: None },
            Personal { reason: Some("the group is gone from the policy".to_owned()), ..Personal::default() },
        );
    }
    let changed: BTreeMap<&GroupId, &[Entitlement]> = next
        .groups()
        .iter()
        .filter(|(id, group)| world.snapshot.policy.set().group(id.as_str()).is_some_and(|old| old.entitlements != group.entitlements))
        .map(|(id, group)| (id, group.entitlements.as_slice()))
        .collect();
    bring_up_to_date(world, &changed, &mut recorder, ids);
    let incarnation = |group: &GroupId| if began.contains(group) { born } else { world.snapshot.incarnation(group) };
    carry_over(world, next, (&changed, &incarnation), &mut recorder, ids);
    Ok(recorder.done())
}

/// "; 3 people newly at once", or why that is not known. Names are elsewhere in the personal text.
fn who_gains(access: Option<&Compared>) -> String {
    match access {
        None => String::new(),
        Some(Ok((count, _))) => format!("; {}", count.in_words()),
        Some(Err(why)) => format!("; who gains and loses is not known: {why}"),
    }
}

/// Grants of a group that has another id now go on under it (`formerly`). Whoever holds both keeps both: the old one is of a
/// group that is gone.
fn carry_over(
    world: &World<'_>,
    next: &PolicySet,
    (changed, incarnation): (&BTreeMap<&GroupId, &[Entitlement]>, &dyn Fn(&GroupId) -> i64),
    recorder: &mut Recorder<'_>,
    ids: &mut dyn IdSource,
) {
    let mut moved: BTreeSet<(PersonId, GroupId)> = BTreeSet::new();
    // What each person's grants bring, as far as this load has changed it already.
    let mut carried: BTreeMap<&PersonId, BTreeMap<GrantId, Vec<Entitlement>>> = BTreeMap::new();
    for group in next.groups().values() {
        for old in group.formerly.iter().filter(|old| next.group(old.as_str()).is_none()) {
            let mut grants: Vec<&Grant> = world.state.holders(old).collect();
            grants.sort_by_key(|g| g.granted_seq);
            for grant in grants {
                let key = (grant.person.clone(), group.id.clone());
                if world.state.live_grant(&grant.person, &group.id).is_some() || !moved.insert(key) {
                    continue;
                }
                let brings = |g: &Grant| changed.get(&g.group).map_or_else(|| g.entitlements.clone(), |e| e.to_vec());
                let of_person = carried.entry(&grant.person).or_insert_with(|| world.state.live_grants(&grant.person).map(|g| (g.id, brings(g))).collect());
                of_person.insert(grant.id, Vec::new());
                let others: BTreeSet<&Entitlement> = of_person.values().flatten().collect();
                let gone = missing(&grant.entitlements, &group.entitlements, &others);
                let come = missing(&group.entitlements, &grant.entitlements, &others);
                of_person.insert(grant.id, group.entitlements.clone());
                let intents = Intents { world, grant: grant.id, person: &grant.person, request: grant.request, seq: recorder.seq(), urgent: false };
                let mut deliveries = intents.queue(DeliveryAction::Remove, &gone, ids);
                deliveries.extend(intents.queue(DeliveryAction::Add, &come, ids));
                hold_first(world, grant, &mut deliveries);
                let carried = Grant { group: group.id.clone(), incarnation: incarnation(&group.id), entitlements: group.entitlements.clone(), ..grant.clone() };
                let told = format!("the group {old} is called {} now", group.id);
                recorder.record(
                    Change::GrantMoved { grant: carried, from: old.clone(), deliveries },
                    Personal { reason: Some(told), ..Personal::default() },
                );
            }
        }
    }
}

/// What of some entitlements is neither in others nor brought by other grants.
fn missing(of: &[Entitlement], in_these: &[Entitlement], others: &BTreeSet<&Entitlement>) -> Vec<Entitlement> {
    of.iter().filter(|e| !in_these.contains(e) && !others.contains(e)).cloned().collect()
}

/// For each person, what their live grants will bring altogether, less what they brought, and the reverse.
fn bring_up_to_date(
    world: &World<'_>,
    changed: &BTreeMap<&GroupId, &[Entitlement]>,
    recorder: &mut Recorder<'_>,
    ids: &mut dyn IdSource,
) {
    let mut touched: BTreeMap<&PersonId, Vec<&Grant>> = BTreeMap::new();
    for group in changed.keys() {
        for grant in world.state.holders(group) {
            touched.entry(&grant.person).or_default().push(grant);
        }
    }
    for (person, grants) in touched {
        // Grants that were not touched keep what they carry; the touched ones change one after another.
        let mut carried: BTreeMap<GrantId, BTreeSet<Entitlement>> =
            world.state.live_grants(person).map(|g| (g.id, g.entitlements.iter().cloned().collect())).collect();
        for grant in grants {
            let new = changed.get(&grant.group).copied().unwrap_or_default();
            let others: BTreeSet<Entitlement> =
                carried.iter().filter(|(id, _)| **id != grant.id).flat_map(|(_, e)| e.iter().cloned()).collect();
            let before: BTreeSet<Entitlement> = grant.entitlements.iter().cloned().collect();
            let after: BTreeSet<Entitlement> = new.iter().cloned().collect();
            let gone: Vec<Entitlement> = before.difference(&after).filter(|e| !others.contains(e)).cloned().collect();
            let come: Vec<Entitlement> = after.difference(&before).filter(|e| !others.contains(e)).cloned().collect();
            let intents = Intents { world, grant: grant.id, person, request: grant.request, seq: recorder.seq(), urgent: false };
            let mut deliveries = intents.queue(DeliveryAction::Remove, &gone, ids);
            deliveries.extend(intents.queue(DeliveryAction::Add, &come, ids));
            hold_first(world, grant, &mut deliveries);
            carried.insert(grant.id, after);
            recorder.record(
                Change::DeliveryQueued {
                    group: grant.group.clone(),
                    person: person.clone(),
                    grant: grant.id,
                    entitlements: new.to_vec(),
                    deliveries,
                },
                Personal { reason: Some("the group carries other entitlements by the new policy".to_owned()), ..Personal::default() },
            );
        }
    }
}
