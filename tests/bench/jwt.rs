//! Verifying one JWT access token as every call with one does: header, key by its name, signature, claims. The limit beside it
//! is ring's signature alone.

use std::time::Instant;

use bandpass::{
    auth::jwt::{Expected, KeyCache, KeySet, install, read_header, verify},
    domain::time::Time,
};
use ring::signature::{ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey};
use serde_json::json;

use crate::support::{issuer::now, jwt_key::{SigningKey, unb64}};

const TOKENS: usize = 20_000;
const BUDGET_MICROS: f64 = 100.0;

/// Prints a row of percentiles of times in microseconds.
pub fn percentiles(what: &str, mut micros: Vec<f64>) {
    micros.sort_unstable_by(f64::total_cmp);
    let at = |share: f64| micros[((micros.len() as f64 * share) as usize).min(micros.len() - 1)];
    println!("  {what:<28} {:>6} times  p50 {:>6.1}  p99 {:>6.1}  p99.9 {:>6.1}  most {:>8.1}", micros.len(), at(0.5), at(0.99), at(0.999), at(1.0));
}

fn times(mut one: impl FnMut()) -> Vec<f64> {
    let mut micros = Vec::with_capacity(TOKENS);
    for n in 0..TOKENS + 500 {
        let from = Instant::now();
        one();
        // The first ones warm the caches up.
        if n >= 500 {
            micros.push(from.elapsed().as_nanos() as f64 / 1_000.0);
        }
    }
    micros
}

/// Runs and prints.
pub fn run() {
    install();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let seconds = now();
    let time = Time::from_micros(seconds * 1_000_000);
    println!("one JWT access token, {TOKENS} times; microseconds; budget p99 {BUDGET_MICROS}");
    for algorithm in ["RS256", "ES256", "EdDSA"] {
        let key = SigningKey::new("k", algorithm, 0);
        let claims = json!({ "iss": "https://idp.example", "aud": "bandpass-api", "sub": "1f6f9a7e-2a31-4a57-9b8e-0a6a8a0d5c11", "client_id": "some-app", "iat": seconds, "exp": seconds + 300, "jti": "j", "scope": "read request" });
        let token = key.sign_with(&json!({ "typ": "at+jwt" }), &claims);
        let cache = KeyCache::default();
        let set = KeySet::read(&json!({ "keys": [key.jwk()] })).expect("a list of keys");
        let (audiences, algorithms) = ([String::from("bandpass-api")], [algorithm.to_owned()]);
        let expected = Expected { issuer: "https://idp.example", audiences: &audiences, algorithms: &algorithms, kinds: &["at+jwt"], needs_subject: true, now: time };
        let whole = times(|| {
            let header = read_header(&token).expect("a header");
            let set = set.clone();
            let key = runtime.block_on(cache.key(header.kid.as_deref(), header.algorithm, time, || async move { Ok(set) })).expect("the key");
            std::hint::black_box(verify(&token, &header, &key, &expected).expect("a token that is right"));
        });
        let (message, signature) = token.rsplit_once('.').expect("three parts");
        let (signature, jwk) = (unb64(signature), key.jwk());
        let part = |name: &str| unb64(jwk[name].as_str().unwrap_or_default());
        let alone = times(|| {
            let verified = match algorithm {
                "RS256" => RsaPublicKeyComponents { n: part("n"), e: part("e") }.verify(&RSA_PKCS1_2048_8192_SHA256, message.as_bytes(), &signature),
                "ES256" => UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, [&[4][..], &part("x"), &part("y")].concat()).verify(message.as_bytes(), &signature),
                _ => UnparsedPublicKey::new(&ED25519, part("x")).verify(message.as_bytes(), &signature),
            };
            verified.expect("a signature that is right");
        });
        percentiles(algorithm, whole);
        percentiles(&format!("{algorithm}, the signature alone"), alone);
    }
}
