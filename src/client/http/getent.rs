//! Names that the system's resolver knows and a static program's own does not: those of mDNS, of
//! LDAP, of this machine, and whatever else nsswitch.conf(5) lists. The system's resolver is a part
//! of glibc that can't be in such a program; getent(1) asks it.

use std::io::Read;
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Instant;

use crate::sys::{self, Await};

/// Whether this program's own look-up is another than the system's.
pub(super) const IS_NEEDED: bool = cfg!(target_env = "musl");

/// The most that is read of what it says, bytes: three lines for each address.
const OUTPUT_MAX: usize = 16 * 1024;

/// The longest name that DNS has (RFC 1035, section 2.3.4).
const NAME_MAX: usize = 253;

/// The addresses of a name, in the system's order; none where there is no `getent`, where it does
/// not know either, or says nothing by then.
pub(super) fn addresses(name: &str, until: Instant) -> Vec<IpAddr> {
    if !is_plain(name) {
        return Vec::new();
    }
    let started = Command::new("getent")
        .args(["ahosts", name])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut getent) = started else {
        return Vec::new();
    };
    let output = getent.stdout.take();
    let said = output.and_then(|output| read(output, until));
    end(&mut getent, said.is_some());
    said.map_or_else(Vec::new, |said| parse(&String::from_utf8_lossy(&said)))
}

/// Whether it is a name that can be no option and nothing else than a name.
fn is_plain(name: &str) -> bool {
    let of_names = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    name.len() <= NAME_MAX
        && name.bytes().all(of_names)
        && name.starts_with(|first: char| first.is_ascii_alphanumeric())
}

/// All that it says; none where it says too much, or has not said it all by then.
fn read(mut output: ChildStdout, until: Instant) -> Option<Vec<u8>> {
    let mut said = Vec::new();
    let mut buffer = [0; 4096];
    while said.len() <= OUTPUT_MAX {
        let [ready] = sys::poll([(Some(output.as_fd()), Await::Reading)], Some(until)).ok()?;
        if !ready.readable {
            return None;
        }
        match output.read(&mut buffer).ok()? {
            0 => return Some(said),
            count => said.extend_from_slice(&buffer[..count]),
        }
    }
    None
}

/// One that has said all has ended or is about to. Under `monitor` the wrapper may have taken note
/// of its end before.
fn end(getent: &mut Child, has_said_all: bool) {
    if !has_said_all {
        let _ = getent.kill();
    }
    let _ = getent.wait();
}

/// A line is an address, the type of the socket that it is for, and maybe the name; each address
/// has one for streams.
fn parse(said: &str) -> Vec<IpAddr> {
    said.lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let address = words.next()?.parse().ok()?;
            (words.next()? == "STREAM").then_some(address)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn each_address_is_taken_once() {
        let said = "192.0.2.7       STREAM nas.local\n192.0.2.7       DGRAM  \n\
                    192.0.2.7       RAW    \n2001:db8::7     STREAM \nfe80::1%eth0    STREAM \n\
                    nonsense STREAM\n\n";
        let addresses = parse(said)
            .iter()
            .map(IpAddr::to_string)
            .collect::<Vec<_>>();
        assert_eq!(addresses, ["192.0.2.7", "2001:db8::7"]);
    }

    #[test]
    fn nothing_is_asked_for_but_a_plain_name() {
        for plain in ["nas", "nas.local", "a_b-c.example.com", "1.example"] {
            assert!(is_plain(plain), "{plain}");
        }
        let long = "a".repeat(254);
        for odd in [
            "", "-s", ".a", "_a", "a b", "a;b", "a/b", "a$b", "a\n", "ä", "a%b", &long,
        ] {
            assert!(!is_plain(odd), "{odd}");
        }
    }

    #[test]
    fn the_systems_own_getent_is_understood() {
        if Command::new("getent").arg("--version").output().is_err() {
            eprintln!("skipped: there is no getent here");
            return;
        }
        let found = addresses("localhost", Instant::now() + Duration::from_secs(30));
        assert!(found.iter().any(IpAddr::is_loopback), "{found:?}");
    }
}
