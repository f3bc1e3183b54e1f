//! What a program with a service's token may do: one list of all commands, so that a new one is thought about.

use super::World;
use crate::domain::{actor::Actor, command::Command, refusal::Refusal};

/// Refuses what is a person's to do. A service asks and gives back for who answers for it; with the scope `admin` it may also take
/// away, which is what alarms are for. It never gives, lifts, confirms or votes.
///
/// # Errors
/// [`Refusal::NotAllowed`] with the reason.
pub(super) fn check(world: &World<'_>, actor: &Actor, command: &Command) -> Result<(), Refusal> {
    if actor.service().is_none() {
        return Ok(());
    }
    let own = actor.person_id();
    let may = match command {
        // Asked and given back in its owner's name.
        Command::Submit { .. } | Command::Renew { .. } | Command::Withdraw { .. } => true,
        Command::Revoke { grant, .. } => world.state.grant(*grant).is_none_or(|g| Some(&g.person) == own) || world.is_admin(actor),
        Command::RevokeToken { token } => is_its_own(actor, *token) || world.is_admin(actor),
        Command::EndSessions { .. } => world.is_admin(actor),
        Command::Freeze { on, .. } => *on,
        // A directory's program; what it may change is looked at there.
        Command::ChangeDirectory { .. } | Command::SourceSeen { .. } | Command::HoldLeavers { .. } => true,
        // Refused in their own words.
        Command::Approve { .. } | Command::Deny { .. } | Command::CreateToken { .. } => true,
        // What was refused to it is recorded as its own.
        Command::RecordRefusals { .. } => true,
        Command::ConfirmEndings { .. }
        | Command::ConfirmRemovals { .. }
        | Command::ConfirmLeavers { .. }
        | Command::LiftBlock { .. }
        | Command::Adopt { .. }
        | Command::UnlinkIdentity { .. } => false,
        // Bandpass itself alone does these.
        Command::ExpireRequest { .. }
        | Command::ExpireGrant { .. }
        | Command::Reconsider { .. }
        | Command::HoldEndings { .. }
        | Command::WithdrawEndings { .. }
        | Command::Birthright { .. }
        | Command::ConfirmDelivery { .. }
        | Command::ReportDelivery { .. }
        | Command::LoadPolicy { .. }
        | Command::ReportPolicyFailure { .. }
        | Command::SignIn { .. }
        | Command::RefuseSignIn { .. } => false,
    };
    if may { Ok(()) } else { Err(Refusal::NotAllowed { reason: "this is for a person: sign in, or come with a personal token".to_owned() }) }
}

fn is_its_own(actor: &Actor, id: crate::domain::id::TokenId) -> bool {
    matches!(actor, Actor::Person { token: Some(token), .. } if *token == id)
}
