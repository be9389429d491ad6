//! The one thread that writes: it takes what others hand it, writes a batch in one
//! transaction, and only then are those others answered. The cost of the sync is shared.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::{Connection, TransactionBehavior};
use uuid::Uuid;

use super::super::bell::Bell;
use super::super::clock;
use super::super::engine::{self, Effect, Event, Millis, Rules};
use super::live::{Live, LiveCheck, Published};
use super::{PublicIds, StoreError, checks, outbox};

/// How many jobs may wait before those who bring more have to.
const QUEUE: usize = 4096;

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

type Answer = Box<dyn FnOnce(Result<(), StoreError>) + Send>;
type Job = Box<dyn FnOnce(&mut Desk<'_>) -> (bool, Answer) + Send>;

/// What comes to the writing thread.
enum Message {
    Write(Job),
    /// Write what came before this, then end.
    Stop,
}

/// The handle to the writing thread.
pub(super) struct Writer {
    queue: SyncSender<Message>,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// Whether the last transaction got onto the disk.
    well: Arc<AtomicBool>,
}

impl Writer {
    /// Loads all checks and starts the thread.
    pub fn start(
        connection: Connection,
        public_ids: PublicIds,
        public_url: String,
        alerted: Bell,
    ) -> Result<Self, StoreError> {
        let mut live = Live::default();
        for (row, check) in checks::load_live(&connection)? {
            live.set(row, check);
        }
        live.end_job(true);
        let well = Arc::new(AtomicBool::new(true));
        let (queue, messages) = mpsc::sync_channel(QUEUE);
        let mut thread = Thread {
            connection,
            messages,
            live,
            public_ids,
            public_url,
            alerted,
            well: Arc::clone(&well),
        };
        thread.publish();
        let thread = std::thread::Builder::new()
            .name("store writer".to_owned())
            .spawn(move || thread.run())
            .map_err(|error| StoreError::Unavailable(error.to_string()))?;
        Ok(Self {
            queue,
            thread: Mutex::new(Some(thread)),
            well,
        })
    }

    pub fn run<T, F>(&self, job: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Desk<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        let ended = || {
            StoreError::Unavailable("the server is stopping, or its disk is in trouble".to_owned())
        };
        let (answer, wait) = mpsc::sync_channel(1);
        let job: Job = Box::new(move |desk| {
            let result = job(desk);
            let keep = result.is_ok();
            let tell: Answer = Box::new(move |written| {
                let _ = answer.send(written.and(result));
            });
            (keep, tell)
        });
        self.queue.send(Message::Write(job)).map_err(|_| ended())?;
        wait.recv().map_err(|_| ended())?
    }

    /// Whether the last transaction got onto the disk.
    pub fn is_well(&self) -> bool {
        self.well.load(Ordering::Relaxed)
    }

    /// Ends the thread once it has written what was handed to it before.
    pub fn stop(&self) {
        let _ = self.queue.send(Message::Stop);
        let thread = self
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }
}

/// What a job works with: the open transaction and the checks in memory, and the time that
/// counts for all of its batch.
pub struct Desk<'a> {
    /// Statements run here are part of the job.
    pub connection: &'a Connection,
    /// Now, for everything in this batch.
    pub now: Millis,
    public_url: &'a str,
    live: &'a mut Live,
    alerts: &'a mut bool,
}

impl Desk<'_> {
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
        let check = self.live.get(row).ok_or(StoreError::Gone)?;
        let (state, effects) = engine::step(&check.rules, &check.state, event, self.now);
        let mut finished = None;
        for effect in &effects {
            match effect {
                Effect::Alert { reason, at } => {
                    *self.alerts |=
                        outbox::add(self.connection, self.public_url, row, reason, *at, output)?;
                }
                Effect::Finished { at, after } => finished = Some((*at, *after)),
                Effect::Changed { .. } => {}
            }
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

    pub(super) fn add_check(&mut self, row: i64, check: LiveCheck) {
        self.live.set(row, check);
    }

    pub(super) fn remove_check(&mut self, row: i64) {
        self.live.remove(row);
    }

    /// Gives the check in `row` other rules; the time until now is judged by those of before.
    pub(super) fn change_rules(&mut self, row: i64, rules: Rules) -> Result<(), StoreError> {
        self.apply(row, &Event::TimePassed, None)?;
        let check = self.live.get(row).ok_or(StoreError::Gone)?;
        let check = LiveCheck {
            rules,
            ..check.clone()
        };
        self.live.set(row, check);
        self.apply(row, &Event::RulesChanged, None)?;
        Ok(())
    }
}

struct Thread {
    connection: Connection,
    messages: Receiver<Message>,
    live: Live,
    public_ids: PublicIds,
    public_url: String,
    alerted: Bell,
    well: Arc<AtomicBool>,
}

impl Thread {
    fn run(&mut self) {
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
                    Message::Stop => stop = true,
                }
                if stop || jobs.len() == BATCH {
                    break;
                }
            }
            if !jobs.is_empty() {
                self.batch(jobs);
            }
            if stop {
                // What was written is safe in the log; this makes the one file whole, for
                // whoever copies it. Where it can't, the next start does it.
                let _ = self
                    .connection
                    .pragma_update(None, "wal_checkpoint", "truncate");
                return;
            }
            pause = match self.serve_deadlines() {
                Ok(()) => Duration::ZERO,
                Err(_) => AFTER_FAILURE,
            };
        }
    }

    /// How long nothing is due.
    fn sleep(&mut self) -> Duration {
        let Some(at) = self.live.deadlines.next() else {
            return LONGEST_SLEEP;
        };
        let left = (at + SLACK - clock::now()).max(0);
        Duration::from_millis(left.unsigned_abs()).min(LONGEST_SLEEP)
    }

    /// Runs `jobs` in one transaction, then answers them.
    fn batch(&mut self, jobs: Vec<Job>) {
        let mut answers = Vec::with_capacity(jobs.len());
        let written = self.transaction(|desk| {
            for job in jobs {
                desk.connection.execute_batch("SAVEPOINT job")?;
                let (keep, answer) = job(desk);
                answers.push(answer);
                desk.live.end_job(keep);
                // A full disk may have ended the whole transaction: then this fails too, and
                // with it the batch.
                desk.connection.execute_batch(if keep {
                    "RELEASE job"
                } else {
                    "ROLLBACK TO job; RELEASE job"
                })?;
            }
            Ok(())
        });
        // Jobs that were not even begun are dropped, which their senders see as unavailable.
        for answer in answers {
            answer(match &written {
                Ok(()) => Ok(()),
                Err(error) => Err(StoreError::Unavailable(error.to_string())),
            });
        }
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
        let result = self.transaction(|desk| {
            for &row in &due {
                desk.apply(row, &Event::TimePassed, None)?;
                desk.live.end_job(true);
            }
            Ok(())
        });
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
        let mut alerts = false;
        let (live, public_url) = (&mut self.live, &self.public_url);
        let result = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(StoreError::from)
            .and_then(|transaction| {
                work(&mut Desk {
                    connection: &transaction,
                    now: clock::now(),
                    public_url,
                    live,
                    alerts: &mut alerts,
                })?;
                Ok(transaction.commit()?)
            });
        self.well.store(result.is_ok(), Ordering::Relaxed);
        match &result {
            Ok(()) => {
                self.publish();
                if alerts {
                    self.alerted.ring();
                }
            }
            Err(error) => {
                eprintln!("pakyas-server: {error}");
                self.live.roll_back();
            }
        }
        result
    }

    /// Makes the batch count for everyone.
    fn publish(&mut self) {
        let Published { there, gone } = self.live.commit();
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
