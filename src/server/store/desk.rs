//! What a job of the writer works with: the open transaction and the checks in memory. Here the
//! engine's decisions become rows.

use rusqlite::Connection;

use super::super::clock;
use super::super::engine::{self, Effect, Event, Millis, Reason, Rules, Windows};
use super::live::{Live, LiveCheck};
use super::{StoreError, checks, events, outbox, pings};
use crate::wire::{Kind, Status};

/// What a job works with: the open transaction and the checks in memory, and the time that
/// counts for all of its batch.
pub struct Desk<'a> {
    /// Statements run here are part of the job.
    pub connection: &'a Connection,
    /// Now, for everything in this batch.
    pub now: Millis,
    pub(super) public_url: &'a str,
    pub(super) live: &'a mut Live,
    /// Set where an alert was added.
    pub(super) alerts: &'a mut bool,
}

/// Runs `job` within the transaction `connection`, at a desk where no check is known: for jobs
/// that are about accounts.
pub(super) fn at_a_desk_without_checks<T>(
    connection: &Connection,
    job: impl FnOnce(&mut Desk<'_>) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    job(&mut Desk {
        connection,
        now: clock::now(),
        public_url: "",
        live: &mut Live::default(),
        alerts: &mut false,
    })
}

impl Desk<'_> {
    /// Whether the history is to be asked for the end of a run: [`engine::State::must_look_for_end`].
    pub fn must_look_for_end(&self, row: i64, kind: Kind, at: Millis) -> bool {
        let check = self.live.get(row);
        check.is_some_and(|check| check.state.must_look_for_end(kind, at))
    }

    /// Lets the engine decide what `event` means for the check in `row`, and writes what
    /// follows, alerts included. `output` is what a failed run printed. Where the event ended
    /// a run whose duration is known, gives when it ended and that duration.
    ///
    /// # Errors
    /// [`StoreError::Gone`] where there is no such check; else as SQLite says.
    pub fn apply(
        &mut self,
        row: i64,
        event: &Event,
        output: Option<&[u8]>,
    ) -> Result<Option<(Millis, Millis)>, StoreError> {
        if matches!(event, Event::Signal(_)) {
            self.live.count_ping(row);
        }
        let check = self.live.get(row).ok_or(StoreError::Gone)?;
        let absence = &self.live.absence;
        let (state, effects) =
            engine::step_after(absence, &check.rules, &check.state, event, self.now);
        let (before, after) = (check.state.expected, state.expected);
        let is_failure = matches!(event, Event::Signal(signal) if signal.kind == Kind::Fail);
        let mut finished = None;
        for effect in &effects {
            match effect {
                Effect::Alert { reason, at, held } => {
                    // The run that failed came with another ping than the one of now.
                    let earlier = match reason {
                        Reason::Failed { .. } if *held => {
                            pings::last_failure_output(self.connection, row)?
                        }
                        _ => None,
                    };
                    let output = if *held { earlier.as_deref() } else { output };
                    *self.alerts |=
                        outbox::add(self.connection, self.public_url, row, reason, *at, output)?;
                }
                Effect::Finished { at, after } => finished = Some((*at, *after)),
                Effect::Changed { .. } => {}
            }
            let expected = match effect {
                Effect::Changed {
                    to: Status::Up | Status::New,
                    ..
                } => after,
                // A ping first lets time do its work, and again after it.
                Effect::Changed { missed, .. } if missed.is_some() => *missed,
                // It was not silence that brought it down, but a run that never finished.
                Effect::Changed {
                    to: Status::Down, ..
                } if !is_failure => None,
                _ => before,
            };
            events::record(self.connection, row, event, effect, expected, self.now)?;
        }
        if state == check.state {
            return Ok(finished);
        }
        checks::save_state(self.connection, row, &state)?;
        let check = LiveCheck {
            state,
            ..check.clone()
        };
        self.live.set(row, check);
        Ok(finished)
    }

    /// Has the dispatcher look at the outbox once this is on disk.
    pub(super) fn wake_dispatcher(&mut self) {
        *self.alerts = true;
    }

    /// Whether there is such a check.
    pub(super) fn has_check(&self, row: i64) -> bool {
        self.live.get(row).is_some()
    }

    pub(super) fn add_check(&mut self, row: i64, check: LiveCheck) {
        self.live.set(row, check);
    }

    pub(super) fn remove_check(&mut self, row: i64) {
        self.live.remove(row);
    }

    /// Gives the check in `row` other rules, but its maintenance windows; the time until now is
    /// judged by those of before.
    pub(super) fn change_rules(&mut self, row: i64, rules: Rules) -> Result<(), StoreError> {
        self.rule_otherwise(row, &Event::RulesChanged, |old| Rules {
            windows: old.windows.clone(),
            ..rules
        })
    }

    /// Gives the check in `row` other maintenance windows, as [`Desk::change_rules`] does rules.
    pub(super) fn change_windows(&mut self, row: i64, windows: Windows) -> Result<(), StoreError> {
        self.rule_otherwise(row, &Event::WindowsChanged, |old| Rules {
            windows,
            ..old.clone()
        })
    }

    fn rule_otherwise(
        &mut self,
        row: i64,
        event: &Event,
        change: impl FnOnce(&Rules) -> Rules,
    ) -> Result<(), StoreError> {
        self.apply(row, &Event::TimePassed, None)?;
        let check = self.live.get(row).ok_or(StoreError::Gone)?;
        let check = LiveCheck {
            rules: change(&check.rules),
            ..check.clone()
        };
        self.live.set(row, check);
        self.apply(row, event, None)?;
        Ok(())
    }
}
