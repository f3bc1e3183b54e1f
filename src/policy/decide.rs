//! The decision: guardrails and conflicts, then rules from the top. Pure and total.

use super::{Engine, cedar::Condition, evaluate::Asked, words};
use crate::domain::{
    decision::{Decision, Effect, GuardrailFinding, Inquiry, Reason, ReasonKind},
    duration::Duration,
    explanation::RuleOutcome,
    group::{Group, JustificationNeed, Rule, Then, Who},
};

/// Whose facts count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Facts {
    /// Those that the engine was made with: a person it does not know is denied.
    Known,
    /// Those of the inquiry, whatever is known of the person: "if you were in that team".
    Supposed,
}

/// What one rule says by itself.
pub(super) enum Verdict {
    /// Holds and covers the duration.
    Decides,
    /// Passed over.
    Passed(Reason),
    /// Holds, but gives less time.
    TooShort(Reason),
    /// Could not be evaluated.
    Failed(Reason),
}

/// Rules read from the top: what the rules above make of a rule's own verdict.
#[derive(Default)]
pub(super) struct Reading<'r> {
    /// The first `approve` that was passed over only for its `for`.
    closed_by: Option<&'r Rule>,
}

impl<'r> Reading<'r> {
    pub fn outcome(&mut self, rule: &'r Rule, verdict: &Verdict) -> RuleOutcome {
        match verdict {
            Verdict::Passed(_) => RuleOutcome::Passed,
            Verdict::Failed(_) => RuleOutcome::Failed,
            Verdict::TooShort(_) => {
                // Too much time for a stricter rule never opens a looser one (semantics.md, 1).
                if rule.then == Then::Approve {
                    self.closed_by = self.closed_by.or(Some(rule));
                }
                RuleOutcome::TooShort
            }
            Verdict::Decides => match rule.then {
                Then::Always => RuleOutcome::Birthright,
                Then::Grant if self.closed_by.is_some() => RuleOutcome::Closed,
                Then::Grant | Then::Approve => RuleOutcome::Decides,
            },
        }
    }
}

impl Engine {
    /// Decides, and explains unless it is a grant: see [`Engine::explain`] for that. Pure and total: whatever cannot be
    /// evaluated is denied, visibly.
    pub fn decide(&self, inquiry: &Inquiry<'_>) -> Decision {
        let decision = self.decide_plainly(inquiry);
        if decision.effect == Effect::Grant { decision } else { self.explained(inquiry, decision) }
    }

    /// The decision with its reasons alone: no explanation, no suggestion. What a grant costs.
    pub fn decide_plainly(&self, inquiry: &Inquiry<'_>) -> Decision {
        self.decide_by(inquiry, Facts::Known)
    }

    pub(super) fn ask(&self, inquiry: &Inquiry<'_>, facts: Facts) -> Option<Asked<'_>> {
        let known = self.facts.as_ref()?;
        match facts {
            Facts::Known => known.ask(inquiry, &self.set.zone),
            Facts::Supposed => known.suppose(inquiry, &self.set.zone),
        }
    }

    /// The decision with its reasons alone, for the person as they are known or as the inquiry has them.
    pub fn decide_by(&self, inquiry: &Inquiry<'_>, facts: Facts) -> Decision {
        let mut decision = self.blank();
        let Some(group) = self.set.group(inquiry.group.as_str()) else {
            return denied(decision, ReasonKind::UnknownGroup, "There is no such group".to_owned());
        };
        if !inquiry.subject.person.is_active() {
            return denied(decision, ReasonKind::PersonLeft, "The person has left".to_owned());
        }
        let Some(asked) = self.ask(inquiry, facts) else {
            return denied(decision, ReasonKind::RuleError, "The facts about the person could not be prepared, so nothing is granted".to_owned());
        };
        self.forbid(inquiry, &asked, &mut decision);
        self.read_rules(inquiry, group, &asked, &mut decision);
        if !decision.guardrails.is_empty() {
            decision.effect = Effect::Deny;
            decision.rule = None;
            decision.stages.clear();
        }
        decision
    }

    /// Decides at the last vote: the rule copied onto the request with today's facts, and today's guardrails and conflicts
    /// (semantics.md, 4).
    pub fn decide_approved(&self, inquiry: &Inquiry<'_>, rule: &Rule) -> Decision {
        let mut decision = self.blank();
        let asked = self.ask(inquiry, Facts::Known);
        let Some(asked) = asked.filter(|_| inquiry.subject.person.is_active()) else {
            return denied(decision, ReasonKind::RuleError, "The facts about the person could not be prepared, so nothing is granted".to_owned());
        };
        self.forbid(inquiry, &asked, &mut decision);
        let condition = match &rule.when {
            None => Ok(None),
            Some(text) => super::cedar::checked_condition(text).map(Some).ok_or(()),
        };
        let verdict = match &condition {
            Ok(condition) => self.verdict(inquiry, rule, condition.as_ref(), &asked),
            Err(()) => Verdict::Failed(reason(ReasonKind::RuleError, rule, "its condition cannot be read any more".to_owned())),
        };
        match verdict {
            Verdict::Decides if decision.guardrails.is_empty() => {
                decision.effect = Effect::Grant;
                decision.rule = Some(rule.name.clone());
                decision.max = Some(rule.max);
                decision.reasons.push(reason(ReasonKind::RuleDecides, rule, "everyone who was asked agreed, and the rule still holds".to_owned()));
            }
            Verdict::Decides => {}
            Verdict::Passed(why) | Verdict::TooShort(why) | Verdict::Failed(why) => decision.reasons.push(why),
        }
        decision
    }

    pub(super) fn blank(&self) -> Decision {
        Decision {
            effect: Effect::Deny,
            rule: None,
            max: None,
            justification: JustificationNeed::None,
            stages: Vec::new(),
            reasons: Vec::new(),
            guardrails: Vec::new(),
            guardrails_evaluated: u32::try_from(self.set.guardrails.len()).unwrap_or(u32::MAX),
            suggestions: Vec::new(),
            explanation: None,
            policy_revision: self.set.revision.clone(),
        }
    }

    /// Every guardrail and conflict. One that forbids is final; one that cannot be evaluated forbids.
    pub(super) fn forbid(&self, inquiry: &Inquiry<'_>, asked: &Asked<'_>, decision: &mut Decision) {
        if !self.set.guardrails.is_empty() {
            let verdicts = asked.guardrails();
            let known = |id: &str| self.set.guardrails.iter().find(|g| g.id == id);
            for id in verdicts.forbidding {
                let (text, fix) = known(&id).map_or_else(|| (id.clone(), None), |g| (g.reason.clone(), g.fix.clone()));
                decision.reasons.push(Reason { kind: ReasonKind::Guardrail, rule: None, text: text.clone() });
                decision.guardrails.push(GuardrailFinding { id, reason: text, fix, failed: false });
            }
            for (id, error) in verdicts.failed {
                let told = known(&id).map_or(id.as_str(), |g| g.reason.trim_end_matches('.'));
                let text = format!("\"{told}\" could not be evaluated for you, so it forbids: {error}");
                decision.reasons.push(Reason { kind: ReasonKind::GuardrailError, rule: None, text: text.clone() });
                decision.guardrails.push(GuardrailFinding { id, reason: text, fix: None, failed: true });
            }
        }
        for conflict in &self.set.conflicts {
            for held in conflict.held_beside(inquiry.group, inquiry.holds) {
                let title = self.set.group(held.as_str()).map_or_else(|| held.to_string(), |g| g.title.clone());
                let text = format!("You hold {title}, and nobody may hold both: {}", conflict.reason);
                let mut pair = [inquiry.group.as_str(), held.as_str()];
                pair.sort_unstable();
                decision.reasons.push(Reason { kind: ReasonKind::Conflict, rule: None, text: text.clone() });
                decision.guardrails.push(GuardrailFinding { id: format!("conflict:{}", pair.join("+")), reason: text, fix: None, failed: false });
            }
        }
    }

    /// Rules from the top; the first that holds and covers the duration decides.
    pub(super) fn read_rules(&self, inquiry: &Inquiry<'_>, group: &Group, asked: &Asked<'_>, decision: &mut Decision) {
        let mut reading = Reading::default();
        for (index, rule) in group.rules.iter().enumerate() {
            let verdict = self.verdict(inquiry, rule, self.condition(group, index), asked);
            let outcome = reading.outcome(rule, &verdict);
            let why = match (outcome, verdict) {
                (_, Verdict::Passed(why) | Verdict::TooShort(why) | Verdict::Failed(why)) => why,
                (RuleOutcome::Birthright, _) => reason(ReasonKind::RuleWho, rule, "gives membership without asking, as long as it holds".to_owned()),
                (RuleOutcome::Closed, _) => {
                    let strict = reading.closed_by.unwrap_or(rule);
                    let text = format!("stays closed: \"{}\" above it wants approval, and gives {} at most", strict.name, strict.max.in_words());
                    reason(ReasonKind::RuleClosed, rule, text)
                }
                (_, Verdict::Decides) => {
                    decision.effect = if rule.then == Then::Grant { Effect::Grant } else { Effect::Approve };
                    decision.rule = Some(rule.name.clone());
                    decision.max = Some(rule.max);
                    decision.justification = rule.justification;
                    decision.stages.clone_from(&rule.stages);
                    reason(ReasonKind::RuleDecides, rule, words::why_it_decides(&self.names, rule))
                }
            };
            decision.reasons.push(why);
            if outcome.ends_the_reading() {
                return;
            }
        }
        let text = if group.rules.is_empty() { "This group has no rule, so nobody can get it" } else { "No rule allows it" };
        decision.reasons.push(Reason { kind: ReasonKind::NoRule, rule: None, text: text.to_owned() });
    }

    /// The compiled condition of a rule, by its index; none when it has none, or when it is not compiled.
    pub(super) fn condition(&self, group: &Group, index: usize) -> Option<&Condition> {
        self.set.conditions.get(&group.id)?.get(index)?.as_ref()
    }

    pub(super) fn verdict(&self, inquiry: &Inquiry<'_>, rule: &Rule, condition: Option<&Condition>, asked: &Asked<'_>) -> Verdict {
        if rule.when.is_some() && condition.is_none() {
            return Verdict::Failed(reason(ReasonKind::RuleError, rule, "its condition is not compiled, so nothing is granted".to_owned()));
        }
        if !rule.who.iter().any(|who| means(who, inquiry)) {
            return Verdict::Passed(reason(ReasonKind::RuleWho, rule, format!("is for {}", words::list(&self.names, &rule.who))));
        }
        if let Some(condition) = condition {
            match asked.holds(condition) {
                Ok(true) => {}
                Ok(false) => {
                    let part = asked.failing_part(condition).map_or_else(|| rule.when.clone().unwrap_or_default(), str::to_owned);
                    return Verdict::Passed(reason(ReasonKind::RuleWhen, rule, format!("wants {}", words::condition(&self.names, &part))));
                }
                Err(error) => {
                    let text = format!("could not be evaluated, so nothing is granted: {error}");
                    return Verdict::Failed(reason(ReasonKind::RuleError, rule, text));
                }
            }
        }
        if inquiry.duration > rule.max {
            return Verdict::TooShort(reason(ReasonKind::RuleDuration, rule, format!("gives {} at most", rule.max.in_words())));
        }
        Verdict::Decides
    }

    /// The duration to preselect: the longest that the first rule from the top gives which really decides, for or with
    /// approval; none when nothing is possible.
    pub fn default_duration(&self, inquiry: &Inquiry<'_>) -> Option<Duration> {
        let group = self.set.group(inquiry.group.as_str())?;
        let mut tried: Vec<Duration> = Vec::new();
        for rule in group.rules.iter().filter(|r| r.then != Then::Always) {
            if tried.contains(&rule.max) {
                continue;
            }
            tried.push(rule.max);
            let decision = self.decide_plainly(&Inquiry { duration: rule.max, has_justification: true, ..*inquiry });
            if decision.effect != Effect::Deny {
                return Some(rule.max);
            }
        }
        // A condition may want less time than the rule's `for`: try the usual lengths, longest first.
        usual().into_iter().rev().find(|d| self.decide_plainly(&Inquiry { duration: *d, has_justification: true, ..*inquiry }).effect != Effect::Deny)
    }
}

/// Whether a word of `who` means the person.
pub(super) fn means(who: &Who, inquiry: &Inquiry<'_>) -> bool {
    match who {
        Who::Everyone => true,
        Who::Person(id) => *id == inquiry.subject.person.id,
        Who::Team(team) => inquiry.subject.teams.contains(team),
        Who::Group(group) => inquiry.holds.contains(group),
        Who::Manager | Who::Owner => false,
    }
}

/// Durations that people usually ask for, shortest first.
pub(super) fn usual() -> Vec<Duration> {
    [Duration::hours(1), Duration::hours(8), Duration::days(1), Duration::days(7), Duration::days(30), Duration::days(90)].into_iter().flatten().collect()
}

fn reason(kind: ReasonKind, rule: &Rule, text: String) -> Reason {
    Reason { kind, rule: Some(rule.name.clone()), text }
}

fn denied(mut decision: Decision, kind: ReasonKind, text: String) -> Decision {
    decision.reasons.push(Reason { kind, rule: None, text });
    decision
}
