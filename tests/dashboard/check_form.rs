//! The forms for a new check and for one that is there: what they make, what they refuse, and
//! what they say about the next times.

use serde_json::{Value, json};

use crate::dashboard::{add_user, form_to, send};
use crate::support::browser::Browser;
use crate::support::server::{Answer, Server};

const NONE: Value = Value::Null;
const NEW: &str = "/checks/new";

fn server() -> Server {
    let server = Server::start();
    add_user(&server, "me@acme.example", "Acme", "member");
    server
}

/// What stands in the field with that id.
fn value(page: &Answer, id: &str) -> String {
    let tag = page.body.split(&format!("id=\"{id}\" name=")).nth(1);
    let tag = tag.unwrap_or_else(|| panic!("no {id}: {}", page.body));
    let tag = tag.split('>').next().unwrap();
    let value = tag.split(" value=\"").nth(1).unwrap();
    value.split('"').next().unwrap().to_owned()
}

/// What is said beside the field with that id.
fn problem(page: &Answer, id: &str) -> String {
    let text = page.body.split(&format!("id=\"{id}-problem\">")).nth(1);
    let text = text.unwrap_or_else(|| panic!("nothing about {id}: {}", page.body));
    text.split('<').next().unwrap().to_owned()
}

fn the_check(server: &Server, slug: &str) -> Value {
    let all = server.api("GET", "/checks", None).json();
    let list = all.as_array().or_else(|| all["checks"].as_array()).unwrap();
    let found = list.iter().find(|check| check["slug"] == slug);
    found.unwrap_or_else(|| panic!("no {slug}: {all}")).clone()
}

#[test]
fn a_check_is_made_in_the_form_and_takes_pings() {
    let server = server();
    let mut browser = Browser::signed_in(&server, "me@acme.example");
    let page = browser.get("/");
    assert!(page.body.contains("/checks/new?org="), "{}", page.body);
    let fields = [
        ("project", server.project_id.as_str()),
        ("name", "Night Backup"),
        ("schedule", "cron"),
        ("cron_expression", "0 2 * * *"),
        ("timezone", "Asia/Manila"),
        ("grace", "30m"),
        ("tags", "db, night"),
        ("description", "ask ops\r\nor nobody"),
    ];
    let answer = send(&mut browser, NEW, NEW, &fields);
    let page = browser.follow(&answer);
    assert!(
        page.body
            .contains("Every day at 02:00, Asia/Manila; 30m grace")
    );
    let check = the_check(&server, "night-backup");
    assert_eq!(check["tags"], json!(["db", "night"]));
    assert_eq!(check["description"], "ask ops\nor nobody");
    assert_eq!(check["grace_seconds"], 1800);
    assert_eq!(server.ping(&check, "").status, 200);
}

#[test]
fn what_is_wrong_is_said_beside_each_field_and_what_was_typed_stays() {
    let server = server();
    let mut browser = Browser::signed_in(&server, "me@acme.example");
    let fields = [
        ("project", server.project_id.as_str()),
        ("name", ""),
        ("slug", "Not A Slug"),
        ("schedule", "simple"),
        ("period", "often"),
        ("grace", "5 parsecs"),
        ("misses", "many"),
    ];
    let page = send(&mut browser, NEW, NEW, &fields);
    assert_eq!(page.status, 422);
    for (id, typed) in [
        ("slug", "Not A Slug"),
        ("period", "often"),
        ("grace", "5 parsecs"),
        ("misses", "many"),
    ] {
        assert_eq!(value(&page, id), typed);
        assert!(problem(&page, id).len() > 10, "{id}");
    }
    assert!(
        problem(&page, "name").contains("name"),
        "{}",
        problem(&page, "name")
    );
    assert!(page.body.contains("href=\"#period\""), "{}", page.body);
    let all = server.api("GET", "/checks", None);
    assert!(!all.body.contains("not-a-slug"));
}

#[test]
fn the_form_shows_the_next_times_without_a_script() {
    let server = server();
    let mut browser = Browser::signed_in(&server, "me@acme.example");
    let fields = [
        ("project", server.project_id.as_str()),
        ("name", "Night"),
        ("schedule", "cron"),
        ("cron_expression", "0 2 * * *"),
        ("timezone", "Asia/Manila"),
        ("do", "preview"),
    ];
    let page = send(&mut browser, NEW, NEW, &fields);
    assert_eq!(page.status, 200);
    assert_eq!(
        page.body.matches(", 02:00 <small>").count(),
        5,
        "{}",
        page.body
    );
    assert_eq!(page.body.matches("T18:00:00Z\"").count(), 5);
    assert_eq!(value(&page, "name"), "Night");
    let all = server.api("GET", "/checks", None);
    assert!(!all.body.contains("Night"), "looking makes nothing");
}

#[test]
fn the_script_gets_the_next_times_and_says_what_is_wrong() {
    let server = server();
    let mut browser = Browser::signed_in(&server, "me@acme.example");
    let page = browser.get("/schedule/preview?schedule=simple&period=1h&grace=5m");
    assert_eq!(page.body.matches("<li>").count(), 5, "{}", page.body);
    assert!(
        page.body.contains("A run that is not heard of 5m after"),
        "{}",
        page.body
    );
    for (query, words) in [
        (
            "schedule=cron&cron_expression=61+*+*+*+*",
            "class=\"wrong\"",
        ),
        (
            "schedule=cron&cron_expression=@daily&timezone=Nowhere/City",
            "class=\"wrong\"",
        ),
        ("schedule=simple&period=%3Cscript%3E", "class=\"wrong\""),
    ] {
        let page = browser.get(&format!("/schedule/preview?{query}"));
        assert!(page.body.contains(words), "{query}: {}", page.body);
        assert!(!page.body.contains("<script>"));
    }
    assert_eq!(Browser::new(&server).get("/schedule/preview").status, 401);
}

#[test]
fn a_check_is_changed_and_what_was_not_touched_stays() {
    let server = server();
    let more = json!({"name": "Sync", "tags": ["a, b", "c"], "max_runtime_seconds": 90});
    let check = server.check("sync", 3600, 300, &more);
    let path = format!("/checks/{}/edit", check["id"].as_str().unwrap());
    let mut browser = Browser::signed_in(&server, "me@acme.example");
    let page = browser.get(&path);
    let mut fields = vec![("schedule", "simple".to_owned())];
    for id in [
        "slug",
        "period",
        "grace",
        "max_runtime",
        "misses",
        "failures",
        "tags",
    ] {
        fields.push((id, value(&page, id)));
    }
    fields.push(("name", "Other".to_owned()));
    let fields: Vec<(&str, &str)> = fields
        .iter()
        .map(|(id, text)| (*id, text.as_str()))
        .collect();
    let answer = send(&mut browser, &path, &path, &fields);
    let page = browser.follow(&answer);
    assert!(page.body.contains("<h1>Other</h1>"));
    let now = server.show(&check);
    for field in [
        "slug",
        "tags",
        "period_seconds",
        "grace_seconds",
        "max_runtime_seconds",
        "project_id",
        "public_id",
        "alert_after_miss_pings",
        "alert_after_fail_pings",
    ] {
        assert_eq!(now[field], check[field], "{field}");
    }
}

#[test]
fn only_who_may_change_checks_of_this_organization_gets_the_forms() {
    let server = server();
    let check = server.check("sync", 3600, 300, &NONE);
    add_user(&server, "ro@acme.example", "Acme", "read-only");
    server.organization("Other", "me@example.com");
    add_user(&server, "them@other.example", "Other", "owner");
    let edit = format!("/checks/{}/edit", check["id"].as_str().unwrap());
    let fields = [
        ("project", server.project_id.as_str()),
        ("name", "Mine now"),
        ("slug", "mine-now"),
        ("schedule", "simple"),
        ("period", "1h"),
    ];
    let mut reader = Browser::signed_in(&server, "ro@acme.example");
    assert!(!reader.get("/").body.contains("/checks/new"));
    for path in [NEW, &edit] {
        assert_eq!(reader.get(path).status, 403, "{path}");
        assert_eq!(
            send(&mut reader, "/account", path, &fields).status,
            403,
            "{path}"
        );
    }
    let mut stranger = Browser::signed_in(&server, "them@other.example");
    assert_eq!(stranger.get(&edit).status, 404);
    assert_eq!(send(&mut stranger, "/account", &edit, &fields).status, 404);
    // Their own organization has no such project.
    let answer = send(&mut stranger, "/account", NEW, &fields);
    assert!([404, 422].contains(&answer.status), "{answer:?}");
    let mut me = Browser::signed_in(&server, "me@acme.example");
    let page = me.get(NEW);
    for path in [NEW, &edit] {
        let good = form_to(&page, path, &fields);
        assert_eq!(me.send(&good.clone().without("csrf")).status, 403);
        assert_eq!(
            me.send_from(&good, Some("https://evil.example")).status,
            403
        );
    }
    assert_eq!(server.show(&check)["name"], check["name"]);
    assert!(!server.api("GET", "/checks", None).body.contains("mine-now"));
}

#[test]
fn a_script_in_any_field_stays_text() {
    let server = server();
    let script = "\"></textarea><script>alert(1)</script>";
    let mut browser = Browser::signed_in(&server, "me@acme.example");
    let all = [
        "project",
        "new_project",
        "name",
        "slug",
        "description",
        "tags",
        "schedule",
        "period",
        "cron_expression",
        "timezone",
        "grace",
        "max_runtime",
        "misses",
        "failures",
    ];
    for kind in ["simple", "cron"] {
        let mut fields: Vec<(&str, &str)> = all.iter().map(|id| (*id, script)).collect();
        fields.retain(|(id, _)| *id != "schedule");
        fields.push(("schedule", kind));
        let page = send(&mut browser, NEW, NEW, &fields);
        assert_eq!(page.status, 422);
        assert!(!page.body.contains("<script>"), "{}", page.body);
        assert!(page.body.contains("alert(1)"));
    }
}
