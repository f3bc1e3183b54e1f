//! What is read of identities and sessions.

use diesel::prelude::*;

use super::{
    db::on,
    read::{Reader, StoreError, valid},
    row_session::{IdentityRow, SessionRow},
    schema::{LiveSession, identities, session_seen, sessions},
};
use crate::domain::{
    id::PersonId,
    session::{Identity, Session},
    time::Time,
};

/// A session with what is known beside the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenSession {
    /// The session.
    pub session: Session,
    /// What its browser calls itself.
    pub agent: Option<String>,
    /// When something last came from it, to a minute or so.
    pub seen_at: Time,
}

type Row = (SessionRow, Option<i64>);

fn open(rows: Vec<Row>) -> Result<Vec<OpenSession>, StoreError> {
    rows.into_iter()
        .map(|(row, seen)| {
            let (agent, began) = (row.agent.clone(), row.started_at);
            let session = Session::try_from(row).map_err(|e| StoreError(e.to_string()))?;
            Ok(OpenSession { session, agent, seen_at: Time::from_micros(seen.unwrap_or(began).max(began)) })
        })
        .collect()
}

impl Reader {
    /// A session by the SHA-256 of its secret, in hex.
    ///
    /// # Errors
    /// As every read.
    pub async fn session_by_secret(&self, sha256: String) -> Result<Option<OpenSession>, StoreError> {
        let row: Option<Row> = self
            .ask(move |db| {
                on!(db, c => sessions::table
                    .left_join(session_seen::table.on(session_seen::session.eq(sessions::id)))
                    .filter(sessions::secret_sha256.eq(&sha256))
                    .select((SessionRow::as_select(), session_seen::seen_at.nullable()))
                    .first(c)
                    .optional())
            })
            .await?;
        Ok(open(row.into_iter().collect())?.pop())
    }

    /// Sessions that have not ended: of one person, or of all; oldest first.
    ///
    /// # Errors
    /// As every read.
    pub async fn live_sessions(&self, person: Option<PersonId>) -> Result<Vec<OpenSession>, StoreError> {
        let rows: Vec<Row> = self
            .ask(move |db| {
                on!(db, c => {
                    let mut query = sessions::table
                        .left_join(session_seen::table.on(session_seen::session.eq(sessions::id)))
                        .filter(LiveSession)
                        .select((SessionRow::as_select(), session_seen::seen_at.nullable()))
                        .order(sessions::id)
                        .into_boxed();
                    if let Some(person) = &person {
                        query = query.filter(sessions::person.eq(person.as_str().to_owned()));
                    }
                    query.load(c)
                })
            })
            .await?;
        open(rows)
    }

    /// Live sessions at an issuer: of one of the issuer's own sessions, of a subject, or of both. Of both are also those of the
    /// subject of which nobody knows which of the issuer's sessions they are.
    ///
    /// # Errors
    /// As every read.
    pub async fn live_sessions_at(&self, issuer: String, subject: Option<String>, sid: Option<String>) -> Result<Vec<Session>, StoreError> {
        let rows: Vec<SessionRow> = self
            .ask(move |db| {
                on!(db, c => {
                    let live = sessions::table.filter(LiveSession).filter(sessions::issuer.eq(&issuer)).select(SessionRow::as_select());
                    match (&subject, &sid) {
                        (None, None) => Ok(Vec::new()),
                        (Some(subject), None) => live.filter(sessions::subject.eq(subject)).load(c),
                        (None, Some(sid)) => live.filter(sessions::sid.eq(sid)).load(c),
                        (Some(subject), Some(sid)) => live.filter(sessions::sid.eq(sid).or(sessions::sid.is_null().and(sessions::subject.eq(subject)))).load(c),
                    }
                })
            })
            .await?;
        valid(rows)
    }

    /// Who a subject is at an issuer.
    ///
    /// # Errors
    /// As every read.
    pub async fn identity(&self, issuer: String, subject: String) -> Result<Option<Identity>, StoreError> {
        let row: Option<IdentityRow> = self
            .ask(move |db| on!(db, c => identities::table.find((issuer.as_str(), subject.as_str())).select(IdentityRow::as_select()).first(c).optional()))
            .await?;
        Ok(valid(row.into_iter().collect())?.pop())
    }

    /// Whether anybody's subject at an issuer is known.
    ///
    /// # Errors
    /// As every read.
    pub async fn knows_subjects(&self) -> Result<bool, StoreError> {
        let one: Option<String> = self.ask(move |db| on!(db, c => identities::table.select(identities::issuer).first(c).optional())).await?;
        Ok(one.is_some())
    }

    /// Who a person is at each issuer.
    ///
    /// # Errors
    /// As every read.
    pub async fn identities_of(&self, person: PersonId) -> Result<Vec<Identity>, StoreError> {
        let rows: Vec<IdentityRow> = self
            .ask(move |db| {
                on!(db, c => identities::table
                    .filter(identities::person.eq(person.as_str()))
                    .order(identities::issuer)
                    .select(IdentityRow::as_select())
                    .load(c))
            })
            .await?;
        valid(rows)
    }
}
