//! A replica that only answers reads knows what another one brought into force, and ends nothing for knowing less.

use bandpass::{
    domain::{command::Command, session::SessionEnd},
    jobs::sessions::sweep,
};

use crate::{
    house::{House, PEOPLE, files, on_both},
    identity::sign_in,
    leaver::without,
};

const JOINER: &str = "[[person]]\nid = \"jo\"\nname = \"Jo\"\nteam = \"ops\"\nemployment = \"permanent\"\n";

impl House {
    async fn sessions_of(&self, person: &str) -> usize {
        self.core.reader.live_sessions(Some(person.parse().unwrap())).await.unwrap().len()
    }
}

#[test]
fn it_keeps_up_without_a_command_of_its_own() {
    on_both("keeps_up", |house: House| async move {
        // A SQLite file has one process.
        if house.has_own_clock() {
            return house.leave().await;
        }
        let other = House::core(&house.settings, &house.now).await;
        let knows = |id: &str| other.ledger.snapshot().directory.person(id).map(|p| p.is_active());
        house.import(&format!("{}{JOINER}", without(PEOPLE, "ann"))).await;
        assert_eq!((knows("ann"), knows("jo")), (Some(true), None), "it was told nothing yet");
        assert!(other.ledger.keep_up().await.unwrap());
        assert_eq!((knows("ann"), knows("jo")), (Some(false), Some(true)));
        assert!(!other.ledger.keep_up().await.unwrap(), "there is nothing new");
        let mut policy = files();
        policy.remove("groups/secret.toml");
        house.load(policy).await;
        house.run("ada", Command::Freeze { on: true, reason: "drill".to_owned() }).await.unwrap();
        assert!(other.ledger.keep_up().await.unwrap());
        let there = other.ledger.snapshot();
        assert!(there.frozen && there.policy.set().group("secret").is_none() && there.in_force == house.core.ledger.revision());
        other.close().await;
        house.leave().await;
    });
}

#[test]
fn what_it_does_not_know_yet_ends_no_session() {
    on_both("stale_sweep", |house: House| async move {
        if house.has_own_clock() {
            return house.leave().await;
        }
        let other = House::core(&house.settings, &house.now).await;
        house.import(&format!("{PEOPLE}{JOINER}")).await;
        sign_in(&house, "jo", "s-jo").await.unwrap();
        assert!(other.ledger.snapshot().directory.person("jo").is_none());
        assert_eq!(sweep(&other.ledger, &other.reader, "8h".parse().unwrap()).await.unwrap(), 1, "it takes Jo for somebody who left");
        assert_eq!(house.sessions_of("jo").await, 1, "and the ledger knows better");
        // A clock that is ahead is no reason either.
        let jo = "jo".parse().unwrap();
        other.ledger.act("sessions", Command::EndSessions { person: jo, only: None, except: None, cause: SessionEnd::Absolute }).await.unwrap().answer.unwrap();
        assert_eq!(house.sessions_of("jo").await, 1);
        other.close().await;
        house.leave().await;
    });
}
