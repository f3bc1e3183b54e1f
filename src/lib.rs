//! Bandpass grants access in seconds and can prove afterwards why.

pub mod audit;
pub mod clock;
pub mod connector;
pub mod directory;
pub mod domain;
pub mod folder;
pub mod jobs;
pub mod ledger;
pub mod policy;
pub mod settings;
pub mod store;
pub mod telemetry;
mod tls;
