//! What is said of a listening socket that std has no word for, and the limit on descriptors.

use std::io;
use std::net::TcpStream;
use std::os::fd::{AsFd, AsRawFd};

use libc::c_int;

/// Lets so many connections wait to be accepted (listen(2)), and gives the ones that are
/// accepted from now on no delay to fill packets, and so many bytes for what their clients have
/// not taken (socket(7); Linux doubles it): on Linux they inherit that. Best effort: where it
/// can't be had, all is as without it.
pub fn prepare_listener(listener: &impl AsFd, backlog: i32, send_buffer: c_int) {
    let fd = listener.as_fd().as_raw_fd();
    let on: c_int = 1;
    // SAFETY: the pointers and the lengths are those of locals that setsockopt(2) only reads;
    // calling listen(2) again only changes the length of the queue.
    unsafe {
        libc::setsockopt(
            fd,
            libc::IPPROTO_TCP,
            libc::TCP_NODELAY,
            (&raw const on).cast(),
            size_of_val(&on) as libc::socklen_t,
        );
        libc::setsockopt(
            fd,
            libc::SOL_SOCKET,
            libc::SO_SNDBUF,
            (&raw const send_buffer).cast(),
            size_of_val(&send_buffer) as libc::socklen_t,
        );
        libc::listen(fd, backlog);
    }
}

/// A connection that never makes its reader or writer wait: what can't be had at once is
/// [`io::ErrorKind::WouldBlock`] (MSG_DONTWAIT, recv(2)).
pub struct Now<'a>(pub &'a TcpStream);

impl Now<'_> {
    /// As reading, and what is read stays there to be read again.
    ///
    /// # Errors
    /// As recv(2).
    pub fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.receive(buffer, libc::MSG_PEEK)
    }

    fn receive(&self, buffer: &mut [u8], how: c_int) -> io::Result<usize> {
        // SAFETY: the pointer and the length are those of a buffer that outlives the call.
        let count = unsafe {
            libc::recv(
                self.0.as_raw_fd(),
                buffer.as_mut_ptr().cast(),
                buffer.len(),
                how | libc::MSG_DONTWAIT,
            )
        };
        usize::try_from(count).map_err(|_| io::Error::last_os_error())
    }
}

impl io::Read for Now<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.receive(buffer, 0)
    }
}

impl io::Write for Now<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // SAFETY: the pointer and the length are those of bytes that outlive the call.
        let count = unsafe {
            libc::send(
                self.0.as_raw_fd(),
                bytes.as_ptr().cast(),
                bytes.len(),
                libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL,
            )
        };
        usize::try_from(count).map_err(|_| io::Error::last_os_error())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Raises the number of descriptors that this process may have to the most that it may ask for
/// (getrlimit(2)), and gives it.
///
/// # Errors
/// As getrlimit(2): only for a programming error.
pub fn raise_descriptor_limit() -> io::Result<u64> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: both calls get a pointer to a local; the first fills it in, the second reads it.
    unsafe {
        if libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) != 0 {
            return Err(io::Error::last_os_error());
        }
        let before = limit.rlim_cur;
        limit.rlim_cur = limit.rlim_max;
        if libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) != 0 {
            return Ok(before);
        }
    }
    Ok(limit.rlim_cur)
}
