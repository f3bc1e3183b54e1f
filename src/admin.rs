//! The admin socket: commands from the service's own machine, as `operator:<system user>` (semantics.md, 27).
//!
//! One JSON line in, one out. The socket lies in the run folder with mode 0600; who connects is asked of the kernel.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream},
    sync::watch,
};

use crate::{
    domain::{
        actor::Actor,
        adoption::Adoption,
        command::{Answer, Command, Envelope},
        id::CommandId,
        refusal::Refusal,
    },
    ledger::{Ledger, adopt::Membership, fresh_id},
};

/// The longest command line that is read: an import of a large organisation.
const MAX_LINE: u64 = 64 * 1024 * 1024;

/// What the socket answers.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Done.
    Answer(Box<Answer>),
    /// What became of memberships, or would.
    Adoptions(Vec<Adoption>),
    /// Refused, and why.
    Refusal(Refusal),
    /// Nothing was done.
    Error(String),
}

/// A line that is no command: many memberships at once.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Adopt {
    /// Who is in what, in order.
    pub adopt: Vec<Membership>,
    /// Record them, or only say what would become of them.
    pub apply: bool,
}

/// The socket's path.
pub fn socket(folder: &Path) -> PathBuf {
    folder.join("admin.sock")
}

/// The name of a system user, or its number.
fn user_name(uid: u32) -> String {
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, _, id) = (fields.next()?, fields.next()?, fields.next()?);
        (id.parse() == Ok(uid)).then(|| name.to_owned())
    });
    name.unwrap_or_else(|| uid.to_string())
}

/// The system user of this process, as an actor.
pub fn operator() -> Actor {
    use std::os::unix::fs::MetadataExt;
    let uid = std::fs::metadata("/proc/self").map(|m| m.uid()).unwrap_or(0);
    Actor::Operator { user: user_name(uid) }
}

/// Serves the socket until `stop`.
///
/// # Errors
/// When the socket cannot be made.
pub fn serve(folder: &Path, ledger: Ledger, mut stop: watch::Receiver<bool>) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let path = socket(folder);
    let _ = std::fs::remove_file(&path);
    let listener = UnixListener::bind(&path)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    tokio::spawn(async move {
        loop {
            let stream = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = stop.changed() => break,
            };
            if let Ok((stream, _)) = stream {
                let ledger = ledger.clone();
                tokio::spawn(async move {
                    if let Err(error) = converse(stream, &ledger).await {
                        tracing::debug!(%error, "a conversation on the admin socket broke off");
                    }
                });
            }
        }
        let _ = std::fs::remove_file(&path);
    });
    Ok(())
}

async fn converse(stream: UnixStream, ledger: &Ledger) -> std::io::Result<()> {
    let user = user_name(stream.peer_cred()?.uid());
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read.take(MAX_LINE)).lines();
    while let Some(line) = lines.next_line().await? {
        let outcome = match serde_json::from_str::<Command>(&line) {
            // Only this line has no `command`.
            Err(_) if line.starts_with("{\"adopt\":") => match serde_json::from_str::<Adopt>(&line) {
                Err(error) => Outcome::Error(format!("not a list of memberships: {error}")),
                Ok(Adopt { adopt, apply }) => {
                    let actor = Actor::Operator { user: user.clone() };
                    let adoptions = if apply { ledger.adopt(actor, adopt).await } else { ledger.preview_adoptions(actor, adopt).await };
                    adoptions.map_or_else(|error| Outcome::Error(error.to_string()), Outcome::Adoptions)
                }
            },
            Err(error) => Outcome::Error(format!("not a command: {error}")),
            Ok(Command::LoadPolicy { .. }) => Outcome::Error("policy is loaded from its source".to_owned()),
            Ok(command) => {
                let envelope = Envelope { id: CommandId(fresh_id()), actor: Actor::Operator { user: user.clone() }, command, idempotency: None };
                match ledger.execute(envelope).await {
                    Ok(reply) => reply.answer.map_or_else(Outcome::Refusal, |answer| Outcome::Answer(Box::new(answer))),
                    Err(error) => Outcome::Error(error.to_string()),
                }
            }
        };
        let mut text = serde_json::to_string(&outcome).unwrap_or_else(|e| format!("{{\"error\":\"{e}\"}}"));
        text.push('\n');
        write.write_all(text.as_bytes()).await?;
    }
    Ok(())
}

/// A connection to a running service.
pub struct Client {
    lines: tokio::io::Lines<BufReader<tokio::net::unix::OwnedReadHalf>>,
    write: tokio::net::unix::OwnedWriteHalf,
}

impl Client {
    /// Connects; none when no service runs here.
    pub async fn connect(folder: &Path) -> Option<Self> {
        let (read, write) = UnixStream::connect(socket(folder)).await.ok()?.into_split();
        Some(Self { lines: BufReader::new(read).lines(), write })
    }

    /// Sends a [`Command`] or [`Adopt`] and waits for its outcome.
    ///
    /// # Errors
    /// A sentence when the service went away.
    pub async fn send(&mut self, command: &impl Serialize) -> Result<Outcome, String> {
        let gone = |e: std::io::Error| format!("the service went away: {e}");
        let mut text = serde_json::to_string(command).map_err(|e| e.to_string())?;
        text.push('\n');
        self.write.write_all(text.as_bytes()).await.map_err(gone)?;
        let line = self.lines.next_line().await.map_err(gone)?.ok_or("the service went away")?;
        serde_json::from_str(&line).map_err(|e| format!("the service answered something else: {e}"))
    }
}
