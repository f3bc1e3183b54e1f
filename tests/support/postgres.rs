//! A PostgreSQL of one's own for tests: a private cluster in a temporary folder, on loopback, with fsync on.
//!
//! Included by path (`#[path = "…/support/postgres.rs"] mod postgres;`), so it uses the standard library only. The server
//! is kept on a leash (`leash.rs`): however this process ends, the server ends too.
//! `BANDPASS_TEST_POSTGRES` (a superuser's URL on loopback) replaces it where a test needs no server of its own.
#![allow(dead_code, reason = "each test binary uses a part")]

use std::{
    fs,
    io::{Read, Write},
    net::TcpListener,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::PathBuf,
    process::{Command, Stdio},
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

#[path = "leash.rs"]
pub mod leash;

use leash::Leashed;

/// Password of the superuser `postgres` of private clusters, which listen on loopback only and live for one test.
const PASSWORD: &str = "only-for-this-test";

/// A server: a private cluster, or the one that the environment names.
pub struct Postgres {
    url: String,
    private: Option<Mutex<Cluster>>,
}

struct Cluster {
    folder: PathBuf,
    bin: PathBuf,
    user: (u32, u32),
    port: u16,
    settings: Vec<String>,
    running: Option<Leashed>,
}

/// A short name that no other test of this machine uses at the same time; roles belong to the whole server.
pub fn fresh_name(stem: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let nanos = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.subsec_nanos());
    format!("{stem}_{}_{}_{:x}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed), nanos & 0xffff)
}

/// Why no server can be had on this machine, if so. A caller says it aloud and leaves its tests out.
pub fn missing() -> Option<String> {
    if std::env::var_os("BANDPASS_TEST_POSTGRES").is_some() { None } else { binaries().err() }
}

fn binaries() -> Result<PathBuf, String> {
    let versions = fs::read_dir("/usr/lib/postgresql").map_err(|_| "no /usr/lib/postgresql: install the Debian package `postgresql`".to_owned())?;
    let mut found: Vec<(u32, PathBuf)> = versions
        .flatten()
        .filter_map(|e| Some((e.file_name().to_str()?.parse().ok()?, e.path().join("bin"))))
        .filter(|(_, bin)| bin.join("initdb").exists())
        .collect();
    found.sort();
    found.pop().map(|(_, bin)| bin).ok_or_else(|| "no initdb under /usr/lib/postgresql: install the Debian package `postgresql`".to_owned())
}

/// PostgreSQL refuses to run as root: then as `postgres`, else as `nobody`.
fn server_user() -> (u32, u32) {
    use std::os::unix::fs::MetadataExt;
    let me = fs::metadata("/proc/self").expect("/proc is readable");
    if me.uid() != 0 {
        return (me.uid(), me.gid());
    }
    let passwd = fs::read_to_string("/etc/passwd").expect("/etc/passwd is readable");
    let of = |name: &str| {
        let line = passwd.lines().find(|l| l.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    of("postgres").or_else(|| of("nobody")).expect("a user `postgres` or `nobody` exists")
}

impl Postgres {
    /// The server that tests of this process share: the environment's, else a private one that ends with its last user.
    pub fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Postgres>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(server) = shared.upgrade() {
            return server;
        }
        let server = Arc::new(match std::env::var("BANDPASS_TEST_POSTGRES") {
            Ok(url) => Self { url, private: None },
            Err(_) => Self::start(&[]),
        });
        *shared = Arc::downgrade(&server);
        server
    }

    /// A private cluster, always. `settings` are lines of `postgresql.conf`, like `max_connections=50`.
    pub fn start(settings: &[&str]) -> Self {
        let bin = binaries().expect("PostgreSQL's server programs");
        let user = server_user();
        let folder = std::env::temp_dir().join(fresh_name("bandpass_pg"));
        fs::create_dir(&folder).expect("a new temporary folder");
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).expect("the folder's mode");
        std::os::unix::fs::chown(&folder, Some(user.0), Some(user.1)).expect("the folder's owner");
        let pwfile = folder.join("password");
        fs::write(&pwfile, PASSWORD).expect("the password file");
        std::os::unix::fs::chown(&pwfile, Some(user.0), Some(user.1)).expect("the password file's owner");
        let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port").port();
        let made = Command::new(bin.join("initdb"))
            .args(["--username=postgres", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-instructions"])
            .arg(format!("--pwfile={}", pwfile.display()))
            .arg("-D")
            .arg(folder.join("data"))
            .current_dir(&folder)
            .uid(user.0)
            .gid(user.1)
            .output()
            .expect("initdb runs");
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        let settings = settings.iter().map(|s| (*s).to_owned()).collect();
        let mut cluster = Cluster { folder, bin, user, port, settings, running: None };
        cluster.start();
        Self { url: format!("postgres://postgres:{PASSWORD}@127.0.0.1:{port}/postgres"), private: Some(Mutex::new(cluster)) }
    }

    /// The superuser's URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The URL of another role or database of the same server.
    pub fn url_of(&self, user: &str, password: &str, database: &str) -> String {
        let host = self.url.split_once('@').map(|(_, rest)| rest).or_else(|| self.url.split_once("://").map(|(_, rest)| rest)).expect("a URL");
        let host = host.split('/').next().expect("a host");
        format!("postgres://{user}:{password}@{host}/{database}")
    }

    /// The data folder of a private cluster.
    pub fn data_folder(&self) -> PathBuf {
        self.cluster(|c| c.folder.join("data"))
    }

    /// Runs SQL as the superuser in `psql` and answers what it printed, one line a row, columns divided by `|`.
    ///
    /// # Errors
    /// What the server said.
    pub fn try_sql(&self, sql: &str) -> Result<String, String> {
        Self::sql_at(&self.url, sql)
    }

    /// The same at any URL.
    ///
    /// # Errors
    /// What the server said.
    pub fn sql_at(url: &str, sql: &str) -> Result<String, String> {
        let mut psql = Command::new("psql")
            .args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1", "--file=-"])
            .arg(url)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|e| format!("psql: {e}"))?;
        psql.stdin.take().expect("a pipe").write_all(sql.as_bytes()).map_err(|e| e.to_string())?;
        let out = psql.wait_with_output().map_err(|e| e.to_string())?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
        if out.status.success() { Ok(text(&out.stdout)) } else { Err(text(&out.stderr)) }
    }

    /// The same, for statements that must succeed.
    pub fn sql(&self, sql: &str) -> String {
        self.try_sql(sql).unwrap_or_else(|e| panic!("{sql}: {e}"))
    }

    /// Stops a private cluster in order (`fast`: connections are cut).
    pub fn stop(&self) {
        self.cluster(Cluster::stop);
    }

    /// Kills every process of a private cluster at once, as a power cut would.
    pub fn kill(&self) {
        self.cluster(Cluster::kill);
    }

    /// Halts (`STOP`) or resumes (`CONT`) every process of a private cluster.
    pub fn signal(&self, signal: &str) {
        self.cluster(|c| c.signal(signal));
    }

    /// Starts a private cluster again, on the same port.
    pub fn start_again(&self) {
        self.cluster(Cluster::start);
    }

    fn cluster<T>(&self, act: impl FnOnce(&mut Cluster) -> T) -> T {
        let cluster = self.private.as_ref().expect("a private cluster");
        act(&mut cluster.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Cluster {
    fn start(&mut self) {
        let mut arguments = vec!["-D".to_owned(), self.folder.join("data").display().to_string(), "-k".to_owned(), self.folder.display().to_string()];
        arguments.extend(["-h", "127.0.0.1", "-c", "logging_collector=off", "-p"].map(str::to_owned));
        arguments.push(self.port.to_string());
        arguments.extend(self.settings.iter().flat_map(|s| ["-c".to_owned(), s.clone()]));
        let running = Leashed::spawn(&self.bin.join("postgres"), &arguments, &self.folder, &self.folder.join("log"), |command| {
            command.current_dir(&self.folder).uid(self.user.0).gid(self.user.1);
        });
        self.running = Some(running);
        let limit = Instant::now() + Duration::from_secs(60);
        while !self.is_ready() {
            assert!(Instant::now() < limit, "PostgreSQL did not start: {}", self.log_tail());
            std::thread::sleep(Duration::from_millis(30));
        }
    }

    fn is_ready(&self) -> bool {
        let asked = Command::new(self.bin.join("pg_isready")).args(["-q", "-h", "127.0.0.1", "-p", &self.port.to_string()]).status();
        asked.is_ok_and(|s| s.success())
    }

    fn log_tail(&self) -> String {
        let mut text = String::new();
        let _ = fs::File::open(self.folder.join("log")).and_then(|mut f| f.read_to_string(&mut text));
        text.lines().rev().take(5).collect::<Vec<_>>().join(" / ")
    }

    fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            running.end("INT", Duration::from_secs(30));
        }
    }

    fn kill(&mut self) {
        if let Some(running) = self.running.take() {
            running.kill();
        }
    }

    fn signal(&mut self, name: &str) {
        if let Some(running) = &self.running {
            running.signal(name);
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.kill();
        let _ = fs::remove_dir_all(&self.folder);
    }
}
