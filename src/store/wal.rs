//! Copying SQLite's write-ahead log into the file, beside the ledger instead of inside its commits.
//!
//! SQLite copies the log at the end of whichever commit makes it long; everybody who waits for that commit waits for
//! thousands of pages, too. Here a thread with a connection of its own copies most of it meanwhile, and the writer itself
//! then copies the little that came since, so that the log can begin anew (sqlite.org/wal.html, sections 2.3 and 3.4).

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{SyncSender, sync_channel},
    },
};

use diesel::{prelude::*, sql_types::Integer, sqlite::SqliteConnection};

use super::db::{Db, Location, Purpose, connect};

/// Rows written between two copies; a row with its places in indices is about three pages of the log.
const ROWS: usize = 3000;

/// What `PRAGMA wal_checkpoint` answers.
#[derive(Debug, QueryableByName)]
struct Copied {
    /// Pages in the log; -1 when it could not be looked at.
    #[diesel(sql_type = Integer)]
    log: i32,
    /// Pages of it that are in the file.
    #[diesel(sql_type = Integer)]
    checkpointed: i32,
}

/// Has the log copied while the ledger goes on.
pub(super) struct WalCopier {
    path: PathBuf,
    /// Asks the thread for a copy; it is started with the first.
    thread: Option<SyncSender<()>>,
    /// The thread has copied something, so that what is left is short.
    copied: Arc<AtomicBool>,
    rows: usize,
}

impl WalCopier {
    /// For the database at `path`.
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), thread: None, copied: Arc::default(), rows: 0 }
    }

    /// Counts rows of a commit that has become durable; asks for a copy, or copies the rest, when it is time. A copy that
    /// fails is no harm: the log grows, and SQLite's own limit copies it at last.
    pub fn committed(&mut self, rows: usize, connection: &mut SqliteConnection) {
        self.rows += rows;
        if self.copied.swap(false, Ordering::AcqRel) {
            copy(connection);
        }
        if self.rows < ROWS {
            return;
        }
        self.rows = 0;
        if self.thread.is_none() {
            self.thread = self.start();
        }
        // One that is asked for already covers these rows as well; a thread that has ended is started anew next time.
        if let Some(Err(std::sync::mpsc::TrySendError::Disconnected(()))) = self.thread.as_ref().map(|asked| asked.try_send(())) {
            self.thread = None;
        }
    }

    fn start(&self) -> Option<SyncSender<()>> {
        let (ask, asked) = sync_channel(1);
        let (location, copied) = (Location::Sqlite(self.path.clone()), Arc::clone(&self.copied));
        let work = move || {
            let Ok(Db::Sqlite(mut connection)) = connect(&location, Purpose::Write) else { return };
            while asked.recv().is_ok() {
                if copy(&mut connection) {
                    copied.store(true, Ordering::Release);
                }
            }
        };
        std::thread::Builder::new().name("wal".to_owned()).spawn(work).ok().map(|_| ask)
    }
}

/// Copies what can be copied without waiting for anybody; answers whether something was.
fn copy(connection: &mut SqliteConnection) -> bool {
    match diesel::sql_query("PRAGMA wal_checkpoint(PASSIVE)").get_result::<Copied>(connection) {
        Ok(copied) => copied.log > 0 && copied.checkpointed > 0,
        Err(error) => {
            tracing::debug!(%error, "the write-ahead log could not be copied into the file yet");
            false
        }
    }
}
