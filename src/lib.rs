//! Bandpass grants access in seconds and can prove afterwards why.

pub mod admin;
pub mod auth;
pub mod audit;
pub mod cli;
pub mod clock;
pub mod connector;
pub mod directory;
pub mod domain;
pub mod folder;
pub mod jobs;
pub mod ledger;
pub mod policy;
mod sample;
pub mod settings;
pub mod startup;
pub mod store;
pub mod telemetry;
pub mod web;
mod tls;
