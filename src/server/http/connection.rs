//! One connection: requests are read within their limits, handled, and answered in order.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Shutdown, TcpStream};
use std::time::{Duration, Instant};

use ureq_proto::http::{self, StatusCode, Version, header};
use ureq_proto::server::state::{ProvideResponse, RecvBody, RecvRequest};
use ureq_proto::server::{RecvRequestResult, Reply, SendResponseResult};

use super::framing::{self, Framing};
use super::listener::Slot;
use super::{BodyRule, Handler, Limits, Request, Response};

/// How much is asked of the socket at once, bytes.
const READ: usize = 8 * 1024;

/// How long and how much a client whose request was refused may still send before the
/// connection is closed, so that it reads the refusal and not a reset.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 4 * 1024 * 1024;

/// Serves the connection until it ends, by whichever side.
pub(super) fn serve(
    stream: TcpStream,
    peer: IpAddr,
    limits: &Limits,
    handler: &dyn Handler,
    slot: &Slot,
) {
    // An answer is one write; waiting to fill a packet would only delay it.
    let _ = stream.set_nodelay(true);
    let mut connection = Connection {
        stream,
        unread: Vec::with_capacity(1024),
        limits,
    };
    while let Ok(Next::KeepOpen) = connection.exchange(peer, handler, slot) {}
}

/// What becomes of a connection after an exchange.
enum Next {
    KeepOpen,
    Close,
}

/// Why a request is not handled.
enum Refusal {
    /// Nobody is there to be answered.
    Gone,
    /// It is answered with this and a sentence, and the connection closed.
    Answer(StatusCode, &'static str),
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => Self::Answer(
                StatusCode::REQUEST_TIMEOUT,
                "the request took too long to arrive; send it again",
            ),
            _ => Self::Gone,
        }
    }
}

fn malformed(_: ureq_proto::Error) -> Refusal {
    Refusal::Answer(StatusCode::BAD_REQUEST, "this is not an HTTP/1.1 request")
}

struct Connection<'a> {
    stream: TcpStream,
    /// What was received and not used yet: the rest of a head, a body, or a next request.
    unread: Vec<u8>,
    limits: &'a Limits,
}

impl Connection<'_> {
    /// Reads one request and answers it.
    fn exchange(
        &mut self,
        peer: IpAddr,
        handler: &dyn Handler,
        slot: &Slot,
    ) -> Result<Next, io::Error> {
        if self.unread.is_empty() {
            let idle = if slot.crowded() {
                self.limits.idle_time_when_busy
            } else {
                self.limits.idle_time
            };
            if self.receive(Instant::now() + idle)? == 0 {
                return Ok(Next::Close);
            }
        }
        // From here on a server that stops waits for us; one that is stopping takes no more.
        let Some(_work) = slot.begin() else {
            return Ok(Next::Close);
        };
        match self.request(peer, handler) {
            Ok((reply, request)) => {
                let response = handler.handle(request);
                self.answer(reply, response)
            }
            Err(Refusal::Gone) => Ok(Next::Close),
            Err(Refusal::Answer(status, sentence)) => {
                self.refuse(status, sentence)?;
                Ok(Next::Close)
            }
        }
    }

    /// Receives more into `unread`; 0 where the client has closed its side.
    fn receive(&mut self, deadline: Instant) -> io::Result<usize> {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.stream.set_read_timeout(Some(left))?;
        let mut buffer = [0; READ];
        loop {
            match self.stream.read(&mut buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => {
                    let received = result?;
                    self.unread.extend_from_slice(&buffer[..received]);
                    return Ok(received);
                }
            }
        }
    }

    /// Sends all of `bytes`, within the time for writing as a whole.
    fn send(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        let deadline = Instant::now() + self.limits.write_time;
        while !bytes.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            self.stream.set_write_timeout(Some(left))?;
            match self.stream.write(bytes) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(sent) => bytes = &bytes[sent..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn request(
        &mut self,
        peer: IpAddr,
        handler: &dyn Handler,
    ) -> Result<(Reply<ProvideResponse>, Request), Refusal> {
        let (reply, head) = self.head()?;
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
        let deadline = Instant::now() + self.limits.body_time;
        let (reply, body) = match reply.proceed() {
            Some(RecvRequestResult::ProvideResponse(reply)) => (reply, Vec::new()),
            Some(RecvRequestResult::RecvBody(reply)) => {
                self.body(reply, framing, rule, deadline, too_large)?
            }
            Some(RecvRequestResult::Send100(reply)) => {
                let mut line = [0; 64];
                let (length, reply) = reply.accept(&mut line).map_err(malformed)?;
                self.send(&line[..length])?;
                self.body(reply, framing, rule, deadline, too_large)?
            }
            None => return Err(Refusal::Gone),
        };
        let request = Request {
            method: head.method,
            path: head.uri.path().to_owned(),
            query: head.uri.query().unwrap_or_default().to_owned(),
            headers: head.headers,
            body,
            peer,
        };
        Ok((reply, request))
    }

    fn head(&mut self) -> Result<(Reply<RecvRequest>, http::Request<()>), Refusal> {
        let deadline = Instant::now() + self.limits.head_time;
        let mut reply = Reply::new().map_err(malformed)?;
        loop {
            let (used, head) = reply.try_request(&self.unread).map_err(malformed)?;
            if let Some(head) = head {
                self.unread.drain(..used);
                return Ok((reply, head));
            }
            if self.unread.len() >= self.limits.head_bytes {
                return Err(Refusal::Answer(
                    StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                    "the headers are too large",
                ));
            }
            if self.receive(deadline)? == 0 {
                return Err(Refusal::Gone);
            }
        }
    }

    /// Reads the body and keeps as much of its end as `rule` says.
    fn body(
        &mut self,
        mut reply: Reply<RecvBody>,
        framing: Framing,
        rule: BodyRule,
        deadline: Instant,
        too_large: impl Fn() -> Refusal,
    ) -> Result<(Reply<ProvideResponse>, Vec<u8>), Refusal> {
        let mut body = Vec::new();
        let mut total = 0;
        let mut decoded = [0; READ];
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
            if body.len() > 2 * rule.keep + READ {
                body.drain(..body.len() - rule.keep);
            }
            if used == 0 && length == 0 && !reply.is_ended() && self.receive(deadline)? == 0 {
                return Err(Refusal::Gone);
            }
        }
        body.drain(..body.len().saturating_sub(rule.keep));
        Ok((reply.proceed().map_err(malformed)?, body))
    }

    /// Writes the answer.
    fn answer(&mut self, reply: Reply<ProvideResponse>, response: Response) -> io::Result<Next> {
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
        self.send(&output[..length])?;
        Ok(if reply.must_close_connection() {
            Next::Close
        } else {
            Next::KeepOpen
        })
    }

    /// Answers a request that was not, or not wholly, read, and ends the connection.
    fn refuse(&mut self, status: StatusCode, sentence: &str) -> io::Result<()> {
        let body = serde_json::json!({ "error": sentence }).to_string();
        let answer = format!(
            "HTTP/1.1 {status}\r\ndate: {}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\nconnection: close\r\n\r\n{body}",
            date(),
            body.len(),
        );
        self.send(answer.as_bytes())?;
        self.stream.shutdown(Shutdown::Write)?;
        let deadline = Instant::now() + LINGER;
        let mut drained = 0;
        while drained < LINGER_BYTES {
            self.unread.clear();
            match self.receive(deadline)? {
                0 => break,
                more => drained += more,
            }
        }
        Ok(())
    }
}

/// The time in the form that HTTP has for it.
fn date() -> String {
    jiff::fmt::rfc2822::DateTimePrinter::new()
        .timestamp_to_rfc9110_string(&jiff::Timestamp::now())
        .unwrap_or_default()
}
