//! SCIM over the wire on both databases: what Okta and Entra send, lists and versions, and what becomes of the people.

use serde_json::{Value, json};

use crate::support::{
    database::Database,
    http::{Answer, Client, request},
    organisation::{self, Size},
    postgres::{self, Postgres},
    service::{Folder, Service, program},
};

/// A service with a small organisation and a program that feeds its directory.
pub struct Fed {
    pub service: Service,
    pub database: Database,
    client: Client,
    token: String,
    admin: String,
    folder: Folder,
}

/// Runs a test on SQLite, and on PostgreSQL where there is one.
pub fn on_both_fed<F: Future<Output = ()>>(settings: &[(&str, &str)], test: impl Fn(Fed) -> F) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let folder = Folder::new("bandpass_scim");
    let database = Database::sqlite(folder.path());
    runtime.block_on(async { test(Fed::start(folder, database, settings).await).await });
    if let Some(why) = postgres::missing() {
        println!("PostgreSQL left out: {why}");
        return;
    }
    let folder = Folder::new("bandpass_scim");
    runtime.block_on(async { test(Fed::start(folder, Database::postgres(Postgres::shared()), settings).await).await });
}

/// Percent-encoded for a query.
pub fn encoded(text: &str) -> String {
    text.bytes().map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

impl Fed {
    async fn start(folder: Folder, database: Database, settings: &[(&str, &str)]) -> Self {
        organisation::write(folder.path(), Size { people: 40, instant: 3, asked: 1, asked_twice: 0 });
        let mut service = Service::new(&program(env!("CARGO_BIN_EXE_bandpass")), folder.path(), "run", &database);
        settings.iter().for_each(|(key, value)| service.set(key, value));
        if database.superuser_url().is_some() {
            service.must(&["db", "migrate"]);
        }
        service.start().await;
        let secret = |printed: String| serde_json::from_str::<Value>(&printed).unwrap()["token"].as_str().unwrap().to_owned();
        let admin = organisation::person(0);
        let token = secret(service.must(&["token", "create", "--service", "okta", "--owner", &admin, "--scopes", "scim", "--format", "json"]));
        let admin = secret(service.must(&["token", "create", "--person", &admin, "--scopes", "read,request,admin", "--format", "json"]));
        let client = Client::connect(service.address()).await.unwrap();
        Self { service, database, client, token, admin, folder }
    }

    pub async fn send(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<&str>) -> Answer {
        let bearer = format!("Bearer {}", self.token);
        let mut all = vec![("Authorization", bearer.as_str())];
        all.extend(headers);
        self.sent(&request(method, &format!("/scim/v2{path}"), &all, body)).await
    }

    /// After a body that was refused unread the service closes the connection.
    async fn sent(&mut self, bytes: &[u8]) -> Answer {
        match self.client.send(bytes).await {
            Ok(answer) => answer,
            Err(_) => {
                self.client = Client::connect(self.service.address()).await.unwrap();
                self.client.send(bytes).await.unwrap()
            }
        }
    }

    /// Sends, and expects a status; answers the body.
    pub async fn must(&mut self, status: u16, method: &str, path: &str, body: Value) -> Value {
        let text = (!body.is_null()).then(|| body.to_string());
        let answer = self.send(method, path, &[], text.as_deref()).await;
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.shown());
        if status >= 400 {
            let error = answer.json();
            assert_eq!((error["schemas"][0].as_str(), error["status"].as_str()), (Some("urn:ietf:params:scim:api:messages:2.0:Error"), Some(status.to_string().as_str())), "{error}");
        }
        answer.json()
    }

    pub async fn create(&mut self, user: Value) -> String {
        self.must(201, "POST", "/Users", user).await["id"].as_str().unwrap().to_owned()
    }

    pub async fn patch(&mut self, path: &str, operations: Value) -> Value {
        let body = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations });
        self.must(200, "PATCH", path, body).await
    }

    /// Sends to any route as the admin, and expects a status; answers the body.
    pub async fn admin(&mut self, status: u16, method: &str, path: &str, body: Value) -> Value {
        let bearer = format!("Bearer {}", self.admin);
        let text = (!body.is_null()).then(|| body.to_string());
        let answer = self.sent(&request(method, path, &[("Authorization", &bearer)], text.as_deref())).await;
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.shown());
        if answer.body.is_empty() { Value::Null } else { answer.json() }
    }

    /// Sends to any route as the program that feeds the directory; answers the status.
    pub async fn client_send(&mut self, method: &str, path: &str, body: Option<&str>) -> u16 {
        let bearer = format!("Bearer {}", self.token);
        self.sent(&request(method, path, &[("Authorization", &bearer)], body)).await.status
    }

    /// Connects again after a start.
    pub async fn reconnect(&mut self) {
        self.client = Client::connect(self.service.address()).await.unwrap();
    }

    /// Makes this the attributes that the policy declares, and waits until it is in force.
    pub async fn declare(&mut self, attributes: &str) {
        std::fs::write(self.folder.path().join("policies/attributes.toml"), format!("[attributes]\n{attributes}")).unwrap();
        self.service.stop();
        self.service.start().await;
        self.reconnect().await;
    }

    /// The person as the API shows them.
    pub async fn person(&mut self, id: &str) -> Value {
        let bearer = format!("Bearer {}", self.admin);
        self.client.send(&request("GET", &format!("/api/v1/people/{id}"), &[("Authorization", &bearer)], None)).await.unwrap().json()
    }

    /// Where policies and people lie.
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// The file of people.
    pub fn people(&self) -> std::path::PathBuf {
        self.folder.path().join("people/people.toml")
    }

    /// Facts of a person as the database holds them.
    pub fn stored(&self, id: &str) -> Value {
        let lines = self.database.lines(&format!("SELECT data AS line FROM people WHERE id = '{id}'"));
        lines.first().map_or(Value::Null, |line| serde_json::from_str(line).unwrap())
    }

    pub fn status(&self, id: &str) -> String {
        self.database.lines(&format!("SELECT status AS line FROM people WHERE id = '{id}'")).concat()
    }

    /// The log and the tables are what they must be.
    pub fn end(mut self) {
        self.service.must(&["audit", "verify", "--rebuild"]);
        self.service.must(&["audit", "replay"]);
        self.service.stop();
    }
}

fn user(name: &str) -> Value {
    json!({ "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": name })
}

#[test]
fn okta_pushes_people_and_groups() {
    on_both_fed(&[], |mut fed| async move {
        let found = fed.must(200, "GET", &format!("/Users?filter={}&startIndex=1&count=100", encoded("userName eq \"mina@okta.example\"")), Value::Null).await;
        assert_eq!((found["totalResults"].as_u64(), found["itemsPerPage"].as_u64()), (Some(0), Some(0)));
        let mina = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
            "userName": "mina@okta.example", "externalId": "00u1mina", "displayName": "Mina Berg", "locale": "en-US", "password": "never kept", "groups": [],
            "name": { "givenName": "Mina", "familyName": "Berg" }, "title": "Analyst", "userType": "Contractor",
            "emails": [{ "primary": true, "value": "mina@okta.example", "type": "work" }], "phoneNumbers": [{ "primary": true, "value": "+47", "type": "work" }],
            "active": true,
            // Okta sends the manager as it has them, here before they are provisioned.
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": { "department": "Data", "employeeNumber": "7", "manager": { "value": "max@okta.example" } },
        });
        let mina = fed.create(mina).await;
        assert_eq!(mina, "00u1mina", "the source's own id is the person's");
        assert_eq!(fed.stored(&mina)["manager"], Value::Null, "nobody is called so yet");
        let max = fed.create(json!({ "userName": "max@okta.example", "externalId": "00u2max", "name": { "formatted": "Max Vik" }, "active": true })).await;
        let stored = fed.stored(&mina);
        assert_eq!(
            (stored["name"].as_str(), stored["email"].as_str(), stored["employment"].as_str(), stored["title"].as_str(), stored["manager"].as_str()),
            (Some("Mina Berg"), Some("mina@okta.example"), Some("contractor"), Some("Analyst"), Some(max.as_str()))
        );
        assert_eq!((stored["attributes"]["department"].as_str(), stored["attributes"]["employee_number"].as_str()), (Some("Data"), Some("7")));
        // What is not stored is not shown.
        let shown = fed.must(200, "GET", &format!("/Users/{mina}"), Value::Null).await;
        assert_eq!((&shown["password"], &shown["phoneNumbers"], &shown["locale"]), (&Value::Null, &Value::Null, &Value::Null));
        // A group pushed, then its members one by one and taken away in each dialect.
        let group = fed.must(201, "POST", "/Groups", json!({ "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "Data Platform", "members": [{ "value": mina, "display": "mina@okta.example" }] })).await;
        assert_eq!(group["id"], "data-platform");
        let id = "/Groups/data-platform";
        fed.patch(id, json!([{ "op": "add", "path": "members", "value": [{ "value": max, "display": "max" }] }])).await;
        let both = fed.must(200, "GET", id, Value::Null).await;
        assert_eq!(both["members"].as_array().unwrap().len(), 2);
        fed.patch(id, json!([{ "op": "remove", "path": format!("members[value eq \"{max}\"]") }])).await;
        assert_eq!(fed.stored(&max)["teams"], Value::Null);
        assert_eq!(fed.stored(&mina)["teams"], json!(["data-platform"]));
        fed.patch(id, json!([{ "op": "replace", "value": { "id": "data-platform", "displayName": "Data and Platform" } }])).await;
        assert_eq!(fed.must(200, "GET", id, Value::Null).await["displayName"], "Data and Platform");
        // Deactivated and back: Okta's own words.
        fed.must(200, "PATCH", &format!("/Users/{mina}"), json!({ "Operations": [{ "op": "replace", "value": { "active": false } }] })).await;
        assert_eq!(fed.status(&mina), "left");
        assert_eq!(fed.must(200, "GET", &format!("/Users/{mina}"), Value::Null).await["active"], false);
        fed.must(200, "PATCH", &format!("/Users/{mina}"), json!({ "Operations": [{ "op": "replace", "value": { "active": true } }] })).await;
        assert_eq!(fed.status(&mina), "active");
        // The group goes, and nobody is in it.
        fed.must(204, "DELETE", id, Value::Null).await;
        fed.must(404, "GET", id, Value::Null).await;
        assert_eq!(fed.stored(&mina)["teams"], Value::Null);
        fed.end();
    });
}

#[test]
fn entra_patches_in_its_own_way() {
    on_both_fed(&[], |mut fed| async move {
        let noor = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "externalId": "0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef", "userName": "noor@contoso.example", "active": "True",
            "meta": { "resourceType": "User" }, "roles": [], "name": { "formatted": "Noor Ali", "familyName": "Ali", "givenName": "Noor" },
            "emails": [{ "primary": true, "type": "work", "value": "noor@contoso.example" }],
        });
        let id = fed.create(noor).await;
        let path = format!("/Users/{id}");
        let boss = fed.create(user("boss@contoso.example")).await;
        let patched = fed.patch(&path, json!([
            { "op": "Replace", "path": "displayName", "value": "Noor A." },
            { "op": "Add", "path": "emails[type eq \"work\"].value", "value": "noor.ali@contoso.example" },
            { "op": "Add", "path": "emails[type eq \"home\"].value", "value": "noor@home.example" },
            { "op": "Add", "path": "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department", "value": "Sales" },
            { "op": "Replace", "path": "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager", "value": boss },
            { "op": "Add", "value": { "title": "Seller", "name.givenName": "Nora", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber": "12", "nickName": "n" } },
            { "op": "Add", "path": "addresses[type eq \"work\"].locality", "value": "Oslo" },
        ])).await;
        assert_eq!((patched["displayName"].as_str(), patched["name"]["givenName"].as_str(), patched["name"]["familyName"].as_str()), (Some("Noor A."), Some("Nora"), Some("Ali")));
        assert_eq!(patched["emails"].as_array().unwrap().len(), 2);
        let stored = fed.stored(&id);
        assert_eq!(
            (stored["email"].as_str(), stored["manager"].as_str(), stored["location"].as_str(), stored["title"].as_str()),
            (Some("noor.ali@contoso.example"), Some(boss.as_str()), Some("Oslo"), Some("Seller"))
        );
        assert_eq!((stored["attributes"]["department"].as_str(), stored["attributes"]["employee_number"].as_str()), (Some("Sales"), Some("12")));
        let group = fed.must(201, "POST", "/Groups", json!({ "displayName": "Field Sales", "externalId": "8aa1a0c0-c4c3" })).await["id"].as_str().unwrap().to_owned();
        let group = format!("/Groups/{group}");
        fed.patch(&group, json!([{ "op": "Add", "path": "members", "value": [{ "$ref": null, "value": id }, { "value": boss }] }])).await;
        // Again: nobody stands there twice.
        fed.patch(&group, json!([{ "op": "Add", "path": "members", "value": [{ "value": id }] }])).await;
        assert_eq!(fed.must(200, "GET", &group, Value::Null).await["members"].as_array().unwrap().len(), 2);
        let without = fed.must(200, "GET", &format!("{group}?excludedAttributes=members"), Value::Null).await;
        assert_eq!((&without["members"], without["displayName"].as_str()), (&Value::Null, Some("Field Sales")));
        fed.patch(&group, json!([{ "op": "Remove", "path": "members", "value": [{ "$ref": null, "value": boss }] }])).await;
        assert_eq!(fed.stored(&boss)["teams"], Value::Null);
        assert_eq!(fed.stored(&id)["teams"], json!(["field-sales"]));
        fed.patch(&path, json!([{ "op": "Replace", "path": "active", "value": "False" }])).await;
        assert_eq!(fed.status(&id), "left");
        fed.patch(&path, json!([{ "op": "Replace", "path": "active", "value": "True" }])).await;
        assert_eq!(fed.status(&id), "active");
        fed.patch(&path, json!([{ "op": "Remove", "path": "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager" }])).await;
        assert_eq!(fed.stored(&id)["manager"], Value::Null);
        // What cannot be is told in SCIM's words.
        for (operation, kind) in [
            (json!({ "op": "replace", "path": "emails[type eq \"other\"].value", "value": "x@y.example" }), "noTarget"),
            (json!({ "op": "replace", "path": "groups", "value": [] }), "mutability"),
            (json!({ "op": "replace", "path": "id", "value": "another" }), "mutability"),
            (json!({ "op": "replace", "path": "nickName", "value": "n" }), "invalidPath"),
            (json!({ "op": "replace", "path": "emails[", "value": "n" }), "invalidPath"),
            (json!({ "op": "remove" }), "noTarget"),
            (json!({ "op": "remove", "path": "userName" }), "invalidValue"),
            (json!({ "op": "replace", "path": "active", "value": "perhaps" }), "invalidValue"),
            (json!({ "op": "move", "path": "title", "value": "n" }), "invalidSyntax"),
        ] {
            let answer = fed.must(400, "PATCH", &path, json!({ "Operations": [operation] })).await;
            assert_eq!(answer["scimType"], kind, "{operation}: {answer}");
        }
        fed.end();
    });
}
