//! One issuer: its settings, what it says about itself, its keys.

use std::sync::Arc;

use serde::Deserialize;

use crate::{
    auth::{
        jwt::{Claims, Expected, Header, JwtError, KeyCache, KeyError, KeySet, read_header, verify},
        published::{Published, Terms},
    },
    domain::time::Time,
    outgoing::{Outgoing, OutgoingError, address},
    settings::Issuer,
};

const MINUTE: i64 = 60_000_000;
/// What an issuer says about itself changes seldom, and one that is away is taken to be as it was.
const TERMS: Terms = Terms { pause: MINUTE, due: 60 * MINUTE, quiet: 120 * MINUTE, most: i64::MAX };

/// What an issuer says about itself (OpenID Connect Discovery 1.0), as far as it is used here.
#[derive(Debug, Clone, Deserialize)]
pub struct Metadata {
    /// Itself; must be the configured address.
    pub issuer: String,
    /// Where people sign in.
    pub authorization_endpoint: String,
    /// Where codes become tokens.
    pub token_endpoint: String,
    /// Where its keys are.
    pub jwks_uri: String,
    /// Where claims can be asked for.
    #[serde(default)]
    pub userinfo_endpoint: Option<String>,
    /// Where people sign out.
    #[serde(default)]
    pub end_session_endpoint: Option<String>,
    /// How clients may prove themselves at the token endpoint; nothing said means `client_secret_basic`.
    #[serde(default)]
    pub token_endpoint_auth_methods_supported: Option<Vec<String>>,
    /// How it takes proofs that whoever brings a code began the sign-in (PKCE); many say nothing.
    #[serde(default)]
    pub code_challenge_methods_supported: Option<Vec<String>>,
    /// Whether it says so when somebody signs out there.
    #[serde(default)]
    pub backchannel_logout_supported: bool,
    /// Whether every answer carries `iss` (RFC 9207).
    #[serde(default)]
    pub authorization_response_iss_parameter_supported: bool,
}

/// An issuer.
pub struct Provider {
    /// Its settings.
    pub settings: Issuer,
    /// For calling it.
    pub http: Outgoing,
    /// Where it sends people back to.
    pub redirect_uri: String,
    /// Where it sends people who signed out.
    pub signed_out_uri: String,
    metadata: Arc<Published<Metadata>>,
    keys: KeyCache,
}

/// Reads what an issuer says about itself.
async fn discover(http: &Outgoing, issuer: &str) -> Result<Metadata, OutgoingError> {
    let place = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
    let document = http.get_json(&place, None).await?;
    let metadata: Metadata = serde_json::from_value(document).map_err(|e| OutgoingError(format!("`{place}` is no discovery document: {e}")))?;
    if metadata.issuer != issuer {
        return Err(OutgoingError(format!(
            "`{place}` calls its issuer `{}`, and `url` in the settings is `{issuer}`: they must be the same, byte by byte",
            metadata.issuer.escape_debug()
        )));
    }
    check_addresses(&metadata)?;
    Ok(metadata)
}

/// Whether every address may be called. An issuer that is reached over TLS names none without it: the client secret would go to
/// whatever listens on a port of this machine.
fn check_addresses(metadata: &Metadata) -> Result<(), OutgoingError> {
    let needs_tls = address(&metadata.issuer)?.scheme() == "https";
    let addresses = [Some(&metadata.authorization_endpoint), Some(&metadata.token_endpoint), Some(&metadata.jwks_uri)];
    for place in addresses.into_iter().chain([metadata.userinfo_endpoint.as_ref(), metadata.end_session_endpoint.as_ref()]).flatten() {
        if address(place)?.scheme() != "https" && needs_tls {
            return Err(OutgoingError(format!("`{place}` is plain http, and the issuer `{}` that names it is not: expected https", metadata.issuer)));
        }
    }
    Ok(())
}

impl Provider {
    /// An issuer that was not asked anything yet.
    pub(super) fn new(settings: Issuer, http: Outgoing, public_url: &str) -> Self {
        Self {
            redirect_uri: format!("{public_url}/signin/{}/callback", settings.name),
            signed_out_uri: format!("{public_url}/signed-out"),
            settings,
            http,
            metadata: Arc::new(Published::new(TERMS)),
            keys: KeyCache::default(),
        }
    }

    /// What it says about itself.
    ///
    /// # Errors
    /// When it was never reached, or says something impossible.
    pub async fn metadata(&self, now: Time) -> Result<Arc<Metadata>, OutgoingError> {
        metadata(&self.metadata, self.http.clone(), self.settings.url.clone(), now).await
    }

    /// Verifies one of its tokens: header, key, signature, claims.
    ///
    /// # Errors
    /// What is wrong with it, or that its keys cannot be had.
    pub async fn verify(&self, token: &str, expected: &Expected<'_>) -> Result<Claims, TokenError> {
        let header: Header = read_header(token)?;
        expected.check_header(&header)?;
        let (http, known, issuer, now) = (self.http.clone(), Arc::clone(&self.metadata), self.settings.url.clone(), expected.now);
        let read = move || async move {
            let metadata = metadata(&known, http.clone(), issuer, now).await.map_err(|e| e.0)?;
            let document = http.get_json(&metadata.jwks_uri, None).await.map_err(|e| e.0)?;
            KeySet::read(&document).map_err(|e| format!("`{}`: {e}", metadata.jwks_uri))
        };
        let key = self.keys.key(header.kid.as_deref(), header.algorithm, now, read).await.map_err(|why| match why {
            KeyError::Unknown => JwtError("is signed with a key that the issuer does not publish".to_owned()).into(),
            KeyError::Unavailable(why) => {
                tracing::warn!(issuer = %self.settings.name, %why, "a token could not be verified");
                TokenError::Unavailable
            }
        })?;
        Ok(verify(token, &header, &key, expected)?)
    }
}

async fn metadata(known: &Published<Metadata>, http: Outgoing, issuer: String, now: Time) -> Result<Arc<Metadata>, OutgoingError> {
    known.whole(now, move || async move { discover(&http, &issuer).await.map_err(|e| e.0) }).await.map_err(OutgoingError)
}

/// Why a token is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It is wrong: the rest of a sentence that begins with "the token".
    #[error(transparent)]
    Wrong(#[from] JwtError),
    /// The keys of its issuer cannot be had, so that nobody knows. Why is for the log: whoever sent it may be anybody.
    #[error("cannot be verified now: the issuer's keys cannot be had")]
    Unavailable,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::check_addresses;

    #[test]
    fn an_issuer_over_tls_names_no_port_of_this_machine() {
        let metadata = |issuer: &str, token: &str, userinfo: &str| {
            let text = json!({ "issuer": issuer, "authorization_endpoint": format!("{issuer}/a"), "token_endpoint": token, "jwks_uri": format!("{issuer}/k"), "userinfo_endpoint": userinfo });
            serde_json::from_value(text).unwrap()
        };
        let (far, near) = ("https://idp.example", "http://127.0.0.1:9");
        assert!(check_addresses(&metadata(far, "https://token.idp.example/t", far)).is_ok());
        assert!(check_addresses(&metadata(near, near, near)).is_ok(), "an issuer on this machine, for a try");
        for (token, userinfo) in [(near, far), (far, near)] {
            let told = check_addresses(&metadata(far, token, userinfo)).unwrap_err().0;
            assert!(told.contains("127.0.0.1:9` is plain http"), "{told}");
        }
    }
}
