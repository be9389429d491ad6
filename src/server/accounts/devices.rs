//! Machines that ask for a key, until a person says yes or no in a browser.
//!
//! Each has two secrets: the link that the person opens, which can't get the key, and the token
//! that the machine polls with, which can't approve. Kept in memory: they live ten minutes, and
//! nobody who has no account may make the server write. The key is made when it is handed out,
//! so none lies anywhere before.

use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

use crate::random::{self, NoRandomness};
use crate::server::engine::Millis;
use crate::server::hash::hex;

/// How long a machine may wait for its answer, milliseconds.
pub const TIME: Millis = 10 * 60 * 1000;

/// How many may wait at once, in all and from one address.
const MOST: usize = 1000;
const MOST_FROM_ONE: usize = 50;

/// The letters of confirmation codes: no vowels, so that no words come of them, and none that
/// look alike.
const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";

/// What was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Nothing yet.
    Pending,
    /// No.
    Denied,
    /// Yes: a key for this organization, in this person's name.
    Approved {
        /// The organization.
        org_id: Uuid,
        /// Who said so.
        user_id: Uuid,
    },
    /// Yes, and the key is with the machine.
    Done,
}

/// What a machine says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// What it is called.
    pub name: String,
    /// The version of the program that asks.
    pub version: Option<String>,
    /// Whether it is the official client, which has its own word for a refusal.
    pub is_official: bool,
    /// The organization that it would like.
    pub org_id: Option<Uuid>,
    /// Where it asks from.
    pub peer: IpAddr,
    /// Since when.
    pub asked_at: Millis,
}

/// A machine that asks.
#[derive(Debug, Clone)]
pub struct Asking {
    /// What the link has.
    pub link: String,
    /// What it polls with.
    pub token: String,
    /// What both sides show.
    pub code: String,
    /// Which machine.
    pub device: Device,
    /// What was decided.
    pub decision: Decision,
}

/// All that ask at the moment.
#[derive(Default)]
pub struct Devices(Mutex<Vec<Asking>>);

/// Why no further machine may ask.
#[derive(Debug, PartialEq, Eq)]
pub enum NotNow {
    /// Too many do already.
    TooMany,
    /// No random bytes.
    Randomness,
}

impl From<NoRandomness> for NotNow {
    fn from(_: NoRandomness) -> Self {
        Self::Randomness
    }
}

impl Devices {
    /// The list, without what is over by `now`.
    fn asking(&self, now: Millis) -> MutexGuard<'_, Vec<Asking>> {
        let mut asking = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        asking.retain(|a| (a.device.asked_at..a.device.asked_at + TIME).contains(&now));
        asking
    }

    /// A machine begins to ask.
    ///
    /// # Errors
    /// [`NotNow`].
    pub fn begin(&self, device: Device, now: Millis) -> Result<Asking, NotNow> {
        let mut asking = self.asking(now);
        let from_one = asking.iter().filter(|a| a.device.peer == device.peer);
        if asking.len() >= MOST || from_one.count() >= MOST_FROM_ONE {
            return Err(NotNow::TooMany);
        }
        let new = Asking {
            link: hex(&random::bytes::<16>()?),
            token: hex(&random::bytes::<32>()?),
            code: code()?,
            device,
            decision: Decision::Pending,
        };
        asking.push(new.clone());
        Ok(new)
    }

    /// The machine that this link is about.
    pub fn by_link(&self, link: &str, now: Millis) -> Option<Asking> {
        let asking = self.asking(now);
        asking.iter().find(|a| a.link == link).cloned()
    }

    /// Decides, once; gives whether it was this that decided.
    pub fn decide(&self, link: &str, decision: Decision, now: Millis) -> bool {
        let mut asking = self.asking(now);
        let open = |a: &&mut Asking| a.link == link && a.decision == Decision::Pending;
        match asking.iter_mut().find(open) {
            Some(found) => {
                found.decision = decision;
                true
            }
            None => false,
        }
    }

    /// What was decided on the machine with this token; none where there is none, or not any
    /// more. An approval is given once: from then on it is done.
    pub fn poll(&self, token: &str, now: Millis) -> Option<Asking> {
        let mut asking = self.asking(now);
        let found = asking.iter_mut().find(|a| a.token == token)?;
        let told = found.clone();
        if let Decision::Approved { .. } = found.decision {
            found.decision = Decision::Done;
        }
        Some(told)
    }

    /// The key could not be made after all: the machine may poll again.
    pub fn give_back(&self, told: &Asking, now: Millis) {
        let mut asking = self.asking(now);
        if let Some(found) = asking.iter_mut().find(|a| a.token == told.token) {
            found.decision = told.decision;
        }
    }
}

/// Eight letters in two groups.
fn code() -> Result<String, NoRandomness> {
    let bytes = random::bytes::<8>()?;
    let mut code = String::new();
    for (index, byte) in bytes.iter().enumerate() {
        if index == 4 {
            code.push('-');
        }
        code.push(char::from(LETTERS[usize::from(*byte) % LETTERS.len()]));
    }
    Ok(code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn device(peer: u32) -> Device {
        Device {
            name: "web-1".to_owned(),
            version: None,
            is_official: false,
            org_id: None,
            peer: IpAddr::V4(Ipv4Addr::from(peer)),
            asked_at: 1000,
        }
    }

    const YES: Decision = Decision::Approved {
        org_id: Uuid::nil(),
        user_id: Uuid::nil(),
    };

    #[test]
    fn an_approval_is_given_once() {
        let devices = Devices::default();
        let asking = devices.begin(device(1), 1000).unwrap();
        let decision = || devices.poll(&asking.token, 1001).map(|a| a.decision);
        assert_eq!(decision(), Some(Decision::Pending));
        assert!(devices.decide(&asking.link, YES, 1001));
        assert_eq!(decision(), Some(YES));
        assert_eq!(decision(), Some(Decision::Done));
    }

    #[test]
    fn what_is_decided_stays_decided() {
        let devices = Devices::default();
        let asking = devices.begin(device(1), 1000).unwrap();
        assert!(devices.decide(&asking.link, Decision::Denied, 1001));
        assert!(!devices.decide(&asking.link, YES, 1001));
        let told = devices.poll(&asking.token, 1001).unwrap();
        assert_eq!(told.decision, Decision::Denied);
    }

    #[test]
    fn neither_secret_does_the_others_work_and_both_expire() {
        let devices = Devices::default();
        let asking = devices.begin(device(1), 1000).unwrap();
        assert!(devices.poll(&asking.link, 1001).is_none());
        assert!(!devices.decide(&asking.token, YES, 1001));
        assert!(devices.by_link(&asking.link, 1000 + TIME).is_none());
        assert!(devices.poll(&asking.token, 1000 + TIME).is_none());
    }

    #[test]
    fn so_many_may_ask_at_once_and_not_all_from_one_place() {
        let devices = Devices::default();
        for _ in 0..MOST_FROM_ONE {
            assert!(devices.begin(device(1), 1000).is_ok());
        }
        let refused = devices.begin(device(1), 1000).map(drop);
        assert_eq!(refused, Err(NotNow::TooMany));
        for peer in 0..MOST - MOST_FROM_ONE {
            assert!(devices.begin(device(2 + peer as u32), 1000).is_ok());
        }
        assert!(devices.begin(device(0), 1000).is_err());
        let mut later = device(1);
        later.asked_at = 1000 + TIME;
        assert!(devices.begin(later, 1000 + TIME).is_ok());
    }
}
