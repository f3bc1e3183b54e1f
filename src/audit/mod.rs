//! Proving the log: verification, rebuilding, signed checkpoints. Uses the pure parts of the ledger.

pub mod checkpoint;
pub mod verify;
