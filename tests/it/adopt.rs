//! Memberships that existed before Bandpass: the dry run says what adopting does, and the first removals that adoptions
//! cause wait for an admin.

use bandpass::{
    domain::{
        actor::Actor,
        adoption::AdoptionOutcome::{self, Adopted, Held, Violation},
    },
    ledger::adopt::Membership,
};

use crate::house::{House, on_both};

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
