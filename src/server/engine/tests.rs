//! The engine's promises, one a test, and its laws for any sequence of events.

mod absence;
mod early;
mod pairing;

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::schedule::cron::Cron;

const MINUTE: Millis = 60_000;

fn rules() -> Rules {
    Rules {
        schedule: Schedule::Period(60 * MINUTE),
        grace: 5 * MINUTE,
        max_runtime: None,
        miss_threshold: 1,
        fail_threshold: 1,
        windows: Windows::default(),
    }
}

/// A check and what happened to it; time is minutes.
struct Trial {
    rules: Rules,
    state: State,
    alerts: Vec<(webhook::Event, Millis)>,
}

impl Trial {
    fn new(rules: Rules) -> Self {
        Self {
            rules,
            state: State::new(0),
            alerts: Vec::new(),
        }
    }

    fn event(&mut self, event: &Event, now: Millis) {
        let (state, effects) = step(&self.rules, &self.state, event, now);
        self.state = state;
        for effect in effects {
            if let Effect::Alert { reason, at, .. } = effect {
                self.alerts.push((reason.event(), at / MINUTE));
            }
        }
    }

    fn ping(&mut self, kind: Kind, run: Option<&str>, minute: Millis) -> Status {
        self.ping_late(kind, run, minute, minute)
    }

    fn ping_late(&mut self, kind: Kind, run: Option<&str>, at: Millis, arrives: Millis) -> Status {
        let signal = Signal {
            kind,
            at: at * MINUTE,
            run_id: run.map(str::to_owned),
            duration: None,
            exit_code: None,
            has_ended: false,
        };
        self.event(&Event::Signal(signal), arrives * MINUTE);
        self.state.status
    }

    fn at(&mut self, minute: Millis) -> Status {
        self.event(&Event::TimePassed, minute * MINUTE);
        self.state.status
    }
}

#[test]
fn after_the_clock_was_set_back_pings_count_at_once_and_silence_as_soon_as_ever() {
    let mut trial = Trial::new(rules());
    trial.ping(Kind::Success, None, 600);
    assert_eq!(trial.at(540), Status::Up);
    assert_eq!(
        next_deadline(&trial.rules, &trial.state),
        Some(600 * MINUTE),
        "an hour after the clock was set back"
    );
    assert_eq!(trial.ping(Kind::Fail, None, 541), Status::Down);
    assert_eq!(trial.ping(Kind::Success, None, 542), Status::Up);
    assert_eq!(trial.at(607), Status::Down);
    assert_eq!(
        trial.alerts,
        [
            (webhook::Event::Failed, 541),
            (webhook::Event::Up, 542),
            (webhook::Event::Down, 607)
        ]
    );
}

#[test]
fn a_new_check_expects_nothing() {
    let mut trial = Trial::new(rules());
    assert_eq!(trial.at(1_000_000), Status::New);
    assert_eq!(next_deadline(&trial.rules, &trial.state), None);
    assert!(trial.alerts.is_empty());
}

#[test]
fn silence_makes_it_late_then_down_with_one_alert() {
    let mut trial = Trial::new(rules());
    assert_eq!(trial.ping(Kind::Success, None, 0), Status::Up);
    assert_eq!(trial.at(59), Status::Up);
    assert_eq!(trial.at(60), Status::Late);
    assert_eq!(trial.at(64), Status::Late);
    assert_eq!(trial.at(65), Status::Down);
    assert_eq!(trial.at(100_000), Status::Down);
    assert_eq!(trial.alerts, [(webhook::Event::Down, 65)]);
    assert_eq!(trial.state.since, 65 * MINUTE);
}

#[test]
fn a_ping_within_grace_brings_it_back_without_an_alert() {
    let mut trial = Trial::new(rules());
    trial.ping(Kind::Success, None, 0);
    assert_eq!(trial.at(62), Status::Late);
    assert_eq!(trial.ping(Kind::Success, None, 63), Status::Up);
    assert_eq!(trial.at(122), Status::Up);
    assert!(trial.alerts.is_empty());
}

#[test]
fn a_failure_alerts_at_once_and_a_success_recovers() {
    let mut trial = Trial::new(rules());
    assert_eq!(trial.ping(Kind::Fail, None, 1), Status::Down);
    assert_eq!(trial.ping(Kind::Fail, None, 2), Status::Down);
    assert_eq!(trial.ping(Kind::Success, None, 3), Status::Up);
    assert_eq!(
        trial.alerts,
        [(webhook::Event::Failed, 1), (webhook::Event::Up, 3)]
    );
}

#[test]
fn a_deadline_that_passed_unseen_is_told_before_the_ping_that_ends_it() {
    let mut trial = Trial::new(rules());
    trial.ping(Kind::Success, None, 0);
    assert_eq!(trial.ping(Kind::Success, None, 70), Status::Up);
    assert_eq!(
        trial.alerts,
        [(webhook::Event::Down, 65), (webhook::Event::Up, 70)]
    );
}

#[test]
fn misses_and_failures_below_their_thresholds_are_not_told() {
    let mut trial = Trial::new(Rules {
        miss_threshold: 3,
        fail_threshold: 2,
        ..rules()
    });
    trial.ping(Kind::Success, None, 0);
    assert_eq!(trial.at(130), Status::Down);
    assert_eq!(trial.state.misses(&trial.rules, 130 * MINUTE), 2);
    assert!(trial.alerts.is_empty());
    assert_eq!(trial.ping(Kind::Success, None, 131), Status::Up);
    assert!(
        trial.alerts.is_empty(),
        "nothing told, nothing to take back"
    );
    trial.ping(Kind::Fail, None, 140);
    assert!(trial.alerts.is_empty());
    trial.ping(Kind::Fail, None, 150);
    assert_eq!(trial.alerts, [(webhook::Event::Failed, 150)]);
}

#[test]
fn the_third_miss_in_a_row_alerts_where_three_are_asked_for() {
    let mut trial = Trial::new(Rules {
        miss_threshold: 3,
        ..rules()
    });
    trial.ping(Kind::Success, None, 0);
    trial.at(10_000);
    assert_eq!(trial.alerts, [(webhook::Event::Down, 185)]);
}

#[test]
fn a_run_within_its_limit_is_neither_late_nor_down() {
    let mut trial = Trial::new(rules());
    trial.ping(Kind::Success, None, 0);
    trial.ping(Kind::Start, Some("a"), 59);
    assert_eq!(trial.at(110), Status::Up);
    assert_eq!(trial.ping(Kind::Success, Some("a"), 115), Status::Up);
    assert_eq!(trial.state.last_duration, Some(56 * MINUTE));
    assert!(trial.alerts.is_empty());
}

#[test]
fn a_start_while_late_is_no_longer_late() {
    let mut trial = Trial::new(rules());
    trial.ping(Kind::Success, None, 0);
    assert_eq!(trial.at(61), Status::Late);
    assert_eq!(trial.ping(Kind::Start, None, 62), Status::Up);
}

#[test]
fn a_run_that_never_finishes_is_down_with_an_alert() {
    let mut trial = Trial::new(rules());
    trial.ping(Kind::Start, Some("a"), 0);
    assert_eq!(trial.at(64), Status::New);
    assert_eq!(trial.at(65), Status::Down);
    assert_eq!(trial.ping(Kind::Success, Some("b"), 70), Status::Up);
    assert!(trial.state.runs.is_empty(), "the lost run is given up");
    assert_eq!(
        trial.alerts,
        [(webhook::Event::Down, 65), (webhook::Event::Up, 70)]
    );
}

#[test]
fn a_run_past_its_max_runtime_is_overrunning_and_its_end_recovers() {
    let mut trial = Trial::new(Rules {
        max_runtime: Some(10 * MINUTE),
        ..rules()
    });
    trial.ping(Kind::Start, Some("a"), 0);
    assert_eq!(trial.at(10), Status::Overrunning);
    assert_eq!(trial.ping(Kind::Success, Some("a"), 30), Status::Up);
    assert_eq!(
        trial.alerts,
        [(webhook::Event::RunningLong, 10), (webhook::Event::Up, 30)]
    );
}

#[test]
fn an_overrunning_run_that_fails_is_told_as_failed_too() {
    let mut trial = Trial::new(Rules {
        max_runtime: Some(10 * MINUTE),
        ..rules()
    });
    trial.ping(Kind::Start, Some("a"), 0);
    assert_eq!(trial.ping(Kind::Fail, Some("a"), 30), Status::Down);
    assert_eq!(
        trial.alerts,
        [
            (webhook::Event::RunningLong, 10),
            (webhook::Event::Failed, 30)
        ]
    );
}

#[test]
fn runs_are_paired_by_id_and_several_may_be_open() {
    let mut trial = Trial::new(rules());
    trial.ping(Kind::Start, Some("a"), 0);
    trial.ping(Kind::Start, Some("b"), 10);
    trial.ping(Kind::Success, Some("a"), 20);
    assert_eq!(trial.state.runs.len(), 1);
    assert_eq!(trial.state.last_duration, Some(20 * MINUTE));
    trial.ping(Kind::Success, Some("b"), 25);
    assert_eq!(trial.state.last_duration, Some(15 * MINUTE));
    assert!(trial.state.runs.is_empty());
}

#[test]
fn a_start_that_arrives_after_its_end_does_not_open_the_run_again() {
    let mut trial = Trial::new(rules());
    trial.ping(Kind::Success, Some("a"), 10);
    trial.ping_late(Kind::Start, Some("a"), 5, 11);
    assert!(trial.state.runs.is_empty());
    assert_eq!(trial.at(69), Status::Up);
}

#[test]
fn a_start_that_arrives_long_after_newer_ends_opens_no_run_that_is_over() {
    let mut trial = Trial::new(Rules {
        max_runtime: Some(10 * MINUTE),
        ..rules()
    });
    for run in 0..40 {
        trial.ping(Kind::Success, Some(&format!("run-{run}")), 60 * run + 5);
    }
    trial.ping_late(Kind::Start, Some("run-1"), 60, 40 * 60);
    assert!(trial.state.runs.is_empty());
    assert!(trial.alerts.is_empty());
}

#[test]
fn an_end_that_seems_to_come_before_its_own_start_still_closes_the_run() {
    let mut trial = Trial::new(rules());
    trial.ping_late(Kind::Start, Some("a"), 5, 6);
    trial.ping_late(Kind::Success, Some("a"), 4, 6);
    assert!(trial.state.runs.is_empty());
    assert_eq!(trial.state.last_duration, Some(0));
    assert_eq!(trial.state.last_end, Some(5 * MINUTE));
}

#[test]
fn a_success_reported_late_but_inside_its_window_ends_a_false_down() {
    let mut trial = Trial::new(rules());
    trial.ping(Kind::Success, None, 0);
    assert_eq!(trial.at(70), Status::Down);
    assert_eq!(trial.ping_late(Kind::Success, None, 58, 80), Status::Up);
    assert_eq!(trial.state.expected, Some(118 * MINUTE));
    assert_eq!(trial.alerts.last().map(|a| a.0), Some(webhook::Event::Up));
}

#[test]
fn a_success_reported_too_late_to_matter_changes_nothing() {
    let mut trial = Trial::new(rules());
    trial.ping(Kind::Success, None, 0);
    assert_eq!(trial.at(1_000), Status::Down);
    assert_eq!(
        trial.ping_late(Kind::Success, None, 60, 1_001),
        Status::Down
    );
    assert_eq!(trial.alerts.len(), 1);
}

#[test]
fn a_failure_older_than_the_newest_success_is_history_only() {
    let mut trial = Trial::new(rules());
    trial.ping(Kind::Success, None, 10);
    assert_eq!(trial.ping_late(Kind::Fail, None, 5, 20), Status::Up);
    assert!(trial.alerts.is_empty());
}

#[test]
fn a_paused_check_expects_nothing_and_resuming_starts_afresh() {
    let mut trial = Trial::new(rules());
    trial.ping(Kind::Success, None, 0);
    trial.event(&Event::Paused, 10 * MINUTE);
    assert_eq!(trial.at(10_000), Status::Paused);
    assert_eq!(trial.ping(Kind::Fail, None, 10_001), Status::Paused);
    assert_eq!(trial.state.last_ping, Some(10_001 * MINUTE));
    trial.event(&Event::Resumed, 10_010 * MINUTE);
    assert_eq!(trial.state.status, Status::Up);
    assert_eq!(trial.at(10_074), Status::Late);
    assert!(trial.alerts.is_empty());
    assert_eq!(trial.at(10_075), Status::Down);
}

#[test]
fn pausing_a_check_that_is_down_tells_of_no_recovery() {
    let mut trial = Trial::new(rules());
    trial.ping(Kind::Fail, None, 1);
    trial.event(&Event::Paused, 2 * MINUTE);
    trial.event(&Event::Resumed, 3 * MINUTE);
    trial.ping(Kind::Success, None, 4);
    assert_eq!(trial.alerts, [(webhook::Event::Failed, 1)]);
}

#[test]
fn a_check_that_was_never_pinged_is_new_again_when_resumed() {
    let mut trial = Trial::new(rules());
    trial.event(&Event::Paused, MINUTE);
    trial.event(&Event::Resumed, 2 * MINUTE);
    assert_eq!(trial.at(10_000), Status::New);
}

#[test]
fn a_longer_grace_ends_a_silence_that_is_none_by_it() {
    let mut trial = Trial::new(rules());
    trial.ping(Kind::Success, None, 0);
    assert_eq!(trial.at(70), Status::Down);
    trial.rules.grace = 30 * MINUTE;
    trial.event(&Event::RulesChanged, 71 * MINUTE);
    assert_eq!(trial.state.status, Status::Late);
    assert_eq!(trial.at(90), Status::Down);
    let events: Vec<_> = trial.alerts.iter().map(|alert| alert.0).collect();
    let (down, up) = (webhook::Event::Down, webhook::Event::Up);
    assert_eq!(events, [down, up, down]);
}

#[test]
fn a_shorter_period_counts_from_the_last_end() {
    let mut trial = Trial::new(rules());
    trial.ping(Kind::Success, None, 0);
    trial.rules.schedule = Schedule::Period(10 * MINUTE);
    trial.event(&Event::RulesChanged, 12 * MINUTE);
    assert_eq!(trial.state.status, Status::Late);
}

#[test]
fn other_rules_do_not_undo_a_failure() {
    let mut trial = Trial::new(rules());
    trial.ping(Kind::Fail, None, 0);
    trial.rules.grace = 300 * MINUTE;
    trial.event(&Event::RulesChanged, MINUTE);
    assert_eq!(trial.state.status, Status::Down);
}

#[test]
fn a_log_changes_no_state() {
    let mut trial = Trial::new(rules());
    let before = trial.state.clone();
    trial.ping(Kind::Log, None, 5);
    assert_eq!(trial.state, before);
}

/// Daily at 02:00 UTC, or what `expression` says.
fn cron(expression: &str) -> Schedule {
    let cron = Cron::parse(expression, jiff::tz::TimeZone::UTC).unwrap();
    Schedule::Cron(Arc::new(cron))
}

const HOUR: Millis = 60;
const DAY: Millis = 24 * HOUR;

fn nightly() -> Rules {
    Rules {
        schedule: cron("0 2 * * *"),
        ..rules()
    }
}

#[test]
fn a_cron_is_expected_at_its_next_occurrence_after_the_end() {
    let mut trial = Trial::new(nightly());
    assert_eq!(trial.ping(Kind::Success, None, 2 * HOUR + 20), Status::Up);
    assert_eq!(trial.at(DAY + 2 * HOUR - 1), Status::Up);
    assert_eq!(trial.at(DAY + 2 * HOUR), Status::Late);
    assert_eq!(trial.at(DAY + 2 * HOUR + 5), Status::Down);
    assert_eq!(trial.alerts, [(webhook::Event::Down, DAY + 2 * HOUR + 5)]);
}

#[test]
fn the_misses_of_a_cron_are_its_occurrences() {
    let mut trial = Trial::new(Rules {
        schedule: cron("0 2 * * MON-FRI"),
        miss_threshold: 3,
        ..rules()
    });
    // 1970-01-01 was a Thursday; the third miss after Thursday's run is Tuesday's.
    trial.ping(Kind::Success, None, 2 * HOUR + 1);
    let tuesday = 5 * DAY + 2 * HOUR + 5;
    trial.at(tuesday - 1);
    assert_eq!(trial.state.misses(&trial.rules, (tuesday - 1) * MINUTE), 2);
    trial.at(30 * DAY);
    assert_eq!(trial.alerts, [(webhook::Event::Down, tuesday)]);
    assert_eq!(trial.state.misses(&trial.rules, 8 * DAY * MINUTE), 5);
}

#[test]
fn years_of_missing_minutes_are_counted_at_once() {
    let mut trial = Trial::new(Rules {
        schedule: cron("* * * * *"),
        ..rules()
    });
    trial.ping(Kind::Success, None, 0);
    let years = 5 * 365 * DAY;
    trial.at(years);
    assert_eq!(
        i64::from(trial.state.misses(&trial.rules, years * MINUTE)),
        years - 5
    );
}

#[test]
fn a_run_of_a_cron_has_until_the_next_occurrence_and_grace() {
    let mut trial = Trial::new(nightly());
    trial.ping(Kind::Start, Some("a"), 2 * HOUR);
    assert_eq!(trial.at(DAY + 2 * HOUR + 4), Status::New);
    assert_eq!(trial.at(DAY + 2 * HOUR + 5), Status::Down);
}

#[test]
fn a_cron_instead_of_a_period_counts_from_the_last_end() {
    let mut trial = Trial::new(rules());
    trial.ping(Kind::Success, None, HOUR);
    trial.rules.schedule = cron("0 2 * * *");
    trial.event(&Event::RulesChanged, (HOUR + 1) * MINUTE);
    assert_eq!(trial.state.expected, Some(2 * HOUR * MINUTE));
    trial.event(&Event::Paused, (HOUR + 2) * MINUTE);
    trial.event(&Event::Resumed, 2 * HOUR * MINUTE);
    assert_eq!(trial.state.expected, Some((DAY + 2 * HOUR) * MINUTE));
}

#[test]
fn other_rules_after_a_long_pause_count_from_the_resumption() {
    let mut trial = Trial::new(rules());
    trial.ping(Kind::Success, None, 0);
    trial.event(&Event::Paused, MINUTE);
    trial.event(&Event::Resumed, 30 * DAY * MINUTE);
    trial.rules.grace = 10 * MINUTE;
    trial.event(&Event::RulesChanged, (30 * DAY + 1) * MINUTE);
    assert_eq!(trial.state.status, Status::Up);
    assert_eq!(trial.at(30 * DAY + 70), Status::Down);
}

#[test]
fn what_happened_while_it_was_paused_is_history_even_when_told_after() {
    let mut trial = Trial::new(rules());
    trial.ping(Kind::Success, None, 0);
    trial.event(&Event::Paused, MINUTE);
    trial.event(&Event::Resumed, 5 * DAY * MINUTE);
    for kind in [Kind::Success, Kind::Fail, Kind::Start] {
        trial.ping_late(kind, None, 3 * DAY, 5 * DAY + 1);
        assert_eq!(trial.state.status, Status::Up, "{kind:?}");
    }
    assert_eq!(trial.at(5 * DAY + 59), Status::Up);
    assert!(trial.alerts.is_empty());
}

#[test]
fn rules_that_are_changed_together_are_never_mixed_with_those_of_before() {
    let mut trial = Trial::new(rules());
    trial.ping(Kind::Success, None, 0);
    assert_eq!(trial.at(62), Status::Late);
    trial.rules.schedule = Schedule::Period(600 * MINUTE);
    trial.rules.grace = MINUTE;
    trial.event(&Event::RulesChanged, 62 * MINUTE);
    assert_eq!(trial.state.status, Status::Up);
    assert!(trial.alerts.is_empty(), "{:?}", trial.alerts);
}

fn in_window(start: Millis, end: Millis) -> Trial {
    Trial::new(Rules {
        windows: Windows::new([(start * MINUTE, end * MINUTE)]),
        ..rules()
    })
}

impl Trial {
    fn windows(&mut self, windows: &[(Millis, Millis)], now: Millis) {
        self.event(&Event::TimePassed, now * MINUTE);
        let windows = windows.iter().map(|(a, b)| (a * MINUTE, b * MINUTE));
        self.rules.windows = Windows::new(windows);
        self.event(&Event::WindowsChanged, now * MINUTE);
    }
}

#[test]
fn in_a_window_states_move_on_and_what_is_still_wrong_alerts_at_its_end() {
    let mut trial = in_window(60, 120);
    trial.ping(Kind::Success, None, 0);
    assert_eq!(trial.at(61), Status::Late);
    assert_eq!(trial.at(119), Status::Down);
    assert!(trial.alerts.is_empty());
    trial.at(200);
    assert_eq!(trial.alerts, [(webhook::Event::Down, 120)]);
}

#[test]
fn what_counts_is_when_a_server_that_was_down_finds_out() {
    // Down at the end of a window, and up again in the next.
    let mut trial = in_window(60, 120);
    trial.windows(&[(60, 120), (150, 180)], 0);
    trial.ping(Kind::Fail, None, 70);
    trial.at(160);
    assert!(trial.alerts.is_empty());
    trial.at(180);
    assert_eq!(trial.alerts, [(webhook::Event::Failed, 180)]);
    // Silence from before the window, found out in it.
    let mut trial = in_window(100, 150);
    trial.ping(Kind::Success, None, 0);
    trial.at(110);
    assert!(trial.alerts.is_empty());
    trial.at(150);
    assert_eq!(trial.alerts, [(webhook::Event::Down, 150)]);
    // Silence in the window, found out after it.
    let mut trial = in_window(60, 120);
    trial.ping(Kind::Success, None, 0);
    trial.at(130);
    let due = 60 + rules().grace / MINUTE;
    assert_eq!(trial.alerts, [(webhook::Event::Down, due)]);
}

#[test]
fn trouble_that_comes_and_goes_in_a_window_is_told_to_nobody() {
    let mut trial = in_window(60, 120);
    trial.ping(Kind::Fail, None, 70);
    assert_eq!(trial.ping(Kind::Success, None, 80), Status::Up);
    trial.at(125);
    assert!(trial.alerts.is_empty());
    assert_eq!(trial.state.held, None);
}

#[test]
fn a_recovery_in_a_window_is_told_when_it_ends() {
    let mut trial = in_window(60, 120);
    trial.ping(Kind::Fail, None, 50);
    assert_eq!(trial.ping(Kind::Success, None, 80), Status::Up);
    assert_eq!(trial.alerts, [(webhook::Event::Failed, 50)]);
    trial.at(125);
    assert_eq!(trial.alerts[1..], [(webhook::Event::Up, 120)]);
}

#[test]
fn what_people_know_already_is_not_told_again_after_a_window() {
    let mut trial = in_window(60, 120);
    trial.ping(Kind::Fail, None, 50);
    trial.ping(Kind::Success, None, 80);
    trial.ping(Kind::Fail, None, 90);
    trial.at(130);
    assert_eq!(trial.alerts, [(webhook::Event::Failed, 50)]);
    trial.ping(Kind::Success, None, 140);
    assert_eq!(trial.alerts[1..], [(webhook::Event::Up, 140)]);
}

#[test]
fn a_failure_reported_late_is_held_by_the_window_in_which_it_arrives() {
    let mut trial = in_window(60, 120);
    trial.ping_late(Kind::Fail, None, 30, 70);
    assert!(trial.alerts.is_empty());
    trial.at(120);
    assert_eq!(trial.alerts, [(webhook::Event::Failed, 120)]);
}

#[test]
fn what_other_rules_bring_to_light_in_a_window_is_held() {
    let mut trial = in_window(60, 120);
    trial.rules.grace = 60 * MINUTE;
    trial.ping(Kind::Start, None, 0);
    trial.rules.max_runtime = Some(5 * MINUTE);
    trial.event(&Event::RulesChanged, 70 * MINUTE);
    assert_eq!(trial.state.status, Status::Overrunning);
    assert!(trial.alerts.is_empty());
    trial.at(120);
    assert_eq!(trial.alerts, [(webhook::Event::RunningLong, 120)]);
}

#[test]
fn a_window_that_is_called_off_lets_go_of_what_it_held() {
    let mut trial = in_window(60, 120);
    trial.ping(Kind::Fail, None, 70);
    trial.windows(&[], 80);
    assert_eq!(trial.alerts, [(webhook::Event::Failed, 80)]);
    assert_eq!(next_deadline(&trial.rules, &trial.state), None);
}

#[test]
fn a_window_that_follows_another_goes_on_holding() {
    let mut trial = in_window(60, 120);
    trial.ping(Kind::Fail, None, 70);
    trial.windows(&[(60, 120), (100, 150), (150, 160)], 75);
    trial.at(159);
    assert!(trial.alerts.is_empty());
    // The first is called off, and another covers this moment.
    trial.windows(&[(150, 180)], 159);
    trial.at(179);
    assert!(trial.alerts.is_empty());
    trial.at(180);
    assert_eq!(trial.alerts, [(webhook::Event::Failed, 180)]);
}

#[test]
fn a_window_that_is_planned_after_the_alert_does_not_repeat_it() {
    let mut trial = Trial::new(rules());
    trial.ping(Kind::Fail, None, 10);
    trial.windows(&[(20, 60)], 20);
    trial.at(100);
    assert_eq!(trial.alerts, [(webhook::Event::Failed, 10)]);
}

#[test]
fn nobody_is_woken_at_the_end_of_a_window_with_nothing_to_tell() {
    let mut trial = in_window(10, 20);
    trial.ping(Kind::Success, None, 12);
    assert_eq!(next_deadline(&trial.rules, &trial.state), Some(72 * MINUTE));
}

fn any_event() -> impl Strategy<Value = (Millis, Event)> {
    let kind = prop_oneof![
        Just(Kind::Success),
        Just(Kind::Start),
        Just(Kind::Fail),
        Just(Kind::Log)
    ];
    let signal = (kind, 0..40_i64, prop::option::of(0..4_u8));
    let signal = signal.prop_map(|(kind, age, run)| {
        Event::Signal(Signal {
            kind,
            // The age: made absolute once the time of arrival is known.
            at: age,
            run_id: run.map(|run| run.to_string()),
            duration: None,
            exit_code: None,
            has_ended: false,
        })
    });
    let event = prop_oneof![
        12 => signal,
        2 => Just(Event::TimePassed),
        1 => Just(Event::Paused),
        1 => Just(Event::Resumed),
        1 => Just(Event::RulesChanged),
        1 => Just(Event::WindowsChanged),
    ];
    (0..90_i64, event)
}

fn any_schedule() -> impl Strategy<Value = Schedule> {
    prop_oneof![
        (1..60_i64).prop_map(|period| Schedule::Period(period * MINUTE)),
        (1..40_i64).prop_map(|step| cron(&format!("*/{step} * * * *"))),
        (0..60_i64).prop_map(|minute| cron(&format!("{minute} 0-22/2 * * *"))),
    ]
}

fn any_rules() -> impl Strategy<Value = Rules> {
    (
        any_schedule(),
        0..30_i64,
        prop::option::of(1..90_i64),
        1..4_u32,
        1..4_u32,
        prop::collection::vec((0..2_000_i64, 1..300_i64), 0..3),
    )
        .prop_map(
            |(schedule, grace, max, miss_threshold, fail_threshold, windows)| Rules {
                schedule,
                grace: grace * MINUTE,
                max_runtime: max.map(|max| max * MINUTE),
                miss_threshold,
                fail_threshold,
                windows: Windows::new(
                    windows
                        .into_iter()
                        .map(|(start, length)| (start * MINUTE, (start + length) * MINUTE)),
                ),
            },
        )
}

/// When the server looks at the clock between the events.
#[derive(Debug, Clone, Copy)]
enum Awake {
    /// It is down until the next event.
    Never,
    /// At each deadline.
    Deadlines,
    /// At each deadline, and so often besides, minutes.
    Often(Millis),
}

/// Runs `script`; gives what followed, and when.
fn play(rules: &Rules, script: &[(Millis, Event)], awake: Awake) -> (State, Vec<(Millis, Effect)>) {
    let (mut state, mut effects, mut now) = (State::new(0), Vec::new(), 0);
    let mut take = |state: &mut State, event: &Event, now| {
        let (next, new) = step(rules, state, event, now);
        *state = next;
        effects.extend(new.into_iter().map(|effect| (now, effect)));
    };
    for (pause, event) in script {
        let arrives = now + pause * MINUTE;
        let (mut tick, every) = match awake {
            Awake::Never => (Millis::MAX, 0),
            Awake::Deadlines => (arrives, 0),
            Awake::Often(minutes) => (now, minutes * MINUTE),
        };
        while tick <= arrives {
            while let Some(at) = next_deadline(rules, &state).filter(|at| *at < tick.min(arrives)) {
                take(&mut state, &Event::TimePassed, at);
            }
            if tick == arrives {
                break;
            }
            take(&mut state, &Event::TimePassed, tick);
            tick = (tick + every).min(arrives);
        }
        now = arrives;
        let event = match event {
            Event::Signal(signal) => Event::Signal(Signal {
                at: now - signal.at * MINUTE,
                ..signal.clone()
            }),
            other => other.clone(),
        };
        if matches!(event, Event::RulesChanged | Event::WindowsChanged) {
            take(&mut state, &Event::TimePassed, now);
        }
        take(&mut state, &event, now);
    }
    take(&mut state, &Event::TimePassed, now);
    (state, effects)
}

proptest! {
    /// Whether the deadlines are acted upon one by one or all at once when a ping arrives must
    /// make no difference; pings that come on time only, since a late one finds more decided.
    /// In a window it decides what is told, but how often else time is reported does not.
    #[test]
    fn how_often_time_is_reported_changes_nothing(
        rules in any_rules(),
        script in prop::collection::vec(any_event(), 0..30),
        tick in 1..50_i64,
    ) {
        let script: Vec<_> = script.into_iter().map(|(pause, event)| (pause, match event {
            Event::Signal(signal) => Event::Signal(Signal { at: 0, ..signal }),
            other => other,
        })).collect();
        let often = Awake::Often(tick);
        prop_assert_eq!(play(&rules, &script, Awake::Deadlines), play(&rules, &script, often));
        let rules = Rules { windows: Windows::default(), ..rules };
        let untimed = |(state, effects): (State, Vec<(Millis, Effect)>)| {
            let effects: Vec<Effect> = effects.into_iter().map(|(_, effect)| effect).collect();
            (state, effects)
        };
        prop_assert_eq!(
            untimed(play(&rules, &script, Awake::Never)),
            untimed(play(&rules, &script, often))
        );
    }

    /// In a window nobody is told anything, also by a server that was down at the end of the one
    /// before; and at its end what was held is let go of.
    #[test]
    fn nothing_is_told_in_a_window(
        rules in any_rules(),
        script in prop::collection::vec(any_event(), 0..60),
        awake in prop_oneof![Just(Awake::Never), Just(Awake::Deadlines)],
    ) {
        let (state, effects) = play(&rules, &script, awake);
        for (told, effect) in effects {
            if matches!(effect, Effect::Alert { .. }) {
                prop_assert!(!rules.windows.cover(told));
            }
            if let Effect::Alert { at, held: true, .. } = effect {
                prop_assert!(!rules.windows.cover(at));
                prop_assert!(rules.windows.cover(at - 1));
            }
        }
        if let Some(held) = state.held {
            prop_assert!(rules.windows.cover(held.since));
        }
    }

    /// One transition, one alert: trouble is told once until it changes or ends, and an end
    /// is told only of trouble that was.
    #[test]
    fn alerts_are_never_double_and_recoveries_never_unfounded(
        rules in any_rules(),
        script in prop::collection::vec(any_event(), 0..60),
    ) {
        // Without windows; with them, what is told follows what is, and not at once.
        let rules = Rules { windows: Windows::default(), ..rules };
        let (_, effects) = play(&rules, &script, Awake::Often(7));
        let mut told = None;
        let mut status = Status::New;
        for (_, effect) in effects {
            match effect {
                Effect::Changed { from, to, .. } => {
                    prop_assert_eq!(from, status);
                    prop_assert_ne!(from, to);
                    status = to;
                    if to == Status::Paused {
                        // Whatever was told is not taken back.
                        told = None;
                    }
                }
                Effect::Finished { .. } => {}
                Effect::Alert { reason, .. } => match reason.event() {
                    webhook::Event::Up => {
                        prop_assert!(told.is_some());
                        prop_assert_eq!(status, Status::Up);
                        told = None;
                    }
                    webhook::Event::RunningLong => {
                        prop_assert!(told.is_none());
                        prop_assert_eq!(status, Status::Overrunning);
                        told = Some(status);
                    }
                    _ => {
                        prop_assert_ne!(told, Some(Status::Down));
                        prop_assert_eq!(status, Status::Down);
                        told = Some(Status::Down);
                    }
                },
            }
        }
    }

    /// A sleeper that wakes at the deadline finds something to do there, and nothing before.
    #[test]
    fn a_deadline_is_neither_early_nor_forgotten(
        rules in any_rules(),
        script in prop::collection::vec(any_event(), 1..30),
    ) {
        let (state, _) = play(&rules, &script, Awake::Never);
        if let Some(at) = next_deadline(&rules, &state) {
            let (before, effects) = step(&rules, &state, &Event::TimePassed, at - 1);
            prop_assert!(effects.is_empty());
            prop_assert_eq!(&before, &state);
            let (after, _) = step(&rules, &state, &Event::TimePassed, at);
            prop_assert_ne!(&after, &state);
        }
    }
}
