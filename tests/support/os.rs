//! What tests need of the operating system that std does not offer. The tests' only `unsafe`.

#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::ptr::null_mut;

/// Sends a signal to a process that this test started, or to a child of one.
pub fn kill(pid: u32, signal: i32) {
    let pid = i32::try_from(pid).unwrap();
    assert!(pid > 1);
    // SAFETY: kill(2) touches no memory.
    assert_eq!(unsafe { libc::kill(pid, signal) }, 0);
}

/// Makes a pipe hold this many bytes, where the machine allows so many.
pub fn set_pipe_size(pipe: &File, bytes: i32) {
    // SAFETY: fcntl(2) with plain numbers.
    let size = unsafe { libc::fcntl(pipe.as_raw_fd(), libc::F_SETPIPE_SZ, bytes) };
    assert!(size >= bytes, "{}", io::Error::last_os_error());
}

/// Has this process, and so what it starts from now on, end by the signals that a terminal and
/// kill(1) send: below nohup(1), or started with `&` by a script, it would be born ignoring some.
pub fn default_signals() {
    for signal in [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM] {
        // SAFETY: signal(2) with plain numbers.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
}

/// What a command is started with in place of what a shell gives.
#[derive(Default, Clone)]
pub struct Start {
    /// Signals that are ignored.
    pub ignored: Vec<i32>,
    /// Signals that are blocked.
    pub blocked: Vec<i32>,
    /// Descriptors that are closed.
    pub closed: Vec<i32>,
    /// Seconds to a SIGALRM; 0 for none.
    pub alarm: u32,
}

/// Has the command started so.
pub fn start_with(command: &mut Command, start: Start) {
    let prepare = move || {
        // SAFETY: async-signal-safe calls (signal-safety(7)) with plain numbers and a mask that
        // is initialised by sigemptyset.
        unsafe {
            // The tests may themselves run below nohup(1).
            for signal in [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM] {
                libc::signal(signal, libc::SIG_DFL);
            }
            for &signal in &start.ignored {
                libc::signal(signal, libc::SIG_IGN);
            }
            for &descriptor in &start.closed {
                libc::close(descriptor);
            }
            libc::alarm(start.alarm);
            let mut mask = MaybeUninit::uninit();
            libc::sigemptyset(mask.as_mut_ptr());
            for &signal in &start.blocked {
                libc::sigaddset(mask.as_mut_ptr(), signal);
            }
            libc::sigprocmask(libc::SIG_SETMASK, mask.as_ptr(), null_mut());
        }
        Ok(())
    };
    // SAFETY: the closure makes async-signal-safe calls only and allocates nothing.
    unsafe {
        command.pre_exec(prepare);
    }
}

/// A new pseudo-terminal: the side of the person, and the side of the programs.
pub fn pseudo_terminal() -> (File, OwnedFd) {
    let (mut person, mut programs) = (0, 0);
    // SAFETY: openpty(3) fills in both descriptors where it succeeds, and then they are ours.
    unsafe {
        let made = libc::openpty(
            &mut person,
            &mut programs,
            null_mut(),
            null_mut(),
            null_mut(),
        );
        assert_eq!(made, 0, "{}", io::Error::last_os_error());
        // Other tests' children must not hold the terminal open.
        for descriptor in [person, programs] {
            libc::fcntl(descriptor, libc::F_SETFD, libc::FD_CLOEXEC);
        }
        (File::from_raw_fd(person), OwnedFd::from_raw_fd(programs))
    }
}

/// Whether the terminal shows what is typed.
pub fn shows_what_is_typed(terminal: &OwnedFd) -> bool {
    let mut settings = MaybeUninit::<libc::termios>::uninit();
    // SAFETY: tcgetattr(3) fills the termios in where it succeeds, and only then is it read.
    unsafe {
        let read = libc::tcgetattr(terminal.as_raw_fd(), settings.as_mut_ptr());
        assert_eq!(read, 0, "{}", io::Error::last_os_error());
        settings.assume_init().c_lflag & libc::ECHO != 0
    }
}

/// Has the command started in a session of its own that this terminal controls, with all three
/// streams on it.
pub fn start_on_terminal(command: &mut Command, terminal: &OwnedFd) {
    let stream = || terminal.try_clone().unwrap();
    command.stdin(stream()).stdout(stream()).stderr(stream());
    let descriptor = terminal.as_raw_fd();
    // SAFETY: setsid(2) and ioctl(2) with a descriptor that outlives the spawn.
    unsafe {
        command.pre_exec(move || {
            if libc::setsid() < 0 || libc::ioctl(descriptor, libc::TIOCSCTTY, 0) < 0 {
                return Err(io::Error::last_os_error());
            }
            Ok(())
        });
    }
}
