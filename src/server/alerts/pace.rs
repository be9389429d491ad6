//! How many messages a person gets: a few at once, then one now and then, so that a storm
//! becomes a digest. Pure: it is given the time.

use std::time::{Duration, Instant};

/// So many messages go out at once.
const BURST: u32 = 5;

/// Another one is free to go each time this has passed.
const INTERVAL: Duration = Duration::from_secs(12);

/// The pace of one channel.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// When it will be as if nothing had ever been sent.
    rested: Instant,
}

impl Pace {
    /// A channel that has rested.
    pub fn new(now: Instant) -> Self {
        Self { rested: now }
    }

    /// Whether it is as if nothing had ever been sent.
    pub fn rested(&self, now: Instant) -> bool {
        self.rested <= now
    }

    /// How many messages may go at `now`.
    pub fn free(&self, now: Instant) -> u32 {
        let tired = self.rested.saturating_duration_since(now);
        let spent = tired.as_millis().div_ceil(INTERVAL.as_millis());
        BURST.saturating_sub(u32::try_from(spent).unwrap_or(BURST))
    }

    /// How long until one may go.
    pub fn wait(&self, now: Instant) -> Duration {
        self.rested
            .saturating_duration_since(now)
            .saturating_sub(INTERVAL * (BURST - 1))
    }

    /// One goes.
    pub fn spend(&mut self, now: Instant) {
        self.rested = self.rested.max(now) + INTERVAL;
    }
}

/// Whether `waiting` alerts go as one message where `free` messages may go.
pub fn together(waiting: usize, free: u32) -> bool {
    waiting > 1 && waiting > free as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        // As the dispatcher does it, whenever something comes or may go: a storm of any shape becomes
        // few messages, and each alert is in the next one that may go.
        #[test]
        fn a_storm_becomes_few_messages_and_no_alert_waits_longer_than_the_interval(
            storm in proptest::collection::vec((0_u64..30_000, 1_usize..300), 1..100),
        ) {
            let begin = Instant::now();
            let mut pace = Pace::new(begin);
            let (mut now, mut messages, mut told, mut came) = (begin, 0_u32, 0, 0);
            // When each alert that waits came.
            let mut waiting: Vec<Instant> = Vec::new();
            for (pause, count) in storm.into_iter().chain([(60_000, 0)]) {
                let next = now + Duration::from_millis(pause);
                loop {
                    while !waiting.is_empty() && pace.free(now) > 0 {
                        let count = match together(waiting.len(), pace.free(now)) {
                            true => waiting.len(),
                            false => 1,
                        };
                        for since in waiting.drain(..count) {
                            prop_assert!(now - since <= INTERVAL);
                            told += 1;
                        }
                        pace.spend(now);
                        messages += 1;
                    }
                    let free_at = now + pace.wait(now);
                    if waiting.is_empty() || free_at > next {
                        break;
                    }
                    prop_assert!(free_at > now);
                    now = free_at;
                }
                now = next;
                came += count;
                waiting.extend(std::iter::repeat_n(now, count));
            }
            prop_assert_eq!((told, waiting.len()), (came, 0));
            let most = BURST + (now - begin).div_duration_f64(INTERVAL).ceil() as u32;
            prop_assert!(messages <= most, "{} of {}", messages, most);
        }
    }

    #[test]
    fn a_handful_goes_at_once_and_then_one_every_interval() {
        let begin = Instant::now();
        let mut pace = Pace::new(begin);
        for left in (0..BURST).rev() {
            assert_eq!(pace.wait(begin), Duration::ZERO);
            pace.spend(begin);
            assert_eq!(pace.free(begin), left);
        }
        assert_eq!(pace.wait(begin), INTERVAL);
        assert_eq!(pace.free(begin + INTERVAL), 1);
        assert_eq!(pace.free(begin + INTERVAL * 100), BURST);
    }

    #[test]
    fn more_than_may_go_go_together_and_one_goes_alone() {
        assert!(!together(1, 0));
        assert!(!together(BURST as usize, BURST));
        assert!(together(BURST as usize + 1, BURST));
        assert!(together(2, 1));
    }
}
