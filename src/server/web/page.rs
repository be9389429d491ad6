//! What every page has: its frame, and the headers that keep it to itself.

use askama::Template;
use ureq_proto::http::StatusCode;
use uuid::Uuid;

use super::files::VERSION;
use crate::server::complaint::complain_once;
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
    /// The organization that the links to other pages keep, where whoever reads belongs to several.
    pub org: Option<Uuid>,
    /// What it is called.
    pub org_name: Option<String>,
}

impl<'a> Frame<'a> {
    /// What a page has that is the same for everybody.
    pub fn bare(base: &'a str) -> Self {
        Self {
            base,
            email: None,
            csrf: String::new(),
            org: None,
            org_name: None,
        }
    }

    /// What the addresses of our files end with.
    pub fn version(&self) -> u64 {
        VERSION
    }

    /// The same for a page of this organization.
    pub fn within(self, org: Uuid, name: &str, many: bool) -> Self {
        Self {
            org: many.then_some(org),
            org_name: many.then(|| name.to_owned()),
            ..self
        }
    }

    /// What keeps the organization, behind the path of a link.
    pub fn query(&self) -> String {
        self.org.map_or(String::new(), |org| format!("?org={org}"))
    }
}

/// A page that says one thing.
#[derive(Template)]
#[template(path = "message.html")]
pub(super) struct Message<'a> {
    pub frame: Frame<'a>,
    pub title: &'a str,
    pub text: &'a str,
    /// Where to go on.
    pub back: Option<String>,
}

/// The path of the server's own address: of `https://a.b/c` it is `/c`.
pub(super) fn base(public_url: &str) -> &str {
    let after_scheme = public_url.find("://").map_or(0, |at| at + 3);
    let rest = &public_url[after_scheme..];
    rest.find('/').map_or("", |at| &rest[at..])
}

/// A text as a part of a query (RFC 3986 section 3.4); slashes stay as they are, for people.
pub(super) fn escape(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                char::from(byte).to_string()
            }
            byte => format!("%{byte:02X}"),
        })
        .collect()
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
    complain_once(error);
    html(
        StatusCode::SERVICE_UNAVAILABLE,
        &Message {
            frame: Frame::bare(""),
            back: None,
            title: "Not at the moment",
            text: "The server can't read or write its data. Try again in a moment.",
        },
    )
    .with("retry-after", "5")
}
