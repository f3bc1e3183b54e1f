//! Cedar: the schema, conditions, guardrails, and their evaluation. No other room sees these types.

use std::{cell::RefCell, collections::{BTreeMap, HashSet}, ops::Range, str::FromStr};

use cedar_policy::{
    Authorizer, Context, Entities, Entity, EntityId, EntityTypeName, EntityUid, EvalResult, Expression, Policy, PolicyId, PolicySet,
    Request, RestrictedExpression, Schema, ValidationMode, Validator,
};
use miette::Diagnostic;

use super::{lengths::{self, Lengths}, reader::{Reader, nearest}};
use crate::domain::{
    decision::Inquiry,
    group::{AttributeType, AttributeTypes, Group},
    id::{GroupId, PersonId},
    person::{AttributeValue, Subject},
    time::Time,
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
    whole: Expression,
    parts: Vec<(String, Expression)>,
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
    let parts = conjuncts(text).into_iter().filter_map(|part| Some((part.to_owned(), Expression::from_str(part).ok()?))).collect();
    sound.then_some(Condition { whole, parts, lengths })
}

/// Compiles a condition that was checked before: one copied onto a request.
pub(super) fn checked_condition(text: &str) -> Option<Condition> {
    if too_much(text).is_some() {
        return None;
    }
    Some(Condition { whole: Expression::from_str(text).ok()?, parts: Vec::new(), lengths: Lengths::default() })
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

fn type_name(name: &str) -> Option<EntityTypeName> {
    EntityTypeName::from_str(name).ok()
}

fn uid(kind: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id))
}

fn texts<'t>(texts: impl IntoIterator<Item = &'t str>) -> RestrictedExpression {
    RestrictedExpression::new_set(texts.into_iter().map(|t| RestrictedExpression::new_string(t.to_owned())))
}

/// People and groups as Cedar knows them, and the guardrails: made once a snapshot.
pub(super) struct Facts {
    entities: Entities,
    guardrails: PolicySet,
    authorizer: Authorizer,
    person: EntityTypeName,
    group: EntityTypeName,
    action: EntityUid,
    /// Who has an entity: `has` on an unknown entity is false, not an error, and would let a guardrail pass.
    people: HashSet<PersonId>,
}

/// One inquiry, ready to be evaluated.
pub(super) struct Asked<'f> {
    facts: &'f Facts,
    request: Request,
}

/// A guardrail's verdict.
pub(super) struct Verdicts {
    /// Ids of those that forbid.
    pub forbidding: Vec<String>,
    /// Ids of those that could not be evaluated, with the error.
    pub failed: Vec<(String, String)>,
}

impl Facts {
    /// Makes entities of people and groups. A person that cannot be made is left out: their decisions fail, and so deny.
    pub fn new<'a>(people: impl IntoIterator<Item = Subject<'a>>, groups: &BTreeMap<GroupId, Group>, guardrails: &[Policy]) -> Option<Self> {
        let (person, group) = (type_name("Person")?, type_name("Group")?);
        let action = EntityUid::from_str("Action::\"ask\"").ok()?;
        let mut known = HashSet::new();
        let mut entities = Vec::new();
        for subject in people {
            if let Some(entity) = principal(&person, subject) {
                known.insert(subject.person.id.clone());
                entities.push(entity);
            }
        }
        for g in groups.values() {
            entities.push(resource(&group, g)?);
        }
        let entities = Entities::from_entities(entities, None).ok()?;
        let guardrails = PolicySet::from_policies(guardrails.iter().cloned()).ok()?;
        Some(Self { entities, guardrails, authorizer: Authorizer::new(), person, group, action, people: known })
    }

    /// Prepares an inquiry. None when its context cannot be made.
    pub fn ask(&self, inquiry: &Inquiry<'_>, zone: &jiff::tz::TimeZone) -> Option<Asked<'_>> {
        if !self.people.contains(&inquiry.subject.person.id) {
            return None;
        }
        let (hour, weekday) = inquiry.now.hour_and_weekday(zone);
        let long = |n: i64| RestrictedExpression::new_long(n);
        let pairs = [
            ("duration_hours", long(i64::from(inquiry.duration.hours_rounded_up()))),
            ("duration_minutes", long(i64::from(inquiry.duration.minutes_rounded_up()))),
            ("has_justification", RestrictedExpression::new_bool(inquiry.has_justification)),
            ("break_glass", RestrictedExpression::new_bool(inquiry.break_glass)),
            ("now", datetime(inquiry.now)),
            ("hour", long(i64::from(hour))),
            ("weekday", long(i64::from(weekday))),
            ("holds", texts(inquiry.holds.iter().map(GroupId::as_str))),
        ];
        let context = Context::from_pairs(pairs.map(|(k, v)| (k.to_owned(), v))).ok()?;
        let principal = uid(&self.person, inquiry.subject.person.id.as_str());
        let resource = uid(&self.group, inquiry.group.as_str());
        let request = Request::new(principal, self.action.clone(), resource, context, None).ok()?;
        Some(Asked { facts: self, request })
    }
}

thread_local! {
    static LAST_INSTANT: RefCell<Option<(Time, RestrictedExpression)>> = const { RefCell::new(None) };
}

/// An instant as Cedar's `datetime`. Making one runs Cedar's parser, and all inquiries of a batch are of one instant: the
/// last is remembered.
fn datetime(at: Time) -> RestrictedExpression {
    LAST_INSTANT.with_borrow_mut(|last| match last {
        Some((instant, made)) if *instant == at => made.clone(),
        _ => {
            let made = RestrictedExpression::new_datetime(at.timestamp().strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string());
            *last = Some((at, made.clone()));
            made
        }
    })
}

fn named<const N: usize>(pairs: [(&str, RestrictedExpression); N]) -> std::collections::HashMap<String, RestrictedExpression> {
    pairs.into_iter().map(|(k, v)| (k.to_owned(), v)).collect()
}

/// A group as guardrails read it.
pub(super) fn resource(kind: &EntityTypeName, g: &Group) -> Option<Entity> {
    let owners: Vec<String> = g.owner.iter().map(ToString::to_string).collect();
    let attributes = [
        ("id", RestrictedExpression::new_string(g.id.to_string())),
        ("sensitivity", RestrictedExpression::new_string(g.sensitivity.as_str().to_owned())),
        ("tags", texts(g.tags.iter().map(String::as_str))),
        ("owner", texts(owners.iter().map(String::as_str))),
    ];
    Entity::new(uid(kind, g.id.as_str()), named(attributes), HashSet::new()).ok()
}

fn principal(kind: &EntityTypeName, subject: Subject<'_>) -> Option<Entity> {
    let p = subject.person;
    let text = |value: Option<&str>| RestrictedExpression::new_string(value.unwrap_or_default().to_owned());
    let mut attributes = named([
        ("id", text(Some(p.id.as_str()))),
        ("team", text(p.team.as_ref().map(|t| t.as_str()))),
        ("teams", texts(subject.teams.iter().map(|t| t.as_str()))),
        ("employment", text(p.employment.as_deref())),
        ("location", text(p.location.as_deref())),
        ("title", text(p.title.as_deref())),
        ("manager", text(p.manager.as_ref().map(|m| m.as_str()))),
    ]);
    for (name, value) in &p.attributes {
        if BUILT_IN.contains(&name.as_str()) {
            continue;
        }
        let value = match value {
            AttributeValue::Bool(yes) => RestrictedExpression::new_bool(*yes),
            AttributeValue::Long(number) => RestrictedExpression::new_long(*number),
            AttributeValue::Text(text) => RestrictedExpression::new_string(text.clone()),
            AttributeValue::Set(set) => texts(set.iter().map(String::as_str)),
        };
        attributes.insert(name.clone(), value);
    }
    Entity::new(uid(kind, p.id.as_str()), attributes, HashSet::new()).ok()
}

impl Asked<'_> {
    /// Evaluates every guardrail. An error in one forbids: Cedar itself would skip it.
    pub fn guardrails(&self) -> Verdicts {
        let response = self.facts.authorizer.is_authorized(&self.request, &self.facts.guardrails, &self.facts.entities);
        let mut forbidding: Vec<String> = response.diagnostics().reason().map(ToString::to_string).collect();
        forbidding.sort();
        let mut failed: Vec<(String, String)> = response
            .diagnostics()
            .errors()
            .map(|cedar_policy::AuthorizationError::PolicyEvaluationError(e)| (e.policy_id().to_string(), e.inner().to_string()))
            .collect();
        failed.sort();
        Verdicts { forbidding, failed }
    }

    /// Evaluates a condition.
    pub fn holds(&self, condition: &Condition) -> Result<bool, String> {
        self.evaluate(&condition.whole)
    }

    /// The first conjunct that does not hold, as written.
    pub fn failing_part<'c>(&self, condition: &'c Condition) -> Option<&'c str> {
        condition.parts.iter().find(|(_, part)| self.evaluate(part) != Ok(true)).map(|(text, _)| text.as_str())
    }

    fn evaluate(&self, expression: &Expression) -> Result<bool, String> {
        match cedar_policy::eval_expression(&self.request, &self.facts.entities, expression) {
            Ok(EvalResult::Bool(holds)) => Ok(holds),
            Ok(_) => Err("the condition is neither true nor false".to_owned()),
            Err(error) => Err(error.to_string().replace('\n', ", ")),
        }
    }
}
