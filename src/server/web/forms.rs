//! Forms that only our own pages can send: each carries a token that is bound to the cookie, and
//! a browser that says where a form comes from must name us.

use ring::hmac;
use ureq_proto::http::{Uri, header};

use super::visit::Visit;

/// What is signed with the cookie's value.
const PURPOSE: &[u8] = b"pakyas form";

/// The token for forms sent with this cookie. Who can't read the cookie can't make it.
pub(super) fn token(cookie: &str) -> String {
    let tag = hmac::sign(&key(cookie), PURPOSE);
    tag.as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn key(cookie: &str) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, cookie.as_bytes())
}

/// Whether the form of this request was sent from a page of ours that was made for this cookie.
pub(super) fn is_ours(visit: &Visit<'_>) -> bool {
    let sent = visit.request.form("csrf").unwrap_or_default();
    let bytes: Option<Vec<u8>> = (0..sent.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(sent.get(at..at + 2)?, 16).ok())
        .collect();
    let fits = bytes.is_some_and(|tag| hmac::verify(&key(&visit.cookie), PURPOSE, &tag).is_ok());
    fits && is_from_us(visit)
}

/// Where the browser says what page the form is on, that is the host that it is sent to.
fn is_from_us(visit: &Visit<'_>) -> bool {
    let Some(origin) = visit.request.header(header::ORIGIN.as_str()) else {
        return true;
    };
    let host = |url: &str| -> Option<String> {
        let uri: Uri = url.parse().ok()?;
        Some(uri.authority()?.as_str().to_ascii_lowercase())
    };
    let from = host(origin);
    let asked = visit.request.header(header::HOST.as_str());
    from.is_some()
        && (from == asked.map(str::to_ascii_lowercase) || from == host(&visit.app.public_url))
}
