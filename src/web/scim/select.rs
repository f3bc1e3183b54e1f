//! Which part of a resource is shown: `attributes` and `excludedAttributes` (RFC 7644, 3.9).

use serde_json::Value;

use super::{Object, error::ScimError, schema::{Attribute, ResourceType, Schema}};

/// What a caller wants to see: paths in small letters.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    only: Vec<String>,
    without: Vec<String>,
}

fn list(text: &str) -> Vec<String> {
    text.split(',').map(|p| p.trim().to_lowercase()).filter(|p| !p.is_empty()).collect()
}

impl Wanted {
    /// From the two parameters, of which a request has one at most.
    pub fn new(attributes: Option<&str>, excluded: Option<&str>) -> Result<Self, ScimError> {
        let wanted = Self { only: attributes.map(list).unwrap_or_default(), without: excluded.map(list).unwrap_or_default() };
        if !wanted.only.is_empty() && !wanted.without.is_empty() {
            return Err(ScimError::invalid_value("`attributes` and `excludedAttributes` exclude each other"));
        }
        Ok(wanted)
    }

    /// The part that is shown.
    pub fn of(&self, resource: Object, kind: &ResourceType) -> Object {
        if self.only.is_empty() && self.without.is_empty() {
            return resource;
        }
        let mut shown = Object::new();
        for (key, value) in resource {
            match kind.extension(&key) {
                Some(extension) => {
                    if let Value::Object(inside) = value {
                        let inside = self.inside(inside, extension, extension.id);
                        if !inside.is_empty() {
                            shown.insert(key, Value::Object(inside));
                        }
                    }
                }
                None => {
                    if let Some(attribute) = kind.own(&key)
                        && let Some(value) = self.value(attribute, value, kind.core.id, true)
                    {
                        shown.insert(key, value);
                    }
                }
            }
        }
        shown
    }

    fn inside(&self, object: Object, extension: &Schema, urn: &str) -> Object {
        let whole = urn.to_lowercase();
        if self.without.contains(&whole) {
            return Object::new();
        }
        if self.only.contains(&whole) {
            return object;
        }
        let shown = object.into_iter().filter_map(|(key, value)| {
            let attribute = extension.attribute(&key)?;
            self.value(attribute, value, urn, false).map(|v| (key, v))
        });
        shown.collect()
    }

    fn value(&self, attribute: &Attribute, value: Value, urn: &str, own: bool) -> Option<Value> {
        let name = attribute.name.to_lowercase();
        let long = format!("{}:{name}", urn.to_lowercase());
        // The schema alone means all of its own, but not what every resource has.
        let of_schema = own && name != "meta";
        let names = |list: &[String]| list.iter().any(|p| *p == long || (own && *p == name) || (of_schema && *p == urn.to_lowercase()));
        if attribute.always || (!self.only.is_empty() && names(&self.only)) {
            return Some(value);
        }
        if names(&self.without) {
            return None;
        }
        let parts = |list: &[String]| -> Vec<String> {
            let of = |p: &String| p.strip_prefix(&format!("{long}.")).or_else(|| p.strip_prefix(&format!("{name}.")).filter(|_| own)).map(str::to_owned);
            list.iter().filter_map(of).collect()
        };
        if self.only.is_empty() {
            let without = parts(&self.without);
            return Some(if without.is_empty() { value } else { keep(value, &|part| !without.contains(&part.to_lowercase())) });
        }
        let only = parts(&self.only);
        (!only.is_empty()).then(|| keep(value, &|part| only.contains(&part.to_lowercase())))
    }
}

fn keep(value: Value, wanted: &dyn Fn(&str) -> bool) -> Value {
    match value {
        Value::Object(parts) => Value::Object(parts.into_iter().filter(|(name, _)| wanted(name)).collect()),
        Value::Array(values) => Value::Array(values.into_iter().map(|v| keep(v, wanted)).collect()),
        other => other,
    }
}
