//! The controlling terminal and its foreground process group.

use std::fs::{File, OpenOptions};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::os::unix::fs::OpenOptionsExt;

/// The terminal that controls this process's session (tty(4)).
#[derive(Debug)]
pub struct Terminal(File);

impl Terminal {
    /// The controlling terminal, where there is one.
    pub fn controlling() -> Option<Self> {
        OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(libc::O_NOCTTY)
            .open("/dev/tty")
            .ok()
            .map(Self)
    }

    /// The process group that gets what is typed, where it is one of this pid namespace.
    pub fn foreground(&self) -> Option<i32> {
        // SAFETY: tcgetpgrp(3) touches no memory of ours.
        let group = unsafe { libc::tcgetpgrp(self.0.as_raw_fd()) };
        (group > 0).then_some(group)
    }

    /// Makes `group` the foreground group. SIGTTOU must be blocked, else a background process
    /// that calls this is stopped. Without effect where the terminal is gone.
    pub fn hand_to(&self, group: i32) {
        // SAFETY: tcsetpgrp(3) touches no memory of ours.
        unsafe {
            libc::tcsetpgrp(self.0.as_raw_fd(), group);
        }
    }
}

impl AsRawFd for Terminal {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

/// The process group that this process is in.
pub fn own_group() -> i32 {
    // SAFETY: getpgrp(2) always succeeds and touches no memory of ours.
    unsafe { libc::getpgrp() }
}

/// Whether this process leads its session: then a terminal that hangs up tells it alone.
pub fn is_session_leader() -> bool {
    // SAFETY: neither call touches memory of ours; getsid(2) of oneself succeeds.
    unsafe { libc::getsid(0) == libc::getpid() }
}

/// How many columns the terminal behind `descriptor` has (ioctl_tty(2)); `None` where it is no
/// terminal, or one that does not know.
pub fn columns(descriptor: BorrowedFd<'_>) -> Option<usize> {
    let mut size = MaybeUninit::<libc::winsize>::zeroed();
    // SAFETY: TIOCGWINSZ fills in the winsize, a local for which zeroes are valid too.
    let (result, size) = unsafe {
        let result = libc::ioctl(descriptor.as_raw_fd(), libc::TIOCGWINSZ, size.as_mut_ptr());
        (result, size.assume_init())
    };
    (result == 0 && size.ws_col > 0).then(|| usize::from(size.ws_col))
}
