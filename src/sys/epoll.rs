//! Waiting for one of very many descriptors, by very many threads (epoll(7)).

use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

use libc::c_int;

/// What a descriptor is watched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// That there is something to read, or the end.
    Readable,
    /// That there is room to write.
    Writable,
}

/// A set of descriptors, each with a number of the caller's choice.
pub struct Epoll(OwnedFd);

impl Until {
    fn once(self) -> c_int {
        libc::EPOLLONESHOT
            | match self {
                Self::Readable => libc::EPOLLIN,
                Self::Writable => libc::EPOLLOUT,
            }
    }
}

impl Epoll {
    /// An empty set.
    ///
    /// # Errors
    /// As epoll_create1(2): where descriptors or memory are short.
    pub fn new() -> io::Result<Self> {
        // SAFETY: the call takes no pointer; the descriptor that it gives is ours alone.
        unsafe {
            match libc::epoll_create1(libc::EPOLL_CLOEXEC) {
                -1 => Err(io::Error::last_os_error()),
                fd => Ok(Self(OwnedFd::from_raw_fd(fd))),
            }
        }
    }

    /// Adds a descriptor: the next time that it is as `until` says, or broken, one waiting thread
    /// is told `token`, once. It leaves the set when it is closed.
    ///
    /// # Errors
    /// As epoll_ctl(2): where memory is short.
    pub fn add(&self, fd: &impl AsFd, token: u64, until: Until) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_ADD, fd, token, until.once())
    }

    /// Has a descriptor that was added told once more, as `token`.
    ///
    /// # Errors
    /// As epoll_ctl(2).
    pub fn again(&self, fd: &impl AsFd, token: u64, until: Until) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_MOD, fd, token, until.once())
    }

    /// Adds a descriptor of which every waiting thread is told for as long as it is readable.
    ///
    /// # Errors
    /// As epoll_ctl(2): where memory is short.
    pub fn add_for_all(&self, fd: &impl AsFd, token: u64) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_ADD, fd, token, libc::EPOLLIN)
    }

    /// Takes a descriptor out of the set.
    ///
    /// # Errors
    /// As epoll_ctl(2): where it is not in it.
    pub fn remove(&self, fd: &impl AsFd) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_DEL, fd, 0, 0)
    }

    fn control(&self, what: c_int, fd: &impl AsFd, token: u64, events: c_int) -> io::Result<()> {
        let mut event = libc::epoll_event {
            events: events as u32,
            u64: token,
        };
        let (set, fd) = (self.0.as_raw_fd(), fd.as_fd().as_raw_fd());
        // SAFETY: the pointer is to a local that the call only reads.
        match unsafe { libc::epoll_ctl(set, what, fd, &raw mut event) } {
            -1 => Err(io::Error::last_os_error()),
            _ => Ok(()),
        }
    }

    /// Waits for the next descriptor, for as long as it takes, and gives its number.
    ///
    /// # Errors
    /// As epoll_wait(2): only for a programming error.
    pub fn wait(&self) -> io::Result<u64> {
        let mut event = libc::epoll_event { events: 0, u64: 0 };
        loop {
            // SAFETY: the pointer is to one event, which is as many as the call may write.
            let count = unsafe { libc::epoll_wait(self.0.as_raw_fd(), &raw mut event, 1, -1) };
            match count {
                1 => return Ok(event.u64),
                -1 => {
                    let error = io::Error::last_os_error();
                    if error.kind() != io::ErrorKind::Interrupted {
                        return Err(error);
                    }
                }
                _ => {}
            }
        }
    }
}
