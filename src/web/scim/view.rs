//! What one client sees of one snapshot: users and groups alike are found here, and shown whole or in the parts that somebody
//! reads. A list looks at everybody, so it reads of each no more than its filter and its order want.

use std::{cell::OnceCell, collections::{BTreeMap, BTreeSet}};

use actix_web::{HttpRequest, HttpResponse, http::StatusCode};
use scim_v2::filter::{AttrPath, Filter};

use super::{
    Client, Object, Preconditions, answered,
    error::ScimError,
    filter,
    groups::{self, Members},
    person,
    schema::{self, ResourceType},
    select::Wanted,
};
use crate::{
    directory::{Directory, records::Handle},
    domain::{
        id::PersonId,
        record::{PersonRecord, TeamRecord},
    },
};

/// Where resources of one kind are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endpoint {
    /// People.
    Users,
    /// Teams.
    Groups,
}

/// What stands behind a resource.
#[derive(Debug, Clone, Copy)]
pub enum Found<'d> {
    /// A person.
    User(&'d PersonRecord),
    /// A team.
    Group(&'d TeamRecord),
}

impl Found<'_> {
    /// Where it is.
    pub fn endpoint(&self) -> Endpoint {
        match self {
            Self::User(_) => Endpoint::Users,
            Self::Group(_) => Endpoint::Groups,
        }
    }
}

/// The members of a resource that somebody reads.
#[derive(Debug, Clone, Default)]
pub struct Reads {
    everything: bool,
    /// By member, the parts that are read; none when it is read whole.
    names: BTreeMap<String, Option<BTreeSet<String>>>,
    /// Whether any of it is what the client gave.
    given: bool,
}

/// What follows from the record instead of standing in what the client gave.
const MADE: [&str; 3] = ["id", "meta", "groups"];

impl Reads {
    /// The whole resource.
    pub fn everything() -> Self {
        Self { everything: true, given: true, ..Self::default() }
    }

    /// What a path leads to as well. The schemas follow from which extensions are there.
    pub fn add(&mut self, path: &AttrPath, kind: &ResourceType) {
        if let Some(place) = kind.place(path.uri.as_deref(), &path.name, None) {
            if place.top() == "schemas" {
                self.names.extend(kind.extensions.iter().map(|e| (e.id.to_owned(), None)));
            }
            self.given |= !MADE.contains(&place.top());
            let parts = self.names.entry(place.top().to_owned()).or_insert_with(|| Some(BTreeSet::new()));
            match (place.attribute.parts().is_empty(), &path.sub_attr) {
                (false, Some(part)) => drop(parts.as_mut().map(|p| p.insert(part.to_lowercase()))),
                _ => *parts = None,
            }
        }
    }

    /// Whether somebody reads anything that the client gave.
    pub fn wants_given(&self) -> bool {
        self.everything || self.given
    }

    /// Whether somebody reads a part of a member.
    pub fn wants_part(&self, name: &str, part: &str) -> bool {
        let read = |parts: &Option<BTreeSet<String>>| parts.as_ref().is_none_or(|parts| parts.iter().any(|p| p.eq_ignore_ascii_case(part)));
        self.everything || self.names.get(name).is_some_and(read)
    }

    /// Whether somebody reads it.
    pub fn wants(&self, name: &str) -> bool {
        self.everything || self.names.contains_key(name)
    }
}

/// Users and groups of a source, in one snapshot.
pub struct View<'d> {
    pub client: &'d Client,
    pub directory: &'d Directory,
    users: ResourceType,
    groups: ResourceType,
    /// Gathered by one look at everybody, when groups are shown.
    members: OnceCell<Members<'d>>,
}

impl<'d> View<'d> {
    /// Of the snapshot that holds the directory.
    pub fn new(client: &'d Client, directory: &'d Directory) -> Self {
        Self { client, directory, users: client.users(), groups: schema::groups(), members: OnceCell::new() }
    }

    /// The same with the members of one group alone, for a request that is about one.
    fn of_group(client: &'d Client, directory: &'d Directory, id: &str) -> Self {
        let view = Self::new(client, directory);
        let _ = view.members.set(Members::of_one(client, directory, id));
        view
    }

    /// What resources of an endpoint are made of.
    pub fn kind(&self, endpoint: Endpoint) -> &ResourceType {
        match endpoint {
            Endpoint::Users => &self.users,
            Endpoint::Groups => &self.groups,
        }
    }

    /// A resource, as far as it is read.
    pub fn resource(&self, found: Found<'d>, reads: &Reads) -> Object {
        match found {
            Found::User(record) => person::shown(self.client, self.directory, record, reads),
            Found::Group(record) => {
                let members = || self.members.get_or_init(|| Members::of_all(self.client, self.directory));
                groups::shown(self.client, record, members, reads)
            }
        }
    }

    /// All that a filter means, in the order of their ids.
    pub fn found(&self, endpoint: Endpoint, filter: Option<&Filter>) -> Vec<Found<'d>> {
        let Some(filter) = filter else { return self.all(endpoint) };
        if let Some(found) = self.looked_up(endpoint, filter) {
            return found.into_iter().collect();
        }
        let kind = self.kind(endpoint);
        let mut reads = Reads::default();
        filter::reads(filter, kind, &mut reads);
        let mut all = self.all(endpoint);
        all.retain(|found| filter::holds(filter, &self.resource(*found, &reads), kind));
        all
    }

    fn all(&self, endpoint: Endpoint) -> Vec<Found<'d>> {
        let (records, source) = (self.directory.records(), &self.client.source);
        match endpoint {
            Endpoint::Users => records.people_of(source).map(Found::User).collect(),
            Endpoint::Groups => records.teams_of(source).map(Found::Group).collect(),
        }
    }

    /// What a filter means that demands one id or name and nothing else: looked up instead of searched.
    fn looked_up(&self, endpoint: Endpoint, filter: &Filter) -> Option<Option<Found<'d>>> {
        if let Some(id) = filter::only_equal(filter, "id") {
            return Some(self.one(endpoint, id).ok());
        }
        [Handle::UserName, Handle::ExternalId].into_iter().filter(|_| endpoint == Endpoint::Users).find_map(|handle| {
            let text = filter::only_equal(filter, handle.attribute())?;
            let id = self.directory.records().by_handle(&self.client.source, handle, text).map(PersonId::as_str);
            Some(id.and_then(|id| self.one(endpoint, id).ok()))
        })
    }

    /// One that is there.
    pub fn one(&self, endpoint: Endpoint, id: &str) -> Result<Found<'d>, ScimError> {
        match endpoint {
            Endpoint::Users => self.client.person(self.directory, id).map(Found::User),
            Endpoint::Groups => self.client.team(self.directory, id).map(Found::Group),
        }
    }
}

/// One resource, whole.
pub fn whole(client: &Client, directory: &Directory, endpoint: Endpoint, id: &str) -> Result<Object, ScimError> {
    let view = match endpoint {
        Endpoint::Users => View::new(client, directory),
        Endpoint::Groups => View::of_group(client, directory, id),
    };
    Ok(view.resource(view.one(endpoint, id)?, &Reads::everything()))
}

/// One resource as an answer.
pub fn answer(client: &Client, status: StatusCode, request: &HttpRequest, wanted: &Wanted, endpoint: Endpoint, id: &str) -> Result<HttpResponse, ScimError> {
    let resource = whole(client, &client.snapshot().directory, endpoint, id)?;
    let kind = match endpoint {
        Endpoint::Users => client.users(),
        Endpoint::Groups => schema::groups(),
    };
    Ok(answered(status, &Preconditions::of(request), resource, wanted, &kind))
}
