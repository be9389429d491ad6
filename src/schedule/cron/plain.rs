//! A cron expression for programs that know less of cron than this one: five fields out of stars
//! and numbers, as crontab(5), Kubernetes and GitHub take them; and the same by UTC, where a zone
//! never sets its clock.

use std::collections::{BTreeMap, BTreeSet};

use super::fields::expand;

const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
const MONTHS: [&str; 12] = [
    "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
];

/// One field: how it is written, and what it means.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Field {
    text: String,
    values: BTreeSet<u8>,
}

/// Five fields out of stars and numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plain {
    minute: Field,
    hour: Field,
    day: Field,
    month: Field,
    weekday: Field,
}

impl Plain {
    /// The expression in fields that each program takes; none where it has an `L`, a `W` or a
    /// `#`, which most don't know. The expression must be one that [`super::Cron::parse`] takes.
    pub fn of(expression: &str) -> Option<Self> {
        let text = expand(expression.trim()).ok()?.to_ascii_uppercase();
        let fields: Vec<&str> = text.split_ascii_whitespace().collect();
        let [minute, hour, day, month, weekday] = fields.as_slice() else {
            return None;
        };
        Some(Self {
            minute: Field::read(minute, &[], 0, 59)?,
            hour: Field::read(hour, &[], 0, 23)?,
            day: Field::read(day, &[], 1, 31)?,
            month: Field::read(month, &MONTHS, 1, 12)?,
            weekday: Field::read(weekday, &WEEKDAYS, 0, 7)?.sunday_is_zero(),
        })
    }

    /// As it is written in a crontab.
    pub fn text(&self) -> String {
        [
            &self.minute,
            &self.hour,
            &self.day,
            &self.month,
            &self.weekday,
        ]
        .map(|field| field.text.as_str())
        .join(" ")
    }

    /// Whether programs agree on its days. Of two day fields, one of which is a step such as
    /// `*/2`, cron daemons want both to fit, and Kubernetes either.
    pub fn is_clear(&self) -> bool {
        let is_step = |field: &Field| field.text.starts_with('*');
        let (day, weekday) = (&self.day, &self.weekday);
        day.is_open() || weekday.is_open() || !(is_step(day) || is_step(weekday))
    }

    /// Whether two of its times are less than so many minutes apart.
    pub fn is_oftener_than(&self, minutes: u16) -> bool {
        let times: Vec<u16> = self
            .times()
            .map(|(hour, minute)| u16::from(hour) * 60 + u16::from(minute))
            .collect();
        let ends = times.first().zip(times.last());
        let over_midnight = ends.is_some_and(|(first, last)| first + 1440 - last < minutes);
        over_midnight || times.windows(2).any(|pair| pair[1] - pair[0] < minutes)
    }

    /// The same times by UTC, of a zone whose clock is always so many minutes ahead of it. None
    /// where five fields can't say them.
    pub fn in_utc(&self, ahead: i32) -> Option<Self> {
        let mut hours: BTreeMap<u8, BTreeSet<u8>> = BTreeMap::new();
        let mut carries = BTreeSet::new();
        for (hour, minute) in self.times() {
            let there = i32::from(hour) * 60 + i32::from(minute) - ahead;
            carries.insert(there.div_euclid(1440));
            let time = there.rem_euclid(1440);
            let (hour, minute) = (u8::try_from(time / 60).ok()?, u8::try_from(time % 60).ok()?);
            hours.entry(hour).or_default().insert(minute);
        }
        let minutes = hours.values().next()?.clone();
        if hours.values().any(|other| *other != minutes) {
            return None;
        }
        let every_day = self.day.is_open() && self.month.is_open() && self.weekday.is_open();
        let carry = match (every_day, carries.len()) {
            (true, _) => 0,
            (false, 1) => *carries.first()?,
            (false, _) => return None,
        };
        if carry != 0 && !self.is_clear() {
            return None;
        }
        Some(Self {
            minute: self.minute.with(minutes),
            hour: self.hour.with(hours.into_keys().collect()),
            day: self.day_moved(carry)?,
            month: self.month.clone(),
            weekday: self.weekday_moved(carry)?,
        })
    }

    fn times(&self) -> impl Iterator<Item = (u8, u8)> {
        let minutes = &self.minute.values;
        let hours = self.hour.values.iter();
        hours.flat_map(move |hour| minutes.iter().map(|minute| (*hour, *minute)))
    }

    /// Only days that are in the same month before and after are moved.
    fn day_moved(&self, carry: i32) -> Option<Field> {
        if carry == 0 || self.day.is_open() {
            return Some(self.day.clone());
        }
        let moved: Option<BTreeSet<u8>> = self
            .day
            .values
            .iter()
            .map(|day| {
                let moved = u8::try_from(i32::from(*day) + carry).ok()?;
                (*day <= 28 && (1..=28).contains(&moved)).then_some(moved)
            })
            .collect();
        Some(self.day.with(moved?))
    }

    /// The weekday before the first of a month is in another month.
    fn weekday_moved(&self, carry: i32) -> Option<Field> {
        let by_weekday = !self.weekday.is_open() || self.day.is_open();
        if carry != 0 && by_weekday && !self.month.is_open() {
            return None;
        }
        if carry == 0 || self.weekday.is_open() {
            return Some(self.weekday.clone());
        }
        let moved = self.weekday.values.iter().map(|day| {
            let moved = (i32::from(*day) + carry).rem_euclid(7);
            u8::try_from(moved).unwrap_or_default()
        });
        Some(self.weekday.with(moved.collect()))
    }
}

impl Field {
    fn read(text: &str, names: &[&str], least: u8, most: u8) -> Option<Self> {
        let text = if text == "?" { "*" } else { text };
        let one = |text: &str| {
            let named = names.iter().position(|name| *name == text);
            let named = named.and_then(|index| u8::try_from(index).ok());
            named
                .map(|index| index + least)
                .or_else(|| text.parse().ok())
        };
        let mut values = BTreeSet::new();
        for part in text.split(',') {
            let (range, step) = part.split_once('/').unwrap_or((part, "1"));
            let step: u8 = step.parse().ok().filter(|step| *step > 0)?;
            let (from, to) = match range.split_once('-') {
                // Of the two Sundays of a weekday, a star has the first.
                None if range == "*" => (least, if most == 7 { 6 } else { most }),
                None => (one(range)?, one(range)?),
                // A week that ends on Sunday ends on its seventh day.
                Some((from, "SUN")) => (one(from)?, 7),
                Some((from, to)) => (one(from)?, one(to)?),
            };
            values.extend((from..=to.min(most)).step_by(usize::from(step)));
        }
        let is_plain = text
            .bytes()
            .all(|b| b.is_ascii_digit() || b"*,-/".contains(&b));
        let text = match is_plain {
            true => text.to_owned(),
            false => written(&values),
        };
        Some(Self { text, values }).filter(|field| !field.values.is_empty())
    }

    /// Kubernetes and GitHub know Sunday as 0 only.
    fn sunday_is_zero(self) -> Self {
        if !self.values.contains(&7) {
            return self;
        }
        let values = self.values.iter().map(|day| day % 7).collect();
        let text = written(&values);
        Self { text, values }
    }

    fn is_open(&self) -> bool {
        self.text == "*"
    }

    fn with(&self, values: BTreeSet<u8>) -> Self {
        match values == self.values {
            true => self.clone(),
            false => Self {
                text: written(&values),
                values,
            },
        }
    }
}

/// Numbers and ranges of three and more, with commas between them.
fn written(values: &BTreeSet<u8>) -> String {
    let mut runs: Vec<(u8, u8)> = Vec::new();
    for value in values {
        match runs.last_mut().filter(|(_, to)| to + 1 == *value) {
            Some((_, to)) => *to = *value,
            None => runs.push((*value, *value)),
        }
    }
    let parts = runs.into_iter().map(|(from, to)| match to - from {
        0 => from.to_string(),
        1 => format!("{from},{to}"),
        _ => format!("{from}-{to}"),
    });
    parts.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::super::Cron;
    use super::*;
    use jiff::tz::{Offset, TimeZone};
    use proptest::prelude::*;

    fn text(expression: &str) -> Option<String> {
        Plain::of(expression).map(|plain| plain.text())
    }

    #[test]
    fn every_program_gets_stars_and_numbers() {
        for (expression, plain) in [
            ("0 2 * * *", "0 2 * * *"),
            ("@daily", "0 0 * * *"),
            ("*/15  9-17 * * MON-FRI", "*/15 9-17 * * 1-5"),
            ("0 6 ? jan,jul 7", "0 6 * 1,7 0"),
            ("0 6 * * FRI-SUN", "0 6 * * 0,5,6"),
            ("0 6 * * 1-7", "0 6 * * 0-6"),
            ("1-20/5 3 1,15 * *", "1-20/5 3 1,15 * *"),
        ] {
            assert_eq!(text(expression).as_deref(), Some(plain), "{expression}");
        }
        for expression in [
            "45 23 L * *",
            "0 0 15W * *",
            "0 6 * * 1#2",
            "0 6 * * 5L",
            "none",
            "",
        ] {
            assert_eq!(text(expression), None, "{expression}");
        }
    }

    #[test]
    fn days_that_programs_read_differently_are_not_clear() {
        for (expression, clear) in [
            ("0 2 1 * 1", true),
            ("0 2 */2 * *", true),
            ("0 2 */2 * 1", false),
            ("0 2 1 * */2", false),
        ] {
            assert_eq!(Plain::of(expression).unwrap().is_clear(), clear);
        }
    }

    #[test]
    fn what_comes_oftener_than_five_minutes_is_told() {
        for (expression, oftener) in [
            ("* * * * *", true),
            ("*/5 * * * *", false),
            ("0,3 2 * * *", true),
            ("0,57 * * * *", true),
            ("0 2 * * *", false),
        ] {
            assert_eq!(Plain::of(expression).unwrap().is_oftener_than(5), oftener);
        }
    }

    #[test]
    fn times_of_a_zone_are_told_by_utc_where_that_is_exact() {
        for (expression, ahead, there) in [
            ("0 2 * * *", 480, Some("0 18 * * *")),
            ("0 9-17 * * 1-5", 480, Some("0 1-9 * * 1-5")),
            ("30 2 * * 1-5", 480, Some("30 18 * * 0-4")),
            ("30 2 * * 0", 480, Some("30 18 * * 6")),
            ("0 2 15 * *", 480, Some("0 18 14 * *")),
            ("0 2 15 3 *", 480, Some("0 18 14 3 *")),
            ("0 22 27 * *", -480, Some("0 6 28 * *")),
            ("*/15 * * * *", 480, Some("*/15 * * * *")),
            ("*/20 * * * *", 330, Some("10,30,50 * * * *")),
            ("0 2,14 * * *", 330, Some("30 8,20 * * *")),
            ("0 2 * * *", 0, Some("0 2 * * *")),
            // The last day of the month before is not a number.
            ("0 2 1 * *", 480, None),
            ("0 22 28 * *", -480, None),
            ("0 2 31 * *", 480, None),
            // Some of its times are on the day before.
            ("0 6,12 * * 1", 480, None),
            ("0 2 * 3 *", 480, None),
            ("0 2 * 3 1", 480, None),
            ("0,50 2 * * *", 345, None),
        ] {
            let utc = Plain::of(expression).unwrap().in_utc(ahead);
            let utc = utc.map(|plain| plain.text());
            assert_eq!(utc.as_deref(), there, "{expression} {ahead}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[0-9*,/#LW?A-Z -]{0,30}", ahead in -900..900) {
            if let Some(plain) = Plain::of(&text) {
                plain.in_utc(ahead);
                plain.is_oftener_than(5);
            }
        }

        #[test]
        fn what_is_written_occurs_when_the_expression_does(
            minute in "(\\*|\\*/15|[1-5]?[0-9]|5-20/5|0,59)",
            hour in "(\\*|\\*/6|1?[0-9]|2[0-3]|9-17|1,23)",
            day in "(\\*|\\?|[1-9]|2[0-9]|\\*/9|3,17)",
            month in "(\\*|2|JAN-APR|\\*/5)",
            weekday in "(\\*|\\?|[0-7]|MON-FRI|SAT-SUN|5,7)",
            ahead in (-12_i32..=14).prop_map(|hours| hours * 60),
            from in 0_i64..4_000_000_000_000,
        ) {
            let expression = format!("{minute} {hour} {day} {month} {weekday}");
            let zone = TimeZone::fixed(Offset::from_seconds(ahead * 60).unwrap());
            if let Ok(cron) = Cron::parse(&expression, zone.clone()) {
                let plain = Plain::of(&expression).unwrap();
                let same = |other: &str, zone: TimeZone| {
                    let other = Cron::parse(other, zone).unwrap();
                    let mut at = (from, from);
                    for _ in 0..40 {
                        let next = (cron.next_after(at.0), other.next_after(at.1));
                        assert_eq!(next.0, next.1, "{expression}");
                        let (Some(one), Some(two)) = next else { return };
                        at = (one, two);
                    }
                };
                same(&plain.text(), zone);
                if let Some(utc) = plain.in_utc(ahead) {
                    same(&utc.text(), TimeZone::UTC);
                }
            }
        }
    }
}
