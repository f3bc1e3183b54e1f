//! Whoever leaves is out with the commit that says so, and whoever comes back begins anew, on both databases.

use std::{collections::BTreeSet, time::Instant};

use bandpass::{
    domain::{
        actor::Actor,
        command::{Answer, Command, Envelope},
        delivery::{DeliveryAction, DeliveryState},
        directory_change::DirectoryChange,
        grant::GrantStatus,
        id::{CommandId, ServiceName},
        refusal::Refusal,
        request::{Request, RequestStatus::{Granted, Pending, Withdrawn}},
        token::{Scope, Token},
    },
    jobs::{deliver, reconsider::Passed},
    ledger::fresh_id,
    startup,
    store::read::{AuditFilter, AuditRow, Page},
};

use crate::{
    house::{House, PEOPLE, files, on_both},
    tamper::as_owner,
};

/// People without one of them.
pub fn without(people: &str, id: &str) -> String {
    let mut blocks: Vec<&str> = people.split("\n[[").collect();
    let marker = format!("id = \"{id}\"\n");
    let before = blocks.len();
    blocks.retain(|b| !b.contains(&marker));
    assert_eq!(blocks.len() + 1, before, "{id}");
    blocks.join("\n[[")
}

impl House {
    /// The newest events, oldest first.
    async fn newest(&self, many: u16) -> Vec<AuditRow> {
        let mut rows = self.core.reader.audit(AuditFilter::default(), Page { before: None, limit: many }).await.unwrap().items;
        rows.reverse();
        rows
    }

    async fn head(&self) -> i64 {
        self.core.reader.head().await.unwrap().seq
    }

    /// The events after a number: kind and whom each is about.
    pub async fn since(&self, seq: i64) -> Vec<(String, String)> {
        let rows = self.newest(1000).await;
        rows.into_iter().filter(|r| r.seq > seq).map(|r| (r.kind, r.index.person.map(|p| p.to_string()).unwrap_or_default())).collect()
    }

    pub async fn token(&self, person: &str, service: Option<&str>) -> Token {
        let command = Command::CreateToken {
            person: person.parse().unwrap(),
            secret_sha256: uuid_hex(),
            scopes: BTreeSet::from([Scope::Read, Scope::Request]),
            label: "test".to_owned(),
            lifetime: "7d".parse().unwrap(),
            service: service.map(|s| ServiceName::parse(s).unwrap()),
            first_admin: false,
        };
        match self.run(person, command).await.unwrap() {
            Answer::Token { token } => token,
            other => panic!("{other:?}"),
        }
    }

    pub async fn request(&self, request: &Request) -> Request {
        self.core.reader.request(request.id).await.unwrap().unwrap()
    }

    /// Asks with a token.
    pub async fn ask_with(&self, token: &Token, group: &str) -> Result<Answer, Refusal> {
        let actor = Actor::Person { id: token.person.clone(), token: Some(token.id), service: token.service.clone(), bearer: None };
        let command = Command::Submit { person: token.person.clone(), group: group.parse().unwrap(), duration: None, justification: None };
        self.core.ledger.execute(Envelope { id: CommandId(fresh_id()), actor, command, idempotency: None }).await.unwrap().answer
    }
}

fn uuid_hex() -> String {
    format!("{:0>64}", fresh_id().simple().to_string())
}

fn told(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
}

#[test]
fn all_that_was_theirs_ends_in_the_same_transaction() {
    on_both("leaver", |house: House| async move {
        let instant = house.ask_for("ann", "instant", "8h").await.unwrap().1.unwrap();
        house.ask_for("ann", "also", "8h").await.unwrap();
        let (asked, _) = house.ask_for("ann", "asked", "1d").await.unwrap();
        let own = house.token("ann", None).await;
        let service = house.token("ann", Some("nightly")).await;
        assert!(house.ask_with(&service, "secret").await.is_ok());
        let before = house.head().await;
        house.import(&without(PEOPLE, "ann")).await;
        let after = house.since(before).await;
        let expected = [("person.left", "ann"), ("request.withdrawn", "ann"), ("grant.revoked", "ann"), ("grant.revoked", "ann"), ("grant.revoked", "ann"), ("token.revoked", "ann"), ("token.revoked", "ann")];
        assert_eq!(after, told(&expected));
        let rows = house.newest(7).await;
        assert!(rows.iter().all(|r| r.at == rows[0].at && r.actor == "system:directory"), "one command, one transaction");
        for (kind, cause) in [("request.withdrawn", "person_left"), ("grant.revoked", "person_left"), ("token.revoked", "person_left")] {
            for row in rows.iter().filter(|r| r.kind == kind) {
                let body: serde_json::Value = serde_json::from_str(&row.body).unwrap();
                assert_eq!(body["change"]["data"]["cause"]["kind"], cause, "{}", row.body);
            }
        }
        assert_eq!(house.request(&asked).await.status, Withdrawn);
        assert_eq!(house.core.reader.live_grants_of("ann".parse().unwrap()).await.unwrap(), vec![]);
        // What two groups bring is removed once, and goes before all others.
        let open = house.core.reader.open_deliveries(0, 100).await.unwrap();
        let removals: Vec<_> = open.iter().filter(|(_, d)| d.action == DeliveryAction::Remove).map(|(_, d)| (d.entitlement.name.as_str(), d.grant, d.urgent)).collect();
        assert_eq!(removals, [("reader", Some(instant.id), true)]);
        assert!(matches!(house.ask_with(&own, "secret").await.unwrap_err(), Refusal::DeadToken));
        assert!(matches!(house.ask_with(&service, "secret").await.unwrap_err(), Refusal::DeadToken));
        assert!(matches!(house.ask_for("ann", "secret", "1d").await.unwrap_err(), Refusal::NotAllowed { .. }));
        assert_eq!(house.reviewer(0.0).once().await.unwrap(), Passed { decided: 0, changed: 0, waiting: 0, begun: 0 }, "nothing is left to do");
        house.leave().await;
    });
}

#[test]
fn what_a_leaver_filed_for_others_is_withdrawn_and_their_votes_do_not_count() {
    on_both("leaver_votes", |house: House| async move {
        let filed = Command::Submit { person: "ann".parse().unwrap(), group: "asked".parse().unwrap(), duration: Some("1d".parse().unwrap()), justification: None };
        let Answer::Request { request: filed, .. } = house.run("max", filed).await.unwrap() else { panic!("not asked") };
        // Max votes at the first stage of one, and beside olga at the only stage of another.
        let (staged, _) = house.ask_for("ann", "staged", "1d").await.unwrap();
        assert_eq!(house.approve("max", &staged).await.unwrap(), Pending);
        let (twice, _) = house.ask_for("bob", "twice", "1d").await.unwrap();
        assert_eq!(house.approve("max", &twice).await.unwrap(), Pending);
        assert_eq!(house.request(&staged).await.stage, 1);
        let before = house.head().await;
        let gone = without(PEOPLE, "max").replace("manager = \"max\"", "manager = \"omar\"");
        house.import(&gone).await;
        let mut after = house.since(before).await;
        after.retain(|(kind, _)| kind != "person.changed");
        // Two requests of one moment have ids in any order.
        after.sort_by_key(|(kind, person)| (kind == "approval.voided").then(|| person.clone()));
        assert_eq!(after, told(&[("person.left", "max"), ("request.withdrawn", "ann"), ("approval.voided", "ann"), ("approval.voided", "bob")]));
        assert_eq!(house.request(&filed).await.status, Withdrawn);
        assert_eq!(house.request(&staged).await.stage, 0, "its first stage is asked again");
        assert!(matches!(house.approve("olga", &staged).await.unwrap_err(), Refusal::NotAllowed { .. }));
        assert_eq!(house.approve("omar", &staged).await.unwrap(), Pending, "the manager of today");
        assert_eq!(house.approve("olga", &staged).await.unwrap(), Granted);
        assert_eq!(house.approve("olga", &twice).await.unwrap(), Pending, "one vote of two");
        assert_eq!(house.approve("omar", &twice).await.unwrap(), Granted);
        house.leave().await;
    });
}

#[test]
fn a_vote_of_somebody_who_moved_on_is_asked_for_again() {
    on_both("mover_votes", |house: House| async move {
        let (staged, _) = house.ask_for("ann", "staged", "1d").await.unwrap();
        assert_eq!(house.approve("max", &staged).await.unwrap(), Pending);
        house.import(&PEOPLE.replacen("manager = \"max\"", "manager = \"ada\"", 1)).await;
        assert_eq!(house.approve("olga", &staged).await.unwrap(), Pending, "whoever approved first is not her manager any more");
        let waiting = house.request(&staged).await;
        assert_eq!((waiting.status, waiting.stage), (Pending, 0));
        assert!(matches!(house.approve("max", &staged).await.unwrap_err(), Refusal::NotAllowed { .. }));
        assert_eq!(house.approve("ada", &staged).await.unwrap(), Granted, "the owner's vote was given already");
        house.leave().await;
    });
}

#[test]
fn whoever_comes_back_begins_anew() {
    on_both("returner", |house: House| async move {
        let grant = house.ask_for("ann", "instant", "8h").await.unwrap().1.unwrap();
        house.run("olga", Command::Revoke { grant: grant.id, reason: Some("no longer".to_owned()) }).await.unwrap();
        let token = house.token("ann", None).await;
        let held = house.ask_for("ann", "also", "8h").await.unwrap().1.unwrap();
        let (theirs, _) = house.ask_for("bob", "staged", "1d").await.unwrap();
        house.approve("max", &theirs).await.unwrap();
        house.import(&without(&without(PEOPLE, "ann"), "max")).await;
        let before = house.head().await;
        house.import(PEOPLE).await;
        let mut after = house.since(before).await;
        after.retain(|(kind, _)| kind != "person.changed");
        assert_eq!(after, told(&[("block.lifted", "ann"), ("person.added", "ann"), ("person.added", "max")]));
        assert_eq!(house.core.reader.live_grants_of("ann".parse().unwrap()).await.unwrap(), vec![]);
        assert_eq!(house.core.reader.grant(held.id).await.unwrap().unwrap().status, GrantStatus::Revoked);
        assert!(matches!(house.ask_with(&token, "also").await.unwrap_err(), Refusal::DeadToken));
        assert_eq!(house.ask_for("ann", "instant", "8h").await.unwrap().0.status, Granted, "nothing stands before the rules");
        assert_eq!(house.request(&theirs).await.stage, 0);
        assert_eq!(house.approve("max", &theirs).await.unwrap(), Pending, "the vote of before does not count, and may be given anew");
        assert_eq!(house.request(&theirs).await.stage, 1);
        house.leave().await;
    });
}

#[test]
fn a_removal_that_waits_for_an_admin_does_not_wait_for_a_leaver() {
    on_both("leaver_held", |house: House| async move {
        let Answer::Grant { grant } = house.run("ada", Command::Adopt { person: "ann".parse().unwrap(), group: "instant".parse().unwrap() }).await.unwrap() else { panic!() };
        house.run("olga", Command::Revoke { grant: grant.id, reason: Some("no longer".to_owned()) }).await.unwrap();
        let of = || async { house.core.reader.deliveries_of_grant(grant.id).await.unwrap().into_iter().map(|d| (d.state, d.urgent)).collect::<Vec<_>>() };
        assert_eq!(of().await, [(DeliveryState::Held, false)]);
        house.import(&without(PEOPLE, "ann")).await;
        assert_eq!(of().await, [(DeliveryState::Queued, true)]);
        let set = |to: &str| as_owner(&house.database, house.settings.database.url.reveal(), &format!("UPDATE deliveries SET urgent = {to};"));
        set("NULL");
        assert!(!house.verify().await.is_sound(), "a removal put back in the queue past the log");
        set("TRUE");
        house.leave().await;
    });
}

#[test]
fn fifty_grants_are_queued_for_removal_with_the_leaving_itself() {
    on_both("leaver_fifty", |house: House| async move {
        let mut many = files();
        for n in 0..50 {
            let text = format!("title = \"G{n}\"\nowner = \"team:owners\"\nsensitivity = \"internal\"\n[[entitlement]]\nconnector = \"target\"\nname = \"role_{n}\"\n[[rule]]\nname = \"ops\"\nwho = [\"team:ops\"]\nthen = \"grant\"\nfor = \"30d\"\n");
            many.insert(format!("groups/g{n}.toml"), text.into_bytes());
        }
        house.load(many).await;
        for n in 0..50 {
            assert_eq!(house.ask_for("ann", &format!("g{n}"), "8h").await.unwrap().0.status, Granted);
        }
        let directory = house.core.ledger.snapshot();
        let command = Command::ChangeDirectory {
            changes: vec![DirectoryChange::PersonLeft { id: "ann".parse().unwrap() }],
            told: Default::default(),
            source: "test".to_owned(),
            expected_revision: directory.directory.revision(),
        };
        let began = Instant::now();
        assert_eq!(house.run("ada", command).await.unwrap(), Answer::Done { changed: 51 });
        let took = began.elapsed();
        let removals = house.core.reader.urgent_deliveries(1000).await.unwrap();
        assert_eq!(removals.len(), 50);
        println!("{}: 50 grants of a leaver ended and queued for removal in {:.1} ms", house.database.title(), took.as_secs_f64() * 1000.0);
        house.leave().await;
    });
}

#[test]
fn removals_of_leavers_overtake_what_waits_and_keep_their_order() {
    on_both("leaver_first", |house: House| async move {
        let mut people = PEOPLE.to_owned();
        for n in 0..600 {
            people.push_str(&format!("[[person]]\nid = \"p{n}\"\nname = \"P{n}\"\nteam = \"ops\"\nemployment = \"permanent\"\n"));
        }
        house.import(&people).await;
        let people_ask: Vec<String> = (0..600).map(|n| format!("p{n}")).collect();
        let asked = futures_util::future::join_all(people_ask.iter().map(|p| house.ask_for(p, "instant", "8h"))).await;
        assert!(asked.iter().all(|a| a.as_ref().is_ok_and(|(r, _)| r.status == Granted)));
        // Her addition waits behind all of them still.
        let grant = house.ask_for("ann", "instant", "8h").await.unwrap().1.unwrap();
        house.import(&without(&people, "ann")).await;
        let before = house.head().await;
        let (stop, stopped) = tokio::sync::watch::channel(false);
        let registry = startup::registry(&house.settings).unwrap();
        let worker = tokio::spawn(deliver::run(house.location.clone(), house.core.ledger.clone(), house.core.reader.clone(), registry, stopped));
        while house.core.reader.delivery_backlog().await.unwrap() != (0, 0, 0) {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        stop.send(true).unwrap();
        worker.await.unwrap();
        let done = house.since(before).await;
        assert_eq!(done[..2], told(&[("delivery.done", "ann"), ("delivery.done", "ann")]));
        let hers = house.core.reader.deliveries_of_grant(grant.id).await.unwrap();
        assert!(hers.iter().all(|d| d.state == DeliveryState::Done));
        house.leave().await;
    });
}

#[test]
fn a_hundred_who_leave_at_once_are_out_with_all_that_they_held() {
    on_both("leaver_many", |house: House| async move {
        let mut people = PEOPLE.to_owned();
        for n in 0..100 {
            people.push_str(&format!("[[person]]\nid = \"p{n}\"\nname = \"P{n}\"\nteam = \"ops\"\nemployment = \"permanent\"\n"));
        }
        let mut many = files();
        // More notices than one statement has room for: two for each of 2,500 grants.
        for n in 0..25 {
            many.extend([crate::birthright::group(&format!("g{n}"), &crate::birthright::always("team:ops"))]);
        }
        house.import(&people).await;
        house.load(many).await;
        house.reviewer(1.0).once().await.unwrap();
        assert_eq!(house.core.reader.live_grants_of("p99".parse().unwrap()).await.unwrap().len(), 25);
        let before = house.head().await;
        let began = Instant::now();
        house.import(PEOPLE).await;
        println!("{}: 100 people left with 2,500 grants in {:.0} ms", house.database.title(), began.elapsed().as_secs_f64() * 1000.0);
        assert_eq!(house.head().await - before, 100 + 2500);
        assert_eq!(house.core.reader.live_grants_of("p99".parse().unwrap()).await.unwrap(), vec![]);
        house.leave().await;
    });
}
