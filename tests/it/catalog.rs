//! A Backstage catalogue asked over HTTP: paged, partial, failing, shrinking; on both databases.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use bandpass::{directory::merge::Precedence, domain::record::SourceName, jobs::catalog::CatalogFeed, outgoing::Outgoing};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::house::{House, on_both};

/// What the catalogue holds and how it behaves.
#[derive(Default)]
struct Backstage {
    entities: Vec<Value>,
    /// Entities that it says that it has beyond those that it gives.
    hidden: usize,
    /// The page that is answered with this status.
    fails: Option<(usize, u16)>,
    html: bool,
    asked: Vec<String>,
}

fn user(name: &str, groups: &[&str]) -> Value {
    json!({ "apiVersion": "backstage.io/v1alpha1", "kind": "User", "metadata": { "name": name, "namespace": "default" }, "spec": { "profile": { "displayName": format!("{name} \"of\" the catalogue: #1") }, "memberOf": groups } })
}

fn group(name: &str, parent: Option<&str>) -> Value {
    json!({ "kind": "Group", "metadata": { "name": name }, "spec": { "type": "team", "profile": { "displayName": name.to_uppercase() }, "parent": parent, "children": [] } })
}

/// Serves pages of three whatever limit is asked for; answers where.
async fn serve(backstage: Arc<Mutex<Backstage>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut bytes = vec![0; 8192];
            let n = stream.read(&mut bytes).await.unwrap_or(0);
            let head = String::from_utf8_lossy(&bytes[..n]).into_owned();
            let answer = {
                let mut backstage = backstage.lock().unwrap();
                let line = head.lines().next().unwrap_or_default().to_owned();
                let page = line.split("cursor=").nth(1).and_then(|c| c.split([' ', '&']).next()).and_then(|c| c.strip_prefix("p-")?.parse().ok()).unwrap_or(0_usize);
                backstage.asked.push(format!("{line} {}", head.lines().find(|l| l.to_lowercase().starts_with("authorization")).unwrap_or_default()));
                let items: Vec<&Value> = backstage.entities.iter().skip(page * 3).take(3).collect();
                let mut body = json!({ "items": items, "totalItems": backstage.entities.len() + backstage.hidden, "pageInfo": {} });
                if (page + 1) * 3 < backstage.entities.len() {
                    body["pageInfo"]["nextCursor"] = json!(format!("p-{}", page + 1));
                }
                match backstage.fails {
                    Some((at, status)) if at == page => format!("HTTP/1.1 {status} no\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{{}}"),
                    _ if backstage.html => "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\nConnection: close\r\n\r\n<html>".to_owned(),
                    _ => format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.to_string().len()),
                }
            };
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    format!("http://{address}")
}

fn feed(house: &House, url: &str) -> CatalogFeed {
    let source = SourceName::catalog("main");
    let bound = house.settings.directory.leave_bound();
    let every = house.settings.directory.seen_every(&source);
    CatalogFeed::new(source, url, "of-the-catalogue", Duration::from_secs(1), Precedence::default(), bound, every)
}

#[test]
fn a_catalogue_is_followed_and_half_of_one_is_nothing() {
    on_both("catalog", |house: House| async move {
        let backstage = Arc::new(Mutex::new(Backstage::default()));
        let url = serve(Arc::clone(&backstage)).await;
        let (mut feed, http) = (feed(&house, &url), Outgoing::new().unwrap());
        let here = |id: &str| house.core.ledger.snapshot().directory.person(id).is_some_and(|p| p.is_active());
        let set = |change: &dyn Fn(&mut Backstage)| change(&mut backstage.lock().unwrap());
        // Empty: it may be filling.
        assert!(feed.once(&house.core.ledger, &http).await.unwrap_err().contains("filling"));
        set(&|b| {
            b.entities = (0..10).map(|n| user(&format!("c{n}"), &["kitchen"])).collect();
            b.entities.push(user("ann", &["group:default/kitchen"]));
            b.entities.extend([group("kitchen", Some("house")), group("house", None)]);
        });
        assert!(feed.once(&house.core.ledger, &http).await.unwrap() > 0);
        let directory = Arc::clone(&house.core.ledger.snapshot().directory);
        assert_eq!(directory.members(&"house".parse().unwrap()).len(), 11);
        assert_eq!(directory.person("c3").unwrap().name, "c3 \"of\" the catalogue: #1");
        // Ann was known from files: the catalogue comes before them, and files say what it does not.
        let ann = directory.person("ann").unwrap();
        assert_eq!((ann.team.as_ref().unwrap().as_str(), ann.employment.as_deref(), ann.accounts.len()), ("kitchen", Some("permanent"), 1));
        assert!(directory.seen(&SourceName::catalog("main")).is_some());
        assert!(backstage.lock().unwrap().asked.iter().all(|a| a.to_lowercase().ends_with("authorization: bearer of-the-catalogue")), "every page is asked with the token");
        assert_eq!(feed.once(&house.core.ledger, &http).await.unwrap(), 0, "again: nothing new");
        // Each kind of half an answer is an error and changes nothing.
        let revision = house.core.ledger.snapshot().directory.revision();
        set(&|b| b.fails = Some((2, 500)));
        assert!(feed.once(&house.core.ledger, &http).await.unwrap_err().contains("500"));
        set(&|b| (b.fails, b.hidden) = (None, 3));
        assert!(feed.once(&house.core.ledger, &http).await.unwrap_err().contains("not all of it"));
        set(&|b| (b.hidden, b.html) = (0, true));
        assert!(feed.once(&house.core.ledger, &http).await.unwrap_err().contains("HTML"));
        set(&|b| b.html = false);
        assert_eq!(house.core.ledger.snapshot().directory.revision(), revision);
        // One is missing: gone only when a second whole answer misses them too.
        let full = backstage.lock().unwrap().entities.clone();
        set(&|b| b.entities.retain(|e| e["metadata"]["name"] != "c0"));
        assert_eq!(feed.once(&house.core.ledger, &http).await.unwrap(), 0);
        assert!(here("c0"));
        set(&|b| b.entities.clone_from(&full));
        feed.once(&house.core.ledger, &http).await.unwrap();
        set(&|b| b.entities.retain(|e| e["metadata"]["name"] != "c0"));
        feed.once(&house.core.ledger, &http).await.unwrap();
        assert!(here("c0"), "missing again for the first time");
        feed.once(&house.core.ledger, &http).await.unwrap();
        assert!(!here("c0"));
        // Nearly everybody is missing, twice: they stay, and the log says so.
        let few = |b: &mut Backstage| b.entities.retain(|e| e["kind"] != "User" || e["metadata"]["name"] == "c1");
        set(&few);
        assert_eq!(feed.once(&house.core.ledger, &http).await.unwrap(), 0);
        assert!(feed.once(&house.core.ledger, &http).await.unwrap_err().contains("confirm-leavers"));
        assert!(here("c2") && here("c9") && here("ann"));
        assert_eq!(house.database.count("SELECT CAST(count(*) AS TEXT) AS line FROM audit_log WHERE kind = 'leavers.held'"), 1);
        house.leave().await;
    });
}
