//! The one module with `unsafe`: the few system calls that no safe crate in the tree offers.
//!
//! Everything here is a thin, safe face over libc; nothing here knows what it is used for.
//! What only Linux has is here too, so that another system is added here and nowhere else.

#![allow(unsafe_code)]

mod child;
mod clock;
mod connect;
#[cfg(feature = "server")]
mod epoll;
mod fd;
mod signal;
#[cfg(feature = "server")]
mod socket;
mod terminal;

pub use child::{Inherited, Reaped, Status, reap};
#[cfg(feature = "server")]
pub use clock::since_start_of_clock;
pub use clock::{boot_id, local_offset, since_boot};
pub use connect::begin_to_connect;
#[cfg(feature = "server")]
pub use epoll::{Epoll, Until};
pub use fd::{
    Await, Ready, let_go_of_stdin_and_stdout, poll, same_open_file, set_discard_on_close,
    set_nonblocking, waiting_bytes,
};
pub use libc::{SIGALRM, SIGCHLD, SIGCONT, SIGHUP, SIGINT, SIGKILL, SIGQUIT, SIGTERM};
pub use libc::{SIGTSTP, SIGTTIN, SIGTTOU, SIGWINCH};
pub use signal::{
    Caught, Origin, block_signals, group_exists, name, send, send_to_group, stop_with_group,
    stop_with_signal, wait, wait_for_signal, wake,
};
#[cfg(feature = "server")]
pub use socket::{Now, prepare_listener, raise_descriptor_limit};
pub use terminal::{Terminal, Typed, ask, ask_hidden, columns, is_session_leader, own_group};

/// Whether this process has the rights of root.
pub fn is_root() -> bool {
    // SAFETY: geteuid only reads, and can't fail.
    unsafe { libc::geteuid() == 0 }
}

/// Whether this process may write to what is at `path`, and make files there where it is a
/// directory: by its rights, and by the file system's, which may be read-only (access(2)).
///
/// # Errors
/// Why it may not.
#[cfg(feature = "server")]
pub fn may_write(path: &std::path::Path) -> std::io::Result<()> {
    use std::os::unix::ffi::OsStrExt;
    let path = std::ffi::CString::new(path.as_os_str().as_bytes())?;
    // SAFETY: the path is a string with its zero, and is only read.
    let result =
        unsafe { libc::faccessat(libc::AT_FDCWD, path.as_ptr(), libc::W_OK, libc::AT_EACCESS) };
    match result {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error()),
    }
}

/// What this machine is called, where it says so in plain text (gethostname(2)).
pub fn host_name() -> Option<String> {
    let mut name = [0_u8; 256];
    // SAFETY: the length is the array's; the last byte stays zero whatever is written before.
    let result = unsafe { libc::gethostname(name.as_mut_ptr().cast(), name.len() - 1) };
    let end = name.iter().position(|byte| *byte == 0)?;
    let text = str::from_utf8(&name[..end]).ok()?;
    (result == 0 && !text.is_empty()).then(|| text.to_owned())
}
