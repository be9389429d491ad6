//! One turn: a state on its way from before an event to after it.

use super::deadline;
use super::{Absence, Effect, Held, Millis, Reason, Rules, Run, Signal, State};
use crate::wire::ping::is_same_run;
use crate::wire::{Kind, Status};

/// How many runs of one check may be open; beyond it the oldest is forgotten.
const OPEN_RUNS_MAX: usize = 100;

/// How many ended runs are remembered, so that a start that arrives after its own end does
/// not open the run again. Of more the history knows: [`Signal::has_ended`].
const ENDED_RUNS_MAX: usize = 16;

/// A state on its way from before an event to after it.
pub(super) struct Turn<'a> {
    rules: &'a Rules,
    state: State,
    effects: Vec<Effect>,
    /// Nothing that is found out in this turn was known before, whenever it happened.
    now: Millis,
    absence: &'a Absence,
}

impl<'a> Turn<'a> {
    pub fn new(rules: &'a Rules, state: &State, now: Millis, absence: &'a Absence) -> Self {
        Self {
            rules,
            state: state.clone(),
            effects: Vec::new(),
            now,
            absence,
        }
    }

    /// The clock was set back to now, and what is later by the state counts as of now. Else
    /// every ping until then would be older than the last, and no failure would be told.
    pub fn set_back(&mut self) {
        let (now, state) = (self.now, &mut self.state);
        state.since = state.since.min(now);
        for moment in [
            &mut state.last_ping,
            &mut state.last_end,
            &mut state.last_start,
            &mut state.resumed,
        ] {
            *moment = moment.map(|moment| moment.min(now));
        }
        for run in &mut state.runs {
            run.started = run.started.min(now);
        }
        if let Some(held) = &mut state.held {
            held.since = held.since.min(now);
        }
        if state.expected.is_some() {
            state.expected = state.next_end(self.rules);
        }
    }

    /// What became of the state, and what follows.
    pub fn finish(self) -> (State, Vec<Effect>) {
        (self.state, self.effects)
    }

    fn become_status(&mut self, to: Status, at: Millis) {
        self.become_status_for(None, to, at);
    }

    /// The same, `missed` being when the end was expected whose lack is the reason.
    fn become_status_for(&mut self, missed: Option<Millis>, to: Status, at: Millis) {
        let from = self.state.status;
        if from != to {
            // A ping that was reported late changes what is, not what was.
            let at = at.max(self.state.since);
            self.state.status = to;
            self.state.since = at;
            self.effects.push(Effect::Changed {
                from,
                to,
                at,
                missed,
            });
        }
    }

    /// The trouble is told as `becomes` from now on, since `at`. What comes to be known in a
    /// maintenance window is held.
    fn alert(&mut self, becomes: Option<Status>, reason: Reason, at: Millis) {
        let told = std::mem::replace(&mut self.state.alerted, becomes);
        match &mut self.state.held {
            Some(held) => held.reason = reason,
            None if self.rules.windows.cover(self.now) => {
                self.state.held = Some(Held {
                    reason,
                    told,
                    since: self.now,
                });
            }
            None => self.effects.push(Effect::Alert {
                reason,
                at,
                held: false,
            }),
        }
    }

    /// The window is over: tells what is not as people know it. Trouble that came and went in
    /// the window is told to nobody, and so is its end. Where the next window has begun, because
    /// nobody was awake between the two, what is held is held on.
    fn release(&mut self, at: Millis) {
        if self.rules.windows.cover(self.now) {
            return self.change_windows();
        }
        if let Some(held) = self.state.held.take()
            && held.told != self.state.alerted
        {
            self.effects.push(Effect::Alert {
                reason: held.reason,
                at,
                held: true,
            });
        }
    }

    pub fn apply(&mut self, signal: &Signal) {
        if signal.kind == Kind::Log {
            return;
        }
        let state = &mut self.state;
        state.last_ping = state.last_ping.max(Some(signal.at));
        if state.status == Status::Paused || state.resumed > Some(signal.at) {
            // It happened while nothing was expected: kept in the history, and nothing follows.
            if signal.kind == Kind::Start {
                state.last_start = state.last_start.max(Some(signal.at));
            } else {
                state.last_end = state.last_end.max(Some(signal.at));
            }
            return;
        }
        match signal.kind {
            Kind::Start => self.start(signal),
            Kind::Success | Kind::Fail => self.end(signal),
            Kind::Log => {}
        }
    }

    fn start(&mut self, signal: &Signal) {
        let state = &mut self.state;
        state.last_start = state.last_start.max(Some(signal.at));
        let id = signal.run_id.as_deref();
        let is_it = |id| state.ended.iter().any(|ended| is_same_run(ended, id));
        if signal.has_ended || id.is_some_and(is_it) {
            return;
        }
        // A start that was delayed for so long that a newer end is known says nothing about
        // now: without an id its own end may have been that one, and with an id its time may
        // have been over by then, whatever became of it.
        let over = match signal.run_id {
            None => signal.at,
            Some(_) => self.rules.run_limit(signal.at),
        };
        if state.last_end > Some(over) {
            return;
        }
        // A start that comes twice is one run, and where nobody named their runs there is one at
        // a time: the newest start counts, which a job that was cancelled and begun again sends.
        let names = |run: &Run| is_same_name(run.id.as_deref(), id);
        if let Some(open) = state.runs.iter().position(names) {
            if state.runs[open].started >= signal.at {
                return;
            }
            state.runs.remove(open);
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

    fn end(&mut self, signal: &Signal) {
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
            self.succeed(at);
        }
    }

    /// Takes out the run that has ended: the one of that id, else the newest that had started
    /// by then, and with it those without an id that are older.
    fn close_run(&mut self, signal: &Signal) -> Option<Run> {
        let state = &mut self.state;
        let open = match &signal.run_id {
            Some(_) => {
                let id = signal.run_id.as_deref();
                state
                    .runs
                    .iter()
                    .position(|run| is_same_name(run.id.as_deref(), id))
            }
            None => state.runs.iter().rposition(|run| run.started <= signal.at),
        };
        let run = open.map(|open| state.runs.remove(open));
        if let (None, Some(open)) = (&signal.run_id, open) {
            let mut older = 0..open;
            state
                .runs
                .retain(|run| older.next().is_none() || run.id.is_some());
        }
        let id = run.as_ref().and_then(|run| run.id.as_ref());
        if let Some(id) = id.or(signal.run_id.as_ref())
            && !state.ended.iter().any(|ended| is_same_run(ended, id))
        {
            if state.ended.len() == ENDED_RUNS_MAX {
                state.ended.remove(0);
            }
            state.ended.push(id.clone());
        }
        run
    }

    fn succeed(&mut self, at: Millis) {
        let (rules, now) = (self.rules, self.now);
        let state = &mut self.state;
        state.expected = state.next_end(rules);
        let is_missed = |expected| rules.misses(expected, now) > 0;
        // A success from so long ago that the one after it is missing too: still down, and
        // nobody is told of a recovery that is none.
        if state.status == Status::Down && state.expected.is_some_and(is_missed) {
            return;
        }
        state.failures = 0;
        // Runs whose end never came have been told of; the check is well without them.
        state.runs.retain(|run| !run.overdue);
        self.recover(at);
    }

    /// It is up since `at`; told where its trouble was.
    fn recover(&mut self, at: Millis) {
        let (now, state) = (self.now, &mut self.state);
        let trouble_since = state.since;
        self.become_status(Status::Up, at);
        if self.state.alerted.is_some() {
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
            self.alert(None, reason, at.max(trouble_since));
        }
    }

    fn fail(&mut self, exit_code: Option<u8>, at: Millis) {
        let state = &mut self.state;
        state.failures = state.failures.saturating_add(1);
        state.expected = state.next_end(self.rules);
        let count = state.failures;
        self.become_status(Status::Down, at);
        if count >= self.rules.fail_threshold {
            self.alert_down(Reason::Failed { exit_code, count }, at);
        }
    }

    /// Alerts that the check is down, unless that was already told.
    fn alert_down(&mut self, reason: Reason, at: Millis) {
        if self.state.alerted != Some(Status::Down) {
            self.alert(Some(Status::Down), reason, at);
        }
    }

    /// Nothing is expected and nothing alerts from now on; what was wrong is not told as mended.
    pub fn pause(&mut self) {
        let now = self.now;
        self.advance(now);
        self.become_status(Status::Paused, now);
        let state = &mut self.state;
        state.expected = None;
        state.alerted = None;
        state.held = None;
        state.failures = 0;
        state.runs.clear();
    }

    /// Starts afresh from now.
    pub fn resume(&mut self) {
        let now = self.now;
        if self.state.status != Status::Paused {
            return;
        }
        self.state.resumed = Some(now);
        if self.state.last_end.is_some() {
            self.become_status(Status::Up, now);
            self.state.expected = Some(self.rules.next_after(now));
        } else {
            self.become_status(Status::New, now);
        }
    }

    /// What is expected follows from the last end, or the resumption, and the rules of now.
    /// Silence that is none by these is over; a failure stays one. The time before has been
    /// judged by the rules of before: whoever changes them tells first that time has passed.
    pub fn change_rules(&mut self) {
        let (rules, now) = (self.rules, self.now);
        let state = &mut self.state;
        let Some(expected) = state.next_end(rules).filter(|_| state.expected.is_some()) else {
            return;
        };
        state.expected = Some(expected);
        let is_over = match state.status {
            Status::Late => now < expected,
            Status::Down => {
                state.failures == 0 && state.runs.is_empty() && rules.misses(expected, now) == 0
            }
            _ => false,
        };
        if is_over {
            self.recover(now);
        }
    }

    /// From now on an alert is held for as long as the windows of now say. The time before has
    /// been judged by those of before: whoever changes them tells first that time has passed.
    pub fn change_windows(&mut self) {
        if let Some(held) = &mut self.state.held {
            held.since = self.now;
        }
    }

    /// Carries out, in order, what time alone does up to and including `until`.
    pub fn advance(&mut self, until: Millis) {
        while let Some((at, due)) = self.due(until) {
            match due {
                deadline::Due::Late => {
                    self.become_status_for(self.state.expected, Status::Late, at);
                }
                deadline::Due::Missed { expected, count } => {
                    self.become_status_for(Some(expected), Status::Down, at);
                    if count >= self.rules.miss_threshold {
                        self.alert_down(Reason::Missed { expected, count }, at);
                    }
                }
                deadline::Due::RunLimit { index } => self.run_overdue(index, at),
                deadline::Due::Release => self.release(at),
            }
        }
    }

    /// What time does next, where it does so up to and including `until` and need not wait.
    fn due(&self, until: Millis) -> Option<(Millis, deadline::Due)> {
        let is_due = |at: Millis| at <= until && !self.absence.holds(at, self.now);
        let next = deadline::next(self.rules, &self.state)
            .into_iter()
            .flatten();
        next.filter(|(at, _)| is_due(*at)).min_by_key(|(at, _)| *at)
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
            let reason = Reason::Overrunning { started };
            self.alert(Some(Status::Overrunning), reason, at);
        }
    }
}

/// Whether two runs have one id, or both none.
fn is_same_name(a: Option<&str>, b: Option<&str>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => is_same_run(a, b),
        (None, None) => true,
        _ => false,
    }
}
