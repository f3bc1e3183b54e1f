//! Several sources say something of one person: whose word counts, field by field.
//!
//! A person is active as long as the source with authority over `status` says so: the first in the order of sources that ever
//! spoke of them. When that source deletes them, they have left, whatever another one goes on saying; only a source that an
//! admin retired has no say any more.
//!
//! Who says nothing of a field lets the next one speak. Who had a word on it and took it away has said that there is none: the
//! teams or attributes that another source told years ago do not come back by it.

use std::collections::BTreeMap;

use crate::domain::{
    person::{Person, PersonStatus, Team},
    record::{PersonRecord, SourceName, TeamRecord},
};

/// What has an order of sources of its own, where settings give it one. `teams` is the main team as well.
pub const FIELDS: [&str; 10] = ["status", "name", "email", "manager", "teams", "employment", "location", "title", "attributes", "accounts"];

/// Whose word counts before whose. A source is named whole (`scim:okta`) or by what stands before the colon (`scim`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Precedence {
    order: Vec<String>,
    of: BTreeMap<String, Vec<String>>,
}

impl Default for Precedence {
    fn default() -> Self {
        Self { order: ["scim", "catalog", "files"].map(str::to_owned).to_vec(), of: BTreeMap::new() }
    }
}

impl Precedence {
    /// The order of sources, and other orders for some fields.
    ///
    /// # Errors
    /// A sentence that names a field that has no order.
    pub fn new(order: Vec<String>, of: BTreeMap<String, Vec<String>>) -> Result<Self, String> {
        match of.keys().find(|field| !FIELDS.contains(&field.as_str())) {
            Some(field) => Err(format!("`{field}` has no order of sources; expected one of {}", FIELDS.join(", "))),
            None => Ok(Self { order, of }),
        }
    }

    fn rank<'s>(&self, field: &str, source: &'s SourceName) -> (usize, usize, &'s SourceName) {
        let place = |list: &[String]| {
            let exact = list.iter().position(|n| n == source.as_str());
            exact.or_else(|| list.iter().position(|n| n == source.family())).unwrap_or(list.len())
        };
        (self.of.get(field).map_or(0, |list| place(list)), place(&self.order), source)
    }

    /// The record whose word counts for a field: the first that says something of it, or took it away.
    pub fn origin<'r>(&self, field: &str, records: &'r [PersonRecord], says: impl Fn(&Person) -> bool) -> Option<&'r PersonRecord> {
        records.iter().filter(|r| !r.gone && (says(&r.person) || r.took_back(field))).min_by_key(|r| self.rank(field, &r.source))
    }

    /// The record that says whether the person works here.
    pub fn authority<'r>(&self, records: &'r [PersonRecord]) -> Option<&'r PersonRecord> {
        let first = |retired: bool| records.iter().filter(|r| r.retired == retired).min_by_key(|r| self.rank("status", &r.source));
        first(false).or_else(|| first(true))
    }

    /// The person that the records make together; none without a record.
    pub fn person(&self, records: &[PersonRecord]) -> Option<Person> {
        let authority = self.authority(records)?;
        let mut merged = Person::clone(&authority.person);
        let from = |field: &str, says: fn(&Person) -> bool| self.origin(field, records, says).map(|r| &r.person);
        merged.name = from("name", |p| !p.name.is_empty()).map_or_else(|| merged.id.to_string(), |p| p.name.clone());
        merged.email = from("email", |p| p.email.is_some()).and_then(|p| p.email.clone());
        merged.manager = from("manager", |p| p.manager.is_some()).and_then(|p| p.manager.clone()).filter(|m| *m != merged.id);
        let teams = from("teams", |p| p.team.is_some() || !p.teams.is_empty());
        merged.team = teams.and_then(|p| p.team.clone());
        merged.teams = teams.map(|p| p.teams.clone()).unwrap_or_default();
        merged.employment = from("employment", |p| p.employment.is_some()).and_then(|p| p.employment.clone());
        merged.location = from("location", |p| p.location.is_some()).and_then(|p| p.location.clone());
        merged.title = from("title", |p| p.title.is_some()).and_then(|p| p.title.clone());
        let mut lowest_first: Vec<&PersonRecord> = records.iter().filter(|r| !r.gone).collect();
        lowest_first.sort_by_key(|r| std::cmp::Reverse(self.rank("attributes", &r.source)));
        merged.attributes.clear();
        for record in &lowest_first {
            merged.attributes.retain(|name, _| !record.took_back(&format!("attributes.{name}")));
            merged.attributes.extend(record.person.attributes.clone());
        }
        lowest_first.sort_by_key(|r| std::cmp::Reverse(self.rank("accounts", &r.source)));
        merged.accounts.clear();
        for record in &lowest_first {
            merged.accounts.retain(|name, _| !record.took_back(&format!("accounts.{name}")));
            merged.accounts.extend(record.person.accounts.clone());
        }
        merged.status = if authority.is_active() { PersonStatus::Active } else { PersonStatus::Left };
        Some(merged)
    }

    /// Which source each field of a person comes from, for people to read; fields that nobody speaks of are left out.
    pub fn origins<'r>(&self, records: &'r [PersonRecord]) -> Vec<(&'static str, &'r PersonRecord)> {
        let says = |field: &str| -> fn(&Person) -> bool {
            match field {
                "name" => |p| !p.name.is_empty(),
                "email" => |p| p.email.is_some(),
                "manager" => |p| p.manager.is_some(),
                "teams" => |p| p.team.is_some() || !p.teams.is_empty(),
                "employment" => |p| p.employment.is_some(),
                "location" => |p| p.location.is_some(),
                "title" => |p| p.title.is_some(),
                "attributes" => |p| !p.attributes.is_empty(),
                _ => |p| !p.accounts.is_empty(),
            }
        };
        let of = |field: &'static str| match field {
            "status" => self.authority(records),
            field => self.origin(field, records, says(field)),
        };
        FIELDS.into_iter().filter_map(|field| of(field).map(|record| (field, record))).collect()
    }

    /// The team that the records make together; none when no source speaks of it any more.
    pub fn team(&self, records: &[TeamRecord]) -> Option<Team> {
        let mut highest_first: Vec<&Team> = Vec::new();
        let mut sorted: Vec<&TeamRecord> = records.iter().filter(|r| !r.gone).collect();
        sorted.sort_by_key(|r| self.rank("teams", &r.source));
        highest_first.extend(sorted.iter().map(|r| &r.team));
        let first = highest_first.first()?;
        Some(Team {
            id: first.id.clone(),
            title: highest_first.iter().find(|t| !t.title.is_empty()).map_or_else(|| first.id.to_string(), |t| t.title.clone()),
            description: highest_first.iter().find(|t| !t.description.is_empty()).map(|t| t.description.clone()).unwrap_or_default(),
            parent: highest_first.iter().find_map(|t| t.parent.clone()),
        })
    }
}
