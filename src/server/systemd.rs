//! What systemd is told of a service of `Type=notify`: sd_notify(3) and its watchdog, by the
//! protocol itself.

use std::env;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::time::Duration;

use super::store::Store;

/// Where to tell it, if anybody listens.
pub struct Systemd {
    to: Option<(UnixDatagram, SocketAddr)>,
    watchdog: Option<Duration>,
}

impl Systemd {
    /// As the environment says: NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID. A socket that can't
    /// be reached is as none: the service must not fail for it.
    pub fn from_environment() -> Self {
        let to = env::var("NOTIFY_SOCKET").ok().and_then(|name| {
            let address = match name.strip_prefix('@') {
                Some(name) => SocketAddr::from_abstract_name(name),
                None => SocketAddr::from_pathname(name),
            };
            Some((UnixDatagram::unbound().ok()?, address.ok()?))
        });
        let number = |name| {
            env::var(name)
                .ok()
                .and_then(|text| text.parse::<u64>().ok())
        };
        let for_us = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
        let watchdog = number("WATCHDOG_USEC").filter(|&time| time > 0 && for_us);
        Self {
            to,
            watchdog: watchdog.map(Duration::from_micros),
        }
    }

    /// It serves; also after a reload.
    pub fn ready(&self) {
        self.tell("READY=1\nSTATUS=serving");
    }

    /// It reads its certificate and opens its log anew; `ready` ends that.
    pub fn reloading(&self) {
        let now = crate::sys::since_start_of_clock().as_micros();
        self.tell(&format!("RELOADING=1\nMONOTONIC_USEC={now}"));
    }

    /// It has begun to end.
    pub fn stopping(&self) {
        self.tell("STOPPING=1\nSTATUS=answering what was accepted");
    }

    fn tell(&self, state: &str) {
        if let Some((socket, address)) = &self.to {
            let _ = socket.send_to_addr(state.as_bytes(), address);
        }
    }

    /// Tells the watchdog twice in each of its intervals that all is well, for as long as the
    /// store's writer answers. A disk that is full is no reason to be restarted: only the
    /// answer counts, not what it is.
    pub fn watch(self: Arc<Self>, store: Arc<Store>) {
        let Some(interval) = self.watchdog.filter(|_| self.to.is_some()) else {
            return;
        };
        let watch = move || {
            loop {
                let _ = store.write(|_| Ok(()));
                self.tell("WATCHDOG=1");
                std::thread::sleep(interval / 2);
            }
        };
        let _ = std::thread::Builder::new()
            .name("watchdog".to_owned())
            .spawn(watch);
    }
}
