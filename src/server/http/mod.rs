//! HTTP/1.1 over `std::net` and threads, on ureq-proto's sans-IO server. Knows nothing of checks.
//!
//! Everything is bounded: connections, header size, body size, the time for the head, for the
//! body, for writing, and idle. A slow or broken client costs one slot for a bounded time.

mod connection;
mod framing;
mod listener;

use std::net::IpAddr;
use std::time::Duration;

use ureq_proto::http::{HeaderMap, Method, StatusCode};

pub use listener::Listener;

/// What a client may take.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections at once; more wait in the kernel's queue.
    pub connections: usize,
    /// Request line and headers together, bytes.
    pub head_bytes: usize,
    /// From the first byte of a request to the end of its headers.
    pub head_time: Duration,
    /// From there to the end of its body.
    pub body_time: Duration,
    /// Without a request on a connection that is kept.
    pub idle_time: Duration,
    /// The same while most connections are taken.
    pub idle_time_when_busy: Duration,
    /// For an answer to be taken.
    pub write_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1024,
            head_bytes: 16 * 1024,
            head_time: Duration::from_secs(10),
            body_time: Duration::from_secs(30),
            idle_time: Duration::from_secs(30),
            idle_time_when_busy: Duration::from_secs(1),
            write_time: Duration::from_secs(10),
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
    /// Who sent it.
    pub peer: IpAddr,
}

impl Request {
    /// The value of a header, where it is there and is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok().map(str::trim)
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

/// What answers the requests.
pub trait Handler: Send + Sync + 'static {
    /// How the body of a request to `path` is taken.
    fn body_rule(&self, method: &Method, path: &str) -> BodyRule;

    /// Answers a request.
    fn handle(&self, request: Request) -> Response;
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
