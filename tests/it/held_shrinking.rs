//! Endings that wait for a person while a directory is fed: many small steps count together, and what was confirmed happens
//! although the directory has moved on.

use bandpass::{
    domain::{command::Command, request::RequestStatus::Granted, standing::Fate},
    jobs::reconsider::Reviewer,
};

use crate::{
    birthright::whole,
    house::{House, PEOPLE, files, on_both},
};

const MANY: usize = 40;

/// The company with forty more in operations, the first `moved` of them in another team by now.
fn people(moved: usize, more: &str) -> String {
    let mut text = PEOPLE.to_owned();
    for n in 0..MANY {
        let team = if n < moved { "admins" } else { "ops" };
        text.push_str(&format!("[[person]]\nid = \"p{n}\"\nname = \"P{n}\"\nteam = \"{team}\"\nemployment = \"permanent\"\n"));
    }
    text + more
}

/// Everybody of the forty holds `instant`, and a pass has seen it.
async fn held(house: &House) -> Reviewer {
    house.import(&people(0, "")).await;
    for n in 0..MANY {
        assert_eq!(house.ask_for(&format!("p{n}"), "instant", "7d").await.unwrap().0.status, Granted);
    }
    let mut reviewer = house.reviewer(0.1);
    whole(&mut reviewer).await;
    reviewer
}

async fn ending(house: &House) -> usize {
    let mut many = 0;
    for n in 0..MANY {
        let grants = house.core.reader.live_grants_of(format!("p{n}").parse().unwrap()).await.unwrap();
        many += grants.iter().filter(|g| g.standing.as_ref().is_some_and(|s| s.fate == Fate::Ending)).count();
    }
    many
}

#[test]
fn a_directory_that_shrinks_step_by_step_is_held_back_as_well() {
    on_both("held_steps", |house: House| async move {
        let mut reviewer = held(&house).await;
        house.import(&people(3, "")).await;
        assert_eq!(whole(&mut reviewer).await.waiting, 0, "three are few");
        house.import(&people(6, "")).await;
        assert_eq!(whole(&mut reviewer).await.waiting, 3, "and three more are not");
        assert_eq!(ending(&house).await, 3);
        if house.has_own_clock() {
            house.pass(3601);
            house.import(&people(7, "")).await;
            assert_eq!(whole(&mut reviewer).await.waiting, 0, "an hour later they are few again");
            assert_eq!(ending(&house).await, 7);
        }
        house.leave().await;
    });
}

#[test]
fn what_was_confirmed_happens_although_the_directory_has_moved_on() {
    on_both("held_moved", |house: House| async move {
        let mut reviewer = held(&house).await;
        let mut edited = files();
        let text = String::from_utf8(edited["groups/instant.toml"].clone()).unwrap().replace("team:ops", "team:admins");
        edited.insert("groups/instant.toml".to_owned(), text.into_bytes());
        house.load(edited).await;
        assert_eq!(whole(&mut reviewer).await.waiting, MANY as u64);
        let waiting = house.core.reader.newest_held_endings().await.unwrap().unwrap();
        house.run("ada", Command::ConfirmEndings { held: waiting.seq, reason: "meant".to_owned() }).await.unwrap();
        let joiner = "[[person]]\nid = \"jo\"\nname = \"Jo\"\nteam = \"ops\"\nemployment = \"permanent\"\n";
        house.import(&people(0, joiner)).await;
        let passed = whole(&mut reviewer).await;
        assert_eq!((passed.waiting, ending(&house).await), (0, MANY));
        // It was for these, and is used up: the same number by another slip waits.
        let back = house.ask_for("jo", "instant", "1d").await.unwrap().0.status;
        assert_ne!(back, Granted);
        house.leave().await;
    });
}
