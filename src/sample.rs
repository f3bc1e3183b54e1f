//! A few dozen requests of sample people at a first start, through the real path, so that no page is empty.

use crate::{
    domain::{
        actor::Actor,
        command::{Answer, Command, Envelope},
        id::{CommandId, GroupId, PersonId},
        request::{Request, RequestStatus},
    },
    ledger::{Ledger, fresh_id},
    settings::Settings,
};

const REASONS: &[&str] = &[
    "Quarterly numbers for the Hamburg terminal",
    "Following up on a lost container",
    "Month end",
    "Helping the night shift this week",
    "Checking a claim with the customer",
    "New dashboard for dispatch",
];

async fn act(ledger: &Ledger, person: &PersonId, command: Command) -> Option<Answer> {
    let envelope = Envelope { id: CommandId(fresh_id()), actor: Actor::person(person), command, idempotency: None };
    ledger.execute(envelope).await.ok()?.answer.ok()
}

/// Files requests of the featured people and some of their colleagues, and lets owners answer some of them. What the
/// policy refuses stays refused: the sample shows that too.
pub async fn file_requests(ledger: &Ledger, settings: &Settings) {
    let snapshot = ledger.snapshot();
    let mut people: Vec<PersonId> = settings.signin.featured.iter().filter(|p| snapshot.directory.person(p.as_str()).is_some()).cloned().collect();
    if people.is_empty() {
        return;
    }
    people.extend(snapshot.directory.people().keys().step_by(9).cloned());
    let groups: Vec<GroupId> = snapshot.policy.set().groups().keys().cloned().collect();
    let mut pending: Vec<Request> = Vec::new();
    for (number, person) in people.iter().enumerate() {
        for turn in 0..3_usize {
            let Some(group) = groups.get((number * 7 + turn * 11) % groups.len().max(1)) else { continue };
            let reason = REASONS.get((number + turn) % REASONS.len()).map(|r| (*r).to_owned());
            let command = Command::Submit { person: person.clone(), group: group.clone(), duration: None, justification: reason };
            if let Some(Answer::Request { request, .. }) = act(ledger, person, command).await
                && request.status == RequestStatus::Pending
            {
                pending.push(request);
            }
        }
    }
    for (number, request) in pending.iter().enumerate() {
        if number % 3 == 0 {
            continue;
        }
        let preview = ledger.approvers_of(request).await.unwrap_or_default();
        let Some(approver) = preview.first() else { continue };
        let command = match number % 6 {
            5 => Command::Deny { request: request.id, reason: "Please ask for the read-only group instead".to_owned() },
            _ => Command::Approve { request: request.id, comment: None },
        };
        act(ledger, approver, command).await;
    }
}
