//! What the writing thread does, over and over: it takes what waits, writes it, and then looks at
//! the clock, the deadlines and the history.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::{Connection, TransactionBehavior};
use uuid::Uuid;

use super::super::desk::Desk;
use super::super::live::{Live, Published};
use super::super::place::Place;
use super::super::presence::Presence;
use super::super::prune::Pruner;
use super::super::{Meters, PublicIds, StoreError, deliveries, probe};
use super::{Answer, Job, Message, Told};
use crate::server::bell::Bell;
use crate::server::clock;
use crate::server::complaint::complain_once;
use crate::server::engine::{Event, Millis};

/// How many jobs share a transaction at most.
const BATCH: usize = 512;

/// How many checks that fell due are served in one transaction at most.
const DUE_BATCH: usize = 1000;

/// Deadlines are acted upon this much late, milliseconds, so that a ping which arrived in time
/// and is still on its way through the queue is not overtaken by the end of its grace. What is
/// decided then is dated with the deadline itself.
const SLACK: Millis = 100;

/// The longest sleep: the wall clock may be set while we sleep, and deadlines are wall times.
const LONGEST_SLEEP: Duration = Duration::from_secs(5);

/// How long to leave a disk alone that has just refused a deadline's transaction.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// How long each job is undone by itself after one failed that was not to fail.
const CAREFUL: Duration = Duration::from_secs(60);

/// The writing thread, and what it knows.
pub(super) struct Thread {
    pub answers: mpsc::Sender<Told>,
    pub connection: Connection,
    pub messages: Receiver<Message>,
    pub live: Live,
    pub public_ids: PublicIds,
    pub public_url: String,
    pub alerted: Bell,
    pub meters: Arc<Meters>,
    pub place: Arc<Place>,
    pub presence: Presence,
    pub well: Arc<AtomicBool>,
    pub pruner: Option<Pruner>,
    /// Until when every job is undone by itself where it fails.
    pub careful_until: Option<Instant>,
    /// What the wall clock said when it was last looked at; [`Millis::MAX`] before the first time.
    pub last_look: Millis,
    /// When that was.
    pub looked: Instant,
}

impl Thread {
    pub fn run(&mut self) {
        let mut pause = Duration::ZERO;
        loop {
            let sleep = self.sleep().max(pause);
            let first = match self.messages.recv_timeout(sleep) {
                Ok(message) => Some(message),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let mut jobs = Vec::new();
            let mut stop = false;
            for message in first.into_iter().chain(self.messages.try_iter()) {
                match message {
                    Message::Write(job) => jobs.push(job),
                    Message::Keep(retention) => {
                        self.live.crowd = Some(Pruner::crowd(retention));
                        self.pruner = Some(Pruner::new(retention));
                    }
                    Message::Stop => stop = true,
                }
                if stop || jobs.len() == BATCH {
                    break;
                }
            }
            // First, so that a ping from just after the clock was set back is no old one.
            let looked = self.look_at_the_clock();
            if !jobs.is_empty() {
                self.batch(jobs);
            }
            if stop {
                self.presence.note(clock::now(), true);
                // What was written is safe in the log; this makes the one file whole, for
                // whoever copies it. Where it can't, the next start does it.
                let _ = self
                    .connection
                    .pragma_update(None, "wal_checkpoint", "truncate");
                return;
            }
            let served = looked.and_then(|()| self.try_to_return());
            pause = match served.and_then(|()| self.serve_deadlines()) {
                Ok(()) => Duration::ZERO,
                Err(_) => AFTER_FAILURE,
            };
            self.presence.note(clock::now(), false);
            if pause.is_zero() {
                self.prune();
            }
        }
    }

    /// Deletes a little of what is too old or too much, if it is time to.
    fn prune(&mut self) {
        let Some(mut pruner) = self.pruner.take() else {
            return;
        };
        pruner.look_at(self.live.take_crowded());
        if pruner.pause().is_zero() {
            let begun = Instant::now();
            let mut found = false;
            let result = self.transaction(|desk| {
                found = pruner.step(desk.connection, desk.now)?;
                Ok(())
            });
            pruner.done(begun, result.map(|()| found).map_err(drop));
        }
        self.pruner = Some(pruner);
    }

    /// How long nothing is due.
    fn sleep(&mut self) -> Duration {
        let longest = match &self.pruner {
            Some(pruner) => pruner.pause().min(LONGEST_SLEEP),
            None => LONGEST_SLEEP,
        };
        let Some(at) = self.live.deadlines.next() else {
            return longest;
        };
        let left = (at + SLACK - clock::now()).max(0);
        Duration::from_millis(left.unsigned_abs()).min(longest)
    }

    /// Runs `jobs` in one transaction, then answers them.
    fn batch(&mut self, jobs: Vec<Job>) {
        self.meters.batches.count(jobs.len() as f64);
        let careful = self
            .careful_until
            .is_some_and(|until| Instant::now() < until);
        let mut is_lost = false;
        let mut answers = Vec::with_capacity(jobs.len());
        let written = self.transaction(|desk| {
            for Job { work, may_fail } in jobs {
                let alone = may_fail || careful;
                if alone {
                    desk.connection
                        .prepare_cached("SAVEPOINT job")?
                        .execute([])?;
                }
                let (keep, answer) = work(desk);
                answers.push(answer);
                desk.live.end_job(keep);
                if !keep && !alone {
                    is_lost = true;
                    let why = "another request in the same transaction failed; try again";
                    return Err(StoreError::Unavailable(why.to_owned()));
                }
                // A full disk may have ended the whole transaction: then this fails too, and
                // with it the batch.
                if !keep {
                    desk.connection.execute_batch("ROLLBACK TO job")?;
                }
                if alone {
                    desk.connection.prepare_cached("RELEASE job")?.execute([])?;
                }
            }
            Ok(())
        });
        if is_lost {
            self.careful_until = Some(Instant::now() + CAREFUL);
        }
        // Jobs that were not even begun are dropped, which their senders see as unavailable.
        let failure = written.err().map(|error| error.to_string());
        let mut beside = Told::new();
        for answer in answers {
            match answer {
                Answer::Beside(tell) => beside.push((tell, failure.clone())),
                Answer::Now(tell) => tell(match &failure {
                    None => Ok(()),
                    Some(error) => Err(StoreError::Unavailable(error.clone())),
                }),
            }
        }
        if !beside.is_empty() {
            let _ = self.answers.send(beside);
        }
    }

    /// Where the wall clock was set back, tells the engine, for every check that would else wait
    /// until it has caught up, and brings forward what is to be sent again. What they have seen
    /// counts as of the last look, which no ping that is waiting now can have come before.
    fn look_at_the_clock(&mut self) -> Result<(), StoreError> {
        let (before, now) = (self.last_look, clock::now());
        let since = Millis::try_from(self.looked.elapsed().as_millis()).unwrap_or(Millis::MAX);
        if now < before {
            let back = if before == Millis::MAX {
                0
            } else {
                before - now
            };
            let last_look = now.saturating_sub(since);
            self.presence.set_back(now);
            self.live.absence = self.presence.absence;
            self.live.restore_deadlines();
            for rows in self.live.ahead_of(now).chunks(DUE_BATCH) {
                self.transaction_at(last_look, |desk| {
                    for &row in rows {
                        desk.apply(row, &Event::TimePassed, None)?;
                        desk.live.end_job(true);
                    }
                    Ok(())
                })?;
            }
            self.transaction(|desk| {
                deliveries::bring_forward(desk.connection, now, back)?;
                desk.wake_dispatcher();
                Ok(())
            })?;
        }
        (self.last_look, self.looked) = (now, Instant::now());
        Ok(())
    }

    /// Where the last write failed, tries one: no deadline is acted upon while pings can't be
    /// taken.
    fn try_to_return(&mut self) -> Result<(), StoreError> {
        if self.presence.is_away() {
            self.transaction(|desk| probe(desk.connection))?;
        }
        Ok(())
    }

    /// Tells the engine that time has passed, for every check that is due.
    fn serve_deadlines(&mut self) -> Result<(), StoreError> {
        let due = self
            .live
            .deadlines
            .take_due(clock::now() - SLACK, DUE_BATCH);
        if due.is_empty() {
            return Ok(());
        }
        let deadlines: Vec<Millis> = due
            .iter()
            .filter_map(|&row| self.live.deadline(row))
            .collect();
        let result = self.transaction(|desk| {
            for &row in &due {
                desk.apply(row, &Event::TimePassed, None)?;
                desk.live.end_job(true);
            }
            Ok(())
        });
        let now = clock::now();
        for at in deadlines {
            self.meters.lag.count((now - at).max(0) as f64 / 1e3);
        }
        // Also where nothing changed: the clock may have jumped back since it was due.
        for &row in &due {
            self.live.restore_deadline(row);
        }
        result
    }

    fn transaction(
        &mut self,
        work: impl FnOnce(&mut Desk<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.transaction_at(clock::now(), work)
    }

    fn transaction_at(
        &mut self,
        now: Millis,
        work: impl FnOnce(&mut Desk<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut alerts = false;
        self.live.absence = self.presence.if_back(now);
        let (live, public_url) = (&mut self.live, &self.public_url);
        let begun = Instant::now();
        let connection = &mut self.connection;
        let before = connection.total_changes();
        let result = self
            .place
            .check()
            .and_then(
                |()| Ok(connection.transaction_with_behavior(TransactionBehavior::Immediate)?),
            )
            .and_then(|transaction| {
                work(&mut Desk {
                    connection: &transaction,
                    now,
                    public_url,
                    live,
                    alerts: &mut alerts,
                })?;
                Ok(transaction.commit()?)
            });
        self.well.store(result.is_ok(), Ordering::Relaxed);
        match &result {
            Ok(()) => {
                self.meters.commits.count(begun.elapsed().as_secs_f64());
                self.publish();
                // What wrote nothing has not tried the disk.
                let has_written = self.connection.total_changes() > before;
                if (has_written || !self.presence.is_away()) && self.presence.found(now) {
                    self.live.restore_deadlines();
                }
                if alerts {
                    self.alerted.ring();
                }
            }
            Err(error) => {
                complain_once(error);
                self.live.roll_back();
                self.presence.lost(self.last_look.min(now));
            }
        }
        result
    }

    /// Makes the batch count for everyone.
    pub fn publish(&mut self) {
        let Published { there, gone } = self.live.commit(&self.meters);
        let nothing_new = |ids: &HashMap<Uuid, i64>| {
            gone.is_empty() && there.iter().all(|(id, _)| ids.contains_key(id))
        };
        // Almost always nothing is new, and those who take pings need not wait.
        if nothing_new(
            &self
                .public_ids
                .read()
                .unwrap_or_else(PoisonError::into_inner),
        ) {
            return;
        }
        let mut ids = self
            .public_ids
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        ids.extend(there);
        for id in gone {
            ids.remove(&id);
        }
    }
}
