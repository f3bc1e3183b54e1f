//! The database: there, current, safe, and a role that may do what it must and no more.

use super::{Finding, Ground};
use crate::store::db::Location;

const NAME: &str = "database";

pub(super) async fn check(ground: &Ground) -> Vec<Finding> {
    let examined = match &ground.examined {
        Ok(examined) => examined,
        Err(error) => return vec![unreachable(ground, error)],
    };
    let is_sqlite = matches!(ground.location, Location::Sqlite(_));
    if is_sqlite && !examined.exists {
        return vec![Finding::ok(NAME, format!("{:?} is not there yet; the first start makes it", ground.location))];
    }
    let mut found = Vec::new();
    if !examined.pending.is_empty() {
        let names = examined.pending.join(", ");
        let detail = if examined.exists { format!("{} migration(s) have not run: {names}", examined.pending.len()) } else { "the database is empty: no migration has run".to_owned() };
        found.push(match is_sqlite {
            true => Finding::warning(NAME, detail, "the next start runs them; make a copy of the file before"),
            false => Finding::fault(NAME, detail, "BANDPASS__DATABASE__MIGRATE_URL=postgres://OWNER@HOST/DATABASE bandpass db migrate"),
        });
    }
    let role = &examined.role;
    if !examined.powers.is_empty() {
        let (owned, mut shown): (Vec<&str>, Vec<String>) = (examined.powers.iter().filter_map(|p| p.strip_prefix("owns the ")).collect(), examined.powers.iter().filter(|p| !p.starts_with("owns the ")).cloned().collect());
        let example = owned.iter().find(|o| o.ends_with(" audit_log")).or(owned.first());
        if let Some(example) = example {
            shown.push(if owned.len() == 1 { format!("owns the {example}") } else { format!("owns the {example} and others") });
        }
        found.push(Finding::fault(
            NAME,
            format!("the service's role `{role}` {}, so it could change the past", shown.join(", ")),
            format!("make a role that owns nothing (CREATE ROLE bandpass_service LOGIN PASSWORD '…'), name it in `database.url`, keep `{role}` for `database.migrate_url`, and run bandpass db migrate"),
        ));
    }
    if !examined.lacks.is_empty() {
        found.push(Finding::fault(NAME, format!("the service's role `{role}` lacks {}", examined.lacks.join(", ")), "bandpass db migrate with `database.migrate_url` set: it gives the role of `database.url` its rights"));
    }
    for setting in &examined.unsafe_settings {
        found.push(Finding::fault(NAME, format!("the server runs with `{setting}`: a decision that was acknowledged may be lost with the power"), "ALTER SYSTEM SET fsync = on; ALTER SYSTEM SET full_page_writes = on; then reload the server"));
    }
    if !is_sqlite && !ground.settings.database.migrate_url.reveal().is_empty() && !role.is_empty() {
        found.push(Finding::warning(NAME, "`database.migrate_url` is set where the service runs: its password may change the past", "give it only to the shell that runs bandpass db migrate"));
    }
    if let (Location::Postgres(url), true) = (&ground.location, found.is_empty()) {
        found.extend(without_tls(url));
    }
    if found.is_empty() {
        let role = if role.is_empty() { String::new() } else { format!(", as `{role}`, which owns nothing") };
        found.push(Finding::ok(NAME, format!("{}{role}; every migration has run", examined.version)));
    }
    found
}

fn unreachable(ground: &Ground, error: &str) -> Finding {
    let cure = match &ground.location {
        Location::Sqlite(_) => "give the user that runs bandpass the right to the file and its folder, or set `database.url`",
        Location::Postgres(_) if error.contains("password authentication failed") || error.contains("does not exist") => "set user, password and database in BANDPASS__DATABASE__URL as the server has them",
        Location::Postgres(_) => "start the server, or set host and port in BANDPASS__DATABASE__URL",
    };
    Finding::fault(NAME, error.to_owned(), cure)
}

/// A connection beyond this machine that could be read on its way.
fn without_tls(url: &str) -> Option<Finding> {
    let host = url.split_once("://")?.1.split('/').next()?.rsplit('@').next()?.to_owned();
    let name = host.rsplit_once(':').map_or(host.as_str(), |(name, _)| name);
    let local = name.is_empty() || name.starts_with("%2F") || crate::outgoing::is_loopback(name);
    (!local && !url.contains("sslmode=require")).then(|| Finding::warning(NAME, format!("the connection to `{name}` has no TLS: the network reads every decision and the password"), "add ?sslmode=require to BANDPASS__DATABASE__URL"))
}
