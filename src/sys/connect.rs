//! Connecting without waiting for it, so that more than one address can be tried at once.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use libc::{c_int, sa_family_t, socklen_t};

/// Begins to connect (connect(2)). The connection is there, or has failed
/// ([`TcpStream::take_error`]), once it can be written to; reading from it and writing to it do not
/// wait until [`TcpStream::set_nonblocking`] says so. Programs that are started meanwhile don't
/// inherit it.
///
/// # Errors
/// As socket(2) and connect(2): where it is known at once that this address can't be reached.
pub fn begin_to_connect(address: &SocketAddr) -> io::Result<TcpStream> {
    let family = match address {
        SocketAddr::V4(_) => libc::AF_INET,
        SocketAddr::V6(_) => libc::AF_INET6,
    };
    let socket = new_socket(family)?;
    // SAFETY: the pointer and the length are those of a local that connect(2) only reads.
    let result = unsafe {
        match address {
            SocketAddr::V4(address) => {
                let mut raw: libc::sockaddr_in = std::mem::zeroed();
                raw.sin_family = libc::AF_INET as sa_family_t;
                raw.sin_port = address.port().to_be();
                raw.sin_addr.s_addr = u32::from_ne_bytes(address.ip().octets());
                connect(&socket, &raw)
            }
            SocketAddr::V6(address) => {
                let mut raw: libc::sockaddr_in6 = std::mem::zeroed();
                raw.sin6_family = libc::AF_INET6 as sa_family_t;
                raw.sin6_port = address.port().to_be();
                raw.sin6_addr.s6_addr = address.ip().octets();
                raw.sin6_flowinfo = address.flowinfo();
                raw.sin6_scope_id = address.scope_id();
                connect(&socket, &raw)
            }
        }
    };
    if result < 0 {
        let error = io::Error::last_os_error();
        // Interrupted by a signal it goes on by itself all the same.
        if !matches!(error.raw_os_error(), Some(libc::EINPROGRESS | libc::EINTR)) {
            return Err(error);
        }
    }
    Ok(TcpStream::from(socket))
}

/// # Safety
/// `address` is one of the types of addresses that connect(2) knows.
unsafe fn connect<T>(socket: &OwnedFd, address: &T) -> c_int {
    // SAFETY: the pointer and the length are those of one value, which is only read.
    unsafe {
        libc::connect(
            socket.as_raw_fd(),
            std::ptr::from_ref(address).cast(),
            size_of::<T>() as socklen_t,
        )
    }
}

fn new_socket(family: c_int) -> io::Result<OwnedFd> {
    #[cfg(target_os = "linux")]
    let kind = libc::SOCK_STREAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    #[cfg(not(target_os = "linux"))]
    let kind = libc::SOCK_STREAM;
    // SAFETY: socket(2) takes plain numbers, and what it gives is nobody else's.
    let socket = unsafe {
        match libc::socket(family, kind, 0) {
            fd if fd < 0 => return Err(io::Error::last_os_error()),
            fd => OwnedFd::from_raw_fd(fd),
        }
    };
    #[cfg(not(target_os = "linux"))]
    {
        super::set_nonblocking(std::os::fd::AsFd::as_fd(&socket))?;
        // SAFETY: fcntl(2) takes plain numbers.
        unsafe { libc::fcntl(socket.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC) };
    }
    Ok(socket)
}
