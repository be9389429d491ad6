//! The one module with `unsafe`: the few system calls that no safe crate in the tree offers.
//!
//! Everything here is a thin, safe face over libc; nothing here knows what it is used for.

#![allow(unsafe_code)]

use std::io;
use std::mem::MaybeUninit;

pub use libc::{SIGHUP, SIGINT, SIGTERM};

fn set_of(signals: &[i32]) -> libc::sigset_t {
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

/// Blocks `signals` in this thread and in every thread that it starts from now on, so that
/// [`wait_for_signal`] can take them one by one. To be called before any thread is started.
///
/// # Errors
/// As pthread_sigmask(3): only for a programming error.
pub fn block_signals(signals: &[i32]) -> io::Result<()> {
    let set = set_of(signals);
    // SAFETY: the set is initialised, and a null pointer means "don't tell the old mask".
    match unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &set, std::ptr::null_mut()) } {
        0 => Ok(()),
        code => Err(io::Error::from_raw_os_error(code)),
    }
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

/// Whether this process has the rights of root.
pub fn is_root() -> bool {
    // SAFETY: geteuid only reads, and can't fail.
    unsafe { libc::geteuid() == 0 }
}
