//! TLS towards others, by rustls and ring: the system's root certificates, host name checked.

use std::sync::Arc;

use tokio_postgres_rustls::MakeRustlsConnect;

fn roots() -> rustls::RootCertStore {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in rustls_native_certs::load_native_certs().certs {
        // A certificate that rustls cannot read is one root less, not a failure.
        let _ = roots.add(certificate);
    }
    roots
}

fn config(roots: rustls::RootCertStore) -> Result<rustls::ClientConfig, String> {
    let builder = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().map_err(|e| e.to_string())?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// Towards PostgreSQL, for URLs that say `sslmode=require`.
///
/// # Errors
/// When the machine has no root certificate at all.
pub fn connector() -> Result<MakeRustlsConnect, String> {
    let roots = roots();
    if roots.is_empty() {
        return Err("`sslmode=require` needs root certificates, and this machine has none (Debian: package ca-certificates)".to_owned());
    }
    config(roots).map(MakeRustlsConnect::new)
}

/// Towards HTTP servers. A machine without root certificates trusts none of them.
///
/// # Errors
/// When rustls has no usable protocol version.
pub fn client() -> Result<rustls::ClientConfig, String> {
    config(roots())
}
