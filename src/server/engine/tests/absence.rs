//! A server that was away: what fell due meanwhile waits, so that those who repeat come first.

use super::*;

/// A check that was well at 0, of a server that was away over the end of its grace.
struct Back {
    trial: Trial,
    absence: Absence,
}

impl Back {
    /// Away from the 60th to the 66th minute, and half a minute of that second on.
    fn new() -> Self {
        let mut trial = Trial::new(rules());
        trial.ping(Kind::Success, None, 0);
        trial.at(60);
        Self {
            trial,
            absence: Absence::new(60 * MINUTE, 66 * MINUTE),
        }
    }

    fn event(&mut self, event: &Event, now: Millis) {
        let Trial { rules, state, .. } = &self.trial;
        let (state, effects) = step_after(&self.absence, rules, state, event, now);
        self.trial.state = state;
        for effect in effects {
            if let Effect::Alert { reason, at, .. } = effect {
                self.trial.alerts.push((reason.event(), at / MINUTE));
            }
        }
    }

    fn deadline(&self) -> Option<Millis> {
        next_deadline_after(&self.absence, &self.trial.rules, &self.trial.state)
    }
}

#[test]
fn silence_that_fell_due_while_the_server_was_away_waits_a_minute_and_is_dated_as_ever() {
    let mut back = Back::new();
    assert_eq!(back.deadline(), Some(67 * MINUTE));
    back.event(&Event::TimePassed, 67 * MINUTE - 1);
    assert_eq!(back.trial.state.status, Status::Late);
    assert!(back.trial.alerts.is_empty());
    back.event(&Event::TimePassed, 67 * MINUTE);
    assert_eq!(back.trial.alerts, [(webhook::Event::Down, 65)]);
}

#[test]
fn a_ping_that_could_not_get_through_before_comes_first() {
    // Its sender does not know how old it is.
    let mut back = Back::new();
    let signal = Signal {
        kind: Kind::Success,
        at: 66 * MINUTE + 30_000,
        run_id: None,
        duration: None,
        exit_code: None,
        has_ended: false,
    };
    back.event(&Event::Signal(signal), 66 * MINUTE + 30_000);
    assert_eq!(back.trial.state.status, Status::Up);
    assert!(back.trial.alerts.is_empty());
}

#[test]
fn the_end_of_a_run_s_time_waits_and_so_does_what_fell_due_after_it() {
    let mut back = Back::new();
    back.trial.rules.max_runtime = Some(5 * MINUTE);
    back.trial.ping_late(Kind::Start, Some("a"), 59, 60);
    back.event(&Event::TimePassed, 66 * MINUTE + 59_999);
    assert_eq!(back.trial.state.status, Status::Up);
    back.event(&Event::TimePassed, 67 * MINUTE);
    let (long, down) = (webhook::Event::RunningLong, webhook::Event::Down);
    let first = back.trial.alerts.first();
    assert!(matches!(first, Some((event, _)) if *event == long || *event == down));
}

#[test]
fn what_fell_due_before_the_absence_or_after_it_waits_for_nothing() {
    let mut back = Back::new();
    back.absence = Absence::new(65 * MINUTE, 66 * MINUTE);
    back.event(&Event::TimePassed, 66 * MINUTE);
    assert_eq!(back.trial.state.status, Status::Down);
    let mut back = Back::new();
    back.absence = Absence::new(60 * MINUTE, 65 * MINUTE);
    back.event(&Event::TimePassed, 65 * MINUTE);
    assert_eq!(back.trial.state.status, Status::Down);
}

#[test]
fn of_a_server_that_is_away_again_and_again_only_the_newest_absence_makes_anything_wait() {
    let mut back = Back::new();
    back.absence = Absence::new(66 * MINUTE + 10_000, 66 * MINUTE + 20_000);
    back.event(&Event::WindowsChanged, 66 * MINUTE + 20_000);
    assert_eq!(back.trial.alerts, [(webhook::Event::Down, 65)]);
}

proptest! {
    /// Nothing that fell due in an absence is told before its time, and after it everything is
    /// as if there had been none; where no ping comes meanwhile.
    #[test]
    fn an_absence_puts_off_and_changes_nothing(
        rules in any_rules(),
        script in prop::collection::vec(any_event(), 0..20),
        away in 1..200_i64,
    ) {
        let rules = Rules { windows: Windows::default(), ..rules };
        let (state, _) = play(&rules, &script, Awake::Deadlines);
        let from = script.iter().map(|(pause, _)| pause * MINUTE).sum::<Millis>();
        let until = from + away * MINUTE / 2;
        let absence = Absence::new(from, until);
        let patient_until = until + MINUTE.min(until - from);
        let mut now = until;
        let (mut waiting, mut told) = (state.clone(), Vec::new());
        loop {
            let (next, effects) = step_after(&absence, &rules, &waiting, &Event::TimePassed, now);
            for effect in &effects {
                if let Effect::Changed { at, .. } | Effect::Alert { at, .. } = effect {
                    prop_assert!(now >= patient_until || *at >= until, "{at} at {now}");
                }
            }
            waiting = next;
            told.extend(effects);
            match next_deadline_after(&absence, &rules, &waiting) {
                Some(at) if at <= patient_until => now = at,
                _ => break,
            }
        }
        let (waiting, rest) =
            step_after(&absence, &rules, &waiting, &Event::TimePassed, patient_until);
        told.extend(rest);
        prop_assert_eq!((waiting, told), step(&rules, &state, &Event::TimePassed, patient_until));
    }
}
