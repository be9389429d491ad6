//! How much of a time a check was well, from the changes of its status that are in the history.

use rusqlite::{Connection, params};

use super::StoreError;
use crate::server::engine::Millis;
use crate::wire::Status;

/// How many of a check's newest changes are looked at: what lies before is not known then.
const CHANGES: i64 = 2_000;

/// A time in which a check had one status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// When it began.
    pub from: Millis,
    /// When it ended.
    pub until: Millis,
    /// What the check was.
    pub status: Status,
}

/// How a part of the time was, milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Share {
    /// While somebody waited for it: neither new nor paused.
    pub watched: Millis,
    /// Of that, while it was down or overrunning.
    pub wrong: Millis,
}

impl Share {
    /// Both together.
    pub fn and(self, other: Self) -> Self {
        Self {
            watched: self.watched + other.watched,
            wrong: self.wrong + other.wrong,
        }
    }

    /// How much of it was well, in hundredths of a percent, rounded down, so that only all of it
    /// is 100 %; none where it was not watched.
    pub fn uptime(self) -> Option<i64> {
        (self.watched > 0).then(|| (self.watched - self.wrong) * 10_000 / self.watched)
    }
}

/// What the check in `row` was from `since` to `now`, oldest first, without gaps. `status` is
/// what it is, and since when.
///
/// # Errors
/// As SQLite says.
pub fn spans(
    connection: &Connection,
    row: i64,
    status: (Status, Millis),
    since: Millis,
    now: Millis,
) -> Result<Vec<Span>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT occurred_at, from_status, to_status FROM event
         WHERE check_row = ? AND kind = 'status_changed' AND effective_at >= ?
         ORDER BY effective_at DESC, row DESC LIMIT ?",
    )?;
    let mut rows = statement.query(params![row, since, CHANGES])?;
    let mut changes = Vec::new();
    while let Some(change) = rows.next()? {
        let named = |text: Option<String>| text.as_deref().and_then(Status::from_name);
        changes.push((change.get(0)?, named(change.get(1)?), named(change.get(2)?)));
    }
    changes.reverse();
    let more = i64::try_from(changes.len()).unwrap_or(CHANGES) == CHANGES;
    Ok(between(&changes, more, status, since, now))
}

type Change = (Millis, Option<Status>, Option<Status>);

/// `more`: whether there were changes before these.
fn between(
    changes: &[Change],
    more: bool,
    (status, status_since): (Status, Millis),
    since: Millis,
    now: Millis,
) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    let mut push = |from: Millis, until: Millis, status: Option<Status>| {
        // Changes that were told late may overlap: what was known later holds from then on.
        let from = from.max(spans.last().map_or(since, |span| span.until));
        let until = until.min(now);
        if let Some(status) = status.filter(|_| from < until) {
            spans.push(Span {
                from,
                until,
                status,
            });
        }
    };
    match changes.first() {
        Some(&(at, from, _)) if !more => push(since, at, from),
        Some(_) => {}
        None => push(status_since, now, Some(status)),
    }
    for (index, &(at, _, to)) in changes.iter().enumerate() {
        let until = changes.get(index + 1).map_or(now, |next| next.0);
        push(at, until, to);
    }
    spans
}

/// How the time from `from` to `until` was.
pub fn share(spans: &[Span], from: Millis, until: Millis) -> Share {
    let first = spans.partition_point(|span| span.until <= from);
    let mut share = Share::default();
    for span in spans[first..].iter().take_while(|span| span.from < until) {
        let length = span.until.min(until) - span.from.max(from);
        match span.status {
            Status::New | Status::Paused => {}
            Status::Up | Status::Late => share.watched += length,
            Status::Down | Status::Overrunning => {
                share.watched += length;
                share.wrong += length;
            }
        }
    }
    share
}

#[cfg(test)]
mod tests {
    use super::*;
    use Status::{Down, New, Paused, Up};

    #[test]
    fn what_was_down_for_a_quarter_of_its_watched_time_was_up_for_the_rest() {
        let changes = [
            (100, Some(New), Some(Up)),
            (400, Some(Up), Some(Down)),
            (500, Some(Down), Some(Paused)),
        ];
        let spans = between(&changes, false, (Paused, 500), 0, 1000);
        let share = share(&spans, 0, 1000);
        assert_eq!((share.watched, share.wrong), (400, 100));
        assert_eq!(share.uptime(), Some(7_500));
        assert_eq!(super::share(&spans, 0, 100).uptime(), None);
        assert_eq!(super::share(&spans, 350, 450).uptime(), Some(5_000));
    }

    #[test]
    fn without_a_change_it_was_what_it_is_since_then() {
        let spans = between(&[], false, (Up, -50), 0, 1000);
        assert_eq!(share(&spans, 0, 1000).watched, 1000);
        let spans = between(&[], false, (Up, 900), 0, 1000);
        assert_eq!(share(&spans, 0, 1000).watched, 100);
    }

    #[test]
    fn before_the_oldest_change_that_was_read_nothing_is_known() {
        let changes = [(600, Some(Down), Some(Up))];
        let spans = between(&changes, true, (Up, 600), 0, 1000);
        assert_eq!(
            share(&spans, 0, 1000),
            Share {
                watched: 400,
                wrong: 0
            }
        );
    }

    #[test]
    fn changes_that_were_told_late_count_no_time_twice() {
        let changes = [(500, Some(Up), Some(Down)), (300, Some(Down), Some(Up))];
        let spans = between(&changes, false, (Up, 300), 0, 1000);
        assert_eq!(share(&spans, 0, 1000).watched, 1000);
        assert!(spans.windows(2).all(|two| two[0].until <= two[1].from));
    }

    #[test]
    fn a_second_of_trouble_is_never_all_well() {
        let share = Share {
            watched: 90 * 86_400_000,
            wrong: 1000,
        };
        assert_eq!(share.uptime(), Some(9_999));
    }
}
