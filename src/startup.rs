//! Building the whole service from settings: the door of `serve`, of the writing commands, and of the tests.

use std::{fs::File, path::{Path, PathBuf}, sync::Arc};

use tokio::sync::watch;

use crate::{
    admin,
    audit::checkpoint::Signer,
    clock::Clock,
    connector::{ConnectorConfig, Registry},
    directory::{Directory, backstage, plan::{self, ImportPlan, Source}, table, tell::Telling},
    domain::{actor::Actor, command::Command, problem::{Problem, Severity}, record::SourceName, refusal::Refusal},
    folder,
    git::{self, Mirror, Remote},
    jobs::{catalog::CatalogFeed, deliver, expire, keep_up, reconsider, sessions, policy_source::{Canary, Load, Place, PolicySource}},
    ledger::{Ledger, LedgerConfig, Limits},
    policy::{self, render},
    settings::{Settings, SigninMode},
    store::{db::Location, migrate, read::Reader, sole::{Sole, SoleRight}, tamper},
};

/// How often an import is planned again when somebody else changed the directory meanwhile.
const IMPORT_ATTEMPTS: usize = 5;

/// Why a service does not start; a person reads it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct StartError(pub String);

impl<E: std::error::Error> From<E> for StartError
where
    E: NotStartError,
{
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

/// Errors that become a [`StartError`] by their text.
pub trait NotStartError {}
impl NotStartError for crate::store::read::StoreError {}
impl NotStartError for crate::ledger::LedgerError {}
impl NotStartError for std::io::Error {}

/// The core of a service: database, ledger and what they need; no web, no jobs.
pub struct Core {
    /// Where the data is.
    pub location: Location,
    /// The ledger.
    pub ledger: Ledger,
    /// Readers.
    pub reader: Reader,
    /// Held while this process may write a SQLite file.
    lock: Option<File>,
}

/// Takes the lock that keeps a second process from writing the same SQLite file.
fn take_lock(location: &Location) -> Result<Option<File>, StartError> {
    let Location::Sqlite(path) = location else { return Ok(None) };
    let lock = PathBuf::from(format!("{}.lock", path.display()));
    if let Some(folder) = lock.parent().filter(|f| !f.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(|e| StartError(format!("cannot make the folder `{}`: {e}", folder.display())))?;
    }
    let file = File::options().create(true).truncate(false).write(true).open(&lock).map_err(|e| StartError(format!("cannot open `{}`: {e}", lock.display())))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(_) => Err(StartError(format!(
            "another process has `{}` open for writing; SQLite has one writer (PostgreSQL is for more than one replica)",
            path.display()
        ))),
    }
}

/// Makes a new database file for this user alone; one that is there stays as it is.
fn make_private(path: &Path) -> Result<(), StartError> {
    use std::os::unix::fs::OpenOptionsExt;
    match File::options().create_new(true).write(true).mode(0o600).open(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(StartError(format!("cannot make `{}`: {error}", path.display()))),
        _ => Ok(()),
    }
}

impl Core {
    /// Opens the database (migrating a SQLite file), tries to tamper with the log, and starts the ledger. Blocks.
    ///
    /// # Errors
    /// [`StartError`] when anything is not as it must be.
    pub fn open(settings: &Settings, clock: &Clock) -> Result<Self, StartError> {
        let location = Location::parse(settings.database.url.reveal()).map_err(StartError)?;
        let lock = take_lock(&location)?;
        match &location {
            Location::Sqlite(path) => {
                make_private(path)?;
                migrate::migrate(&location, None)?;
            }
            Location::Postgres(_) => {
                let pending = migrate::pending(&location)?;
                if !pending.is_empty() {
                    return Err(StartError(format!("the database lacks {} migration(s); run `bandpass db migrate`", pending.len())));
                }
            }
        }
        let worked = tamper::statements_that_tamper(&location)?;
        if !worked.is_empty() {
            let list = worked.join("\n  ");
            return Err(StartError(format!("the audit log can be tampered with, so the service does not start; these worked in a rolled-back try:\n  {list}")));
        }
        let reader = Reader::new(location.clone(), settings.database.readers);
        let config = LedgerConfig {
            location: location.clone(),
            limits: Limits { deny_cooldown: settings.policy.deny_cooldown, requests_per_hour: settings.requests.per_person_per_hour, max_age: settings.directory.max_age.clone() },
            queue: settings.ledger.queue,
            batch: settings.ledger.batch,
            connectors: settings.connectors(),
            timezone: settings.policy.timezone.clone(),
            clock: Arc::clone(clock),
        };
        let ledger = Ledger::start(config, reader.clone())?;
        Ok(Self { location, ledger, reader, lock })
    }

    /// Finishes what is queued, and lets the file go.
    pub async fn close(self) {
        self.ledger.stop().await;
        drop(self.lock);
    }
}

/// Reads every file of people in a folder (or one file) as one source.
///
/// # Errors
/// A sentence when it cannot be read; problems of its files come with the source.
pub fn read_people(path: &Path) -> Result<(Source, Vec<Problem>), String> {
    let files = folder::read(path, folder::PEOPLE_ENDINGS)?;
    let (mut problems, mut source) = (Vec::new(), Source::default());
    let (mut catalogue, mut memberships) = (backstage::Catalogue::default(), Vec::new());
    for (name, bytes) in &files {
        let text = std::str::from_utf8(bytes).map_err(|_| format!("`{name}` is not UTF-8"))?;
        match name.rsplit('.').next() {
            Some("csv") => problems.extend(table::read_csv(name, text, &mut source)),
            Some("yaml" | "yml") => backstage::read(name, text, &mut catalogue, &mut memberships),
            _ => problems.extend(table::read_toml(name, text, &mut source)),
        }
    }
    let catalogue = backstage::finish(catalogue, memberships);
    problems.extend(catalogue.problems);
    source.teams.extend(catalogue.source.teams);
    source.people.extend(catalogue.source.people);
    problems.extend(table::check(&path.display().to_string(), &source));
    Ok((source, problems))
}

/// The people of `directory.source`, as a first start would take them in; nobody when it is empty.
///
/// # Errors
/// What is wrong with the files.
pub fn people_of_files(settings: &Settings) -> Result<Directory, String> {
    if settings.directory.source.is_empty() {
        return Ok(Directory::default());
    }
    let (source, problems) = read_people(Path::new(&settings.directory.source))?;
    if let Some(errors) = errors_of(&problems) {
        return Err(errors);
    }
    Ok(plan::apply(&Directory::default(), &plan::plan(&Directory::default(), &source).changes, 1))
}

/// The errors of some problems as text, or nothing.
pub fn errors_of(problems: &[Problem]) -> Option<String> {
    let errors: Vec<String> = problems.iter().filter(|p| p.severity == Severity::Error).map(render::text).collect();
    (!errors.is_empty()).then(|| errors.join("\n\n"))
}

impl Core {
    /// Brings the configured people in: a first start takes them all; a later one takes what changed, within the bound.
    ///
    /// # Errors
    /// When the source is broken, or would drop too many.
    pub async fn import_configured_people(&self, settings: &Settings) -> Result<(), StartError> {
        if settings.directory.source.is_empty() {
            return Ok(());
        }
        let path = PathBuf::from(&settings.directory.source);
        let (source, problems) = tokio::task::spawn_blocking(move || read_people(&path)).await.map_err(|e| StartError(e.to_string()))?.map_err(StartError)?;
        if let Some(errors) = errors_of(&problems) {
            return Err(StartError(format!("`directory.source` has errors:\n{errors}")));
        }
        let precedence = settings.directory.precedence().map_err(StartError)?;
        if settings.directory.max_age.contains_key("files") {
            self.ledger.source_seen(Actor::system("directory"), &SourceName::files(), settings.directory.seen_every(&SourceName::files())).await?;
        }
        let made = || plan::plan_of(&self.ledger.snapshot().directory, &source, &SourceName::files(), &precedence);
        self.import_anew(made, &settings.directory.source, settings.directory.max_leave_share).await
    }

    /// Imports what `made` says; made anew when another replica, or a program, changed the directory meanwhile.
    async fn import_anew(&self, made: impl Fn() -> ImportPlan, source: &str, max_share: f64) -> Result<(), StartError> {
        for _ in 1..IMPORT_ATTEMPTS {
            match self.try_import(made(), source, max_share, false).await? {
                Ok(_) => return Ok(()),
                Err(Refusal::Stale { .. }) => {}
                Err(refusal) => return Err(StartError(refusal.to_string())),
            }
        }
        self.import(made(), source, max_share, false).await.map(drop)
    }

    /// Makes people the merge of what sources say in the order that settings give now.
    ///
    /// # Errors
    /// When too many would leave by it, or the ledger does not take it.
    pub async fn merge_sources_anew(&self, settings: &Settings) -> Result<(), StartError> {
        let precedence = settings.directory.precedence().map_err(StartError)?;
        let made = || {
            let snapshot = self.ledger.snapshot();
            let effect = Telling::new(&snapshot.directory, &precedence).merged_anew().effect();
            let active_before = snapshot.directory.people().values().filter(|p| p.is_active()).count();
            let leaving = effect.leavers().len();
            ImportPlan { revision: snapshot.directory.revision(), changes: effect.changes, told: effect.told, active_before, leaving, refused: effect.refused, ..ImportPlan::default() }
        };
        self.import_anew(made, "directory.precedence", settings.directory.max_leave_share).await
    }

    /// Limits of development sign-in that the database alone can tell (semantics.md, 31): files on this machine are a choice of who
    /// runs it, people whom programs and issuers vouch for are real.
    async fn check_people(&self, settings: &Settings) -> Result<(), StartError> {
        if settings.signin.mode == SigninMode::Oidc || settings.signin.development_real_people {
            return Ok(());
        }
        let snapshot = self.ledger.snapshot();
        let real = match snapshot.directory.sources().find(|s| matches!(s.family(), "scim" | "catalog")) {
            Some(source) => Some(format!("a directory that `{source}` feeds")),
            None => self.reader.knows_subjects().await.map_err(|e| StartError(e.to_string()))?.then(|| "people who have signed in with an issuer".to_owned()),
        };
        match real {
            Some(real) => Err(StartError(format!(
                "development sign-in with {real}: anybody on this machine could be any of them; expected `signin.mode = \"oidc\"`, or, if that is meant, `signin.development_real_people = true`"
            ))),
            None => Ok(()),
        }
    }

    /// Records what an import changes; answers how many events it took.
    ///
    /// # Errors
    /// When it would drop too many people, or give an account to another.
    pub async fn import(&self, plan: ImportPlan, source: &str, max_share: f64, confirmed: bool) -> Result<usize, StartError> {
        self.try_import(plan, source, max_share, confirmed).await?.map_err(|e| StartError(e.to_string()))
    }

    /// The same, with the ledger's refusal apart.
    async fn try_import(&self, plan: ImportPlan, source: &str, max_share: f64, confirmed: bool) -> Result<Result<usize, Refusal>, StartError> {
        if !plan.refused.is_empty() {
            return Err(StartError(plan.refused.join("\n")));
        }
        if !confirmed {
            plan.check_shrink(max_share).map_err(|e| StartError(e.to_string()))?;
        }
        if plan.changes.is_empty() && plan.told.is_empty() {
            return Ok(Ok(0));
        }
        let changed = plan.changes.len();
        let command = Command::ChangeDirectory { changes: plan.changes, told: plan.told, source: source.to_owned(), expected_revision: plan.revision };
        let reply = self.ledger.act("directory", command).await?;
        Ok(reply.answer.map(|_| changed))
    }
}

/// The connectors that settings name.
///
/// # Errors
/// A sentence for each that cannot be built.
pub fn registry(settings: &Settings) -> Result<Registry, StartError> {
    let configs = settings.connector.iter().map(|c| ConnectorConfig {
        name: c.name.clone(),
        kind: c.kind.clone(),
        url: Some(c.url.reveal()).filter(|u| !u.is_empty()).map(crate::connector::Secret::new),
        allowed_roles: c.allowed_roles.clone(),
        ca_file: c.ca_file.clone(),
    });
    Registry::build(configs).map_err(|problems| StartError(problems.join("\n")))
}

/// Limits of development sign-in that settings alone can break (semantics.md, 31).
///
/// # Errors
/// A sentence that says which.
pub fn check_signin(settings: &Settings) -> Result<(), StartError> {
    if settings.signin.mode == SigninMode::Oidc {
        return Ok(());
    }
    let host = settings.server.public_url.split_once("://").map_or("", |(_, rest)| rest).split('/').next().unwrap_or_default();
    let host = host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit())).map_or(host, |(host, _)| host);
    if !crate::outgoing::is_loopback(host) || !settings.server.listen.ip().is_loopback() {
        return Err(StartError(
            "development sign-in lets everybody be anybody, so it works only on a loopback address: set `server.listen` and `server.public_url` to one".to_owned(),
        ));
    }
    if let Some(real) = settings.connector.iter().find(|c| c.kind != "memory").filter(|_| !settings.signin.development_real_targets) {
        return Err(StartError(format!(
            "development sign-in with the real target `{}`: anybody on this machine could grant themselves access there; if that is meant, set `signin.development_real_targets = true`",
            real.name
        )));
    }
    Ok(())
}

/// Where policy comes from.
fn policy_place(settings: &Settings) -> Result<Place, StartError> {
    let Some(remote) = Remote::parse(&settings.policy.source).map_err(StartError)? else {
        return Ok(Place::Folder(PathBuf::from(&settings.policy.source)));
    };
    git::installed().map_err(StartError)?;
    Ok(Place::Git(Mirror {
        folder: settings.run.folder.join("policy.git"),
        remote,
        branch: settings.policy.branch.clone(),
        below: settings.policy.path.clone(),
        signers: settings.policy.signers.clone(),
    }))
}

/// Takes the right to follow a folder: one replica a database, since two folders could differ (semantics.md, 28).
async fn follow_alone(location: &Location) -> Result<SoleRight, StartError> {
    let location = location.clone();
    let taken = tokio::task::spawn_blocking(move || SoleRight::take(&location, Sole::PolicyFolder)).await.map_err(|e| StartError(e.to_string()))??;
    taken.ok_or_else(|| {
        StartError(
            "another replica on this database follows a policy folder already; two folders could differ, so replicas need one git repository as `policy.source`".to_owned(),
        )
    })
}

/// A running service.
pub struct Application {
    /// Database and ledger.
    pub core: Core,
    /// Where it listens.
    pub address: std::net::SocketAddr,
    web: crate::web::Web,
    sole: Option<SoleRight>,
    stop: watch::Sender<bool>,
}

impl Application {
    /// Builds everything and binds the address; nothing is served before [`Application::run`].
    ///
    /// # Errors
    /// [`StartError`] says what is wrong and what to do.
    pub async fn build(settings: Settings, clock: Clock) -> Result<Self, StartError> {
        check_signin(&settings)?;
        let registry = registry(&settings)?;
        std::fs::create_dir_all(&settings.run.folder)
            .map_err(|e| StartError(format!("cannot make the folder `{}`: {e}", settings.run.folder.display())))?;
        let signer = Arc::new(Signer::open(&settings.audit.key_file, &settings.audit.origin).map_err(StartError)?);
        let core = {
            let (settings, clock) = (settings.clone(), Arc::clone(&clock));
            tokio::task::spawn_blocking(move || Core::open(&settings, &clock)).await.map_err(|e| StartError(e.to_string()))??
        };
        let first_start = core.ledger.snapshot().in_force.is_none();
        core.import_configured_people(&settings).await?;
        core.merge_sources_anew(&settings).await?;
        core.check_people(&settings).await?;
        let place = policy_place(&settings)?;
        let sole = match &place {
            Place::Folder(_) => Some(follow_alone(&core.location).await?),
            Place::Git(_) => None,
        };
        core.ledger.stats().follows_folder.store(sole.is_some(), std::sync::atomic::Ordering::Relaxed);
        let far = matches!(place, Place::Git(_));
        let every = std::time::Duration::from_secs(settings.policy.poll_seconds.max(1));
        let mut source = PolicySource::new(place, every, Canary::default());
        // A repository may be slow or away: with a policy in force it is looked at after the start. So is a folder that holds what
        // is in force already.
        let later = if far { core.ledger.snapshot().in_force.is_some() } else { source.is_in_force(&core.ledger).await.map_err(StartError)? };
        if !later {
            let shown = &core.ledger.source_state().source;
            match source.load(&core.ledger).await.map_err(StartError)? {
                Load::InForce => {}
                // People may come over SCIM, and that needs a service that is there.
                Load::Refused(problems) if core.ledger.snapshot().in_force.is_none() && policy::codes::awaits_people(&problems) => {
                    tracing::error!("{}", core.ledger.snapshot().without_policy().unwrap_or_default());
                }
                Load::Refused(problems) if core.ledger.snapshot().in_force.is_none() => {
                    let errors = errors_of(&problems).unwrap_or_default();
                    return Err(StartError(format!("`policy.source` {shown} has errors, and there is no earlier policy to go on with:\n{errors}")));
                }
                Load::Unreachable(why) if core.ledger.snapshot().in_force.is_none() => {
                    return Err(StartError(format!("the policy source cannot be reached, and there is no earlier policy to go on with: {why}")));
                }
                Load::Refused(_) | Load::Unreachable(_) => tracing::error!("starting with the last good policy; see /policy"),
            }
        }
        if first_start && settings.run.seed_requests && core.ledger.snapshot().in_force.is_some() {
            crate::sample::file_requests(&core.ledger, &settings).await;
        }
        let (stop, stopped) = watch::channel(false);
        // A SQLite file has one process.
        if matches!(core.location, Location::Postgres(_)) {
            tokio::spawn(keep_up::run(core.ledger.clone(), stopped.clone()));
        }
        tokio::spawn(expire::run(core.ledger.clone(), core.reader.clone(), stopped.clone()));
        tokio::spawn(deliver::run(core.location.clone(), core.ledger.clone(), core.reader.clone(), registry, stopped.clone()));
        tokio::spawn(reconsider::run(core.location.clone(), core.ledger.clone(), core.reader.clone(), settings.policy.confirm_share, stopped.clone()));
        tokio::spawn(sessions::run(core.ledger.clone(), core.reader.clone(), settings.signin.idle, stopped.clone()));
        for catalog in &settings.directory.catalog {
            let source = SourceName::catalog(catalog.name.as_str());
            let seen_every = settings.directory.seen_every(&source);
            let every = std::time::Duration::from_secs(catalog.poll_seconds.max(1));
            let precedence = settings.directory.precedence().map_err(StartError)?;
            let feed = CatalogFeed::new(source, &catalog.url, catalog.token.reveal(), every, precedence, settings.directory.leave_bound(), seen_every);
            tokio::spawn(feed.run(core.ledger.clone(), stopped.clone()));
        }
        tokio::spawn(source.follow(core.ledger.clone(), stopped.clone()));
        admin::serve(&settings.run.folder, core.ledger.clone(), stopped)?;
        let web = crate::web::serve(&core.ledger, &core.reader, &settings, signer, clock).map_err(StartError)?;
        Ok(Self { core, address: web.address, web, sole, stop })
    }

    /// Serves until the process is asked to stop; then finishes what is in hand.
    ///
    /// # Errors
    /// When the server itself fails.
    pub async fn run(self) -> Result<(), StartError> {
        let outcome = self.web.run().await;
        let _ = self.stop.send(true);
        self.core.close().await;
        drop(self.sole);
        outcome.map_err(|e| StartError(e.to_string()))
    }
}
