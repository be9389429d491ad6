//! Descriptors: waiting for them, and telling whether two are the same open file.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

use libc::{c_int, c_short};

/// Whether closing this connection, or the end of the process, throws away what was not sent
/// yet (SO_LINGER, socket(7)). Best effort: where it can't be had, all is as without it.
pub fn set_discard_on_close(socket: BorrowedFd<'_>, discard: bool) {
    let linger = libc::linger {
        l_onoff: c_int::from(discard),
        l_linger: 0,
    };
    // SAFETY: the pointer and the length are those of a local that setsockopt(2) only reads.
    unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_LINGER,
            (&raw const linger).cast(),
            size_of_val(&linger) as libc::socklen_t,
        );
    }
}

/// What poll(2) said of one descriptor.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ready {
    /// There is something to read, or nothing more will come.
    pub readable: bool,
    /// It takes at least a little without making us wait.
    pub writable: bool,
    /// The other end is gone, for good.
    pub broken: bool,
}

/// One descriptor and what is awaited of it; breaks are always told.
pub type Awaited<'a> = (Option<BorrowedFd<'a>>, Await);

/// What is awaited of a descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Await {
    /// Something to read.
    Reading,
    /// Room to write.
    Writing,
    /// Only that the other end goes away.
    Break,
}

/// Waits until one of the descriptors is ready or `until` passes, and says which are; all
/// unready when time is up. A descriptor that is `None` is never ready.
///
/// # Errors
/// As poll(2): only where memory is short.
pub fn poll<const N: usize>(
    awaited: [Awaited<'_>; N],
    until: Option<Instant>,
) -> io::Result<[Ready; N]> {
    let mut list = awaited.map(|(descriptor, what)| libc::pollfd {
        // A negative descriptor is passed over (poll(2)).
        fd: descriptor.map_or(-1, |descriptor| descriptor.as_raw_fd()),
        events: match what {
            Await::Reading => libc::POLLIN,
            Await::Writing => libc::POLLOUT,
            Await::Break => 0,
        },
        revents: 0,
    });
    loop {
        let timeout = until.map_or(-1, |until| {
            let left = until.saturating_duration_since(Instant::now());
            // Rounded up: a millisecond early would be a busy wait.
            let left = left + Duration::from_micros(999);
            c_int::try_from(left.as_millis()).unwrap_or(c_int::MAX)
        });
        // SAFETY: the pointer and the length are those of one initialised array, and the
        // descriptors in it are borrowed for as long as the call lasts.
        let ready = unsafe { libc::poll(list.as_mut_ptr(), N as libc::nfds_t, timeout) };
        if ready >= 0 {
            break;
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
    let any = |entry: &libc::pollfd, flags: c_short| entry.revents & flags != 0;
    Ok(list.map(|entry| Ready {
        readable: any(&entry, libc::POLLIN | libc::POLLHUP | libc::POLLERR),
        writable: any(&entry, libc::POLLOUT),
        broken: any(&entry, libc::POLLERR | libc::POLLHUP | libc::POLLNVAL),
    }))
}

/// Makes reads and writes on this open file return at once. Whoever shares the open file is
/// affected too, so this is only for one that is ours alone.
///
/// # Errors
/// As fcntl(2).
pub fn set_nonblocking(descriptor: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: both commands take and give plain numbers.
    unsafe {
        let flags = libc::fcntl(descriptor.as_raw_fd(), libc::F_GETFL);
        if flags < 0
            || libc::fcntl(
                descriptor.as_raw_fd(),
                libc::F_SETFL,
                flags | libc::O_NONBLOCK,
            ) < 0
        {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

/// How many bytes wait in a pipe to be read; 0 where that can't be told.
pub fn waiting_bytes(descriptor: BorrowedFd<'_>) -> usize {
    let mut count: c_int = 0;
    // SAFETY: FIONREAD writes one int to where it is told (ioctl_tty(2), pipe(7)).
    let result = unsafe { libc::ioctl(descriptor.as_raw_fd(), libc::FIONREAD, &mut count) };
    if result == 0 {
        usize::try_from(count).unwrap_or(0)
    } else {
        0
    }
}

/// Whether what is written to the one and to the other ends up in one place in one order:
/// the same pipe, socket or device, or a regular file that was opened once.
pub fn same_open_file(a: BorrowedFd<'_>, b: BorrowedFd<'_>) -> bool {
    let metadata = |descriptor: BorrowedFd<'_>| {
        File::from(descriptor.as_fd().try_clone_to_owned().ok()?)
            .metadata()
            .ok()
    };
    let (Some(left), Some(right)) = (metadata(a), metadata(b)) else {
        return false;
    };
    if (left.dev(), left.ino()) != (right.dev(), right.ino()) {
        return false;
    }
    // Opened twice, a regular file has two positions, and writes overwrite each other.
    !left.is_file() || !opened_separately(a, b)
}

/// Whether the two are certainly different open files (kcmp(2), where the kernel has it and a
/// sandbox allows it).
#[cfg(target_os = "linux")]
fn opened_separately(a: BorrowedFd<'_>, b: BorrowedFd<'_>) -> bool {
    const KCMP_FILE: c_int = 0;
    // SAFETY: kcmp(2) takes plain numbers: two processes (ours, twice) and two descriptors.
    let order = unsafe {
        let own = libc::getpid();
        libc::syscall(
            libc::SYS_kcmp,
            own,
            own,
            KCMP_FILE,
            a.as_raw_fd(),
            b.as_raw_fd(),
        )
    };
    order > 0
}

#[cfg(not(target_os = "linux"))]
fn opened_separately(_: BorrowedFd<'_>, _: BorrowedFd<'_>) -> bool {
    false
}

/// Lets go of what stdin and stdout are, so that this process does not keep open a pipe that
/// its child has done with. In their place come the two ends of a pipe of our own, which needs
/// no /dev/null: reading gives the end of the file, writing a broken pipe.
pub fn let_go_of_stdin_and_stdout() {
    let Ok((reader, writer)) = io::pipe() else {
        return;
    };
    // SAFETY: dup2(2) takes plain numbers. 0 and 1 are not owned by anything in Rust (std's
    // Stdin and Stdout use them by number), and stay open all the time: they only change what
    // they are.
    unsafe {
        libc::dup2(reader.as_raw_fd(), 0);
        libc::dup2(writer.as_raw_fd(), 1);
    }
}
