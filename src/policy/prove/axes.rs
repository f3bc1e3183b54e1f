//! One value for each way of answering what was read: the product of these lists stands for everybody.

use std::collections::BTreeSet;

use super::atoms::{Atoms, Reading};
use crate::domain::{
    duration::Duration,
    group::{AttributeType, AttributeTypes},
    id::{GroupId, PersonId, TeamId},
};

/// The most combinations that are tried.
pub(super) const LIMIT: u64 = 2_000_000;

/// A value that an attribute may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fact {
    /// The directory does not say.
    Absent,
    /// The directory says something of another type than `attributes.toml` declares.
    Mistyped,
    Bool(bool),
    Long(i64),
    Text(String),
    Set(BTreeSet<String>),
}

/// An attribute with the values to try.
#[derive(Debug, Clone)]
pub(super) struct Axis {
    pub variable: String,
    pub name: String,
    pub facts: Vec<Fact>,
}

/// The name of the axis that stands for `duration_hours` and `duration_minutes`, in seconds.
pub(super) const DURATION: &str = "duration";

/// Words that no policy names: one stands for every other group, one for every other word of any kind. They differ, since a
/// held group is never the one asked for.
pub(super) struct Fresh {
    pub group: String,
    pub word: String,
}

impl Fresh {
    /// Words that are no part of any of these.
    pub fn beside(named: &BTreeSet<String>) -> Self {
        let beside = |stem: &str| {
            let mut word = stem.to_owned();
            while named.iter().any(|n| n.contains(&word)) {
                word.push('x');
            }
            word
        };
        Self { group: beside("any-group"), word: beside("another") }
    }
}

/// The lists for what was read, resource first and context last. `more_durations` are seconds up to which a rule gives.
///
/// # Errors
/// An attribute that nothing is known about, or the number of combinations when it passes [`LIMIT`].
pub(super) fn axes(atoms: &Atoms, types: &AttributeTypes, more_durations: &[u32], fresh: &Fresh) -> Result<Vec<Axis>, String> {
    let mut axes = Vec::new();
    let mut seconds: BTreeSet<i64> = more_durations.iter().map(|s| i64::from(*s)).collect();
    let mut combinations: u64 = 1;
    for ((variable, name), reading) in atoms.iter().rev() {
        let step = match (variable.as_str(), name.as_str()) {
            ("context", "duration_hours") => 3600,
            ("context", "duration_minutes") => 60,
            _ => 0,
        };
        if step > 0 {
            let around = reading.numbers.iter().flat_map(|n| [n.saturating_sub(1), *n]);
            seconds.extend(around.filter_map(|n| n.checked_mul(step)));
            continue;
        }
        let members = reading.texts.len() + usize::from(reading.others_matter);
        if members > 20 {
            return Err(format!("`{variable}.{name}` is compared with {members} words, which makes more than {LIMIT} combinations"));
        }
        let facts = facts(variable, name, reading, types, fresh).ok_or_else(|| format!("`{variable}.{name}` is outside what is enumerated"))?;
        combinations = combinations.saturating_mul(facts.len() as u64);
        axes.push(Axis { variable: variable.clone(), name: name.clone(), facts });
    }
    // What depends on the duration changes only after one of these seconds, so the last second of each span stands for it.
    let range = 60..=i64::from(Duration::MAX.as_seconds());
    seconds.insert(*range.end());
    let lengths: Vec<Fact> = seconds.into_iter().filter(|s| range.contains(s)).map(Fact::Long).collect();
    combinations = combinations.saturating_mul(lengths.len() as u64);
    axes.push(Axis { variable: "context".to_owned(), name: DURATION.to_owned(), facts: lengths });
    if combinations > LIMIT {
        return Err(format!("there are {combinations} combinations to try, and at most {LIMIT} are tried"));
    }
    Ok(axes)
}

fn facts(variable: &str, name: &str, reading: &Reading, types: &AttributeTypes, fresh: &Fresh) -> Option<Vec<Fact>> {
    let words = |allowed: &dyn Fn(&str) -> bool| reading.texts.iter().filter(|t| allowed(t)).cloned().collect::<Vec<String>>();
    let with = |another: &str, mut words: Vec<String>| {
        words.insert(0, another.to_owned());
        words.into_iter().map(Fact::Text).collect::<Vec<Fact>>()
    };
    Some(match (variable, name) {
        ("principal", "id") => with(&fresh.word, words(&|t| PersonId::parse(t).is_ok())),
        ("principal", "team") => text_or_none(with(&fresh.word, words(&|t| TeamId::parse(t).is_ok()))),
        ("principal", "manager") => text_or_none(with(&fresh.word, words(&|t| PersonId::parse(t).is_ok()))),
        ("principal", "employment" | "location" | "title") => text_or_none(with(&fresh.word, words(&|t| !t.is_empty()))),
        ("principal", "teams") => subsets(&words(&|t| TeamId::parse(t).is_ok()), reading, &fresh.word),
        ("principal", _) => declared(types.get(name)?, reading, &fresh.word),
        ("resource", "id") => with(&fresh.group, words(&|t| GroupId::parse(t).is_ok())),
        ("resource", "sensitivity") => ["internal", "public", "confidential", "restricted"].map(|s| Fact::Text(s.to_owned())).into(),
        ("resource", "tags") => subsets(&words(&|_| true), reading, &fresh.word),
        ("resource", "owner") => subsets(&words(&|t| t.parse::<crate::domain::group::Who>().is_ok()), reading, &fresh.word),
        ("context", "holds") => subsets(&words(&|t| GroupId::parse(t).is_ok()), reading, &fresh.word),
        ("context", "has_justification" | "break_glass") => vec![Fact::Bool(false), Fact::Bool(true)],
        ("context", "hour") => steps(reading, &[12]).into_iter().filter(|n| (0..24).contains(n)).map(Fact::Long).collect(),
        ("context", "weekday") => steps(reading, &[3]).into_iter().filter(|n| (1..8).contains(n)).map(Fact::Long).collect(),
        _ => return None,
    })
}

fn declared(kind: &AttributeType, reading: &Reading, another: &str) -> Vec<Fact> {
    let mut facts: Vec<Fact> = match kind {
        AttributeType::Bool => vec![Fact::Bool(true), Fact::Bool(false)],
        AttributeType::Long => steps(reading, if reading.numbers.is_empty() { &[0] } else { &[] }).into_iter().map(Fact::Long).collect(),
        AttributeType::String => reading.texts.iter().cloned().chain([another.to_owned()]).map(Fact::Text).collect(),
        AttributeType::Set => subsets(&reading.texts.iter().cloned().collect::<Vec<_>>(), reading, another),
    };
    facts.extend([Fact::Absent, Fact::Mistyped]);
    facts
}

fn text_or_none(mut facts: Vec<Fact>) -> Vec<Fact> {
    facts.push(Fact::Absent);
    facts
}

/// Each number with its neighbours: between two of them nothing changes.
fn steps(reading: &Reading, more: &[i64]) -> BTreeSet<i64> {
    reading.numbers.iter().flat_map(|n| [n.saturating_sub(1), *n, n.saturating_add(1)]).chain(more.iter().copied()).collect()
}

/// Every choice of members, the smallest first.
fn subsets(words: &[String], reading: &Reading, another: &str) -> Vec<Fact> {
    let mut words = words.to_vec();
    if reading.others_matter {
        words.push(another.to_owned());
    }
    (0..1_u32 << words.len().min(20))
        .map(|mask| Fact::Set(words.iter().enumerate().filter(|(n, _)| mask >> n & 1 == 1).map(|(_, w)| w.clone()).collect()))
        .collect()
}
