//! A small company that signs in with a made-up issuer: the real binary, as a process.

use std::{fs, future::Future};

use serde_json::{Value, json};

use crate::{
    house,
    support::{
        browser::{Browser, header},
        database::Database,
        http::{self, Answer},
        issuer::{Asked, Issuer, query},
        postgres::{self, Postgres},
        service::{Folder, Service, program},
    },
};

/// Settings of the issuer, beside where it is.
pub const USUAL: &str = "person_claim = \"employee\"\naudiences = [\"bandpass-api\"]\n";

fn configuration(issuer: &Issuer, more: &str, signin: &str) -> String {
    format!("[signin]\nmode = \"oidc\"\n{signin}\n{}\n[[connector]]\nname = \"target\"\nkind = \"memory\"\n", issuer.settings("corp", more))
}

/// Everything that a test of signing in needs.
pub struct Front {
    pub service: Service,
    pub issuer: Issuer,
    pub folder: Folder,
    pub database: Database,
}

impl Front {
    /// Starts the service with one issuer, `corp`, on SQLite.
    pub async fn open(name: &str, more: &str) -> Self {
        let folder = Folder::new(&format!("bandpass_{name}"));
        let database = Database::sqlite(folder.path());
        Self::start(folder, database, Issuer::start().await, more, "").await
    }

    pub async fn start(folder: Folder, database: Database, issuer: Issuer, more: &str, signin: &str) -> Self {
        house::write(folder.path());
        let mut service = Service::new(&program(env!("CARGO_BIN_EXE_bandpass")), folder.path(), "run", &database);
        service.configure(&configuration(&issuer, more, signin));
        service.set("DIRECTORY__MAX_LEAVE_SHARE", "1.0");
        if !database.migrate_url().is_empty() {
            service.must(&["db", "migrate"]);
        }
        service.start().await;
        Self { service, issuer, folder, database }
    }

    /// Writes the configuration anew, with other lines for the issuer.
    pub fn configured(&mut self, more: &str) {
        self.service.configure(&configuration(&self.issuer, more, ""));
    }

    pub fn browser(&self) -> Browser {
        Browser::new(self.service.address())
    }

    /// Follows the button of the issuer; answers what the issuer was asked.
    pub async fn begin(&self, browser: &mut Browser) -> Asked {
        let answer = browser.get("/signin/corp?return_to=/groups").await;
        assert_eq!(answer.status, 303, "{}", answer.shown());
        query(header(&answer, "location").unwrap())
    }

    /// Comes back from the issuer with a code.
    pub async fn back(&self, browser: &mut Browser, asked: &Asked, code: &str) -> Answer {
        let path = format!("/signin/corp/callback?code={code}&state={}&iss={}", asked["state"], self.issuer.url().replace(':', "%3A").replace('/', "%2F"));
        browser.get(&path).await
    }

    /// A whole sign-in, with claims over the usual ones.
    pub async fn sign_in(&self, browser: &mut Browser, claims: &Value) -> Answer {
        let asked = self.begin(browser).await;
        let code = self.issuer.code(&asked, claims);
        self.back(browser, &asked, &code).await
    }

    /// A browser with a session of a person, whose subject is `s-` and their id.
    pub async fn signed_in(&self, person: &str) -> Browser {
        let mut browser = self.browser();
        let answer = self.sign_in(&mut browser, &json!({ "sub": format!("s-{person}"), "employee": person, "sid": format!("sid-{person}") })).await;
        assert_eq!(answer.status, 303, "{}", answer.shown());
        browser
    }

    /// Whether a browser is let in.
    pub async fn is_in(&self, browser: &mut Browser) -> bool {
        browser.get("/access").await.status == 200
    }

    /// Asks the API with a bearer token.
    pub async fn api(&self, method: &str, path: &str, bearer: &str, body: Option<&str>) -> Answer {
        let authorization = format!("Bearer {bearer}");
        let mut headers = vec![("Authorization", authorization.as_str())];
        headers.extend(body.map(|_| ("Content-Type", "application/json")));
        http::once(self.service.address(), &http::request(method, path, &headers, body)).await.unwrap()
    }

    /// How many events there are of a kind.
    pub async fn events(&self, kind: &str) -> usize {
        self.database.lines(&format!("SELECT kind AS line FROM audit_log WHERE kind = '{kind}'")).len()
    }

    /// Rewrites the people of the directory and starts again.
    pub async fn with_people(&mut self, people: &str) {
        fs::write(self.folder.path().join("people/all.toml"), people).unwrap();
        self.service.stop();
        self.service.start().await;
    }

    /// What a test leaves behind must be sound.
    pub fn leave(mut self) {
        self.service.stop();
        // Faults are exit status 1.
        self.service.must(&["audit", "verify", "--rebuild"]);
    }
}

/// The text of a page.
pub fn text(answer: &Answer) -> String {
    String::from_utf8_lossy(&answer.body).replace("&#39;", "'").replace("&quot;", "\"").replace("&#34;", "\"")
}

/// Runs a test on a runtime.
pub fn run<T: Future<Output = ()>>(test: impl FnOnce() -> T) {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(test());
}

/// Runs a test on both databases.
pub fn on_both<T: Future<Output = ()>>(name: &str, more: &str, test: impl Fn(Front) -> T) {
    on_both_with(name, more, "", test);
}

/// The same, with more lines of `[signin]`.
pub fn on_both_with<T: Future<Output = ()>>(name: &str, more: &str, signin: &str, test: impl Fn(Front) -> T) {
    run(|| async {
        let folder = Folder::new(&format!("bandpass_{name}"));
        let database = Database::sqlite(folder.path());
        test(Front::start(folder, database, Issuer::start().await, more, signin).await).await;
        match postgres::missing() {
            Some(why) => println!("{name}: PostgreSQL left out: {why}"),
            None => {
                let folder = Folder::new(&format!("bandpass_{name}"));
                test(Front::start(folder, Database::postgres(Postgres::shared()), Issuer::start().await, more, signin).await).await;
            }
        }
    });
}
