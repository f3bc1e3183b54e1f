//! TLS towards target systems: certificates and host names are always checked.

use std::{path::Path, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};

/// A client that trusts the certificates in `ca_file`, or without one the machine's own list.
///
/// # Errors
/// A sentence when there is nothing to trust.
pub(super) fn client(ca_file: Option<&Path>) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    match ca_file {
        Some(path) => {
            let unreadable = |e: String| format!("`ca_file` `{}` cannot be used: {e}", path.display());
            for certificate in CertificateDer::pem_file_iter(path).map_err(|e| unreadable(e.to_string()))? {
                roots.add(certificate.map_err(|e| unreadable(e.to_string()))?).map_err(|e| unreadable(e.to_string()))?;
            }
            if roots.is_empty() {
                return Err(unreadable("it holds no certificate; PEM is expected".to_owned()));
            }
        }
        None => {
            for certificate in rustls_native_certs::load_native_certs().certs {
                // A certificate that rustls cannot read is one root less, not a failure.
                let _ = roots.add(certificate);
            }
            if roots.is_empty() {
                return Err("this machine has no root certificates (Debian: package ca-certificates); install them or set `ca_file`".to_owned());
            }
        }
    }
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|e| e.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}
