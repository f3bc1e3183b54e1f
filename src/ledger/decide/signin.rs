//! Signing in and out: who a subject is, and the sessions that begin and end.

use std::collections::BTreeSet;

use super::{Decided, Recorder, World};
use crate::domain::{
    actor::Actor,
    command::Answer,
    duration::Duration,
    event::{Change, Personal},
    id::{IdSource, PersonId, SessionId},
    refusal::Refusal,
    session::{Identity, Session, SessionEnd},
};

pub(super) struct SignIn<'a> {
    pub issuer: &'a str,
    pub subject: &'a str,
    pub sid: Option<&'a str>,
    pub claim: Option<&'a str>,
    pub secret_sha256: &'a str,
    pub attempt_sha256: &'a str,
    pub agent: Option<&'a str>,
    pub lifetime: Duration,
    pub replaces: Option<SessionId>,
}

/// The person who signs in is the actor: active, or nothing is decided. What is checked here is checked under the head lock, so
/// that of two first sign-ins at once one is second.
pub(super) fn sign_in(world: &World<'_>, actor: &Actor, wish: &SignIn<'_>, mut recorder: Recorder<'_>, ids: &mut dyn IdSource) -> Result<Decided, Refusal> {
    let Actor::Person { id: person, token: None, service: None, bearer: None } = actor else {
        return Err(Refusal::NotAllowed { reason: "only a person can sign in".to_owned() });
    };
    if world.state.attempt_is_used(wish.attempt_sha256) {
        return Err(Refusal::Stale { what: "this sign-in, which has begun a session already,".to_owned() });
    }
    let known = world.state.identity(wish.issuer, wish.subject);
    if known.is_some_and(|known| known.person != *person) {
        return Err(Refusal::NotAllowed { reason: "this subject of the issuer is another person".to_owned() });
    }
    if known.is_none() {
        // Nothing but the link named them, and meanwhile it was forgotten.
        let claim = wish.claim.ok_or_else(|| Refusal::Stale { what: "who this subject of the issuer is".to_owned() })?;
        if world.state.subject_of(wish.issuer, person).is_some() {
            return Err(Refusal::NotAllowed { reason: format!("`{person}` is another subject of this issuer") });
        }
        let identity = Identity {
            issuer: wish.issuer.to_owned(),
            subject: wish.subject.to_owned(),
            person: person.clone(),
            claim: claim.to_owned(),
            linked_at: world.now,
        };
        recorder.record(Change::IdentityLinked { identity }, Personal::default());
    }
    let replaced = wish.replaces.and_then(|id| world.state.session(id)).filter(|s| s.ended.is_none());
    if let Some(old) = replaced {
        recorder.record(Change::SessionEnded { session: old.id, person: old.person.clone(), cause: SessionEnd::Replaced }, Personal::default());
    }
    let session = Session {
        id: SessionId(ids.fresh()),
        person: person.clone(),
        secret_sha256: wish.secret_sha256.to_owned(),
        issuer: wish.issuer.to_owned(),
        subject: wish.subject.to_owned(),
        sid: wish.sid.map(str::to_owned),
        attempt_sha256: wish.attempt_sha256.to_owned(),
        started_at: world.now,
        expires_at: world.now.plus(wish.lifetime),
        ended: None,
    };
    let personal = Personal { agent: wish.agent.map(str::to_owned), ..Personal::default() };
    recorder.record(Change::SessionStarted { session: session.clone() }, personal);
    Ok(recorder.answer(Answer::Session { session }))
}

/// Records a sign-in that an issuer vouched for and that was refused all the same.
pub(super) fn refuse(actor: &Actor, issuer: &str, subject: &str, person: &PersonId, reason: &str, mut recorder: Recorder<'_>) -> Result<Decided, Refusal> {
    if !matches!(actor, Actor::System { .. }) {
        return Err(Refusal::NotAllowed { reason: "only the sign-in itself records that it refused somebody".to_owned() });
    }
    recorder.record(
        Change::SigninRefused { issuer: issuer.to_owned(), subject: subject.to_owned(), person: person.clone() },
        Personal { reason: Some(reason.to_owned()), ..Personal::default() },
    );
    Ok(recorder.done())
}

/// Ends live sessions of a person: their own by themselves, anybody's by an admin, and by Bandpass when a limit is reached.
pub(super) fn end(
    world: &World<'_>,
    actor: &Actor,
    person: &PersonId,
    (only, except): (Option<&BTreeSet<SessionId>>, Option<SessionId>),
    cause: SessionEnd,
    mut recorder: Recorder<'_>,
) -> Result<Decided, Refusal> {
    let own = actor.person_id() == Some(person) && actor.service().is_none();
    let allowed = match cause {
        SessionEnd::SignOut | SessionEnd::BySelf => own,
        SessionEnd::ByAdmin => world.is_admin(actor),
        _ => matches!(actor, Actor::System { .. }),
    };
    if !allowed {
        return Err(Refusal::NotFound { noun: "session".to_owned() });
    }
    // What the job saw is looked at again: it may have known less of the directory, or have a clock that is ahead.
    let is_over = |s: &Session| match cause {
        SessionEnd::Left => !world.is_here(person),
        SessionEnd::Absolute => s.expires_at <= world.now,
        _ => true,
    };
    let meant = |s: &&Session| only.is_none_or(|ids| ids.contains(&s.id)) && except != Some(s.id) && is_over(s);
    let ending: Vec<SessionId> = world.state.live_sessions(person).filter(meant).map(|s| s.id).collect();
    for session in ending {
        recorder.record(Change::SessionEnded { session, person: person.clone(), cause }, Personal::default());
    }
    Ok(recorder.done())
}

/// Forgets a link, and ends the sessions that stand on it.
pub(super) fn unlink(world: &World<'_>, actor: &Actor, issuer: &str, person: &PersonId, reason: &str, mut recorder: Recorder<'_>) -> Result<Decided, Refusal> {
    if !world.is_admin(actor) {
        return Err(Refusal::NotAllowed { reason: "only an admin can have it forgotten who somebody is at an issuer".to_owned() });
    }
    let subject = world.state.subject_of(issuer, person).ok_or_else(|| Refusal::NotFound { noun: "identity".to_owned() })?.to_owned();
    let ending: Vec<SessionId> = world.state.live_sessions(person).filter(|s| s.issuer == issuer).map(|s| s.id).collect();
    recorder.record(
        Change::IdentityUnlinked { issuer: issuer.to_owned(), subject, person: person.clone() },
        Personal { reason: Some(reason.to_owned()), ..Personal::default() },
    );
    for session in ending {
        recorder.record(Change::SessionEnded { session, person: person.clone(), cause: SessionEnd::ByAdmin }, Personal::default());
    }
    Ok(recorder.done())
}
