//! Networks of proxies: whatever is taken for one holds its own first address, and not all
//! addresses but where it says so.

use std::net::{IpAddr, Ipv4Addr};

use pakyas::server::http::Network;

pub fn target(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let Ok(network) = text.parse::<Network>() else {
        return;
    };
    let (first, bits) = text.split_once('/').unwrap_or((text, "128"));
    let first: IpAddr = first.parse().unwrap();
    assert!(network.contains(first.to_canonical()), "{text}");
    let bits: u8 = bits.parse().unwrap();
    if bits > 0 && first.is_ipv4() {
        let all = [Ipv4Addr::UNSPECIFIED, Ipv4Addr::BROADCAST];
        assert!(
            !all.into_iter().all(|one| network.contains(one.into())),
            "{text}"
        );
    }
}
