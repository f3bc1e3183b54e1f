//! Requests, votes, grants and their ends, on both databases.

use bandpass::{
    domain::{
        command::{Answer, Command, Envelope, Idempotency},
        delivery::DeliveryAction,
        actor::Actor,
        id::CommandId,
        refusal::Refusal,
        request::RequestStatus::{Denied, Granted, Pending},
    },
    ledger::fresh_id,
};

use crate::house::{House, files, on_both};

#[test]
fn policy_grants_denies_and_asks() {
    on_both("decides", |house: House| async move {
        let (request, grant) = house.ask_for("ann", "instant", "8h").await.unwrap();
        let grant = grant.unwrap();
        assert_eq!((request.status, request.filed_seq), (Granted, grant.granted_seq));
        assert_eq!(grant.ends_at, grant.starts_at.plus("8h".parse().unwrap()));
        let deliveries = house.core.reader.deliveries_of_request(request.id).await.unwrap();
        assert_eq!(deliveries.iter().map(|d| d.account.clone().unwrap()).collect::<Vec<_>>(), ["ann_t"]);
        assert_eq!(house.ask_for("olga", "instant", "8h").await.unwrap().0.status, Denied);
        assert_eq!(house.ask_for("bob", "secret", "8h").await.unwrap().0.status, Denied, "a guardrail beats the rule");
        assert_eq!(house.ask_for("ann", "asked", "7d").await.unwrap().0.status, Pending);
        let command = Command::Submit { person: "ann".parse().unwrap(), group: "instand".parse().unwrap(), duration: None, justification: None };
        assert_eq!(
            house.run("ann", command).await.unwrap_err(),
            Refusal::UnknownGroup { group: "instand".to_owned(), suggestion: Some("instant".to_owned()) }
        );
        assert!(matches!(house.ask_for("ann", "reasoned", "1d").await.unwrap_err(), Refusal::JustificationRequired { .. }));
        house.leave().await;
    });
}

#[test]
fn approvals_need_distinct_eligible_people() {
    on_both("approves", |house: House| async move {
        let (request, _) = house.ask_for("ann", "twice", "1d").await.unwrap();
        assert!(matches!(house.approve("ann", &request).await.unwrap_err(), Refusal::NotAllowed { .. }), "nobody approves their own");
        assert!(matches!(house.approve("bob", &request).await.unwrap_err(), Refusal::NotAllowed { .. }), "bob is not asked");
        assert!(matches!(house.approve("ada", &request).await.unwrap_err(), Refusal::NotAllowed { .. }), "an admin has no vote by it");
        assert_eq!(house.approve("olga", &request).await.unwrap(), Pending);
        assert_eq!(house.approve("olga", &request).await.unwrap_err(), Refusal::AlreadyVoted);
        assert_eq!(house.approve("max", &request).await.unwrap(), Granted);
        assert!(matches!(house.approve("omar", &request).await.unwrap_err(), Refusal::NotPending { .. }));
        let deny = Command::Deny { request: request.id, reason: "late".to_owned() };
        assert!(matches!(house.run("omar", deny).await.unwrap_err(), Refusal::RevokeInstead { .. }));
        assert!(matches!(house.ask_for("olga", "twice", "1d").await.unwrap().0.status, Denied), "one other owner is not two");
        let (staged, _) = house.ask_for("ann", "staged", "1d").await.unwrap();
        assert!(matches!(house.approve("olga", &staged).await.unwrap_err(), Refusal::NotAllowed { .. }), "the manager comes first");
        assert_eq!(house.approve("max", &staged).await.unwrap(), Pending);
        assert_eq!(house.approve("olga", &staged).await.unwrap(), Granted);
        house.leave().await;
    });
}

#[test]
fn withdrawn_denied_and_repeated_requests() {
    on_both("withdraws", |house: House| async move {
        let (request, _) = house.ask_for("ann", "asked", "1d").await.unwrap();
        assert_eq!(house.ask_for("ann", "asked", "2d").await.unwrap_err(), Refusal::AlreadyPending { request: request.id });
        house.run("ann", Command::Withdraw { request: request.id }).await.unwrap();
        assert!(matches!(house.approve("olga", &request).await.unwrap_err(), Refusal::NotPending { .. }));
        let (request, _) = house.ask_for("ann", "asked", "1d").await.unwrap();
        house.run("olga", Command::Deny { request: request.id, reason: "not now".to_owned() }).await.unwrap();
        assert_eq!(house.ask_for("ann", "asked", "1d").await.unwrap().0.status, Denied, "the identical request rests for a while");
        assert_eq!(house.ask_for("ann", "asked", "2d").await.unwrap().0.status, Pending, "another one may be asked");
        house.leave().await;
    });
}

#[test]
fn revoking_blocks_extends_and_removes_only_the_last() {
    on_both("revokes", |house: House| async move {
        let (_, first) = house.ask_for("ann", "instant", "8h").await.unwrap();
        let (_, longer) = house.ask_for("ann", "instant", "2d").await.unwrap();
        let (first, longer) = (first.unwrap(), longer.unwrap());
        assert_eq!(first.id, longer.id);
        assert!(longer.ends_at > first.ends_at);
        let (request, other) = house.ask_for("ann", "also", "8h").await.unwrap();
        assert_eq!(house.core.reader.deliveries_of_request(request.id).await.unwrap(), vec![], "held already by the other group");
        let reason = || Some("no longer".to_owned());
        assert!(matches!(house.run("bob", Command::Revoke { grant: first.id, reason: reason() }).await.unwrap_err(), Refusal::NotAllowed { .. }));
        house.run("olga", Command::Revoke { grant: first.id, reason: reason() }).await.unwrap();
        assert_eq!(house.run("olga", Command::Revoke { grant: first.id, reason: reason() }).await.unwrap_err(), Refusal::GrantEnded);
        let of = |grant| house.core.reader.deliveries_of_grant(grant);
        assert!(of(first.id).await.unwrap().iter().all(|d| d.action == DeliveryAction::Add), "the other group still brings it");
        house.run("ann", Command::Revoke { grant: other.unwrap().id, reason: None }).await.unwrap();
        assert!(house.core.reader.open_deliveries(0, 100).await.unwrap().iter().any(|(_, d)| d.action == DeliveryAction::Remove));
        let (blocked, _) = house.ask_for("ann", "instant", "8h").await.unwrap();
        assert_eq!(blocked.status, Pending, "after a revocation an owner decides");
        assert_eq!(house.approve("olga", &blocked).await.unwrap(), Granted);
        let lift = Command::LiftBlock { person: "ann".parse().unwrap(), group: "instant".parse().unwrap() };
        assert!(matches!(house.run("ann", lift.clone()).await.unwrap_err(), Refusal::NotAllowed { .. }));
        house.run("omar", lift).await.unwrap();
        house.leave().await;
    });
}

#[test]
fn conflicts_hold_at_request_and_at_the_last_vote() {
    on_both("conflicts", |house: House| async move {
        let (right, _) = house.ask_for("ann", "right-hand", "1d").await.unwrap();
        assert_eq!(house.ask_for("ann", "left-hand", "1d").await.unwrap().0.status, Granted);
        assert_eq!(house.approve("olga", &right).await.unwrap(), Denied, "the last vote looks again");
        let (again, _) = house.ask_for("ann", "right-hand", "1d").await.unwrap();
        assert_eq!(again.status, Denied);
        house.leave().await;
    });
}

#[test]
fn a_freeze_stops_grants_and_not_endings() {
    on_both("freezes", |house: House| async move {
        let (_, grant) = house.ask_for("ann", "instant", "8h").await.unwrap();
        let freeze = |on| Command::Freeze { on, reason: "drill".to_owned() };
        assert!(matches!(house.run("ann", freeze(true)).await.unwrap_err(), Refusal::NotAllowed { .. }));
        house.run("ada", freeze(true)).await.unwrap();
        assert_eq!(house.ask_for("ann", "also", "8h").await.unwrap().0.status, Denied);
        house.run("ann", Command::Revoke { grant: grant.unwrap().id, reason: None }).await.unwrap();
        house.run("ada", freeze(false)).await.unwrap();
        assert_eq!(house.ask_for("ann", "also", "8h").await.unwrap().0.status, Granted);
        house.leave().await;
    });
}

#[test]
fn an_idempotency_key_answers_once() {
    on_both("repeats", |house: House| async move {
        let send = |body: &str| Envelope {
            id: CommandId(fresh_id()),
            actor: Actor::person(&"ann".parse().unwrap()),
            command: Command::Submit { person: "ann".parse().unwrap(), group: "instant".parse().unwrap(), duration: None, justification: None },
            idempotency: Some(Idempotency { scope: "s".to_owned(), body: body.to_owned() }),
        };
        let first = house.core.ledger.execute(send("a")).await.unwrap();
        let again = house.core.ledger.execute(send("a")).await.unwrap();
        assert_eq!((first.replayed, again.replayed), (false, true));
        assert_eq!(first.answer, again.answer);
        assert_eq!(house.core.ledger.execute(send("b")).await.unwrap().answer.unwrap_err(), Refusal::IdempotencyMismatch);
        house.leave().await;
    });
}

#[test]
fn grants_and_requests_end_on_time_after_a_restart_as_well() {
    on_both("ends", |house: House| async move {
        if !house.has_own_clock() {
            return house.leave().await;
        }
        let (_, grant) = house.ask_for("ann", "instant", "1h").await.unwrap();
        let (request, _) = house.ask_for("ann", "asked", "1d").await.unwrap();
        let grant = grant.unwrap();
        house.pass(3599);
        assert_eq!(house.run("max", Command::ExpireGrant { grant: grant.id }).await.unwrap(), Answer::Done { changed: 0 }, "not before its time");
        let house = house.restart().await;
        house.pass(1);
        assert_eq!(house.core.reader.due_grants(house.core.ledger.now(), 10).await.unwrap(), vec![grant.id]);
        let ended = house.core.ledger.act("expire", Command::ExpireGrant { grant: grant.id }).await.unwrap().answer.unwrap();
        assert!(matches!(ended, Answer::Grant { .. }));
        assert!(matches!(house.run("ann", Command::Renew { grant: grant.id, duration: None, justification: None }).await.unwrap_err(), Refusal::GrantEnded));
        house.pass(8 * 86_400);
        assert!(matches!(house.approve("olga", &request).await.unwrap_err(), Refusal::DeadlinePassed { .. }), "whether or not the job ran");
        house.core.ledger.act("expire", Command::ExpireRequest { request: request.id }).await.unwrap().answer.unwrap();
        house.leave().await;
    });
}

#[test]
fn a_clock_that_goes_back_grants_nothing_new() {
    on_both("clock", |house: House| async move {
        if !house.has_own_clock() {
            return house.leave().await;
        }
        let (_, grant) = house.ask_for("ann", "instant", "8h").await.unwrap();
        house.pass(-60);
        assert!(matches!(house.ask_for("ann", "also", "8h").await.unwrap_err(), Refusal::ClockBehind { .. }));
        house.run("ann", Command::Revoke { grant: grant.unwrap().id, reason: None }).await.unwrap();
        house.leave().await;
    });
}

#[test]
fn a_policy_change_reaches_targets_and_pending_requests() {
    on_both("reloads", |house: House| async move {
        house.ask_for("ann", "instant", "8h").await.unwrap();
        let (request, _) = house.ask_for("ann", "asked", "1d").await.unwrap();
        let mut changed = files();
        let text = String::from_utf8(changed["groups/instant.toml"].clone()).unwrap().replace("reader", "writer");
        changed.insert("groups/instant.toml".to_owned(), text.into_bytes());
        changed.remove("groups/asked.toml");
        house.load(changed).await;
        let open = house.core.reader.open_deliveries(0, 100).await.unwrap();
        let told: Vec<_> = open.iter().map(|(_, d)| (d.action, d.entitlement.name.as_str())).collect();
        assert_eq!(told, [(DeliveryAction::Add, "reader"), (DeliveryAction::Remove, "reader"), (DeliveryAction::Add, "writer")]);
        assert_eq!(house.core.reader.request(request.id).await.unwrap().unwrap().status, Denied);
        house.leave().await;
    });
}
