//! Cedar: the schema, conditions and guardrails, compiled; `evaluate` puts them to people. No other room sees these types.

use std::{ops::Range, str::FromStr};

use cedar_policy::{Expression, Policy, PolicyId, PolicySet, Schema, ValidationMode, Validator};
use miette::Diagnostic;

use super::{lengths::{self, Lengths}, reader::{Reader, nearest}};
use crate::domain::{
    group::{AttributeType, AttributeTypes},
};

/// Attributes that every person has; declared ones may not use these names.
pub(super) const BUILT_IN: &[&str] = &["id", "team", "teams", "employment", "location", "title", "manager"];

/// Cedar's parser recurses: text nested deeper than this is refused before it is parsed (security.md, 2.25).
const MAX_NESTING: usize = 32;
/// The most letters of operators (`&&` has two) in one condition or guardrail: a chain is a tree as deep as it is long, and
/// letting go of a tree recurses as well.
const MAX_OPERATORS: usize = 400;
/// The longest condition or guardrail file, in bytes.
const MAX_BYTES: usize = 65_536;

/// The schema for the declared attributes.
pub(super) fn schema(attributes: &AttributeTypes) -> Option<Schema> {
    let declared: String = attributes
        .iter()
        .map(|(name, kind)| {
            let kind = match kind {
                AttributeType::String => "String",
                AttributeType::Long => "Long",
                AttributeType::Bool => "Bool",
                AttributeType::Set => "Set<String>",
            };
            format!(", {name}?: {kind}")
        })
        .collect();
    let text = format!(
        "entity Person = {{ id: String, team: String, teams: Set<String>, employment: String, location: String, title: String, manager: String{declared} }};
         entity Group = {{ id: String, sensitivity: String, tags: Set<String>, owner: Set<String> }};
         action ask appliesTo {{ principal: [Person], resource: [Group], context: {{
             duration_hours: Long, duration_minutes: Long, has_justification: Bool, break_glass: Bool,
             now: datetime, hour: Long, weekday: Long, holds: Set<String> }} }};"
    );
    Schema::from_cedarschema_str(&text).ok().map(|(schema, _)| schema)
}

/// What checks conditions and guardrails against it: made once a set, since it holds the whole schema.
pub(super) fn validator(attributes: &AttributeTypes) -> Option<Validator> {
    schema(attributes).map(Validator::new)
}

/// Why a text is not parsed at all, if it is not.
pub(super) fn too_much(text: &str) -> Option<(Range<usize>, String)> {
    if text.len() > MAX_BYTES {
        return Some((0..1, format!("this is {} bytes long; at most {MAX_BYTES} are read", text.len())));
    }
    let (mut depth, mut negations, mut branches, mut operators) = (0_usize, 0_usize, 0_usize, 0_usize);
    let mut letters = text.char_indices().peekable();
    while let Some((at, letter)) = letters.next() {
        let whole = at..at + letter.len_utf8();
        match letter {
            // A quotation mark in a comment begins no text, and a bracket in one opens nothing.
            '/' if letters.peek().is_some_and(|(_, next)| *next == '/') => while letters.next().is_some_and(|(_, l)| l != '\n' && l != '\r') {},
            '"' => {
                negations = 0;
                while let Some((_, inner)) = letters.next() {
                    match inner {
                        '\\' => drop(letters.next()),
                        '"' => break,
                        _ => {}
                    }
                }
            }
            '(' | '[' | '{' => {
                (depth, negations) = (depth + 1, 0);
                if depth > MAX_NESTING {
                    return Some((whole, format!("brackets are nested deeper than {MAX_NESTING}")));
                }
            }
            ')' | ']' | '}' => (depth, negations) = (depth.saturating_sub(1), 0),
            '!' | '-' => {
                negations += 1;
                if negations > MAX_NESTING {
                    return Some((whole, format!("more than {MAX_NESTING} negations in a row")));
                }
            }
            'i' if text.get(at..).is_some_and(|rest| rest.starts_with("if ") || rest.starts_with("if(") || rest.starts_with("if\n")) => {
                (branches, negations) = (branches + 1, 0);
                if branches > MAX_NESTING {
                    return Some((whole, format!("more than {MAX_NESTING} times `if`")));
                }
            }
            '&' | '|' | '+' | '*' | '.' => {
                (operators, negations) = (operators + 1, 0);
                if operators > MAX_OPERATORS {
                    return Some((whole, format!("more than {MAX_OPERATORS} letters of operators (`&&` has two)")));
                }
            }
            // The next guardrail of the file.
            ';' => (negations, branches, operators) = (0, 0, 0),
            gap if gap.is_whitespace() => {}
            _ => negations = 0,
        }
    }
    None
}

pub(super) fn place(error: &dyn Diagnostic) -> Option<Range<usize>> {
    let label = error.labels()?.next()?;
    Some(label.offset()..label.offset() + label.len())
}

pub(super) fn told(error: &dyn Diagnostic) -> (String, Option<String>) {
    let message = error.to_string().replace('\n', ", ");
    (message, error.help().map(|h| h.to_string()))
}

/// What the validator says, in the words of policy files.
pub(super) fn plain_words(message: &str, help: Option<String>) -> (String, Option<String>) {
    const OPTIONAL: &str = "unable to guarantee safety of access to optional attribute `";
    match message.strip_prefix(OPTIONAL).and_then(|rest| rest.split_once('`')) {
        Some((name, _)) => (format!("some people have no `{name}`"), Some(format!("ask for it first: principal has {name} && principal.{name} ..."))),
        None => unknown_attribute(message, help.as_deref()).unwrap_or_else(|| (message.to_owned(), help)),
    }
}

/// "attribute `x` on entity type `Person` not found".
fn unknown_attribute(message: &str, help: Option<&str>) -> Option<(String, Option<String>)> {
    let (name, rest) = message.strip_prefix("attribute `")?.split_once('`')?;
    let person = rest.contains("`Person`");
    if !person && !rest.contains("`Group`") {
        return None;
    }
    // The validator suggests the nearest, however far.
    let near = help.and_then(|h| h.strip_prefix("did you mean `")?.split_once('`')).and_then(|(word, _)| nearest(name, [word]));
    let help = match near {
        Some(near) => format!("did you mean `{near}`?"),
        None if person => format!("people have {}; declare `{name}` in attributes.toml with its type", BUILT_IN.join(", ")),
        None => "groups have id, sensitivity, tags, owner".to_owned(),
    };
    Some((format!("{} have no attribute `{name}`", if person { "people" } else { "groups" }), Some(help)))
}

/// A condition, compiled, with its top-level conjuncts for saying which of them failed.
#[derive(Debug, Clone)]
pub(super) struct Condition {
    pub whole: Expression,
    pub parts: Vec<(String, Expression)>,
    /// Which lengths of time it lets anybody ask for, as far as its conjuncts say so.
    pub lengths: Lengths,
}

/// Compiles a `when` that stands at `at` in the reader's file. It is parsed alone, as one expression, so nothing in it can
/// close a brace or begin another policy; only then is a policy made around it, and only to check its types.
pub(super) fn condition(reader: &mut Reader<'_>, text: &str, at: &Range<usize>, validator: &Validator) -> Option<Condition> {
    let within = |inner: Range<usize>| inner_span(reader.text, at, text, inner);
    if let Some((inner, message)) = too_much(text) {
        let span = within(inner);
        reader.tell(span, "BP031", message, Some("write a shorter condition, or two rules".to_owned()));
        return None;
    }
    let whole = match Expression::from_str(text) {
        Ok(expression) => expression,
        Err(errors) => {
            let first = errors.iter().next();
            let (message, help) = first.map_or_else(|| told(&errors), |e| told(e));
            let span = within(first.and_then(|e| place(e)).unwrap_or(0..text.len()));
            let help = help.or_else(|| Some("`when` is one Cedar expression, like principal.employment == \"permanent\"".to_owned()));
            reader.tell(span, "BP030", format!("the condition cannot be read: {message}"), help);
            return None;
        }
    };
    const BEFORE: &str = "permit (principal, action, resource) when {\n";
    let parsed = Policy::parse(Some(PolicyId::new("when")), format!("{BEFORE}{text}\n}};")).ok();
    let lengths = parsed.as_ref().and_then(|p| p.to_json().ok()).map_or_else(Lengths::default, |json| lengths::read(&json));
    let Some(policies) = parsed.and_then(|policy| PolicySet::from_policies([policy]).ok()) else {
        reader.tell(at.clone(), "BP030", "the condition cannot be read as part of a rule", None);
        return None;
    };
    let outcome = validator.validate(&policies, ValidationMode::Strict);
    let mut sound = true;
    for error in outcome.validation_errors() {
        sound = false;
        let (message, help) = told(error);
        let (message, help) = plain_words(&message.replace("for policy `when`, ", ""), help);
        let span = place(error).map_or(0..text.len(), |r| r.start.saturating_sub(BEFORE.len())..r.end.saturating_sub(BEFORE.len()));
        let span = within(span);
        reader.tell(span, "BP032", format!("the condition does not fit the schema: {message}"), help);
    }
    sound.then(|| Condition { whole, parts: parts_of(text), lengths })
}

fn parts_of(text: &str) -> Vec<(String, Expression)> {
    conjuncts(text).into_iter().filter_map(|part| Some((part.to_owned(), Expression::from_str(part).ok()?))).collect()
}

/// Compiles a condition that was checked before: one copied onto a request.
pub(super) fn checked_condition(text: &str) -> Option<Condition> {
    if too_much(text).is_some() {
        return None;
    }
    Some(Condition { whole: Expression::from_str(text).ok()?, parts: Vec::new(), lengths: Lengths::default() })
}

/// The same with its conjuncts, for saying which of them failed.
pub(super) fn condition_with_parts(text: &str) -> Option<Condition> {
    Some(Condition { parts: parts_of(text), ..checked_condition(text)? })
}

/// Where a part of a text lies in the TOML file, if its string is written without escapes; else the whole string.
fn inner_span(file: &str, at: &Range<usize>, text: &str, inner: Range<usize>) -> Range<usize> {
    let raw = file.get(at.clone()).unwrap_or_default();
    match raw.find(text) {
        Some(offset) if !text.is_empty() => at.start + offset + inner.start..at.start + offset + inner.end.max(inner.start + 1),
        _ => at.clone(),
    }
}

/// The parts of `a && b && c` at the top level; one part when there is an `||` or an `if` there.
fn conjuncts(text: &str) -> Vec<&str> {
    let bytes = text.as_bytes();
    let (mut depth, mut in_text, mut escaped, mut from) = (0_i32, false, false, 0);
    let mut parts = Vec::new();
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            _ if in_text => {}
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth -= 1,
            b'|' if depth == 0 => return vec![text],
            b'&' if depth == 0 && bytes.get(at + 1) == Some(&b'&') => {
                parts.extend(text.get(from..at));
                from = at + 2;
            }
            _ => {}
        }
    }
    parts.extend(text.get(from..));
    let parts: Vec<&str> = parts.into_iter().map(str::trim).collect();
    if parts.iter().any(|p| p.starts_with("if ")) { vec![text] } else { parts }
}
