//! The five fields of a cron expression: read and checked, then kept as bits.

use std::fmt;

use croner::parser::CronParser;
use croner::{CronPattern, Weekday};
use jiff::civil::Date;

/// The longest expression, bytes.
pub const EXPRESSION_MAX: usize = 200;

/// One of the five fields.
struct Field {
    name: &'static str,
    takes: &'static str,
    /// What may stand in it besides digits and `*,-/`.
    more: &'static str,
    names: &'static [&'static str],
    /// What the first of the names stands for.
    first: usize,
    /// What makes of it an expression of croner's in which it stands alone: seconds before,
    /// a year after (without one, croner fills a table of 5,000 years).
    alone: (&'static str, &'static str),
}

const WEEKDAY: &str = "day of the week";

const FIELDS: [Field; 5] = [
    Field {
        name: "minute",
        takes: "0 to 59",
        more: "",
        names: &[],
        first: 0,
        alone: ("0 ", " 0 1 1 * 2000"),
    },
    Field {
        name: "hour",
        takes: "0 to 23",
        more: "",
        names: &[],
        first: 0,
        alone: ("0 0 ", " 1 1 * 2000"),
    },
    Field {
        name: "day of the month",
        takes: "1 to 31, L (the last) and 15W (the weekday nearest to the 15th)",
        more: "?LW",
        names: &[],
        first: 0,
        alone: ("0 0 0 ", " * * 2000"),
    },
    Field {
        name: "month",
        takes: "1 to 12 and JAN to DEC",
        more: "",
        names: &[
            "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
        ],
        first: 1,
        alone: ("0 0 0 1 ", " * 2000"),
    },
    Field {
        name: WEEKDAY,
        takes: "0 to 7 (0 and 7 are Sunday), SUN to SAT, 5L (the last Friday) and 1#2 (the second Monday)",
        more: "?L#",
        names: &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"],
        first: 0,
        alone: ("0 0 0 * * ", " 2000"),
    },
];

/// Why a text is not a cron expression; its `Display` is a sentence that shows how to write
/// one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadCron {
    text: String,
    why: String,
}

impl fmt::Display for BadCron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "'{}' is not a cron expression: {}; write five fields (minute, hour, day of the \
             month, month, day of the week) such as '0 2 * * *', or a word such as @daily",
            self.text.escape_debug(),
            self.why
        )
    }
}

impl std::error::Error for BadCron {}

/// What a cron expression says, without the time zone that it is read in. Bit n of a number
/// stands for the value n.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fields {
    minutes: u64,
    hours: u32,
    months: u16,
    /// By the length of the month, from 28 on, and the weekday of its first day, from Sunday
    /// on: its days. That is all that `L`, `W`, `#` and the two day fields together can say.
    days: [[u32; 7]; 4],
    /// Whether the minute or the hour begins with `*`.
    pub follow_the_clock: bool,
}

impl Fields {
    /// Reads five fields, or a word such as `@daily`.
    ///
    /// # Errors
    /// [`BadCron`] where it is none, or never occurs.
    pub fn parse(expression: &str) -> Result<Self, BadCron> {
        let bad = |why: &str| BadCron {
            text: expression.chars().take(EXPRESSION_MAX).collect(),
            why: why.to_owned(),
        };
        if expression.len() > EXPRESSION_MAX {
            let why = format!("it is longer than {EXPRESSION_MAX} characters");
            return Err(bad(&why));
        }
        let expanded = expand(expression.trim()).map_err(bad)?;
        let fields: Vec<&str> = expanded.split_ascii_whitespace().collect();
        let count = fields.len();
        let Ok(texts) = <[&str; 5]>::try_from(fields) else {
            return Err(bad(&match count {
                0 => "it is empty".to_owned(),
                1 => "it has 1 field".to_owned(),
                6 | 7 => format!("it has {count} fields, and seconds and years are not known here"),
                _ => format!("it has {count} fields"),
            }));
        };
        let read = |index: usize| read(&FIELDS[index], texts[index]).map_err(|why| bad(&why));
        let (day, weekday) = (read(2)?, read(4)?);
        let is_open = |index: usize| texts[index].starts_with(['*', '?']);
        let fields = Self {
            minutes: bits(&read(0)?.minutes.values()),
            hours: bits(&read(1)?.hours.values()) as u32,
            months: bits(&read(3)?.months.values()) as u16,
            // As cron has it: where one of the two begins with a star, a day must fit both,
            // else either is enough (crontab(5)).
            days: days(&day, &weekday, is_open(2) || is_open(4)),
            follow_the_clock: is_open(0) || is_open(1),
        };
        if !fields.ever_occur() {
            return Err(bad("no month has such a day, so it never occurs"));
        }
        Ok(fields)
    }

    fn ever_occur(&self) -> bool {
        // A month of each length begins on each weekday in some year.
        let any = |length: usize| self.days[length - 28].iter().any(|days| *days != 0);
        (1..=12_u16)
            .filter(|month| self.months & (1 << month) != 0)
            .any(|month| match month {
                2 => any(28) || any(29),
                4 | 6 | 9 | 11 => any(30),
                _ => any(31),
            })
    }

    /// The days of the month that begins on `first`.
    pub fn days_of(&self, first: Date) -> u32 {
        if self.months & (1 << first.month()) == 0 {
            return 0;
        }
        let length = usize::from(first.days_in_month().unsigned_abs());
        let weekday = usize::from(first.weekday().to_sunday_zero_offset().unsigned_abs());
        self.days[length - 28][weekday]
    }

    pub fn has_day(&self, date: Date) -> bool {
        self.days_of(date.first_of_month()) & (1 << date.day()) != 0
    }

    /// The first time of a day from this one on, minutes after midnight.
    pub fn first_time(&self, hour: i8, minute: i8) -> Option<i64> {
        if self.hours & (1 << hour) != 0 {
            let left = self.minutes >> minute << minute;
            if left != 0 {
                return Some(i64::from(hour) * 60 + i64::from(left.trailing_zeros()));
            }
        }
        let later = self.hours & (u32::MAX << hour << 1);
        (later != 0).then(|| {
            i64::from(later.trailing_zeros()) * 60 + i64::from(self.minutes.trailing_zeros())
        })
    }

    pub fn times_a_day(&self) -> u64 {
        u64::from(self.hours.count_ones()) * u64::from(self.minutes.count_ones())
    }

    /// How many times of a day are before this one.
    pub fn times_before(&self, hour: i8, minute: i8) -> u64 {
        let hours = (self.hours & ((1 << hour) - 1)).count_ones();
        let now = if self.hours & (1 << hour) == 0 {
            0
        } else {
            (self.minutes & ((1 << minute) - 1)).count_ones()
        };
        u64::from(hours) * u64::from(self.minutes.count_ones()) + u64::from(now)
    }
}

/// The five fields that a word stands for; what is no word is itself.
pub(super) fn expand(text: &str) -> Result<&str, &'static str> {
    let Some(word) = text.strip_prefix('@') else {
        return Ok(text);
    };
    Ok(match word.to_ascii_lowercase().as_str() {
        "yearly" | "annually" => "0 0 1 1 *",
        "monthly" => "0 0 1 * *",
        "weekly" => "0 0 * * 0",
        "daily" | "midnight" => "0 0 * * *",
        "hourly" => "0 * * * *",
        "reboot" => return Err("nobody can say when the next reboot is expected"),
        word if word.starts_with("every") => {
            return Err("give the time between two runs as the period");
        }
        _ => {
            return Err(
                "the words are @hourly, @daily, @midnight, @weekly, @monthly, @yearly, @annually",
            );
        }
    })
}

/// One field as croner reads it, where it stands alone; else what is wrong with it.
fn read(field: &Field, text: &str) -> Result<CronPattern, String> {
    let wrong = || {
        format!(
            "the {} '{}' is wrong, which may be {}; lists (1,3), ranges (1-5) and steps (*/2) of them; or *",
            field.name,
            text.escape_debug(),
            field.takes
        )
    };
    let plain = without_names(field, &text.to_ascii_uppercase()).ok_or_else(wrong)?;
    let known = |c: char| c.is_ascii_digit() || "*,-/".contains(c) || field.more.contains(c);
    let is_mixed = plain.contains('?') && plain != "?";
    if !plain.chars().all(known) || plain.split(',').any(str::is_empty) || is_mixed {
        return Err(wrong());
    }
    let (before, after) = field.alone;
    CronParser::new()
        .parse(&format!("{before}{plain}{after}"))
        .map(|cron| cron.pattern)
        .map_err(|_| wrong())
}

/// The field with its names turned into numbers; none where a name is part of a longer word.
fn without_names(field: &Field, text: &str) -> Option<String> {
    let mut plain = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let word = rest.get(..3).unwrap_or_default();
        let Some(index) = field.names.iter().position(|name| *name == word) else {
            plain.push(c);
            rest = &rest[c.len_utf8()..];
            continue;
        };
        rest = &rest[3..];
        // `MONL` is the last Monday.
        let goes_on = rest.starts_with(|c: char| c.is_ascii_alphanumeric() && c != 'L');
        if goes_on || plain.ends_with(|c: char| c.is_ascii_alphanumeric()) {
            return None;
        }
        // A week that ends on Sunday ends on its seventh day.
        let closes = field.name == WEEKDAY && index == 0 && plain.ends_with('-');
        let number = if closes { 7 } else { index + field.first };
        plain += &number.to_string();
    }
    Some(plain)
}

fn bits(values: &[u16]) -> u64 {
    values.iter().fold(0, |bits, value| bits | 1 << value)
}

/// The days of each kind of month that the two day fields mean.
fn days(day: &CronPattern, weekday: &CronPattern, both: bool) -> [[u32; 7]; 4] {
    // A month of each length; in which year it is matters to nothing else.
    const MONTHS: [(i32, u32, u32); 4] =
        [(2023, 2, 28), (2024, 2, 29), (2023, 4, 30), (2023, 1, 31)];
    let mut table = [[0; 7]; 4];
    for (row, (year, month, length)) in table.iter_mut().zip(MONTHS) {
        for (first, days) in (0..).zip(row.iter_mut()) {
            for date in 1..=length {
                let weekday_of_date = Weekday::from_days_from_sunday(first + date - 1);
                let fits = |pattern: &CronPattern| {
                    let fits = pattern.day_match(year, month, date, weekday_of_date);
                    fits.unwrap_or(false)
                };
                let is_one = if both {
                    fits(day) && fits(weekday)
                } else {
                    fits(day) || fits(weekday)
                };
                *days |= u32::from(is_one) << date;
            }
        }
    }
    table
}
