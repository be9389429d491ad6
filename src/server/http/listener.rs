//! Accepts connections, a bounded number at a time, and gives those at work a thread.
//!
//! All threads wait for the same set of descriptors: the listener, and the connections that are
//! parked because nothing comes from them. Whichever wakes serves what it was woken for. So a
//! thousand threads are enough for any number of idle connections, and the one that has been
//! quiet for longest makes room where there are too many.

use std::collections::BTreeMap;
use std::io;
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::connection::{Connection, Then};
use super::{Counts, Handler, Limits, Setup};
use crate::sys::{self, Epoll};

/// Enough for a request's handling, SQLite included; a thousand of them stay cheap.
const STACK: usize = 512 * 1024;

/// How many threads without work are kept for what comes next.
const SPARE: usize = 64;

/// How many connections may wait to be accepted.
const BACKLOG: i32 = 4096;

/// How long a thread waits for a connection's next bytes before it parks the connection: long
/// enough for a client that is there, too short to be missed.
pub(super) const TICK: Duration = Duration::from_millis(20);

/// How long to leave `accept` alone when the machine is out of file descriptors or memory.
const AFTER_FAILURE: Duration = Duration::from_millis(100);

/// What the threads are told; every other number is a parked connection's.
const STOP: u64 = 0;
const ACCEPT: u64 = 1;
const FIRST_PARKED: u64 = 2;

/// A listening server.
pub struct Listener {
    shared: Arc<Shared>,
    /// Closed to tell the threads to stop.
    wake: Option<UnixStream>,
    keeper: Option<JoinHandle<()>>,
}

impl Listener {
    /// Serves every connection to `listener` with `handler`.
    ///
    /// # Errors
    /// Where no thread can be started, or descriptors are short.
    pub fn start(
        listener: TcpListener,
        setup: Setup,
        handler: Arc<dyn Handler>,
    ) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        sys::prepare_listener(&listener, BACKLOG, TICK);
        let (wake, asleep) = UnixStream::pair()?;
        let epoll = Epoll::new()?;
        epoll.add_for_all(&asleep, STOP)?;
        epoll.add(&listener, ACCEPT)?;
        let shared = Arc::new(Shared {
            listener,
            epoll,
            _asleep: asleep,
            setup,
            handler,
            parked: Mutex::default(),
            next: AtomicU64::new(FIRST_PARKED),
            threads: AtomicUsize::new(0),
            spare: AtomicUsize::new(0),
            at_work: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
        });
        shared.add_thread()?;
        let keeper = {
            let shared = Arc::clone(&shared);
            std::thread::Builder::new()
                .name("connections".to_owned())
                .spawn(move || shared.keep())?
        };
        Ok(Self {
            shared,
            wake: Some(wake),
            keeper: Some(keeper),
        })
    }

    /// Takes no further connection and no further request, and waits, at most for `patience`,
    /// until every request that was read is answered.
    pub fn stop(mut self, patience: Duration) {
        self.close();
        let until = Instant::now() + patience;
        while self.shared.at_work.load(Ordering::SeqCst) > 0 && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    fn close(&mut self) {
        self.shared.closed.store(true, Ordering::SeqCst);
        drop(self.wake.take());
        if let Some(keeper) = self.keeper.take() {
            keeper.thread().unpark();
            let _ = keeper.join();
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.close();
    }
}

/// What all threads share.
pub(super) struct Shared {
    listener: TcpListener,
    epoll: Epoll,
    /// Kept, since a closed descriptor would leave the set.
    _asleep: UnixStream,
    pub setup: Setup,
    pub handler: Arc<dyn Handler>,
    /// In the order in which they were parked.
    parked: Mutex<BTreeMap<u64, Connection>>,
    next: AtomicU64,
    threads: AtomicUsize,
    /// Threads that wait for work.
    spare: AtomicUsize,
    at_work: AtomicUsize,
    closed: AtomicBool,
}

/// A request being worked on.
pub(super) struct Work<'a>(&'a AtomicUsize);

impl Drop for Work<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The place that a connection takes for as long as it is there.
pub(super) struct Place(Arc<Counts>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Shared {
    /// Begins work on a request; none once the server stops.
    pub fn begin(&self) -> Option<Work<'_>> {
        self.at_work.fetch_add(1, Ordering::SeqCst);
        let work = Work(&self.at_work);
        (!self.closed.load(Ordering::SeqCst)).then_some(work)
    }

    fn parked(&self) -> MutexGuard<'_, BTreeMap<u64, Connection>> {
        self.parked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn limits(&self) -> &Limits {
        &self.setup.limits
    }

    fn counts(&self) -> &Counts {
        &self.setup.counts
    }

    /// Whether so many places are taken that idle connections should go.
    fn crowded(&self) -> bool {
        self.counts().open.load(Ordering::Relaxed) > self.limits().connections / 4 * 3
    }

    fn add_thread(self: &Arc<Self>) -> io::Result<()> {
        let most = self.limits().threads.min(self.limits().connections).max(1);
        if self.threads.fetch_add(1, Ordering::SeqCst) >= most {
            self.threads.fetch_sub(1, Ordering::SeqCst);
            return Ok(());
        }
        self.spare.fetch_add(1, Ordering::SeqCst);
        let shared = Arc::clone(self);
        let started = std::thread::Builder::new()
            .name("connection".to_owned())
            .stack_size(STACK)
            .spawn(move || shared.work());
        if started.is_err() {
            self.spare.fetch_sub(1, Ordering::SeqCst);
            self.threads.fetch_sub(1, Ordering::SeqCst);
        }
        started.map(drop)
    }

    /// One thread: waits for whatever comes next, and serves it.
    fn work(self: &Arc<Self>) {
        loop {
            let token = match self.epoll.wait() {
                Ok(STOP) => break,
                Ok(token) => token,
                Err(_) => {
                    std::thread::sleep(AFTER_FAILURE);
                    continue;
                }
            };
            // Somebody must be there for what comes after this. Where no thread can be
            // started, what comes waits until one is done.
            if self.spare.fetch_sub(1, Ordering::SeqCst) == 1 {
                let _ = self.add_thread();
            }
            let connection = match token {
                ACCEPT => self.accept(),
                parked => self.parked().remove(&parked),
            };
            if let Some(connection) = connection {
                self.serve(connection);
            }
            if self.spare.fetch_add(1, Ordering::SeqCst) >= SPARE {
                break;
            }
        }
        self.spare.fetch_sub(1, Ordering::SeqCst);
        self.threads.fetch_sub(1, Ordering::SeqCst);
    }

    fn accept(&self) -> Option<Connection> {
        while self.counts().open.load(Ordering::Relaxed) >= self.limits().connections
            && self.evict()
        {}
        let accepted = self.listener.accept();
        if accepted.as_ref().is_err_and(|error| {
            !matches!(
                error.kind(),
                io::ErrorKind::WouldBlock | io::ErrorKind::ConnectionAborted
            )
        }) && !self.evict()
        {
            std::thread::sleep(AFTER_FAILURE);
        }
        let _ = self.epoll.again(&self.listener, ACCEPT);
        let (stream, peer) = accepted.ok()?;
        self.counts().accepted.fetch_add(1, Ordering::Relaxed);
        self.counts().open.fetch_add(1, Ordering::Relaxed);
        let place = Place(Arc::clone(&self.setup.counts));
        Connection::new(stream, peer.ip(), place, self)
    }

    /// Closes the connection that has been quiet for longest.
    fn evict(&self) -> bool {
        let evicted = self.parked().pop_first();
        if evicted.is_some() {
            self.counts().evicted.fetch_add(1, Ordering::Relaxed);
        }
        evicted.is_some()
    }

    fn serve(&self, mut connection: Connection) {
        loop {
            match connection.exchange(self) {
                Then::Next => {}
                Then::Park => return self.park(connection),
                Then::Close => return,
            }
        }
    }

    /// Leaves a connection alone until something comes from it.
    fn park(&self, mut connection: Connection) {
        let token = self.next.fetch_add(1, Ordering::Relaxed);
        let mut parked = self.parked();
        // Under the lock, so that whoever is told of it finds it.
        let told = if connection.is_known {
            self.epoll.again(&connection.transport, token)
        } else {
            self.epoll.add(&connection.transport, token)
        };
        connection.is_known = true;
        if told.is_ok() {
            parked.insert(token, connection);
        }
    }

    /// Closes parked connections whose time is up, until the server stops.
    fn keep(&self) {
        let limits = self.limits();
        let pause = (limits.idle_time_when_busy / 4).min(Duration::from_millis(250));
        while !self.closed.load(Ordering::SeqCst) {
            std::thread::park_timeout(pause);
            let now = Instant::now();
            let crowded = self.crowded();
            let late: Vec<Connection> = {
                let mut parked = self.parked();
                self.counts().parked.store(parked.len(), Ordering::Relaxed);
                let tokens: Vec<u64> = parked
                    .iter()
                    .filter(|(_, connection)| connection.is_late(now, crowded, limits))
                    .map(|(&token, _)| token)
                    .collect();
                tokens
                    .iter()
                    .filter_map(|token| parked.remove(token))
                    .collect()
            };
            for connection in late {
                connection.expire(self);
            }
        }
        self.parked().clear();
    }
}
