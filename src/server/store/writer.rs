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
use super::super::complaint::complain_once;
use super::super::engine::{Event, Millis};
use super::desk::Desk;
use super::live::{Live, Published};
use super::place::Place;
use super::presence::Presence;
use super::prune::{Pruner, Retention};
use super::{Meters, PublicIds, StoreError, checks, deliveries};

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

/// How long each job is undone by itself after one failed that was not to fail.
const CAREFUL: Duration = Duration::from_secs(60);

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

/// Does the work; says whether it is to be kept, and how its sender is told.
type Work = Box<dyn FnOnce(&mut Desk<'_>) -> (bool, Answer) + Send>;

struct Job {
    work: Work,
    /// Whether it may fail by itself, and is undone by itself then. SQLite keeps each page that
    /// such a job changes as it was before; for a ping that is a good part of all the work.
    may_fail: bool,
}

/// What comes to the writing thread.
enum Message {
    Write(Job),
    /// Prune from now on.
    Keep(Retention),
    /// Write what came before this, then end.
    Stop,
}

impl Message {
    fn write(
        may_fail: bool,
        work: impl FnOnce(&mut Desk<'_>) -> (bool, Answer) + Send + 'static,
    ) -> Self {
        Self::Write(Job {
            work: Box::new(work),
            may_fail,
        })
    }
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
        presence: Presence,
    ) -> Result<Self, StoreError> {
        let mut live = Live::default();
        live.absence = presence.absence;
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
            presence,
            well: Arc::clone(&well),
            pruner: None,
            careful_until: None,
            // It may have been set back while we were away.
            last_look: Millis::MAX,
            looked: Instant::now(),
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
        let job = Message::write(true, move |desk| {
            let result = job(desk);
            let keep = result.is_ok();
            let tell: Tell = Box::new(move |written| {
                let _ = answer.send(written.and(result));
            });
            (keep, Answer::Now(tell))
        });
        self.queue.send(job).map_err(|_| ended())?;
        wait.recv().map_err(|_| ended())?
    }

    /// Hands over a job whose result nobody waits for; dropped where the queue is full.
    pub fn hand<F>(&self, job: F)
    where
        F: FnOnce(&mut Desk<'_>) -> Result<(), StoreError> + Send + 'static,
    {
        let job = Message::write(true, move |desk| {
            (job(desk).is_ok(), Answer::Beside(Box::new(|_| {})))
        });
        let _ = self.queue.try_send(job);
    }

    /// As [`Writer::run`], but nobody waits: `then` is called when it is done. Where it can't
    /// be begun, `then` is dropped. It shares the fate of its batch: where `job` fails, but for
    /// [`StoreError::Gone`] before it has changed anything, none of it is written.
    pub fn run_beside<T, F, G>(&self, job: F, then: G)
    where
        T: Send + 'static,
        F: FnOnce(&mut Desk<'_>) -> Result<T, StoreError> + Send + 'static,
        G: FnOnce(Result<T, StoreError>) + Send + 'static,
    {
        let job = Message::write(false, move |desk| {
            let result = job(desk);
            let keep = match &result {
                Ok(_) | Err(StoreError::Gone) => true,
                Err(error) => {
                    complain_once(error);
                    false
                }
            };
            let tell: Tell = Box::new(move |written| then(written.and(result)));
            (keep, Answer::Beside(tell))
        });
        let _ = self.queue.send(job);
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
    presence: Presence,
    well: Arc<AtomicBool>,
    pruner: Option<Pruner>,
    /// Until when every job is undone by itself where it fails.
    careful_until: Option<Instant>,
    /// What the wall clock said when it was last looked at; [`Millis::MAX`] before the first time.
    last_look: Millis,
    /// When that was.
    looked: Instant,
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
            self.transaction(|desk| super::probe(desk.connection))?;
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

#[cfg(test)]
mod tests {
    use super::super::Store;
    use super::*;

    /// A store in a folder of this test's own, which is gone with it.
    struct Trial {
        store: Store,
        folder: std::path::PathBuf,
    }

    impl Drop for Trial {
        fn drop(&mut self) {
            self.store.close();
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }

    impl Trial {
        fn new(name: &str) -> Self {
            let folder = std::env::temp_dir().join(format!("pakyas-{name}-{}", std::process::id()));
            let store = Store::open(&folder, "", Bell::default()).unwrap();
            Self { store, folder }
        }

        /// Writes a row for each of `numbers` in one batch, where a negative one fails when its
        /// row is there; gives how each was answered.
        fn batch(&self, numbers: &[i64]) -> Vec<Result<(), StoreError>> {
            let (open, gate) = mpsc::channel::<()>();
            let (begin, begun) = mpsc::channel();
            self.store.write_then(
                move |_| {
                    begin.send(()).unwrap();
                    let _ = gate.recv();
                    Ok(())
                },
                |_: Result<(), StoreError>| {},
            );
            begun.recv().unwrap();
            let answers: Vec<_> = numbers
                .iter()
                .map(|&number| {
                    let (answer, told) = mpsc::channel();
                    self.store.write_then(
                        move |desk| {
                            let sql = "INSERT INTO probe (row, data) VALUES (?, x'00')";
                            desk.connection.execute(sql, [number.abs()])?;
                            match number {
                                ..0 => Err(StoreError::Full("rows")),
                                _ => Ok(()),
                            }
                        },
                        move |written| answer.send(written).unwrap(),
                    );
                    told
                })
                .collect();
            drop(open);
            let patience = Duration::from_secs(60);
            answers
                .iter()
                .map(|told| match told.recv_timeout(patience) {
                    Ok(written) => written,
                    // Not even begun.
                    Err(RecvTimeoutError::Disconnected) => Err(StoreError::Gone),
                    Err(RecvTimeoutError::Timeout) => panic!("no answer within {patience:?}"),
                })
                .collect()
        }

        fn rows(&self) -> Vec<i64> {
            let rows = self.store.read(|connection| {
                let mut statement =
                    connection.prepare("SELECT row FROM probe WHERE data = x'00' ORDER BY row")?;
                let rows = statement.query_map([], |row| row.get(0))?;
                Ok(rows.collect::<Result<_, _>>()?)
            });
            rows.unwrap()
        }
    }

    #[test]
    fn what_fails_among_pings_takes_one_batch_with_it_and_no_second() {
        let trial = Trial::new("batch");
        let answers = trial.batch(&[1, -2, 3]);
        assert!(answers.iter().all(Result::is_err), "{answers:?}");
        assert!(trial.rows().is_empty());
        let answers = trial.batch(&[4, -5, 6]);
        assert!(
            matches!(answers[..], [Ok(()), Err(StoreError::Full("rows")), Ok(())]),
            "{answers:?}"
        );
        assert_eq!(trial.rows(), [4, 6]);
    }

    #[test]
    fn a_disk_that_was_full_was_an_absence_of_the_store() {
        let trial = Trial::new("absence");
        // SQLite takes no number below what there is.
        let pages_at_most = |pages: u32| {
            let pragma = format!("PRAGMA max_page_count = {pages}");
            let set = trial
                .store
                .write(move |desk| Ok(desk.connection.execute_batch(&pragma)?));
            set.unwrap();
        };
        let absence = || trial.store.write(|desk| Ok(desk.live.absence)).unwrap();
        trial.store.check().unwrap();
        let begun = clock::now();
        pages_at_most(1);
        let probe = trial
            .store
            .write(|desk| super::super::probe(desk.connection));
        assert!(probe.is_err());
        while clock::now() < begun + 50 {
            std::thread::yield_now();
        }
        let ended = clock::now();
        assert_ne!(absence().acts_at(begun + 25), begun + 25, "it is away now");
        pages_at_most(u32::MAX - 1);
        trial
            .store
            .write(|desk| super::super::probe(desk.connection))
            .unwrap();
        let absence = absence();
        assert!(absence.acts_at(begun + 25) > ended, "{absence:?}");
        assert!(absence.is_before(clock::now()));
    }
}
