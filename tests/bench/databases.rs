//! The databases that a bench is run on.

use std::sync::Arc;

use super::support::{
    database::Database,
    postgres::{self, Postgres},
    service::Folder,
};

/// Runs a bench on SQLite and on PostgreSQL, or on the one that `BANDPASS_BENCH_DATABASE` picks. PostgreSQL is always a private
/// cluster, so that fsync and the disk are known.
pub fn on_each(bench: &str, run: impl AsyncFn(&Folder, &Database)) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let wanted = std::env::var("BANDPASS_BENCH_DATABASE").unwrap_or_default();
    if wanted != "postgres" {
        let folder = Folder::new("bandpass_bench");
        let database = Database::sqlite(folder.path());
        runtime.block_on(run(&folder, &database));
    }
    if wanted != "sqlite" {
        if let Some(why) = postgres::missing() {
            println!("{bench}: PostgreSQL left out: {why}");
            return;
        }
        let server = Arc::new(Postgres::start(&["shared_buffers=256MB", "max_wal_size=4GB"]));
        let folder = Folder::new("bandpass_bench");
        let database = Database::postgres(server);
        runtime.block_on(run(&folder, &database));
    }
}
