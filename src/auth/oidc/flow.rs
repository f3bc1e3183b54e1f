//! To an issuer and back: the address that a browser is sent to, and what comes of the code that it brings.

use openidconnect::{
    AuthType, AuthorizationCode, ClientId, ClientSecret, CsrfToken, IssuerUrl, JsonWebKeySet, Nonce, OAuth2TokenResponse, PkceCodeChallenge,
    PkceCodeVerifier, RedirectUrl, Scope, TokenResponse, TokenUrl,
    core::{CoreAuthenticationFlow, CoreClient, CoreErrorResponseType},
    url,
};

use super::{attempt::Attempt, provider::{Metadata, Provider, TokenError}, seconds};
use crate::{
    auth::jwt::{Claims, Expected, LEEWAY_SECONDS},
    domain::time::Time,
    outgoing::{Outgoing, OutgoingError},
};

/// What an issuer's answer to a browser holds.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// What was sent along.
    pub state: Option<String>,
    /// What becomes tokens.
    pub code: Option<String>,
    /// Who answers (RFC 9207).
    pub iss: Option<String>,
    /// Why not.
    pub error: Option<String>,
}

/// Whom an issuer named.
pub struct Named {
    /// Their subject there.
    pub subject: String,
    /// What the issuer calls the session there.
    pub sid: Option<String>,
    /// The configured claim; none when it is neither in the ID token nor at userinfo.
    pub value: Option<String>,
    /// The ID token itself, for the issuer when the person signs out there.
    pub id_token: String,
}

/// Why nobody comes in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SigninError {
    /// The issuer cannot be reached, or answers with something else.
    #[error("{0}")]
    Issuer(String),
    /// The answer does not belong to a sign-in of this browser.
    #[error("{0}")]
    Stray(String),
    /// The issuer says that the person did not sign in.
    #[error("the issuer answered `{0}`")]
    Declined(String),
    /// What the issuer says about the person is not valid.
    #[error("{0}")]
    Invalid(String),
}

impl From<OutgoingError> for SigninError {
    fn from(error: OutgoingError) -> Self {
        Self::Issuer(error.0)
    }
}

type Client = CoreClient<
    openidconnect::EndpointSet,
    openidconnect::EndpointNotSet,
    openidconnect::EndpointNotSet,
    openidconnect::EndpointNotSet,
    openidconnect::EndpointSet,
    openidconnect::EndpointNotSet,
>;

fn client(provider: &Provider, metadata: &Metadata) -> Result<Client, SigninError> {
    let odd = |e: url::ParseError| SigninError::Issuer(format!("an address of the issuer cannot be read: {e}"));
    let settings = &provider.settings;
    let issuer = IssuerUrl::new(settings.url.clone()).map_err(odd)?;
    let mut client = CoreClient::new(ClientId::new(settings.client_id.clone()), issuer, JsonWebKeySet::new(Vec::new()));
    if !settings.client_secret.reveal().is_empty() {
        client = client.set_client_secret(ClientSecret::new(settings.client_secret.reveal().to_owned()));
    }
    let methods = metadata.token_endpoint_auth_methods_supported.as_ref();
    let basic = methods.is_none_or(|m| m.iter().any(|m| m == "client_secret_basic"));
    let client = client.set_auth_type(if basic { AuthType::BasicAuth } else { AuthType::RequestBody });
    Ok(client
        .set_redirect_uri(RedirectUrl::new(provider.redirect_uri.clone()).map_err(odd)?)
        .set_auth_uri(openidconnect::AuthUrl::new(metadata.authorization_endpoint.clone()).map_err(odd)?)
        .set_token_uri(TokenUrl::new(metadata.token_endpoint.clone()).map_err(odd)?))
}

/// Begins a sign-in: where to send the browser, and what it must keep.
///
/// # Errors
/// When the issuer cannot be asked about itself.
pub async fn begin(provider: &Provider, return_to: String, now: Time) -> Result<(String, Attempt), SigninError> {
    let metadata = provider.metadata(now).await?;
    let client = client(provider, &metadata)?;
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let mut request = client.authorize_url(CoreAuthenticationFlow::AuthorizationCode, || CsrfToken::new_random_len(32), || Nonce::new_random_len(32));
    for scope in provider.settings.scopes.iter().filter(|s| *s != "openid") {
        request = request.add_scope(Scope::new(scope.clone()));
    }
    let (url, state, nonce) = request.set_pkce_challenge(challenge).url();
    let attempt = Attempt {
        issuer: provider.settings.name.clone(),
        state: state.into_secret(),
        nonce: nonce.secret().clone(),
        verifier: verifier.into_secret(),
        return_to,
        began: seconds(now),
    };
    Ok((url.into(), attempt))
}

/// Compares in a time that does not tell where the texts differ.
fn same(a: &str, b: &str) -> bool {
    a.len() == b.len() && a.bytes().zip(b.bytes()).fold(0, |acc, (a, b)| acc | (a ^ b)) == 0
}

/// Ends a sign-in: checks that the answer belongs to it, and has the issuer say who it is.
///
/// # Errors
/// [`SigninError`] says why nobody comes in.
pub async fn finish(provider: &Provider, attempt: &Attempt, answer: &Answer, now: Time) -> Result<Named, SigninError> {
    let stray = |why: &str| SigninError::Stray(why.to_owned());
    if !answer.state.as_deref().is_some_and(|state| same(state, &attempt.state)) {
        return Err(stray("the answer of the issuer belongs to another sign-in than the one that this browser began last"));
    }
    let metadata = provider.metadata(now).await?;
    match answer.iss.as_deref() {
        Some(iss) if iss != provider.settings.url => return Err(stray("another issuer answered than the one that was asked")),
        None if metadata.authorization_response_iss_parameter_supported => {
            return Err(stray("the answer does not say which issuer it is from, although this one always does"));
        }
        _ => {}
    }
    if let Some(error) = &answer.error {
        return Err(SigninError::Declined(plain(error)));
    }
    let code = answer.code.as_deref().filter(|c| !c.is_empty()).ok_or_else(|| stray("the answer of the issuer holds no code"))?;
    let (id_token, access_token) = exchange(provider, &metadata, code, attempt).await?;
    let claims = id_claims(provider, &id_token, &attempt.nonce, now).await?;
    let sub = claims.text("sub").unwrap_or_default();
    let subject_claim = &provider.settings.subject_claim;
    // A text alone: a number and the text of its digits are two subjects.
    let subject = claims.text(subject_claim).ok_or_else(|| SigninError::Invalid(format!("the ID token has no `{subject_claim}` that is a text")))?.to_owned();
    let wanted = &provider.settings.person_claim;
    let value = match (claims.identifier(wanted), &metadata.userinfo_endpoint) {
        (Some(value), _) => Some(value),
        (None, Some(place)) if claims.get(wanted).is_none() => userinfo(&provider.http, place, &access_token, sub).await?.identifier(wanted),
        (None, _) => None,
    };
    Ok(Named { subject, sid: claims.text("sid").map(str::to_owned), value, id_token })
}

/// An error code of an issuer, as far as it may be shown.
fn plain(code: &str) -> String {
    code.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')).take(60).collect()
}

async fn exchange(provider: &Provider, metadata: &Metadata, code: &str, attempt: &Attempt) -> Result<(String, String), SigninError> {
    use openidconnect::RequestTokenError::{Other, Parse, Request, ServerResponse};
    let http = provider.http.clone();
    let call = move |request| {
        let http = http.clone();
        async move { http.call(request).await }
    };
    let tokens = client(provider, metadata)?
        .exchange_code(AuthorizationCode::new(code.to_owned()))
        .set_pkce_verifier(PkceCodeVerifier::new(attempt.verifier.clone()))
        .request_async(&call)
        .await
        .map_err(|error| match error {
            ServerResponse(refused) => match refused.error() {
                CoreErrorResponseType::InvalidClient | CoreErrorResponseType::UnauthorizedClient => {
                    SigninError::Issuer("the issuer does not take Bandpass's `client_id` and `client_secret`".to_owned())
                }
                CoreErrorResponseType::InvalidGrant => SigninError::Stray("the issuer does not take the code: it was used before, or came too late".to_owned()),
                other => SigninError::Issuer(format!("the issuer refused the code: `{}`", plain(other.as_ref()))),
            },
            Request(error) => SigninError::Issuer(error.0),
            Parse(error, _) => SigninError::Invalid(format!("what `{}` answered, or the ID token in it, cannot be read: {}", metadata.token_endpoint, error.inner())),
            Other(error) => SigninError::Issuer(format!("`{}` answered something odd: {error}", metadata.token_endpoint)),
        })?;
    let id_token = tokens.id_token().ok_or_else(|| SigninError::Issuer("the issuer gave no ID token: is the scope `openid` allowed?".to_owned()))?;
    Ok((id_token.to_string(), tokens.access_token().secret().clone()))
}

async fn id_claims(provider: &Provider, id_token: &str, nonce: &str, now: Time) -> Result<Claims, SigninError> {
    let invalid = |why: &str| SigninError::Invalid(format!("the ID token {why}"));
    let settings = &provider.settings;
    let expected = Expected {
        issuer: &settings.url,
        audiences: std::slice::from_ref(&settings.client_id),
        algorithms: &settings.algorithms,
        kinds: &["jwt", ""],
        needs_subject: true,
        now,
    };
    let claims = provider.verify(id_token, &expected).await.map_err(|error| match error {
        TokenError::Wrong(why) => invalid(&why.0),
        TokenError::Unavailable => SigninError::Issuer(format!("the ID token {error}")),
    })?;
    if claims.get("azp").is_some() && claims.text("azp") != Some(&settings.client_id) {
        return Err(invalid("was given to another app (`azp`)"));
    }
    if !claims.text("nonce").is_some_and(|n| same(n, nonce)) {
        return Err(invalid("belongs to another sign-in (`nonce`)"));
    }
    let issued = claims.instant("iat").unwrap_or(0);
    let age = seconds(now) - issued;
    if age > super::attempt::LASTS_SECONDS + LEEWAY_SECONDS {
        return Err(invalid(&format!("was issued {} minutes ago, though it was just asked for: the clocks of the issuer and of this machine differ", age / 60)));
    }
    Ok(claims)
}

async fn userinfo(http: &Outgoing, place: &str, access_token: &str, subject: &str) -> Result<Claims, SigninError> {
    let claims: Claims = http.get_as(place, Some(access_token)).await?;
    if claims.text("sub") == Some(subject) {
        Ok(claims)
    } else {
        Err(SigninError::Invalid("userinfo is about another subject than the ID token".to_owned()))
    }
}
