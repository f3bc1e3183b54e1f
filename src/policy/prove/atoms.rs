//! What an expression can tell apart: the attributes it reads, and the constants it compares them with.
//!
//! Recognised are `&&`, `||`, `!`, `if`, `has`, an attribute as a condition, an attribute compared with a constant, and
//! membership of constants in a set. The truth of anything built from these depends on nothing else, so one value for each
//! way of answering them stands for all values. Everything else is handed back as not recognised.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::{Policy, PolicyId};
use serde_json::{Value, json};

/// How one attribute is read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Reading {
    /// Texts it is compared with, or asked to contain.
    pub texts: BTreeSet<String>,
    /// Numbers it is compared with.
    pub numbers: BTreeSet<i64>,
    /// Whether members beside the named ones matter: `isEmpty`, and sets that must contain all of it.
    pub others_matter: bool,
}

/// Attributes by variable and name, like `("principal", "employment")`.
pub(super) type Atoms = BTreeMap<(String, String), Reading>;

/// What a policy reads.
///
/// # Errors
/// The first expression that is outside what is recognised, as Cedar text. What was read before it is kept.
pub(super) fn of_policy(policy: &Policy, atoms: &mut Atoms) -> Result<(), String> {
    let json = policy.to_json().map_err(|e| e.to_string())?;
    let conditions = json.get("conditions").and_then(Value::as_array).cloned().unwrap_or_default();
    for condition in &conditions {
        let body = condition.get("body").unwrap_or(&Value::Null);
        collect(body, atoms).map_err(|outside| as_cedar(&outside))?;
    }
    Ok(())
}

/// What a condition reads; see [`of_policy`].
pub(super) fn of_condition(text: &str, atoms: &mut Atoms) -> Result<(), String> {
    let source = format!("permit (principal, action, resource) when {{\n{text}\n}};");
    let policy = Policy::parse(Some(PolicyId::new("claim")), source).map_err(|e| e.to_string())?;
    of_policy(&policy, atoms)
}

/// An expression as Cedar writes it.
fn as_cedar(body: &Value) -> String {
    let all = json!({ "op": "All" });
    let whole = json!({ "effect": "permit", "principal": all, "action": all, "resource": all, "conditions": [{ "kind": "when", "body": body }] });
    let text = Policy::from_json(None, whole).map(|p| p.to_string()).unwrap_or_else(|_| body.to_string());
    let inner = text.split_once("when {").and_then(|(_, rest)| rest.rsplit_once('}')).map_or(text.as_str(), |(inner, _)| inner);
    inner.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn part<'v>(value: &'v Value, operator: &str, name: &str) -> Option<&'v Value> {
    value.get(operator)?.get(name)
}

fn attribute(value: &Value) -> Option<(String, String)> {
    let variable = part(value, ".", "left")?.get("Var")?.as_str()?;
    Some((variable.to_owned(), part(value, ".", "attr")?.as_str()?.to_owned()))
}

fn text(value: &Value) -> Option<String> {
    value.get("Value")?.as_str().map(str::to_owned)
}

fn number(value: &Value) -> Option<i64> {
    match part(value, "neg", "arg") {
        Some(inner) => number(inner)?.checked_neg(),
        None => value.get("Value")?.as_i64(),
    }
}

fn texts(value: &Value) -> Option<Vec<String>> {
    value.get("Set")?.as_array()?.iter().map(text).collect()
}

/// Walks an expression that is true or false; hands back what it does not recognise.
fn collect(value: &Value, atoms: &mut Atoms) -> Result<(), Value> {
    let outside = || value.clone();
    let (operator, body) = value.as_object().and_then(|o| o.iter().next()).ok_or_else(outside)?;
    let side = |name: &str| body.get(name).ok_or_else(outside);
    match operator.as_str() {
        "Value" if body.is_boolean() => Ok(()),
        "." => {
            atoms.entry(attribute(value).ok_or_else(outside)?).or_default();
            Ok(())
        }
        "!" => collect(side("arg")?, atoms),
        "&&" | "||" => {
            collect(side("left")?, atoms)?;
            collect(side("right")?, atoms)
        }
        "if-then-else" => {
            collect(side("if")?, atoms)?;
            collect(side("then")?, atoms)?;
            collect(side("else")?, atoms)
        }
        "has" => {
            let variable = side("left")?.get("Var").and_then(Value::as_str).ok_or_else(outside)?;
            let name = side("attr")?.as_str().ok_or_else(outside)?;
            atoms.entry((variable.to_owned(), name.to_owned())).or_default();
            Ok(())
        }
        "==" | "!=" | "<" | "<=" | ">" | ">=" => {
            let (left, right) = (side("left")?, side("right")?);
            let (field, constant) = match (attribute(left), attribute(right)) {
                (Some(field), None) => (field, right),
                (None, Some(field)) => (field, left),
                _ => return Err(outside()),
            };
            let (as_text, as_number) = (text(constant), number(constant));
            let truth = constant.get("Value").is_some_and(Value::is_boolean);
            if as_text.is_none() && as_number.is_none() && !truth {
                return Err(outside());
            }
            let reading = atoms.entry(field).or_default();
            reading.texts.extend(as_text);
            reading.numbers.extend(as_number);
            Ok(())
        }
        "contains" | "containsAll" | "containsAny" => {
            let (left, right) = (side("left")?, side("right")?);
            let (field, constants, others_matter) = match (attribute(left), attribute(right)) {
                (Some(field), None) if operator == "contains" => (field, text(right).map(|t| vec![t]), false),
                (Some(field), None) => (field, texts(right), false),
                (None, Some(field)) => (field, texts(left), operator == "containsAll"),
                _ => return Err(outside()),
            };
            let constants = constants.ok_or_else(outside)?;
            let reading = atoms.entry(field).or_default();
            reading.texts.extend(constants);
            reading.others_matter |= others_matter;
            Ok(())
        }
        "isEmpty" => {
            let field = attribute(side("arg")?).ok_or_else(outside)?;
            atoms.entry(field).or_default().others_matter = true;
            Ok(())
        }
        _ => Err(outside()),
    }
}
