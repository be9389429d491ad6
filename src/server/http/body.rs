//! The body of a request, taken in as it comes. Knows nothing of sockets and never waits.

use ureq_proto::server::Reply;
use ureq_proto::server::state::{ProvideResponse, RecvBody};

use super::BodyRule;
use super::answer::{Refusal, TOO_LARGE, malformed};
use super::chunks::{Chunks, LINE_MAX};
use super::framing::Framing;

/// How much is decoded at once, bytes.
const DECODE: usize = 8 * 1024;

/// How many bytes on the wire each byte of the largest body may take: a chunk for each byte of
/// it takes six.
const OVERHEAD_MAX: usize = 8;

/// A body that is not complete, or was just completed.
pub(super) struct Body {
    reply: Reply<RecvBody>,
    /// Where it comes in chunks.
    chunks: Option<Chunks>,
    rule: BodyRule,
    /// The end of what came of it, at most a little over twice what the rule keeps.
    kept: Vec<u8>,
    /// How long it is until now, bytes.
    length: usize,
    /// The same with its framing.
    on_wire: usize,
}

impl Body {
    /// The body of the request that `reply` is for.
    pub fn new(reply: Reply<RecvBody>, framing: Framing, rule: BodyRule) -> Result<Self, Refusal> {
        let mut body = Self {
            reply,
            chunks: (framing == Framing::Chunked).then(Chunks::default),
            rule,
            kept: Vec::new(),
            length: 0,
            on_wire: 0,
        };
        // A POST that names no length has no body (RFC 9112 section 6.3).
        if framing == Framing::None {
            body.end()?;
        }
        Ok(body)
    }

    /// Takes what there is of it from `unread`; whether it is complete now.
    pub fn take(&mut self, unread: &mut Vec<u8>) -> Result<bool, Refusal> {
        let mut used = 0;
        let taken = self.take_from(unread, &mut used);
        unread.drain(..used);
        taken
    }

    fn take_from(&mut self, unread: &[u8], taken: &mut usize) -> Result<bool, Refusal> {
        let mut decoded = [0; DECODE];
        let keep = self.rule.keep;
        while !self.reply.is_ended() {
            let rest = &unread[*taken..];
            let (used, length) = match &mut self.chunks {
                Some(chunks) => chunks.read(rest, &mut decoded)?,
                None => self.reply.read(rest, &mut decoded).map_err(malformed)?,
            };
            *taken += used;
            self.length += length;
            self.on_wire += used;
            let on_wire_max = self.rule.max.saturating_mul(OVERHEAD_MAX) + LINE_MAX;
            if self.length > self.rule.max || self.on_wire > on_wire_max {
                return Err(TOO_LARGE);
            }
            self.kept.extend_from_slice(&decoded[..length]);
            // Now and then, not each time, so that moving bytes costs little.
            if self.kept.len() > 2 * keep + DECODE {
                self.kept.drain(..self.kept.len() - keep);
            }
            if self.chunks.as_ref().is_some_and(Chunks::is_ended) {
                self.end()?;
            } else if used == 0 && length == 0 && !self.reply.is_ended() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Tells ureq-proto, which waits for chunks, that the last one has come.
    fn end(&mut self) -> Result<(), Refusal> {
        let last = self.reply.read(b"0\r\n\r\n", &mut [0; 8]);
        last.map(|_| ()).map_err(malformed)
    }

    /// How much has come of it, framing included, bytes.
    pub fn received(&self) -> usize {
        self.on_wire
    }

    /// How much memory it takes, bytes.
    pub fn weight(&self) -> usize {
        self.kept.capacity()
    }

    /// What is kept of it, once it is complete.
    pub fn finish(mut self) -> Result<(Reply<ProvideResponse>, Vec<u8>), Refusal> {
        let beyond = self.kept.len().saturating_sub(self.rule.keep);
        self.kept.drain(..beyond);
        Ok((self.reply.proceed().map_err(malformed)?, self.kept))
    }
}
