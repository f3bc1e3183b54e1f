//! A small OpenID Connect issuer that can be wrong in every way that a real one never shows.
#![allow(dead_code, reason = "each test binary uses a part")]

use std::{
    collections::{BTreeMap, HashMap},
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::jwt_key::{SigningKey, b64};

/// How an issuer answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// As it should.
    Good,
    /// As it should, after a second.
    Late,
    /// Takes connections and says nothing.
    Slow,
    /// Breaks connections off.
    Down,
    /// A page for people.
    Html,
    /// A redirect.
    Redirect,
    /// Two mebibytes.
    Big,
    /// Status 500 with JSON.
    Broken,
}

struct Code {
    challenge: String,
    id_token: String,
}

struct Inner {
    url: String,
    keys: Vec<Value>,
    codes: HashMap<String, Code>,
    userinfo: Value,
    userinfo_text: Option<String>,
    moods: BTreeMap<String, Mood>,
    hits: BTreeMap<String, usize>,
    metadata: Value,
    /// Seconds by which its clock is off, as its answers tell it.
    clock_off: i64,
}

/// The issuer; it stops with the runtime.
#[derive(Clone)]
pub struct Issuer {
    address: SocketAddr,
    key: Arc<SigningKey>,
    inner: Arc<Mutex<Inner>>,
}

/// What a sign-in at it is known by: the parts of the address that the browser was sent to.
pub type Asked = BTreeMap<String, String>;

/// Now, in seconds.
pub fn now() -> i64 {
    i64::try_from(std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

/// The parts of a query.
pub fn query(url: &str) -> Asked {
    let pairs = url.split_once('?').map_or("", |(_, q)| q).split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), decoded(value))).collect()
}

fn decoded(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::new(), text.bytes());
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let hex: String = rest.by_ref().take(2).map(char::from).collect();
                u8::from_str_radix(&hex, 16).unwrap()
            }
            other => other,
        });
    }
    String::from_utf8(bytes).unwrap()
}

impl Issuer {
    /// Starts one on a free port, with an ES256 key.
    pub async fn start() -> Self {
        Self::with_key(SigningKey::new("first", "ES256", 0)).await
    }

    /// Starts one with a key.
    pub async fn with_key(key: SigningKey) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let url = format!("http://{address}");
        let metadata = json!({
            "issuer": url, "authorization_endpoint": format!("{url}/authorize"), "token_endpoint": format!("{url}/token"), "jwks_uri": format!("{url}/jwks"),
            "userinfo_endpoint": format!("{url}/userinfo"), "end_session_endpoint": format!("{url}/end"),
            "authorization_response_iss_parameter_supported": true, "response_types_supported": ["code"],
        });
        let inner = Inner { url: url.clone(), keys: vec![key.jwk()], codes: HashMap::new(), userinfo: json!({}), userinfo_text: None, moods: BTreeMap::new(), hits: BTreeMap::new(), metadata, clock_off: 0 };
        let issuer = Self { address, key: Arc::new(key), inner: Arc::new(Mutex::new(inner)) };
        let serving = issuer.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let issuer = serving.clone();
                tokio::spawn(async move {
                    let _ = issuer.converse(stream).await;
                });
            }
        });
        issuer
    }

    /// Sets its clock ahead, or back, by so many seconds: the `Date` of its answers.
    pub fn date_moves_by(&self, seconds: i64) {
        self.inner.lock().unwrap().clock_off = seconds;
    }

    /// Its name for itself.
    pub fn url(&self) -> String {
        self.inner.lock().unwrap().url.clone()
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on calls itself so, and all its places: something stands in front of it.
    pub fn known_as(&self, url: &str) {
        let mut inner = self.inner.lock().unwrap();
        let old = std::mem::replace(&mut inner.url, url.to_owned());
        inner.metadata = serde_json::from_str(&inner.metadata.to_string().replace(&old, url)).unwrap();
    }

    /// Its key.
    pub fn key(&self) -> &SigningKey {
        &self.key
    }

    /// The lines of settings that name it.
    pub fn settings(&self, name: &str, more: &str) -> String {
        format!("[[signin.issuer]]\nname = \"{name}\"\ntitle = \"The {name}\"\nurl = \"{}\"\nclient_id = \"bandpass\"\nclient_secret = \"a secret\"\n{more}\n", self.url())
    }

    /// From now on answers at a path like this.
    pub fn be(&self, path: &str, mood: Mood) {
        self.inner.lock().unwrap().moods.insert(path.to_owned(), mood);
    }

    /// From now on publishes these keys.
    pub fn publish(&self, keys: &[&SigningKey]) {
        self.inner.lock().unwrap().keys = keys.iter().map(|k| k.jwk()).collect();
    }

    /// From now on says this about itself as well.
    pub fn say(&self, name: &str, value: Value) {
        self.inner.lock().unwrap().metadata[name] = value;
    }

    /// From now on answers this at userinfo.
    pub fn tell(&self, userinfo: Value) {
        self.inner.lock().unwrap().userinfo = userinfo;
    }

    /// From now on answers this text at userinfo, whatever it is.
    pub fn tell_text(&self, userinfo: &str) {
        self.inner.lock().unwrap().userinfo_text = Some(userinfo.to_owned());
    }

    /// How often a path was asked for.
    pub fn hits(&self, path: &str) -> usize {
        self.inner.lock().unwrap().hits.get(path).copied().unwrap_or(0)
    }

    /// The claims of an ID token for a sign-in, with others over them; null takes one away.
    pub fn id_claims(&self, asked: &Asked, over: &Value) -> Value {
        let mut claims = json!({ "iss": self.url(), "aud": "bandpass", "sub": "s-ann", "nonce": asked.get("nonce"), "iat": now(), "exp": now() + 300 });
        overlay(&mut claims, over);
        claims
    }

    /// A code for a sign-in; the ID token that it becomes has these claims over the usual ones.
    pub fn code(&self, asked: &Asked, over: &Value) -> String {
        let id_token = self.key.sign_with(&json!({}), &self.id_claims(asked, over));
        self.code_for(asked, id_token)
    }

    /// A code that becomes a given ID token.
    pub fn code_for(&self, asked: &Asked, id_token: String) -> String {
        let code = format!("code-{}", uuid::Uuid::now_v7());
        let code_of = Code { challenge: asked.get("code_challenge").cloned().unwrap_or_default(), id_token };
        self.inner.lock().unwrap().codes.insert(code.clone(), code_of);
        code
    }

    /// An access token with these claims over the usual ones.
    pub fn access_token(&self, over: &Value) -> String {
        self.key.sign_with(&json!({ "typ": "at+jwt" }), &self.access_claims(over))
    }

    /// The claims of an access token, with others over them; null takes one away.
    pub fn access_claims(&self, over: &Value) -> Value {
        let mut claims = json!({ "iss": self.url(), "aud": "bandpass-api", "sub": "s-ann", "client_id": "some-app", "iat": now(), "exp": now() + 300, "jti": "j" });
        overlay(&mut claims, over);
        claims
    }

    async fn converse(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let mut bytes = Vec::new();
        let (head, body) = loop {
            if stream.read_buf(&mut bytes).await? == 0 {
                return Ok(());
            }
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            let length = head.lines().find_map(|l| l.to_ascii_lowercase().strip_prefix("content-length:").map(|n| n.trim().parse::<usize>().unwrap())).unwrap_or(0);
            if body.len() >= length {
                break (head.to_owned(), body.to_owned());
            }
        };
        let path = head.split_whitespace().nth(1).unwrap_or("/").split('?').next().unwrap_or("/").to_owned();
        let mood = {
            let mut inner = self.inner.lock().unwrap();
            *inner.hits.entry(path.clone()).or_default() += 1;
            inner.moods.get(&path).copied().unwrap_or(Mood::Good)
        };
        if mood == Mood::Late {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        let (status, kind, body) = match mood {
            Mood::Down => return Ok(()),
            Mood::Slow => {
                tokio::time::sleep(Duration::from_secs(60)).await;
                return Ok(());
            }
            Mood::Html => (200, "text/html", "<!doctype html><title>Welcome</title>".to_owned()),
            Mood::Redirect => (302, "application/json", "{}".to_owned()),
            Mood::Big => (200, "application/json", format!("\"{}\"", "x".repeat(2 * 1024 * 1024))),
            Mood::Broken => (500, "application/json", "{\"error\":\"server_error\"}".to_owned()),
            Mood::Good | Mood::Late => {
                let (status, value) = self.answer(&path, &head, &body);
                let text = self.inner.lock().unwrap().userinfo_text.clone().filter(|_| path == "/userinfo");
                (status, "application/json", text.unwrap_or_else(|| value.to_string()))
            }
        };
        let also = if status == 302 { "Location: /elsewhere\r\n" } else { "" };
        let date = jiff::Timestamp::from_second(now() + self.inner.lock().unwrap().clock_off).unwrap().strftime("%a, %d %b %Y %H:%M:%S GMT");
        let answer = format!("HTTP/1.1 {status} x\r\nDate: {date}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n{also}Connection: close\r\n\r\n{body}", body.len());
        stream.write_all(answer.as_bytes()).await?;
        stream.shutdown().await
    }

    fn answer(&self, path: &str, head: &str, body: &str) -> (u16, Value) {
        let mut inner = self.inner.lock().unwrap();
        match path {
            "/.well-known/openid-configuration" => (200, inner.metadata.clone()),
            "/jwks" => (200, json!({ "keys": inner.keys })),
            "/userinfo" if head.contains("Bearer an-access-token") || head.contains("bearer an-access-token") => (200, inner.userinfo.clone()),
            "/token" => {
                let form = query(&format!("?{body}"));
                let basic = format!("Basic {}", STANDARD.encode("bandpass:a+secret"));
                if !head.contains(&basic) {
                    return (401, json!({ "error": "invalid_client" }));
                }
                let code = form.get("code").and_then(|code| inner.codes.remove(code));
                let proof = form.get("code_verifier").map(|v| b64(digest(&SHA256, v.as_bytes())));
                match code {
                    Some(code) if proof.as_ref() == Some(&code.challenge) => {
                        (200, json!({ "access_token": "an-access-token", "token_type": "Bearer", "expires_in": 60, "id_token": code.id_token }))
                    }
                    _ => (400, json!({ "error": "invalid_grant" })),
                }
            }
            _ => (404, json!({})),
        }
    }
}

fn overlay(claims: &mut Value, over: &Value) {
    for (name, value) in over.as_object().unwrap() {
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        } else {
            claims[name] = value.clone();
        }
    }
}
