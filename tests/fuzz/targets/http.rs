//! A connection to the server. The first byte says into how many pieces the others are cut.
//! - What is handled does not depend on the cuts.
//! - Where a request ends is what a second reader says who takes nothing that is doubtful
//!   (RFC 9112): else a proxy in front could be led to another idea of it than the server's.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use pakyas::server::http::{BodyRule, Handler, Limits, Listener, Request, Response, Setup};
use ureq_proto::http::Method;

/// What counts of a request: its method, its target and its body.
type Seen = (String, String, Vec<u8>);

const HEAD_MAX: usize = 1_024;
const BODY_MAX: usize = 1_024;

#[derive(Default)]
struct Witness(Mutex<Vec<Seen>>);

impl Handler for Witness {
    fn body_rule(&self, _: &Method, _: &str) -> BodyRule {
        BodyRule {
            max: BODY_MAX,
            keep: BODY_MAX,
        }
    }

    fn handle(&self, request: Request) -> Response {
        let mut target = request.path.clone();
        if !request.query.is_empty() {
            target = format!("{target}?{}", request.query);
        }
        let seen = (request.method.to_string(), target, request.body);
        self.0.lock().unwrap().push(seen);
        Response::empty()
    }
}

struct Server {
    address: SocketAddr,
    witness: Arc<Witness>,
    _listener: Listener,
}

/// One for all inputs, one input at a time.
fn server() -> &'static Mutex<Server> {
    static SERVER: OnceLock<Mutex<Server>> = OnceLock::new();
    SERVER.get_or_init(|| {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let witness = Arc::new(Witness::default());
        let setup = Setup {
            limits: Limits {
                head_bytes: HEAD_MAX,
                threads: 4,
                connections: 16,
                ..Limits::default()
            },
            ..Setup::default()
        };
        let handler: Arc<dyn Handler> = Arc::clone(&witness) as _;
        Mutex::new(Server {
            address,
            witness,
            _listener: Listener::start(socket, setup, handler).unwrap(),
        })
    })
}

impl Server {
    /// What is handled of these bytes, and how many answers there are.
    fn take(&self, bytes: &[u8], pieces: usize) -> (Vec<Seen>, usize) {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        for piece in bytes.chunks(bytes.len().div_ceil(pieces).max(1)) {
            // It may have refused already.
            if stream.write_all(piece).is_err() {
                break;
            }
            if pieces > 1 {
                std::thread::sleep(Duration::from_micros(50));
            }
        }
        let _ = stream.shutdown(Shutdown::Write);
        let mut answers = Vec::new();
        if let Err(error) = stream.read_to_end(&mut answers) {
            let kind = error.kind();
            assert_eq!(kind, std::io::ErrorKind::ConnectionReset, "it does not end");
        }
        let count = answers
            .windows(b"HTTP/1.1 204".len())
            .filter(|window| *window == b"HTTP/1.1 204")
            .count();
        (std::mem::take(&mut self.witness.0.lock().unwrap()), count)
    }
}

pub fn target(bytes: &[u8]) {
    let Some((&pieces, bytes)) = bytes.split_first() else {
        return;
    };
    let server = server().lock().unwrap_or_else(PoisonError::into_inner);
    let (handled, answers) = server.take(bytes, 1);
    assert_eq!(handled.len(), answers, "not one answer for each request");
    let pieces = usize::from(pieces % 16) + 2;
    let (cut, _) = server.take(bytes, pieces);
    assert_eq!(handled, cut, "cut into {pieces} it is another");
    let mut rest = bytes;
    for (number, seen) in handled.iter().enumerate() {
        let (strict, used) = strict(rest)
            .unwrap_or_else(|why| panic!("request {number} was handled, though {why}: {seen:?}"));
        assert_eq!(*seen, strict, "request {number}");
        rest = &rest[used..];
    }
}

/// The first request of these bytes and its length, or what is doubtful about it.
fn strict(bytes: &[u8]) -> Result<(Seen, usize), &'static str> {
    let mut reader = Reader { bytes, used: 0 };
    let mut line = reader.line()?;
    // Empty lines before a request are ignored (section 2.2).
    while line.is_empty() {
        line = reader.line()?;
    }
    let line = str::from_utf8(line).map_err(|_| "its first line is no text")?;
    let words: Vec<&str> = line.split(' ').collect();
    let [method, target, version] = words[..] else {
        return Err("its first line has not three words");
    };
    let (mut length, mut chunked) = (None, false);
    loop {
        let line = reader.line()?;
        if line.is_empty() {
            break;
        }
        let colon = line.iter().position(|&byte| byte == b':');
        let (name, value) = line.split_at(colon.ok_or("a line of its head has no colon")?);
        if name.is_empty() || !name.iter().all(|&byte| is_token(byte)) {
            return Err("a header has no name");
        }
        let value = value[1..].trim_ascii();
        if name.eq_ignore_ascii_case(b"content-length") {
            let text = str::from_utf8(value).map_err(|_| "its length is no text")?;
            if length.is_some() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err("its length is doubtful");
            }
            length = Some(
                text.parse::<usize>()
                    .map_err(|_| "its length is no number")?,
            );
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            if chunked || !value.eq_ignore_ascii_case(b"chunked") {
                return Err("its encoding is doubtful");
            }
            chunked = true;
        }
    }
    if chunked && (length.is_some() || version != "HTTP/1.1") {
        return Err("its end is said twice or cannot be said");
    }
    let body = match length {
        Some(length) => reader.take(length)?.to_vec(),
        None if chunked => reader.chunks()?,
        None => Vec::new(),
    };
    let target = target.split('#').next().unwrap_or_default();
    Ok(((method.to_owned(), path(target), body), reader.used))
}

/// The target as a path and a query: an absolute one without what names the server.
fn path(target: &str) -> String {
    let rest = match target.split_once("://") {
        Some((scheme, rest)) if scheme.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
            rest.find(['/', '?']).map_or("/", |at| &rest[at..])
        }
        _ => target,
    };
    let rest = rest.strip_suffix('?').unwrap_or(rest);
    if rest.starts_with('?') {
        return format!("/{rest}");
    }
    rest.to_owned()
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

struct Reader<'a> {
    bytes: &'a [u8],
    used: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], &'static str> {
        let rest = &self.bytes[self.used..];
        let taken = rest.get(..count).ok_or("it is not all there")?;
        self.used += count;
        Ok(taken)
    }

    /// A line without its end; one CR before the LF belongs to that.
    fn line(&mut self) -> Result<&'a [u8], &'static str> {
        let rest = &self.bytes[self.used..];
        let end = rest.iter().position(|&byte| byte == b'\n');
        let line = self.take(end.ok_or("it is not all there")? + 1)?;
        let line = &line[..line.len() - 1];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.contains(&b'\r') || line.contains(&0) {
            return Err("there is a bare CR or a NUL in it");
        }
        Ok(line)
    }

    fn chunks(&mut self) -> Result<Vec<u8>, &'static str> {
        let mut body = Vec::new();
        loop {
            let line = self.line()?;
            let size = line.split(|&byte| byte == b';').next().unwrap_or_default();
            let size = size.trim_ascii_end();
            let size = str::from_utf8(size).ok().filter(|text| {
                !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit())
            });
            let size = size.ok_or("a chunk has no size")?;
            let size = usize::from_str_radix(size, 16).map_err(|_| "a chunk is too large")?;
            if size == 0 {
                // Trailers, and the empty line.
                while !self.line()?.is_empty() {}
                return Ok(body);
            }
            body.extend_from_slice(self.take(size)?);
            if !self.line()?.is_empty() {
                return Err("a chunk is longer than it says");
            }
        }
    }
}
