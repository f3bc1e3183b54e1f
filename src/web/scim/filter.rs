//! Whether a resource is meant by a filter (RFC 7644, 3.4.2.2).

use std::cmp::Ordering;

use scim_v2::filter::{AttrExp, AttrPath, CompValue, CompareOp, Filter, ValFilter};
use serde_json::Value;

use super::{Object, error::ScimError, schema::{Attribute, Kind, ResourceType}, view::Reads};
use crate::domain::time::Time;

/// The longest filter, in bytes.
const MOST_BYTES: usize = 8192;

fn invalid(detail: impl Into<String>) -> ScimError {
    ScimError::new(400, Some("invalidFilter"), detail)
}

/// Reads a filter; refuses one that names what resources do not have.
pub fn parse(text: &str, kind: &ResourceType) -> Result<Filter, ScimError> {
    if text.len() > MOST_BYTES {
        return Err(invalid(format!("the filter has {} bytes; at most {MOST_BYTES} are read", text.len())));
    }
    let filter: Filter = text.parse().map_err(|e| invalid(format!("the filter cannot be read: {e}")))?;
    // Names every attribute that there is not, and every comparison that is impossible.
    check(&filter, kind)?;
    Ok(filter)
}

fn check(filter: &Filter, kind: &ResourceType) -> Result<(), ScimError> {
    match filter {
        Filter::And(all) | Filter::Or(all) => all.iter().try_for_each(|f| check(f, kind)),
        Filter::Not(inside) => check(inside, kind),
        Filter::Attr(expression) => {
            let path = path_of(expression);
            let place = kind.searched(path.uri.as_deref(), &path.name, path.sub_attr.as_deref()).ok_or_else(|| invalid(format!("there is no attribute `{path}` to search by")))?;
            check_comparison(expression, leaf(place.attribute, place.part))
        }
        Filter::ValuePath(inside) => {
            let path = &inside.attr;
            let place = kind.place(path.uri.as_deref(), &path.name, None).ok_or_else(|| invalid(format!("there is no attribute `{path}`")))?;
            check_parts(&inside.filter, place.attribute)
        }
    }
}

/// Refuses a filter of an attribute's values that names parts it does not have.
pub fn check_parts(filter: &ValFilter, attribute: &Attribute) -> Result<(), ScimError> {
    match filter {
        ValFilter::And(all) | ValFilter::Or(all) => all.iter().try_for_each(|f| check_parts(f, attribute)),
        ValFilter::Not(inside) => check_parts(inside, attribute),
        ValFilter::Attr(expression) => {
            let path = path_of(expression);
            let part = attribute.part(&path.name).ok_or_else(|| invalid(format!("`{}` has no part `{}`", attribute.name, path.name)))?;
            check_comparison(expression, part)
        }
    }
}

fn path_of(expression: &AttrExp) -> &AttrPath {
    match expression {
        AttrExp::Present(path) | AttrExp::Comparison(path, ..) => path,
    }
}

/// What is compared: of a value with parts, its `value`.
pub fn leaf<'t>(attribute: &'t Attribute, part: Option<&'t Attribute>) -> &'t Attribute {
    part.or_else(|| attribute.part("value")).unwrap_or(attribute)
}

fn check_comparison(expression: &AttrExp, with: &Attribute) -> Result<(), ScimError> {
    let AttrExp::Comparison(path, op, value) = expression else { return Ok(()) };
    let ordered = matches!(op, CompareOp::Gt | CompareOp::Ge | CompareOp::Lt | CompareOp::Le);
    let fits = match (&with.kind, value) {
        (_, CompValue::Null) => matches!(op, CompareOp::Eq | CompareOp::Ne),
        (Kind::Boolean, CompValue::True | CompValue::False) => matches!(op, CompareOp::Eq | CompareOp::Ne),
        // Entra compares `active` with a text.
        (Kind::Boolean, CompValue::Str(text)) => matches!(op, CompareOp::Eq | CompareOp::Ne) && (text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false")),
        (Kind::Integer, CompValue::Number(_)) => ordered || matches!(op, CompareOp::Eq | CompareOp::Ne),
        (Kind::DateTime, CompValue::Str(text)) => text.parse::<Time>().is_ok(),
        (Kind::Text | Kind::Reference(_), CompValue::Str(_)) => true,
        _ => false,
    };
    if fits { Ok(()) } else { Err(invalid(format!("`{path}` cannot be compared like that"))) }
}

/// Whether a resource is meant. The filter was read by [`parse`].
pub fn holds(filter: &Filter, resource: &Object, kind: &ResourceType) -> bool {
    match filter {
        Filter::And(all) => all.iter().all(|f| holds(f, resource, kind)),
        Filter::Or(all) => all.iter().any(|f| holds(f, resource, kind)),
        Filter::Not(inside) => !holds(inside, resource, kind),
        Filter::Attr(expression) => {
            let path = path_of(expression);
            let Some(place) = kind.place(path.uri.as_deref(), &path.name, path.sub_attr.as_deref()) else { return false };
            let object = place.extension.map_or(Some(resource), |e| resource.get(e).and_then(Value::as_object));
            let values = object.and_then(|o| o.get(&place.attribute.name)).map(|v| leaves(v, place.attribute, place.part)).unwrap_or_default();
            compare(expression, &values, leaf(place.attribute, place.part))
        }
        Filter::ValuePath(inside) => {
            let path = &inside.attr;
            let Some(place) = kind.place(path.uri.as_deref(), &path.name, None) else { return false };
            let object = place.extension.map_or(Some(resource), |e| resource.get(e).and_then(Value::as_object));
            let values = object.and_then(|o| o.get(&place.attribute.name));
            each(values).any(|value| value_holds(&inside.filter, value, place.attribute))
        }
    }
}

fn each(value: Option<&Value>) -> impl Iterator<Item = &Value> {
    let values = match value {
        Some(Value::Array(values)) => values.as_slice(),
        Some(one) => std::slice::from_ref(one),
        None => &[],
    };
    values.iter()
}

/// Whether one value of an attribute is meant.
pub fn value_holds(filter: &ValFilter, value: &Value, attribute: &Attribute) -> bool {
    match filter {
        ValFilter::And(all) => all.iter().all(|f| value_holds(f, value, attribute)),
        ValFilter::Or(all) => all.iter().any(|f| value_holds(f, value, attribute)),
        ValFilter::Not(inside) => !value_holds(inside, value, attribute),
        ValFilter::Attr(expression) => {
            let path = path_of(expression);
            let Some(part) = attribute.part(&path.name) else { return false };
            let found: Vec<&Value> = value.get(&part.name).into_iter().collect();
            compare(expression, &found, part)
        }
    }
}

fn leaves<'v>(value: &'v Value, attribute: &Attribute, part: Option<&Attribute>) -> Vec<&'v Value> {
    let name = part.map(|p| p.name.as_str()).or_else(|| attribute.part("value").map(|_| "value"));
    match name {
        Some(name) if !attribute.parts().is_empty() => each(Some(value)).filter_map(|v| v.get(name)).collect(),
        _ => each(Some(value)).collect(),
    }
}

fn compare(expression: &AttrExp, values: &[&Value], with: &Attribute) -> bool {
    let AttrExp::Comparison(_, op, wanted) = expression else { return !values.is_empty() };
    let equal = |v: &&Value| order(v, wanted, with) == Some(Ordering::Equal);
    let text = |f: fn(&str, &str) -> bool| {
        let CompValue::Str(wanted) = wanted else { return false };
        values.iter().filter_map(|v| v.as_str()).any(|v| if with.exact { f(v, wanted) } else { f(&v.to_lowercase(), &wanted.to_lowercase()) })
    };
    match op {
        CompareOp::Eq if *wanted == CompValue::Null => values.is_empty(),
        CompareOp::Ne if *wanted == CompValue::Null => !values.is_empty(),
        CompareOp::Eq => values.iter().any(equal),
        CompareOp::Ne => !values.iter().any(equal),
        CompareOp::Co => text(|v, w| v.contains(w)),
        CompareOp::Sw => text(|v, w| v.starts_with(w)),
        CompareOp::Ew => text(|v, w| v.ends_with(w)),
        CompareOp::Gt => values.iter().any(|v| order(v, wanted, with) == Some(Ordering::Greater)),
        CompareOp::Ge => values.iter().any(|v| order(v, wanted, with).is_some_and(Ordering::is_ge)),
        CompareOp::Lt => values.iter().any(|v| order(v, wanted, with) == Some(Ordering::Less)),
        CompareOp::Le => values.iter().any(|v| order(v, wanted, with).is_some_and(Ordering::is_le)),
    }
}

/// How a value stands to one that a filter names; none when they are of different kinds.
fn order(value: &Value, wanted: &CompValue, with: &Attribute) -> Option<Ordering> {
    match (value, wanted) {
        (Value::Bool(value), CompValue::True) => Some(value.cmp(&true)),
        (Value::Bool(value), CompValue::False) => Some(value.cmp(&false)),
        (Value::Bool(value), CompValue::Str(text)) => Some(value.cmp(&text.eq_ignore_ascii_case("true"))),
        (Value::Number(value), CompValue::Number(wanted)) => value.as_f64()?.partial_cmp(&wanted.as_f64()?),
        (Value::String(value), CompValue::Str(wanted)) => match with.kind {
            Kind::DateTime => Some(value.parse::<Time>().ok()?.cmp(&wanted.parse::<Time>().ok()?)),
            _ if with.exact => Some(value.as_str().cmp(wanted)),
            _ => Some(value.to_lowercase().cmp(&wanted.to_lowercase())),
        },
        _ => None,
    }
}

/// The one value that a filter demands of an attribute, when that is all it says: looked up instead of searched.
pub fn only_equal<'f>(filter: &'f Filter, name: &str) -> Option<&'f str> {
    match filter {
        Filter::Attr(AttrExp::Comparison(path, CompareOp::Eq, CompValue::Str(text)))
            if path.uri.is_none() && path.sub_attr.is_none() && path.name.eq_ignore_ascii_case(name) =>
        {
            Some(text)
        }
        _ => None,
    }
}

/// Gathers what a filter reads.
pub fn reads(filter: &Filter, kind: &ResourceType, into: &mut Reads) {
    match filter {
        Filter::And(all) | Filter::Or(all) => all.iter().for_each(|f| reads(f, kind, into)),
        Filter::Not(inside) => reads(inside, kind, into),
        Filter::Attr(expression) => into.add(path_of(expression), kind),
        Filter::ValuePath(inside) => into.add(&inside.attr, kind),
    }
}
