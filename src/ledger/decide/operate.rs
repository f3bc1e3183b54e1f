//! Tokens and the freeze switch.

use std::collections::BTreeSet;

use super::{Decided, Recorder, World};
use crate::domain::{
    actor::Actor,
    command::Answer,
    duration::Duration,
    event::{Change, Personal},
    id::{IdSource, PersonId, ServiceName, TokenId},
    refusal::Refusal,
    token::{Scope, Token},
};

/// The longest a token lives (semantics.md, 32).
const TOKEN_DAYS: u32 = 90;

pub(super) struct TokenWish<'a> {
    pub person: &'a PersonId,
    pub secret_sha256: &'a str,
    pub scopes: &'a BTreeSet<Scope>,
    pub label: &'a str,
    pub lifetime: Duration,
    pub service: Option<&'a ServiceName>,
    pub first_admin: bool,
}

pub(super) fn create_token(
    world: &World<'_>,
    actor: &Actor,
    wish: &TokenWish<'_>,
    mut recorder: Recorder<'_>,
    ids: &mut dyn IdSource,
) -> Result<Decided, Refusal> {
    let with = made_with(world, actor)?;
    let own = actor.person_id() == Some(wish.person);
    if !own && (with.is_some() || !world.is_admin(actor)) {
        return Err(Refusal::NotAllowed { reason: "only the person, or an admin, can make a token for them".to_owned() });
    }
    if wish.first_admin && !matches!(actor, Actor::Operator { .. }) {
        return Err(Refusal::NotAllowed { reason: "a first admin's token is made on the service's own machine".to_owned() });
    }
    if !world.snapshot.directory.person(wish.person.as_str()).is_some_and(|p| p.is_active()) {
        return Err(Refusal::UnknownPerson { person: wish.person.to_string() });
    }
    let impossible = |field: &str, reason: &str| Refusal::Impossible { field: Some(field.to_owned()), reason: reason.to_owned() };
    if wish.scopes.is_empty() {
        return Err(impossible("scopes", "a token needs at least one scope"));
    }
    if wish.label.chars().any(char::is_control) {
        return Err(impossible("label", "a label is one line"));
    }
    let wants = |scope| wish.scopes.contains(&scope);
    if wish.service.is_some() && wants(Scope::Approve) {
        return Err(impossible("scopes", "a service never approves: a program that could vote would be a vote of its owner"));
    }
    if wants(Scope::Scim) && wish.service.is_none() {
        return Err(impossible("scopes", "`scim` is for a service: name the program that feeds the directory"));
    }
    if wants(Scope::Scim) && !world.is_admin(actor) {
        return Err(Refusal::NotAllowed { reason: "only an admin can make a token that changes the directory".to_owned() });
    }
    if wish.service.is_some() && wish.first_admin {
        return Err(impossible("service", "the first admin is a person"));
    }
    if wish.lifetime > Duration::days(TOKEN_DAYS).unwrap_or(Duration::MAX) {
        return Err(impossible("expires", "a token lives for at most 90 days"));
    }
    if let Some(with) = with {
        narrower(world, with, wish)?;
    }
    let token = Token {
        id: TokenId(ids.fresh()),
        person: wish.person.clone(),
        service: wish.service.cloned(),
        made_with: with.map(|t| t.id),
        secret_sha256: wish.secret_sha256.to_owned(),
        scopes: wish.scopes.clone(),
        label: wish.label.to_owned(),
        first_admin: wish.first_admin,
        created_at: world.now,
        expires_at: world.now.plus(wish.lifetime),
        revoked_at: None,
    };
    recorder.record(Change::TokenCreated { token: token.clone() }, Personal::default());
    Ok(recorder.answer(Answer::Token { token }))
}

/// The token that one is to be made with, when it is a token that asks. Only a person's own makes others, and only one that was made
/// in a browser or on the machine itself: so revoking it ends everything that came of it, and whoever stole it has stolen no more.
fn made_with<'w>(world: &'w World<'_>, actor: &Actor) -> Result<Option<&'w Token>, Refusal> {
    let Actor::Person { token, service, bearer, .. } = actor else { return Ok(None) };
    let no = |why: &str| Refusal::NotAllowed { reason: format!("{why}: sign in with a browser, or use `bandpass token create` on the service's machine") };
    if service.is_some() {
        return Err(no("a service makes no token"));
    }
    if bearer.is_some() {
        return Err(no("a token of an issuer makes none of ours, which would outlive it"));
    }
    let Some(id) = token else { return Ok(None) };
    let with = world.state.token(*id).ok_or(Refusal::DeadToken)?;
    if with.made_with.is_some() {
        return Err(no("a token that was made with another makes none"));
    }
    Ok(Some(with))
}

/// Checks that a token opens nothing that the one it is made with does not, and ends no later.
fn narrower(world: &World<'_>, with: &Token, wish: &TokenWish<'_>) -> Result<(), Refusal> {
    if let Some(wider) = wish.scopes.difference(&with.scopes).next() {
        let own: Vec<&str> = with.scopes.iter().map(|s| s.as_str()).collect();
        return Err(Refusal::NotAllowed { reason: format!("the token that asks has no scope `{}` to give; it has {}", wider.as_str(), own.join(", ")) });
    }
    if world.now.plus(wish.lifetime) > with.expires_at {
        let reason = format!("it would outlive the token that asks, which ends at {}", with.expires_at);
        return Err(Refusal::Impossible { field: Some("expires".to_owned()), reason });
    }
    Ok(())
}

pub(super) fn revoke_token(world: &World<'_>, actor: &Actor, id: TokenId, mut recorder: Recorder<'_>) -> Result<Decided, Refusal> {
    let token = world.state.token(id).ok_or_else(|| Refusal::NotFound { noun: "token".to_owned() })?;
    if actor.person_id() != Some(&token.person) && !world.is_admin(actor) {
        return Err(Refusal::NotFound { noun: "token".to_owned() });
    }
    if token.revoked_at.is_some() {
        return Err(Refusal::Stale { what: "the token, which was revoked already,".to_owned() });
    }
    recorder.record(Change::TokenRevoked { token: id, person: token.person.clone(), cause: None }, Personal::default());
    let mut made: Vec<&Token> = world.state.tokens().filter(|t| t.made_with == Some(id) && t.revoked_at.is_none()).collect();
    made.sort_by_key(|t| t.id);
    for token in made {
        let why = Personal { reason: Some("the token that it was made with was revoked".to_owned()), ..Personal::default() };
        recorder.record(Change::TokenRevoked { token: token.id, person: token.person.clone(), cause: None }, why);
    }
    Ok(recorder.done())
}

pub(super) fn freeze(world: &World<'_>, actor: &Actor, on: bool, reason: &str, mut recorder: Recorder<'_>) -> Result<Decided, Refusal> {
    if !world.is_admin(actor) {
        return Err(Refusal::NotAllowed { reason: "only an admin can use the freeze switch".to_owned() });
    }
    if world.state.frozen == on {
        return Ok(recorder.done());
    }
    recorder.record(Change::FreezeSet { on }, Personal { reason: Some(reason.to_owned()), ..Personal::default() });
    Ok(recorder.done())
}
