//! The product's nouns and the rules that need nothing but values.
//!
//! Everything else in the crate may import this room; this room imports nothing of ours, does no input or output, reads
//! no clock and draws no random number. Values that exist here are valid: they are parsed at the door ([`id`],
//! [`duration`]) and cannot be built otherwise.

pub mod access_change;
pub mod actor;
pub mod adoption;
pub mod command;
pub mod commit;
pub mod decision;
pub mod delivery;
pub mod directory_change;
pub mod duration;
pub mod event;
pub mod event_index;
mod event_kind;
pub mod explanation;
pub mod given;
pub mod grant;
pub mod group;
pub mod id;
pub mod nearest;
pub mod outcome;
pub mod person;
pub mod personal;
pub mod problem;
pub mod record;
pub mod refusal;
pub mod request;
pub mod session;
pub mod standing;
pub mod time;
pub mod token;
