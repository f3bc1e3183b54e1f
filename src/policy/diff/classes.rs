//! People who agree in everything that is read form a class; one of them stands for all.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::reads::Reads;
use crate::domain::{
    id::{GroupId, PersonId},
    person::{Person, Subject},
};

/// What people hold, by person.
pub type Holdings = BTreeMap<PersonId, BTreeSet<GroupId>>;

/// One thing that is read of a person.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Feature {
    /// Who they are.
    Person,
    /// Whether they are this person.
    Is(String),
    /// The value of an attribute.
    Attribute(String),
    /// Whether they are in a team.
    Team(String),
    /// Whether they hold a group.
    Holds(String),
    /// All they hold.
    Holdings,
}

/// The features that a text reads.
pub(super) fn features(reads: &Reads, into: &mut BTreeSet<Feature>) {
    if reads.person {
        into.insert(Feature::Person);
    }
    into.extend(reads.attributes.iter().cloned().map(Feature::Attribute));
    into.extend(reads.teams.iter().cloned().map(Feature::Team));
    into.extend(reads.held.iter().cloned().map(Feature::Holds));
    if reads.holdings {
        into.insert(Feature::Holdings);
    }
}

/// A feature of everyone: equal numbers, equal values.
pub(super) struct Column {
    codes: Vec<u32>,
    count: u32,
}

/// The columns of all features that are read.
pub(super) struct Columns(BTreeMap<Feature, Column>);

impl Columns {
    pub fn new(features: &BTreeSet<Feature>, people: &[Subject<'_>], holdings: &Holdings) -> Self {
        Self(features.iter().map(|f| (f.clone(), column(f, people, holdings))).collect())
    }

    /// Splits people into classes by some features.
    pub fn split(&self, people: &[u32], features: &BTreeSet<Feature>) -> Vec<Vec<u32>> {
        let mut classes = vec![people.to_vec()];
        let mut batch: Vec<&Column> = Vec::new();
        let mut size: u128 = 1;
        for column in features.iter().filter_map(|f| self.0.get(f)) {
            let count = u128::from(column.count.max(1));
            match size.checked_mul(count) {
                Some(product) => size = product,
                None => {
                    classes = classes.iter().flat_map(|class| split(class, &batch)).collect();
                    batch.clear();
                    size = count;
                }
            }
            batch.push(column);
        }
        classes.iter().flat_map(|class| split(class, &batch)).collect()
    }
}

/// The numbers of all columns of a person make one number, exactly: each column has its own place in it.
fn split(people: &[u32], columns: &[&Column]) -> Vec<Vec<u32>> {
    let mut number: HashMap<u128, usize> = HashMap::new();
    let mut classes: Vec<Vec<u32>> = Vec::new();
    for person in people {
        let at = usize::try_from(*person).unwrap_or(usize::MAX);
        let key = columns.iter().fold(0_u128, |key, column| {
            let code = column.codes.get(at).copied().unwrap_or_default();
            key.wrapping_mul(u128::from(column.count.max(1))).wrapping_add(u128::from(code))
        });
        let next = classes.len();
        let class = *number.entry(key).or_insert(next);
        if class == next {
            classes.push(Vec::new());
        }
        if let Some(class) = classes.get_mut(class) {
            class.push(*person);
        }
    }
    classes
}

fn column(feature: &Feature, people: &[Subject<'_>], holdings: &Holdings) -> Column {
    let mut seen: HashMap<String, u32> = HashMap::new();
    let mut number = |value: String| {
        let next = u32::try_from(seen.len()).unwrap_or(u32::MAX);
        *seen.entry(value).or_insert(next)
    };
    let holds = |s: &Subject<'_>, group: &str| holdings.get(&s.person.id).is_some_and(|h| h.contains(group));
    let codes: Vec<u32> = match feature {
        Feature::Team(team) => people.iter().map(|s| u32::from(s.teams.contains(team.as_str()))).collect(),
        Feature::Is(id) => people.iter().map(|s| u32::from(s.person.id.as_str() == id)).collect(),
        Feature::Holds(group) => people.iter().map(|s| u32::from(holds(s, group))).collect(),
        Feature::Person => people.iter().map(|s| number(s.person.id.to_string())).collect(),
        Feature::Holdings => people.iter().map(|s| number(format!("{:?}", holdings.get(&s.person.id)))).collect(),
        Feature::Attribute(name) if name == "teams" => people.iter().map(|s| number(format!("{:?}", s.teams))).collect(),
        Feature::Attribute(name) => people.iter().map(|s| number(value(s.person, name))).collect(),
    };
    let count = codes.iter().max().map_or(1, |most| most.saturating_add(1));
    Column { codes, count }
}

fn value(person: &Person, name: &str) -> String {
    let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
    match name {
        "team" => text(person.team.as_ref().map(|t| t.as_str())),
        "employment" => text(person.employment.as_deref()),
        "location" => text(person.location.as_deref()),
        "title" => text(person.title.as_deref()),
        "manager" => text(person.manager.as_ref().map(|m| m.as_str())),
        // `has` tells a missing attribute from an empty one, so both must differ here.
        declared => format!("{:?}", person.attributes.get(declared)),
    }
}
