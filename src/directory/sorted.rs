//! A sorted map whose copies share what is the same: a copy with one key changed costs a few hundred clones of keys, however
//! many keys there are. The directory is copied at each of its changes, and ten thousand people are created one by one.

use std::{borrow::Borrow, sync::Arc};

/// Entries of one chunk, at most.
const CHUNK: usize = 128;

/// Entries by key, in chunks.
#[derive(Debug)]
pub struct Sorted<K, V> {
    chunks: Arc<Vec<Arc<Vec<(K, V)>>>>,
    len: usize,
}

impl<K, V> Clone for Sorted<K, V> {
    fn clone(&self) -> Self {
        Self { chunks: Arc::clone(&self.chunks), len: self.len }
    }
}

impl<K, V> Default for Sorted<K, V> {
    fn default() -> Self {
        Self { chunks: Arc::default(), len: 0 }
    }
}

impl<K: Ord + Clone, V: Clone> Sorted<K, V> {
    /// How many entries.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The chunk that holds a key, or would.
    fn chunk_of<Q: Ord + ?Sized>(&self, key: &Q) -> usize
    where
        K: Borrow<Q>,
    {
        self.chunks.partition_point(|c| c.first().is_some_and(|(first, _)| first.borrow() <= key)).saturating_sub(1)
    }

    /// The value of a key.
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let chunk = self.chunks.get(self.chunk_of(key))?;
        let at = chunk.binary_search_by(|(k, _)| k.borrow().cmp(key)).ok()?;
        chunk.get(at).map(|(_, v)| v)
    }

    /// Whether a key is there.
    pub fn contains_key<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.get(key).is_some()
    }

    /// Puts a value under a key.
    pub fn insert(&mut self, key: K, value: V) {
        let at = self.chunk_of(&key);
        let chunks = Arc::make_mut(&mut self.chunks);
        let Some(shared) = chunks.get_mut(at) else {
            chunks.push(Arc::new(vec![(key, value)]));
            self.len = 1;
            return;
        };
        let chunk = Arc::make_mut(shared);
        match chunk.binary_search_by(|(k, _)| k.cmp(&key)) {
            Ok(found) => {
                if let Some(entry) = chunk.get_mut(found) {
                    entry.1 = value;
                }
            }
            Err(place) => {
                // Exactly: a vector left to itself keeps room for as many again, in every chunk.
                chunk.reserve_exact(1);
                chunk.insert(place, (key, value));
                self.len += 1;
                if chunk.len() > CHUNK {
                    let upper = chunk.split_off(CHUNK / 2);
                    chunk.shrink_to_fit();
                    chunks.insert(at + 1, Arc::new(upper));
                }
            }
        }
    }

    /// Takes a key out; answers whether it was there.
    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        if !self.contains_key(key) {
            return false;
        }
        let at = self.chunk_of(key);
        let chunks = Arc::make_mut(&mut self.chunks);
        let Some(chunk) = chunks.get_mut(at).map(Arc::make_mut) else { return false };
        chunk.retain(|(k, _)| k.borrow() != key);
        if chunk.is_empty() {
            chunks.remove(at);
        }
        self.len -= 1;
        true
    }

    /// Entries in order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.chunks.iter().flat_map(|c| c.iter()).map(|(k, v)| (k, v))
    }

    /// Entries in order, from the first whose key is not before a key.
    pub fn iter_from<'a, Q: Ord + ?Sized>(&'a self, key: &'a Q) -> impl Iterator<Item = (&'a K, &'a V)>
    where
        K: Borrow<Q>,
    {
        let chunks = self.chunks.get(self.chunk_of(key)..).unwrap_or_default();
        chunks.iter().flat_map(|c| c.iter()).map(|(k, v)| (k, v)).skip_while(move |(k, _)| (*k).borrow() < key)
    }

    /// Keys in order.
    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.iter().map(|(k, _)| k)
    }

    /// Values in order of their keys.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.iter().map(|(_, v)| v)
    }
}

impl<K: Ord + Clone, V: Clone> FromIterator<(K, V)> for Sorted<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let mut all: Vec<(K, V)> = entries.into_iter().collect();
        all.sort_by(|a, b| a.0.cmp(&b.0));
        // Of two with one key the later one counts, as with every map.
        all.reverse();
        all.dedup_by(|a, b| a.0 == b.0);
        all.reverse();
        let len = all.len();
        let mut chunks = Vec::with_capacity(len / CHUNK + 1);
        let mut rest = all.into_iter().peekable();
        while rest.peek().is_some() {
            chunks.push(Arc::new(rest.by_ref().take(CHUNK * 3 / 4).collect()));
        }
        Self { chunks: Arc::new(chunks), len }
    }
}
