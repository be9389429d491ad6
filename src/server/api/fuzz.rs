//! Doors for the fuzz targets in tests/fuzz: what is read of a request before any state is asked.

use super::{checks, pings};
use crate::server::http::Request;
use crate::server::store::checks::Settled;
use crate::server::store::pings::Incoming;
use crate::wire::ping::Signal;

/// What the headers of a ping say whose path ends so.
///
/// # Errors
/// Where it is refused.
pub fn ping(request: &Request, suffix: &str) -> Result<Incoming, String> {
    let signal = Signal::from_segment(suffix).ok_or("no signal")?;
    pings::incoming(request, signal).map_err(|error| error.body.error)
}

/// What a new check is to be.
///
/// # Errors
/// The sentence of the refusal.
pub fn check(body: &[u8]) -> Result<Settled, String> {
    let new = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    checks::settle(new).map_err(|error| error.body.error)
}
