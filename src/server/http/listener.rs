//! Accepts connections, a bounded number at a time, and gives those at work a thread.
//!
//! A few threads wait for the same set of descriptors: the listener, and the connections that
//! are parked because nothing comes from them. Whichever wakes serves what it was woken for;
//! where that makes it wait, it calls another in its place. A request that is answered later,
//! as pings are once they are on disk, takes no thread until then. So any number of idle
//! connections is borne, and where there are too many the one that was quiet for longest makes
//! room.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::connection::{Asked, Connection, Open, Then};
use super::{Counts, Handler, Handling, Limits, Response, Setup};
use crate::sys::{self, Epoll};

/// Enough for a request's handling, SQLite included; a thousand of them stay cheap.
const STACK: usize = 512 * 1024;

/// How many threads look for what comes next, as many as there are processors but not more: the
/// fewer they are, the longer each stays at work without having to be woken.
const LOOKOUTS: usize = 4;

/// How many threads without work are kept beside them.
const SPARE: usize = 32;

/// How many connections may wait to be accepted.
const BACKLOG: i32 = 4096;

/// How long a thread waits for a connection's next bytes, or for room for them, before it looks
/// at the time.
pub(super) const TICK: Duration = Duration::from_millis(20);

/// How long to leave `accept` alone when the machine is out of file descriptors or memory.
const AFTER_FAILURE: Duration = Duration::from_millis(100);

/// What the threads are told; every other number is a parked connection's.
const STOP: u64 = 0;
const ACCEPT: u64 = 1;
const READY: u64 = 2;
const FIRST_PARKED: u64 = 3;

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
        let ready_bell = UnixStream::pair()?;
        ready_bell.0.set_nonblocking(true)?;
        ready_bell.1.set_nonblocking(true)?;
        epoll.add_for_all(&asleep, STOP)?;
        epoll.add_for_all(&listener, ACCEPT)?;
        epoll.add_for_all(&ready_bell.1, READY)?;
        let shared = Arc::new(Shared {
            listener,
            epoll,
            _asleep: asleep,
            setup,
            handler,
            parked: Mutex::default(),
            next: AtomicU64::new(FIRST_PARKED),
            ready: Mutex::default(),
            ready_bell,
            crew: Mutex::default(),
            called: Condvar::new(),
            at_work: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
        });
        shared.call_for_one(&mut shared.crew())?;
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
        drop(self.shared.crew());
        self.shared.called.notify_all();
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
    /// Connections with a next request in hand that no thread works on.
    ready: Mutex<VecDeque<Connection>>,
    /// A byte for each of them, so that a thread wakes.
    ready_bell: (UnixStream, UnixStream),
    crew: Mutex<Crew>,
    called: Condvar,
    at_work: AtomicUsize,
    closed: AtomicBool,
}

/// The threads.
#[derive(Default)]
struct Crew {
    all: usize,
    /// Those that look for what comes next, or do what takes no waiting.
    active: usize,
    /// Those that sleep until they are called.
    spare: usize,
    /// How many of them are called and not awake yet.
    called: usize,
}

/// A request being worked on.
pub(super) struct Work(Arc<Shared>);

impl Drop for Work {
    fn drop(&mut self) {
        self.0.at_work.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A request whose answer is still to come: no thread waits for it. Dropped without an answer,
/// it is answered with 503.
pub struct Pending(Option<Box<Waiting>>);

struct Waiting {
    connection: Connection,
    open: Open,
    shared: Arc<Shared>,
}

impl Pending {
    /// Sends the answer; never waits. A client that takes none loses its connection.
    pub fn answer(mut self, response: Response) {
        self.close(response);
    }

    fn close(&mut self, response: Response) {
        let Some(waiting) = self.0.take() else {
            return;
        };
        let Waiting {
            mut connection,
            open,
            shared,
        } = *waiting;
        match connection.close_exchange(open, response, &shared, false) {
            Then::Next if connection.has_more() => shared.hand_over(connection),
            Then::Next => shared.park(connection),
            _ => {}
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if self.0.is_some() {
            self.close(Response::unavailable());
        }
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
    pub fn begin(self: &Arc<Self>) -> Option<Work> {
        self.at_work.fetch_add(1, Ordering::SeqCst);
        let work = Work(Arc::clone(self));
        (!self.closed.load(Ordering::SeqCst)).then_some(work)
    }

    fn crew(&self) -> MutexGuard<'_, Crew> {
        self.crew.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// Has one more thread look for what comes next: one that sleeps, or a new one. Where all
    /// there may be are at work, what comes waits until one is done.
    fn call_for_one(self: &Arc<Self>, crew: &mut Crew) -> io::Result<()> {
        if crew.spare > crew.called {
            crew.called += 1;
            crew.active += 1;
            self.called.notify_one();
            return Ok(());
        }
        if crew.all >= self.limits().threads.min(self.limits().connections).max(1) {
            return Ok(());
        }
        let shared = Arc::clone(self);
        std::thread::Builder::new()
            .name("connection".to_owned())
            .stack_size(STACK)
            .spawn(move || shared.work())?;
        crew.all += 1;
        crew.active += 1;
        Ok(())
    }

    /// Does what may make this thread wait; another one looks out meanwhile.
    pub fn blocking<T>(self: &Arc<Self>, work: impl FnOnce() -> T) -> T {
        {
            let mut crew = self.crew();
            crew.active = crew.active.saturating_sub(1);
            if crew.active == 0 {
                let _ = self.call_for_one(&mut crew);
            }
        }
        let result = work();
        self.crew().active += 1;
        result
    }

    /// Whether this thread is to go on; waits until it is called where there are enough.
    fn is_needed(&self, lookouts: usize) -> bool {
        let mut crew = self.crew();
        if crew.active <= lookouts {
            return true;
        }
        crew.active -= 1;
        if crew.spare >= SPARE {
            crew.all -= 1;
            return false;
        }
        crew.spare += 1;
        let asleep = |crew: &mut Crew| crew.called == 0 && !self.closed.load(Ordering::SeqCst);
        crew = self
            .called
            .wait_while(crew, asleep)
            .unwrap_or_else(PoisonError::into_inner);
        crew.spare -= 1;
        crew.called = crew.called.saturating_sub(1);
        true
    }

    /// One thread: waits for whatever comes next, and serves it.
    fn work(self: &Arc<Self>) {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let lookouts = processors.min(LOOKOUTS);
        while self.is_needed(lookouts) {
            let connection = match self.epoll.wait() {
                Ok(STOP) => return,
                Ok(ACCEPT) => {
                    // So that nothing waits for this one alone on a machine that has more.
                    self.look_out_together(lookouts);
                    self.accept()
                }
                Ok(READY) => self.next_ready(),
                Ok(token) => self.parked().remove(&token),
                Err(_) => {
                    std::thread::sleep(AFTER_FAILURE);
                    continue;
                }
            };
            if let Some(connection) = connection {
                self.serve(connection);
            }
        }
    }

    fn look_out_together(self: &Arc<Self>, lookouts: usize) {
        let mut crew = self.crew();
        if crew.active < lookouts {
            let _ = self.call_for_one(&mut crew);
        }
    }

    fn next_ready(&self) -> Option<Connection> {
        let mut byte = [0];
        (&self.ready_bell.1).read_exact(&mut byte).ok()?;
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        let next = ready.pop_front();
        if !ready.is_empty() {
            self.ring();
        }
        next
    }

    /// Wakes one thread for a connection that is ready. Where the bell has no room for another
    /// byte there are some, and each that is taken rings again while anything is left.
    fn ring(&self) {
        let _ = (&self.ready_bell.0).write_all(&[1]);
    }

    /// Has one of the threads go on with a connection.
    fn hand_over(&self, connection: Connection) {
        self.ready
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push_back(connection);
        self.ring();
    }

    fn accept(self: &Arc<Self>) -> Option<Connection> {
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

    fn serve(self: &Arc<Self>, mut connection: Connection) {
        loop {
            let asked = match connection.exchange(self) {
                Then::Next => continue,
                Then::Park => return self.park(connection),
                Then::Close => return,
                Then::Handle(asked) => asked,
            };
            let Asked { request, open } = *asked;
            let then = match self.handler.begin(request) {
                Handling::Done(response) => connection.close_exchange(open, response, self, false),
                Handling::Later(start) => {
                    let waiting = Waiting {
                        connection,
                        open,
                        shared: Arc::clone(self),
                    };
                    return start(Pending(Some(Box::new(waiting))));
                }
                Handling::Blocking(request) => self.blocking(|| {
                    let response = self.handler.handle(request);
                    connection.close_exchange(open, response, self, true)
                }),
            };
            if !matches!(then, Then::Next) {
                return;
            }
        }
    }

    /// Leaves a connection alone until something comes from it.
    fn park(&self, mut connection: Connection) {
        if self.closed.load(Ordering::SeqCst) {
            return;
        }
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
    fn keep(self: &Arc<Self>) {
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
