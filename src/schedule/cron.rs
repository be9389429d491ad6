//! Cron expressions in a time zone: when is the next occurrence, and how many were there.
//!
//! `croner` reads the fields; the walk through time is here, since it must be the one of the
//! cron daemons that people have (Vixie's, crontab(5) and cron(8)), must never take long, and
//! a hundred thousand schedules must fit into memory.
//!
//! What an occurrence is where a clock is set:
//! - An expression whose minute or hour begins with `*` follows the clock: it occurs at every
//!   instant whose local time matches. So `*/15 * * * *` occurs in both of two doubled hours
//!   and not in a skipped one.
//! - Every other names times of the day, and each of them occurs once: the first time where
//!   the hour is doubled, and right after the skipped hour where it is in that.

mod fields;
pub mod plain;
pub mod words;

use jiff::civil::{Date, DateTime};
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};
use jiff::{Timestamp, ToSpan};

use fields::Fields;
pub use fields::{BadCron, EXPRESSION_MAX};

/// Milliseconds since the Unix epoch.
type Millis = i64;

/// A local time as minutes since 1970-01-01 00:00 by the same clock.
type LocalMinute = i64;

/// How many months to look through for a day. The rarest, such as a fifth Monday of a
/// February, come every 28 years, and every 40 where a century has no leap year.
const MONTHS_AHEAD: usize = 12 * 41;

/// Seconds before a local time within which a setting of the clock may bear on it: no zone has
/// ever moved by more than a day at once.
const NEAR: i64 = 2 * 86_400;

/// A cron expression in a time zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cron {
    fields: Fields,
    zone: TimeZone,
}

impl Cron {
    /// Reads five fields, or a word such as `@daily`.
    ///
    /// # Errors
    /// [`BadCron`] where it is none, or never occurs, such as on the 30th of February.
    pub fn parse(expression: &str, zone: TimeZone) -> Result<Self, BadCron> {
        Ok(Self {
            fields: Fields::parse(expression)?,
            zone,
        })
    }

    /// The first occurrence after `moment`; none where no calendar reaches.
    pub fn next_after(&self, moment: Millis) -> Option<Millis> {
        if self.fields.follow_the_clock {
            self.next_by_the_clock(moment)
        } else {
            self.next_named(moment).map(|(_, at)| at)
        }
    }

    /// How many occurrences there are after `after`, up to and including `until`. Takes a
    /// step for each month between the two, however often the expression occurs.
    pub fn count(&self, after: Millis, until: Millis) -> u64 {
        let (Some(from), Some(to)) = (second(after), second(until)) else {
            return 0;
        };
        if from >= to {
            return 0;
        }
        if self.fields.follow_the_clock {
            self.count_by_the_clock(from, to)
        } else {
            self.count_named(from, to, after, until)
        }
    }

    /// The shortest time between two occurrences, seconds, as far as the next five years and
    /// 1,500 occurrences after `moment` show.
    pub fn shortest_gap(&self, moment: Millis) -> u64 {
        const FIVE_YEARS: Millis = 5 * 366 * 86_400_000;
        let mut last: Option<Millis> = None;
        let mut shortest = FIVE_YEARS;
        let mut at = moment;
        for _ in 0..1_500 {
            match self.next_after(at) {
                Some(next) if next < moment.saturating_add(FIVE_YEARS) => {
                    if let Some(last) = last {
                        shortest = shortest.min(next - last);
                    }
                    last = Some(next);
                    at = next;
                }
                _ => break,
            }
        }
        (shortest / 1000).unsigned_abs()
    }

    /// Goes from one setting of the clock to the next: between two, local time is as regular
    /// as time itself.
    fn next_by_the_clock(&self, moment: Millis) -> Option<Millis> {
        let mut from = second(moment)?;
        let mut offset = self.offset(from)?;
        let mut earliest = minute(from + offset) + 1;
        loop {
            let next = self.fields.first_from(earliest)?;
            let at = next * 60 - offset;
            let Some((set, after)) = self.clock_set_after(from) else {
                return at.checked_mul(1000);
            };
            if at < set {
                return at.checked_mul(1000);
            }
            if set > from + NEAR && at - NEAR > set {
                // Nothing matches until then, so no setting of the clock in between matters.
                (from, offset) = (at - NEAR, self.offset(at - NEAR)?);
                continue;
            }
            (from, offset) = (set, after);
            earliest = minute_up(set + offset);
        }
    }

    /// The first named time whose occurrence is after `moment`, and that occurrence.
    fn next_named(&self, moment: Millis) -> Option<(LocalMinute, Millis)> {
        let from = second(moment)?;
        let mut earliest = minute(from + self.offset(from)?);
        loop {
            let next = self.fields.first_from(earliest)?;
            let at = self.occurrence(next)?.checked_mul(1000)?;
            if at > moment {
                return Some((next, at));
            }
            // In the second of two doubled hours: the times of the first have been.
            earliest = next + 1;
        }
    }

    /// When a named time occurs, seconds.
    fn occurrence(&self, named: LocalMinute) -> Option<i64> {
        let local = named * 60;
        Some(
            match self.zone.to_ambiguous_timestamp(civil(named)?).offset() {
                AmbiguousOffset::Unambiguous { offset } => local - i64::from(offset.seconds()),
                AmbiguousOffset::Fold { before, .. } => local - i64::from(before.seconds()),
                // By the offset that comes after it, this moment is not reached yet; what comes
                // next is the setting of the clock that skips it.
                AmbiguousOffset::Gap { after, .. } => {
                    self.clock_set_after(local - i64::from(after.seconds()))?.0
                }
            },
        )
    }

    fn count_by_the_clock(&self, from: i64, to: i64) -> u64 {
        let Some(mut offset) = self.offset(from) else {
            return 0;
        };
        let mut earliest = minute(from + offset) + 1;
        let (mut count, mut from) = (0, from);
        while let Some((set, after)) = self.clock_set_after(from).filter(|(set, _)| *set <= to) {
            count += self.fields.count(earliest, minute_up(set + offset));
            (from, offset) = (set, after);
            earliest = minute_up(set + offset);
        }
        count + self.fields.count(earliest, minute(to + offset) + 1)
    }

    fn count_named(&self, from: i64, to: i64, after: Millis, until: Millis) -> u64 {
        let (Some((first, _)), Some((end, _))) = (self.next_named(after), self.next_named(until))
        else {
            return 0;
        };
        let mut count = self.fields.count(first, end);
        let Some(mut offset) = self.offset(from) else {
            return count;
        };
        let mut from = from;
        while let Some((set, after)) = self.clock_set_after(from).filter(|(set, _)| *set <= to) {
            // All named times of a skipped hour, and the one right after it, occur as one.
            let skipped = self
                .fields
                .count(minute_up(set + offset), minute(set + after) + 1);
            if after > offset {
                count -= skipped.saturating_sub(1);
            }
            (from, offset) = (set, after);
        }
        count
    }

    /// How far local time is ahead of UTC at this second, seconds.
    fn offset(&self, at: i64) -> Option<i64> {
        let at = Timestamp::from_second(at).ok()?;
        Some(i64::from(self.zone.to_offset(at).seconds()))
    }

    /// When after the second `at` the clock is set next, and how far it is ahead from then on.
    fn clock_set_after(&self, at: i64) -> Option<(i64, i64)> {
        #[cfg(test)]
        tests::step();
        let at = Timestamp::from_second(at).ok()?;
        let set = self.zone.following(at).next()?;
        Some((
            set.timestamp().as_second(),
            i64::from(set.offset().seconds()),
        ))
    }
}

impl Fields {
    /// The first local minute from `from` on that matches.
    fn first_from(&self, from: LocalMinute) -> Option<LocalMinute> {
        let start = civil(from)?;
        let today = start.date();
        if self.has_day(today)
            && let Some(time) = self.first_time(start.hour(), start.minute())
        {
            return Some(midnight(today)? + time);
        }
        let first_time = self.first_time(0, 0)?;
        let mut month = today.first_of_month();
        // The days of the first month up to this one are over.
        let mut over = u32::MAX.unbounded_shl(u32::from(today.day().unsigned_abs()) + 1);
        for _ in 0..MONTHS_AHEAD {
            #[cfg(test)]
            tests::step();
            let days = self.days_of(month) & over;
            if days != 0 {
                return Some(
                    midnight(month)? + i64::from(days.trailing_zeros() - 1) * 1440 + first_time,
                );
            }
            over = u32::MAX;
            month = month.checked_add(1.month()).ok()?;
        }
        None
    }

    /// How many matching local minutes there are from `from` on, before `to`.
    fn count(&self, from: LocalMinute, to: LocalMinute) -> u64 {
        let (Some(first), Some(last)) = (civil(from), civil(to)) else {
            return 0;
        };
        if from >= to {
            return 0;
        }
        let (mut month, end) = (first.date().first_of_month(), last.date().first_of_month());
        let mut count = 0;
        while month < end {
            #[cfg(test)]
            tests::step();
            count += u64::from(self.days_of(month).count_ones()) * self.times_a_day();
            match month.checked_add(1.month()) {
                Ok(next) => month = next,
                Err(_) => break,
            }
        }
        count + self.count_in_month_before(last) - self.count_in_month_before(first)
    }

    fn count_in_month_before(&self, moment: DateTime) -> u64 {
        let days = self.days_of(moment.date().first_of_month());
        let day = u32::from(moment.day().unsigned_abs());
        let before = u64::from((days & !u32::MAX.unbounded_shl(day)).count_ones());
        let today = if days & (1 << day) == 0 {
            0
        } else {
            self.times_before(moment.hour(), moment.minute())
        };
        before * self.times_a_day() + today
    }
}

/// The whole second of a moment, where a calendar has it.
fn second(moment: Millis) -> Option<i64> {
    let at = moment.div_euclid(1000);
    Timestamp::from_second(at).ok().map(|_| at)
}

/// The minute that a local second is in.
fn minute(local: i64) -> LocalMinute {
    local.div_euclid(60)
}

/// The first minute that begins at a local second or after it.
fn minute_up(local: i64) -> LocalMinute {
    -(-local).div_euclid(60)
}

fn civil(minute: LocalMinute) -> Option<DateTime> {
    let at = Timestamp::from_second(minute.checked_mul(60)?).ok()?;
    Some(Offset::UTC.to_datetime(at))
}

fn midnight(date: Date) -> Option<LocalMinute> {
    let at = Offset::UTC.to_timestamp(date.at(0, 0, 0, 0)).ok()?;
    Some(at.as_second() / 60)
}

#[cfg(test)]
mod tests;
