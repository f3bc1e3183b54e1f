//! What a route needs of its caller. Every route has an entry; one without is closed.

use super::Caller;
use crate::domain::token::Scope;

/// What a route needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Nothing: health, assets, the sign-in page.
    Public,
    /// A known caller; tokens need this scope. What they see of an object is the handler's business.
    SignedIn(Scope),
    /// An auditor; tokens need the scope `audit`.
    Auditor,
    /// An admin; tokens need the scope `admin`.
    Admin,
    /// An auditor or an admin; tokens need `audit` or `admin`.
    AuditorOrAdmin,
    /// A program that feeds the directory: a service token with the scope `scim`.
    Scim,
    /// A known caller in a browser session: no token.
    Browser,
}

impl Access {
    /// Why a caller may not, if they may not: a sentence.
    pub fn refuses(self, caller: &Caller) -> Option<String> {
        let scope = |scope: Scope| (!caller.has_scope(scope)).then(|| format!("the token lacks the scope `{}`", scope.as_str()));
        match self {
            Self::Public => None,
            Self::SignedIn(needed) => scope(needed),
            Self::Auditor if !caller.auditor => Some("this is for auditors (`roles.toml` says who they are)".to_owned()),
            Self::Auditor => scope(Scope::Audit),
            Self::Admin if !caller.admin => Some("this is for admins (`roles.toml` says who they are)".to_owned()),
            Self::Admin => scope(Scope::Admin),
            Self::AuditorOrAdmin if !(caller.auditor || caller.admin) => Some("this is for auditors and admins (`roles.toml` says who they are)".to_owned()),
            Self::AuditorOrAdmin => scope(Scope::Audit).and(scope(Scope::Admin)),
            Self::Scim if caller.token().is_none_or(|t| t.service.is_none()) => Some("this is for programs that feed the directory: send a service token with the scope `scim`".to_owned()),
            Self::Scim => scope(Scope::Scim),
            Self::Browser => (!caller.is_browser()).then(|| "this page needs a browser session, not a token".to_owned()),
        }
    }
}
