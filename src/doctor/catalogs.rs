//! Backstage catalogues that are asked for people and teams: there, with a token that they take, and with somebody in them.

use serde_json::Value;

use super::{Finding, Ground};
use crate::{outgoing::Outgoing, settings::CatalogSettings};

pub(super) async fn check(ground: &Ground) -> Vec<Finding> {
    let catalogs = &ground.settings.directory.catalog;
    if catalogs.is_empty() {
        return Vec::new();
    }
    let http = match Outgoing::new() {
        Ok(http) => http,
        Err(error) => return vec![Finding::fault("catalogue", error, "install the certificates of authorities: apt-get install ca-certificates")],
    };
    futures_util::future::join_all(catalogs.iter().map(|catalog| look(&http, catalog))).await
}

/// How many entities of a kind there are, and whether one was given.
async fn count(http: &Outgoing, catalog: &CatalogSettings, kind: &str) -> Result<u64, String> {
    let url = format!("{}/api/catalog/entities/by-query?limit=1&filter=kind={kind}", catalog.url.trim_end_matches('/'));
    let page = http.get_json(&url, Some(catalog.token.reveal()).filter(|t| !t.is_empty())).await.map_err(|e| e.0)?;
    let items = page.get("items").and_then(Value::as_array).ok_or_else(|| format!("`{url}` answered JSON without `items`"))?;
    let given = u64::try_from(items.len()).unwrap_or(u64::MAX);
    Ok(page.get("totalItems").and_then(Value::as_u64).unwrap_or(given))
}

async fn look(http: &Outgoing, catalog: &CatalogSettings) -> Finding {
    let name = format!("catalogue {}", catalog.name);
    let key = |key: &str| format!("`{key}` of [[directory.catalog]] `{}`", catalog.name);
    let (people, teams) = match (count(http, catalog, "user").await, count(http, catalog, "group").await) {
        (Ok(people), Ok(teams)) => (people, teams),
        (Err(error), _) | (_, Err(error)) => return Finding::fault(name, error.clone(), cure(&error, catalog, key)),
    };
    match (people, teams) {
        (0, _) => Finding::fault(name, "it answers and has nobody in it, so nothing is taken from it", "see in Backstage whether its own source of users works (catalog.providers), and whether the token may read kinds `User` and `Group`"),
        (_, 0) => Finding::warning(name, format!("it has {people} users and no groups: nobody of it is in a team"), "have Backstage read groups as well; and see whether the token may read the kind `Group`"),
        _ => Finding::ok(name, format!("{} answers, with {people} users and {teams} groups", catalog.url)),
    }
}

/// What mends a refusal or a silence.
fn cure(error: &str, catalog: &CatalogSettings, key: impl Fn(&str) -> String) -> String {
    if error.contains(" answered 401") || error.contains(" answered 403") {
        return match catalog.token.reveal().is_empty() {
            true => format!("it wants a token: set {} to a static one of Backstage (backend.auth.externalAccess)", key("token")),
            false => format!("it does not take the token: set {} as Backstage has it (backend.auth.externalAccess), with access to the catalog plugin", key("token")),
        };
    }
    if error.contains("HTML") || error.contains(" answered 404") || error.contains("without `items`") || error.contains("redirect") {
        return format!("set {} to Backstage's backend (backend.baseUrl, often port 7007), not to its pages; it must be 1.17 or newer", key("url"));
    }
    format!("start Backstage, or set {} to where its backend is; let this machine reach it", key("url"))
}
