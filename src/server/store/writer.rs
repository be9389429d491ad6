//! The one thread that writes: it takes what others hand it, writes a batch in one
//! transaction, and only then are those others answered. The cost of the sync is shared. Here is
//! how work is handed to it and answered; what it does with that is in `thread`.

#[cfg(test)]
mod tests;
mod thread;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use rusqlite::Connection;

use super::super::bell::Bell;
use super::super::clock;
use super::super::complaint::complain_once;
use super::super::engine::Millis;
use super::desk::Desk;
use super::live::Live;
use super::place::Place;
use super::presence::Presence;
use super::prune::Retention;
use super::{Meters, PublicIds, StoreError, checks};
use thread::Thread;

/// How many jobs may wait before those who bring more have to.
const QUEUE: usize = 4096;

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
