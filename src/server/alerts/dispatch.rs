//! Takes due deliveries out of the outbox, has a few of them sent at a time, writes down how
//! each ended.
//!
//! Each channel is looked at by itself, so what waits for one hides nothing of another's.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use uuid::Uuid;

use super::super::bell::Bell;
use super::super::clock;
use super::super::store::channels::Address;
use super::super::store::deliveries::{self, Due, Report, Waiting};
use super::super::store::{Store, StoreError};
use super::digest::{self, Digest};
use super::pace::{self, Pace};
use super::patience::BREAK_AFTER;
use super::{Message, Notifier};
use crate::wire::ChannelKind;

/// How many messages are under way at once.
const WORKERS: usize = 16;

/// How many of them to one host, so that one that hangs leaves the others alone.
const PER_HOST: usize = 2;

/// How many alerts one message may tell of.
const DIGEST_MAX: usize = 10_000;

/// The longest sleep; the wall clock may be set while we sleep.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);

/// How long to wait before the store is asked again after it refused.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// The running dispatcher.
pub struct Dispatcher {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// One message to one channel.
struct Job {
    id: u64,
    channel: i64,
    channel_id: Uuid,
    address: Address,
    deliveries: Vec<i64>,
    message: Message,
}

/// What the dispatching thread knows of the jobs that workers have.
struct UnderWay {
    channel: i64,
    host: String,
    deliveries: Vec<i64>,
}

struct Shared {
    store: Arc<Store>,
    notifier: Arc<Notifier>,
    bell: Bell,
    stopping: AtomicBool,
    /// Jobs whose end is written down.
    finished: Mutex<Vec<u64>>,
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

    fn finished(&self) -> MutexGuard<'_, Vec<u64>> {
        self.finished.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(self: &Arc<Self>) {
        // Room for one each: whoever is handed a job begins it at once.
        let (jobs, queue) = mpsc::sync_channel::<Job>(WORKERS);
        let queue = Arc::new(Mutex::new(queue));
        let workers: Vec<_> = (0..WORKERS)
            .filter_map(|_| {
                let (shared, queue) = (Arc::clone(self), Arc::clone(&queue));
                thread("alert delivery", move || shared.deliver_all(&queue)).ok()
            })
            .collect();
        let mut hand = Hand::default();
        while !self.stopping() {
            let pause = self.hand_out(&jobs, &mut hand).unwrap_or(AFTER_FAILURE);
            self.bell.wait(pause);
        }
        drop(jobs);
        for worker in workers {
            let _ = worker.join();
        }
    }

    /// Hands what is due to the workers, and says how long nothing more will be.
    fn hand_out(&self, jobs: &SyncSender<Job>, hand: &mut Hand) -> Result<Duration, StoreError> {
        // Before the outbox is read, not after: what a worker finishes in between still
        // looks due in what was read.
        for job in self.finished().drain(..) {
            hand.under_way.remove(&job);
        }
        let now = clock::now();
        let mut pause = LONGEST_SLEEP;
        let mut waiting = self.store.read(deliveries::waiting)?;
        let instant = Instant::now();
        hand.paces.retain(|_, pace| !pace.rested(instant));
        // Whoever had the last turn is the last to have the next one.
        let turn = waiting.partition_point(|channel| channel.channel <= hand.turn);
        waiting.rotate_left(turn);
        for channel in &waiting {
            let free = hand.room(channel);
            if now < channel.retry_at || free == 0 {
                continue;
            }
            let (messages, wait) = match channel.address.kind {
                ChannelKind::Webhook => (self.singly(channel, now, free, hand)?, None),
                ChannelKind::Email | ChannelKind::Slack => self.at_a_pace(channel, now, hand)?,
            };
            pause = pause.min(wait.unwrap_or(LONGEST_SLEEP));
            for (deliveries, message) in messages {
                hand.turn = channel.channel;
                let job = hand.begin(channel, deliveries, message);
                let _ = jobs.send(job);
            }
        }
        // What did not fit now is handed out when a worker is done, which rings the bell.
        let next = self
            .store
            .read(|connection| deliveries::next_at(connection, now))?;
        Ok(next.map_or(pause, |at| {
            pause.min(Duration::from_millis((at - now).max(0).unsigned_abs()))
        }))
    }

    /// Up to `free` alerts, each in a message of its own.
    fn singly(
        &self,
        channel: &Waiting,
        now: i64,
        free: usize,
        hand: &Hand,
    ) -> Result<Vec<(Vec<i64>, Message)>, StoreError> {
        self.store.read(|connection| {
            let busy = hand.deliveries_of(channel.channel);
            let limit = free + busy.len();
            let due = match channel.failures < BREAK_AFTER {
                true => deliveries::first_of_each_check(connection, channel.channel, now, limit)?,
                false => Vec::from_iter(deliveries::probe(connection, channel.channel, now)?),
            };
            let mut messages = Vec::new();
            for due in due.iter().filter(|due| !busy.contains(&due.row)).take(free) {
                if let Some(payload) = deliveries::payload(connection, due.row)? {
                    messages.push((vec![due.row], Message::One(payload, None)));
                }
            }
            Ok(messages)
        })
    }

    /// The next message to people, and how long they are left alone before another: few alerts
    /// go one by one, more than that together.
    #[allow(clippy::type_complexity, reason = "private, and used once")]
    fn at_a_pace(
        &self,
        channel: &Waiting,
        now: i64,
        hand: &mut Hand,
    ) -> Result<(Vec<(Vec<i64>, Message)>, Option<Duration>), StoreError> {
        // One at a time: what comes meanwhile can be told together.
        if !hand.deliveries_of(channel.channel).is_empty() {
            return Ok((Vec::new(), None));
        }
        let instant = Instant::now();
        let pace = hand
            .paces
            .entry(channel.channel)
            .or_insert_with(|| Pace::new(instant));
        let free = pace.free(instant);
        if free == 0 {
            return Ok((Vec::new(), Some(pace.wait(instant))));
        }
        let message = self.store.read(|connection| {
            let due = deliveries::together(connection, channel.channel, now, DIGEST_MAX)?;
            if due.is_empty() {
                return Ok(None);
            }
            if pace::together(due.len(), free) {
                let rows = due.iter().map(|due| due.row).collect();
                return Ok(Some((rows, Message::Digest(summary(connection, &due)?))));
            }
            let probe = match channel.failures < BREAK_AFTER {
                true => None,
                false => deliveries::probe(connection, channel.channel, now)?,
            };
            let Some(first) = probe.as_ref().or(due.first()) else {
                return Ok(None);
            };
            let payload = deliveries::payload(connection, first.row)?;
            let began_with = deliveries::began_with(connection, first.row)?;
            Ok(payload.map(|payload| (vec![first.row], Message::One(payload, began_with))))
        })?;
        if message.is_some() {
            pace.spend(instant);
        }
        Ok((message.into_iter().collect(), None))
    }

    fn deliver_all(&self, queue: &Mutex<Receiver<Job>>) {
        loop {
            let next = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(job) = next else {
                return;
            };
            let id = job.id;
            if !self.stopping() {
                let answer = self.notifier.send(&job.address, &job.message);
                let answer_text = match answer.status {
                    Some(status) => format!("HTTP {status}: {}", answer.text),
                    None => answer.text,
                };
                self.report(&Report {
                    channel: job.channel,
                    id: job.channel_id,
                    deliveries: job.deliveries,
                    verdict: answer.verdict,
                    retry_after: answer.retry_after,
                    answer: answer_text.trim_end_matches([' ', ':']).to_owned(),
                });
            }
            self.finished().push(id);
            self.bell.ring();
        }
    }

    /// Writes down how it ended, for as long as it takes: as long as the store does not know,
    /// the delivery would be made again.
    fn report(&self, report: &Report) {
        loop {
            let copy = report.clone();
            let written = self
                .store
                .write(move |desk| deliveries::report(desk, &copy));
            if written.is_ok() || self.stopping() {
                return;
            }
            std::thread::sleep(AFTER_FAILURE);
        }
    }
}

/// What the dispatching thread keeps in mind.
#[derive(Default)]
struct Hand {
    under_way: HashMap<u64, UnderWay>,
    paces: HashMap<i64, Pace>,
    /// The id of the last job.
    last: u64,
    /// The channel that had the last turn.
    turn: i64,
}

impl Hand {
    /// How many messages may go to the channel now.
    fn room(&self, channel: &Waiting) -> usize {
        let host = host(&channel.address);
        let jobs = || self.under_way.values();
        let here = jobs().filter(|job| job.host == host).count();
        let room = WORKERS
            .saturating_sub(self.under_way.len())
            .min(PER_HOST.saturating_sub(here));
        if channel.failures < BREAK_AFTER {
            return room;
        }
        // One, to see whether it is back.
        let busy = jobs().any(|job| job.channel == channel.channel);
        room.min(usize::from(!busy))
    }

    fn deliveries_of(&self, channel: i64) -> Vec<i64> {
        let jobs = self.under_way.values();
        jobs.filter(|job| job.channel == channel)
            .flat_map(|job| job.deliveries.iter().copied())
            .collect()
    }

    fn begin(&mut self, channel: &Waiting, deliveries: Vec<i64>, message: Message) -> Job {
        self.last += 1;
        self.under_way.insert(
            self.last,
            UnderWay {
                channel: channel.channel,
                host: host(&channel.address),
                deliveries: deliveries.clone(),
            },
        );
        Job {
            id: self.last,
            channel: channel.channel,
            channel_id: channel.id,
            address: channel.address.clone(),
            deliveries,
            message,
        }
    }
}

/// Which host a channel's messages go to: all mails go to one.
fn host(address: &Address) -> String {
    match address.kind {
        ChannelKind::Email => "mail".to_owned(),
        ChannelKind::Slack | ChannelKind::Webhook => {
            let uri = address.target.parse::<ureq::http::Uri>();
            let host = uri
                .ok()
                .and_then(|uri| uri.authority().map(ToString::to_string));
            host.unwrap_or_else(|| address.target.clone())
        }
    }
}

/// What a digest of `due` says.
fn summary(connection: &rusqlite::Connection, due: &[Due]) -> Result<Digest, StoreError> {
    let order = digest::order(due);
    let mut named = Vec::new();
    for due in order.iter().take(digest::NAMED) {
        let payload = deliveries::payload(connection, due.row)?;
        named.extend(payload.and_then(|payload| serde_json::from_str(&payload).ok()));
    }
    Ok(Digest {
        id: digest::id(due),
        counts: digest::counts(&order),
        checks: order.len(),
        named,
    })
}
