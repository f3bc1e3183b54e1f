//! Keys of made-up issuers, and the tokens that they sign: right ones and wrong ones.
#![allow(dead_code, reason = "each test binary uses a part")]

use base64::{Engine as _, engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD}};
use ring::{
    hmac,
    rand::SystemRandom,
    rsa::PublicKeyComponents,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256,
        RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512, RsaEncoding, RsaKeyPair,
    },
};
use serde_json::{Value, json};

/// RSA keys take long to make and ring makes none, so two made for tests lie here. They guard nothing.
const RSA: [&str; 2] = [include_str!("rsa-key-of-a-made-up-issuer.txt"), include_str!("rsa-key-of-nobody.txt")];

enum Pair {
    Rsa(Box<RsaKeyPair>),
    Ec(EcdsaKeyPair, &'static str, usize),
    Ed(Ed25519KeyPair),
}

/// A key that signs.
pub struct SigningKey {
    /// Its name.
    pub kid: String,
    /// What it signs with.
    pub algorithm: &'static str,
    pair: Pair,
}

/// Base64url without padding.
pub fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// What base64url without padding stands for.
pub fn unb64(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap()
}

fn der(n: usize) -> Vec<u8> {
    STANDARD.decode(RSA[n].split_whitespace().collect::<String>()).unwrap()
}

fn ec(algorithm: &'static EcdsaSigningAlgorithm) -> EcdsaKeyPair {
    let random = SystemRandom::new();
    let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
    EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random).unwrap()
}

impl SigningKey {
    /// A key for an algorithm. RSA keys with one number are one key.
    pub fn new(kid: &str, algorithm: &'static str, number: usize) -> Self {
        let pair = match algorithm {
            "ES256" => Pair::Ec(ec(&ECDSA_P256_SHA256_FIXED_SIGNING), "P-256", 32),
            "ES384" => Pair::Ec(ec(&ECDSA_P384_SHA384_FIXED_SIGNING), "P-384", 48),
            "EdDSA" => Pair::Ed(Ed25519KeyPair::from_pkcs8(Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap().as_ref()).unwrap()),
            _ => Pair::Rsa(Box::new(RsaKeyPair::from_der(&der(number)).unwrap())),
        };
        Self { kid: kid.to_owned(), algorithm, pair }
    }

    /// Its public half, as issuers publish it.
    pub fn jwk(&self) -> Value {
        let mut jwk = match &self.pair {
            Pair::Rsa(pair) => {
                let public: PublicKeyComponents<Vec<u8>> = pair.public().into();
                json!({ "kty": "RSA", "n": b64(public.n), "e": b64(public.e) })
            }
            Pair::Ec(pair, curve, half) => {
                let point = &pair.public_key().as_ref()[1..];
                json!({ "kty": "EC", "crv": curve, "x": b64(&point[..*half]), "y": b64(&point[*half..]) })
            }
            Pair::Ed(pair) => json!({ "kty": "OKP", "crv": "Ed25519", "x": b64(pair.public_key()) }),
        };
        jwk["kid"] = json!(self.kid);
        jwk["use"] = json!("sig");
        jwk["alg"] = json!(self.algorithm);
        jwk
    }

    /// Its public half as the bytes that a careless server would take for a shared secret.
    pub fn public_bytes(&self) -> Vec<u8> {
        match &self.pair {
            Pair::Rsa(pair) => pair.public_key().as_ref().to_vec(),
            Pair::Ec(pair, ..) => pair.public_key().as_ref().to_vec(),
            Pair::Ed(pair) => pair.public_key().as_ref().to_vec(),
        }
    }

    fn signature(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Rsa(pair) => {
                let how: &'static dyn RsaEncoding = match self.algorithm {
                    "RS256" => &RSA_PKCS1_SHA256,
                    "RS384" => &RSA_PKCS1_SHA384,
                    "RS512" => &RSA_PKCS1_SHA512,
                    "PS256" => &RSA_PSS_SHA256,
                    "PS384" => &RSA_PSS_SHA384,
                    "PS512" => &RSA_PSS_SHA512,
                    other => panic!("{other}"),
                };
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(how, &random, message, &mut signature).unwrap();
                signature
            }
            Pair::Ec(pair, ..) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Pair::Ed(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }

    /// Signs texts as they are, right or wrong.
    pub fn sign_raw(&self, header: &str, payload: &str) -> String {
        let message = format!("{}.{}", b64(header), b64(payload));
        format!("{message}.{}", b64(self.signature(message.as_bytes())))
    }

    /// Signs claims under a header with this key's name, and what else is given.
    pub fn sign_with(&self, also: &Value, claims: &Value) -> String {
        let mut header = json!({ "alg": self.algorithm, "kid": self.kid });
        for (name, value) in also.as_object().unwrap() {
            header[name] = value.clone();
        }
        self.sign_raw(&header.to_string(), &claims.to_string())
    }
}

/// A token signed with a shared secret.
pub fn hs256(header: &Value, claims: &Value, secret: &[u8]) -> String {
    let message = format!("{}.{}", b64(header.to_string()), b64(claims.to_string()));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message.as_bytes());
    format!("{message}.{}", b64(tag))
}
