//! What the API answers.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    domain::{decision::Decision, delivery::Delivery, grant::Grant, group::Group, person::Person, request::Request, standing::{HeldEndings, HeldState, Standing}, time::Time},
    ledger::{Snapshot, decide::birthright::{Voice, because}},
    store::read::AuditRow,
    web::policy_loads::PolicyLoad,
};

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct List<T> {
    /// The items, newest first.
    pub items: Vec<T>,
    /// Opaque cursor of the next page; null on the last.
    pub next: Option<String>,
}

/// A decision with everything that explains it.
#[derive(Debug, Serialize, ToSchema)]
pub struct DecisionShape {
    /// `grant`, `approve` or `deny`.
    pub effect: String,
    /// The rule that decided.
    pub rule: Option<String>,
    /// Every rule read, in order, and whatever else mattered: `{kind, rule, text}`.
    #[schema(value_type = Vec<Object>)]
    pub reasons: Value,
    /// Guardrails and conflicts that forbid: `{id, reason, fix, failed}`.
    #[schema(value_type = Vec<Object>)]
    pub guardrails: Value,
    /// What would change the answer: `{kind, effect, text, justification}` with `duration`, `group`, `and` or `who`.
    #[schema(value_type = Vec<Object>)]
    pub suggestions: Value,
    /// Everything that was looked at: `{rules, guardrails, conflicts}`. In previews, and where the answer is not a grant.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub explanation: Option<Value>,
    /// Content hash of the policy set.
    pub policy_revision: String,
}

impl From<&Decision> for DecisionShape {
    fn from(d: &Decision) -> Self {
        let value = |v: Result<Value, serde_json::Error>| v.unwrap_or(Value::Null);
        let effect = match d.effect {
            crate::domain::decision::Effect::Grant => "grant",
            crate::domain::decision::Effect::Approve => "approve",
            crate::domain::decision::Effect::Deny => "deny",
        };
        Self {
            effect: effect.to_owned(),
            rule: d.rule.clone(),
            reasons: value(serde_json::to_value(&d.reasons)),
            guardrails: value(serde_json::to_value(&d.guardrails)),
            suggestions: value(serde_json::to_value(&d.suggestions)),
            explanation: d.explanation.as_ref().map(|e| value(serde_json::to_value(e))),
            policy_revision: d.policy_revision.to_string(),
        }
    }
}

/// A grant.
#[derive(Debug, Serialize, ToSchema)]
pub struct GrantShape {
    /// Id.
    pub id: String,
    /// Who holds.
    pub person: String,
    /// What.
    pub group: String,
    /// From (RFC 3339 UTC).
    pub starts_at: String,
    /// To; null for what is held without asking.
    pub expires_at: Option<String>,
    /// For that: "as long as they are in team Engineering".
    pub lasts: Option<String>,
    /// `active`, `revoked` or `expired`.
    pub status: String,
    /// When it ended.
    pub ended_at: Option<String>,
    /// The request behind it.
    pub request: Option<String>,
    /// The rule that gave it.
    pub rule: String,
    /// `request`, `adopted` or `birthright`.
    pub provenance: String,
    /// Null while it stands by today's policy, people and holdings.
    pub standing: Option<StandingShape>,
}

impl GrantShape {
    /// A grant, with the words of what is in force.
    pub fn new(snapshot: &Snapshot, g: &Grant) -> Self {
        Self {
            id: g.id.to_string(),
            person: g.person.to_string(),
            group: g.group.to_string(),
            starts_at: g.starts_at.to_string(),
            expires_at: g.until().map(|t| t.to_string()),
            lasts: g.until().is_none().then(|| because(snapshot, g, Voice::They)),
            status: g.status.as_str().to_owned(),
            ended_at: g.ended_at.map(|t| t.to_string()),
            request: g.request.map(|r| r.to_string()),
            rule: g.rule.clone(),
            provenance: g.provenance.as_str().to_owned(),
            standing: g.standing.as_ref().map(StandingShape::from),
        }
    }
}

/// How a grant stands that does not stand any more.
#[derive(Debug, Serialize, ToSchema)]
pub struct StandingShape {
    /// `ending`: it ends at `expires_at`, when its grace is over. `flagged`: its owner decides.
    pub fate: String,
    /// Why: `kind` is `no_rule`, `rule_failed`, `guardrail`, `conflict`, `group_gone` or `person_left`.
    #[schema(value_type = Object)]
    pub cause: Value,
    /// Since when.
    pub since: String,
    /// The end it has when it stands again; null for what is held without asking.
    pub full_end: Option<String>,
}

impl From<&Standing> for StandingShape {
    fn from(s: &Standing) -> Self {
        Self {
            fate: s.fate.as_str().to_owned(),
            cause: serde_json::to_value(&s.cause).unwrap_or(Value::Null),
            since: s.since.to_string(),
            full_end: (s.full_end < Time::OPEN).then(|| s.full_end.to_string()),
        }
    }
}

/// Endings that wait, because one change would cause so many.
#[derive(Debug, Serialize, ToSchema)]
pub struct HeldEndingsShape {
    /// The event that held them: what a confirmation names.
    pub seq: i64,
    /// When.
    pub at: String,
    /// Who made the change, as far as it is known.
    pub author: Option<String>,
    /// How many grants were live.
    pub live: u64,
    /// How many would end.
    pub total: u64,
    /// The same by group.
    pub groups: std::collections::BTreeMap<String, u64>,
}

impl From<HeldEndings> for HeldEndingsShape {
    fn from(h: HeldEndings) -> Self {
        Self {
            seq: h.seq,
            at: h.at.to_string(),
            author: h.of.author.as_ref().map(ToString::to_string),
            live: h.of.live,
            total: h.of.total(),
            groups: h.of.counts.iter().map(|(g, n)| (g.to_string(), *n)).collect(),
        }
    }
}

/// A request.
#[derive(Debug, Serialize, ToSchema)]
pub struct RequestShape {
    /// Id.
    pub id: String,
    /// `pending`, `granted`, `denied`, `withdrawn` or `expired`.
    pub status: String,
    /// Who would hold it.
    pub person: String,
    /// Who filed it.
    pub filed_by: String,
    /// What.
    pub group: String,
    /// For how long, like `8h`.
    pub duration: String,
    /// When it was filed.
    pub submitted_at: String,
    /// When it left `pending`.
    pub decided_at: Option<String>,
    /// Votes are taken until then.
    pub deadline: Option<String>,
    /// The rule that decided, or whose approval is asked.
    pub rule: Option<String>,
    /// The decision; null for a request whose decision is not part of this answer.
    pub decision: Option<DecisionShape>,
    /// The grant it started or extended.
    pub grant: Option<GrantShape>,
    /// What target systems have of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deliveries: Option<Vec<DeliveryShape>>,
    /// Who has approved so far.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approvals: Option<Vec<String>>,
    /// Who is asked now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approvers: Option<Vec<String>>,
}

impl RequestShape {
    /// A request with what an answer to a command tells.
    pub fn new(snapshot: &Snapshot, r: &Request, decision: Option<&Decision>, grant: Option<&Grant>) -> Self {
        Self {
            id: r.id.to_string(),
            status: r.status.as_str().to_owned(),
            person: r.person.to_string(),
            filed_by: r.filed_by.to_string(),
            group: r.group.to_string(),
            duration: r.duration.to_string(),
            submitted_at: r.submitted_at.to_string(),
            decided_at: r.decided_at.map(|t| t.to_string()),
            deadline: r.deadline.map(|t| t.to_string()),
            rule: r.rule.as_ref().map(|rule| rule.name.clone()),
            decision: decision.map(DecisionShape::from),
            grant: grant.map(|g| GrantShape::new(snapshot, g)),
            deliveries: None,
            approvals: None,
            approvers: None,
        }
    }
}

/// What a target system has of a request.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeliveryShape {
    /// Id.
    pub id: String,
    /// `add` or `remove`.
    pub action: String,
    /// Connector.
    pub connector: String,
    /// Native name there.
    pub name: String,
    /// `queued`, `done` or `failing`; `held` for a removal that waits for an admin (semantics.md, 33).
    pub state: String,
    /// Why it fails, or a note.
    pub note: Option<String>,
    /// When the target had it.
    pub done_at: Option<String>,
}

impl From<&Delivery> for DeliveryShape {
    fn from(d: &Delivery) -> Self {
        Self {
            id: d.id.to_string(),
            action: d.action.as_str().to_owned(),
            connector: d.entitlement.connector.to_string(),
            name: d.entitlement.name.clone(),
            state: d.state.as_str().to_owned(),
            note: d.note.clone(),
            done_at: d.done_at.map(|t| t.to_string()),
        }
    }
}

/// A group.
#[derive(Debug, Serialize, ToSchema)]
pub struct GroupShape {
    /// Id.
    pub id: String,
    /// Name for people.
    pub title: String,
    /// What it gives.
    pub description: String,
    /// Who answers for it, like `team:data-platform`.
    pub owner: Vec<String>,
    /// `public`, `internal`, `confidential` or `restricted`.
    pub sensitivity: String,
    /// Labels.
    pub tags: Vec<String>,
    /// What members hold: `{connector, name}`.
    #[schema(value_type = Vec<Object>)]
    pub entitlements: Value,
    /// Its rules as written: `{name, who, when, then, for, …}`.
    #[schema(value_type = Vec<Object>)]
    pub rules: Value,
    /// What happens to a grant whose rule no longer holds: `revoke` ends it after `grace`, `flag` lists it for the owners.
    #[schema(value_type = String)]
    pub on_change: crate::domain::group::OnChange,
    /// How long such a grant goes on, like `24h`.
    pub grace: String,
}

impl From<&Group> for GroupShape {
    fn from(g: &Group) -> Self {
        Self {
            id: g.id.to_string(),
            title: g.title.clone(),
            description: g.description.clone(),
            owner: g.owner.iter().map(ToString::to_string).collect(),
            sensitivity: g.sensitivity.as_str().to_owned(),
            tags: g.tags.clone(),
            entitlements: serde_json::to_value(&g.entitlements).unwrap_or(Value::Null),
            rules: serde_json::to_value(&g.rules).unwrap_or(Value::Null),
            on_change: g.on_change,
            grace: g.grace.to_string(),
        }
    }
}

/// A person, as everyone signed in may see them.
#[derive(Debug, Serialize, ToSchema)]
pub struct PersonShape {
    /// Id.
    pub id: String,
    /// Name.
    pub name: String,
    /// E-mail, shown and never a key.
    pub email: Option<String>,
    /// Job title.
    pub title: Option<String>,
    /// Manager's id.
    pub manager: Option<String>,
    /// Main team's id.
    pub team: Option<String>,
    /// `active` or `left`.
    pub status: String,
}

impl From<&Person> for PersonShape {
    fn from(p: &Person) -> Self {
        Self {
            id: p.id.to_string(),
            name: p.name.clone(),
            email: p.email.clone(),
            title: p.title.clone(),
            manager: p.manager.as_ref().map(ToString::to_string),
            team: p.team.as_ref().map(ToString::to_string),
            status: if p.is_active() { "active" } else { "left" }.to_owned(),
        }
    }
}

/// A person with where what is known of them comes from.
#[derive(Debug, Serialize, ToSchema)]
pub struct PersonDetailShape {
    /// Who.
    #[serde(flatten)]
    pub person: PersonShape,
    /// By field. Empty when files alone speak of them.
    pub sources: Vec<FactSourceShape>,
}

/// Where a fact comes from.
#[derive(Debug, Serialize, ToSchema)]
pub struct FactSourceShape {
    /// Which fact: `status`, `name`, `email`, `manager`, `teams`, `employment`, `location`, `title`, `attributes` or `accounts`.
    pub field: String,
    /// Which source, like `scim:okta`.
    pub source: String,
    /// When it last said something of the person.
    pub told_at: Option<String>,
    /// When it was last heard from, as far as that is recorded.
    pub seen_at: Option<String>,
}

/// A team.
#[derive(Debug, Serialize, ToSchema)]
pub struct TeamShape {
    /// Id.
    pub id: String,
    /// Name.
    pub title: String,
    /// What it does.
    pub description: String,
    /// The unit above.
    pub parent: Option<String>,
    /// Units below.
    pub teams: Vec<String>,
    /// Direct members.
    pub members: Vec<PersonShape>,
}

/// An event of the audit log.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventShape {
    /// Position in the log.
    pub seq: i64,
    /// When.
    pub at: String,
    /// Kind, like `request.granted`.
    pub kind: String,
    /// Who did it, like `person:ann`.
    pub actor: String,
    /// Whom it is about.
    pub person: Option<String>,
    /// What it is about.
    pub group: Option<String>,
    /// Which request.
    pub request: Option<String>,
    /// Which grant.
    pub grant: Option<String>,
    /// How it came out.
    pub outcome: String,
    /// By which rule.
    pub rule: Option<String>,
    /// Under which policy.
    pub policy_revision: Option<String>,
    /// One line that says why.
    pub reason: Option<String>,
    /// Everything personal that was recorded: reason, justification, facts, decision; null after an erasure.
    #[schema(value_type = Object)]
    pub personal: Value,
    /// The hashed body.
    #[schema(value_type = Object)]
    pub body: Value,
}

impl From<&AuditRow> for EventShape {
    fn from(row: &AuditRow) -> Self {
        let personal: Value = row.personal.as_deref().and_then(|t| serde_json::from_str(t).ok()).unwrap_or(Value::Null);
        Self {
            seq: row.seq,
            at: row.at.to_string(),
            kind: row.kind.clone(),
            actor: row.actor.clone(),
            person: row.index.person.as_ref().map(ToString::to_string),
            group: row.index.group.as_ref().map(ToString::to_string),
            request: row.index.request.map(|r| r.to_string()),
            grant: row.index.grant.map(|g| g.to_string()),
            outcome: row.outcome.clone(),
            rule: row.index.rule.clone(),
            policy_revision: row.index.policy_revision.as_ref().map(ToString::to_string),
            reason: personal.get("reason").and_then(Value::as_str).map(str::to_owned),
            personal,
            body: serde_json::from_str(&row.body).unwrap_or(Value::Null),
        }
    }
}

/// The policy in force.
#[derive(Debug, Serialize, ToSchema)]
pub struct PolicyShape {
    /// Content hash.
    pub revision: Option<String>,
    /// Since when.
    pub since: String,
    /// Seconds since then.
    pub age_seconds: i64,
    /// Where it came from.
    pub source: String,
    /// The commit in force, when the source is a git repository: id, author, author_email, subject.
    #[schema(value_type = Option<Object>)]
    pub commit: Option<crate::domain::commit::Commit>,
    /// The newest commit seen in the repository, used or not.
    #[schema(value_type = Option<Object>)]
    pub head: Option<crate::domain::commit::Commit>,
    /// Why the source could not be reached at the last look.
    pub source_unreachable: Option<String>,
    /// When the source was last reached by this replica.
    pub source_reached: Option<String>,
    /// Number of groups.
    pub groups: usize,
    /// Number of guardrails.
    pub guardrails: usize,
    /// Whether new grants are stopped.
    pub frozen: bool,
    /// Endings that wait for an admin to confirm them; null when none do.
    pub endings: Option<HeldEndingsShape>,
    /// What the newest state of the source suffers from.
    #[schema(value_type = Vec<Object>)]
    pub problems: Value,
    /// The newest loads, newest first, those that were refused as well. All of them are in `GET /audit?kind=policy.`.
    pub history: Vec<PolicyLoad>,
}

impl PolicyShape {
    /// As of a snapshot.
    pub fn new(snapshot: &Snapshot, now: crate::domain::time::Time, source: crate::ledger::SourceState, held: Option<HeldEndings>, history: Vec<PolicyLoad>) -> Self {
        Self {
            history,
            revision: snapshot.in_force.as_ref().map(ToString::to_string),
            since: snapshot.policy_since.to_string(),
            age_seconds: now.seconds_since(snapshot.policy_since),
            source: snapshot.policy_source.clone(),
            commit: source.in_force,
            head: source.head,
            source_unreachable: source.unreachable,
            source_reached: source.reached.map(|at| at.to_string()),
            groups: snapshot.policy.set().groups().len(),
            guardrails: snapshot.policy.set().guardrails().len(),
            frozen: snapshot.frozen,
            endings: held.filter(|h| h.state == HeldState::Waiting).map(HeldEndingsShape::from),
            problems: serde_json::to_value(&snapshot.problems).unwrap_or(Value::Null),
        }
    }
}
