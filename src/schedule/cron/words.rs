//! A cron expression in words: "every day at 02:00". What can't be said shortly and exactly is
//! not said: whoever asks then shows the expression itself.

use super::fields::expand;

/// The most times of a day that are worth naming one by one.
const TIMES_MAX: usize = 6;

const WEEKDAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// What one field says, as far as words know it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Field {
    Any,
    /// `*/n`.
    Step(u8),
    /// `a-b`.
    Range(u8, u8),
    /// In ascending order, each once.
    Values(Vec<u8>),
}

/// The expression in words, without its time zone; none where words would be long or wrong.
/// The expression must be one that [`super::Cron::parse`] takes.
///
/// ```
/// use pakyas::schedule::cron::words;
/// assert_eq!(words::of("0 2 * * *").as_deref(), Some("every day at 02:00"));
/// assert_eq!(words::of("3-59/7 1 */2 * MON"), None);
/// ```
pub fn of(expression: &str) -> Option<String> {
    let text = expand(expression.trim()).ok()?.to_ascii_uppercase();
    let fields: Vec<&str> = text.split_ascii_whitespace().collect();
    let [minute, hour, day, month, weekday] = fields.as_slice() else {
        return None;
    };
    let when = times(&field(minute, &[], 0, 59)?, &field(hour, &[], 0, 23)?)?;
    let months = months(&field(month, &MONTHS, 1, 12)?)?;
    let is_open = |text: &str| text == "*" || text == "?";
    let in_months = |words: String| match &months {
        Some(months) => format!("{words} in {months}"),
        None => words,
    };
    let days = match (is_open(day), is_open(weekday)) {
        (true, true) if months.is_some() => Some(in_months("every day".to_owned())),
        (true, true) => None,
        (false, true) => Some(days_of_month(day, months.as_deref())?),
        (true, false) => match weekdays(weekday)? {
            Some(words) => Some(in_months(words)),
            None => months.is_some().then(|| in_months("every day".to_owned())),
        },
        // Where one of the two begins with a star, both must fit, which nobody expects.
        (false, false) if day.starts_with('*') || weekday.starts_with('*') => return None,
        (false, false) => {
            let weekdays = in_months(weekdays(weekday)??);
            Some(format!(
                "{} and also {weekdays}",
                days_of_month(day, months.as_deref())?
            ))
        }
    };
    Some(match (when, days) {
        (When::At(times), days) => {
            format!("{} at {times}", days.as_deref().unwrap_or("every day"))
        }
        (When::Every(often), None) => often,
        (When::Every(often), Some(days)) => format!("{often}, {days}"),
    })
}

/// At which times of a day.
enum When {
    /// "02:00 and 14:00".
    At(String),
    /// "every 15 minutes".
    Every(String),
}

fn times(minute: &Field, hour: &Field) -> Option<When> {
    let every = |often: &str, rest: String| Some(When::Every(format!("{often}{rest}")));
    let clock = |hour: u8, minute: u8| format!("{hour:02}:{minute:02}");
    let regular = |step: u8, whole: u8| step > 0 && whole.is_multiple_of(step);
    let minutes = match minute {
        Field::Any => Some(("every minute".to_owned(), 1)),
        Field::Step(1) => Some(("every minute".to_owned(), 1)),
        Field::Step(step) if regular(*step, 60) => Some((format!("every {step} minutes"), *step)),
        Field::Step(_) => return None,
        Field::Range(..) | Field::Values(_) => None,
    };
    if let Some((often, step)) = minutes {
        return match hour {
            Field::Any | Field::Step(1) => every(&often, String::new()),
            Field::Range(from, to) => {
                let (from, to) = (clock(*from, 0), clock(*to, 60 - step));
                every(&often, format!(" from {from} to {to}"))
            }
            Field::Values(hours) if hours.len() == 1 => {
                let (from, to) = (clock(hours[0], 0), clock(hours[0], 60 - step));
                every(&often, format!(" from {from} to {to}"))
            }
            Field::Step(_) | Field::Values(_) => None,
        };
    }
    let minutes = values(minute, 60)?;
    let past = match minutes.as_slice() {
        [0] => ", on the hour".to_owned(),
        [1] => ", at 1 minute past".to_owned(),
        some if some.len() <= TIMES_MAX => {
            let some: Vec<String> = some.iter().map(u8::to_string).collect();
            format!(", at {} minutes past", list(&some))
        }
        _ => return None,
    };
    match (hour, minutes.as_slice()) {
        (Field::Any | Field::Step(1), _) => return every("every hour", past),
        (Field::Range(from, to), [minute]) if to - from >= 2 => {
            let (from, to) = (clock(*from, *minute), clock(*to, *minute));
            return every("every hour", format!(" from {from} to {to}"));
        }
        (Field::Step(step), [_]) if regular(*step, 24) && 24 / *step > 4 => {
            return every(&format!("every {step} hours"), past);
        }
        _ => {}
    }
    let times: Vec<String> = values(hour, 24)?
        .iter()
        .flat_map(|hour| minutes.iter().map(|minute| clock(*hour, *minute)))
        .collect();
    (times.len() <= TIMES_MAX).then(|| When::At(list(&times)))
}

/// None within where every month is meant.
fn months(field: &Field) -> Option<Option<String>> {
    Some(match field {
        Field::Any | Field::Step(1) => None,
        Field::Range(from, to) => Some(format!("{} to {}", month(*from)?, month(*to)?)),
        Field::Step(_) | Field::Values(_) => {
            let all: Vec<u8> = match field {
                Field::Step(step) => (1..=12).step_by(usize::from((*step).max(1))).collect(),
                field => values(field, 13)?,
            };
            let names: Option<Vec<&str>> = all.into_iter().map(month).collect();
            Some(list(&names?))
        }
    })
}

fn month(number: u8) -> Option<&'static str> {
    MONTHS.get(usize::from(number).checked_sub(1)?).copied()
}

fn days_of_month(text: &str, months: Option<&str>) -> Option<String> {
    let of = match months {
        Some(months) => format!("of {months}"),
        None => "of each month".to_owned(),
    };
    if text == "L" {
        return Some(format!("on the last day {of}"));
    }
    if let Some(day) = text.strip_suffix('W') {
        let day = ordinal(number(day, 1, 31)?);
        return Some(format!("on the weekday nearest to the {day} {of}"));
    }
    match field(text, &[], 1, 31)? {
        Field::Range(from, to) => Some(format!(
            "from the {} to the {} {of}",
            ordinal(from),
            ordinal(to)
        )),
        Field::Values(days) if days.len() <= TIMES_MAX => {
            let days: Vec<String> = days.into_iter().map(ordinal).collect();
            Some(format!("on the {} {of}", list(&days)))
        }
        Field::Any | Field::Step(_) | Field::Values(_) => None,
    }
}

/// None within where every day is meant.
fn weekdays(text: &str) -> Option<Option<String>> {
    let day = |text: &str| {
        let number = named(text, &WEEKDAYS).or_else(|| number(text, 0, 7))?;
        Some(usize::from(number % 7))
    };
    if let Some((weekday, place)) = text.split_once('#') {
        let place = ["first", "second", "third", "fourth", "fifth"]
            .get(usize::from(number(place, 1, 5)?) - 1)?;
        let weekday = WEEKDAYS[day(weekday)?];
        return Some(Some(format!("on the {place} {weekday} of the month")));
    }
    if let Some(weekday) = text.strip_suffix('L').filter(|text| !text.is_empty()) {
        let weekday = WEEKDAYS[day(weekday)?];
        return Some(Some(format!("on the last {weekday} of the month")));
    }
    let mut days = match field(text, &WEEKDAYS, 0, 7)? {
        Field::Any | Field::Step(1) => return Some(None),
        Field::Step(_) => return None,
        field => values(&field, 8)?,
    };
    // Monday is the first here, Sunday the seventh.
    for day in &mut days {
        *day = if *day == 0 { 7 } else { *day };
    }
    days.sort_unstable();
    days.dedup();
    let names: Vec<&str> = days
        .iter()
        .map(|day| WEEKDAYS[usize::from(day % 7)])
        .collect();
    Some(match days.as_slice() {
        [1, 2, 3, 4, 5, 6, 7] => None,
        [first, .., last] if days.len() >= 3 && usize::from(last - first) + 1 == days.len() => {
            Some(format!("{} to {}", names[0], names[names.len() - 1]))
        }
        _ => Some(format!("every {}", list(&names))),
    })
}

/// One field, out of stars, numbers, names, lists, ranges and steps of them.
fn field(text: &str, names: &[&str], least: u8, most: u8) -> Option<Field> {
    if text == "*" || text == "?" {
        return Some(Field::Any);
    }
    if let Some(step) = text.strip_prefix("*/") {
        return Some(Field::Step(number(step, 1, most)?));
    }
    let one = |text: &str| named(text, names).or_else(|| number(text, least, most));
    let range = |text: &str| {
        let (from, to) = text.split_once('-')?;
        let (from, to) = (one(from)?, one(to)?);
        (from <= to).then_some((from, to))
    };
    if let Some((from, to)) = range(text) {
        return Some(if from == to {
            Field::Values(vec![from])
        } else {
            Field::Range(from, to)
        });
    }
    let mut values = Vec::new();
    for part in text.split(',') {
        let (part, step) = match part.split_once('/') {
            Some((part, step)) if part.contains('-') => (part, number(step, 1, most)?),
            Some(_) => return None,
            None => (part, 1),
        };
        match range(part) {
            Some((from, to)) => values.extend((from..=to).step_by(usize::from(step))),
            None => values.push(one(part)?),
        }
    }
    values.sort_unstable();
    values.dedup();
    Some(Field::Values(values))
}

/// The place of a name in its first three letters: that of a month from 1, of a weekday from 0.
fn named(text: &str, names: &[&str]) -> Option<u8> {
    let index = names
        .iter()
        .position(|name| text.len() == 3 && name[..3].eq_ignore_ascii_case(text))?;
    u8::try_from(index + usize::from(names.len() == 12)).ok()
}

fn number(text: &str, least: u8, most: u8) -> Option<u8> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|_| digits)?;
    (least..=most).contains(&number).then_some(number)
}

/// All values below `end`, one by one.
fn values(field: &Field, end: u8) -> Option<Vec<u8>> {
    Some(match field {
        Field::Any => return None,
        Field::Step(step) => (0..end).step_by(usize::from((*step).max(1))).collect(),
        Field::Range(from, to) => (*from..=*to).collect(),
        Field::Values(values) => values.clone(),
    })
}

/// "a", "a and b", "a, b and c".
fn list(parts: &[impl AsRef<str>]) -> String {
    let parts: Vec<&str> = parts.iter().map(AsRef::as_ref).collect();
    match parts.as_slice() {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [some @ .., last] => format!("{} and {last}", some.join(", ")),
    }
}

fn ordinal(number: u8) -> String {
    let ending = match (number % 10, number) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}

#[cfg(test)]
mod tests {
    use super::super::Cron;
    use super::*;
    use jiff::tz::TimeZone;
    use proptest::prelude::*;

    #[test]
    fn what_people_write_is_said_as_they_would_say_it() {
        for (expression, words) in [
            ("* * * * *", "every minute"),
            ("*/15 * * * *", "every 15 minutes"),
            ("0 * * * *", "every hour, on the hour"),
            ("5 * * * *", "every hour, at 5 minutes past"),
            ("0,30 * * * *", "every hour, at 0 and 30 minutes past"),
            ("0 2 * * *", "every day at 02:00"),
            ("30 2,14 * * *", "every day at 02:30 and 14:30"),
            ("0 */6 * * *", "every day at 00:00, 06:00, 12:00 and 18:00"),
            ("10 */2 * * *", "every 2 hours, at 10 minutes past"),
            (
                "0 9-17 * * 1-5",
                "every hour from 09:00 to 17:00, Monday to Friday",
            ),
            (
                "*/10 9-17 * * MON-FRI",
                "every 10 minutes from 09:00 to 17:50, Monday to Friday",
            ),
            ("*/5 3 * * *", "every 5 minutes from 03:00 to 03:55"),
            ("0 6 * * 1", "every Monday at 06:00"),
            ("0 6 * * 0,6", "every Saturday and Sunday at 06:00"),
            ("0 6 * * 7", "every Sunday at 06:00"),
            ("0 6 * * 5-7", "Friday to Sunday at 06:00"),
            ("0 6 * * 0-6", "every day at 06:00"),
            (
                "0 6 * * mon,wed,fri",
                "every Monday, Wednesday and Friday at 06:00",
            ),
            ("0 6 * * 1#2", "on the second Monday of the month at 06:00"),
            ("0 6 * * 5L", "on the last Friday of the month at 06:00"),
            ("0 0 1 * *", "on the 1st of each month at 00:00"),
            (
                "0 0 1,15,23 * *",
                "on the 1st, 15th and 23rd of each month at 00:00",
            ),
            ("0 0 L * *", "on the last day of each month at 00:00"),
            (
                "0 0 15W * *",
                "on the weekday nearest to the 15th of each month at 00:00",
            ),
            (
                "0 0 1-7 * *",
                "from the 1st to the 7th of each month at 00:00",
            ),
            ("0 0 1 1,7 *", "on the 1st of January and July at 00:00"),
            (
                "0 0 1 */3 *",
                "on the 1st of January, April, July and October at 00:00",
            ),
            ("0 2 * jun-aug *", "every day in June to August at 02:00"),
            (
                "0 0 13 * 5",
                "on the 13th of each month and also every Friday at 00:00",
            ),
            ("@daily", "every day at 00:00"),
            ("@weekly", "every Sunday at 00:00"),
            ("@yearly", "on the 1st of January at 00:00"),
        ] {
            assert!(
                Cron::parse(expression, TimeZone::UTC).is_ok(),
                "{expression}"
            );
            assert_eq!(of(expression).as_deref(), Some(words), "{expression}");
        }
    }

    #[test]
    fn where_words_would_be_long_or_wrong_there_are_none() {
        for expression in [
            "*/7 * * * *",
            "0 */5 * * 1#2,3",
            "*/15 */2 * * *",
            "0-20 3 * * *",
            "0 0 */2 * *",
            "0 0 */2 * 1",
            "0 0 1 * */2",
            "5/15 * * * *",
            "0 1,2,3,4,5,6,7 * * *",
            "none",
            "",
        ] {
            assert_eq!(of(expression), None, "{expression}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[0-9*,/#LW?A-Z -]{0,30}") {
            let _ = of(&text);
        }

        #[test]
        fn the_times_of_a_day_that_it_names_are_those_of_the_walk(
            minute in "([0-9]|[1-5][0-9])(,([0-9]|[1-5][0-9])){0,2}|\\*/(10|15|20|30)",
            hour in "([0-9]|1[0-9]|2[0-3])(,[0-9]){0,2}|[0-9]-1[0-9]|\\*/[2-9]|\\*",
        ) {
            const DAY: i64 = 86_400_000;
            let expression = format!("{minute} {hour} * * *");
            let Some(words) = of(&expression) else { return Ok(()) };
            let cron = Cron::parse(&expression, TimeZone::UTC).unwrap();
            let mut walked = Vec::new();
            let mut at = DAY - 1;
            while let Some(next) = cron.next_after(at).filter(|next| *next < 2 * DAY) {
                let minutes = next % DAY / 60_000;
                walked.push(format!("{:02}:{:02}", minutes / 60, minutes % 60));
                at = next;
            }
            if let Some(times) = words.strip_prefix("every day at ") {
                let said: Vec<_> = times.split([',', ' ']).filter(|word| word.contains(':')).collect();
                prop_assert_eq!(said, walked);
            } else if let Some((_, times)) = words.split_once(" from ") {
                let (first, last) = times.split_once(" to ").unwrap();
                prop_assert_eq!(first, walked.first().unwrap().as_str());
                prop_assert_eq!(last, walked.last().unwrap().as_str());
            }
        }
    }
}
