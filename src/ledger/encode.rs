//! Events as rows: the canonical body that is hashed and stored verbatim, and the personal text beside it.

use std::fmt;

use ring::rand::SecureRandom;
use serde::{Deserialize, Serialize};

use super::tree::{Hash, commitment, hex, leaf_hash};
use crate::{
    domain::{
        actor::Actor,
        event::{Change, Event, Personal},
        id::{CommandId, GroupId, PersonId, PolicyRevision},
        time::Time,
    },
    store::row::{AuditLogRow, AuditPrivateRow},
};

/// The body of an event: JSON with these keys in this order, hashed as stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Body {
    /// Version of this shape.
    pub v: u32,
    /// Version of the program that wrote it, as replay wants to know.
    pub engine: String,
    /// Life of the log.
    pub epoch: i64,
    /// Position in it.
    pub seq: i64,
    /// When.
    pub at: Time,
    /// By whom.
    pub actor: Actor,
    /// Because of which command.
    pub command: CommandId,
    /// What changed.
    pub change: Change,
    /// SHA-256 commitment to the personal text, in hex.
    pub personal: String,
}

/// A body as it is written: the same keys in the same order, borrowed.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct BodyRef<'a> {
    v: u32,
    engine: &'a str,
    epoch: i64,
    seq: i64,
    at: Time,
    actor: &'a Actor,
    command: CommandId,
    change: &'a Change,
    personal: &'a str,
}

impl Body {
    /// It, borrowed.
    pub fn borrowed(&self) -> BodyRef<'_> {
        BodyRef {
            v: self.v,
            engine: &self.engine,
            epoch: self.epoch,
            seq: self.seq,
            at: self.at,
            actor: &self.actor,
            command: self.command,
            change: &self.change,
            personal: &self.personal,
        }
    }
}

/// The version of bodies that this program writes.
pub const BODY_VERSION: u32 = 1;

/// What the program calls itself in bodies.
pub const ENGINE: &str = concat!("bandpass ", env!("CARGO_PKG_VERSION"));

/// An event could not be encoded; nothing is written then.
#[derive(Debug, thiserror::Error)]
#[error("an event could not be encoded: {0}")]
pub struct EncodeError(String);

/// An encoded event.
pub struct Encoded {
    /// The row of the log.
    pub log: AuditLogRow,
    /// The row beside it.
    pub private: AuditPrivateRow,
    /// The leaf of the tree.
    pub leaf: Hash,
}

/// Encodes an event, drawing the salt of its commitment from `random`.
///
/// # Errors
/// When the randomness or the serialiser fails.
pub fn encode(event: &Event, random: &dyn SecureRandom) -> Result<Encoded, EncodeError> {
    let mut salt = [0_u8; 32];
    random.fill(&mut salt).map_err(|_| EncodeError("no randomness".to_owned()))?;
    let text = serde_json::to_string(&event.personal).map_err(|e| EncodeError(e.to_string()))?;
    let personal = hex(&commitment(&salt, &text));
    let body = BodyRef {
        v: BODY_VERSION,
        engine: ENGINE,
        epoch: event.epoch,
        seq: event.seq,
        at: event.at,
        actor: &event.actor,
        command: event.command,
        change: &event.change,
        personal: &personal,
    };
    let body_text = serde_json::to_string(&body).map_err(|e| EncodeError(e.to_string()))?;
    let leaf = leaf_hash(body_text.as_bytes());
    Ok(Encoded { log: columns(body, body_text), private: AuditPrivateRow { seq: event.seq, salt: Some(salt.to_vec()), text: Some(text) }, leaf })
}

/// The row that belongs to a body: every other column follows from it, so a verifier can compute and compare them.
pub fn columns(body: BodyRef<'_>, body_text: String) -> AuditLogRow {
    let index = body.change.index();
    AuditLogRow {
        seq: body.seq,
        at: body.at.micros(),
        kind: body.change.kind().to_owned(),
        actor: body.actor.to_string(),
        person: index.person.map(|p| p.to_string()),
        group_id: index.group.map(|g| g.to_string()),
        request: index.request.map(|r| r.to_string()),
        grant_id: index.grant.map(|g| g.to_string()),
        outcome: body.change.outcome().as_str().to_owned(),
        rule: index.rule,
        policy_revision: index.policy_revision.map(|r| r.to_string()),
        command: body.command.to_string(),
        body: body_text,
    }
}

/// Whether every column is what [`columns`] makes of the body, compared where it lies.
pub fn columns_fit(body: &Body, row: &AuditLogRow) -> bool {
    // Named one by one, so that a column added to the log does not compile before it is compared here.
    let AuditLogRow { seq, at, kind, actor, person, group_id, request, grant_id, outcome, rule, policy_revision, command, body: _ } = row;
    let index = body.change.index();
    *seq == body.seq
        && *at == body.at.micros()
        && kind == body.change.kind()
        && is_shown(actor, &body.actor)
        && person.as_deref() == index.person.as_ref().map(PersonId::as_str)
        && group_id.as_deref() == index.group.as_ref().map(GroupId::as_str)
        && are_shown(request.as_deref(), index.request)
        && are_shown(grant_id.as_deref(), index.grant)
        && outcome == body.change.outcome().as_str()
        && *rule == index.rule
        && policy_revision.as_deref() == index.policy_revision.as_ref().map(PolicyRevision::as_str)
        && is_shown(command, body.command)
}

/// Whether a text is what a value is shown as, without making another text.
fn is_shown(text: &str, value: impl fmt::Display) -> bool {
    struct Rest<'a>(&'a str);
    impl fmt::Write for Rest<'_> {
        fn write_str(&mut self, part: &str) -> fmt::Result {
            self.0 = self.0.strip_prefix(part).ok_or(fmt::Error)?;
            Ok(())
        }
    }
    let mut rest = Rest(text);
    fmt::Write::write_fmt(&mut rest, format_args!("{value}")).is_ok() && rest.0.is_empty()
}

fn are_shown(text: Option<&str>, value: Option<impl fmt::Display>) -> bool {
    match (text, value) {
        (Some(text), Some(value)) => is_shown(text, value),
        (None, None) => true,
        _ => false,
    }
}

/// Reads a stored body.
///
/// # Errors
/// When it is not what this program writes.
pub fn decode_body(text: &str) -> Result<Body, EncodeError> {
    serde_json::from_str(text).map_err(|e| EncodeError(e.to_string()))
}

/// Reads the personal text beside a body; nothing is left of one that was erased.
///
/// # Errors
/// When it is not what this program writes.
pub fn decode_personal(text: Option<&str>) -> Result<Personal, EncodeError> {
    text.map_or_else(|| Ok(Personal::default()), |text| serde_json::from_str(text).map_err(|e| EncodeError(e.to_string())))
}

impl Body {
    /// The event that it is, with the personal text beside it.
    pub fn into_event(self, personal: Personal) -> Event {
        Event { seq: self.seq, epoch: self.epoch, at: self.at, actor: self.actor, command: self.command, change: self.change, personal }
    }
}

/// Reads a stored event back.
///
/// # Errors
/// When body or text are not what this program writes.
pub fn decode(body_text: &str, personal_text: Option<&str>) -> Result<(Body, Event), EncodeError> {
    let body = decode_body(body_text)?;
    let event = body.clone().into_event(decode_personal(personal_text)?);
    Ok((body, event))
}
