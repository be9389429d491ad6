//! The files of the pages: their look and their scripts, in the binary. Their addresses change
//! with what is in them, so a browser may keep them for ever and never shows an old one.

use ureq_proto::http::StatusCode;

use super::visit::Visit;
use crate::server::http::Response;

/// The look of all pages.
const STYLE: &str = concat!(
    include_str!("style.css"),
    include_str!("check.css"),
    include_str!("settings.css")
);

/// The script of all pages.
const SCRIPT: &str = concat!(include_str!("script.js"), include_str!("refresh.js"));

/// The script beside the form of a check.
const CHECK_FORM: &str = include_str!("check-form.js");

/// What stands behind the `?` of their addresses: a number made of all that is in them.
pub(super) const VERSION: u64 = {
    let hash = fingerprint(0xcbf2_9ce4_8422_2325, STYLE.as_bytes());
    fingerprint(fingerprint(hash, SCRIPT.as_bytes()), CHECK_FORM.as_bytes())
};

/// FNV-1a (IETF draft-eastlake-fnv), going on from `hash`. Nothing depends on its being hard to
/// guess.
const fn fingerprint(mut hash: u64, bytes: &[u8]) -> u64 {
    let mut at = 0;
    while at < bytes.len() {
        hash = (hash ^ bytes[at] as u64).wrapping_mul(0x0000_0100_0000_01b3);
        at += 1;
    }
    hash
}

/// Answers with the file of this name; None where there is none.
pub(super) fn answer(visit: &Visit<'_>, name: &str) -> Option<Response> {
    let (kind, text) = match name {
        "style.css" => ("text/css", STYLE),
        "script.js" => ("text/javascript", SCRIPT),
        "check-form.js" => ("text/javascript", CHECK_FORM),
        _ => return None,
    };
    // Whoever asks for another version than this one must not keep what they get for it.
    let asked = visit.request.parameter("v");
    let keep = match asked.is_some_and(|version| version == VERSION.to_string()) {
        true => "public, max-age=31536000, immutable",
        false => "no-cache",
    };
    Some(Response {
        status: StatusCode::OK,
        headers: vec![
            ("content-type", format!("{kind}; charset=utf-8")),
            ("cache-control", keep.to_owned()),
            ("x-content-type-options", "nosniff".to_owned()),
        ],
        body: text.as_bytes().to_vec(),
    })
}
