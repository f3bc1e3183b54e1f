//! Every recorded decision follows from its recorded inputs; one that does not is found.

use std::sync::Arc;

use bandpass::{
    directory::{plan, table},
    domain::{
        command::Command,
        group::Stage,
        person::{Person, Subject},
        request::RequestStatus,
        time::Time,
    },
    ledger::{
        decide::inputs::{Inputs, LedgerFacts, decide_filing},
        encode::{decode, encode},
    },
    policy::{self, Engine},
};
use proptest::prelude::*;

use crate::{
    house::{House, PEOPLE, files, on_both},
    tamper::{as_owner, quoted},
};

const STRICT: &str = "@id(\"nobody\")\n@reason(\"closed\")\nforbid (principal, action, resource)\nwhen { resource.sensitivity == \"internal\" };\n";

/// One of each way in which a request is decided, under two policies and over a restart.
async fn live(house: House) -> House {
    house.ask_for("ann", "instant", "8h").await.unwrap();
    house.ask_for("olga", "instant", "8h").await.unwrap();
    house.ask_for("ann", "instant", "90d").await.unwrap();
    house.ask_for("bob", "secret", "8h").await.unwrap();
    house.ask_for("max", "left-hand", "8h").await.unwrap();
    house.ask_for("max", "right-hand", "8h").await.unwrap();
    // Two must agree, and only Omar could.
    house.ask_for("olga", "twice", "1d").await.unwrap();
    let (request, _) = house.ask_for("ann", "staged", "1d").await.unwrap();
    house.approve("max", &request).await.unwrap();
    house.approve("olga", &request).await.unwrap();
    let (request, _) = house.ask_for("bob", "asked", "1d").await.unwrap();
    house.run("olga", Command::Deny { request: request.id, reason: "no".to_owned() }).await.unwrap();
    let (cooled, _) = house.ask_for("bob", "asked", "1d").await.unwrap();
    assert_eq!(cooled.status, RequestStatus::Denied, "the same wish rests");
    let (_, grant) = house.ask_for("bob", "instant", "8h").await.unwrap();
    house.run("olga", Command::Revoke { grant: grant.unwrap().id, reason: Some("why".to_owned()) }).await.unwrap();
    let (blocked, _) = house.ask_for("bob", "instant", "8h").await.unwrap();
    assert_eq!(blocked.status, RequestStatus::Pending, "an owner decides after a revocation");
    house.run("ada", Command::Freeze { on: true, reason: "drill".to_owned() }).await.unwrap();
    let (frozen, _) = house.ask_for("max", "instant", "8h").await.unwrap();
    assert_eq!(frozen.status, RequestStatus::Denied, "nothing is granted while frozen");
    house.run("ada", Command::Freeze { on: false, reason: "over".to_owned() }).await.unwrap();
    let (same, _) = house.ask_for("max", "asked", "1d").await.unwrap();
    let (stopped, _) = house.ask_for("ann", "asked", "1d").await.unwrap();
    assert_eq!(house.approve("olga", &same).await.unwrap(), RequestStatus::Granted);
    let mut strict = files();
    strict.insert("guardrails/strict.cedar".to_owned(), STRICT.into());
    house.load(strict).await;
    assert_eq!(house.approve("olga", &stopped).await.unwrap(), RequestStatus::Denied, "today's guardrails decide at the last vote");
    let house = house.restart().await;
    house.load(files()).await;
    house.ask_for("ada", "asked", "1d").await.unwrap();
    house
}

#[test]
fn every_decision_follows_from_its_inputs() {
    on_both("replays", |house: House| async move {
        let house = live(house).await;
        let found = house.replay().await;
        assert_eq!(found.differences, vec![]);
        assert_eq!((found.decisions, found.revisions, found.erased, found.before_replay, found.differ), (19, 2, 0, 0, 0));
        house.leave().await;
    });
}

/// The number of the last event of a kind.
async fn last_of(house: &House, kind: &str) -> i64 {
    let mut seq = house.core.reader.head().await.unwrap().seq;
    while house.core.reader.audit_event(seq).await.unwrap().unwrap().kind != kind {
        seq -= 1;
    }
    seq
}

#[test]
fn a_decision_that_its_facts_do_not_give_is_found() {
    on_both("forged", |house: House| async move {
        house.ask_for("ann", "secret", "8h").await.unwrap();
        let seq = last_of(&house, "request.granted").await;
        let row = house.core.reader.audit_event(seq).await.unwrap().unwrap();
        let (_, mut event) = decode(&row.body, row.personal.as_deref()).unwrap();
        // As if a contractor had been let in: the log's own writer encodes it, so the commitment fits.
        event.personal.facts.as_mut().unwrap()["person"]["employment"] = "contractor".into();
        let forged = encode(&event, &ring::rand::SystemRandom::new()).unwrap();
        let salt: String = forged.private.salt.unwrap().iter().map(|b| format!("{b:02x}")).collect();
        let salt = if house.database.superuser_url().is_some() { format!("'\\x{salt}'::bytea") } else { format!("X'{salt}'") };
        let (body, text) = (quoted(&forged.log.body), quoted(&forged.private.text.unwrap()));
        let sql = format!("UPDATE audit_log SET body = {body} WHERE seq = {seq}; UPDATE audit_private SET text = {text}, salt = {salt} WHERE seq = {seq};");
        as_owner(&house.database, house.settings.database.url.reveal(), &sql);
        let report = house.verify().await;
        assert!(!report.faults.iter().any(|f| f.contains("personal text")), "the commitment fits: {:?}", report.faults);
        let found = house.replay().await;
        assert_eq!((found.differ, found.differences[0].seq), (1, seq));
        let what = found.differences[0].what.join("\n");
        for part in ["effect: recorded \"grant\", comes out as \"deny\"", "guardrails: recorded []", "no-contractors", "the event records a grant, and the inputs give a denial"] {
            assert!(what.contains(part), "{part} in {what}");
        }
        house.core.close().await;
    });
}

#[test]
fn what_was_erased_is_counted_and_is_no_difference() {
    on_both("erased", |house: House| async move {
        house.ask_for("ann", "instant", "8h").await.unwrap();
        house.ask_for("bob", "instant", "8h").await.unwrap();
        let seq = last_of(&house, "request.granted").await;
        as_owner(&house.database, house.settings.database.url.reveal(), &format!("UPDATE audit_private SET text = NULL, salt = NULL WHERE seq = {seq};"));
        let found = house.replay().await;
        assert_eq!((found.decisions, found.erased, found.differ), (1, 1, 0));
        house.core.close().await;
    });
}

#[test]
fn the_set_in_force_stays_when_a_team_and_a_connector_are_gone() {
    on_both("names", |mut house: House| async move {
        let import = async |house: &House, people: &str| {
            let mut source = plan::Source::default();
            assert_eq!(table::read_toml("people", people, &mut source), vec![]);
            house.core.import(plan::plan(&house.core.ledger.snapshot().directory, &source), "test", 1.0, true).await.unwrap();
        };
        import(&house, &format!("{PEOPLE}\n[[team]]\nid = \"temps\"\ntitle = \"Temps\"\n")).await;
        let mut named = files();
        let also = "title = \"temps\"\nowner = \"team:owners\"\nsensitivity = \"internal\"\n[[rule]]\nname = \"temps\"\nwho = [\"team:temps\", \"team:ops\"]\nthen = \"grant\"\nfor = \"1d\"\n";
        named.insert("groups/temps.toml".to_owned(), also.into());
        house.load(named.clone()).await;
        import(&house, PEOPLE).await;
        house.settings.connector.clear();
        assert!(policy::check(&named, &house.core.ledger.known(), "UTC").set.is_none(), "as a new set it would be refused");
        let house = house.restart().await;
        assert!(house.core.ledger.snapshot().policy.set().group("temps").is_some());
        let (request, _) = house.ask_for("ann", "temps", "8h").await.unwrap();
        assert_eq!(request.status, RequestStatus::Granted);
        house.leave().await;
    });
}

fn person(id: &str, team: &str, employment: &str) -> Person {
    let text = format!("{{\"id\":\"{id}\",\"name\":\"N\",\"team\":\"{team}\",\"teams\":[\"{team}\"],\"employment\":\"{employment}\"}}");
    serde_json::from_str(&text).unwrap()
}

proptest! {
    #[test]
    fn the_recorded_form_of_inputs_gives_the_same_decision(
        team in prop_oneof![Just("ops"), Just("owners"), Just("admins")],
        employment in prop_oneof![Just("permanent"), Just("contractor")],
        group in 0..files().keys().filter(|f| f.starts_with("groups/")).count(),
        hours in 1..2000_u32,
        at in 0..4_000_000_000_i64,
        holds_left in any::<bool>(),
        (frozen, revoked) in (any::<bool>(), any::<bool>()),
        denied in proptest::option::of((1..2000_u32, 0..4_000_000_000_i64)),
        possible in proptest::collection::vec(0..3_usize, 2),
    ) {
        let checked = policy::compile_kept(&files(), "Europe/Oslo");
        let set = Arc::clone(checked.set.as_ref().unwrap());
        let group = set.groups().keys().nth(group).unwrap().clone();
        let asking = person("ann", team, employment);
        let (other, now) = (person("zoe", "ops", "permanent"), Time::from_micros(at * 1_000_000));
        let span = |hours: u32| bandpass::domain::duration::Duration::hours(hours).unwrap();
        let ledger = LedgerFacts {
            frozen,
            revoked,
            denied: denied.map(|(hours, until)| (span(hours), Time::from_micros(until * 1_000_000))),
            ..LedgerFacts::default()
        };
        let holds = if holds_left && group.as_str() != "left-hand" { ["left-hand".parse().unwrap()].into() } else { Default::default() };
        let mut inputs = Inputs { teams: asking.teams.clone(), person: Some(asking), holds, ledger };
        let inquiry = bandpass::domain::decision::Inquiry {
            subject: Subject { person: inputs.person.as_ref().unwrap(), teams: &inputs.teams },
            group: &group,
            duration: span(hours),
            has_justification: hours % 2 == 0,
            now,
            holds: &inputs.holds,
            break_glass: false,
        };
        // Decided among others, as the service does; then alone, from what was written down.
        let everyone = [inquiry.subject, Subject { person: &other, teams: &other.teams }];
        let mut counted = Vec::new();
        let decided = decide_filing(&Engine::new(Arc::clone(&set), everyone), &inquiry, &inputs.ledger, &mut |index: usize, _: &Stage| {
            counted.push(possible[index]);
            possible[index]
        });
        let (duration, has_justification) = (inquiry.duration, inquiry.has_justification);
        inputs.ledger.approvers = counted;
        let written = serde_json::to_string(&(&inputs, &decided)).unwrap();
        let (read, recorded): (Inputs, bandpass::domain::decision::Decision) = serde_json::from_str(&written).unwrap();
        prop_assert_eq!(&read, &inputs);
        let subject = Subject { person: read.person.as_ref().unwrap(), teams: &read.teams };
        let inquiry = bandpass::domain::decision::Inquiry { subject, group: &group, duration, has_justification, now, holds: &read.holds, break_glass: false };
        let again = decide_filing(&Engine::new(set, [subject]), &inquiry, &read.ledger, &mut |index: usize, _: &Stage| read.ledger.approvers[index]);
        prop_assert_eq!(again, recorded);
    }
}
