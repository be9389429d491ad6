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

/// Whether these name one run: byte for byte, but a UUID in any case.
fn same(a: Option<&str>, b: Option<&str>) -> bool {
    let uuid = |id: &str| id.len() == 36 && uuid::Uuid::parse_str(id).is_ok();
    match (a, b) {
        (Some(a), Some(b)) if uuid(a) => a.to_lowercase() == b.to_lowercase(),
        _ => a == b,
    }
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
    /// From when it was down last, and until when what fell due meanwhile waits.
    fell_asleep: i64,
    patient_until: i64,
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
    /// The ends that came with a name, and when they were.
    heard: Vec<(String, i64)>,
    /// As what people should know it, and as what they do.
    truth: Option<Status>,
    told: Option<Status>,
    news: Event,
    holding: bool,
    held_at: i64,
    pub alerts: Vec<(Event, i64)>,
}

impl Model {
    pub fn new(decided: Decided, now: i64) -> Self {
        Self {
            decided,
            windows: Vec::new(),
            seen: now,
            asleep: now,
            fell_asleep: now,
            patient_until: now,
            status: Status::New,
            since: now,
            expected: None,
            last_end: None,
            began: None,
            resumed: None,
            failures: 0,
            open: Vec::new(),
            over: Vec::new(),
            heard: Vec::new(),
            truth: None,
            told: None,
            news: Event::Up,
            holding: false,
            held_at: now,
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

    /// The server is down from `now` until `until`. What falls due meanwhile waits as long again
    /// then, a minute at most.
    pub fn sleep(&mut self, now: i64, until: i64) {
        self.fell_asleep = now;
        self.patient_until = until + (until - now).min(60_000);
        self.asleep = until;
    }

    /// Whether what fell due at this moment is still waited with at `now`.
    fn waits(&self, due: i64, now: i64) -> bool {
        self.fell_asleep < due && due < self.asleep && now < self.patient_until
    }

    /// When the peace ends in which the news is held.
    fn end_of_peace(&self) -> i64 {
        let mut end = self.held_at;
        let covers = |(_, start, until): &&(u32, i64, i64), at| *start <= at && at < *until;
        while let Some((.., later)) = self.windows.iter().find(|window| covers(window, end)) {
            end = *later;
        }
        end
    }

    /// When something falls due, or fell, that nothing was made of yet.
    fn unjudged(&self) -> Vec<i64> {
        let decided = &self.decided;
        let running: Vec<i64> = self
            .open
            .iter()
            .filter(|run| !run.lost)
            .map(|run| decided.limit(run.started))
            .collect();
        match (running.is_empty(), self.expected, self.status) {
            (true, Some(expected), Status::Up) => vec![expected],
            (true, Some(expected), Status::Late) => vec![expected + decided.grace],
            (true, Some(expected), Status::Down) if self.truth != Some(Status::Down) => {
                let last = (1..decided.misses).fold(expected, |due, _| decided.next(due));
                vec![last + decided.grace]
            }
            _ => running,
        }
    }

    /// Looks at every moment up to `now` at which something could have changed.
    pub fn until(&mut self, now: i64) {
        self.go(now, i64::MIN);
    }

    /// The same, and what fell due before `now` and waits no longer is found out: a server that
    /// was away once more forgets what it would have waited for.
    fn catch_up(&mut self, now: i64) {
        self.until(now);
        self.look(now, now);
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
        moments.push(self.patient_until);
        moments
    }

    /// What is true at `now`, of which nothing was known before `known`.
    fn look(&mut self, now: i64, known: i64) {
        let known = known.max(now).max(self.asleep);
        // Held news is let go of as of the end of the peace, and what came true since is newer.
        let end = self.end_of_peace();
        if self.holding && end <= now && !self.in_peace(now) && !self.waits(end, known) {
            self.judge(end, known);
            if self.in_peace(known) {
                self.held_at = known;
            } else {
                self.holding = false;
                self.tell(end, known);
            }
        }
        self.judge(now, known);
    }

    fn judge(&mut self, now: i64, known: i64) {
        // What waits is judged before what fell due after it.
        let waiting = self.unjudged().into_iter();
        let first = waiting.filter(|due| self.waits(*due, known)).min();
        let until = now.min(first.map_or(now, |first| first - 1));
        for index in 0..self.open.len() {
            let limit = self.decided.limit(self.open[index].started);
            if self.open[index].lost || limit > until {
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
            let grace = self.decided.grace;
            let is_over = |due: i64| due <= now && !self.waits(due, known);
            let (late, missed) = (is_over(expected), is_over(expected + grace));
            let enough = self.decided.misses;
            let last = (1..enough).fold(expected, |due, _| self.decided.next(due)) + grace;
            let is_enough = is_over(last);
            if self.status == Status::Up && late {
                self.become_(Status::Late, expected);
            }
            if self.status == Status::Late && missed {
                self.become_(Status::Down, expected + grace);
            }
            if self.status == Status::Down && is_enough {
                self.should_know_down(Event::Down, last, known);
            }
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
            if !self.holding {
                self.held_at = at.max(known);
            }
            self.holding = true;
            return;
        }
        self.told = self.truth;
        self.alerts.push((self.news, at));
    }

    pub fn ping(&mut self, kind: Kind, at: i64, id: Option<&str>, now: i64) {
        let at = at.min(now);
        self.until(at);
        self.look(at, now);
        self.apply(kind, at, id, now);
        self.look(at.max(self.seen), now);
        self.go(now, now);
        self.look(now, now);
    }

    fn apply(&mut self, kind: Kind, at: i64, id: Option<&str>, now: i64) {
        let ends = matches!(kind, Kind::Success | Kind::Fail);
        if let (true, Some(id)) = (ends, id) {
            self.heard.push((id.to_owned(), at));
        }
        if self.status == Status::Paused || self.resumed.is_some_and(|resumed| at < resumed) {
            if ends {
                self.last_end = self.last_end.max(Some(at));
            }
            return;
        }
        if kind == Kind::Start {
            let limit = self.decided.limit(at);
            let stale = match id {
                Some(id) => {
                    self.is_remembered(id)
                        || self.has_heard_the_end(id, at)
                        || self.last_end.is_some_and(|end| limit < end)
                }
                None => self.last_end.is_some_and(|end| at < end),
            };
            // One run has one id, and all those without have none between them: a second start
            // is that of the one run, whichever came first.
            let same = |run: &Open| same(run.id.as_deref(), id);
            let superseded = self.open.iter().any(|run| same(run) && at <= run.started);
            if !stale && !superseded {
                self.open.retain(|run| !same(run));
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
        let mine = match id {
            Some(_) => {
                let mine = |run: &Open| same(run.id.as_deref(), id);
                self.open.iter().position(mine)
            }
            // The newest that had started by then.
            None => self.open.iter().rposition(|run| run.started <= at),
        };
        let ended = mine.map(|index| self.open.remove(index));
        if let (None, Some(newest)) = (id, &ended) {
            let older = |run: &Open| run.id.is_none() && run.started <= newest.started;
            self.open.retain(|run| !older(run));
        }
        let named = ended.as_ref().and_then(|run| run.id.as_deref()).or(id);
        let new = named.filter(|id| !self.is_remembered(id));
        let new = new.map(str::to_owned);
        self.over.extend(new);
        // A ping may seem to come before the start of its own run.
        let began = ended.map(|run| run.started);
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

    /// Whether the run is one of the last that ended: an end without a name ends a run with one.
    fn is_remembered(&self, id: &str) -> bool {
        let over = |over: &String| same(Some(over), Some(id));
        self.over.iter().rev().take(16).any(over)
    }

    /// Whether an end of that name was heard of that belongs to a start at this time: some
    /// seconds early at most, as a start may be long on its way.
    fn has_heard_the_end(&self, id: &str, start: i64) -> bool {
        let is_it = |(end, at): &(String, i64)| same(Some(end), Some(id)) && *at >= start - 10_000;
        self.heard.iter().any(is_it)
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
        self.catch_up(now);
        self.become_(Status::Paused, now);
        self.expected = None;
        self.failures = 0;
        self.open.clear();
        (self.truth, self.told, self.holding) = (None, None, false);
    }

    pub fn resume(&mut self, now: i64) {
        self.catch_up(now);
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
        self.catch_up(now);
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
        self.catch_up(now);
        match times {
            Some((start, end)) => self.windows.push((id, start, end)),
            None => self.windows.retain(|(planned, ..)| *planned != id),
        }
        if self.holding {
            self.held_at = now;
        }
        if self.holding && !self.in_peace(now) {
            self.holding = false;
            self.tell(now, now);
        }
    }
}
