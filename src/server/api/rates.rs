//! How much may be asked of the management API: by an organization, and by those who guess keys.
//! Pings are never limited.

use std::net::IpAddr;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use uuid::Uuid;

use super::{ApiError, App};
use crate::server::clock;
use crate::server::http::{Request, Response};
use crate::server::rate::{Allowance, Windows, neighbourhood};

/// How many organizations and addresses are told apart at most: some MB.
const MOST: usize = 20_000;

/// Unknown keys a minute from one address. A good key from there is served all the same: others
/// may sit behind the same address.
const UNKNOWN_KEYS: u32 = 30;

/// Looks at a schedule a minute by one person, while they type: more than fingers can.
const PREVIEWS: u32 = 300;

/// What was asked in this minute.
pub struct Rates {
    organizations: Mutex<Windows<Uuid>>,
    strangers: Mutex<Windows<IpAddr>>,
    previews: Mutex<Windows<Uuid>>,
}

impl Rates {
    /// Grants each organization `limit` requests a minute.
    pub fn new(limit: u32) -> Self {
        Self {
            organizations: Mutex::new(Windows::new(limit, MOST)),
            strangers: Mutex::new(Windows::new(UNKNOWN_KEYS, MOST)),
            previews: Mutex::new(Windows::new(PREVIEWS, MOST)),
        }
    }

    /// Counts a look at a schedule while a person types it.
    ///
    /// # Errors
    /// Where it is one too many: how long to wait.
    pub(in crate::server) fn preview(&self, user: Uuid) -> Result<(), Duration> {
        let now = clock::now();
        let mut previews = self.previews.lock().unwrap_or_else(PoisonError::into_inner);
        let allowance = previews.count(user, now);
        match allowance.granted {
            true => Ok(()),
            false => Err(allowance.wait(now)),
        }
    }
}

impl App {
    /// Counts a request of this organization's, or refuses it.
    pub(super) fn count(&self, request: &Request, organization: Uuid) -> Result<(), ApiError> {
        let now = clock::now();
        let allowance = self
            .rates
            .organizations
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .count(organization, now);
        request.allowance.set(Some(allowance));
        if allowance.granted {
            return Ok(());
        }
        let sentence = format!(
            "This organization has asked {} times within a minute; wait as long as Retry-After says",
            allowance.limit
        );
        Err(self.too_many(&sentence, &allowance, now))
    }

    /// The refusal of a key that is not known, or of too many from the same address.
    pub(super) fn unknown_key(&self, request: &Request) -> ApiError {
        let now = clock::now();
        let allowance = self
            .rates
            .strangers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .count(neighbourhood(request.peer), now);
        if allowance.granted {
            return ApiError::unauthorized(
                "This API key is not known here; create one and log in with it",
            );
        }
        let sentence =
            "Too many API keys from this address are not known here; log in with a good one";
        self.too_many(sentence, &allowance, now)
    }

    fn too_many(&self, sentence: &str, allowance: &Allowance, now: i64) -> ApiError {
        self.metrics.limited.fetch_add(1, Ordering::Relaxed);
        ApiError::too_many(sentence, allowance.wait(now))
    }
}

/// Tells what is left, where it is known whose request it was. The end of the window is a Unix
/// time in seconds.
pub(super) fn tell(response: Response, allowance: Option<Allowance>) -> Response {
    let Some(allowance) = allowance else {
        return response;
    };
    response
        .with("x-ratelimit-limit", allowance.limit.to_string())
        .with("x-ratelimit-remaining", allowance.remaining.to_string())
        .with(
            "x-ratelimit-reset",
            allowance.ends.div_euclid(1000).to_string(),
        )
}
