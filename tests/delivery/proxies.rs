//! Proxies: a forward proxy as most networks have one leads to the server, whoever is exempt goes
//! past it, and one that leads nowhere is told.

use crate::support::home::Home;
use crate::support::proxy::Proxy;
use crate::support::stub::{Reply, Stub};
use crate::support::tls::{Front, VALID};

use super::tls::{HERE, REMOTE, UNSPECIFIED, World, kept, monitor, ping};

/// base64 of me:secret, and how a proxy is told it.
const SECRET: &str = "Basic bWU6c2VjcmV0";

/// A front for a remote name and the proxy that alone knows the way there.
fn remote(world: &World) -> (Front, Proxy, String) {
    let identity = world.authority.issue(&[REMOTE, UNSPECIFIED], VALID);
    let front = Front::new(identity, &world.server.url);
    let port = front.port();
    let proxy = Proxy::new(move |_| Some(format!("127.0.0.1:{port}")));
    (front, proxy, format!("https://{REMOTE}"))
}

#[test]
fn https_proxy_leads_to_a_remote_name_by_connect() {
    let world = World::new();
    let (front, proxy, url) = remote(&world);
    let home = world
        .trusting(&url, "PAKYAS_CA_FILE")
        .with("HTTPS_PROXY", &proxy.url());
    ping(&home).exits(0);
    assert_eq!(monitor(&home).stderr, "");
    assert_eq!(world.told(), ["success", "start", "fail"]);
    assert_eq!(proxy.heads().len(), front.connections());
    for head in proxy.heads() {
        let line = format!("CONNECT {REMOTE}:443 HTTP/1.1\r\n");
        assert!(head.starts_with(&line), "{head}");
        assert!(!head.contains(&world.server.key), "{head}");
    }
}

#[test]
fn a_proxys_password_goes_to_the_proxy_alone() {
    let world = World::new();
    let identity = world.authority.issue(&[REMOTE], VALID);
    let front = Front::new(identity, &world.server.url);
    let port = front.port();
    let proxy = Proxy::wanting(SECRET, move |_| Some(format!("127.0.0.1:{port}")));
    let home = |proxy: &str| {
        world
            .trusting(&format!("https://{REMOTE}"), "PAKYAS_CA_FILE")
            .with("HTTPS_PROXY", proxy)
    };
    ping(&home(&format!("http://me:secret@{}", proxy.address()))).exits(0);
    assert_eq!(world.told(), ["success"]);
    let decrypted = String::from_utf8(front.decrypted()).unwrap();
    assert!(!decrypted.to_lowercase().contains("proxy-"), "{decrypted}");
    monitor(&home(&proxy.url()))
        .says("is kept")
        .says("the proxy refused: it wants a name and a password");
}

#[test]
fn http_proxy_is_asked_for_the_whole_address_and_told_the_password_each_time() {
    let world = World::new();
    let server = world.server.url.trim_start_matches("http://").to_owned();
    let proxy = Proxy::wanting(SECRET, move |_| Some(server.clone()));
    let other = Stub::new(|_| Reply::text(500, "this one is for https only"));
    for origin in [format!("http://{REMOTE}"), format!("http://{REMOTE}:8080")] {
        let before = proxy.heads().len();
        let home = world
            .home(&origin)
            .with(
                "HTTP_PROXY",
                &format!("http://me:secret@{}", proxy.address()),
            )
            .with("HTTPS_PROXY", &other.url());
        ping(&home).exits(0);
        assert_eq!(monitor(&home).stderr, "");
        let heads = &proxy.heads()[before..];
        assert!(heads.len() >= 3, "{heads:?}");
        for head in heads {
            let (_, after) = head.split_once(' ').unwrap();
            assert!(after.starts_with(&format!("{origin}/")), "{head}");
            let told = format!("\r\nProxy-Authorization: {SECRET}\r\n");
            assert_eq!(head.matches(&told).count(), 1, "{head}");
        }
    }
    let each = ["success", "start", "fail"];
    assert_eq!(world.told(), [each, each].concat());
    assert!(other.received().is_empty());
}

#[test]
fn a_proxy_that_is_reached_by_tls_leads_to_http_as_well() {
    let world = World::new();
    let server = world.server.url.trim_start_matches("http://").to_owned();
    let proxy = Proxy::new(move |_| Some(server.clone()));
    let front = Front::new(world.authority.issue(&[HERE], VALID), &proxy.url());
    let home = world
        .trusting(&format!("http://{REMOTE}"), "PAKYAS_CA_FILE")
        .with("http_proxy", &front.url());
    ping(&home).exits(0);
    assert_eq!(monitor(&home).stderr, "");
    assert_eq!(world.told(), ["success", "start", "fail"]);
    assert!(front.connections() > 0);
    let heads = proxy.heads();
    let whole = |head: &String| head.contains(&format!(" http://{REMOTE}/"));
    assert!(heads.iter().all(whole), "{heads:?}");
}

#[test]
fn no_proxy_exempts_a_host() {
    let world = World::new();
    let identity = world.authority.issue(&[UNSPECIFIED], VALID);
    let front = Front::new(identity, &world.server.url);
    let port = front.port();
    let proxy = Proxy::anywhere(move |_| Some(format!("127.0.0.1:{port}")));
    let url = format!("https://{UNSPECIFIED}:{port}");
    let home = || {
        world
            .trusting(&url, "PAKYAS_CA_FILE")
            .with("HTTPS_PROXY", &proxy.url())
    };
    ping(&home().with("NO_PROXY", UNSPECIFIED)).exits(0);
    assert!(proxy.heads().is_empty());
    ping(&home().with("NO_PROXY", "elsewhere.test")).exits(0);
    assert!(!proxy.heads().is_empty());
    assert_eq!(world.told(), ["success", "success"]);
}

/// A home that reaches the server by an address of this machine for which proxies count, and the
/// proxy of its `http://`, by that variable.
fn by_address(world: &World, variable: &str) -> (Home, Proxy) {
    let server = world.server.url.trim_start_matches("http://").to_owned();
    let url = world.server.url.replace(HERE, UNSPECIFIED);
    let proxy = Proxy::new(move |_| Some(server.clone()));
    let home = world.home(&url).with(variable, &proxy.url());
    (home, proxy)
}

#[test]
fn no_proxy_exempts_a_network() {
    let world = World::new();
    for (no_proxy, proxied) in [("10.0.0.0/8, 0.0.0.0/8", false), ("10.0.0.0/8,::/0", true)] {
        let (home, proxy) = by_address(&world, "HTTP_PROXY");
        ping(&home.with("NO_PROXY", no_proxy)).exits(0);
        assert_eq!(!proxy.heads().is_empty(), proxied, "{no_proxy}");
    }
    assert_eq!(world.told(), ["success", "success"]);
}

#[test]
fn under_cgi_http_proxy_is_not_heeded_but_in_lower_case_it_is() {
    let world = World::new();
    for (variable, proxied) in [("HTTP_PROXY", false), ("http_proxy", true)] {
        let (home, proxy) = by_address(&world, variable);
        ping(&home.with("REQUEST_METHOD", "GET")).exits(0);
        assert_eq!(!proxy.heads().is_empty(), proxied, "{variable}");
    }
    assert_eq!(world.told(), ["success", "success"]);
}

#[test]
fn a_proxy_that_refuses_is_told_and_the_run_is_kept() {
    let world = World::new();
    let proxy = Proxy::new(|_| None);
    let url = format!("https://{REMOTE}");
    let home = world.home(&url).with("HTTPS_PROXY", &proxy.url());
    monitor(&home).says("is kept").says(&format!(
        "Can't reach {url} through the proxy {} (HTTPS_PROXY): the proxy refused with the status 403",
        proxy.url().trim_start_matches("http://")
    ));
    assert_eq!(kept(&home), 2);
}

#[test]
fn a_socks_proxy_is_told_and_the_run_is_kept() {
    let world = World::new();
    let url = format!("http://{UNSPECIFIED}:9");
    let home = world.home(&url).with("ALL_PROXY", "socks5://127.0.0.1:9");
    let outcome = monitor(&home).says("is kept").says("speaks SOCKS");
    assert_eq!(outcome.stderr.lines().count(), 1, "{outcome:#?}");
    assert_eq!(kept(&home), 2);
}

#[test]
fn a_certificate_behind_a_proxy_is_verified_as_well() {
    let world = World::new();
    let (front, proxy, url) = remote(&world);
    let home = world.home(&url).with("HTTPS_PROXY", &proxy.url());
    monitor(&home).says("is kept").says(&format!(
        "Can't reach {url} through the proxy {} (HTTPS_PROXY): its certificate is of an unknown issuer",
        proxy.url().trim_start_matches("http://")
    ));
    assert_eq!(String::from_utf8_lossy(&front.decrypted()), "");
}
