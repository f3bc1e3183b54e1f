//! Migrations, embedded; the rights of the service's role; and the attempt to tamper that a start must survive.

use diesel::{migration::MigrationSource, prelude::*};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::{
    db::{Db, Location, Purpose, connect},
    read::StoreError,
};

const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
const POSTGRES: EmbeddedMigrations = embed_migrations!("migrations/postgres");

/// Runs what is pending; answers the names of the migrations that ran. On PostgreSQL `location` is the migrating role's,
/// and `service_role` gets the rights it needs and no more.
///
/// # Errors
/// When the database refuses.
pub fn migrate(location: &Location, service_role: Option<&str>) -> Result<Vec<String>, StoreError> {
    let mut db = connect(location, Purpose::Write)?;
    let failed = |e: &dyn std::fmt::Display| StoreError(format!("migration failed: {e}"));
    let ran = match &mut db {
        Db::Sqlite(c) => names(c.run_pending_migrations(SQLITE).map_err(|e| failed(&e))?.iter()),
        Db::Postgres(c) => names(c.run_pending_migrations(POSTGRES).map_err(|e| failed(&e))?.iter()),
    };
    if let (Db::Postgres(_), Some(role)) = (&mut db, service_role) {
        grant_rights(&mut db, role).map_err(|e| failed(&e))?;
    }
    Ok(ran)
}

fn names<'a>(versions: impl Iterator<Item = &'a diesel::migration::MigrationVersion<'a>>) -> Vec<String> {
    versions.map(ToString::to_string).collect()
}

/// Migrations that have not run; a service refuses to start while there are any.
///
/// # Errors
/// When the database cannot be asked.
pub fn pending(location: &Location) -> Result<Vec<String>, StoreError> {
    let mut db = connect(location, Purpose::Write)?;
    let failed = |e: &dyn std::fmt::Display| StoreError(format!("cannot tell which migrations have run: {e}"));
    match &mut db {
        Db::Sqlite(c) => Ok(c.pending_migrations(SQLITE).map_err(|e| failed(&e))?.iter().map(|m| m.name().to_string()).collect()),
        Db::Postgres(c) => {
            // The service's role may not create diesel's table; without the table, everything is pending.
            let exists: bool = diesel::select(diesel::dsl::sql::<diesel::sql_types::Bool>("to_regclass('public.__diesel_schema_migrations') IS NOT NULL"))
                .get_result(&mut **c)
                .map_err(|e| failed(&e))?;
            if !exists {
                let all = MigrationSource::<diesel::pg::Pg>::migrations(&POSTGRES).map_err(|e| failed(&e))?;
                return Ok(all.iter().map(|m| m.name().to_string()).collect());
            }
            let done: Vec<String> = diesel::dsl::sql::<diesel::sql_types::Text>("SELECT version FROM __diesel_schema_migrations")
                .load(&mut **c)
                .map_err(|e| failed(&e))?;
            let all = MigrationSource::<diesel::pg::Pg>::migrations(&POSTGRES).map_err(|e| failed(&e))?;
            Ok(all.iter().map(|m| m.name()).filter(|n| !done.contains(&n.version().to_string())).map(|n| n.to_string()).collect())
        }
    }
}

fn grant_rights(db: &mut Db, role: &str) -> Result<(), String> {
    if role.len() > 63 || role.is_empty() || role.contains(['"', '\0']) {
        return Err(format!("`{role}` in `database.url` is not a usable role name"));
    }
    let role = format!("\"{role}\"");
    let sql = format!(
        "GRANT USAGE ON SCHEMA public TO {role};
         GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role};
         GRANT INSERT, UPDATE ON requests, grants, deliveries, people, teams, group_lives, blocks, tokens, held_endings, sessions, session_seen, token_used, person_records, team_records, sources_seen TO {role};
         GRANT INSERT ON removals_confirmed, notices, approvals, policy_blobs, policy_sets, idempotency, identities TO {role};
         GRANT DELETE ON teams, team_records, blocks, approvals, idempotency, identities, session_seen, token_used TO {role};
         GRANT EXECUTE ON FUNCTION ledger_lock TO {role};
         GRANT EXECUTE ON FUNCTION ledger_append TO {role};
         GRANT EXECUTE ON FUNCTION ledger_project TO {role};"
    );
    db.execute(&sql).map_err(|e| format!("cannot give the service's role {role} its rights: {e}"))
}
