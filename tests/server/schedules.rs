//! Cron schedules, time zones and maintenance windows from outside, and a database that was
//! written before there were any.

use crate::support;
use crate::support::TempDir;
use crate::support::hook::{Delivered, Hook};
use crate::support::server::Server;
use crate::support::wait_for;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use rusqlite::{Connection, params};
use serde_json::{Value, json};
use uuid::Uuid;

const NONE: Value = Value::Null;

fn time(value: &Value) -> Timestamp {
    value.as_str().unwrap().parse().unwrap()
}

/// Creates a check with these fields and gives the answer's status and body.
fn post(server: &Server, fields: Value) -> (u16, Value) {
    let mut body = json!({ "project_id": server.project_id, "name": "Job", "slug": "job" });
    let given = fields.as_object().unwrap().clone();
    body.as_object_mut().unwrap().extend(given);
    let answer = server.api("POST", "/checks", Some(&body));
    (answer.status, answer.json())
}

fn put(server: &Server, check: &Value, fields: &Value) -> (u16, Value) {
    let path = format!("/checks/{}", check["id"].as_str().unwrap());
    let answer = server.api("PUT", &path, Some(fields));
    (answer.status, answer.json())
}

/// The last 02:00 in Manila, which has no daylight saving, that is well over.
fn last_two_in_manila() -> Timestamp {
    let zone = TimeZone::get("Asia/Manila").unwrap();
    let two = Timestamp::now()
        .checked_sub(SignedDuration::from_mins(1))
        .unwrap()
        .to_zoned(zone)
        .with()
        .hour(2)
        .minute(0)
        .second(0)
        .subsec_nanosecond(0)
        .build()
        .unwrap();
    if two.timestamp() < Timestamp::now() - SignedDuration::from_mins(1) {
        two.timestamp()
    } else {
        two.checked_sub(1.day()).unwrap().timestamp()
    }
}

/// Pings as of `moment`.
fn ping_as_of(server: &Server, check: &Value, suffix: &str, moment: Timestamp) {
    let age = Timestamp::now()
        .duration_since(moment)
        .as_millis()
        .to_string();
    let answer = server.ping_with(check, suffix, &[("x-pakyas-age", &age)], b"");
    assert_eq!(answer.status, 200, "{answer:?}");
}

#[test]
fn a_cron_expression_makes_a_cron_check_in_its_time_zone() {
    let server = Server::start();
    let (status, check) = post(
        &server,
        json!({ "cron_expression": " 0 2 * * * ", "timezone": "asia/manila", "grace_seconds": null }),
    );
    assert_eq!(status, 201, "{check}");
    assert_eq!(check["schedule_type"], "cron");
    assert_eq!(check["cron_expression"], "0 2 * * *");
    assert_eq!(check["timezone"], "Asia/Manila");
    // What other people's clients take for the period.
    assert_eq!(check["period_seconds"], 86_400);
    // A tenth of a day, but an hour at most.
    assert_eq!(check["grace_seconds"], 3_600);
    assert_eq!(check["next_ping_expected_at"], NONE);
    server.ping(&check, "");
    let shown = server.show(&check);
    let expected = last_two_in_manila();
    let until = time(&shown["next_ping_expected_at"]).duration_since(expected);
    assert_eq!(until.as_secs() % 86_400, 0, "{shown}");
    assert!(time(&shown["next_ping_expected_at"]) > Timestamp::now());
}

#[test]
fn an_automatic_grace_follows_the_shortest_gap() {
    let server = Server::start();
    for (slug, cron, grace) in [
        ("a", "*/15 * * * *", 90),
        ("b", "* * * * *", 30),
        ("c", "0 2 * * 1", 3_600),
        ("d", "0,20 3 * * *", 120),
    ] {
        let (status, check) = post(
            &server,
            json!({ "slug": slug, "cron_expression": cron, "missing_after_seconds": null }),
        );
        assert_eq!(status, 201, "{check}");
        assert_eq!(check["missing_after_seconds"], grace, "{cron}");
    }
}

#[test]
fn bad_schedules_are_refused_with_the_field_and_what_to_do() {
    let server = Server::start();
    for (fields, field, words) in [
        (
            json!({ "cron_expression": "0 0 2 * * *" }),
            "cron_expression",
            "6 fields",
        ),
        (
            json!({ "cron_expression": "61 * * * *" }),
            "cron_expression",
            "minute '61'",
        ),
        (
            json!({ "cron_expression": "0 0 30 2 *" }),
            "cron_expression",
            "never occurs",
        ),
        (
            json!({ "cron_expression": "9".repeat(5_000) }),
            "cron_expression",
            "longer than",
        ),
        (
            json!({ "cron_expression": "@daily", "timezone": "Asia/Manilla" }),
            "timezone",
            "'Asia/Manila'?",
        ),
        (
            json!({ "period_seconds": 60, "timezone": "nowhere" }),
            "timezone",
            "IANA",
        ),
        (json!({}), "period_seconds", "or cron_expression"),
        (
            json!({ "cron_expression": "" }),
            "period_seconds",
            "or cron_expression",
        ),
        (
            json!({ "schedule_type": "cron", "period_seconds": 60 }),
            "cron_expression",
            "when the job runs",
        ),
    ] {
        let (status, body) = post(&server, fields.clone());
        assert_eq!(status, 422, "{fields}: {body}");
        assert_eq!(body["field"], field, "{fields}: {body}");
        assert!(body["error"].as_str().unwrap().contains(words), "{body}");
    }
}

#[test]
fn a_check_changes_between_a_period_and_a_cron_and_back() {
    let server = Server::start();
    let check = server.check("job", 3_600, 300, &NONE);
    let (status, changed) = put(
        &server,
        &check,
        &json!({ "cron_expression": "30 4 * * MON", "timezone": "Europe/London" }),
    );
    assert_eq!(status, 200, "{changed}");
    assert_eq!(changed["schedule_type"], "cron");
    assert_eq!(changed["grace_seconds"], 300, "only what is given changes");
    // The rest stays as it is, the time zone too.
    let (_, changed) = put(&server, &check, &json!({ "name": "Renamed" }));
    assert_eq!(changed["cron_expression"], "30 4 * * MON");
    assert_eq!(changed["timezone"], "Europe/London");
    let (_, changed) = put(&server, &check, &json!({ "timezone": "" }));
    assert_eq!(changed["timezone"], NONE);
    // What is shown can be sent back.
    let (status, same) = put(&server, &check, &changed);
    assert_eq!(status, 200, "{same}");
    assert_eq!(same["schedule_type"], "cron");
    // The period was kept.
    let (_, changed) = put(&server, &check, &json!({ "cron_expression": "" }));
    assert_eq!(changed["schedule_type"], "simple");
    assert_eq!(changed["period_seconds"], 3_600);
    assert_eq!(changed["cron_expression"], NONE);

    let (_, cron) = post(
        &server,
        json!({ "slug": "other", "cron_expression": "@daily" }),
    );
    let (status, body) = put(&server, &cron, &json!({ "cron_expression": "" }));
    assert_eq!((status, &body["field"]), (422, &json!("period_seconds")));
    let simple = json!({ "schedule_type": "simple", "period_seconds": 60 });
    let (status, changed) = put(&server, &cron, &simple);
    assert_eq!(status, 200, "{changed}");
    assert_eq!(changed["period_seconds"], 60);
}

#[test]
fn a_cron_check_goes_down_at_the_second_and_after_a_restart_still_knows_its_schedule() {
    let mut server = Server::start();
    let hook = Hook::start();
    server.webhook("ops", &hook.url, None);
    // Over two hours ago, so that no second one is missing while this goes on.
    let then = Timestamp::now() - SignedDuration::from_hours(2);
    let then = then.to_zoned(TimeZone::get("Asia/Manila").unwrap());
    let cron = format!("0 {} * * *", then.hour());
    let due = then.with().minute(0).second(0).subsec_nanosecond(0).build();
    let due = due.unwrap().timestamp();
    let (_, check) = post(
        &server,
        json!({ "cron_expression": cron, "timezone": "Asia/Manila", "grace_seconds": 7 }),
    );
    ping_as_of(&server, &check, "", due - SignedDuration::from_secs(90));
    let down = server.wait_for_status(&check, "down");
    assert_eq!(down["consecutive_missed_pings"], 1);
    assert_eq!(time(&down["next_ping_expected_at"]), due);
    let alert = hook.wait(1)[0].json();
    assert_eq!(alert["event"], "check.down");
    let triggered = time(&alert["alert"]["triggered_at"]);
    assert_eq!(triggered.duration_since(due), SignedDuration::from_secs(7));

    is_noted(&server);
    server.restart();
    let again = server.show(&check);
    assert_eq!(again["cron_expression"], cron);
    assert_eq!(again["status"], "down");
    server.ping(&check, "");
    let up = server.show(&check);
    assert!(time(&up["next_ping_expected_at"]) > due, "{up}");
    hook.wait(2);
    assert_eq!(hook.events(), ["check.down", "check.up"]);
}

/// Waits until the first delivery is noted: a kill before that would have it made once more.
fn is_noted(server: &Server) {
    support::wait_for("the delivery to be noted", || {
        let channels = server.api("GET", "/channels", None).json();
        (!channels[0]["last_delivery_at"].is_null()).then_some(())
    });
}

/// Plans a window from an hour ago for two hours.
fn window(server: &Server, more: &Value) -> Value {
    let now = Timestamp::now();
    let mut body = json!({
        "org_id": server.org_id, "reason": "Database move",
        "starts_at": (now - SignedDuration::from_hours(1)).to_string(),
        "ends_at": (now + SignedDuration::from_hours(1)).to_string(),
    });
    let more = more.as_object().cloned().unwrap_or_default();
    body.as_object_mut().unwrap().extend(more);
    let answer = server.api("POST", "/maintenance", Some(&body));
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.json()
}

fn windows(server: &Server) -> Vec<Value> {
    let path = format!("/maintenance?org_id={}", server.org_id);
    server
        .api("GET", &path, None)
        .json()
        .as_array()
        .unwrap()
        .clone()
}

fn call_off(server: &Server, window: &Value) -> u16 {
    let path = format!("/maintenance/{}", window["id"].as_str().unwrap());
    server.api("DELETE", &path, None).status
}

#[test]
fn a_window_is_created_listed_and_deleted() {
    let server = Server::start();
    let check = server.check("job", 3_600, 300, &NONE);
    let window = window(&server, &json!({ "check_id": check["id"] }));
    assert_eq!(window["org_id"], server.org_id);
    assert_eq!(window["project_id"], NONE);
    assert_eq!(window["check_id"], check["id"]);
    assert_eq!(window["reason"], "Database move");
    assert!(time(&window["created_at"]) > time(&window["starts_at"]));
    assert_eq!(windows(&server).as_slice(), std::slice::from_ref(&window));
    assert_eq!(call_off(&server, &window), 204);
    assert_eq!(call_off(&server, &window), 404);
    assert_eq!(windows(&server), [NONE; 0]);
    assert_eq!(server.api("PUT", "/maintenance", None).status, 405);
    assert_eq!(server.api("GET", "/maintenance/x", None).status, 405);
}

#[test]
fn bad_windows_are_refused_with_the_field_and_what_to_do() {
    let server = Server::start();
    let one = server.check("one", 3_600, 300, &NONE);
    let other = server.api(
        "POST",
        "/projects",
        Some(&json!({ "org_id": server.org_id, "name": "Staging" })),
    );
    let staging = other.json()["id"].clone();
    let good = json!({
        "org_id": server.org_id, "reason": "r",
        "starts_at": "2026-12-01T22:00:00Z", "ends_at": "2026-12-01T23:00:00Z",
    });
    for (fields, field) in [
        (json!({ "reason": "  " }), "reason"),
        (json!({ "reason": "x".repeat(501) }), "reason"),
        (json!({ "starts_at": "tomorrow" }), "starts_at"),
        (json!({ "starts_at": "2026-12-01 22:00" }), "starts_at"),
        (json!({ "ends_at": "2026-12-01T22:00:00Z" }), "ends_at"),
        (json!({ "ends_at": "2027-12-02T22:00:01Z" }), "ends_at"),
        (
            json!({ "check_id": one["id"], "project_id": staging }),
            "check_id",
        ),
    ] {
        let mut body = good.clone();
        body.as_object_mut()
            .unwrap()
            .extend(fields.as_object().unwrap().clone());
        let answer = server.api("POST", "/maintenance", Some(&body));
        assert_eq!(answer.status, 422, "{fields}: {answer:?}");
        assert_eq!(answer.json()["field"], field, "{answer:?}");
    }
    assert_eq!(
        server.api("POST", "/maintenance", Some(&json!({}))).status,
        400
    );
    assert_eq!(windows(&server), [NONE; 0]);
}

#[test]
fn alerts_are_held_in_a_window_even_over_a_restart_and_told_when_it_is_called_off() {
    let mut server = Server::start();
    let hook = Hook::start();
    server.webhook("ops", &hook.url, None);
    let (held, free) = (
        server.check("held", 3_600, 300, &NONE),
        server.check("free", 3_600, 300, &NONE),
    );
    let gone = server.check("gone", 3_600, 300, &NONE);
    let of_one = window(&server, &json!({ "check_id": held["id"] }));
    let of_other = window(&server, &json!({ "check_id": gone["id"] }));
    server.ping_with(&held, "/3", &[], b"disk full\n");
    assert_eq!(server.show(&held)["status"], "down", "states move on");
    server.ping(&gone, "/fail");
    server.ping(&gone, "");
    server.ping(&free, "/fail");
    let first = hook.wait(1)[0].json();
    assert_eq!(first["check"]["slug"], "free");
    is_noted(&server);

    server.restart();
    assert_eq!(call_off(&server, &of_other), 204);
    assert_eq!(call_off(&server, &of_one), 204);
    let second = hook.wait(2)[1].json();
    assert_eq!(second["check"]["slug"], "held");
    assert_eq!(second["event"], "check.failed");
    assert_eq!(second["alert"]["output"], "disk full\n");
    // Of the trouble that came and went nobody hears; this is told after it would have been.
    server.ping(&free, "");
    hook.wait(3);
    assert_eq!(hook.events(), ["check.failed", "check.failed", "check.up"]);
}

#[test]
fn a_window_ends_by_itself_and_what_is_still_wrong_alerts_then() {
    let mut server = Server::start();
    let hook = Hook::start();
    server.webhook("ops", &hook.url, None);
    window(&server, &NONE);
    // A check that is created in a running window of all checks is in it.
    let check = server.check("job", 3_600, 300, &NONE);
    server.ping(&check, "/fail");
    assert_eq!(server.show(&check)["status"], "down");
    server.kill();
    assert!(hook.received().is_empty());
    let ends = Timestamp::now().as_millisecond() + 1_000;
    Connection::open(server.database())
        .unwrap()
        .execute("UPDATE maintenance SET ends_at = ?", [ends])
        .unwrap();
    server.restart();
    let alert = hook.wait(1)[0].json();
    assert!(time(&alert["alert"]["triggered_at"]).as_millisecond() >= ends);
}

#[test]
fn a_window_of_a_project_holds_that_projects_alerts_only() {
    let server = Server::start();
    let hook = Hook::start();
    server.webhook("ops", &hook.url, None);
    let staging = server
        .api(
            "POST",
            "/projects",
            Some(&json!({ "org_id": server.org_id, "name": "Staging" })),
        )
        .json();
    let inside = server.check(
        "inside",
        3_600,
        300,
        &json!({ "project_id": staging["id"] }),
    );
    let outside = server.check("outside", 3_600, 300, &NONE);
    window(&server, &json!({ "project_id": staging["id"] }));
    server.ping(&inside, "/fail");
    server.ping(&outside, "/fail");
    let alerts = hook.wait(1);
    assert_eq!(alerts[0].json()["check"]["slug"], "outside");
    assert_eq!(server.show(&inside)["status"], "down");
}

/// A second organization with a project, a check and a window, put into the database of a
/// server that is not running.
struct Stranger {
    org: Uuid,
    project: Uuid,
    check: Uuid,
    window: Uuid,
}

impl Stranger {
    fn moves_in(database: &std::path::Path) -> Self {
        let new = || pakyas::random::uuid().unwrap();
        let stranger = Self {
            org: new(),
            project: new(),
            check: new(),
            window: new(),
        };
        let connection = Connection::open(database).unwrap();
        let now = Timestamp::now().as_millisecond();
        connection
            .execute(
                "INSERT INTO organization VALUES (?, 'Others', 'UTC', ?)",
                params![stranger.org, now],
            )
            .unwrap();
        connection
            .execute(
                "INSERT INTO project (id, org_id, name, slug, created_at, updated_at)
                 VALUES (?, ?, 'Theirs', 'theirs', ?, ?)",
                params![stranger.project, stranger.org, now, now],
            )
            .unwrap();
        connection
            .execute(
                "INSERT INTO check_ (id, public_id, org_id, project_id, name, slug, tags,
                     period_seconds, grace_seconds, miss_threshold, fail_threshold, created_at,
                     updated_at, status, status_since, failures, runs, ended_runs)
                 VALUES (?1, ?1, ?2, ?3, 'theirs', 'theirs', '[]', 60, 60, 1, 1, 0, 0, 'new', 0,
                     0, '[]', '[]')",
                params![stranger.check, stranger.org, stranger.project],
            )
            .unwrap();
        connection
            .execute(
                "INSERT INTO maintenance VALUES (?, ?, NULL, NULL, 'theirs', ?, ?, ?)",
                params![stranger.window, stranger.org, now, now + 3_600_000, now],
            )
            .unwrap();
        stranger
    }
}

#[test]
fn what_belongs_to_another_organization_is_not_there_and_does_not_change() {
    let mut server = Server::start();
    let hook = Hook::start();
    server.webhook("ops", &hook.url, None);
    let check = server.check("job", 3_600, 300, &NONE);
    server.kill();
    let theirs = Stranger::moves_in(&server.database());
    server.restart();
    let good = json!({
        "org_id": server.org_id, "reason": "r",
        "starts_at": "2026-12-01T22:00:00Z", "ends_at": "2026-12-01T23:00:00Z",
    });
    for fields in [
        json!({ "org_id": theirs.org }),
        json!({ "project_id": theirs.project }),
        json!({ "check_id": theirs.check }),
    ] {
        let mut body = good.clone();
        body.as_object_mut()
            .unwrap()
            .extend(fields.as_object().unwrap().clone());
        let answer = server.api("POST", "/maintenance", Some(&body));
        assert_eq!(answer.status, 404, "{fields}: {answer:?}");
    }
    let theirs_path = format!("/maintenance/{}", theirs.window);
    assert_eq!(server.api("DELETE", &theirs_path, None).status, 404);
    let listing = format!("/maintenance?org_id={}", theirs.org);
    assert_eq!(server.api("GET", &listing, None).status, 404);
    assert_eq!(windows(&server), [NONE; 0]);
    // Their window is there still, and holds no alerts of ours.
    server.ping(&check, "/fail");
    assert_eq!(hook.wait(1)[0].event(), "check.failed");
    let connection = Connection::open(server.database()).unwrap();
    let count: i64 = connection
        .query_row("SELECT count(*) FROM maintenance", [], |row| row.get(0))
        .unwrap();
    assert_eq!(count, 1);
}

#[test]
fn the_organizations_time_zone_counts_where_a_check_has_none() {
    let mut server = Server::start();
    server.kill();
    Connection::open(server.database())
        .unwrap()
        .execute("UPDATE organization SET timezone = 'Asia/Manila'", [])
        .unwrap();
    server.restart();
    let (_, check) = post(&server, json!({ "cron_expression": "0 2 * * *" }));
    server.ping(&check, "");
    let shown = server.show(&check);
    let until = time(&shown["next_ping_expected_at"]).duration_since(last_two_in_manila());
    assert_eq!(until.as_secs() % 86_400, 0, "{shown}");
    assert_eq!(shown["timezone"], NONE);
}

/// The tables as the first released schema had them.
const FIRST_SCHEMA: &str = include_str!("../../src/server/store/migrations/0001.sql");

#[test]
fn a_database_of_the_first_schema_is_brought_along_with_all_its_state() {
    let directory = TempDir::new();
    let hash = |key: &str| ring::digest::digest(&ring::digest::SHA256, key.as_bytes());
    let id = |n: u128| Uuid::from_u128(n);
    let now = Timestamp::now().as_millisecond();
    {
        let old = Connection::open(directory.path().join("pakyas.db")).unwrap();
        old.execute_batch(FIRST_SCHEMA).unwrap();
        old.pragma_update(None, "user_version", 1).unwrap();
        let run = |sql: &str, values: &[&dyn rusqlite::ToSql]| {
            old.execute(sql, values).unwrap();
        };
        run(
            "INSERT INTO organization VALUES (?, 'Old', 'UTC', 1)",
            &[&id(1)],
        );
        run(
            "INSERT INTO user VALUES (?, 'me@example.com', NULL, 1)",
            &[&id(2)],
        );
        run(
            "INSERT INTO membership VALUES (?, ?, 'owner')",
            &[&id(1), &id(2)],
        );
        run(
            "INSERT INTO api_key VALUES (?, ?, ?, 'key', 'pk_live_', ?, 'read write manage', 1)",
            &[&id(3), &id(1), &id(2), &hash("pk_live_old").as_ref()],
        );
        run(
            "INSERT INTO project (id, org_id, name, slug, created_at, updated_at)
             VALUES (?, ?, 'Production', 'production', 1, 1)",
            &[&id(4), &id(1)],
        );
        // Down and told, with a failure and an open run.
        run(
            "INSERT INTO check_ (id, public_id, org_id, project_id, name, slug, tags,
                 period_seconds, grace_seconds, miss_threshold, fail_threshold, created_at,
                 updated_at, status, status_since, expected_at, failures, alerted, runs,
                 ended_runs, last_ping_at, last_end_at)
             VALUES (?1, ?1, ?2, ?3, 'Job', 'job', '[\"a\"]', 3600, 300, 1, 1, 1, 1, 'down', ?4,
                 ?4 + 3600000, 2, 'down',
                 '[{\"id\":\"r\",\"started\":' || ?4 || ',\"overdue\":false}]', '[\"q\"]', ?4, ?4)",
            &[&id(5), &id(1), &id(4), &(now - 60_000)],
        );
    }
    let mut server = Server::bare(&directory);
    server.key = "pk_live_old".to_owned();
    server.org_id = id(1).to_string();
    server.project_id = id(4).to_string();
    let checks = server.api("GET", "/checks", None).json();
    let check = checks[0].clone();
    assert_eq!(check["status"], "down", "{checks}");
    assert_eq!(check["schedule_type"], "simple");
    assert_eq!(check["period_seconds"], 3_600);
    assert_eq!(check["timezone"], NONE);
    assert_eq!(check["consecutive_failures"], 2);
    assert_eq!(check["running"], true);
    assert_eq!(check["tags"], json!(["a"]));
    let hook = Hook::start();
    server.webhook("ops", &hook.url, None);
    server.ping(&check, "");
    assert_eq!(
        hook.wait(1)[0].event(),
        "check.up",
        "it knew that it was told"
    );
    let (status, changed) = put(&server, &check, &json!({ "cron_expression": "@hourly" }));
    assert_eq!(status, 200, "{changed}");
    window(&server, &NONE);
    wait_for("a second start", || {
        server.restart();
        Some(())
    });
    assert_eq!(server.show(&check)["cron_expression"], "@hourly");
    assert_eq!(windows(&server).len(), 1);
}

/// The newest `count` moments of 02:00 UTC, oldest first.
fn nights(count: i32) -> Vec<Timestamp> {
    let today = Timestamp::now().to_zoned(TimeZone::UTC);
    let two = today.date().at(2, 0, 0, 0).to_zoned(TimeZone::UTC).unwrap();
    let last = if two > today { 1 } else { 0 };
    let night =
        |back: i32| two.timestamp() - SignedDuration::from_hours(24 * i64::from(back + last));
    (0..count).rev().map(night).collect()
}

#[test]
fn what_crontabs_and_kubernetes_have_is_taken_as_it_is_kept_here() {
    let server = Server::start();
    for (slug, fields, expression, zone) in [
        (
            "a",
            json!({"cron_expression": "5/15\t2   * * *"}),
            "5-59/15 2 * * *",
            json!(null),
        ),
        (
            "b",
            json!({"cron_expression": "CRON_TZ=asia/manila 0 2 * * *"}),
            "0 2 * * *",
            json!("Asia/Manila"),
        ),
        (
            "c",
            json!({"cron_expression": "TZ=UTC @daily", "timezone": "UTC"}),
            "@daily",
            json!("UTC"),
        ),
    ] {
        let mut fields = fields;
        fields["slug"] = json!(slug);
        let (status, check) = post(&server, fields);
        assert_eq!(status, 201, "{check}");
        assert_eq!(check["cron_expression"], expression);
        assert_eq!(check["timezone"], zone);
    }
    // A change brings its zone along.
    let (_, check) = post(
        &server,
        json!({"slug": "d", "cron_expression": "@daily", "timezone": "UTC"}),
    );
    let change = json!({"cron_expression": "CRON_TZ=Asia/Manila 0 3 * * *"});
    let (status, changed) = put(&server, &check, &change);
    assert_eq!(
        (status, &changed["timezone"]),
        (200, &json!("Asia/Manila")),
        "{changed}"
    );
}

#[test]
fn what_only_jenkins_knows_and_what_may_mean_two_zones_is_asked_back() {
    let server = Server::start();
    for (fields, field, words) in [
        (
            json!({"cron_expression": "H 4 * * *"}),
            "cron_expression",
            "such as '17 4 * * *'",
        ),
        (
            json!({"cron_expression": "0 4 * * *", "timezone": "GMT+8"}),
            "timezone",
            "'Etc/GMT-8' is 8 hours ahead of UTC",
        ),
        (
            json!({"cron_expression": "TZ=UTC+8 0 4 * * *"}),
            "cron_expression",
            "'Etc/GMT-8' is 8 hours ahead of UTC",
        ),
        (
            json!({"cron_expression": "TZ=UTC 0 4 * * *", "timezone": "Asia/Manila"}),
            "cron_expression",
            "leave one out",
        ),
    ] {
        let (status, body) = post(&server, fields);
        assert_eq!((status, &body["field"]), (422, &json!(field)), "{body}");
        let sentence = body["error"].as_str().unwrap();
        assert!(sentence.contains(words), "{sentence}");
    }
}

#[test]
fn the_doctor_and_the_alert_name_the_zone_by_whose_clock_a_job_runs() {
    let mut server = Server::start();
    let hook = Hook::start();
    server.webhook("ops", &hook.url, None);
    let (_, check) = post(
        &server,
        json!({ "cron_expression": "0 2 * * *", "timezone": "Asia/Manila", "grace_seconds": 60 }),
    );
    let id = check["id"].as_str().unwrap();
    // Kept in the history, while nothing is expected.
    server.api("PATCH", &format!("/checks/{id}/pause"), None);
    for night in nights(3) {
        ping_as_of(&server, &check, "", night + SignedDuration::from_secs(20));
    }
    server.api("PATCH", &format!("/checks/{id}/resume"), None);
    let told = server
        .api("GET", &format!("/checks/{id}/doctor"), None)
        .body;
    let words = "Its last 3 runs began at the times of UTC, not of Asia/Manila";
    assert!(told.contains(words) && told.contains("--tz UTC"), "{told}");
    // The next time of Manila's passes.
    server.kill();
    let db = rusqlite::Connection::open(server.database()).unwrap();
    let ago = Timestamp::now().as_millisecond() - 3_600_000;
    let changed = db.execute(
        "UPDATE check_ SET expected_at = ? WHERE status = 'up'",
        [ago],
    );
    assert_eq!(changed.unwrap(), 1);
    drop(db);
    server.restart();
    let alert = hook.wait(1)[0].json();
    let message = alert["alert"]["message"].as_str().unwrap();
    assert!(
        message.contains("has not reported") && message.contains(words),
        "{message}"
    );
}
