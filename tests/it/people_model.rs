//! A small model of joiners, movers and leavers against the real ledger: people come, move, leave and come back, an owner takes
//! a birthright away and gives it back, policy and time move; after each step everything is decided again, and who holds what
//! is what the model says.

use std::collections::BTreeMap;

use bandpass::domain::{
    command::{Answer, Command},
    grant::Provenance,
    id::GrantId,
    refusal::Refusal,
    request::{Request, RequestStatus::{Pending, Withdrawn}},
    time::Time,
};
use proptest::prelude::*;

use crate::{
    birthright::with_chat,
    house::{House, PEOPLE as COMPANY, on_both},
};

#[derive(Debug, Clone)]
enum Step {
    /// Is in the directory from now on, or not any more.
    Turn { person: usize },
    Move { person: usize, team: usize },
    /// Asks for `chat`, or gives it back.
    Ask { person: usize },
    Return { person: usize },
    /// An owner takes `chat` away, or lifts the block that this left.
    Revoke { person: usize },
    Lift { person: usize },
    /// `chat` comes with another team from now on.
    Edit { team: usize },
    Pass { hours: i64 },
    Restart,
}

const PEOPLE: [&str; 3] = ["kim", "lea", "moe"];
const TEAMS: [&str; 2] = ["ops", "admins"];
const GRACE: i64 = 24;

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let person = 0..PEOPLE.len();
    let step = prop_oneof![
        4 => person.clone().prop_map(|person| Step::Turn { person }),
        4 => (person.clone(), 0..TEAMS.len()).prop_map(|(person, team)| Step::Move { person, team }),
        3 => person.clone().prop_map(|person| Step::Ask { person }),
        1 => person.clone().prop_map(|person| Step::Return { person }),
        3 => person.clone().prop_map(|person| Step::Revoke { person }),
        2 => person.prop_map(|person| Step::Lift { person }),
        1 => (0..TEAMS.len()).prop_map(|team| Step::Edit { team }),
        2 => (1..40_i64).prop_map(|hours| Step::Pass { hours }),
        1 => Just(Step::Restart),
    ];
    proptest::collection::vec(step, 1..40)
}

/// What `chat` is for somebody who holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Held {
    Stands,
    /// Its team is left; since when.
    Ends { since: Time },
}

#[derive(Debug, Clone, Copy, Default)]
struct Somebody {
    is_here: bool,
    team: usize,
    blocked: bool,
    waits: bool,
    held: Option<Held>,
    /// The grant that is held, as the service named it.
    grant: Option<GrantId>,
}

#[derive(Default)]
struct Model {
    people: [Somebody; PEOPLE.len()],
    /// The team that `chat` comes with.
    comes_with: usize,
}

impl Model {
    /// The directory as a file.
    fn directory(&self) -> String {
        let here = self.people.iter().enumerate().filter(|(_, p)| p.is_here);
        let lines = here.map(|(n, p)| format!("[[person]]\nid = \"{0}\"\nname = \"{0}\"\nteam = \"{1}\"\nemployment = \"permanent\"\n", PEOPLE[n], TEAMS[p.team]));
        format!("{COMPANY}{}", lines.collect::<String>())
    }

    /// What deciding everything again makes of each, at a moment.
    fn decide(&mut self, now: Time) {
        for person in &mut self.people {
            let comes = person.is_here && person.team == self.comes_with;
            person.held = match person.held {
                _ if !person.is_here => None,
                Some(Held::Stands | Held::Ends { .. }) if comes => Some(Held::Stands),
                Some(Held::Stands) => Some(Held::Ends { since: now }),
                None if comes && !person.blocked => Some(Held::Stands),
                other => other,
            };
            // What waited is held now.
            person.waits &= person.is_here && person.held != Some(Held::Stands);
        }
    }
}

async fn decide_again(house: &House, model: &mut Model) {
    let mut reviewer = house.reviewer(1.0);
    reviewer.once().await.unwrap();
    model.decide(house.core.ledger.now());
    assert_eq!(reviewer.once().await.unwrap().begun, 0, "nothing is begun twice");
    for (id, known) in PEOPLE.iter().zip(&mut model.people) {
        let held = house.core.reader.live_grants_of(id.parse().unwrap()).await.unwrap();
        assert!(held.len() <= 1 && held.iter().all(|g| g.group.as_str() == "chat" && g.provenance == Provenance::Birthright), "{id}: {held:#?}");
        let grant = held.first();
        let seen = grant.map(|g| g.standing.as_ref().map_or(Held::Stands, |s| Held::Ends { since: s.since }));
        // PostgreSQL has a clock of its own.
        let timeless = |held: Held| if house.has_own_clock() { held } else if matches!(held, Held::Ends { .. }) { Held::Ends { since: Time::OPEN } } else { held };
        assert_eq!(seen.map(timeless), known.held.map(timeless), "{id}: {known:?}");
        assert_eq!(grant.map(|g| g.until().is_none()), known.held.map(|h| h == Held::Stands), "what stands is open, what ends has an end");
        if let (Some(before), Some(grant)) = (known.grant, grant) {
            assert_eq!(before, grant.id, "{id} goes on with the same grant");
        }
        known.grant = grant.map(|g| g.id);
    }
}

async fn ask(house: &House, known: &mut Somebody, id: &str, waiting: &mut BTreeMap<String, Request>) {
    let asked = house.ask_for(id, "chat", "1d").await;
    match (known.is_here, known.held, known.waits) {
        (false, ..) => assert!(matches!(asked.unwrap_err(), Refusal::NotAllowed { .. } | Refusal::UnknownPerson { .. }), "{id} does not work here"),
        (_, Some(Held::Stands), _) => assert!(matches!(asked.unwrap_err(), Refusal::HeldByBirthright { .. })),
        (_, _, true) => assert!(asked.is_err(), "the same wish waits already"),
        (_, _, false) => {
            let (request, _) = asked.unwrap();
            assert_eq!(request.status, Pending, "an owner decides");
            known.waits = true;
            waiting.insert(id.to_owned(), request);
        }
    }
}

async fn play(mut house: House, steps: &[Step]) -> House {
    let mut model = Model::default();
    let mut waiting: BTreeMap<String, Request> = BTreeMap::new();
    house.load(with_chat("ops")).await;
    for step in steps {
        match *step {
            Step::Turn { person } => {
                let known = &mut model.people[person];
                // Who comes back begins anew, and so does who leaves.
                *known = Somebody { is_here: !known.is_here, team: known.team, ..Somebody::default() };
                house.import(&model.directory()).await;
                if let Some(request) = waiting.get(PEOPLE[person]).filter(|_| !model.people[person].is_here) {
                    assert_ne!(house.core.reader.request(request.id).await.unwrap().unwrap().status, Pending, "nothing of a leaver waits");
                }
            }
            Step::Move { person, team } => {
                model.people[person].team = team;
                house.import(&model.directory()).await;
            }
            Step::Ask { person } => ask(&house, &mut model.people[person], PEOPLE[person], &mut waiting).await,
            Step::Return { person } => {
                let Some(grant) = model.people[person].grant else { continue };
                let returned = house.run(PEOPLE[person], Command::Revoke { grant, reason: None }).await;
                // What comes with a team is not given back; what ends anyway is.
                match model.people[person].held {
                    Some(Held::Stands) => assert!(matches!(returned.unwrap_err(), Refusal::HeldByBirthright { .. })),
                    _ if returned.is_ok() => (model.people[person].held, model.people[person].grant) = (None, None),
                    _ => assert!(matches!(returned.unwrap_err(), Refusal::HeldByBirthright { .. })),
                }
            }
            Step::Revoke { person } => {
                let Some(grant) = model.people[person].grant else { continue };
                house.run("olga", Command::Revoke { grant, reason: Some("abuse".to_owned()) }).await.unwrap();
                let known = &mut model.people[person];
                (known.held, known.grant, known.blocked) = (None, None, true);
            }
            Step::Lift { person } => {
                let lift = Command::LiftBlock { person: PEOPLE[person].parse().unwrap(), group: "chat".parse().unwrap() };
                let lifted = house.run("olga", lift).await;
                assert_eq!(lifted.is_ok(), model.people[person].blocked, "{lifted:?}");
                model.people[person].blocked = false;
            }
            Step::Edit { team } => {
                model.comes_with = team;
                house.load(with_chat(TEAMS[team])).await;
            }
            Step::Pass { hours } if house.has_own_clock() => {
                house.pass(hours * 3600);
                let now = house.core.ledger.now();
                let due = house.core.reader.due_grants(now, 100).await.unwrap();
                let grace = bandpass::domain::duration::Duration::hours(GRACE as u32).unwrap();
                // Others of the company are in these teams as well.
                let known: Vec<GrantId> = model.people.iter().filter_map(|p| p.grant).collect();
                let ours: std::collections::BTreeSet<GrantId> = due.iter().copied().filter(|g| known.contains(g)).collect();
                let over = model.people.iter_mut().filter(|p| matches!(p.held, Some(Held::Ends { since }) if since.plus(grace) <= now));
                let mut expected = std::collections::BTreeSet::new();
                for known in over {
                    expected.extend(known.grant.take());
                    known.held = None;
                }
                assert_eq!(ours, expected, "what is due is what left its team a grace ago");
                for grant in due {
                    let ended = house.core.ledger.act("expire", Command::ExpireGrant { grant }).await.unwrap().answer.unwrap();
                    assert!(matches!(ended, Answer::Grant { .. }));
                }
                for request in house.core.reader.overdue_requests(now, 100).await.unwrap() {
                    house.core.ledger.act("expire", Command::ExpireRequest { request }).await.unwrap().answer.unwrap();
                    let (id, _) = waiting.iter().find(|(_, r)| r.id == request).unwrap();
                    model.people[PEOPLE.iter().position(|p| p == id).unwrap()].waits = false;
                }
            }
            Step::Pass { .. } => {}
            Step::Restart => house = house.restart().await,
        }
        decide_again(&house, &mut model).await;
        for (id, known) in PEOPLE.iter().zip(&model.people) {
            let Some(request) = waiting.get(*id) else { continue };
            let status = house.core.reader.request(request.id).await.unwrap().unwrap().status;
            assert_eq!(status == Pending, known.waits, "{id}: {status:?}");
            assert!(known.is_here || status == Withdrawn || status != Pending);
        }
    }
    house
}

#[test]
fn people_hold_what_a_small_model_says() {
    let cases = std::env::var("BANDPASS_MODEL_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(6);
    let mut runner = proptest::test_runner::TestRunner::new(proptest::test_runner::Config { cases, failure_persistence: None, ..Default::default() });
    let outcome = runner.run(&steps(), |steps| {
        let steps = std::sync::Arc::new(steps);
        on_both("people_model", |house: House| {
            let steps = std::sync::Arc::clone(&steps);
            async move { play(house, &steps).await.leave().await }
        });
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}
