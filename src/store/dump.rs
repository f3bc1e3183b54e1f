//! Reading everything, for verification: events page by page, then the projected tables, all in one snapshot.

use std::collections::BTreeMap;

use diesel::prelude::*;

use super::{
    change::RowChange,
    db::{Db, Location, Purpose, connect, on},
    read::StoreError,
    row_records::{PersonRecordRow, SourceSeenRow, TeamRecordRow},
    row_session::{IdentityRow, SessionRow, identity_key},
    row_standing::{GroupLifeRow, HeldEndingsRow, NoticeRow, on_change_word, standing_columns},
    row::{
        ApprovalRow, AuditLogRow, AuditPrivateRow, BlockRow, DeliveryRow, GrantRow, PersonRow, RequestRow, TeamRow, TokenRow, entitlements_text,
    },
    schema::{approvals, audit_log, audit_private, blocks, deliveries, grants, group_lives, head, held_endings, identities, notices, people, person_records, policy_blobs, policy_sets, removals_confirmed, requests, sessions, sources_seen, team_records, teams, tokens},
    snapshot::{StoredFiles, policy_files},
    writer::{HeadRow, store_error},
};
use crate::domain::{delivery::DeliveryState, id::PolicyRevision, person::PersonStatus, time::Time};

/// What the head holds beside the tree, as events put it there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct InForce {
    /// The freeze switch.
    pub frozen: bool,
    /// Number of the last directory event.
    pub directory_revision: i64,
    /// The policy set.
    pub policy_revision: Option<String>,
    /// Since when.
    pub policy_since: i64,
    /// From where.
    pub policy_source: String,
}

/// The head's row.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct DumpedHead {
    pub seq: i64,
    pub epoch: i64,
    pub at: i64,
    pub frontier: Vec<u8>,
    pub root: Vec<u8>,
    pub in_force: InForce,
}

/// Projected tables: for each its rows by key, each row as a text that holds every column.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Dump {
    /// By table.
    pub tables: BTreeMap<&'static str, BTreeMap<String, String>>,
    /// What lies in the head.
    pub in_force: InForce,
    requests: BTreeMap<String, RequestRow>,
    grants: BTreeMap<String, GrantRow>,
    deliveries: BTreeMap<String, DeliveryRow>,
    tokens: BTreeMap<String, TokenRow>,
    people: BTreeMap<String, PersonRow>,
    lives: BTreeMap<String, GroupLifeRow>,
    held: BTreeMap<i64, HeldEndingsRow>,
    sessions: BTreeMap<String, SessionRow>,
}

impl Dump {
    fn put(&mut self, table: &'static str, key: String, row: &impl std::fmt::Debug) {
        self.tables.entry(table).or_default().insert(key, format!("{row:?}"));
    }

    fn put_request(&mut self, row: RequestRow) {
        self.put("requests", row.id.clone(), &row);
        self.requests.insert(row.id.clone(), row);
    }

    fn put_grant(&mut self, row: GrantRow) {
        self.put("grants", row.id.clone(), &row);
        self.grants.insert(row.id.clone(), row);
    }

    fn put_delivery(&mut self, row: DeliveryRow) {
        self.put("deliveries", row.id.clone(), &row);
        self.deliveries.insert(row.id.clone(), row);
    }

    fn put_life(&mut self, row: GroupLifeRow) {
        self.put("group_lives", row.group_id.clone(), &row);
        self.lives.insert(row.group_id.clone(), row);
    }

    fn put_held(&mut self, row: HeldEndingsRow) {
        self.put("held_endings", row.seq.to_string(), &row);
        self.held.insert(row.seq, row);
    }

    fn put_session(&mut self, row: SessionRow) {
        self.put("sessions", row.id.clone(), &row);
        self.sessions.insert(row.id.clone(), row);
    }

    /// Does to these tables what the store does to the real ones.
    pub fn apply(&mut self, change: &RowChange) {
        match change {
            RowChange::RequestFiled(request) => self.put_request(request.into()),
            RowChange::RequestDecided { id, status, at, seq } => {
                if let Some(mut row) = self.requests.get(&id.to_string()).cloned() {
                    row.status = status.as_str().to_owned();
                    row.decided_at = Some(at.micros());
                    row.decided_seq = Some(*seq);
                    self.put_request(row);
                }
            }
            RowChange::RequestStage { id, stage, since, deadline } => {
                if let Some(mut row) = self.requests.get(&id.to_string()).cloned() {
                    row.stage = i32::try_from(*stage).unwrap_or(i32::MAX);
                    row.stage_since = since.micros();
                    row.deadline = Some(deadline.micros());
                    self.put_request(row);
                }
            }
            RowChange::ApprovalGiven(approval) => self.put("approvals", approval.seq.to_string(), &ApprovalRow::from(approval)),
            RowChange::ApprovalVoided { seq } => {
                self.tables.entry("approvals").or_default().remove(&seq.to_string());
            }
            RowChange::GrantStarted(grant) => self.put_grant(grant.into()),
            RowChange::GrantExtended(grant) => {
                if let Some(mut row) = self.grants.get(&grant.id.to_string()).cloned() {
                    let new = GrantRow::from(grant);
                    row.request = new.request;
                    row.rule = new.rule;
                    row.duration = new.duration;
                    row.incarnation = new.incarnation;
                    row.provenance = new.provenance;
                    row.ends_at = new.ends_at;
                    (row.standing, row.standing_cause, row.standing_since, row.standing_seq, row.full_end) =
                        (new.standing, new.standing_cause, new.standing_since, new.standing_seq, new.full_end);
                    self.put_grant(row);
                }
            }
            RowChange::GrantCarries { id, entitlements } => {
                if let Some(mut row) = self.grants.get(&id.to_string()).cloned() {
                    row.entitlements = entitlements_text(entitlements);
                    self.put_grant(row);
                }
            }
            RowChange::GrantStands { id, ends_at, standing } => {
                if let Some(mut row) = self.grants.get(&id.to_string()).cloned() {
                    row.ends_at = ends_at.micros();
                    (row.standing, row.standing_cause, row.standing_since, row.standing_seq, row.full_end) = standing_columns(standing.as_ref());
                    self.put_grant(row);
                }
            }
            RowChange::GrantMoved { id, group, incarnation, entitlements } => {
                if let Some(mut row) = self.grants.get(&id.to_string()).cloned() {
                    row.group_id = group.to_string();
                    row.incarnation = *incarnation;
                    row.entitlements = entitlements_text(entitlements);
                    self.put_grant(row);
                }
            }
            RowChange::NoticeQueued(notice) => {
                let row = NoticeRow::from(notice);
                self.put("notices", notice_key(&row), &row);
            }
            RowChange::EndingsHeld(held) => self.put_held(HeldEndingsRow::new(held)),
            RowChange::EndingsClosed { held, state, seq, confirmed_for } => {
                if let Some(mut row) = self.held.get(held).cloned() {
                    row.state = state.as_str().to_owned();
                    row.closed_seq = Some(*seq);
                    row.confirmed_policy = confirmed_for.as_ref().and_then(|(policy, _)| policy.as_ref()).map(ToString::to_string);
                    row.confirmed_directory = confirmed_for.as_ref().map(|(_, directory)| *directory);
                    self.put_held(row);
                }
            }
            RowChange::GrantEnded { id, status, at, seq } => {
                if let Some(mut row) = self.grants.get(&id.to_string()).cloned() {
                    row.status = status.as_str().to_owned();
                    row.ended_at = Some(at.micros());
                    row.ended_seq = Some(*seq);
                    self.put_grant(row);
                }
            }
            RowChange::DeliveryQueued { delivery, index } => self.put_delivery(DeliveryRow::new(delivery, *index)),
            RowChange::DeliveryReported { id, state, done_at, note } => {
                if let Some(mut row) = self.deliveries.get(&id.to_string()).cloned() {
                    row.state = state.as_str().to_owned();
                    row.done_at = done_at.map(Time::micros);
                    row.note.clone_from(note);
                    self.put_delivery(row);
                }
            }
            RowChange::DeliveryReleased(id) => {
                if let Some(row) = self.deliveries.get(&id.to_string()).cloned() {
                    self.put_delivery(DeliveryRow { state: DeliveryState::Queued.as_str().to_owned(), urgent: Some(true), ..row });
                }
            }
            RowChange::RemovalsConfirmed { connector, seq } => {
                self.put("removals_confirmed", connector.to_string(), &(connector.as_str(), *seq));
                let held: Vec<DeliveryRow> =
                    self.deliveries.values().filter(|d| d.connector == connector.as_str() && d.state == DeliveryState::Held.as_str()).cloned().collect();
                for row in held {
                    self.put_delivery(DeliveryRow { state: DeliveryState::Queued.as_str().to_owned(), ..row });
                }
            }
            RowChange::PersonPut { id, status, person, seq } => {
                let word = if *status == PersonStatus::Active { "active" } else { "left" };
                let data = person.as_ref().and_then(|p| serde_json::to_string(p).ok());
                let row = PersonRow { id: id.to_string(), data, status: word.to_owned(), seq: *seq };
                self.put("people", row.id.clone(), &row);
                self.people.insert(row.id.clone(), row);
            }
            RowChange::TeamPut { team, seq } => {
                let data = serde_json::to_string(team).unwrap_or_default();
                self.put("teams", team.id.to_string(), &TeamRow { id: team.id.to_string(), data, seq: *seq });
            }
            RowChange::TeamGone(id) => {
                self.tables.entry("teams").or_default().remove(id.as_str());
                let of_team = format!("\n{id}");
                self.tables.entry("team_records").or_default().retain(|key, _| !key.ends_with(&of_team));
            }
            RowChange::PersonRecordPut { record, seq } => {
                if let Ok(row) = PersonRecordRow::new(record, *seq) {
                    self.put("person_records", format!("{}\n{}", row.source, row.person), &row);
                }
            }
            RowChange::TeamRecordPut { record, seq } => {
                if let Ok(row) = TeamRecordRow::new(record, *seq) {
                    self.put("team_records", format!("{}\n{}", row.source, row.team), &row);
                }
            }
            RowChange::SourceSeen { source, at, seq } => {
                let row = SourceSeenRow { source: source.to_string(), at: at.micros(), seq: *seq };
                self.put("sources_seen", row.source.clone(), &row);
            }
            RowChange::TeamRecordGone { source, team } => {
                self.tables.entry("team_records").or_default().remove(&format!("{source}\n{team}"));
            }
            RowChange::GroupBorn { group, incarnation } => {
                // What an earlier life said last stays: its grants may be live still.
                let (on_change, grace) = self.lives.get(group.as_str()).map(|l| (l.on_change.clone(), l.grace)).unwrap_or_default();
                self.put_life(GroupLifeRow { group_id: group.to_string(), incarnation: *incarnation, live: true, on_change, grace });
            }
            RowChange::GroupGone { group, departure } => {
                if let Some(mut row) = self.lives.get(group.as_str()).cloned() {
                    row.live = false;
                    row.on_change = departure.map(|d| on_change_word(d.on_change).to_owned());
                    row.grace = departure.map(|d| i64::from(d.grace.as_seconds()));
                    self.put_life(row);
                }
            }
            RowChange::BlockPut(block) => {
                let row = BlockRow {
                    person: block.person.to_string(),
                    group_id: block.group.to_string(),
                    cause: block.cause.as_str().to_owned(),
                    duration: block.duration.map(|d| i64::from(d.as_seconds())),
                    until: block.until.map(Time::micros),
                    seq: block.seq,
                };
                self.put("blocks", block_key(&row), &row);
            }
            RowChange::BlocksLifted { person, group } => {
                let prefix = format!("{person} {group} ");
                self.tables.entry("blocks").or_default().retain(|key, _| !key.starts_with(&prefix));
            }
            RowChange::TokenMade(token) => {
                let row = TokenRow::from(token);
                self.put("tokens", row.id.clone(), &row);
                self.tokens.insert(row.id.clone(), row);
            }
            RowChange::TokenRevoked { id, at } => {
                if let Some(mut row) = self.tokens.get(&id.to_string()).cloned() {
                    row.revoked_at = Some(at.micros());
                    self.put("tokens", row.id.clone(), &row);
                    self.tokens.insert(row.id.clone(), row);
                }
            }
            RowChange::IdentityLinked { identity, seq } => {
                let row = IdentityRow::new(identity, *seq);
                self.put("identities", row.key(), &row);
            }
            RowChange::IdentityUnlinked { issuer, subject } => {
                self.tables.entry("identities").or_default().remove(&identity_key(issuer, subject));
            }
            RowChange::SessionStarted { session, agent } => self.put_session(SessionRow::new(session, agent.as_deref())),
            RowChange::SessionEnded { id, at, cause } => {
                if let Some(mut row) = self.sessions.get(&id.to_string()).cloned() {
                    row.ended_at = Some(at.micros());
                    row.ended_because = Some(cause.as_str().to_owned());
                    self.put_session(row);
                }
            }
            RowChange::Frozen(on) => self.in_force.frozen = *on,
            RowChange::PolicyInForce { revision, since, source } => {
                self.in_force.policy_revision = Some(revision.to_string());
                self.in_force.policy_since = since.micros();
                self.in_force.policy_source.clone_from(source);
            }
            RowChange::DirectoryRevision(seq) => self.in_force.directory_revision = *seq,
        }
    }
}

fn notice_key(row: &NoticeRow) -> String {
    format!("{} {}", row.seq, row.audience)
}

fn block_key(row: &BlockRow) -> String {
    format!("{} {} {}", row.person, row.group_id, row.cause)
}

/// Reads everything in one snapshot.
pub struct Dumper(Db);

impl Dumper {
    /// Opens a reading connection. Blocks.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub fn open(location: &Location) -> Result<Self, StoreError> {
        Ok(Self(connect(location, Purpose::Read)?))
    }

    /// Begins the snapshot: what is written from now on is not seen.
    ///
    /// # Errors
    /// As every read.
    pub fn begin(&mut self) -> Result<(), StoreError> {
        let begin = if self.0.is_postgres() { "SET statement_timeout = 0; BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY" } else { "BEGIN" };
        self.0.execute(begin).map_err(store_error)
    }

    /// Ends the snapshot.
    pub fn end(&mut self) {
        let _ = self.0.execute("ROLLBACK");
    }

    /// Events after a number, in order, each with its personal row.
    ///
    /// # Errors
    /// As every read.
    pub fn events(&mut self, after: i64, limit: i64) -> Result<Vec<(AuditLogRow, Option<AuditPrivateRow>)>, StoreError> {
        on!(&mut self.0, c => audit_log::table
            .left_join(audit_private::table.on(audit_private::seq.eq(audit_log::seq)))
            .select((AuditLogRow::as_select(), Option::<AuditPrivateRow>::as_select()))
            .filter(audit_log::seq.gt(after))
            .order(audit_log::seq)
            .limit(limit)
            .load(c))
        .map_err(store_error)
    }

    /// The files of a policy set that was ever in force.
    ///
    /// # Errors
    /// As every read.
    pub fn policy_files(&mut self, revision: &PolicyRevision) -> Result<Option<StoredFiles>, StoreError> {
        policy_files(&mut self.0, revision)
    }

    /// The head's row.
    ///
    /// # Errors
    /// As every read.
    pub fn head(&mut self) -> Result<DumpedHead, StoreError> {
        let row: HeadRow = on!(&mut self.0, c => head::table.select(HeadRow::as_select()).first(c)).map_err(store_error)?;
        Ok(DumpedHead {
            seq: row.seq,
            epoch: row.epoch,
            at: row.at,
            frontier: row.frontier,
            root: row.root,
            in_force: InForce {
                frozen: row.frozen,
                directory_revision: row.directory_revision,
                policy_revision: row.policy_revision,
                policy_since: row.policy_since,
                policy_source: row.policy_source,
            },
        })
    }

    /// Every projected table.
    ///
    /// # Errors
    /// As every read.
    pub fn tables(&mut self) -> Result<Dump, StoreError> {
        let db = &mut self.0;
        let mut dump = Dump::default();
        macro_rules! dump_table {
            ($table:ident, $row:ty, $key:expr) => {
                let rows: Vec<$row> = on!(db, c => $table::table.select(<$row>::as_select()).load(c)).map_err(store_error)?;
                for row in rows {
                    let key: String = $key(&row);
                    dump.put(stringify!($table), key, &row);
                }
            };
        }
        dump_table!(requests, RequestRow, |r: &RequestRow| r.id.clone());
        dump_table!(approvals, ApprovalRow, |r: &ApprovalRow| r.seq.to_string());
        dump_table!(grants, GrantRow, |r: &GrantRow| r.id.clone());
        let confirmed: Vec<(String, i64)> = on!(db, c => removals_confirmed::table.load(c)).map_err(store_error)?;
        for (connector, seq) in confirmed {
            dump.put("removals_confirmed", connector.clone(), &(connector.as_str(), seq));
        }
        dump_table!(deliveries, DeliveryRow, |r: &DeliveryRow| r.id.clone());
        dump_table!(people, PersonRow, |r: &PersonRow| r.id.clone());
        dump_table!(sources_seen, SourceSeenRow, |r: &SourceSeenRow| r.source.clone());
        dump_table!(person_records, PersonRecordRow, |r: &PersonRecordRow| format!("{}\n{}", r.source, r.person));
        dump_table!(team_records, TeamRecordRow, |r: &TeamRecordRow| format!("{}\n{}", r.source, r.team));
        dump_table!(teams, TeamRow, |r: &TeamRow| r.id.clone());
        dump_table!(blocks, BlockRow, block_key);
        dump_table!(tokens, TokenRow, |r: &TokenRow| r.id.clone());
        dump_table!(group_lives, GroupLifeRow, |r: &GroupLifeRow| r.group_id.clone());
        dump_table!(held_endings, HeldEndingsRow, |r: &HeldEndingsRow| r.seq.to_string());
        dump_table!(notices, NoticeRow, notice_key);
        dump_table!(identities, IdentityRow, IdentityRow::key);
        dump_table!(sessions, SessionRow, |r: &SessionRow| r.id.clone());
        Ok(dump)
    }

    /// Stored policy files whose bytes are not those of their hash, or that are missing: a sentence each.
    ///
    /// # Errors
    /// As every read.
    pub fn broken_policy_files(&mut self) -> Result<Vec<String>, StoreError> {
        let db = &mut self.0;
        let blobs: Vec<(String, Vec<u8>)> = on!(db, c => policy_blobs::table.load(c)).map_err(store_error)?;
        let manifests: Vec<(String, String)> =
            on!(db, c => policy_sets::table.select((policy_sets::revision, policy_sets::manifest)).load(c)).map_err(store_error)?;
        let mut faults = Vec::new();
        let mut known = std::collections::BTreeSet::new();
        for (hash, bytes) in blobs {
            let found: String = ring::digest::digest(&ring::digest::SHA256, &bytes).as_ref().iter().map(|b| format!("{b:02x}")).collect();
            if found != hash {
                faults.push(format!("`policy_blobs`, row {hash}: the bytes are others"));
            }
            known.insert(hash);
        }
        for (revision, manifest) in manifests {
            let files: BTreeMap<String, String> = serde_json::from_str(&manifest).unwrap_or_default();
            if files.is_empty() || files.values().any(|hash| !known.contains(hash)) {
                faults.push(format!("`policy_sets`, row {revision}: a file of it is missing"));
            }
        }
        Ok(faults)
    }
}
