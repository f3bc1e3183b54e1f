//! The Merkle tree over the log (RFC 9162, section 2.1): leaf hash = SHA-256(0x00 ‖ body), node = SHA-256(0x01 ‖ left ‖ right).
//!
//! Only the frontier is kept: the roots of the full subtrees, one for each one-bit of the size, largest first. Appending
//! costs one leaf hash and, on average, one node hash.

use ring::digest::{Context, SHA256, digest};

/// A SHA-256 digest.
pub type Hash = [u8; 32];

fn finish(context: Context) -> Hash {
    to_hash(context.finish().as_ref())
}

fn to_hash(bytes: &[u8]) -> Hash {
    let mut hash = [0; 32];
    // SHA-256 always gives 32 bytes; `zip` keeps this free of panics.
    for (to, from) in hash.iter_mut().zip(bytes) {
        *to = *from;
    }
    hash
}

/// The hash of a leaf over the bytes of an event's body.
pub fn leaf_hash(body: &[u8]) -> Hash {
    let mut context = Context::new(&SHA256);
    context.update(&[0]);
    context.update(body);
    finish(context)
}

fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut context = Context::new(&SHA256);
    context.update(&[1]);
    context.update(left);
    context.update(right);
    finish(context)
}

/// The commitment to personal text: SHA-256 over a 32-byte random salt and the text (semantics.md, 23).
pub fn commitment(salt: &[u8], text: &str) -> Hash {
    let mut context = Context::new(&SHA256);
    context.update(b"bandpass personal text v1\0");
    context.update(salt);
    context.update(text.as_bytes());
    finish(context)
}

/// Lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        for nibble in [byte >> 4, byte & 15] {
            text.push(char::from(DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'0')));
        }
    }
    text
}

/// The frontier of a tree.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frontier {
    size: u64,
    full: Vec<Hash>,
}

impl Frontier {
    /// Reads a stored frontier; none when its length does not fit the size.
    pub fn from_stored(size: i64, bytes: &[u8]) -> Option<Self> {
        let size = u64::try_from(size).ok()?;
        let (chunks, rest) = bytes.as_chunks::<32>();
        let fits = rest.is_empty() && u32::try_from(chunks.len()).ok()? == size.count_ones();
        fits.then(|| Self { size, full: chunks.to_vec() })
    }

    /// The bytes that are stored.
    pub fn to_stored(&self) -> Vec<u8> {
        self.full.concat()
    }

    /// Number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf.
    pub fn push(&mut self, leaf: Hash) {
        let mut node = leaf;
        let mut merged = self.size;
        while merged & 1 == 1 {
            if let Some(left) = self.full.pop() {
                node = node_hash(&left, &node);
            }
            merged >>= 1;
        }
        self.full.push(node);
        self.size += 1;
    }

    /// The root: SHA-256 of nothing for an empty tree.
    pub fn root(&self) -> Hash {
        let mut nodes = self.full.iter().rev();
        let Some(last) = nodes.next() else { return to_hash(digest(&SHA256, b"").as_ref()) };
        nodes.fold(*last, |right, left| node_hash(left, &right))
    }
}
