//! Guardrail files: reading them, and finding those that apply to no group.

use std::{collections::BTreeSet, str::FromStr};

use cedar_policy::{
    Authorizer, Context, Effect, Entities, EntityId, EntityTypeName, EntityUid, Policy, PolicyId, PolicySet, Request, ValidationMode, Validator,
};

use super::{cedar::{place, plain_words, told, too_much}, reader::Reader};
use crate::domain::{group::{Group, Guardrail}, id::GroupId};

/// The guardrails of one file. `targets` are the groups that one of them should apply to.
pub(super) fn read(reader: &mut Reader<'_>, validator: &Validator, groups: &BTreeSet<GroupId>, targets: Option<&Targets>) -> Vec<(Guardrail, Policy)> {
    if let Some((span, message)) = too_much(reader.text) {
        reader.tell(span, "BP031", message, Some("split the file".to_owned()));
        return Vec::new();
    }
    let policies = match PolicySet::from_str(reader.text) {
        Ok(policies) => policies,
        Err(errors) => {
            for error in errors.iter() {
                let (message, help) = told(error);
                reader.tell(place(error).unwrap_or(0..1), "BP040", format!("the guardrail cannot be read: {message}"), help);
            }
            return Vec::new();
        }
    };
    let mut found = Vec::new();
    for policy in policies.policies() {
        let source = policy.to_string();
        let start = reader.text.find(&source).unwrap_or(0);
        let head = start..start + source.lines().next().map_or(1, str::len);
        // What comes after the annotations: `forbid`, its scope, its conditions.
        let effect = ["permit", "forbid"].iter().filter_map(|word| source.find(&format!("\n{word}")).map(|at| start + at + 1)).min().unwrap_or(start);
        let rule = effect..effect + reader.text.get(effect..).and_then(|t| t.lines().next()).map_or(1, str::len);
        if policy.effect() != Effect::Forbid {
            reader.tell(rule.clone(), "BP041", "a guardrail may only `forbid`", Some("what is allowed is said by the rules of groups".to_owned()));
        }
        let unscoped = source.split_whitespace().collect::<String>().contains("(principal,action,resource)");
        if !unscoped {
            let help = "write `forbid (principal, action, resource)` and put the condition into `when`, so that it covers every way of asking".to_owned();
            reader.tell(rule, "BP042", "a guardrail must not be scoped", help);
        }
        let Some(id) = policy.annotation("id").filter(|id| !id.is_empty()).map(str::to_owned) else {
            reader.tell(head, "BP043", "`@id` is missing", Some("give it a name that decisions cite, like @id(\"contractors-never-restricted\")".to_owned()));
            continue;
        };
        let Some(reason) = policy.annotation("reason").filter(|r| !r.is_empty()).map(str::to_owned) else {
            reader.tell(head, "BP044", format!("`@reason` of `{id}` is missing"), Some("say why, for the people it stops".to_owned()));
            continue;
        };
        if let Ok(json) = policy.to_json() {
            for name in groups_named(&json) {
                if !groups.iter().any(|g| g.as_str() == name) {
                    let span = reader.text.get(start..).and_then(|t| t.find(&format!("\"{name}\""))).map_or(head.clone(), |o| start + o..start + o + name.len() + 2);
                    let near = super::reader::nearest(&name, groups.iter().map(GroupId::as_str)).map(|n| format!("did you mean `{n}`?"));
                    reader.tell(span, "BP045", format!("there is no group `{name}`"), near);
                }
            }
        }
        let fix = policy.annotation("fix").map(str::to_owned);
        let allowed = allowed(reader, policy, &head);
        if fix.as_ref().is_none_or(|f| f.trim().is_empty()) && !allowed.contains("BP049") {
            reader.tell(head.clone(), "BP049", format!("`{id}` does not say what to do instead"), None);
        }
        if targets.is_some_and(|t| !t.reached_by(policy)) && !allowed.contains("BP048") {
            reader.tell(head.clone(), "BP048", format!("`{id}` applies to no group there is"), None);
        }
        let line = reader.line_of(start);
        let renamed = policy.new_id(PolicyId::new(&id));
        let single = PolicySet::from_policies([renamed.clone()]).unwrap_or_default();
        for error in validator.validate(&single, ValidationMode::Strict).validation_errors() {
            let (message, help) = told(error);
            let (message, help) = plain_words(&message.replace(&format!("for policy `{id}`, "), ""), help);
            reader.tell(place(error).unwrap_or(head.clone()), "BP046", format!("`{id}` does not fit the schema: {message}"), help);
        }
        found.push((Guardrail { id, reason, fix, source, file: reader.file.to_owned(), line }, renamed));
    }
    found.sort_by_key(|(g, _)| g.line);
    found
}

/// Codes that `@allow("BP048: why")` lets stand.
fn allowed(reader: &mut Reader<'_>, policy: &Policy, at: &std::ops::Range<usize>) -> BTreeSet<String> {
    let Some(text) = policy.annotation("allow") else { return BTreeSet::new() };
    let (code, why) = text.split_once(':').unwrap_or((text, ""));
    let code = code.trim();
    if why.trim().is_empty() {
        reader.tell(at.clone(), "BP078", format!("`@allow(\"{text}\")` gives no reason"), Some("write @allow(\"BP048: why it is right here\")".to_owned()));
    } else if !["BP048", "BP049"].contains(&code) {
        reader.tell(at.clone(), "BP078", format!("`{code}` may not be allowed at a guardrail"), Some("BP048 and BP049 may".to_owned()));
    }
    BTreeSet::from([code.to_owned()])
}

/// The groups of a set, for asking whether a guardrail could apply to any of them.
pub(super) struct Targets {
    entities: Entities,
    requests: Vec<Request>,
}

impl Targets {
    /// None when they cannot be made, or there is none: then nothing is said.
    pub fn new<'g>(groups: impl Iterator<Item = &'g Group>) -> Option<Self> {
        let (person, group) = (EntityTypeName::from_str("Person").ok()?, EntityTypeName::from_str("Group").ok()?);
        let anybody = EntityUid::from_type_name_and_id(person, EntityId::new("anybody"));
        let action = EntityUid::from_str("Action::\"ask\"").ok()?;
        let mut entities = Vec::new();
        let mut requests = Vec::new();
        for g in groups {
            let entity = super::evaluate::resource(&group, g)?;
            requests.push(Request::new(anybody.clone(), action.clone(), entity.uid(), Context::empty(), None).ok()?);
            entities.push(entity);
        }
        let entities = Entities::from_entities(entities, None).ok()?;
        (!requests.is_empty()).then_some(Self { entities, requests })
    }

    /// Whether what a guardrail says of the group alone holds for any. What it says of people or of the asking is left out,
    /// so the answer is no only where no person and no request could matter.
    fn reached_by(&self, policy: &Policy) -> bool {
        let Ok(mut json) = policy.to_json() else { return true };
        let of_group: Vec<serde_json::Value> = super::lengths::parts(&json).into_iter().filter(|p| reads_only_the_group(p)).cloned().collect();
        let conditions: Vec<serde_json::Value> = of_group.into_iter().map(|body| serde_json::json!({ "kind": "when", "body": body })).collect();
        if conditions.is_empty() {
            return true;
        }
        json["conditions"] = serde_json::Value::Array(conditions);
        let Ok(reduced) = Policy::from_json(None, json).and_then(|p| Ok(PolicySet::from_policies([p]).unwrap_or_default())) else { return true };
        let authorizer = Authorizer::new();
        self.requests.iter().any(|request| {
            let response = authorizer.is_authorized(request, &reduced, &self.entities);
            let diagnostics = response.diagnostics();
            diagnostics.reason().next().is_some() || diagnostics.errors().next().is_some()
        })
    }
}

/// Whether an expression reads `resource`, or nothing at all.
fn reads_only_the_group(expression: &serde_json::Value) -> bool {
    let mut open = vec![expression];
    while let Some(value) = open.pop() {
        match value {
            serde_json::Value::Array(items) => open.extend(items),
            serde_json::Value::Object(fields) => {
                if fields.get("Var").is_some_and(|v| v.as_str() != Some("resource")) {
                    return false;
                }
                open.extend(fields.values());
            }
            _ => {}
        }
    }
    true
}

/// Names of groups in `context.holds.contains("x")` and `resource.id == "x"`.
fn groups_named(json: &serde_json::Value) -> Vec<String> {
    let is = |value: &serde_json::Value, var: &str, attr: &str| {
        value.pointer("/./left/Var").and_then(|v| v.as_str()) == Some(var) && value.pointer("/./attr").and_then(|v| v.as_str()) == Some(attr)
    };
    let text = |value: &serde_json::Value| value.get("Value").and_then(|v| v.as_str()).map(str::to_owned);
    let mut found = Vec::new();
    let mut open = vec![json];
    while let Some(value) = open.pop() {
        if let Some(call) = value.get("contains")
            && let (Some(left), Some(right)) = (call.get("left"), call.get("right"))
            && is(left, "context", "holds")
        {
            found.extend(text(right));
        }
        if let Some(equal) = value.get("==")
            && let (Some(left), Some(right)) = (equal.get("left"), equal.get("right"))
        {
            if is(left, "resource", "id") {
                found.extend(text(right));
            } else if is(right, "resource", "id") {
                found.extend(text(left));
            }
        }
        match value {
            serde_json::Value::Array(items) => open.extend(items),
            serde_json::Value::Object(fields) => open.extend(fields.values()),
            _ => {}
        }
    }
    found
}

