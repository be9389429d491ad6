//! HTTP/1.1 over `std::net` and threads, on ureq-proto's sans-IO server. Knows nothing of checks.
//!
//! Everything is bounded: connections, header size, body size, the time for the head, for the
//! body, for writing, and idle. A slow or broken client costs one slot and some memory for a
//! bounded time, and never a thread.

mod answer;
mod body;
mod chunks;
mod connection;
mod crew;
mod forwarded;
mod framing;
mod head;
mod listener;
mod parked;
mod pending;
mod reading;
mod sending;
mod tls;
mod transport;

use std::cell::Cell;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::time::Duration;

use ureq_proto::http::{HeaderMap, Method, StatusCode};

pub use forwarded::Network;
pub use listener::Listener;
pub use pending::Pending;
pub use tls::{Files as TlsFiles, Tls};

use super::rate::Allowance;

/// What a listener is given besides its socket and what answers.
#[derive(Default)]
pub struct Setup {
    /// What a client may take.
    pub limits: Limits,
    /// What it shows; none where it speaks plain HTTP.
    pub tls: Option<Arc<Tls>>,
    /// The proxies whose `X-Forwarded-For` is believed.
    pub proxies: Vec<Network>,
    /// What it counts, for whoever wants to look.
    pub counts: Arc<Counts>,
}

/// How many connections there are.
#[derive(Debug, Default)]
pub struct Counts {
    /// Open.
    pub open: AtomicUsize,
    /// Open and quiet, as of a moment ago.
    pub parked: AtomicUsize,
    /// Accepted since the start.
    pub accepted: AtomicU64,
    /// Closed to make room since the start.
    pub evicted: AtomicU64,
}

/// What became of a request, for the log and the metrics.
#[derive(Debug, Clone)]
pub struct Record {
    /// Who sent it.
    pub sender: IpAddr,
    /// The method; GET where none was understood.
    pub method: Method,
    /// The path as it came, without the query; empty where none was understood.
    pub path: String,
    /// The status of the answer.
    pub status: StatusCode,
    /// How much of the body was kept, bytes.
    pub received: usize,
    /// The length of the answer's body, bytes.
    pub sent: usize,
    /// From the request's first byte to the end of its answer.
    pub took: Duration,
    /// Whether it came encrypted.
    pub encrypted: bool,
}

/// What a client may take.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections at once; the one that has been quiet for longest makes room for one more.
    pub connections: usize,
    /// Threads, and so requests that are being handled, at once; at most as many as connections.
    /// What comes beyond that waits.
    pub threads: usize,
    /// Memory of the connections that are waited for, together, bytes: parts of requests that
    /// have not come wholly, and of answers that were not taken wholly. Beyond it the next is
    /// refused with 503.
    pub waiting_bytes: usize,
    /// Request line and headers together, bytes.
    pub head_bytes: usize,
    /// From the first byte of a request to the end of its headers.
    pub head_time: Duration,
    /// From there to the end of its body.
    pub body_time: Duration,
    /// The same while most connections are taken, or much of the memory for those that are
    /// waited for; each byte that has come adds a millisecond. A slow link goes on, and who
    /// only pretends to be sending goes.
    pub body_time_when_busy: Duration,
    /// Without a request on a connection that is kept.
    pub idle_time: Duration,
    /// The same while most connections are taken.
    pub idle_time_when_busy: Duration,
    /// Without the client taking anything of an answer. On the whole it has this long and a second
    /// for each 10 KB.
    pub write_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1024,
            threads: 1024,
            waiting_bytes: 64 * 1024 * 1024,
            head_bytes: 16 * 1024,
            head_time: Duration::from_secs(10),
            body_time: Duration::from_secs(30),
            body_time_when_busy: Duration::from_secs(5),
            idle_time: Duration::from_secs(30),
            idle_time_when_busy: Duration::from_secs(1),
            write_time: Duration::from_secs(10),
        }
    }
}

/// Descriptors that are kept for other things than connections: the database, logs, deliveries.
const OTHER_DESCRIPTORS: u64 = 64;

/// The most connections, where descriptors allow for more: each takes some kilobytes.
const MOST_CONNECTIONS: usize = 16 * 1024;

impl Limits {
    /// As many connections as a process with so many descriptors can have.
    pub fn within(descriptors: u64) -> Self {
        let connections = descriptors.saturating_sub(OTHER_DESCRIPTORS).max(16);
        Self {
            connections: usize::try_from(connections)
                .unwrap_or(MOST_CONNECTIONS)
                .min(MOST_CONNECTIONS),
            ..Self::default()
        }
    }
}

/// How the body of a request is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodyRule {
    /// Refused with 413 above this, bytes.
    pub max: usize,
    /// How much of its end is kept, bytes.
    pub keep: usize,
}

/// A request whose body is complete.
#[derive(Debug)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The path as it came, without the query.
    pub path: String,
    /// The query as it came, without the question mark.
    pub query: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, or the end of it that the rule asked for.
    pub body: Vec<u8>,
    /// Who sent it; where it came through proxies of ours, who sent it to the first of them.
    pub peer: IpAddr,
    /// What was found out on the way about how much more its sender may ask.
    pub allowance: Cell<Option<Allowance>>,
}

impl Request {
    /// The value of a header, where it is there and is text (UTF-8).
    pub fn header(&self, name: &str) -> Option<&str> {
        let value = self.headers.get(name)?.as_bytes();
        str::from_utf8(value).ok().map(str::trim)
    }

    /// The value of a query parameter, decoded; the first where it comes more than once.
    pub fn parameter(&self, name: &str) -> Option<String> {
        find(&self.query, name)
    }

    /// The same of a form in the body (`application/x-www-form-urlencoded`).
    pub fn form(&self, name: &str) -> Option<String> {
        find(str::from_utf8(&self.body).ok()?, name)
    }
}

/// The value of a parameter of a query, decoded; the first where it comes more than once.
pub fn parameter(query: &str, name: &str) -> Option<String> {
    find(query, name)
}

fn find(pairs: &str, name: &str) -> Option<String> {
    pairs.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (key == name).then(|| percent_decode(value))
    })
}

/// Turns `%41` and `+` back into what they stand for; what is no escape stays as it is.
fn percent_decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        let escaped = tail
            .get(..2)
            .filter(|hex| byte == b'%' && hex.iter().all(u8::is_ascii_hexdigit))
            .and_then(|hex| str::from_utf8(hex).ok())
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        rest = if escaped.is_some() { &tail[2..] } else { tail };
        bytes.push(match (escaped, byte) {
            (Some(escaped), _) => escaped,
            (None, b'+') => b' ',
            (None, byte) => byte,
        });
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The status.
    pub status: StatusCode,
    /// Headers besides those that every answer has.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Response {
    /// 204: done, and nothing to say.
    pub fn empty() -> Self {
        Self {
            status: StatusCode::NO_CONTENT,
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// 503: the same request may succeed soon.
    pub fn unavailable() -> Self {
        let body = serde_json::json!({
            "error": "The server can't read or write its data at the moment; try again",
        });
        Self::json(StatusCode::SERVICE_UNAVAILABLE, &body).with("retry-after", "5")
    }

    /// An answer of plain text.
    pub fn text(status: StatusCode, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: vec![("content-type", "text/plain; charset=utf-8".to_owned())],
            body: body.into(),
        }
    }

    /// An answer of JSON.
    pub fn json<T: serde::Serialize>(status: StatusCode, body: &T) -> Self {
        match serde_json::to_vec(body) {
            Ok(body) => Self {
                status,
                headers: vec![("content-type", "application/json".to_owned())],
                body,
            },
            Err(_) => Self::text(StatusCode::INTERNAL_SERVER_ERROR, "{}"),
        }
    }

    /// Adds a header.
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// How a request is handled.
pub enum Handling {
    /// By [`Handler::handle`], which may take a while.
    Blocking(Request),
    /// It is: this is the answer.
    Done(Response),
    /// By what this begins, which answers when it is done.
    Later(Box<dyn FnOnce(Pending) + Send>),
}

/// What answers the requests.
pub trait Handler: Send + Sync + 'static {
    /// How the body of a request to `path` is taken.
    fn body_rule(&self, method: &Method, path: &str) -> BodyRule;

    /// Answers a request, for as long as that takes.
    fn handle(&self, request: Request) -> Response;

    /// Says how a request is to be handled; must not wait for anything.
    fn begin(&self, request: Request) -> Handling {
        Handling::Blocking(request)
    }

    /// Headers of every answer to a request for `path`, refusals included, where they are not
    /// there already; the path is empty where none was understood.
    fn headers(&self, path: &str) -> &'static [(&'static str, &'static str)] {
        let _ = path;
        &[]
    }

    /// Learns what became of a request, its answer being sent.
    fn answered(&self, _: &Record) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn escapes_are_decoded_and_what_is_none_stays() {
        assert_eq!(percent_decode("a%20b+c%zz%4"), "a b c%zz%4");
    }

    proptest! {
        #[test]
        fn no_query_makes_it_panic(text in "\\PC{0,40}") {
            let _ = percent_decode(&text);
        }
    }
}
