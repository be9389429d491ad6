//! What holds for every page: its headers, its cookie, signing in and out.

use crate::accounts::{PASSWORD, add_user};
use crate::support::TempDir;
use crate::support::browser::{Browser, form};
use crate::support::server::{Server, init};

fn server() -> Server {
    let server = Server::start();
    add_user(&server, "me@acme.example", "Acme", "member");
    server
}

#[test]
fn every_page_keeps_to_itself() {
    let server = server();
    let mut browser = Browser::signed_in(&server, "me@acme.example");
    for path in [
        "/account",
        "/sign-in",
        "/device/none",
        "/web/none",
        "/account/none",
    ] {
        let page = browser.get(path);
        if page.status == 303 {
            continue;
        }
        let policy = page.header("content-security-policy");
        for part in [
            "default-src 'none'",
            "style-src 'self'",
            "script-src 'self'",
            "connect-src 'self'",
            "form-action 'self'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
        ] {
            assert!(policy.contains(part), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(page.header("x-content-type-options"), "nosniff");
        assert_eq!(page.header("cache-control"), "no-store");
        assert!(page.header("content-type").starts_with("text/html"));
        assert_eq!(
            page.body.matches("<script").count(),
            page.body.matches("<script src=\"/web/script.js?v=").count(),
            "{path}: the policy forbids others"
        );
        assert!(!page.body.contains("http://"), "{path}");
        assert!(
            !page.body.contains(" style="),
            "{path}: the policy forbids it"
        );
    }
    let style = browser.get("/web/style.css");
    assert_eq!(
        (style.status, style.header("content-type")),
        (200, "text/css; charset=utf-8")
    );
    assert!(style.body.contains("prefers-color-scheme: dark"));
    assert!(!style.body.contains("url("));
    let script = browser.get("/web/script.js");
    assert_eq!(
        (script.status, script.header("content-type")),
        (200, "text/javascript; charset=utf-8")
    );
    assert!(!script.body.contains("innerHTML") && !script.body.contains("http"));
}

#[test]
fn the_cookie_is_out_of_reach_of_scripts_and_other_sites() {
    let directory = TempDir::new();
    init(&directory);
    for (public_url, name, secure) in [
        ("http://pakyas.example", "pakyas=", false),
        ("https://pakyas.example/sub", "__Host-pakyas=", true),
    ] {
        let server = Server::bare_with(&directory, |command| {
            command.args(["--public-url", public_url]);
        });
        let page = server.request("GET", "/sign-in", &[], b"").unwrap();
        let cookie = page.header("set-cookie");
        assert!(cookie.starts_with(name), "{cookie}");
        for part in ["; Path=/;", "; HttpOnly", "; SameSite=Lax"] {
            assert!(cookie.contains(part), "{cookie}");
        }
        assert_eq!(cookie.contains("; Secure"), secure, "{cookie}");
        assert!(!cookie.contains("Domain"), "{cookie}");
        let base = if secure { "/sub" } else { "" };
        assert!(
            page.body.contains(&format!("\"{base}/web/style.css?v=")),
            "{}",
            page.body
        );
    }
}

#[test]
fn signing_in_makes_a_new_cookie_so_that_one_that_was_slipped_in_opens_nothing() {
    let server = server();
    let mut browser = Browser::new(&server);
    let page = browser.get("/sign-in");
    let slipped = browser.cookie.clone();
    let good = form(&page, "/sign-in")
        .with("email", "me@acme.example")
        .with("password", PASSWORD);
    assert_eq!(browser.send(&good).status, 303);
    assert_ne!(browser.cookie, slipped);
    assert!(browser.get("/account").body.contains("me@acme.example"));
    let mut thief = Browser::new(&server);
    thief.cookie = slipped;
    assert_eq!(thief.get("/account").status, 303);
}

#[test]
fn a_wrong_password_shows_the_form_again_and_no_more() {
    let server = server();
    let mut browser = Browser::new(&server);
    let page = browser.get("/sign-in?next=/account");
    let wrong = form(&page, "/sign-in")
        .with("email", "\"><script>x</script>@acme.example")
        .with("password", "wrong \"<b>");
    let again = browser.send(&wrong);
    assert_eq!(again.status, 401);
    assert!(again.body.contains("password is wrong"));
    assert!(!again.body.contains("<script>") && !again.body.contains("wrong \""));
    let without = browser.send(&wrong.clone().without("csrf"));
    assert_eq!(without.status, 403);
    for _ in 0..9 {
        browser.send(&wrong);
    }
    let refused = browser.send(&wrong);
    assert_eq!(refused.status, 429);
    assert!(!refused.header("retry-after").is_empty());
}

#[test]
fn signing_out_needs_the_form_and_ends_the_session() {
    let server = server();
    let mut browser = Browser::signed_in(&server, "me@acme.example");
    let cookie = browser.cookie.clone();
    let page = browser.get("/account");
    let csrf = page.body.split("name=\"csrf\" value=\"").nth(1).unwrap();
    let csrf = csrf.split('"').next().unwrap();
    let form = crate::support::browser::Form {
        action: "/sign-out".to_owned(),
        fields: Vec::new(),
    };
    assert_eq!(browser.send(&form).status, 403);
    assert_eq!(browser.get("/account").status, 200);
    assert_eq!(browser.send(&form.with("csrf", csrf)).status, 303);
    browser.cookie = cookie;
    assert_eq!(
        browser.get("/account").status,
        303,
        "the cookie is still good"
    );
}

#[test]
fn after_signing_in_nobody_is_led_elsewhere() {
    let server = server();
    for next in [
        "//evil.example",
        "https://evil.example/account",
        "/\\evil.example",
    ] {
        let mut browser = Browser::new(&server);
        let page = browser.get("/sign-in");
        let answer = browser.send(
            &form(&page, "/sign-in")
                .with("next", next)
                .with("email", "me@acme.example")
                .with("password", PASSWORD),
        );
        assert_eq!(answer.header("location"), "/", "{next}");
    }
}

#[test]
fn a_cookie_is_no_key_and_a_key_no_cookie() {
    let server = server();
    let browser = Browser::signed_in(&server, "me@acme.example");
    let cookie = browser.cookie.unwrap();
    let value = cookie.split_once('=').unwrap().1;
    crate::accounts::with_token(&server, value, None, "GET", "/me", &serde_json::Value::Null)
        .refusal(401);
    let headers = [("cookie", cookie.as_str())];
    let answer = server.request("GET", "/api/v1/me", &headers, b"").unwrap();
    answer.refusal(401);
    let session = crate::accounts::sign_in(&server, "me@acme.example");
    let mut other = Browser::new(&server);
    other.cookie = Some(format!(
        "pakyas={}",
        session["access_token"].as_str().unwrap()
    ));
    assert_eq!(other.get("/account").status, 303);
}

#[test]
fn a_form_that_is_too_large_is_refused_unread() {
    let server = server();
    let body = vec![b'x'; 70_000];
    server
        .request("POST", "/sign-in", &[], &body)
        .unwrap()
        .refusal(413);
}
