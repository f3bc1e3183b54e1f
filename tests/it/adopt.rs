//! Memberships that existed before Bandpass: the dry run says what adopting does, and the first removals that adoptions
//! cause wait for an admin.

use bandpass::{
    domain::{
        actor::Actor,
        adoption::AdoptionOutcome::{self, Adopted, Held, Violation},
        command::{Answer, Command},
        delivery::{DeliveryAction, DeliveryState},
        directory_change::DirectoryChange,
        id::GrantId,
        refusal::Refusal,
    },
    ledger::adopt::Membership,
};

use crate::{
    house::{House, files, on_both},
    tamper::as_owner,
};

fn memberships(pairs: &[(&str, &str)]) -> Vec<Membership> {
    pairs.iter().map(|(person, group)| (person.parse().unwrap(), group.parse().unwrap())).collect()
}

fn operator() -> Actor {
    Actor::Operator { user: "root".to_owned() }
}

/// Cause and hint of each violation; `adopted` and `held` for the others.
fn told(outcome: &AdoptionOutcome) -> String {
    match outcome {
        Adopted { rule, .. } => format!("adopted by {rule}"),
        Held => "held".to_owned(),
        Violation { cause, hint } => format!("{cause} {}", hint.as_deref().unwrap_or("-")),
    }
}

#[test]
fn a_dry_run_says_what_adopting_then_does() {
    on_both("adopts", |house: House| async move {
        house.ask_for("max", "instant", "8h").await.unwrap();
        let list = memberships(&[
            ("max", "instant"),
            ("ann", "left-hand"),
            // Excluded by the membership above, which a dry run does not record.
            ("ann", "right-hand"),
            ("bob", "secret"),
            ("olga", "instant"),
            ("anne", "asked"),
            ("ann", "askd"),
            ("ann", "asked"),
            ("ann", "asked"),
        ]);
        let events = house.verify().await.events;
        let foreseen = house.core.ledger.preview_adoptions(operator(), list.clone()).await.unwrap();
        assert_eq!(house.verify().await.events, events, "nothing is recorded");
        let foretold: Vec<String> = foreseen.iter().map(|a| told(&a.outcome)).collect();
        assert_eq!(
            foretold,
            [
                "held",
                "adopted by all",
                "`conflict:left-hand+right-hand` forbids it: You hold left-hand, and nobody may hold both: one hand only -",
                "`no-contractors` forbids it: contractors may not -",
                "no rule would give or approve it -",
                "there is no such person in the directory ann",
                "there is no such group in the policy asked",
                "adopted by an owner agrees",
                "held",
            ]
        );
        let done = house.core.ledger.adopt(operator(), list.clone()).await.unwrap();
        assert_eq!(done.iter().map(|a| told(&a.outcome)).collect::<Vec<_>>(), foretold.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(house.verify().await.events, events + 2, "one event an adoption");
        let again = house.core.ledger.adopt(operator(), list).await.unwrap();
        assert_eq!(again.iter().filter(|a| a.outcome == Held).count(), 4, "{again:?}");
        let nobody = house.core.ledger.preview_adoptions(Actor::person(&"ann".parse().unwrap()), memberships(&[("ann", "twice")])).await.unwrap();
        assert_eq!(told(&nobody[0].outcome), "only an admin can adopt memberships -");
        house.leave().await;
    });
}

async fn adopted(house: &House, person: &str, group: &str) -> GrantId {
    let done = house.core.ledger.adopt(operator(), memberships(&[(person, group)])).await.unwrap();
    assert!(matches!(done[0].outcome, Adopted { .. }), "{done:?}");
    let live = house.core.reader.live_grants_of(person.parse().unwrap()).await.unwrap();
    live.iter().find(|g| g.group.as_str() == group).unwrap().id
}

/// An adopted grant that an owner ends, and whose removal an admin lets go.
pub async fn end_an_adoption(house: &House, person: &str) {
    let grant = adopted(house, person, "instant").await;
    revoke(house, "olga", grant).await;
    let confirm = Command::ConfirmRemovals { connector: "target".parse().unwrap(), reason: "looked at".to_owned() };
    house.run("ada", confirm).await.unwrap();
}

async fn states(house: &House, grant: GrantId) -> Vec<DeliveryState> {
    house.core.reader.deliveries_of_grant(grant).await.unwrap().iter().map(|d| d.state).collect()
}

async fn revoke(house: &House, by: &str, grant: GrantId) {
    house.run(by, Command::Revoke { grant, reason: Some("over".to_owned()) }).await.unwrap();
}

/// What the worker would try now.
async fn open(house: &House) -> Vec<(String, DeliveryAction)> {
    let found = house.core.reader.open_deliveries(0, 100).await.unwrap();
    found.into_iter().map(|(_, d)| (d.person.to_string(), d.action)).collect()
}

#[test]
fn the_first_removals_that_adoptions_cause_wait_for_an_admin() {
    on_both("waits", |house: House| async move {
        let confirm = |reason: &str| Command::ConfirmRemovals { connector: "target".parse().unwrap(), reason: reason.to_owned() };
        assert!(matches!(house.run("ada", confirm("early")).await.unwrap_err(), Refusal::Impossible { .. }), "nothing waits yet");
        let anns = adopted(&house, "ann", "instant").await;
        revoke(&house, "olga", anns).await;
        assert_eq!(states(&house, anns).await, [DeliveryState::Held]);
        assert_eq!(open(&house).await, []);
        // What the holder gives back goes at once, and so does what was asked for here.
        let maxs = adopted(&house, "max", "instant").await;
        house.run("max", Command::Revoke { grant: maxs, reason: None }).await.unwrap();
        let (_, asked) = house.ask_for("bob", "instant", "8h").await.unwrap();
        revoke(&house, "olga", asked.unwrap().id).await;
        use DeliveryAction::{Add, Remove};
        let expected = [("max".to_owned(), Remove), ("bob".to_owned(), Add), ("bob".to_owned(), Remove)];
        assert_eq!(open(&house).await, expected);
        // A new addition for the same entitlement waits behind the removal, so that the end is the right one.
        house.run("olga", Command::LiftBlock { person: "ann".parse().unwrap(), group: "instant".parse().unwrap() }).await.unwrap();
        let (_, again) = house.ask_for("ann", "instant", "8h").await.unwrap();
        assert_eq!(states(&house, again.unwrap().id).await, [DeliveryState::Queued]);
        assert_eq!(open(&house).await, expected);
        assert_eq!(house.core.reader.removals_waiting().await.unwrap(), [("target".parse().unwrap(), 1)]);
        assert!(matches!(house.run("ann", confirm("mine")).await.unwrap_err(), Refusal::NotAllowed { .. }));
        assert!(matches!(house.run("ada", confirm(" ")).await.unwrap_err(), Refusal::Impossible { .. }));
        // Nothing is lost when the service starts again.
        let house = house.restart().await;
        assert_eq!(states(&house, anns).await, [DeliveryState::Held]);
        assert_eq!(house.run("ada", confirm("looked at")).await.unwrap(), Answer::Done { changed: 1 });
        assert_eq!(house.run("ada", confirm("twice")).await.unwrap(), Answer::Done { changed: 0 });
        assert_eq!(open(&house).await[..2], [("ann".to_owned(), Remove), ("max".to_owned(), Remove)]);
        assert_eq!(open(&house).await.last().unwrap(), &("ann".to_owned(), Add));
        // From now on nothing waits there, after a restart as well.
        let house = house.restart().await;
        let later = adopted(&house, "max", "instant").await;
        revoke(&house, "olga", later).await;
        assert_eq!(states(&house, later).await, [DeliveryState::Queued]);
        house.leave().await;
    });
}

#[test]
fn a_changed_group_and_an_expiry_wait_and_a_leaver_does_not() {
    on_both("carries", |house: House| async move {
        let anns = adopted(&house, "ann", "instant").await;
        let mut files = files();
        let text = String::from_utf8(files["groups/instant.toml"].clone()).unwrap().replace("\"reader\"", "\"writer\"");
        files.insert("groups/instant.toml".to_owned(), text.into_bytes());
        house.load(files).await;
        assert_eq!(states(&house, anns).await, [DeliveryState::Held, DeliveryState::Queued], "reader goes, writer comes");
        if house.has_own_clock() {
            house.pass(31 * 86_400);
            house.run("ada", Command::ExpireGrant { grant: anns }).await.unwrap();
            assert_eq!(*states(&house, anns).await.last().unwrap(), DeliveryState::Held);
        }
        let maxs = adopted(&house, "max", "instant").await;
        let revision = house.core.ledger.snapshot().directory.revision();
        let left = Command::ChangeDirectory { changes: vec![DirectoryChange::PersonLeft { id: "max".parse().unwrap() }], told: Default::default(), source: "test".to_owned(), expected_revision: revision };
        house.run("ada", left).await.unwrap();
        let live = house.core.reader.live_grants_of("max".parse().unwrap()).await.unwrap();
        if !live.is_empty() {
            revoke(&house, "olga", maxs).await;
        }
        assert_eq!(states(&house, maxs).await, [DeliveryState::Queued]);
        // Passing a removal off as done, or letting it go past the log, is found.
        for state in ["done", "queued"] {
            let of = |from: &str, to: &str| format!("UPDATE deliveries SET state = '{to}' WHERE grant_id = '{anns}' AND action = 'remove' AND state = '{from}';");
            as_owner(&house.database, house.settings.database.url.reveal(), &of("held", state));
            assert!(!house.verify().await.is_sound(), "held passed off as {state}");
            as_owner(&house.database, house.settings.database.url.reveal(), &of(state, "held"));
        }
        house.leave().await;
    });
}
