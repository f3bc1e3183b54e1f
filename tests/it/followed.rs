//! The directory in memory follows what each batch changed, without reading it again: after any changes it is the one that the
//! database holds.

use std::sync::Arc;

use bandpass::{
    directory::{Directory, merge::Precedence, tell::{Effect, Telling}},
    domain::{
        actor::Actor,
        duration::Duration,
        person::{Person, PersonStatus, Team},
        record::{Dates, PersonRecord, SourceName, TeamRecord},
        request::RequestStatus,
    },
    ledger::{LeaveBound, Snapshot},
    store::writer::Writer,
};

use crate::house::{House, on_both};

/// Random numbers that are the same each time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// Everything that a directory answers, as text.
fn whole(directory: &Directory, sources: &[SourceName]) -> Vec<String> {
    let mut lines = vec![format!("revision {}", directory.revision())];
    for subject in directory.subjects() {
        let id = &subject.person.id;
        lines.push(format!("{:?} in {:?}, above {:?}, records {:?}", subject.person, subject.teams, directory.reports(id), directory.records().of_person(id.as_str())));
        lines.extend(subject.person.accounts.iter().map(|(c, a)| format!("{a}: {:?}", directory.account_owner(c, a))));
    }
    for (id, team) in directory.teams() {
        lines.push(format!("{team:?} over {:?} with {:?}, records {:?}", directory.sub_teams(id), directory.members(id), directory.records().of_team(id.as_str())));
    }
    for source in sources {
        let records = directory.records();
        lines.push(format!("{source} seen {:?}", directory.seen(source)));
        lines.extend(records.people_of(source).map(|r| format!("{} says {} is known", source, r.id())));
    }
    lines
}

async fn stored(house: &House) -> Directory {
    let location = house.location.clone();
    let read = move || {
        let mut writer = Writer::open_for_reading(&location).unwrap();
        let revision = writer.directory_revision().unwrap();
        let found = writer.load_directory().unwrap();
        Directory::new(found.people, found.teams, revision).with_records(found.person_records, found.team_records).with_seen(found.seen)
    };
    tokio::task::spawn_blocking(read).await.unwrap()
}

/// A few things that a source says.
fn said(snapshot: &Snapshot, source: &SourceName, seed: u64) -> Effect {
    let (mut dice, precedence) = (Dice(seed), Precedence::default());
    let mut telling = Telling::new(&snapshot.directory, &precedence);
    for _ in 0..=dice.roll(4) {
        let (who, team) = (dice.roll(12), dice.roll(5));
        let before = snapshot.directory.records().person(source, &format!("q{who}"));
        match dice.roll(10) {
            0 => telling.forget_team(source, &format!("unit-{team}").parse().unwrap()),
            1 | 2 => {
                let parent = (team > 0 && dice.roll(2) == 0).then(|| format!("unit-{}", team - 1).parse().unwrap());
                let facts = Team { id: format!("unit-{team}").parse().unwrap(), title: format!("Unit {}", dice.roll(3)), description: String::new(), parent };
                telling.team(TeamRecord { source: source.clone(), team: facts, external_id: None, gone: false, dates: Dates::now(None) });
            }
            3 if before.is_some() => telling.person(before.unwrap().deleted()),
            _ => {
                let person = Person {
                    id: format!("q{who}").parse().unwrap(),
                    name: format!("Q {}", dice.roll(3)),
                    email: None,
                    manager: (dice.roll(2) == 0).then(|| format!("q{}", dice.roll(12)).parse().unwrap()),
                    team: None,
                    teams: (0..dice.roll(3)).map(|_| format!("unit-{}", dice.roll(5)).parse().unwrap()).collect(),
                    employment: None,
                    location: None,
                    title: (dice.roll(2) == 0).then(|| "Pilot".to_owned()),
                    attributes: Default::default(),
                    accounts: (dice.roll(3) == 0).then(|| ("target".parse().unwrap(), format!("account-{who}"))).into_iter().collect(),
                    status: if dice.roll(5) == 0 { PersonStatus::Left } else { PersonStatus::Active },
                };
                telling.person(PersonRecord::new(source.clone(), Arc::new(person), None, Dates::now(before.map(|b| &b.dates))));
            }
        }
    }
    telling.effect()
}

#[test]
fn after_any_changes_the_directory_in_memory_is_the_one_that_is_stored() {
    on_both("followed", |house| async move {
        let sources = [SourceName::stored("scim:okta"), SourceName::stored("catalog:town")];
        let bound = LeaveBound { share: 1.0, window: Duration::hours(1).unwrap() };
        let ledger = house.core.ledger.clone();
        for round in 0..120_u64 {
            let source = &sources[usize::try_from(round % 2).unwrap()];
            if round % 10 == 9 {
                ledger.source_seen(Actor::system("directory"), source, Duration::hours(1).unwrap()).await.unwrap();
                house.pass(3700);
            }
            // Refusals (an account of another) change nothing.
            let _ = ledger.feed(Actor::system("directory"), source, bound, |snapshot| Ok::<_, String>((said(snapshot, source, round * 7919 + 1), ()))).await;
            let (kept, read) = (ledger.snapshot(), stored(&house).await);
            assert_eq!(whole(&kept.directory, &sources), whole(&read, &sources), "round {round}");
        }
        assert!(ledger.snapshot().directory.people().len() > 12 && ledger.snapshot().directory.teams().len() > 4);
        house.leave().await;
    });
}

#[test]
fn what_shares_a_commit_with_a_leaver_ends_with_them() {
    on_both("shared", |house| async move {
        let source = SourceName::stored("scim:okta");
        let bound = LeaveBound { share: 1.0, window: Duration::hours(1).unwrap() };
        let feed = async |n: u64, status: PersonStatus| {
            let work = |snapshot: &Snapshot| {
                let precedence = Precedence::default();
                let mut telling = Telling::new(&snapshot.directory, &precedence);
                let facts = Person { id: format!("q{n}").parse().unwrap(), name: "Q".to_owned(), status, teams: ["ops".parse().unwrap()].into(), accounts: [("target".parse().unwrap(), format!("q{n}"))].into(), ..Person::clone(snapshot.directory.person("ann").unwrap()) };
                telling.person(PersonRecord::new(source.clone(), Arc::new(Person { team: None, ..facts }), None, Dates::now(None)));
                Ok::<_, String>((telling.effect(), ()))
            };
            house.core.ledger.feed(Actor::system("directory"), &source, bound, work).await.unwrap();
        };
        for n in 0..30_u64 {
            feed(n, PersonStatus::Active).await;
            let who = format!("q{n}");
            // Filed at the same time: before the leaving they are granted or wait, and end with it; after it they are refused.
            let (instant, also, asked, ()) = tokio::join!(house.ask_for(&who, "instant", "8h"), house.ask_for(&who, "also", "8h"), house.ask_for(&who, "asked", "8h"), feed(n, PersonStatus::Left));
            assert!(house.core.reader.live_grants_of(who.parse().unwrap()).await.unwrap().is_empty(), "{who}: {instant:?} {also:?}");
            if let Ok((request, _)) = asked {
                let now = house.core.reader.request(request.id).await.unwrap().unwrap();
                assert_ne!(now.status, RequestStatus::Pending, "{who}");
            }
        }
        let open = "SELECT CAST(count(*) AS TEXT) AS line FROM grants WHERE status = 'active' AND person LIKE 'q%'";
        assert_eq!(house.database.count(open), 0);
        // Some were granted before the leaving, else nothing was tried; each of those has its removal.
        let count = |what: &str| house.database.count(&format!("SELECT CAST(count(*) AS TEXT) AS line FROM {what}"));
        assert!(count("grants WHERE person LIKE 'q%'") > 10);
        let same = count("grants g, grants h WHERE g.person = h.person AND g.person LIKE 'q%' AND g.group_id < h.group_id");
        assert!(same > 0, "both at once");
        house.leave().await;
    });
}
