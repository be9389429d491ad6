//! Addresses of servers: read, compared, and shown without their secrets.

use uuid::Uuid;

use super::error::{Error, Kind};
use crate::wire;
use crate::wire::has_a_wrong_port;

/// An address in the form in which two are compared: no slash at its end, no path of the API,
/// scheme and host in lower case.
///
/// # Errors
/// [`Kind::Usage`], naming `from`, where it is not an http or https address.
pub fn base_url(text: &str, from: &str) -> Result<String, Error> {
    let refuse = |why: &str| {
        Error::new(
            Kind::Usage,
            format!(
                "'{}' ({from}) is not an address: {why}; write it as https://example.com",
                text.chars().take(100).collect::<String>().escape_debug()
            ),
        )
    };
    let trimmed = text.trim().trim_end_matches('/');
    let trimmed = trimmed.strip_suffix(wire::API_PREFIX).unwrap_or(trimmed);
    let Some((scheme, rest)) = trimmed.split_once("://") else {
        return Err(refuse("it does not begin with http:// or https://"));
    };
    let scheme = scheme.to_ascii_lowercase();
    if scheme != "http" && scheme != "https" {
        return Err(refuse("it does not begin with http:// or https://"));
    }
    let (host, path) = match rest.find('/') {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    if host.is_empty() || host.contains('@') {
        return Err(refuse("it has no host, or a name and password before it"));
    }
    if has_a_wrong_port(host) {
        return Err(refuse("the port is wrong"));
    }
    if rest.contains(['?', '#']) || rest.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(refuse("it holds characters that an address can't"));
    }
    let url = format!("{scheme}://{}{path}", host.to_ascii_lowercase());
    match url.parse::<ureq::http::Uri>() {
        Ok(uri) if uri.host().is_some_and(|host| !host.is_empty()) => Ok(url),
        _ => Err(refuse("it holds characters that an address can't")),
    }
}

/// The ping URL of a check as it is pasted: the address that its pings go to, and its public id.
/// `None` where it is none, or says more than that (`/fail`).
pub fn ping_url(text: &str) -> Option<(String, Uuid)> {
    let (base, id) = text.trim().trim_end_matches('/').rsplit_once('/')?;
    Some((base_url(base, "").ok()?, Uuid::try_parse(id).ok()?))
}

/// Scheme, host and port of an address: what may be shown of it.
pub fn origin(url: &str) -> &str {
    let after_scheme = url.find("://").map_or(0, |at| at + 3);
    let end = url[after_scheme..]
        .find(['/', '?', '#'])
        .map_or(url.len(), |at| after_scheme + at);
    &url[..end]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_server_has_one_address() {
        for text in [
            "http://Example.com:8080",
            "HTTP://example.com:8080/",
            " http://example.com:8080/api/v1/ ",
        ] {
            assert_eq!(
                base_url(text, "x").unwrap(),
                "http://example.com:8080",
                "{text}"
            );
        }
        assert_eq!(base_url("https://a.b/Sub", "x").unwrap(), "https://a.b/Sub");
    }

    #[test]
    fn what_is_no_address_is_refused_with_an_example() {
        for text in [
            "",
            "example.com",
            "ftp://a",
            "http://",
            "http://a b",
            "http://u:p@a",
            "http://a?x",
        ] {
            let message = base_url(text, "--api-url").unwrap_err().to_string();
            assert!(message.contains("https://example.com"), "{text}: {message}");
            assert!(message.contains("--api-url"), "{text}: {message}");
        }
    }

    #[test]
    fn a_port_is_a_number_that_there_is() {
        for host in [
            "a:184800", "a:99999", "a:abc", "a:-1", "a:+80", "a:0", "a:", "[::1]:x", "a:1:2",
        ] {
            let message = base_url(&format!("http://{host}/x"), "x")
                .unwrap_err()
                .to_string();
            assert!(
                message.contains("is not an address: the port is wrong"),
                "{message}"
            );
        }
        for host in ["a", "a:1", "a:65535", "[::1]", "[::1]:8080"] {
            assert!(base_url(&format!("http://{host}"), "x").is_ok(), "{host}");
        }
    }

    #[test]
    fn a_ping_url_is_an_address_with_a_public_id_behind_it() {
        let id = Uuid::from_u128(7);
        for (text, base) in [
            (
                format!("https://Ping.example.com/{id}"),
                "https://ping.example.com",
            ),
            (
                format!(" http://a:8080/sub/ping/{id}/\n"),
                "http://a:8080/sub/ping",
            ),
        ] {
            assert_eq!(ping_url(&text), Some((base.to_owned(), id)), "{text}");
        }
        for text in [
            format!("https://a/{id}/fail"),
            format!("https://a/{id}?rid=1"),
            format!("a/{id}"),
            format!("/{id}"),
            format!("ftp://a/{id}"),
            format!("https://u:p@a/{id}"),
            "https://a/nightly".to_owned(),
            id.to_string(),
        ] {
            assert_eq!(ping_url(&text), None, "{text}");
        }
    }

    #[test]
    fn only_the_origin_of_an_address_is_shown() {
        for (url, shown) in [
            ("http://127.0.0.1:8080/ping/abc", "http://127.0.0.1:8080"),
            ("https://example.com", "https://example.com"),
            ("https://example.com?token=x", "https://example.com"),
        ] {
            assert_eq!(origin(url), shown);
        }
    }

    proptest! {
        #[test]
        fn an_address_read_twice_is_the_same(text in "https?://[A-Za-z0-9.:/-]{1,30}") {
            if let Ok(once) = base_url(&text, "x") {
                prop_assert_eq!(base_url(&once, "x").unwrap(), once);
            }
        }
    }
}
