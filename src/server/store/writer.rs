//! The one thread that writes: it takes what others hand it, writes a batch in one
//! transaction, and only then are those others answered. The cost of the sync is shared.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::{Connection, TransactionBehavior};
use uuid::Uuid;

use super::super::bell::Bell;
use super::super::clock;
use super::super::complaint::complain;
use super::super::engine::{self, Effect, Event, Millis, Reason, Rules, Windows};
use super::live::{Live, LiveCheck, Published};
use super::place::Place;
use super::prune::{Pruner, Retention};
use super::{Meters, PublicIds, StoreError, checks, events, outbox, pings};
use crate::wire::Status;

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

type Tell = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

/// How the sender of a job is told that it is on disk.
enum Answer {
    /// By the writing thread, since it takes no time.
    Now(Tell),
    /// By the thread that answers, while the next batch is written.
    Beside(Tell),
}

/// What the answering thread tells whom: nothing, where all went well.
type Told = Vec<(Tell, Option<String>)>;

type Job = Box<dyn FnOnce(&mut Desk<'_>) -> (bool, Answer) + Send>;

/// What comes to the writing thread.
enum Message {
    Write(Job),
    /// Prune from now on.
    Keep(Retention),
    /// Write what came before this, then end.
    Stop,
}

/// The handle to the writing thread.
pub(super) struct Writer {
    queue: SyncSender<Message>,
    threads: Mutex<Vec<JoinHandle<()>>>,
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
        meters: Arc<Meters>,
        place: Arc<Place>,
    ) -> Result<Self, StoreError> {
        let mut live = Live::default();
        for (row, check) in checks::load_live(&connection, clock::now())? {
            live.set(row, check);
        }
        live.end_job(true);
        let well = Arc::new(AtomicBool::new(true));
        let (queue, messages) = mpsc::sync_channel(QUEUE);
        let (answers, batches) = mpsc::channel();
        let answering = std::thread::Builder::new()
            .name("store answers".to_owned())
            .spawn(move || answer_all(&batches))
            .map_err(|error| StoreError::Unavailable(error.to_string()))?;
        let mut thread = Thread {
            answers,
            connection,
            messages,
            live,
            public_ids,
            public_url,
            alerted,
            meters,
            place,
            well: Arc::clone(&well),
            pruner: None,
        };
        thread.publish();
        let thread = std::thread::Builder::new()
            .name("store writer".to_owned())
            .spawn(move || thread.run())
            .map_err(|error| StoreError::Unavailable(error.to_string()))?;
        Ok(Self {
            queue,
            threads: Mutex::new(vec![thread, answering]),
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
            let tell: Tell = Box::new(move |written| {
                let _ = answer.send(written.and(result));
            });
            (keep, Answer::Now(tell))
        });
        self.queue.send(Message::Write(job)).map_err(|_| ended())?;
        wait.recv().map_err(|_| ended())?
    }

    /// Hands over a job whose result nobody waits for; dropped where the queue is full.
    pub fn hand<F>(&self, job: F)
    where
        F: FnOnce(&mut Desk<'_>) -> Result<(), StoreError> + Send + 'static,
    {
        let job: Job = Box::new(move |desk| (job(desk).is_ok(), Answer::Beside(Box::new(|_| {}))));
        let _ = self.queue.try_send(Message::Write(job));
    }

    /// As [`Writer::run`], but nobody waits: `then` is called when it is done. Where it can't
    /// be begun, `then` is dropped.
    pub fn run_beside<T, F, G>(&self, job: F, then: G)
    where
        T: Send + 'static,
        F: FnOnce(&mut Desk<'_>) -> Result<T, StoreError> + Send + 'static,
        G: FnOnce(Result<T, StoreError>) + Send + 'static,
    {
        let job: Job = Box::new(move |desk| {
            let result = job(desk);
            let keep = result.is_ok();
            let tell: Tell = Box::new(move |written| then(written.and(result)));
            (keep, Answer::Beside(tell))
        });
        let _ = self.queue.send(Message::Write(job));
    }

    /// Whether the last transaction got onto the disk.
    pub fn is_well(&self) -> bool {
        self.well.load(Ordering::Relaxed)
    }

    /// Has the thread prune the history from now on.
    pub fn keep(&self, retention: Retention) {
        let _ = self.queue.send(Message::Keep(retention));
    }

    /// Ends the thread once it has written what was handed to it before.
    pub fn stop(&self) {
        let _ = self.queue.send(Message::Stop);
        let threads =
            std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
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
        let (state, effects) = engine::step(&check.rules, &check.state, event, self.now);
        let (before, after) = (check.state.expected, state.expected);
        let never_finished = effects.iter().any(|effect| {
            let reason = match effect {
                Effect::Alert { reason, .. } => reason,
                _ => return false,
            };
            matches!(reason, Reason::NeverFinished { .. })
        });
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
                // It was not silence that brought it down.
                Effect::Changed {
                    to: Status::Down, ..
                } if never_finished => None,
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

/// Tells those whose writes are on disk, one batch after another.
fn answer_all(batches: &Receiver<Told>) {
    for batch in batches {
        for (tell, failure) in batch {
            tell(match failure {
                None => Ok(()),
                Some(error) => Err(StoreError::Unavailable(error)),
            });
        }
    }
}

struct Thread {
    answers: mpsc::Sender<Told>,
    connection: Connection,
    messages: Receiver<Message>,
    live: Live,
    public_ids: PublicIds,
    public_url: String,
    alerted: Bell,
    meters: Arc<Meters>,
    place: Arc<Place>,
    well: Arc<AtomicBool>,
    pruner: Option<Pruner>,
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
        let mut answers = Vec::with_capacity(jobs.len());
        let written = self.transaction(|desk| {
            for job in jobs {
                desk.connection
                    .prepare_cached("SAVEPOINT job")?
                    .execute([])?;
                let (keep, answer) = job(desk);
                answers.push(answer);
                desk.live.end_job(keep);
                // A full disk may have ended the whole transaction: then this fails too, and
                // with it the batch.
                if !keep {
                    desk.connection.execute_batch("ROLLBACK TO job")?;
                }
                desk.connection.prepare_cached("RELEASE job")?.execute([])?;
            }
            Ok(())
        });
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
        let mut alerts = false;
        let (live, public_url) = (&mut self.live, &self.public_url);
        let begun = Instant::now();
        let connection = &mut self.connection;
        let result = self
            .place
            .check()
            .and_then(
                |()| Ok(connection.transaction_with_behavior(TransactionBehavior::Immediate)?),
            )
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
                self.meters.commits.count(begun.elapsed().as_secs_f64());
                self.publish();
                if alerts {
                    self.alerted.ring();
                }
            }
            Err(error) => {
                complain(error);
                self.live.roll_back();
            }
        }
        result
    }

    /// Makes the batch count for everyone.
    fn publish(&mut self) {
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
