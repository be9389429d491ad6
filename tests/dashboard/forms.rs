//! Forms that come with a token of another session, from nobody, or from elsewhere: nothing is
//! done, and nobody loses what they have typed without being told.

use serde_json::Value;

use crate::dashboard::{PASSWORD, add_user, form_to, send};
use crate::support::browser::{Browser, Form};
use crate::support::server::Server;

const NEW: &str = "/checks/new";
const ME: &str = "me@acme.example";

fn server() -> Server {
    let server = Server::start();
    add_user(&server, ME, "Acme", "owner");
    server
}

/// Signs out and in again in another tab: the cookie is another one.
fn sign_in_anew(server: &Server, browser: &mut Browser<'_>) {
    browser.cookie = Browser::signed_in(server, ME).cookie;
}

fn of(form: &Form, name: &str) -> String {
    let found = form.fields.iter().find(|(known, _)| known == name);
    found.unwrap().1.clone()
}

#[test]
fn who_signed_in_anew_gets_the_form_back_as_typed_and_only_has_to_press_again() {
    let server = server();
    let mut browser = Browser::signed_in(&server, ME);
    let page = browser.get(NEW);
    let typed = form_to(
        &page,
        NEW,
        &[
            ("project", server.project_id.as_str()),
            ("name", "Night Backup"),
            ("schedule", "simple"),
            ("period", "1d"),
            ("description", "ask ops"),
        ],
    );
    sign_in_anew(&server, &mut browser);
    let again = browser.send_from(&typed, Some(&server.url));
    assert_eq!(again.status, 403);
    assert!(
        again.body.contains("press the button again"),
        "{}",
        again.body
    );
    assert!(again.body.contains("value=\"Night Backup\""));
    assert!(again.body.contains("ask ops</textarea>"));
    let all = server.api("GET", "/checks", None);
    assert!(!all.body.contains("Night Backup"), "nothing is done");
    let token = of(&form_to(&again, NEW, &[]), "csrf");
    assert_ne!(token, of(&typed, "csrf"));
    let answer = browser.send_from(&typed.with("csrf", &token), Some(&server.url));
    assert_eq!(answer.status, 303);
    let all = server.api("GET", "/checks", None);
    assert!(all.body.contains("Night Backup"));
}

#[test]
fn every_form_that_is_filled_in_comes_back_as_it_was_typed() {
    let server = server();
    let check = server.check("sync", 3600, 300, &Value::Null);
    let channel = server.webhook("pager", "http://127.0.0.1:9/", None);
    let mut browser = Browser::signed_in(&server, ME);
    let page = browser.get("/account");
    sign_in_anew(&server, &mut browser);
    let typed = "typed-by-me@acme.example";
    let edit = format!("/checks/{}/edit", check["id"].as_str().unwrap());
    let channel = format!("/settings/channels/{}", channel["id"].as_str().unwrap());
    let project = format!("/settings/projects/{}", server.project_id);
    let public = format!("/projects/{}/public", server.project_id);
    for (path, name) in [
        (NEW, "name"),
        (edit.as_str(), "name"),
        ("/settings/api-keys", "name"),
        ("/settings/channels", "name"),
        (channel.as_str(), "name"),
        ("/settings/members", "email"),
        ("/settings/maintenance", "reason"),
        ("/settings/projects", "name"),
        (project.as_str(), "name"),
        ("/settings/organization", "timezone"),
        (public.as_str(), "path"),
    ] {
        let stale = form_to(
            &page,
            path,
            &[(name, typed), ("role", "member"), ("action", "page")],
        );
        let again = browser.send_from(&stale, Some(&server.url));
        assert_eq!(again.status, 403, "{path}");
        let value = format!(" value=\"{typed}\"");
        assert!(again.body.contains(&value), "{path}: {}", again.body);
        assert!(again.body.contains("press the button again"), "{path}");
    }
    // A password never comes back.
    let secret = [
        ("current", PASSWORD),
        ("new", "another long one"),
        ("again", "another long one"),
    ];
    let stale = form_to(&page, "/account/password", &secret);
    let again = browser.send_from(&stale, Some(&server.url));
    assert_eq!(again.status, 403);
    assert!(!again.body.contains("another long one") && !again.body.contains(PASSWORD));
    assert_eq!(server.show(&check)["name"], check["name"]);
    for path in ["/channels", "/projects"] {
        let all = server.api("GET", path, None);
        assert!(!all.body.contains("typed-by-me"), "{path}");
    }
}

#[test]
fn a_form_of_another_site_is_refused_without_a_word_of_what_it_says() {
    let server = server();
    let mut browser = Browser::signed_in(&server, ME);
    let page = browser.get(NEW);
    let evil = form_to(&page, NEW, &[("name", "Evil-words"), ("period", "1d")]);
    for (form, origin) in [
        (evil.clone(), Some("https://evil.example")),
        (
            evil.clone().with("csrf", "00"),
            Some("https://evil.example"),
        ),
        (evil.clone().with("csrf", "00"), Some("null")),
        // Nor where the browser does not say where it comes from.
        (evil.clone().without("csrf"), None),
    ] {
        let answer = browser.send_from(&form, origin);
        assert_eq!(answer.status, 403);
        assert!(!answer.body.contains("Evil-words"), "{}", answer.body);
    }
    let all = server.api("GET", "/checks", None);
    assert!(!all.body.contains("Evil-words"));
}

#[test]
fn a_button_on_an_old_page_does_nothing_and_leads_back_to_its_page() {
    let server = server();
    let check = server.check("sync", 3600, 300, &Value::Null);
    let here = format!("/checks/{}", check["id"].as_str().unwrap());
    let mut browser = Browser::signed_in(&server, ME);
    let page = browser.get(&here);
    sign_in_anew(&server, &mut browser);
    let answer = browser.send_from(
        &form_to(&page, &format!("{here}/pause"), &[]),
        Some(&server.url),
    );
    assert_eq!(answer.status, 403);
    assert!(answer.body.contains("press the button again"));
    assert!(
        answer.body.contains(&format!("href=\"{here}\"")),
        "{}",
        answer.body
    );
    assert_eq!(server.show(&check)["status"], "new");
}

#[test]
fn who_is_not_signed_in_any_more_is_told_so_and_gets_back_to_the_form() {
    let server = server();
    let mut browser = Browser::signed_in(&server, ME);
    let page = browser.get(NEW);
    let typed = form_to(
        &page,
        NEW,
        &[
            ("org", &server.org_id),
            ("project", &server.project_id),
            ("name", "Lost"),
        ],
    );
    browser.cookie = None;
    let answer = browser.send_from(&typed, Some(&server.url));
    let sign_in = browser.follow(&answer);
    assert!(
        sign_in.body.contains("not signed in any more"),
        "{}",
        sign_in.body
    );
    let form = crate::support::browser::form(&sign_in, "/sign-in");
    let back = format!("{NEW}?org={}&project={}", server.org_id, server.project_id);
    assert_eq!(of(&form, "next"), back);
    let answer = browser.send(&form.with("email", ME).with("password", PASSWORD));
    assert_eq!(answer.header("location"), back);
    assert!(browser.follow(&answer).body.contains("<h1>New check</h1>"));
    // Of a button it is the page that has it.
    browser.cookie = None;
    let check = server.check("sync", 3600, 300, &Value::Null);
    let here = format!("/checks/{}", check["id"].as_str().unwrap());
    let answer = browser.send(&form_to(&page, &format!("{here}/pause"), &[]));
    assert!(
        answer
            .header("location")
            .starts_with(&format!("/sign-in?next={here}&"))
    );
}

#[test]
fn the_token_is_looked_at_before_anything_that_a_form_names() {
    let server = server();
    let mut browser = Browser::signed_in(&server, ME);
    let page = browser.get("/account");
    let none = "00000000-0000-8000-8000-000000000000";
    for path in [
        format!("/settings/channels/{none}/test"),
        format!("/settings/channels/{none}"),
        format!("/settings/projects/{none}/delete"),
        format!("/settings/members/{none}/role"),
        format!("/settings/api-keys/{none}/revoke"),
        format!("/checks/{none}/edit"),
        format!("/checks/{none}/pause"),
        format!("/projects/{none}/public"),
        "/account/none".to_owned(),
    ] {
        let good = form_to(&page, &path, &[]);
        assert_eq!(
            browser.send(&good.clone().without("csrf")).status,
            403,
            "{path}"
        );
        assert_eq!(browser.send(&good).status, 404, "{path}");
    }
}

#[test]
fn a_link_out_of_a_form_opens_another_tab_so_that_nothing_typed_is_lost() {
    let server = server();
    let mut browser = Browser::signed_in(&server, ME);
    let page = browser.get(NEW);
    let link = page.body.split("/settings/channels?org=").nth(1).unwrap();
    let tag = link.split("</a>").next().unwrap();
    assert!(
        tag.contains("target=\"_blank\"") && tag.contains("opens another tab"),
        "{tag}"
    );
}

#[test]
fn the_last_owner_is_led_back_to_the_members() {
    let server = Server::start();
    let directory = crate::support::TempDir::new();
    let file = directory.path().join("password");
    std::fs::write(&file, PASSWORD).unwrap();
    let words = [
        "user",
        "passwd",
        "me@example.com",
        "--password-file",
        file.to_str().unwrap(),
    ];
    server.administer(&words);
    let mut browser = Browser::signed_in(&server, "me@example.com");
    let page = browser.get("/settings/members");
    let from = page.body.find("/settings/members/").unwrap();
    let role = page.body[from..].split('"').next().unwrap().to_owned();
    let fields = [("org", server.org_id.as_str()), ("role", "member")];
    let answer = send(&mut browser, "/settings/members", &role, &fields);
    assert_eq!(answer.status, 409);
    let back = format!("href=\"/settings/members?org={}\"", server.org_id);
    assert!(answer.body.contains(&back), "{}", answer.body);
}
