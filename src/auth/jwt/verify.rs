//! Whether a token is what it must be: its header, its signature, then every claim that everybody must have.

use jsonwebtoken::{Algorithm, Validation};
use serde::Deserialize;
use serde_json::Value;

use super::{claims::Claims, keys::Key};
use crate::domain::time::Time;

/// How far another's clock may be off, in seconds.
pub const LEEWAY_SECONDS: i64 = 30;
/// Longest token that is looked at, in bytes.
const MOST_BYTES: usize = 12 * 1024;
/// Longest name of a key, in bytes.
const MOST_KID: usize = 256;

/// Why a token is not taken: the rest of a sentence that begins with "the token".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct JwtError(pub String);

fn no(why: impl Into<String>) -> JwtError {
    JwtError(why.into())
}

/// What a token's header says, as far as anything of it is followed. It is not signed for by anybody yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Which signature.
    pub algorithm: Algorithm,
    /// Which of the issuer's keys.
    pub kid: Option<String>,
    /// What kind of token, in lower case, without `application/`.
    pub kind: Option<String>,
}

#[derive(Deserialize)]
struct RawHeader {
    alg: Value,
    #[serde(default)]
    kid: Option<Value>,
    #[serde(default)]
    typ: Option<Value>,
    #[serde(default)]
    crit: Option<Value>,
    #[serde(default)]
    jku: Option<Value>,
    #[serde(default)]
    x5u: Option<Value>,
    #[serde(default)]
    jwk: Option<Value>,
    #[serde(default)]
    b64: Option<Value>,
}

/// The parts of a token, decoded: header and payload.
fn parts(token: &str) -> Result<(Vec<u8>, Vec<u8>), JwtError> {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    if token.len() > MOST_BYTES {
        return Err(no(format!("is longer than {MOST_BYTES} bytes")));
    }
    let mut parts = token.split('.');
    let (Some(header), Some(payload), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return Err(no("is no signed JWT: expected three parts divided by dots"));
    };
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| no("is not base64url without padding"));
    Ok((decode(header)?, decode(payload)?))
}

/// Reads a header, refusing what would have to be followed or understood: `crit`, and keys or addresses of keys that the token
/// itself brings.
///
/// # Errors
/// What is wrong with it.
pub fn read_header(token: &str) -> Result<Header, JwtError> {
    let (header, _) = parts(token)?;
    let raw: RawHeader = serde_json::from_slice(&header).map_err(|_| no("has a header that is no JSON object with an `alg`"))?;
    for (name, value) in [("crit", &raw.crit), ("jku", &raw.jku), ("x5u", &raw.x5u), ("jwk", &raw.jwk), ("b64", &raw.b64)] {
        if value.is_some() {
            return Err(no(format!("has `{name}` in its header, which is never followed")));
        }
    }
    let name = raw.alg.as_str().ok_or_else(|| no("has an `alg` that is no text"))?;
    // The spelling is exact: `none` in any case is no algorithm.
    let algorithm = name.parse::<Algorithm>().map_err(|_| no("has an `alg` that is not allowed"))?;
    let text = |name: &str, value: Option<Value>| match value {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(no(format!("has a `{name}` that is no text"))),
    };
    let kid = text("kid", raw.kid)?;
    if kid.as_ref().is_some_and(|kid| kid.is_empty() || kid.len() > MOST_KID || kid.chars().any(char::is_control)) {
        return Err(no(format!("has a `kid` that is empty, longer than {MOST_KID} bytes, or holds control characters")));
    }
    let kind = text("typ", raw.typ)?.map(|kind| kind.to_ascii_lowercase()).map(|kind| kind.strip_prefix("application/").unwrap_or(&kind).to_owned());
    Ok(Header { algorithm, kid, kind })
}

/// The issuer that a token claims, before anything of it is verified: only for choosing whose keys to try.
///
/// # Errors
/// When it claims none.
pub fn issuer_of(token: &str) -> Result<String, JwtError> {
    let (_, payload) = parts(token)?;
    let claims: Claims = serde_json::from_slice(&payload).map_err(|_| no("has a payload that is no JSON object with each claim once"))?;
    claims.get("iss").and_then(Value::as_str).map(str::to_owned).ok_or_else(|| no("has no `iss` that is a text"))
}

/// What a token must be.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// Its issuer, byte by byte.
    pub issuer: &'a str,
    /// Every audience that it names must be one of these.
    pub audiences: &'a [String],
    /// Signatures that are taken.
    pub algorithms: &'a [String],
    /// Kinds that are taken, in lower case; an empty one stands for a token that does not say.
    pub kinds: &'a [&'a str],
    /// Whether it must name a subject; a logout token may name a session instead.
    pub needs_subject: bool,
    /// Now.
    pub now: Time,
}

impl Expected<'_> {
    /// Checks what the header says.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check_header(&self, header: &Header) -> Result<(), JwtError> {
        let name = format!("{:?}", header.algorithm);
        if !self.algorithms.contains(&name) {
            return Err(no(format!("is signed with {name}, which is not among the allowed algorithms")));
        }
        let kind = header.kind.as_deref().unwrap_or_default();
        if !self.kinds.contains(&kind) {
            let wanted: Vec<&str> = self.kinds.iter().copied().filter(|k| !k.is_empty()).collect();
            return Err(no(format!("has the `typ` `{}`; expected `{}`", kind.escape_debug(), wanted.join("` or `"))));
        }
        Ok(())
    }
}

/// Verifies a token with a key, and checks `iss`, `aud`, `exp`, `iat`, `nbf` and `sub` with their types.
///
/// # Errors
/// What is wrong with it.
pub fn verify(token: &str, header: &Header, key: &Key, expected: &Expected<'_>) -> Result<Claims, JwtError> {
    expected.check_header(header)?;
    let mut validation = Validation::new(header.algorithm);
    // Times are checked below, with the service's clock; the rest is checked there and here.
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.set_issuer(&[expected.issuer]);
    validation.set_audience(expected.audiences);
    let required: &[&str] = if expected.needs_subject { &["exp", "iss", "aud", "sub"] } else { &["exp", "iss", "aud"] };
    validation.set_required_spec_claims(required);
    let decoded = jsonwebtoken::decode::<Claims>(token, key.decoding(), &validation).map_err(|error| no(told(&error)))?;
    check(&decoded.claims, expected)?;
    Ok(decoded.claims)
}

fn told(error: &jsonwebtoken::errors::Error) -> String {
    use jsonwebtoken::errors::ErrorKind;
    match error.kind() {
        ErrorKind::InvalidSignature => "has a signature that does not fit".to_owned(),
        ErrorKind::InvalidIssuer => "has another `iss` than the configured issuer".to_owned(),
        ErrorKind::InvalidAudience => "has no `aud` that means this service".to_owned(),
        ErrorKind::MissingRequiredClaim(name) => format!("lacks the claim `{name}`, or has it of another type than it must be"),
        other => format!("is not valid: {other:?}"),
    }
}

fn check(claims: &Claims, expected: &Expected<'_>) -> Result<(), JwtError> {
    if claims.text("iss") != Some(expected.issuer) {
        return Err(no("has another `iss` than the configured issuer"));
    }
    let audiences = claims.audiences().ok_or_else(|| no("has an `aud` that is neither a text nor a list of texts"))?;
    if !audiences.iter().all(|a| expected.audiences.iter().any(|ours| ours == a)) {
        return Err(no("has an `aud` that means others as well: whoever got it for them could use it here"));
    }
    if claims.text("sub").is_none() && (expected.needs_subject || claims.get("sub").is_some()) {
        return Err(no("has no `sub` that is a text of 1 to 255 characters"));
    }
    let instant = |name: &str| claims.instant(name).ok_or_else(|| no(format!("has no `{name}` that is a whole number of seconds")));
    let now = expected.now.micros().div_euclid(1_000_000);
    let (expires, issued) = (instant("exp")?, instant("iat")?);
    if now >= expires + LEEWAY_SECONDS {
        return Err(no(format!("expired {}", ago(now - expires))));
    }
    if issued > now + LEEWAY_SECONDS {
        return Err(no(format!("was issued {} from now: the clocks of the issuer and of this machine differ", span(issued - now))));
    }
    if claims.get("nbf").is_some() && instant("nbf")? > now + LEEWAY_SECONDS {
        return Err(no("is not valid yet"));
    }
    Ok(())
}

fn span(seconds: i64) -> String {
    match seconds {
        ..120 => format!("{seconds} seconds"),
        120..7200 => format!("{} minutes", seconds / 60),
        _ => format!("{} hours", seconds / 3600),
    }
}

fn ago(seconds: i64) -> String {
    format!("{} ago", span(seconds))
}
