//! One connection: requests are read within their limits, handled, and answered in order.
//!
//! Nothing here waits. Where the client is to send more, or to take more of an answer, the
//! connection is parked with what it has until then, and no thread is held by it.

use std::mem;
use std::net::{IpAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ureq_proto::http::{self, StatusCode};
use ureq_proto::server::Reply;
use ureq_proto::server::state::ProvideResponse;

use super::answer::{self, NO_ROOM, Refusal, TOO_SLOW};
use super::crew::Work;
use super::listener::{Place, Shared};
use super::reading::Reading;
use super::sending::{After, Farewell, Sending};
use super::transport::Transport;
use super::{Limits, Record, Request, Response};
use crate::sys::Until;

/// What becomes of a connection for now.
pub(super) enum Then {
    /// There may be a next request.
    Next,
    /// Nothing comes from it, or it takes nothing; it needs no thread.
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
    pub(super) reply: Reply<ProvideResponse>,
    pub(super) begun: Begun,
    pub(super) received: usize,
    /// A server that stops waits for this.
    pub(super) work: Work,
}

/// What the log and the metrics learn of a request that was refused before it was understood.
pub(super) struct Begun {
    pub at: Instant,
    pub method: http::Method,
    pub path: String,
    pub sender: IpAddr,
}

/// What a connection is at.
#[derive(Default)]
pub(super) enum Phase {
    /// Between requests, or within a head.
    #[default]
    Head,
    /// Within a body.
    Body(Box<Reading>),
    /// Within an answer.
    Answer(Box<Sending>),
    /// It was told that it is refused, and may still be sending.
    Farewell(Farewell),
}

pub(super) struct Connection {
    pub transport: Transport,
    /// Whether the set of descriptors has it.
    pub is_known: bool,
    pub peer: IpAddr,
    /// What was received and not used yet: the rest of a head, a body, or a next request.
    pub unread: Vec<u8>,
    /// When the first byte of the head that is being read came; none between requests.
    pub head_since: Option<Instant>,
    /// Since when it has been idle, or not agreed on its encryption.
    pub quiet_since: Instant,
    pub phase: Phase,
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
        }
        let tls = shared.setup.tls.as_ref().map(|tls| tls.current());
        Some(Self {
            transport: Transport::new(stream, tls).ok()?,
            is_known: false,
            peer,
            unread: Vec::new(),
            head_since: None,
            quiet_since: Instant::now(),
            phase: Phase::Head,
            _place: place,
        })
    }

    /// Whether nothing may be awaited from it any more.
    pub fn is_late(&self, now: Instant, crowded: bool, limits: &Limits) -> bool {
        let (since, limit) = match &self.phase {
            Phase::Answer(sending) => return sending.is_late(now, limits),
            Phase::Farewell(farewell) => return now >= farewell.until,
            Phase::Body(reading) if crowded => (reading.since, reading.time_when_busy(limits)),
            Phase::Body(reading) => (reading.since, limits.body_time),
            Phase::Head => match self.head_since {
                Some(since) => (since, limits.head_time),
                None if self.transport.is_handshaking() => (self.quiet_since, limits.head_time),
                None if crowded => (self.quiet_since, limits.idle_time_when_busy),
                None => (self.quiet_since, limits.idle_time),
            },
        };
        now.saturating_duration_since(since) >= limit
    }

    /// What it waits for while it is parked.
    pub fn waits_until(&self) -> Until {
        match self.phase {
            Phase::Answer(_) => Until::Writable,
            _ => Until::Readable,
        }
    }

    /// How much memory it takes besides itself, bytes.
    pub fn weight(&self) -> usize {
        let more = match &self.phase {
            Phase::Body(reading) => reading.body.weight(),
            Phase::Answer(sending) => sending.weight() + self.transport.weight(),
            Phase::Head | Phase::Farewell(_) => 0,
        };
        self.unread.capacity() + more
    }

    /// Whether a server that stops waits for it.
    pub fn is_at_work(&self) -> bool {
        matches!(self.phase, Phase::Body(_) | Phase::Answer(_))
    }

    /// Whether an answer is on its way.
    pub fn is_answered(&self) -> bool {
        matches!(self.phase, Phase::Answer(_))
    }

    /// Ends a parked connection that is late; one that has begun a request is told.
    pub fn expire(&mut self, shared: &Arc<Shared>) -> Then {
        self.give_up(TOO_SLOW, shared)
    }

    /// Ends or empties a connection for which there is no memory while it is parked.
    pub fn turn_away(&mut self, shared: &Arc<Shared>) -> Then {
        let is_idle = matches!(self.phase, Phase::Head) && self.head_since.is_none();
        if is_idle || matches!(self.phase, Phase::Farewell(_)) {
            self.unread = Vec::new();
            return Then::Park;
        }
        self.give_up(NO_ROOM, shared)
    }

    fn give_up(&mut self, why: Refusal, shared: &Arc<Shared>) -> Then {
        match mem::take(&mut self.phase) {
            Phase::Head if self.head_since.is_some() => self.refuse(why, None, shared),
            Phase::Body(reading) => {
                let (begun, work) = reading.give_up();
                self.refuse(why, Some((&begun, work)), shared)
            }
            Phase::Head | Phase::Answer(_) | Phase::Farewell(_) => Then::Close,
        }
    }

    /// Goes on with what it is at, until a request is complete or nothing more can be done now.
    pub fn exchange(&mut self, shared: &Arc<Shared>) -> Then {
        match mem::take(&mut self.phase) {
            Phase::Head => self.read_head(shared),
            Phase::Body(reading) => self.read_body(*reading, shared),
            Phase::Answer(sending) => self.send(*sending, shared),
            Phase::Farewell(farewell) => self.see_off(farewell),
        }
    }

    /// Answers a request.
    pub fn close_exchange(
        &mut self,
        open: Open,
        mut response: Response,
        shared: &Arc<Shared>,
    ) -> Then {
        for (name, value) in shared.handler.headers(&open.begun.path) {
            if response.headers.iter().all(|(there, _)| there != name) {
                response = response.with(name, *value);
            }
        }
        let record = open
            .begun
            .record(open.received, self.transport.is_encrypted());
        let (status, length) = (response.status, response.body.len());
        let then = match answer::bytes(open.reply, response) {
            Ok((bytes, ends)) => {
                let then = if ends { After::Close } else { After::Next };
                self.send(Sending::new(bytes, then, Some(open.work)), shared)
            }
            Err(_) => Then::Close,
        };
        shared
            .handler
            .answered(&record.ended(status, length, &open.begun));
        then
    }

    /// Whether there is more to be handled already.
    pub fn has_more(&self) -> bool {
        !self.unread.is_empty()
    }
}

impl Begun {
    pub fn record(&self, received: usize, encrypted: bool) -> Record {
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
    pub(super) fn ended(mut self, status: StatusCode, sent: usize, begun: &Begun) -> Self {
        (self.status, self.sent, self.took) = (status, sent, begun.at.elapsed());
        self
    }
}
