//! A time in which the server could take no ping: off, or without its disk. What fell due
//! meanwhile is given as long again, since those who could not get through repeat for a while.

use super::Millis;

/// How long after an absence what fell due in it waits at most: clients repeat for half as long.
const PATIENCE_MAX: Millis = 60_000;

/// How old an absence may be at most whose patience a second one cut short, for it to be made up
/// for. A server that starts again and again tells what it knows all the same.
const OLD: Millis = 10 * 60_000;

/// The newest time in which no ping could be taken; the default is none.
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

    /// An absence after this one, which takes this one with it where its patience was not over.
    #[must_use]
    pub fn then(self, from: Millis, until: Millis) -> Self {
        let next = Self::new(from, until);
        let left = self.patient_until - from;
        if next == Self::default() || left <= 0 || until - self.from > OLD {
            return next;
        }
        Self {
            from: self.from.min(from),
            until,
            patient_until: next.patient_until.max(until.saturating_add(left)),
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

    /// As a text for [`Absence::parse`].
    pub fn text(&self) -> String {
        format!("{} {} {}", self.from, self.until, self.patient_until)
    }

    /// The absence of a text of [`Absence::text`]; none where it is not one.
    pub fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.split_ascii_whitespace().map(str::parse);
        let mut number = || numbers.next()?.ok();
        Some(Self {
            from: number()?,
            until: number()?,
            patient_until: number()?,
        })
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

    #[test]
    fn a_patience_that_a_second_absence_cut_short_goes_on_after_it() {
        // Away for a minute, back for ten seconds, away for one.
        let twice = Absence::new(0, MINUTE).then(MINUTE + 10_000, MINUTE + 11_000);
        assert_eq!(twice.acts_at(30_000), MINUTE + 11_000 + 50_000);
        // It was over by then.
        let later = Absence::new(0, MINUTE).then(3 * MINUTE, 3 * MINUTE + 1_000);
        assert_eq!(later, Absence::new(3 * MINUTE, 3 * MINUTE + 1_000));
    }

    #[test]
    fn a_server_that_starts_again_and_again_is_not_patient_for_good() {
        let mut absence = Absence::new(0, MINUTE);
        for start in 1..30 {
            let from = start * MINUTE + 10_000;
            absence = absence.then(from, from + 50_000);
        }
        assert_eq!(absence.acts_at(MINUTE / 2), MINUTE / 2);
    }

    #[test]
    fn an_absence_is_read_as_it_was_written() {
        let absence = Absence::new(5, 4_711);
        assert_eq!(Absence::parse(&absence.text()), Some(absence));
        for text in ["", "1 2", "1 2 x"] {
            assert_eq!(Absence::parse(text), None);
        }
    }
}
