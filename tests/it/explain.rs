//! Explanations in the running ledger: what is recorded, and suggestions that keep their promise where blocks and approvers count.

use bandpass::domain::{
    command::{Answer, Command},
    decision::{Decision, Effect, Remedy, Suggestion},
    event::Personal,
    explanation::{Holds, Part, RuleOutcome},
    id::GroupId,
    request::{Request, RequestStatus},
};

use crate::house::{House, files, on_both};

async fn decided(house: &House, person: &str, group: &str, duration: &str) -> (Request, Decision) {
    let command = Command::Submit { person: person.parse().unwrap(), group: group.parse().unwrap(), duration: Some(duration.parse().unwrap()), justification: None };
    match house.run(person, command).await.unwrap() {
        Answer::Request { request, decision, .. } => (request, decision),
        other => panic!("{other:?}"),
    }
}

/// What the log says about a request's decision, and how long that text is.
async fn recorded(house: &House, request: &Request) -> (Personal, usize) {
    let row = house.core.reader.audit_event(request.filed_seq).await.unwrap().unwrap();
    let text = row.personal.unwrap();
    (serde_json::from_str(&text).unwrap(), text.len())
}

fn promised(decision: &Decision, fits: impl Fn(&Remedy) -> bool) -> Suggestion {
    decision.suggestions.iter().find(|s| fits(&s.remedy)).unwrap_or_else(|| panic!("{:#?}", decision.suggestions)).clone()
}

async fn ledger(house: House) {
    // A grant records its reasons alone, so that its row stays small.
    let (request, decision) = decided(&house, "ann", "instant", "8h").await;
    assert_eq!((decision.effect, &decision.explanation), (Effect::Grant, &None));
    let (personal, length) = recorded(&house, &request).await;
    assert_eq!(personal.decision.as_ref(), Some(&decision));
    assert!(length < 1000, "{length} bytes beside a grant");

    // Too long: the shorter time is granted, as it was said.
    let (request, decision) = decided(&house, "max", "instant", "90d").await;
    let (personal, _) = recorded(&house, &request).await;
    assert_eq!(personal.decision.as_ref(), Some(&decision), "the answer and the log say the same");
    assert_eq!(decision.explanation.as_ref().unwrap().rules[0].outcome, RuleOutcome::TooShort);
    let shorter = promised(&decision, |r| matches!(r, Remedy::ShorterDuration { .. }));
    let Remedy::ShorterDuration { duration } = shorter.remedy else { panic!() };
    assert_eq!(decided(&house, "max", "instant", &duration.to_string()).await.1.effect, shorter.effect.unwrap());

    // A conflict: what stands in the way is given back, and the answer is the promised one.
    let (held, _) = decided(&house, "max", "left-hand", "8h").await;
    assert_eq!(held.status, RequestStatus::Granted);
    let (_, decision) = decided(&house, "max", "right-hand", "8h").await;
    let explanation = decision.explanation.as_ref().unwrap();
    assert_eq!((explanation.conflicts[0].held.len(), explanation.rules[0].outcome), (1, RuleOutcome::Overruled));
    let give_up = promised(&decision, |r| matches!(r, Remedy::GiveUp { .. }));
    assert_eq!(give_up.effect, Some(Effect::Approve));
    let held: GroupId = "left-hand".parse().unwrap();
    let grants = house.core.reader.live_grants_of("max".parse().unwrap()).await.unwrap();
    let grant = grants.iter().find(|g| g.group == held).unwrap().id;
    house.run("max", Command::Revoke { grant, reason: None }).await.unwrap();
    let (waiting, decision) = decided(&house, "max", "right-hand", "8h").await;
    assert_eq!(decision.effect, Effect::Approve);
    // What is put before people is recorded with its reasoning, too.
    let (personal, _) = recorded(&house, &waiting).await;
    let rule = &personal.decision.unwrap().explanation.unwrap().rules[0];
    assert!(rule.conditions.iter().any(|c| c.part == Part::Stage && c.holds == Holds::Asked), "{rule:#?}");

    // Another group that opens the same, and a request for it that waits already is no way out.
    let (_, decision) = decided(&house, "ann", "instant", "90d").await;
    assert!(!decision.suggestions.iter().any(|s| matches!(s.remedy, Remedy::OtherGroup { .. })), "`also` gives no more time: {:#?}", decision.suggestions);

    // Two must agree, and only Omar could: nothing that would only lead there is suggested, and the stage says so.
    let (_, decision) = decided(&house, "olga", "twice", "1d").await;
    let rule = &decision.explanation.as_ref().unwrap().rules[0];
    let stage = rule.conditions.iter().find(|c| c.part == Part::Stage).unwrap();
    assert_eq!((rule.outcome, stage.holds), (RuleOutcome::Overruled, Holds::No), "{rule:#?}");
    assert_eq!(decision.suggestions, vec![], "policy alone would promise an approval for less time");

    // While new grants are stopped no shorter time helps either.
    house.run("ada", Command::Freeze { on: true, reason: "drill".to_owned() }).await.unwrap();
    let (_, decision) = decided(&house, "bob", "instant", "90d").await;
    assert_eq!((decision.effect, decision.suggestions), (Effect::Deny, vec![]));
    house.run("ada", Command::Freeze { on: false, reason: "over".to_owned() }).await.unwrap();

    // A denial at the last vote tells the copied rule and what forbids today.
    let (request, _) = decided(&house, "bob", "asked", "1d").await;
    let mut strict = files();
    let guardrail = "@id(\"nobody\")\n@reason(\"closed\")\nforbid (principal, action, resource)\nwhen { resource.id == \"asked\" };\n";
    strict.insert("guardrails/strict.cedar".to_owned(), guardrail.into());
    house.load(strict).await;
    let Answer::Request { request, decision, .. } = house.run("olga", Command::Approve { request: request.id, comment: None }).await.unwrap() else { panic!() };
    assert_eq!(request.status, RequestStatus::Denied);
    let explanation = decision.explanation.unwrap();
    assert_eq!((explanation.rules.len(), explanation.rules[0].outcome), (1, RuleOutcome::Overruled));
    house.leave().await;
}

#[test]
fn what_is_told_is_recorded_and_holds() {
    on_both("explained", ledger);
}

/// What the version before explanations wrote: its sentences and suggestions are told differently now.
#[test]
fn decisions_of_the_version_before_read_and_replay() {
    let old = r#"{"effect":"deny","justification":"none","reasons":[{"kind":"rule_duration","rule":"ops","text":"gives 30 days at most"},{"kind":"no_rule","text":"No rule allows it"}],
        "guardrails":[],"guardrails_evaluated":1,"policy_revision":"00","suggestions":[
        {"kind":"shorter_duration","duration":"30d","effect":"grant","text":"Ask for 30 days or less and you have it at once"},
        {"kind":"give_up","group":"left-hand","text":"Give back left-hand first and you have it at once"},
        {"kind":"membership","who":"team:ops","effect":"grant","text":"Team ops has it at once"},
        {"kind":"fix","text":"Ask."}]}"#;
    let read: Decision = serde_json::from_str(old).unwrap();
    assert_eq!(read.suggestions.len(), 4);
    assert_eq!(read.suggestions[0].effect, Some(Effect::Grant));
    assert_eq!((&read.suggestions[1].remedy, read.suggestions[1].effect), (&Remedy::GiveUp { group: "left-hand".parse().unwrap(), and: vec![] }, None));
    let again: Decision = serde_json::from_str(&serde_json::to_string(&read).unwrap()).unwrap();
    assert_eq!(again, read);
}
