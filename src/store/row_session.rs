//! Rows of identities and sessions.

use diesel::prelude::*;

use super::{
    row::BadRow,
    schema::{identities, sessions},
};
use crate::domain::{
    id::PersonId,
    session::{Identity, Session, SessionEnd},
    time::Time,
};

/// `identities`.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = identities)]
#[allow(missing_docs)]
pub struct IdentityRow {
    pub issuer: String,
    pub subject: String,
    pub person: String,
    pub claim: String,
    pub linked_at: i64,
    pub seq: i64,
}

impl IdentityRow {
    /// The row of an identity that an event recorded.
    pub fn new(identity: &Identity, seq: i64) -> Self {
        Self {
            issuer: identity.issuer.clone(),
            subject: identity.subject.clone(),
            person: identity.person.to_string(),
            claim: identity.claim.clone(),
            linked_at: identity.linked_at.micros(),
            seq,
        }
    }

    /// Its key, as one text: neither part holds a line feed in front of the other's beginning, since URLs hold none.
    pub fn key(&self) -> String {
        identity_key(&self.issuer, &self.subject)
    }
}

/// The key of an identity as one text.
pub fn identity_key(issuer: &str, subject: &str) -> String {
    format!("{issuer}\n{subject}")
}

impl TryFrom<IdentityRow> for Identity {
    type Error = BadRow;
    fn try_from(row: IdentityRow) -> Result<Self, BadRow> {
        let person = PersonId::parse(&row.person).map_err(|_| BadRow::new("identities", "person", &row.key()))?;
        Ok(Self { issuer: row.issuer, subject: row.subject, person, claim: row.claim, linked_at: Time::from_micros(row.linked_at) })
    }
}

/// `sessions`. `agent` is NULL after an erasure.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = sessions, treat_none_as_default_value = false)]
#[allow(missing_docs)]
pub struct SessionRow {
    pub id: String,
    pub person: String,
    pub secret_sha256: String,
    pub issuer: String,
    pub subject: String,
    pub sid: Option<String>,
    pub attempt_sha256: String,
    pub agent: Option<String>,
    pub started_at: i64,
    pub expires_at: i64,
    pub ended_at: Option<i64>,
    pub ended_because: Option<String>,
}

impl SessionRow {
    /// The row of a session.
    pub fn new(session: &Session, agent: Option<&str>) -> Self {
        Self {
            id: session.id.to_string(),
            person: session.person.to_string(),
            secret_sha256: session.secret_sha256.clone(),
            issuer: session.issuer.clone(),
            subject: session.subject.clone(),
            sid: session.sid.clone(),
            attempt_sha256: session.attempt_sha256.clone(),
            agent: agent.map(str::to_owned),
            started_at: session.started_at.micros(),
            expires_at: session.expires_at.micros(),
            ended_at: session.ended.map(|(at, _)| at.micros()),
            ended_because: session.ended.map(|(_, cause)| cause.as_str().to_owned()),
        }
    }
}

impl TryFrom<SessionRow> for Session {
    type Error = BadRow;
    fn try_from(row: SessionRow) -> Result<Self, BadRow> {
        let bad = |column| BadRow::new("sessions", column, &row.id);
        let ended = match (row.ended_at, &row.ended_because) {
            (None, None) => None,
            (Some(at), Some(word)) => Some((Time::from_micros(at), SessionEnd::from_stored(word).ok_or_else(|| bad("ended_because"))?)),
            _ => return Err(bad("ended_at")),
        };
        Ok(Self {
            id: row.id.parse().map_err(|_| bad("id"))?,
            person: PersonId::parse(&row.person).map_err(|_| bad("person"))?,
            ended,
            secret_sha256: row.secret_sha256,
            issuer: row.issuer,
            subject: row.subject,
            sid: row.sid,
            attempt_sha256: row.attempt_sha256,
            started_at: Time::from_micros(row.started_at),
            expires_at: Time::from_micros(row.expires_at),
        })
    }
}
