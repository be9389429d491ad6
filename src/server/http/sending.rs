//! The sending half of a connection: answers as the client takes them, and what follows them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ureq_proto::http::Method;

use super::Limits;
use super::answer::{self, Refusal};
use super::connection::{Begun, Connection, Phase, Then};
use super::crew::Work;
use super::listener::Shared;
use super::transport::Received;

/// How long and how much a client whose request was refused may still send before the
/// connection is closed, so that it reads the refusal and not a reset.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 4 * 1024 * 1024;

/// How slowly an answer may be taken on the whole, bytes a millisecond.
const SLOWEST: u64 = 10;

/// How much room of a connection's buffer is kept while nothing is in it, bytes.
const KEPT_BUFFER: usize = 16 * 1024;

/// An answer that the client has not taken yet.
pub(super) struct Sending {
    bytes: Vec<u8>,
    sent: usize,
    since: Instant,
    /// When the client last took something of it.
    taken_at: Instant,
    then: After,
    /// None where a request was refused that is not counted as one.
    _work: Option<Work>,
}

/// What follows an answer.
#[derive(Clone, Copy)]
pub(super) enum After {
    Next,
    Close,
    Farewell,
}

/// Throws away what a refused client still sends.
pub(super) struct Farewell {
    pub until: Instant,
    bytes: usize,
}

impl Sending {
    pub fn new(mut bytes: Vec<u8>, then: After, work: Option<Work>) -> Self {
        // What a long answer grew by and did not need, up to as much again, would be held too.
        bytes.shrink_to(KEPT_BUFFER);
        let now = Instant::now();
        Self {
            bytes,
            sent: 0,
            since: now,
            taken_at: now,
            then,
            _work: work,
        }
    }

    /// How much memory it takes, bytes.
    pub fn weight(&self) -> usize {
        self.bytes.capacity()
    }

    /// Whether the client has taken nothing for too long, or takes it so slowly that it would
    /// hold the memory for ever.
    pub fn is_late(&self, now: Instant, limits: &Limits) -> bool {
        let length = u64::try_from(self.bytes.len()).unwrap_or(u64::MAX);
        let at_most = limits.write_time + Duration::from_millis(length / SLOWEST);
        now.saturating_duration_since(self.taken_at) >= limits.write_time
            || now.saturating_duration_since(self.since) >= at_most
    }
}

impl Connection {
    /// Sends what the client takes of an answer.
    pub(super) fn send(&mut self, mut sending: Sending, shared: &Arc<Shared>) -> Then {
        let before = sending.sent;
        let is_sent = self.transport.send(&sending.bytes, &mut sending.sent);
        let now = Instant::now();
        if sending.sent > before {
            sending.taken_at = now;
        }
        match is_sent {
            Err(_) => return Then::Close,
            Ok(false) if sending.is_late(now, &shared.setup.limits) => return Then::Close,
            Ok(false) => {
                self.phase = Phase::Answer(Box::new(sending));
                return Then::Park;
            }
            Ok(true) => {}
        }
        self.quiet_since = now;
        match sending.then {
            After::Next => {
                if self.unread.is_empty() {
                    self.unread.shrink_to(KEPT_BUFFER);
                }
                Then::Next
            }
            After::Close => Then::Close,
            After::Farewell => {
                self.transport.finish();
                self.see_off(Farewell {
                    until: Instant::now() + LINGER,
                    bytes: 0,
                })
            }
        }
    }

    /// Answers a request that was not, or not wholly, read, and ends the connection.
    pub(super) fn refuse(
        &mut self,
        refusal: Refusal,
        begun: Option<(&Begun, Work)>,
        shared: &Arc<Shared>,
    ) -> Then {
        let Refusal::Answer(status, sentence) = refusal else {
            return Then::Close;
        };
        if let Some((begun, _)) = &begun {
            let record = begun.record(0, self.transport.is_encrypted());
            shared.handler.answered(&record.ended(status, 0, begun));
        }
        self.unread = Vec::new();
        let is_head = begun
            .as_ref()
            .is_some_and(|(begun, _)| begun.method == Method::HEAD);
        let path = begun.as_ref().map_or("", |(begun, _)| &begun.path);
        let headers = shared.handler.headers(path);
        let bytes = answer::refusal(status, sentence, headers, is_head);
        let work = begun.map(|(_, work)| work);
        self.send(Sending::new(bytes, After::Farewell, work), shared)
    }

    /// Throws away what a refused client still sends, until it has read why.
    pub(super) fn see_off(&mut self, mut farewell: Farewell) -> Then {
        loop {
            self.unread.clear();
            match self.transport.receive(&mut self.unread) {
                Ok(Received::End) | Err(_) => return Then::Close,
                _ if Instant::now() >= farewell.until => return Then::Close,
                Ok(Received::Some) => farewell.bytes += self.unread.len(),
                Ok(Received::Nothing) => {
                    self.unread = Vec::new();
                    self.phase = Phase::Farewell(farewell);
                    return Then::Park;
                }
            }
            if farewell.bytes >= LINGER_BYTES {
                return Then::Close;
            }
        }
    }
}
