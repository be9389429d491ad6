//! A time in which the server could take no ping: off, or without its disk. What fell due
//! meanwhile is given as long again, since those who could not get through repeat for a while.

use super::Millis;

/// How long after an absence what fell due in it waits at most: clients repeat for half as long.
const PATIENCE_MAX: Millis = 60_000;

/// The newest time in which no ping could be taken; the default is none. One before it does not
/// count any more, so that a server which starts again and again tells what it knows all the same.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Absence {
    /// The last moment before it.
    from: Millis,
    /// The first moment after it.
    until: Millis,
    /// Until when what fell due in it waits.
    patient_until: Millis,
}

impl Absence {
    /// The absence from after `from` until `until`; none where that is not later, as it is by a
    /// clock that was set back meanwhile.
    pub fn new(from: Millis, until: Millis) -> Self {
        if until <= from {
            return Self::default();
        }
        Self {
            from,
            until,
            patient_until: until.saturating_add((until - from).min(PATIENCE_MAX)),
        }
    }

    /// Whether what fell due at `at` still waits at `now`.
    pub fn holds(&self, at: Millis, now: Millis) -> bool {
        // A clock that is set back is no reason to wait for longer.
        self.until <= now && now < self.acts_at(at)
    }

    /// When what falls due at `at` is acted upon.
    pub fn acts_at(&self, at: Millis) -> Millis {
        if self.from < at && at < self.until {
            self.patient_until
        } else {
            at
        }
    }

    /// Whether it was over by `now`.
    pub fn is_before(&self, now: Millis) -> bool {
        self.until <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Millis = 60_000;

    #[test]
    fn what_fell_due_meanwhile_waits_as_long_again_and_a_minute_at_most() {
        for (from, until, acts) in [
            (100, 130, 160),
            (0, MINUTE, 2 * MINUTE),
            (0, 90 * MINUTE, 91 * MINUTE),
        ] {
            let absence = Absence::new(from, until);
            assert_eq!(absence.acts_at(from), from, "acted upon before");
            assert_eq!(absence.acts_at(from + 1), acts);
            assert_eq!(absence.acts_at(until - 1), acts);
            assert_eq!(absence.acts_at(until), until);
            assert!(absence.holds(until - 1, acts - 1));
            assert!(!absence.holds(until - 1, acts));
            assert!(
                !absence.holds(until - 1, until - 1),
                "the clock was set back"
            );
        }
        assert_eq!(Absence::new(100, 90), Absence::default());
    }
}
