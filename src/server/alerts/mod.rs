//! Alerts on their way out: takes what is due from the outbox, sends it, reports how it went.
//!
//! One file for each channel. Whether something is worth an alert was decided by the engine.

pub mod dispatch;
pub mod message;
mod webhook;

use std::time::Instant;

use super::store::channels::Address;
use crate::wire::{ChannelKind, ChannelTest};

/// Whether to try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The target has it.
    Delivered,
    /// It may have it later.
    TryAgain,
    /// It will never have it.
    GiveUp,
}

/// What a target answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// What that means.
    pub verdict: Verdict,
    /// The HTTP status, where there was one.
    pub status: Option<u16>,
    /// Its words, or why there were none.
    pub text: String,
}

/// Sends to any kind of channel.
pub struct Notifier {
    agent: ureq::Agent,
}

impl Default for Notifier {
    fn default() -> Self {
        Self {
            agent: webhook::agent(),
        }
    }
}

impl Notifier {
    fn send(&self, address: &Address, payload: &str) -> Answer {
        match address.kind {
            ChannelKind::Webhook => webhook::send(
                &self.agent,
                &address.target,
                address.secret.as_deref(),
                payload,
            ),
            ChannelKind::Email | ChannelKind::Slack => Answer {
                verdict: Verdict::GiveUp,
                status: None,
                text: format!(
                    "this server can't send to {} channels",
                    address.kind.as_str()
                ),
            },
        }
    }

    /// Sends `payload` once, for a person who waits for the answer.
    pub fn test(&self, address: &Address, payload: &str) -> ChannelTest {
        let begun = Instant::now();
        let answer = self.send(address, payload);
        ChannelTest {
            delivered: answer.verdict == Verdict::Delivered,
            status: answer.status,
            answer: answer.text,
            duration_ms: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
        }
    }
}
