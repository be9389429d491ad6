//! From a host's name to its addresses, within a time limit.
//!
//! ureq's own resolver ends the process where no thread can be started, which under
//! `monitor` would harm the job; and it starts one even for an address in digits.

use std::fmt;
use std::fs;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::ResolvedSocketAddrs;
use ureq::unversioned::transport::NextTimeout;
use ureq::{Error, Timeout, unversioned};

use super::getent;

/// How long the program's own look-up is waited for before the system's is asked beside it, where
/// the two are not one.
const ALONE: Duration = Duration::from_secs(1);

/// Longer than any look-up may take.
const LONGEST: Duration = Duration::from_secs(60);

/// Where the operating system finds its name servers (resolv.conf(5)).
const RESOLVER: &str = "/etc/resolv.conf";

/// What to say where a name could not be turned into an address, `slow` where time ran out.
pub(super) fn trouble(slow: bool) -> String {
    if fs::metadata(RESOLVER).is_err() {
        return format!(
            "its name can't be looked up, since there is no {RESOLVER}; write 'nameserver ADDRESS' \
             into one, or use the server's address"
        );
    }
    if slow {
        format!("looking up its name takes too long (the name servers are in {RESOLVER})")
    } else {
        "there is no host of that name, or no name server answers".to_owned()
    }
}

/// Names are looked up by the C library, on a thread that is left behind where it takes too long;
/// what it does not know, and static programs' libraries know less, by [`getent`].
pub(super) struct Resolver;

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Resolver")
    }
}

impl unversioned::resolver::Resolver for Resolver {
    fn resolve(
        &self,
        uri: &Uri,
        _config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let host = uri.host().unwrap_or_default();
        let port = uri.port_u16().unwrap_or(match uri.scheme_str() {
            Some("https") => 443,
            _ => 80,
        });
        let digits = host.trim_start_matches('[').trim_end_matches(']');
        let mut found = self.empty();
        if let Ok(address) = digits.parse::<IpAddr>() {
            found.push(SocketAddr::new(address, port));
            return Ok(found);
        }
        let patience = (*timeout.after).min(LONGEST);
        let addresses = look_up(host, port, Instant::now() + patience)?;
        // The type holds 16 and panics on the 17th.
        for address in addresses.into_iter().take(16) {
            found.push(address);
        }
        if found.is_empty() {
            return Err(Error::HostNotFound);
        }
        Ok(found)
    }
}

fn look_up(host: &str, port: u16, until: Instant) -> Result<Vec<SocketAddr>, Error> {
    let name = host.to_owned();
    let (send, receive) = mpsc::sync_channel(1);
    thread::Builder::new()
        .name("resolve".to_owned())
        .spawn(move || {
            let addresses = (name.as_str(), port).to_socket_addrs();
            let _ = send.send(addresses.map(Iterator::collect::<Vec<_>>));
        })
        .map_err(Error::Io)?;
    let left = || until.saturating_duration_since(Instant::now());
    if getent::IS_NEEDED {
        match receive.recv_timeout(left().min(ALONE)) {
            Ok(Ok(addresses)) if !addresses.is_empty() => return Ok(addresses),
            own => {
                let found = getent::addresses(host, until);
                if !found.is_empty() {
                    let with_port = |address| SocketAddr::new(address, port);
                    return Ok(found.into_iter().map(with_port).collect());
                }
                if own.is_ok() {
                    return Err(Error::HostNotFound);
                }
            }
        }
    }
    receive
        .recv_timeout(left())
        // Whichever limit it was, it is the name that took so long.
        .map_err(|_| Error::Timeout(Timeout::Resolve))?
        .map_err(|_| Error::HostNotFound)
}
