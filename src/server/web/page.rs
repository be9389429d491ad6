//! What every page has: its frame, and the headers that keep it to itself.

use askama::Template;
use ureq_proto::http::StatusCode;

use super::files::VERSION;
use crate::server::complaint::complain;
use crate::server::http::Response;
use crate::server::store::StoreError;

/// Nothing from elsewhere, no script and no style but our files, in nobody's frame, and forms to
/// us alone.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; \
                      connect-src 'self'; form-action 'self'; frame-ancestors 'none'; \
                      base-uri 'none'";

/// What the layout needs.
pub(super) struct Frame<'a> {
    /// What comes before each path of ours.
    pub base: &'a str,
    /// Who is signed in.
    pub email: Option<&'a str>,
    /// The token of each form.
    pub csrf: String,
}

impl Frame<'_> {
    /// What the addresses of our files end with.
    pub fn version(&self) -> u64 {
        VERSION
    }
}

/// A page that says one thing.
#[derive(Template)]
#[template(path = "message.html")]
pub(super) struct Message<'a> {
    pub frame: Frame<'a>,
    pub title: &'a str,
    pub text: &'a str,
}

/// The path of the server's own address: of `https://a.b/c` it is `/c`.
pub(super) fn base(public_url: &str) -> &str {
    let after_scheme = public_url.find("://").map_or(0, |at| at + 3);
    let rest = &public_url[after_scheme..];
    rest.find('/').map_or("", |at| &rest[at..])
}

/// The page as an answer.
pub(super) fn html(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(text) => Response {
            status,
            headers: vec![("content-type", "text/html; charset=utf-8".to_owned())],
            body: text.into_bytes(),
        },
        Err(_) => Response::text(
            StatusCode::INTERNAL_SERVER_ERROR,
            "This page can't be shown",
        ),
    }
    .with("content-security-policy", POLICY)
    .with("x-content-type-options", "nosniff")
    .with("x-frame-options", "DENY")
    .with("referrer-policy", "same-origin")
    .with("cache-control", "no-store")
}

/// To another page, by GET.
pub(super) fn redirect(to: String) -> Response {
    Response {
        status: StatusCode::SEE_OTHER,
        headers: vec![("location", to), ("cache-control", "no-store".to_owned())],
        body: Vec::new(),
    }
}

/// The store does not answer.
pub(super) fn unavailable(error: &StoreError) -> Response {
    complain(error);
    html(
        StatusCode::SERVICE_UNAVAILABLE,
        &Message {
            frame: Frame {
                base: "",
                email: None,
                csrf: String::new(),
            },
            title: "Not at the moment",
            text: "The server can't read or write its data. Try again in a moment.",
        },
    )
    .with("retry-after", "5")
}
