//! An authority of a test's own, a certificate that it signed, and TLS in front of a plain server.
#![allow(dead_code, reason = "each test binary uses a part")]

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};

/// A folder with an authority and what it signed; made by the program `openssl`.
pub struct Authority {
    folder: PathBuf,
}

/// Whether there is an openssl.
pub fn missing() -> bool {
    Command::new("openssl").arg("version").output().is_err()
}

fn must(arguments: &[&str]) {
    let output = Command::new("openssl").args(arguments).output().expect("openssl runs");
    assert!(output.status.success(), "openssl {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr));
}

impl Authority {
    /// Makes one in a new folder.
    pub fn new(folder: &Path) -> Self {
        fs::create_dir_all(folder).unwrap();
        let authority = Self { folder: folder.to_owned() };
        let new = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=Authority of a test"];
        must(&[&new[..], &["-keyout", &authority.at("ca.key"), "-out", &authority.at("ca.pem")]].concat());
        authority
    }

    /// The path of a file in its folder, as text.
    pub fn at(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    /// Signs a certificate for 127.0.0.1, and serves TLS with it in front of a plain server that closes each connection after its
    /// answer. Answers where.
    pub fn in_front_of(&self, plain: SocketAddr) -> SocketAddr {
        must(&["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=127.0.0.1", "-keyout", &self.at("server.key"), "-out", &self.at("server.csr")]);
        fs::write(self.at("names"), "subjectAltName=IP:127.0.0.1\n").unwrap();
        must(&["x509", "-req", "-in", &self.at("server.csr"), "-CA", &self.at("ca.pem"), "-CAkey", &self.at("ca.key"), "-CAcreateserial", "-days", "1", "-extfile", &self.at("names"), "-out", &self.at("server.pem")]);
        let certificates = CertificateDer::pem_file_iter(self.at("server.pem")).unwrap().map(Result::unwrap).collect();
        let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(certificates, PrivateKeyDer::from_pem_file(self.at("server.key")).unwrap())
            .unwrap();
        let (config, listener) = (Arc::new(config), TcpListener::bind("127.0.0.1:0").unwrap());
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let config = Arc::clone(&config);
                // A client that does not trust us breaks off.
                std::thread::spawn(move || drop(pass_on(stream, config, plain)));
            }
        });
        address
    }
}

/// One request, one answer.
fn pass_on(stream: TcpStream, config: Arc<rustls::ServerConfig>, plain: SocketAddr) -> std::io::Result<()> {
    let session = rustls::ServerConnection::new(config).map_err(std::io::Error::other)?;
    let mut tls = rustls::StreamOwned::new(session, stream);
    let (mut request, mut part) = (Vec::new(), [0; 8192]);
    loop {
        let read = tls.read(&mut part)?;
        request.extend_from_slice(&part[..read]);
        let text = String::from_utf8_lossy(&request).to_ascii_lowercase();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|l| l.strip_prefix("content-length:")?.trim().parse().ok()).unwrap_or(0);
        if body.len() >= length {
            break;
        }
    }
    let mut server = TcpStream::connect(plain)?;
    server.write_all(&request)?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer)?;
    tls.write_all(&answer)?;
    tls.conn.send_close_notify();
    tls.flush()
}
