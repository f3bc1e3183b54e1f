//! Connections, schema and all SQL, for both databases. Imports only `domain`; diesel's types stay here.
//!
//! The ledger writes through [`writer::Writer`], everybody else reads through [`read::Reader`]. One schema and one set of
//! queries serve SQLite and PostgreSQL ([`db`] shows how); the places that differ are few: taking the head lock and
//! appending ([`append`]), inserting many rows ([`project`]), migrations and rights ([`migrate`]).

mod append;
pub mod change;
pub mod db;
pub mod dump;
pub mod examine;
pub mod load;
pub mod migrate;
mod pool;
mod project;
pub mod read;
mod read_audit;
mod read_deliveries;
mod read_leavers;
pub mod read_sessions;
pub mod read_standing;
pub mod read_tokens;
pub mod row;
pub mod row_records;
pub mod row_session;
pub mod row_standing;
mod schema;
pub mod snapshot;
pub mod sole;
pub mod tamper;
mod wal;
pub mod writer;
