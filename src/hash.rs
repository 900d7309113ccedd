//! Tables by keys that clients choose: hashed fast, under a seed that nobody outside can know.
//!
//! The standard library's SipHash withstands somebody who sees the hashes. Nobody does here, neither the
//! hashes nor the order of a table, so that a seed out of the system's randomness is enough to keep clients
//! from choosing keys that collide.

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use foldhash::SharedSeed;
use foldhash::fast::{FoldHasher, SeedableRandomState};

/// [`std::collections::HashMap`] with this module's hasher.
pub type HashMap<K, V> = std::collections::HashMap<K, V, Seeded>;

/// [`std::collections::HashSet`] with this module's hasher.
pub type HashSet<K> = std::collections::HashSet<K, Seeded>;

/// Seeded from the system's randomness once for the process, and differently for each table: one that is
/// copied into another in the order of its hashes would else fill it in clusters.
#[derive(Debug, Clone)]
pub struct Seeded(SeedableRandomState);

impl Default for Seeded {
    fn default() -> Self {
        static SEED: LazyLock<SharedSeed> =
            LazyLock::new(|| SharedSeed::from_u64(RandomState::new().hash_one(0)));
        static NEXT: LazyLock<AtomicU64> =
            LazyLock::new(|| AtomicU64::new(RandomState::new().hash_one(1)));
        // An odd number, whose multiples are all different and in all bits.
        let own = NEXT.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        Self(SeedableRandomState::with_seed(own, &SEED))
    }
}

impl BuildHasher for Seeded {
    type Hasher = FoldHasher<'static>;

    fn build_hasher(&self) -> Self::Hasher {
        self.0.build_hasher()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_table_has_hashes_of_its_own_that_it_keeps() {
        let (one, other) = (Seeded::default(), Seeded::default());
        assert_eq!(one.hash_one("ann"), one.clone().hash_one("ann"));
        assert_ne!(one.hash_one("ann"), other.hash_one("ann"));
        assert_ne!(one.hash_one("ann"), one.hash_one("bob"));
    }
}
