//! Reading a resource: what is published is taken in its published spelling and type, what is not is left out.

use serde_json::Value;

use super::{Object, error::ScimError, schema::{Attribute, Kind, Mutability, ResourceType, Schema}};

/// The longest text, in characters.
const MOST_TEXT: usize = 1024;
/// The most values of an attribute that is no list of members.
const MOST_VALUES: usize = 100;

/// Reads a whole resource as it is stored: nothing unknown, nothing read-only, nothing empty.
pub fn resource(body: &Object, kind: &ResourceType) -> Result<Object, ScimError> {
    let mut found = Object::new();
    for (key, value) in body {
        if let Some(extension) = kind.extension(key) {
            let Value::Object(inside) = value else {
                if value.is_null() {
                    continue;
                }
                return Err(ScimError::invalid_value(format!("`{}` must be an object", extension.id)));
            };
            let inside = part_of(inside, |name| extension.attribute(name))?;
            if !inside.is_empty() {
                once(&mut found, extension.id, Value::Object(inside))?;
            }
        } else if let Some(attribute) = kind.own(key)
            && let Some(value) = value_of(attribute, value)?
        {
            once(&mut found, &attribute.name, value)?;
        }
    }
    Ok(found)
}

/// Refuses a resource that has become more than is kept, by whatever steps.
pub fn bounded(resource: &Object, kind: &ResourceType) -> Result<(), ScimError> {
    let inside = kind.extensions.iter().filter_map(|e| resource.get(e.id).and_then(Value::as_object)).flatten();
    match resource.iter().chain(inside).find(|(name, value)| *name != "members" && value.as_array().is_some_and(|v| v.len() > MOST_VALUES)) {
        Some((name, _)) => Err(ScimError::invalid_value(format!("`{name}` would have more values than are kept; at most {MOST_VALUES}"))),
        None => Ok(()),
    }
}

/// Refuses a resource that lacks what it must have.
pub fn complete(resource: &Object, schema: &Schema) -> Result<(), ScimError> {
    match schema.attributes.iter().find(|a| a.required && !resource.contains_key(&a.name)) {
        Some(missing) => Err(ScimError::invalid_value(format!("`{}` is missing", missing.name))),
        None => Ok(()),
    }
}

fn once(into: &mut Object, name: &str, value: Value) -> Result<(), ScimError> {
    if into.insert(name.to_owned(), value).is_some() {
        return Err(ScimError::new(400, Some("invalidSyntax"), format!("`{name}` stands twice, in different cases")));
    }
    Ok(())
}

fn part_of<'t>(body: &Object, attribute: impl Fn(&str) -> Option<&'t Attribute>) -> Result<Object, ScimError> {
    let mut found = Object::new();
    for (key, value) in body {
        if let Some(attribute) = attribute(key)
            && let Some(value) = value_of(attribute, value)?
        {
            once(&mut found, &attribute.name, value)?;
        }
    }
    Ok(found)
}

/// A value as it is stored; none when it is empty or not the client's to say.
pub fn value_of(attribute: &Attribute, value: &Value) -> Result<Option<Value>, ScimError> {
    if attribute.mutability == Mutability::ReadOnly || value.is_null() {
        return Ok(None);
    }
    if !attribute.many {
        return single(attribute, value);
    }
    let values = match value {
        Value::Array(values) => values.as_slice(),
        one => std::slice::from_ref(one),
    };
    if values.len() > MOST_VALUES && attribute.name != "members" {
        return Err(ScimError::invalid_value(format!("`{}` has {} values; at most {MOST_VALUES} are kept", attribute.name, values.len())));
    }
    let mut found: Vec<Value> = Vec::with_capacity(values.len());
    for value in values {
        found.extend(single(attribute, value)?);
    }
    if found.iter().filter(|v| v.get("primary") == Some(&Value::Bool(true))).count() > 1 {
        return Err(ScimError::invalid_value(format!("`{}` has more than one primary value", attribute.name)));
    }
    Ok((!found.is_empty()).then_some(Value::Array(found)))
}

/// One value of an attribute.
pub fn single(attribute: &Attribute, value: &Value) -> Result<Option<Value>, ScimError> {
    let wrong = |expected: &str| ScimError::invalid_value(format!("`{}` must be {expected}", attribute.name));
    match (&attribute.kind, value) {
        (_, Value::Null) => Ok(None),
        // Entra sends "True" and "False".
        (Kind::Boolean, Value::String(word)) if word.eq_ignore_ascii_case("true") => Ok(Some(Value::Bool(true))),
        (Kind::Boolean, Value::String(word)) if word.eq_ignore_ascii_case("false") => Ok(Some(Value::Bool(false))),
        (Kind::Boolean, Value::Bool(_)) => Ok(Some(value.clone())),
        (Kind::Boolean, _) => Err(wrong("true or false")),
        (Kind::Integer, Value::Number(n)) if n.is_i64() => Ok(Some(value.clone())),
        (Kind::Integer, _) => Err(wrong("a whole number")),
        (Kind::Text | Kind::DateTime | Kind::Reference(_), Value::String(text)) => {
            let text = hygienic(attribute, text)?;
            Ok((!text.is_empty()).then(|| Value::String(text.to_owned())))
        }
        (Kind::Text | Kind::DateTime | Kind::Reference(_), _) => Err(wrong("a text")),
        (Kind::Complex(_), Value::Object(body)) => {
            let mut found = part_of(body, |name| attribute.part(name))?;
            // A reference alone says the id as well.
            if !found.contains_key("value")
                && let Some(id) = found.get("$ref").and_then(Value::as_str).and_then(|r| r.rsplit('/').next()).filter(|id| !id.is_empty())
            {
                found.insert("value".to_owned(), Value::String(id.to_owned()));
            }
            found.retain(|name, _| attribute.part(name).is_none_or(|p| !p.derived));
            Ok((!found.is_empty()).then_some(Value::Object(found)))
        }
        // Some clients send the id alone where a manager or member has parts.
        (Kind::Complex(_), Value::String(text)) if attribute.part("value").is_some() => {
            let text = hygienic(attribute, text)?;
            Ok((!text.is_empty()).then(|| Value::Object([("value".to_owned(), Value::String(text.to_owned()))].into_iter().collect())))
        }
        (Kind::Complex(_), _) => Err(wrong("an object")),
    }
}

/// A text that is what it looks like: bounded, no control characters, direction marks or invisible ones; names that are
/// compared have no separate accents either, so that one name has one spelling.
fn hygienic<'t>(attribute: &Attribute, text: &'t str) -> Result<&'t str, ScimError> {
    let text = text.trim();
    if text.chars().count() > MOST_TEXT {
        return Err(ScimError::invalid_value(format!("`{}` is longer than {MOST_TEXT} characters", attribute.name)));
    }
    let deceptive = |c: char| {
        (c.is_control() && !(c == '\n' && attribute.name == "formatted")) || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
    };
    if text.chars().any(deceptive) {
        return Err(ScimError::invalid_value(format!("`{}` holds a control character, a direction mark or something invisible", attribute.name)));
    }
    let compared = matches!(attribute.name.as_str(), "userName" | "externalId");
    if compared && text.chars().any(|c| matches!(c, '\u{300}'..='\u{36f}')) {
        return Err(ScimError::invalid_value(format!("`{}` holds an accent that stands by itself; send it composed (Unicode NFC)", attribute.name)));
    }
    Ok(text)
}
