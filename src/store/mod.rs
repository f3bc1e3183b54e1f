//! Connections, schema and all SQL, for both databases. Imports only `domain`; diesel's types stay here.

pub mod read;
