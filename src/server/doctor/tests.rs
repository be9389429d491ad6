//! Each finding on the history that shows it, and none on regular ones.

mod hour;

use proptest::prelude::*;

use super::*;
use crate::wire::{ScheduleType, Status};
use serde_json::json;

const NOW: Millis = 1_767_323_045_000;

fn check(period: u64, grace: u64) -> Check {
    serde_json::from_value(json!({
        "id": uuid::Uuid::nil(), "public_id": uuid::Uuid::nil(),
        "project_id": uuid::Uuid::nil(), "project_name": "P", "name": "Job", "slug": "job",
        "description": null, "tags": [], "schedule_type": "simple", "period_seconds": period,
        "cron_expression": null, "timezone": null, "missing_after_seconds": grace,
        "grace_seconds": grace, "max_runtime_seconds": null, "alert_after_miss_pings": 1,
        "alert_after_fail_pings": 1, "missed_before_alert": 1, "alert_after_failures": 1,
        "consecutive_missed_pings": 0, "consecutive_failures": 0, "status": "up",
        "paused": false, "running": false, "last_ping_at": null, "last_start_at": null,
        "last_duration_ms": null, "next_ping_expected_at": null, "ping_url": "",
        "created_at": "2025-01-01T00:00:00Z", "updated_at": "2025-01-01T00:00:00Z",
        "soft_deleted": false,
    }))
    .unwrap()
}

fn well() -> Facts {
    Facts {
        status_since: NOW - HOUR,
        recipients: 1,
        org_zone: "UTC".to_owned(),
        undelivered: Vec::new(),
    }
}

fn ping(kind: Kind, at: Millis) -> Record {
    Record {
        kind,
        exit_code: None,
        at,
        received_at: at,
        duration: None,
        run_id: None,
        source_ip: None,
        clock_off: None,
        last_line: None,
    }
}

/// Successes this long apart, the last a minute ago.
fn every(interval: Millis, count: i64) -> Vec<Record> {
    (1..=count)
        .map(|n| ping(Kind::Success, NOW - MINUTE - (count - n) * interval))
        .collect()
}

/// Runs with starts, ends and ids; each is when it began and how long it took.
fn runs(list: &[(Millis, Millis)]) -> Vec<Record> {
    let mut records = Vec::new();
    for (number, &(begin, took)) in list.iter().enumerate() {
        let run_id = Some(format!("run-{number}"));
        records.push(Record {
            run_id: run_id.clone(),
            ..ping(Kind::Start, begin)
        });
        records.push(Record {
            run_id,
            duration: Some(took),
            ..ping(Kind::Success, begin + took)
        });
    }
    records.sort_by_key(|record| record.at);
    records
}

fn codes(check: &Check, facts: &Facts, records: &[Record]) -> Vec<String> {
    let findings = examine(check, facts, records, NOW);
    findings.into_iter().map(|finding| finding.code).collect()
}

/// The one finding that there is.
#[track_caller]
fn only(check: &Check, facts: &Facts, records: &[Record]) -> Finding {
    let mut findings = examine(check, facts, records, NOW);
    assert_eq!(findings.len(), 1, "{findings:#?}");
    findings.remove(0)
}

#[test]
fn a_check_that_was_never_pinged_is_told_by_its_age() {
    let mut new = check(3600, 300);
    new.status = Status::New;
    assert_eq!(only(&new, &well(), &[]).severity, Severity::Warning);
    new.created_at = jiff::Timestamp::from_millisecond(NOW - MINUTE).unwrap();
    let finding = only(&new, &well(), &[]);
    assert_eq!(
        (finding.code.as_str(), finding.severity),
        ("never_pinged", Severity::Info)
    );
}

#[test]
fn a_grace_that_is_shorter_than_the_usual_delay_is_found_with_one_that_is_not() {
    let mut records = every(HOUR, 20);
    // Every other one is 12 minutes late, and the next is in time again.
    for (index, record) in records.iter_mut().enumerate() {
        record.at += if index % 2 == 0 { 12 * MINUTE } else { 0 };
        record.received_at = record.at;
    }
    let finding = only(&check(3600, 300), &well(), &records);
    assert_eq!(finding.code, "grace_too_short");
    assert_eq!(
        finding.suggested_actions,
        ["pakyas check update job --grace 15m"]
    );
    assert!(
        finding.description.contains("up to 12m late"),
        "{finding:?}"
    );
    assert_eq!(codes(&check(3600, 900), &well(), &records), [""; 0]);
    assert_eq!(codes(&check(3600, 300), &well(), &records[..10]), [""; 0]);
}

#[test]
fn a_period_that_does_not_fit_the_rhythm_is_found_with_a_round_one() {
    for (interval, period, suggestion) in [
        (DAY, 3600, "1d"),
        (HOUR + 40 * SECOND, 86_400, "1h"),
        (5 * MINUTE - SECOND, 60, "5m"),
        (7 * DAY, 86_400, "1w"),
        (7 * MINUTE, 60, "7m"),
        (31 * DAY, 86_400, "31d"),
    ] {
        let finding = only(&check(period, 60), &well(), &every(interval, 10));
        assert_eq!(finding.code, "period_mismatch");
        let command = format!("pakyas check update job --period {suggestion}");
        assert_eq!(finding.suggested_actions, [command]);
    }
    assert_eq!(codes(&check(3600, 60), &well(), &every(DAY, 6)), [""; 0]);
}

#[test]
fn a_job_that_rests_at_the_weekend_has_the_right_period() {
    let days = (0..60).filter(|day| day % 7 < 5);
    let records: Vec<Record> = days
        .map(|day| ping(Kind::Success, NOW - (60 - day) * DAY))
        .collect();
    assert_eq!(codes(&check(86_400, 3600), &well(), &records), [""; 0]);
}

#[test]
fn a_cron_check_has_no_period_that_could_be_wrong() {
    let mut cron = check(60, 60);
    cron.schedule_type = ScheduleType::Cron;
    cron.cron_expression = Some("0 2 * * *".to_owned());
    assert_eq!(codes(&cron, &well(), &every(DAY, 20)), [""; 0]);
}

#[test]
fn durations_near_the_limit_or_creeping_towards_it_are_found() {
    let mut limited = check(3600, 300);
    limited.max_runtime_seconds = Some(1200);
    let taking = |took: &dyn Fn(i64) -> Millis| {
        let list: Vec<_> = (0..20).map(|n| (NOW - (20 - n) * HOUR, took(n))).collect();
        runs(&list)
    };
    let near = only(&limited, &well(), &taking(&|_| 18 * MINUTE));
    assert_eq!(near.code, "runtime_near_limit");
    assert_eq!(
        near.suggested_actions,
        ["pakyas check update job --max-runtime 30m"]
    );
    assert_eq!(near.details["creeping"], false);
    let creeping = only(&limited, &well(), &taking(&|n| (5 + n / 2) * MINUTE));
    assert_eq!(creeping.details["creeping"], true);
    assert!(creeping.description.contains("They grow"), "{creeping:?}");
    assert_eq!(codes(&limited, &well(), &taking(&|_| 9 * MINUTE)), [""; 0]);
    let few = taking(&|_| 18 * MINUTE);
    assert_eq!(codes(&limited, &well(), &few[..14]), [""; 0]);
}

#[test]
fn starts_without_ends_are_found_with_and_without_ids() {
    let mut records = runs(&[(NOW - 9 * HOUR, MINUTE), (NOW - 8 * HOUR, MINUTE)]);
    for hour in [7, 6, 5] {
        let run_id = Some(format!("lost-{hour}"));
        records.push(Record {
            run_id,
            ..ping(Kind::Start, NOW - hour * HOUR)
        });
    }
    let finding = only(&check(3600, 300), &well(), &records);
    assert_eq!(finding.code, "starts_without_end");
    assert_eq!(finding.details["without_end"], 3);

    let anonymous: Vec<Record> = (2..8)
        .rev()
        .map(|hour| ping(Kind::Start, NOW - hour * HOUR))
        .collect();
    let finding = only(&check(3600, 300), &well(), &anonymous);
    assert_eq!(finding.details["without_end"], 6);
    // One that may still be running is not lost.
    let running = [anonymous[0].clone(), ping(Kind::Start, NOW - MINUTE)];
    assert_eq!(codes(&check(3600, 300), &well(), &running), [""; 0]);
}

#[test]
fn failures_with_the_same_last_line_are_found_whatever_its_numbers() {
    let mut records = every(HOUR, 8);
    for (index, record) in records[5..].iter_mut().enumerate() {
        record.kind = Kind::Fail;
        record.exit_code = Some(1);
        record.last_line = Some(format!("12:0{index}: disk /dev/sda{index} is full"));
    }
    let finding = only(&check(3600, 300), &well(), &records);
    assert_eq!(finding.code, "repeated_failure");
    assert_eq!(finding.severity, Severity::Error);
    assert!(
        finding.description.contains("disk /dev/sda2 is full"),
        "{finding:?}"
    );
    records[6].last_line = Some("something else".to_owned());
    assert_eq!(codes(&check(3600, 300), &well(), &records), [""; 0]);
    for record in &mut records {
        record.last_line = None;
    }
    let by_code = only(&check(3600, 300), &well(), &records);
    assert!(by_code.description.contains("exit code 1"), "{by_code:?}");
    // Well again for long: over.
    let after = |record| Record { at: NOW, ..record };
    records.extend(every(SECOND, 5).into_iter().map(after));
    let found = codes(&check(3600, 300), &well(), &records);
    assert!(!found.contains(&"repeated_failure".to_owned()), "{found:?}");
}

#[test]
fn overlapping_runs_are_found_and_those_that_only_touch_are_not() {
    let list =
        |took: Millis| -> Vec<_> { (0..10).map(|n| (NOW - (20 - n) * HOUR, took)).collect() };
    let long = runs(&list(HOUR + 10 * MINUTE));
    let found = codes(&check(3600, 10_000), &well(), &long);
    assert_eq!(found, ["overlapping_runs"]);
    let touching = runs(&list(HOUR + SECOND));
    assert_eq!(codes(&check(3600, 10_000), &well(), &touching), [""; 0]);
}

#[test]
fn pings_that_arrive_late_are_found_and_are_worse_than_info_where_grace_is_shorter() {
    let mut records = every(HOUR, 20);
    for record in &mut records[10..13] {
        record.received_at += 20 * MINUTE;
    }
    let finding = only(&check(3600, 3600), &well(), &records);
    assert_eq!(
        (finding.code.as_str(), finding.severity),
        ("delivered_late", Severity::Info)
    );
    assert_eq!(
        only(&check(3600, 300), &well(), &records).severity,
        Severity::Warning
    );
    records[12].received_at = records[12].at;
    assert_eq!(codes(&check(3600, 300), &well(), &records), [""; 0]);
}

#[test]
fn a_clock_that_is_far_off_is_found_by_its_machine_until_it_is_set_right() {
    let mut records = every(HOUR, 40);
    for (index, record) in records.iter_mut().enumerate() {
        let wrong = index % 2 == 0;
        record.source_ip = Some(if wrong { "10.0.0.5" } else { "10.0.0.6" }.to_owned());
        record.clock_off = wrong.then_some(-2 * HOUR);
    }
    let finding = only(&check(3600, 300), &well(), &records);
    assert_eq!(
        (finding.code.as_str(), finding.severity),
        ("clock_off", Severity::Warning)
    );
    assert!(
        finding.description.contains("10.0.0.5 is 2h behind"),
        "{finding:?}"
    );
    for record in &mut records[20..] {
        record.clock_off = None;
    }
    assert_eq!(codes(&check(3600, 300), &well(), &records), [""; 0]);
}

#[test]
fn circumstances_are_told_as_they_are() {
    let mut facts = well();
    facts.recipients = 0;
    let records = every(HOUR, 3);
    assert_eq!(only(&check(3600, 300), &facts, &records).code, "no_channel");

    let mut facts = well();
    facts.undelivered.push(Undelivered {
        channel: "it's ops".to_owned(),
        count: 2,
        last_at: NOW - HOUR,
        answer: "HTTP 404: gone".to_owned(),
    });
    let finding = only(&check(3600, 300), &facts, &records);
    assert_eq!(finding.code, "alerts_undelivered");
    assert_eq!(
        finding.suggested_actions,
        [r"pakyas channel test 'it'\''s ops'"]
    );

    let mut paused = check(3600, 300);
    paused.status = Status::Paused;
    let mut facts = well();
    assert_eq!(codes(&paused, &facts, &records), [""; 0]);
    facts.status_since = NOW - 8 * DAY;
    assert_eq!(only(&paused, &facts, &records).severity, Severity::Info);
    facts.status_since = NOW - 40 * DAY;
    assert_eq!(only(&paused, &facts, &records).severity, Severity::Warning);

    let mut down = check(3600, 300);
    down.status = Status::Down;
    assert_eq!(only(&down, &well(), &records).code, "down");
}

#[test]
fn the_summary_says_what_was_found_in_how_many_pings() {
    let job = check(3600, 300);
    let (health, text) = sum_up(&job, &[], 300, USUAL);
    assert_eq!(health, Health::Healthy);
    assert_eq!(
        text,
        "Job: nothing is wrong (the newest 300 pings looked at)"
    );
    let mut facts = well();
    facts.recipients = 0;
    let findings = examine(&job, &facts, &[], NOW);
    let (health, text) = sum_up(&job, &findings, 0, USUAL);
    assert_eq!(health, Health::Critical);
    assert_eq!(text, "Job: 1 error (no ping has come yet)");
}

/// A regular job: period and grace in seconds, and runs with jitter, some of them missing.
fn regular() -> impl Strategy<Value = (u64, u64, Vec<Record>)> {
    let periods = prop::sample::select(vec![60_u64, 300, 900, 3_600, 86_400, 604_800]);
    (periods, 1_usize..120, any::<bool>(), any::<u64>()).prop_map(
        |(period, count, with_starts, seed)| {
            let grace = (period / 10).max(30);
            let mut random = seed | 1;
            // xorshift64; up to `below`.
            let mut up_to = move |below: Millis| {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                (random % below.max(1).unsigned_abs()).cast_signed()
            };
            let took = up_to(millis(period) * 2 / 5);
            let mut list = Vec::new();
            for number in 0..count {
                // One in thirty does not run at all.
                if up_to(30) == 0 {
                    continue;
                }
                let back = (count - number) as Millis * millis(period);
                let jitter = up_to(millis(grace) * 2 / 5);
                list.push((NOW - back + jitter, took + up_to(millis(grace) * 2 / 5)));
            }
            let mut records = runs(&list);
            if !with_starts {
                records.retain(Record::is_end);
            }
            (period, grace, records)
        },
    )
}

#[test]
fn runs_that_end_as_the_engine_pairs_them_are_no_lost_ones() {
    let id = "0194F6F2-AB3C-7DEF-8A6B-01234567890";
    let mut records = Vec::new();
    for (number, hour) in (0..10).zip((1..).map(|hour| NOW - 20 * HOUR + hour * HOUR)) {
        let upper = format!("{id}{number}");
        // Named in other letters at its end, not named there, or sent twice.
        let (starts, end) = match number % 3 {
            0 => (vec![Some(upper.clone())], Some(upper.to_lowercase())),
            1 => (vec![Some(upper)], None),
            _ => (vec![None, None], None),
        };
        for (second, run_id) in (0..).zip(starts) {
            records.push(Record {
                run_id,
                ..ping(Kind::Start, hour + second * SECOND)
            });
        }
        records.push(Record {
            run_id: end,
            ..ping(Kind::Success, hour + MINUTE)
        });
    }
    let found = codes(&check(3600, 300), &well(), &records);
    assert!(
        !found.contains(&"starts_without_end".to_owned()),
        "{found:?}"
    );
}

proptest! {
    #[test]
    fn a_regular_history_has_no_finding((period, grace, records) in regular()) {
        prop_assert_eq!(codes(&check(period, grace), &well(), &records), [""; 0]);
    }

    #[test]
    fn no_history_makes_it_panic(
        list in prop::collection::vec((0..4_u8, -DAY..40 * DAY, -DAY..DAY, 0..4_u8), 0..60),
        period in 1..31_622_400_u64,
        grace in 0..31_622_400_u64,
    ) {
        let mut records: Vec<Record> = list
            .into_iter()
            .map(|(kind, ago, late, id)| {
                let kind = [Kind::Start, Kind::Success, Kind::Fail, Kind::Fail][usize::from(kind)];
                Record {
                    received_at: NOW - ago + late,
                    duration: (id % 2 == 0).then_some(ago.abs()),
                    run_id: (id > 1).then(|| id.to_string()),
                    clock_off: (late > 0).then_some(late),
                    last_line: (id == 1).then(|| "same".to_owned()),
                    ..ping(kind, NOW - ago)
                }
            })
            .collect();
        records.sort_by_key(|record| record.at);
        let findings = examine(&check(period, grace), &well(), &records, NOW);
        let _ = sum_up(&check(period, grace), &findings, records.len(), USUAL);
    }
}
