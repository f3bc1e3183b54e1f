//! Target systems: reached, with the rights they need and no more. Each connector says of itself what stands in the way.

use super::{Finding, Ground};
use crate::{settings::SigninMode, startup};

pub(super) async fn check(ground: &Ground) -> Vec<Finding> {
    let registry = match startup::registry(&ground.settings) {
        Ok(registry) => registry,
        Err(error) => return vec![Finding::fault("connector", error.0, "set the [[connector]] as config/default.toml says")],
    };
    let looks = ground.settings.connector.iter().filter_map(|settings| {
        let connector = registry.get(settings.name.as_str())?;
        let groups = ground.policy.iter().flat_map(|set| set.groups().values());
        let mut names: Vec<String> = groups.flat_map(|g| &g.entitlements).filter(|e| e.connector == settings.name).map(|e| e.name.clone()).collect();
        names.sort();
        names.dedup();
        Some(async move {
            let name = format!("connector {}", settings.name);
            let problems = connector.check(&names).await;
            let mut found: Vec<Finding> = problems.iter().map(|p| Finding::fault(&name, p.clone(), cure(p))).collect();
            if found.is_empty() && settings.kind == "memory" && ground.settings.signin.mode == SigninMode::Oidc {
                found.push(Finding::warning(&name, "it is of the kind `memory`: what people are given is forgotten at every restart, and reaches no system", "give it the `kind` of a real target, or leave it out"));
            }
            if found.is_empty() {
                found.push(Finding::ok(&name, format!("{} answers; policy names {}", settings.kind, match names.len() {
                    0 => "nothing of it".to_owned(),
                    1 => "1 entitlement of it".to_owned(),
                    n => format!("{n} entitlements of it"),
                })));
            }
            found
        })
    });
    futures_util::future::join_all(looks).await.into_iter().flatten().collect()
}

/// What mends a problem that a connector told.
fn cure(problem: &str) -> &'static str {
    const KNOWN: [(&str, &str); 6] = [
        ("could not be reached", "start the target, or set `url` of the [[connector]] (host, port, database)"),
        ("allowed_roles", "add the role to `allowed_roles` of the [[connector]], or take the entitlement out of the group's file"),
        ("is CREATEROLE", "as an administrator of the target: ALTER ROLE … NOCREATEROLE for the connector's role"),
        ("ADMIN OPTION", "as an administrator of the target: GRANT the role TO the connector's role WITH ADMIN OPTION"),
        ("superuser", "use a role of its own for the connector, which is no superuser and has ADMIN OPTION on the listed roles alone"),
        ("no role", "create the role in the target, or take it out of `allowed_roles`"),
    ];
    KNOWN.iter().find(|(said, _)| problem.contains(said)).map_or("see [[connector]] in config/default.toml for what its role must and must not have", |(_, cure)| cure)
}
