//! Accepts connections, a bounded number at a time, and gives each a thread.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::{Handler, Limits, connection};

/// Enough for a request's handling, SQLite included; a thousand of them stay cheap.
const STACK: usize = 512 * 1024;

/// How long to leave `accept` alone when the machine is out of file descriptors or memory.
const AFTER_FAILURE: Duration = Duration::from_millis(100);

/// A listening server.
pub struct Listener {
    address: SocketAddr,
    stopping: Arc<AtomicBool>,
    slots: Arc<Slots>,
    thread: Option<JoinHandle<()>>,
}

impl Listener {
    /// Serves every connection to `listener` with `handler`.
    ///
    /// # Errors
    /// Where no thread can be started.
    pub fn start(
        listener: TcpListener,
        limits: Limits,
        handler: Arc<dyn Handler>,
    ) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let stopping = Arc::new(AtomicBool::new(false));
        let slots = Arc::new(Slots::new(limits.connections));
        let thread = {
            let (stopping, slots) = (Arc::clone(&stopping), Arc::clone(&slots));
            std::thread::Builder::new()
                .name("listener".to_owned())
                .spawn(move || accept_all(&listener, &stopping, &slots, &limits, &handler))?
        };
        Ok(Self {
            address,
            stopping,
            slots,
            thread: Some(thread),
        })
    }

    /// Takes no further connection and no further request, and waits, at most for `patience`,
    /// until every request that was read is answered.
    pub fn stop(mut self, patience: Duration) {
        self.stopping.store(true, Ordering::SeqCst);
        self.slots.close();
        // The accepting thread is woken by a connection of our own.
        let _ = TcpStream::connect_timeout(&reachable(self.address), Duration::from_secs(1));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        self.slots.wait_until_quiet(patience);
    }
}

/// Where a listener on `address` can be reached from this machine.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

fn accept_all(
    listener: &TcpListener,
    stopping: &AtomicBool,
    slots: &Arc<Slots>,
    limits: &Limits,
    handler: &Arc<dyn Handler>,
) {
    while let Some(slot) = Slots::take(slots) {
        let accepted = listener.accept();
        if stopping.load(Ordering::SeqCst) {
            return;
        }
        match accepted {
            Ok((stream, peer)) => {
                let (limits, handler) = (limits.clone(), Arc::clone(handler));
                // A thread that can't be started drops the connection, and its slot with it.
                let _ = std::thread::Builder::new()
                    .name("connection".to_owned())
                    .stack_size(STACK)
                    .spawn(move || {
                        connection::serve(stream, peer.ip(), &limits, &*handler, &slot);
                    });
            }
            // A client that left before it was accepted says nothing about the next one.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(_) => std::thread::sleep(AFTER_FAILURE),
        }
    }
}

/// The places for connections, and how many of them are at work on a request.
pub(super) struct Slots {
    most: usize,
    counts: Mutex<Counts>,
    changed: Condvar,
}

#[derive(Default)]
struct Counts {
    taken: usize,
    at_work: usize,
    closed: bool,
}

/// A connection's place.
pub(super) struct Slot(Arc<Slots>);

/// A request is being worked on; a server that stops waits for it.
pub(super) struct Work<'a>(&'a Slots);

impl Slots {
    fn new(most: usize) -> Self {
        Self {
            most,
            counts: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a free place; none once the server stops.
    fn take(slots: &Arc<Self>) -> Option<Slot> {
        let full = |counts: &mut Counts| counts.taken >= slots.most && !counts.closed;
        let mut counts = slots
            .changed
            .wait_while(slots.counts(), full)
            .unwrap_or_else(PoisonError::into_inner);
        if counts.closed {
            return None;
        }
        counts.taken += 1;
        Some(Slot(Arc::clone(slots)))
    }

    fn close(&self) {
        self.counts().closed = true;
        self.changed.notify_all();
    }

    fn wait_until_quiet(&self, patience: Duration) {
        let begun = Instant::now();
        let mut counts = self.counts();
        while counts.at_work > 0 {
            let Some(left) = patience.checked_sub(begun.elapsed()) else {
                return;
            };
            counts = self
                .changed
                .wait_timeout(counts, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }
}

impl Slot {
    /// Whether so many places are taken that idle connections should go.
    pub fn crowded(&self) -> bool {
        self.0.counts().taken > self.0.most / 4 * 3
    }

    /// Begins work on a request; none once the server stops.
    pub fn begin(&self) -> Option<Work<'_>> {
        let mut counts = self.0.counts();
        if counts.closed {
            return None;
        }
        counts.at_work += 1;
        Some(Work(&self.0))
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.counts().taken -= 1;
        self.0.changed.notify_all();
    }
}

impl Drop for Work<'_> {
    fn drop(&mut self) {
        self.0.counts().at_work -= 1;
        self.0.changed.notify_all();
    }
}
