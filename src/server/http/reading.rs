//! The reading half of a connection: heads and bodies as they come.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ureq_proto::http::{self, StatusCode, request};
use ureq_proto::server::state::{ProvideResponse, RecvRequest};
use ureq_proto::server::{RecvRequestResult, Reply};

use super::answer::{NOT_ENCRYPTED, Refusal, TOO_LARGE, TOO_SLOW, malformed};
use super::body::Body;
use super::connection::{Asked, Begun, Connection, Open, Phase, Then};
use super::crew::Work;
use super::forwarded;
use super::framing::{self, Framing};
use super::head;
use super::listener::Shared;
use super::transport::{Broken, Received};
use super::{Limits, Request};

/// How slow a body may come where many others wait, bytes a millisecond.
const SLOWEST: u64 = 1;

/// A request whose head is read, and whose body is not.
pub(super) struct Reading {
    head: request::Parts,
    pub body: Body,
    pub since: Instant,
    begun: Begun,
    work: Work,
}

/// What follows a head.
enum Opened {
    Whole(Reply<ProvideResponse>),
    Body(Body),
}

impl Connection {
    pub(super) fn read_head(&mut self, shared: &Arc<Shared>) -> Then {
        if self.unread.is_empty() {
            match self.transport.receive(&mut self.unread) {
                Ok(Received::Some) => {}
                Ok(Received::Nothing) => return self.wait(shared),
                Ok(Received::End) | Err(Broken::Gone) => return Then::Close,
                Err(Broken::NotEncrypted) => {
                    self.transport.give_up_encryption();
                    return self.refuse(NOT_ENCRYPTED, None, shared);
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
        match self.open(&mut begun, shared) {
            Ok((head, Opened::Whole(reply))) => handle(head, reply, Vec::new(), begun, work),
            Ok((head, Opened::Body(body))) => {
                let reading = Reading {
                    head,
                    body,
                    since: Instant::now(),
                    begun,
                    work,
                };
                self.read_body(reading, shared)
            }
            Err(Refusal::NotYet) => self.wait(shared),
            Err(refusal) => self.refuse(refusal, Some((&begun, work)), shared),
        }
    }

    /// Nothing came for now.
    fn wait(&mut self, shared: &Arc<Shared>) -> Then {
        match self.is_late(Instant::now(), false, &shared.setup.limits) {
            true => self.expire(shared),
            false => Then::Park,
        }
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

    /// Reads a head, and looks whether a body follows that may be sent.
    fn open(
        &mut self,
        begun: &mut Begun,
        shared: &Arc<Shared>,
    ) -> Result<(request::Parts, Opened), Refusal> {
        let (setup, handler) = (&shared.setup, &*shared.handler);
        let (reply, head) = self.head(begun.at, &setup.limits)?;
        self.head_since = None;
        begun.sender = forwarded::sender(self.peer, head.headers(), &setup.proxies);
        begun.method = head.method().clone();
        begun.path = head.uri().path().to_owned();
        let framing = framing::of(head.version(), head.headers()).map_err(bad)?;
        head::check_host(head.version(), head.headers()).map_err(bad)?;
        let (head, ()) = head.into_parts();
        let rule = handler.body_rule(&head.method, head.uri.path());
        if matches!(framing, Framing::Length(length) if length > rule.max) {
            return Err(TOO_LARGE);
        }
        let opened = match reply.proceed() {
            Some(RecvRequestResult::ProvideResponse(reply)) => match framing {
                Framing::None | Framing::Length(0) => Opened::Whole(reply),
                // Its body would be taken for the next request.
                _ => return Err(bad("a request of this method has no body")),
            },
            Some(RecvRequestResult::RecvBody(reply)) => {
                Opened::Body(Body::new(reply, framing, rule)?)
            }
            Some(RecvRequestResult::Send100(reply)) => {
                let mut line = [0; 64];
                let (length, reply) = reply.accept(&mut line).map_err(malformed)?;
                // A client that has no room for so little reads nothing.
                if !self.transport.send(&line[..length], &mut 0)? {
                    return Err(Refusal::Gone);
                }
                Opened::Body(Body::new(reply, framing, rule)?)
            }
            None => return Err(Refusal::Gone),
        };
        Ok((head, opened))
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
            let is_whole = head::look(&self.unread, limits.head_bytes)?;
            let (used, head) = reply.try_request(&self.unread).map_err(malformed)?;
            if let Some(head) = head.filter(|_| is_whole) {
                self.unread.drain(..used);
                return Ok((reply, head));
            }
            self.receive(deadline)?;
        }
    }

    /// Reads what there is of a body.
    pub(super) fn read_body(&mut self, mut reading: Reading, shared: &Arc<Shared>) -> Then {
        let deadline = reading.since + shared.setup.limits.body_time;
        loop {
            let more = match reading.body.take(&mut self.unread) {
                Ok(true) => break,
                Ok(false) => self.receive(deadline),
                Err(refusal) => Err(refusal),
            };
            match more {
                Ok(()) => {}
                Err(Refusal::NotYet) => {
                    self.phase = Phase::Body(Box::new(reading));
                    return Then::Park;
                }
                Err(refusal) => {
                    let Reading { begun, work, .. } = reading;
                    return self.refuse(refusal, Some((&begun, work)), shared);
                }
            }
        }
        let Reading {
            head,
            body,
            begun,
            work,
            ..
        } = reading;
        match body.finish() {
            Ok((reply, body)) => handle(head, reply, body, begun, work),
            Err(refusal) => self.refuse(refusal, Some((&begun, work)), shared),
        }
    }
}

/// A complete request, to be handled.
fn handle(
    head: request::Parts,
    reply: Reply<ProvideResponse>,
    body: Vec<u8>,
    begun: Begun,
    work: Work,
) -> Then {
    let request = Request {
        method: head.method,
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: head.headers,
        peer: begun.sender,
        allowance: std::cell::Cell::default(),
        body,
    };
    Then::Handle(Box::new(Asked {
        open: Open {
            reply,
            received: request.body.len(),
            begun,
            work,
        },
        request,
    }))
}

impl Reading {
    /// What it takes to refuse it.
    pub fn give_up(self) -> (Begun, Work) {
        (self.begun, self.work)
    }

    /// How long its body may take where many others wait: some time, and more for what has come.
    pub fn time_when_busy(&self, limits: &Limits) -> Duration {
        let received = u64::try_from(self.body.received()).unwrap_or(u64::MAX);
        let earned = Duration::from_millis(received / SLOWEST);
        limits.body_time.min(limits.body_time_when_busy + earned)
    }
}

fn bad(why: &'static str) -> Refusal {
    Refusal::Answer(StatusCode::BAD_REQUEST, why)
}
