//! The first page: what is wrong stands first, and nobody sees what is another's.

use serde_json::{Value, json};

use crate::add_user;
use crate::browser::Browser;
use crate::support::server::Server;

const NONE: Value = Value::Null;

fn server() -> Server {
    let server = Server::start();
    add_user(&server, "me@acme.example", "Acme", "read-only");
    server
}

#[test]
fn who_is_not_signed_in_is_led_to_the_form_and_back() {
    let server = server();
    let mut browser = Browser::new(&server);
    let answer = browser.get("/");
    assert_eq!(answer.status, 303);
    assert_eq!(answer.header("location"), "/sign-in?next=/");
    let mut browser = Browser::signed_in(&server, "me@acme.example");
    let page = browser.get("/");
    assert_eq!(page.status, 200);
    assert!(page.body.contains("There is no check yet"), "{}", page.body);
}

#[test]
fn what_is_broken_comes_first_with_what_it_said_last() {
    let server = server();
    let good = server.check("a-good-one", 3600, 300, &NONE);
    let bad = server.check("z-bad-one", 3600, 300, &NONE);
    server.ping(&good, "");
    server.ping_with(&bad, "/fail", &[], b"step 1\ndisk full on /backups\n\n");
    let page = Browser::signed_in(&server, "me@acme.example").get("/");
    let at = |text: &str| {
        page.body
            .find(text)
            .unwrap_or_else(|| panic!("no {text}: {}", page.body))
    };
    assert!(at("Needs a look") < at("<b>z-bad-one"));
    assert!(at(">disk full on /backups</code>") < at("<b>a-good-one"));
    assert!(page.body.contains("0 succeeded, 1 failed, 0 missing"));
    assert!(page.body.contains("1 succeeded, 0 failed, 0 missing"));
    assert!(page.body.contains("</span> down</span>"));
    assert!(page.body.contains(" data-refresh=\"30\""));
    assert!(page.body.contains("<noscript><meta http-equiv=\"refresh\""));
    assert!(!page.body.contains(" style=") && !page.body.contains("<script>"));
}

#[test]
fn checks_are_found_by_name_status_and_tag() {
    let server = server();
    let tagged = server.check("nightly", 3600, 300, &json!({"tags": ["db & co"]}));
    server.check("hourly", 3600, 300, &NONE);
    server.ping(&tagged, "");
    let mut browser = Browser::signed_in(&server, "me@acme.example");
    for query in ["q=NIGHT", "status=up", "tag=db+%26+co"] {
        let page = browser.get(&format!("/?{query}"));
        assert!(page.body.contains("<b>nightly"), "{query}: {}", page.body);
        assert!(!page.body.contains("<b>hourly"), "{query}");
    }
    let page = browser.get("/?q=nothing");
    assert!(page.body.contains("No check is like that"));
}

#[test]
fn nobody_sees_another_organization() {
    let server = server();
    server.check("victim-check", 3600, 300, &NONE);
    server.organization("Other", "me@example.com");
    add_user(&server, "them@other.example", "Other", "owner");
    let mut browser = Browser::signed_in(&server, "them@other.example");
    assert!(!browser.get("/").body.contains("victim-check"));
    for path in [
        format!("/?org={}", server.org_id),
        format!("/projects/{}", server.project_id),
        "/projects/none".to_owned(),
    ] {
        let page = browser.get(&path);
        assert_eq!(page.status, 404, "{path}");
        assert!(!page.body.contains("victim-check"));
    }
    let path = format!("/projects/{}", server.project_id);
    let page = Browser::signed_in(&server, "me@acme.example").get(&path);
    assert!(page.body.contains("<b>victim-check"));
}

#[test]
fn a_stored_script_stays_text() {
    let server = server();
    let script = "\"><script>alert(1)</script>";
    let check = server.check(
        "evil",
        3600,
        300,
        &json!({"name": script, "description": script, "tags": [script]}),
    );
    server.ping_with(&check, "/fail", &[], script.as_bytes());
    let mut browser = Browser::signed_in(&server, "me@acme.example");
    for path in [
        "/".to_owned(),
        "/?q=%22%3E%3Cscript%3E&tag=%3Cscript%3E&status=%3Cscript%3E".to_owned(),
        format!("/projects/{}", server.project_id),
    ] {
        let page = browser.get(&path);
        assert_eq!(page.status, 200);
        assert!(!page.body.contains("<script>"), "{}", page.body);
    }
    assert!(browser.get("/").body.contains("alert(1)"));
}

#[test]
fn a_page_of_many_checks_is_less_than_100_kb_and_none_is_lost() {
    let server = server();
    for number in 0..130 {
        let name = format!("check-{number:04}-{}", "x".repeat(50));
        server.check(&name, 3600, 300, &NONE);
    }
    let mut browser = Browser::signed_in(&server, "me@acme.example");
    let mut seen = 0;
    for number in 1..=3 {
        let page = browser.get(&format!("/?page={number}"));
        assert!(page.bytes.len() < 100_000, "{}", page.bytes.len());
        seen += page.body.matches("<b>check-").count();
    }
    assert_eq!(seen, 130);
    assert!(!browser.get("/?page=4").body.contains("<b>check-"));
}
