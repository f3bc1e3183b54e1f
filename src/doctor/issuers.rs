//! Who vouches for people: what each issuer says of itself, its keys, its clock, and what must be registered there.

use super::{Finding, Ground, clocks::told};
use crate::{
    auth::oidc::{Issuers, provider::Provider},
    settings::SigninMode,
};

/// Tokens are refused when clocks are further apart than this, in microseconds.
const REFUSED: i64 = 30_000_000;
const APART: i64 = 10_000_000;

pub(super) async fn check(ground: &Ground) -> Vec<Finding> {
    let signin = &ground.settings.signin;
    if signin.mode == SigninMode::Development {
        let detail = "development: whoever is on this machine is whom they choose; set up [[signin.issuer]] and `signin.mode = \"oidc\"` for people (config/sign-in.md)";
        return vec![Finding::ok("sign-in", detail)];
    }
    // Nothing is sealed here, so any key will do.
    let issuers = match Issuers::new(&ground.settings, b"doctor") {
        Ok(issuers) => issuers,
        Err(error) if error.contains("`ca_file`") => return vec![Finding::fault("sign-in", error, "name a PEM file with the certificate of the authority that signed the issuer's (not the issuer's own, nor a key), which the user that runs bandpass may read")],
        Err(error) => return vec![Finding::fault("sign-in", error, "install the certificates of authorities: apt-get install ca-certificates")],
    };
    let looks = issuers.all().iter().map(|provider| look(ground, provider));
    futures_util::future::join_all(looks).await.into_iter().flatten().collect()
}

async fn look(ground: &Ground, provider: &Provider) -> Vec<Finding> {
    let (settings, http) = (&provider.settings, &provider.http);
    let name = format!("sign-in {}", settings.name);
    let key = |key: &str| format!("`{key}` of [[signin.issuer]] `{}`", settings.name);
    let metadata = match provider.metadata((ground.clock)()).await {
        Ok(metadata) => metadata,
        Err(error) if error.0.contains("certificate") => return vec![Finding::fault(name, error.0, format!("set {} to a PEM file with the authority that signed its certificate, for one of a company's own; renew that certificate if it has expired", key("ca_file")))],
        Err(error) => return vec![Finding::fault(name, error.0, format!("set {} exactly as the issuer calls itself (its discovery document says it as `issuer`), and let this machine reach it", key("url")))],
    };
    let mut found = Vec::new();
    match http.get_json(&metadata.jwks_uri, None).await {
        Err(error) => found.push(Finding::fault(&name, format!("its keys cannot be read: {error}"), "without them no token can be verified: have the issuer publish them there, and let this machine reach that address")),
        Ok(document) => {
            if let Err(error) = crate::auth::jwt::KeySet::read(&document) {
                found.push(Finding::fault(&name, format!("`{}`: {error}", metadata.jwks_uri), "have the issuer sign with RS256, PS256, ES256 or EdDSA, and publish its keys there"));
            }
        }
    }
    let date = http.look(&metadata.jwks_uri).await.ok().and_then(|answer| answer.date);
    found.extend(clock(ground, &name, date.as_deref()));
    if settings.client_secret.reveal().is_empty() {
        let variable = settings.name.as_str().to_uppercase().replace('-', "_");
        found.push(Finding::warning(&name, "there is no `client_secret`: anybody can pose as Bandpass there, kept back by PKCE alone, and replicas cannot finish each other's sign-ins", format!("BANDPASS__SIGNIN__ISSUER__{variable}__CLIENT_SECRET, with the secret that the issuer gave")));
    }
    if metadata.end_session_endpoint.is_none() {
        found.push(Finding::warning(&name, "it has no `end_session_endpoint`: whoever signs out here stays signed in there", "nothing to set here; tell people, or turn RP-initiated logout on at the issuer"));
    }
    if metadata.code_challenge_methods_supported.as_ref().is_some_and(|m| !m.iter().any(|m| m == "S256")) {
        found.push(Finding::fault(&name, "it does not take `S256` (its `code_challenge_methods_supported`): who steals a code could use it", "turn PKCE with S256 on for this client at the issuer"));
    }
    if !found.iter().any(|f| f.state == super::State::Fault) {
        let methods = metadata.token_endpoint_auth_methods_supported.as_ref().is_none_or(|m| m.iter().any(|m| m == "client_secret_basic" || m == "client_secret_post" || m == "none"));
        if !methods {
            found.push(Finding::fault(&name, "it takes no client by `client_secret_basic` or `client_secret_post`", "allow one of them for this client at the issuer"));
        }
        let logout = if metadata.backchannel_logout_supported { "back-channel logout" } else { "no back-channel logout there, so who signs out there stays signed in here; where it can be turned on" };
        let back = provider.redirect_uri.trim_end_matches("/callback");
        found.push(Finding::ok(name, format!(
            "{} answers and publishes keys; register there, exactly: redirect URI {}, after sign-out {}; {logout}: {back}/backchannel-logout",
            settings.url, provider.redirect_uri, provider.signed_out_uri
        )));
    }
    found
}

/// The issuer's clock, as the header `Date` of its answer tells it, to a second.
fn clock(ground: &Ground, name: &str, date: Option<&str>) -> Option<Finding> {
    let theirs = jiff::fmt::rfc2822::DateTimeParser::new().parse_zoned(date?).ok()?.timestamp().as_microsecond();
    let apart = theirs - (ground.clock)().micros();
    // The header is cut to the second, and the answer took time.
    let cure = "let this machine follow NTP: timedatectl set-ntp true; if it does, tell whoever runs the issuer";
    let detail = |n: i64| format!("its clock is {} {} this machine's", told(n.abs()), if n > 0 { "ahead of" } else { "behind" });
    match apart.abs() {
        far if far > REFUSED => Some(Finding::fault(name, format!("{}: its tokens look expired, or not yet valid", detail(apart)), cure)),
        far if far > APART => Some(Finding::warning(name, detail(apart), cure)),
        _ => None,
    }
}
