//! Who answered: our own server, or something in between or in its place. Pure.
//!
//! Only what is recognisably our server's is final (API.md): an answer with the header
//! `Pakyas-Server`, or a refusal of the form `{"error": …}`. A proxy's page, a portal's redirect or
//! another site's 404 says nothing of a check, so what was asked is asked again later.

use super::address::origin;
use super::error::{Error, Kind};
use super::http::Answer;
use super::render::clean;
use crate::wire::ErrorBody;

/// How much of a name that somebody else gave is shown, characters.
const NAME_MAX: usize = 60;

/// What Go's own HTTP library answers where nothing is there: Traefik, while it has no route.
const GO_404: &[u8] = b"404 page not found";

/// Whether our own server speaks. Some statuses can only be those of something in between: a
/// redirect, as our API and pings have none; 407, a proxy's; 511, a portal's.
pub fn is_ours(answer: &Answer) -> bool {
    let in_between = matches!(answer.status, 300..=399 | 407 | 511);
    !in_between && (answer.pakyas_server || answer.status >= 400 && refusal(answer).is_some())
}

/// The refusal of a server that speaks as API.md has it.
pub fn refusal(answer: &Answer) -> Option<ErrorBody> {
    serde_json::from_slice(&answer.body).ok()
}

/// That something else answers at `origin`, for a person: it may be away later.
pub fn foreign(answer: &Answer, origin: &str) -> Error {
    let message = format!(
        "No Pakyas server answers at {origin} but {}",
        who(answer, origin)
    );
    Error::new(Kind::Network, message).retry_after(answer.retry_after)
}

/// What answered, in a few words: "a page of nginx (413)", "a redirect to login.example.com".
fn who(answer: &Answer, origin: &str) -> String {
    let status = answer.status;
    if let (300..=399, Some(to)) = (status, &answer.location) {
        return format!("a redirect to {}", destination(to, origin));
    }
    let name = answer.server.as_deref().and_then(product);
    let of = name.map_or_else(String::new, |name| format!(" of {name}"));
    if status == 407 {
        return format!("a proxy{of} that wants to be logged in to (407)");
    }
    if is_page(answer) {
        let title = title(&answer.body).filter(|_| of.is_empty());
        let title = title.map_or_else(String::new, |title| format!(" '{title}'"));
        return format!("a page{of}{title} ({status})");
    }
    match status {
        404 if of.is_empty() && answer.body.trim_ascii() == GO_404 => {
            "404 of Traefik, or of another program in Go".to_owned()
        }
        _ if of.is_empty() => format!("something else ({status})"),
        _ => format!("{status}{of}"),
    }
}

/// The host that a redirect is to; where that is the one that was asked, with all that may differ.
fn destination(to: &str, asked: &str) -> String {
    let Some((_, after_scheme)) = to.split_once("://") else {
        return "another of its own pages".to_owned();
    };
    let host = |url: &str| {
        let (_, rest) = url.split_once("://").unwrap_or(("", url));
        let rest = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let rest = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
        rest.to_owned()
    };
    let name = |url: &str| {
        let host = host(url);
        let end = host.rfind(':').filter(|&at| !host[at..].contains(']'));
        host[..end.unwrap_or(host.len())].to_ascii_lowercase()
    };
    let same = name(to) == name(asked) && !after_scheme.contains('@');
    shown(&if same {
        origin(to).to_owned()
    } else {
        host(to)
    })
}

/// The product that a `Server` header names first, without its version, as its people write it.
fn product(header: &str) -> Option<String> {
    let first = header.split(['/', ' ', '(']).next()?;
    let name = match first.to_ascii_lowercase().as_str() {
        "" => return None,
        "apache" => "Apache",
        "caddy" => "Caddy",
        "squid" => "Squid",
        "cloudflare" => "Cloudflare",
        "awselb" => "Amazon's load balancer",
        "microsoft-iis" => "IIS",
        _ => return Some(shown(first)),
    };
    Some(name.to_owned())
}

/// Whether it is for a browser, by what it says it is or by how it begins.
fn is_page(answer: &Answer) -> bool {
    let kind = answer.content_type.as_deref().unwrap_or_default();
    let kind = kind.trim_start().to_ascii_lowercase();
    kind.starts_with("text/html")
        || kind.starts_with("application/xhtml")
        || answer.body.trim_ascii_start().starts_with(b"<")
}

/// The title of a page.
fn title(page: &[u8]) -> Option<String> {
    let page = String::from_utf8_lossy(page);
    let lower = page.to_ascii_lowercase();
    let begin = lower.find("<title")?;
    let begin = begin + lower[begin..].find('>')? + 1;
    let end = begin + lower[begin..].find('<')?;
    let words: Vec<&str> = page[begin..end].split_whitespace().collect();
    Some(shown(&words.join(" "))).filter(|title| !title.is_empty())
}

/// A name from elsewhere, fit for a line of ours.
fn shown(name: &str) -> String {
    clean(name).chars().take(NAME_MAX).collect()
}

/// Whether a success that does not say whose it is may be our server's all the same: of servers
/// before that header there was, which answer the API in JSON, or with nothing (204).
pub fn may_be_ours(answer: &Answer) -> bool {
    answer.pakyas_server || answer.status != 511 && !is_page(answer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn answer(status: u16, server: Option<&str>, body: &str) -> Answer {
        Answer {
            status,
            server: server.map(str::to_owned),
            body: body.as_bytes().to_vec(),
            ..Answer::default()
        }
    }

    fn said(answer: &Answer) -> String {
        let told = foreign(answer, "http://a.example:8080").to_string();
        let start = "No Pakyas server answers at http://a.example:8080 but ";
        told.strip_prefix(start).unwrap().to_owned()
    }

    #[test]
    fn only_the_header_or_an_error_of_ours_makes_an_answer_ours() {
        for status in [400, 401, 403, 404, 405, 413, 429, 500, 503] {
            let mut it = answer(status, Some("nginx"), "<html>");
            assert!(!is_ours(&it), "{status}");
            assert!(is_ours(&answer(status, None, "{\"error\":\"x\"}")));
            it.pakyas_server = true;
            assert!(is_ours(&it), "{status}");
        }
        for body in [
            "",
            "{}",
            "[]",
            "\"error\"",
            "{\"error\":{\"code\":1}}",
            "error",
        ] {
            assert!(!is_ours(&answer(404, None, body)), "{body}");
        }
        assert!(!is_ours(&answer(200, None, "{\"error\":\"x\"}")));
    }

    #[test]
    fn what_only_something_in_between_says_is_never_ours() {
        for status in [301, 302, 303, 307, 308, 407, 511] {
            let it = Answer {
                pakyas_server: true,
                ..answer(status, None, "{\"error\":\"x\"}")
            };
            assert!(!is_ours(&it), "{status}");
        }
    }

    #[test]
    fn what_answered_is_named_in_a_few_words() {
        for (status, server, body, told) in [
            (413, Some("nginx/1.24.0"), "<html>", "a page of nginx (413)"),
            (
                502,
                Some("Apache/2.4 (Debian)"),
                "<!DOCTYPE",
                "a page of Apache (502)",
            ),
            (
                404,
                None,
                "404 page not found\n",
                "404 of Traefik, or of another program in Go",
            ),
            (
                407,
                Some("squid/5.7"),
                "<html>",
                "a proxy of Squid that wants to be logged in to (407)",
            ),
            (
                403,
                Some("cloudflare"),
                "error code: 1020",
                "403 of Cloudflare",
            ),
            (
                200,
                None,
                "<html><title> Hotel\n Lobby</title>",
                "a page 'Hotel Lobby' (200)",
            ),
            (200, None, "hello", "something else (200)"),
            (404, None, "", "something else (404)"),
            (302, None, "", "something else (302)"),
        ] {
            assert_eq!(said(&answer(status, server, body)), told);
        }
        let mut page = answer(200, None, "Welcome");
        page.content_type = Some("text/html; charset=utf-8".to_owned());
        assert_eq!(said(&page), "a page (200)");
    }

    #[test]
    fn a_redirect_is_named_by_where_it_leads_and_shows_no_secret() {
        for (location, told) in [
            ("https://login.example.com/?token=x", "login.example.com"),
            ("https://login.example.com:8443/x", "login.example.com:8443"),
            ("https://a.example:8080/ping", "https://a.example:8080"),
            ("https://A.example/ping", "https://A.example"),
            ("https://user:secret@a.example/", "a.example"),
            ("/login", "another of its own pages"),
        ] {
            let mut it = answer(302, Some("nginx"), "<html>");
            it.location = Some(location.to_owned());
            assert_eq!(said(&it), format!("a redirect to {told}"));
        }
    }

    #[test]
    fn how_long_something_else_asks_to_be_left_alone_is_kept_in_mind() {
        let mut it = answer(503, Some("nginx"), "");
        it.retry_after = Some(std::time::Duration::from_secs(7));
        assert_eq!(foreign(&it, "x").asked_pause(), it.retry_after);
    }

    proptest! {
        #[test]
        fn whatever_answers_is_told_in_one_line(
            status in 100..600_u16,
            server in prop::option::of("\\PC{0,20}|.{0,80}"),
            location in prop::option::of("(https?://)?.{0,80}"),
            content_type in prop::option::of(".{0,20}"),
            body in "(<title>)?.{0,40}(</title>)?",
        ) {
            let it = Answer { server, location, content_type, ..answer(status, None, &body) };
            let told = foreign(&it, "http://a").to_string();
            prop_assert!(told.chars().all(|c| !c.is_control()), "{told:?}");
            prop_assert!(told.chars().count() < 250, "{told}");
        }
    }
}
