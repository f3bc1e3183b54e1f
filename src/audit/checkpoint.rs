//! Signed tree heads: C2SP `tlog-checkpoint` text in a `signed-note`, signed with Ed25519.

use std::path::Path;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::{digest, rand::SystemRandom, signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey}};

use crate::ledger::tree::Hash;

/// A tree head: what a checkpoint says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeHead {
    /// Name of the log.
    pub origin: String,
    /// Number of leaves.
    pub size: u64,
    /// Root.
    pub root: Hash,
}

/// The key that signs checkpoints.
pub struct Signer {
    pair: Ed25519KeyPair,
    origin: String,
}

/// Why a checkpoint is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadCheckpoint {
    /// Not the form of a checkpoint.
    #[error("this is not a checkpoint: {0}")]
    Shape(&'static str),
    /// Not signed by the key that was given.
    #[error("the checkpoint is not signed by this log's key")]
    Signature,
}

impl TreeHead {
    /// The text that is signed.
    fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, STANDARD.encode(self.root))
    }
}

/// First four bytes of SHA-256(name LF 0x01 public key): the key's id in a note.
fn key_id(name: &str, public: &[u8]) -> [u8; 4] {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(name.as_bytes());
    context.update(b"\n\x01");
    context.update(public);
    let hash = context.finish();
    let mut id = [0; 4];
    for (to, from) in id.iter_mut().zip(hash.as_ref()) {
        *to = *from;
    }
    id
}

impl Signer {
    /// Reads the key, or makes one (mode 0600) when there is none.
    ///
    /// # Errors
    /// A sentence that names the file.
    pub fn open(file: &Path, origin: &str) -> Result<Self, String> {
        let shown = file.display();
        let bytes = match std::fs::read(file) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let made = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(|_| "no randomness for a signing key".to_owned())?;
                write_private(file, made.as_ref()).map_err(|e| format!("cannot write `{shown}`: {e}"))?;
                made.as_ref().to_vec()
            }
            Err(error) => return Err(format!("cannot read `{shown}`: {error}")),
        };
        let pair = Ed25519KeyPair::from_pkcs8(&bytes).map_err(|_| format!("`{shown}` is not an Ed25519 key in PKCS#8"))?;
        Ok(Self { pair, origin: origin.to_owned() })
    }

    /// The signed note for a tree head.
    pub fn sign(&self, size: u64, root: Hash) -> String {
        let text = TreeHead { origin: self.origin.clone(), size, root }.text();
        let public = self.pair.public_key().as_ref();
        let mut signature = key_id(&self.origin, public).to_vec();
        signature.extend_from_slice(self.pair.sign(text.as_bytes()).as_ref());
        format!("{text}\n— {} {}\n", self.origin, STANDARD.encode(signature))
    }

    /// Reads a note back and checks its signature.
    ///
    /// # Errors
    /// [`BadCheckpoint`].
    pub fn open_note(&self, note: &str) -> Result<TreeHead, BadCheckpoint> {
        read(note, self.pair.public_key().as_ref())
    }

    /// The public key in the form of a C2SP verifier key: name, key id, base64.
    pub fn verifier_key(&self) -> String {
        let public = self.pair.public_key().as_ref();
        let mut typed = vec![1];
        typed.extend_from_slice(public);
        format!("{}+{}+{}", self.origin, crate::ledger::tree::hex(&key_id(&self.origin, public)), STANDARD.encode(typed))
    }
}

/// Writes a file that only its owner may read.
///
/// # Errors
/// As the file system says.
pub fn write_private(file: &Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::{io::Write, os::unix::fs::OpenOptionsExt};
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::OpenOptions::new().create_new(true).write(true).mode(0o600).open(file)?.write_all(bytes)
}

/// Reads a note and checks that this key signed it.
///
/// # Errors
/// [`BadCheckpoint`].
pub fn read(note: &str, public: &[u8]) -> Result<TreeHead, BadCheckpoint> {
    let (text, signatures) = note.split_once("\n\n").ok_or(BadCheckpoint::Shape("no blank line"))?;
    let text = format!("{text}\n");
    let mut lines = text.lines();
    let origin = lines.next().unwrap_or_default().to_owned();
    let size = lines.next().and_then(|l| l.parse().ok()).ok_or(BadCheckpoint::Shape("no size"))?;
    let root = lines.next().and_then(|l| STANDARD.decode(l).ok()).and_then(|r| Hash::try_from(r).ok()).ok_or(BadCheckpoint::Shape("no root"))?;
    let ours = key_id(&origin, public);
    let signed = signatures.lines().any(|line| {
        let Some(encoded) = line.strip_prefix(&format!("— {origin} ")) else { return false };
        let Ok(bytes) = STANDARD.decode(encoded) else { return false };
        let Some((id, signature)) = bytes.split_at_checked(4) else { return false };
        id == ours && UnparsedPublicKey::new(&ED25519, public).verify(text.as_bytes(), signature).is_ok()
    });
    if signed { Ok(TreeHead { origin, size, root }) } else { Err(BadCheckpoint::Signature) }
}
