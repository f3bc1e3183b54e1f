//! What test binaries that start the real service share.

pub mod authority;
pub mod browser;
pub mod database;
pub mod git;
pub mod http;
pub mod issuer;
pub mod jwt_key;
pub mod organisation;
pub mod postgres;
pub mod random;
pub mod service;

pub use postgres::leash;
