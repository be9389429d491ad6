//! What a cron expression means, and when it occurs.

use std::cell::Cell;

use proptest::prelude::*;

use super::*;
use crate::schedule::zone;

const MINUTE: Millis = 60_000;

fn cron(expression: &str, zone: &str) -> Cron {
    Cron::parse(expression, zone::named(zone).unwrap().1).unwrap()
}

fn at(text: &str) -> Millis {
    text.parse::<Timestamp>().unwrap().as_millisecond()
}

fn utc(moment: Millis) -> String {
    Timestamp::from_millisecond(moment).unwrap().to_string()
}

/// The occurrences after a time, as many as there are in `expected`.
fn occurrences(expression: &str, zone: &str, after: &str, count: usize) -> Vec<String> {
    let cron = cron(expression, zone);
    let mut moment = at(after);
    let mut found = Vec::new();
    for _ in 0..count {
        moment = cron.next_after(moment).unwrap();
        found.push(utc(moment));
    }
    found
}

thread_local! {
    /// The months and the settings of the clock that were looked at on this thread.
    static STEPS: Cell<u64> = const { Cell::new(0) };
}

/// Counts a step of a walk through time: what takes long is seen without a clock.
pub(super) fn step() {
    STEPS.set(STEPS.get() + 1);
}

fn steps(walk: impl FnOnce()) -> u64 {
    let before = STEPS.get();
    walk();
    STEPS.get() - before
}

#[test]
fn each_field_is_read_as_cron_reads_it() {
    // 2026-01-01 is a Thursday.
    for (expression, first, second) in [
        ("* * * * *", "2026-01-01T00:01:00Z", "2026-01-01T00:02:00Z"),
        (
            "*/20 * * * *",
            "2026-01-01T00:20:00Z",
            "2026-01-01T00:40:00Z",
        ),
        (
            "5-10/3 4 * * *",
            "2026-01-01T04:05:00Z",
            "2026-01-01T04:08:00Z",
        ),
        (
            "0 22,2 * * *",
            "2026-01-01T02:00:00Z",
            "2026-01-01T22:00:00Z",
        ),
        (
            "30 3 * * mon",
            "2026-01-05T03:30:00Z",
            "2026-01-12T03:30:00Z",
        ),
        ("0 0 * * 7", "2026-01-04T00:00:00Z", "2026-01-11T00:00:00Z"),
        (
            "0 0 * * FRI-SUN",
            "2026-01-02T00:00:00Z",
            "2026-01-03T00:00:00Z",
        ),
        (
            "0 0 * * SUN-MON",
            "2026-01-04T00:00:00Z",
            "2026-01-05T00:00:00Z",
        ),
        (
            "0 0 1 feb,Jul *",
            "2026-02-01T00:00:00Z",
            "2026-07-01T00:00:00Z",
        ),
        ("0 0 29 2 *", "2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z"),
        ("0 0 L * *", "2026-01-31T00:00:00Z", "2026-02-28T00:00:00Z"),
        (
            "0 0 15W * *",
            "2026-01-15T00:00:00Z",
            "2026-02-16T00:00:00Z",
        ),
        ("0 0 LW * ?", "2026-01-30T00:00:00Z", "2026-02-27T00:00:00Z"),
        ("0 0 * * 5L", "2026-01-30T00:00:00Z", "2026-02-27T00:00:00Z"),
        (
            "0 0 * * MON#2",
            "2026-01-12T00:00:00Z",
            "2026-02-09T00:00:00Z",
        ),
        (
            "0 0 * 2 MON#5",
            "2044-02-29T00:00:00Z",
            "2072-02-29T00:00:00Z",
        ),
        ("@hourly", "2026-01-01T01:00:00Z", "2026-01-01T02:00:00Z"),
        ("@Daily", "2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z"),
        ("@midnight", "2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z"),
        ("@weekly", "2026-01-04T00:00:00Z", "2026-01-11T00:00:00Z"),
        ("@monthly", "2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z"),
        ("@yearly", "2027-01-01T00:00:00Z", "2028-01-01T00:00:00Z"),
        (
            " 0  2\t* * * ",
            "2026-01-01T02:00:00Z",
            "2026-01-02T02:00:00Z",
        ),
    ] {
        assert_eq!(
            occurrences(expression, "UTC", "2026-01-01T00:00:00Z", 2),
            [first, second],
            "{expression}"
        );
    }
}

#[test]
fn of_two_restricted_day_fields_either_is_enough_and_a_star_makes_both_needed() {
    // The 13th, or a Friday.
    assert_eq!(
        occurrences("0 0 13 * FRI", "UTC", "2026-01-08T00:00:00Z", 3),
        [
            "2026-01-09T00:00:00Z",
            "2026-01-13T00:00:00Z",
            "2026-01-16T00:00:00Z"
        ]
    );
    // An odd day that is a Monday: the field begins with a star, so it is no restriction that
    // stands alone (crontab(5)).
    assert_eq!(
        occurrences("0 0 */2 * MON", "UTC", "2026-01-01T00:00:00Z", 3),
        [
            "2026-01-05T00:00:00Z",
            "2026-01-19T00:00:00Z",
            "2026-02-09T00:00:00Z"
        ]
    );
}

#[test]
fn what_is_no_cron_expression_is_refused_with_the_field_that_is_wrong() {
    for (expression, words) in [
        ("", "it is empty"),
        ("@reboot", "next reboot"),
        ("@every 1h", "as the period"),
        ("@fortnightly", "the words are @hourly"),
        ("hourly", "it has 1 field"),
        ("0 2 * *", "it has 4 fields"),
        ("0 0 2 * * *", "it has 6 fields, and seconds"),
        ("0 0 2 * * * 2026", "it has 7 fields, and seconds"),
        ("60 * * * *", "the minute '60'"),
        ("0 24 * * *", "the hour '24'"),
        ("0 0 0 * *", "the day of the month '0'"),
        ("0 0 32 * *", "the day of the month '32'"),
        ("0 0 1 13 *", "the month '13'"),
        ("0 0 * * 8", "the day of the week '8'"),
        ("JAN * * * *", "the minute 'JAN'"),
        ("0 0 1 MON *", "the month 'MON'"),
        ("0 0 1 JANFEB *", "the month 'JANFEB'"),
        ("0 0 1 JANUARY *", "the month 'JANUARY'"),
        ("0 0 * * 1MON", "the day of the week '1MON'"),
        ("0 0 * * FRI-MON", "the day of the week 'FRI-MON'"),
        ("0 0 * * +1", "the day of the week '+1'"),
        ("1,,2 * * * *", "the minute '1,,2'"),
        ("*/0 * * * *", "the minute '*/0'"),
        ("5/15 * * * *", "the minute '5/15'"),
        ("9-5 * * * *", "the minute '9-5'"),
        ("? * * * *", "the minute '?'"),
        ("99999999999 * * * *", "the minute '99999999999'"),
        ("ß * * * *", "the minute 'ß'"),
        ("0 0 30 2 *", "never occurs"),
        ("0 0 31 2,4,6 *", "never occurs"),
    ] {
        let message = Cron::parse(expression, TimeZone::UTC)
            .unwrap_err()
            .to_string();
        assert!(message.contains(words), "{expression}: {message}");
        assert!(message.contains("such as '0 2 * * *'"), "{message}");
    }
    let long = Cron::parse(&"1,".repeat(5_000), TimeZone::UTC)
        .unwrap_err()
        .to_string();
    assert!(
        long.contains("longer than 200") && long.len() < 600,
        "{long}"
    );
}

/// A zone, an expression, a moment, and the occurrences after it: computed by hand from the
/// dates on which the zones set their clocks, and checked against Python's zoneinfo.
type Row = (
    &'static str,
    &'static str,
    &'static str,
    &'static [&'static str],
);

/// Clocks that go forward.
const SKIPPED: &[Row] = &[
    // New York, 2026-03-08 02:00 -05 becomes 03:00 -04, at 07:00 UTC.
    (
        "America/New_York",
        "30 2 * * *",
        "2026-03-07T00:00:00Z",
        &[
            "2026-03-07T07:30:00Z",
            "2026-03-08T07:00:00Z",
            "2026-03-09T06:30:00Z",
        ],
    ),
    (
        "America/New_York",
        "0 2 * * *",
        "2026-03-08T00:00:00Z",
        &["2026-03-08T07:00:00Z", "2026-03-09T06:00:00Z"],
    ),
    (
        "America/New_York",
        "0,30 2,3 * * *",
        "2026-03-08T00:00:00Z",
        &[
            "2026-03-08T07:00:00Z",
            "2026-03-08T07:30:00Z",
            "2026-03-09T06:00:00Z",
        ],
    ),
    (
        "America/New_York",
        "*/30 * * * *",
        "2026-03-08T06:00:00Z",
        &[
            "2026-03-08T06:30:00Z",
            "2026-03-08T07:00:00Z",
            "2026-03-08T07:30:00Z",
        ],
    ),
    (
        "America/New_York",
        "*/30 2 * * *",
        "2026-03-08T00:00:00Z",
        &["2026-03-09T06:00:00Z", "2026-03-09T06:30:00Z"],
    ),
    (
        "America/New_York",
        "30 * * * *",
        "2026-03-08T06:00:00Z",
        &[
            "2026-03-08T06:30:00Z",
            "2026-03-08T07:30:00Z",
            "2026-03-08T08:30:00Z",
        ],
    ),
    // London, 2026-03-29 01:00 +00 becomes 02:00 +01, at 01:00 UTC.
    (
        "Europe/London",
        "30 1 * * *",
        "2026-03-28T12:00:00Z",
        &["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"],
    ),
    (
        "Europe/London",
        "0 0 29 3 *",
        "2026-03-28T12:00:00Z",
        &["2026-03-29T00:00:00Z", "2027-03-28T23:00:00Z"],
    ),
    // Lord Howe, 2026-10-04 02:00 +10:30 becomes 02:30 +11, at 15:30 UTC the day before.
    (
        "Australia/Lord_Howe",
        "15 2 * * *",
        "2026-10-03T00:00:00Z",
        &["2026-10-03T15:30:00Z", "2026-10-04T15:15:00Z"],
    ),
    (
        "Australia/Lord_Howe",
        "45 2 * * *",
        "2026-10-02T17:00:00Z",
        &["2026-10-03T15:45:00Z", "2026-10-04T15:45:00Z"],
    ),
    (
        "Australia/Lord_Howe",
        "*/15 * * * *",
        "2026-10-03T15:00:00Z",
        &[
            "2026-10-03T15:15:00Z",
            "2026-10-03T15:30:00Z",
            "2026-10-03T15:45:00Z",
            "2026-10-03T16:00:00Z",
        ],
    ),
    // Sao Paulo, 2018-11-04 00:00 -03 becomes 01:00 -02, at 03:00 UTC: a day without midnight.
    (
        "America/Sao_Paulo",
        "0 0 * * *",
        "2018-11-03T12:00:00Z",
        &["2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z"],
    ),
    (
        "America/Sao_Paulo",
        "0 0 * * SUN",
        "2018-11-03T12:00:00Z",
        &["2018-11-04T03:00:00Z", "2018-11-11T02:00:00Z"],
    ),
    (
        "America/Sao_Paulo",
        "0 0 3 * *",
        "2018-11-03T12:00:00Z",
        &["2018-12-03T02:00:00Z"],
    ),
    (
        "America/Sao_Paulo",
        "0 * * * *",
        "2018-11-04T01:30:00Z",
        &[
            "2018-11-04T02:00:00Z",
            "2018-11-04T03:00:00Z",
            "2018-11-04T04:00:00Z",
        ],
    ),
    // Troll, 2026-03-29 01:00 +00 becomes 03:00 +02, at 01:00 UTC: two hours.
    (
        "Antarctica/Troll",
        "30 1,2 * * *",
        "2026-03-28T12:00:00Z",
        &[
            "2026-03-29T01:00:00Z",
            "2026-03-29T23:30:00Z",
            "2026-03-30T00:30:00Z",
        ],
    ),
    (
        "Antarctica/Troll",
        "0 */1 * * *",
        "2026-03-29T00:00:00Z",
        &["2026-03-29T01:00:00Z", "2026-03-29T02:00:00Z"],
    ),
    // Apia went over the date line: 2011-12-30 was left out, at 10:00 UTC.
    (
        "Pacific/Apia",
        "0 12 * * *",
        "2011-12-29T00:00:00Z",
        &[
            "2011-12-29T22:00:00Z",
            "2011-12-30T10:00:00Z",
            "2011-12-30T22:00:00Z",
        ],
    ),
];

/// Clocks that go back.
const DOUBLED: &[Row] = &[
    // New York, 2026-11-01 02:00 -04 becomes 01:00 -05, at 06:00 UTC.
    (
        "America/New_York",
        "30 1 * * *",
        "2026-10-31T12:00:00Z",
        &["2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z"],
    ),
    (
        "America/New_York",
        "30 1 * * *",
        "2026-11-01T06:10:00Z",
        &["2026-11-02T06:30:00Z"],
    ),
    (
        "America/New_York",
        "0 1,2 * * *",
        "2026-10-31T12:00:00Z",
        &[
            "2026-11-01T05:00:00Z",
            "2026-11-01T07:00:00Z",
            "2026-11-02T06:00:00Z",
        ],
    ),
    (
        "America/New_York",
        "*/30 * * * *",
        "2026-11-01T05:00:00Z",
        &[
            "2026-11-01T05:30:00Z",
            "2026-11-01T06:00:00Z",
            "2026-11-01T06:30:00Z",
            "2026-11-01T07:00:00Z",
        ],
    ),
    (
        "America/New_York",
        "*/30 1 * * *",
        "2026-11-01T00:00:00Z",
        &[
            "2026-11-01T05:00:00Z",
            "2026-11-01T05:30:00Z",
            "2026-11-01T06:00:00Z",
            "2026-11-01T06:30:00Z",
            "2026-11-02T06:00:00Z",
        ],
    ),
    (
        "America/New_York",
        "15 * * * *",
        "2026-11-01T05:00:00Z",
        &[
            "2026-11-01T05:15:00Z",
            "2026-11-01T06:15:00Z",
            "2026-11-01T07:15:00Z",
        ],
    ),
    // London, 2026-10-25 02:00 +01 becomes 01:00 +00, at 01:00 UTC.
    (
        "Europe/London",
        "0 1 * * *",
        "2026-10-24T12:00:00Z",
        &["2026-10-25T00:00:00Z", "2026-10-26T01:00:00Z"],
    ),
    (
        "Europe/London",
        "0 2 * * *",
        "2026-10-24T12:00:00Z",
        &["2026-10-25T02:00:00Z", "2026-10-26T02:00:00Z"],
    ),
    // Lord Howe, 2026-04-05 02:00 +11 becomes 01:30 +10:30, at 15:00 UTC the day before.
    (
        "Australia/Lord_Howe",
        "45 1 * * *",
        "2026-04-04T00:00:00Z",
        &["2026-04-04T14:45:00Z", "2026-04-05T15:15:00Z"],
    ),
    (
        "Australia/Lord_Howe",
        "15 1 * * *",
        "2026-04-04T00:00:00Z",
        &["2026-04-04T14:15:00Z", "2026-04-05T14:45:00Z"],
    ),
    (
        "Australia/Lord_Howe",
        "*/15 * * * *",
        "2026-04-04T14:30:00Z",
        &[
            "2026-04-04T14:45:00Z",
            "2026-04-04T15:00:00Z",
            "2026-04-04T15:15:00Z",
            "2026-04-04T15:30:00Z",
        ],
    ),
    // Sao Paulo, 2018-02-18 00:00 -02 becomes 2018-02-17 23:00 -03, at 02:00 UTC.
    (
        "America/Sao_Paulo",
        "30 23 * * *",
        "2018-02-17T12:00:00Z",
        &["2018-02-18T01:30:00Z", "2018-02-19T02:30:00Z"],
    ),
    (
        "America/Sao_Paulo",
        "0 0 * * *",
        "2018-02-17T12:00:00Z",
        &["2018-02-18T03:00:00Z", "2018-02-19T03:00:00Z"],
    ),
    (
        "America/Sao_Paulo",
        "0 * * * SAT",
        "2018-02-18T00:30:00Z",
        &[
            "2018-02-18T01:00:00Z",
            "2018-02-18T02:00:00Z",
            "2018-02-24T03:00:00Z",
        ],
    ),
    // Troll, 2026-10-25 03:00 +02 becomes 01:00 +00, at 01:00 UTC: two hours.
    (
        "Antarctica/Troll",
        "30 1,2 * * *",
        "2026-10-24T12:00:00Z",
        &[
            "2026-10-24T23:30:00Z",
            "2026-10-25T00:30:00Z",
            "2026-10-26T01:30:00Z",
        ],
    ),
    (
        "Antarctica/Troll",
        "30 * * * *",
        "2026-10-24T23:00:00Z",
        &[
            "2026-10-24T23:30:00Z",
            "2026-10-25T00:30:00Z",
            "2026-10-25T01:30:00Z",
            "2026-10-25T02:30:00Z",
            "2026-10-25T03:30:00Z",
        ],
    ),
];

#[test]
fn a_cron_in_the_skipped_hour_is_expected_right_after_it() {
    for (zone, expression, after, expected) in SKIPPED {
        let found = occurrences(expression, zone, after, expected.len());
        assert_eq!(found, *expected, "{expression} in {zone}");
    }
}

#[test]
fn a_cron_in_the_doubled_hour_is_expected_once_but_one_that_follows_the_clock() {
    for (zone, expression, after, expected) in DOUBLED {
        let found = occurrences(expression, zone, after, expected.len());
        assert_eq!(found, *expected, "{expression} in {zone}");
    }
}

#[test]
fn the_shortest_gap_is_found_wherever_it_is() {
    for (expression, seconds) in [
        ("* * * * *", 60),
        ("*/15 * * * *", 900),
        ("0 2 * * *", 86_400),
        ("0 0 1,2 1 *", 86_400),
        ("58 23,0 * * *", 3_600),
        ("0,59 0,23 1,2 * *", 60),
    ] {
        let gap = cron(expression, "UTC").shortest_gap(at("2026-01-01T00:00:00Z"));
        assert_eq!(gap, seconds, "{expression}");
    }
}

#[test]
fn a_year_of_minutes_is_counted_at_once_and_a_rare_day_found_as_fast() {
    let minutes = cron("* * * * *", "America/New_York");
    let (from, to) = (at("2026-01-01T05:00:00Z"), at("2027-01-01T05:00:00Z"));
    // A step for each month and each setting of the clock, where a walk has half a million.
    let taken = steps(|| assert_eq!(minutes.count(from, to), 525_600));
    assert!(taken <= 20, "{taken} steps");
    for zone in ["UTC", "Europe/London"] {
        let rare = cron("*/5 */2 * 2 MON#5", zone);
        let taken = steps(|| assert!(rare.next_after(to).is_some()));
        assert!(taken < 500, "{taken} steps in {zone}");
    }
}

#[test]
fn a_time_that_no_calendar_has_makes_nothing_panic() {
    for expression in ["* * * * *", "0 2 29 2 *"] {
        for zone in ["UTC", "America/New_York"] {
            let cron = cron(expression, zone);
            for moment in [
                Millis::MIN,
                Millis::MAX,
                -62_135_596_800_000,
                253_402_207_200_000,
            ] {
                let _ = cron.next_after(moment);
                let _ = cron.count(moment, Millis::MAX);
                let _ = cron.count(Millis::MIN, moment);
            }
        }
    }
}

/// Every zone above, and one with an odd offset.
const ZONES: [&str; 7] = [
    "UTC",
    "America/New_York",
    "Europe/London",
    "Australia/Lord_Howe",
    "America/Sao_Paulo",
    "Antarctica/Troll",
    "Asia/Kathmandu",
];

/// When their clocks are set, both ways, in UTC.
const SET: [&str; 10] = [
    "2026-03-08T07:00:00Z",
    "2026-11-01T06:00:00Z",
    "2026-03-29T01:00:00Z",
    "2026-10-25T01:00:00Z",
    "2026-10-03T15:30:00Z",
    "2026-04-04T15:00:00Z",
    "2018-11-04T03:00:00Z",
    "2018-02-18T02:00:00Z",
    "2020-02-29T12:00:00Z",
    "2023-12-31T23:00:00Z",
];

fn any_expression() -> impl Strategy<Value = String> {
    let minute = prop_oneof![
        Just("*".to_owned()),
        (1..40_u8).prop_map(|step| format!("*/{step}")),
        (0..60_u8).prop_map(|minute| minute.to_string()),
        (0..30_u8, 30..60_u8).prop_map(|(a, b)| format!("{a},{b}")),
        (0..30_u8, 30..60_u8, 1..9_u8).prop_map(|(a, b, step)| format!("{a}-{b}/{step}")),
    ];
    let hour = prop_oneof![
        Just("*".to_owned()),
        (1..8_u8).prop_map(|step| format!("*/{step}")),
        (0..24_u8).prop_map(|hour| hour.to_string()),
        (0..4_u8).prop_map(|hour| hour.to_string()),
        Just("1-3".to_owned()),
        Just("0,23".to_owned()),
    ];
    let day = prop_oneof![
        6 => Just("*"), 1 => Just("1"), 1 => Just("29"), 1 => Just("L"), 1 => Just("15W"),
        1 => Just("*/3"),
    ];
    let month = prop_oneof![6 => Just("*"), 1 => Just("2"), 1 => Just("3,10,11"), 1 => Just("*/4")];
    let weekday = prop_oneof![
        6 => Just("*"), 1 => Just("SUN"), 1 => Just("1-5"), 1 => Just("0#2"), 1 => Just("5L"),
        1 => Just("*/2"),
    ];
    (minute, hour, day, month, weekday).prop_map(|(minute, hour, day, month, weekday)| {
        format!("{minute} {hour} {day} {month} {weekday}")
    })
}

fn any_moment() -> impl Strategy<Value = Millis> {
    (0..SET.len(), -3_000..3_000_i64, 0..MINUTE)
        .prop_map(|(index, minutes, millis)| at(SET[index]) + minutes * MINUTE + millis)
}

/// The occurrences after `from` up to `to`, found by looking at every single minute.
fn minute_by_minute(expression: &str, zone: &str, from: Millis, to: Millis) -> Vec<Millis> {
    let fields: Vec<&str> = expression.split(' ').collect();
    let zone = TimeZone::get(zone).unwrap();
    let pattern = |text: String| text.parse::<croner::Cron>().unwrap();
    let times = pattern(format!("{} {} * * *", fields[0], fields[1]));
    let by_day = pattern(format!("* * {} {} *", fields[2], fields[3]));
    let by_weekday = pattern(format!("* * * {} {}", fields[3], fields[4]));
    let both = fields[2].starts_with('*') || fields[4].starts_with('*');
    let matches = |local: DateTime| {
        let fits = |pattern: &croner::Cron| pattern.is_time_matching(&local).unwrap();
        let day = if both {
            fits(&by_day) && fits(&by_weekday)
        } else {
            fits(&by_day) || fits(&by_weekday)
        };
        day && fits(&times)
    };
    let follows = fields[0].starts_with('*') || fields[1].starts_with('*');
    let local = |at: Millis| zone.to_datetime(Timestamp::from_millisecond(at).unwrap());
    let mut found = Vec::new();
    // A day before, so that a clock set back is seen for what it is.
    let mut now = from.div_euclid(MINUTE) * MINUTE - 1440 * MINUTE;
    let mut furthest = local(now);
    while now < to {
        now += MINUTE;
        let here = local(now);
        let mut occurs = matches(here);
        if !follows {
            // What the clock shows for the second time has been; what it left out is now.
            occurs &= here > furthest;
            let mut left_out = furthest + 1.minute();
            while left_out < here {
                occurs |= matches(left_out);
                left_out += 1.minute();
            }
        }
        furthest = furthest.max(here);
        if occurs && now > from && now <= to {
            found.push(now);
        }
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    /// The fast walk finds what looking at every minute finds, and counts it.
    #[test]
    fn the_walk_finds_what_every_single_minute_says(
        expression in any_expression(),
        zone in 0..ZONES.len(),
        from in any_moment(),
        length in 1..3_000_i64,
    ) {
        let Ok(cron) = Cron::parse(&expression, zone::named(ZONES[zone]).unwrap().1) else {
            return Ok(());
        };
        let to = from + length * MINUTE;
        let expected = minute_by_minute(&expression, ZONES[zone], from, to);
        let mut found = Vec::new();
        let mut moment = from;
        while let Some(next) = cron.next_after(moment).filter(|next| *next <= to) {
            found.push(next);
            moment = next;
        }
        prop_assert_eq!(&found, &expected, "{} in {}", expression, ZONES[zone]);
        prop_assert_eq!(cron.count(from, to), expected.len() as u64);
    }

    /// Over years, where nobody sets a clock, croner's own search agrees.
    #[test]
    fn croner_finds_the_same_where_no_clock_is_set(
        expression in any_expression(),
        from in 1_500_000_000..1_900_000_000_i64,
    ) {
        let fields: Vec<&str> = expression.split(' ').collect();
        let is_step = |field: &str| field.starts_with("*/");
        // Where croner means something else than cron does.
        prop_assume!(!is_step(fields[2]) && !is_step(fields[4]));
        let theirs: croner::Cron = expression.parse().unwrap();
        let Ok(ours) = Cron::parse(&expression, TimeZone::UTC) else {
            return Ok(());
        };
        let mut start = Timestamp::from_second(from).unwrap().to_zoned(TimeZone::UTC);
        let first = from * 1000;
        for count in 1..20 {
            start = theirs.find_next_occurrence(&start, false).unwrap();
            let moment = start.timestamp().as_millisecond();
            prop_assert_eq!(ours.count(first, moment), count);
            prop_assert_eq!(ours.next_after(moment - 1), Some(moment));
        }
    }

    #[test]
    fn no_text_makes_it_panic(text in "[@A-Z0-9*/,#?LW -]{0,30}|\\PC{0,40}") {
        let _ = Cron::parse(&text, TimeZone::UTC);
    }
}

#[test]
fn an_occurrence_decades_away_is_found_past_all_settings_of_the_clock_at_once() {
    // The fifth Monday of a February, by the clock: every 28 years, of which each has two
    // settings of the clock. A check with a threshold of 100 asks 100 times.
    let zone = TimeZone::get("Europe/Berlin").unwrap();
    let cron = Cron::parse("0 */23 * 2 1#5", zone).unwrap();
    let mut years = Vec::new();
    let mut at = 1_774_742_400_000;
    let taken = steps(|| {
        for _ in 0..100 {
            at = cron.next_after(at).unwrap();
            years.push(at / 31_556_952_000 + 1970);
        }
    });
    assert_eq!(years[..4], [2044, 2044, 2072, 2072]);
    // The months of 28 years for each second occurrence, but not each setting of the clock.
    assert!(taken < 100 * 28 * 12, "{taken} steps");
}
