//! Membership without asking: begun when a rule says so, ended when it does not any more, on both databases.

use std::collections::BTreeMap;

use bandpass::{
    domain::{
        command::Command,
        delivery::DeliveryAction,
        grant::{Grant, GrantStatus, Provenance},
        refusal::Refusal,
        request::RequestStatus::{Granted, Pending, Withdrawn},
        standing::{Cause, Fate},
        time::Time,
    },
    jobs::reconsider::{Passed, Reviewer},
};

use crate::{
    house::{House, PEOPLE, files, on_both},
    leaver::without,
};

pub fn group(id: &str, rules: &str) -> (String, Vec<u8>) {
    let text = format!("title = \"{id}\"\nowner = \"team:owners\"\nsensitivity = \"internal\"\n[[entitlement]]\nconnector = \"target\"\nname = \"{id}\"\n{rules}");
    (format!("groups/{id}.toml"), text.into_bytes())
}

pub fn always(who: &str) -> String {
    format!("[[rule]]\nname = \"comes with {who}\"\nwho = [\"{who}\"]\nthen = \"always\"\n")
}

/// The company's policy, and a group that comes with a team: whoever else wants it asks.
pub fn with_chat(team: &str) -> BTreeMap<String, Vec<u8>> {
    let mut files = files();
    let asked = "[[rule]]\nname = \"asked\"\nwho = [\"everyone\"]\nthen = \"approve\"\nfor = \"7d\"\n[[rule.stage]]\nfrom = [\"owner\"]\n";
    files.extend([group("chat", &format!("{}{asked}", always(&format!("team:{team}"))))]);
    files
}

/// People with ann in another team.
fn ann_in(team: &str) -> String {
    PEOPLE.replacen("team = \"ops\"", &format!("team = \"{team}\""), 1)
}

impl House {
    async fn held(&self, person: &str, group: &str) -> Option<Grant> {
        self.core.reader.live_grants_of(person.parse().unwrap()).await.unwrap().into_iter().find(|g| g.group.as_str() == group)
    }

    async fn pass_over(&self) -> Reviewer {
        let mut reviewer = self.reviewer(1.0);
        whole(&mut reviewer).await;
        reviewer
    }
}

/// Decides everything: a pass after a change of people may rest on a machine that is busy.
pub async fn whole(reviewer: &mut Reviewer) -> Passed {
    reviewer.forget();
    reviewer.once().await.unwrap()
}

#[test]
fn it_begins_with_the_team_and_ends_when_that_is_left() {
    on_both("birthright", |house: House| async move {
        house.load(with_chat("ops")).await;
        let mut reviewer = house.reviewer(1.0);
        assert_eq!(whole(&mut reviewer).await.begun, 3, "ann, bob and max");
        assert_eq!(whole(&mut reviewer).await.begun, 0);
        let grant = house.held("ann", "chat").await.unwrap();
        assert_eq!((grant.provenance, grant.until(), grant.request, grant.rule.as_str()), (Provenance::Birthright, None, None, "comes with team:ops"));
        let deliveries = house.core.reader.deliveries_of_grant(grant.id).await.unwrap();
        assert_eq!(deliveries.iter().map(|d| (d.action, d.entitlement.name.as_str())).collect::<Vec<_>>(), [(DeliveryAction::Add, "chat")]);
        assert!(house.held("olga", "chat").await.is_none());
        house.import(&ann_in("admins")).await;
        assert_eq!(whole(&mut reviewer).await.changed, 1);
        let ending = house.held("ann", "chat").await.unwrap();
        let standing = ending.standing.clone().unwrap();
        assert_eq!((standing.fate, standing.cause, standing.full_end), (Fate::Ending, Cause::NoRule { rule: grant.rule.clone() }, Time::OPEN));
        assert_eq!(ending.until(), Some(standing.since.plus("24h".parse().unwrap())));
        // Back in time, it goes on; too late, it ends and begins anew.
        house.import(PEOPLE).await;
        whole(&mut reviewer).await;
        let kept = house.held("ann", "chat").await.unwrap();
        assert_eq!((kept.id, kept.until(), kept.standing), (grant.id, None, None));
        house.import(&ann_in("admins")).await;
        whole(&mut reviewer).await;
        if house.has_own_clock() {
            house.pass(24 * 3600);
            let due = house.core.reader.due_grants(house.core.ledger.now(), 10).await.unwrap();
            assert_eq!(due, [grant.id], "what stands has no end");
            house.core.ledger.act("expire", Command::ExpireGrant { grant: grant.id }).await.unwrap().answer.unwrap();
            assert!(house.held("ann", "chat").await.is_none());
            house.import(PEOPLE).await;
            assert_eq!(reviewer.once().await.unwrap().begun, 1, "a new team does not rest");
            assert_ne!(house.held("ann", "chat").await.unwrap().id, grant.id);
        }
        house.import(&without(PEOPLE, "bob")).await;
        assert!(house.held("bob", "chat").await.is_none(), "a leaver's ends with the leaving");
        let house = house.restart().await;
        let passed = house.reviewer(1.0).once().await.unwrap();
        assert_eq!((passed.begun, passed.changed), (0, if house.has_own_clock() { 0 } else { 1 }));
        house.leave().await;
    });
}

#[test]
fn nothing_is_asked_for_it_and_nobody_gives_it_back() {
    on_both("birthright_asked", |house: House| async move {
        house.load(with_chat("ops")).await;
        let mut reviewer = house.pass_over().await;
        let grant = house.held("ann", "chat").await.unwrap();
        let because = |r: Refusal| match r {
            Refusal::HeldByBirthright { because, .. } => because,
            other => panic!("{other:?}"),
        };
        let renew = || Command::Renew { grant: grant.id, duration: None, justification: None };
        assert_eq!(because(house.ask_for("ann", "chat", "1d").await.unwrap_err()), "as long as you are in team Operations");
        because(house.run("ann", renew()).await.unwrap_err());
        because(house.run("ann", Command::Revoke { grant: grant.id, reason: None }).await.unwrap_err());
        // An owner takes it away for good, until the block is lifted.
        house.run("olga", Command::Revoke { grant: grant.id, reason: Some("abuse".to_owned()) }).await.unwrap();
        assert_eq!(whole(&mut reviewer).await.begun, 0);
        assert_eq!(house.pass_over().await.once().await.unwrap().begun, 0);
        assert!(house.held("ann", "chat").await.is_none());
        assert_eq!(house.ask_for("ann", "chat", "1d").await.unwrap().0.status, Pending, "an owner decides");
        house.run("olga", Command::LiftBlock { person: "ann".parse().unwrap(), group: "chat".parse().unwrap() }).await.unwrap();
        assert_eq!(reviewer.once().await.unwrap().begun, 1, "noticed by the lifting itself");
        assert_eq!(house.held("ann", "chat").await.unwrap().until(), None);
        house.leave().await;
    });
}

#[test]
fn what_was_asked_for_goes_on_as_it_and_the_reverse() {
    on_both("birthright_turns", |house: House| async move {
        house.load(with_chat("ops")).await;
        let (asked, _) = house.ask_for("olga", "chat", "7d").await.unwrap();
        assert_eq!(house.approve("omar", &asked).await.unwrap(), Granted);
        let mine = house.held("olga", "chat").await.unwrap();
        let (waits, _) = house.ask_for("omar", "chat", "7d").await.unwrap();
        let mut all = with_chat("ops");
        all.extend([group("chat", &format!("{}{}", always("everyone"), "[[rule]]\nname = \"asked\"\nwho = [\"everyone\"]\nthen = \"grant\"\nfor = \"7d\"\n"))]);
        house.load(all).await;
        let mut reviewer = house.pass_over().await;
        let now = house.held("olga", "chat").await.unwrap();
        assert_eq!((now.id, now.provenance, now.until(), now.starts_at), (mine.id, Provenance::Birthright, None, mine.starts_at));
        assert_eq!(house.request(&waits).await.status, Withdrawn, "what waited is held now");
        assert!(house.held("omar", "chat").await.is_some());
        // When the rule goes, what a rule gives for the asking can be asked for: the grant goes on with an end.
        let mut without_always = with_chat("ops");
        without_always.extend([group("chat", "[[rule]]\nname = \"asked\"\nwho = [\"everyone\"]\nthen = \"grant\"\nfor = \"7d\"\n")]);
        house.load(without_always).await;
        whole(&mut reviewer).await;
        assert_eq!(house.held("olga", "chat").await.unwrap().standing.unwrap().fate, Fate::Ending);
        let (_, again) = house.ask_for("olga", "chat", "7d").await.unwrap();
        let again = again.unwrap();
        assert_eq!((again.id, again.provenance, again.until().is_some(), again.standing.is_none()), (mine.id, Provenance::Request, true, true));
        assert_eq!(house.pass_over().await.once().await.unwrap().changed, 0);
        assert_eq!(house.held("olga", "chat").await.unwrap(), again);
        house.leave().await;
    });
}

#[test]
fn guardrails_conflicts_and_the_freeze_switch_stand_before_it() {
    on_both("birthright_forbidden", |house: House| async move {
        let mut files = with_chat("ops");
        files.extend([group("vault", &always("team:ops")).clone(), group("hand", &always("team:ops"))]);
        let restricted = String::from_utf8(files["groups/vault.toml"].clone()).unwrap().replace("internal", "restricted");
        files.insert("groups/vault.toml".to_owned(), restricted.into_bytes());
        files.insert("conflicts.toml".to_owned(), "[[conflict]]\ngroups = [\"hand\", \"left-hand\"]\nreason = \"one hand only\"\n".into());
        house.ask_for("ann", "left-hand", "1d").await.unwrap();
        house.run("ada", Command::Freeze { on: true, reason: "drill".to_owned() }).await.unwrap();
        house.load(files).await;
        let mut reviewer = house.pass_over().await;
        assert!(house.held("max", "chat").await.is_none(), "nothing begins while it is on");
        house.run("ada", Command::Freeze { on: false, reason: "over".to_owned() }).await.unwrap();
        assert_eq!(reviewer.once().await.unwrap().begun, 3 + 2 + 2, "noticed by the switch itself");
        assert!(house.held("bob", "vault").await.is_none(), "contractors hold nothing restricted");
        assert!(house.held("ann", "hand").await.is_none(), "she holds the other hand");
        assert!(house.held("max", "vault").await.is_some());
        house.import(&PEOPLE.replacen("team = \"ops\"\nemployment = \"permanent\"", "team = \"ops\"\nemployment = \"contractor\"", 1)).await;
        whole(&mut reviewer).await;
        assert!(house.held("max", "vault").await.is_none(), "a guardrail ends it at once");
        // What stood in the way is given back, and what it stood before begins.
        let hand = house.held("ann", "left-hand").await.unwrap();
        house.run("ann", Command::Revoke { grant: hand.id, reason: None }).await.unwrap();
        assert_eq!(whole(&mut reviewer).await.begun, 1);
        assert!(house.held("ann", "hand").await.is_some());
        house.leave().await;
    });
}

#[test]
fn one_leads_to_another_and_an_owner_is_told_before_many_end() {
    on_both("birthright_leads", |house: House| async move {
        let mut files = with_chat("ops");
        files.extend([group("emoji", &always("group:chat"))]);
        house.load(files.clone()).await;
        let mut reviewer = house.reviewer(0.1);
        assert_eq!(whole(&mut reviewer).await.begun, 3);
        assert_eq!(reviewer.once().await.unwrap().begun, 3, "what chat leads to, noticed by its beginning");
        files.extend([group("chat", &always("team:admins"))]);
        house.load(files).await;
        let passed = whole(&mut reviewer).await;
        assert_eq!((passed.waiting, passed.begun), (0, 1), "three are few");
        assert_eq!(house.held("ann", "chat").await.unwrap().standing.unwrap().fate, Fate::Ending);
        let grant = house.held("ann", "emoji").await.unwrap();
        assert_eq!(grant.status, GrantStatus::Active);
        house.leave().await;
    });
}

#[test]
fn two_replicas_that_decide_at_once_begin_and_end_each_once() {
    on_both("birthright_replicas", |house: House| async move {
        // A SQLite file has one process.
        if house.has_own_clock() {
            return house.leave().await;
        }
        let other = House::core(&house.settings, &house.now).await;
        let mut all = with_chat("ops");
        for n in 0..20 {
            all.extend([group(&format!("more-{n:02}"), &always("team:ops"))]);
        }
        house.load(all).await;
        let both = || async {
            let mut here = house.reviewer(1.0);
            let mut there = Reviewer::new(other.ledger.clone(), other.reader.clone(), 1.0);
            // The other learns of what is in force by the first batch that it tries.
            let (one, two) = tokio::join!(here.once(), there.once());
            (one.unwrap(), two.unwrap())
        };
        both().await;
        let (one, two) = both().await;
        assert_eq!((one.begun, two.begun), (0, 0), "all of it was begun the first time");
        let held = house.core.reader.live_grants_of("ann".parse().unwrap()).await.unwrap();
        assert_eq!(held.len(), 21);
        house.import(&ann_in("admins")).await;
        both().await;
        let (one, two) = both().await;
        assert_eq!((one.changed, two.changed), (0, 0));
        let events = house.since(0).await;
        let of = |kind: &str, person: &str| events.iter().filter(|(k, p)| k == kind && p == person).count();
        assert_eq!((of("grant.birthright", "ann"), of("grant.ending", "ann")), (21, 21), "each once, whoever was first");
        other.close().await;
        house.leave().await;
    });
}
