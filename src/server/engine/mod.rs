//! The pure core: a check's rules × its state × an event × now → a new state and its effects.
//!
//! It must know no clock, no disk and no network: time is a number that it is given, and what
//! has to be done about a change is told as [`Effect`]s for others to carry out. So years of
//! schedule can be simulated in seconds.

mod absence;
mod deadline;
mod rules;
#[cfg(test)]
mod tests;
mod turn;
mod windows;

use serde::{Deserialize, Serialize};

use crate::wire::{Kind, Status, webhook};
pub use absence::Absence;
pub use rules::{Rules, Schedule};
use turn::Turn;
pub use windows::Windows;

/// A moment: milliseconds since the Unix epoch.
pub type Millis = i64;

/// A run that has started and of which no end is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// As the pings give it.
    pub id: Option<String>,
    /// When it started.
    pub started: Millis,
    /// Whether its limit has passed and was acted upon.
    pub overdue: bool,
}

/// Everything about a check that changes by itself or by pings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// What it is.
    pub status: Status,
    /// Since when.
    pub since: Millis,
    /// When the next end is expected; none while it is new.
    pub expected: Option<Millis>,
    /// Failures in a row.
    pub failures: u32,
    /// As what the present trouble was alerted, if it was: `Down` or `Overrunning`. What is
    /// held for a maintenance window counts as alerted.
    pub alerted: Option<Status>,
    /// What nobody was told yet because of a maintenance window.
    pub held: Option<Held>,
    /// Open runs, oldest first.
    pub runs: Vec<Run>,
    /// Ids of the runs that ended last, oldest first.
    pub ended: Vec<String>,
    /// The newest ping but logs.
    pub last_ping: Option<Millis>,
    /// The newest success or failure.
    pub last_end: Option<Millis>,
    /// The newest start.
    pub last_start: Option<Millis>,
    /// How long the last finished run took, milliseconds.
    pub last_duration: Option<Millis>,
    /// When it was resumed last: what happened before is over.
    pub resumed: Option<Millis>,
}

/// The newest of the alerts that are held for a maintenance window; it stands for all of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// What it is about.
    pub reason: Reason,
    /// As what trouble people know the check from before the window.
    pub told: Option<Status>,
    /// When the first of them was held.
    pub since: Millis,
}

impl State {
    /// A check that was just created.
    pub fn new(now: Millis) -> Self {
        Self {
            status: Status::New,
            since: now,
            expected: None,
            failures: 0,
            alerted: None,
            held: None,
            runs: Vec::new(),
            ended: Vec::new(),
            last_ping: None,
            last_end: None,
            last_start: None,
            last_duration: None,
            resumed: None,
        }
    }

    /// The latest moment that it has seen.
    pub fn seen(&self) -> Millis {
        let pings = [self.last_ping, self.last_end, self.last_start, self.resumed];
        let runs = self.runs.iter().map(|run| run.started);
        let held = self.held.as_ref().map(|held| held.since);
        let moments = pings.into_iter().flatten().chain(runs).chain(held);
        moments.fold(self.since, Millis::max)
    }

    /// Whether a start that happened `at` may have been overtaken by its own end: then the history
    /// is to be asked, as more runs may have ended since than are remembered here.
    pub fn must_look_for_end(&self, kind: Kind, at: Millis) -> bool {
        let last_end = self.last_end;
        kind == Kind::Start && last_end.is_some_and(|end| end >= at - START_AFTER_END)
    }

    /// When the next end is expected: after the last, or since it was resumed.
    fn next_end(&self, rules: &Rules) -> Option<Millis> {
        match (self.last_end, self.resumed) {
            (Some(ended), resumed) if resumed <= Some(ended) => {
                Some(rules.expected_after(ended, self.last_duration))
            }
            (_, resumed) => resumed.map(|moment| rules.next_after(moment)),
        }
    }

    /// How many expected pings are missing at `now`.
    pub fn misses(&self, rules: &Rules, now: Millis) -> u32 {
        match (self.status, self.expected) {
            (Status::Down, Some(expected)) if !self.has_healthy_run() => {
                rules.misses(expected, now)
            }
            _ => 0,
        }
    }

    /// When the run began that is open and within its limit; of several, the last.
    pub fn running_well_since(&self) -> Option<Millis> {
        let well = self.runs.iter().filter(|run| !run.overdue);
        well.map(|run| run.started).max()
    }

    /// Whether a run is open that is within its limit.
    fn has_healthy_run(&self) -> bool {
        self.runs.iter().any(|run| !run.overdue)
    }
}

/// A ping, as far as the engine is concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signal {
    /// What it says.
    pub kind: Kind,
    /// When it happened (not when it arrived); never later than now.
    pub at: Millis,
    /// Pairs a start with its end.
    pub run_id: Option<String>,
    /// The run's duration as measured by the sender, milliseconds.
    pub duration: Option<Millis>,
    /// The exit code of a failure.
    pub exit_code: Option<u8>,
    /// Of a start: whether its end came before it, as the history has it (see
    /// [`State::must_look_for_end`]).
    pub has_ended: bool,
}

/// By how much a start may seem to be later than the end of its own run, milliseconds: the age of
/// a ping leaves out its way here.
pub const START_AFTER_END: Millis = 10_000;

/// What can happen to a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A ping arrived.
    Signal(Signal),
    /// Nothing but time.
    TimePassed,
    /// Somebody paused the check.
    Paused,
    /// Somebody resumed it.
    Resumed,
    /// Its rules are not what they were.
    RulesChanged,
    /// Its maintenance windows are not what they were.
    WindowsChanged,
}

/// Why an alert is due; enough to write its message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// No ping came: `count` in a row are missing, the first was due at `expected`.
    Missed {
        /// When the first missing one was due.
        expected: Millis,
        /// How many are missing.
        count: u32,
    },
    /// A run started and its end never came.
    NeverFinished {
        /// When it started.
        started: Millis,
    },
    /// The job reported a failure, the `count`th in a row.
    Failed {
        /// Its exit code, where it gave one.
        exit_code: Option<u8>,
        /// Failures in a row.
        count: u32,
    },
    /// A run takes longer than it may.
    Overrunning {
        /// When it started.
        started: Millis,
    },
    /// It is well again after `down_for` milliseconds.
    Recovered {
        /// From the start of the trouble to the success, milliseconds.
        down_for: Millis,
    },
    /// It was well all along: the success came before the trouble was seen, its report after.
    ReportedLate {
        /// When the success was.
        succeeded: Millis,
        /// From then to its report, milliseconds.
        by: Millis,
    },
}

impl Reason {
    /// The alert's event on the wire.
    pub fn event(&self) -> webhook::Event {
        match self {
            Self::Missed { .. } | Self::NeverFinished { .. } => webhook::Event::Down,
            Self::Failed { .. } => webhook::Event::Failed,
            Self::Overrunning { .. } => webhook::Event::RunningLong,
            Self::Recovered { .. } | Self::ReportedLate { .. } => webhook::Event::Up,
        }
    }
}

/// Something to be done because of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// The status changed at `at`.
    Changed {
        /// What it was.
        from: Status,
        /// What it is.
        to: Status,
        /// Since when.
        at: Millis,
        /// When the end was expected that is missing, where it is late or down for that.
        missed: Option<Millis>,
    },
    /// A run ended whose duration is known.
    Finished {
        /// When: not before its own start, whatever the way of the two pings made of it.
        at: Millis,
        /// From its start to its end, milliseconds.
        after: Millis,
    },
    /// Somebody has to be told.
    Alert {
        /// What about.
        reason: Reason,
        /// Since when it is so; of one that was held, when its maintenance window ended.
        at: Millis,
        /// Whether it was held until now.
        held: bool,
    },
}

/// Applies `event` to `state` and says what follows. Where `now` is before a moment that the
/// state has seen, the clock was set back: that moment counts as now.
pub fn step(rules: &Rules, state: &State, event: &Event, now: Millis) -> (State, Vec<Effect>) {
    step_after(&Absence::default(), rules, state, event, now)
}

/// As [`step`], where the server was away: what fell due meanwhile waits until
/// [`Absence::acts_at`], so that pings that could not get through then come first.
pub fn step_after(
    absence: &Absence,
    rules: &Rules,
    state: &State,
    event: &Event,
    now: Millis,
) -> (State, Vec<Effect>) {
    let mut turn = Turn::new(rules, state, now, absence);
    if state.seen() > now {
        turn.set_back();
    }
    match event {
        Event::Signal(signal) => {
            let signal = Signal {
                at: signal.at.min(now),
                ..signal.clone()
            };
            // A deadline that passed before the ping did its work first, even where the ping
            // is what woke us: down and then up again, not never down.
            turn.advance(signal.at);
            turn.apply(&signal);
        }
        Event::TimePassed => {}
        Event::Paused => turn.pause(),
        Event::Resumed => turn.resume(),
        Event::RulesChanged => turn.change_rules(),
        Event::WindowsChanged => turn.change_windows(),
    }
    turn.advance(now);
    turn.finish()
}

/// When time alone will next change `state`; none where only a ping can.
pub fn next_deadline(rules: &Rules, state: &State) -> Option<Millis> {
    next_deadline_after(&Absence::default(), rules, state)
}

/// As [`next_deadline`], where the server was away.
pub fn next_deadline_after(absence: &Absence, rules: &Rules, state: &State) -> Option<Millis> {
    let due = deadline::next(rules, state);
    let due = due.into_iter().flatten();
    due.map(|(at, _)| absence.acts_at(at)).min()
}
