//! What is true of the attempts whatever they meet: a server that is played by a script, with time
//! that passes as the script says.

use super::*;
use proptest::prelude::*;

/// What one request of a script meets.
#[derive(Debug, Clone)]
struct Meeting {
    what: What,
    /// How long it takes, where the budget does not end it before.
    took: Duration,
    /// How long the server asks to be left alone.
    asked: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Later,
    Taken,
    Refused,
    Outdated,
    /// A setting of this machine is wrong.
    Local,
}

/// An action, when it was decided, and how long the attempt before it had.
#[derive(Debug, Clone)]
struct Decided {
    at: Duration,
    action: Action,
}

const MILLISECOND: Duration = Duration::from_millis(1);

fn meeting() -> impl Strategy<Value = Meeting> {
    let what = prop_oneof![
        12 => Just(What::Later),
        2 => Just(What::Taken),
        1 => Just(What::Refused),
        3 => Just(What::Outdated),
        1 => Just(What::Local),
    ];
    let took = prop_oneof![0..50_u32, 0..12_000_u32];
    let asked = prop::option::weighted(0.2, prop_oneof![0..20_u64, any::<u64>()]);
    (what, took, asked).prop_map(|(what, took, asked)| Meeting {
        what,
        took: MILLISECOND * took,
        asked: asked.map(Duration::from_secs),
    })
}

fn script() -> impl Strategy<Value = Vec<Meeting>> {
    prop::collection::vec(meeting(), 0..30)
}

fn budget() -> impl Strategy<Value = Duration> {
    prop_oneof![0..3_000_u32, 0..120_000_u32].prop_map(|budget| MILLISECOND * budget)
}

fn later(text: &str) -> Error {
    Error::new(Kind::Network, text)
}

/// The attempt of that number. Where it is cut short, it says so and nothing else.
fn outcome(number: usize, meeting: &Meeting, is_cut: bool, looking: bool) -> Outcome {
    if is_cut {
        return Outcome::Later(later("cut short"));
    }
    let error = |kind| Error::new(kind, format!("number {number}"));
    match meeting.what {
        What::Later => Outcome::Later(error(Kind::Network).retry_after(meeting.asked)),
        What::Taken if looking => Outcome::LookedUp,
        What::Taken => Outcome::Delivered,
        What::Refused => Outcome::Refused(error(Kind::Refused)),
        What::Outdated if looking => Outcome::Refused(error(Kind::NotFound)),
        What::Outdated => Outcome::Outdated(error(Kind::NotFound)),
        What::Local => Outcome::Refused(error(Kind::Usage).of_this_machine()),
    }
}

/// Plays the script, and after it a server that is away for ever. Each request and each look-up
/// ends with the budget at the latest, as those who make them see to. Gives all that was decided
/// and all that came about.
fn play(script: &[Meeting], budget: Duration, chance: u8) -> (Vec<Decided>, Vec<Outcome>) {
    let away = Meeting {
        what: What::Later,
        took: Duration::ZERO,
        asked: None,
    };
    let begun = Instant::now();
    let deadline = begun + budget;
    let mut attempts = Attempts::new(begun, deadline);
    let (mut decided, mut outcomes) = (Vec::new(), vec![Outcome::Begun]);
    let (mut now, mut number) = (begun, 0);
    loop {
        let last = outcomes.last().unwrap().clone();
        let action = attempts.next(last, now, chance);
        let at = now - begun;
        let came = match &action {
            Action::Try | Action::LookUp => {
                let meeting = script.get(number).unwrap_or(&away);
                let left = deadline.saturating_duration_since(now);
                number += 1;
                now += meeting.took.min(left);
                let is_cut = meeting.took >= left;
                Some(outcome(number, meeting, is_cut, action == Action::LookUp))
            }
            Action::Keep => {
                now += 3 * MILLISECOND;
                Some(Outcome::Kept)
            }
            Action::Wait(pause, _) => {
                now += *pause;
                Some(Outcome::Waited)
            }
            Action::Done | Action::Unfinished(_) | Action::Lost(_) => None,
        };
        decided.push(Decided { at, action });
        match came {
            Some(came) => outcomes.push(came),
            None => return (decided, outcomes),
        }
        assert!(decided.len() < 10_000, "it never ends: {decided:#?}");
    }
}

fn is_request(action: &Action) -> bool {
    matches!(action, Action::Try | Action::LookUp)
}

proptest! {
    #[test]
    fn nothing_is_begun_past_the_deadline(
        script in script(), budget in budget(), chance in any::<u8>(),
    ) {
        let (decided, _) = play(&script, budget, chance);
        prop_assert_eq!(&decided[0].action, &Action::Try);
        for one in &decided[1..] {
            prop_assert!(!is_request(&one.action) || one.at < budget, "{one:?}");
            if let Action::Wait(pause, _) = &one.action {
                prop_assert!(one.at + *pause < budget, "{one:?}");
            }
        }
    }

    #[test]
    fn pauses_grow_and_are_never_shorter_than_the_server_asked(
        script in script(), budget in budget(), chance in any::<u8>(),
    ) {
        let (decided, _) = play(&script, budget, chance);
        let pauses = decided.iter().filter_map(|one| match &one.action {
            Action::Wait(pause, error) => Some((*pause, error.asked_pause().unwrap_or_default())),
            _ => None,
        });
        let mut before = Duration::ZERO;
        for (pause, asked) in pauses {
            prop_assert!(pause >= asked);
            if pause > asked {
                prop_assert!(pause >= before, "{pause:?} after {before:?}");
                prop_assert!(pause >= 200 * MILLISECOND && pause <= 10_000 * MILLISECOND);
                before = pause;
            }
        }
    }

    #[test]
    fn the_ping_is_kept_right_after_the_first_attempt_that_failed_and_only_then(
        script in script(), budget in budget(), chance in any::<u8>(),
    ) {
        let (decided, outcomes) = play(&script, budget, chance);
        let is_failure = |outcome: &Outcome| match outcome {
            Outcome::Later(_) => true,
            Outcome::Refused(error) => error.is_local(),
            _ => false,
        };
        let keeps = decided.iter().filter(|one| one.action == Action::Keep).count();
        if let Some(first) = outcomes.iter().position(is_failure) {
            prop_assert_eq!(&decided[first].action, &Action::Keep);
            prop_assert_eq!(keeps, 1);
        }
        let last = &decided.last().unwrap().action;
        if matches!(last, Action::Unfinished(_)) {
            prop_assert_eq!(keeps, 1);
        }
    }

    #[test]
    fn an_attempt_that_the_budget_cuts_short_does_not_hide_what_was_wrong_before(
        script in script(), budget in budget(), chance in any::<u8>(),
    ) {
        let (decided, outcomes) = play(&script, budget, chance);
        let Action::Unfinished(error) = &decided.last().unwrap().action else {
            return Ok(());
        };
        // The last attempt that was made, and how much time it had.
        let last = decided.iter().rposition(|one| is_request(&one.action)).unwrap();
        let is_first = last == 0;
        let is_hurried = budget - decided[last].at.min(budget) < HURRIED;
        let is_cut = outcomes[last + 1] == Outcome::Later(later("cut short"));
        if is_cut && is_hurried && !is_first {
            prop_assert!(!error.to_string().starts_with("cut short"), "{error}");
        }
    }

    #[test]
    fn a_check_is_looked_up_again_once_at_most(
        script in script(), budget in budget(), chance in any::<u8>(),
    ) {
        let (decided, outcomes) = play(&script, budget, chance);
        if let Some(found) = outcomes.iter().position(|one| *one == Outcome::LookedUp) {
            let after = &decided[found..];
            prop_assert!(after.iter().all(|one| one.action != Action::LookUp), "{decided:#?}");
        }
    }

    #[test]
    fn it_ends_as_the_server_said_or_with_the_time(
        script in script(), budget in budget(), chance in any::<u8>(),
    ) {
        let (decided, outcomes) = play(&script, budget, chance);
        let is_as_it_should_be = match (outcomes.last().unwrap(), &decided.last().unwrap().action) {
            (Outcome::Delivered, Action::Done) => true,
            (Outcome::Refused(said), Action::Lost(told)) => said == told && !said.is_local(),
            (Outcome::Outdated(said), Action::Lost(told)) => said == told,
            (_, Action::Unfinished(_)) => true,
            _ => false,
        };
        prop_assert!(is_as_it_should_be, "{decided:#?}");
    }
}

/// What is decided about these outcomes in turn, each a millisecond after the one before.
fn decide(budget: Duration, outcomes: &[Outcome]) -> Vec<Action> {
    let begun = Instant::now();
    let mut attempts = Attempts::new(begun, begun + budget);
    let mut now = begun;
    let actions = outcomes.iter().map(|outcome| {
        now += MILLISECOND;
        let action = attempts.next(outcome.clone(), now, 255);
        if let Action::Wait(pause, _) = &action {
            now += *pause;
        }
        action
    });
    actions.collect()
}

const HALF_A_MINUTE: Duration = Duration::from_secs(30);

#[test]
fn a_server_that_stays_silent_leaves_time_for_another_attempt() {
    let now = Instant::now();
    let ends = |budget| end_of_one(now, now + budget) - now;
    assert!(2 * ends(HALF_A_MINUTE) + 10 * ends(Duration::ZERO) < HALF_A_MINUTE);
    assert_eq!(ends(Duration::from_secs(3)), Duration::from_secs(3));
    assert_eq!(end_of_one(now + HALF_A_MINUTE, now), now + HALF_A_MINUTE);
}

#[test]
fn a_first_attempt_that_is_taken_touches_no_disk() {
    let actions = decide(HALF_A_MINUTE, &[Outcome::Begun, Outcome::Delivered]);
    assert_eq!(actions, [Action::Try, Action::Done]);
}

#[test]
fn a_pause_longer_than_the_time_left_ends_the_attempts_at_once() {
    let busy = later("busy").retry_after(Some(Duration::from_secs(3_600)));
    let outcomes = [Outcome::Begun, Outcome::Later(busy.clone()), Outcome::Kept];
    let actions = decide(HALF_A_MINUTE, &outcomes);
    assert_eq!(actions[1..], [Action::Keep, Action::Unfinished(busy)]);
}

#[test]
fn the_pause_that_a_server_asks_for_is_kept() {
    let busy = later("busy").retry_after(Some(Duration::from_secs(2)));
    let outcomes = [Outcome::Begun, Outcome::Later(busy.clone()), Outcome::Kept];
    let actions = decide(HALF_A_MINUTE, &outcomes);
    assert_eq!(actions[2], Action::Wait(Duration::from_secs(2), busy));
}

#[test]
fn what_was_tried_in_vain_is_told_with_the_whole_time() {
    let silent = || Outcome::Later(later("no answer"));
    let outcomes = [
        Outcome::Begun,
        silent(),
        Outcome::Kept,
        Outcome::Waited,
        silent(),
    ];
    let actions = decide(Duration::from_secs(1), &outcomes);
    let told = later("no answer; tried 2 times in 405 ms");
    assert_eq!(actions[4], Action::Unfinished(told));
}

#[test]
fn an_id_that_is_no_more_is_looked_up_again_and_the_new_one_tried_at_once() {
    let gone = Error::new(Kind::NotFound, "gone");
    let outdated = Outcome::Outdated(gone.clone());
    let outcomes = [
        Outcome::Begun,
        outdated.clone(),
        Outcome::LookedUp,
        outdated,
    ];
    let actions = decide(HALF_A_MINUTE, &outcomes);
    let expected = [Action::Try, Action::LookUp, Action::Try, Action::Lost(gone)];
    assert_eq!(actions, expected);
}

#[test]
fn a_second_look_up_that_fails_for_now_is_waited_for_and_not_the_old_id_tried_again() {
    let away = later("away");
    let outcomes = [
        Outcome::Begun,
        Outcome::Outdated(Error::new(Kind::NotFound, "gone")),
        Outcome::Later(away.clone()),
        Outcome::Kept,
        Outcome::Waited,
    ];
    let actions = decide(HALF_A_MINUTE, &outcomes);
    let wait = Action::Wait(400 * MILLISECOND, away);
    assert_eq!(
        actions[1..],
        [Action::LookUp, Action::Keep, wait, Action::LookUp]
    );
}

#[test]
fn a_wrong_setting_is_kept_and_not_tried_again() {
    let wrong = Error::new(Kind::Usage, "no address").of_this_machine();
    let outcomes = [
        Outcome::Begun,
        Outcome::Refused(wrong.clone()),
        Outcome::Kept,
    ];
    let actions = decide(HALF_A_MINUTE, &outcomes);
    assert_eq!(
        actions,
        [Action::Try, Action::Keep, Action::Unfinished(wrong)]
    );
}
