//! Compiling policy files where the parser has room. A set that was checked in one place must not overflow the stack in
//! another, so every place that compiles one does it here.

use crate::policy::{self, Checked, Known, PolicyFiles};

/// Stack of the thread that parses: the parser of conditions recurses once a nesting level (security.md, section 2, 25).
/// Only what is used is ever backed by memory.
pub const STACK: usize = 64 * 1024 * 1024;

/// Checks and compiles on a thread with a large stack. None when the parser panics, or no thread can be made.
pub fn check(files: &PolicyFiles, known: &Known, timezone: &str) -> Option<Checked> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("policy".to_owned()).stack_size(STACK);
        thread.spawn_scoped(scope, || policy::check(files, known, timezone)).ok()?.join().ok()
    })
}
