//! Getting pings there: one attempt, a verdict, and again within a budget of time.

mod ping;

use std::time::{Duration, Instant};

use uuid::Uuid;

use super::args::Globals;
use super::error::{Error, Kind};
use crate::wire;

pub use ping::Ping;

/// What a ping is about, as the user named it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A slug, to be looked up in the cache and then in the API.
    Slug(String),
    /// The public id itself: needs no key and no lookup.
    PublicId(Uuid),
}

/// How a delivered ping went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    /// The ping origin that took it.
    pub sent_to: String,
    /// How many requests for the ping itself it took, at least 1.
    pub attempts: u32,
}

/// Carries pings. Shareable by `Arc`: the start and the end of a job use one connection.
pub struct Courier {
    ping_url: String,
    agent: ureq::Agent,
}

impl Courier {
    /// Reads the settings (environment, files) and touches no network. Never fails: what is
    /// wrong with the settings surfaces in [`Courier::deliver`].
    pub fn new(globals: &Globals) -> Self {
        let ping_url = globals
            .ping_url
            .clone()
            .or_else(|| std::env::var("PAKYAS_PING_URL").ok())
            .unwrap_or_else(|| wire::DEFAULT_PING_URL.to_owned());
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .build()
            .into();
        Self { ping_url, agent }
    }

    /// Looks the target up, then tries with growing, jittered pauses until `deadline`.
    ///
    /// # Errors
    /// [`Kind::Network`] where the ping was not delivered in time and may still be later;
    /// any other kind where it was refused for good.
    pub fn deliver(
        &self,
        target: &Target,
        ping: &Ping,
        deadline: Instant,
    ) -> Result<Delivered, Error> {
        let Target::PublicId(id) = target else {
            return Err(Error::new(Kind::NotFound, "Check not found"));
        };
        let url = format!("{}/{id}{}", self.ping_url, ping.signal.path_suffix());
        let left = deadline.saturating_duration_since(Instant::now());
        let answer = self
            .agent
            .post(&url)
            .header(wire::header::IDEMPOTENCY_KEY, ping.key.to_string())
            .config()
            .timeout_global(Some(left.max(Duration::from_millis(1))))
            .build()
            .send(ping.body.as_slice())
            .map_err(|e| Error::new(Kind::Network, e.to_string()))?;
        if answer.status() == 200 {
            Ok(Delivered {
                sent_to: self.ping_url.clone(),
                attempts: 1,
            })
        } else {
            Err(Error::new(
                Kind::Refused,
                format!("the server answered {}", answer.status()),
            ))
        }
    }
}
