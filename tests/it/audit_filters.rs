//! Every combination of filters finds what a look at every event finds, page by page, on both databases.

use bandpass::{
    domain::{command::Command, event::Change},
    store::read::{AuditFilter, AuditRow, Page},
};

use crate::house::{House, on_both};

async fn fill(house: &House) {
    for group in ["instant", "also", "reasoned", "secret"] {
        let _ = house.ask_for("ann", group, "8h").await;
        let _ = house.ask_for("bob", group, "8h").await;
        house.pass(3600);
    }
    for (person, group) in [("ann", "asked"), ("max", "asked"), ("ann", "twice"), ("bob", "staged")] {
        let (request, _) = house.ask_for(person, group, "1d").await.unwrap();
        house.pass(60);
        house.approve("olga", &request).await.ok();
        house.approve("max", &request).await.ok();
    }
    let (request, _) = house.ask_for("bob", "asked", "1d").await.unwrap();
    house.run("olga", Command::Deny { request: request.id, reason: "no".to_owned() }).await.unwrap();
    let (request, _) = house.ask_for("ada", "asked", "1d").await.unwrap();
    house.run("ada", Command::Withdraw { request: request.id }).await.unwrap();
}

/// What the filter means, said once more and slowly.
fn fits(filter: &AuditFilter, row: &AuditRow) -> bool {
    let person = filter.person.as_ref().is_none_or(|p| row.index.person.as_ref() == Some(p) || row.actor == format!("person:{p}"));
    let kind = filter.kind.as_deref().is_none_or(|k| row.kind == k || (k.ends_with('.') && row.kind.starts_with(k)));
    person
        && kind
        && filter.group.as_ref().is_none_or(|g| row.index.group.as_ref() == Some(g))
        && filter.outcome.as_deref().is_none_or(|o| row.outcome == o)
        && filter.request.is_none_or(|r| row.index.request == Some(r))
        && filter.from.is_none_or(|t| row.at >= t)
        && filter.to.is_none_or(|t| row.at < t)
}

async fn pages(house: &House, filter: &AuditFilter, limit: u16) -> Vec<i64> {
    let (mut before, mut found) = (None, Vec::new());
    loop {
        let page = house.core.reader.audit(filter.clone(), Page { before, limit }).await.unwrap();
        assert!(page.items.len() <= usize::from(limit));
        found.extend(page.items.iter().map(|row| row.seq));
        before = page.next;
        if before.is_none() {
            return found;
        }
    }
}

#[test]
fn filters_find_what_a_look_at_every_event_finds() {
    on_both("filters", |house: House| async move {
        fill(&house).await;
        let all = house.core.reader.audit(AuditFilter::default(), Page { before: None, limit: 1000 }).await.unwrap().items;
        assert_eq!(all.len(), usize::try_from(house.core.reader.head().await.unwrap().seq).unwrap(), "one page holds all");
        let people = [None, Some("ann"), Some("olga")];
        let groups = [None, Some("asked"), Some("secret")];
        let kinds = [None, Some("request.granted"), Some("request."), Some("policy.loaded"), Some("delivery.done")];
        let outcomes = [None, Some("granted"), Some("denied"), Some("done"), Some("failing")];
        let requests = [None, all.iter().find_map(|row| row.index.request)];
        let instant = |share: usize| Some(all[all.len() * share / 4].at);
        let times = [(None, None), (instant(3), instant(1)), (instant(1), None), (None, instant(2))];
        let (mut asked, mut found) = (0, 0);
        for person in people {
            for group in groups {
                for kind in kinds {
                    for outcome in outcomes {
                        for request in requests {
                            for (from, to) in times {
                                let text = |t: Option<&str>| t.map(str::to_owned);
                                let (person, group) = (person.map(|p| p.parse().unwrap()), group.map(|g| g.parse().unwrap()));
                                let filter = AuditFilter { person, group, kind: text(kind), outcome: text(outcome), request, from, to, text: None };
                                let expected: Vec<i64> = all.iter().filter(|row| fits(&filter, row)).map(|row| row.seq).collect();
                                assert_eq!(pages(&house, &filter, 7).await, expected, "{filter:?}");
                                asked += 1;
                                found += usize::from(!expected.is_empty());
                            }
                        }
                    }
                }
            }
        }
        assert!(found > asked / 30, "{found} of {asked} filters found something");
        assert!(all.iter().all(|row| Change::KINDS.contains(&row.kind.as_str())));
        println!("{}: {asked} filters, {found} of them found something", house.database.title());
        house.leave().await;
    });
}
