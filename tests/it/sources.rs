//! What several sources say of one person, without a database: who leaves, who comes back, and whose old word counts.

use std::{collections::BTreeMap, sync::Arc};

use bandpass::{
    directory::{Changed, Directory, merge::Precedence, plan::{Source, plan, plan_of}, tell::{Effect, Telling}},
    domain::{
        directory_change::DirectoryChange,
        person::{AttributeValue, Person, PersonStatus, Team},
        record::{Dates, PersonRecord, SourceName, TeamRecord},
    },
};

fn person(id: &str) -> Person {
    serde_json::from_value(serde_json::json!({ "id": id, "name": id })).unwrap()
}

fn source(people: impl IntoIterator<Item = Person>) -> Source {
    Source { people: people.into_iter().map(|p| (p.id.clone(), p)).collect(), teams: BTreeMap::new() }
}

fn scim(service: &str) -> SourceName {
    SourceName::stored(&format!("scim:{service}"))
}

fn record(source: &SourceName, person: Person) -> PersonRecord {
    PersonRecord::new(source.clone(), Arc::new(person), None, Dates::now(None))
}

/// The directory once changes are recorded.
fn after(directory: &Directory, changes: &[DirectoryChange], told: &bandpass::domain::directory_change::Told) -> Directory {
    let mut changed = Changed { person_records: told.people.clone(), team_records: told.teams.clone(), ..Changed::default() };
    for change in changes {
        match change {
            DirectoryChange::PersonAdded { person } | DirectoryChange::PersonChanged { person, .. } => changed.people.push(Person::clone(person)),
            DirectoryChange::PersonLeft { id } => changed.people.push(Person { status: PersonStatus::Left, ..Person::clone(directory.person(id.as_str()).unwrap()) }),
            DirectoryChange::TeamPut { team } => changed.teams.push(team.clone()),
            DirectoryChange::TeamGone { .. } => {}
        }
    }
    directory.with_changed(changed, directory.revision() + 1).0
}

fn says(directory: &Directory, record: PersonRecord) -> (Directory, Effect) {
    let precedence = Precedence::default();
    let mut telling = Telling::new(directory, &precedence);
    telling.person(record);
    let effect = telling.effect();
    (after(directory, &effect.changes, &effect.told), effect)
}

fn leavers(effect: &Effect) -> usize {
    effect.changes.iter().filter(|c| matches!(c, DirectoryChange::PersonLeft { .. })).count()
}

fn imported(directory: &Directory, source: &Source, name: &SourceName) -> Directory {
    let plan = plan_of(directory, source, name, &Precedence::default());
    after(directory, &plan.changes, &plan.told)
}

fn with_account(id: &str, account: &str) -> Person {
    Person { accounts: [("pg".parse().unwrap(), account.to_owned())].into(), ..person(id) }
}

fn in_team(id: &str, team: &str) -> Person {
    Person { teams: [team.parse().unwrap()].into(), ..person(id) }
}

#[test]
fn an_account_that_is_another_s_by_now_stops_nobody_s_leaving() {
    let okta = scim("okta");
    let files = imported(&Directory::default(), &source([with_account("a", "x")]), &SourceName::files());
    let (directory, effect) = says(&files, record(&okta, with_account("a", "y")));
    assert!(effect.refused.is_empty());
    let (directory, effect) = says(&directory, record(&okta, with_account("b", "x")));
    assert!(effect.refused.is_empty(), "it is free");
    let gone = directory.records().person(&okta, "a").unwrap().deleted();
    let (directory, effect) = says(&directory, gone);
    assert_eq!((effect.refused.len(), leavers(&effect)), (0, 1));
    // What they had when they left is nobody else's for ever.
    let (_, effect) = says(&directory, record(&okta, with_account("c", "y")));
    assert_eq!(effect.refused.len(), 1);
}

#[test]
fn one_account_is_not_given_to_two_people_who_come_together() {
    let two = source([with_account("a", "x"), with_account("b", "x")]);
    assert_eq!(plan(&Directory::default(), &two).refused.len(), 1);
    assert_eq!(plan_of(&Directory::default(), &two, &SourceName::catalog("main"), &Precedence::default()).refused.len(), 1);
    let apart = source([with_account("a", "x"), with_account("b", "y")]);
    assert!(plan(&Directory::default(), &apart).refused.is_empty());
}

#[test]
fn a_source_that_never_spoke_of_a_leaver_does_not_bring_them_back() {
    let files = SourceName::files();
    let here = imported(&Directory::default(), &source([person("a"), person("b")]), &files);
    let left = imported(&here, &source([person("b")]), &files);
    assert!(!left.person("a").unwrap().is_active());
    let catalog = plan_of(&left, &source([person("a"), person("b")]), &SourceName::catalog("main"), &Precedence::default());
    assert_eq!(catalog.left_out.iter().map(|id| id.as_str()).collect::<Vec<_>>(), ["a"]);
    assert!(!catalog.changes.iter().any(|c| matches!(c, DirectoryChange::PersonAdded { .. })));
    // The source that let them go may.
    assert!(imported(&left, &source([person("a"), person("b")]), &files).person("a").unwrap().is_active());
}

#[test]
fn what_a_source_took_away_does_not_come_back_from_an_older_one() {
    let okta = scim("okta");
    let level = |n: i64| BTreeMap::from([("level".to_owned(), AttributeValue::Long(n))]);
    let of_files = Person { attributes: level(9), manager: Some("m".parse().unwrap()), title: Some("Chief".to_owned()), ..in_team("a", "payments") };
    let directory = imported(&Directory::default(), &source([of_files]), &SourceName::files());
    let (directory, _) = says(&directory, record(&okta, person("a")));
    let a = directory.person("a").unwrap();
    assert!(a.teams.contains("payments") && a.attributes == level(9), "who says nothing lets others speak");
    let moved = Person { attributes: level(1), manager: Some("n".parse().unwrap()), title: Some("Clerk".to_owned()), ..in_team("a", "data") };
    let (directory, _) = says(&directory, record(&okta, moved));
    let (directory, _) = says(&directory, record(&okta, person("a")));
    let a = directory.person("a").unwrap();
    assert_eq!((a.teams.len(), a.attributes.len(), &a.manager, &a.title), (0, 0, &None, &None));
    // Said again, it counts again; and a change of something else forgets nothing.
    let (directory, _) = says(&directory, record(&okta, Person { title: Some("Clerk".to_owned()), ..person("a") }));
    let a = directory.person("a").unwrap();
    assert_eq!((a.teams.len(), a.title.as_deref()), (0, Some("Clerk")));
}

#[test]
fn who_comes_back_meets_nothing_that_was_dropped_while_they_were_away() {
    let (okta, files) = (scim("okta"), SourceName::files());
    let directory = imported(&Directory::default(), &source([in_team("a", "payments"), person("b")]), &files);
    let (directory, _) = says(&directory, record(&okta, person("a")));
    assert!(directory.person("a").unwrap().teams.contains("payments"));
    let away = Person { status: PersonStatus::Left, ..person("a") };
    let (directory, effect) = says(&directory, record(&okta, away));
    assert_eq!(leavers(&effect), 1);
    let plan = plan_of(&directory, &source([person("b")]), &files, &Precedence::default());
    assert_eq!((plan.leaving, plan.active_before), (0, 1), "nobody leaves by it a second time");
    let directory = after(&directory, &plan.changes, &plan.told);
    let (directory, _) = says(&directory, record(&okta, person("a")));
    let a = directory.person("a").unwrap();
    assert!(a.is_active() && a.teams.is_empty(), "{a:?}");
}

#[test]
fn a_retired_source_decides_nothing_and_one_that_deleted_somebody_still_does() {
    let (entra, okta) = (scim("entra"), scim("okta"));
    let (directory, _) = says(&Directory::default(), record(&entra, in_team("a", "payments")));
    let (directory, _) = says(&directory, record(&okta, person("a")));
    let away = record(&okta, Person { status: PersonStatus::Left, ..person("a") });
    assert!(leavers(&says(&directory, away.clone()).1) == 0, "the first of the alphabet decides");
    let deleted = directory.records().person(&entra, "a").unwrap().deleted();
    assert_eq!(leavers(&says(&directory, deleted).1), 1);
    let retired = directory.records().person(&entra, "a").unwrap().retired();
    let (directory, effect) = says(&directory, retired.clone());
    assert!(leavers(&effect) == 0 && directory.person("a").unwrap().teams.is_empty());
    assert_eq!(leavers(&says(&directory, away).1), 1);
    // Nobody else speaks: then they have left.
    let (alone, _) = says(&Directory::default(), record(&entra, person("a")));
    assert_eq!(leavers(&says(&alone, retired).1), 1);
}

#[test]
fn ids_that_differ_by_case_alone_are_refused_across_sources() {
    let (directory, _) = says(&Directory::default(), record(&scim("okta"), person("Anna.Berg")));
    assert_eq!(directory.alike("anna.berg").map(|id| id.as_str()), Some("Anna.Berg"));
    let plan = plan_of(&directory, &source([person("anna.berg")]), &SourceName::files(), &Precedence::default());
    assert!(plan.refused.concat().contains("Anna.Berg"), "{:?}", plan.refused);
    assert!(plan.changes.is_empty() && plan.told.is_empty());
}

#[test]
fn a_team_that_a_source_deleted_stays_known() {
    let (okta, precedence) = (scim("okta"), Precedence::default());
    let team: Team = serde_json::from_value(serde_json::json!({ "id": "payments", "title": "Payments" })).unwrap();
    let empty = Directory::default();
    let mut telling = Telling::new(&empty, &precedence);
    telling.team(TeamRecord { source: okta.clone(), team, external_id: None, gone: false, dates: Dates::now(None) });
    let effect = telling.effect();
    let directory = after(&empty, &effect.changes, &effect.told);
    let mut telling = Telling::new(&directory, &precedence);
    telling.forget_team(&okta, &"payments".parse().unwrap());
    let effect = telling.effect();
    assert!(matches!(effect.changes.as_slice(), [DirectoryChange::TeamGone { .. }]));
    let directory = after(&directory, &effect.changes, &effect.told);
    assert!(directory.records().team(&okta, "payments").is_none() && directory.records().knows_team("payments"));
}

#[test]
fn teams_are_followed_upwards_as_far_as_the_bound_says() {
    let deep = 1000;
    let teams = (0..deep).map(|n| serde_json::from_value(serde_json::json!({ "id": format!("t{n}"), "title": "T", "parent": format!("t{}", n + 1) })).unwrap());
    let directory = Directory::new(vec![in_team("a", "t0")], teams.collect(), 1);
    assert_eq!(directory.subject("a").unwrap().teams.len(), bandpass::directory::MAX_DEPTH);
    let directory = directory.with_changed(Changed { people: vec![in_team("b", "t10")], ..Changed::default() }, 2).0;
    assert_eq!(directory.subject("b").unwrap().teams.len(), bandpass::directory::MAX_DEPTH);
    assert_eq!(directory.ancestors(&"t0".parse().unwrap()).len(), bandpass::directory::MAX_DEPTH);
}

#[test]
fn a_reference_into_another_namespace_or_kind_is_no_membership() {
    use bandpass::directory::backstage::{Catalogue, finish, read};
    let text = "kind: Group\nmetadata: {name: admins}\n---\nkind: User\nmetadata: {name: ann}\nspec: {memberOf: ['group:partners/admins', 'component:default/admins']}\n---\nkind: User\nmetadata: {name: bob}\nspec: {memberOf: ['Group:default/admins']}\n";
    let (mut catalogue, mut memberships) = (Catalogue::default(), Vec::new());
    read("c.yaml", text, &mut catalogue, &mut memberships);
    let catalogue = finish(catalogue, memberships);
    assert!(catalogue.source.people["ann"].teams.is_empty() && catalogue.source.people["bob"].teams.contains("admins"));
    assert_eq!(catalogue.problems.len(), 2, "{:?}", catalogue.problems);
}
