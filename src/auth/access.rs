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
    /// An auditor or an admin; tokens need the scope of that role.
    AuditorOrAdmin,
    /// A program that feeds the directory: a service token with the scope `scim`.
    Scim,
    /// A known caller in a browser session: no token.
    Browser,
}

/// Why a caller may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// Of who they are.
    Role(&'static str),
    /// Of what they came with: it lacks this.
    Scope(Scope),
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Role(why) => f.write_str(why),
            Self::Scope(scope) => write!(f, "the token lacks the scope `{}`", scope.as_str()),
        }
    }
}

impl Access {
    /// Why a caller may not, if they may not.
    pub fn refuses(self, caller: &Caller) -> Option<Refused> {
        let has = |scope: Scope| caller.has_scope(scope);
        let scope = |scope: Scope| (!has(scope)).then_some(Refused::Scope(scope));
        match self {
            Self::Public => None,
            Self::SignedIn(needed) => scope(needed),
            Self::Auditor if !caller.auditor => Some(Refused::Role("this is for auditors (`roles.toml` says who they are)")),
            Self::Auditor => scope(Scope::Audit),
            Self::Admin if !caller.admin => Some(Refused::Role("this is for admins (`roles.toml` says who they are)")),
            Self::Admin => scope(Scope::Admin),
            Self::AuditorOrAdmin => either(caller.auditor, caller.admin, has),
            Self::Scim if caller.service().is_none() => Some(Refused::Role("this is for programs that feed the directory: send a service token with the scope `scim`")),
            Self::Scim => scope(Scope::Scim),
            Self::Browser => (!caller.is_browser()).then_some(Refused::Role("this page needs a browser session, not a token")),
        }
    }
}

/// An auditor with the scope of auditors, or an admin with that of admins: neither scope serves the other role.
fn either(auditor: bool, admin: bool, has: impl Fn(Scope) -> bool) -> Option<Refused> {
    match (auditor, admin) {
        (false, false) => Some(Refused::Role("this is for auditors and admins (`roles.toml` says who they are)")),
        (true, _) if has(Scope::Audit) => None,
        (_, true) if has(Scope::Admin) => None,
        (true, _) => Some(Refused::Scope(Scope::Audit)),
        (false, true) => Some(Refused::Scope(Scope::Admin)),
    }
}

#[cfg(test)]
mod tests {
    use super::{Refused, Scope, either};

    #[test]
    fn a_scope_serves_the_role_that_it_is_of() {
        let with = |auditor, admin, given: Scope| either(auditor, admin, |scope| scope == given);
        assert_eq!(with(true, false, Scope::Audit), None);
        assert_eq!(with(false, true, Scope::Admin), None);
        assert_eq!(with(true, true, Scope::Admin), None);
        assert_eq!(with(true, false, Scope::Admin), Some(Refused::Scope(Scope::Audit)));
        assert_eq!(with(false, true, Scope::Audit), Some(Refused::Scope(Scope::Admin)));
        assert!(matches!(with(false, false, Scope::Admin), Some(Refused::Role(_))));
    }
}
