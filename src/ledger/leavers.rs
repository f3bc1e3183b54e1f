//! How many may leave by one source: more than a share of the people within a window are refused, until an admin confirms them
//! ([`Command::ConfirmLeavers`]). Nobody else can have left unseen, since that would be another revision of the directory.
//!
//! The log holds that a source is held back and how many would leave, once a window. Whom it asked for since is kept in memory
//! alone: a client asks again and again, and an event a try would bury the log.

use std::collections::{BTreeMap, BTreeSet};

use super::{FeedError, Ledger, Snapshot, encode::decode_body, fresh_id};
use crate::{
    domain::{
        actor::Actor,
        command::{Command, Envelope},
        duration::Duration,
        event::Change,
        id::{CommandId, PersonId},
        record::SourceName,
        time::Time,
    },
    store::read::StoreError,
};

/// So few leavers of one window are never held back.
pub const FEW_LEAVERS: usize = 3;

/// By source, whom it would have had leave.
pub(super) type Refused = BTreeMap<SourceName, BTreeSet<PersonId>>;

/// How many may leave by one source, unconfirmed.
#[derive(Debug, Clone, Copy)]
pub struct LeaveBound {
    /// Of the people at the beginning of the window, 0.0 to 1.0.
    pub share: f64,
    /// How long leavers count.
    pub window: Duration,
}

/// What the log says last about the leavers of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeaversSaid {
    /// They are held back.
    Held(HeldLeavers),
    /// An admin confirmed them.
    Confirmed,
}

/// A source that is held back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldLeavers {
    /// The event that says so.
    pub seq: i64,
    /// When it was first held back.
    pub at: Time,
    /// Which.
    pub source: SourceName,
    /// How many had left by it then, with those who would have.
    pub leaving: u32,
    /// Of how many.
    pub active: u32,
    /// Whom it would have had leave since this process started, and who is still here.
    pub people: Vec<PersonId>,
}

/// What bodies say of each source, the newest first: what counts is what was said last.
pub(super) fn last_said(bodies: &[String]) -> Result<Vec<(SourceName, i64, LeaversSaid)>, StoreError> {
    let mut found: Vec<(SourceName, i64, LeaversSaid)> = Vec::new();
    for body in bodies {
        let body = decode_body(body).map_err(|e| StoreError(e.to_string()))?;
        let (source, said) = match body.change {
            Change::LeaversHeld { source, leaving, active } => {
                let held = HeldLeavers { seq: body.seq, at: body.at, source: source.clone(), leaving, active, people: Vec::new() };
                (source, LeaversSaid::Held(held))
            }
            Change::LeaversConfirmed { source } => (source, LeaversSaid::Confirmed),
            _ => continue,
        };
        if found.iter().all(|(of, ..)| *of != source) {
            found.push((source, body.seq, said));
        }
    }
    Ok(found)
}

impl Ledger {
    /// What the log says last about the leavers of a source since an instant.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn newest_about_leavers(&self, source: &SourceName, since: Time) -> Result<Option<LeaversSaid>, StoreError> {
        let said = last_said(&self.reader.about_leavers(since).await?)?;
        Ok(said.into_iter().find(|(of, ..)| of == source).map(|(.., said)| said))
    }

    /// Every source that is held back now, and whom it would have had leave.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn held_leavers(&self, window: Duration) -> Result<Vec<HeldLeavers>, StoreError> {
        let said = last_said(&self.reader.about_leavers(self.now().minus(window)).await?)?;
        let directory = &self.snapshot().directory;
        let refused = self.shared.refused_leavers();
        let of = |source: &SourceName| refused.get(source).into_iter().flatten().filter(|id| directory.person(id.as_str()).is_some_and(|p| p.is_active())).cloned().collect();
        let held = said.into_iter().filter_map(|(source, _, said)| match said {
            LeaversSaid::Held(held) => Some(HeldLeavers { people: of(&source), ..held }),
            LeaversSaid::Confirmed => None,
        });
        Ok(held.collect())
    }

    /// Refuses leavers above the bound, and says once in the log that they are held back.
    pub(super) async fn check_leavers<E>(
        &self,
        actor: &Actor,
        source: &SourceName,
        bound: LeaveBound,
        snapshot: &Snapshot,
        leavers: Vec<PersonId>,
    ) -> Result<(), FeedError<E>> {
        let since = self.now().minus(bound.window);
        let left = self.reader.left_since(actor.to_string(), since).await.map_err(FeedError::Store)?;
        let leaving = left + leavers.len();
        // Of those of whom the source speaks: one that knows a few must not let all of them go for being few beside everybody.
        let records = snapshot.directory.records();
        let speaks_of = |id: &PersonId| records.of_person(id.as_str()).iter().any(|r| r.source == *source && !r.gone);
        let active = snapshot.directory.people().values().filter(|p| p.is_active() && speaks_of(&p.id)).count() + left;
        #[allow(clippy::cast_precision_loss, reason = "counts of people are far below 2^52")]
        let within = leaving as f64 <= bound.share * active as f64;
        if within || leaving <= FEW_LEAVERS {
            return Ok(());
        }
        let newest = self.newest_about_leavers(source, since).await.map_err(FeedError::Store)?;
        match newest {
            Some(LeaversSaid::Confirmed) => {
                self.shared.refused_leavers().remove(source);
                return Ok(());
            }
            Some(LeaversSaid::Held(_)) => {}
            None => {
                self.shared.refused_leavers().remove(source);
                let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
                let command = Command::HoldLeavers { source: source.clone(), leaving: count(leaving), active: count(active) };
                let envelope = Envelope { id: CommandId(fresh_id()), actor: actor.clone(), command, idempotency: None };
                self.execute(envelope).await.map_err(FeedError::Ledger)?.answer.map_err(FeedError::Refused)?;
            }
        }
        self.shared.refused_leavers().entry(source.clone()).or_default().extend(leavers);
        Err(FeedError::TooManyLeave {
            detail: format!(
                "{leaving} of the {active} people that {source} knows would have left by it within {}, more than `directory.max_leave_share` allows; if that is right, an admin confirms it on /system/leavers or says `bandpass directory confirm-leavers --source {source} --reason …`, and this can be sent again",
                bound.window.in_words()
            ),
            retry_after: bound.window.as_seconds().min(3600),
        })
    }
}
