//! A header that says how old something is, and one that says what time it is here, both true
//! as of the moment in which they are sent.
//!
//! Finding a host and connecting to it may take seconds on a bad link, and a ping that is so
//! much older on arrival than it says would be told as of the wrong time. ureq takes headers
//! before it connects, so both are set right in the bytes that go out.

use std::cell::Cell;
use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;
use ureq::Error;
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, NextTimeout, Transport};

use crate::sys;
use crate::wire::header;

/// How many digits are set aside in the head: seven days have nine.
const WIDTH: usize = 10;

/// An age that goes out as a header.
#[derive(Debug, Clone, Copy)]
pub struct Age {
    /// The header's name, in lower case.
    pub name: &'static str,
    /// How old it is now.
    pub millis: u64,
    /// The most that may be said.
    pub most: u64,
}

/// An age, and what [`sys::since_boot`] was when it was told.
#[derive(Debug, Clone, Copy)]
struct Told {
    age: Age,
    at: Duration,
}

impl Told {
    fn as_of(self, now: Duration) -> u64 {
        let since = u64::try_from(now.saturating_sub(self.at).as_millis()).unwrap_or(u64::MAX);
        self.age.millis.saturating_add(since).min(self.age.most)
    }
}

thread_local! {
    /// That of the exchange under way: ureq connects and sends on the thread that asks.
    static UNDER_WAY: Cell<Option<Told>> = const { Cell::new(None) };
}

/// As long as it lives, the age of this thread's exchange is kept right.
pub(super) struct Growing(());

impl Growing {
    pub(super) fn new(age: Age) -> Self {
        let at = sys::since_boot();
        UNDER_WAY.set(Some(Told { age, at }));
        Self(())
    }
}

impl Drop for Growing {
    fn drop(&mut self) {
        UNDER_WAY.set(None);
    }
}

/// The header's value before the connection is there.
pub(super) fn value(age: Age) -> String {
    format!("{:0WIDTH$}", age.millis.min(age.most))
}

/// The `Date` of a request that is sent at `now`; always of the same length (RFC 9110).
/// None where the clock is at a time that no calendar has.
pub(super) fn date(now: Timestamp) -> Option<String> {
    DateTimePrinter::new()
        .timestamp_to_rfc9110_string(&now)
        .ok()
}

/// Sets the age and the date right in a head that is about to be sent; what is not there stays as it is.
fn set_right(head: &mut [u8], told: Told, now: Duration, date_now: Option<&str>) {
    let end = head.windows(4).position(|four| four == b"\r\n\r\n");
    let head = &mut head[..end.unwrap_or(0)];
    if let Some(digits) = value_of(head, told.age.name, WIDTH)
        && digits.iter().all(u8::is_ascii_digit)
    {
        let value = format!("{:0WIDTH$}", told.as_of(now));
        digits.copy_from_slice(value.as_bytes());
    }
    if let Some(now) = date_now
        && let Some(date) = value_of(head, header::DATE, now.len())
        && date.ends_with(b" GMT")
    {
        date.copy_from_slice(now.as_bytes());
    }
}

/// The first `length` bytes of the value of a header, where it is there.
fn value_of<'a>(head: &'a mut [u8], name: &str, length: usize) -> Option<&'a mut [u8]> {
    let name = name.as_bytes();
    // From the end of the line before, so that no other name that ends like it is meant.
    let found = head.windows(name.len() + 4).position(|line| {
        line.starts_with(b"\r\n")
            && line.ends_with(b": ")
            && line[2..2 + name.len()].eq_ignore_ascii_case(name)
    })?;
    let from = found + name.len() + 4;
    head.get_mut(from..from + length)
}

/// The last link of the chain: what passes here is not encrypted yet.
#[derive(Debug)]
pub(super) struct Ages;

impl<In: Transport> Connector<In> for Ages {
    type Out = Aged<In>;

    fn connect(
        &self,
        _details: &ConnectionDetails,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, Error> {
        Ok(chained.map(Aged))
    }
}

/// A connection on which ages go out right.
pub(super) struct Aged<T>(T);

impl<T: Transport> Transport for Aged<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.0.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        if let Some(told) = UNDER_WAY.get() {
            let output = self.0.buffers().output();
            if let Some(sent) = output.get_mut(..amount) {
                let date = date(Timestamp::now());
                set_right(sent, told, sys::since_boot(), date.as_deref());
            }
        }
        self.0.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.0.await_input(timeout)
    }

    fn is_open(&mut self) -> bool {
        self.0.is_open()
    }

    fn is_tls(&self) -> bool {
        self.0.is_tls()
    }
}

impl<T> fmt::Debug for Aged<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Aged")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(seconds: u64, head: &str) -> String {
        let age = Age {
            name: "x-age",
            millis: 1_500,
            most: 9_000,
        };
        let at = Duration::from_secs(100);
        let mut bytes = head.as_bytes().to_vec();
        set_right(
            &mut bytes,
            Told { age, at },
            at + Duration::from_secs(seconds),
            Some("Sun, 06 Nov 1994 08:49:37 GMT"),
        );
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn an_age_grows_while_it_is_on_its_way_but_not_beyond_what_may_be_said() {
        let head = "POST / HTTP/1.1\r\nX-Age: 0000001500\r\nHost: a\r\n\r\n";
        assert_eq!(after(0, head), head);
        assert_eq!(after(3, head), head.replace("1500", "4500"));
        assert_eq!(after(60, head), head.replace("1500", "9000"));
    }

    #[test]
    fn the_date_is_that_of_the_moment_in_which_it_is_sent() {
        let head = |date: &str| format!("POST / HTTP/1.1\r\nX-Update: 1\r\nDate: {date}\r\n\r\n");
        let built = date(Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(built, "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(
            after(0, &head(&built)),
            head("Sun, 06 Nov 1994 08:49:37 GMT")
        );
    }

    #[test]
    fn nothing_else_is_touched() {
        for other in [
            "POST / HTTP/1.1\r\nx-date: Thu, 01 Jan 1970 00:00:00 GMT\r\n\r\n",
            "POST / HTTP/1.1\r\ndate: today\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\n\r\nx-age: 0000001500",
            "POST / HTTP/1.1\r\nx-age: 12\r\n\r\n",
            "POST / HTTP/1.1\r\nx-age: twelve----\r\n\r\n",
            "no head at all",
            "",
        ] {
            assert_eq!(after(3, other), other);
        }
    }
}
