//! Reconcilers, woken by signal and by timer: safe to run twice, and after a crash. They build commands; the ledger writes.

mod birthright;
pub mod catalog;
pub mod deliver;
pub mod expire;
pub mod keep_up;
pub mod policy_source;
pub mod reconsider;
pub mod sessions;
