//! `pakyas-server healthcheck`: asks the server on this machine whether it is well, for
//! containers that have no other program to ask with.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use ureq::Agent;
use ureq::tls::TlsConfig;

use super::super::args::Serve;
use crate::handshake;

/// How long the answer may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Asks for `/healthz` at the address that the server listens on.
///
/// # Errors
/// A sentence, where it is not well or does not answer.
pub fn run(options: &Serve) -> Result<(), String> {
    let scheme = if options.tls.is_some() {
        "https"
    } else {
        "http"
    };
    let url = format!("{scheme}://{}/healthz", reachable(options.listen));
    // Our own server on our own machine, by its address, which its certificate does not have;
    // nothing is sent that is secret.
    let tls = TlsConfig::builder().disable_verification(true).build();
    let answer = Agent::config_builder()
        .tls_config(tls)
        .timeout_global(Some(PATIENCE))
        .http_status_as_error(false)
        .proxy(None)
        .max_redirects(0)
        .build()
        .new_agent()
        .get(&url)
        .call()
        .map_err(|error| format!("the server at {url} does not answer: {}", why(&error)))?;
    match answer.status().as_u16() {
        200 => Ok(()),
        status => Err(format!("the server at {url} is not well: HTTP {status}")),
    }
}

/// Why there was no answer; what ureq says of TLS is not whole in a release.
fn why(error: &ureq::Error) -> String {
    let tls = match error {
        ureq::Error::Rustls(tls) => Some(tls),
        ureq::Error::Io(error) => handshake::in_io(error),
        _ => None,
    };
    tls.map_or_else(
        || error.to_string(),
        |tls| handshake::trouble(tls).to_owned(),
    )
}

/// Where a listener on `address` can be reached from this machine.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}
