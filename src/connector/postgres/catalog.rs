//! What the server's catalogue says: who we are, what power a role has, who holds what through whom.

use std::collections::BTreeSet;

use tokio_postgres::{Row, types::Type};

use super::{
    name,
    session::{Session, within},
};
use crate::domain::delivery::DeliveryError;

/// Our own role. The one that signed in counts as well as the one in force: `SET ROLE` changes only the second.
const OURSELVES: &str = "SELECT current_user::text AS name,
        coalesce(bool_or(rolsuper), true) AS superuser, coalesce(bool_or(rolcreaterole), true) AS createrole
    FROM pg_catalog.pg_roles WHERE rolname IN (current_user, session_user)";

/// Role and account of an intent.
const PAIR: &str = "SELECT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname::text = $1) AS role_exists,
        (SELECT rolcanlogin FROM pg_catalog.pg_roles WHERE rolname::text = $2) AS account_logs_in";

/// Every role that the given ones are or become by membership, with what makes it powerful. Memberships count whether
/// inherited or not: whoever may SET ROLE has the power too.
const POWERS: &str = "WITH RECURSIVE up(start, oid) AS (
        SELECT rolname::text, oid FROM pg_catalog.pg_roles WHERE rolname::text = ANY($1)
        UNION SELECT up.start, m.roleid FROM up JOIN pg_catalog.pg_auth_members m ON m.member = up.oid)
    SELECT up.start, r.rolname::text AS name, r.rolsuper, r.rolcreaterole, r.rolreplication, r.rolbypassrls,
        r.rolname = current_user OR r.rolname = session_user AS ours
    FROM up JOIN pg_catalog.pg_roles r ON r.oid = up.oid
    WHERE r.rolsuper OR r.rolcreaterole OR r.rolreplication OR r.rolbypassrls OR r.rolname::text LIKE 'pg\\_%'
        OR r.rolname = current_user OR r.rolname = session_user
    ORDER BY up.start, up.start <> r.rolname::text, r.rolsuper DESC, r.rolname";

/// How an account holds a role: directly by which grantor, or through which of its other roles.
const HOLDINGS: &str = "WITH RECURSIVE up(role, first, direct) AS (
        SELECT m.roleid, m.roleid, true FROM pg_catalog.pg_auth_members m
            JOIN pg_catalog.pg_roles a ON a.oid = m.member WHERE a.rolname::text = $2
        UNION SELECT m.roleid, up.first, false FROM up JOIN pg_catalog.pg_auth_members m ON m.member = up.role),
    wanted AS (SELECT oid FROM pg_catalog.pg_roles WHERE rolname::text = $1)
    SELECT true AS direct, coalesce(g.rolname::text, 'a role that is gone') AS through,
            coalesce(g.rolname = current_user, false) AS ours, m.admin_option
        FROM pg_catalog.pg_auth_members m JOIN wanted w ON w.oid = m.roleid JOIN pg_catalog.pg_roles a ON a.oid = m.member
            LEFT JOIN pg_catalog.pg_roles g ON g.oid = m.grantor WHERE a.rolname::text = $2
    UNION ALL
    SELECT DISTINCT false, f.rolname::text, false, false
        FROM up JOIN wanted w ON w.oid = up.role JOIN pg_catalog.pg_roles f ON f.oid = up.first WHERE NOT up.direct
    ORDER BY 1 DESC, 2";

/// Of the given roles, those that exist, and whether our role may pass them on.
const LISTED: &str = "SELECT r.rolname::text AS name, EXISTS (SELECT FROM pg_catalog.pg_auth_members m
        JOIN pg_catalog.pg_roles me ON me.oid = m.member WHERE m.roleid = r.oid AND me.rolname = current_user AND m.admin_option) AS admin
    FROM pg_catalog.pg_roles r WHERE r.rolname::text = ANY($1)";

/// Direct memberships of an account.
const HELD: &str = "SELECT DISTINCT r.rolname::text AS name FROM pg_catalog.pg_auth_members m JOIN pg_catalog.pg_roles r ON r.oid = m.roleid
    JOIN pg_catalog.pg_roles a ON a.oid = m.member WHERE a.rolname::text = $1";

/// A column that a query of this file names itself; a server that answers otherwise is not PostgreSQL as we know it.
fn column<'a, T: tokio_postgres::types::FromSql<'a>>(row: &'a Row, name: &str) -> Result<T, DeliveryError> {
    row.try_get(name).map_err(|_| DeliveryError::NeedsPerson(format!("the server's catalogue answered `{name}` in a form that is not known")))
}

/// Our own role's name.
///
/// # Errors
/// [`DeliveryError::NeedsPerson`] when it is SUPERUSER or CREATEROLE: then nothing at all is done.
pub(super) async fn ourselves(session: &Session) -> Result<String, DeliveryError> {
    let row = within(session.client.query_typed_one(OURSELVES, &[])).await?;
    let name: String = column(&row, "name")?;
    let (superuser, createrole): (bool, bool) = (column(&row, "superuser")?, column(&row, "createrole")?);
    let power = match (superuser, createrole) {
        (false, false) => return Ok(name),
        (true, _) => "SUPERUSER",
        (false, true) => "CREATEROLE",
    };
    Err(DeliveryError::NeedsPerson(format!(
        "the connector's own role `{name}` is {power}, so nothing is done: give it ADMIN OPTION on the listed roles and nothing else"
    )))
}

/// Whether the role exists, and whether the account does and may log in.
pub(super) async fn pair(session: &Session, role: &str, account: &str) -> Result<(bool, Option<bool>), DeliveryError> {
    let row = within(session.client.query_typed_one(PAIR, &[(&role, Type::TEXT), (&account, Type::TEXT)])).await?;
    Ok((column(&row, "role_exists")?, column(&row, "account_logs_in")?))
}

/// One role that some other is or becomes, and why that matters.
pub(super) struct Power {
    /// Whose power.
    pub(super) start: String,
    /// The role that has it.
    name: String,
    /// In words.
    why: String,
    /// Superuser or CREATEROLE: no role of ours may have it.
    pub(super) over_roles: bool,
    /// Only that the name begins with `pg_`.
    pub(super) built_in_only: bool,
    /// The role is the connector's own.
    pub(super) ours: bool,
}

impl Power {
    /// `is SUPERUSER`, or `is a member of "boss", which is SUPERUSER`.
    pub(super) fn told(&self) -> String {
        if self.start == self.name { format!("is {}", self.why) } else { format!("is a member of `{}`, which is {}", self.name, self.why) }
    }
}

/// The powers of the given roles, gravest first for each.
pub(super) async fn powers(session: &Session, roles: &[&str]) -> Result<Vec<Power>, DeliveryError> {
    let rows = within(session.client.query_typed(POWERS, &[(&roles, Type::TEXT_ARRAY)])).await?;
    rows.iter()
        .map(|row| {
            let flag = |name| column::<bool>(row, name);
            let (superuser, createrole) = (flag("rolsuper")?, flag("rolcreaterole")?);
            let ours = flag("ours")?;
            let words = [
                (superuser, "SUPERUSER"),
                (createrole, "CREATEROLE"),
                (flag("rolreplication")?, "REPLICATION"),
                (flag("rolbypassrls")?, "BYPASSRLS"),
                (ours, "the connector's own role"),
            ];
            let told: Vec<&str> = words.into_iter().filter_map(|(is, word)| is.then_some(word)).collect();
            Ok(Power {
                start: column(row, "start")?,
                name: column(row, "name")?,
                why: if told.is_empty() { "built into PostgreSQL".to_owned() } else { told.join(" and ") },
                over_roles: superuser || createrole,
                built_in_only: told.is_empty(),
                ours,
            })
        })
        .collect()
}

/// One way in which an account holds a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Holding {
    /// A membership in the role itself, rather than in one that is a member of it.
    pub(super) direct: bool,
    /// The grantor of a direct one, else the account's own role on the way.
    pub(super) through: String,
    /// Direct and granted by the connector.
    pub(super) ours: bool,
    /// May be passed on.
    pub(super) admin: bool,
}

impl Holding {
    /// `the grant of "dba"` or `the role "analysts"`.
    pub(super) fn told(&self) -> String {
        if self.direct { format!("`{}` (who granted it)", self.through) } else { format!("`{}` (a role that includes it)", self.through) }
    }
}

/// Every way in which `account` holds `role` now.
pub(super) async fn holdings(session: &Session, role: &str, account: &str) -> Result<Vec<Holding>, DeliveryError> {
    let rows = within(session.client.query_typed(HOLDINGS, &[(&role, Type::TEXT), (&account, Type::TEXT)])).await?;
    rows.iter()
        .map(|row| Ok(Holding { direct: column(row, "direct")?, through: column(row, "through")?, ours: column(row, "ours")?, admin: column(row, "admin_option")? }))
        .collect()
}

/// The roles that `account` is a direct member of.
pub(super) async fn held(session: &Session, account: &str) -> Result<BTreeSet<String>, DeliveryError> {
    let rows = within(session.client.query_typed(HELD, &[(&account, Type::TEXT)])).await?;
    rows.iter().map(|row| column(row, "name")).collect()
}

/// What stands in the way of granting the listed roles.
pub(super) async fn problems(session: &Session, roles: &[&str]) -> Result<Vec<String>, DeliveryError> {
    let own = ourselves(session).await?;
    let rows = within(session.client.query_typed(LISTED, &[(&roles, Type::TEXT_ARRAY)])).await?;
    let mut found = Vec::new();
    let mut admin = std::collections::BTreeMap::<String, bool>::new();
    for row in &rows {
        admin.insert(column(row, "name")?, column(row, "admin")?);
    }
    for role in roles {
        match admin.get(*role) {
            None => found.push(format!("there is no role `{role}` in the target, although `allowed_roles` lists it")),
            Some(false) => found.push(format!(
                "the connector's role lacks ADMIN OPTION on `{role}`: GRANT {} TO {} WITH ADMIN OPTION",
                name::quoted(role),
                name::quoted(&own)
            )),
            Some(true) => {}
        }
    }
    for power in powers(session, roles).await? {
        found.push(format!("the role `{}` {} and is never granted", power.start, power.told()));
    }
    for power in powers(session, &[&own]).await?.iter().filter(|p| p.over_roles) {
        found.push(format!("the connector's own role `{own}` {}", power.told()));
    }
    Ok(found)
}
