//! The settings: who may do what, that it is done, and that no secret is shown twice.

use serde_json::{Value, json};

use crate::dashboard::{PASSWORD, add_user, form_to, send};
use crate::support::browser::Browser;
use crate::support::hook::{Hook, Manner};
use crate::support::server::{Answer, Server};

const NONE: Value = Value::Null;
const OWNER: &str = "me@acme.example";
const READER: &str = "ro@acme.example";
const SCRIPT: &str = "\"><script>alert(1)</script>";

const SECTIONS: [&str; 6] = [
    "api-keys",
    "channels",
    "members",
    "maintenance",
    "projects",
    "organization",
];

fn server() -> Server {
    let server = Server::start();
    add_user(&server, OWNER, "Acme", "owner");
    server
}

fn at(section: &str) -> String {
    format!("/settings/{section}")
}

/// The first path of the page that begins and ends so.
fn action(page: &Answer, begin: &str, end: &str) -> String {
    let mut found = page.body.match_indices(begin).map(|(at, _)| {
        let rest = &page.body[at..];
        rest.split('"').next().unwrap().to_owned()
    });
    found
        .find(|path| path.ends_with(end) && path.len() > begin.len() + end.len())
        .unwrap_or_else(|| panic!("no {begin}…{end}: {}", page.body))
}

/// What is between these two texts.
fn between(page: &Answer, before: &str, after: &str) -> String {
    let rest = page.body.split(before).nth(1);
    let rest = rest.unwrap_or_else(|| panic!("no {before}: {}", page.body));
    rest.split(after).next().unwrap().to_owned()
}

#[test]
fn a_key_is_shown_once_opens_the_api_and_is_revoked() {
    let server = server();
    let mut browser = Browser::signed_in(&server, OWNER);
    let page = at("api-keys");
    let fields = [
        ("name", "ci"),
        ("scope_read", "yes"),
        ("expires_in_days", "30"),
    ];
    let answer = send(&mut browser, &page, &page, &fields);
    let made = browser.follow(&answer);
    assert_eq!(made.status, 200);
    let key = between(&made, "id=\"key\">", "</p>");
    assert!(key.starts_with("pk_live_"), "{key}");
    let bearer = format!("Bearer {key}");
    let ask = || {
        let headers = [("authorization", bearer.as_str())];
        server
            .request("GET", "/api/v1/me", &headers, b"")
            .unwrap()
            .status
    };
    assert_eq!(ask(), 200);
    let list = browser.get(&page);
    assert!(list.body.contains("<b>ci</b>") && !list.body.contains(&key));
    let ours = list.body.split("<b>ci</b>").nth(1).unwrap();
    let from = ours.find("/settings/api-keys/").unwrap();
    let revoke = ours[from..].split('"').next().unwrap().to_owned();
    let answer = send(&mut browser, &page, &revoke, &[]);
    let told = browser.follow(&answer);
    assert!(told.body.contains("The key was revoked"));
    assert_eq!(ask(), 401);
}

#[test]
fn a_key_needs_a_name_a_right_and_days_that_can_be() {
    let server = server();
    let mut browser = Browser::signed_in(&server, OWNER);
    let page = at("api-keys");
    let name = "the-name-that-stays";
    for (fields, id) in [
        (vec![("name", ""), ("scope_read", "yes")], "name"),
        (vec![("name", name)], "scope"),
        (
            vec![
                ("name", name),
                ("scope_read", "yes"),
                ("expires_in_days", "soon"),
            ],
            "expires_in_days",
        ),
    ] {
        let answer = send(&mut browser, &page, &page, &fields);
        assert_eq!(answer.status, 422, "{fields:?}");
        assert!(
            answer.body.contains(&format!("id=\"{id}-problem\"")),
            "{}",
            answer.body
        );
        assert_eq!(answer.body.contains(name), id != "name");
    }
}

#[test]
fn a_channel_is_made_tried_switched_and_deleted_and_its_secret_stays_hidden() {
    let server = server();
    let hook = Hook::start();
    let mut browser = Browser::signed_in(&server, OWNER);
    let page = at("channels");
    let fields = [
        ("kind", "webhook"),
        ("name", "pager"),
        ("target", &hook.url),
        ("secret", "s3cret-of-ours"),
    ];
    let answer = send(&mut browser, &page, &page, &fields);
    let one = browser.follow(&answer);
    assert!(one.body.contains("yes, with a secret"), "{}", one.body);
    assert!(!one.body.contains("s3cret-of-ours"));
    let path = action(&one, "/settings/channels/", "/test");
    let path = path.strip_suffix("/test").unwrap().to_owned();
    let told = send(&mut browser, &path, &format!("{path}/test"), &[]);
    assert!(told.body.contains("The test was taken"), "{}", told.body);
    let answer = send(
        &mut browser,
        &path,
        &format!("{path}/switch"),
        &[("to", "off")],
    );
    assert!(browser.follow(&answer).body.contains("it hears of nothing"));
    let answer = send(
        &mut browser,
        &path,
        &format!("{path}/switch"),
        &[("to", "on")],
    );
    assert!(
        browser
            .follow(&answer)
            .body
            .contains("<b class=\"up\">on</b>")
    );
    let check = server.check("sync", 3600, 300, &NONE);
    server.ping(&check, "/fail");
    crate::support::wait_for("the delivery to be listed", || {
        browser
            .get(&path)
            .body
            .contains("delivered</b>, 1 attempt")
            .then_some(())
    });
    let answer = send(&mut browser, &path, &format!("{path}/delete"), &[]);
    assert!(
        browser
            .follow(&answer)
            .body
            .contains("There is no channel yet")
    );
}

#[test]
fn a_channel_whose_target_is_gone_is_off_with_the_reason_until_it_is_switched_on() {
    let server = server();
    let gone = Hook::start();
    gone.behave(Manner::Status(410));
    let channel = server.webhook("pager", &gone.url, None);
    let check = server.check("sync", 3600, 300, &NONE);
    server.ping(&check, "/fail");
    let why =
        "<b class=\"down\">off</b>: its target answered that it is gone for good (HTTP 410: ok)";
    let mut browser = Browser::signed_in(&server, OWNER);
    let page = at("channels");
    crate::support::wait_for("the channel to be off", || {
        browser.get(&page).body.contains(why).then_some(())
    });
    let path = format!("/settings/channels/{}", channel["id"].as_str().unwrap());
    let one = browser.get(&path);
    assert!(one.body.contains(why), "{}", one.body);
    let on = format!("{path}/switch");
    let answer = send(&mut browser, &path, &on, &[("to", "on")]);
    let one = browser.follow(&answer);
    assert!(!one.body.contains("gone for good ("), "{}", one.body);
}

#[test]
fn a_channel_that_is_refused_keeps_what_was_typed_but_not_its_secret() {
    let server = server();
    let mut browser = Browser::signed_in(&server, OWNER);
    let page = at("channels");
    let fields = [
        ("kind", "webhook"),
        ("name", "pager"),
        ("target", "not a url"),
        ("secret", "s3cret-of-ours"),
    ];
    let answer = send(&mut browser, &page, &page, &fields);
    assert_eq!(answer.status, 422);
    assert!(
        answer.body.contains("id=\"target-problem\""),
        "{}",
        answer.body
    );
    assert!(answer.body.contains("value=\"not a url\""));
    assert!(!answer.body.contains("s3cret-of-ours"));
}

#[test]
fn a_person_is_added_with_a_password_of_their_own_changed_and_removed() {
    let server = server();
    let mut browser = Browser::signed_in(&server, OWNER);
    let page = at("members");
    let fields = [("email", "new@acme.example"), ("role", "member")];
    let added = send(&mut browser, &page, &page, &fields);
    assert_eq!(added.status, 201);
    let password = between(&added, "id=\"password\">", "</p>");
    let mut theirs = Browser::new(&server);
    let sign_in = [
        ("email", "new@acme.example"),
        ("password", password.as_str()),
    ];
    assert_eq!(
        send(&mut theirs, "/sign-in", "/sign-in", &sign_in).status,
        303
    );
    assert_eq!(theirs.get("/checks/new").status, 200);
    let list = browser.get(&page);
    assert!(!list.body.contains(&password));
    assert!(list.body.contains("data-label=\"Added\"><time"));
    let row = list.body.split("<b>new@acme.example</b>").nth(1).unwrap();
    let from = row.find("/settings/members/").unwrap();
    let role = row[from..].split('"').next().unwrap();
    let remove = role.replace("/role", "/remove");
    let answer = send(&mut browser, &page, role, &[("role", "read-only")]);
    assert_eq!(answer.status, 303);
    assert_eq!(theirs.get("/checks/new").status, 403, "at once");
    let again = send(&mut browser, &page, &page, &fields);
    assert!(again.body.contains("here already"), "{}", again.body);
    assert_eq!(send(&mut browser, &page, &remove, &[]).status, 303);
    assert_eq!(
        theirs.get("/settings/members").status,
        303,
        "to no organization"
    );
}

#[test]
fn an_admin_neither_makes_an_owner_nor_takes_that_from_one() {
    let server = server();
    add_user(&server, "admin@acme.example", "Acme", "admin");
    let page = at("members");
    let seen = Browser::signed_in(&server, OWNER).get(&page);
    let mine = seen.body.split("<b>me@acme.example</b>").nth(1).unwrap();
    let from = mine.find("/settings/members/").unwrap();
    let role = mine[from..].split('"').next().unwrap();
    let mut browser = Browser::signed_in(&server, "admin@acme.example");
    let fields = [("email", "new@acme.example"), ("role", "owner")];
    let remove = role.replace("/role", "/remove");
    for path in [&page, role, &remove] {
        let answer = send(&mut browser, &page, path, &fields);
        assert_eq!(answer.status, 403, "{path}");
    }
    let list = browser.get(&page).body;
    assert!(list.contains(OWNER) && !list.contains("new@acme.example"));
}

#[test]
fn maintenance_is_planned_by_the_clock_of_the_organization_and_ended() {
    let server = server();
    let mut browser = Browser::signed_in(&server, OWNER);
    let zone = at("organization");
    let answer = send(&mut browser, &zone, &zone, &[("timezone", "Asia/Manila")]);
    assert!(
        browser
            .follow(&answer)
            .body
            .contains("In Asia/Manila it is")
    );
    let page = at("maintenance");
    let fields = [
        ("reason", "Upgrade"),
        ("starts_at", "2099-01-02T08:00"),
        ("lasts", "90m"),
    ];
    let answer = send(&mut browser, &page, &page, &fields);
    let list = browser.follow(&answer);
    assert!(list.body.contains("2099-01-02T00:00:00Z"), "{}", list.body);
    assert!(list.body.contains("2099-01-02T01:30:00Z"));
    let path = action(&list, "/settings/maintenance/", "/delete");
    let answer = send(&mut browser, &page, &path, &[]);
    assert!(browser.follow(&answer).body.contains("Nothing is planned"));
    let fields = [("reason", "Now"), ("lasts", "1h")];
    let answer = send(&mut browser, &page, &page, &fields);
    let list = browser.follow(&answer);
    assert!(list.body.contains("on now"), "{}", list.body);
    let path = action(&list, "/settings/maintenance/", "/end");
    let answer = send(&mut browser, &page, &path, &[]);
    assert!(browser.follow(&answer).body.contains("Nothing is planned"));
    for (name, bad) in [
        ("lasts", "long"),
        ("starts_at", "soon"),
        ("check", "no-such-check"),
    ] {
        let answer = send(
            &mut browser,
            &page,
            &page,
            &[("reason", "Stays"), (name, bad)],
        );
        assert_eq!(answer.status, 422, "{name}");
        assert!(
            answer.body.contains(&format!("id=\"{name}-problem\"")),
            "{}",
            answer.body
        );
        assert!(answer.body.contains(&format!("value=\"{bad}\"")) && answer.body.contains("Stays"));
    }
}

#[test]
fn a_project_is_made_renamed_and_deleted_only_with_its_name() {
    let server = server();
    let mut browser = Browser::signed_in(&server, OWNER);
    let page = at("projects");
    let answer = send(&mut browser, &page, &page, &[("name", "Staging")]);
    let list = browser.follow(&answer);
    let row = list.body.split(">Staging</a>").nth(1).unwrap();
    let from = row.find("/settings/projects/").unwrap();
    let path = row[from..].split('"').next().unwrap().to_owned();
    let answer = send(&mut browser, &path, &path, &[("name", "Rehearsal")]);
    assert!(browser.follow(&answer).body.contains(">Rehearsal</a>"));
    let delete = format!("{path}/delete");
    let answer = send(&mut browser, &path, &delete, &[("sure", "Staging")]);
    assert_eq!(answer.status, 422);
    let answer = send(&mut browser, &path, &delete, &[("sure", "Rehearsal")]);
    assert!(!browser.follow(&answer).body.contains("Rehearsal"));
}

#[test]
fn a_password_is_changed_by_who_knows_it_and_ends_all_other_sessions() {
    let server = server();
    let mut browser = Browser::signed_in(&server, OWNER);
    let mut elsewhere = Browser::signed_in(&server, OWNER);
    let change = |browser: &mut Browser<'_>, current: &str, new: &str, again: &str| {
        let fields = [("current", current), ("new", new), ("again", again)];
        send(browser, "/account", "/account/password", &fields)
    };
    let new = "another long password";
    for (current, new, again, id) in [
        ("wrong one", new, new, "current"),
        (PASSWORD, "short", "short", "new"),
        (PASSWORD, new, "a different one", "again"),
    ] {
        let answer = change(&mut browser, current, new, again);
        assert_eq!(answer.status, 422);
        assert!(
            answer.body.contains(&format!("id=\"{id}-problem\"")),
            "{}",
            answer.body
        );
        assert!(!answer.body.contains(new) && !answer.body.contains(PASSWORD));
    }
    let answer = change(&mut browser, PASSWORD, new, new);
    assert!(
        browser
            .follow(&answer)
            .body
            .contains("Your password was changed")
    );
    assert_eq!(elsewhere.get("/account").status, 303);
}

#[test]
fn who_may_only_look_sees_no_buttons_and_can_press_none() {
    let server = server();
    add_user(&server, READER, "Acme", "read-only");
    let channel = server.webhook("pager", "http://127.0.0.1:9/", None);
    let channel = format!("channels/{}", channel["id"].as_str().unwrap());
    let project = format!("projects/{}", server.project_id);
    let mut browser = Browser::signed_in(&server, READER);
    for section in SECTIONS {
        let page = browser.get(&at(section));
        assert_eq!(page.status, 200, "{section}");
        let main = page.body.split("<main>").nth(1).unwrap();
        // Their own keys, and leaving, are theirs.
        let forms = match section {
            "api-keys" | "members" => 1,
            _ => 0,
        };
        assert_eq!(main.matches("<form").count(), forms, "{section}: {main}");
    }
    assert!(!browser.get(&at(&channel)).body.contains("Send a test"));
    assert_eq!(browser.get(&at(&project)).status, 403);
    for path in [
        "channels",
        "members",
        "maintenance",
        "projects",
        "organization",
        &channel,
        &project,
        &format!("{channel}/test"),
        &format!("{channel}/switch"),
        &format!("{channel}/delete"),
        &format!("{project}/delete"),
    ] {
        let answer = send(
            &mut browser,
            "/account",
            &at(path),
            &[("name", "x"), ("timezone", "UTC")],
        );
        assert_eq!(answer.status, 403, "{path}");
    }
    let fields = [("name", "mine"), ("scope_write", "yes")];
    let answer = send(&mut browser, "/account", &at("api-keys"), &fields);
    assert!(
        [403, 422].contains(&answer.status),
        "no key that may more than they"
    );
}

#[test]
fn another_organization_finds_nothing_and_no_form_works_without_its_token() {
    let server = server();
    let channel = server.webhook("victim", "http://127.0.0.1:9/", None);
    let channel = format!("channels/{}", channel["id"].as_str().unwrap());
    let project = format!("projects/{}", server.project_id);
    let window = json!({"org_id": server.org_id, "reason": "victim",
        "starts_at": "2098-01-01T00:00:00Z", "ends_at": "2098-02-01T00:00:00Z"});
    server.api("POST", "/maintenance", Some(&window));
    let mut owner = Browser::signed_in(&server, OWNER);
    let page = owner.get(&at("maintenance"));
    let window = action(&page, "/settings/maintenance/", "/delete");
    let keys = owner.get(&at("api-keys"));
    let key = action(&keys, "/settings/api-keys/", "/revoke");
    server.organization("Other", "me@example.com");
    add_user(&server, "them@other.example", "Other", "owner");
    let mut stranger = Browser::signed_in(&server, "them@other.example");
    for section in SECTIONS {
        let mine = stranger.get(&at(section));
        assert_eq!(mine.status, 200);
        assert!(!mine.body.contains("victim") && !mine.body.contains(OWNER));
        let path = format!("{}?org={}", at(section), server.org_id);
        assert_eq!(stranger.get(&path).status, 404, "{path}");
    }
    for path in [&channel, &project] {
        assert_eq!(stranger.get(&at(path)).status, 404, "{path}");
    }
    let all = [
        at(&channel),
        at(&project),
        at(&format!("{channel}/test")),
        at(&format!("{channel}/switch")),
        at(&format!("{channel}/delete")),
        at(&format!("{project}/delete")),
        window,
        key,
    ];
    for path in &all {
        let answer = send(&mut stranger, "/account", path, &[]);
        assert_eq!(answer.status, 404, "{path}");
    }
    let page = owner.get("/account");
    let sections = SECTIONS.map(at);
    let more = [
        "/account/password".to_owned(),
        "/account/sessions".to_owned(),
    ];
    for path in all.iter().chain(&sections).chain(&more) {
        let good = form_to(&page, path, &[]);
        assert_eq!(
            owner.send(&good.clone().without("csrf")).status,
            403,
            "{path}"
        );
        assert_eq!(
            owner.send_from(&good, Some("https://evil.example")).status,
            403,
            "{path}"
        );
    }
}

#[test]
fn a_stored_script_stays_text_in_all_settings() {
    let server = server();
    let channel = server.channel("webhook", SCRIPT, "http://127.0.0.1:9/", &NONE);
    let channel = format!("channels/{}", channel["id"].as_str().unwrap());
    let window = json!({"org_id": server.org_id, "reason": SCRIPT,
        "starts_at": "2020-01-01T00:00:00Z", "ends_at": "2099-01-01T00:00:00Z"});
    server.api("POST", "/maintenance", Some(&window));
    let project = format!("/projects/{}", server.project_id);
    let named = json!({"name": SCRIPT, "description": SCRIPT});
    server.api("PUT", &project, Some(&named));
    let mut browser = Browser::signed_in(&server, OWNER);
    let keys = at("api-keys");
    send(
        &mut browser,
        &keys,
        &keys,
        &[("name", SCRIPT), ("scope_read", "yes")],
    );
    for path in [
        "api-keys",
        "channels",
        "maintenance",
        "projects",
        &channel,
        &project[1..],
    ] {
        let page = browser.get(&at(path));
        assert_eq!(page.status, 200, "{path}");
        assert!(page.body.contains("alert(1)"), "{path}");
        assert!(!page.body.contains("<script>"), "{path}: {}", page.body);
    }
}
