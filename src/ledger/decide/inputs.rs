//! What a decision is made from, recorded beside it, and the decision as a pure function of it: filing, last vote and replay
//! run the same code.
//!
//! What the event's body already holds (group, duration, whether a justification was given, the copied rule, the instant, the
//! policy's revision) is not recorded twice.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{
    domain::{
        decision::{Decision, Effect, Inquiry, Reason, ReasonKind},
        duration::Duration,
        group::{Stage, Who},
        id::{GroupId, TeamId},
        person::{Person, Subject},
        record::SourceName,
        request::Request,
        time::Time,
    },
    policy::Engine,
};

/// How long approvals of a request may take when a revocation has put the owner before the rules.
const OWNER_ANSWERS_WITHIN: u32 = 7;

/// Facts about the person, and what the ledger itself knew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inputs {
    /// Who would hold it, as the directory had them; none when they were gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<Person>,
    /// Direct teams and all their ancestors.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub teams: BTreeSet<TeamId>,
    /// Groups held, the asked one excluded.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub holds: BTreeSet<GroupId>,
    /// What the ledger knew. Events without it were recorded before replay existed.
    pub ledger: LedgerFacts,
}

/// What the ledger itself adds to the policy's answer.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LedgerFacts {
    /// The freeze switch was on.
    #[serde(default, skip_serializing_if = "is_false")]
    pub frozen: bool,
    /// A person denied such a request: for this duration, until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub denied: Option<(Duration, Time)>,
    /// A revocation had put the owner before the rules.
    #[serde(default, skip_serializing_if = "is_false")]
    pub revoked: bool,
    /// How many could approve at each stage; ends at the first stage with too few.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvers: Vec<usize>,
    /// At the last vote: the group that was asked for was gone.
    #[serde(default, skip_serializing_if = "is_false")]
    pub gone: bool,
    /// A source of what is known of the person was not heard from for too long; since when, if ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stale: Option<(SourceName, Option<Time>)>,
    /// Emergency access was asked for.
    #[serde(default, skip_serializing_if = "is_false")]
    pub break_glass: bool,
}

fn is_false(flag: &bool) -> bool {
    !*flag
}

impl Inputs {
    /// The inquiry about a request at an instant; none when the person was gone.
    pub fn inquiry<'a>(&'a self, request: &'a Request, now: Time) -> Option<Inquiry<'a>> {
        let person = self.person.as_ref().filter(|p| p.is_active())?;
        Some(Inquiry {
            subject: Subject { person, teams: &self.teams },
            group: &request.group,
            duration: request.duration,
            has_justification: request.justified,
            now,
            holds: &self.holds,
            break_glass: self.ledger.break_glass,
        })
    }
}

/// Decides a request that is filed. `approvers` says how many could approve at a stage, by its index.
pub fn decide_filing(engine: &Engine, inquiry: &Inquiry<'_>, facts: &LedgerFacts, approvers: &mut dyn FnMut(usize, &Stage) -> usize) -> Decision {
    settle(engine.decide_plainly(inquiry), inquiry, facts, approvers)
}

/// What the ledger makes of the policy's answer: blocks and the freeze switch come first, and somebody must be able to approve.
pub(super) fn settle(decision: Decision, inquiry: &Inquiry<'_>, facts: &LedgerFacts, approvers: &mut dyn FnMut(usize, &Stage) -> usize) -> Decision {
    approvable(with_blocks(inquiry, facts, decision), approvers)
}

/// Decides a request at its last vote: the copied rule with today's facts, then guardrails and conflicts of today's policy
/// (semantics.md, 4).
pub fn decide_last_vote(engine: &Engine, request: &Request, now: Time, inputs: &Inputs) -> Decision {
    let set = engine.set();
    let denied = |kind: ReasonKind, text: &str| Decision {
        effect: Effect::Deny,
        rule: None,
        max: None,
        justification: Default::default(),
        stages: Vec::new(),
        reasons: vec![Reason { kind, rule: None, text: text.to_owned() }],
        guardrails: Vec::new(),
        guardrails_evaluated: 0,
        suggestions: Vec::new(),
        explanation: None,
        policy_revision: set.revision().clone(),
    };
    if inputs.ledger.gone || set.group(request.group.as_str()).is_none() {
        return denied(ReasonKind::UnknownGroup, "The group that was asked for is gone from the policy");
    }
    let Some(inquiry) = inputs.inquiry(request, now) else {
        return denied(ReasonKind::PersonLeft, "The person has left");
    };
    if let Some(stale) = &inputs.ledger.stale {
        return denied(ReasonKind::StaleFacts, &too_old(stale));
    }
    let Some(rule) = &request.rule else {
        return denied(ReasonKind::NoRule, "The request has lost its rule");
    };
    engine.decide_approved(&inquiry, rule)
}

fn deny(mut decision: Decision, kind: ReasonKind, text: String) -> Decision {
    decision.effect = Effect::Deny;
    decision.stages.clear();
    let rule = decision.rule.take();
    decision.reasons.push(Reason { kind, rule, text });
    decision
}

/// The freeze switch, a fresh denial and an earlier revocation stand before the rules (semantics.md, 6 and 36).
fn with_blocks(inquiry: &Inquiry<'_>, facts: &LedgerFacts, mut decision: Decision) -> Decision {
    if decision.effect == Effect::Deny {
        return decision;
    }
    if facts.frozen {
        return deny(decision, ReasonKind::Frozen, "New access is stopped for the moment by the freeze switch; nothing is granted until it is lifted".to_owned());
    }
    if let Some(stale) = &facts.stale {
        return deny(decision, ReasonKind::StaleFacts, too_old(stale));
    }
    if let Some((_, until)) = facts.denied.filter(|(duration, until)| *duration == inquiry.duration && *until > inquiry.now) {
        let text = format!("The same request was denied a short while ago; it can be asked again from {}", clock(until));
        return deny(decision, ReasonKind::Blocked, text);
    }
    if decision.effect == Effect::Grant && facts.revoked {
        let within = Duration::days(OWNER_ANSWERS_WITHIN).unwrap_or(Duration::MAX);
        decision.effect = Effect::Approve;
        decision.stages = vec![Stage { from: vec![Who::Owner], need: 1, within, escalate: Vec::new() }];
        decision.reasons.push(Reason {
            kind: ReasonKind::Blocked,
            rule: decision.rule.clone(),
            text: "This access was taken away before, so an owner of the group decides".to_owned(),
        });
    }
    decision
}

fn too_old((source, seen): &(SourceName, Option<Time>)) -> String {
    let since = seen.map_or_else(|| "never".to_owned(), |at| format!("last at {}", clock(at)));
    format!("What is known of you comes from {source}, which was heard from {since}: that is too long ago to grant anything on it. Ask who runs the directory")
}

fn clock(at: Time) -> String {
    let text = at.to_string();
    format!("{} UTC", text.get(..16).unwrap_or(&text).replace('T', " "))
}

/// An approval that nobody can give is a denial, not a wait without end.
fn approvable(decision: Decision, approvers: &mut dyn FnMut(usize, &Stage) -> usize) -> Decision {
    if decision.effect != Effect::Approve {
        return decision;
    }
    let short = decision.stages.iter().enumerate().find_map(|(index, stage)| {
        let possible = approvers(index, stage);
        let needed = usize::try_from(stage.need).unwrap_or(usize::MAX);
        (possible < needed).then_some((possible, needed))
    });
    match short {
        None => decision,
        Some((possible, needed)) => {
            let text = match possible {
                0 => "Nobody could approve it today: ask an owner of the group to mend its policy".to_owned(),
                n => format!("It needs {needed} approvals, and only {n} could give one today: ask an owner of the group to mend its policy"),
            };
            deny(decision, ReasonKind::NoApprover, text)
        }
    }
}
