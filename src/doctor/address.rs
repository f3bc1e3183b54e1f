//! Where the service listens and where people find it.

use std::net::TcpListener;

use super::{Finding, Ground};
use crate::{outgoing::{self, Outgoing}, settings::SigninMode, startup};

const NAME: &str = "address";

pub(super) async fn check(ground: &Ground) -> Vec<Finding> {
    let server = &ground.settings.server;
    let (public, listen) = (server.public_url.as_str(), server.listen);
    let mut found = Vec::new();
    if let Err(error) = startup::check_signin(&ground.settings) {
        found.push(Finding::fault(NAME, error.0, "set what the sentence names, or `signin.mode = \"oidc\"` with a [[signin.issuer]]"));
    }
    let Some((scheme, rest)) = public.split_once("://").filter(|(s, _)| matches!(*s, "http" | "https")) else {
        let cure = "set `server.public_url` to what people type, like https://access.example.com";
        found.push(Finding::fault(NAME, format!("`server.public_url` is `{public}`, which is no address of a web page"), cure));
        return found;
    };
    let host = rest.split('/').next().unwrap_or_default();
    let name = host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit())).map_or(host, |(name, _)| name);
    if rest.trim_end_matches('/').contains('/') {
        found.push(Finding::fault(NAME, format!("`server.public_url` is `{public}`; pages live at the top of a host, not below a path"), format!("give it a host of its own: `server.public_url = \"{scheme}://{host}\"`")));
    }
    if scheme == "http" && !outgoing::is_loopback(name) {
        found.push(Finding::fault(NAME, format!("people would reach `{public}` without TLS: whoever listens reads sessions and tokens"), "put a proxy with TLS in front and set `server.public_url` to its https:// address; README.md, \"Behind a proxy\""));
    }
    if !listen.ip().is_loopback() && scheme == "https" {
        let cure = "set `server.listen` to 127.0.0.1 where the proxy runs on this machine, or let only the proxy through to it";
        found.push(Finding::warning(NAME, format!("`server.listen` is {listen}, so the network reaches the service beside its TLS proxy"), cure));
    }
    found.extend(reachable(ground, public, listen).await);
    if found.is_empty() {
        let how = if ground.settings.signin.mode == SigninMode::Development { "; development sign-in, from this machine only" } else { "" };
        found.push(Finding::ok(NAME, format!("listens on {listen}, people use {public}{how}")));
    }
    found
}

/// Whether the service that runs, if one does, is found at its public address, and else whether its port is free.
async fn reachable(ground: &Ground, public: &str, listen: std::net::SocketAddr) -> Option<Finding> {
    let runs = ground.within.is_some() || crate::admin::Client::connect(&ground.settings.run.folder).await.is_some();
    if !runs {
        return TcpListener::bind(listen).err().map(|e| {
            Finding::fault(NAME, format!("`server.listen` is {listen}, which cannot be listened on: {e}"), "end what listens there, or set `server.listen` to another port")
        });
    }
    let place = format!("{}/healthz", public.trim_end_matches('/'));
    // An address without TLS was told of already.
    outgoing::address(&place).ok()?;
    let cure = "look at the proxy in front: it must lead the whole host to `server.listen`; and at DNS";
    match Outgoing::new().ok()?.look(&place).await {
        Ok(answer) if answer.status == 200 && answer.body.starts_with(b"ok") => None,
        Ok(answer) => Some(Finding::fault(NAME, format!("something else than this service answers at `{place}` (status {})", answer.status), cure)),
        Err(error) => Some(Finding::fault(NAME, format!("the service runs, and is not found at its public address: {error}"), cure)),
    }
}
