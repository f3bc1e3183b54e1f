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

    fn order(&self, kinds: &[&ResourceType]) -> Result<Option<(AttrPath, bool)>, ScimError> {
        let Some(by) = self.sort_by.as_deref().filter(|b| !b.is_empty()) else { return Ok(None) };
        let unknown = || ScimError::new(400, Some("invalidPath"), format!("cannot sort by `{}`", by.escape_debug()));
        let Ok(PatchPath::Attr(path)) = by.parse::<PatchPath>() else { return Err(unknown()) };
        kinds.iter().find_map(|k| k.place(path.uri.as_deref(), &path.name, path.sub_attr.as_deref())).ok_or_else(unknown)?;
        let descending = self.sort_order.as_deref().is_some_and(|o| o.eq_ignore_ascii_case("descending"));
        Ok(Some((path, descending)))
    }

    fn number(name: &str, text: Option<&str>, otherwise: i64) -> Result<i64, ScimError> {
        text.filter(|t| !t.is_empty()).map_or(Ok(otherwise), |t| t.parse().map_err(|_| ScimError::invalid_value(format!("`{name}` must be a whole number"))))
    }

    /// The page of resources of one kind: `all` in the usual order, `render` makes a resource of one.
    pub fn page<T>(&self, kind: &ResourceType, all: Vec<T>, render: impl Fn(&T) -> Object) -> Result<HttpResponse, ScimError> {
        self.mixed_page(&[kind], all, |t| (kind, render(t)))
    }

    /// The same of several kinds.
    pub fn mixed_page<'k, T>(&self, kinds: &[&ResourceType], all: Vec<T>, render: impl Fn(&T) -> (&'k ResourceType, Object)) -> Result<HttpResponse, ScimError> {
        let wanted = self.wanted()?;
        let start = usize::try_from(Self::number("startIndex", self.start_index.as_deref(), 1)?.max(1)).unwrap_or(1);
        let most = i64::try_from(MOST).unwrap_or(i64::MAX);
        let count = usize::try_from(Self::number("count", self.count.as_deref(), i64::try_from(PAGE).unwrap_or(100))?.clamp(0, most)).unwrap_or(PAGE);
        let total = all.len();
        let page: Vec<(&ResourceType, Object)> = match self.order(kinds)? {
            None => all.iter().skip(start - 1).take(count).map(&render).collect(),
            Some((path, descending)) => {
                let mut keyed: Vec<_> = all.iter().map(&render).map(|(kind, r)| (key(&r, &path, kind), (kind, r))).collect();
                keyed.sort_by(|a, b| compare(a.0.as_ref(), b.0.as_ref(), descending));
                keyed.into_iter().map(|(_, r)| r).skip(start - 1).take(count).collect()
            }
        };
        let shown: Vec<Object> = page.into_iter().map(|(kind, r)| finished(r, &wanted, kind).0).collect();
        Ok(HttpResponse::Ok().content_type("application/scim+json").json(json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
            "totalResults": total,
            "startIndex": start,
            "itemsPerPage": shown.len(),
            "Resources": shown,
        })))
    }
}

/// What a resource is sorted by: of several values the primary one, else the first.
fn key(resource: &Object, path: &AttrPath, kind: &ResourceType) -> Option<Value> {
    let place = kind.place(path.uri.as_deref(), &path.name, path.sub_attr.as_deref())?;
    let object = place.extension.map_or(Some(resource), |e| resource.get(e).and_then(Value::as_object))?;
    let value = match object.get(&place.attribute.name)? {
        Value::Array(values) => values.iter().find(|v| v.get("primary") == Some(&Value::Bool(true))).or(values.first())?,
        one => one,
    };
    let part = place.part.map(|p| p.name.as_str()).or_else(|| place.attribute.part("value").map(|_| "value"));
    let value = part.map_or(Some(value), |p| value.get(p))?;
    Some(match value {
        Value::String(text) if !place.part.unwrap_or(place.attribute).exact => Value::String(text.to_lowercase()),
        other => other.clone(),
    })
}

/// What has no value comes last going up, first going down (RFC 7644, 3.4.2.3).
fn compare(a: Option<&Value>, b: Option<&Value>, descending: bool) -> Ordering {
    let order = match (a, b) {
        (None, None) => Ordering::Equal,
        (None, Some(_)) => Ordering::Greater,
        (Some(_), None) => Ordering::Less,
        (Some(Value::String(a)), Some(Value::String(b))) => a.cmp(b),
        (Some(Value::Bool(a)), Some(Value::Bool(b))) => a.cmp(b),
        (Some(a), Some(b)) => a.as_f64().partial_cmp(&b.as_f64()).unwrap_or(Ordering::Equal),
    };
    if descending { order.reverse() } else { order }
}
