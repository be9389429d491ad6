//! A connection's bytes, encrypted or not. Nothing here waits.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use rustls::{ServerConfig, ServerConnection};

use crate::sys::Now;

/// How much is asked of the socket at once, bytes.
const READ: usize = 8 * 1024;

/// How much of an answer is encrypted before the socket takes it, bytes.
const TLS_BUFFER: usize = 64 * 1024;

/// What the first byte of a TLS connection is: a handshake record (RFC 8446 section 5.1).
const HANDSHAKE: u8 = 0x16;

/// What came of asking for more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Received {
    /// Something, though with TLS it may be nothing for the reader.
    Some,
    /// Nothing for now.
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
        let mut tls = tls.map(ServerConnection::new).transpose()?.map(Box::new);
        if let Some(tls) = &mut tls {
            tls.set_buffer_limit(Some(TLS_BUFFER));
        }
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

    /// How much memory it may take besides itself while an answer waits in it, bytes.
    pub fn weight(&self) -> usize {
        match self.tls {
            Some(_) => TLS_BUFFER,
            None => 0,
        }
    }

    /// Whether the client has reset the connection. What it had sent before is read all the same.
    pub fn is_broken_off(&self) -> bool {
        !matches!(self.stream.take_error(), Ok(None))
    }

    /// Receives into `unread` what is there.
    pub fn receive(&mut self, unread: &mut Vec<u8>) -> Result<Received, Broken> {
        if !self.begun {
            let mut first = [0];
            match at_once(|| Now(&self.stream).peek(&mut first))? {
                None => return Ok(Received::Nothing),
                Some(0) => return Ok(Received::End),
                Some(_) if first[0] != HANDSHAKE => return Err(Broken::NotEncrypted),
                Some(_) => self.begun = true,
            }
        }
        let Some(tls) = &mut self.tls else {
            let mut buffer = [0; READ];
            return Ok(match at_once(|| Now(&self.stream).read(&mut buffer))? {
                None => Received::Nothing,
                Some(0) => Received::End,
                Some(received) => {
                    unread.extend_from_slice(&buffer[..received]);
                    Received::Some
                }
            });
        };
        match at_once(|| tls.read_tls(&mut Now(&self.stream)))? {
            None => return Ok(Received::Nothing),
            // The end without its announcement: what was cut off shows in the request.
            Some(0) => return Ok(Received::End),
            Some(_) => {}
        }
        let processed = tls.process_new_packets();
        // The handshake's answer, or the alert that says why there is none. It is short, and
        // the client waits for it.
        while tls.wants_write() {
            if at_once(|| tls.write_tls(&mut Now(&self.stream)))?.is_none() {
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

    /// Sends what the client takes at once of `bytes` from `sent` on; whether that was the rest.
    ///
    /// # Errors
    /// Where the client is gone.
    pub fn send(&mut self, bytes: &[u8], sent: &mut usize) -> io::Result<bool> {
        loop {
            if let Some(tls) = &mut self.tls {
                while tls.wants_write() {
                    match at_once(|| tls.write_tls(&mut Now(&self.stream)))? {
                        None => return Ok(false),
                        Some(0) => return Err(io::ErrorKind::WriteZero.into()),
                        Some(_) => {}
                    }
                }
            }
            let Some(rest) = bytes.get(*sent..).filter(|rest| !rest.is_empty()) else {
                return Ok(true);
            };
            let taken = match &mut self.tls {
                // It takes as much as its buffer holds.
                Some(tls) => Some(tls.writer().write(rest)?),
                None => at_once(|| Now(&self.stream).write(rest))?,
            };
            match taken {
                None => return Ok(false),
                Some(0) => return Err(io::ErrorKind::WriteZero.into()),
                Some(taken) => *sent += taken,
            }
        }
    }

    /// Tells the client that nothing more will come.
    pub fn finish(&mut self) {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
            let _ = at_once(|| tls.write_tls(&mut Now(&self.stream)));
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

/// Does `work`, once more where a signal came between; none where it would have to wait.
fn at_once(mut work: impl FnMut() -> io::Result<usize>) -> io::Result<Option<usize>> {
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
