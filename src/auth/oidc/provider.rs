//! One issuer: its settings, what it says about itself, its keys.

use std::sync::{Arc, PoisonError, RwLock};

use serde::Deserialize;

use crate::{
    auth::jwt::{Claims, Expected, Header, JwtError, KeyCache, KeySet, read_header, verify},
    domain::time::Time,
    outgoing::{Outgoing, OutgoingError, address},
    settings::Issuer,
};

/// How long what an issuer says about itself is used before it is asked again, in microseconds.
const FRESH_FOR: i64 = 3600 * 1_000_000;

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
    metadata: Arc<RwLock<Option<(Arc<Metadata>, Time)>>>,
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
    let addresses = [Some(&metadata.authorization_endpoint), Some(&metadata.token_endpoint), Some(&metadata.jwks_uri)];
    for place in addresses.into_iter().chain([metadata.userinfo_endpoint.as_ref(), metadata.end_session_endpoint.as_ref()]).flatten() {
        address(place)?;
    }
    Ok(metadata)
}

type Known = RwLock<Option<(Arc<Metadata>, Time)>>;

/// What an issuer says about itself: as it is known, when that is fresh; asked again else. One that is away is taken to be as
/// it was.
async fn metadata(known: &Known, http: &Outgoing, issuer: &str, now: Time) -> Result<Arc<Metadata>, OutgoingError> {
    let old = known.read().unwrap_or_else(PoisonError::into_inner).clone();
    if let Some((metadata, _)) = old.as_ref().filter(|(_, at)| (now.micros() - at.micros()).abs() < FRESH_FOR) {
        return Ok(Arc::clone(metadata));
    }
    match (discover(http, issuer).await, old) {
        (Ok(metadata), _) => {
            let metadata = Arc::new(metadata);
            *known.write().unwrap_or_else(PoisonError::into_inner) = Some((Arc::clone(&metadata), now));
            Ok(metadata)
        }
        (Err(error), Some((old, _))) => {
            tracing::warn!(%error, "an issuer could not be asked about itself; it is taken to be as it was");
            Ok(old)
        }
        (Err(error), None) => Err(error),
    }
}

/// The keys that an issuer publishes now.
async fn fetch_keys(known: &Known, http: &Outgoing, issuer: &str, now: Time) -> Result<KeySet, String> {
    let metadata = metadata(known, http, issuer, now).await.map_err(|e| e.0)?;
    let document = http.get_json(&metadata.jwks_uri, None).await.map_err(|e| e.0)?;
    KeySet::read(&document).map_err(|e| format!("`{}`: {e}", metadata.jwks_uri))
}

impl Provider {
    /// An issuer that was not asked anything yet.
    pub(super) fn new(settings: Issuer, http: Outgoing, public_url: &str) -> Self {
        Self {
            redirect_uri: format!("{public_url}/signin/{}/callback", settings.name),
            signed_out_uri: format!("{public_url}/signed-out"),
            settings,
            http,
            metadata: Arc::default(),
            keys: KeyCache::default(),
        }
    }

    /// What it says about itself.
    ///
    /// # Errors
    /// When it was never reached, or says something impossible.
    pub async fn metadata(&self, now: Time) -> Result<Arc<Metadata>, OutgoingError> {
        metadata(&self.metadata, &self.http, &self.settings.url, now).await
    }

    /// Reads its keys again when what is known of them is old.
    pub async fn refresh_keys(&self, now: Time) {
        self.keys.refresh(now, || fetch_keys(&self.metadata, &self.http, &self.settings.url, now)).await;
    }

    /// Verifies one of its tokens: header, key, signature, claims.
    ///
    /// # Errors
    /// What is wrong with it.
    pub async fn verify(&self, token: &str, expected: &Expected<'_>) -> Result<Claims, JwtError> {
        let header: Header = read_header(token)?;
        expected.check_header(&header)?;
        let (http, known, issuer, now) = (self.http.clone(), Arc::clone(&self.metadata), self.settings.url.clone(), expected.now);
        let fetch = move || async move { fetch_keys(&known, &http, &issuer, now).await };
        let key = self.keys.key(header.kid.as_deref(), header.algorithm, now, fetch).await.map_err(|e| JwtError(e.to_string()))?;
        verify(token, &header, &key, expected)
    }
}
