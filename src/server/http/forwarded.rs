//! Who sent a request, where it came through proxies: what `X-Forwarded-For` may be believed.

use std::net::IpAddr;
use std::str::FromStr;

use ureq_proto::http::HeaderMap;

const FORWARDED_FOR: &str = "x-forwarded-for";

/// Addresses whose first bits are these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    first: IpAddr,
    bits: u8,
}

impl FromStr for Network {
    type Err = String;

    /// Reads `10.0.0.0/8`, `fd00::/8`, or an address alone.
    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || {
            format!(
                "'{text}' is no network of proxies; write it like 10.0.0.0/8 or 192.0.2.7, without host bits"
            )
        };
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse().map_err(|_| bad())?)),
            None => (text, None),
        };
        let first: IpAddr = address.parse().map_err(|_| bad())?;
        let all = width(first);
        let network = Self {
            first,
            bits: bits.unwrap_or(all),
        };
        // Bits beyond the length are a slip, and nobody knows of which of the two.
        if network.bits > all || network.masked(first) != network.masked_none(first) {
            return Err(bad());
        }
        // An IPv4 network in the clothes of IPv6 is the IPv4 network.
        Ok(match (first, first.to_canonical(), network.bits) {
            (IpAddr::V6(_), first @ IpAddr::V4(_), bits @ 96..) => Self {
                first,
                bits: bits - 96,
            },
            _ => network,
        })
    }
}

fn width(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

impl Network {
    /// Whether `address`, which is canonical, is one of these.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.first.is_ipv4() == address.is_ipv4() && self.masked(address) == self.masked(self.first)
    }

    /// The bits that count, with nothing after them.
    fn masked(&self, address: IpAddr) -> u128 {
        let value = self.masked_none(address);
        let away = u32::from(width(address) - self.bits.min(width(address)));
        value.checked_shr(away).map_or(0, |kept| kept << away)
    }

    fn masked_none(&self, address: IpAddr) -> u128 {
        match address {
            IpAddr::V4(address) => u128::from(address.to_bits()),
            IpAddr::V6(address) => address.to_bits(),
        }
    }
}

/// Who sent the request that came from `peer`: the peer itself, unless that is a proxy of ours;
/// then the right-most address in `X-Forwarded-For` that is none of ours, since everything to
/// the left of it could have been written by anybody. A part that is no address ends the search
/// at the proxy that passed it on.
pub(super) fn sender(peer: IpAddr, headers: &HeaderMap, proxies: &[Network]) -> IpAddr {
    let ours = |address| proxies.iter().any(|network| network.contains(address));
    let mut sender = peer.to_canonical();
    // Several headers are one list (RFC 9110 section 5.3).
    let fields: Vec<_> = headers.get_all(FORWARDED_FOR).iter().collect();
    let mut steps = fields
        .iter()
        .rev()
        .flat_map(|field| field.to_str().unwrap_or("?").rsplit(','));
    while ours(sender) {
        match steps.next().map(address) {
            Some(Some(address)) => sender = address,
            Some(None) | None => break,
        }
    }
    sender
}

/// An address as proxies write it: bare, with a port, in brackets.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text
        .parse()
        .ok()
        .or_else(|| {
            text.parse()
                .ok()
                .map(|socket: std::net::SocketAddr| socket.ip())
        })
        .or_else(|| text.strip_prefix('[')?.strip_suffix(']')?.parse().ok())?;
    Some(bare.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use ureq_proto::http::HeaderValue;

    fn sent_by(peer: &str, fields: &[&str], proxies: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for field in fields {
            headers.append(FORWARDED_FOR, HeaderValue::from_str(field).unwrap());
        }
        let proxies: Vec<Network> = proxies.iter().map(|text| text.parse().unwrap()).collect();
        sender(peer.parse().unwrap(), &headers, &proxies).to_string()
    }

    #[test]
    fn only_proxies_of_ours_are_believed_and_only_about_who_reached_them() {
        let ours = &["10.0.0.0/8", "fd00::/8"][..];
        for (peer, fields, sender) in [
            // Nobody asked the peer.
            ("192.0.2.1", &["203.0.113.9"][..], "192.0.2.1"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["203.0.113.9"], "203.0.113.9"),
            // Left of the right-most stranger is what that stranger claims.
            ("10.0.0.1", &["127.0.0.1, 203.0.113.9"], "203.0.113.9"),
            (
                "10.0.0.1",
                &["1.2.3.4", "203.0.113.9, 10.9.9.9"],
                "203.0.113.9",
            ),
            // All of them ours: the farthest.
            ("10.0.0.1", &["10.0.0.3,10.0.0.2"], "10.0.0.3"),
            ("10.0.0.1", &["203.0.113.9, unknown"], "10.0.0.1"),
            ("10.0.0.1", &["203.0.113.9, nonsense, 10.0.0.2"], "10.0.0.2"),
            // IPv4 in IPv6, ports, brackets.
            ("::ffff:10.0.0.1", &["::ffff:203.0.113.9"], "203.0.113.9"),
            ("fd00::1", &["203.0.113.9:4711"], "203.0.113.9"),
            ("fd00::1", &["[2001:db8::7]:4711"], "2001:db8::7"),
            ("fd00::1", &["[2001:db8::7]"], "2001:db8::7"),
        ] {
            assert_eq!(sent_by(peer, fields, ours), sender, "{peer} {fields:?}");
        }
        assert_eq!(
            sent_by("10.0.0.1", &["203.0.113.9"], &["::ffff:10.0.0.0/104"]),
            "203.0.113.9"
        );
        assert_eq!(sent_by("10.0.0.1", &["203.0.113.9"], &[]), "10.0.0.1");
    }

    #[test]
    fn a_network_is_refused_where_it_is_not_clear() {
        for text in [
            "",
            "10.0.0.0/33",
            "10.0.0.1/8",
            "10/8",
            "::/129",
            "x",
            "1.2.3.4/",
        ] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
        for text in ["0.0.0.0/0", "::/0", "10.0.0.0/8", "::1", "192.0.2.7"] {
            assert!(text.parse::<Network>().is_ok(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_network_contains_what_shares_its_first_bits(a: u32, b: u32, bits in 0_u8..=32) {
            let mask = u32::MAX.checked_shl(u32::from(32 - bits)).unwrap_or(0);
            let network: Network =
                format!("{}/{bits}", std::net::Ipv4Addr::from(a & mask)).parse().unwrap();
            let inside = network.contains(IpAddr::V4(b.into()));
            prop_assert_eq!(inside, a & mask == b & mask);
        }
    }
}
