//! How much may be asked in a minute: pure counting, the time is passed in.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use super::engine::Millis;

/// How long a window is.
const WINDOW: Millis = 60_000;

/// What is left of a window for whoever asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// Requests in a window.
    pub limit: u32,
    /// How many of them are left.
    pub remaining: u32,
    /// When the window ends, milliseconds since the Unix epoch.
    pub ends: Millis,
    /// Whether this one is within the limit.
    pub granted: bool,
}

impl Allowance {
    /// From `now` to the window's end, at least a second.
    pub fn wait(&self, now: Millis) -> Duration {
        Duration::from_millis((self.ends - now).clamp(1000, WINDOW).unsigned_abs())
    }
}

/// Counts what is asked, by key, in windows of a minute that begin with the first request.
#[derive(Debug)]
pub struct Windows<K> {
    limit: u32,
    /// The most keys that are told apart; all beyond them share one window.
    most: usize,
    windows: HashMap<Option<K>, Window>,
}

#[derive(Debug, Clone, Copy)]
struct Window {
    ends: Millis,
    used: u32,
}

impl<K: Hash + Eq + Copy> Windows<K> {
    /// Grants `limit` requests in a minute to each of at most `most` keys.
    pub fn new(limit: u32, most: usize) -> Self {
        Self {
            limit,
            most,
            windows: HashMap::new(),
        }
    }

    /// Counts a request of `key`'s.
    pub fn count(&mut self, key: K, now: Millis) -> Allowance {
        let mut key = Some(key);
        if !self.windows.contains_key(&key) && self.windows.len() >= self.most {
            self.windows.retain(|_, window| window.is_open(now));
            if self.windows.len() >= self.most {
                key = None;
            }
        }
        let fresh = Window {
            ends: now + WINDOW,
            used: 0,
        };
        let window = self.windows.entry(key).or_insert(fresh);
        if !window.is_open(now) {
            *window = fresh;
        }
        window.used = window.used.saturating_add(1);
        Allowance {
            limit: self.limit,
            remaining: self.limit.saturating_sub(window.used),
            ends: window.ends,
            granted: window.used <= self.limit,
        }
    }
}

impl Window {
    /// A clock that was set back opens a new one: nobody waits for hours.
    fn is_open(&self, now: Millis) -> bool {
        (self.ends - WINDOW..self.ends).contains(&now)
    }
}

/// Whom an address stands for: with IPv6 one customer has a /64 at least (RFC 6177).
pub fn neighbourhood(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_are_granted_in_a_minute_and_as_many_in_the_next() {
        let mut windows = Windows::new(3, 10);
        let left: Vec<_> = (0..5).map(|at| windows.count(1, at)).collect();
        let remaining: Vec<u32> = left.iter().map(|allowance| allowance.remaining).collect();
        assert_eq!(remaining, [2, 1, 0, 0, 0]);
        let granted: Vec<bool> = left.iter().map(|allowance| allowance.granted).collect();
        assert_eq!(granted, [true, true, true, false, false]);
        assert_eq!(left[4].ends, WINDOW);
        assert_eq!(left[4].wait(4), Duration::from_millis(59_996));
        assert!(windows.count(2, 5).granted);
        assert!(windows.count(1, WINDOW).granted);
    }

    #[test]
    fn memory_is_bounded_and_those_beyond_it_share_a_window() {
        let mut windows = Windows::new(2, 100);
        for key in 0..10_000 {
            windows.count(key, 0);
        }
        assert!(windows.windows.len() <= 101);
        assert!(!windows.count(20_000, 0).granted);
        assert!(windows.count(5, 0).granted);
        // What is over makes room.
        assert!(windows.count(20_000, 2 * WINDOW).granted);
        assert_eq!(windows.windows.len(), 1);
    }

    #[test]
    fn a_clock_that_is_set_back_locks_nobody_out() {
        let mut windows = Windows::new(1, 10);
        windows.count(1, 10_000_000);
        assert!(!windows.count(1, 10_000_001).granted);
        assert!(windows.count(1, 5).granted);
    }

    #[test]
    fn neighbours_are_told_apart_by_address_or_by_their_64_bits() {
        let of = |text: &str| neighbourhood(text.parse().unwrap()).to_string();
        assert_eq!(of("192.0.2.7"), "192.0.2.7");
        assert_eq!(of("::ffff:192.0.2.7"), "192.0.2.7");
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
    }
}
