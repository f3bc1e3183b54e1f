//! The decision: guardrails and conflicts, then rules from the top. Pure and total.

use super::{Engine, cedar::{Asked, Condition}, suggest, words};
use crate::domain::{
    decision::{Decision, Effect, GuardrailFinding, Inquiry, Reason, ReasonKind},
    duration::Duration,
    group::{Group, JustificationNeed, Rule, Then, Who},
};

/// What became of one rule.
enum Verdict {
    /// Holds and covers the duration.
    Decides,
    /// Passed over.
    Passed(Reason),
    /// Holds, but gives less time.
    TooShort(Reason),
    /// Could not be evaluated.
    Failed(Reason),
}

impl Engine {
    /// Decides. Pure and total: whatever cannot be evaluated is denied, visibly.
    pub fn decide(&self, inquiry: &Inquiry<'_>) -> Decision {
        let mut decision = self.decide_plainly(inquiry);
        if decision.effect == Effect::Deny {
            decision.suggestions = suggest::suggestions(self, inquiry, &decision);
        }
        decision
    }

    /// The decision without suggestions: what suggestions are checked with.
    pub(crate) fn decide_plainly(&self, inquiry: &Inquiry<'_>) -> Decision {
        let mut decision = self.blank();
        let Some(group) = self.set.group(inquiry.group.as_str()) else {
            return denied(decision, ReasonKind::UnknownGroup, "There is no such group".to_owned());
        };
        if !inquiry.subject.person.is_active() {
            return denied(decision, ReasonKind::PersonLeft, "The person has left".to_owned());
        }
        let asked = self.facts.as_ref().and_then(|facts| facts.ask(inquiry, &self.set.zone));
        let Some(asked) = asked else {
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
        let asked = self.facts.as_ref().and_then(|facts| facts.ask(inquiry, &self.set.zone));
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
            policy_revision: self.set.revision.clone(),
        }
    }

    /// Every guardrail and conflict. One that forbids is final; one that cannot be evaluated forbids.
    fn forbid(&self, inquiry: &Inquiry<'_>, asked: &Asked<'_>, decision: &mut Decision) {
        if !self.set.guardrails.is_empty() {
            let verdicts = asked.guardrails();
            let known = |id: &str| self.set.guardrails.iter().find(|g| g.id == id);
            for id in verdicts.forbidding {
                let (text, fix) = known(&id).map_or_else(|| (id.clone(), None), |g| (g.reason.clone(), g.fix.clone()));
                decision.reasons.push(Reason { kind: ReasonKind::Guardrail, rule: None, text: text.clone() });
                decision.guardrails.push(GuardrailFinding { id, reason: text, fix, failed: false });
            }
            for (id, error) in verdicts.failed {
                let text = format!("The guardrail {id} could not be evaluated, so it forbids: {error}");
                decision.reasons.push(Reason { kind: ReasonKind::GuardrailError, rule: None, text: text.clone() });
                decision.guardrails.push(GuardrailFinding { id, reason: text, fix: None, failed: true });
            }
        }
        for conflict in self.set.conflicts.iter().filter(|c| c.groups.contains(inquiry.group)) {
            for held in conflict.groups.iter().filter(|g| *g != inquiry.group && inquiry.holds.contains(*g)) {
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
        let conditions = self.set.conditions.get(&group.id);
        let mut closed_by: Option<&Rule> = None;
        for (index, rule) in group.rules.iter().enumerate() {
            let condition = conditions.and_then(|c| c.get(index)).and_then(Option::as_ref);
            if rule.when.is_some() && condition.is_none() {
                decision.reasons.push(reason(ReasonKind::RuleError, rule, "its condition is not compiled, so nothing is granted".to_owned()));
                return;
            }
            match self.verdict(inquiry, rule, condition, asked) {
                Verdict::Passed(why) => decision.reasons.push(why),
                Verdict::TooShort(why) => {
                    decision.reasons.push(why);
                    // Too much time for a stricter rule never opens a looser one (semantics.md, 1).
                    if rule.then == Then::Approve {
                        closed_by = closed_by.or(Some(rule));
                    }
                }
                Verdict::Failed(why) => {
                    decision.reasons.push(why);
                    return;
                }
                Verdict::Decides if rule.then == Then::Always => {
                    let text = "gives membership without asking, as long as it holds".to_owned();
                    decision.reasons.push(reason(ReasonKind::RuleWho, rule, text));
                }
                Verdict::Decides if rule.then == Then::Grant && closed_by.is_some() => {
                    let strict = closed_by.map_or(rule, |r| r);
                    let text = format!("stays closed, because \"{}\" above it wants approval: ask for {} or less", strict.name, strict.max.in_words());
                    decision.reasons.push(reason(ReasonKind::RuleClosed, rule, text));
                    return;
                }
                Verdict::Decides => {
                    decision.effect = if rule.then == Then::Grant { Effect::Grant } else { Effect::Approve };
                    decision.rule = Some(rule.name.clone());
                    decision.max = Some(rule.max);
                    decision.justification = rule.justification;
                    decision.stages.clone_from(&rule.stages);
                    let text = words::why_it_decides(rule);
                    decision.reasons.push(reason(ReasonKind::RuleDecides, rule, text));
                    return;
                }
            }
        }
        let text = if group.rules.is_empty() { "This group has no rule, so nobody can get it" } else { "No rule allows it" };
        decision.reasons.push(Reason { kind: ReasonKind::NoRule, rule: None, text: text.to_owned() });
    }

    fn verdict(&self, inquiry: &Inquiry<'_>, rule: &Rule, condition: Option<&Condition>, asked: &Asked<'_>) -> Verdict {
        let subject = inquiry.subject;
        let meant = rule.who.iter().any(|who| match who {
            Who::Everyone => true,
            Who::Person(id) => *id == subject.person.id,
            Who::Team(team) => subject.teams.contains(team),
            Who::Group(group) => inquiry.holds.contains(group),
            Who::Manager | Who::Owner => false,
        });
        if !meant {
            return Verdict::Passed(reason(ReasonKind::RuleWho, rule, format!("is for {}", words::list(&rule.who))));
        }
        if let Some(condition) = condition {
            match asked.holds(condition) {
                Ok(true) => {}
                Ok(false) => {
                    let part = asked.failing_part(condition).map_or_else(|| rule.when.clone().unwrap_or_default(), str::to_owned);
                    return Verdict::Passed(reason(ReasonKind::RuleWhen, rule, format!("wants {}", words::condition(&part))));
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
