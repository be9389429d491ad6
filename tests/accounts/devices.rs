//! Letting a machine in by a link: who may say yes, how often, and for how long.

use std::io::{Read, Write};

use serde_json::{Value, json};

use crate::accounts::{add_user, admin_json, anyone, with_token};
use crate::support::browser::{Browser, Form, form};
use crate::support::server::{Answer, Server};

const NONE: Value = Value::Null;

/// A machine that asks.
struct Machine<'a> {
    server: &'a Server,
    token: String,
    /// The path of the page.
    page: String,
    code: String,
}

fn machine<'a>(server: &'a Server, body: &Value) -> Machine<'a> {
    machine_called(server, body, Some("test"))
}

/// A machine whose program introduces itself so, or not at all.
fn machine_called<'a>(server: &'a Server, body: &Value, agent: Option<&str>) -> Machine<'a> {
    let host = server.url.strip_prefix("http://").unwrap();
    let agent = agent.map_or_else(String::new, |agent| format!("User-Agent: {agent}\r\n"));
    let body = body.to_string();
    let mut stream = std::net::TcpStream::connect(host).unwrap();
    let length = body.len();
    write!(
        stream,
        "POST /api/v1/cli/auth/init HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\
         {agent}Content-Length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, begun) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{answer}");
    let begun: Value = serde_json::from_str(begun).unwrap();
    assert_eq!(begun["expires_in"], 600);
    let text = |name: &str| begun[name].as_str().unwrap().to_owned();
    let url = text("auth_url");
    let page = url.strip_prefix(&server.url).unwrap().to_owned();
    Machine {
        server,
        token: text("session_token"),
        page,
        code: text("user_code"),
    }
}

impl Machine<'_> {
    fn poll(&self) -> Value {
        let path = format!("/cli/auth/poll?token={}", self.token);
        let answer = anyone(self.server, "GET", &path, &NONE);
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.header("cache-control"), "no-store");
        answer.json()
    }

    fn status(&self) -> Value {
        self.poll()["status"].clone()
    }

    /// The form of its page, with the organization that stands first and this decision.
    fn form(&self, page: &Answer, decision: &str) -> Form {
        form(page, &self.page)
            .with("org", &self.server.org_id)
            .with("decision", decision)
    }
}

/// A server with a member who has a password.
fn server() -> Server {
    let server = Server::start();
    add_user(&server, "me@acme.example", "Acme", "member");
    server
}

#[test]
fn a_person_signs_in_sees_which_machine_asks_and_lets_it_in() {
    let server = server();
    let machine = machine(
        &server,
        &json!({"device_name": "web-1", "cli_version": "9.8.7"}),
    );
    assert_eq!(machine.status(), "pending");

    let mut browser = Browser::new(&server);
    let to_sign_in = browser.get(&machine.page);
    let page = browser.follow(&to_sign_in);
    let sign_in = form(&page, "/sign-in")
        .with("email", "me@acme.example")
        .with("password", crate::accounts::PASSWORD);
    let back = browser.send(&sign_in);
    let page = browser.follow(&back);
    assert_eq!(page.status, 200, "{page:?}");
    for shown in [
        &machine.code[..],
        "web-1",
        "9.8.7",
        "127.0.0.1",
        "Acme",
        "member",
    ] {
        assert!(page.body.contains(shown), "{shown}: {}", page.body);
    }
    assert!(!page.body.contains(&machine.token));
    // Looking is not approving.
    assert_eq!(machine.status(), "pending");

    let done = browser.send(&machine.form(&page, "approve"));
    let done = browser.follow(&done);
    assert!(done.body.contains("Approved"), "{}", done.body);
    let completed = machine.poll();
    assert_eq!(completed["status"], "completed");
    assert_eq!(
        completed["selected_org"],
        json!({"id": server.org_id, "name": "Acme"})
    );
    assert_eq!(completed["user_email"], "me@acme.example");
    assert!(completed["user_id"].is_string());
    let key = completed["api_key"].as_str().unwrap();
    let me = with_token(&server, key, None, "GET", "/me", &NONE).json();
    assert_eq!(me["email"], "me@acme.example");
    assert_eq!(me["scopes"], json!(["read", "write"]));
    assert_eq!(me["key"]["name"], "web-1");
    // Handed out once.
    assert_eq!(machine.poll(), json!({"status": "expired"}));
    assert_eq!(server.api("GET", "/api-keys", None).json()["total"], 2);
}

#[test]
fn a_denied_machine_gets_no_key_and_can_not_be_let_in_afterwards() {
    let server = server();
    let machine = machine(&server, &json!({}));
    let mut browser = Browser::signed_in(&server, "me@acme.example");
    let page = browser.get(&machine.page);
    let denied = browser.send(&machine.form(&page, "deny"));
    assert!(browser.follow(&denied).body.contains("Denied"));
    assert_eq!(machine.poll(), json!({"status": "denied"}));
    let again = browser.send(&machine.form(&page, "approve"));
    assert_eq!(again.status, 409);
    assert_eq!(machine.status(), "denied");
    assert_eq!(server.api("GET", "/api-keys", None).json()["total"], 1);
}

#[test]
fn nothing_but_the_persons_own_form_approves() {
    let server = server();
    add_user(&server, "you@acme.example", "Acme", "owner");
    let machine = machine(&server, &json!({}));
    let mut me = Browser::signed_in(&server, "me@acme.example");
    let mut you = Browser::signed_in(&server, "you@acme.example");
    let page = me.get(&machine.page);
    let good = machine.form(&page, "approve");

    let refused = me.send(&good.clone().without("csrf"));
    assert_eq!(refused.status, 403, "without a token: {refused:?}");
    let refused = me.send(&good.clone().with("csrf", ""));
    assert_eq!(refused.status, 403, "with an empty token: {refused:?}");
    let refused = me.send(&good.clone().with("csrf", &"0".repeat(64)));
    assert_eq!(refused.status, 403, "with a made-up token: {refused:?}");
    let refused = you.send(&good);
    assert_eq!(refused.status, 403, "with another's cookie: {refused:?}");
    let refused = me.send_from(&good, Some("https://evil.example"));
    assert_eq!(refused.status, 403, "from another site: {refused:?}");
    let refused = me.send_from(&good, Some("null"));
    assert_eq!(refused.status, 403, "from nowhere: {refused:?}");
    let link = format!("{}?decision=approve&org={}", machine.page, server.org_id);
    assert_eq!(me.get(&link).status, 200);
    let nobody = Browser::new(&server).send(&good);
    assert_eq!(nobody.status, 303, "without a session: {nobody:?}");
    assert!(nobody.header("location").starts_with("/sign-in?next="));
    assert_eq!(machine.status(), "pending");
    // And this one is good.
    let done = me.send_from(&good, Some(&server.url));
    assert_eq!(done.status, 303, "{done:?}");
    assert_eq!(machine.status(), "completed");
    // Sent a second time, it approves nothing more.
    assert_eq!(me.send(&good).status, 409);
    assert_eq!(machine.status(), "expired");
}

#[test]
fn the_link_and_the_token_do_not_do_each_others_work() {
    let server = server();
    let machine = machine(&server, &json!({}));
    let link = machine.page.strip_prefix("/device/").unwrap();
    let path = format!("/cli/auth/poll?token={link}");
    assert_eq!(
        anyone(&server, "GET", &path, &NONE).json()["status"],
        "expired"
    );
    let mut browser = Browser::signed_in(&server, "me@acme.example");
    assert_eq!(
        browser.get(&format!("/device/{}", machine.token)).status,
        404
    );
    for token in ["x", "%00"] {
        let path = format!("/cli/auth/poll?token={token}");
        assert_eq!(
            anyone(&server, "GET", &path, &NONE).json()["status"],
            "expired"
        );
    }
    // A HEAD would take the key to nobody.
    let page = browser.get(&machine.page);
    browser.send(&machine.form(&page, "approve"));
    let path = format!("/cli/auth/poll?token={}", machine.token);
    assert_eq!(anyone(&server, "HEAD", &path, &NONE).status, 401);
    assert_eq!(machine.status(), "completed");
}

#[test]
fn a_person_lets_a_machine_into_their_own_organizations_only() {
    let server = server();
    let other = admin_json(
        &server,
        &["org", "add", "Beta", "--owner", "me@example.com"],
    );
    let other = other["org_id"].as_str().unwrap();
    let machine = machine(&server, &json!({"target_org_id": other}));
    let mut browser = Browser::signed_in(&server, "me@acme.example");
    let page = browser.get(&machine.page);
    assert!(!page.body.contains("Beta"), "{}", page.body);
    assert!(page.body.contains("belong to"), "{}", page.body);
    let refused = browser.send(&machine.form(&page, "approve").with("org", other));
    assert_eq!(refused.status, 403);
    assert_eq!(machine.status(), "pending");
}

#[test]
fn who_approved_and_left_before_the_machine_asked_again_gives_no_key() {
    let server = server();
    let machine = machine(&server, &json!({}));
    let mut browser = Browser::signed_in(&server, "me@acme.example");
    let page = browser.get(&machine.page);
    browser.send(&machine.form(&page, "approve"));
    admin_json(&server, &["user", "remove", "me@acme.example"]);
    assert_eq!(machine.poll(), json!({"status": "denied"}));
}

#[test]
fn what_a_machine_says_of_itself_stays_text() {
    let server = server();
    let name = "<script>alert(1)</script>\u{1b}[31m\"'&";
    let machine = machine(&server, &json!({"device_name": name, "cli_version": "<b>"}));
    let mut browser = Browser::signed_in(&server, "me@acme.example");
    let page = browser.get(&machine.page);
    assert!(!page.body.contains("<script>"), "{}", page.body);
    assert!(!page.body.contains("<b>"), "{}", page.body);
    assert!(page.body.contains("script&#62;alert(1)"), "{}", page.body);
    assert!(!page.body.contains('\u{1b}'));
    browser.send(&machine.form(&page, "approve"));
    let key = machine.poll()["api_key"].as_str().unwrap().to_owned();
    let me = with_token(&server, &key, None, "GET", "/me", &NONE).json();
    assert_eq!(me["key"]["name"], "<script>alert(1)</script>[31m\"'&");
}

#[test]
fn only_so_many_machines_may_wait_from_one_place() {
    let server = server();
    let statuses: Vec<u16> = (0..60)
        .map(|_| anyone(&server, "POST", "/cli/auth/init", &json!({})).status)
        .collect();
    assert_eq!(statuses[0], 200);
    assert_eq!(statuses[59], 429);
    let refused = anyone(&server, "POST", "/cli/auth/init", &json!({}));
    assert!(!refused.header("retry-after").is_empty());
}

/// The official client 0.1.8 has a word of its own for it, and calls ours an unknown one.
#[test]
fn a_denied_machine_of_the_official_client_is_told_so_in_its_own_word() {
    let server = server();
    let body = json!({"device_name": "web-1", "cli_version": "0.1.8"});
    let mut browser = Browser::signed_in(&server, "me@acme.example");
    for (agent, word) in [
        (None, "cancelled"),
        (Some("pakyas-cli/0.1.8 (linux; x86_64)"), "cancelled"),
        (Some("pakyas/0.1.0"), "denied"),
        (Some("terraform/1.9"), "denied"),
    ] {
        let machine = machine_called(&server, &body, agent);
        let page = browser.get(&machine.page);
        let denied = browser.send(&machine.form(&page, "deny"));
        browser.follow(&denied);
        assert_eq!(machine.poll(), json!({"status": word}), "{agent:?}");
    }
}
