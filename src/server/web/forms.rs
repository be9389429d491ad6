//! Forms that only our own pages can send: each carries a token that is bound to the cookie, and
//! a browser that says where a form comes from must name us.
//!
//! A token that is bound to another cookie does nothing either. But where the browser says that
//! the form is on a page of ours, its person may look at it again, and send it with a new token.

use ring::hmac;
use ureq_proto::http::{Uri, header};

use super::visit::Visit;
use crate::server::hash::hex;

/// What is signed with the cookie's value.
const PURPOSE: &[u8] = b"pakyas form";

/// The token for forms sent with this cookie. Who can't read the cookie can't make it.
pub(super) fn token(cookie: &str) -> String {
    hex(hmac::sign(&key(cookie), PURPOSE).as_ref())
}

fn key(cookie: &str) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, cookie.as_bytes())
}

/// Where a form comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sent {
    /// From a page of ours that was made for this cookie.
    Ours,
    /// From a page of ours that was made for another cookie, as the browser says: somebody has
    /// signed in anew since. No other site can have it say so.
    Stale,
    /// From wherever.
    Foreign,
}

/// Where the form of this request comes from.
pub(super) fn sent(visit: &Visit<'_>) -> Sent {
    match (has_token(visit), says_us(visit)) {
        (true, Some(true) | None) => Sent::Ours,
        (false, Some(true)) => Sent::Stale,
        _ => Sent::Foreign,
    }
}

/// Whether the form of this request was sent from a page of ours that was made for this cookie.
pub(super) fn is_ours(visit: &Visit<'_>) -> bool {
    sent(visit) == Sent::Ours
}

fn has_token(visit: &Visit<'_>) -> bool {
    let sent = visit.request.form("csrf").unwrap_or_default();
    let bytes: Option<Vec<u8>> = (0..sent.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(sent.get(at..at + 2)?, 16).ok())
        .collect();
    bytes.is_some_and(|tag| hmac::verify(&key(&visit.cookie), PURPOSE, &tag).is_ok())
}

/// Whether the page with the form is on the host that it is sent to; none where the browser does
/// not say.
fn says_us(visit: &Visit<'_>) -> Option<bool> {
    let Some(origin) = visit.request.header(header::ORIGIN.as_str()) else {
        // Fetch Metadata Request Headers: what a script can't set.
        let site = visit.request.header("sec-fetch-site")?;
        return Some(site == "same-origin");
    };
    let host = |url: &str| -> Option<String> {
        let uri: Uri = url.parse().ok()?;
        Some(uri.authority()?.as_str().to_ascii_lowercase())
    };
    let from = host(origin);
    let asked = visit.request.header(header::HOST.as_str());
    let is_us = from == asked.map(str::to_ascii_lowercase) || from == host(&visit.app.public_url);
    Some(from.is_some() && is_us)
}
