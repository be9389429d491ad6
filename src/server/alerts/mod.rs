//! Alerts on their way out: takes what is due from the outbox, sends it, reports how it went.
//!
//! One file for each channel. Whether something is worth an alert was decided by the engine.

mod digest;
pub mod dispatch;
mod mail;
pub mod message;
mod pace;
pub mod patience;
mod slack;
mod webhook;

use std::time::{Duration, Instant};

use uuid::Uuid;

use super::args::mail::Smtp;
use super::store::channels::Address;
use crate::wire::{ChannelKind, ChannelTest};
use digest::Digest;
use mail::Mailer;

pub use mail::is_address;

/// Whether to try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The target has it.
    Delivered,
    /// It may have it later: nobody was there, or whoever answered may not be the target.
    TryAgain,
    /// The same, but it is this message that was not liked: others may be taken meanwhile.
    Refused,
    /// It will never have it.
    GiveUp,
    /// The target is gone for good, and is to be sent nothing more.
    Gone,
}

/// What a target answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// What that means.
    pub verdict: Verdict,
    /// The HTTP status, where there was one.
    pub status: Option<u16>,
    /// The pause that it asked for.
    pub retry_after: Option<Duration>,
    /// Its words, or why there were none.
    pub text: String,
}

/// What is sent in one go.
#[derive(Debug)]
enum Message {
    /// One alert: the body of a webhook delivery, as JSON, and for a mail the alert that began
    /// the trouble.
    One(String, Option<Uuid>),
    /// Several alerts, for people.
    Digest(Digest),
}

/// Sends to any kind of channel.
pub struct Notifier {
    agent: ureq::Agent,
    mailer: Option<Mailer>,
}

impl Notifier {
    /// Mails go through `smtp`, where there is such a server.
    ///
    /// # Errors
    /// A sentence, where the settings of the mail server are not usable.
    pub fn new(smtp: Option<&Smtp>) -> Result<Self, String> {
        Ok(Self {
            agent: webhook::agent(),
            mailer: smtp.map(Mailer::new).transpose()?,
        })
    }

    /// Whether there is a mail server.
    pub fn can_mail(&self) -> bool {
        self.mailer.is_some()
    }

    fn send(&self, address: &Address, message: &Message) -> Answer {
        match (address.kind, message, &self.mailer) {
            (ChannelKind::Webhook, Message::One(payload, _), _) => webhook::send(
                &self.agent,
                &address.target,
                address.secret.as_deref(),
                payload,
            ),
            (ChannelKind::Slack, message, _) => slack::send(&self.agent, &address.target, message),
            (ChannelKind::Email, message, Some(mailer)) => mailer.send(&address.target, message),
            (ChannelKind::Email, _, None) => Answer {
                verdict: Verdict::TryAgain,
                status: None,
                retry_after: None,
                text: "this server has no mail server; start it with --smtp-host and --smtp-from"
                    .to_owned(),
            },
            // Machines get each alert; the dispatcher makes no digest for them.
            (ChannelKind::Webhook, Message::Digest(_), _) => Answer {
                verdict: Verdict::GiveUp,
                status: None,
                retry_after: None,
                text: "a webhook takes one alert at a time".to_owned(),
            },
        }
    }

    /// Sends `payload` once, for a person who waits for the answer.
    pub fn test(&self, address: &Address, payload: String) -> ChannelTest {
        let begun = Instant::now();
        let answer = self.send(address, &Message::One(payload, None));
        ChannelTest {
            delivered: answer.verdict == Verdict::Delivered,
            status: answer.status,
            answer: answer.text,
            duration_ms: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
        }
    }
}
