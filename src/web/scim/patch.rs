//! Changing a resource by PATCH (RFC 7644, 3.5.2), in the dialects that Okta and Entra speak: operations in any case, booleans
//! as texts, no path with a whole resource or with paths as keys, URNs before names, a removal that lists what it removes.

use scim_v2::filter::{AttrExp, CompValue, CompareOp, PatchPath, ValFilter};
use serde_json::Value;

use super::{
    Object,
    error::ScimError,
    filter, input,
    schema::{Attribute, Kind, Mutability, Place, ResourceType},
};

/// The most operations of one request.
const MOST_OPERATIONS: usize = 500;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Op {
    Add,
    Replace,
    Remove,
}

/// One operation.
#[derive(Debug)]
pub struct Operation {
    op: Op,
    path: Option<String>,
    value: Value,
}

fn error(kind: &'static str, detail: impl Into<String>) -> ScimError {
    ScimError::new(400, Some(kind), detail)
}

/// A member of an object, whatever the case of its name.
pub fn member<'v>(object: &'v Object, name: &str) -> Option<&'v Value> {
    object.get(name).or_else(|| object.iter().find(|(k, _)| k.eq_ignore_ascii_case(name)).map(|(_, v)| v))
}

/// Reads the operations of a PATCH.
pub fn operations(body: &Object) -> Result<Vec<Operation>, ScimError> {
    let Some(Value::Array(list)) = member(body, "Operations") else {
        return Err(error("invalidSyntax", "`Operations` is missing, or no list"));
    };
    if list.is_empty() || list.len() > MOST_OPERATIONS {
        return Err(error("invalidSyntax", format!("`Operations` has {} operations; expected 1 to {MOST_OPERATIONS}", list.len())));
    }
    list.iter().map(operation).collect()
}

fn operation(value: &Value) -> Result<Operation, ScimError> {
    let Value::Object(object) = value else { return Err(error("invalidSyntax", "an operation must be an object")) };
    let word = member(object, "op").and_then(Value::as_str).unwrap_or_default();
    let op = match word.to_ascii_lowercase().as_str() {
        "add" => Op::Add,
        "replace" => Op::Replace,
        "remove" => Op::Remove,
        _ => return Err(error("invalidSyntax", format!("`{}` is no operation; expected add, replace or remove", word.escape_debug()))),
    };
    let path = match member(object, "path") {
        None | Some(Value::Null) => None,
        Some(Value::String(path)) => Some(path.trim().to_owned()).filter(|p| !p.is_empty()),
        Some(_) => return Err(error("invalidPath", "`path` must be a text")),
    };
    if op == Op::Remove && path.is_none() {
        return Err(error("noTarget", "a removal needs a path"));
    }
    let value = member(object, "value").cloned().unwrap_or(Value::Null);
    if op != Op::Remove && member(object, "value").is_none() {
        return Err(error("invalidValue", "`value` is missing"));
    }
    Ok(Operation { op, path, value })
}

/// Changes a resource as it is stored.
pub fn apply(resource: &mut Object, operations: &[Operation], kind: &ResourceType) -> Result<(), ScimError> {
    for operation in operations {
        match &operation.path {
            Some(path) => at_path(resource, operation.op, path, &operation.value, kind, true)?,
            None => {
                let Value::Object(values) = &operation.value else {
                    return Err(error("invalidValue", "without a path, the value must be an object"));
                };
                for (key, value) in values {
                    // What is read-only or unknown is left out, as in a whole resource.
                    at_path(resource, operation.op, key, value, kind, false)?;
                }
            }
        }
    }
    input::bounded(resource, kind)
}

fn at_path(resource: &mut Object, op: Op, path: &str, value: &Value, kind: &ResourceType, strict: bool) -> Result<(), ScimError> {
    if path.eq_ignore_ascii_case(kind.core.id) || kind.extension(path).is_some() {
        return whole_schema(resource, op, path, value, kind);
    }
    let parsed: PatchPath = match path.parse() {
        Ok(parsed) => parsed,
        Err(_) if !strict => return Ok(()),
        Err(e) => return Err(error("invalidPath", format!("the path cannot be read: {e}"))),
    };
    let (attr, filter, part) = match &parsed {
        PatchPath::Attr(attr) => (attr, None, attr.sub_attr.as_deref()),
        PatchPath::Value(value) => (&value.attr, Some(&value.filter), value.sub_attr.as_deref()),
    };
    let Some(place) = kind.place(attr.uri.as_deref(), &attr.name, part) else {
        return if strict { Err(error("invalidPath", format!("there is no attribute `{}`", path.escape_debug()))) } else { Ok(()) };
    };
    if place.attribute.mutability == Mutability::ReadOnly || place.part.is_some_and(|p| p.mutability == Mutability::ReadOnly) {
        return if strict { Err(error("mutability", format!("`{}` is read-only", path.escape_debug()))) } else { Ok(()) };
    }
    if let Some(filter) = filter {
        filter::check_parts(filter, place.attribute).map_err(|e| error("invalidPath", e.to_string()))?;
    }
    let object = match place.extension {
        None => &mut *resource,
        Some(urn) => match resource.entry(urn.to_owned()).or_insert_with(|| Value::Object(Object::new())) {
            Value::Object(object) => object,
            _ => return Err(error("invalidPath", format!("`{urn}` is no object"))),
        },
    };
    match (place.attribute.many, filter) {
        (false, Some(_)) => return Err(error("invalidPath", format!("`{}` has one value, which cannot be chosen", place.attribute.name))),
        (false, None) => one(object, op, place, value)?,
        (true, None) => many(object, op, place, value)?,
        (true, Some(filter)) => chosen(object, op, place, filter, value)?,
    }
    if let Some(urn) = place.extension
        && resource.get(urn).and_then(Value::as_object).is_some_and(Object::is_empty)
    {
        resource.remove(urn);
    }
    Ok(())
}

/// A URN alone means everything under it.
fn whole_schema(resource: &mut Object, op: Op, urn: &str, value: &Value, kind: &ResourceType) -> Result<(), ScimError> {
    if op == Op::Remove || value.is_null() {
        return match kind.extension(urn) {
            Some(extension) => {
                resource.remove(extension.id);
                Ok(())
            }
            None => Err(error("mutability", "the resource itself cannot be removed by PATCH")),
        };
    }
    let Value::Object(values) = value else { return Err(error("invalidValue", format!("the value of `{urn}` must be an object"))) };
    for (key, value) in values {
        at_path(resource, op, &format!("{urn}:{key}"), value, kind, false)?;
    }
    Ok(())
}

fn put(object: &mut Object, name: &str, value: Option<Value>) {
    match value {
        Some(value) => {
            object.insert(name.to_owned(), value);
        }
        None => {
            object.remove(name);
        }
    }
}

fn required(attribute: &Attribute) -> ScimError {
    error("invalidValue", format!("`{}` cannot be without a value", attribute.name))
}

/// Of a value with parts, those that are not named stay, and null or an empty text takes away the part that it names. Without its
/// `value` there is nothing left of one that has it.
fn merge_parts(object: &mut Object, attribute: &Attribute, said: &Object, new: Option<Value>) {
    let mut parts = match object.remove(&attribute.name) {
        Some(Value::Object(parts)) => parts,
        _ => Object::new(),
    };
    let empty = |v: &Value| v.is_null() || v.as_str().is_some_and(|t| t.trim().is_empty());
    let mut whole = false;
    for part in said.iter().filter(|(_, v)| empty(v)).filter_map(|(name, _)| attribute.part(name)).filter(|p| p.mutability != Mutability::ReadOnly) {
        whole |= part.name == "value";
        parts.remove(&part.name);
    }
    if whole {
        parts.clear();
    }
    if let Some(Value::Object(new)) = new {
        parts.extend(new);
    }
    put(object, &attribute.name, (!parts.is_empty()).then_some(Value::Object(parts)));
}

fn one(object: &mut Object, op: Op, place: Place<'_>, value: &Value) -> Result<(), ScimError> {
    let attribute = place.attribute;
    let Some(part) = place.part else {
        let new = if op == Op::Remove { None } else { input::value_of(attribute, value)? };
        if new.is_none() && attribute.required {
            return Err(required(attribute));
        }
        if let (Op::Add | Op::Replace, Kind::Complex(_), Value::Object(said)) = (op, &attribute.kind, value) {
            merge_parts(object, attribute, said, new);
        } else {
            put(object, &attribute.name, new);
        }
        return Ok(());
    };
    let mut parts = match object.get(&attribute.name) {
        Some(Value::Object(parts)) => parts.clone(),
        _ => Object::new(),
    };
    if part.derived {
        // An address says the id.
        let whole = Value::Object([(part.name.clone(), value.clone())].into_iter().collect());
        let new = if op == Op::Remove { None } else { input::value_of(attribute, &whole)? };
        put(object, &attribute.name, new);
        return Ok(());
    }
    put(&mut parts, &part.name, if op == Op::Remove { None } else { input::value_of(part, value)? });
    put(object, &attribute.name, (!parts.is_empty()).then_some(Value::Object(parts)));
    Ok(())
}

/// The values of an attribute, taken out.
fn taken(object: &mut Object, attribute: &Attribute) -> Vec<Value> {
    match object.remove(&attribute.name) {
        Some(Value::Array(values)) => values,
        Some(one) => vec![one],
        None => Vec::new(),
    }
}

fn given_back(object: &mut Object, attribute: &Attribute, values: Vec<Value>) {
    if !values.is_empty() {
        object.insert(attribute.name.clone(), Value::Array(values));
    }
}

fn is_primary(value: &Value) -> bool {
    value.get("primary") == Some(&Value::Bool(true))
}

/// A new primary value takes the place of the one before.
fn only_primary(values: &mut [Value], new: usize) {
    if values.get(new).is_some_and(is_primary) {
        for (_, value) in values.iter_mut().enumerate().filter(|(n, _)| *n != new) {
            if let Some(flag) = value.get_mut("primary") {
                *flag = Value::Bool(false);
            }
        }
    }
}

/// Whether two values are the same: members by their id.
fn same_member(attribute: &Attribute, a: &Value, b: &Value) -> bool {
    match (a.get("value"), b.get("value")) {
        (Some(a), Some(b)) if attribute.name == "members" => a == b,
        _ => a == b,
    }
}

fn many(object: &mut Object, op: Op, place: Place<'_>, value: &Value) -> Result<(), ScimError> {
    let attribute = place.attribute;
    if let Some(part) = place.part {
        // A part of every value.
        let mut values = taken(object, attribute);
        if values.is_empty() && op != Op::Remove {
            let whole = Value::Object([(part.name.clone(), value.clone())].into_iter().collect());
            values.extend(input::single(attribute, &whole)?);
        }
        set_part(&mut values, |_| true, op, part, value)?;
        given_back(object, attribute, values);
        return Ok(());
    }
    if op == Op::Remove && value.is_null() {
        object.remove(&attribute.name);
        return Ok(());
    }
    let new = match input::value_of(attribute, value)? {
        Some(Value::Array(new)) => new,
        _ => Vec::new(),
    };
    let mut values = if op == Op::Replace { Vec::new() } else { taken(object, attribute) };
    if op == Op::Remove {
        let gone: std::collections::HashSet<&str> = new.iter().filter_map(|v| v.get("value").and_then(Value::as_str)).collect();
        values.retain(|v| match v.get("value").and_then(Value::as_str) {
            Some(id) => !gone.contains(id),
            None => !new.contains(v),
        });
        given_back(object, attribute, values);
        return Ok(());
    }
    // A member is their id alone; of the few other values all parts count.
    let key = |v: &Value| match v.get("value").and_then(Value::as_str) {
        Some(id) if attribute.name == "members" => id.to_owned(),
        _ => v.to_string(),
    };
    let mut known: std::collections::HashSet<String> = match new.as_slice() {
        // One is looked for faster than a list of all is made.
        [one] => values.iter().filter(|v| same_member(attribute, v, one)).map(key).collect(),
        _ => values.iter().map(key).collect(),
    };
    for value in new {
        if !known.insert(key(&value)) {
            continue;
        }
        values.push(value);
        let last = values.len() - 1;
        only_primary(&mut values, last);
    }
    given_back(object, attribute, values);
    Ok(())
}

fn set_part(values: &mut Vec<Value>, fits: impl Fn(&Value) -> bool, op: Op, part: &Attribute, value: &Value) -> Result<usize, ScimError> {
    let new = if op == Op::Remove { None } else { input::value_of(part, value)? };
    let mut met = 0;
    for n in 0..values.len() {
        let Some(Value::Object(parts)) = values.get_mut(n).filter(|v| fits(v)) else { continue };
        met += 1;
        put(parts, &part.name, new.clone());
        only_primary(values, n);
    }
    values.retain(|v| v.as_object().is_none_or(|o| !o.is_empty()));
    Ok(met)
}

/// What a filter of plain equalities says about a value that is to be: `type eq "work"` makes a work address.
fn demanded(filter: &ValFilter, into: &mut Object) -> bool {
    match filter {
        ValFilter::And(all) => all.iter().all(|f| demanded(f, into)),
        ValFilter::Attr(AttrExp::Comparison(path, CompareOp::Eq, value)) => {
            let value = match value {
                CompValue::Str(text) => Value::String(text.clone()),
                CompValue::True => Value::Bool(true),
                CompValue::False => Value::Bool(false),
                _ => return false,
            };
            into.insert(path.name.clone(), value);
            true
        }
        _ => false,
    }
}

fn chosen(object: &mut Object, op: Op, place: Place<'_>, choice: &ValFilter, value: &Value) -> Result<(), ScimError> {
    let attribute = place.attribute;
    let mut values = taken(object, attribute);
    let fits = |v: &Value| filter::value_holds(choice, v, attribute);
    let any = values.iter().any(fits);
    match (op, place.part) {
        (Op::Remove, None) => values.retain(|v| !fits(v)),
        (_, Some(part)) if any => {
            set_part(&mut values, fits, op, part, value)?;
        }
        (Op::Remove, Some(_)) => {}
        (_, None) if any => {
            let new = input::single(attribute, value)?;
            for n in 0..values.len() {
                let Some(old) = values.get_mut(n).filter(|v| fits(v)) else { continue };
                match (&new, &mut *old) {
                    (Some(Value::Object(new)), Value::Object(old)) if op == Op::Add => old.extend(new.clone()),
                    (Some(new), old) => *old = new.clone(),
                    (None, _) => {}
                }
                only_primary(&mut values, n);
            }
        }
        // Entra adds to a value that is not there yet: it is made as the choice demands.
        (Op::Add, part) => {
            let mut made = Object::new();
            if !demanded(choice, &mut made) {
                return Err(error("noTarget", format!("no value of `{}` is meant", attribute.name)));
            }
            match (part, value) {
                (Some(part), value) => {
                    made.insert(part.name.clone(), value.clone());
                }
                (None, Value::Object(more)) => made.extend(more.clone()),
                (None, _) => return Err(error("invalidValue", format!("a value of `{}` must be an object", attribute.name))),
            }
            if let Some(made) = input::single(attribute, &Value::Object(made))? {
                values.push(made);
                let last = values.len() - 1;
                only_primary(&mut values, last);
            }
        }
        (Op::Replace, _) => return Err(error("noTarget", format!("no value of `{}` is meant", attribute.name))),
    }
    given_back(object, attribute, values);
    Ok(())
}
