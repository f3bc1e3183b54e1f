//! Who a subject is: recorded once, and moved by nothing that happens to names and e-mails. On both databases.

use std::{collections::BTreeMap, fmt::Write as _};

use bandpass::{
    auth::oidc::{Issuers, person::{By, Match, find}},
    domain::{
        command::{Answer, Command},
        refusal::Refusal,
        session::Session,
    },
    settings::Settings,
};

use crate::{
    house::{House, on_both},
    support::{random::Random, service::Folder},
};

const ISSUER: &str = "https://idp.example";

/// Begins a session of a person as a subject of the issuer, whom the claim names.
pub async fn sign_in(house: &House, person: &str, subject: &str) -> Result<Session, Refusal> {
    sign_in_by(house, person, subject, Some("employee".to_owned())).await
}

/// Begins a session of a person whom a claim names, or a link alone.
async fn sign_in_by(house: &House, person: &str, subject: &str, claim: Option<String>) -> Result<Session, Refusal> {
    let secret = bandpass::auth::session::fresh_secret().unwrap();
    let command = Command::SignIn {
        issuer: ISSUER.to_owned(),
        subject: subject.to_owned(),
        sid: None,
        claim,
        secret_sha256: bandpass::auth::session::secret_hash(&secret),
        attempt_sha256: bandpass::auth::session::secret_hash(&format!("attempt {secret}")),
        agent: Some("Firefox/143.0 Linux".to_owned()),
        lifetime: "12h".parse().unwrap(),
        replaces: None,
    };
    match house.run(person, command).await? {
        Answer::Session { session } => Ok(session),
        other => panic!("{other:?}"),
    }
}

/// The issuer, as it finds people.
fn issuers() -> Issuers {
    let folder = Folder::new("bandpass_identity");
    let file = folder.path().join("settings.toml");
    let text = format!("[signin]\nmode = \"oidc\"\n[[signin.issuer]]\nname = \"corp\"\ntitle = \"Corp\"\nurl = \"{ISSUER}\"\nclient_id = \"b\"\nperson_claim = \"employee\"\n");
    std::fs::write(&file, text).unwrap();
    Issuers::new(&Settings::load(Some(&file), []).unwrap(), b"key").unwrap()
}

const PEOPLE: [&str; 6] = ["ann", "bob", "max", "olga", "omar", "ada"];

/// The people of the house with other names and e-mails; ids, teams and managers stay.
fn renamed(random: &mut Random) -> String {
    let mut text = crate::house::PEOPLE.to_owned();
    let mut pick = || usize::try_from(random.below(PEOPLE.len() as u64)).unwrap();
    for id in PEOPLE {
        // A name, a user name and an e-mail of anybody, oneself included; several may have the same.
        let (name, mail) = (PEOPLE[pick()], PEOPLE[pick()]);
        let at = text.find(&format!("id = \"{id}\"\nname")).unwrap();
        let line = text[at..].find("name").unwrap() + at;
        let end = text[line..].find('\n').unwrap() + line;
        let mut new = String::new();
        write!(new, "name = \"{name}\"\nemail = \"{mail}@example.org\"").unwrap();
        text.replace_range(line..end, &new);
    }
    text
}

#[test]
fn names_and_mails_move_and_nobodys_authority_does() {
    on_both("renames", |house: House| async move {
        let issuers = issuers();
        let provider = &issuers.all()[0];
        let mut sessions = BTreeMap::new();
        // Half of them have signed in before; the others do so by the claim, after everything has moved.
        for person in &PEOPLE[..3] {
            sessions.insert(*person, sign_in(&house, person, &format!("s-{person}")).await.unwrap());
        }
        house.ask_for("ann", "instant", "8h").await.unwrap();
        let mut random = Random::new(25);
        for _ in 0..25 {
            house.import(&renamed(&mut random)).await;
            let snapshot = house.core.ledger.snapshot();
            for person in PEOPLE {
                let subject = format!("s-{person}");
                let claim = (!sessions.contains_key(person)).then_some(person);
                match find(provider, &subject, claim, &snapshot, &house.core.reader).await.unwrap() {
                    Match::Person(found, _) => assert_eq!(found.id.as_str(), person),
                    other => panic!("{person}: {other:?}"),
                }
                // Whatever of another's an issuer says of a subject that is known, it is the same person; of one that is not known,
                // a name or an e-mail is nobody's identifier.
                for other in PEOPLE {
                    if sessions.contains_key(person) {
                        assert!(matches!(find(provider, &subject, Some(other), &snapshot, &house.core.reader).await.unwrap(), Match::Person(p, By::Link) if p.id.as_str() == person));
                    }
                    let mail = format!("{other}@example.org");
                    assert!(matches!(find(provider, "s-mallory", Some(&mail), &snapshot, &house.core.reader).await.unwrap(), Match::Nobody));
                }
                let shown = snapshot.directory.person(person).unwrap();
                assert!(matches!(find(provider, "s-mallory", Some(&format!("{}!", shown.name)), &snapshot, &house.core.reader).await.unwrap(), Match::Nobody));
            }
            // What people hold and may do follows their id.
            let held = house.core.reader.live_grants_of("ann".parse().unwrap()).await.unwrap();
            assert_eq!(held.len(), 1);
            let lift = |person: &str| Command::Freeze { on: false, reason: format!("asked by {person}") };
            assert!(house.run("ada", lift("ada")).await.is_ok(), "the admin is whoever `roles.toml` means by id and team");
            for person in &PEOPLE[..5] {
                assert!(matches!(house.run(person, lift(person)).await.unwrap_err(), Refusal::NotAllowed { .. }), "{person}");
            }
        }
        for (person, session) in &sessions {
            let open = house.core.reader.session_by_secret(session.secret_sha256.clone()).await.unwrap().unwrap();
            assert_eq!((open.session.person.as_str(), open.session.ended), (*person, None));
        }
        house.leave().await;
    });
}

#[test]
fn of_two_first_sign_ins_at_once_one_is_first() {
    on_both("race", |house: House| async move {
        let (one, two) = tokio::join!(sign_in(&house, "ann", "s-one"), sign_in(&house, "ann", "s-two"));
        assert!(one.is_ok() != two.is_ok(), "{one:?} {two:?}");
        let (one, two) = tokio::join!(sign_in(&house, "max", "s-same"), sign_in(&house, "bob", "s-same"));
        assert!(one.is_ok() != two.is_ok(), "{one:?} {two:?}");
        // The same subject of the same person twice is two sessions.
        let (one, two) = tokio::join!(sign_in(&house, "olga", "s-olga"), sign_in(&house, "olga", "s-olga"));
        assert!(one.is_ok() && two.is_ok(), "{one:?} {two:?}");
        let identities = house.core.reader.identities_of("olga".parse().unwrap()).await.unwrap();
        assert_eq!(identities.len(), 1);
        house.leave().await;
    });
}

#[test]
fn a_link_that_was_forgotten_meanwhile_names_nobody() {
    on_both("unlinked", |house: House| async move {
        let by_link = || sign_in_by(&house, "ann", "s-ann", None);
        assert!(matches!(by_link().await.unwrap_err(), Refusal::Stale { .. }));
        sign_in(&house, "ann", "s-ann").await.unwrap();
        by_link().await.unwrap();
        let unlink = Command::UnlinkIdentity { issuer: ISSUER.to_owned(), person: "ann".parse().unwrap(), reason: "made anew".to_owned() };
        house.run("ada", unlink).await.unwrap();
        assert!(matches!(by_link().await.unwrap_err(), Refusal::Stale { .. }));
        assert!(house.core.reader.identities_of("ann".parse().unwrap()).await.unwrap().is_empty());
        house.leave().await;
    });
}

#[test]
fn a_leaver_is_out_with_the_commit_that_says_so() {
    on_both("out", |house: House| async move {
        let session = sign_in(&house, "bob", "s-bob").await.unwrap();
        let until = crate::house::PEOPLE.find("[[person]]\nid = \"bob\"").unwrap();
        let after = crate::house::PEOPLE[until + 10..].find("[[person]]").unwrap() + until + 10;
        house.import(&format!("{}{}", &crate::house::PEOPLE[..until], &crate::house::PEOPLE[after..])).await;
        let open = house.core.reader.session_by_secret(session.secret_sha256).await.unwrap().unwrap();
        assert_eq!(open.session.ended.map(|(_, cause)| cause), Some(bandpass::domain::session::SessionEnd::Left));
        // Whoever comes back begins anew: the old session stays ended, the subject is still theirs.
        house.import(crate::house::PEOPLE).await;
        assert!(house.core.reader.live_sessions(Some("bob".parse().unwrap())).await.unwrap().is_empty());
        assert!(sign_in(&house, "bob", "s-other").await.is_err());
        assert!(sign_in(&house, "bob", "s-bob").await.is_ok());
        house.leave().await;
    });
}
