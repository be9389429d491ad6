//! A connection's bytes, encrypted or not. Nothing here waits at all or, where asked to, for
//! longer than the socket's own patience ([`super::listener::TICK`]): whoever waits longer
//! decides about that each time.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::Instant;

use rustls::{ServerConfig, ServerConnection};

use crate::sys::Now;

/// How much is asked of the socket at once, bytes.
const READ: usize = 8 * 1024;

/// What the first byte of a TLS connection is: a handshake record (RFC 8446 section 5.1).
const HANDSHAKE: u8 = 0x16;

/// What came of waiting for more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Received {
    /// Something, though with TLS it may be nothing for the reader.
    Some,
    /// Nothing within the socket's patience.
    Nothing,
    /// The client has closed its side.
    End,
}

/// Why nothing more can be received.
pub(super) enum Broken {
    /// The connection is gone, or what comes is no TLS that we speak.
    Gone,
    /// HTTP without encryption, where TLS is expected.
    NotEncrypted,
}

impl From<io::Error> for Broken {
    fn from(_: io::Error) -> Self {
        Self::Gone
    }
}

pub(super) struct Transport {
    stream: TcpStream,
    tls: Option<Box<ServerConnection>>,
    /// Whether the client's first byte was looked at.
    begun: bool,
}

impl Transport {
    /// # Errors
    /// Where rustls can't begin, which is for a programming error only.
    pub fn new(stream: TcpStream, tls: Option<Arc<ServerConfig>>) -> Result<Self, rustls::Error> {
        let tls = tls.map(ServerConnection::new).transpose()?.map(Box::new);
        Ok(Self {
            stream,
            begun: tls.is_none(),
            tls,
        })
    }

    /// Whether the encryption is not agreed on yet.
    pub fn is_handshaking(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.is_handshaking())
    }

    /// Whether it is encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.tls.is_some()
    }

    /// Receives into `unread` what is there.
    pub fn receive(&mut self, unread: &mut Vec<u8>) -> Result<Received, Broken> {
        self.receive_from(unread, |stream, buffer| Now(stream).read(buffer))
    }

    /// The same, and waits a moment where nothing is there.
    pub fn wait(&mut self, unread: &mut Vec<u8>) -> Result<Received, Broken> {
        self.receive_from(unread, |mut stream, buffer| stream.read(buffer))
    }

    fn receive_from(
        &mut self,
        unread: &mut Vec<u8>,
        read: fn(&TcpStream, &mut [u8]) -> io::Result<usize>,
    ) -> Result<Received, Broken> {
        if !self.begun {
            let mut first = [0];
            match patiently(|| Now(&self.stream).peek(&mut first))? {
                None => return Ok(Received::Nothing),
                Some(0) => return Ok(Received::End),
                Some(_) if first[0] != HANDSHAKE => return Err(Broken::NotEncrypted),
                Some(_) => self.begun = true,
            }
        }
        let Some(tls) = &mut self.tls else {
            let mut buffer = [0; READ];
            return Ok(match patiently(|| read(&self.stream, &mut buffer))? {
                None => Received::Nothing,
                Some(0) => Received::End,
                Some(received) => {
                    unread.extend_from_slice(&buffer[..received]);
                    Received::Some
                }
            });
        };
        match patiently(|| tls.read_tls(&mut By(&self.stream, read)))? {
            None => return Ok(Received::Nothing),
            // The end without its announcement: what was cut off shows in the request.
            Some(0) => return Ok(Received::End),
            Some(_) => {}
        }
        let processed = tls.process_new_packets();
        // The handshake's answer, or the alert that says why there is none. It is short, and
        // the client waits for it.
        while tls.wants_write() {
            if patiently(|| tls.write_tls(&mut self.stream))?.is_none() {
                return Err(Broken::Gone);
            }
        }
        let state = processed.map_err(|_| Broken::Gone)?;
        let (before, more) = (unread.len(), state.plaintext_bytes_to_read());
        unread.resize(before + more, 0);
        tls.reader().read_exact(&mut unread[before..])?;
        Ok(if more == 0 && state.peer_has_closed() {
            Received::End
        } else {
            Received::Some
        })
    }

    /// Sends all of `bytes` by `deadline`; at once, where there is none.
    ///
    /// # Errors
    /// Where the client does not take them in time, or is gone.
    pub fn send(&mut self, mut bytes: &[u8], deadline: Option<Instant>) -> io::Result<()> {
        let write: fn(&TcpStream, &[u8]) -> io::Result<usize> = match deadline {
            Some(_) => |mut stream, bytes| stream.write(bytes),
            None => |stream, bytes| Now(stream).write(bytes),
        };
        let in_time = |sent: Option<usize>| -> io::Result<usize> {
            match sent {
                Some(0) => Err(io::ErrorKind::WriteZero.into()),
                None if deadline.is_none_or(|deadline| Instant::now() >= deadline) => {
                    Err(io::ErrorKind::TimedOut.into())
                }
                sent => Ok(sent.unwrap_or(0)),
            }
        };
        while !bytes.is_empty() {
            match &mut self.tls {
                None => {
                    let sent = in_time(patiently(|| write(&self.stream, bytes))?)?;
                    bytes = &bytes[sent..];
                }
                Some(tls) => {
                    // It takes as much as its buffer holds.
                    let taken = tls.writer().write(bytes)?;
                    bytes = &bytes[taken..];
                    while tls.wants_write() {
                        in_time(patiently(|| tls.write_tls(&mut By(&self.stream, write)))?)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Tells the client that nothing more will come.
    pub fn finish(&mut self) {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
            let _ = patiently(|| tls.write_tls(&mut self.stream));
        }
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Goes on without the encryption that the client knows nothing of.
    pub fn give_up_encryption(&mut self) {
        self.tls = None;
        self.begun = true;
    }
}

impl AsFd for Transport {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

/// A connection read or written in one way of several.
struct By<'a, F>(&'a TcpStream, F);

impl<F: Fn(&TcpStream, &mut [u8]) -> io::Result<usize>> Read for By<'_, F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (self.1)(self.0, buffer)
    }
}

impl<F: Fn(&TcpStream, &[u8]) -> io::Result<usize>> Write for By<'_, F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (self.1)(self.0, bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Does `work` once more where a signal came between; none where the socket's patience ended.
fn patiently(mut work: impl FnMut() -> io::Result<usize>) -> io::Result<Option<usize>> {
    loop {
        match work() {
            Ok(count) => return Ok(Some(count)),
            Err(error) => match error.kind() {
                io::ErrorKind::Interrupted => {}
                io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => return Ok(None),
                _ => return Err(error),
            },
        }
    }
}
