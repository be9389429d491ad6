//! Who is signed in and where, what is shown to that browser alone, and what the settings say of
//! what did not work.

use crate::dashboard::{PASSWORD, add_user, send};
use crate::support::browser::{Browser, form};
use crate::support::server::Server;

const ME: &str = "me@acme.example";

/// Signs in with a browser that says this of itself, and gives its cookie.
fn sign_in_as(server: &Server, agent: &str) -> String {
    let page = Browser::new(server).get("/sign-in");
    let cookie = page
        .header("set-cookie")
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    let token = form(&page, "/sign-in").fields[0].1.clone();
    let body = format!(
        "csrf={token}&email=me%40acme.example&password={}",
        PASSWORD.replace(' ', "+")
    );
    let headers = [
        ("cookie", cookie.as_str()),
        ("user-agent", agent),
        ("content-type", "application/x-www-form-urlencoded"),
    ];
    let answer = server
        .request("POST", "/sign-in", &headers, body.as_bytes())
        .unwrap();
    assert_eq!(answer.status, 303);
    let set = answer.header("set-cookie");
    set.split(';').next().unwrap().to_owned()
}

#[test]
fn each_place_where_somebody_is_signed_in_is_known_by_what_it_is_and_where() {
    let server = Server::start();
    add_user(&server, ME, "Acme", "owner");
    sign_in_as(&server, "<script>alert(1)</script> (Nobody)");
    let long = format!("Mozilla/5.0 (Windows NT 10.0) {}", "x".repeat(4000));
    sign_in_as(&server, &long);
    let login = format!(r#"{{"email": "{ME}", "password": "{PASSWORD}"}}"#);
    let program = [("user-agent", "deploy-bot/1.2")];
    let answer = server.request("POST", "/api/v1/auth/login", &program, login.as_bytes());
    assert_eq!(answer.unwrap().status, 200);
    let mut browser = Browser::new(&server);
    let firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
    browser.cookie = Some(sign_in_as(&server, firefox));
    let page = browser.get("/account");
    let list = page.body.split("<ul class=\"lines\">").nth(1).unwrap();
    let list = list.split("</ul>").next().unwrap();
    assert!(
        list.contains("<b>Firefox on Linux</b> (this one)"),
        "{list}"
    );
    assert_eq!(list.matches("(this one)").count(), 1);
    assert_eq!(
        list.matches("from 127.0.0.1, signed in <time").count(),
        4,
        "{list}"
    );
    for other in [
        "<b>A browser on Windows</b>",
        "<b>A browser</b>",
        "<b>The program deploy-bot/1.2</b>",
    ] {
        assert!(list.contains(other), "{other}: {list}");
    }
    assert!(
        !list.contains("script>") && !list.contains("xxxx"),
        "{list}"
    );
    // A session from before this was kept.
    let db = rusqlite::Connection::open(server.database()).unwrap();
    db.busy_timeout(crate::support::PATIENCE).unwrap();
    db.execute_batch("UPDATE session SET address = NULL, agent = NULL")
        .unwrap();
    let list = browser.get("/account").body;
    assert!(list.contains("<b>A browser</b> (this one)<br><small>signed in "));
}

#[test]
fn a_test_that_failed_does_not_look_like_one_that_was_taken() {
    let server = Server::start();
    add_user(&server, ME, "Acme", "owner");
    let channel = server.webhook("pager", "http://127.0.0.1:9/", None);
    let path = format!("/settings/channels/{}", channel["id"].as_str().unwrap());
    let mut browser = Browser::signed_in(&server, ME);
    let told = send(&mut browser, &path, &format!("{path}/test"), &[]).body;
    assert!(told.contains("<div class=\"told not-taken\""), "{told}");
    assert!(told.contains("The test was not taken."));
    assert!(told.contains("There was no alert for it yet. Tests are not listed."));
    assert!(!told.contains("has not been sent anything"));
    let style = browser.get("/web/style.css").body;
    assert!(style.contains(".told.not-taken { border-left-color: var(--problem); }"));
}

#[test]
fn an_abbreviation_of_a_zone_is_not_taken_for_another() {
    let server = Server::start();
    add_user(&server, ME, "Acme", "owner");
    let mut browser = Browser::signed_in(&server, ME);
    let page = "/settings/organization";
    let answer = send(&mut browser, page, page, &[("timezone", "PST")]).body;
    assert!(
        answer.contains("There is no time zone &#39;PST&#39;; give an IANA name"),
        "{answer}"
    );
    assert!(!answer.contains("did you mean"));
}

#[test]
fn a_new_key_is_shown_once_and_to_the_browser_that_made_it_alone() {
    let server = Server::start();
    add_user(&server, ME, "Acme", "owner");
    let mut browser = Browser::signed_in(&server, ME);
    let page = "/settings/api-keys";
    let fields = [("name", "ci"), ("scope_read", "yes")];
    let answer = send(&mut browser, page, page, &fields);
    let shown = answer.header("location").to_owned();
    assert!(!answer.body.contains("pk_live_") && !shown.contains("pk_live_"));
    // Neither another browser of the same person gets it, nor does looking cost it.
    let mut other = Browser::signed_in(&server, ME);
    assert_eq!(other.get(&shown).status, 410);
    let cookie = browser.cookie.clone().unwrap();
    let head = server.request("HEAD", &shown, &[("cookie", &cookie)], b"");
    assert_eq!(head.unwrap().status, 405);
    let made = browser.get(&shown);
    assert_eq!(made.status, 200);
    let key = made.body.split("id=\"key\">").nth(1).unwrap();
    let key = key.split('<').next().unwrap();
    assert!(key.starts_with("pk_live_") && key.len() > 40, "{key}");
    assert!(made.body.contains("data-copy=\"key\" hidden>Copy"));
    // Loaded again, the page neither shows it nor makes another.
    let again = browser.get(&shown);
    assert_eq!(again.status, 410);
    assert!(!again.body.contains(key), "{}", again.body);
    let list = browser.get(page).body;
    assert_eq!(list.matches("<b>ci</b>").count(), 1);
    for name in ["pakyas.db", "pakyas.db-wal"] {
        let bytes = std::fs::read(server.database().with_file_name(name)).unwrap_or_default();
        let key = key.as_bytes();
        assert!(!bytes.windows(key.len()).any(|part| part == key), "{name}");
    }
}
