//! Times on pages: in the reader's zone where a script can tell it, with their zone where not;
//! and distances that are not rounded down.

use serde_json::{Value, json};

use crate::dashboard::{add_user, send};
use crate::support::browser::Browser;
use crate::support::hook::Hook;
use crate::support::server::Server;
use crate::support::wait_for;

const ME: &str = "me@acme.example";

fn server() -> Server {
    let server = Server::start();
    add_user(&server, ME, "Acme", "owner");
    server
}

/// What a reader who has no script sees of a part of the page: no tags, no titles.
fn seen(html: &str) -> String {
    let parts = html
        .split('<')
        .map(|part| part.split_once('>').map_or(part, |(_, text)| text));
    parts
        .collect::<String>()
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn the_times_in_alerts_are_told_as_all_others_are() {
    let server = server();
    let hook = Hook::start();
    let channel = server.webhook("pager", &hook.url, None);
    let check = server.check("sync", 1, 0, &Value::Null);
    server.ping(&check, "");
    server.wait_for_status(&check, "down");
    let mut browser = Browser::signed_in(&server, ME);
    let here = format!("/checks/{}", check["id"].as_str().unwrap());
    let there = format!("/settings/channels/{}", channel["id"].as_str().unwrap());
    for path in [here, there] {
        let page = wait_for("the alert to be listed", || {
            let page = browser.get(&path).body;
            page.contains("sync is down: it was expected at ")
                .then_some(page)
        });
        let said = page
            .split("sync is down: it was expected at ")
            .nth(1)
            .unwrap();
        assert!(
            said.starts_with("<time class=\"clock\" datetime=\"20"),
            "{said:.200}"
        );
        // Nowhere is there a time by the second, which is how a sentence has it.
        let seen = seen(&page);
        let seconds = seen
            .match_indices(" UTC")
            .filter(|(at, _)| seen[..*at].rsplit(' ').next().unwrap().matches(':').count() == 2);
        assert_eq!(seconds.count(), 0, "{seen}");
    }
}

#[test]
fn the_next_times_of_a_period_are_the_readers_and_none_is_rounded_down() {
    let server = server();
    let mut browser = Browser::signed_in(&server, ME);
    let page = browser
        .get("/schedule/preview?schedule=simple&period=90m&grace=5m")
        .body;
    assert_eq!(
        page.matches("<li><time class=\"clock\"").count(),
        5,
        "{page}"
    );
    let text = seen(&page);
    for far in ["in 1h 30m", "in 3h", "in 4h 30m", "in 6h", "in 7h 30m"] {
        assert!(text.contains(far), "{far}: {text}");
    }
    let query = "schedule=cron&cron_expression=0+2+*+*+*&timezone=Asia/Manila&grace=5m";
    let page = browser.get(&format!("/schedule/preview?{query}")).body;
    let text = seen(&page);
    assert!(
        text.starts_with("By the clock of Asia/Manila the job is expected at "),
        "{text}"
    );
    assert_eq!(text.matches(", 02:00 in ").count(), 5, "{text}");
}

#[test]
fn maintenance_is_listed_as_it_was_typed_with_its_zone() {
    let server = server();
    let mut browser = Browser::signed_in(&server, ME);
    let zone = "/settings/organization";
    send(&mut browser, zone, zone, &[("timezone", "Asia/Manila")]);
    let page = "/settings/maintenance";
    let fields = [
        ("reason", "Upgrade"),
        ("starts_at", "2099-01-02T08:00"),
        ("lasts", "90m"),
    ];
    let answer = send(&mut browser, page, page, &fields);
    let list = browser.follow(&answer).body;
    let text = seen(&list);
    assert!(text.contains("Fri 2 Jan 2099, 08:00 Asia/Manila"), "{text}");
    assert!(text.contains("Fri 2 Jan 2099, 09:30 Asia/Manila"), "{text}");
    assert!(list.contains("<time class=\"clock\" datetime=\"2099-01-02T00:00:00Z\""));
    assert_eq!(
        text.matches("In Asia/Manila. ").count(),
        2,
        "beside the fields: {text}"
    );
}

#[test]
fn a_machine_asks_at_a_time_of_the_reader() {
    let server = server();
    let asked = json!({"device_name": "job-host"}).to_string();
    let begun = server.request("POST", "/api/v1/cli/auth/init", &[], asked.as_bytes());
    let url = begun.unwrap().json()["auth_url"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = &url[url.find("/device/").unwrap()..];
    let page = Browser::signed_in(&server, ME).get(path).body;
    let asked = page.split("<dt>Asked</dt>").nth(1).unwrap();
    assert!(
        asked.starts_with("<dd><time class=\"clock\" datetime="),
        "{asked:.200}"
    );
}

#[test]
fn a_key_for_ninety_days_expires_in_ninety_days() {
    let server = server();
    let mut browser = Browser::signed_in(&server, ME);
    let page = "/settings/api-keys";
    let fields = [
        ("name", "ci"),
        ("scope_read", "yes"),
        ("expires_in_days", "90"),
    ];
    send(&mut browser, page, page, &fields);
    let list = seen(&browser.get(page).body);
    assert!(list.contains("in 90d"), "{list}");
}

#[test]
fn a_page_has_one_way_to_tell_how_long_something_took() {
    let server = server();
    let check = server.check("sync", 3600, 420, &Value::Null);
    server.ping_with(&check, "", &[("x-pakyas-duration", "391000")], b"");
    let here = format!("/checks/{}", check["id"].as_str().unwrap());
    let text = seen(&Browser::signed_in(&server, ME).get(&here).body);
    assert!(text.contains("after 6m 31s"), "{text}");
    assert!(text.contains("Every hour; 7m grace"), "{text}");
    assert!(!text.contains(" min"), "{text}");
}
