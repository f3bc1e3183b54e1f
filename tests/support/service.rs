//! The real binary as a process: started, asked, killed, started again.
#![allow(dead_code, reason = "each test binary uses a part")]

use std::{
    collections::BTreeMap,
    fs,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Command, Output},
    time::{Duration, Instant},
};

use super::{database::Database, http, leash::Leashed, postgres::fresh_name};

/// A new folder below the temporary one, removed with its owner.
pub struct Folder(PathBuf);

impl Folder {
    /// Makes it.
    pub fn new(stem: &str) -> Self {
        let path = std::env::temp_dir().join(fresh_name(stem));
        fs::create_dir(&path).expect("a new temporary folder");
        Self(path)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if std::env::var_os("BANDPASS_TEST_KEEP").is_none() {
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}

/// `bandpass serve`, with what it needs.
pub struct Service {
    program: PathBuf,
    folder: PathBuf,
    whole: PathBuf,
    environment: BTreeMap<String, String>,
    address: SocketAddr,
    running: Option<Leashed>,
    config: Option<PathBuf>,
}

/// The binary under test: `BANDPASS_BINARY`, or the one that cargo built beside this test.
pub fn program(built: &str) -> PathBuf {
    std::env::var_os("BANDPASS_BINARY").map_or_else(|| PathBuf::from(built), PathBuf::from)
}

impl Service {
    /// A service whose run folder is `name` below `folder`, where `organisation::write` has put policies and people.
    pub fn new(program: &Path, folder: &Path, name: &str, database: &Database) -> Self {
        let address = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port");
        let run = folder.join(name);
        fs::create_dir_all(&run).expect("the run folder");
        let path = |p: PathBuf| p.display().to_string();
        let environment = [
            ("SERVER__LISTEN", address.to_string()),
            ("SERVER__PUBLIC_URL", format!("http://{address}")),
            ("DATABASE__URL", database.url()),
            ("DATABASE__MIGRATE_URL", database.migrate_url()),
            ("POLICY__SOURCE", path(folder.join("policies"))),
            ("DIRECTORY__SOURCE", path(folder.join("people"))),
            ("SIGNIN__FEATURED", "[]".to_owned()),
            ("SIGNIN__DEVELOPMENT_REAL_PEOPLE", "true".to_owned()),
            ("RUN__FOLDER", path(run.clone())),
            ("RUN__SEED_REQUESTS", "false".to_owned()),
            ("AUDIT__KEY_FILE", path(folder.join("audit.key"))),
            ("REQUESTS__PER_PERSON_PER_HOUR", "1000000".to_owned()),
            ("LOG__LEVEL", "warn".to_owned()),
        ];
        let environment = environment.into_iter().map(|(key, value)| (format!("BANDPASS__{key}"), value)).collect();
        Self { program: program.to_owned(), folder: run, whole: folder.to_owned(), environment, address, running: None, config: None }
    }

    /// Sets one more key, like `LEDGER__BATCH`.
    pub fn set(&mut self, key: &str, value: &str) {
        self.environment.insert(format!("BANDPASS__{key}"), value.to_owned());
    }

    /// Gives it a configuration file with this text.
    pub fn configure(&mut self, text: &str) {
        let file = self.folder.join("bandpass.toml");
        fs::write(&file, text).expect("a configuration file");
        self.config = Some(file);
    }

    /// The arguments of a subcommand, with the configuration file.
    fn arguments(&self, arguments: &[&str]) -> Vec<String> {
        let config = self.config.iter().flat_map(|file| ["--config".to_owned(), file.display().to_string()]);
        arguments.iter().map(ToString::to_string).chain(config).collect()
    }

    /// Sets a variable that is no key of the configuration.
    pub fn environment(&mut self, variable: &str, value: &str) {
        self.environment.insert(variable.to_owned(), value.to_owned());
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The process that runs, for looking at its memory.
    pub fn pid(&self) -> Option<u32> {
        self.running.as_ref().map(Leashed::pid)
    }

    /// Starts it and waits until `/readyz` says 200; answers how long that took.
    ///
    /// # Panics
    /// When it does not come up; with what it printed.
    pub async fn start(&mut self) -> Duration {
        let began = Instant::now();
        let running = Leashed::spawn(&self.program, &self.arguments(&["serve"]), &self.whole, &self.log_file(), |command| self.prepare(command));
        let ready = http::request("GET", "/readyz", &[], None);
        loop {
            if http::once(self.address, &ready).await.is_ok_and(|a| a.status == 200) {
                break;
            }
            assert!(running.is_alive(), "the service ended instead of starting:\n{}", self.log());
            assert!(began.elapsed() < Duration::from_secs(120), "the service is not ready after two minutes:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.running = Some(running);
        began.elapsed()
    }

    /// Kills it at once, like a power cut.
    pub fn kill(&mut self) {
        if let Some(running) = self.running.take() {
            running.kill();
        }
    }

    /// Asks it to end, and waits.
    ///
    /// # Panics
    /// When it does not end within half a minute.
    pub fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            assert!(running.end("TERM", Duration::from_secs(30)), "the service does not end when asked to:\n{}", self.log());
        }
    }

    /// Runs another subcommand of the same binary with the same configuration.
    pub fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(&self.program);
        command.args(self.arguments(arguments));
        self.prepare(&mut command);
        command.output().expect("the binary runs")
    }

    /// The same, for what must succeed; answers what it printed.
    ///
    /// # Panics
    /// With what it said when it failed.
    pub fn must(&self, arguments: &[&str]) -> String {
        let out = self.run(arguments);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(out.status.success(), "bandpass {}: {}\n{}{}", arguments.join(" "), out.status, text(&out.stdout), text(&out.stderr));
        text(&out.stdout)
    }

    /// A token for each person.
    ///
    /// # Panics
    /// When the binary cannot make them.
    pub fn tokens(&self, people: &[String], scopes: &str) -> Vec<String> {
        let list = self.folder.join("people.txt");
        fs::write(&list, people.join("\n") + "\n").expect("a list of people");
        let printed = self.must(&["token", "create", "--people-file", &list.display().to_string(), "--scopes", scopes, "--format", "json"]);
        let tokens: Vec<String> = printed
            .lines()
            .map(|line| {
                let value: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
                value["token"].as_str().unwrap_or_else(|| panic!("no token in {line}")).to_owned()
            })
            .collect();
        assert_eq!(tokens.len(), people.len(), "one token a person");
        tokens
    }

    /// What it has printed so far: the end of it.
    pub fn log(&self) -> String {
        let text = fs::read_to_string(self.log_file()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }

    fn log_file(&self) -> PathBuf {
        self.folder.join("log")
    }

    fn prepare(&self, command: &mut Command) {
        for (key, _) in std::env::vars_os().filter(|(k, _)| k.to_string_lossy().starts_with("BANDPASS__")) {
            command.env_remove(key);
        }
        command.envs(&self.environment).current_dir(&self.folder);
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.kill();
    }
}
