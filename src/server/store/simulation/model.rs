//! What a check must do, said a second time: a slow and obvious model to hold the engine
//! against. It shares nothing with it but the cron library.
//!
//! It looks at a check at every moment at which anything could have changed, and asks what is
//! true then. Whoever knows the engine finds no deadlines, no effects and no held alerts here:
//! what people should know is compared with what they were told whenever nobody must be left
//! in peace.

use crate::schedule::cron::Cron;
use crate::wire::webhook::Event;
use crate::wire::{Kind, Status};

/// When a check is expected.
#[derive(Debug, Clone)]
pub enum Timing {
    Every(i64),
    Cron(Box<Cron>),
}

/// What a person decided; milliseconds.
#[derive(Debug, Clone)]
pub struct Decided {
    pub timing: Timing,
    pub grace: i64,
    pub max_runtime: Option<i64>,
    pub misses: u32,
    pub failures: u32,
}

impl Decided {
    pub fn next(&self, moment: i64) -> i64 {
        match &self.timing {
            Timing::Every(period) => moment + period,
            Timing::Cron(cron) => cron.next_after(moment).unwrap(),
        }
    }

    /// The occurrence that comes after a run, with two exceptions: that of the run itself,
    /// where its host's clock is a little fast, is not expected again, and there is no fast
    /// clock where occurrences are close.
    fn next_after_run(&self, began: i64, ended: i64) -> i64 {
        let next = self.next(ended);
        let Timing::Cron(cron) = &self.timing else {
            return next;
        };
        let fast = next - began;
        if fast > 60_000 || fast > self.grace {
            return next;
        }
        // From far enough back, one by one, to the one before.
        let (mut before, mut walk) = (None, next - 601_000);
        while let Some(at) = cron.next_after(walk).filter(|at| *at < next) {
            (before, walk) = (Some(at), at);
        }
        let after = cron.next_after(next).unwrap();
        let close = |gap: i64| gap < 10 * fast;
        if before.is_some_and(|before| close(next - before)) || close(after - next) {
            return next;
        }
        after
    }

    fn limit(&self, started: i64) -> i64 {
        match self.max_runtime {
            Some(max) => started + max,
            None => self.next(started) + self.grace,
        }
    }
}

#[derive(Debug, Clone)]
struct Open {
    id: Option<String>,
    started: i64,
    lost: bool,
}

/// A check as it must be.
#[derive(Debug)]
pub struct Model {
    decided: Decided,
    windows: Vec<(u32, i64, i64)>,
    /// Up to when everything was looked at.
    seen: i64,
    /// Until when the server was down: nothing is found out before.
    asleep: i64,
    pub status: Status,
    since: i64,
    pub expected: Option<i64>,
    last_end: Option<i64>,
    /// When the run began that ended last; none where nothing ended since it was resumed.
    began: Option<i64>,
    resumed: Option<i64>,
    pub failures: u32,
    open: Vec<Open>,
    over: Vec<String>,
    /// As what people should know it, and as what they do.
    truth: Option<Status>,
    told: Option<Status>,
    news: Event,
    holding: bool,
    pub alerts: Vec<(Event, i64)>,
}

impl Model {
    pub fn new(decided: Decided, now: i64) -> Self {
        Self {
            decided,
            windows: Vec::new(),
            seen: now,
            asleep: now,
            status: Status::New,
            since: now,
            expected: None,
            last_end: None,
            began: None,
            resumed: None,
            failures: 0,
            open: Vec::new(),
            over: Vec::new(),
            truth: None,
            told: None,
            news: Event::Up,
            holding: false,
            alerts: Vec::new(),
        }
    }

    pub fn in_peace(&self, moment: i64) -> bool {
        self.windows
            .iter()
            .any(|(_, start, end)| *start <= moment && moment < *end)
    }

    /// How many expected pings are missing, counted one by one.
    pub fn missing(&self, expected: i64, now: i64, most: u32) -> u32 {
        let (mut count, mut due) = (0, expected);
        while count < most && due + self.decided.grace <= now {
            count += 1;
            due = self.decided.next(due);
        }
        count
    }

    pub fn sleep(&mut self, until: i64) {
        self.asleep = until;
    }

    /// Looks at every moment up to `now` at which something could have changed.
    pub fn until(&mut self, now: i64) {
        self.go(now, i64::MIN);
    }

    fn go(&mut self, now: i64, known: i64) {
        loop {
            let next = self.moments().into_iter();
            let next = next.filter(|at| self.seen < *at && *at <= now).min();
            let Some(at) = next else { break };
            self.look(at, known);
            self.seen = at;
        }
        self.seen = self.seen.max(now);
    }

    fn moments(&self) -> Vec<i64> {
        let mut moments = Vec::new();
        for run in &self.open {
            moments.push(self.decided.limit(run.started));
        }
        if let Some(expected) = self.expected {
            moments.push(expected);
            let mut due = expected;
            for _ in 0..self.decided.misses {
                moments.push(due + self.decided.grace);
                due = self.decided.next(due);
            }
        }
        for (_, start, end) in &self.windows {
            moments.extend([*start, *end]);
        }
        moments
    }

    /// What is true at `now`, of which nothing was known before `known`.
    fn look(&mut self, now: i64, known: i64) {
        let known = known.max(now).max(self.asleep);
        for index in 0..self.open.len() {
            let limit = self.decided.limit(self.open[index].started);
            if self.open[index].lost || limit > now {
                continue;
            }
            self.open[index].lost = true;
            if self.decided.max_runtime.is_none() {
                self.become_(Status::Down, limit);
                self.should_know_down(Event::Down, limit, known);
            } else if self.status != Status::Down && self.truth.is_none() {
                self.become_(Status::Overrunning, limit);
                self.truth = Some(Status::Overrunning);
                self.news = Event::RunningLong;
                self.tell(limit, known);
            }
        }
        let busy = self.open.iter().any(|run| !run.lost);
        if let (false, Some(expected)) = (busy, self.expected) {
            if self.status == Status::Up && expected <= now {
                self.become_(Status::Late, expected);
            }
            if self.status == Status::Late && expected + self.decided.grace <= now {
                self.become_(Status::Down, expected + self.decided.grace);
            }
            let enough = self.decided.misses;
            if self.status == Status::Down && self.missing(expected, now, enough) == enough {
                let due = (1..enough).fold(expected, |due, _| self.decided.next(due));
                self.should_know_down(Event::Down, due + self.decided.grace, known);
            }
        }
        if self.holding && !self.in_peace(now) && !self.in_peace(known) {
            self.holding = false;
            self.tell(now, known);
        }
    }

    fn become_(&mut self, status: Status, at: i64) {
        if self.status != status {
            self.status = status;
            self.since = self.since.max(at);
        }
    }

    fn should_know_down(&mut self, news: Event, at: i64, known: i64) {
        if self.truth != Some(Status::Down) {
            self.truth = Some(Status::Down);
            self.news = news;
            self.tell(at, known);
        }
    }

    fn tell(&mut self, at: i64, known: i64) {
        if self.truth == self.told && !self.holding && !self.in_peace(at.max(known)) {
            return;
        }
        if self.holding || self.in_peace(at.max(known)) {
            self.holding = true;
            return;
        }
        self.told = self.truth;
        self.alerts.push((self.news, at));
    }

    pub fn ping(&mut self, kind: Kind, at: i64, id: Option<&str>, now: i64) {
        let at = at.min(now);
        self.until(at);
        self.apply(kind, at, id, now);
        self.look(at.max(self.seen), now);
        self.go(now, now);
        self.look(now, now);
    }

    fn apply(&mut self, kind: Kind, at: i64, id: Option<&str>, now: i64) {
        let ends = matches!(kind, Kind::Success | Kind::Fail);
        if self.status == Status::Paused || self.resumed.is_some_and(|resumed| at < resumed) {
            if ends {
                self.last_end = self.last_end.max(Some(at));
            }
            return;
        }
        if kind == Kind::Start {
            let known = |id: &str| {
                self.is_remembered(id) || self.open.iter().any(|run| run.id.as_deref() == Some(id))
            };
            let limit = self.decided.limit(at);
            let stale = match id {
                Some(id) => known(id) || self.last_end.is_some_and(|end| limit < end),
                None => self.last_end.is_some_and(|end| at < end),
            };
            if !stale {
                self.open.push(Open {
                    id: id.map(str::to_owned),
                    started: at,
                    lost: false,
                });
                self.open.sort_by_key(|run| run.started);
                if self.status == Status::Late {
                    self.become_(Status::Up, at);
                }
            }
        }
        if !ends {
            return;
        }
        let mine = (0..self.open.len()).rev().find(|&index| {
            let run = &self.open[index];
            match id {
                Some(id) => run.id.as_deref() == Some(id),
                None => run.id.is_none() && run.started <= at,
            }
        });
        let new = id.filter(|id| !self.is_remembered(id));
        self.over.extend(new.map(str::to_owned));
        // A ping may seem to come before the start of its own run.
        let began = mine.map(|index| self.open.remove(index).started);
        let at = at.max(began.unwrap_or(at));
        let began = began.unwrap_or(at);
        if self.last_end.is_some_and(|end| at < end) {
            return;
        }
        self.last_end = Some(at);
        self.began = Some(began);
        let expected = self.decided.next_after_run(began, at);
        self.expected = Some(expected);
        if kind == Kind::Fail {
            self.failures += 1;
            self.become_(Status::Down, at);
            if self.failures >= self.decided.failures {
                self.should_know_down(Event::Failed, at, now);
            }
        } else if self.status != Status::Down || self.missing(expected, now, 1) == 0 {
            self.failures = 0;
            self.open.retain(|run| !run.lost);
            self.well_again(at, now);
        }
    }

    /// Whether the run is one of the last that ended. A start that comes later than so many
    /// other runs is taken for one of a run that goes on.
    fn is_remembered(&self, id: &str) -> bool {
        self.over.iter().rev().take(16).any(|over| over == id)
    }

    fn well_again(&mut self, at: i64, now: i64) {
        let trouble = self.since;
        self.become_(Status::Up, at);
        if self.truth.take().is_some() {
            self.news = Event::Up;
            self.tell(at.max(trouble), now);
        }
    }

    pub fn pause(&mut self, now: i64) {
        self.until(now);
        self.become_(Status::Paused, now);
        self.expected = None;
        self.failures = 0;
        self.open.clear();
        (self.truth, self.told, self.holding) = (None, None, false);
    }

    pub fn resume(&mut self, now: i64) {
        self.until(now);
        if self.status != Status::Paused {
            return;
        }
        self.resumed = Some(now);
        self.began = None;
        if self.last_end.is_some() {
            self.become_(Status::Up, now);
            self.expected = Some(self.decided.next(now));
        } else {
            self.become_(Status::New, now);
        }
    }

    pub fn decide(&mut self, decided: Decided, now: i64) {
        self.until(now);
        self.decided = decided;
        if let (Some(base), Some(_)) = (self.last_end.max(self.resumed), self.expected) {
            let expected = match self.began {
                Some(began) => self.decided.next_after_run(began, base),
                None => self.decided.next(base),
            };
            self.expected = Some(expected);
            let no_trouble = self.failures == 0 && self.open.is_empty();
            if (self.status == Status::Late && now < expected)
                || (self.status == Status::Down
                    && no_trouble
                    && self.missing(expected, now, 1) == 0)
            {
                self.well_again(now, now);
            }
        }
        self.look(now, now);
    }

    /// Plans a window, or calls it off where it has no times.
    pub fn window(&mut self, id: u32, times: Option<(i64, i64)>, now: i64) {
        self.until(now);
        match times {
            Some((start, end)) => self.windows.push((id, start, end)),
            None => self.windows.retain(|(planned, ..)| *planned != id),
        }
        if self.holding && !self.in_peace(now) {
            self.holding = false;
            self.tell(now, now);
        }
    }
}
