//! Birthrights: rules with `then = "always"` give membership without a request, as long as `who` and `when` hold and nothing
//! forbids it. They decide no request, and no other rule gives a birthright.

use super::{Engine, decide::{Facts, Verdict}, words};
use crate::domain::{
    decision::{Decision, Effect, Inquiry, Reason, ReasonKind},
    duration::Duration,
    group::{Group, Then},
    id::GroupId,
    person::Subject,
    time::Time,
};

/// Whether a group has a rule that gives membership without asking.
pub fn gives_birthrights(group: &Group) -> bool {
    group.rules.iter().any(|r| r.then == Then::Always)
}

impl Engine {
    /// Whether a person holds a group without asking: guardrails and conflicts first, then the rules that say `always`, from
    /// the top. The first whose `who` and `when` hold gives it; one that cannot be evaluated lets nothing below it count. Pure
    /// and total, like [`Engine::decide`]. `holds` are the person's other groups.
    pub fn birthright(&self, subject: Subject<'_>, group: &GroupId, now: Time, holds: &std::collections::BTreeSet<GroupId>) -> Decision {
        self.birthright_by(subject, group, now, holds, Facts::Known)
    }

    /// The same for the person as they are known or as the subject has them.
    pub(super) fn birthright_by(&self, subject: Subject<'_>, id: &GroupId, now: Time, holds: &std::collections::BTreeSet<GroupId>, facts: Facts) -> Decision {
        let mut decision = self.blank();
        let no = |mut decision: Decision, kind, text: &str| {
            decision.reasons.push(Reason { kind, rule: None, text: text.to_owned() });
            decision
        };
        let Some(group) = self.set.group(id.as_str()) else { return no(decision, ReasonKind::UnknownGroup, "There is no such group") };
        if !subject.person.is_active() {
            return no(decision, ReasonKind::PersonLeft, "The person has left");
        }
        let always = || group.rules.iter().enumerate().filter(|(_, r)| r.then == Then::Always);
        // Guardrails that read the duration are told the one of the rule that would give it, the first that holds.
        let inquiry = |duration: Duration| Inquiry { subject, group: id, duration, has_justification: false, now, holds, break_glass: false };
        for (index, rule) in always() {
            let inquiry = inquiry(rule.max);
            let Some(asked) = self.ask(&inquiry, facts) else {
                return no(decision, ReasonKind::RuleError, "The facts about the person could not be prepared, so nothing is granted");
            };
            match self.verdict(&inquiry, rule, self.condition(group, index), &asked) {
                Verdict::Passed(why) | Verdict::TooShort(why) => decision.reasons.push(why),
                Verdict::Failed(why) => {
                    decision.reasons.push(why);
                    return decision;
                }
                Verdict::Decides => {
                    self.forbid(&inquiry, &asked, &mut decision);
                    if decision.guardrails.is_empty() {
                        decision.effect = Effect::Grant;
                        decision.rule = Some(rule.name.clone());
                        decision.max = Some(rule.max);
                        let text = format!("gives it without asking, {}", words::as_long_as(&self.names, rule, Some(subject), words::Voice::You));
                        decision.reasons.push(Reason { kind: ReasonKind::RuleDecides, rule: Some(rule.name.clone()), text });
                    }
                    return decision;
                }
            }
        }
        no(decision, ReasonKind::NoRule, "No rule gives it without asking")
    }
}
