//! Claims put to an SMT solver, by Cedar's symbolic compiler: it proves what cannot be enumerated (`like`, arithmetic, dates,
//! one attribute compared with another). Compiled only with the feature `symbolic`; the one place of this room that waits for
//! another program.
//!
//! The question is whether guardrails and conflicts deny whatever the claim describes. Cedar skips a guardrail that cannot be
//! evaluated where the service lets it forbid, a rule is taken to give even where one above it decides, and `who` words that
//! need people are taken to hold: the solver then sees more allowed than is, so "nobody" is a proof. A person it finds is only
//! believed when the real engine does not deny them.

use std::{collections::BTreeSet, path::Path, time::Duration as Wait};

use cedar_policy::{EvalResult, Policy, PolicyId, Schema};
use cedar_policy_symcc::{CedarSymCompiler, CompiledPolicySet, Env, err::Error, solver::LocalSolver};
use serde_json::Value;

use super::{Answer, Case, Proof, Trial, axes::{Axis, DURATION, Fact, Fresh}, engine, named, open_group};
use crate::{
    domain::{
        decision::Effect,
        duration::Duration,
        group::{AttributeType, AttributeTypes, Group, Then, Who},
        id::{GroupId, PersonId, TeamId},
    },
    policy::{PolicySet, cedar, prove::Claim},
};

/// How long one question may take.
const PATIENCE: Wait = Wait::from_secs(60);

/// What holds of every request, in Cedar.
fn always() -> String {
    format!(
        "1 <= context.duration_minutes && context.duration_minutes <= {} &&
         context.duration_minutes <= context.duration_hours * 60 && context.duration_hours * 60 < context.duration_minutes + 60 &&
         0 <= context.hour && context.hour <= 23 && 1 <= context.weekday && context.weekday <= 7 &&
         [\"public\", \"internal\", \"confidential\", \"restricted\"].contains(resource.sensitivity) &&
         !(context.holds.contains(resource.id))",
        Duration::MAX.minutes_rounded_up()
    )
}

fn quoted(word: &str) -> String {
    format!("{word:?}")
}

fn list<'w>(words: impl IntoIterator<Item = &'w String>) -> String {
    format!("[{}]", words.into_iter().map(|w| quoted(w)).collect::<Vec<_>>().join(", "))
}

/// What keeps a counter-example to words that ids may have; it is no part of a proof.
fn sayable(words: &BTreeSet<String>, fresh: &Fresh, one_group: bool) -> String {
    let ids = |may: fn(&str) -> bool, another: &[&String]| words.iter().filter(|w| may(w)).chain(another.iter().copied()).cloned().collect::<BTreeSet<String>>();
    let people = ids(|w| PersonId::parse(w).is_ok(), &[&fresh.word]);
    let teams = ids(|w| TeamId::parse(w).is_ok(), &[&fresh.word]);
    let groups = ids(|w| GroupId::parse(w).is_ok(), &[&fresh.group, &fresh.word]);
    let owners = ids(|w| w.parse::<Who>().is_ok(), &[]);
    let nothing = [String::new()];
    let mut parts = vec![
        format!("{}.contains(principal.id)", list(&people)),
        format!("{}.contains(principal.manager)", list(people.iter().chain(&nothing))),
        format!("{}.contains(principal.team)", list(teams.iter().chain(&nothing))),
        "(principal.team == \"\" || principal.teams.contains(principal.team))".to_owned(),
        format!("{}.containsAll(principal.teams)", list(&teams)),
        format!("{}.containsAll(context.holds)", list(&groups)),
        format!("{}.contains(resource.id)", list(&groups)),
        "context.duration_hours * 60 == context.duration_minutes".to_owned(),
    ];
    if !one_group {
        // A list of nothing has no type in Cedar.
        parts.push(if owners.is_empty() { "resource.owner.isEmpty()".to_owned() } else { format!("{}.containsAll(resource.owner)", list(&owners)) });
    }
    parts.join(" && ")
}

/// The group asked for and its own rules, any of which may give.
fn given_by(group: &Group) -> String {
    // A list of nothing has no type in Cedar.
    let same = |field: &str, words: &[String]| if words.is_empty() { format!("resource.{field}.isEmpty()") } else { format!("resource.{field} == {}", list(words)) };
    let owners: Vec<String> = group.owner.iter().map(ToString::to_string).collect();
    let mut ways: Vec<String> = Vec::new();
    for rule in &group.rules {
        if rule.then == Then::Always {
            ways.push("true".to_owned());
            continue;
        }
        let who: Vec<String> = rule.who.iter().map(|who| match who {
            Who::Person(id) => format!("principal.id == {}", quoted(id.as_str())),
            Who::Team(id) => format!("principal.teams.contains({})", quoted(id.as_str())),
            Who::Group(id) => format!("context.holds.contains({})", quoted(id.as_str())),
            Who::Everyone | Who::Manager | Who::Owner => "true".to_owned(),
        }).collect();
        let when = rule.when.as_ref().map(|when| format!(" && (\n{when}\n)")).unwrap_or_default();
        ways.push(format!("(({}) && context.duration_minutes <= {}{when})", who.join(" || "), rule.max.minutes_rounded_up()));
    }
    if group.break_glass.is_some() {
        ways.push("true".to_owned());
    }
    if ways.is_empty() {
        ways.push("false".to_owned());
    }
    format!(
        "resource.id == {} && resource.sensitivity == {} && {} && {} && ({})",
        quoted(group.id.as_str()),
        quoted(group.sensitivity.as_str()),
        same("tags", &group.tags),
        same("owner", &owners),
        ways.join(" || ")
    )
}

fn parsed(id: &str, effect: &str, conditions: &[&str]) -> Result<Policy, String> {
    let whens: String = conditions.iter().map(|c| format!("\nwhen {{\n{c}\n}}")).collect();
    Policy::parse(Some(PolicyId::new(id)), format!("{effect} (principal, action, resource){whens};")).map_err(|e| format!("the solver's question cannot be read: {e}"))
}

/// Whether an expression compares a declared truth value, instead of using it as a condition: a value of another type is then
/// neither true nor false, which the solver does not know.
fn compares_a_truth(value: &Value, types: &AttributeTypes, compared: bool) -> bool {
    let Some(object) = value.as_object() else {
        return value.as_array().is_some_and(|items| items.iter().any(|v| compares_a_truth(v, types, compared)));
    };
    object.iter().any(|(operator, body)| {
        let name = body.get("attr").and_then(Value::as_str).unwrap_or_default();
        if operator == "." && compared && types.get(name) == Some(&AttributeType::Bool) {
            return true;
        }
        let compares = ["==", "!=", "contains", "containsAll", "containsAny", "Set", "Record"].contains(&operator.as_str());
        compares_a_truth(body, types, compared || compares)
    })
}

/// The policies of the question: guardrails, conflicts, and what is claimed never to be allowed.
struct Question {
    forbids: Vec<Policy>,
    conditions: Vec<String>,
}

impl Question {
    fn new(set: &PolicySet, claim: &Claim) -> Result<Self, String> {
        let mut forbids = set.guardrail_policies.clone();
        for (n, conflict) in set.conflicts.iter().enumerate() {
            let pairs: Vec<String> = conflict.groups.iter().map(|asked| {
                let others: Vec<String> = conflict.groups.iter().filter(|g| *g != asked).map(ToString::to_string).collect();
                format!("(resource.id == {} && context.holds.containsAny({}))", quoted(asked.as_str()), list(&others))
            }).collect();
            forbids.push(parsed(&format!("conflict {n}"), "forbid", &[&pairs.join(" || ")])?);
        }
        let group = claim.group.as_ref().and_then(|id| set.group(id.as_str()));
        let conditions = vec![claim.text.clone(), always(), group.map_or_else(|| "true".to_owned(), given_by)];
        let question = Self { forbids, conditions };
        for policy in question.forbids.iter().chain([&question.asked(None)?]) {
            if policy.to_string().contains("::") {
                return Err("a policy names an entity, and the solver does not know who exists".to_owned());
            }
            if policy.to_json().map_or(true, |json| compares_a_truth(&json, &set.attributes, false)) {
                return Err("a declared truth value is compared, and the solver does not know values of another type".to_owned());
            }
        }
        Ok(question)
    }

    fn asked(&self, more: Option<&str>) -> Result<Policy, String> {
        let conditions: Vec<&str> = self.conditions.iter().map(String::as_str).chain(more).collect();
        parsed("asked", "permit", &conditions)
    }

    /// Somebody who is allowed what the permit says, by the solver alone.
    async fn somebody(&self, more: Option<&str>, schema: &Schema, solver: &Path) -> Result<Option<Env>, String> {
        solve(self.forbids.iter().cloned().chain([self.asked(more)?]), schema, solver).await
    }
}

/// Somebody whom these policies allow something.
async fn solve(policies: impl IntoIterator<Item = Policy>, schema: &Schema, solver: &Path) -> Result<Option<Env>, String> {
    let policies = cedar_policy::PolicySet::from_policies(policies).map_err(|e| e.to_string())?;
    let environment = schema.request_envs().next().ok_or("the schema has no request")?;
    let compiled = CompiledPolicySet::compile(&policies, &environment, schema).map_err(told)?;
    let mut command = tokio::process::Command::new(solver);
    command.args(["--lang", "smt"]).kill_on_drop(true);
    let running = LocalSolver::from_command(&mut command).map_err(|e| format!("cannot start the solver `{}`: {}", solver.display(), told(e.into())))?;
    let mut compiler = CedarSymCompiler::new(running).map_err(told)?;
    match tokio::time::timeout(PATIENCE, compiler.check_always_denies_with_counterexample_opt(&compiled)).await {
        Ok(found) => found.map_err(told),
        Err(_) => Err(format!("the solver gave no answer within {} s", PATIENCE.as_secs())),
    }
}

/// An error with its causes.
fn told(error: Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        cause = inner.source();
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Decides a claim for all people, groups and requests, by the solver at `solver`.
///
/// # Errors
/// Why the solver cannot decide it; the claim may still be decided by enumeration.
pub async fn prove(set: &PolicySet, claim: &Claim, solver: &Path) -> Result<Answer, String> {
    let schema = cedar::schema(&set.attributes).ok_or("the schema cannot be made")?;
    let question = Question::new(set, claim)?;
    if question.somebody(None, &schema, solver).await?.is_none() {
        // A claim about nobody holds of anything and says nothing.
        return match solve([parsed("claimed", "permit", &[&claim.text, &always()])?], &schema, solver).await? {
            Some(_) => Ok(Answer::Proven { by: Proof::Solver }),
            None => Err("no person, group and request can be like this".to_owned()),
        };
    }
    let words = named(set, claim);
    let fresh = Fresh::beside(&words);
    let Some(found) = question.somebody(Some(&sayable(&words, &fresh, claim.group.is_some())), &schema, solver).await? else {
        return Err("the solver finds only people and groups with ids that cannot be".to_owned());
    };
    let open = open_group(&fresh).ok_or("no group could be made to ask for")?;
    let group = claim.group.as_ref().and_then(|id| set.group(id.as_str()));
    let conditions = claim.group.as_ref().and_then(|id| set.conditions.get(id)).cloned().unwrap_or_default();
    let trial = Trial { guardrails: (0..set.guardrails.len()).collect(), group: group.cloned().unwrap_or(open), conditions };
    let refuting = |axes: &[Axis]| {
        let chosen: Vec<(&Axis, &Fact)> = axes.iter().filter_map(|axis| Some((axis, axis.facts.first()?))).collect();
        let case = Case::new(&chosen, &trial.group, &set.attributes, &set.zone)?;
        let engine = engine(set, &trial, &case);
        let inquiry = case.inquiry();
        let meant = engine.facts.as_ref()?.ask(&inquiry, &set.zone)?.holds(&claim.condition) == Ok(true);
        (meant && engine.decide_plainly(&inquiry).effect != Effect::Deny).then_some(case)
    };
    let facts = facts(&found, &set.attributes);
    match refuting(&facts) {
        Some(_) => Ok(Answer::Refuted(Box::new(refuting(&plainer(facts, &|axes| refuting(axes).is_some())).ok_or("the counter-example was lost")?))),
        None => Err("the solver's counter-example is denied by the service, so nothing is shown".to_owned()),
    }
}

/// The facts without those that do not matter: a solver fills in everything.
fn plainer(mut facts: Vec<Axis>, still: &dyn Fn(&[Axis]) -> bool) -> Vec<Axis> {
    let mut n = 0;
    while let Some(axis) = facts.get(n).cloned() {
        let mut without = facts.clone();
        without.remove(n);
        if axis.name != DURATION && still(&without) {
            facts = without;
            continue;
        }
        if let Some(Fact::Set(members)) = axis.facts.first() {
            for member in members {
                let mut fewer = facts.clone();
                if let Some(Fact::Set(set)) = fewer.get_mut(n).and_then(|a| a.facts.first_mut()) {
                    set.remove(member);
                }
                if still(&fewer) {
                    facts = fewer;
                }
            }
        }
        n += 1;
    }
    facts
}

/// The solver's person, group and request, one fact an axis.
fn facts(found: &Env, types: &AttributeTypes) -> Vec<Axis> {
    let mut axes = Vec::new();
    let mut tell = |variable: &str, name: &str, value: Option<EvalResult>| {
        let fact = match value {
            Some(EvalResult::Bool(yes)) => Fact::Bool(yes),
            Some(EvalResult::Long(number)) if name == DURATION => Fact::Long(number.saturating_mul(60)),
            Some(EvalResult::Long(number)) => Fact::Long(number),
            Some(EvalResult::String(text)) if text.is_empty() => Fact::Absent,
            Some(EvalResult::String(text)) => Fact::Text(text),
            Some(EvalResult::Set(set)) => Fact::Set(set.iter().filter_map(|v| if let EvalResult::String(text) = v { Some(text.clone()) } else { None }).collect()),
            _ => Fact::Absent,
        };
        axes.push(Axis { variable: variable.to_owned(), name: name.to_owned(), facts: vec![fact] });
    };
    let attribute = |uid: Option<&cedar_policy::EntityUid>, name: &str| found.entities.get(uid?)?.attr(name)?.ok();
    for name in ["id", "team", "teams", "employment", "location", "title", "manager"].into_iter().chain(types.keys().map(String::as_str)) {
        tell("principal", name, attribute(found.request.principal(), name));
    }
    for name in ["id", "sensitivity", "tags", "owner"] {
        tell("resource", name, attribute(found.request.resource(), name));
    }
    let context = |name: &str| found.request.context().and_then(|c| c.get(name));
    for name in ["has_justification", "break_glass", "hour", "weekday", "holds"] {
        tell("context", name, context(name));
    }
    tell("context", DURATION, context("duration_minutes"));
    axes
}
