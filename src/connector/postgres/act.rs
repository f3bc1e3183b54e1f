//! One addition or removal: judge, act, read back.

use std::collections::BTreeSet;

use super::{
    catalog::{self, Holding},
    name,
    session::{Session, within},
};
use crate::{
    connector::{HELD_BEFORE, Intent},
    domain::delivery::{Delivered, DeliveryAction, DeliveryError},
};

fn needs_person<T>(text: String) -> Result<T, DeliveryError> {
    Err(DeliveryError::NeedsPerson(text))
}

/// Judges both names by themselves. The list binds additions only: a role that was taken off it can still be taken away,
/// and a removal touches nothing that this connector did not grant.
///
/// # Errors
/// A sentence that says which name is refused and why.
pub(super) fn check_names(allowed: &BTreeSet<String>, intent: &Intent) -> Result<(), String> {
    name::check("role", &intent.entitlement)?;
    name::check("account", &intent.account)?;
    if intent.action == DeliveryAction::Add && !allowed.contains(&intent.entitlement) {
        return Err(format!("the role `{}` is not in `allowed_roles`, so it is never granted", intent.entitlement));
    }
    Ok(())
}

/// Does it.
///
/// # Errors
/// [`DeliveryError`] when the target does not have it.
pub(super) async fn carry_out(session: &Session, intent: &Intent) -> Result<Delivered, DeliveryError> {
    let (role, account) = (intent.entitlement.as_str(), intent.account.as_str());
    let own = catalog::ourselves(session).await?;
    if own == role || own == account {
        return needs_person(format!("`{own}` is the connector's own role, which it neither grants nor changes"));
    }
    let (role_exists, account_logs_in) = catalog::pair(session, role, account).await?;
    match intent.action {
        DeliveryAction::Add => {
            if !role_exists {
                return needs_person(format!("there is no role `{role}` in the target"));
            }
            match account_logs_in {
                None => return needs_person(format!("there is no account `{account}` in the target")),
                // Whoever is a member of it would hold what it holds.
                Some(false) => return needs_person(format!("`{account}` may not log in, so it is a group or a closed account")),
                Some(true) => {}
            }
            add(session, role, account, &own).await
        }
        DeliveryAction::Remove if !role_exists => Ok(Delivered::DoneWithNote(format!("the role `{role}` is gone from the target"))),
        DeliveryAction::Remove if account_logs_in.is_none() => Ok(Delivered::DoneWithNote(format!("the account `{account}` is gone from the target"))),
        DeliveryAction::Remove => remove(session, role, account, intent.held_before).await,
    }
}

/// Refuses roles and accounts with power over the server, and a connector that has come to such power by membership.
async fn refuse_power(session: &Session, role: &str, account: &str, own: &str) -> Result<(), DeliveryError> {
    for power in catalog::powers(session, &[role, account, own]).await? {
        if power.start == role {
            return needs_person(format!("the role `{role}` {} and is never granted", power.told()));
        }
        if power.start == account && !power.built_in_only {
            return needs_person(format!("the account `{account}` {}; such accounts are not managed here", power.told()));
        }
        if power.start == own && power.over_roles && !power.ours {
            return needs_person(format!("the connector's own role `{own}` {}, so nothing is granted", power.told()));
        }
    }
    Ok(())
}

async fn add(session: &Session, role: &str, account: &str, own: &str) -> Result<Delivered, DeliveryError> {
    refuse_power(session, role, account, own).await?;
    let before = catalog::holdings(session, role, account).await?;
    if let Some(foreign) = before.iter().find(|h| h.direct && !h.ours) {
        return Ok(Delivered::DoneWithNote(format!("{HELD_BEFORE}, through {}: left as it was", foreign.told())));
    }
    if !before.iter().any(|h| h.ours) {
        within(session.client.batch_execute("BEGIN")).await?;
        let granted = grant(session, role, account, own).await;
        // A connection that cannot end its transaction is closed with it.
        let end = within(session.client.batch_execute(if granted.is_ok() { "COMMIT" } else { "ROLLBACK" })).await;
        granted.and(end)?;
    }
    let after = catalog::holdings(session, role, account).await?;
    match after.iter().find(|h| h.ours) {
        None => Err(DeliveryError::Retry("the server accepted it but does not show it".to_owned())),
        Some(held) if held.admin => needs_person(format!("`{account}` holds `{role}` WITH ADMIN OPTION, which bandpass never gives: take the option away")),
        Some(_) => Ok(match before.iter().find(|h| !h.direct) {
            None => Delivered::Done,
            Some(other) => Delivered::DoneWithNote(format!("{HELD_BEFORE}, through {}: that is left as it was", other.told())),
        }),
    }
}

/// Grants inside the open transaction, and looks for power once more before anyone can use it: it may have come meanwhile.
async fn grant(session: &Session, role: &str, account: &str, own: &str) -> Result<(), DeliveryError> {
    let statement = format!("GRANT {} TO {} GRANTED BY CURRENT_USER", name::quoted(role), name::quoted(account));
    within(session.client.batch_execute(&statement)).await?;
    refuse_power(session, role, account, own).await
}

async fn remove(session: &Session, role: &str, account: &str, held_before: bool) -> Result<Delivered, DeliveryError> {
    let before = catalog::holdings(session, role, account).await?;
    let had = before.iter().any(|h| h.ours);
    if had {
        let statement = format!("REVOKE {} FROM {} GRANTED BY CURRENT_USER", name::quoted(role), name::quoted(account));
        within(session.client.batch_execute(&statement)).await?;
    }
    let after: Vec<Holding> = if had { catalog::holdings(session, role, account).await? } else { before };
    match after.first() {
        None if had => Ok(Delivered::Done),
        None => Ok(Delivered::DoneWithNote("was not held any more".to_owned())),
        Some(rest) if rest.ours => Err(DeliveryError::Retry("the server accepted the removal but still shows it".to_owned())),
        Some(rest) if held_before => Ok(Delivered::DoneWithNote(format!("still held through {}, as before bandpass added it: left as it was", rest.told()))),
        Some(rest) => needs_person(format!("held through {}: take it away there", rest.told())),
    }
}
