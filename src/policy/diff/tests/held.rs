//! What an edit does to live grants, to requests in flight, to conflicts and to stages.

use super::{super::{Fate, HeldGrant, RequestFate}, *};
use crate::domain::{
    grant::{Grant, GrantStatus, Provenance},
    id::{GrantId, PersonId, RequestId},
    request::{Request, RequestStatus},
};

fn person(n: usize) -> PersonId {
    format!("p{n}").parse().unwrap()
}

fn request(n: u128, of: usize, group: &str, hours: u32, set: &PolicySet) -> Request {
    let group: GroupId = group.parse().unwrap();
    Request {
        id: RequestId(uuid::Uuid::from_u128(n)),
        person: person(of),
        filed_by: person(of),
        rule: set.group(group.as_str()).and_then(|g| g.rules.first()).cloned(),
        group,
        incarnation: 1,
        duration: Duration::hours(hours).unwrap(),
        justified: true,
        submitted_at: NOW,
        status: RequestStatus::Pending,
        policy_revision: set.revision().clone(),
        stage: 0,
        stage_since: NOW,
        deadline: None,
        decided_at: None,
        filed_seq: 1,
        decided_seq: None,
    }
}

fn held(n: u128, of: usize, group: &str, approvers: Option<&[usize]>, set: &PolicySet) -> HeldGrant {
    let request = request(n, of, group, 8, set);
    let grant = Grant {
        id: GrantId(uuid::Uuid::from_u128(n)),
        person: request.person.clone(),
        group: request.group.clone(),
        incarnation: 1,
        request: Some(request.id),
        rule: "r".to_owned(),
        duration: request.duration,
        provenance: Provenance::Request,
        entitlements: Vec::new(),
        starts_at: NOW,
        ends_at: NOW.plus(request.duration),
        status: GrantStatus::Active,
        ended_at: None,
        granted_seq: 1,
        ended_seq: None,
        standing: None,
    };
    HeldGrant { grant, request: Some(request), approvers: approvers.map(|all| all.iter().map(|n| person(*n)).collect()) }
}

fn holdings(grants: &[HeldGrant]) -> Holdings {
    let mut holdings = Holdings::new();
    for held in grants {
        holdings.entry(held.grant.person.clone()).or_default().insert(held.grant.group.clone());
    }
    holdings
}

fn with(before: &Arc<PolicySet>, after: &Arc<PolicySet>, grants: &[HeldGrant], pending: &[Request]) -> Diff {
    let people = people();
    let subjects: Vec<Subject<'_>> = people.iter().map(|(person, teams)| Subject { person, teams }).collect();
    diff(&Inputs { before, after, subjects: &subjects, holdings: &holdings(grants), grants, pending, at: NOW })
}

/// Person, group and fate of each grant that would not simply stand, and the reason.
fn told(diff: &Diff) -> Vec<(String, Fate, String)> {
    diff.grants.iter().map(|g| (format!("{} {}", g.person, g.group), g.fate, g.reason.clone())).collect()
}

const APPROVE: &str = "[[rule]]\nname = \"r\"\nwho = [\"everyone\"]\nthen = \"approve\"\nfor = \"30d\"\n[[rule.stage]]\nfrom = [\"team:owners\"]\n";

#[test]
fn a_grant_whose_rule_is_gone_ends_or_is_flagged_as_the_group_says() {
    let other = GRANT.replace("team:ops", "team:admins");
    let before = set(&[("groups/a.toml", &group("internal", GRANT)), ("groups/b.toml", &group("internal", &format!("on_change = \"flag\"\n{GRANT}")))]);
    let after = set(&[("groups/a.toml", &group("internal", &other)), ("groups/b.toml", &group("internal", &format!("on_change = \"flag\"\n{other}")))]);
    let found = with(&before, &after, &[held(1, 1, "a", None, &before), held(2, 4, "b", None, &before)], &[]);
    let gone = "no rule gives it any more".to_owned();
    assert_eq!(told(&found), [("p1 a".to_owned(), Fate::Ends, gone.clone()), ("p4 b".to_owned(), Fate::Flagged, gone)]);
    assert!(FailOn::EndsGrants.happens(&found));
    let back = with(&after, &before, &[held(1, 1, "a", None, &after)], &[]);
    assert_eq!((told(&back), back.standing_by_neither, FailOn::EndsGrants.happens(&back)), (vec![], 0, false));
}

#[test]
fn a_guardrail_ends_at_once_and_a_shorter_rule_ends_what_was_asked_for_longer() {
    let rules = group("restricted", GRANT);
    let before = set(&[("groups/a.toml", &rules)]);
    let guard = "@id(\"g\")\n@reason(\"No contractors.\")\nforbid (principal, action, resource)\nwhen { principal.employment == \"contractor\" };\n";
    let after = set(&[("groups/a.toml", &rules), ("guardrails/g.cedar", guard)]);
    // p1 and p7 are permanent, p4 and p10 contractors; all are of team ops.
    let grants = [held(1, 1, "a", None, &before), held(2, 4, "a", None, &before)];
    assert_eq!(told(&with(&before, &after, &grants, &[])), [("p4 a".to_owned(), Fate::EndsAtOnce, "No contractors.".to_owned())]);
    let shorter = set(&[("groups/a.toml", &group("restricted", &GRANT.replace("30d", "4h")))]);
    assert_eq!(told(&with(&before, &shorter, &grants, &[])).iter().map(|t| t.1).collect::<Vec<_>>(), [Fate::Ends, Fate::Ends], "8 hours were asked for");
    let enough = set(&[("groups/a.toml", &group("restricted", &GRANT.replace("30d", "8h")))]);
    assert_eq!(told(&with(&before, &enough, &grants, &[])), []);
}

#[test]
fn approvals_that_were_given_count_when_they_fill_the_new_stages() {
    let before = set(&[("groups/a.toml", &group("internal", APPROVE))]);
    let two = set(&[("groups/a.toml", &group("internal", &format!("{APPROVE}need = 2\n")))]);
    let moved = set(&[("groups/a.toml", &group("internal", &APPROVE.replace("team:owners", "team:admins")))]);
    // p2 and p5 are of team owners.
    let grants = |approvers: Option<&[usize]>| [held(1, 1, "a", approvers, &before)];
    assert_eq!(told(&with(&before, &two, &grants(Some(&[2, 5])), &[])), []);
    assert_eq!(told(&with(&before, &two, &grants(Some(&[2])), &[]))[0].1, Fate::Ends);
    assert_eq!(told(&with(&before, &moved, &grants(Some(&[2, 5])), &[]))[0].1, Fate::Ends);
    assert_eq!(told(&with(&before, &two, &grants(None), &[]))[0].1, Fate::DecidedAgain, "nobody knows here who approved");
}

#[test]
fn a_vanished_group_ends_its_grants_and_one_with_a_new_name_carries_them() {
    let before = set(&[("groups/a.toml", &group("internal", GRANT)), ("groups/b.toml", &group("internal", GRANT))]);
    let gone = set(&[("groups/b.toml", &group("internal", GRANT))]);
    let renamed = set(&[("groups/c.toml", &group("internal", &format!("formerly = [\"a\"]\n{GRANT}"))), ("groups/b.toml", &group("internal", GRANT))]);
    let grants = [held(1, 1, "a", None, &before)];
    assert_eq!(told(&with(&before, &gone, &grants, &[])), [("p1 a".to_owned(), Fate::Ends, "the group is gone".to_owned())]);
    assert_eq!(told(&with(&before, &renamed, &grants, &[])), []);
}

#[test]
fn requests_in_flight_that_come_out_otherwise_are_listed() {
    let before = set(&[("groups/a.toml", &group("internal", APPROVE)), ("groups/b.toml", &group("internal", APPROVE))]);
    let guard = "@id(\"g\")\n@reason(\"Not b.\")\nforbid (principal, action, resource)\nwhen { resource.id == \"b\" };\n";
    let ops_at_once = format!("{GRANT}{}", APPROVE.replace("\"r\"", "\"r2\""));
    let after = set(&[("groups/a.toml", &group("internal", &ops_at_once)), ("groups/b.toml", &group("internal", APPROVE)), ("guardrails/g.cedar", guard)]);
    let pending = [request(1, 1, "a", 8, &before), request(2, 2, "a", 8, &before), request(3, 1, "b", 8, &before)];
    let of = |diff: &Diff| diff.requests.iter().map(|r| (format!("{} {}", r.person, r.group), r.fate, r.reason.clone())).collect::<Vec<_>>();
    let found = with(&before, &after, &[], &pending);
    assert_eq!(of(&found), [
        ("p1 a".to_owned(), RequestFate::InstantIfAskedAgain, "a rule gives it at once now".to_owned()),
        ("p1 b".to_owned(), RequestFate::Denied, "Not b.".to_owned()),
    ]);
    let back = with(&after, &before, &[], &pending[2..]);
    assert_eq!(of(&back), [("p1 b".to_owned(), RequestFate::NoLongerDenied, "Not b.".to_owned())]);
    let gone = set(&[("groups/b.toml", &group("internal", APPROVE))]);
    assert_eq!(of(&with(&before, &gone, &[], &pending[..1])), [("p1 a".to_owned(), RequestFate::Denied, "the group is gone".to_owned())]);
}

#[test]
fn a_conflict_names_those_who_hold_both_and_a_stage_says_how_many_can_answer() {
    let rules = [("groups/a.toml", group("internal", GRANT)), ("groups/b.toml", group("internal", GRANT))];
    let files: Vec<(&str, &str)> = rules.iter().map(|(p, t)| (*p, t.as_str())).collect();
    let before = set(&files);
    let conflict = "[[conflict]]\ngroups = [\"a\", \"b\"]\nreason = \"Apart.\"\n";
    let after = set(&[files.as_slice(), &[("conflicts.toml", conflict)]].concat());
    let grants = [held(1, 1, "a", None, &before), held(2, 1, "b", None, &before), held(3, 4, "a", None, &before)];
    let text = super::super::text::text(&with(&before, &after, &grants, &[]));
    assert!(text.contains("Apart.") && text.contains("Person 1") && !text.contains("Person 4 "), "{text}");
    // Four people are of team owners.
    let five = set(&[("groups/a.toml", &group("internal", &format!("{APPROVE}need = 5\n"))), ("groups/b.toml", &rules[1].1)]);
    let found = with(&before, &five, &[], &[]);
    let stages: Vec<_> = found.empty_stages.iter().map(|s| (s.group.to_string(), s.stage, s.from.as_str(), s.need, s.eligible)).collect();
    assert_eq!(stages, [("a".to_owned(), 1, "team:owners", 5, 4)]);
    assert!(FailOn::EmptyStages.happens(&found));
}

#[test]
fn what_comes_without_asking_is_told_as_held_and_kept_by_such_a_rule_alone() {
    let always = "[[rule]]\nname = \"r\"\nwho = [\"team:ops\"]\nthen = \"always\"\n";
    let before = set(&[("groups/a.toml", &group("internal", GRANT))]);
    let after = set(&[("groups/a.toml", &group("internal", always))]);
    let asked = held(1, 1, "a", None, &before);
    let found = with(&before, &after, std::slice::from_ref(&asked), &[]);
    assert_eq!(told(&found), vec![], "what was asked for goes on");
    let moved = &found.groups[0].moves[0];
    assert_eq!((moved.direction, moved.people.len(), moved.after.in_words(true)), (Direction::Gains, 4, "held without asking".to_owned()));
    assert!(super::super::text::text(&found).contains("at once up to 30 days → held without asking"), "{}", super::super::text::text(&found));
    let mine = Grant { provenance: Provenance::Birthright, request: None, ends_at: Time::OPEN, duration: Duration::MAX, ..asked.grant };
    let mine = HeldGrant { grant: mine, request: None, approvers: None };
    let back = with(&after, &before, std::slice::from_ref(&mine), &[]);
    assert_eq!(told(&back), [("p1 a".to_owned(), Fate::Ends, "no rule gives it any more".to_owned())]);
    assert_eq!(back.groups[0].moves[0].direction, Direction::Loses);
    let same = with(&after, &set(&[("groups/a.toml", &group("internal", &format!("{always}{}", GRANT.replace("\"r\"", "\"s\"")))) ]), &[mine], &[]);
    assert_eq!(told(&same), vec![], "it is kept");
}
