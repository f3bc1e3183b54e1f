//! Proving the log: verification, rebuilding, replay, signed checkpoints. Uses the pure parts of the ledger.

pub mod checkpoint;
pub mod replay;
pub mod verify;
