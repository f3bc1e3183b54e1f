//! The only place that reads the wall clock. Everybody else is given the time.

use std::{sync::Arc, time::{SystemTime, UNIX_EPOCH}};

use crate::domain::time::Time;

/// A clock: a function that tells the time. Tests give their own.
pub type Clock = Arc<dyn Fn() -> Time + Send + Sync>;

/// The system's clock, in microseconds. A clock before 1970 reads as 1970.
pub fn system() -> Clock {
    Arc::new(|| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Time::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    })
}
