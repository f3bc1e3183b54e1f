//! What feeds the directory: files, or programs with tokens of the scope `scim`.

use super::{Finding, Ground, clocks::told};
use crate::{domain::token::Scope, store::read_tokens::TokenFilter};

const NAME: &str = "directory feed";
/// A token that ends within this time is worth a word, in microseconds.
const SOON: i64 = 14 * 86_400 * 1_000_000;
/// How many tokens are looked at, the newest first.
const LOOKED_AT: u16 = 10_000;

pub(super) async fn check(ground: &Ground) -> Vec<Finding> {
    let Some(reader) = &ground.reader else { return Vec::new() };
    let now = (ground.clock)().micros();
    let tokens = match reader.used_tokens(TokenFilter::default(), LOOKED_AT).await {
        Ok(tokens) => tokens,
        Err(error) => return vec![Finding::fault(NAME, error.to_string(), "mend what is said of the database")],
    };
    let feeding = tokens.iter().filter(|t| t.token.scopes.contains(&Scope::Scim) && t.token.revoked_at.is_none());
    let (valid, expired): (Vec<_>, Vec<_>) = feeding.partition(|t| t.token.expires_at.micros() > now);
    let create = "bandpass token create --service NAME --owner PERSON --scopes scim";
    let has_files = !ground.settings.directory.source.is_empty();
    if valid.is_empty() {
        return vec![match (expired.first().map(|e| &e.token), has_files) {
            (Some(last), _) => Finding::fault(NAME, format!("the token `{}` that feeds the directory expired {} ago", last.label, told(now - last.expires_at.micros())), format!("{create}, and give it to the program")),
            (None, true) => Finding::ok(NAME, format!("people come from `{}`; no program has a token of the scope `scim`", ground.settings.directory.source)),
            (None, false) => Finding::fault(NAME, "nothing brings people: `directory.source` is empty, and no token has the scope `scim`", format!("set `directory.source`, or {create}")),
        }];
    }
    let mut found = Vec::new();
    for used in &valid {
        let token = &used.token;
        let last = used.used_at.map_or_else(|| "it was never used".to_owned(), |at| format!("it was last used {} ago", told(now - at.micros())));
        let whose = token.service.as_ref().map_or_else(|| token.label.clone(), ToString::to_string);
        let left = token.expires_at.micros() - now;
        if left < SOON {
            found.push(Finding::warning(NAME, format!("the token of `{whose}` that feeds the directory ends in {}", told(left)), format!("{create}, give it to the program, then revoke the old one")));
        } else {
            found.push(Finding::ok(NAME, format!("`{whose}` feeds the directory; its token ends in {} days, and {last}", left / 86_400_000_000)));
        }
    }
    found
}
