//! Evaluation: compiled conditions and guardrails put to a person, a group and a request.

use std::{borrow::Cow, cell::RefCell, collections::{BTreeMap, HashMap, HashSet}, str::FromStr, sync::Arc};

use cedar_policy::{
    Authorizer, Context, Entities, Entity, EntityId, EntityTypeName, EntityUid, EvalResult, Expression, Policy, PolicySet, Request,
    RestrictedExpression,
};

use super::cedar::{BUILT_IN, Condition};
use crate::domain::{
    decision::Inquiry,
    explanation::Holds,
    group::Group,
    id::{GroupId, PersonId},
    person::{AttributeValue, Subject},
    time::Time,
};

fn type_name(name: &str) -> Option<EntityTypeName> {
    EntityTypeName::from_str(name).ok()
}

fn uid(kind: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id))
}

fn texts<'t>(texts: impl IntoIterator<Item = &'t str>) -> RestrictedExpression {
    RestrictedExpression::new_set(texts.into_iter().map(|t| RestrictedExpression::new_string(t.to_owned())))
}

/// How many changed people are kept beside the others before all are joined again: a directory that is fed one by one must
/// not cost everybody each time.
const MOST_CHANGED: usize = 512;

/// People and groups as Cedar knows them, and the guardrails: made once a snapshot, or from those of the snapshot before.
pub(super) struct Facts {
    entities: Arc<Entities>,
    guardrails: Arc<PolicySet>,
    authorizer: Authorizer,
    person: EntityTypeName,
    group: EntityTypeName,
    action: EntityUid,
    /// Who has an entity: `has` on an unknown entity is false, not an error, and would let a guardrail pass.
    people: Arc<HashSet<PersonId>>,
    /// People who are new or different since `entities` were joined; none for one who has no entity now.
    changed: HashMap<PersonId, Option<Arc<Entity>>>,
    /// Some condition or guardrail names a person or group of its own, like `Person::"ann"`.
    names_entities: bool,
}

/// One inquiry, ready to be evaluated.
pub(super) struct Asked<'f> {
    facts: &'f Facts,
    entities: Cow<'f, Entities>,
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
        let conditions = groups.values().flat_map(|g| &g.rules).filter_map(|r| r.when.as_deref());
        let names_entities = conditions.map(str::to_owned).chain(guardrails.iter().map(ToString::to_string)).any(|text| text.contains("::"));
        let guardrails = PolicySet::from_policies(guardrails.iter().cloned()).ok()?;
        let (entities, guardrails, people) = (Arc::new(entities), Arc::new(guardrails), Arc::new(known));
        Some(Self { entities, guardrails, authorizer: Authorizer::new(), person, group, action, people, changed: HashMap::new(), names_entities })
    }

    /// The same after these people have changed. None when their entities cannot be joined.
    pub fn with_changed<'a>(&self, people: impl IntoIterator<Item = Subject<'a>>) -> Option<Self> {
        let mut next = Self {
            entities: Arc::clone(&self.entities),
            guardrails: Arc::clone(&self.guardrails),
            authorizer: Authorizer::new(),
            person: self.person.clone(),
            group: self.group.clone(),
            action: self.action.clone(),
            people: Arc::clone(&self.people),
            changed: self.changed.clone(),
            names_entities: self.names_entities,
        };
        for subject in people {
            next.changed.insert(subject.person.id.clone(), principal(&self.person, subject).map(Arc::new));
        }
        // A policy that names others wants them all in one place.
        if next.names_entities || next.changed.len() > MOST_CHANGED {
            let known = Arc::make_mut(&mut next.people);
            let mut entities = Vec::with_capacity(next.changed.len());
            for (id, entity) in next.changed.drain() {
                match entity {
                    Some(entity) => {
                        known.insert(id);
                        entities.push(Entity::clone(&entity));
                    }
                    None => {
                        known.remove(&id);
                    }
                }
            }
            next.entities = Arc::new(Entities::clone(&next.entities).upsert_entities(entities, None).ok()?);
        }
        Some(next)
    }

    /// Prepares an inquiry. None when its context cannot be made.
    pub fn ask(&self, inquiry: &Inquiry<'_>, zone: &jiff::tz::TimeZone) -> Option<Asked<'_>> {
        if let Some(changed) = self.changed.get(&inquiry.subject.person.id) {
            let person = Entity::clone(changed.as_deref()?);
            return Some(Asked { facts: self, entities: Cow::Owned(self.alone(person, inquiry)?), request: self.request(inquiry, zone)? });
        }
        if !self.people.contains(&inquiry.subject.person.id) {
            return None;
        }
        Some(Asked { facts: self, entities: Cow::Borrowed(&self.entities), request: self.request(inquiry, zone)? })
    }

    /// Prepares an inquiry about a person as they would be: the subject's own facts stand in for what is known of them.
    pub fn suppose(&self, inquiry: &Inquiry<'_>, zone: &jiff::tz::TimeZone) -> Option<Asked<'_>> {
        let person = principal(&self.person, inquiry.subject)?;
        let entities = if self.names_entities { Entities::clone(&self.entities).upsert_entities([person], None).ok()? } else { self.alone(person, inquiry)? };
        Some(Asked { facts: self, entities: Cow::Owned(entities), request: self.request(inquiry, zone)? })
    }

    /// A person and the group that is asked for: two entities are all that a policy reads, unless its text names others.
    fn alone(&self, person: Entity, inquiry: &Inquiry<'_>) -> Option<Entities> {
        let group = self.entities.get(&uid(&self.group, inquiry.group.as_str())).cloned();
        Entities::from_entities(std::iter::once(person).chain(group), None).ok()
    }

    fn request(&self, inquiry: &Inquiry<'_>, zone: &jiff::tz::TimeZone) -> Option<Request> {
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
        Request::new(principal, self.action.clone(), resource, context, None).ok()
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
        let response = self.facts.authorizer.is_authorized(&self.request, &self.facts.guardrails, &self.entities);
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

    /// Every conjunct as written, and whether it holds. What fails behind one that does not hold was never to be read. None
    /// when the conjuncts do not add up to the whole, which a comment inside the text could bring about.
    pub fn parts<'c>(&self, condition: &'c Condition) -> Option<Vec<(&'c str, Result<Holds, String>)>> {
        let mut stopped: Option<Result<bool, ()>> = None;
        let mut found = Vec::with_capacity(condition.parts.len());
        for (text, part) in &condition.parts {
            let holds = match self.evaluate(part) {
                Ok(true) => Ok(Holds::Yes),
                Ok(false) => Ok(Holds::No),
                Err(_) if stopped.is_some() => Ok(Holds::Unread),
                Err(error) => Err(error),
            };
            stopped = stopped.or(match &holds {
                Ok(Holds::No) => Some(Ok(false)),
                Err(_) => Some(Err(())),
                Ok(_) => None,
            });
            found.push((text.as_str(), holds));
        }
        let whole = self.holds(condition).map_err(|_| ());
        (whole == stopped.unwrap_or(Ok(true))).then_some(found)
    }

    fn evaluate(&self, expression: &Expression) -> Result<bool, String> {
        match cedar_policy::eval_expression(&self.request, &self.entities, expression) {
            Ok(EvalResult::Bool(holds)) => Ok(holds),
            Ok(_) => Err("the condition is neither true nor false".to_owned()),
            Err(error) => Err(error.to_string().replace('\n', ", ")),
        }
    }
}
