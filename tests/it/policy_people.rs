//! Whom commands about policy files know: everybody of the database and of files, or of files alone when that is wanted.

use serde_json::{Value, json};

use crate::scim::{Fed, on_both_fed};

/// What a command says, and whether it says yes.
fn said(fed: &Fed, arguments: &[&str]) -> (bool, String) {
    let output = fed.service.run(arguments);
    (output.status.success(), format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)))
}

#[test]
fn people_who_came_over_scim_may_be_named_and_pipelines_may_leave_them_out() {
    on_both_fed(&[], |mut fed| async move {
        let ann = json!({ "userName": "ann@x.example", "externalId": "ann", "displayName": "Ann", "userType": "contractor" });
        assert_eq!(fed.create(ann).await, "ann");
        fed.must(201, "POST", "/Groups", json!({ "displayName": "Pilots", "members": [{ "value": "ann" }] })).await;
        // In the files, and not yet in the database; who is no longer in the files is known all the same.
        let people = std::fs::read_to_string(fed.people()).unwrap();
        let last = people.find("[[person]]\nid = \"p00039\"").unwrap();
        std::fs::write(fed.people(), format!("{}[[person]]\nid = \"new\"\nname = \"New\"\n", &people[..last])).unwrap();
        let folder = fed.folder().join("proposed");
        assert!(std::process::Command::new("cp").arg("-r").arg(fed.folder().join("policies")).arg(&folder).status().unwrap().success());
        std::fs::write(
            folder.join("groups/pilots-only.toml"),
            "title = \"Pilots only\"\ndescription = \"For pilots.\"\nowner = [\"person:ann\", \"person:new\", \"person:p00039\"]\nsensitivity = \"internal\"\n\n[[rule]]\nname = \"pilots\"\nwho = [\"team:pilots\"]\nthen = \"grant\"\nfor = \"30d\"\n",
        )
        .unwrap();
        let folder = folder.display().to_string();
        let (good, text) = said(&fed, &["policy", "check", &folder]);
        assert!(good && text.contains("people: 41 from the database, 1 from files"), "{text}");
        let (good, text) = said(&fed, &["policy", "check", &folder, "--format", "json"]);
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((good, &value["people"]), (true, &json!({ "database": 41, "files": 1, "database_not_asked": null })));
        assert!(said(&fed, &["policy", "test", &folder]).0);
        // Files alone: the same on every machine.
        let (good, text) = said(&fed, &["policy", "check", &folder, "--no-database"]);
        assert!(!good && text.contains("people: 40 from files") && text.contains("ann") && text.contains("pilots"), "{text}");
        assert!(!said(&fed, &["policy", "test", &folder, "--no-database"]).0);
        // One request of somebody whom files do not know.
        let explain = ["policy", "explain", "--person", "ann", "--group", "instant-0000"];
        let (good, text) = said(&fed, &explain);
        assert!(good && text.contains("Ann asking for"), "{text}");
        let (good, text) = said(&fed, &[&explain[..], &["--no-database"]].concat());
        assert!(!good && text.contains("there is no person `ann`") && text.contains("40 from files"), "{text}");
        // A comparison with what is in force needs the database.
        let (good, text) = said(&fed, &["policy", "diff", "in-force", &folder]);
        assert!(good && text.contains("pilots-only"), "{text}");
        let (good, text) = said(&fed, &["policy", "diff", &folder, &folder, "--no-database"]);
        assert!(!good && text.contains("there is no person `ann`"), "{text}");
        let (good, text) = said(&fed, &["policy", "diff", "in-force", &folder, "--no-database"]);
        assert!(!good && text.contains("--no-database"), "{text}");
        // A database that cannot be read is told, and files are what is left.
        fed.service.set("DATABASE__URL", &format!("sqlite:{}", fed.people().display()));
        let (good, text) = said(&fed, &["policy", "check"]);
        assert!(good && text.contains("people: 40 from files; the database was not asked: "), "{text}");
    });
}
