//! When keys were last used: noted in memory, and handed to the store once a minute at most, so
//! that a request costs no write.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use uuid::Uuid;

use crate::server::engine::Millis;
use crate::server::store::{Store, keys};
use crate::wire::ApiKey;

/// How long uses are gathered, milliseconds.
const GATHER: Millis = 60 * 1000;

/// The uses that the store does not know of yet: no more than there are keys.
#[derive(Default)]
pub struct Uses(Mutex<Noted>);

#[derive(Default)]
struct Noted {
    uses: HashMap<Uuid, Millis>,
    /// What was handed over last, which may not be written yet.
    on_its_way: HashMap<Uuid, Millis>,
    handed: Millis,
}

impl Uses {
    /// The key was used at `now`. The first use after a while is handed to the store at once,
    /// so what is kept there is never more than a minute behind.
    pub fn note(&self, store: &Store, key: Uuid, now: Millis) {
        let due = {
            let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            noted.uses.insert(key, now);
            // Either way round: the clock may have been set back.
            (now - noted.handed).abs() >= GATHER && {
                noted.handed = now;
                true
            }
        };
        if due {
            let uses = self.take();
            store.write_later(move |desk| keys::used(desk, &uses));
        }
    }

    /// Hands over what is left, when the server ends.
    pub fn finish(&self, store: &Store) {
        let uses = self.take();
        if !uses.is_empty() {
            store.write_later(move |desk| keys::used(desk, &uses));
        }
    }

    /// Adds what the store does not know yet.
    pub fn complete(&self, keys: &mut [ApiKey]) {
        let noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for key in keys {
            let newest = noted.uses.get(&key.id);
            if let Some(&at) = newest.or_else(|| noted.on_its_way.get(&key.id)) {
                key.last_used_at = jiff::Timestamp::from_millisecond(at).ok();
            }
        }
    }

    fn take(&self) -> Vec<(Uuid, Millis)> {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        noted.on_its_way = std::mem::take(&mut noted.uses);
        noted.on_its_way.iter().map(|(&id, &at)| (id, at)).collect()
    }
}
