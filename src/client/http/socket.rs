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

use crate::sys::{self, Await};

/// Longer than any budget for one exchange.
const LONGEST: Duration = Duration::from_secs(3_600);

/// How long an address is tried alone before the next one is tried beside it (RFC 8305, section 5).
const HEAD_START: Duration = Duration::from_millis(250);

/// The most addresses of a name that are tried.
const ADDRESSES: usize = 16;

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
        Ok(Some(Either::B(Self::open(details)?)))
    }
}

impl Sockets {
    /// A connection to where `details` says.
    pub(super) fn open(details: &ConnectionDetails) -> Result<Socket, Error> {
        let stream = open(&details.addrs, details.timeout)?;
        stream.set_nodelay(true)?;
        let buffers = LazyBuffers::new(
            details.config.input_buffer_size(),
            details.config.output_buffer_size(),
        );
        Ok(Socket {
            stream,
            buffers,
            awaits: false,
        })
    }
}

/// Connects to whichever address answers first. The next one is tried when the one before has had
/// [`HEAD_START`] or has failed, while all that were begun go on (RFC 8305, section 5); so an address
/// that swallows what is sent to it costs no more than that.
fn open(addresses: &[SocketAddr], timeout: NextTimeout) -> Result<TcpStream, Error> {
    let until = Instant::now() + left(timeout)?;
    let mut waiting = in_turn(addresses).into_iter().peekable();
    let mut under_way: Vec<TcpStream> = Vec::new();
    let mut trouble = Error::HostNotFound;
    let mut next_at = Instant::now();
    loop {
        if Instant::now() >= until {
            return Err(Error::Timeout(timeout.reason));
        }
        if under_way.is_empty() || Instant::now() >= next_at {
            match waiting.next() {
                Some(address) => match sys::begin_to_connect(&address) {
                    Ok(stream) => {
                        under_way.push(stream);
                        next_at = Instant::now() + HEAD_START;
                    }
                    Err(error) => {
                        trouble = told(error, timeout);
                        continue;
                    }
                },
                None if under_way.is_empty() => return Err(trouble),
                None => {}
            }
        }
        let wake = match waiting.peek() {
            Some(_) => next_at.min(until),
            None => until,
        };
        for number in settled(&under_way, wake)? {
            let stream = under_way.remove(number);
            match stream.take_error()? {
                None => {
                    stream.set_nonblocking(false)?;
                    return Ok(stream);
                }
                Some(error) => {
                    trouble = told(error, timeout);
                    next_at = Instant::now();
                }
            }
        }
    }
}

/// Waits until attempts have succeeded or failed, at most until then; gives their places, the last
/// one first.
fn settled(under_way: &[TcpStream], until: Instant) -> io::Result<Vec<usize>> {
    let awaited = std::array::from_fn(|place| {
        let stream = under_way.get(place).map(AsFd::as_fd);
        (stream, Await::Writing)
    });
    let ready = sys::poll::<ADDRESSES>(awaited, Some(until))?;
    let places = ready.iter().enumerate().rev();
    Ok(places
        .filter(|(_, ready)| ready.writable || ready.broken)
        .map(|(place, _)| place)
        .collect())
}

/// The addresses as they are to be tried: the preferred family first, then one of the other, and so
/// on (RFC 8305, section 4), since often all of one family can't be reached.
fn in_turn(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let first = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (preferred, others): (Vec<SocketAddr>, Vec<SocketAddr>) =
        addresses.iter().partition(|one| one.is_ipv6() == first);
    let mut others = others.into_iter();
    let mut all = Vec::with_capacity(addresses.len());
    for address in preferred {
        all.push(address);
        all.extend(others.next());
    }
    all.extend(others);
    all.truncate(ADDRESSES);
    all
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_both_families_take_turns_beginning_with_the_preferred_one() {
        let order = |addresses: &[&str]| {
            let addresses: Vec<SocketAddr> = addresses
                .iter()
                .map(|text| SocketAddr::new(text.parse().unwrap(), 80))
                .collect();
            let order: Vec<String> = in_turn(&addresses)
                .iter()
                .map(|one| one.ip().to_string())
                .collect();
            order.join(" ")
        };
        assert_eq!(
            order(&["::1", "::2", "::3", "1.1.1.1"]),
            "::1 1.1.1.1 ::2 ::3"
        );
        assert_eq!(order(&["1.1.1.1", "::1", "::2"]), "1.1.1.1 ::1 ::2");
        assert_eq!(order(&["1.1.1.1", "2.2.2.2", "::1"]), "1.1.1.1 ::1 2.2.2.2");
        assert_eq!(order(&[]), "");
    }
}
