//! The pure core: a check's rules × its state × an event × now → a new state and its effects.
//!
//! It must know no clock, no disk and no network: time is a number that it is given, and what
//! has to be done about a change is told as [`Effect`]s for others to carry out. So years of
//! schedule can be simulated in seconds.

mod deadline;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::wire::{Kind, Status, webhook};

/// A moment: milliseconds since the Unix epoch.
pub type Millis = i64;

/// How many runs of one check may be open; beyond it the oldest is forgotten.
const OPEN_RUNS_MAX: usize = 100;

/// How many ended runs are remembered, so that a start that arrives after its own end does
/// not open the run again.
const ENDED_RUNS_MAX: usize = 16;

/// What a person decided about a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// Expected interval between two ends, milliseconds, at least one second.
    pub period: Millis,
    /// How long after the expected time it is only late, milliseconds.
    pub grace: Millis,
    /// How long a run may take, milliseconds.
    pub max_runtime: Option<Millis>,
    /// Alert after so many missed pings in a row, at least 1.
    pub miss_threshold: u32,
    /// Alert after so many failures in a row, at least 1.
    pub fail_threshold: u32,
}

impl Rules {
    /// When the end after one at `moment` is expected.
    fn next_after(&self, moment: Millis) -> Millis {
        moment.saturating_add(self.period)
    }

    /// Until when a run that started at `started` counts as running well.
    fn run_limit(&self, started: Millis) -> Millis {
        match self.max_runtime {
            Some(max) => started.saturating_add(max),
            None => self.next_after(started).saturating_add(self.grace),
        }
    }

    /// How many expected pings are missing at `now`, where the first was due at `expected`.
    fn misses(&self, expected: Millis, now: Millis) -> u32 {
        let overdue = now - expected.saturating_add(self.grace);
        if overdue < 0 {
            return 0;
        }
        u32::try_from(overdue / self.period.max(1) + 1).unwrap_or(u32::MAX)
    }
}

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
    /// As what the present trouble was alerted, if it was: `Down` or `Overrunning`.
    pub alerted: Option<Status>,
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
            runs: Vec::new(),
            ended: Vec::new(),
            last_ping: None,
            last_end: None,
            last_start: None,
            last_duration: None,
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
}

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
}

/// Why an alert is due; enough to write its message.
#[derive(Debug, Clone, PartialEq, Eq)]
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
        /// Since when it is so.
        at: Millis,
    },
}

/// Applies `event` to `state` and says what follows. `now` is never before a moment that the
/// state has seen; a caller whose clock jumped back is served as if no time had passed.
pub fn step(rules: &Rules, state: &State, event: &Event, now: Millis) -> (State, Vec<Effect>) {
    let mut turn = Turn {
        rules,
        state: state.clone(),
        effects: Vec::new(),
    };
    match event {
        Event::Signal(signal) => {
            let signal = Signal {
                at: signal.at.min(now),
                ..signal.clone()
            };
            // A deadline that passed before the ping did its work first, even where the ping
            // is what woke us: down and then up again, not never down.
            turn.advance(signal.at);
            turn.apply(&signal, now);
        }
        Event::TimePassed => {}
        Event::Paused => turn.pause(now),
        Event::Resumed => turn.resume(now),
        Event::RulesChanged => turn.change_rules(now),
    }
    turn.advance(now);
    (turn.state, turn.effects)
}

/// When time alone will next change `state`; none where only a ping can.
pub fn next_deadline(rules: &Rules, state: &State) -> Option<Millis> {
    deadline::next(rules, state).map(|(at, _)| at)
}

/// A state on its way from before an event to after it.
struct Turn<'a> {
    rules: &'a Rules,
    state: State,
    effects: Vec<Effect>,
}

impl Turn<'_> {
    fn become_status(&mut self, to: Status, at: Millis) {
        let from = self.state.status;
        if from != to {
            // A ping that was reported late changes what is, not what was.
            let at = at.max(self.state.since);
            self.state.status = to;
            self.state.since = at;
            self.effects.push(Effect::Changed { from, to, at });
        }
    }

    fn alert(&mut self, reason: Reason, at: Millis) {
        self.effects.push(Effect::Alert { reason, at });
    }

    fn apply(&mut self, signal: &Signal, now: Millis) {
        if signal.kind == Kind::Log {
            return;
        }
        let state = &mut self.state;
        state.last_ping = state.last_ping.max(Some(signal.at));
        if state.status == Status::Paused {
            // Kept in the history, and nothing follows from it.
            if signal.kind == Kind::Start {
                state.last_start = state.last_start.max(Some(signal.at));
            } else {
                state.last_end = state.last_end.max(Some(signal.at));
            }
            return;
        }
        match signal.kind {
            Kind::Start => self.start(signal),
            Kind::Success | Kind::Fail => self.end(signal, now),
            Kind::Log => {}
        }
    }

    fn start(&mut self, signal: &Signal) {
        let state = &mut self.state;
        state.last_start = state.last_start.max(Some(signal.at));
        if let Some(id) = &signal.run_id
            && (state.ended.contains(id)
                || state.runs.iter().any(|run| run.id.as_ref() == Some(id)))
        {
            return;
        }
        // A start that was delayed for so long that a newer end is known says nothing about
        // now; without an id its own end may have been that one.
        if signal.run_id.is_none() && state.last_end > Some(signal.at) {
            return;
        }
        if state.runs.len() == OPEN_RUNS_MAX {
            state.runs.remove(0);
        }
        state.runs.push(Run {
            id: signal.run_id.clone(),
            started: signal.at,
            overdue: false,
        });
        state.runs.sort_by_key(|run| run.started);
        if state.status == Status::Late {
            self.become_status(Status::Up, signal.at);
        }
    }

    fn end(&mut self, signal: &Signal, now: Millis) {
        let started = self.close_run(signal).map(|run| run.started);
        // The age of a ping leaves out its way here. The start of a short job, which had to
        // connect first, may so seem to be later than its end by some milliseconds.
        let at = signal.at.max(started.unwrap_or(signal.at));
        let duration = signal.duration.or(started.map(|started| at - started));
        self.effects
            .extend(duration.map(|after| Effect::Finished { at, after }));
        let state = &mut self.state;
        // An end that is older than one already known belongs into the history only.
        if state.last_end > Some(at) {
            return;
        }
        state.last_end = Some(at);
        state.last_duration = duration;
        if signal.kind == Kind::Fail {
            self.fail(signal.exit_code, at);
        } else {
            self.succeed(at, now);
        }
    }

    fn close_run(&mut self, signal: &Signal) -> Option<Run> {
        let state = &mut self.state;
        if let Some(id) = &signal.run_id {
            if state.ended.len() == ENDED_RUNS_MAX {
                state.ended.remove(0);
            }
            state.ended.push(id.clone());
        }
        let open = state.runs.iter().rposition(|run| {
            // An id is enough; without one, the start must at least have been before.
            run.id == signal.run_id && (run.id.is_some() || run.started <= signal.at)
        })?;
        Some(state.runs.remove(open))
    }

    fn succeed(&mut self, at: Millis, now: Millis) {
        let expected = self.rules.next_after(at);
        let state = &mut self.state;
        state.expected = Some(expected);
        // A success from so long ago that the one after it is missing too: still down, and
        // nobody is told of a recovery that is none.
        if state.status == Status::Down && self.rules.misses(expected, now) > 0 {
            return;
        }
        state.failures = 0;
        // Runs whose end never came have been told of; the check is well without them.
        state.runs.retain(|run| !run.overdue);
        self.recover(at, now);
    }

    /// It is up since `at`; told where its trouble was.
    fn recover(&mut self, at: Millis, now: Millis) {
        let state = &mut self.state;
        let (trouble_since, alerted) = (state.since, state.alerted.take());
        self.become_status(Status::Up, at);
        if alerted.is_some() {
            let reason = if at < trouble_since {
                Reason::ReportedLate {
                    succeeded: at,
                    by: now - at,
                }
            } else {
                Reason::Recovered {
                    down_for: at - trouble_since,
                }
            };
            self.alert(reason, at.max(trouble_since));
        }
    }

    fn fail(&mut self, exit_code: Option<u8>, at: Millis) {
        let state = &mut self.state;
        state.failures = state.failures.saturating_add(1);
        state.expected = Some(self.rules.next_after(at));
        let count = state.failures;
        self.become_status(Status::Down, at);
        if count >= self.rules.fail_threshold {
            self.alert_down(Reason::Failed { exit_code, count }, at);
        }
    }

    /// Alerts that the check is down, unless that was already told.
    fn alert_down(&mut self, reason: Reason, at: Millis) {
        if self.state.alerted != Some(Status::Down) {
            self.state.alerted = Some(Status::Down);
            self.alert(reason, at);
        }
    }

    /// Nothing is expected and nothing alerts from now on; what was wrong is not told as mended.
    fn pause(&mut self, now: Millis) {
        self.advance(now);
        self.become_status(Status::Paused, now);
        let state = &mut self.state;
        state.expected = None;
        state.alerted = None;
        state.failures = 0;
        state.runs.clear();
    }

    /// Starts afresh from now.
    fn resume(&mut self, now: Millis) {
        if self.state.status != Status::Paused {
            return;
        }
        if self.state.last_end.is_some() {
            self.become_status(Status::Up, now);
            self.state.expected = Some(self.rules.next_after(now));
        } else {
            self.become_status(Status::New, now);
        }
    }

    /// What is expected follows from the last end and the rules of now. Silence that is none
    /// by these is over; a failure stays one. The time before has been judged by the rules of
    /// before: whoever changes them tells first that time has passed.
    fn change_rules(&mut self, now: Millis) {
        self.advance(now);
        let rules = self.rules;
        let state = &mut self.state;
        let Some(last) = state.last_end.filter(|_| state.expected.is_some()) else {
            return;
        };
        let expected = rules.next_after(last);
        state.expected = Some(expected);
        let is_over = match state.status {
            Status::Late => now < expected,
            Status::Down => {
                state.failures == 0 && state.runs.is_empty() && rules.misses(expected, now) == 0
            }
            _ => false,
        };
        if is_over {
            self.recover(now, now);
        }
    }

    /// Carries out, in order, what time alone does up to and including `now`.
    fn advance(&mut self, now: Millis) {
        while let Some((at, due)) = deadline::next(self.rules, &self.state) {
            if at > now {
                break;
            }
            match due {
                deadline::Due::Late => self.become_status(Status::Late, at),
                deadline::Due::Missed { expected } => {
                    self.become_status(Status::Down, at);
                    let count = self.rules.misses(expected, at);
                    if count >= self.rules.miss_threshold {
                        self.alert_down(Reason::Missed { expected, count }, at);
                    }
                }
                deadline::Due::RunLimit { index } => self.run_overdue(index, at),
            }
        }
    }

    fn run_overdue(&mut self, index: usize, at: Millis) {
        let Some(run) = self.state.runs.get_mut(index) else {
            return;
        };
        run.overdue = true;
        let started = run.started;
        if self.rules.max_runtime.is_none() {
            self.become_status(Status::Down, at);
            self.alert_down(Reason::NeverFinished { started }, at);
        } else if self.state.status != Status::Down && self.state.alerted.is_none() {
            // Down is worse, and whoever was told of one overrunning run is not told of each.
            self.become_status(Status::Overrunning, at);
            self.state.alerted = Some(Status::Overrunning);
            self.alert(Reason::Overrunning { started }, at);
        }
    }
}
