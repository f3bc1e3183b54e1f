//! A small company with its own database, for one test.

use std::{
    collections::BTreeMap,
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use bandpass::{
    audit::{replay::{Replay, replay}, verify::{Report, verify}},
    clock::Clock,
    directory::{plan, table},
    domain::{
        actor::Actor,
        command::{Answer, Command, Envelope},
        grant::Grant,
        id::CommandId,
        refusal::Refusal,
        request::{Request, RequestStatus},
        time::Time,
    },
    jobs::reconsider::Reviewer,
    ledger::fresh_id,
    policy,
    settings::Settings,
    startup::Core,
    store::{db::Location, dump::Dumper, migrate},
};

use crate::support::{
    database::Database,
    postgres::{self, Postgres},
    service::Folder,
};

pub const PEOPLE: &str = r#"
[[team]]
id = "ops"
title = "Operations"
[[team]]
id = "owners"
title = "Owners"
[[team]]
id = "admins"
title = "Admins"
[[person]]
id = "ann"
name = "Ann"
team = "ops"
manager = "max"
employment = "permanent"
accounts = { target = "ann_t" }
[[person]]
id = "bob"
name = "Bob"
team = "ops"
manager = "max"
employment = "contractor"
[[person]]
id = "max"
name = "Max"
team = "ops"
employment = "permanent"
[[person]]
id = "olga"
name = "Olga"
team = "owners"
employment = "permanent"
[[person]]
id = "omar"
name = "Omar"
team = "owners"
employment = "permanent"
[[person]]
id = "ada"
name = "Ada"
team = "admins"
employment = "permanent"
"#;

const GROUPS: &[(&str, &str)] = &[
    ("instant", "[[entitlement]]\nconnector = \"target\"\nname = \"reader\"\n[[rule]]\nname = \"ops\"\nwho = [\"team:ops\"]\nthen = \"grant\"\nfor = \"30d\"\n"),
    ("also", "[[entitlement]]\nconnector = \"target\"\nname = \"reader\"\n[[rule]]\nname = \"ops\"\nwho = [\"team:ops\"]\nthen = \"grant\"\nfor = \"30d\"\n"),
    ("asked", "[[rule]]\nname = \"an owner agrees\"\nwho = [\"everyone\"]\nthen = \"approve\"\nfor = \"7d\"\n[[rule.stage]]\nfrom = [\"owner\"]\n"),
    ("twice", "[[rule]]\nname = \"two agree\"\nwho = [\"everyone\"]\nthen = \"approve\"\nfor = \"7d\"\n[[rule.stage]]\nfrom = [\"owner\", \"manager\"]\nneed = 2\n"),
    ("staged", "[[rule]]\nname = \"manager, then owner\"\nwho = [\"team:ops\"]\nthen = \"approve\"\nfor = \"7d\"\n[[rule.stage]]\nfrom = [\"manager\"]\n[[rule.stage]]\nfrom = [\"owner\"]\n"),
    ("reasoned", "[[rule]]\nname = \"with a reason\"\nwho = [\"everyone\"]\nthen = \"grant\"\nfor = \"1d\"\njustification = \"required\"\n"),
    ("left-hand", "[[rule]]\nname = \"all\"\nwho = [\"everyone\"]\nthen = \"grant\"\nfor = \"1d\"\n"),
    ("right-hand", "[[rule]]\nname = \"all\"\nwho = [\"everyone\"]\nthen = \"approve\"\nfor = \"1d\"\n[[rule.stage]]\nfrom = [\"owner\"]\n"),
    ("secret", "[[rule]]\nname = \"all\"\nwho = [\"everyone\"]\nthen = \"grant\"\nfor = \"1d\"\n"),
];

/// The company's policy files.
pub fn files() -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for (id, rules) in GROUPS {
        let sensitivity = if *id == "secret" { "restricted" } else { "internal" };
        let text = format!("title = \"{id}\"\nowner = \"team:owners\"\nsensitivity = \"{sensitivity}\"\n{rules}");
        files.insert(format!("groups/{id}.toml"), text.into_bytes());
    }
    let conflict = "[[conflict]]\ngroups = [\"left-hand\", \"right-hand\"]\nreason = \"one hand only\"\n";
    let guardrail = "@id(\"no-contractors\")\n@reason(\"contractors may not\")\nforbid (principal, action, resource)\nwhen { principal.employment == \"contractor\" && resource.sensitivity == \"restricted\" };\n";
    files.insert("conflicts.toml".to_owned(), conflict.into());
    files.insert("guardrails/all.cedar".to_owned(), guardrail.into());
    files.insert("roles.toml".to_owned(), "[admin]\nwho = [\"team:admins\"]\n[auditor]\nwho = [\"team:admins\"]\n".into());
    files
}

/// Writes the company's policy and people as files below a folder, for the program itself.
pub fn write(folder: &std::path::Path) {
    for (path, bytes) in files() {
        let file = folder.join("policies").join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, bytes).unwrap();
    }
    std::fs::create_dir_all(folder.join("people")).unwrap();
    std::fs::write(folder.join("people/all.toml"), PEOPLE).unwrap();
}

/// A running core with the company in it.
pub struct House {
    pub core: Core,
    pub location: Location,
    pub database: Database,
    pub settings: Settings,
    pub now: Arc<AtomicI64>,
    _folder: Folder,
}

impl House {
    async fn open(database: Database, folder: Folder) -> Self {
        let now = Arc::new(AtomicI64::new(1_800_000_000_000_000));
        let variables = [
            ("BANDPASS__DATABASE__URL", database.url()),
            ("BANDPASS__REQUESTS__PER_PERSON_PER_HOUR", "100000".to_owned()),
        ];
        let mut settings = Settings::load(None, variables.map(|(k, v)| (k.to_owned(), v))).unwrap();
        settings.connector.truncate(1);
        settings.connector[0].name = "target".parse().unwrap();
        if database.superuser_url().is_some() {
            let (migrate, service) = (Location::parse(&database.migrate_url()).unwrap(), Location::parse(&database.url()).unwrap());
            tokio::task::spawn_blocking(move || migrate::migrate(&migrate, service.role().as_deref())).await.unwrap().unwrap();
        }
        let core = Self::core(&settings, &now).await;
        let mut source = plan::Source::default();
        assert_eq!(table::read_toml("people", PEOPLE, &mut source), vec![]);
        core.import(plan::plan(&core.ledger.snapshot().directory, &source), "test", 1.0, false).await.unwrap();
        let house = Self { location: Location::parse(settings.database.url.reveal()).unwrap(), core, database, settings, now, _folder: folder };
        house.load(files()).await;
        house
    }

    pub async fn core(settings: &Settings, now: &Arc<AtomicI64>) -> Core {
        let (settings, now) = (settings.clone(), Arc::clone(now));
        let clock: Clock = Arc::new(move || Time::from_micros(now.load(Ordering::SeqCst)));
        tokio::task::spawn_blocking(move || Core::open(&settings, &clock)).await.unwrap().unwrap()
    }

    /// Brings policy files into force.
    pub async fn load(&self, files: policy::PolicyFiles) {
        let checked = policy::check(&files, &self.core.ledger.known(), "UTC");
        let set = checked.set.unwrap_or_else(|| panic!("{:#?}", checked.problems));
        self.core.ledger.load_policy(Actor::system("policy"), set, files, "test".to_owned()).await.unwrap().answer.unwrap();
    }

    /// Takes people and teams in, whoever leaves by it.
    pub async fn import(&self, people: &str) {
        let mut source = plan::Source::default();
        assert_eq!(table::read_toml("people", people, &mut source), vec![]);
        self.core.import(plan::plan(&self.core.ledger.snapshot().directory, &source), "test", 1.0, true).await.unwrap();
    }

    /// What decides grants again, with nothing seen yet.
    pub fn reviewer(&self, share: f64) -> Reviewer {
        Reviewer::new(self.core.ledger.clone(), self.core.reader.clone(), share)
    }

    /// Closes and opens again, as a restart does.
    pub async fn restart(mut self) -> Self {
        self.core.close().await;
        self.core = Self::core(&self.settings, &self.now).await;
        self
    }

    /// Lets time pass (SQLite; PostgreSQL has its own clock).
    pub fn pass(&self, seconds: i64) {
        self.now.fetch_add(seconds * 1_000_000, Ordering::SeqCst);
    }

    pub fn has_own_clock(&self) -> bool {
        self.database.superuser_url().is_none()
    }

    pub async fn run(&self, person: &str, command: Command) -> Result<Answer, Refusal> {
        let actor = Actor::person(&person.parse().unwrap());
        let envelope = Envelope { id: CommandId(fresh_id()), actor, command, idempotency: None };
        self.core.ledger.execute(envelope).await.unwrap().answer
    }

    pub async fn ask_for(&self, person: &str, group: &str, duration: &str) -> Result<(Request, Option<Grant>), Refusal> {
        let command = Command::Submit { person: person.parse().unwrap(), group: group.parse().unwrap(), duration: Some(duration.parse().unwrap()), justification: None };
        match self.run(person, command).await? {
            Answer::Request { request, grant, .. } => Ok((request, grant)),
            other => panic!("{other:?}"),
        }
    }

    pub async fn approve(&self, person: &str, request: &Request) -> Result<RequestStatus, Refusal> {
        match self.run(person, Command::Approve { request: request.id, comment: None }).await? {
            Answer::Request { request, .. } | Answer::RequestChanged { request } => Ok(request.status),
            other => panic!("{other:?}"),
        }
    }

    /// Verifies the log and rebuilds every table.
    pub async fn verify(&self) -> Report {
        let location = self.location.clone();
        tokio::task::spawn_blocking(move || verify(&mut Dumper::open(&location).unwrap(), None, true).unwrap()).await.unwrap()
    }

    /// Makes every recorded decision again.
    pub async fn replay(&self) -> Replay {
        let location = self.location.clone();
        tokio::task::spawn_blocking(move || replay(&mut Dumper::open(&location).unwrap(), 1, i64::MAX).unwrap()).await.unwrap()
    }

    /// What a test leaves behind must be sound, and every decision must follow from its inputs.
    pub async fn leave(self) {
        let report = self.verify().await;
        assert_eq!(report.faults, Vec::<String>::new());
        let replayed = self.replay().await;
        assert_eq!((replayed.differences, replayed.before_replay), (vec![], 0));
        self.core.close().await;
    }
}

/// Runs a test on both databases.
pub fn on_both<F, T>(name: &str, test: F)
where
    F: Fn(House) -> T,
    T: Future<Output = ()>,
{
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let folder = Folder::new(&format!("bandpass_{name}"));
        let database = Database::sqlite(folder.path());
        test(House::open(database, folder).await).await;
        match postgres::missing() {
            Some(why) => println!("{name}: PostgreSQL left out: {why}"),
            None => {
                let folder = Folder::new(&format!("bandpass_{name}"));
                let database = Database::postgres(Postgres::shared());
                test(House::open(database, folder).await).await;
            }
        }
    });
}
