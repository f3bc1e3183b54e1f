//! Rows of what sources say.

use diesel::prelude::*;

use super::schema::{person_records, sources_seen, team_records};
use crate::domain::record::{PersonRecord, TeamRecord};

/// `person_records`. `data` is the record as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = person_records)]
#[allow(missing_docs)]
pub struct PersonRecordRow {
    pub source: String,
    pub person: String,
    pub data: String,
    pub seq: i64,
}

/// `sources_seen`.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = sources_seen)]
#[allow(missing_docs)]
pub struct SourceSeenRow {
    pub source: String,
    pub at: i64,
    pub seq: i64,
}

/// `team_records`. `data` is the record as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = team_records)]
#[allow(missing_docs)]
pub struct TeamRecordRow {
    pub source: String,
    pub team: String,
    pub data: String,
    pub seq: i64,
}

impl PersonRecordRow {
    /// The row of a record.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub fn new(record: &PersonRecord, seq: i64) -> Result<Self, serde_json::Error> {
        Ok(Self { source: record.source.to_string(), person: record.id().to_string(), data: serde_json::to_string(record)?, seq })
    }
}

impl TeamRecordRow {
    /// The row of a record.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub fn new(record: &TeamRecord, seq: i64) -> Result<Self, serde_json::Error> {
        Ok(Self { source: record.source.to_string(), team: record.id().to_string(), data: serde_json::to_string(record)?, seq })
    }
}
