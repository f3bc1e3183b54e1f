//! How writing commands reach the ledger: through the running service's socket, else by the same ledger here.

use crate::{
    admin::{Adopt, Client, Outcome, operator},
    clock,
    domain::{adoption::Adoption, command::{Answer, Command, Envelope}, id::CommandId, refusal::Refusal},
    ledger::{adopt::Membership, fresh_id},
    settings::Settings,
    startup::Core,
};

/// A way to the ledger.
pub enum Connection {
    /// A service runs on this machine.
    Service(Client),
    /// None does: the database is open here.
    Here(Box<Core>),
}

/// Opens the database in this process.
///
/// # Errors
/// What a start would say.
pub async fn open_core(settings: &Settings) -> Result<Core, String> {
    let settings = settings.clone();
    tokio::task::spawn_blocking(move || Core::open(&settings, &clock::system())).await.map_err(|e| e.to_string())?.map_err(|e| e.to_string())
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// When neither a service nor the database can be reached.
    pub async fn open(settings: &Settings) -> Result<Self, String> {
        match Client::connect(&settings.run.folder).await {
            Some(client) => Ok(Self::Service(client)),
            None => Ok(Self::Here(Box::new(open_core(settings).await?))),
        }
    }

    /// Carries out a command as the operator.
    ///
    /// # Errors
    /// When nothing was done.
    pub async fn send(&mut self, command: Command) -> Result<Result<Answer, Refusal>, String> {
        match self {
            Self::Service(client) => match client.send(&command).await? {
                Outcome::Answer(answer) => Ok(Ok(*answer)),
                Outcome::Refusal(refusal) => Ok(Err(refusal)),
                Outcome::Error(error) => Err(error),
                Outcome::Adoptions(_) => Err("the service answered something else".to_owned()),
            },
            Self::Here(core) => {
                let envelope = Envelope { id: CommandId(fresh_id()), actor: operator(), command, idempotency: None };
                core.ledger.execute(envelope).await.map(|reply| reply.answer).map_err(|e| e.to_string())
            }
        }
    }

    /// Adopts memberships as the operator, or says what that would do.
    ///
    /// # Errors
    /// When nothing is known to have been done.
    pub async fn adopt(&mut self, memberships: Vec<Membership>, apply: bool) -> Result<Vec<Adoption>, String> {
        match self {
            Self::Service(client) => match client.send(&Adopt { adopt: memberships, apply }).await? {
                Outcome::Adoptions(adoptions) => Ok(adoptions),
                Outcome::Error(error) => Err(error),
                Outcome::Answer(_) | Outcome::Refusal(_) => Err("the service answered something else".to_owned()),
            },
            Self::Here(core) if apply => core.ledger.adopt(operator(), memberships).await.map_err(|e| e.to_string()),
            Self::Here(core) => core.ledger.preview_adoptions(operator(), memberships).await.map_err(|e| e.to_string()),
        }
    }

    /// Lets go.
    pub async fn close(self) {
        if let Self::Here(core) = self {
            core.close().await;
        }
    }
}
