//! An issuer whose certificate is of a company's own authority: trusted by `ca_file` alone, and every wrong file told.

use std::fs;

use serde_json::json;

use crate::{
    signin_house::{Front, USUAL, on_both, run, text},
    support::{
        authority::{Authority, missing},
        browser::header,
        database::Database,
        issuer::{Issuer, query},
        service::Folder,
    },
};

#[test]
fn an_issuer_of_a_company_authority() {
    if missing() {
        println!("skipped: there is no openssl");
        return;
    }
    run(|| async {
        let folder = Folder::new("bandpass_ca");
        let ours = Authority::new(&folder.path().join("ours"));
        let other = Authority::new(&folder.path().join("other"));
        let issuer = Issuer::start().await;
        issuer.known_as(&format!("https://{}", ours.in_front_of(issuer.address())));
        let with = |file: &str| format!("{USUAL}ca_file = \"{file}\"\n");
        let database = Database::sqlite(folder.path());
        // Without the file, and with another authority's: nobody comes in, and the doctor says what to set.
        let mut front = Front::start(folder, database, issuer, USUAL, "").await;
        for (what, settings) in [("no file", USUAL.to_owned()), ("another authority", with(&other.at("ca.pem")))] {
            front.service.stop();
            front.configured(&settings);
            front.service.start().await;
            let answer = front.browser().get("/signin/corp").await;
            assert!(answer.status == 502 && text(&answer).contains("certificate"), "{what}: {}", text(&answer));
            let told = String::from_utf8(front.service.run(&["doctor"]).stdout).unwrap();
            assert!(told.contains("fault    sign-in corp:") && told.contains("set `ca_file` of [[signin.issuer]] `corp` to a PEM file"), "{what}: {told}");
        }
        // With the right one: the whole sign-in, and a token of the API.
        front.service.stop();
        front.configured(&with(&ours.at("ca.pem")));
        front.service.start().await;
        let mut browser = front.browser();
        let answer = browser.get("/signin/corp").await;
        let asked = query(header(&answer, "location").unwrap_or_else(|| panic!("{}", answer.shown())));
        let code = front.issuer.code(&asked, &json!({ "employee": "ann" }));
        let answer = front.back(&mut browser, &asked, &code).await;
        assert_eq!(answer.status, 303, "{}", answer.shown());
        assert_eq!(front.api("GET", "/api/v1/requests", &front.issuer.access_token(&json!({ "scope": "read" })), None).await.status, 200);
        let told = String::from_utf8(front.service.run(&["doctor"]).stdout).unwrap();
        assert!(told.contains("ok       sign-in corp: https://127.0.0.1"), "{told}");
        front.service.stop();
        // Files that are none: no start, and words that name the key and the file, the doctor's too.
        let odd = |name: &str, bytes: &[u8]| {
            let path = front.folder.path().join(name);
            fs::write(&path, bytes).unwrap();
            path.display().to_string()
        };
        let pem = fs::read_to_string(ours.at("ca.pem")).unwrap();
        for (file, words) in [
            (front.folder.path().join("nowhere.pem").display().to_string(), "cannot be read: No such file"),
            (odd("empty.pem", b""), "holds no certificate; expected PEM"),
            (odd("der.pem", &[0x30, 0x82, 0x01, 0x00]), "holds no certificate; expected PEM"),
            (ours.at("ca.key"), "holds no certificate; expected PEM"),
            (odd("cut.pem", &pem.as_bytes()[..pem.len() / 2]), "is not whole PEM"),
            (odd("nonsense.pem", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), "holds a certificate that cannot be used"),
            (front.folder.path().display().to_string(), "cannot be read"),
        ] {
            front.configured(&with(&file));
            let start = front.service.run(&["serve"]);
            let said = format!("{}{}", String::from_utf8_lossy(&start.stdout), String::from_utf8_lossy(&start.stderr));
            assert!(!start.status.success() && said.contains(&format!("`ca_file` of [[signin.issuer]] `corp`: `{file}` {words}")), "{file}: {said}");
            let told = String::from_utf8(front.service.run(&["doctor"]).stdout).unwrap();
            assert!(told.contains(&format!("fault    sign-in: `ca_file` of [[signin.issuer]] `corp`: `{file}`")) && told.contains("cure   name a PEM file"), "{told}");
        }
    });
}

#[test]
fn the_key_is_known_in_the_file_and_in_the_environment() {
    on_both("ca_key", USUAL, |mut front| async move {
        front.service.stop();
        front.service.set("SIGNIN__ISSUER__CORP__CA_FILE", "/no/such/file.pem");
        let said = front.service.run(&["serve"]);
        assert!(String::from_utf8_lossy(&said.stderr).contains("`/no/such/file.pem` cannot be read"), "{said:?}");
        front.leave();
    });
}
