//! The one module with `unsafe`: the few system calls that no safe crate in the tree offers.
//!
//! Everything here is a thin, safe face over libc; nothing here knows what it is used for.
//! What only Linux has is here too, so that another system is added here and nowhere else.

#![allow(unsafe_code)]

mod child;
mod clock;
mod fd;
mod signal;
mod terminal;

pub use child::{Inherited, Reaped, Status, reap};
pub use clock::{boot_id, local_offset, since_boot};
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
pub use terminal::{Terminal, columns, is_session_leader, own_group};

/// Whether this process has the rights of root.
pub fn is_root() -> bool {
    // SAFETY: geteuid only reads, and can't fail.
    unsafe { libc::geteuid() == 0 }
}
