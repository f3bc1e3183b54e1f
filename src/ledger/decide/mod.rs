//! The pure heart: (world, command, time) -> events and an answer, or a named refusal. No I/O, no clock, no randomness.

pub mod birthright;
mod delivery;
mod directory;
mod ending;
pub mod explained;
pub mod inputs;
mod leaving;
mod membership;
mod operate;
mod holding;
mod policy;
pub mod reconsider;
mod service;
mod signin;
mod submit;
mod vote;

use std::collections::{BTreeMap, BTreeSet};

use super::{snapshot::Snapshot, state::State};
use crate::domain::{
    actor::Actor,
    command::{Answer, Command, Envelope},
    delivery::{Delivery, DeliveryAction, DeliveryState},
    duration::Duration,
    event::{Change, Event, Personal},
    grant::{Grant, Provenance},
    group::{Entitlement, Who},
    id::{CommandId, DeliveryId, GrantId, GroupId, IdSource, PersonId, RequestId},
    record::SourceName,
    refusal::Refusal,
    time::Time,
    token::{Scope, Token},
};

pub(crate) use explained::Told;
pub use membership::{Asker, eligible, is_in};
pub(crate) use submit::{Filing, file, voters};

/// Numbers that bound what people may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// How long an identical request stays denied after a person denied it.
    pub deny_cooldown: Duration,
    /// Requests one person may file within an hour.
    pub requests_per_hour: u32,
    /// How long a source may be silent before what it says is not used to grant: by its name, or what stands before the colon.
    pub max_age: BTreeMap<String, Duration>,
}

/// What a command is decided on.
pub struct World<'a> {
    /// Policy and directory in force.
    pub snapshot: &'a Snapshot,
    /// Rows, with the effects of the commands before this one.
    pub state: &'a State,
    /// The one time of the batch.
    pub now: Time,
    /// Number of the first event this command would write.
    pub next_seq: i64,
    /// Life of the log.
    pub epoch: i64,
    /// Bounds.
    pub limits: &'a Limits,
    /// The clock is so far behind the head that nothing new is granted (semantics.md, 16).
    pub clock_behind: bool,
    /// How many requests the filer has filed within the last hour.
    pub filed_last_hour: u32,
}

/// What a command leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
    /// Events in order; their numbers follow on.
    pub events: Vec<Event>,
    /// The answer to the caller.
    pub answer: Answer,
}

/// Collects the events of one command.
pub(crate) struct Recorder<'a> {
    world: &'a World<'a>,
    actor: &'a Actor,
    command: CommandId,
    events: Vec<Event>,
}

impl<'a> Recorder<'a> {
    fn new(world: &'a World<'a>, envelope: &'a Envelope) -> Self {
        Self { world, actor: &envelope.actor, command: envelope.id, events: Vec::new() }
    }

    /// The number that the next event will have.
    fn seq(&self) -> i64 {
        self.world.next_seq + i64::try_from(self.events.len()).unwrap_or(i64::MAX)
    }

    fn record(&mut self, change: Change, personal: Personal) {
        let event = Event {
            seq: self.seq(),
            epoch: self.world.epoch,
            at: self.world.now,
            actor: self.actor.clone(),
            command: self.command,
            change,
            personal,
        };
        self.events.push(event);
    }

    fn answer(self, answer: Answer) -> Decided {
        Decided { events: self.events, answer }
    }

    fn done(self) -> Decided {
        let changed = u32::try_from(self.events.len()).unwrap_or(u32::MAX);
        self.answer(Answer::Done { changed })
    }
}

/// Decides one command.
///
/// # Errors
/// A [`Refusal`] says why nothing happens.
pub fn decide(world: &World<'_>, envelope: &Envelope, ids: &mut dyn IdSource) -> Result<Decided, Refusal> {
    // What was refused to somebody is recorded although their token was revoked, or they left, meanwhile.
    if !matches!(envelope.command, Command::RecordRefusals { .. }) {
        world.check_actor(&envelope.actor)?;
    }
    service::check(world, &envelope.actor, &envelope.command)?;
    let mut recorder = Recorder::new(world, envelope);
    match &envelope.command {
        Command::Submit { person, group, duration, justification } => {
            let filing = Filing { person, group, duration: *duration, justification: justification.as_deref(), told: Told::Recorded };
            submit::submit(world, &envelope.actor, &filing, recorder, ids)
        }
        Command::Renew { grant, duration, justification } => {
            submit::renew(world, &envelope.actor, *grant, *duration, justification.as_deref(), recorder, ids)
        }
        Command::Approve { request, comment } => vote::approve(world, &envelope.actor, *request, comment.as_deref(), recorder, ids),
        Command::Deny { request, reason } => vote::deny(world, &envelope.actor, *request, reason, recorder),
        Command::Withdraw { request } => vote::withdraw(world, &envelope.actor, *request, recorder),
        Command::ExpireRequest { request } => vote::expire(world, *request, recorder),
        Command::Revoke { grant, reason } => ending::revoke(world, &envelope.actor, *grant, reason.as_deref(), recorder, ids),
        Command::ExpireGrant { grant } => ending::expire(world, *grant, recorder, ids),
        Command::Reconsider { grant, request } => reconsider::carry_out(world, &envelope.actor, *grant, *request, recorder, ids),
        Command::HoldEndings { of } => holding::hold(world, &envelope.actor, of, recorder),
        Command::ConfirmEndings { held, reason } => holding::confirm(world, &envelope.actor, *held, reason, recorder),
        Command::WithdrawEndings { held, reason } => holding::withdraw(world, &envelope.actor, *held, reason, recorder),
        Command::LiftBlock { person, group } => ending::lift_block(world, &envelope.actor, person, group, recorder),
        Command::Birthright { person, group } => birthright::begin(world, &envelope.actor, person, group, recorder, ids),
        Command::Adopt { person, group } => ending::adopt(world, &envelope.actor, person, group, recorder, ids),
        Command::ConfirmDelivery { delivery, note } => delivery::confirm(world, *delivery, note.clone(), recorder),
        Command::ReportDelivery { delivery, error } => delivery::report(world, *delivery, error, recorder),
        Command::ConfirmRemovals { connector, reason } => delivery::confirm_removals(world, &envelope.actor, connector, reason, recorder),
        Command::ChangeDirectory { changes, told, source, expected_revision } => {
            directory::change(world, &envelope.actor, (changes, told), source, *expected_revision, recorder, ids)
        }
        Command::SourceSeen { source } => directory::source_seen(world, &envelope.actor, source, recorder),
        Command::HoldLeavers { source, leaving, active } => directory::hold_leavers(world, &envelope.actor, source, (*leaving, *active), recorder),
        Command::ConfirmLeavers { source, held, reason } => directory::confirm_leavers(world, &envelope.actor, (source, *held), reason, recorder),
        Command::LoadPolicy { revision, parent, source, commit, access, .. } => {
            policy::load(world, revision, parent.as_ref(), (source, commit.as_ref(), access.as_ref()), recorder, ids)
        }
        Command::ReportPolicyFailure { source, digest, errors, problems } => {
            recorder.record(
                Change::PolicyLoadFailed { source: source.clone(), digest: digest.clone(), errors: *errors, problems: problems.clone() },
                Personal { reason: problems.first().map(|first| told_first(first, *errors)), ..Personal::default() },
            );
            Ok(recorder.done())
        }
        Command::CreateToken { person, secret_sha256, scopes, label, lifetime, service, first_admin } => {
            let wish = operate::TokenWish { person, secret_sha256, scopes, label, lifetime: *lifetime, service: service.as_ref(), first_admin: *first_admin };
            operate::create_token(world, &envelope.actor, &wish, recorder, ids)
        }
        Command::RevokeToken { token } => operate::revoke_token(world, &envelope.actor, *token, recorder),
        Command::SignIn { issuer, subject, sid, claim, secret_sha256, attempt_sha256, agent, lifetime, replaces } => {
            let wish = signin::SignIn {
                issuer,
                subject,
                sid: sid.as_deref(),
                claim: claim.as_deref(),
                secret_sha256,
                attempt_sha256,
                agent: agent.as_deref(),
                lifetime: *lifetime,
                replaces: *replaces,
            };
            signin::sign_in(world, &envelope.actor, &wish, recorder, ids)
        }
        Command::RefuseSignIn { issuer, subject, person, reason } => signin::refuse(&envelope.actor, issuer, subject, person, reason, recorder),
        Command::EndSessions { person, only, except, cause } => signin::end(world, &envelope.actor, person, (only.as_ref(), *except), *cause, recorder),
        Command::UnlinkIdentity { issuer, person, reason } => signin::unlink(world, &envelope.actor, issuer, person, reason, recorder),
        Command::Freeze { on, reason } => operate::freeze(world, &envelope.actor, *on, reason, recorder),
        Command::RecordRefusals { counts, first_object } => {
            recorder.record(Change::Refused { counts: counts.clone(), first_object: first_object.clone() }, Personal::default());
            Ok(recorder.done())
        }
    }
}

/// The first of the errors of a policy that could not be used, on one line.
fn told_first(first: &str, errors: u32) -> String {
    let line = first.lines().next().unwrap_or_default();
    match errors.saturating_sub(1) {
        0 => line.to_owned(),
        more => format!("{line}; and {more} more"),
    }
}

impl World<'_> {
    /// Whoever acts is active, and the token they came with is alive, now and under the head lock.
    ///
    /// # Errors
    /// A [`Refusal`] when not.
    pub(crate) fn check_actor(&self, actor: &Actor) -> Result<(), Refusal> {
        let Actor::Person { id, token, service, .. } = actor else { return Ok(()) };
        if let Some(token) = token {
            let alive = |t: &Token| t.person == *id && t.service == *service && t.revoked_at.is_none() && t.expires_at > self.now;
            if !self.state.token(*token).is_some_and(alive) {
                return Err(Refusal::DeadToken);
            }
        }
        if !self.snapshot.directory.person(id.as_str()).is_some_and(|p| p.is_active()) {
            return Err(Refusal::NotAllowed { reason: "you are not in the directory any more".to_owned() });
        }
        Ok(())
    }

    /// Whether an actor administers Bandpass: by `roles.toml`, by the first admin's token, or at the service's machine.
    pub(crate) fn is_admin(&self, actor: &Actor) -> bool {
        match actor {
            Actor::Operator { .. } => true,
            Actor::System { .. } => false,
            Actor::Person { id, token, bearer, .. } => {
                let by_token = token.and_then(|t| self.state.token(t));
                let scoped = match bearer {
                    Some(bearer) => bearer.scopes.contains(&Scope::Admin),
                    None => token.is_none() || by_token.is_some_and(|t| t.scopes.contains(&Scope::Admin)),
                };
                let first = by_token.is_some_and(|t| t.first_admin && t.person == *id && t.revoked_at.is_none() && t.expires_at > self.now);
                scoped && (first || self.is_one_of(&self.snapshot.policy.set().roles().admin, id))
            }
        }
    }

    /// Whether a person is active and meant by any of the words.
    pub(crate) fn is_one_of(&self, words: &[Who], person: &PersonId) -> bool {
        let holds: BTreeSet<GroupId> = self.state.live_grants(person).filter(|g| g.ends_at > self.now).map(|g| g.group.clone()).collect();
        words.iter().any(|who| is_in(who, person, &self.snapshot.directory, &holds))
    }

    /// The source of what is known of a person that was silent for too long, if one was.
    pub(crate) fn stale(&self, person: &PersonId) -> Option<(SourceName, Option<Time>)> {
        if self.limits.max_age.is_empty() {
            return None;
        }
        let directory = &self.snapshot.directory;
        let too_old = |source: &SourceName| {
            let limit = self.limits.max_age.get(source.as_str()).or_else(|| self.limits.max_age.get(source.family()))?;
            let seen = directory.seen(source);
            seen.is_none_or(|at| at.plus(*limit) < self.now).then(|| (source.clone(), seen))
        };
        match directory.records().of_person(person.as_str()) {
            [] => too_old(&SourceName::files()),
            records => records.iter().filter(|r| !r.gone).find_map(|r| too_old(&r.source)),
        }
    }

    /// Whether a person owns a group.
    pub(crate) fn owns(&self, person: &PersonId, group: &GroupId) -> bool {
        self.snapshot.policy.set().group(group.as_str()).is_some_and(|g| self.is_one_of(&g.owner, person))
    }

    /// Whether somebody is in the directory and has not left.
    pub(crate) fn is_here(&self, person: &PersonId) -> bool {
        self.snapshot.directory.person(person.as_str()).is_some_and(|p| p.is_active())
    }

    /// Whether one person stands above another in the chain of managers.
    pub(crate) fn manages(&self, manager: &PersonId, person: &PersonId) -> bool {
        self.snapshot.directory.manager_chain(person).contains(manager)
    }

    /// What of a grant's entitlements no other live grant of the person brings (semantics.md, 21).
    fn brought_alone(&self, grant: &Grant) -> Vec<Entitlement> {
        let others = || self.state.live_grants(&grant.person).filter(|g| g.id != grant.id);
        grant.entitlements.iter().filter(|e| !others().any(|g| g.entitlements.contains(e))).cloned().collect()
    }
}

/// Intents for what a grant brings or takes, in the order of the policy file.
pub(crate) struct Intents<'a> {
    world: &'a World<'a>,
    grant: GrantId,
    person: &'a PersonId,
    request: Option<RequestId>,
    seq: i64,
    /// See [`Delivery::urgent`].
    urgent: bool,
}

impl Intents<'_> {
    fn queue(&self, action: DeliveryAction, entitlements: &[Entitlement], ids: &mut dyn IdSource) -> Vec<Delivery> {
        let accounts = self.world.snapshot.directory.person(self.person.as_str()).map(|p| &p.accounts);
        entitlements
            .iter()
            .map(|entitlement| Delivery {
                id: DeliveryId(ids.fresh()),
                person: self.person.clone(),
                account: accounts.and_then(|a| a.get(&entitlement.connector)).cloned(),
                entitlement: entitlement.clone(),
                action,
                grant: Some(self.grant),
                request: self.request,
                state: DeliveryState::Queued,
                queued_at: self.world.now,
                queued_seq: self.seq,
                done_at: None,
                note: None,
                urgent: self.urgent,
            })
            .collect()
    }
}

/// What must be added for a grant that starts: what no other live grant of the person brings already.
pub(crate) fn additions(world: &World<'_>, grant: &Grant, seq: i64, ids: &mut dyn IdSource) -> Vec<Delivery> {
    let new = world.brought_alone(grant);
    Intents { world, grant: grant.id, person: &grant.person, request: grant.request, seq, urgent: false }.queue(DeliveryAction::Add, &new, ids)
}

/// What must be removed for a grant that ends: what no other live grant of the person brings (semantics.md, 21). Where the
/// grant was adopted, it may wait for confirmation first.
pub(crate) fn removals(world: &World<'_>, grant: &Grant, seq: i64, ids: &mut dyn IdSource) -> Vec<Delivery> {
    let mut deliveries = removals_at_once(world, grant, seq, ids);
    hold_first(world, grant, &mut deliveries);
    deliveries
}

/// Makes the removals of an adopted grant wait, where no admin has confirmed such removals yet: the membership was not made
/// here, and a wrong list of adoptions must not empty a target system (semantics.md, 33). Whoever left never waits.
fn hold_first(world: &World<'_>, grant: &Grant, deliveries: &mut [Delivery]) {
    if grant.provenance != Provenance::Adopted || !world.is_here(&grant.person) {
        return;
    }
    for delivery in deliveries.iter_mut().filter(|d| d.action == DeliveryAction::Remove) {
        if !world.state.removals_confirmed(&delivery.entitlement.connector) {
            delivery.state = DeliveryState::Held;
        }
    }
}

/// The same without waiting for any confirmation: the holder gives it back. Of somebody who left it goes before all others.
pub(crate) fn removals_at_once(world: &World<'_>, grant: &Grant, seq: i64, ids: &mut dyn IdSource) -> Vec<Delivery> {
    let gone = world.brought_alone(grant);
    let urgent = !world.is_here(&grant.person);
    Intents { world, grant: grant.id, person: &grant.person, request: grant.request, seq, urgent }.queue(DeliveryAction::Remove, &gone, ids)
}
