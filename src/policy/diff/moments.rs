//! At which instants, and with which holdings, a group is looked at: now as everything is, then whatever else its rules and
//! guardrails could tell apart.

use std::collections::BTreeSet;

use super::{Inputs, compare::Pair, reads::Reads};
use crate::domain::{duration::Duration, id::GroupId, time::Time};

/// Up to so many groups every combination of them is tried; beyond, none, each alone, and all.
const COMBINED: usize = 4;
const HOURS_OF_A_WEEK: u32 = 168;

/// An instant, and holdings other than the real ones: the groups that matter, and those of them that are held.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Moment {
    pub at: Time,
    pub holds: Option<(BTreeSet<GroupId>, BTreeSet<GroupId>)>,
}

/// Every moment that matters for a group; the first is now, with the real holdings.
pub(super) fn all(inputs: &Inputs<'_>, pair: Pair<'_>, reads: &Reads) -> Vec<Moment> {
    let times = times(inputs, reads);
    let itself: Vec<&GroupId> = pair.before.into_iter().chain(pair.after).map(|g| &g.id).collect();
    // A conflict reads what is held as a condition does.
    let conflicts = inputs.before.conflicts().iter().chain(inputs.after.conflicts()).filter(|c| c.groups.iter().any(|g| itself.contains(&g)));
    let apart = conflicts.flat_map(|c| c.groups.iter().cloned());
    let read = reads.held.iter().filter_map(|g| GroupId::parse(g).ok());
    let named: BTreeSet<GroupId> = read.chain(apart).filter(|g| !itself.contains(&g)).collect();
    let mut moments: Vec<Moment> = times.iter().map(|at| Moment { at: *at, holds: None }).collect();
    if !named.is_empty() {
        let combinations = combinations(&named);
        for at in &times {
            moments.extend(combinations.iter().map(|held| Moment { at: *at, holds: Some((named.clone(), held.clone())) }));
        }
    }
    moments
}

fn combinations(named: &BTreeSet<GroupId>) -> Vec<BTreeSet<GroupId>> {
    if named.len() > COMBINED {
        let mut found = vec![BTreeSet::new(), named.clone()];
        found.extend(named.iter().map(|g| BTreeSet::from([g.clone()])));
        return found;
    }
    named.iter().fold(vec![BTreeSet::new()], |sets, group| {
        let with = sets.iter().cloned().map(|mut set| {
            set.insert(group.clone());
            set
        });
        let with: Vec<_> = with.collect();
        sets.into_iter().chain(with).collect()
    })
}

/// Now, and one instant of the coming week for every hour and weekday that a written number can tell apart.
fn times(inputs: &Inputs<'_>, reads: &Reads) -> Vec<Time> {
    let mut times = vec![inputs.at];
    if reads.now {
        for instant in reads.literals.iter().filter_map(|text| instant(text)) {
            times.extend([-1000, 0, 1000].map(|by| Time::from_micros(instant.micros().saturating_add(by))));
        }
    }
    if !(reads.hour || reads.weekday) {
        return times;
    }
    let every = reads.calculates || inputs.before.zone != inputs.after.zone;
    let told_apart = |value: i8| every || (-1..=1).any(|by| reads.numbers.contains(&(i64::from(value) + by)));
    let (hour, weekday) = inputs.at.hour_and_weekday(&inputs.after.zone);
    let mut seen = BTreeSet::from([(if reads.hour { hour } else { 0 }, if reads.weekday { weekday } else { 0 })]);
    for later in (1..HOURS_OF_A_WEEK).filter_map(Duration::hours) {
        let at = inputs.at.plus(later);
        let (h, w) = at.hour_and_weekday(&inputs.after.zone);
        let key = (if reads.hour { h } else { 0 }, if reads.weekday { w } else { 0 });
        let wanted = (!reads.hour || h == hour || told_apart(h)) && (!reads.weekday || w == weekday || told_apart(w));
        if wanted && seen.insert(key) {
            times.push(at);
        }
    }
    times
}

/// An instant as Cedar's `datetime` is written: a date, or a date with a time and zone.
fn instant(text: &str) -> Option<Time> {
    text.parse().ok().or_else(|| format!("{text}T00:00:00Z").parse().ok())
}
