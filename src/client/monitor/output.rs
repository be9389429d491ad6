//! The job's output on its way through: byte for byte, as it comes, with the end of it kept.
//!
//! A stream that is a file or a terminal is inherited and never seen here. Each other one is a
//! pipe from the job and a thread that carries what is in it to where the wrapper's own stream
//! goes, so that a stream nobody reads does not hold up the other.

use std::fs::File;
use std::io::{self, ErrorKind, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileTypeExt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::super::fold::Fold;
use super::super::talk::say_as_pakyas;
use super::Capture;
use super::tail::Tail;
use crate::sys::{self, Await, Inherited};
use crate::wire::OUTPUT_LIMIT;

/// How long after the job's end its pipes are read while someone else holds them.
pub const DRAIN: Duration = Duration::from_secs(1);

/// How much is carried at once, bytes: what a pipe holds (pipe(7)).
const CHUNK: usize = 64 * 1024;

/// The streams that pass through.
pub struct Output {
    stdout: Option<SharedTail>,
    stderr: Option<SharedTail>,
    /// What the threads and the run tell each other.
    state: Arc<State>,
    /// Closed at the job's end, which wakes the threads.
    job_is_alive: Option<PipeWriter>,
}

/// What the job gets in place of the wrapper's own streams; `None` is inherited.
#[derive(Default)]
pub struct Ends {
    /// For its stdout.
    pub stdout: Option<OwnedFd>,
    /// For its stderr.
    pub stderr: Option<OwnedFd>,
}

/// The thread that carries a stream fills it, the report reads it.
type SharedTail = Arc<Mutex<Kept>>;

fn lock(tail: &SharedTail) -> MutexGuard<'_, Kept> {
    tail.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is kept of a stream, as a terminal would show it.
struct Kept {
    fold: Fold,
    tail: Tail,
}

impl Kept {
    fn push(&mut self, bytes: &[u8]) {
        let Self { fold, tail } = self;
        fold.push(bytes, &mut |folded| tail.push(folded));
    }

    /// The tail, with a line that has not ended.
    fn tail(&mut self) -> &Tail {
        let Self { fold, tail } = self;
        fold.finish(&mut |folded| tail.push(folded));
        tail
    }
}

#[derive(Default)]
struct State {
    job_has_ended: AtomicBool,
    /// How many threads still carry something.
    under_way: AtomicUsize,
}

impl Output {
    /// Decides which streams pass through, and gets ready to carry them. What can't be got
    /// ready (no descriptor or thread is left) is inherited: the job matters more.
    pub fn prepare(capture: Capture, inherited: &Inherited) -> (Self, Ends) {
        let mut output = Self {
            stdout: None,
            stderr: None,
            state: Arc::default(),
            job_is_alive: None,
        };
        let mut ends = Ends::default();
        let (stdout, stderr) = (io::stdout(), io::stderr());
        let (stdout, stderr) = (stdout.as_fd(), stderr.as_fd());
        let passes = |which: i32, descriptor: BorrowedFd<'_>, always: &[Capture]| {
            !inherited.was_closed(which)
                && (always.contains(&capture)
                    || capture == Capture::Auto && is_pipe_or_socket(descriptor))
        };
        let both = [Capture::All, Capture::Stderr];
        let out = passes(1, stdout, &both[..1]);
        let err = passes(2, stderr, &both);
        if !out && !err {
            return (output, ends);
        }
        let Ok((alive, writer)) = io::pipe() else {
            return (output, ends);
        };
        output.job_is_alive = Some(writer);
        let alive = Arc::new(alive);
        // One pipe for both keeps the order in which the job writes.
        if out && err && sys::same_open_file(stdout, stderr) {
            if let Ok((tail, end)) = output.carry("output", stderr, &alive)
                && let Ok(second) = end.try_clone()
            {
                output.stderr = Some(tail);
                ends.stdout = Some(end);
                ends.stderr = Some(second);
            }
            return (output, ends);
        }
        if out && let Ok((tail, end)) = output.carry("stdout", stdout, &alive) {
            output.stdout = Some(tail);
            ends.stdout = Some(end);
        }
        if err && let Ok((tail, end)) = output.carry("stderr", stderr, &alive) {
            output.stderr = Some(tail);
            ends.stderr = Some(end);
        }
        (output, ends)
    }

    /// Starts to carry a pipe to `to`, and gives the end of it that is for the job.
    fn carry(
        &self,
        name: &str,
        to: BorrowedFd<'_>,
        alive: &Arc<PipeReader>,
    ) -> io::Result<(SharedTail, OwnedFd)> {
        let (from, for_job) = io::pipe()?;
        sys::set_nonblocking(from.as_fd())?;
        let tail = Arc::new(Mutex::new(Kept {
            fold: Fold::default(),
            tail: Tail::new(OUTPUT_LIMIT),
        }));
        let pump = Pump {
            from,
            to: File::from(to.try_clone_to_owned()?),
            tail: Arc::clone(&tail),
            state: Arc::clone(&self.state),
            alive: Arc::clone(alive),
        };
        self.state.under_way.fetch_add(1, Ordering::Relaxed);
        let state = Arc::clone(&self.state);
        let carry = move || {
            pump.run();
            state.under_way.fetch_sub(1, Ordering::Release);
            sys::wake();
        };
        let thread = thread::Builder::new().name(name.to_owned()).spawn(carry);
        if let Err(error) = thread {
            self.state.under_way.fetch_sub(1, Ordering::Relaxed);
            return Err(error);
        }
        Ok((tail, OwnedFd::from(for_job)))
    }

    /// Tells the threads that the job has ended: they carry what is there and come to an end.
    pub fn job_has_ended(&mut self) {
        self.state.job_has_ended.store(true, Ordering::Release);
        self.job_is_alive = None;
    }

    /// Whether all has been carried.
    pub fn is_done(&self) -> bool {
        self.state.under_way.load(Ordering::Acquire) == 0
    }

    /// What a failed job's report shows: its stderr, or where nothing came there its stdout.
    pub fn with_tail<T>(&self, use_it: impl FnOnce(Option<&Tail>) -> T) -> T {
        let streams = [&self.stderr, &self.stdout];
        let mut kept = streams.map(|stream| stream.as_ref().map(lock));
        let mut tails = kept.iter_mut().flatten().map(|kept| kept.tail());
        use_it(tails.find(|tail| !tail.is_empty()))
    }
}

/// Whether what is written here goes to another process, and not to a disk or a device.
fn is_pipe_or_socket(descriptor: BorrowedFd<'_>) -> bool {
    let kind = descriptor
        .try_clone_to_owned()
        .and_then(|descriptor| File::from(descriptor).metadata())
        .map(|metadata| metadata.file_type());
    kind.is_ok_and(|kind| kind.is_fifo() || kind.is_socket())
}

/// Carries one pipe to where it goes.
struct Pump {
    from: PipeReader,
    to: File,
    tail: SharedTail,
    state: Arc<State>,
    alive: Arc<PipeReader>,
}

/// What is left to do once the job has ended.
struct Rest {
    /// When to stop reading.
    until: Instant,
    /// How many bytes were in the pipe at the job's end: they are carried however long it takes.
    owed: usize,
}

impl Pump {
    /// Carries until the job and all who share its pipe have closed it, or until nobody takes
    /// what is carried. Then our end is closed, and whoever writes to it gets SIGPIPE, as they
    /// would have without us.
    fn run(mut self) {
        let mut buffer = vec![0; CHUNK];
        let mut rest: Option<Rest> = None;
        loop {
            match self.from.read(&mut buffer) {
                Ok(0) => return,
                Ok(count) => {
                    self.keep(&buffer[..count]);
                    if let Err(error) = self.pass_on(&buffer[..count]) {
                        // Nobody reads any more: the job learns of it as it would without us.
                        // A full disk it would have seen itself; behind our pipe it can't.
                        if error.kind() != ErrorKind::BrokenPipe {
                            say_as_pakyas(&format!("the job's output can't be written: {error}"));
                        }
                        return;
                    }
                    if let Some(rest) = &mut rest {
                        rest.owed = rest.owed.saturating_sub(count);
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    if !self.wait(rest.as_ref().map(|rest| rest.until)) {
                        return;
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return,
            }
            match &rest {
                Some(rest) if rest.owed == 0 && Instant::now() >= rest.until => return,
                None if self.state.job_has_ended.load(Ordering::Acquire) => {
                    rest = Some(Rest {
                        until: Instant::now() + DRAIN,
                        owed: sys::waiting_bytes(self.from.as_fd()),
                    });
                }
                _ => {}
            }
        }
    }

    fn keep(&self, bytes: &[u8]) {
        lock(&self.tail).push(bytes);
    }

    /// Waits until there is something to read or the job has ended; `false` where there is
    /// nobody to pass it on to any more.
    fn wait(&self, until: Option<Instant>) -> bool {
        // Once the job has ended, that says nothing new: only the pipe is waited for.
        let alive = until.is_none().then(|| self.alive.as_fd());
        let ready = sys::poll(
            [
                (Some(self.from.as_fd()), Await::Reading),
                (Some(self.to.as_fd()), Await::Break),
                (alive, Await::Break),
            ],
            until,
        );
        ready.is_ok_and(|[from, to, _]| from.readable || !to.broken)
    }

    fn pass_on(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.to.write(bytes) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => bytes = &bytes[count..],
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // Whoever shares the open file has made it non-blocking.
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    sys::poll([(Some(self.to.as_fd()), Await::Writing)], None)?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
