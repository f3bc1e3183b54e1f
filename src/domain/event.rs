//! Events: rows of the append-only audit table. Nothing changes except by one.
//!
//! An event has a hashed **body** (ids, references, the commitment to the personal text) and **personal** text beside it
//! that may be erased (semantics.md, 23). The kinds are public and versioned: they never change meaning
//! (semantics.md, 24).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    access_change::AccessChange,
    actor::Actor,
    delivery::Delivery,
    grant::Grant,
    group::Entitlement,
    id::{CommandId, ConnectorName, DeliveryId, GrantId, GroupId, PersonId, PolicyRevision, RequestId, SessionId, TeamId, TokenId},
    person::Team,
    record::{SourceName, TeamRecord},
    request::{Approval, Request},
    session::{Identity, Session, SessionEnd},
    standing::{Cause, Departure, HeldChange},
    time::Time,
    token::Token,
};

pub use super::{event_index::EventIndex, outcome::Outcome, personal::Personal};

/// What changed. The serialised `kind` is the public event kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "data")]
pub enum Change {
    /// A request was filed and people are asked.
    #[serde(rename = "request.submitted")]
    RequestSubmitted {
        /// The request, `pending`.
        request: Request,
    },
    /// A request was granted: at filing, or by the last vote.
    #[serde(rename = "request.granted")]
    RequestGranted {
        /// The request, `granted`.
        request: Request,
        /// The grant it starts; none when it extends a live one (`grant.extended` follows).
        grant: Option<Grant>,
        /// What target systems must now do.
        deliveries: Vec<Delivery>,
        /// The policy in force at this decision; differs from the request's own after a vote.
        decided_revision: PolicyRevision,
    },
    /// A request was denied: by policy at filing or at the last vote, or by a person.
    #[serde(rename = "request.denied")]
    RequestDenied {
        /// The request, `denied`.
        request: Request,
        /// The policy in force at this decision.
        decided_revision: PolicyRevision,
        /// Set when a person denied it: an identical request is denied until then (semantics.md, 6).
        cooldown_until: Option<Time>,
    },
    /// The requester took it back, or it went with somebody who left.
    #[serde(rename = "request.withdrawn")]
    RequestWithdrawn {
        /// Which.
        request: RequestId,
        /// Whose.
        person: PersonId,
        /// For what.
        group: GroupId,
        /// Set when nobody took it back: the person, or who filed it for them, has left.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cause: Option<Cause>,
    },
    /// Nobody answered in time.
    #[serde(rename = "request.expired")]
    RequestExpired {
        /// Which.
        request: RequestId,
        /// Whose.
        person: PersonId,
        /// For what.
        group: GroupId,
    },
    /// A vote for a request that was not the deciding one, or that precedes the decision in the same batch.
    #[serde(rename = "approval.given")]
    ApprovalGiven {
        /// The vote.
        approval: Approval,
        /// Whose request.
        person: PersonId,
        /// For what.
        group: GroupId,
        /// The stage that begins by it, with its deadline.
        next_stage: Option<(u32, Time)>,
    },
    /// A vote on a pending request does not count any more: the voter has left.
    #[serde(rename = "approval.voided")]
    ApprovalVoided {
        /// The vote.
        approval: Approval,
        /// Whose request.
        person: PersonId,
        /// For what.
        group: GroupId,
        /// The stage that is asked again because of it, with its deadline.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        asked_again: Option<(u32, Time)>,
        /// Why.
        cause: Cause,
    },
    /// A live grant got a later end.
    #[serde(rename = "grant.extended")]
    GrantExtended {
        /// The grant as it is now.
        grant: Grant,
        /// Its end before.
        old_end: Time,
    },
    /// A grant was ended before its time.
    #[serde(rename = "grant.revoked")]
    GrantRevoked {
        /// The grant, `revoked`.
        grant: Grant,
        /// Whether later `grant` rules act as approval by the owner (semantics.md, 6).
        block: bool,
        /// What target systems must now do.
        deliveries: Vec<Delivery>,
        /// Set when nobody revoked it: policy or people changed so that it ended at once.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cause: Option<Cause>,
    },
    /// A live grant does not stand any more and ends when its grace is over. Again with another cause, its end stays.
    #[serde(rename = "grant.ending")]
    GrantEnding {
        /// The grant as it is now.
        grant: Grant,
        /// The policy in force at this decision.
        decided_revision: PolicyRevision,
    },
    /// A live grant does not stand any more, and its owner decides.
    #[serde(rename = "grant.flagged")]
    GrantFlagged {
        /// The grant as it is now.
        grant: Grant,
        /// The policy in force at this decision.
        decided_revision: PolicyRevision,
    },
    /// A live grant stands again: it has its own end back.
    #[serde(rename = "grant.kept")]
    GrantKept {
        /// The grant as it is now.
        grant: Grant,
        /// The policy in force at this decision.
        decided_revision: PolicyRevision,
    },
    /// A live grant went on under the group's new id (`formerly`).
    #[serde(rename = "grant.moved")]
    GrantMoved {
        /// The grant as it is now.
        grant: Grant,
        /// The id before.
        from: GroupId,
        /// What target systems must now do.
        deliveries: Vec<Delivery>,
    },
    /// A change would end so many grants that nothing ends before a person confirms it.
    #[serde(rename = "endings.held")]
    EndingsHeld {
        /// The change.
        of: HeldChange,
    },
    /// A person confirmed them; why is personal text.
    #[serde(rename = "endings.confirmed")]
    EndingsConfirmed {
        /// The event that held them.
        held: i64,
        /// The policy in force now.
        policy_revision: Option<PolicyRevision>,
        /// Number of the last directory event now.
        directory_revision: i64,
    },
    /// A later change has made them moot, or replaced them.
    #[serde(rename = "endings.withdrawn")]
    EndingsWithdrawn {
        /// The event that held them.
        held: i64,
    },
    /// A grant reached its end.
    #[serde(rename = "grant.expired")]
    GrantExpired {
        /// The grant, `expired`.
        grant: Grant,
        /// What target systems must now do.
        deliveries: Vec<Delivery>,
    },
    /// A membership that existed before Bandpass was recorded.
    #[serde(rename = "grant.adopted")]
    GrantAdopted {
        /// The grant.
        grant: Grant,
    },
    /// A rule gives membership without asking, for as long as it holds. A live grant that was asked for or adopted goes on as
    /// this one.
    #[serde(rename = "grant.birthright")]
    GrantBirthright {
        /// The grant as it is now.
        grant: Grant,
        /// What target systems must now do.
        deliveries: Vec<Delivery>,
        /// The policy in force at this decision.
        decided_revision: PolicyRevision,
    },
    /// Requests of this person for this group are decided by the rules again.
    #[serde(rename = "block.lifted")]
    BlockLifted {
        /// Whose.
        person: PersonId,
        /// For what.
        group: GroupId,
    },
    /// A change of a group's entitlements queued work at target systems (semantics.md, 21).
    #[serde(rename = "delivery.queued")]
    DeliveryQueued {
        /// For what group.
        group: GroupId,
        /// For whom.
        person: PersonId,
        /// The grant that now carries other entitlements.
        grant: GrantId,
        /// What it carries now.
        entitlements: Vec<Entitlement>,
        /// What target systems must now do.
        deliveries: Vec<Delivery>,
    },
    /// A target system has it.
    #[serde(rename = "delivery.done")]
    DeliveryDone {
        /// Which.
        delivery: DeliveryId,
        /// For whom.
        person: PersonId,
        /// Because of which request.
        request: Option<RequestId>,
        /// A note, when nothing had to be done or a foreign membership was left.
        note: Option<String>,
    },
    /// A target system does not have it yet; recorded when it starts failing and when the reason changes.
    #[serde(rename = "delivery.failing")]
    DeliveryFailing {
        /// Which.
        delivery: DeliveryId,
        /// For whom.
        person: PersonId,
        /// Because of which request.
        request: Option<RequestId>,
        /// Why.
        error: String,
    },
    /// An admin let the removals that adoptions cause at a connector go: those that waited and those to come.
    #[serde(rename = "removals.confirmed")]
    RemovalsConfirmed {
        /// Where.
        connector: ConnectorName,
        /// How many waited.
        waited: u64,
    },
    /// A person joined or came back; who they are is personal text.
    #[serde(rename = "person.added")]
    PersonAdded {
        /// Who.
        person: PersonId,
        /// From which source.
        source: String,
    },
    /// Facts about a person changed.
    #[serde(rename = "person.changed")]
    PersonChanged {
        /// Who.
        person: PersonId,
        /// Names of the fields.
        fields: Vec<String>,
        /// From which source.
        source: String,
    },
    /// A person left. The id is a tombstone. What they held, asked and voted ends by events that follow in the same
    /// transaction.
    #[serde(rename = "person.left")]
    PersonLeft {
        /// Who.
        person: PersonId,
        /// From which source.
        source: String,
        /// Removals of theirs that waited for an admin's confirmation and go now: a leaver waits for nobody.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        released: Vec<DeliveryId>,
    },
    /// A team is new or different.
    #[serde(rename = "team.changed")]
    TeamChanged {
        /// As it is now.
        team: Team,
        /// From which source.
        source: String,
        /// What sources say of it, where more than files speak.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        records: Vec<TeamRecord>,
    },
    /// A team is gone.
    #[serde(rename = "team.removed")]
    TeamRemoved {
        /// Which.
        team: TeamId,
        /// From which source.
        source: String,
    },
    /// A source says something else of a person, and the directory stays as it is; what it says is personal text.
    #[serde(rename = "person.recorded")]
    PersonRecorded {
        /// Who.
        person: PersonId,
        /// From which source.
        source: String,
    },
    /// A source says something else of a team, or nothing any more, and the directory stays as it is.
    #[serde(rename = "team.recorded")]
    TeamRecorded {
        /// Which.
        team: TeamId,
        /// From which source.
        source: String,
        /// What sources say of it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        records: Vec<TeamRecord>,
        /// The source that speaks of it no more.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        forgotten: Option<SourceName>,
    },
    /// A source was heard from. Recorded now and then, not each time.
    #[serde(rename = "source.seen")]
    SourceSeen {
        /// Which.
        source: SourceName,
    },
    /// A source would have more people leave than it may by itself: they stay until an admin confirms it.
    #[serde(rename = "leavers.held")]
    LeaversHeld {
        /// Which.
        source: SourceName,
        /// How many have left by it within the window, and how many more would.
        leaving: u32,
        /// Of how many.
        active: u32,
    },
    /// An admin let a source have as many people leave as it says, for one window; why is personal text.
    #[serde(rename = "leavers.confirmed")]
    LeaversConfirmed {
        /// Which.
        source: SourceName,
    },
    /// A policy set came into force.
    #[serde(rename = "policy.loaded")]
    PolicyLoaded {
        /// Its content hash.
        revision: PolicyRevision,
        /// The one before.
        parent: Option<PolicyRevision>,
        /// Where it came from: a folder or a repository.
        source: String,
        /// Groups that begin a life with it.
        groups_added: Vec<GroupId>,
        /// Groups that end theirs.
        groups_removed: Vec<GroupId>,
        /// What those said last about their grants.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        departures: BTreeMap<GroupId, Departure>,
        /// Digits of the commit it was read from, when the source is a git repository. Its author is personal text.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        commit: Option<String>,
        /// How many people gained and lost by it; none for a first policy, or when that was not worked out in time.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        access: Option<AccessChange>,
    },
    /// A policy source could not be used; the last good set stays in force.
    #[serde(rename = "policy.load_failed")]
    PolicyLoadFailed {
        /// Where it came from.
        source: String,
        /// SHA-256 of the files, in hex, so that the same failure is recorded once.
        digest: String,
        /// How many errors.
        errors: u32,
        /// The first ones, as text.
        problems: Vec<String>,
    },
    /// A token was made. Its secret was shown once and is nowhere.
    #[serde(rename = "token.created")]
    TokenCreated {
        /// The token.
        token: Token,
    },
    /// A token was revoked.
    #[serde(rename = "token.revoked")]
    TokenRevoked {
        /// Which.
        token: TokenId,
        /// Whose.
        person: PersonId,
        /// Set when nobody revoked it: its owner has left.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cause: Option<Cause>,
    },
    /// A first sign-in recorded whom an issuer means by a subject.
    #[serde(rename = "identity.linked")]
    IdentityLinked {
        /// Who.
        identity: Identity,
    },
    /// An admin had that forgotten; why is personal text.
    #[serde(rename = "identity.unlinked")]
    IdentityUnlinked {
        /// The issuer's URL.
        issuer: String,
        /// The subject.
        subject: String,
        /// Whose it was.
        person: PersonId,
    },
    /// A person signed in. Which browser is personal text.
    #[serde(rename = "session.started")]
    SessionStarted {
        /// The session.
        session: Session,
    },
    /// A session ended.
    #[serde(rename = "session.ended")]
    SessionEnded {
        /// Which.
        session: SessionId,
        /// Whose.
        person: PersonId,
        /// Why.
        cause: SessionEnd,
    },
    /// An issuer named somebody who may not come in: they left, or are another subject there. Why is personal text.
    #[serde(rename = "signin.refused")]
    SigninRefused {
        /// The issuer's URL.
        issuer: String,
        /// The subject.
        subject: String,
        /// Whom that would be.
        person: PersonId,
    },
    /// New grants are stopped, or no longer (semantics.md, 36).
    #[serde(rename = "freeze.set")]
    FreezeSet {
        /// Stopped?
        on: bool,
    },
    /// Acts on known objects that were refused, gathered per actor and minute (semantics.md, 18).
    #[serde(rename = "refused")]
    Refused {
        /// How often, by `action: code`.
        counts: BTreeMap<String, u32>,
        /// The object of the first.
        first_object: String,
    },
}

/// One event, before it is encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Position in the log, from 1, without gaps.
    pub seq: i64,
    /// Life of the log: a restore begins another (semantics.md, 36).
    pub epoch: i64,
    /// When; never before the event above it.
    pub at: Time,
    /// By whom.
    pub actor: Actor,
    /// Which command caused it.
    pub command: CommandId,
    /// What changed.
    pub change: Change,
    /// Text about people.
    pub personal: Personal,
}
