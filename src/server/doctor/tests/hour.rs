//! Cron checks whose runs come at another hour.

use super::*;
use crate::schedule::cron::Cron;
use crate::schedule::zone;

/// A check that runs daily at 02:00 by the clock of `zone`.
fn nightly(zone: &str) -> Check {
    cron_check("0 2 * * *", zone)
}

fn cron_check(expression: &str, zone: &str) -> Check {
    let mut check = check(3600, 600);
    check.period_seconds = None;
    check.schedule_type = ScheduleType::Cron;
    check.cron_expression = Some(expression.to_owned());
    check.timezone = Some(zone.to_owned());
    check
}

/// Successes 20 seconds after the last `count` occurrences before `until`.
fn as_in(expression: &str, name: &str, until: Millis, count: usize) -> Vec<Record> {
    let cron = Cron::parse(expression, zone::named(name).unwrap().1).unwrap();
    let first = cron.next_after(until - 40 * DAY).unwrap();
    let times = std::iter::successors(Some(first), |at| cron.next_after(*at));
    let times: Vec<_> = times.take_while(|at| *at < until).collect();
    let newest = &times[times.len() - count..];
    newest
        .iter()
        .map(|at| ping(Kind::Success, at + 20 * SECOND))
        .collect()
}

fn moment(text: &str) -> Millis {
    text.parse::<jiff::Timestamp>().unwrap().as_millisecond()
}

#[test]
fn a_machine_in_another_zone_is_found_by_the_hour_of_its_pings() {
    for (own, other) in [
        ("Asia/Manila", "UTC"),
        ("UTC", "America/New_York"),
        ("Europe/Berlin", "Europe/Moscow"),
    ] {
        let records = as_in("0 2 * * *", other, NOW, 3);
        let finding = only(&nightly(own), &well(), &records);
        assert_eq!(finding.code, "other_time_zone");
        assert_eq!(finding.severity, Severity::Warning);
        let told = &finding.description;
        assert!(
            told.contains(&format!("began at the times of {other}, not of {own}")),
            "{told}"
        );
        assert_eq!(
            finding.suggested_actions,
            [format!("pakyas check update job --tz {other}")]
        );
        // Two nights may be chance.
        assert_eq!(codes(&nightly(own), &well(), &records[1..]), [""; 0]);
    }
}

#[test]
fn a_check_without_a_zone_is_judged_by_the_organization_s() {
    let mut check = nightly("UTC");
    check.timezone = None;
    let facts = Facts {
        org_zone: "Asia/Manila".to_owned(),
        ..well()
    };
    let records = as_in("0 2 * * *", "UTC", NOW, 4);
    let told = only(&check, &facts, &records).description;
    assert!(told.contains("UTC, not of Asia/Manila"), "{told}");
    let records = as_in("0 2 * * *", "Asia/Manila", NOW, 4);
    assert_eq!(codes(&check, &facts, &records), [""; 0]);
}

#[test]
fn a_machine_that_does_not_follow_a_change_of_the_clocks_is_found_with_its_date() {
    // 02:00 in Berlin was 00:00 UTC until 2025-10-26, and the machine stayed with that.
    let records = as_in("0 0 * * *", "UTC", moment("2025-10-30T12:00:00Z"), 9);
    let finding = only(&nightly("Europe/Berlin"), &well(), &records);
    assert_eq!(finding.code, "clock_change");
    let told = &finding.description;
    assert!(
        told.contains("set back in Europe/Berlin on 2025-10-26"),
        "{told}"
    );
    assert!(told.contains("begin 1h earlier"), "{told}");
    assert_eq!(
        finding.suggested_actions[0],
        "pakyas check update job --cron \"0 0 * * *\" --tz UTC"
    );
    // The night of the change is none yet.
    let before = as_in("0 0 * * *", "UTC", moment("2025-10-26T00:30:00Z"), 9);
    assert_eq!(codes(&nightly("Europe/Berlin"), &well(), &before), [""; 0]);
}

#[test]
fn runs_at_the_hour_of_no_zone_that_is_known_are_told_by_how_much_they_are_off() {
    let records = as_in("30 4 * * *", "UTC", NOW, 5);
    let finding = only(&nightly("UTC"), &well(), &records);
    assert_eq!(finding.code, "other_hour");
    let told = &finding.description;
    assert!(told.contains("began 2h 30m later than its times"), "{told}");
}

#[test]
fn a_job_that_takes_its_time_and_one_that_is_often_due_have_no_other_hour() {
    // Known by its duration; and an end alone that is not on the minute.
    let at_two = as_in("0 2 * * *", "UTC", NOW, 10);
    let mut long = at_two.clone();
    for (night, record) in (0..).zip(&mut long) {
        record.at += HOUR + night % 3 * 7 * MINUTE;
        record.received_at = record.at;
    }
    assert_eq!(codes(&nightly("UTC"), &well(), &long), [""; 0]);
    for (record, begin) in long.iter_mut().zip(&at_two) {
        record.duration = Some(record.at - begin.at);
    }
    assert_eq!(codes(&nightly("UTC"), &well(), &long), [""; 0]);
    let hourly = as_in("30 * * * *", "UTC", NOW, 20);
    let check = cron_check("0 * * * *", "Asia/Manila");
    assert_eq!(codes(&check, &well(), &hourly), [""; 0]);
}

proptest! {
    #[test]
    fn runs_at_their_times_have_no_other_hour(
        expression in prop::sample::select(vec!["0 2 * * *", "30 */6 * * *", "15 4 * * MON-FRI"]),
        zone in prop::sample::select(vec!["UTC", "Europe/Berlin", "Australia/Lord_Howe"]),
        until in 0..400_i64,
        late in prop::collection::vec(0..100_i64, 20),
    ) {
        let mut records = as_in(expression, zone, NOW - until * DAY, 20);
        for (record, late) in records.iter_mut().zip(late) {
            record.at += late * SECOND;
            record.received_at = record.at;
        }
        prop_assert_eq!(codes(&cron_check(expression, zone), &well(), &records), [""; 0]);
    }
}
