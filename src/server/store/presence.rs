//! When the store was there to take pings: noted all the while in the file `lock`, so that the
//! next start knows how long it was away.

use std::fs::File;
use std::os::unix::fs::FileExt;

use super::super::engine::{Absence, Millis};

/// How old the note may get, milliseconds. It is not synced: what matters is that it outlives the
/// process, and after a loss of power the absence only seems to be longer.
const NOTED_EACH: Millis = 1_000;

/// As long as a note is, so that a shorter one leaves nothing of a longer one.
const NOTE: usize = 20;

/// What is known of the times in which the store took pings.
pub(super) struct Presence {
    file: File,
    /// The last time that it did not.
    pub absence: Absence,
    /// When this was noted last.
    noted: Millis,
    /// The last moment at which it was there, where it now is not.
    away_since: Option<Millis>,
}

impl Presence {
    /// The store is here again, by what it left in `file`. Where that is nothing it may have
    /// been away for any time.
    pub fn back(file: File, now: Millis) -> Self {
        let mut note = [0; NOTE];
        let length = file.read_at(&mut note, 0).unwrap_or(0);
        let seen = str::from_utf8(&note[..length]).ok();
        let seen = seen
            .and_then(|note| note.trim().parse().ok())
            .unwrap_or_default();
        Self {
            file,
            absence: Absence::new(seen, now),
            noted: seen,
            away_since: None,
        }
    }

    /// It is there at `now`: noted where the last note is old, or it is the last.
    pub fn note(&mut self, now: Millis, last: bool) {
        if self.away_since.is_some() || (!last && (now - self.noted).abs() < NOTED_EACH) {
            return;
        }
        let note = format!("{now:<NOTE$}");
        // Where even that can't be written, the absence will seem to be longer.
        let _ = self.file.write_at(note.as_bytes(), 0);
        self.noted = now;
    }

    /// A write failed: since `seen`, when all was well, pings may have been refused.
    pub fn lost(&mut self, seen: Millis) {
        self.away_since.get_or_insert(seen);
    }

    /// Whether the last write failed.
    pub fn is_away(&self) -> bool {
        self.away_since.is_some()
    }

    /// The absence as it is if a write succeeds at `now`.
    pub fn if_back(&self, now: Millis) -> Absence {
        match self.away_since {
            Some(since) => Absence::new(since, now),
            None => self.absence,
        }
    }

    /// The clock was set back to `now`: an absence that is later by it says nothing any more.
    pub fn set_back(&mut self, now: Millis) {
        if !self.absence.is_before(now) {
            self.absence = Absence::default();
        }
        self.away_since = self.away_since.map(|since| since.min(now));
    }

    /// A write succeeded at `now`. Says whether it was the first after one that failed.
    pub fn found(&mut self, now: Millis) -> bool {
        self.absence = self.if_back(now);
        self.away_since.take().is_some()
    }
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;

    use super::*;

    const MINUTE: Millis = 60_000;

    fn file(name: &str) -> (std::path::PathBuf, impl Fn() -> File) {
        let path = std::env::temp_dir().join(format!("pakyas-{name}-{}", std::process::id()));
        let opened = path.clone();
        let open = move || {
            let mut options = OpenOptions::new();
            let options = options.read(true).write(true).create(true).truncate(false);
            options.open(&opened).unwrap()
        };
        (path, open)
    }

    #[test]
    fn the_next_start_knows_how_long_the_store_was_away() {
        let (path, open) = file("presence");
        // Nobody knows how long.
        let mut first = Presence::back(open(), 100 * MINUTE);
        assert_eq!(first.absence.acts_at(1), 101 * MINUTE);
        first.note(102 * MINUTE, false);
        first.note(102 * MINUTE + 10, false);
        first.note(102 * MINUTE + 20, true);
        let second = Presence::back(open(), 102 * MINUTE + 5_020);
        assert_eq!(
            second.absence,
            Absence::new(102 * MINUTE + 20, 102 * MINUTE + 5_020)
        );
        // The last note of one that was killed, and longer ones are gone.
        let mut third = Presence::back(open(), 200 * MINUTE);
        third.note(210 * MINUTE, false);
        let fourth = Presence::back(open(), 211 * MINUTE);
        assert_eq!(fourth.absence, Absence::new(210 * MINUTE, 211 * MINUTE));
        let _ = std::fs::remove_file(path);
    }

    #[test]
    fn a_disk_that_was_full_was_an_absence_too() {
        let (path, open) = file("full");
        let mut presence = Presence::back(open(), 0);
        presence.note(MINUTE, true);
        assert!(!presence.found(MINUTE));
        presence.lost(2 * MINUTE);
        presence.lost(3 * MINUTE);
        assert!(presence.is_away());
        presence.note(4 * MINUTE, true);
        assert!(presence.found(5 * MINUTE));
        assert_eq!(presence.absence, Absence::new(2 * MINUTE, 5 * MINUTE));
        // Whoever starts meanwhile counts from when all was well.
        let other = Presence::back(open(), 5 * MINUTE);
        assert_eq!(other.absence, Absence::new(MINUTE, 5 * MINUTE));
        let _ = std::fs::remove_file(path);
    }
}
