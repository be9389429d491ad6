//! How long commands that ask again and again wait in between, and when they say so. Pure.

use std::time::{Duration, Instant};

/// Between two polls of a server that answers.
const PAUSE: Duration = Duration::from_secs(2);

/// The longest pause while it can't be reached, where it does not ask for a longer one.
const LONGEST: Duration = Duration::from_secs(30);

/// The longest pause that it may ask for.
const ASKED_MAX: Duration = Duration::from_secs(3_600);

/// The patience of who follows what happens, without end.
#[derive(Debug)]
pub struct Following {
    pause: Duration,
    /// Whether the server was away when it was asked last.
    is_away: bool,
}

impl Following {
    /// Before anything went wrong.
    pub fn new() -> Self {
        Self {
            pause: PAUSE,
            is_away: false,
        }
    }

    /// How long to wait before the server is asked again.
    pub fn pause(&self) -> Duration {
        self.pause
    }

    /// It answered. Gives whether it had been away, which is worth a word.
    pub fn answered(&mut self) -> bool {
        self.pause = PAUSE;
        std::mem::take(&mut self.is_away)
    }

    /// It could not answer, and may have asked for a pause. Gives whether that is news.
    pub fn failed(&mut self, asked: Option<Duration>) -> bool {
        let was_away = std::mem::replace(&mut self.is_away, true);
        let own = match was_away {
            true => (2 * self.pause.min(LONGEST)).min(LONGEST),
            false => PAUSE,
        };
        self.pause = own.max(asked.unwrap_or_default().min(ASKED_MAX));
        !was_away
    }
}

/// How long to wait for a person at a browser before the server is asked again; `asked` is the
/// pause that it asked for. `None` once the time that the person has is over.
pub fn for_a_person(now: Instant, until: Instant, asked: Option<Duration>) -> Option<Duration> {
    let left = until.saturating_duration_since(now);
    let pause = PAUSE.max(asked.unwrap_or_default()).min(left);
    (!left.is_zero()).then_some(pause)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_server_that_is_away_is_asked_less_and_less_often_and_told_of_once() {
        let mut patience = Following::new();
        let told: Vec<(bool, u64)> = (0..7)
            .map(|_| {
                let is_news = patience.failed(None);
                (is_news, patience.pause().as_secs())
            })
            .collect();
        let pauses = [2, 4, 8, 16, 30, 30, 30];
        let expected: Vec<_> = pauses.iter().map(|&s| (s == 2, s)).collect();
        assert_eq!(told, expected);
    }

    #[test]
    fn a_server_that_is_back_is_told_of_once_and_asked_as_before() {
        let mut patience = Following::new();
        assert!(!patience.answered());
        patience.failed(None);
        patience.failed(Some(100 * SECOND));
        assert_eq!(patience.pause(), 100 * SECOND);
        assert!(patience.answered());
        assert_eq!(patience.pause(), PAUSE);
        assert!(!patience.answered());
        assert!(patience.failed(None), "this is news again");
    }

    proptest! {
        #[test]
        fn a_pause_is_as_long_as_the_server_asked_within_an_hour(
            asked in prop::collection::vec(prop::option::of(any::<u64>()), 1..20),
        ) {
            let mut patience = Following::new();
            for asked in asked {
                let asked = asked.map(Duration::from_secs);
                patience.failed(asked);
                let least = asked.unwrap_or_default().min(ASKED_MAX);
                prop_assert!(patience.pause() >= least.max(PAUSE));
                prop_assert!(patience.pause() <= least.max(LONGEST));
            }
        }

        #[test]
        fn a_person_is_waited_for_until_the_time_is_over_and_no_longer(
            given in 0..100_u32, polls in prop::collection::vec((0..3_u32, prop::option::of(any::<u64>())), 0..100),
        ) {
            let begun = Instant::now();
            let until = begun + given * SECOND;
            let (mut now, mut polls, mut asked) = (begun, polls.into_iter(), None);
            while let Some(pause) = for_a_person(now, until, asked) {
                prop_assert!(pause >= PAUSE.min(until - now), "asked too often");
                prop_assert!(now + pause <= until);
                let (took, wish) = polls.next().unwrap_or((0, None));
                now += pause + took * SECOND;
                asked = wish.map(Duration::from_secs);
            }
            prop_assert!(now >= until);
        }
    }
}
