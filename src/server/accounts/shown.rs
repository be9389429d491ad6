//! What is shown once: a key that was just made, until its person's browser has come for it.
//!
//! The form that makes it answers with a redirect, so that a page which is loaded again makes no
//! other. Kept in memory: in clear it may lie nowhere else, and who does not come within minutes
//! makes another key.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use uuid::Uuid;

use crate::random::{self, NoRandomness};
use crate::server::engine::Millis;
use crate::wire::CreatedKey;

/// How long a key waits for its browser, milliseconds.
const TIME: Millis = 2 * 60 * 1000;

/// How many may wait at once; the oldest goes first.
const MOST: usize = 200;

struct Waiting {
    ticket: Uuid,
    session: Uuid,
    until: Millis,
    key: CreatedKey,
}

/// All keys that wait for their browser.
#[derive(Default)]
pub struct Shown(Mutex<VecDeque<Waiting>>);

impl Shown {
    /// Keeps a key for this session, and gives the ticket for it.
    ///
    /// # Errors
    /// Where there are no random bytes.
    pub fn keep(&self, session: Uuid, key: CreatedKey, now: Millis) -> Result<Uuid, NoRandomness> {
        let ticket = random::uuid()?;
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|one| one.until > now);
        if waiting.len() >= MOST {
            waiting.pop_front();
        }
        waiting.push_back(Waiting {
            ticket,
            session,
            until: now + TIME,
            key,
        });
        Ok(ticket)
    }

    /// Hands out the key for this ticket, once, and to its own session alone.
    pub fn take(&self, session: Uuid, ticket: Uuid, now: Millis) -> Option<CreatedKey> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|one| one.until > now);
        let is_it = |one: &Waiting| one.ticket == ticket && one.session == session;
        let at = waiting.iter().position(is_it)?;
        waiting.remove(at).map(|one| one.key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> CreatedKey {
        CreatedKey {
            id: Uuid::nil(),
            name: name.to_owned(),
            key: "pk_live_x".to_owned(),
            full_key: "pk_live_x".to_owned(),
            key_prefix: "pk_live".to_owned(),
            scopes: Vec::new(),
            expires_at: None,
            created_at: jiff::Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_key_is_handed_out_once_to_the_session_that_made_it() {
        let shown = Shown::default();
        let (mine, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let ticket = shown.keep(mine, key("a"), 0).unwrap();
        assert!(shown.take(other, ticket, 1).is_none());
        assert!(shown.take(mine, Uuid::nil(), 1).is_none());
        assert_eq!(shown.take(mine, ticket, 1).unwrap().name, "a");
        assert!(shown.take(mine, ticket, 1).is_none());
    }

    #[test]
    fn a_key_that_nobody_comes_for_is_forgotten_and_few_can_wait() {
        let shown = Shown::default();
        let mine = Uuid::from_u128(1);
        let ticket = shown.keep(mine, key("late"), 0).unwrap();
        assert!(shown.take(mine, ticket, TIME).is_none());
        let first = shown.keep(mine, key("first"), 0).unwrap();
        for _ in 0..MOST {
            shown.keep(mine, key("more"), 0).unwrap();
        }
        assert!(shown.take(mine, first, 1).is_none());
    }
}
