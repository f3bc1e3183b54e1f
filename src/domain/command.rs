//! Commands: wishes to change something. Handlers, jobs and connectors build them; only the ledger carries them out.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{
    access_change::Compared,
    actor::Actor,
    commit::Commit,
    decision::Decision,
    directory_change::{DirectoryChange, Told},
    duration::Duration,
    grant::Grant,
    id::{CommandId, ConnectorName, DeliveryId, GrantId, GroupId, PersonId, PolicyRevision, RequestId, ServiceName, SessionId, TokenId},
    record::SourceName,
    request::Request,
    session::{Session, SessionEnd},
    standing::HeldChange,
    token::{Scope, Token},
};

/// A wish to change something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    /// Ask for a group.
    Submit {
        /// For whom.
        person: PersonId,
        /// As given; an unknown group is a refusal.
        group: GroupId,
        /// For how long; none takes the longest that the person gets most easily.
        duration: Option<Duration>,
        /// Why.
        justification: Option<String>,
    },
    /// Vote for a request.
    Approve {
        /// Which.
        request: RequestId,
        /// A word to the requester.
        comment: Option<String>,
    },
    /// Vote against: ends it.
    Deny {
        /// Which.
        request: RequestId,
        /// Why.
        reason: String,
    },
    /// Take one's request back.
    Withdraw {
        /// Which.
        request: RequestId,
    },
    /// End a grant before its time.
    Revoke {
        /// Which.
        grant: GrantId,
        /// Why; the holder giving it back needs none.
        reason: Option<String>,
    },
    /// Ask for more time on a live grant: decided like a request for its group.
    Renew {
        /// Which.
        grant: GrantId,
        /// For how long from now; none repeats the last.
        duration: Option<Duration>,
        /// Why.
        justification: Option<String>,
    },
    /// Let the rules decide again after a revocation.
    LiftBlock {
        /// Whose.
        person: PersonId,
        /// For what.
        group: GroupId,
    },
    /// End a grant whose time has come.
    ExpireGrant {
        /// Which.
        grant: GrantId,
    },
    /// Decide a live grant again on what is in force now (semantics.md, 5).
    Reconsider {
        /// Which.
        grant: GrantId,
        /// The request behind it, as the caller saw it.
        request: Option<RequestId>,
    },
    /// Hold endings back until a person confirms them.
    HoldEndings {
        /// Of which change.
        of: HeldChange,
    },
    /// Let held endings happen.
    ConfirmEndings {
        /// The event that held them.
        held: i64,
        /// Why that is right.
        reason: String,
    },
    /// Held endings are moot, or replaced.
    WithdrawEndings {
        /// The event that held them.
        held: i64,
        /// Why.
        reason: String,
    },
    /// End a request whose deadline has passed.
    ExpireRequest {
        /// Which.
        request: RequestId,
    },
    /// A target system has it.
    ConfirmDelivery {
        /// Which.
        delivery: DeliveryId,
        /// A note worth showing.
        note: Option<String>,
    },
    /// A target system does not have it yet.
    ReportDelivery {
        /// Which.
        delivery: DeliveryId,
        /// Why.
        error: String,
    },
    /// Change people and teams.
    ChangeDirectory {
        /// The changes.
        changes: Vec<DirectoryChange>,
        /// What the source says now, where more than files speak.
        #[serde(default, skip_serializing_if = "Told::is_empty")]
        told: Told,
        /// From which source.
        source: String,
        /// The directory they were computed against; another one in force is a conflict.
        expected_revision: i64,
    },
    /// Record that a source was heard from, whether it said something or not.
    SourceSeen {
        /// Which.
        source: SourceName,
    },
    /// Record that a source would have more people leave than it may by itself.
    HoldLeavers {
        /// Which.
        source: SourceName,
        /// How many have left by it within the window, and how many more would.
        leaving: u32,
        /// Of how many.
        active: u32,
    },
    /// Let a source have as many people leave as it says, for one window.
    ConfirmLeavers {
        /// Which.
        source: SourceName,
        /// The event that held it back, where one was looked at; without one, whatever is or will be held.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        held: Option<i64>,
        /// Why that is right.
        reason: String,
    },
    /// Bring a policy set into force.
    LoadPolicy {
        /// Its hash; bytes are stored with it.
        revision: PolicyRevision,
        /// The set it replaces: compare and set (semantics.md, 28).
        parent: Option<PolicyRevision>,
        /// Where it came from.
        source: String,
        /// Which commit, when it came from git.
        #[serde(default)]
        commit: Option<Commit>,
        /// Whom it gives and takes access: counts, and names by group; or why that is not known. None for a first policy.
        #[serde(default)]
        access: Option<Compared>,
        /// Path and bytes of every file.
        #[serde(skip)]
        files: BTreeMap<String, Vec<u8>>,
    },
    /// Record that a policy source could not be used.
    ReportPolicyFailure {
        /// Where it came from.
        source: String,
        /// SHA-256 of the files in hex.
        digest: String,
        /// How many errors.
        errors: u32,
        /// The first ones, as text.
        problems: Vec<String>,
    },
    /// Make a token.
    CreateToken {
        /// Whose.
        person: PersonId,
        /// SHA-256 of the secret in hex.
        secret_sha256: String,
        /// What it may do.
        scopes: BTreeSet<Scope>,
        /// What it is for.
        label: String,
        /// For how long.
        lifetime: Duration,
        /// See [`Token::service`].
        #[serde(default, skip_serializing_if = "Option::is_none")]
        service: Option<ServiceName>,
        /// See [`Token::first_admin`].
        first_admin: bool,
    },
    /// Revoke a token.
    RevokeToken {
        /// Which.
        token: TokenId,
    },
    /// Begin a session of the actor, whom an issuer has named; a first sign-in records who the subject is.
    SignIn {
        /// The issuer's URL.
        issuer: String,
        /// The subject that it gave.
        subject: String,
        /// What it calls its session.
        sid: Option<String>,
        /// The claim that named the actor, at a first sign-in; none when a recorded link did.
        claim: Option<String>,
        /// SHA-256 of the cookie's secret in hex.
        secret_sha256: String,
        /// SHA-256 in hex of the `state` that the sign-in went by.
        attempt_sha256: String,
        /// What the browser calls itself.
        agent: Option<String>,
        /// For how long at most.
        lifetime: Duration,
        /// The session that the same browser had: it ends.
        replaces: Option<SessionId>,
    },
    /// Record that an issuer named somebody who may not come in.
    RefuseSignIn {
        /// The issuer's URL.
        issuer: String,
        /// The subject that it gave.
        subject: String,
        /// Whom that would be.
        person: PersonId,
        /// Why not.
        reason: String,
    },
    /// End live sessions of a person.
    EndSessions {
        /// Whose.
        person: PersonId,
        /// Which; none is all.
        #[serde(default)]
        only: Option<BTreeSet<SessionId>>,
        /// One that stays.
        #[serde(default)]
        except: Option<SessionId>,
        /// Why.
        cause: SessionEnd,
    },
    /// Forget who a person is at an issuer, so that their next sign-in says it again. Ends their sessions.
    UnlinkIdentity {
        /// The issuer's URL.
        issuer: String,
        /// Who.
        person: PersonId,
        /// Why.
        reason: String,
    },
    /// Stop new grants, or no longer.
    Freeze {
        /// Stop?
        on: bool,
        /// Why.
        reason: String,
    },
    /// Let somebody hold a group without asking, if a rule says so and nothing forbids it.
    Birthright {
        /// Who.
        person: PersonId,
        /// What.
        group: GroupId,
    },
    /// Record a membership that existed before Bandpass.
    Adopt {
        /// Who holds it.
        person: PersonId,
        /// What.
        group: GroupId,
    },
    /// Let the removals that adoptions cause at a connector go, those that wait and those to come.
    ConfirmRemovals {
        /// Where.
        connector: ConnectorName,
        /// Why.
        reason: String,
    },
    /// Record refused acts of one actor within one minute.
    RecordRefusals {
        /// How often, by `action: code`.
        counts: BTreeMap<String, u32>,
        /// The object of the first.
        first_object: String,
    },
}

/// Whose rights the command was checked with; `decide` checks again with the state in the batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// Made by the caller; resolves an unknown outcome of a commit.
    pub id: CommandId,
    /// Who wishes it.
    pub actor: Actor,
    /// What.
    pub command: Command,
    /// Replays the first answer within 24 h.
    pub idempotency: Option<Idempotency>,
}

/// Scope and body of an idempotent command (semantics.md, 19).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idempotency {
    /// Caller, route and key, hashed to hex.
    pub scope: String,
    /// The parsed command, hashed to hex.
    pub body: String,
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    /// A request was filed, or decided by a vote.
    Request {
        /// As it is now.
        request: Request,
        /// What decided it, or what it waits for.
        decision: Decision,
        /// The grant it started or extended.
        grant: Option<Grant>,
    },
    /// A request changed without a new decision: a vote, a withdrawal, an expiry.
    RequestChanged {
        /// As it is now.
        request: Request,
    },
    /// A grant changed.
    Grant {
        /// As it is now.
        grant: Grant,
    },
    /// A token was made.
    Token {
        /// It.
        token: Token,
    },
    /// A session began.
    Session {
        /// It.
        session: Session,
    },
    /// Done; `changed` tells how many events it took (0: nothing to do).
    Done {
        /// Number of events.
        changed: u32,
    },
}
