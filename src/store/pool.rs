//! A small pool of reading connections for both databases.

use std::sync::{Arc, Mutex};

use tokio::sync::Semaphore;

use super::{
    db::{Db, Location, Purpose, connect},
    read::StoreError,
};

/// Reading connections, opened when needed, closed when broken.
#[derive(Clone)]
pub struct Pool {
    location: Location,
    idle: Arc<Idle>,
    permits: Arc<Semaphore>,
}

/// Connections that nobody uses.
#[derive(Default)]
struct Idle(Mutex<Vec<Db>>);

impl Drop for Idle {
    /// A PostgreSQL connection drives its socket with a runtime of its own, which must not end on an asynchronous thread.
    fn drop(&mut self) {
        let connections = std::mem::take(self.0.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner));
        if !connections.is_empty() {
            std::thread::spawn(move || drop(connections));
        }
    }
}

/// How long a read may wait for a connection.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(5);

impl Pool {
    /// A pool of at most `size` connections.
    pub fn new(location: Location, size: usize) -> Self {
        Self { location, idle: Arc::default(), permits: Arc::new(Semaphore::new(size)) }
    }

    /// Runs one read on a connection, on a thread that may block.
    ///
    /// # Errors
    /// When no connection is free within five seconds, the database cannot be reached, or the query fails.
    pub async fn read<T, F>(&self, query: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Db) -> Result<T, diesel::result::Error> + Send + 'static,
    {
        let permit = tokio::time::timeout(PATIENCE, Arc::clone(&self.permits).acquire_owned())
            .await
            .map_err(|_| StoreError("every reading connection is busy".to_owned()))?
            .map_err(|_| StoreError("the pool is closed".to_owned()))?;
        let (location, idle) = (self.location.clone(), Arc::clone(&self.idle));
        let outcome = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let taken = idle.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).pop();
            let mut db = match taken {
                Some(db) => db,
                None => connect(&location, Purpose::Read)?,
            };
            let outcome = query(&mut db);
            // A connection that answered wrongly once is not trusted again: the next read opens another.
            let sound = matches!(outcome, Ok(_) | Err(diesel::result::Error::NotFound | diesel::result::Error::DeserializationError(_)));
            if sound {
                idle.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(db);
            }
            outcome.map_err(|e| StoreError(e.to_string()))
        });
        outcome.await.map_err(|e| StoreError(format!("a read was interrupted: {e}")))?
    }
}
