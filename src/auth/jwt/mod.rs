//! JWTs of configured issuers: ID tokens, access tokens of API callers, logout tokens. One strict verification for all.
//!
//! The crate jsonwebtoken does the format and asks ring ([`ring_provider`]) for signatures. What it would let pass by default
//! (an audience left out, claims of a wrong type, `crit`, a minute of leeway: security.md, 2C, 28) is checked here.

pub mod caller;
mod claims;
mod keys;
mod ring_provider;
mod verify;

pub use claims::Claims;
pub use keys::{Key, KeyCache, KeyError, KeySet};
pub use ring_provider::install;
pub use verify::{Expected, Header, JwtError, LEEWAY_SECONDS, issuer_of, read_header, verify};
