//! Takes due deliveries out of the outbox, has a few of them sent at a time, writes down how
//! each ended.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::super::bell::Bell;
use super::super::clock;
use super::super::engine::Millis;
use super::super::store::outbox::{self, Due, Outcome};
use super::super::store::{Store, StoreError};
use super::{Answer, Notifier, Verdict};

/// How many deliveries are under way at once.
const WORKERS: usize = 8;

/// How many of them to one target, so that one that hangs leaves the others alone.
const PER_TARGET: usize = 2;

/// The pauses before each further attempt, milliseconds: 1, 5 and 15 minutes (API.md).
const RETRIES: [Millis; 3] = [60_000, 300_000, 900_000];

/// The longest sleep; the wall clock may be set while we sleep.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);

/// How long to wait before the store is asked again after it refused.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// The running dispatcher.
pub struct Dispatcher {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    store: Arc<Store>,
    notifier: Arc<Notifier>,
    bell: Bell,
    stopping: AtomicBool,
    /// Deliveries whose end is written down.
    finished: Mutex<Vec<i64>>,
}

impl Dispatcher {
    /// Starts sending; `bell` tells of new alerts.
    ///
    /// # Errors
    /// Where no thread can be started.
    pub fn start(
        store: Arc<Store>,
        notifier: Arc<Notifier>,
        bell: Bell,
    ) -> Result<Self, StoreError> {
        let shared = Arc::new(Shared {
            store,
            notifier,
            bell,
            stopping: AtomicBool::new(false),
            finished: Mutex::default(),
        });
        let thread = {
            let shared = Arc::clone(&shared);
            thread("alerts", move || shared.run())?
        };
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }
}

impl Drop for Dispatcher {
    /// Waits for the deliveries under way, which are bounded in time; all others stay in the
    /// outbox for the next start.
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        self.shared.bell.ring();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn thread(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, StoreError> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(work)
        .map_err(|error| StoreError::Unavailable(error.to_string()))
}

impl Shared {
    fn stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    fn finished(&self) -> MutexGuard<'_, Vec<i64>> {
        self.finished.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(self: &Arc<Self>) {
        // Room for one each: whoever is handed a delivery begins it at once.
        let (deliveries, queue) = mpsc::sync_channel::<Due>(WORKERS);
        let queue = Arc::new(Mutex::new(queue));
        let workers: Vec<_> = (0..WORKERS)
            .filter_map(|_| {
                let (shared, queue) = (Arc::clone(self), Arc::clone(&queue));
                thread("alert delivery", move || shared.deliver_all(&queue)).ok()
            })
            .collect();
        let mut under_way = HashMap::new();
        while !self.stopping() {
            let pause = self
                .hand_out(&deliveries, &mut under_way)
                .unwrap_or(AFTER_FAILURE);
            self.bell.wait(pause);
        }
        drop(deliveries);
        for worker in workers {
            let _ = worker.join();
        }
    }

    /// Hands what is due to the workers, and says how long nothing more will be. `under_way`
    /// has the target of each delivery that a worker has.
    fn hand_out(
        &self,
        deliveries: &SyncSender<Due>,
        under_way: &mut HashMap<i64, String>,
    ) -> Result<Duration, StoreError> {
        // Before the outbox is read, not after: what a worker finishes in between still
        // looks due in what was read.
        for row in self.finished().drain(..) {
            under_way.remove(&row);
        }
        let now = clock::now();
        let limit = u32::try_from(under_way.len() + 16 * WORKERS).unwrap_or(u32::MAX);
        let (due, next) = self
            .store
            .read(|connection| outbox::due(connection, now, limit))?;
        for delivery in due {
            let target = &delivery.address.target;
            let busy = under_way.values().filter(|other| *other == target).count();
            if under_way.len() < WORKERS
                && busy < PER_TARGET
                && !under_way.contains_key(&delivery.row)
            {
                under_way.insert(delivery.row, target.clone());
                let _ = deliveries.send(delivery);
            }
        }
        // What did not fit now is handed out when a worker is done, which rings the bell.
        let pause = next.map_or(LONGEST_SLEEP, |at| {
            Duration::from_millis((at - now).max(0).unsigned_abs())
        });
        Ok(pause.min(LONGEST_SLEEP))
    }

    fn deliver_all(&self, queue: &Mutex<Receiver<Due>>) {
        loop {
            let next = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(delivery) = next else {
                return;
            };
            if !self.stopping() {
                let answer = self.notifier.send(&delivery.address, &delivery.payload);
                self.report(&delivery, &answer);
            }
            self.finished().push(delivery.row);
            self.bell.ring();
        }
    }

    /// Writes down how it ended, for as long as it takes: as long as the store does not know,
    /// the delivery would be made again.
    fn report(&self, delivery: &Due, answer: &Answer) {
        let outcome = outcome(answer.verdict, delivery.attempts, clock::now());
        let text = match answer.status {
            Some(status) => format!("HTTP {status}: {}", answer.text),
            None => answer.text.clone(),
        };
        loop {
            let (row, outcome, text) = (delivery.row, outcome.clone(), text.clone());
            let written = self
                .store
                .write(move |desk| outbox::report(desk, row, &outcome, &text));
            if written.is_ok() || self.stopping() {
                return;
            }
            std::thread::sleep(AFTER_FAILURE);
        }
    }
}

/// What becomes of a delivery after an attempt, `attempts` having been made before it.
fn outcome(verdict: Verdict, attempts: u32, now: Millis) -> Outcome {
    match verdict {
        Verdict::Delivered => Outcome::Delivered,
        Verdict::GiveUp => Outcome::Failed,
        Verdict::TryAgain => match RETRIES.get(attempts as usize) {
            Some(pause) => Outcome::Again(now + pause),
            None => Outcome::Failed,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delivery_is_tried_again_after_1_5_and_15_minutes_and_then_given_up() {
        let minutes = |attempts| match outcome(Verdict::TryAgain, attempts, 0) {
            Outcome::Again(at) => Some(at / 60_000),
            Outcome::Delivered | Outcome::Failed => None,
        };
        assert_eq!(
            [minutes(0), minutes(1), minutes(2), minutes(3)],
            [Some(1), Some(5), Some(15), None]
        );
        assert_eq!(outcome(Verdict::GiveUp, 0, 0), Outcome::Failed);
        assert_eq!(outcome(Verdict::Delivered, 2, 0), Outcome::Delivered);
    }
}
