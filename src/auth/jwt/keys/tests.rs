//! Keys over time, with a clock of the test's own: known, unknown, withdrawn, and of an issuer that is away.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use jsonwebtoken::Algorithm::EdDSA;
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::{KeyCache, KeyError, KeySet, REFRESH_AFTER, TRUSTED_FOR};
use crate::domain::time::Time;

const SECOND: i64 = 1_000_000;
const START: i64 = 1_800_000_000 * SECOND;

fn at(micros: i64) -> Time {
    Time::from_micros(START + micros)
}

/// What an issuer publishes with keys of these names.
fn published(names: &[&str]) -> Result<KeySet, String> {
    let key = |name: &&str| json!({ "kty": "OKP", "crv": "Ed25519", "kid": name, "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" });
    KeySet::read(&json!({ "keys": names.iter().map(key).collect::<Vec<Value>>() }))
}

/// Asks for a key of an issuer that answers so.
async fn ask(cache: &KeyCache, kid: &str, now: Time, answer: Result<KeySet, String>) -> Result<(), KeyError> {
    cache.key(Some(kid), EdDSA, now, move || async move { answer }).await.map(drop)
}

fn away() -> Result<KeySet, String> {
    Err("it is away".to_owned())
}

#[tokio::test]
async fn a_withdrawn_key_is_refused_after_the_list_was_read_again() {
    let cache = KeyCache::default();
    assert_eq!(ask(&cache, "old", at(0), published(&["old", "new"])).await, Ok(()));
    // The issuer withdraws it. Nobody asks for five minutes and more; then the list is read again without a caller.
    let later = at(REFRESH_AFTER + SECOND);
    cache.refresh(later, || async { published(&["new"]) }).await;
    assert_eq!(ask(&cache, "old", later, published(&["old"])).await, Err(KeyError::Unknown), "and not looked for again within the minute");
    assert_eq!(ask(&cache, "new", later, away()).await, Ok(()));
    assert_eq!(ask(&cache, "old", at(REFRESH_AFTER + 90 * SECOND), published(&["new"])).await, Err(KeyError::Unknown));
}

#[tokio::test]
async fn lists_are_read_again_when_they_are_old_and_not_before() {
    let cache = KeyCache::default();
    let reads = Arc::new(AtomicUsize::new(0));
    let fetch = || {
        let reads = Arc::clone(&reads);
        || async move {
            reads.fetch_add(1, Ordering::SeqCst);
            published(&["one"])
        }
    };
    cache.refresh(at(0), fetch()).await;
    assert_eq!(reads.load(Ordering::SeqCst), 0, "nobody needs the keys of an issuer that nobody came with");
    cache.key(Some("one"), EdDSA, at(0), fetch()).await.unwrap();
    for minute in 1..=11 {
        cache.refresh(at(minute * 60 * SECOND + SECOND), fetch()).await;
    }
    // Read at 0, after 5 and after 10 minutes.
    assert_eq!(reads.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn keys_of_an_issuer_that_is_away_are_honoured_for_twelve_hours() {
    let cache = KeyCache::default();
    assert_eq!(ask(&cache, "one", at(0), published(&["one"])).await, Ok(()));
    for hour in 1..12 {
        let now = at(hour * 3600 * SECOND);
        cache.refresh(now, || async { away() }).await;
        assert_eq!(ask(&cache, "one", now, away()).await, Ok(()), "after {hour} hours");
    }
    assert_eq!(ask(&cache, "one", at(TRUSTED_FOR - SECOND), away()).await, Ok(()));
    assert!(matches!(ask(&cache, "one", at(TRUSTED_FOR), away()).await, Err(KeyError::Unavailable(why)) if why == "it is away"));
    // It is there again.
    assert_eq!(ask(&cache, "one", at(TRUSTED_FOR + 61 * SECOND), published(&["one"])).await, Ok(()));
}

#[tokio::test]
async fn a_list_that_cannot_be_used_takes_nothing_away() {
    let cache = KeyCache::default();
    assert_eq!(ask(&cache, "one", at(0), published(&["one"])).await, Ok(()));
    for (n, odd) in [json!({}), json!({ "keys": [] }), json!({ "keys": "one" }), json!({ "keys": [{ "kty": "oct", "k": "x", "kid": "one" }] })].iter().enumerate() {
        let now = at((i64::try_from(n).unwrap() + 1) * (REFRESH_AFTER + SECOND));
        cache.refresh(now, || async { KeySet::read(odd) }).await;
        assert_eq!(ask(&cache, "one", now, away()).await, Ok(()), "{odd}");
    }
}

#[tokio::test]
async fn a_flood_of_unknown_names_reads_once_and_delays_no_known_key() {
    let cache = KeyCache::default();
    assert_eq!(ask(&cache, "known", at(0), published(&["known"])).await, Ok(()));
    let (reads, answer) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
    let later = at(2 * 60 * SECOND);
    let flood: Vec<_> = (0..200)
        .map(|n| {
            let (cache, reads, answer) = (cache.clone(), Arc::clone(&reads), Arc::clone(&answer));
            tokio::spawn(async move {
                let fetch = move || async move {
                    reads.fetch_add(1, Ordering::SeqCst);
                    // The issuer says nothing until it is told to.
                    answer.notified().await;
                    published(&["known"])
                };
                cache.key(Some(&format!("unknown-{n}")), EdDSA, later, fetch).await.map(drop)
            })
        })
        .collect();
    while reads.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    // While it hangs, whoever has a known key goes on: nothing here waits, so this ends although the issuer has not answered.
    for _ in 0..100 {
        assert_eq!(ask(&cache, "known", later, away()).await, Ok(()));
    }
    answer.notify_one();
    for caller in flood {
        assert_eq!(caller.await.unwrap(), Err(KeyError::Unknown));
    }
    assert_eq!(reads.load(Ordering::SeqCst), 1);
}
