//! TLS towards PostgreSQL, for URLs that say `sslmode=require`: the system's root certificates, host name checked.

use std::sync::Arc;

use tokio_postgres_rustls::MakeRustlsConnect;

/// Builds a connector from the system's root certificates.
///
/// # Errors
/// When the machine has no root certificate at all.
pub fn connector() -> Result<MakeRustlsConnect, String> {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in rustls_native_certs::load_native_certs().certs {
        // A certificate that rustls cannot read is one root less, not a failure.
        let _ = roots.add(certificate);
    }
    if roots.is_empty() {
        return Err("`sslmode=require` needs root certificates, and this machine has none (Debian: package ca-certificates)".to_owned());
    }
    let config = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|e| e.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}
