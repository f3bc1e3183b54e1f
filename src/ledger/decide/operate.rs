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
    // A stolen token must not make itself successors.
    if matches!(actor, Actor::Person { token, bearer, service, .. } if token.is_some() || bearer.is_some() || service.is_some()) {
        return Err(Refusal::NotAllowed { reason: "a token cannot make another: sign in with a browser, or use `bandpass token create` on the service's machine".to_owned() });
    }
    let own = actor.person_id() == Some(wish.person);
    if !own && !world.is_admin(actor) {
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
    let token = Token {
        id: TokenId(ids.fresh()),
        person: wish.person.clone(),
        service: wish.service.cloned(),
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

pub(super) fn revoke_token(world: &World<'_>, actor: &Actor, id: TokenId, mut recorder: Recorder<'_>) -> Result<Decided, Refusal> {
    let token = world.state.token(id).ok_or_else(|| Refusal::NotFound { noun: "token".to_owned() })?;
    if actor.person_id() != Some(&token.person) && !world.is_admin(actor) {
        return Err(Refusal::NotFound { noun: "token".to_owned() });
    }
    if token.revoked_at.is_some() {
        return Err(Refusal::Stale { what: "the token, which was revoked already,".to_owned() });
    }
    recorder.record(Change::TokenRevoked { token: id, person: token.person.clone(), cause: None }, Personal::default());
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
