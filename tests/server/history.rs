//! Events, inspect, doctor and pruning from outside, on the real server.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::sync::{Arc, Mutex};

use crate::support;
use crate::support::home::Home;
use crate::support::hook::Hook;
use crate::support::server::{Answer, Server, init};
use crate::support::{TempDir, wait_for};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

const NONE: Value = Value::Null;

fn route(check: &Value, rest: &str) -> String {
    format!("/checks/{}/{rest}", check["id"].as_str().unwrap())
}

fn get(server: &Server, check: &Value, rest: &str) -> Answer {
    server.api("GET", &route(check, rest), None)
}

fn page(server: &Server, check: &Value, query: &str) -> Value {
    let answer = get(server, check, &format!("events?{query}"));
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

/// All events newest first, in pages of `limit`.
fn events(server: &Server, check: &Value, limit: usize, more: &str) -> Vec<Value> {
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = page(server, check, &format!("limit={limit}{more}{cursor}"));
        let events = page["events"].as_array().unwrap();
        assert!(events.len() <= limit);
        all.extend(events.iter().cloned());
        assert_eq!(page["has_more"], !page["next_cursor"].is_null());
        let Some(next) = page["next_cursor"].as_str() else {
            return all;
        };
        assert_eq!(events.len(), limit);
        cursor = format!("&cursor={next}");
    }
}

fn texts<'a>(events: &'a [Value], field: &str) -> Vec<&'a str> {
    events
        .iter()
        .map(|event| event[field].as_str().unwrap())
        .collect()
}

fn time(value: &Value) -> Timestamp {
    value.as_str().unwrap().parse().unwrap()
}

#[test]
fn a_run_that_fails_and_recovers_is_told_newest_first_with_every_field() {
    let server = Server::start();
    let hook = Hook::start();
    server.webhook("ops", &hook.url, None);
    let check = server.check("job", 3600, 300, &NONE);
    server.ping_with(&check, "/start", &[("x-pakyas-run", "r1")], b"");
    let headers = [("x-pakyas-run", "r1"), ("x-pakyas-duration", "12345")];
    server.ping_with(&check, "/3", &headers, b"disk full\n");
    server.ping(&check, "");
    let all = wait_for("both alerts to be delivered", || {
        let all = events(&server, &check, 50, "");
        let delivered = all
            .iter()
            .filter(|event| event["payload"]["channels"][0]["state"] == "delivered");
        (delivered.count() == 2).then_some(all)
    });
    assert_eq!(
        texts(&all, "event_type"),
        [
            "alert_decision",
            "status_changed",
            "run_finished",
            "alert_decision",
            "status_changed",
            "run_finished",
            "run_started",
        ]
    );
    for event in &all {
        let fields: Vec<_> = event.as_object().unwrap().keys().cloned().collect();
        let mut expected = [
            "id",
            "event_type",
            "occurred_at",
            "effective_at",
            "source",
            "payload",
            "from_status",
            "to_status",
            "summary",
        ];
        expected.sort_unstable();
        assert_eq!(fields, expected);
        assert_eq!(event["source"], "ping");
        assert!(time(&event["effective_at"]) >= time(&event["occurred_at"]));
    }
    let ids: HashSet<_> = all
        .iter()
        .map(|event| event["id"].as_u64().unwrap())
        .collect();
    assert_eq!(ids.len(), all.len());

    let failed = &all[5];
    assert_eq!(failed["payload"]["exit_code"], 3);
    assert_eq!(failed["payload"]["duration_ms"], 12_345);
    assert_eq!(failed["payload"]["run_id"], "r1");
    assert_eq!(
        failed["summary"],
        "A run failed with exit code 3 after 12.3 s"
    );
    // The id of a run's event is its ping's.
    let ping = server.history(&check).remove(1);
    assert_eq!(failed["id"], ping["id"]);
    assert_eq!(server.output(&check, failed).body, "disk full\n");

    let down = &all[4];
    assert_eq!(
        (&down["from_status"], &down["to_status"]),
        (&json!("new"), &json!("down"))
    );
    assert_eq!(down["summary"], "It went from new to down: a run failed");
    let alert = &all[3];
    assert_eq!(alert["payload"]["type"], "failed");
    assert_eq!(alert["payload"]["event"], "check.failed");
    assert_eq!(
        alert["summary"],
        "job failed with exit code 3 (sent to ops)"
    );
    let channel = &alert["payload"]["channels"][0];
    assert_eq!(channel["name"], "ops");
    assert_eq!(channel["kind"], "webhook");
    assert_eq!(channel["attempts"], 1);
    assert!(
        channel["last_answer"]
            .as_str()
            .unwrap()
            .starts_with("HTTP 200")
    );
    assert!(
        !alert.to_string().contains(&hook.url),
        "an address may be a secret"
    );
}

#[test]
fn silence_is_told_with_when_it_was_expected() {
    let server = Server::start();
    let check = server.check("job", 1, 0, &NONE);
    server.ping(&check, "");
    server.wait_for_status(&check, "down");
    let all = events(&server, &check, 50, "&types=state");
    assert_eq!(texts(&all, "to_status"), ["down", "late", "up"]);
    assert_eq!(texts(&all, "source"), ["schedule", "schedule", "ping"]);
    let expected = time(&all[1]["payload"]["expected_at"]);
    assert_eq!(time(&all[1]["occurred_at"]), expected);
    assert_eq!(time(&all[0]["payload"]["expected_at"]), expected);
    let alerts = events(&server, &check, 50, "&types=alert");
    assert_eq!(texts(&alerts, "source"), ["schedule"]);
    assert_eq!(alerts[0]["payload"]["channels"], json!([]));
    let summary = alerts[0]["summary"].as_str().unwrap();
    assert!(
        summary.ends_with("(no channel was there to hear of it)"),
        "{summary}"
    );
}

#[test]
fn pausing_and_resuming_are_told_as_somebodys_doing() {
    let server = Server::start();
    let check = server.check("job", 3600, 300, &NONE);
    server.ping(&check, "");
    for action in ["pause", "resume"] {
        assert_eq!(
            server.api("PATCH", &route(&check, action), None).status,
            204
        );
    }
    let all = events(&server, &check, 50, "&types=state");
    assert_eq!(texts(&all, "source"), ["user", "user", "ping"]);
    assert_eq!(
        all[0]["summary"],
        "It went from paused to up: somebody resumed it"
    );
    assert_eq!(
        all[1]["summary"],
        "It went from up to paused: somebody paused it"
    );
}

#[test]
fn a_run_that_never_finished_is_not_told_as_silence() {
    let server = Server::start();
    let check = server.check("job", 1, 0, &NONE);
    server.ping(&check, "/start");
    server.wait_for_status(&check, "down");
    let all = events(&server, &check, 50, "&types=state");
    let summary = all[0]["summary"].as_str().unwrap();
    assert!(
        summary.ends_with("a run started and never finished"),
        "{summary}"
    );
}

#[test]
fn logs_are_no_events() {
    let server = Server::start();
    let check = server.check("job", 3600, 300, &NONE);
    server.ping(&check, "/log");
    assert_eq!(events(&server, &check, 50, ""), [NONE; 0]);
}

#[test]
fn pages_have_neither_gaps_nor_doubles_while_new_events_arrive() {
    let server = Server::start();
    let check = server.check("job", 3600, 300, &NONE);
    for number in 0..15 {
        // Some come late, some at once; each changes the status and alerts.
        let age = if number % 4 == 0 { "3600000" } else { "0" };
        let suffix = if number % 2 == 0 { "" } else { "/fail" };
        server.ping_with(&check, suffix, &[("x-pakyas-age", age)], b"");
    }
    let before = events(&server, &check, 1000, "");
    assert!(before.len() > 30, "{}", before.len());
    for limit in [1, 2, 7] {
        assert_eq!(events(&server, &check, limit, ""), before, "{limit}");
    }
    for types in ["signal", "state", "alert", "signal,alert"] {
        let mut wanted = before.clone();
        wanted.retain(|event| {
            let class = match event["event_type"].as_str().unwrap() {
                "status_changed" => "state",
                "alert_decision" => "alert",
                _ => "signal",
            };
            types.contains(class)
        });
        assert!(!wanted.is_empty());
        let more = format!("&types={types}");
        assert_eq!(events(&server, &check, 4, &more), wanted, "{types}");
    }

    // Between any two pages something new happens.
    let (mut walked, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = page(&server, &check, &format!("limit=4{cursor}"));
        walked.extend(page["events"].as_array().unwrap().iter().cloned());
        server.ping(&check, "/fail");
        server.ping_with(&check, "", &[("x-pakyas-age", "7200000")], b"");
        let Some(next) = page["next_cursor"].as_str() else {
            break;
        };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(walked, before);
}

#[test]
fn a_ping_that_is_told_late_stands_where_it_arrived_so_that_nobody_misses_it() {
    let server = Server::start();
    let check = server.check("job", 3600, 300, &NONE);
    server.ping(&check, "");
    server.ping_with(&check, "/fail", &[("x-pakyas-age", "7200000")], b"");
    let newest = page(&server, &check, "limit=1&types=signal&since=1m")["events"][0].clone();
    assert_eq!(newest["payload"]["type"], "fail");
    assert_eq!(newest["payload"]["late_ms"], 7_200_000);
    assert_eq!(newest["summary"], "A run failed, told 2h later");
    let late = time(&newest["effective_at"]).duration_since(time(&newest["occurred_at"]));
    assert_eq!(late, SignedDuration::from_hours(2));
}

#[test]
fn since_takes_how_long_ago_and_a_time() {
    let server = Server::start();
    let check = server.check("job", 3600, 300, &NONE);
    server.ping(&check, "");
    let count = |since: &str| {
        let page = page(&server, &check, &format!("since={since}"));
        page["events"].as_array().unwrap().len()
    };
    let hour = SignedDuration::from_hours(1);
    assert_eq!(count("30m"), 2);
    assert_eq!(count("2d"), 2);
    assert_eq!(count(&(Timestamp::now() - hour).to_string()), 2);
    assert_eq!(count(&(Timestamp::now() + hour).to_string()), 0);
}

#[test]
fn bad_questions_are_400_and_say_what_is_good() {
    let server = Server::start();
    let check = server.check("job", 3600, 300, &NONE);
    for (bad, word) in [
        ("events?limit=0", "limit"),
        ("events?limit=1001", "limit"),
        ("events?since=yesterday", "since"),
        ("events?types=signal,pings", "types"),
        ("events?cursor=nonsense", "cursor"),
        ("doctor?deep=perhaps", "deep"),
    ] {
        let sentence = get(&server, &check, bad).refusal(400);
        assert!(sentence.contains(word), "{sentence}");
    }
    for rest in ["events", "inspect", "doctor"] {
        let answer = server.api("POST", &route(&check, rest), Some(&json!({})));
        answer.refusal(405);
        assert_eq!(answer.header("allow"), "GET, HEAD");
    }
}

#[test]
fn a_key_of_another_organization_finds_nothing_of_the_history() {
    let server = Server::start();
    let check = server.check("job", 3600, 300, &NONE);
    server.ping_with(&check, "/1", &[], b"secret output");
    let ping = server.history(&check).remove(0);
    let authorization = format!("Bearer {}", server.organization("Other", "me@example.com"));
    let body = format!("pings/{}/body", ping["id"]);
    for rest in [
        "events",
        "inspect",
        "doctor",
        "doctor?deep=true",
        "pings",
        &body,
    ] {
        let path = format!("/api/v1{}", route(&check, rest));
        let headers = [("authorization", authorization.as_str())];
        let answer = server.request("GET", &path, &headers, b"").unwrap();
        answer.refusal(404);
        // And ours does.
        assert_eq!(get(&server, &check, rest).status, 200, "{rest}");
    }
}

#[test]
fn inspect_has_every_field_and_the_figures_of_the_day() {
    let server = Server::start();
    server.webhook("ops", "http://127.0.0.1:9/", None);
    let check = server.check("job", 3600, 300, &json!({"alert_after_fail_pings": 2}));
    let inspect = || get(&server, &check, "inspect").json();
    let new = inspect();
    assert_eq!(new["status"], "new");
    assert_eq!(new["last_signal"], NONE);
    assert_eq!(new["is_critical"], false);
    assert_eq!(
        new["stats"],
        json!({"success_rate_24h": null, "total_pings_24h": 0, "p95_duration_ms": null})
    );
    for duration in 1..=20 {
        let duration = (duration * 1000).to_string();
        server.ping_with(&check, "", &[("x-pakyas-duration", &duration)], b"");
    }
    server.ping_with(&check, "", &[("x-pakyas-age", "172800000")], b"");
    server.ping(&check, "/log");
    let headers = [("x-pakyas-duration", "500")];
    for _ in 0..5 {
        server.ping_with(&check, "/1", &headers, b"");
    }
    let now = inspect();
    assert_eq!(now["check_id"], check["id"]);
    for field in ["public_id", "name", "slug", "ping_url", "project_name"] {
        assert_eq!(now[field], check[field], "{field}");
    }
    assert_eq!(now["status"], "down");
    assert!(time(&now["status_since"]) > time(&check["created_at"]));
    assert_eq!(now["is_critical"], true);
    let reason = now["critical_reason"].as_str().unwrap();
    assert!(reason.starts_with("The last 5 runs failed"), "{reason}");
    assert_eq!(
        now["schedule"],
        json!({"kind": "simple", "period_seconds": 3600, "cron_expression": null,
               "missing_after_seconds": 300, "timezone": null})
    );
    assert_eq!(now["last_signal"]["signal_type"], "fail");
    assert_eq!(now["last_signal"]["duration_ms"], 500);
    assert_eq!(now["last_signal"]["source_ip"], "127.0.0.1");
    assert_eq!(
        now["alerting"],
        json!({"enabled": true, "alert_after_miss_pings": 1, "alert_after_fail_pings": 2,
               "consecutive_missed_pings": 0, "consecutive_fail_pings": 5, "recipient_count": 1})
    );
    assert_eq!(
        now["maintenance"],
        json!({"in_maintenance": false, "reason": null, "ends_at": null})
    );
    assert_eq!(
        now["stats"],
        json!({"success_rate_24h": 0.8, "total_pings_24h": 26, "p95_duration_ms": 19_000})
    );
}

#[test]
fn a_run_that_began_while_its_check_was_down_is_not_told_as_what_brought_it_down() {
    let server = Server::start();
    let check = server.check("job", 1, 0, &NONE);
    server.ping(&check, "");
    server.wait_for_status(&check, "down");
    server.ping(&check, "/start");
    let inspected = get(&server, &check, "inspect").json();
    let reason = inspected["critical_reason"].as_str().unwrap();
    assert!(reason.contains("missing"), "{reason}");
    assert!(reason.ends_with("a run is under way"), "{reason}");
    let diagnosis = get(&server, &check, "doctor").body;
    assert!(!diagnosis.contains("started and not ended"), "{diagnosis}");
}

fn codes(diagnosis: &Value) -> Vec<&str> {
    texts(diagnosis["findings"].as_array().unwrap(), "code")
}

#[test]
fn the_doctor_tells_what_is_wrong_and_how_to_mend_it() {
    let server = Server::start();
    let check = server.check("job", 3600, 300, &NONE);
    let doctor = |query: &str| get(&server, &check, &format!("doctor{query}")).json();
    let new = doctor("");
    assert_eq!(codes(&new), ["no_channel", "never_pinged"]);
    assert_eq!(new["status"], "critical");
    assert_eq!(new["check_id"], check["id"]);
    assert_eq!(new["check_name"], "job");
    assert_eq!(new["deep"], false);
    assert_eq!(doctor("?deep=true")["deep"], true);

    server.webhook("ops", "http://127.0.0.1:9/", None);
    // A job that runs every ten minutes.
    for number in (0..12).rev() {
        let age = (number * 600_000 + 30_000).to_string();
        server.ping_with(&check, "", &[("x-pakyas-age", &age)], b"");
    }
    let diagnosis = doctor("");
    assert_eq!(diagnosis["status"], "attention_needed");
    assert!(
        codes(&diagnosis).contains(&"period_mismatch"),
        "{diagnosis}"
    );
    let finding = diagnosis["findings"]
        .as_array()
        .unwrap()
        .iter()
        .find(|finding| finding["code"] == "period_mismatch")
        .unwrap();
    assert_eq!(finding["severity"], "warning");
    assert_eq!(
        finding["suggested_actions"],
        json!(["pakyas check update job --period 10m"])
    );
    let description = finding["description"].as_str().unwrap();
    assert!(
        description.contains("usually runs every 10m"),
        "{description}"
    );
}

#[test]
fn the_doctor_reads_the_last_line_of_failures_and_the_senders_clock() {
    let server = Server::start();
    server.webhook("ops", "http://127.0.0.1:9/", None);
    let check = server.check("job", 3600, 300, &NONE);
    let wrong = Timestamp::now() - SignedDuration::from_hours(3);
    let date = jiff::fmt::rfc2822::DateTimePrinter::new()
        .timestamp_to_rfc9110_string(&wrong)
        .unwrap();
    for _ in 0..4 {
        let body = b"working\nno space left on \x1b[31mdevice\n\n";
        server.ping_with(&check, "/1", &[("date", &date)], body);
    }
    let diagnosis = get(&server, &check, "doctor").json();
    assert_eq!(codes(&diagnosis), ["down", "repeated_failure", "clock_off"]);
    let findings = &diagnosis["findings"];
    assert_eq!(
        findings[1]["details"]["last_line"],
        "no space left on device"
    );
    let off = findings[2]["details"]["off_ms"].as_i64().unwrap();
    assert!(
        (-3 * 3_600_000 - 60_000..-3 * 3_600_000 + 1000).contains(&off),
        "{off}"
    );
    // A date that is none, or a right one, is no reason for anything.
    let check = server.check("other", 3600, 300, &NONE);
    for date in ["now", "Sun, 99 Nov 1994 08:49:37 GMT"] {
        assert_eq!(
            server.ping_with(&check, "", &[("date", date)], b"").status,
            200
        );
    }
    assert_eq!(codes(&get(&server, &check, "doctor").json()), [""; 0]);
}

/// A server with these flags on a directory that was set up.
fn with_flags(directory: &TempDir, ids: &Value, flags: &[&str]) -> Server {
    let mut server = Server::bare_with(directory, |command| {
        command.args(flags);
    });
    let id = |name: &str| ids[name].as_str().unwrap().to_owned();
    server.org_id = id("org_id");
    server.project_id = id("project_id");
    server.key = id("api_key");
    server
}

fn database(server: &Server) -> rusqlite::Connection {
    let db = rusqlite::Connection::open(server.database()).unwrap();
    db.busy_timeout(support::PATIENCE).unwrap();
    db
}

fn rows(db: &rusqlite::Connection, table: &str) -> i64 {
    let sql = format!("SELECT count(*) FROM {table}");
    db.query_row(&sql, [], |row| row.get(0)).unwrap()
}

#[test]
fn pings_beyond_the_number_that_is_kept_go_and_the_figures_stay_true() {
    let directory = TempDir::new();
    let ids = init(&directory);
    let server = with_flags(&directory, &ids, &["--keep-pings", "5"]);
    let check = server.check("job", 3600, 300, &NONE);
    let quiet = server.check("quiet", 3600, 300, &NONE);
    server.ping(&quiet, "");
    for code in 0..40 {
        let suffix = if code % 4 == 0 { "/1" } else { "/0" };
        server.ping(&check, suffix);
    }
    server.ping(&check, "/7");
    let history = wait_for("the oldest pings to go", || {
        Some(server.history(&check)).filter(|history| history.len() == 5)
    });
    assert_eq!(history[0]["exit_code"], 7);
    let page = get(&server, &check, "pings?limit=1").json();
    assert_eq!(page["total"], 5);
    let stats = get(&server, &check, "inspect").json()["stats"].clone();
    assert_eq!(stats["total_pings_24h"], 41);
    assert_eq!(stats["success_rate_24h"], 30.0 / 41.0);
    assert_eq!(server.history(&quiet).len(), 1);
    wait_for("the oldest events to go", || {
        (events(&server, &check, 50, "&types=state").len() <= 5).then_some(())
    });
}

#[test]
fn a_start_with_a_smaller_number_prunes_what_is_there() {
    let directory = TempDir::new();
    let ids = init(&directory);
    let mut server = with_flags(&directory, &ids, &[]);
    let checks: Vec<Value> = (0..3)
        .map(|number| server.check(&format!("job-{number}"), 3600, 300, &NONE))
        .collect();
    for check in &checks {
        for _ in 0..12 {
            server.ping(check, "");
        }
    }
    assert_eq!(server.history(&checks[0]).len(), 12);
    server.kill();
    let server = with_flags(&directory, &ids, &["--keep-pings=4"]);
    for check in &checks {
        wait_for("the oldest pings to go", || {
            (server.history(check).len() == 4).then_some(())
        });
    }
}

#[test]
fn what_is_too_old_goes_but_not_what_is_still_to_be_delivered() {
    let directory = TempDir::new();
    let ids = init(&directory);
    let mut server = with_flags(&directory, &ids, &[]);
    let hook = Hook::start();
    server.webhook("good", &hook.url, None);
    let check = server.check("job", 3600, 300, &NONE);
    server.ping_with(&check, "/1", &[("idempotency-key", "old")], b"");
    wait_for("the alert to be delivered", || {
        let all = events(&server, &check, 50, "&types=alert");
        (all[0]["payload"]["channels"][0]["state"] == "delivered").then_some(())
    });
    // Nobody listens there: what goes there stays pending.
    server.webhook("bad", "http://127.0.0.1:9/", None);
    server.ping(&check, "");
    wait_for("the attempt that fails", || {
        let all = events(&server, &check, 50, "&types=alert");
        let channels = all[0]["payload"]["channels"].as_array().unwrap();
        let tried = |c: &Value| c["attempts"] == 1;
        (channels.len() == 2 && channels.iter().all(tried)).then_some(())
    });
    server.kill();
    let age = 91 * 86_400_000_i64;
    database(&server)
        .execute_batch(&format!(
            "UPDATE ping SET received_at = received_at - {age}, created_at = created_at - {age};
             UPDATE event SET effective_at = effective_at - {age};
             UPDATE alert SET triggered_at = triggered_at - {age};
             UPDATE idempotency SET received_at = received_at - {age};
             UPDATE delivery SET next_attempt_at = next_attempt_at + {age};"
        ))
        .unwrap();
    let server = with_flags(&directory, &ids, &[]);
    server.ping(&check, "");
    wait_for("the old to go", || {
        let db = database(&server);
        let left = [
            rows(&db, "ping"),
            rows(&db, "alert"),
            rows(&db, "delivery"),
            rows(&db, "idempotency"),
        ];
        // The newest ping, and the alert that one channel has not heard of.
        (left == [1, 1, 2, 0]).then_some(())
    });
    assert_eq!(server.history(&check).len(), 1);
}

#[test]
fn a_deleted_check_leaves_nothing_behind_and_an_archived_project_goes_in_time() {
    let directory = TempDir::new();
    let ids = init(&directory);
    let mut server = with_flags(&directory, &ids, &[]);
    let hook = Hook::start();
    server.webhook("ops", &hook.url, None);
    let project = json!({"org_id": server.org_id, "name": "Old"});
    let project = server.api("POST", "/projects", Some(&project)).json();
    let more = json!({"project_id": project["id"]});
    let check = server.check("job", 3600, 300, &more);
    let other = server.check("other", 3600, 300, &NONE);
    for number in 0..300 {
        let key = number.to_string();
        server.ping_with(&check, "/log", &[("idempotency-key", &key)], b"");
    }
    server.ping(&check, "/1");
    wait_for("the alert to be delivered", || {
        let all = events(&server, &check, 50, "&types=alert");
        (all[0]["payload"]["channels"][0]["state"] == "delivered").then_some(())
    });
    server.ping(&other, "/1");
    let path = format!("/projects/{}", project["id"].as_str().unwrap());
    assert_eq!(server.api("DELETE", &path, None).status, 204);
    server.kill();
    database(&server)
        .execute_batch("UPDATE project SET archived_at = 0 WHERE archived_at IS NOT NULL")
        .unwrap();
    let server = with_flags(&directory, &ids, &[]);
    wait_for("the deleted check to go", || {
        let db = database(&server);
        let left = ["check_", "ping", "idempotency", "project"].map(|table| rows(&db, table));
        (left == [1, 1, 0, 1]).then_some(())
    });
    assert_eq!(server.history(&other).len(), 1);
    assert_eq!(events(&server, &other, 50, "").len(), 3);
}

/// A home that is logged in to the server and uses its project.
fn logged_in(server: &Server) -> Home {
    let home = Home::at(&server.url)
        .with("PAKYAS_API_KEY", &server.key)
        .with("PAKYAS_PROJECT", "production");
    home.pakyas("whoami").exits(0);
    home
}

#[test]
fn inspect_and_doctor_tell_a_person_what_is_wrong_and_scripts_by_the_exit_code() {
    let server = Server::start();
    let home = logged_in(&server);
    let check = server.check("job", 3600, 300, &NONE);
    server.ping_with(
        &check,
        "/3",
        &[("x-pakyas-duration", "1500")],
        b"no space left\n",
    );
    let card = home.pakyas("check inspect job").exits(0);
    for part in [
        "Status             down since ",
        "Critical           The last run failed; it has been down for ",
        "Last signal        fail ",
        "took 1.5 s, from 127.0.0.1",
        "nobody would hear of it",
        "Failures in a row  1 (alert after 1)",
        "Success in 24 h    0.0 %",
    ] {
        assert!(card.stdout.contains(part), "no {part:?} in {card:#?}");
    }
    // It says for how long it has been down, which goes on.
    let untimed = |mut json: Value| {
        json.as_object_mut().unwrap().remove("critical_reason");
        json
    };
    let json = home.pakyas("check inspect job --format json");
    assert_eq!(
        untimed(json.exits(0).json()),
        untimed(get(&server, &check, "inspect").json())
    );

    let report = home
        .pakyas("check doctor job")
        .exits(1)
        .shows("job: 2 errors (1 ping looked at)\n")
        .shows("error: Nobody would hear of it (no_channel)\n")
        .shows("  $ pakyas channel create ");
    assert!(!report.stdout.contains('\u{1b}'), "{report:#?}");
    for (line, code) in [
        ("check doctor job --fail-on error", 1),
        ("check doctor job --deep --fail-on=info --format json", 1),
        ("check doctor job --fail-on never", 0),
        ("check doctor nobody", 3),
    ] {
        home.pakyas(line).exits(code);
    }
    server.webhook("ops", "http://127.0.0.1:9/", None);
    server.ping(&check, "");
    home.pakyas("check doctor job --fail-on info")
        .exits(0)
        .shows("nothing is wrong");
}

#[test]
fn tail_tells_what_happened_oldest_first_of_one_check_or_of_all() {
    let server = Server::start();
    let home = logged_in(&server);
    let job = server.check("job", 3600, 300, &NONE);
    server.ping(&job, "/start");
    server.ping(&job, "/7");
    let other = server.check("other-job", 3600, 300, &NONE);
    server.ping(&other, "");
    let words = |line: &str| -> Vec<String> {
        let shown = home.pakyas(line).exits(0).stdout;
        let after_the_time = |line: &str| line.split_once(" UTC  ").unwrap().1.to_owned();
        shown.lines().map(after_the_time).collect()
    };
    let job_only = words("check tail job --types signal,state");
    assert_eq!(job_only.len(), 3);
    for (line, beginning) in job_only.iter().zip([
        "run_started     A run started",
        "run_finished    A run failed with exit code 7 after ",
        "status_changed  It went from new to down: a run failed",
    ]) {
        assert!(line.starts_with(beginning), "{line}");
    }
    let all = words("check tail --since 1h --types state");
    assert_eq!(
        all,
        [
            "job        status_changed  It went from new to down: a run failed",
            "other-job  status_changed  It went from new to up: it reported",
        ]
    );
    let json = home.pakyas("check tail job --format json").exits(0).json();
    let mut expected = events(&server, &job, 50, "");
    expected.reverse();
    assert_eq!(json, json!(expected));
    let named = home.pakyas("check tail --format ndjson").exits(0).stdout;
    let first: Value = serde_json::from_str(named.lines().next().unwrap()).unwrap();
    assert_eq!(first["check_slug"], "job");
    assert_eq!(first["event_type"], "run_started");
    home.pakyas("check tail job --since 2030-01-01")
        .exits(0)
        .says("Nothing has happened");
}

/// A command that goes on, and the lines that it has written to stdout so far.
struct Running {
    child: std::process::Child,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Running {
    fn start(home: &Home, line: &str) -> Self {
        let mut command = home.command();
        command.args(line.split_whitespace());
        let mut child = command.spawn().unwrap();
        let lines = Arc::new(Mutex::new(Vec::new()));
        let (stdout, kept) = (child.stdout.take().unwrap(), Arc::clone(&lines));
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines() {
                kept.lock().unwrap().push(line.unwrap());
            }
        });
        Self { child, lines }
    }

    fn wait_for(&self, part: &str) {
        wait_for(part, || {
            let lines = self.lines.lock().unwrap();
            lines.iter().any(|line| line.contains(part)).then_some(())
        });
    }

    /// Ends it as Ctrl-C does; gives what it said, all of its lines, and the signal.
    fn interrupt(mut self) -> (String, Vec<String>, Option<i32>) {
        support::signal(self.child.id(), "INT");
        let status = wait_for("its end", || self.child.try_wait().unwrap());
        let mut said = String::new();
        let mut stderr = self.child.stderr.take().unwrap();
        stderr.read_to_string(&mut said).unwrap();
        let lines = self.lines.lock().unwrap().clone();
        (said, lines, status.signal())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn following_tells_each_event_once_through_a_restart_until_ctrl_c() {
    let mut server = Server::start();
    let home = logged_in(&server);
    let check = server.check("job", 3600, 300, &NONE);
    server.ping(&check, "/1");
    let tail = Running::start(&home, "check tail job -f --types signal");
    tail.wait_for("exit code 1");
    server.ping(&check, "/2");
    tail.wait_for("exit code 2");
    // One that is told late is not missed.
    server.ping_with(&check, "/3", &[("x-pakyas-age", "7200000")], b"");
    tail.wait_for("exit code 3, told 2h later");
    server.restart();
    server.ping(&check, "/4");
    tail.wait_for("exit code 4");
    let (_, lines, signal) = tail.interrupt();
    // A shell says 130 to that.
    assert_eq!(signal, Some(2));
    assert_eq!(lines.len(), 4, "{lines:#?}");
}

#[test]
fn following_a_project_tells_of_checks_that_are_still_to_come() {
    let server = Server::start();
    let home = logged_in(&server);
    let check = server.check("job", 3600, 300, &NONE);
    server.ping(&check, "");
    let tail = Running::start(&home, "check tail -f --format ndjson");
    tail.wait_for("\"job\"");
    let new = server.check("new-job", 3600, 300, &NONE);
    server.ping(&new, "/9");
    tail.wait_for("new-job failed with exit code 9");
    let (said, lines, _) = tail.interrupt();
    assert_eq!(said, "");
    let mut ids: Vec<String> = lines
        .iter()
        .map(|line| {
            let event: Value = serde_json::from_str(line).unwrap();
            format!("{}{}", event["id"], event["check_id"])
        })
        .collect();
    let count = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!((count, ids.len()), (5, 5), "{lines:#?}");
}

#[test]
fn a_new_check_whose_first_report_comes_late_was_silent_and_started_nothing() {
    let server = Server::start();
    let check = server.check("job", 3600, 60, &NONE);
    server.ping_with(&check, "", &[("x-pakyas-age", "7200000")], b"");
    let all = events(&server, &check, 50, "&types=state");
    assert_eq!(texts(&all, "to_status"), ["down", "late", "up"]);
    let summary = all[0]["summary"].as_str().unwrap();
    assert!(summary.contains("it was expected at"), "{summary}");
    let due = time(&server.history(&check)[0]["created_at"]) + SignedDuration::from_hours(1);
    assert_eq!(time(&all[0]["payload"]["expected_at"]), due);
}
