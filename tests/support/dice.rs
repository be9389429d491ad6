//! Numbers that look random; the same for the same seed (Knuth's MMIX generator).

use std::time::Duration;

/// The seed of an ordinary run. `make simulate` tries others.
const SEED: u64 = 20_261_128;

/// What a trial throws: always the same, but with another seed in `PAKYAS_SEED`.
pub struct Dice {
    pub seed: u64,
    state: u64,
}

impl Dice {
    pub fn new() -> Self {
        let seed = std::env::var("PAKYAS_SEED").map(|seed| seed.parse().expect("a number"));
        let seed = seed.unwrap_or(SEED);
        eprintln!("PAKYAS_SEED={seed}");
        Self::of(seed)
    }

    /// Throws again what was thrown with this seed.
    pub fn of(seed: u64) -> Self {
        Self { seed, state: seed }
    }

    pub fn millis(&mut self, least: u64, most: u64) -> Duration {
        Duration::from_millis(least + self.below(most - least))
    }

    /// A number from 0 on that is less than `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.state = self
            .state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.state >> 33) % end
    }
}
