//! One connection: requests are read within their limits, handled, and answered in order.

use std::io;
use std::net::{IpAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ureq_proto::http::{self, StatusCode, Version, header};
use ureq_proto::server::state::{ProvideResponse, RecvBody, RecvRequest};
use ureq_proto::server::{RecvRequestResult, Reply, SendResponseResult};

use super::forwarded;
use super::framing::{self, Framing};
use super::listener::{Place, Shared, Work};
use super::transport::{Broken, Received, Transport};
use super::{BodyRule, Limits, Record, Request, Response};

/// How much of a body is decoded at once, bytes.
const DECODE: usize = 8 * 1024;

/// How long and how much a client whose request was refused may still send before the
/// connection is closed, so that it reads the refusal and not a reset.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 4 * 1024 * 1024;

/// How much room of a connection's buffer is kept while nothing is in it, bytes.
const KEPT_BUFFER: usize = 16 * 1024;

/// What becomes of a connection for now.
pub(super) enum Then {
    /// There may be a next request.
    Next,
    /// Nothing comes from it; it needs no thread.
    Park,
    /// It is at its end.
    Close,
    /// A request is complete.
    Handle(Box<Asked>),
}

/// A request that is to be handled, and what it takes to answer it.
pub(super) struct Asked {
    pub request: Request,
    pub open: Open,
}

/// What it takes to answer a request.
pub(super) struct Open {
    reply: Reply<ProvideResponse>,
    begun: Begun,
    received: usize,
    /// A server that stops waits for this.
    _work: Work,
}

/// Why a request is not handled.
enum Refusal {
    /// Nobody is there to be answered.
    Gone,
    /// Nothing more has come yet, and it may still come.
    NotYet,
    /// It is answered with this and a sentence, and the connection closed.
    Answer(StatusCode, &'static str),
}

const TOO_SLOW: Refusal = Refusal::Answer(
    StatusCode::REQUEST_TIMEOUT,
    "the request took too long to arrive; send it again",
);

const NOT_ENCRYPTED: Refusal = Refusal::Answer(
    StatusCode::BAD_REQUEST,
    "this port speaks HTTPS only; write https:// in the URL",
);

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::TimedOut => TOO_SLOW,
            _ => Self::Gone,
        }
    }
}

fn malformed(_: ureq_proto::Error) -> Refusal {
    Refusal::Answer(StatusCode::BAD_REQUEST, "this is not an HTTP/1.1 request")
}

/// What the log and the metrics learn of a request that was refused before it was understood.
struct Begun {
    at: Instant,
    method: http::Method,
    path: String,
    sender: IpAddr,
}

pub(super) struct Connection {
    pub transport: Transport,
    /// Whether the set of descriptors has it.
    pub is_known: bool,
    peer: IpAddr,
    /// What was received and not used yet: the rest of a head, a body, or a next request.
    unread: Vec<u8>,
    /// When the first byte of the head that is being read came; none between requests.
    head_since: Option<Instant>,
    /// Since when it has been idle, or not agreed on its encryption.
    quiet_since: Instant,
    _place: Place,
}

impl Connection {
    /// None where rustls can't begin.
    pub fn new(
        stream: TcpStream,
        peer: IpAddr,
        place: Place,
        shared: &Arc<Shared>,
    ) -> Option<Self> {
        // It inherits this from the listener on Linux; elsewhere it has to be said.
        if cfg!(not(target_os = "linux")) {
            let _ = stream.set_nodelay(true);
            let _ = stream.set_nonblocking(false);
            let _ = stream.set_read_timeout(Some(super::listener::TICK));
            let _ = stream.set_write_timeout(Some(super::listener::TICK));
        }
        let tls = shared.setup.tls.as_ref().map(|tls| tls.current());
        Some(Self {
            transport: Transport::new(stream, tls).ok()?,
            is_known: false,
            peer,
            unread: Vec::new(),
            head_since: None,
            quiet_since: Instant::now(),
            _place: place,
        })
    }

    /// Whether nothing may be awaited from it any more.
    pub fn is_late(&self, now: Instant, crowded: bool, limits: &Limits) -> bool {
        let (since, limit) = match self.head_since {
            Some(since) => (since, limits.head_time),
            None if self.transport.is_handshaking() => (self.quiet_since, limits.head_time),
            None if crowded => (self.quiet_since, limits.idle_time_when_busy),
            None => (self.quiet_since, limits.idle_time),
        };
        now.saturating_duration_since(since) >= limit
    }

    /// Ends a parked connection that is late; one that has begun a request is told.
    pub fn expire(mut self, shared: &Arc<Shared>) {
        if self.head_since.is_some()
            && let Refusal::Answer(status, sentence) = TOO_SLOW
        {
            let _ = self.tell(status, sentence, &shared.setup.limits);
            self.transport.finish();
        }
    }

    /// Reads one request and answers it.
    pub fn exchange(&mut self, shared: &Arc<Shared>) -> Then {
        let limits = &shared.setup.limits;
        if self.unread.is_empty() {
            match self.transport.receive(&mut self.unread) {
                Ok(Received::Some) => {}
                Ok(Received::Nothing) => return self.wait(shared),
                Ok(Received::End) | Err(Broken::Gone) => return Then::Close,
                Err(Broken::NotEncrypted) => {
                    self.transport.give_up_encryption();
                    shared.blocking(|| {
                        let _ = self.refuse(NOT_ENCRYPTED, limits);
                    });
                    return Then::Close;
                }
            }
            if self.unread.is_empty() {
                return self.wait_if_late(shared);
            }
        }
        // From here on a server that stops waits for us; one that is stopping takes no more.
        let Some(work) = shared.begin() else {
            return Then::Close;
        };
        let since = *self.head_since.get_or_insert_with(Instant::now);
        let mut begun = Begun {
            at: since,
            method: http::Method::GET,
            path: String::new(),
            sender: self.peer.to_canonical(),
        };
        match self.request(shared, &mut begun) {
            Ok((reply, request)) => {
                self.head_since = None;
                Then::Handle(Box::new(Asked {
                    open: Open {
                        reply,
                        begun,
                        received: request.body.len(),
                        _work: work,
                    },
                    request,
                }))
            }
            Err(Refusal::NotYet) => self.wait(shared),
            Err(refusal) => {
                if let Refusal::Answer(status, _) = refusal {
                    let record = begun.record(0, self.transport.is_encrypted());
                    shared.handler.answered(&record.ended(status, 0, &begun));
                }
                shared.blocking(|| {
                    let _ = self.refuse(refusal, limits);
                });
                Then::Close
            }
        }
    }

    /// Answers a request; at once or, where it `may_wait`, within the time for writing.
    pub fn close_exchange(
        &mut self,
        open: Open,
        response: Response,
        shared: &Arc<Shared>,
        may_wait: bool,
    ) -> Then {
        let record = open
            .begun
            .record(open.received, self.transport.is_encrypted());
        let (status, length) = (response.status, response.body.len());
        let deadline = may_wait.then(|| Instant::now() + shared.setup.limits.write_time);
        let then = self.answer(open.reply, response, deadline);
        shared
            .handler
            .answered(&record.ended(status, length, &open.begun));
        self.quiet_since = Instant::now();
        if self.unread.is_empty() {
            self.unread.shrink_to(KEPT_BUFFER);
        }
        then.unwrap_or(Then::Close)
    }

    /// Whether there is more to be handled already.
    pub fn has_more(&self) -> bool {
        !self.unread.is_empty()
    }

    /// Nothing came for now.
    fn wait(&mut self, shared: &Arc<Shared>) -> Then {
        if self.is_late(Instant::now(), false, &shared.setup.limits) {
            if self.head_since.is_some() {
                let _ = self.refuse(TOO_SLOW, &shared.setup.limits);
            }
            return Then::Close;
        }
        Then::Park
    }

    /// Something came that is nothing to read: part of a handshake.
    fn wait_if_late(&mut self, shared: &Arc<Shared>) -> Then {
        if self.is_late(Instant::now(), false, &shared.setup.limits) {
            Then::Close
        } else {
            Then::Next
        }
    }

    /// Receives more of a request into `unread`, where more is there.
    fn receive(&mut self, deadline: Instant) -> Result<(), Refusal> {
        match self.transport.receive(&mut self.unread) {
            Ok(Received::End) | Err(_) => Err(Refusal::Gone),
            Ok(Received::Some | Received::Nothing) if Instant::now() >= deadline => Err(TOO_SLOW),
            Ok(Received::Some) => Ok(()),
            Ok(Received::Nothing) => Err(Refusal::NotYet),
        }
    }

    /// The same for a body: waits for it.
    fn wait_for_more(&mut self, deadline: Instant, shared: &Arc<Shared>) -> Result<(), Refusal> {
        match self.receive(deadline) {
            Err(Refusal::NotYet) => {}
            received => return received,
        }
        match shared.blocking(|| self.transport.wait(&mut self.unread)) {
            Ok(Received::Some | Received::Nothing) => Ok(()),
            Ok(Received::End) | Err(_) => Err(Refusal::Gone),
        }
    }

    fn send(&mut self, bytes: &[u8], limits: &Limits) -> io::Result<()> {
        self.transport
            .send(bytes, Some(Instant::now() + limits.write_time))
    }

    fn request(
        &mut self,
        shared: &Arc<Shared>,
        begun: &mut Begun,
    ) -> Result<(Reply<ProvideResponse>, Request), Refusal> {
        let (setup, handler) = (&shared.setup, &*shared.handler);
        let (reply, head) = self.head(begun.at, &setup.limits)?;
        begun.sender = forwarded::sender(self.peer, head.headers(), &setup.proxies);
        begun.method = head.method().clone();
        begun.path = head.uri().path().to_owned();
        let framing = framing::of(head.version(), head.headers())
            .map_err(|why| Refusal::Answer(StatusCode::BAD_REQUEST, why))?;
        if head.version() == Version::HTTP_11 && !head.headers().contains_key(header::HOST) {
            let why = "HTTP/1.1 asks for a Host header";
            return Err(Refusal::Answer(StatusCode::BAD_REQUEST, why));
        }
        let (head, ()) = head.into_parts();
        let rule = handler.body_rule(&head.method, head.uri.path());
        let too_large = || {
            let why = "the body is too large";
            Refusal::Answer(StatusCode::PAYLOAD_TOO_LARGE, why)
        };
        if matches!(framing, Framing::Length(length) if length > rule.max) {
            return Err(too_large());
        }
        let deadline = Instant::now() + setup.limits.body_time;
        let (reply, body) = match reply.proceed() {
            Some(RecvRequestResult::ProvideResponse(reply)) => (reply, Vec::new()),
            Some(RecvRequestResult::RecvBody(reply)) => {
                self.body(reply, framing, rule, deadline, shared, too_large)?
            }
            Some(RecvRequestResult::Send100(reply)) => {
                let mut line = [0; 64];
                let (length, reply) = reply.accept(&mut line).map_err(malformed)?;
                self.send(&line[..length], &setup.limits)?;
                self.body(reply, framing, rule, deadline, shared, too_large)?
            }
            None => return Err(Refusal::Gone),
        };
        let request = Request {
            method: head.method,
            path: head.uri.path().to_owned(),
            query: head.uri.query().unwrap_or_default().to_owned(),
            headers: head.headers,
            body,
            peer: begun.sender,
            allowance: std::cell::Cell::default(),
        };
        Ok((reply, request))
    }

    /// Reads a head; what came of one that is not complete is kept for the next time.
    fn head(
        &mut self,
        since: Instant,
        limits: &Limits,
    ) -> Result<(Reply<RecvRequest>, http::Request<()>), Refusal> {
        let deadline = since + limits.head_time;
        let mut reply = Reply::new().map_err(malformed)?;
        loop {
            let (used, head) = reply.try_request(&self.unread).map_err(malformed)?;
            if let Some(head) = head {
                self.unread.drain(..used);
                return Ok((reply, head));
            }
            if self.unread.len() >= limits.head_bytes {
                return Err(Refusal::Answer(
                    StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                    "the headers are too large",
                ));
            }
            self.receive(deadline)?;
        }
    }

    /// Reads the body and keeps as much of its end as `rule` says.
    fn body(
        &mut self,
        mut reply: Reply<RecvBody>,
        framing: Framing,
        rule: BodyRule,
        deadline: Instant,
        shared: &Arc<Shared>,
        too_large: impl Fn() -> Refusal,
    ) -> Result<(Reply<ProvideResponse>, Vec<u8>), Refusal> {
        let mut body = Vec::new();
        let mut total = 0;
        let mut decoded = [0; DECODE];
        if framing == Framing::None {
            // A POST that names no length has no body (RFC 9112 section 6.3), but ureq-proto
            // waits for chunks: it is given the last one.
            reply.read(b"0\r\n\r\n", &mut decoded).map_err(malformed)?;
        }
        while !reply.is_ended() {
            let (used, length) = reply.read(&self.unread, &mut decoded).map_err(malformed)?;
            self.unread.drain(..used);
            total += length;
            if total > rule.max {
                return Err(too_large());
            }
            body.extend_from_slice(&decoded[..length]);
            // Now and then, not each time, so that moving bytes costs little.
            if body.len() > 2 * rule.keep + DECODE {
                body.drain(..body.len() - rule.keep);
            }
            if used == 0 && length == 0 && !reply.is_ended() {
                self.wait_for_more(deadline, shared)?;
            }
        }
        body.drain(..body.len().saturating_sub(rule.keep));
        Ok((reply.proceed().map_err(malformed)?, body))
    }

    /// Writes the answer.
    fn answer(
        &mut self,
        reply: Reply<ProvideResponse>,
        response: Response,
        deadline: Option<Instant>,
    ) -> io::Result<Then> {
        let defect = |_| io::Error::from(io::ErrorKind::InvalidInput);
        let mut head = http::Response::builder()
            .status(response.status)
            .header(header::DATE, date());
        if response.status != StatusCode::NO_CONTENT {
            head = head.header(header::CONTENT_LENGTH, response.body.len());
        }
        for (name, value) in &response.headers {
            head = head.header(*name, value);
        }
        let head = head
            .body(())
            .map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
        let mut reply = reply.provide(head).map_err(defect)?;
        let mut output = vec![0; 2048 + response.body.len()];
        let mut length = 0;
        while !reply.is_finished() {
            length += reply.write(&mut output[length..]).map_err(defect)?;
        }
        let reply = match reply.proceed() {
            SendResponseResult::SendBody(mut reply) => {
                let (_, written) = reply
                    .write(&response.body, &mut output[length..])
                    .map_err(defect)?;
                length += written;
                if !reply.is_finished() {
                    return Err(io::ErrorKind::InvalidInput.into());
                }
                reply.proceed()
            }
            SendResponseResult::Cleanup(reply) => reply,
        };
        self.transport.send(&output[..length], deadline)?;
        Ok(if reply.must_close_connection() {
            Then::Close
        } else {
            Then::Next
        })
    }

    /// Answers a request that was not, or not wholly, read, and ends the connection.
    fn refuse(&mut self, refusal: Refusal, limits: &Limits) -> io::Result<()> {
        let Refusal::Answer(status, sentence) = refusal else {
            return Ok(());
        };
        self.tell(status, sentence, limits)?;
        self.transport.finish();
        let deadline = Instant::now() + LINGER;
        let mut drained = 0;
        while drained < LINGER_BYTES && Instant::now() < deadline {
            self.unread.clear();
            match self.transport.wait(&mut self.unread) {
                Ok(Received::Some | Received::Nothing) => drained += self.unread.len(),
                Ok(Received::End) | Err(_) => break,
            }
        }
        Ok(())
    }

    fn tell(&mut self, status: StatusCode, sentence: &str, limits: &Limits) -> io::Result<()> {
        let body = serde_json::json!({ "error": sentence }).to_string();
        let answer = format!(
            "HTTP/1.1 {status}\r\ndate: {}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\nconnection: close\r\n\r\n{body}",
            date(),
            body.len(),
        );
        self.send(answer.as_bytes(), limits)
    }
}

impl Begun {
    fn record(&self, received: usize, encrypted: bool) -> Record {
        Record {
            sender: self.sender,
            method: self.method.clone(),
            path: self.path.clone(),
            status: StatusCode::OK,
            received,
            sent: 0,
            took: Duration::ZERO,
            encrypted,
        }
    }
}

impl Record {
    fn ended(mut self, status: StatusCode, sent: usize, begun: &Begun) -> Self {
        (self.status, self.sent, self.took) = (status, sent, begun.at.elapsed());
        self
    }
}

/// The time in the form that HTTP has for it.
fn date() -> String {
    jiff::fmt::rfc2822::DateTimePrinter::new()
        .timestamp_to_rfc9110_string(&jiff::Timestamp::now())
        .unwrap_or_default()
}
