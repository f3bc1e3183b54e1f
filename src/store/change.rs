//! What an event does to the projected tables, as plain values: the ledger computes them, the store writes them, the
//! audit folds them again when it rebuilds.

use crate::domain::{
    delivery::{Delivery, DeliveryState},
    duration::Duration,
    grant::{Grant, GrantStatus},
    group::Entitlement,
    id::{ConnectorName, DeliveryId, GrantId, GroupId, PersonId, PolicyRevision, RequestId, SessionId, TeamId, TokenId},
    person::{Person, PersonStatus, Team},
    record::{PersonRecord, SourceName, TeamRecord},
    request::{Approval, Request, RequestStatus},
    session::{Identity, Session, SessionEnd},
    standing::{Departure, HeldEndings, HeldState, Notice, Standing},
    time::Time,
    token::Token,
};

/// Why requests of a person for a group are not decided by the rules alone (semantics.md, 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BlockCause {
    /// Somebody other than the holder revoked it: `grant` rules act as approval by the owner.
    Revoked,
    /// A person denied it: an identical request is denied for a while.
    Denied,
}

impl BlockCause {
    /// The word in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Revoked => "revoked",
            Self::Denied => "denied",
        }
    }

    /// Reads the word back.
    pub fn from_stored(text: &str) -> Option<Self> {
        [Self::Revoked, Self::Denied].into_iter().find(|c| c.as_str() == text)
    }
}

/// One such block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Whose.
    pub person: PersonId,
    /// For what.
    pub group: GroupId,
    /// Why.
    pub cause: BlockCause,
    /// The denied duration; a block after a revocation has none.
    pub duration: Option<Duration>,
    /// Until when; a block after a revocation has no end.
    pub until: Option<Time>,
    /// The event that made it.
    pub seq: i64,
}

/// One change of one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowChange {
    /// A request was filed.
    RequestFiled(Request),
    /// A request left `pending`.
    RequestDecided {
        /// Which.
        id: RequestId,
        /// Its end state.
        status: RequestStatus,
        /// When.
        at: Time,
        /// By which event.
        seq: i64,
    },
    /// The next stage of a request began.
    RequestStage {
        /// Which.
        id: RequestId,
        /// Stage, from 0.
        stage: u32,
        /// When it began.
        since: Time,
        /// Its deadline.
        deadline: Time,
    },
    /// A vote.
    ApprovalGiven(Approval),
    /// A vote does not count any more.
    ApprovalVoided {
        /// The event of the vote.
        seq: i64,
    },
    /// A grant began.
    GrantStarted(Grant),
    /// A live grant has another end, by another request and rule.
    GrantExtended(Grant),
    /// A live grant carries other entitlements.
    GrantCarries {
        /// Which.
        id: GrantId,
        /// What now.
        entitlements: Vec<Entitlement>,
    },
    /// A live grant does not stand any more, or stands again.
    GrantStands {
        /// Which.
        id: GrantId,
        /// Its end now.
        ends_at: Time,
        /// How it stands.
        standing: Option<Standing>,
    },
    /// A live grant goes on under another id of its group.
    GrantMoved {
        /// Which.
        id: GrantId,
        /// The id.
        group: GroupId,
        /// Its life.
        incarnation: i64,
        /// What the grant carries now.
        entitlements: Vec<Entitlement>,
    },
    /// Somebody is to be told.
    NoticeQueued(Notice),
    /// Endings wait for a person.
    EndingsHeld(HeldEndings),
    /// They wait no longer.
    EndingsClosed {
        /// The event that held them.
        held: i64,
        /// Confirmed or withdrawn.
        state: HeldState,
        /// By which event.
        seq: i64,
        /// What was in force when they were confirmed.
        confirmed_for: Option<(Option<PolicyRevision>, i64)>,
    },
    /// A grant ended.
    GrantEnded {
        /// Which.
        id: GrantId,
        /// Its end state.
        status: GrantStatus,
        /// When.
        at: Time,
        /// By which event.
        seq: i64,
    },
    /// An intent was queued; `index` orders those of one event.
    DeliveryQueued {
        /// It.
        delivery: Delivery,
        /// Order within its event.
        index: usize,
    },
    /// An intent was achieved, or fails.
    DeliveryReported {
        /// Which.
        id: DeliveryId,
        /// Where it stands.
        state: DeliveryState,
        /// When it was achieved.
        done_at: Option<Time>,
        /// Why it fails, or a note.
        note: Option<String>,
    },
    /// A removal that waited for confirmation goes now, before all others.
    DeliveryReleased(DeliveryId),
    /// The first removals that adoptions cause at a connector need not wait any more: what is `held` there is `queued`.
    RemovalsConfirmed {
        /// Where.
        connector: ConnectorName,
        /// By which event.
        seq: i64,
    },
    /// A person as the directory now has them; no data after an erasure.
    PersonPut {
        /// Who.
        id: PersonId,
        /// Active or left.
        status: PersonStatus,
        /// Their facts; none keeps what is there (they left) or tells of an erasure.
        person: Option<Box<Person>>,
        /// By which event.
        seq: i64,
    },
    /// A team as it now is.
    TeamPut {
        /// It.
        team: Team,
        /// By which event.
        seq: i64,
    },
    /// A team is gone, with what sources said of it.
    TeamGone(TeamId),
    /// What a source says of a person.
    PersonRecordPut {
        /// It.
        record: Box<PersonRecord>,
        /// By which event.
        seq: i64,
    },
    /// What a source says of a team.
    TeamRecordPut {
        /// It.
        record: Box<TeamRecord>,
        /// By which event.
        seq: i64,
    },
    /// A source was heard from.
    SourceSeen {
        /// Which.
        source: SourceName,
        /// When.
        at: Time,
        /// By which event.
        seq: i64,
    },
    /// A source speaks of a team no more.
    TeamRecordGone {
        /// Who.
        source: SourceName,
        /// Of which.
        team: TeamId,
    },
    /// A group began a life.
    GroupBorn {
        /// Which.
        group: GroupId,
        /// Which life: the event's number.
        incarnation: i64,
    },
    /// A group's life ended.
    GroupGone {
        /// Which.
        group: GroupId,
        /// What it said last about its grants; none in logs of versions that did not record it.
        departure: Option<Departure>,
    },
    /// A block begins.
    BlockPut(Block),
    /// Blocks end.
    BlocksLifted {
        /// Whose.
        person: PersonId,
        /// For what.
        group: GroupId,
    },
    /// A token was made.
    TokenMade(Token),
    /// A token was revoked.
    TokenRevoked {
        /// Which.
        id: TokenId,
        /// When.
        at: Time,
    },
    /// It is known who a subject is.
    IdentityLinked {
        /// Who.
        identity: Identity,
        /// By which event.
        seq: i64,
    },
    /// It is not known any more.
    IdentityUnlinked {
        /// At which issuer.
        issuer: String,
        /// Which subject.
        subject: String,
    },
    /// A session began.
    SessionStarted {
        /// It.
        session: Session,
        /// What the browser calls itself; none after an erasure.
        agent: Option<String>,
    },
    /// A session ended.
    SessionEnded {
        /// Which.
        id: SessionId,
        /// When.
        at: Time,
        /// Why.
        cause: SessionEnd,
    },
    /// New grants are stopped, or no longer. Lies in the head.
    Frozen(bool),
    /// A policy set is in force. Lies in the head.
    PolicyInForce {
        /// Which.
        revision: PolicyRevision,
        /// Since when.
        since: Time,
        /// From where.
        source: String,
    },
    /// The directory changed. Lies in the head: the number of its last event.
    DirectoryRevision(i64),
}
