//! Who may come in: passwords, attempts, machines that ask for a key, and what is remembered of
//! a key's use. Knows nothing of HTTP; what must outlive the process is in the store.

pub mod agents;
mod attempts;
pub mod devices;
pub mod passwords;
mod shown;
mod uses;

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::engine::Millis;
use super::store::users::{self, User};
use super::store::{Store, StoreError};
use attempts::Attempts;
pub use devices::Devices;
use passwords::Passwords;
use shown::Shown;
pub use uses::Uses;

/// All of it, for one server.
#[derive(Default)]
pub struct Accounts {
    passwords: Passwords,
    attempts: Mutex<Attempts>,
    /// Machines that ask for a key.
    pub devices: Devices,
    /// Keys that were just made, until they are shown.
    pub shown: Shown,
    /// When keys were last used.
    pub uses: Uses,
}

/// Why somebody is not signed in.
#[derive(Debug)]
pub enum Refused {
    /// No such person, or not their password: nobody is told which.
    Wrong,
    /// Too many attempts, or too many at this moment; worth another after this long.
    TooMany(Duration),
    /// The store does not answer.
    Store(StoreError),
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Accounts {
    /// The person with this address and password. Takes as long where there is no such person.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn sign_in(
        &self,
        store: &Store,
        email: &str,
        password: &str,
        peer: IpAddr,
        now: Millis,
    ) -> Result<User, Refused> {
        let attempts = || self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        // Counted before the password is looked at, so that a hundred at once are a hundred.
        attempts()
            .count(email, peer, now)
            .map_err(Refused::TooMany)?;
        let user = store.read(|connection| users::by_email(connection, email))?;
        let hash = user.as_ref().and_then(|user| user.password_hash.as_deref());
        let right = self
            .passwords
            .verify(password, hash)
            .map_err(Refused::TooMany)?;
        match user {
            Some(user) if right => {
                attempts().forgive(email, peer);
                Ok(user)
            }
            _ => Err(Refused::Wrong),
        }
    }
}
