//! Accepts connections, a bounded number at a time, and gives those at work a thread.
//!
//! A few threads wait for the same set of descriptors: the listener, and the connections that
//! are parked because nothing comes from them, or goes to them. Whichever wakes serves what it
//! was woken for; where that makes it wait, it calls another in its place. A request that is
//! answered later, as pings are once they are on disk, takes no thread until then, and neither
//! does a client that sends or takes slowly. So any number of slow and idle connections is borne, and where there
//! are too many the one that was quiet for longest makes room.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::connection::{Asked, Connection, Then};
use super::crew::Crew;
use super::parked::Parked;
use super::pending::Pending;
use super::{Counts, Handler, Handling, Limits, Setup};
use crate::sys::{self, Epoll};

/// How many threads look for what comes next, as many as there are processors but not more: the
/// fewer they are, the longer each stays at work without having to be woken.
const LOOKOUTS: usize = 4;

/// How many connections may wait to be accepted.
const BACKLOG: i32 = 4096;

/// How much the kernel holds of answers that one client does not take, bytes. It would let this
/// grow to megabytes, and what the kernel has for all connections of the machine is limited.
const SEND_BUFFER: i32 = 128 * 1024;

/// How many requests of one connection a thread serves in a row while others may wait.
const TURNS: usize = 32;

/// How long to leave `accept` alone when the machine is out of file descriptors or memory.
const AFTER_FAILURE: Duration = Duration::from_millis(100);

/// How long to leave it alone where every place is taken by a request at work.
const WITHOUT_ROOM: Duration = Duration::from_millis(1);

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
        sys::prepare_listener(&listener, BACKLOG, SEND_BUFFER);
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
            ended: AtomicBool::new(false),
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
        self.shared.close();
        let until = Instant::now() + patience;
        while self.shared.at_work.load(Ordering::SeqCst) > 0 && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(2));
        }
        self.end();
    }

    fn end(&mut self) {
        self.shared.close();
        self.shared.ended.store(true, Ordering::SeqCst);
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
        self.end();
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
    parked: Mutex<Parked>,
    next: AtomicU64,
    /// Connections with a next request in hand that no thread works on.
    ready: Mutex<VecDeque<Connection>>,
    /// A byte for each of them, so that a thread wakes.
    ready_bell: (UnixStream, UnixStream),
    crew: Mutex<Crew>,
    pub(super) called: Condvar,
    pub(super) at_work: AtomicUsize,
    /// No further request is taken.
    pub(super) closed: AtomicBool,
    /// No further answer is sent.
    pub(super) ended: AtomicBool,
}

/// The place that a connection takes for as long as it is there.
pub(super) struct Place(Arc<Counts>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Shared {
    pub(super) fn crew(&self) -> MutexGuard<'_, Crew> {
        self.crew.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn parked(&self) -> MutexGuard<'_, Parked> {
        self.parked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.setup.limits
    }

    fn counts(&self) -> &Counts {
        &self.setup.counts
    }

    /// Takes no further connection, and no further request from those that are there.
    fn close(&self) {
        if self.closed.swap(true, Ordering::SeqCst) {
            return;
        }
        let _ = self.epoll.remove(&self.listener);
        let idle = |connection: &Connection| !connection.is_at_work();
        drop(self.parked().remove_where(idle));
    }

    /// Whether so many places are taken, or so much memory, that idle connections should go.
    fn crowded(&self) -> bool {
        self.counts().open.load(Ordering::Relaxed) > self.limits().connections / 4 * 3
            || self.parked().weight > self.limits().waiting_bytes / 2
    }

    /// One thread: waits for whatever comes next, and serves it.
    pub(super) fn work(self: &Arc<Self>) {
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
                Ok(token) => self.parked().remove(token),
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

    /// Takes a place for one more connection, which may be that of one that is quiet. None where
    /// all are at work.
    fn take_place(&self) -> Option<Place> {
        let counts = &self.setup.counts;
        let limit = self.limits().connections.max(1);
        let one_more = |open| (open < limit).then_some(open + 1);
        loop {
            let taken = counts
                .open
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more);
            if taken.is_ok() {
                return Some(Place(Arc::clone(counts)));
            }
            if !self.evict() {
                return None;
            }
        }
    }

    fn accept(self: &Arc<Self>) -> Option<Connection> {
        let Some(place) = self.take_place() else {
            std::thread::sleep(WITHOUT_ROOM);
            return None;
        };
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
        Connection::new(stream, peer.ip(), place, self)
    }

    /// Closes the connection that has been quiet for longest.
    fn evict(&self) -> bool {
        let evicted = {
            let mut parked = self.parked();
            let first = parked.connections.keys().next().copied();
            first.and_then(|token| parked.remove(token))
        };
        if evicted.is_some() {
            self.counts().evicted.fetch_add(1, Ordering::Relaxed);
        }
        evicted.is_some()
    }

    fn serve(self: &Arc<Self>, mut connection: Connection) {
        for _ in 0..TURNS {
            let asked = match connection.exchange(self) {
                Then::Next => continue,
                Then::Park => return self.park(connection),
                Then::Close => return,
                Then::Handle(asked) => asked,
            };
            let Asked { request, open } = *asked;
            let then = match self.handler.begin(request) {
                Handling::Done(response) => connection.close_exchange(open, response, self),
                Handling::Later(start) => {
                    return start(Pending::new(connection, open, Arc::clone(self)));
                }
                Handling::Blocking(request) => {
                    let response = self.blocking(|| self.handler.handle(request));
                    connection.close_exchange(open, response, self)
                }
            };
            match then {
                Then::Next => {}
                Then::Park => return self.park(connection),
                Then::Close | Then::Handle(_) => return,
            }
        }
        self.let_go_on(connection);
    }

    /// Leaves a connection whose request is answered to whichever thread is free for its next.
    pub(super) fn let_go_on(self: &Arc<Self>, connection: Connection) {
        if connection.has_more() {
            self.hand_over(connection);
        } else {
            self.park(connection);
        }
    }

    /// Leaves a connection alone until something comes from it, or it takes something.
    pub(super) fn park(self: &Arc<Self>, mut connection: Connection) {
        let held = self.parked().weight;
        let fits = has_room(&connection, held, self.limits().waiting_bytes);
        if !fits && !matches!(connection.turn_away(self), Then::Park) {
            return;
        }
        let token = self.next.fetch_add(1, Ordering::Relaxed);
        let mut parked = self.parked();
        let is_over = match connection.is_at_work() {
            true => self.ended.load(Ordering::SeqCst),
            false => self.closed.load(Ordering::SeqCst),
        };
        if is_over {
            return;
        }
        // Under the lock, so that whoever is told of it finds it.
        let until = connection.waits_until();
        let told = if connection.is_known {
            self.epoll.again(&connection.transport, token, until)
        } else {
            self.epoll.add(&connection.transport, token, until)
        };
        connection.is_known = true;
        if told.is_ok() {
            parked.insert(token, connection);
        }
    }

    /// Ends parked connections whose time is up, until the server stops.
    fn keep(self: &Arc<Self>) {
        let limits = self.limits();
        let pause = (limits.idle_time_when_busy / 4).min(Duration::from_millis(250));
        while !self.ended.load(Ordering::SeqCst) {
            std::thread::park_timeout(pause);
            let now = Instant::now();
            let crowded = self.crowded();
            let late = {
                let mut parked = self.parked();
                let count = parked.connections.len();
                self.counts().parked.store(count, Ordering::Relaxed);
                parked.remove_where(|connection| connection.is_late(now, crowded, limits))
            };
            for mut connection in late {
                if matches!(connection.expire(self), Then::Park) {
                    self.park(connection);
                }
            }
        }
        *self.parked() = Parked::default();
    }
}

/// Whether a connection may be parked beside others that hold this much, bytes. One answer may be
/// longer than all that may wait together, where the others leave half of that: the list of a
/// hundred thousand checks has to arrive.
fn has_room(connection: &Connection, held: usize, limit: usize) -> bool {
    connection.weight() <= limit.saturating_sub(held)
        || connection.is_answered() && held <= limit / 2
}
