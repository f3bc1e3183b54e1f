//! Who brings a JWT access token: a person, or a program that a person answers for.

use std::{collections::BTreeSet, sync::Arc};

use super::{Claims, Expected, issuer_of};
use crate::{
    auth::oidc::{Issuers, person::{Match, find}, provider::{Provider, TokenError}},
    domain::{actor::Bearer, id::ServiceName, person::Person, time::Time, token::Scope},
    ledger::Snapshot,
    settings::issuer::IssuerClient,
    store::read::{Reader, StoreError},
};

/// The one who brings it.
pub struct JwtCaller {
    /// Who; of a program, its owner.
    pub person: Arc<Person>,
    /// The program.
    pub service: Option<ServiceName>,
    /// The token, as events name it.
    pub bearer: Bearer,
}

/// Why nobody is known by it.
#[derive(Debug, thiserror::Error)]
pub enum Unknown {
    /// The token, or whom it names: a sentence.
    #[error("{0}")]
    Token(String),
    /// The issuer's keys cannot be had, so that nobody can say.
    #[error("the issuer's keys cannot be had")]
    Keys,
    /// The database could not be asked.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Verifies an access token and finds who brings it.
///
/// # Errors
/// Why that is nobody.
pub async fn identify(issuers: &Issuers, token: &str, snapshot: &Snapshot, reader: &Reader, now: Time) -> Result<JwtCaller, Unknown> {
    let no = |why: &str| Unknown::Token(format!("the token {why}"));
    let issuer = issuer_of(token).map_err(|e| no(&e.0))?;
    let provider = issuers.at(&issuer).ok_or_else(|| no("has another `iss` than any configured issuer"))?;
    let settings = &provider.settings;
    if settings.audiences.is_empty() {
        return Err(no("is of an issuer without `audiences` in the settings, so none of its tokens are taken"));
    }
    let kind = settings.token_type.to_ascii_lowercase();
    let kind = kind.strip_prefix("application/").unwrap_or(&kind);
    let expected =
        Expected { issuer: &settings.url, audiences: &settings.audiences, algorithms: &settings.algorithms, kinds: &[kind], needs_subject: true, now };
    let claims = provider.verify(token, &expected).await.map_err(|error| match error {
        TokenError::Wrong(why) => no(&why.0),
        TokenError::Unavailable => Unknown::Keys,
    })?;
    if let Some(what) = other_use(&claims) {
        return Err(no(&format!("is {what}, not an access token")));
    }
    whom(provider, &claims, kind == "at+jwt", snapshot, reader).await
}

/// What a token is that is no access token: issuers that call all of theirs `JWT` are told apart by what they hold.
fn other_use(claims: &Claims) -> Option<&'static str> {
    if claims.get("nonce").is_some() || claims.get("at_hash").is_some() || claims.get("c_hash").is_some() {
        return Some("an ID token");
    }
    if claims.get("events").is_some() {
        return Some("a logout token");
    }
    match claims.text("typ") {
        None | Some("Bearer") => None,
        Some("ID") => Some("an ID token"),
        Some(_) => Some("of another use (its claim `typ`)"),
    }
}

async fn whom(provider: &Provider, claims: &Claims, says_what_it_is: bool, snapshot: &Snapshot, reader: &Reader) -> Result<JwtCaller, Unknown> {
    let no = |why: String| Unknown::Token(why);
    let settings = &provider.settings;
    let subject = claims.text("sub").unwrap_or_default();
    let client_ids = ["client_id", "azp", "cid", "appid"].map(|name| claims.text(name));
    let given = scopes(claims);
    let bearer = |scopes: BTreeSet<Scope>| Bearer { issuer: settings.name.clone(), scopes };
    if let Some(client) = settings.client.iter().find(|c| c.subject() == subject) {
        return match client_ids.iter().flatten().all(|id| *id == client.client_id) {
            true => service(client, given, snapshot).map(|(person, scopes)| JwtCaller { person, service: Some(client.service.clone()), bearer: bearer(scopes) }),
            false => Err(no(format!("the token has the subject of the client `{}`, and was given to another", client.client_id))),
        };
    }
    // What a program got for itself never stands for a person, whatever its subject looks like.
    if client_ids.contains(&Some(subject)) || claims.text("idtyp") == Some("app") || claims.text("gty") == Some("client-credentials") {
        return Err(no("the token is a program's own, and no `[[signin.issuer.client]]` names that program".to_owned()));
    }
    // Where the header cannot tell them apart, an ID token for the API's own registration passes all the rest.
    if !says_what_it_is && ["scope", "scp", "roles"].iter().all(|name| claims.get(name).is_none()) {
        return Err(no("the token has neither `scope`, `scp` nor `roles`, as an ID token has not; expected an access token".to_owned()));
    }
    let subject = claims.text(settings.api_subject()).ok_or_else(|| no(format!("the token has no `{}` that is a text", settings.api_subject())))?;
    let value = claims.identifier(&settings.person_claim);
    match find(provider, subject, value.as_deref(), snapshot, reader).await? {
        Match::Person(person, _) => {
            let mut scopes = given.unwrap_or_else(|| settings.default_scopes.clone());
            // For programs that feed the directory.
            scopes.remove(&Scope::Scim);
            Ok(JwtCaller { person, service: None, bearer: bearer(scopes) })
        }
        Match::Left(_) => Err(no("whom the token names has left".to_owned())),
        Match::OtherSubject(_) => Err(no("whom the token names is another subject of this issuer".to_owned())),
        Match::Several | Match::Nobody => Err(no("the token names nobody here: sign in with a browser once, or have the claim that joins people put into access tokens".to_owned())),
    }
}

fn service(client: &IssuerClient, given: Option<BTreeSet<Scope>>, snapshot: &Snapshot) -> Result<(Arc<Person>, BTreeSet<Scope>), Unknown> {
    let owner = snapshot.directory.person(client.owner.as_str()).filter(|p| p.is_active());
    let owner = owner.ok_or_else(|| Unknown::Token(format!("the owner of the service `{}` is not here any more", client.service)))?;
    let scopes = match given {
        Some(given) => client.scopes.intersection(&given).copied().collect(),
        None => client.scopes.clone(),
    };
    Ok((Arc::clone(owner), scopes))
}

/// Our words in `scope` (RFC 8693) or `scp` (Entra, Okta); none when there is none of them.
fn scopes(claims: &Claims) -> Option<BTreeSet<Scope>> {
    let words = claims.words("scope").into_iter().chain(claims.words("scp"));
    let ours: BTreeSet<Scope> =
        words.filter_map(|w| Scope::parse(w.strip_prefix("bandpass.").or_else(|| w.strip_prefix("bandpass:")).unwrap_or(w))).collect();
    (!ours.is_empty()).then_some(ours)
}

#[cfg(test)]
mod tests {
    use super::{Claims, other_use, scopes};
    use crate::domain::token::Scope::{Admin, Read};

    fn claims(text: &str) -> Claims {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn scopes_are_our_words_alone() {
        assert_eq!(scopes(&claims(r#"{"scope":"openid bandpass.read bandpass:admin"}"#)), Some([Read, Admin].into()));
        assert_eq!(scopes(&claims(r#"{"scp":["read","email"]}"#)), Some([Read].into()));
        assert_eq!(scopes(&claims(r#"{"scope":"openid email"}"#)), None);
        assert_eq!(scopes(&claims(r#"{"scope":{"read":true}}"#)), None);
    }

    #[test]
    fn other_tokens_are_told_apart() {
        for text in [r#"{"nonce":"x"}"#, r#"{"at_hash":"x"}"#, r#"{"events":{}}"#, r#"{"typ":"ID"}"#, r#"{"typ":"Refresh"}"#] {
            assert!(other_use(&claims(text)).is_some(), "{text}");
        }
        assert_eq!(other_use(&claims(r#"{"typ":"Bearer","sub":"x"}"#)), None);
    }

    #[test]
    fn a_claim_that_comes_twice_is_no_claim() {
        assert!(serde_json::from_str::<Claims>(r#"{"sub":"a","sub":"b"}"#).is_err());
    }
}
