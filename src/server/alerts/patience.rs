//! How long to go on trying: retries of one delivery, and the breaker of a target that takes
//! nothing. Pure: it is given the time.

use std::time::Duration;

use super::Verdict;
use crate::server::engine::Millis;

/// The pauses before each further attempt, milliseconds: 1, 5 and 15 minutes (API.md).
const RETRIES: [Millis; 3] = [60_000, 300_000, 900_000];

/// After so many failures in a row a target is left alone but for one attempt now and then.
pub const BREAK_AFTER: u32 = 3;

/// How old an alert may become while its target takes nothing at all, milliseconds: a day. A
/// target that is back on the next morning still hears what happened in the night.
const KEPT_FOR: Millis = 86_400_000;

/// The longest pause that a target may ask for.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

/// What becomes of a delivery after an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The target has it.
    Delivered,
    /// To be tried again at this time.
    Again(Millis),
    /// Given up.
    Failed,
}

impl Verdict {
    /// How often in a row the channel has failed, where it was `before` times until now. A message
    /// that was refused says nothing of whether others are taken.
    pub fn failures(self, before: u32) -> u32 {
        match self {
            Self::TryAgain => before.saturating_add(1),
            Self::Refused => before,
            Self::Delivered | Self::GiveUp | Self::Gone => 0,
        }
    }
}

/// What an attempt came to, as far as patience is concerned.
#[derive(Debug, Clone, Copy)]
pub struct Attempt {
    /// What the target's answer means.
    pub verdict: Verdict,
    /// The pause that the target asked for.
    pub retry_after: Option<Duration>,
    /// Failures of the channel in a row, this attempt included.
    pub failures: u32,
    /// When it ended.
    pub now: Millis,
}

impl Attempt {
    /// What becomes of a delivery that was tried `attempts` times before, since it was last made
    /// due at once, and whose alert was triggered at `since`.
    pub fn outcome(&self, attempts: u32, since: Millis) -> Outcome {
        match self.verdict {
            Verdict::Delivered => Outcome::Delivered,
            Verdict::GiveUp | Verdict::Gone => Outcome::Failed,
            Verdict::TryAgain | Verdict::Refused => {
                let pause = RETRIES.get(attempts as usize).copied();
                // Where nothing gets through, it is not this delivery that is at fault.
                let kept = self.failures >= BREAK_AFTER && self.now - since < KEPT_FOR;
                match pause.or(kept.then_some(RETRIES[RETRIES.len() - 1])) {
                    // Not sooner than ever: a target that asks for a second each time would have
                    // had all its attempts within some.
                    Some(pause) => Outcome::Again(self.now + pause.max(self.asked().unwrap_or(0))),
                    None => Outcome::Failed,
                }
            }
        }
    }

    /// Until when the channel is left alone, whatever waits for it; 0 where it is not.
    pub fn hold(&self) -> Millis {
        if !matches!(self.verdict, Verdict::TryAgain | Verdict::Refused) {
            return 0;
        }
        let broken = self.failures.checked_sub(BREAK_AFTER).map(|further| {
            let last = RETRIES.len() - 1;
            RETRIES[(further as usize).min(last)]
        });
        match (self.asked(), broken) {
            (Some(asked), broken) => self.now + asked.max(broken.unwrap_or(0)),
            (None, Some(pause)) => self.now + pause,
            (None, None) => 0,
        }
    }

    fn asked(&self) -> Option<Millis> {
        let asked = self
            .retry_after?
            .clamp(Duration::from_secs(1), LONGEST_PAUSE);
        Millis::try_from(asked.as_millis()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(verdict: Verdict, failures: u32) -> Attempt {
        Attempt {
            verdict,
            retry_after: None,
            failures,
            now: 0,
        }
    }

    #[test]
    fn a_delivery_is_tried_again_after_1_5_and_15_minutes_and_then_given_up() {
        let minutes = |attempts| match attempt(Verdict::TryAgain, 1).outcome(attempts, 0) {
            Outcome::Again(at) => Some(at / 60_000),
            Outcome::Delivered | Outcome::Failed => None,
        };
        assert_eq!(
            [minutes(0), minutes(1), minutes(2), minutes(3)],
            [Some(1), Some(5), Some(15), None]
        );
        for never in [Verdict::GiveUp, Verdict::Gone] {
            assert_eq!(attempt(never, 9).outcome(0, 0), Outcome::Failed);
        }
        let taken = attempt(Verdict::Delivered, 0).outcome(2, 0);
        assert_eq!(taken, Outcome::Delivered);
    }

    #[test]
    fn while_a_target_takes_nothing_its_alerts_are_kept_for_a_day() {
        let broken = attempt(Verdict::TryAgain, BREAK_AFTER);
        assert_eq!(broken.outcome(50, -KEPT_FOR + 1), Outcome::Again(900_000));
        assert_eq!(broken.outcome(50, -KEPT_FOR), Outcome::Failed);
    }

    #[test]
    fn a_target_that_keeps_failing_is_probed_after_1_5_and_15_minutes_and_then_every_15() {
        let minutes = |failures| attempt(Verdict::TryAgain, failures).hold() / 60_000;
        assert_eq!(
            [1, 2, 3, 4, 5, 6, 99].map(minutes),
            [0, 0, 1, 5, 15, 15, 15]
        );
        assert_eq!(attempt(Verdict::Delivered, 0).hold(), 0);
    }

    #[test]
    fn a_message_that_is_refused_again_and_again_holds_up_no_other() {
        let (mut failures, mut now, mut attempts) = (0, 0, 0);
        loop {
            failures = Verdict::Refused.failures(failures);
            let refused = Attempt {
                now,
                ..attempt(Verdict::Refused, failures)
            };
            assert_eq!(refused.hold(), 0);
            let Outcome::Again(at) = refused.outcome(attempts, 0) else {
                break;
            };
            (now, attempts) = (at, attempts + 1);
        }
        assert_eq!((attempts, now), (3, 21 * 60_000));
        // Where the target was away before, it is left alone all the same.
        let broken = attempt(Verdict::Refused, Verdict::Refused.failures(BREAK_AFTER));
        assert_eq!(broken.hold(), 60_000);
    }

    #[test]
    fn a_pause_that_the_target_asks_for_is_kept_up_to_an_hour_and_never_shortens_ours() {
        let asked = |seconds| Attempt {
            retry_after: Some(Duration::from_secs(seconds)),
            ..attempt(Verdict::TryAgain, 1)
        };
        assert_eq!(asked(7).outcome(0, 0), Outcome::Again(60_000));
        assert_eq!(asked(700).outcome(0, 0), Outcome::Again(700_000));
        assert_eq!(asked(7).hold(), 7_000);
        assert_eq!(asked(86_400).hold(), 3_600_000);
        assert_eq!(asked(0).hold(), 1_000);
    }
}
