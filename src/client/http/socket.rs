//! A TCP connection that takes what did not get across with it when it is given up.
//!
//! The kernel goes on sending for minutes what a closed connection, or an ended process, left
//! behind. On a link that was cut and mended that is a ping which says "just now" of something
//! long past, and which arrives before the one that was kept and knows its age. So while an
//! answer is outstanding, closing is giving up.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use ureq::Error;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, Either, LazyBuffers, NextTimeout, Transport,
};

use crate::sys;

/// Longer than any budget for one exchange.
const LONGEST: Duration = Duration::from_secs(3_600);

/// Opens a [`Socket`] unless a proxy was connected to already.
#[derive(Debug)]
pub(super) struct Sockets;

impl<In: Transport> Connector<In> for Sockets {
    type Out = Either<In, Socket>;

    fn connect(
        &self,
        details: &ConnectionDetails,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, Error> {
        if let Some(transport) = chained {
            return Ok(Some(Either::A(transport)));
        }
        let stream = open(&details.addrs, details.timeout)?;
        stream.set_nodelay(true)?;
        let buffers = LazyBuffers::new(
            details.config.input_buffer_size(),
            details.config.output_buffer_size(),
        );
        Ok(Some(Either::B(Socket {
            stream,
            buffers,
            awaits: false,
        })))
    }
}

/// Connects to the first address that can be reached: each may take half of the time that is
/// left, the last one all of it.
fn open(addresses: &[SocketAddr], timeout: NextTimeout) -> Result<TcpStream, Error> {
    let until = Instant::now() + left(timeout)?;
    let mut trouble = Error::HostNotFound;
    for (number, address) in addresses.iter().enumerate() {
        let left = until.saturating_duration_since(Instant::now());
        let is_last = number + 1 == addresses.len();
        let share = if is_last { left } else { left / 2 };
        if share.is_zero() {
            return Err(Error::Timeout(timeout.reason));
        }
        match TcpStream::connect_timeout(address, share) {
            Ok(stream) => return Ok(stream),
            Err(error) => trouble = told(error, timeout),
        }
    }
    Err(trouble)
}

/// How long something may take; no operation without an end is asked for here.
fn left(timeout: NextTimeout) -> Result<Duration, Error> {
    match (*timeout.after).min(LONGEST) {
        Duration::ZERO => Err(Error::Timeout(timeout.reason)),
        left => Ok(left),
    }
}

fn told(error: io::Error, timeout: NextTimeout) -> Error {
    match error.kind() {
        ErrorKind::TimedOut | ErrorKind::WouldBlock => Error::Timeout(timeout.reason),
        _ => Error::Io(error),
    }
}

/// A connection.
pub(super) struct Socket {
    stream: TcpStream,
    buffers: LazyBuffers,
    /// Whether something was sent and nothing came back since.
    awaits: bool,
}

impl Socket {
    fn set_awaits(&mut self, awaits: bool) {
        if self.awaits != awaits {
            self.awaits = awaits;
            sys::set_discard_on_close(self.stream.as_fd(), awaits);
        }
    }
}

impl Transport for Socket {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.set_awaits(true);
        self.stream.set_write_timeout(Some(left(timeout)?))?;
        let output = &self.buffers.output()[..amount];
        self.stream.write_all(output).map_err(|e| told(e, timeout))
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let until = Instant::now() + left(timeout)?;
        let amount = loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Error::Timeout(timeout.reason));
            }
            self.stream.set_read_timeout(Some(left))?;
            match self.stream.read(self.buffers.input_append_buf()) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => break read.map_err(|error| told(error, timeout))?,
            }
        };
        self.buffers.input_appended(amount);
        self.set_awaits(false);
        Ok(amount > 0)
    }

    /// Nothing is to be read from a connection that is idle, not even its end.
    fn is_open(&mut self) -> bool {
        let idle = || -> io::Result<bool> {
            self.stream.set_nonblocking(true)?;
            let peeked = self.stream.peek(&mut [0]);
            self.stream.set_nonblocking(false)?;
            Ok(peeked.is_err_and(|error| error.kind() == ErrorKind::WouldBlock))
        };
        idle().unwrap_or(false)
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Socket")
    }
}
