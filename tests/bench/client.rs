//! A client with one connection at a time, which it keeps, and which may be gone when it is needed
//! again: servers close what is idle.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};

use serde_json::Value;

/// A client of one server.
pub struct Client {
    address: SocketAddr,
    stream: Option<TcpStream>,
    buffer: Vec<u8>,
    /// The length of the last answer, and of its head.
    length: usize,
    head: usize,
}

impl Client {
    pub fn new(address: SocketAddr) -> Self {
        Self {
            address,
            stream: None,
            buffer: vec![0; 64 * 1024],
            length: 0,
            head: 0,
        }
    }

    /// Sends a request and reads its answer; gives the status. What a kept connection that was closed
    /// meanwhile did not answer goes out once more on a new one, if it [`may_be_repeated`]. What may
    /// not goes out on a kept connection only where that is seen to be open: looking takes time, which
    /// would be measured with the pings.
    pub fn exchange(&mut self, request: &[u8], kept: bool) -> u16 {
        let old = self.stream.take();
        let old = old.filter(|stream| may_be_repeated(request) || is_idle(stream));
        let was_kept = old.is_some();
        let mut stream = old.unwrap_or_else(|| self.connect());
        let mut answered = self.attempt(&mut stream, request);
        if answered.is_none() && was_kept && may_be_repeated(request) {
            stream = self.connect();
            answered = self.attempt(&mut stream, request);
        }
        (self.head, self.length) = answered.expect("the server has closed the connection");
        if kept {
            self.stream = Some(stream);
        }
        std::str::from_utf8(&self.buffer[9..12])
            .unwrap()
            .parse()
            .unwrap()
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream
    }

    /// Where the answer's head and the answer end; none where the connection is closed before the
    /// first byte of it.
    fn attempt(&mut self, stream: &mut TcpStream, request: &[u8]) -> Option<(usize, usize)> {
        if let Err(error) = stream.write_all(request) {
            assert!(is_closed(error.kind()), "sending a request: {error}");
            return None;
        }
        let mut length = 0;
        loop {
            if length == self.buffer.len() {
                self.buffer.resize(2 * length, 0);
            }
            match stream.read(&mut self.buffer[length..]) {
                Ok(0) if length == 0 => return None,
                Err(error) if length == 0 && is_closed(error.kind()) => return None,
                Ok(0) => panic!("the server has closed the connection amid an answer"),
                Ok(read) => length += read,
                Err(error) => panic!("reading an answer: {error}"),
            }
            if let Some(whole) = whole_message(&self.buffer[..length]) {
                return Some(whole);
            }
        }
    }

    /// A request to the management API, which must go well; gives its answer.
    pub fn api(&mut self, ids: &Value, method: &str, path: &str, body: &Value) -> Value {
        let body = body.to_string();
        let request = format!(
            "{method} /api/v1{path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\
             Content-Length: {}\r\n\r\n{body}",
            ids["api_key"].as_str().unwrap(),
            body.len()
        );
        let status = self.exchange(request.as_bytes(), true);
        assert!(status < 300, "{}", String::from_utf8_lossy(self.body()));
        serde_json::from_slice(self.body()).unwrap_or_default()
    }

    /// The body of the last answer.
    pub fn body(&self) -> &[u8] {
        &self.buffer[self.head..self.length]
    }
}

/// Whether a kept connection is still open and nothing has come on it unasked.
fn is_idle(stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    let peeked = stream.peek(&mut [0]);
    stream.set_nonblocking(false).unwrap();
    peeked.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
}

fn is_closed(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::BrokenPipe | ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted
    )
}

/// Whether a request that the server may have carried out can be sent again: all but a POST to the
/// management API, which would make a second one of what it makes. A ping that comes twice is one
/// more of the same kind.
fn may_be_repeated(request: &[u8]) -> bool {
    !request.starts_with(b"POST /api/")
}

/// Where the head of a request or an answer ends, and the whole; none while it is not whole.
pub fn whole_message(bytes: &[u8]) -> Option<(usize, usize)> {
    let head = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&bytes[..head]).ok()?;
    let body: usize = text
        .lines()
        .find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length")
                .then(|| value.trim().parse().ok())?
        })
        .unwrap_or(0);
    (bytes.len() >= head + body).then_some((head, head + body))
}
