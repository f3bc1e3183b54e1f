//! A load's event says who gained and who lost: numbers in the hashed body, names in the personal text beside it.

use std::{fs, path::PathBuf, time::Duration};

use bandpass::{
    domain::event::{Change, Personal},
    ledger::departed,
    jobs::policy_source::{Canary, Load, Place, PolicySource},
    store::read::{AuditFilter, Page},
};

use crate::{house::{House, files, on_both}, support::service::Folder};

/// The newest load: its body as stored, and its personal text.
async fn newest(house: &House) -> (String, Personal) {
    let filter = AuditFilter { kind: Some("policy.loaded".to_owned()), ..AuditFilter::default() };
    let rows = house.core.reader.audit(filter, Page { before: None, limit: 1 }).await.unwrap().items;
    (rows[0].body.clone(), serde_json::from_str(rows[0].personal.as_deref().unwrap()).unwrap())
}

#[test]
fn a_group_that_left_is_found_as_it_was_and_no_other() {
    on_both("departed", |house| async move {
        let id = |id: &str| id.parse().unwrap();
        let look = async |group: &str| departed::group(&house.core.reader, &house.core.ledger.snapshot(), &id(group)).await.unwrap();
        house.ask_for("ann", "instant", "8h").await.unwrap();
        assert!(look("instant").await.is_none() && look("never-was").await.is_none());
        let mut less = files();
        less.remove("groups/instant.toml");
        house.load(less).await;
        let found = look("instant").await.unwrap();
        assert_eq!((found.title.as_str(), found.owner.iter().map(ToString::to_string).collect::<Vec<_>>()), ("instant", vec!["team:owners".to_owned()]));
        // Back, it is a group like any other.
        house.load(files()).await;
        assert!(look("instant").await.is_none());
        house.leave().await;
    });
}

#[test]
fn the_event_of_a_load_says_who_gained_and_who_lost() {
    on_both("who_gained", |house| async move {
        // The first policy: everybody gains by it, so nothing is said, and the body is what it always was.
        let (body, personal) = newest(&house).await;
        assert!(!body.contains("access") && personal.access.is_empty(), "{body}");
        let folder = Folder::new("bandpass_who_gained");
        let write = |path: &str, bytes: &[u8]| {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        };
        for (path, bytes) in files() {
            write(&path, &bytes);
        }
        let instant = String::from_utf8(files()["groups/instant.toml"].clone()).unwrap();
        write("groups/instant.toml", instant.replace("who = [\"team:ops\"]", "who = [\"team:owners\"]").as_bytes());
        let asked = String::from_utf8(files()["groups/reasoned.toml"].clone()).unwrap();
        write("groups/reasoned.toml", asked.replace("then = \"grant\"", "then = \"approve\"").replace("\"required\"\n", "\"required\"\n[[rule.stage]]\nfrom = [\"owner\"]\n").as_bytes());
        let canary = Canary { program: PathBuf::from(env!("CARGO_BIN_EXE_bandpass")), ..Canary::default() };
        let mut source = PolicySource::new(Place::Folder(folder.path().to_owned()), Duration::from_secs(1), canary);
        let outcome = source.load(&house.core.ledger).await.unwrap();
        assert!(matches!(outcome, Load::InForce), "{outcome:?}");
        let (body, personal) = newest(&house).await;
        let Change::PolicyLoaded { access: Some(access), .. } = serde_json::from_value(serde_json::from_str::<serde_json::Value>(&body).unwrap()["change"].clone()).unwrap() else { panic!("{body}") };
        // Two owners have `instant` at once now, three of ops have it no longer; all six must ask for `reasoned`.
        assert_eq!((access.newly_instant, access.newly_by_approval, access.no_longer_instant, access.lost), (2, 0, 6, 3));
        assert!(["Olga", "Omar", "Ann"].iter().all(|name| !body.contains(name)), "names are personal: {body}");
        let of = |id: &str| personal.access.iter().find(|g| g.group.as_str() == id).unwrap();
        assert_eq!(of("instant").newly_instant.names, ["Olga", "Omar"]);
        assert_eq!(of("instant").lost.in_words(), "Ann, Bob, Max");
        assert_eq!(of("reasoned").no_longer_instant.count, 6);
        assert_eq!(personal.reason.as_deref(), Some("9 groups, 0 new, 0 gone; 2 people newly at once, 6 now only by approval, 3 no longer at all"));
        // The same files with a comment: nobody gains or loses, and the event says that.
        write("roles.toml", format!("# one line more\n{}", String::from_utf8(files()["roles.toml"].clone()).unwrap()).as_bytes());
        assert!(matches!(source.load(&house.core.ledger).await.unwrap(), Load::InForce));
        assert_eq!(newest(&house).await.1.reason.as_deref(), Some("9 groups, 0 new, 0 gone; nobody gains or loses"));
        house.leave().await;
    });
}
