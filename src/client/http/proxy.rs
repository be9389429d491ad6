//! Which proxy a request goes through: `HTTPS_PROXY` for https, `HTTP_PROXY` for http,
//! `ALL_PROXY` for both, `NO_PROXY` for neither, each in lower case too. Under CGI `HTTP_PROXY` is
//! what a stranger sent in the header `Proxy`, and does not count.
//!
//! ureq would send requests of either scheme through whichever it finds first, and those to
//! this very machine as well, where a server for trying things out usually is.

use std::net::IpAddr;

use ureq::http::Uri;
use ureq::{Proxy, ProxyProtocol};

use super::exempt::Exempt;
use crate::wire::has_a_wrong_port;

pub(super) struct Proxies {
    http: Option<Given>,
    https: Option<Given>,
    except: Exempt,
}

/// A proxy as it was named.
#[derive(Clone)]
pub(super) struct Given {
    /// None where what was named is no address.
    pub(super) proxy: Option<Proxy>,
    /// Host and port as they were typed, or whatever else, without a name and password, and the
    /// variable.
    pub(super) shown: String,
}

impl Given {
    fn new(variable: &str, value: &str) -> Self {
        let after_scheme = value.split_once("://").map_or(value, |(_, rest)| rest);
        let host = after_scheme.split('/').next().unwrap_or_default();
        let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
        let proxy = Proxy::new(value).ok();
        Self {
            proxy: proxy.filter(|_| !has_a_wrong_port(host)),
            shown: format!("{} ({variable})", host.escape_debug()),
        }
    }
}

impl Proxies {
    pub(super) fn from_environment() -> Self {
        Self::from(|name| std::env::var(name).ok())
    }

    fn from(variable: impl Fn(&str) -> Option<String>) -> Self {
        let first = |names: &[&'static str]| {
            names
                .iter()
                .filter_map(|name| Some((*name, variable(name)?.trim().to_owned())))
                .find(|(_, value)| !value.is_empty())
        };
        let proxy = |names: &[&'static str]| {
            first(names).map(|(variable, value)| Given::new(variable, &value))
        };
        let by_cgi = variable("REQUEST_METHOD").is_some();
        let http: &[&'static str] = match by_cgi {
            true => &["http_proxy", "ALL_PROXY", "all_proxy"],
            false => &["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"],
        };
        Self {
            http: proxy(http),
            https: proxy(&["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]),
            except: first(&["NO_PROXY", "no_proxy"])
                .map(|(_, value)| Exempt::new(&value))
                .unwrap_or_default(),
        }
    }

    /// The proxy for that address; `None` goes there directly.
    pub(super) fn choose(&self, url: &str, https: bool) -> Option<&Given> {
        let proxy = if https { &self.https } else { &self.http };
        let uri: Uri = url.parse().ok()?;
        let host = uri
            .host()?
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_ascii_lowercase();
        let here = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        let port = uri.port_u16().unwrap_or(if https { 443 } else { 80 });
        if here || self.except.has(&host, port) {
            return None;
        }
        proxy.as_ref()
    }
}

/// Whether it is of the kind that ureq knows the names of but is built without.
pub(super) fn is_socks(proxy: &Proxy) -> bool {
    !matches!(proxy.protocol(), ProxyProtocol::Http | ProxyProtocol::Https)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(variables: &[(&str, &str)]) -> Proxies {
        Proxies::from(|name| {
            let (_, value) = variables.iter().find(|(known, _)| *known == name)?;
            Some((*value).to_owned())
        })
    }

    fn host(given: Option<&Given>) -> Option<String> {
        Some(given?.proxy.as_ref()?.host().to_owned())
    }

    #[test]
    fn what_is_no_proxy_is_not_gone_around_and_is_shown_without_its_password() {
        for (value, shown) in [
            ("http://me:secret@p:99999/x", "p:99999 (ALL_PROXY)"),
            ("p:", "p: (ALL_PROXY)"),
            ("http://", " (ALL_PROXY)"),
            ("a b", "a b (ALL_PROXY)"),
        ] {
            let all = proxies(&[("ALL_PROXY", value)]);
            let given = all.choose("http://a.com", false).unwrap();
            assert_eq!((given.proxy.is_none(), given.shown.as_str()), (true, shown));
        }
        let all = proxies(&[("ALL_PROXY", "me:secret@p:3128")]);
        let given = all.choose("https://a.com", true).unwrap();
        assert_eq!(
            (given.proxy.is_some(), given.shown.as_str()),
            (true, "p:3128 (ALL_PROXY)")
        );
    }

    #[test]
    fn each_scheme_has_its_own_proxy() {
        let both = proxies(&[("HTTPS_PROXY", "http://s:1"), ("http_proxy", "http://h:1")]);
        assert_eq!(
            host(both.choose("https://a.com/x", true)).as_deref(),
            Some("s")
        );
        assert_eq!(
            host(both.choose("http://a.com/x", false)).as_deref(),
            Some("h")
        );
        let one = proxies(&[("HTTPS_PROXY", "http://s:1")]);
        assert_eq!(host(one.choose("http://a.com/x", false)), None);
    }

    #[test]
    fn this_machine_is_reached_without_a_proxy() {
        let all = proxies(&[("ALL_PROXY", "http://p:1")]);
        for url in [
            "http://127.0.0.1:8080/x",
            "http://localhost",
            "http://[::1]:1/",
        ] {
            assert_eq!(host(all.choose(url, false)), None, "{url}");
        }
    }

    #[test]
    fn no_proxy_names_hosts_with_the_port_of_the_scheme_and_networks() {
        let some = proxies(&[
            ("ALL_PROXY", "http://p:1"),
            ("NO_PROXY", "a.com:443,b.com,10.0.0.0/8,fd00::/8"),
        ]);
        for direct in [
            "https://A.com/x",
            "http://a.com:443",
            "http://x.b.com",
            "http://10.1.2.3:8080/x",
            "http://[fd00::1]/x",
        ] {
            let https = direct.starts_with("https:");
            assert_eq!(host(some.choose(direct, https)), None, "{direct}");
        }
        for proxied in ["http://a.com", "http://11.0.0.1", "http://[fe80::1]"] {
            let chosen = host(some.choose(proxied, false));
            assert_eq!(chosen.as_deref(), Some("p"), "{proxied}");
        }
    }

    #[test]
    fn under_cgi_http_proxy_is_not_ours_but_the_others_are() {
        let cgi = |variable| proxies(&[("REQUEST_METHOD", "GET"), (variable, "http://p:1")]);
        let http = |proxies: &Proxies| host(proxies.choose("http://a.com", false));
        assert_eq!(http(&cgi("HTTP_PROXY")), None);
        for other in ["http_proxy", "ALL_PROXY", "all_proxy"] {
            assert_eq!(http(&cgi(other)).as_deref(), Some("p"), "{other}");
        }
        let https = cgi("HTTPS_PROXY");
        let chosen = host(https.choose("https://a.com", true));
        assert_eq!(chosen.as_deref(), Some("p"));
    }
}
