//! The wall clock, read in one place.

use std::time::{SystemTime, UNIX_EPOCH};

use super::engine::Millis;

/// Now, milliseconds since the Unix epoch.
pub fn now() -> Millis {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => Millis::try_from(since.as_millis()).unwrap_or(Millis::MAX),
        Err(_) => 0,
    }
}
