//! TLS towards others, by rustls and ring: the system's root certificates or those of a file, host name checked.

use std::{path::Path, sync::Arc};

use rustls::pki_types::{CertificateDer, pem::PemObject};
use tokio_postgres_rustls::MakeRustlsConnect;

fn roots() -> rustls::RootCertStore {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in rustls_native_certs::load_native_certs().certs {
        // A certificate that rustls cannot read is one root less, not a failure.
        let _ = roots.add(certificate);
    }
    roots
}

/// The authorities of a file, and no others.
fn roots_of(file: &Path) -> Result<rustls::RootCertStore, String> {
    let unusable = |why: String| format!("`{}` {why}", file.display());
    let text = std::fs::read(file).map_err(|e| unusable(format!("cannot be read: {e}")))?;
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&text) {
        let certificate = certificate.map_err(|e| unusable(format!("is not whole PEM: {e}")))?;
        roots.add(certificate).map_err(|e| unusable(format!("holds a certificate that cannot be used: {e}")))?;
    }
    if roots.is_empty() {
        return Err(unusable("holds no certificate; expected PEM, with `-----BEGIN CERTIFICATE-----` in it".to_owned()));
    }
    Ok(roots)
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

/// Towards HTTP servers, which the authorities of `ca_file` must vouch for, or without one those of the machine. A machine without
/// root certificates trusts nobody.
///
/// # Errors
/// A sentence that names the file, when it is unusable; when rustls has no usable protocol version.
pub fn client(ca_file: Option<&Path>) -> Result<rustls::ClientConfig, String> {
    config(ca_file.map_or_else(|| Ok(roots()), roots_of)?)
}
