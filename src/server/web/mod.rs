//! The server's pages: HTML made here, with forms and a cookie. All of it works without a
//! script; `script.js` only spares people to load a page again, and knows their time zone.
//!
//! `public.rs` and `badge.rs` are for everybody, without a cookie.
//! `visit.rs` is who asks, with their cookie; `forms.rs` is what keeps other sites from sending
//! forms in their name; `page.rs` is what every answer has. A new page is a file with the
//! function that answers, a template that extends `layout.html`, and a line in [`answer`].

mod account;
mod badge;
mod check;
mod check_form;
mod device;
mod fields;
mod files;
mod forms;
mod moment;
mod notices;
mod overview;
mod page;
mod place;
mod preview;
mod public;
mod settings;
mod sharing;
mod sign_in;
mod strip;
mod visit;

use ureq_proto::http::{Method, header};
use uuid::Uuid;

use super::api::App;
use super::http::{Request, Response};
use visit::Visit;

/// The first parts of all paths of pages. A check's ping is at a UUID, so none is one of these.
const PARTS: [&str; 11] = [
    "account", "badge", "checks", "device", "projects", "schedule", "settings", "sign-in",
    "sign-out", "status", "web",
];

/// Whether what is at `path` is a page.
pub fn owns(path: &str) -> bool {
    let first = path.split('/').nth(1).unwrap_or_default();
    path == "/" || PARTS.contains(&first)
}

/// Whether a browser asks for what nobody answers for, and gets a page that says so. What may
/// be a check's address is never one.
pub fn owns_for_people(request: &Request) -> bool {
    let first = request.path.split('/').nth(1).unwrap_or_default();
    let wants_html = request
        .header(header::ACCEPT.as_str())
        .is_some_and(|types| types.contains("text/html"));
    let only_looks = [Method::GET, Method::HEAD].contains(&request.method);
    wants_html && only_looks && first.parse::<Uuid>().is_err()
}

/// Answers a request for a page.
pub fn answer(app: &App, request: &Request) -> Response {
    // For everybody, so nobody is asked who they are.
    if let Some(response) = public::answer(app, request) {
        return response;
    }
    let visit = match Visit::of(app, request) {
        Ok(visit) => visit,
        Err(error) => return page::unavailable(&error),
    };
    let method = match request.method.as_str() {
        "HEAD" => "GET",
        method => method,
    };
    let segments: Vec<&str> = request.path.split('/').skip(1).collect();
    let answer = match (method, segments.as_slice()) {
        ("GET", [""]) => overview::show(&visit, None),
        ("GET", ["projects", id]) => overview::show(&visit, Some(id)),
        ("GET", ["checks", "new"]) => place::answer(check_form::new(&visit)),
        ("POST", ["checks", "new"]) => place::answer(check_form::create(&visit)),
        ("GET", ["checks", id]) => check::show(&visit, id),
        ("GET", ["checks", id, "runs", run]) => check::run::show(&visit, id, run),
        ("POST", ["checks", id, "pause"]) => check::act::pause(&visit, id, true),
        ("POST", ["checks", id, "resume"]) => check::act::pause(&visit, id, false),
        ("GET", ["checks", id, "delete"]) => check::act::confirm(&visit, id),
        ("POST", ["checks", id, "delete"]) => check::act::delete(&visit, id),
        ("GET", ["projects", id, "public"]) => place::answer(sharing::show(&visit, id)),
        ("POST", ["projects", id, "public"]) => place::answer(sharing::change(&visit, id)),
        ("GET", ["account"]) => account::show(&visit),
        ("GET", ["sign-in"]) => sign_in::show(&visit),
        ("POST", ["sign-in"]) => sign_in::take(&visit),
        ("POST", ["sign-out"]) => sign_in::leave(&visit),
        ("GET", ["device", link]) => device::show(&visit, link),
        ("POST", ["device", link]) => device::decide(&visit, link),
        ("GET", ["schedule", "preview"]) => place::answer(preview::show(&visit)),
        ("GET", ["checks", id, "edit"]) => place::answer(check_form::edit(&visit, id)),
        ("POST", ["checks", id, "edit"]) => place::answer(check_form::update(&visit, id)),
        (_, ["settings", route @ ..]) => place::answer(settings::answer(&visit, method, route)),
        ("POST", ["account", what]) => place::answer(account::change(&visit, what)),
        ("GET", ["web", name]) => {
            Ok(files::answer(&visit, name).unwrap_or_else(|| visit.nothing_here()))
        }
        (_, ["" | "account"] | ["projects" | "checks", _]) => Ok(visit.not_so("GET, HEAD")),
        (_, ["sign-in"] | ["device", _] | ["checks", _, "edit"]) => {
            Ok(visit.not_so("GET, HEAD, POST"))
        }
        (_, ["sign-out"] | ["checks", _, "pause" | "resume" | "delete"]) => {
            Ok(visit.not_so("POST"))
        }
        _ => Ok(visit.nothing_here()),
    };
    answer.unwrap_or_else(|error| page::unavailable(&error))
}

/// Where to go after signing in: a page of ours with its query, or none.
fn page_of_ours(next: &str) -> Option<&str> {
    let harmless = next.len() <= 1000
        && next
            .bytes()
            .all(|b| b.is_ascii_graphic() && !b"\\\"<>".contains(&b));
    let path = next.split('?').next().unwrap_or_default();
    (harmless && next.starts_with('/') && owns(path)).then_some(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_led_to_another_site_after_signing_in() {
        assert_eq!(page_of_ours("/device/abc"), Some("/device/abc"));
        assert_eq!(page_of_ours("/"), Some("/"));
        let filtered = "/?status=down&q=back%22up";
        assert_eq!(page_of_ours(filtered), Some(filtered));
        for next in [
            "",
            "account",
            "//evil.example",
            "//evil.example/account",
            "/\\evil.example",
            "https://evil.example/account",
            "/account\r\nx: y",
            "/api/v1/me",
            "/?next=\\evil.example",
            "?/account",
            "//?/account",
        ] {
            assert_eq!(page_of_ours(next), None, "{next}");
        }
    }
}
