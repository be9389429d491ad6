//! Starting a child with what this process was started with, and reaping children.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::Duration;

use libc::c_int;

use super::signal::{all_but_faults, change_mask, nothing};
use super::terminal::Terminal;

/// Whether SIGPIPE was ignored when this process was started.
static SIGPIPE_IGNORED: AtomicBool = AtomicBool::new(false);

/// Which of the descriptors 0, 1 and 2 were closed when this process was started, as bits.
static CLOSED: AtomicU8 = AtomicU8::new(0);

/// Runs before `main` and before Rust's runtime, which ignores SIGPIPE and opens /dev/null
/// where a standard stream is closed, and keeps no record of what was there.
#[cfg(target_os = "linux")]
#[used]
// SAFETY: the section holds pointers to functions that are called with (argc, argv, envp) by
// the C runtime (System V ABI, "Initialization and Termination Functions"); ours takes none of
// them, which the C calling convention allows, and needs nothing that is set up later.
#[unsafe(link_section = ".init_array")]
static LOOK_EARLY: extern "C" fn() = look_early;

#[cfg(target_os = "linux")]
extern "C" fn look_early() {
    SIGPIPE_IGNORED.store(is_ignored(libc::SIGPIPE), Ordering::Relaxed);
    for descriptor in 0..3 {
        // SAFETY: F_GETFD touches no memory and fails only where there is no such descriptor.
        if unsafe { libc::fcntl(descriptor, libc::F_GETFD) } < 0 {
            CLOSED.fetch_or(1 << descriptor, Ordering::Relaxed);
        }
    }
}

fn is_ignored(signal: c_int) -> bool {
    let mut action = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: with no new action given, the old one is filled in where the call succeeds,
    // which is the only case in which it is read.
    unsafe {
        libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr()) == 0
            && action.assume_init().sa_sigaction == libc::SIG_IGN
    }
}

/// What this process was started with and changed for itself: a child that shall not notice
/// that we are in between gets it back.
#[derive(Clone)]
pub struct Inherited {
    mask: libc::sigset_t,
    sigpipe_ignored: bool,
    sigchld_ignored: bool,
    closed: u8,
}

impl Inherited {
    /// Blocks every signal that can be, in this thread and in those that it starts from now on,
    /// and makes sure that children can be waited for. To be called before any thread is started.
    pub fn take() -> Self {
        begin_threads();
        let before = change_mask(libc::SIG_BLOCK, &all_but_faults());
        let sigchld_ignored = is_ignored(libc::SIGCHLD);
        if sigchld_ignored {
            // SAFETY: the default action is no code of ours. Where SIGCHLD is ignored the
            // kernel reaps children itself and keeps their status from us (wait(2), "Notes").
            unsafe {
                libc::signal(libc::SIGCHLD, libc::SIG_DFL);
            }
        }
        Self {
            // pthread_sigmask(3) fails only for a wrong `how`, so the other mask is not reached.
            mask: before.unwrap_or_else(|_| nothing()),
            sigpipe_ignored: SIGPIPE_IGNORED.load(Ordering::Relaxed),
            sigchld_ignored,
            closed: CLOSED.load(Ordering::Relaxed),
        }
    }

    /// Whether the descriptor (0, 1 or 2) was closed when this process was started.
    pub fn was_closed(&self, descriptor: i32) -> bool {
        (0..3).contains(&descriptor) && self.closed & (1 << descriptor) != 0
    }

    /// Has `command` start its child with all of it, and, where `terminal` is given, makes the
    /// child's process group (see [`CommandExt::process_group`]) the terminal's foreground one.
    pub fn give_back(&self, command: &mut Command, terminal: Option<&Terminal>) {
        let inherited = self.clone();
        let terminal = terminal.map(|terminal| terminal.as_raw_fd());
        let before_exec = move || {
            inherited.apply(terminal);
            Ok(())
        };
        // SAFETY: the closure runs in the child between fork and exec, where other threads'
        // locks may be held for ever: `apply` makes system calls that are async-signal-safe
        // (signal-safety(7)) and allocates nothing. The terminal outlives the spawn: it is
        // borrowed by the caller, who holds both.
        unsafe {
            command.pre_exec(before_exec);
        }
    }

    fn apply(&self, terminal: Option<c_int>) {
        // SAFETY: system calls with plain numbers.
        unsafe {
            if let Some(terminal) = terminal {
                // From a background group this would stop us, were SIGTTOU not blocked; it is
                // not any more, since Command empties the mask first.
                let _ = change_mask(libc::SIG_SETMASK, &all_but_faults());
                libc::tcsetpgrp(terminal, libc::getpgrp());
            }
            for descriptor in 0..3 {
                if self.was_closed(descriptor) {
                    libc::close(descriptor);
                }
            }
            if self.sigpipe_ignored {
                libc::signal(libc::SIGPIPE, libc::SIG_IGN);
            }
            if self.sigchld_ignored {
                libc::signal(libc::SIGCHLD, libc::SIG_IGN);
            }
        }
        let _ = change_mask(libc::SIG_SETMASK, &self.mask);
    }
}

/// Has musl do what it does as the first thread begins: it unblocks the signals that it keeps for
/// itself, 34 among them, whatever was blocked before, and all later threads inherit that.
fn begin_threads() {
    if cfg!(target_env = "musl")
        && let Ok(first) = std::thread::Builder::new()
            .stack_size(16 * 1024)
            .spawn(|| {})
    {
        let _ = first.join();
    }
}

/// What became of a child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It ended by itself, with this exit code (0–255).
    Exited(u8),
    /// A signal ended it.
    Killed {
        /// The signal's number.
        signal: i32,
        /// Whether it left a core dump.
        core_dumped: bool,
    },
    /// A signal stopped it: it is still there.
    Stopped(i32),
}

/// A child that was waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reaped {
    /// Its process id, free for others from now on unless it is only stopped.
    pub pid: i32,
    /// What became of it.
    pub status: Status,
    /// Processor time, user and system, of it and of the descendants that it waited for.
    pub cpu: Duration,
    /// The largest resident set of it or of one such descendant, KiB.
    pub max_rss_kb: u64,
}

#[cfg(not(all(
    target_env = "musl",
    target_pointer_width = "32",
    not(libc_unstable_musl_v1_2)
)))]
use libc::wait4;

/// The kernel's own call: on machines of 32 bits, musl's for programs with times of 32 bits never
/// fills in the usage (its compat/time32/wait4_time32.c takes a process id for a failure). `make
/// dist` builds with times of 64 bits.
///
/// # Safety
/// As of wait4(2): both pointers are to what may be written.
#[cfg(all(
    target_env = "musl",
    target_pointer_width = "32",
    not(libc_unstable_musl_v1_2)
))]
unsafe fn wait4(pid: c_int, status: *mut c_int, options: c_int, usage: *mut libc::rusage) -> c_int {
    // The kernel's usage begins with two times of 32-bit numbers.
    const { assert!(size_of::<libc::timeval>() == 2 * size_of::<libc::c_long>()) };
    // SAFETY: as our caller's; musl's type is as long as the kernel's or longer.
    unsafe { libc::syscall(libc::SYS_wait4, pid, status, options, usage) as c_int }
}

/// Takes note of one child that has ended or stopped, where there is one (wait4(2)).
pub fn reap() -> Option<Reaped> {
    let mut status = 0;
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    loop {
        // SAFETY: both pointers are to locals that outlive the call.
        let pid = unsafe {
            wait4(
                -1,
                &mut status,
                libc::WNOHANG | libc::WUNTRACED,
                usage.as_mut_ptr(),
            )
        };
        if pid < 0 && io::Error::last_os_error().kind() == io::ErrorKind::Interrupted {
            continue;
        }
        if pid <= 0 {
            return None;
        }
        // SAFETY: zeroes are a valid rusage, and the call has filled it in.
        let usage = unsafe { usage.assume_init() };
        return Some(Reaped {
            pid,
            status: status_of(status),
            cpu: duration_of(usage.ru_utime) + duration_of(usage.ru_stime),
            max_rss_kb: max_rss_kb(&usage),
        });
    }
}

fn status_of(status: c_int) -> Status {
    if libc::WIFSTOPPED(status) {
        Status::Stopped(libc::WSTOPSIG(status))
    } else if libc::WIFSIGNALED(status) {
        Status::Killed {
            signal: libc::WTERMSIG(status),
            core_dumped: libc::WCOREDUMP(status),
        }
    } else {
        Status::Exited(libc::WEXITSTATUS(status) as u8)
    }
}

fn duration_of(time: libc::timeval) -> Duration {
    Duration::from_secs(time.tv_sec.max(0) as u64)
        + Duration::from_micros(time.tv_usec.max(0) as u64)
}

/// Linux counts in KiB, macOS in bytes (getrusage(2) of each).
fn max_rss_kb(usage: &libc::rusage) -> u64 {
    let value = usage.ru_maxrss.max(0) as u64;
    if cfg!(target_os = "macos") {
        value / 1024
    } else {
        value
    }
}
