//! Randomness for trace ids and faults; nothing secret depends on it.

use std::hash::{BuildHasher, Hasher, RandomState};

/// 64 random bits: the standard library seeds each thread's hashers from the system and counts on from there.
pub fn bits() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// True with this probability.
pub fn happens(probability: f64) -> bool {
    // 53 bits fill the mantissa of a float in [0, 1).
    ((bits() >> 11) as f64 / (1_u64 << 53) as f64) < probability
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities() {
        let count = |p| (0..10_000).filter(|_| happens(p)).count();
        assert_eq!((count(0.0), count(1.0)), (0, 10_000));
        assert!((2_000..3_000).contains(&count(0.25)));
    }
}
