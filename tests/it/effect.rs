//! What becomes of what is held when policy, people or holdings change, on both databases.

use std::collections::BTreeMap;

use bandpass::{
    domain::{
        actor::Actor,
        command::{Answer, Command, Envelope},
        commit::Commit,
        id::CommandId,
        grant::{Grant, GrantStatus},
        refusal::Refusal,
        request::RequestStatus::{Granted, Pending},
        standing::{Cause, Fate, HeldState},
        time::Time,
    },
    jobs::reconsider::Passed,
    ledger::fresh_id,
    store::read::{AuditFilter, Page},
};

use crate::house::{House, PEOPLE, files, on_both};

type Files = BTreeMap<String, Vec<u8>>;

/// The policy with the text of one file changed.
fn with(mut files: Files, path: &str, from: &str, to: &str) -> Files {
    let text = String::from_utf8(files[path].clone()).unwrap();
    assert!(text.contains(from), "{path} does not hold {from}");
    files.insert(path.to_owned(), text.replace(from, to).into_bytes());
    files
}

fn without_rule_for_ops(head: &str) -> Files {
    with(with(files(), "groups/instant.toml", "team:ops", "team:admins"), "groups/instant.toml", "sensitivity", &format!("{head}sensitivity"))
}

impl House {
    /// Decides everything again, as after a restart.
    async fn reconsider(&self) -> Passed {
        self.reviewer(1.0).once().await.unwrap()
    }

    async fn grant(&self, grant: &Grant) -> Grant {
        self.core.reader.grant(grant.id).await.unwrap().unwrap()
    }

    /// Kinds of the events about a grant, oldest first.
    async fn story(&self, grant: &Grant) -> Vec<String> {
        let filter = AuditFilter { person: Some(grant.person.clone()), kind: Some("grant.".to_owned()), ..AuditFilter::default() };
        let rows = self.core.reader.audit(filter, Page { before: None, limit: 100 }).await.unwrap().items;
        rows.iter().rev().filter(|r| r.index.grant == Some(grant.id)).map(|r| r.kind.clone()).collect()
    }

    async fn reason_of_newest(&self, kind: &str) -> String {
        let filter = AuditFilter { kind: Some(kind.to_owned()), ..AuditFilter::default() };
        let row = self.core.reader.audit(filter, Page { before: None, limit: 1 }).await.unwrap().items.remove(0);
        let personal: serde_json::Value = serde_json::from_str(&row.personal.unwrap()).unwrap();
        personal["reason"].as_str().unwrap_or_default().to_owned()
    }

    async fn expire_due(&self) -> usize {
        let due = self.core.reader.due_grants(self.core.ledger.now(), 100).await.unwrap();
        for grant in &due {
            self.core.ledger.act("expire", Command::ExpireGrant { grant: *grant }).await.unwrap().answer.unwrap();
        }
        due.len()
    }
}

#[test]
fn a_rule_removed_while_held_ends_the_grant_after_its_grace_also_over_a_restart() {
    on_both("effect_rule", |house: House| async move {
        let grant = house.ask_for("ann", "instant", "30d").await.unwrap().1.unwrap();
        assert_eq!(house.reconsider().await.changed, 0, "nothing changed");
        house.load(without_rule_for_ops("grace = \"12h\"\n")).await;
        assert_eq!(house.reconsider().await, Passed { decided: 1, changed: 1, waiting: 0, begun: 0 });
        assert_eq!(house.reconsider().await.changed, 0, "once is enough");
        let ending = house.grant(&grant).await;
        let standing = ending.standing.clone().unwrap();
        assert_eq!((standing.fate, standing.cause, standing.full_end), (Fate::Ending, Cause::NoRule { rule: "ops".to_owned() }, grant.ends_at));
        assert_eq!(ending.ends_at, standing.since.plus("12h".parse().unwrap()));
        let told = house.core.reader.notices("ann".parse().unwrap(), [].into(), Time::from_micros(0), 10).await.unwrap();
        assert_eq!(told.iter().map(|n| n.kind).collect::<Vec<_>>(), ["grant.ending"]);
        let owners = house.core.reader.notices("olga".parse().unwrap(), ["instant".parse().unwrap()].into(), Time::from_micros(0), 10).await.unwrap();
        assert_eq!(owners.len(), 1, "whoever owns the group is told as well");
        let house = house.restart().await;
        assert_eq!(house.reconsider().await.changed, 0);
        if house.has_own_clock() {
            house.pass(12 * 3600 - 1);
            assert_eq!(house.expire_due().await, 0, "not before its grace is over");
            house.pass(1);
            assert_eq!(house.expire_due().await, 1);
            assert_eq!(house.grant(&grant).await.status, GrantStatus::Expired);
            assert_eq!(house.reason_of_newest("grant.expired").await, "the rule \"ops\" that gave it no longer does, and no other rule does, and its grace is over");
            assert_eq!(house.story(&grant).await, ["grant.ending", "grant.expired"]);
            assert_eq!(house.ask_for("ann", "instant", "30d").await.unwrap().0.status, bandpass::domain::request::RequestStatus::Denied);
        }
        house.leave().await;
    });
}

#[test]
fn a_grant_that_stands_again_has_its_end_back_and_a_flagged_one_runs_on() {
    on_both("effect_kept", |house: House| async move {
        let grant = house.ask_for("ann", "instant", "30d").await.unwrap().1.unwrap();
        house.load(without_rule_for_ops("on_change = \"flag\"\n")).await;
        house.reconsider().await;
        let flagged = house.grant(&grant).await;
        assert_eq!((flagged.standing.as_ref().unwrap().fate, flagged.ends_at), (Fate::Flagged, grant.ends_at));
        house.load(without_rule_for_ops("")).await;
        house.reconsider().await;
        assert!(house.grant(&grant).await.ends_at < grant.ends_at, "the group does not only list it any more");
        house.load(files()).await;
        house.reconsider().await;
        let kept = house.grant(&grant).await;
        assert_eq!((kept.standing, kept.ends_at), (None, grant.ends_at));
        assert_eq!(house.story(&grant).await, ["grant.flagged", "grant.ending", "grant.kept"]);
        house.leave().await;
    });
}

#[test]
fn a_new_request_that_is_granted_takes_the_ending_back() {
    on_both("effect_again", |house: House| async move {
        let grant = house.ask_for("ann", "instant", "30d").await.unwrap().1.unwrap();
        house.load(with(files(), "groups/instant.toml", "\"30d\"", "\"7d\"")).await;
        house.reconsider().await;
        assert_eq!(house.grant(&grant).await.standing.unwrap().fate, Fate::Ending, "thirty days are given by no rule now");
        let again = house.ask_for("ann", "instant", "7d").await.unwrap().1.unwrap();
        assert_eq!((again.id, again.standing.is_none()), (grant.id, true));
        assert_eq!(house.reconsider().await.changed, 0);
        assert_eq!(house.grant(&grant).await, again);
        house.leave().await;
    });
}

#[test]
fn guardrails_and_leavers_end_at_once() {
    on_both("effect_at_once", |house: House| async move {
        let secret = house.ask_for("ann", "secret", "1d").await.unwrap().1.unwrap();
        let bobs = house.ask_for("bob", "instant", "8h").await.unwrap().1.unwrap();
        let guardrail = "@id(\"ops-never\")\n@reason(\"Operations hold nothing restricted.\")\nforbid (principal, action, resource)\nwhen { principal.team == \"ops\" && resource.sensitivity == \"restricted\" };\n";
        let mut changed = files();
        changed.insert("guardrails/more.cedar".to_owned(), guardrail.into());
        house.load(changed).await;
        // Nothing else may end unconfirmed, and yet these do.
        assert_eq!(house.reviewer(0.0).once().await.unwrap().changed, 1);
        let ended = house.grant(&secret).await;
        assert_eq!(ended.status, GrantStatus::Revoked);
        assert_eq!(house.reason_of_newest("grant.revoked").await, "the guardrail ops-never forbids it: Operations hold nothing restricted");
        house.load(files()).await;
        assert_eq!(house.ask_for("ann", "secret", "1d").await.unwrap().0.status, Granted, "nobody revoked it: no owner stands before the rules");
        let bob = PEOPLE.find("[[person]]\nid = \"bob\"").unwrap();
        let after = PEOPLE[bob..].find("[[person]]\nid = \"max\"").unwrap() + bob;
        house.import(&format!("{}{}", &PEOPLE[..bob], &PEOPLE[after..])).await;
        assert_eq!(house.grant(&bobs).await.status, GrantStatus::Revoked, "with the leaving itself");
        assert_eq!(house.reason_of_newest("grant.revoked").await, "the person has left");
        assert_eq!(house.reviewer(0.0).once().await.unwrap().changed, 0);
        let open = house.core.reader.open_deliveries(0, 100).await.unwrap();
        assert!(open.iter().any(|(_, d)| d.grant == Some(bobs.id) && d.action.as_str() == "remove"));
        house.leave().await;
    });
}

#[test]
fn a_guardrail_that_cannot_be_evaluated_ends_at_once_and_a_rule_after_its_grace() {
    on_both("effect_errors", |house: House| async move {
        let secret = house.ask_for("ann", "secret", "1d").await.unwrap().1.unwrap();
        let also = house.ask_for("ann", "also", "1d").await.unwrap().1.unwrap();
        // An addition that overflows: sound by the schema, and an error when it is evaluated.
        let overflow = "context.duration_hours + 9223372036854775807 > 0";
        let changed = with(files(), "groups/also.toml", "then = \"grant\"", &format!("when = '{overflow}'\nthen = \"grant\""));
        house.load(changed.clone()).await;
        house.reconsider().await;
        assert_eq!(house.grant(&also).await.standing.unwrap().cause, Cause::RuleFailed { rule: "ops".to_owned() });
        let mut changed = changed;
        let guardrail = format!("@id(\"odd\")\n@reason(\"odd\")\nforbid (principal, action, resource)\nwhen {{ resource.sensitivity == \"restricted\" && {overflow} }};\n");
        changed.insert("guardrails/more.cedar".to_owned(), guardrail.into_bytes());
        house.load(changed).await;
        house.reconsider().await;
        assert_eq!(house.grant(&secret).await.status, GrantStatus::Revoked);
        assert_eq!(house.grant(&also).await.status, GrantStatus::Active);
        house.leave().await;
    });
}

#[test]
fn a_mover_keeps_what_still_holds_and_loses_the_rest() {
    on_both("effect_mover", |house: House| async move {
        let instant = house.ask_for("ann", "instant", "8h").await.unwrap().1.unwrap();
        let (asked, _) = house.ask_for("ann", "asked", "7d").await.unwrap();
        assert_eq!(house.approve("olga", &asked).await.unwrap(), Granted);
        house.import(&PEOPLE.replacen("team = \"ops\"\nmanager = \"max\"\nemployment = \"permanent\"\naccounts", "team = \"admins\"\nmanager = \"ada\"\nemployment = \"permanent\"\naccounts", 1)).await;
        assert_eq!(house.reconsider().await.changed, 1);
        assert_eq!(house.grant(&instant).await.standing.unwrap().fate, Fate::Ending);
        let held = house.core.reader.live_grants_of("ann".parse().unwrap()).await.unwrap();
        assert!(held.iter().any(|g| g.group.as_str() == "asked" && g.standing.is_none()), "what an owner approved stands");
        house.leave().await;
    });
}

#[test]
fn approvals_given_count_for_what_is_asked_now() {
    on_both("effect_votes", |house: House| async move {
        let (asked, _) = house.ask_for("ann", "asked", "7d").await.unwrap();
        assert_eq!(house.approve("olga", &asked).await.unwrap(), Granted);
        let group = "groups/asked.toml";
        house.load(with(files(), group, "from = [\"owner\"]", "from = [\"person:olga\"]")).await;
        assert_eq!(house.reconsider().await.changed, 0, "olga has approved");
        house.load(with(files(), group, "from = [\"owner\"]", "from = [\"owner\"]\nneed = 2")).await;
        assert_eq!(house.reconsider().await.changed, 1, "two are wanted now");
        house.load(with(files(), group, "from = [\"owner\"]", "from = [\"person:omar\"]")).await;
        assert_eq!(house.reconsider().await.changed, 0, "omar has not");
        house.load(with(files(), group, "from = [\"owner\"]", "from = [\"owner\", \"person:ada\"]")).await;
        assert_eq!(house.reconsider().await.changed, 1, "more may approve: one of them has");
        house.leave().await;
    });
}

#[test]
fn a_conflict_that_appears_ends_the_younger_unless_it_says_which_to_keep() {
    on_both("effect_conflict", |house: House| async move {
        let older = house.ask_for("ann", "instant", "8h").await.unwrap().1.unwrap();
        let younger = house.ask_for("ann", "also", "8h").await.unwrap().1.unwrap();
        let conflict = |keep: &str| {
            let text = format!("\n[[conflict]]\ngroups = [\"instant\", \"also\"]\nreason = \"one reader is enough\"\n{keep}");
            let mut changed = files();
            changed.get_mut("conflicts.toml").unwrap().extend(text.into_bytes());
            changed
        };
        house.load(conflict("")).await;
        house.reconsider().await;
        assert_eq!(house.grant(&younger).await.standing.unwrap().cause, Cause::Conflict { with: "instant".parse().unwrap() });
        assert_eq!(house.grant(&older).await.standing, None);
        house.load(conflict("keep = \"also\"\n")).await;
        house.reconsider().await;
        assert_eq!(house.grant(&younger).await.standing, None);
        assert_eq!(house.grant(&older).await.standing.unwrap().cause, Cause::Conflict { with: "also".parse().unwrap() });
        house.run("ann", Command::Revoke { grant: younger.id, reason: None }).await.unwrap();
        house.reconsider().await;
        assert_eq!(house.grant(&older).await.standing, None, "the conflict is gone with the other");
        house.leave().await;
    });
}

#[test]
fn a_vanished_group_follows_what_it_said_last_and_a_recreated_one_inherits_nothing() {
    on_both("effect_vanished", |house: House| async move {
        let grant = house.ask_for("ann", "instant", "8h").await.unwrap().1.unwrap();
        let also = house.ask_for("ann", "also", "30d").await.unwrap().1.unwrap();
        house.load(with(with(files(), "groups/instant.toml", "sensitivity", "on_change = \"flag\"\nsensitivity"), "groups/also.toml", "sensitivity", "grace = \"2h\"\nsensitivity")).await;
        let mut changed = files();
        changed.remove("groups/instant.toml");
        changed.remove("groups/also.toml");
        house.load(changed).await;
        let house = house.restart().await;
        house.reconsider().await;
        let flagged = house.grant(&grant).await.standing.unwrap();
        assert_eq!((flagged.fate, flagged.cause), (Fate::Flagged, Cause::GroupGone));
        let ending = house.grant(&also).await;
        assert_eq!(ending.ends_at, ending.standing.unwrap().since.plus("2h".parse().unwrap()));
        house.load(files()).await;
        assert_eq!(house.reconsider().await.changed, 0, "another life of the group");
        assert_eq!(house.grant(&grant).await.standing.unwrap().cause, Cause::GroupGone);
        let again = house.ask_for("ann", "instant", "8h").await.unwrap().1.unwrap();
        assert_eq!((again.id, again.standing), (grant.id, None), "asked for again, it is of the new life");
        assert_eq!(house.reconsider().await.changed, 0);
        house.leave().await;
    });
}

#[test]
fn formerly_carries_grants_over() {
    on_both("effect_formerly", |house: House| async move {
        let anns = house.ask_for("ann", "instant", "8h").await.unwrap().1.unwrap();
        let maxs = house.ask_for("max", "instant", "8h").await.unwrap().1.unwrap();
        house.ask_for("max", "also", "8h").await.unwrap();
        let mut changed = files();
        let old = String::from_utf8(changed.remove("groups/instant.toml").unwrap()).unwrap();
        let new = old.replace("sensitivity", "formerly = [\"instant\"]\nsensitivity").replace("reader", "writer");
        changed.insert("groups/at-once.toml".to_owned(), new.into_bytes());
        house.load(changed).await;
        assert_eq!(house.reconsider().await.changed, 0, "they stand under the new name");
        let carried = house.grant(&anns).await;
        assert_eq!((carried.group.as_str(), carried.entitlements[0].name.as_str(), carried.ends_at), ("at-once", "writer", anns.ends_at));
        let deliveries = |grant| house.core.reader.deliveries_of_grant(grant);
        let told = |d: Vec<bandpass::domain::delivery::Delivery>| d.iter().map(|d| format!("{} {}", d.action.as_str(), d.entitlement.name)).collect::<Vec<_>>();
        assert_eq!(told(deliveries(anns.id).await.unwrap()), ["add reader", "remove reader", "add writer"]);
        assert_eq!(told(deliveries(maxs.id).await.unwrap()), ["add reader", "add writer"], "the other group brings it still");
        assert_eq!(house.ask_for("ann", "at-once", "2d").await.unwrap().1.unwrap().id, anns.id);
        house.leave().await;
    });
}

#[test]
fn losing_one_group_ends_what_hung_on_it() {
    on_both("effect_holdings", |house: House| async move {
        let mut changed = with(files(), "groups/also.toml", "who = [\"team:ops\"]", "who = [\"group:instant\"]");
        changed = with(changed, "groups/secret.toml", "then", "when = 'context.holds.contains(\"instant\")'\nthen");
        house.load(changed).await;
        let first = house.ask_for("ann", "instant", "8h").await.unwrap().1.unwrap();
        let by_who = house.ask_for("ann", "also", "8h").await.unwrap().1.unwrap();
        let by_when = house.ask_for("ann", "secret", "8h").await.unwrap().1.unwrap();
        let mut reviewer = house.reviewer(1.0);
        assert_eq!(reviewer.once().await.unwrap(), Passed { decided: 3, changed: 0, waiting: 0, begun: 0 });
        assert_eq!(reviewer.once().await.unwrap().decided, 0, "nothing happened");
        house.ask_for("bob", "left-hand", "1d").await.unwrap();
        assert_eq!(reviewer.once().await.unwrap().changed, 0);
        house.run("ann", Command::Revoke { grant: first.id, reason: None }).await.unwrap();
        assert_eq!(reviewer.once().await.unwrap(), Passed { decided: 2, changed: 2, waiting: 0, begun: 0 });
        assert_eq!(house.grant(&by_who).await.standing.unwrap().fate, Fate::Ending);
        assert_eq!(house.grant(&by_when).await.standing.unwrap().fate, Fate::Ending);
        house.ask_for("ann", "instant", "8h").await.unwrap();
        assert_eq!(reviewer.once().await.unwrap().changed, 2);
        assert_eq!(house.grant(&by_who).await.standing, None);
        house.leave().await;
    });
}

#[test]
fn what_one_change_ends_in_masses_waits_for_another_admin() {
    on_both("effect_mass", |house: House| async move {
        let two_admins = PEOPLE.replace("id = \"omar\"\nname = \"Omar\"\nteam = \"owners\"", "id = \"omar\"\nname = \"Omar\"\nteam = \"admins\"");
        let more: String = (0..8).map(|n| format!("[[person]]\nid = \"p{n}\"\nname = \"P{n}\"\nteam = \"ops\"\nemployment = \"permanent\"\n")).collect();
        house.import(&format!("{two_admins}{more}")).await;
        let mut grants = Vec::new();
        for n in 0..8 {
            grants.push(house.ask_for(&format!("p{n}"), "instant", "30d").await.unwrap().1.unwrap());
        }
        let mut reviewer = house.reviewer(0.2);
        reviewer.once().await.unwrap();
        house.load(without_rule_for_ops("")).await;
        assert_eq!(reviewer.once().await.unwrap(), Passed { decided: 8, changed: 0, waiting: 8, begun: 0 });
        let held = house.core.reader.newest_held_endings().await.unwrap().unwrap();
        assert_eq!((held.state, held.of.total(), held.of.live), (HeldState::Waiting, 8, 8));
        assert_eq!(house.grant(&grants[0]).await.standing, None, "nothing ends before it is confirmed");
        reviewer.forget();
        reviewer.once().await.unwrap();
        assert_eq!(house.core.reader.newest_held_endings().await.unwrap().unwrap().seq, held.seq, "held once");
        let confirm = |reason: &str| Command::ConfirmEndings { held: held.seq, reason: reason.to_owned() };
        assert!(matches!(house.run("olga", confirm("fine")).await.unwrap_err(), Refusal::NotAllowed { .. }), "an owner is no admin");
        assert!(matches!(house.run("ada", confirm(" ")).await.unwrap_err(), Refusal::Impossible { .. }), "why is mandatory");
        assert_eq!(house.run("ada", confirm("the team moves")).await.unwrap(), Answer::Done { changed: 1 });
        assert!(matches!(house.run("omar", confirm("late")).await.unwrap_err(), Refusal::Stale { .. }));
        let mut reviewer = house.reviewer(0.2);
        assert_eq!(reviewer.once().await.unwrap(), Passed { decided: 8, changed: 8, waiting: 0, begun: 0 });
        assert_eq!(house.grant(&grants[0]).await.standing.unwrap().fate, Fate::Ending);
        house.leave().await;
    });
}

#[test]
fn who_made_the_change_does_not_confirm_what_it_ends() {
    on_both("effect_author", |house: House| async move {
        let people = PEOPLE.replace("id = \"ada\"", "id = \"ada\"\nemail = \"ada@house.example\"").replace("id = \"omar\"\nname = \"Omar\"\nteam = \"owners\"", "id = \"omar\"\nname = \"Omar\"\nteam = \"admins\"");
        let more: String = (0..8).map(|n| format!("[[person]]\nid = \"p{n}\"\nname = \"P{n}\"\nteam = \"ops\"\nemployment = \"permanent\"\n")).collect();
        house.import(&format!("{people}{more}")).await;
        for n in 0..8 {
            house.ask_for(&format!("p{n}"), "instant", "30d").await.unwrap();
        }
        let files = without_rule_for_ops("");
        let ledger = &house.core.ledger;
        let set = bandpass::policy::check(&files, &ledger.known(), "UTC").set.unwrap();
        let commit = Commit { id: "a".repeat(40), author: "Ada".to_owned(), author_email: "Ada@house.example".to_owned(), subject: "less".to_owned() };
        let origin = ("repository".to_owned(), Some(commit));
        ledger.load_policy_over(ledger.revision(), Actor::system("policy"), set, files, origin, None).await.unwrap().answer.unwrap();
        assert_eq!(house.reviewer(0.2).once().await.unwrap().waiting, 8);
        let held = house.core.reader.newest_held_endings().await.unwrap().unwrap();
        assert_eq!(held.of.author.as_ref().map(|a| a.as_str()), Some("ada"));
        let confirm = || Command::ConfirmEndings { held: held.seq, reason: "it is right".to_owned() };
        assert!(matches!(house.run("ada", confirm()).await.unwrap_err(), Refusal::NotAllowed { .. }));
        let operator = Envelope { id: CommandId(fresh_id()), actor: Actor::Operator { user: "root".to_owned() }, command: confirm(), idempotency: None };
        assert!(matches!(ledger.execute(operator).await.unwrap().answer.unwrap_err(), Refusal::NotAllowed { .. }), "a person confirms");
        house.run("omar", confirm()).await.unwrap();
        assert_eq!(house.reviewer(0.2).once().await.unwrap().changed, 8);
        house.leave().await;
    });
}

#[test]
fn a_later_change_that_makes_held_endings_moot_withdraws_them() {
    on_both("effect_moot", |house: House| async move {
        let more: String = (0..8).map(|n| format!("[[person]]\nid = \"p{n}\"\nname = \"P{n}\"\nteam = \"ops\"\nemployment = \"permanent\"\n")).collect();
        house.import(&format!("{PEOPLE}{more}")).await;
        for n in 0..8 {
            house.ask_for(&format!("p{n}"), "instant", "30d").await.unwrap();
        }
        let mut reviewer = house.reviewer(0.2);
        house.load(without_rule_for_ops("")).await;
        assert_eq!(reviewer.once().await.unwrap().waiting, 8);
        house.load(files()).await;
        assert_eq!(reviewer.once().await.unwrap(), Passed { decided: 8, changed: 0, waiting: 0, begun: 0 });
        assert_eq!(house.core.reader.newest_held_endings().await.unwrap().unwrap().state, HeldState::Withdrawn);
        house.leave().await;
    });
}

#[test]
fn adopted_grants_stand_while_a_rule_would_approve_them() {
    on_both("effect_adopted", |house: House| async move {
        let adopted = match house.run("ada", Command::Adopt { person: "ann".parse().unwrap(), group: "asked".parse().unwrap() }).await.unwrap() {
            Answer::Grant { grant } => grant,
            other => panic!("{other:?}"),
        };
        assert_eq!(house.reconsider().await.changed, 0);
        assert_eq!(house.ask_for("bob", "asked", "1d").await.unwrap().0.status, Pending);
        house.load(with(files(), "groups/asked.toml", "who = [\"everyone\"]", "who = [\"team:admins\"]")).await;
        assert_eq!(house.reconsider().await.changed, 1);
        assert_eq!(house.grant(&adopted).await.standing.unwrap().fate, Fate::Ending);
        house.leave().await;
    });
}
