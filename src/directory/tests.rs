use super::{backstage, plan, table, Directory};
use crate::domain::{directory_change::DirectoryChange, id::TeamId, problem::Severity};

fn read(text: &str) -> plan::Source {
    let mut source = plan::Source::default();
    let problems = table::read_toml("people.toml", text, &mut source);
    assert!(problems.is_empty(), "{problems:?}");
    source
}

fn directory(source: &plan::Source) -> Directory {
    plan::apply(&Directory::default(), &plan::plan(&Directory::default(), source).changes, 1)
}

#[test]
fn teams_include_their_ancestors_and_cycles_end() {
    let source = read(
        "[[team]]\nid='a'\nparent='c'\n[[team]]\nid='b'\nparent='a'\n[[team]]\nid='c'\nparent='b'\n[[person]]\nid='p'\nname='P'\nteam='b'\nmanager='q'\n[[person]]\nid='q'\nname='Q'\nmanager='p'\n",
    );
    let directory = directory(&source);
    let teams: Vec<&str> = directory.subject("p").unwrap().teams.iter().map(TeamId::as_str).collect();
    assert_eq!(teams, ["a", "b", "c"]);
    assert_eq!(directory.manager_chain(&"p".parse().unwrap()).len(), 1);
    assert_eq!(directory.members(&"a".parse().unwrap()).len(), 1);
    let cycle = table::check("x", &source);
    assert!(cycle.iter().any(|p| p.message.contains("above itself")), "{cycle:?}");
}

#[test]
fn an_import_that_shrinks_is_refused_and_a_leaver_keeps_the_account() {
    let all = "[[person]]\nid='a'\nname='A'\naccounts={warehouse='x'}\n[[person]]\nid='b'\nname='B'\n";
    let before = directory(&read(all));
    let source = read("[[person]]\nid='b'\nname='B'\naccounts={warehouse='x'}\n");
    let plan = plan::plan(&before, &source);
    assert_eq!(plan.leaving, 1);
    assert!(plan.check_shrink(0.4).unwrap_err().to_string().contains("--confirm"));
    assert!(plan.check_shrink(0.5).is_ok());
    assert_eq!(plan.refused.len(), 1);
    let gone = plan::apply(&before, &[DirectoryChange::PersonLeft { id: "a".parse().unwrap() }], 2);
    assert_eq!(plan::plan(&gone, &source).refused.len(), 1, "the account of someone who left is never given to another");
}

#[test]
fn csv_tells_unknown_columns_and_reads_attributes() {
    let mut source = plan::Source::default();
    let problems = table::read_csv("p.csv", "id,nam\na,b\n", &mut source);
    assert!(problems.iter().any(|p| p.message == "unknown column `nam`"), "{problems:?}");
    let text = "id,name,teams,attr:on_call,account:warehouse\nann,Ann,x;y,true,ann_w\nann,Again,,,\n";
    let problems = table::read_csv("p.csv", text, &mut source);
    assert_eq!(problems.len(), 1);
    assert_eq!((problems[0].line, problems[0].message.as_str()), (3, "person `ann` is given twice"));
}

#[test]
fn unknown_keys_have_a_place() {
    let mut source = plan::Source::default();
    let problems = table::read_toml("p.toml", "[[person]]\nid='a'\nname='A'\nmangaer='b'\n", &mut source);
    assert_eq!(problems.len(), 1);
    assert_eq!(problems[0].line, 4);
    assert!(problems[0].message.contains("mangaer"), "{problems:?}");
}

#[test]
fn the_real_organisation_is_read_whole() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data/real-org/org.yaml");
    let Ok(text) = std::fs::read_to_string(path) else {
        println!("left out: the real organisation lies beside the repository and is not there");
        return;
    };
    let mut memberships = Vec::new();
    let mut catalogue = backstage::Catalogue::default();
    backstage::read("org.yaml", &text, &mut catalogue, &mut memberships);
    let catalogue = backstage::finish(catalogue, memberships);
    let errors: Vec<_> = catalogue.problems.iter().filter(|p| p.severity == Severity::Error).collect();
    assert!(errors.is_empty(), "{errors:?}");
    assert_eq!((catalogue.source.people.len(), catalogue.groups.len()), (666, 165));
    assert_eq!(catalogue.groups.values().map(|g| g.members.len()).sum::<usize>(), 987);
}

#[test]
fn a_sorted_map_is_a_map_and_its_copies_stay_as_they_were() {
    use super::sorted::Sorted;
    use std::collections::BTreeMap;
    let (mut ours, mut theirs): (Sorted<u64, u64>, BTreeMap<u64, u64>) = (Sorted::default(), BTreeMap::new());
    let mut seed = 7_u64;
    for round in 0..20_000_u64 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let key = (seed >> 33) % 3000;
        let before = (round % 1000 == 0).then(|| (ours.clone(), theirs.clone()));
        if seed % 3 == 0 {
            assert_eq!(ours.remove(&key), theirs.remove(&key).is_some());
        } else {
            ours.insert(key, round);
            theirs.insert(key, round);
        }
        assert_eq!((ours.get(&key), ours.len()), (theirs.get(&key), theirs.len()));
        if let Some((ours, theirs)) = before {
            assert!(ours.iter().eq(theirs.iter()));
        }
    }
    assert!(ours.iter().eq(theirs.iter()));
    let collected: Sorted<u64, u64> = theirs.clone().into_iter().chain([(1, 0), (1, 5)]).collect();
    theirs.insert(1, 5);
    assert!(collected.iter().eq(theirs.iter()));
    for key in 0..3001 {
        assert_eq!(collected.get(&key), theirs.get(&key));
    }
}

#[test]
fn a_directory_that_follows_its_changes_is_the_one_that_is_made_anew() {
    use super::Changed;
    use crate::domain::{id::PersonId, person::{Person, PersonStatus, Team}};
    use std::collections::BTreeMap;
    let mut seed = 11_u64;
    let mut random = move |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    let team_id = |n: u64| format!("t{n}").parse::<TeamId>().unwrap();
    let person_id = |n: u64| format!("p{n}").parse::<PersonId>().unwrap();
    let (mut people, mut teams): (BTreeMap<PersonId, Person>, BTreeMap<TeamId, Team>) = Default::default();
    let mut followed = Directory::default();
    for step in 0..2000 {
        let mut changed = Changed::default();
        if random(4) == 0 {
            let parent = (random(2) == 0).then(|| team_id(random(12)));
            let team = Team { id: team_id(random(12)), title: format!("title {step}"), description: String::new(), parent };
            teams.insert(team.id.clone(), team.clone());
            changed.teams.push(team);
        }
        for _ in 0..random(3) {
            let id = person_id(random(60));
            let person = Person {
                name: format!("name {step}"),
                email: None,
                manager: (random(2) == 0).then(|| person_id(random(60))),
                team: (random(2) == 0).then(|| team_id(random(12))),
                teams: (0..random(3)).map(|_| team_id(random(12))).collect(),
                employment: None,
                location: None,
                title: None,
                attributes: Default::default(),
                accounts: (random(3) == 0).then(|| ("warehouse".parse().unwrap(), format!("a{id}{}", random(2)))).into_iter().collect(),
                status: if random(5) == 0 { PersonStatus::Left } else { PersonStatus::Active },
                id: id.clone(),
            };
            people.insert(id, person.clone());
            changed.people.push(person);
        }
        let before: Vec<_> = followed.subjects().map(|s| (s.person.clone(), s.teams.clone())).collect();
        let (next, touched) = followed.with_changed(changed, step);
        // Whoever is not touched is as they were.
        for (person, teams) in before.into_iter().filter(|(p, _)| !touched.contains(&p.id)) {
            let now = next.subject(person.id.as_str()).unwrap();
            assert_eq!((now.person, now.teams), (&person, &teams));
        }
        followed = next;
        let anew = Directory::new(people.values().cloned().collect(), teams.values().cloned().collect(), step);
        assert!(followed.people().iter().eq(anew.people().iter()));
        for n in 0..60 {
            let id = person_id(n);
            assert_eq!(followed.subject(id.as_str()).map(|s| s.teams), anew.subject(id.as_str()).map(|s| s.teams));
            assert_eq!((followed.reports(&id), followed.manager_chain(&id)), (anew.reports(&id), anew.manager_chain(&id)));
            for account in [format!("a{id}0"), format!("a{id}1")] {
                let connector = "warehouse".parse().unwrap();
                assert_eq!(followed.account_owner(&connector, &account), anew.account_owner(&connector, &account));
            }
        }
        for n in 0..12 {
            let id = team_id(n);
            assert_eq!((followed.direct_members(&id), followed.members(&id), followed.ancestors(&id)), (anew.direct_members(&id), anew.members(&id), anew.ancestors(&id)));
            assert_eq!((followed.team(id.as_str()), followed.sub_teams(&id)), (anew.team(id.as_str()), anew.sub_teams(&id)));
        }
    }
}
