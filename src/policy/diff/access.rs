//! A diff as the event of a load tells it: how many people of each kind, and who they are in each group.

use std::collections::BTreeSet;

use super::{Diff, GroupDiff, Outcome, Steps};
use crate::domain::access_change::{AccessChange, GroupAccess, Named};

/// Groups whose people are named.
const MOST_GROUPS: usize = 100;

/// Which kinds a move from one step function to another is of: newly at once, newly by approval, no longer at once, lost.
fn kinds(before: &Steps, after: &Steps) -> [bool; 4] {
    let mut found = [false; 4];
    for point in before.steps().iter().chain(after.steps()).map(|s| s.up_to) {
        let kind = match (before.at(point), after.at(point)) {
            (Outcome::Unable | Outcome::Approval(_), Outcome::Instant | Outcome::Held) => 0,
            (Outcome::Unable, Outcome::Approval(_)) => 1,
            (Outcome::Instant | Outcome::Held, Outcome::Approval(_)) => 2,
            (Outcome::Approval(_) | Outcome::Instant | Outcome::Held, Outcome::Unable) => 3,
            _ => continue,
        };
        if let Some(slot) = found.get_mut(kind) {
            *slot = true;
        }
    }
    found
}

fn of_group(group: &GroupDiff) -> [BTreeSet<u32>; 4] {
    let mut people: [BTreeSet<u32>; 4] = Default::default();
    for m in &group.moves {
        for (set, is) in people.iter_mut().zip(kinds(&m.before, &m.after)) {
            if is {
                set.extend(&m.people);
            }
        }
    }
    people
}

/// Counts and names. Those who ask other people than before, and no others, have neither gained nor lost.
pub fn access(diff: &Diff) -> (AccessChange, Vec<GroupAccess>) {
    let mut all: [BTreeSet<u32>; 4] = Default::default();
    let mut groups = Vec::new();
    for group in &diff.groups {
        let people = of_group(group);
        if people.iter().all(BTreeSet::is_empty) {
            continue;
        }
        for (all, own) in all.iter_mut().zip(&people) {
            all.extend(own);
        }
        let [newly_instant, newly_by_approval, no_longer_instant, lost] = people.map(|set| Named {
            count: count(set.len()),
            names: set.iter().take(Named::MOST).filter_map(|p| diff.person(*p)).map(|p| p.name.clone()).collect(),
        });
        if groups.len() < MOST_GROUPS {
            groups.push(GroupAccess { group: group.id.clone(), newly_instant, newly_by_approval, no_longer_instant, lost });
        }
    }
    let [newly_instant, newly_by_approval, no_longer_instant, lost] = all.map(|set| count(set.len()));
    (AccessChange { newly_instant, newly_by_approval, no_longer_instant, lost }, groups)
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
