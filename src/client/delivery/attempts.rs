//! The attempts to deliver one ping, as decisions: what to do after what came about, and when.
//!
//! Pure: what came about, the time and chance are passed in; sending, keeping and sleeping are
//! done by whoever asks.

use std::time::{Duration, Instant};

use super::pause;
use super::verdict::Verdict;
use crate::client::error::{Error, Kind};
use crate::client::render::milliseconds;

/// An attempt that the budget ends within so short a time says less of what is wrong than the
/// one before it.
const HURRIED: Duration = Duration::from_secs(1);

/// How much earlier than its time a budget may end, by its rounding.
const ROUNDING: Duration = Duration::from_millis(10);

/// How long one attempt may take. A server that accepts and stays silent must leave time for
/// another attempt within the usual budget of 30 s.
const ATTEMPT: Duration = Duration::from_secs(10);

/// The end of one attempt that begins now.
pub fn end_of_one(now: Instant, deadline: Instant) -> Instant {
    deadline.min(now + ATTEMPT).max(now)
}

/// What came about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing yet: there is a ping to deliver.
    Begun,
    /// The server has it.
    Delivered,
    /// It is not wanted, or can't be sent, now or later.
    Refused(Error),
    /// The server knows no check of the id, which was only remembered: the check may have another
    /// by now.
    Outdated(Error),
    /// It may be taken later.
    Later(Error),
    /// The check was looked up again.
    LookedUp,
    /// The ping was put into the spool, as far as that was possible.
    Kept,
    /// The pause is over.
    Waited,
}

impl Outcome {
    /// That of one attempt with an id that was only `remembered`, or not.
    pub fn of(verdict: Verdict, remembered: bool) -> Self {
        match verdict {
            Verdict::Delivered => Self::Delivered,
            Verdict::Later(error) => Self::Later(error),
            Verdict::Refused(error) if remembered && error.kind() == Kind::NotFound => {
                Self::Outdated(error)
            }
            Verdict::Refused(error) => Self::Refused(error),
        }
    }
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Send it.
    Try,
    /// Ask the API again what the check's id is.
    LookUp,
    /// Put it into the spool.
    Keep,
    /// Wait so long, for this reason.
    Wait(Duration, Error),
    /// Nothing: the server has it.
    Done,
    /// Nothing now, for this reason: what is in the spool stays there for another time.
    Unfinished(Error),
    /// Nothing, for this reason: it is delivered neither now nor later.
    Lost(Error),
}

/// What is asked next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Try,
    LookUp,
}

/// The attempts for one ping.
#[derive(Debug)]
pub struct Attempts {
    begun: Instant,
    deadline: Instant,
    step: Step,
    /// When that step was begun.
    step_begun: Instant,
    /// How many failed so far.
    failed: u32,
    /// A second look-up would find what the first one did.
    looked_again: bool,
    asked_to_keep: bool,
    /// What stands in the way, by the last attempt that had the time to find out.
    wrong: Option<Error>,
    /// Nothing more is tried.
    is_over: bool,
}

impl Attempts {
    /// Attempts that begin now and end at `deadline`.
    pub fn new(begun: Instant, deadline: Instant) -> Self {
        Self {
            begun,
            deadline,
            step: Step::Try,
            step_begun: begun,
            failed: 0,
            looked_again: false,
            asked_to_keep: false,
            wrong: None,
            is_over: false,
        }
    }

    /// What to do now that this came about. `chance` spreads the pauses.
    pub fn next(&mut self, outcome: Outcome, now: Instant, chance: u8) -> Action {
        match outcome {
            // Within however little time: else a budget of nothing would tell nothing.
            Outcome::Begun => self.begin(Step::Try, now),
            Outcome::Delivered => Action::Done,
            Outcome::Refused(error) if error.is_local() => {
                self.is_over = true;
                self.failed_for(error, now, chance)
            }
            Outcome::Refused(error) => Action::Lost(error),
            Outcome::Outdated(error) if self.looked_again => Action::Lost(error),
            Outcome::Outdated(error) if now < self.deadline => {
                // Where nobody can be asked, this is what was wrong.
                self.wrong = Some(error);
                self.begin(Step::LookUp, now)
            }
            Outcome::Outdated(error) | Outcome::Later(error) => {
                self.failed += 1;
                let error = match self.wrong.take() {
                    Some(before) if self.was_cut_short(now) => before,
                    _ => error,
                };
                self.failed_for(error, now, chance)
            }
            Outcome::LookedUp => {
                self.looked_again = true;
                self.step = Step::Try;
                if now < self.deadline {
                    return self.begin(Step::Try, now);
                }
                let late = "its check was found when there was no time left to tell of it";
                self.failed_for(Error::new(Kind::Network, late), now, chance)
            }
            Outcome::Kept => self.after_failure(now, chance),
            Outcome::Waited if now < self.deadline => self.begin(self.step, now),
            Outcome::Waited => self.give_up(now),
        }
    }

    fn begin(&mut self, step: Step, now: Instant) -> Action {
        self.step = step;
        self.step_begun = now;
        match step {
            Step::Try => Action::Try,
            Step::LookUp => Action::LookUp,
        }
    }

    /// Whether the last step had hardly any time, and ended with it.
    fn was_cut_short(&self, now: Instant) -> bool {
        let had = self.deadline.saturating_duration_since(self.step_begun);
        had < HURRIED && now + ROUNDING >= self.deadline
    }

    /// From the first failure on, the ping is in the spool: this process may be killed.
    fn failed_for(&mut self, error: Error, now: Instant, chance: u8) -> Action {
        self.wrong = Some(error);
        if std::mem::replace(&mut self.asked_to_keep, true) {
            self.after_failure(now, chance)
        } else {
            Action::Keep
        }
    }

    fn after_failure(&mut self, now: Instant, chance: u8) -> Action {
        let Some(error) = self.wrong.clone().filter(|_| !self.is_over) else {
            return self.give_up(now);
        };
        let pause = pause::after(self.failed, chance, error.asked_pause());
        if pause < self.deadline.saturating_duration_since(now) {
            Action::Wait(pause, error)
        } else {
            self.give_up(now)
        }
    }

    /// With how long it was tried: what the error says is of the last attempt.
    fn give_up(&self, now: Instant) -> Action {
        let error = self.wrong.clone().unwrap_or_else(|| {
            let nothing = "a ping was given up though nothing was wrong";
            Error::new(Kind::Defect, nothing)
        });
        if self.failed < 2 {
            return Action::Unfinished(error);
        }
        let took = now.saturating_duration_since(self.begun).as_millis();
        let took = milliseconds(u64::try_from(took).unwrap_or(u64::MAX));
        Action::Unfinished(error.and(&format!("; tried {} times in {took}", self.failed)))
    }
}

#[cfg(test)]
mod tests;
