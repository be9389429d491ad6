//! What `NO_PROXY` says: hosts, domains and networks that are reached without a proxy, as curl, Go
//! and Python read it, where they agree; where they don't, as the one that exempts more.

use std::net::IpAddr;

/// All entries of the variable.
#[derive(Default)]
pub(super) struct Exempt(Vec<Entry>);

/// One entry: what it is about, and the only port, where it names one.
struct Entry {
    what: What,
    port: Option<u16>,
}

enum What {
    Everything,
    /// The domain and all below it.
    Domain(String),
    /// The addresses that have so many leading bits in common with this one.
    Network(IpAddr, u32),
}

impl Exempt {
    /// Entries are separated by commas or blanks; what can't be read exempts nothing.
    pub(super) fn new(text: &str) -> Self {
        let entries = text.split(|c: char| c == ',' || c.is_whitespace());
        Self(entries.filter_map(entry).collect())
    }

    /// Whether that host, an address without brackets or a name in lower case, is reached directly.
    pub(super) fn has(&self, host: &str, port: u16) -> bool {
        let host = host.strip_suffix('.').unwrap_or(host);
        let address: Option<IpAddr> = host.parse().ok();
        let address = address.map(|address| address.to_canonical());
        self.0
            .iter()
            .filter(|entry| entry.port.is_none_or(|only| only == port))
            .any(|entry| match &entry.what {
                What::Everything => true,
                What::Domain(domain) => {
                    host.strip_suffix(domain.as_str())
                        .is_some_and(|before| before.is_empty() || before.ends_with('.'))
                        && address.is_none()
                }
                What::Network(network, bits) => {
                    address.is_some_and(|address| in_common(*network, address) >= Some(*bits))
                }
            })
    }
}

fn entry(text: &str) -> Option<Entry> {
    let text = text.to_ascii_lowercase();
    if let Some(network) = network(&text) {
        return Some(Entry {
            what: network,
            port: None,
        });
    }
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) => (host, Some(port.parse().ok()?)),
        None => (text.as_str(), None),
    };
    let what = match network(host) {
        Some(network) => network,
        None if host == "*" => What::Everything,
        None => {
            let domain = host.trim_start_matches('*').trim_matches('.');
            if domain.is_empty() || domain.contains(['/', '[', ']', ':']) {
                return None;
            }
            What::Domain(domain.to_owned())
        }
    };
    Some(Entry { what, port })
}

/// `10.0.0.0/8`, `fd00::/8`, and a single address; IPv6 in brackets too.
fn network(text: &str) -> Option<What> {
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address, Some(bits.parse().ok()?)),
        None => (text, None),
    };
    let bare = address
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let address: IpAddr = bare.unwrap_or(address).parse().ok()?;
    let all = length(address);
    let bits = bits.unwrap_or(all);
    (bits <= all).then(|| match address.to_canonical() {
        // An IPv4 network as it is written in IPv6, `::ffff:10.0.0.0/104`.
        shorter if length(shorter) < all && bits >= 96 => What::Network(shorter, bits - 96),
        _ => What::Network(address, bits),
    })
}

/// How many bits an address of this family has.
fn length(address: IpAddr) -> u32 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// How many leading bits two addresses have in common; none where one is IPv4 and one IPv6, which
/// not even a network of 0 bits holds.
fn in_common(a: IpAddr, b: IpAddr) -> Option<u32> {
    match (a, b) {
        (IpAddr::V4(a), IpAddr::V4(b)) => Some((a.to_bits() ^ b.to_bits()).leading_zeros()),
        (IpAddr::V6(a), IpAddr::V6(b)) => Some((a.to_bits() ^ b.to_bits()).leading_zeros()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn reached_directly(no_proxy: &str, yes: &[(&str, u16)], no: &[(&str, u16)]) {
        let exempt = Exempt::new(no_proxy);
        for (host, port) in yes {
            assert!(exempt.has(host, *port), "{no_proxy}: {host}:{port}");
        }
        for (host, port) in no {
            assert!(!exempt.has(host, *port), "{no_proxy}: not {host}:{port}");
        }
    }

    #[test]
    fn networks_hold_the_addresses_in_them_and_no_names() {
        reached_directly(
            "10.0.0.0/8,192.168.7.4/31",
            &[("10.0.0.1", 80), ("10.255.1.2", 443), ("192.168.7.5", 80)],
            &[
                ("11.0.0.1", 80),
                ("192.168.7.6", 80),
                ("10.example.com", 80),
                ("::a00:1", 80),
            ],
        );
        reached_directly(
            "fd00::/8 [2001:db8:1::]/48",
            &[("fd12:3::4", 80), ("2001:db8:1:2::3", 443)],
            &[("fe80::1", 80), ("2001:db8:2::1", 443), ("253.0.0.1", 80)],
        );
        reached_directly(
            "0.0.0.0/0",
            &[("1.2.3.4", 1), ("::ffff:1.2.3.4", 1)],
            &[("::1", 1)],
        );
        reached_directly(
            "::ffff:10.0.0.0/104",
            &[("10.1.2.3", 1)],
            &[("11.1.2.3", 1)],
        );
    }

    #[test]
    fn an_address_is_itself_however_it_is_written() {
        reached_directly(
            "10.0.0.1,[fd00::1],fd00:0::2",
            &[
                ("10.0.0.1", 80),
                ("fd00::1", 80),
                ("fd00::2", 80),
                ("::ffff:10.0.0.1", 80),
            ],
            &[("10.0.0.10", 80), ("fd00::11", 80), ("x.10.0.0.1", 80)],
        );
    }

    #[test]
    fn an_entry_with_a_port_is_about_that_port_alone() {
        reached_directly(
            "a.com:8080,.b.com:443,10.0.0.1:81,[fd00::1]:82,*:83",
            &[
                ("a.com", 8080),
                ("x.a.com", 8080),
                ("x.b.com", 443),
                ("10.0.0.1", 81),
                ("fd00::1", 82),
                ("else.where", 83),
            ],
            &[
                ("a.com", 80),
                ("x.b.com", 80),
                ("10.0.0.1", 80),
                ("fd00::1", 80),
            ],
        );
    }

    #[test]
    fn a_name_is_its_domain_and_all_below_it() {
        reached_directly(
            "a.com, .b.com,*.c.com d.com.",
            &[
                ("a.com", 80),
                ("x.a.com", 80),
                ("x.b.com", 80),
                ("x.c.com", 80),
                ("d.com", 80),
                ("a.com.", 80),
            ],
            &[("xa.com", 80), ("com", 80), ("a.com.de", 80)],
        );
        reached_directly("*", &[("a.com", 80), ("10.0.0.1", 80)], &[]);
    }

    #[test]
    fn what_can_not_be_read_exempts_nothing() {
        reached_directly(
            ",, 10.0.0.0/33 10.0.0/8 fd00::/129 a.com:http a.com:99999 . *. [fd00::1 http://b.com/",
            &[],
            &[
                ("10.0.0.1", 80),
                ("fd00::1", 80),
                ("a.com", 80),
                ("b.com", 80),
            ],
        );
    }
}
