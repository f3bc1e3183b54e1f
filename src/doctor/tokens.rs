//! What feeds the directory: files, or programs with tokens of the scope `scim`.

use super::{Finding, Ground, clocks::told};
use crate::{
    domain::token::Scope,
    store::{read::{Reader, StoreError}, read_tokens::{TokenFilter, UsedToken}},
};

const NAME: &str = "directory feed";
const DAY: i64 = 86_400 * 1_000_000;
/// A token that ends within this time is worth a word.
const SOON: i64 = 14 * DAY;
/// A program that was not heard of for this long may have stopped; identity providers push changes as they come, and look in daily.
const QUIET: i64 = 2 * DAY;
const CREATE: &str = "bandpass token create --service NAME --owner PERSON --scopes scim";

/// Every token that feeds the directory and was not revoked, newest first.
async fn feeding(reader: &Reader) -> Result<Vec<UsedToken>, StoreError> {
    let (mut found, mut filter) = (Vec::new(), TokenFilter::default());
    loop {
        let page = reader.used_tokens(filter.clone(), 500).await?;
        let Some(last) = page.last() else { return Ok(found) };
        filter.before = Some(last.token.id);
        found.extend(page.into_iter().filter(|t| t.token.scopes.contains(&Scope::Scim) && t.token.revoked_at.is_none()));
    }
}

pub(super) async fn check(ground: &Ground) -> Vec<Finding> {
    let Some(reader) = &ground.reader else { return Vec::new() };
    let now = (ground.clock)().micros();
    let tokens = match feeding(reader).await {
        Ok(tokens) => tokens,
        Err(error) => return vec![Finding::fault(NAME, error.to_string(), "mend what is said of the database")],
    };
    let (valid, expired): (Vec<_>, Vec<_>) = tokens.into_iter().partition(|t| t.token.expires_at.micros() > now);
    let whose = |t: &UsedToken| t.token.service.as_ref().map_or_else(|| t.token.label.clone(), ToString::to_string);
    let has_files = !ground.settings.directory.source.is_empty();
    if valid.is_empty() {
        return vec![match (expired.first(), has_files) {
            (Some(last), _) => Finding::fault(NAME, format!("the token of `{}` that fed the directory expired {} ago, and no other has its scope", whose(last), told(now - last.token.expires_at.micros())), format!("{CREATE}, and give it to the program")),
            (None, true) => Finding::ok(NAME, format!("people come from `{}`; no program has a token of the scope `scim`", ground.settings.directory.source)),
            (None, false) => Finding::fault(NAME, "nothing brings people: `directory.source` is empty, and no token has the scope `scim`", format!("set `directory.source`, or {CREATE}")),
        }];
    }
    valid.iter().map(|t| of_token(t, &whose(t), now)).collect()
}

fn of_token(t: &UsedToken, whose: &str, now: i64) -> Finding {
    let left = t.token.expires_at.micros() - now;
    match t.used_at.map(|at| now - at.micros()) {
        _ if left < SOON => Finding::warning(NAME, format!("the token of `{whose}` that feeds the directory ends in {}", told(left)), format!("{CREATE}, give it to the program, then revoke the old one")),
        None => Finding::warning(NAME, format!("`{whose}` has a token that feeds the directory, and never came with it"), "give the program the token and the address PUBLIC_URL/scim/v2, and have it test the connection"),
        Some(ago) if ago > QUIET => Finding::warning(NAME, format!("`{whose}` feeds the directory, and was last here {} ago", told(ago)), "look at the program's own log of provisioning: joiners and leavers are not heard of meanwhile"),
        Some(ago) => Finding::ok(NAME, format!("`{whose}` feeds the directory, last {} ago; its token ends in {} days", told(ago), left / DAY)),
    }
}
