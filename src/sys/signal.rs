//! Signals: blocked once, then taken one by one, sent, and named.

use std::io;
use std::mem::MaybeUninit;
use std::time::{Duration, Instant};

use libc::c_int;

/// Signals that tell of a fault in the running instruction: they can't be put off.
const FAULTS: [c_int; 7] = [
    libc::SIGILL,
    libc::SIGTRAP,
    libc::SIGABRT,
    libc::SIGBUS,
    libc::SIGFPE,
    libc::SIGSEGV,
    libc::SIGSYS,
];

/// The first and the last real-time signal as kill(1), systemd(1) and most jobs count them: those
/// of glibc. musl keeps the first for itself and begins one later.
#[cfg(target_os = "linux")]
const REAL_TIME: std::ops::RangeInclusive<c_int> = 34..=64;
#[cfg(not(target_os = "linux"))]
const REAL_TIME: std::ops::RangeInclusive<c_int> = 1..=0;

/// The longest that one sigtimedwait(2) is asked to wait: far from any limit of `time_t`.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

fn set_of(signals: &[c_int]) -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: sigemptyset initialises the set that it is given; sigaddset only refuses
    // numbers that are no signals, which then are simply not in the set.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        for &signal in signals {
            libc::sigaddset(set.as_mut_ptr(), signal);
        }
        set.assume_init()
    }
}

/// No signal at all.
pub(super) fn nothing() -> libc::sigset_t {
    set_of(&[])
}

/// Every signal that can be put off, which is every signal that can be passed on. Those included
/// that the C library keeps for itself (glibc 32 and 33, musl 32 to 34) and leaves out of what
/// sigfillset(3) gives: one that is sent to the wrapper would end it and leave the job behind. Of
/// no use is that for the one with which threads are cancelled (glibc 32, musl 33), since new
/// threads don't inherit that it is blocked.
pub(super) fn all_but_faults() -> libc::sigset_t {
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: a set is numbers of which each bit is a signal, so all of them set is a valid one;
    // the numbers are signals.
    unsafe {
        set.as_mut_ptr().write_bytes(0xff, 1);
        for signal in FAULTS {
            libc::sigdelset(set.as_mut_ptr(), signal);
        }
        set.assume_init()
    }
}

/// Changes this thread's mask and gives the one before. `how` is as in pthread_sigmask(3).
#[cfg(not(target_os = "linux"))]
pub(super) fn change_mask(how: c_int, set: &libc::sigset_t) -> io::Result<libc::sigset_t> {
    let mut before = MaybeUninit::uninit();
    // SAFETY: `set` is initialised, and `before` is filled in where the call succeeds, which
    // is the only case in which it is read.
    unsafe {
        match libc::pthread_sigmask(how, set, before.as_mut_ptr()) {
            0 => Ok(before.assume_init()),
            code => Err(io::Error::from_raw_os_error(code)),
        }
    }
}

/// Changes this thread's mask and gives the one before. `how` is as in pthread_sigmask(3), whose
/// system call this is: the function itself leaves out the signals that glibc keeps for itself.
/// Async-signal-safe.
#[cfg(target_os = "linux")]
pub(super) fn change_mask(how: c_int, set: &libc::sigset_t) -> io::Result<libc::sigset_t> {
    /// Bytes of the kernel's mask of 64 signals; the C library's is as long or longer.
    const KERNEL_MASK: usize = 8;
    let mut before = MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: the kernel reads and writes the first bytes of two sets that are longer; zeroes
    // are a valid set.
    unsafe {
        let set: *const libc::sigset_t = set;
        match libc::syscall(
            libc::SYS_rt_sigprocmask,
            how,
            set,
            before.as_mut_ptr(),
            KERNEL_MASK,
        ) {
            0 => Ok(before.assume_init()),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

/// Blocks `signals` in this thread and in every thread that it starts from now on, so that
/// [`wait_for_signal`] can take them one by one. To be called before any thread is started.
///
/// # Errors
/// As pthread_sigmask(3): only for a programming error.
pub fn block_signals(signals: &[i32]) -> io::Result<()> {
    change_mask(libc::SIG_BLOCK, &set_of(signals)).map(drop)
}

/// Waits until one of `signals`, all of them blocked, arrives, and says which.
///
/// # Errors
/// As sigwait(3): only for a programming error.
pub fn wait_for_signal(signals: &[i32]) -> io::Result<i32> {
    let set = set_of(signals);
    let mut signal = 0;
    // SAFETY: both pointers are to initialised locals that outlive the call.
    match unsafe { libc::sigwait(&set, &mut signal) } {
        0 => Ok(signal),
        code => Err(io::Error::from_raw_os_error(code)),
    }
}

/// Who sent a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The kernel: for a key typed at the terminal, a timer, a limit.
    Kernel,
    /// This process itself.
    Own,
    /// The process of this id, by kill(2) or its like; 0 for one outside our pid namespace.
    Process(i32),
}

/// A signal that was waiting for this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caught {
    /// Its number.
    pub signal: i32,
    /// Who sent it.
    pub origin: Origin,
}

/// Takes the next signal, all of them being blocked ([`super::Inherited::take`]); `None` once
/// `until` has passed, or earlier for no reason.
pub fn wait(until: Option<Instant>) -> Option<Caught> {
    let set = all_but_faults();
    let patience = until.map_or(LONGEST_WAIT, |until| {
        until
            .saturating_duration_since(Instant::now())
            .min(LONGEST_WAIT)
    });
    let mut info = MaybeUninit::<libc::siginfo_t>::uninit();
    let mut limit = MaybeUninit::<libc::timespec>::zeroed();
    // SAFETY: a timespec of zeroes is a valid one, and both of its fields are set in place
    // (some systems have padding between them); the seconds are at most LONGEST_WAIT and the
    // nanoseconds below 10^9, which fit. `info` is filled in where the call succeeds, which
    // is the only case in which it is read, and si_pid is read only for the codes that
    // sigaction(2) says have it: those of kill(2), sigqueue(3) and tgkill(2).
    unsafe {
        let fields = limit.assume_init_mut();
        fields.tv_sec = patience.as_secs() as _;
        fields.tv_nsec = patience.subsec_nanos() as _;
        let signal = libc::sigtimedwait(&set, info.as_mut_ptr(), fields);
        if signal < 0 {
            return None;
        }
        let info = info.assume_init();
        let origin = match info.si_code {
            libc::SI_USER | libc::SI_QUEUE | libc::SI_TKILL => {
                let sender = info.si_pid();
                if sender == libc::getpid() {
                    Origin::Own
                } else {
                    Origin::Process(sender)
                }
            }
            code if code > 0 => Origin::Kernel,
            _ => Origin::Process(0),
        };
        Some(Caught { signal, origin })
    }
}

/// Makes this process's [`wait`] return: sends it a SIGCHLD, which is blocked and means no more
/// than "look again". For threads that have news for the one that waits.
pub fn wake() {
    // SAFETY: kill(2) touches no memory of ours; SIGCHLD at worst is ignored.
    unsafe {
        libc::kill(libc::getpid(), libc::SIGCHLD);
    }
}

/// Sends `signal` to the process `pid`, which must be a child that is not reaped yet (so that
/// its number can't be someone else's). That it has ended meanwhile is no error.
pub fn send(pid: i32, signal: i32) {
    if pid > 0 {
        // SAFETY: kill(2) touches no memory of ours.
        unsafe {
            libc::kill(pid, signal);
        }
    }
}

/// Sends `signal` to every process of the group `group`. Gives `false` where there are some and
/// none of them may be sent one, because they have become another user's (EPERM, kill(2)).
pub fn send_to_group(group: i32, signal: i32) -> bool {
    // SAFETY: kill(2) touches no memory of ours.
    group <= 1
        || unsafe { libc::kill(-group, signal) } == 0
        || io::Error::last_os_error().raw_os_error() != Some(libc::EPERM)
}

/// Whether any process is left in the group `group`, one that is not reaped yet included.
pub fn group_exists(group: i32) -> bool {
    // SAFETY: signal 0 is sent to nobody: kill(2) only says whether there is somebody.
    group > 1
        && (unsafe { libc::kill(-group, 0) } == 0
            || io::Error::last_os_error().raw_os_error() == Some(libc::EPERM))
}

/// Stops this process as the blocked `signal` would have if it were not blocked, and returns
/// once it is continued. Where the system lets nobody stop (an orphaned process group, process
/// 1), returns at once.
pub fn stop_with_signal(signal: i32) {
    // SAFETY: raise(3) touches no memory of ours; the signal is blocked and thus waits.
    unsafe {
        libc::raise(signal);
    }
    let_through(signal);
}

/// As [`stop_with_signal`], with every process of this one's group.
pub fn stop_with_group(signal: i32) {
    // SAFETY: kill(2) touches no memory of ours; here the signal is blocked and thus waits.
    unsafe {
        libc::kill(0, signal);
    }
    let_through(signal);
}

/// Lets a blocked signal have its effect on this thread's process, then blocks it again.
fn let_through(signal: i32) {
    let set = set_of(&[signal]);
    if change_mask(libc::SIG_UNBLOCK, &set).is_ok() {
        let _ = change_mask(libc::SIG_BLOCK, &set);
    }
}

/// The name of a signal as signal(7) lists it, `SIGTERM` for 15.
pub fn name(signal: i32) -> String {
    let name = match signal {
        libc::SIGHUP => "SIGHUP",
        libc::SIGINT => "SIGINT",
        libc::SIGQUIT => "SIGQUIT",
        libc::SIGILL => "SIGILL",
        libc::SIGTRAP => "SIGTRAP",
        libc::SIGABRT => "SIGABRT",
        libc::SIGBUS => "SIGBUS",
        libc::SIGFPE => "SIGFPE",
        libc::SIGKILL => "SIGKILL",
        libc::SIGUSR1 => "SIGUSR1",
        libc::SIGSEGV => "SIGSEGV",
        libc::SIGUSR2 => "SIGUSR2",
        libc::SIGPIPE => "SIGPIPE",
        libc::SIGALRM => "SIGALRM",
        libc::SIGTERM => "SIGTERM",
        #[cfg(target_os = "linux")]
        libc::SIGSTKFLT => "SIGSTKFLT",
        libc::SIGCHLD => "SIGCHLD",
        libc::SIGCONT => "SIGCONT",
        libc::SIGSTOP => "SIGSTOP",
        libc::SIGTSTP => "SIGTSTP",
        libc::SIGTTIN => "SIGTTIN",
        libc::SIGTTOU => "SIGTTOU",
        libc::SIGURG => "SIGURG",
        libc::SIGXCPU => "SIGXCPU",
        libc::SIGXFSZ => "SIGXFSZ",
        libc::SIGVTALRM => "SIGVTALRM",
        libc::SIGPROF => "SIGPROF",
        libc::SIGWINCH => "SIGWINCH",
        libc::SIGIO => "SIGIO",
        #[cfg(target_os = "linux")]
        libc::SIGPWR => "SIGPWR",
        libc::SIGSYS => "SIGSYS",
        #[cfg(target_os = "linux")]
        _ if REAL_TIME.contains(&signal) => {
            return format!("SIGRTMIN+{}", signal - REAL_TIME.start());
        }
        _ => return format!("signal {signal}"),
    };
    name.to_owned()
}
