//! Lists: filter, order, page (RFC 7644, 3.4.2), by GET and by POST `/.search`.

use std::cmp::Ordering;

use actix_web::{HttpResponse, web::Query};
use scim_v2::filter::{AttrPath, Filter, PatchPath};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Object, error::ScimError, filter,
    finished,
    patch::member as member_of,
    schema::ResourceType,
    select::Wanted,
    view::{Endpoint, Found, Reads, View},
};

/// Resources on a page, unless the caller says fewer; and at most.
pub const PAGE: usize = 100;
/// The most.
pub const MOST: usize = 500;

/// What a list request asks for.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Asked {
    filter: Option<String>,
    attributes: Option<String>,
    excluded_attributes: Option<String>,
    sort_by: Option<String>,
    sort_order: Option<String>,
    start_index: Option<String>,
    count: Option<String>,
}

impl Asked {
    /// From the query of a GET.
    pub fn query(query: Query<Self>) -> Self {
        query.into_inner()
    }

    /// From the body of a POST `/.search`.
    pub fn body(body: &Object) -> Result<Self, ScimError> {
        let text = |name: &str| match member_of(body, name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(Value::Number(n)) => Ok(Some(n.to_string())),
            Some(Value::Array(names)) if names.iter().all(Value::is_string) => Ok(Some(names.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(","))),
            Some(_) => Err(ScimError::invalid_value(format!("`{name}` is of the wrong type"))),
        };
        Ok(Self {
            filter: text("filter")?,
            attributes: text("attributes")?,
            excluded_attributes: text("excludedAttributes")?,
            sort_by: text("sortBy")?,
            sort_order: text("sortOrder")?,
            start_index: text("startIndex")?,
            count: text("count")?,
        })
    }

    /// What is to be shown of each.
    pub fn wanted(&self) -> Result<Wanted, ScimError> {
        Wanted::new(self.attributes.as_deref(), self.excluded_attributes.as_deref())
    }

    /// The filter, read.
    pub fn filter(&self, kind: &ResourceType) -> Result<Option<Filter>, ScimError> {
        self.filter.as_deref().filter(|f| !f.trim().is_empty()).map(|f| filter::parse(f, kind)).transpose()
    }

    fn order(&self, kinds: &[&ResourceType]) -> Result<Option<Order>, ScimError> {
        let Some(by) = self.sort_by.as_deref().filter(|b| !b.is_empty()) else { return Ok(None) };
        let unknown = || ScimError::new(400, Some("invalidPath"), format!("cannot sort by `{}`", by.escape_debug()));
        let Ok(PatchPath::Attr(path)) = by.parse::<PatchPath>() else { return Err(unknown()) };
        kinds.iter().find_map(|k| k.searched(path.uri.as_deref(), &path.name, path.sub_attr.as_deref())).ok_or_else(unknown)?;
        let descending = self.sort_order.as_deref().is_some_and(|o| o.eq_ignore_ascii_case("descending"));
        Ok(Some(Order { path, descending }))
    }

    fn number(name: &str, text: Option<&str>, otherwise: i64) -> Result<i64, ScimError> {
        text.filter(|t| !t.is_empty()).map_or(Ok(otherwise), |t| t.parse().map_err(|_| ScimError::invalid_value(format!("`{name}` must be a whole number"))))
    }

    /// The page of what these endpoints have.
    pub fn page(&self, view: &View<'_>, endpoints: &[Endpoint]) -> Result<HttpResponse, ScimError> {
        let wanted = self.wanted()?;
        let start = usize::try_from(Self::number("startIndex", self.start_index.as_deref(), 1)?.max(1)).unwrap_or(1);
        let most = i64::try_from(MOST).unwrap_or(i64::MAX);
        let count = usize::try_from(Self::number("count", self.count.as_deref(), i64::try_from(PAGE).unwrap_or(100))?.clamp(0, most)).unwrap_or(PAGE);
        let kinds: Vec<&ResourceType> = endpoints.iter().map(|e| view.kind(*e)).collect();
        let order = self.order(&kinds)?;
        let mut all = self.found(view, endpoints)?;
        let total = all.len();
        if let Some(order) = order {
            all = order.sorted(view, all);
        }
        let shown: Vec<Object> = all.into_iter().skip(start - 1).take(count).map(|found| finished(view.resource(found, &Reads::everything()), &wanted, view.kind(found.endpoint())).0).collect();
        Ok(HttpResponse::Ok().content_type("application/scim+json").json(json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
            "totalResults": total,
            "startIndex": start,
            "itemsPerPage": shown.len(),
            "Resources": shown,
        })))
    }

    /// All that is meant, in the usual order. Of several endpoints, those that cannot answer the filter have nothing.
    fn found<'d>(&self, view: &View<'d>, endpoints: &[Endpoint]) -> Result<Vec<Found<'d>>, ScimError> {
        let (mut all, mut refused) = (Vec::new(), Vec::new());
        for endpoint in endpoints {
            match self.filter(view.kind(*endpoint)) {
                Ok(filter) => all.extend(view.found(*endpoint, filter.as_ref())),
                Err(error) => refused.push(error),
            }
        }
        match refused.pop() {
            Some(error) if refused.len() + 1 == endpoints.len() => Err(error),
            _ => Ok(all),
        }
    }
}

/// What resources are sorted by.
struct Order {
    path: AttrPath,
    descending: bool,
}

impl Order {
    /// Sorts; what is equal stays in the usual order. Of each resource only what it is sorted by is read.
    fn sorted<'d>(&self, view: &View<'d>, all: Vec<Found<'d>>) -> Vec<Found<'d>> {
        let reads = |endpoint| {
            let mut reads = Reads::default();
            reads.add(&self.path, view.kind(endpoint));
            reads
        };
        let (of_users, of_groups) = (reads(Endpoint::Users), reads(Endpoint::Groups));
        let read = |found: Found<'d>| view.resource(found, if found.endpoint() == Endpoint::Users { &of_users } else { &of_groups });
        let mut keyed: Vec<(Option<Key>, Found<'d>)> = all.into_iter().map(|found| (key(&read(found), &self.path, view.kind(found.endpoint())), found)).collect();
        keyed.sort_by(|(a, _), (b, _)| {
            let order = compare(a.as_ref(), b.as_ref());
            if self.descending { order.reverse() } else { order }
        });
        keyed.into_iter().map(|(_, found)| found).collect()
    }
}

/// A value to sort by.
enum Key {
    Text(String),
    Number(f64),
    Bool(bool),
}

/// What a resource is sorted by: of several values the primary one, else the first.
fn key(resource: &Object, path: &AttrPath, kind: &ResourceType) -> Option<Key> {
    let place = kind.place(path.uri.as_deref(), &path.name, path.sub_attr.as_deref())?;
    let object = place.extension.map_or(Some(resource), |e| resource.get(e).and_then(Value::as_object))?;
    let value = match object.get(&place.attribute.name)? {
        Value::Array(values) => values.iter().find(|v| v.get("primary") == Some(&Value::Bool(true))).or(values.first())?,
        one => one,
    };
    let leaf = filter::leaf(place.attribute, place.part);
    let value = if place.attribute.parts().is_empty() { value } else { value.get(&leaf.name)? };
    match value {
        Value::String(text) if leaf.exact => Some(Key::Text(text.clone())),
        Value::String(text) => Some(Key::Text(text.to_lowercase())),
        Value::Bool(yes) => Some(Key::Bool(*yes)),
        number => number.as_f64().map(Key::Number),
    }
}

/// What has no value comes last going up, first going down (RFC 7644, 3.4.2.3).
fn compare(a: Option<&Key>, b: Option<&Key>) -> Ordering {
    match (a, b) {
        (None, None) => Ordering::Equal,
        (None, Some(_)) => Ordering::Greater,
        (Some(_), None) => Ordering::Less,
        (Some(Key::Text(a)), Some(Key::Text(b))) => a.cmp(b),
        (Some(Key::Bool(a)), Some(Key::Bool(b))) => a.cmp(b),
        (Some(Key::Number(a)), Some(Key::Number(b))) => a.total_cmp(b),
        // An attribute has values of one kind.
        (Some(_), Some(_)) => Ordering::Equal,
    }
}
