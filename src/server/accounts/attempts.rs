//! How often somebody may try a password: for each address that is tried and for each place
//! that it is tried from. The time is given, and the memory bounded.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use crate::server::engine::Millis;

/// In this time so many attempts are allowed, milliseconds.
const WINDOW: Millis = 15 * 60 * 1000;

/// For one address, whoever tries. A person forgets a password less often.
const PER_ADDRESS: u32 = 10;

/// From one place, whichever addresses. Behind one there may be an office.
const PER_PLACE: u32 = 50;

/// How many addresses, and how many places, are remembered at once.
const REMEMBERED: usize = 10_000;

/// What was tried lately.
#[derive(Default)]
pub(super) struct Attempts {
    addresses: Counts<[u8; 32]>,
    places: Counts<IpAddr>,
}

impl Attempts {
    /// Counts an attempt.
    ///
    /// # Errors
    /// Where it is one too many: how long until the next may be made. It is not counted then.
    pub fn count(&mut self, email: &str, peer: IpAddr, now: Millis) -> Result<(), Duration> {
        let (address, place) = (address(email), place(peer));
        self.addresses.room(&address, PER_ADDRESS, now)?;
        self.places.room(&place, PER_PLACE, now)?;
        self.addresses.add(address, now);
        self.places.add(place, now);
        Ok(())
    }

    /// The last attempt was right: the address begins anew, and the place has one back.
    pub fn forgive(&mut self, email: &str, peer: IpAddr) {
        self.addresses.entries.remove(&address(email));
        if let Some(entry) = self.places.entries.get_mut(&place(peer)) {
            entry.count = entry.count.saturating_sub(1);
        }
    }
}

/// An address as it is compared, in a fixed size, whatever somebody sent.
fn address(email: &str) -> [u8; 32] {
    let text = email.trim().to_ascii_lowercase();
    let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    let mut hash = [0; 32];
    hash.copy_from_slice(digest.as_ref());
    hash
}

/// Who has one IPv6 address has 2^64 of them.
fn place(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(ip) => {
            let network = u128::from(ip) & !u128::from(u64::MAX);
            IpAddr::V6(Ipv6Addr::from(network))
        }
        v4 => v4,
    }
}

struct Entry {
    since: Millis,
    count: u32,
}

struct Counts<K> {
    entries: HashMap<K, Entry>,
}

impl<K> Default for Counts<K> {
    fn default() -> Self {
        Self {
            entries: HashMap::new(),
        }
    }
}

impl<K: Hash + Eq + Copy> Counts<K> {
    fn room(&self, key: &K, most: u32, now: Millis) -> Result<(), Duration> {
        match self.entries.get(key) {
            Some(entry) if entry.count >= most && is_open(entry, now) => {
                let left = (entry.since + WINDOW - now).max(1000);
                Err(Duration::from_millis(left.unsigned_abs()))
            }
            _ => Ok(()),
        }
    }

    fn add(&mut self, key: K, now: Millis) {
        if self.entries.len() >= REMEMBERED && !self.entries.contains_key(&key) {
            self.entries.retain(|_, entry| is_open(entry, now));
            // Still full: somebody has thousands of places. The oldest is let go.
            if self.entries.len() >= REMEMBERED {
                let oldest = self.entries.iter().min_by_key(|(_, entry)| entry.since);
                if let Some(oldest) = oldest.map(|(key, _)| *key) {
                    self.entries.remove(&oldest);
                }
            }
        }
        let entry = self.entries.entry(key).or_insert(Entry {
            since: now,
            count: 0,
        });
        if !is_open(entry, now) {
            *entry = Entry {
                since: now,
                count: 0,
            };
        }
        entry.count += 1;
    }
}

/// Whether the window still counts; a clock that was set back begins a new one.
fn is_open(entry: &Entry, now: Millis) -> bool {
    (entry.since..entry.since + WINDOW).contains(&now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    fn there(number: u32) -> IpAddr {
        IpAddr::V4(Ipv4Addr::from(number))
    }

    #[test]
    fn one_address_may_be_tried_so_often_from_anywhere_and_again_after_a_while() {
        let mut attempts = Attempts::default();
        for number in 0..PER_ADDRESS {
            assert!(attempts.count("a@b.c", there(number), 0).is_ok());
        }
        let pause = attempts.count(" A@B.C", there(99), WINDOW / 3).unwrap_err();
        assert_eq!(pause, Duration::from_millis((WINDOW - WINDOW / 3) as u64));
        assert!(attempts.count("other@b.c", there(99), 0).is_ok());
        assert!(attempts.count("a@b.c", there(99), WINDOW).is_ok());
    }

    #[test]
    fn one_place_may_try_so_many_addresses() {
        let mut attempts = Attempts::default();
        for number in 0..PER_PLACE {
            assert!(attempts.count(&format!("{number}@b.c"), HERE, 0).is_ok());
        }
        assert!(attempts.count("x@b.c", HERE, 0).is_err());
        let network = |last: &str| format!("2001:db8::{last}").parse::<IpAddr>().unwrap();
        assert_eq!(place(network("1")), place(network("2")));
    }

    #[test]
    fn who_knows_the_password_is_not_locked_out_by_signing_in_often() {
        let mut attempts = Attempts::default();
        for _ in 0..10 * PER_PLACE {
            assert!(attempts.count("a@b.c", HERE, 0).is_ok());
            attempts.forgive("a@b.c", HERE);
        }
    }

    #[test]
    fn the_memory_is_bounded_whatever_is_tried() {
        let mut attempts = Attempts::default();
        for number in 0..REMEMBERED as u32 + 50 {
            let _ = attempts.count(&number.to_string(), there(number), number.into());
        }
        assert!(attempts.addresses.entries.len() <= REMEMBERED);
        assert!(attempts.places.entries.len() <= REMEMBERED);
    }
}
