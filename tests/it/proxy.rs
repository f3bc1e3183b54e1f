//! The nginx lines of `config/behind-a-proxy.md`, taken from there and run: TLS, a whole sign-in, forms, a directory's program.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::{
    house,
    support::{
        database::Database,
        issuer::{Issuer, query},
        leash::Leashed,
        service::{Folder, Service, program},
    },
};

const NAME: &str = "access.example.com";

fn nginx() -> Option<PathBuf> {
    let named = std::env::var_os("BANDPASS_TEST_NGINX").map(PathBuf::from);
    named.into_iter().chain(["/usr/sbin/nginx".into(), "/usr/local/sbin/nginx".into()]).find(|path| path.exists())
}

fn must(program: &str, arguments: &[&str]) {
    let out = Command::new(program).args(arguments).output().unwrap_or_else(|e| panic!("{program}: {e}"));
    assert!(out.status.success(), "{program}: {}", String::from_utf8_lossy(&out.stderr));
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// The page's lines with the ports, the address and the certificate of this test, and what an nginx of one's own needs around.
fn configuration(folder: &Path, service: &Service, http: u16, https: u16) -> String {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/config/behind-a-proxy.md")).unwrap();
    let lines = page.split_once("```nginx\n").unwrap().1.split_once("\n```").unwrap().0;
    let shown = |name: &str| folder.join(name).display().to_string();
    let mut text = lines.to_owned();
    for (from, to) in [
        ("listen 80;", format!("listen 127.0.0.1:{http};")),
        ("listen 443 ", format!("listen 127.0.0.1:{https} ")),
        ("server 127.0.0.1:8080;", format!("server {};", service.address())),
        ("/etc/ssl/access.example.com/fullchain.pem", shown("server.pem")),
        ("/etc/ssl/access.example.com/key.pem", shown("server.key")),
    ] {
        assert!(text.contains(from), "the page has `{from}` no more");
        text = text.replace(from, &to);
    }
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(|kind| format!("{kind}_temp_path {};\n", shown(kind))).concat();
    // A user that exists everywhere: run by root, nginx gives its rights up to one that its package would have made.
    format!("daemon off;\nuser root;\npid {};\nerror_log {} warn;\nevents {{}}\nhttp {{\naccess_log off;\n{temporary}{text}\n}}\n", shown("nginx.pid"), shown("nginx.log"))
}

/// `curl` as a browser would be: the host's real name, the certificate checked, cookies kept.
struct Curl {
    folder: PathBuf,
    https: u16,
}

struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> Vec<&str> {
        self.head.lines().filter_map(|l| l.split_once(':').filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.trim())).collect()
    }
}

impl Curl {
    fn ask(&self, path: &str, more: &[&str]) -> Answer {
        let (ca, jar, head) = (self.folder.join("server.pem"), self.folder.join("jar"), self.folder.join("head"));
        let out = Command::new("curl")
            .args(["--silent", "--show-error", "--max-time", "20", "--connect-to", &format!("{NAME}:443:127.0.0.1:{}", self.https)])
            .args([Path::new("--cacert"), &ca, Path::new("--cookie"), &jar, Path::new("--cookie-jar"), &jar, Path::new("--dump-header"), &head])
            .args(more)
            .arg(format!("https://{NAME}{path}"))
            .output()
            .unwrap();
        assert!(out.status.success(), "curl {path}: {}", String::from_utf8_lossy(&out.stderr));
        let head = fs::read_to_string(head).unwrap();
        let status = head.split_whitespace().nth(1).unwrap().parse().unwrap();
        Answer { status, head, body: String::from_utf8_lossy(&out.stdout).into_owned() }
    }
}

#[test]
fn the_lines_for_nginx_carry_a_sign_in_forms_and_a_directory() {
    let Some(nginx) = nginx().filter(|_| ["openssl", "curl"].iter().all(|p| Command::new(p).arg("--help").output().is_ok())) else {
        println!("left out: nginx, openssl and curl are not all here");
        return;
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let folder = Folder::new("bandpass_proxy");
        house::write(folder.path());
        let issuer = Issuer::start().await;
        let database = Database::sqlite(folder.path());
        let mut service = Service::new(&program(env!("CARGO_BIN_EXE_bandpass")), folder.path(), "run", &database);
        service.configure(&format!("[signin]\nmode = \"oidc\"\n{}\n[[connector]]\nname = \"target\"\nkind = \"memory\"\n", issuer.settings("corp", "person_claim = \"employee\"")));
        service.set("SERVER__PUBLIC_URL", &format!("https://{NAME}"));
        service.start().await;
        let token = |arguments: &[&str]| {
            let made = service.must(&[&["token", "create", "--format", "json"], arguments].concat());
            format!("Authorization: Bearer {}", serde_json::from_str::<serde_json::Value>(&made).unwrap()["token"].as_str().unwrap())
        };
        let scim = token(&["--service", "okta", "--owner", "ada", "--scopes", "scim"]);

        let at = |name: &str| folder.path().join(name).display().to_string();
        must("openssl", &["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", &format!("/CN={NAME}"), "-addext", &format!("subjectAltName=DNS:{NAME}"), "-keyout", &at("server.key"), "-out", &at("server.pem")]);
        let (http, https) = (free_port(), free_port());
        fs::write(folder.path().join("nginx.conf"), configuration(folder.path(), &service, http, https)).unwrap();
        let arguments = ["-p".to_owned(), at(""), "-c".to_owned(), at("nginx.conf"), "-e".to_owned(), at("nginx.log")];
        let proxy = Leashed::spawn(&nginx, &arguments, folder.path(), &folder.path().join("nginx.out"), |_| {});
        let limit = Instant::now() + Duration::from_secs(20);
        while std::net::TcpStream::connect(("127.0.0.1", https)).is_err() {
            let said = || ["nginx.out", "nginx.log"].map(|f| fs::read_to_string(folder.path().join(f)).unwrap_or_default()).concat();
            assert!(proxy.is_alive() && Instant::now() < limit, "nginx does not take the lines: {}", said());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }

        let curl = Curl { folder: folder.path().to_owned(), https };
        // http only sends on.
        let plain = Command::new("curl").args(["--silent", "--include", "--header", &format!("Host: {NAME}"), &format!("http://127.0.0.1:{http}/groups?q=x")]).output().unwrap();
        let plain = String::from_utf8_lossy(&plain.stdout).into_owned();
        assert!(plain.starts_with("HTTP/1.1 308") && plain.contains(&format!("https://{NAME}/groups?q=x")), "{plain}");

        // A sign-in, with cookies that belong to this host and to TLS.
        let began = curl.ask("/signin/corp?return_to=/groups", &[]);
        assert_eq!(began.status, 303, "{}", began.head);
        let asked = query(began.header("location")[0]);
        assert_eq!(asked["redirect_uri"], format!("https://{NAME}/signin/corp/callback"));
        let code = issuer.code(&asked, &json!({ "sub": "s-ann", "employee": "ann" }));
        let iss = issuer.url().replace(':', "%3A").replace('/', "%2F");
        let back = curl.ask(&format!("/signin/corp/callback?code={code}&state={}&iss={iss}", asked["state"]), &[]);
        assert_eq!((back.status, back.header("location")), (303, vec!["/groups"]), "{}{}", back.head, back.body);
        assert!(back.header("set-cookie").iter().any(|c| c.starts_with("__Host-") && c.contains("Secure") && c.contains("HttpOnly")), "{}", back.head);
        let page = curl.ask("/sessions", &[]);
        assert_eq!(page.status, 200, "{}", page.head);
        for once in ["strict-transport-security", "content-security-policy", "x-frame-options", "cache-control"] {
            assert_eq!(page.header(once).len(), 1, "{once} comes from one place: {}", page.head);
        }

        // A form from our own page, and the same from elsewhere.
        let csrf = page.body.split("name=\"csrf\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
        let form = format!("csrf={csrf}");
        let foreign = curl.ask("/signout", &["--data", &form, "--header", "Origin: https://evil.example"]);
        assert_eq!(foreign.status, 403, "{}", foreign.head);
        let out = curl.ask("/signout", &["--data", &form, "--header", &format!("Origin: https://{NAME}")]);
        assert_eq!(out.status, 303, "{}{}", out.head, out.body);
        assert_eq!(curl.ask("/sessions", &[]).status, 303, "out");

        // Counters are not for the world, and one address does not ask without end.
        assert_eq!(curl.ask("/metrics", &[]).status, 403);
        let many: Vec<u16> = (0..80).map(|_| curl.ask("/healthz", &[]).status).collect();
        assert!(many.contains(&429) && many.iter().all(|status| [200, 429].contains(status)), "{many:?}");

        // A directory's program sends much, and large bodies.
        let user = |n: usize| json!({ "userName": format!("u{n}@x.example"), "externalId": format!("u{n}") }).to_string();
        let sent: Vec<u16> = (0..100).map(|n| curl.ask("/scim/v2/Users", &["--header", &scim, "--header", "Content-Type: application/scim+json", "--data", &user(n)]).status).collect();
        assert!(sent.iter().all(|status| *status == 201), "{sent:?}");
        let members: Vec<_> = (0..100).map(|n| json!({ "value": format!("u{n}"), "display": "x".repeat(2000) })).collect();
        fs::write(folder.path().join("group.json"), json!({ "displayName": "Large", "members": members }).to_string()).unwrap();
        let large = curl.ask("/scim/v2/Groups", &["--header", &scim, "--header", "Content-Type: application/scim+json", "--data", &format!("@{}", at("group.json"))]);
        assert_eq!(large.status, 201, "{}{}", large.head, large.body);
        service.stop();
        service.must(&["audit", "verify", "--rebuild"]);
    });
}
