//! Calling others over HTTP: no redirects, one deadline for the whole call, a bound on the body, https beyond this machine; and
//! errors that say what happened, since a person who sets something up reads them.

use std::{path::Path, time::Duration};

use reqwest::{Client, Url, redirect::Policy};
use serde_json::Value;

/// Longest time for a call, answer included.
const DEADLINE: Duration = Duration::from_secs(8);
/// Largest answer that is read, in bytes.
const MOST_BYTES: usize = 1024 * 1024;

/// Why a call led to nothing: a sentence without a full stop, that names the address called.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct OutgoingError(pub String);

/// A client; cheap to clone.
#[derive(Clone)]
pub struct Outgoing(Client);

/// An answer, read whole.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// What it says that it is; empty when it says nothing.
    pub content_type: String,
    /// When it was given, by the clock of whoever gave it.
    pub date: Option<String>,
    /// Its body, at most a mebibyte.
    pub body: Vec<u8>,
}

/// Whether a host is this machine, spelled as a literal or as `localhost`.
pub fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Reads an address that may be called: https, or http on this machine; no user name, no fragment.
///
/// # Errors
/// A sentence that names the address.
pub fn address(text: &str) -> Result<Url, OutgoingError> {
    let refuse = |why: &str| OutgoingError(format!("`{text}` {why}"));
    let url = Url::parse(text).map_err(|e| refuse(&format!("is not an address: {e}")))?;
    let host = url.host_str().ok_or_else(|| refuse("names no host"))?;
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return Err(refuse("holds a user name or a fragment; expected https://HOST/PATH"));
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_loopback(host) => Ok(url),
        "http" => Err(refuse("is plain http beyond this machine: expected https")),
        other => Err(refuse(&format!("is of the kind `{other}`: expected https"))),
    }
}

impl Outgoing {
    /// Builds the client.
    ///
    /// # Errors
    /// A sentence when TLS cannot be set up.
    pub fn new() -> Result<Self, String> {
        Self::trusting(None)
    }

    /// Builds a client that trusts the authorities of a PEM file and no others, or without one those of the machine.
    ///
    /// # Errors
    /// A sentence that names the file, or says why TLS cannot be set up.
    pub fn trusting(ca_file: Option<&Path>) -> Result<Self, String> {
        let client = Client::builder()
            .tls_backend_preconfigured(crate::tls::client(ca_file)?)
            .redirect(Policy::none())
            .timeout(DEADLINE)
            .connect_timeout(Duration::from_secs(4))
            .pool_idle_timeout(Duration::from_secs(20))
            .user_agent(concat!("bandpass/", env!("CARGO_PKG_VERSION")));
        client.build().map(Self).map_err(|e| format!("cannot build the HTTP client: {e}"))
    }

    /// Gets a JSON object, perhaps with a bearer token.
    ///
    /// # Errors
    /// When it cannot be had, or is something else.
    pub async fn get_json(&self, url: &str, bearer: Option<&str>) -> Result<Value, OutgoingError> {
        let value = json(url, &self.get(url, bearer).await?)?;
        if value.is_object() { Ok(value) } else { Err(OutgoingError(format!("`{url}` answered JSON that is no object"))) }
    }

    /// Gets JSON of a shape, perhaps with a bearer token.
    ///
    /// # Errors
    /// When it cannot be had, or is something else.
    pub async fn get_as<T: serde::de::DeserializeOwned>(&self, url: &str, bearer: Option<&str>) -> Result<T, OutgoingError> {
        read_json(url, &self.get(url, bearer).await?)
    }

    async fn get(&self, url: &str, bearer: Option<&str>) -> Result<Answer, OutgoingError> {
        let mut request = self.0.get(address(url)?).header("accept", "application/json");
        if let Some(bearer) = bearer {
            request = request.bearer_auth(bearer);
        }
        let answer = read(url, request).await?;
        if answer.status != 200 {
            return Err(OutgoingError(format!("`{url}` answered {}", told_status(&answer))));
        }
        Ok(answer)
    }

    /// Gets whatever is at an address, whatever its status.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn look(&self, url: &str) -> Result<Answer, OutgoingError> {
        read(url, self.0.get(address(url)?)).await
    }

    /// Sends a request of the OpenID Connect library; the status is for the caller to judge, unless it is a redirect.
    ///
    /// # Errors
    /// When there is no answer, or one that is no JSON.
    pub async fn call(&self, request: openidconnect::HttpRequest) -> Result<openidconnect::HttpResponse, OutgoingError> {
        let url = request.uri().to_string();
        let (parts, body) = request.into_parts();
        let answer = read(&url, self.0.request(parts.method, address(&url)?).headers(parts.headers).body(body)).await?;
        json(&url, &answer)?;
        let response = openidconnect::http::Response::builder().status(answer.status).header("content-type", answer.content_type.as_str());
        response.body(answer.body).map_err(|e| OutgoingError(format!("`{url}` answered something odd: {e}")))
    }
}

fn told_status(answer: &Answer) -> String {
    let what = if looks_like_html(answer) { " with HTML" } else { "" };
    format!("{}{what}", answer.status)
}

fn looks_like_html(answer: &Answer) -> bool {
    answer.content_type.starts_with("text/html") || answer.body.trim_ascii_start().first() == Some(&b'<')
}

fn json(url: &str, answer: &Answer) -> Result<Value, OutgoingError> {
    read_json(url, answer)
}

fn read_json<T: serde::de::DeserializeOwned>(url: &str, answer: &Answer) -> Result<T, OutgoingError> {
    if looks_like_html(answer) {
        return Err(OutgoingError(format!("`{url}` answered HTML instead of JSON (status {}): is the address right?", answer.status)));
    }
    serde_json::from_slice(&answer.body).map_err(|e| OutgoingError(format!("`{url}` answered something that is no JSON (status {}): {e}", answer.status)))
}

async fn read(url: &str, request: reqwest::RequestBuilder) -> Result<Answer, OutgoingError> {
    let failed = |error: reqwest::Error| OutgoingError(format!("`{url}` {}", why(error)));
    let mut response = request.send().await.map_err(failed)?;
    let status = response.status();
    if status.is_redirection() {
        return Err(OutgoingError(format!("`{url}` answered with a redirect ({status}), and none is followed: give the address where it ends")));
    }
    let content_type = response.headers().get("content-type").and_then(|t| t.to_str().ok()).unwrap_or_default().to_ascii_lowercase();
    let date = response.headers().get("date").and_then(|d| d.to_str().ok()).map(str::to_owned);
    let mut body = Vec::new();
    while let Some(part) = response.chunk().await.map_err(failed)? {
        if body.len() + part.len() > MOST_BYTES {
            return Err(OutgoingError(format!("`{url}` answered more than {} KiB", MOST_BYTES / 1024)));
        }
        body.extend_from_slice(&part);
    }
    Ok(Answer { status: status.as_u16(), content_type, date, body })
}

/// What went wrong, by the innermost cause.
fn why(error: reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("did not answer within {} s", DEADLINE.as_secs());
    }
    let what = if error.is_connect() { "cannot be reached" } else { "broke the connection off" };
    let error = error.without_url();
    let mut cause: &dyn std::error::Error = &error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    format!("{what}: {cause}")
}

#[cfg(test)]
mod tests {
    use super::address;

    #[test]
    fn only_https_leaves_this_machine() {
        for good in ["https://idp.example/realms/a", "http://127.0.0.1:9/x", "http://[::1]:9/", "http://localhost:9/"] {
            assert!(address(good).is_ok(), "{good}");
        }
        for bad in ["http://idp.example/", "http://127.0.0.1.evil.example/", "http://10.0.0.1/", "file:///etc/passwd", "https://u:p@idp.example/", "https:", "idp.example", "https://idp.example/#f"] {
            assert!(address(bad).is_err(), "{bad}");
        }
    }
}
