//! The command line: arguments in, library called, text or JSON out.
//!
//! Exit status: 0 done, 1 the answer is no (a check failed, access was denied), 2 wrong usage or input.

mod access;
mod adopt;
mod audit;
mod audit_replay;
mod connection;
mod directory;
mod doctor;
mod identity;
mod people;
mod policy;
mod policy_diff;
mod policy_explain;
mod policy_prove;
mod policy_rollback;
mod policy_test;
mod serve;
mod token;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand, ValueEnum};

use crate::{settings::Settings, telemetry};

/// Access in seconds, by policy, with a decision that nobody can later deny.
#[derive(Parser)]
#[command(name = "bandpass", version, about, propagate_version = true)]
struct Arguments {
    /// Configuration file; its keys override the built-in defaults, BANDPASS__SECTION__KEY overrides both.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// How data is printed.
    #[arg(long, global = true, value_enum, default_value = "text")]
    format: Format,
    #[command(subcommand)]
    command: Option<Command>,
}

/// How data is printed.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
    /// For the comment of a pull request; `policy diff` only.
    Markdown,
    /// Annotations of GitHub Actions; `policy check` only.
    Github,
    /// SARIF 2.1.0 for code scanning; `policy check` only.
    Sarif,
}

#[derive(Subcommand)]
enum Command {
    /// Serve pages, API and jobs (the default).
    Serve,
    /// Check, test and explain policy files; scaffold them for an existing organisation.
    #[command(subcommand)]
    Policy(policy::PolicyCommand),
    /// Import and show people and teams.
    #[command(subcommand)]
    Directory(directory::DirectoryCommand),
    /// Ask for a group, for a person of the directory.
    Request(access::RequestArguments),
    /// Approve or deny a request with a personal token (BANDPASS_TOKEN).
    Approve(access::VoteArguments),
    /// Grants: list, revoke, adopt, and let the removals go that adoptions cause.
    #[command(subcommand)]
    Grants(access::GrantsCommand),
    /// Personal access tokens.
    #[command(subcommand)]
    Token(token::TokenCommand),
    /// Who people are at the issuers that they sign in with.
    #[command(subcommand)]
    Identity(identity::IdentityCommand),
    /// Sessions of browsers.
    #[command(subcommand)]
    Session(identity::SessionCommand),
    /// Read and prove the audit log.
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Look at the whole set-up: what is wrong, and what cures it. Exit 1 on a fault.
    Doctor,
    /// The database.
    #[command(subcommand)]
    Db(serve::DbCommand),
    /// Stop new grants, or no longer; revocations go on.
    Freeze {
        /// `on` or `off`.
        #[arg(value_enum)]
        switch: Switch,
        /// Why; it is recorded.
        #[arg(long, default_value = "set on the command line")]
        reason: String,
    },
}

/// A switch.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Switch {
    /// Stop new grants.
    On,
    /// Grant again.
    Off,
}

/// What a command comes to.
pub(crate) enum Done {
    /// 0
    Yes,
    /// 1
    No,
}

/// Wrong usage or input: told on standard error, exit status 2.
pub(crate) type Outcome = Result<Done, String>;

/// What every command is given.
pub(crate) struct Context {
    pub settings: Settings,
    pub format: Format,
}

impl Context {
    /// Prints a value as JSON, or the text.
    pub fn print(&self, value: &impl serde::Serialize, text: impl FnOnce() -> String) {
        match self.format {
            Format::Json => say(&serde_json::to_string(value).unwrap_or_default()),
            // The others were refused by `start` where they are not meant.
            Format::Text | Format::Markdown | Format::Github | Format::Sarif => say(&text()),
        }
    }
}

/// Prints a line. Whoever reads may stop reading, as `head` does: what is left is then for nobody.
pub(crate) fn say(text: &impl std::fmt::Display) {
    use std::io::Write;
    match writeln!(std::io::stdout().lock(), "{text}") {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => eprintln!("error: cannot print: {error}"),
        _ => {}
    }
}

/// Runs the program.
pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match settings(&arguments) {
        // A configuration that cannot be read is for the doctor to tell.
        Err(error) if matches!(arguments.command, Some(Command::Doctor)) && meant(&arguments) => actix_web::rt::System::new().block_on(doctor::run(arguments.format, arguments.config.as_deref(), Err(error))),
        settings => settings.and_then(|settings| start(arguments, settings)),
    };
    match outcome {
        Ok(Done::Yes) => ExitCode::SUCCESS,
        Ok(Done::No) => ExitCode::from(1),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

fn settings(arguments: &Arguments) -> Result<Settings, String> {
    Settings::load(arguments.config.as_deref(), std::env::vars()).map_err(|e| e.to_string())
}

/// Whether the command has the format.
fn meant(arguments: &Arguments) -> bool {
    match arguments.format {
        Format::Text | Format::Json => true,
        Format::Markdown => matches!(arguments.command, Some(Command::Policy(policy::PolicyCommand::Diff(_)))),
        Format::Github | Format::Sarif => matches!(arguments.command, Some(Command::Policy(policy::PolicyCommand::Check { .. }))),
    }
}

fn start(arguments: Arguments, settings: Settings) -> Outcome {
    if !meant(&arguments) {
        return Err("`--format markdown` is for `policy diff`, github and sarif for `policy check`; other commands have text and json".to_owned());
    }
    let serving = matches!(arguments.command, None | Some(Command::Serve));
    let level = if serving { settings.log.level.clone() } else { "warn".to_owned() };
    telemetry::start(&settings.log.format, &level)?;
    // Only one provider of cryptography is compiled in; saying so here keeps rustls from guessing.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let context = Context { settings, format: arguments.format };
    let runtime = actix_web::rt::System::new();
    runtime.block_on(async move {
        match arguments.command.unwrap_or(Command::Serve) {
            Command::Serve => serve::serve(context.settings).await,
            Command::Policy(command) => policy::run(&context, command).await,
            Command::Directory(command) => directory::run(&context, command).await,
            Command::Request(arguments) => access::request(&context, arguments).await,
            Command::Approve(arguments) => access::vote(&context, arguments).await,
            Command::Grants(command) => access::grants(&context, command).await,
            Command::Token(command) => token::run(&context, command).await,
            Command::Identity(command) => identity::identity(&context, command).await,
            Command::Session(command) => identity::session(&context, command).await,
            Command::Audit(command) => audit::run(&context, command).await,
            Command::Doctor => doctor::run(context.format, arguments.config.as_deref(), Ok(context.settings.clone())).await,
            Command::Db(command) => serve::db(&context, command).await,
            Command::Freeze { switch, reason } => access::freeze(&context, switch == Switch::On, reason).await,
        }
    })
}
