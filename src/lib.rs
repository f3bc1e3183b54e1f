//! Bandpass grants access in seconds and can prove afterwards why.

pub mod directory;
pub mod domain;
pub mod ledger;
pub mod policy;
pub mod store;
