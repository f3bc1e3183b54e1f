//! Random enough to choose moments, and repeatable from a seed that is printed.

#![allow(dead_code, reason = "each test binary uses a part")]

/// A small generator (splitmix64).
pub struct Random(u64);

impl Random {
    /// From a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// From `BANDPASS_TEST_SEED`, else from the clock.
    pub fn seeded() -> (Self, u64) {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(1, |d| u64::from(d.subsec_nanos()));
        let seed = std::env::var("BANDPASS_TEST_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(now);
        (Self::new(seed), seed)
    }

    /// A number below `limit`.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit.max(1)
    }
}
