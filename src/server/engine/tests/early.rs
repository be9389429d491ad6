//! Clocks that are ahead: which occurrence a run counts as that begins shortly before one. Time
//! is seconds, and the occurrence that matters is that of the second day, at 02:00.

use super::*;

const SECOND: Millis = 1_000;
const TWO: Millis = (24 + 2) * 3_600;
const NEXT_DAY: Millis = TWO + 24 * 3_600;

fn daily() -> Trial {
    every("0 2 * * *")
}

/// A check that was well until an hour before.
fn every(expression: &str) -> Trial {
    let mut trial = Trial::new(Rules {
        schedule: cron(expression),
        ..rules()
    });
    ends(&mut trial, Kind::Success, TWO - 3_600, None);
    trial
}

fn says(trial: &mut Trial, kind: Kind, second: Millis, run: Option<&str>, duration: Option<u32>) {
    let signal = Signal {
        kind,
        at: second * SECOND,
        run_id: run.map(str::to_owned),
        duration: duration.map(|seconds| Millis::from(seconds) * SECOND),
        exit_code: None,
        has_ended: false,
    };
    trial.event(&Event::Signal(signal), second * SECOND);
}

fn starts(trial: &mut Trial, second: Millis, run: &str) {
    says(trial, Kind::Start, second, Some(run), None);
}

fn ends(trial: &mut Trial, kind: Kind, second: Millis, run: Option<&str>) {
    says(trial, kind, second, run, None);
}

fn expected(trial: &Trial) -> Millis {
    trial.state.expected.unwrap() / SECOND
}

#[test]
fn a_ping_seconds_before_its_occurrence_is_that_occurrence_s() {
    for kind in [Kind::Success, Kind::Fail] {
        let mut trial = daily();
        assert_eq!(expected(&trial), TWO);
        ends(&mut trial, kind, TWO - 3, None);
        assert_eq!(expected(&trial), NEXT_DAY, "{kind:?}");
    }
    let mut trial = daily();
    ends(&mut trial, Kind::Success, TWO - 3, None);
    trial.event(&Event::TimePassed, (NEXT_DAY - 1) * SECOND);
    assert_eq!(trial.state.status, Status::Up);
    assert!(trial.alerts.is_empty());
}

#[test]
fn a_short_run_that_begins_and_ends_before_its_occurrence_is_that_occurrence_s() {
    let mut trial = daily();
    starts(&mut trial, TWO - 5, "run");
    ends(&mut trial, Kind::Success, TWO - 2, Some("run"));
    assert_eq!(expected(&trial), NEXT_DAY);
}

#[test]
fn a_missed_run_after_a_long_one_that_ended_just_before_is_told() {
    // By its start, and by its duration where the start was lost.
    for (start, duration) in [(true, None), (false, Some(7_000))] {
        let mut trial = daily();
        if start {
            starts(&mut trial, TWO - 7_003, "long");
        }
        says(&mut trial, Kind::Success, TWO - 3, Some("long"), duration);
        assert_eq!(expected(&trial), TWO);
        trial.event(&Event::TimePassed, (TWO + 300) * SECOND);
        assert_eq!(
            trial.alerts,
            [(webhook::Event::Down, (TWO + 300) / 60)],
            "{start} {duration:?}"
        );
    }
}

#[test]
fn a_minute_before_is_early_and_more_is_not() {
    for (ahead, then) in [(60, NEXT_DAY), (61, TWO)] {
        let mut trial = daily();
        ends(&mut trial, Kind::Success, TWO - ahead, None);
        assert_eq!(expected(&trial), then, "{ahead}");
        // A start is what counts where there is one.
        let mut trial = daily();
        starts(&mut trial, TWO - ahead, "run");
        ends(&mut trial, Kind::Success, TWO - 1, Some("run"));
        assert_eq!(expected(&trial), then, "{ahead}");
    }
}

#[test]
fn no_clock_may_be_further_ahead_than_grace_lets_it_be_behind() {
    for (ahead, then) in [(10, NEXT_DAY), (11, TWO)] {
        let mut trial = daily();
        trial.rules.grace = 10 * SECOND;
        ends(&mut trial, Kind::Success, TWO - ahead, None);
        assert_eq!(expected(&trial), then, "{ahead}");
    }
    let mut trial = daily();
    trial.rules.grace = 0;
    ends(&mut trial, Kind::Success, TWO - 1, None);
    assert_eq!(expected(&trial), TWO);
}

#[test]
fn of_a_job_that_runs_each_minute_no_run_is_taken_for_the_next_one_s() {
    // The run of TWO - 60, by when it tells of itself: at once, late, and by a fast clock.
    for (at, then) in [
        (TWO - 60, TWO),
        (TWO - 59, TWO),
        (TWO - 7, TWO),
        (TWO - 6, TWO + 60),
        (TWO - 3, TWO + 60),
        (TWO, TWO + 60),
    ] {
        let mut trial = every("* * * * *");
        ends(&mut trial, Kind::Success, at, None);
        assert_eq!(expected(&trial), then, "{}", at - TWO);
    }
    // One that takes nearly the whole minute, and the next of which never comes.
    let mut trial = every("* * * * *");
    trial.rules.grace = 30 * SECOND;
    starts(&mut trial, TWO - 60, "run");
    ends(&mut trial, Kind::Success, TWO - 1, Some("run"));
    assert_eq!(expected(&trial), TWO);
}

#[test]
fn a_minute_s_job_whose_clock_is_ahead_is_well_for_good_and_its_silence_is_told() {
    let mut trial = every("* * * * *");
    ends(&mut trial, Kind::Success, TWO - 3, None);
    trial.alerts.clear();
    trial.rules.grace = 30 * SECOND;
    for minute in 1..60 {
        ends(&mut trial, Kind::Success, TWO - 3 + minute * 60, None);
    }
    assert!(trial.alerts.is_empty());
    // The run of the next hour's first minute does not come.
    trial.event(&Event::TimePassed, (TWO + 3_600 + 30) * SECOND);
    assert_eq!(
        trial.alerts,
        [(webhook::Event::Down, (TWO + 3_600 + 30) / 60)]
    );
}

#[test]
fn the_nearest_occurrence_on_either_side_says_how_early_a_run_may_be() {
    // 02:00, 02:05 and so on to 02:55, then a day's pause: half a minute at both ends.
    for (before, early, then) in [
        (TWO, 31, TWO),
        (TWO, 30, TWO + 300),
        (TWO + 3_300, 31, TWO + 3_300),
        (TWO + 3_300, 30, NEXT_DAY),
    ] {
        let mut trial = every("*/5 2 * * *");
        ends(&mut trial, Kind::Success, before - early, None);
        assert_eq!(expected(&trial), then, "{} {early}", before - TWO);
    }
}

#[test]
fn a_rule_that_changes_leaves_an_early_run_its_occurrence() {
    let mut trial = daily();
    starts(&mut trial, TWO - 5, "run");
    ends(&mut trial, Kind::Success, TWO - 2, Some("run"));
    trial.rules.max_runtime = Some(MINUTE);
    trial.event(&Event::RulesChanged, (TWO - 1) * SECOND);
    assert_eq!(expected(&trial), NEXT_DAY);
    // And a long one stays one.
    let mut trial = daily();
    starts(&mut trial, TWO - 3_000, "long");
    ends(&mut trial, Kind::Success, TWO - 2, Some("long"));
    trial.event(&Event::RulesChanged, (TWO - 1) * SECOND);
    assert_eq!(expected(&trial), TWO);
}

#[test]
fn a_check_that_is_resumed_just_before_an_occurrence_expects_it() {
    let mut trial = daily();
    trial.event(&Event::Paused, (TWO - 100) * SECOND);
    trial.event(&Event::Resumed, (TWO - 3) * SECOND);
    assert_eq!(expected(&trial), TWO);
    trial.event(&Event::RulesChanged, (TWO - 2) * SECOND);
    assert_eq!(expected(&trial), TWO);
}

#[test]
fn a_period_counts_from_the_end_whenever_that_is() {
    let mut trial = daily();
    trial.rules.schedule = Schedule::Period(3_600 * SECOND);
    ends(&mut trial, Kind::Success, TWO - 3, None);
    assert_eq!(expected(&trial), TWO - 3 + 3_600);
}
