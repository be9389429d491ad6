//! From silence or failure to an alert that somebody gets: real time, a real webhook target.
#![cfg(feature = "server")]

mod support;

use serde_json::{Value, json};
use support::hook::{Delivered, Hook, Manner};
use support::server::Server;
use support::wait_for;

const NONE: Value = Value::Null;

#[test]
fn a_check_that_falls_silent_is_late_then_down_and_its_return_is_told() {
    let server = Server::start();
    let hook = Hook::start();
    server.webhook("ops", &hook.url, None);
    let check = server.check("beat", 1, 1, &NONE);
    server.ping(&check, "");
    assert_eq!(server.show(&check)["status"], "up");
    server.wait_for_status(&check, "late");
    let down = server.wait_for_status(&check, "down");
    assert!(down["consecutive_missed_pings"].as_u64() >= Some(1));
    let alert = hook.wait(1)[0].json();
    assert_eq!(alert["event"], "check.down");
    assert_eq!(alert["check"]["slug"], "beat");
    assert_eq!(alert["check"]["status"], "down");
    assert_eq!(alert["check"]["ping_url"], check["ping_url"]);
    assert_eq!(alert["project"]["name"], "Production");
    assert_eq!(alert["organization"]["name"], "Acme");
    // Dated with the end of grace, not with when somebody looked.
    let time = |value: &Value| -> jiff::Timestamp { value.as_str().unwrap().parse().unwrap() };
    let pinged = time(&down["last_ping_at"]);
    assert_eq!(
        time(&alert["alert"]["triggered_at"])
            .duration_since(pinged)
            .as_millis(),
        2_000
    );

    server.ping(&check, "");
    hook.wait(2);
    assert_eq!(hook.events(), ["check.down", "check.up"]);
    let message = hook.received()[1].json()["alert"]["message"].clone();
    assert!(
        message.as_str().unwrap().contains("up again after"),
        "{message}"
    );
}

#[test]
fn a_failure_is_told_at_once_once_and_with_its_output() {
    let server = Server::start();
    let hook = Hook::start();
    server.webhook("ops", &hook.url, None);
    let check = server.check("job", 3600, 300, &NONE);
    server.ping_with(&check, "/3", &[], b"disk full\n");
    server.ping_with(&check, "/3", &[], b"disk still full\n");
    server.ping(&check, "");
    hook.wait(2);
    assert_eq!(hook.events(), ["check.failed", "check.up"]);
    let alert = &hook.received()[0].json()["alert"];
    assert_eq!(alert["output"], "disk full\n");
    assert_eq!(alert["type"], "failed");
    assert_eq!(alert["message"], "job failed with exit code 3");
}

#[test]
fn a_delivery_is_signed_where_the_channel_has_a_secret() {
    let server = Server::start();
    let hook = Hook::start();
    server.webhook("ops", &hook.url, Some("s3cret"));
    let check = server.check("job", 3600, 300, &NONE);
    server.ping(&check, "/fail");
    let delivery = hook.wait(1).remove(0);
    assert_eq!(delivery.header("content-type"), Some("application/json"));
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, b"s3cret");
    let expected: String = ring::hmac::sign(&key, &delivery.body)
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(
        delivery.header("x-pakyas-signature"),
        Some(format!("sha256={expected}").as_str())
    );
}

#[test]
fn every_channel_that_hears_of_the_check_is_told_and_no_other() {
    let server = Server::start();
    let (everyone, staging_only) = (Hook::start(), Hook::start());
    server.webhook("all", &everyone.url, None);
    let staging = json!({"org_id": server.org_id, "name": "Staging"});
    let staging = server.api("POST", "/projects", Some(&staging)).json();
    let body = json!({
        "org_id": server.org_id, "project_id": staging["id"], "kind": "webhook",
        "name": "staging", "target": staging_only.url,
    });
    assert_eq!(server.api("POST", "/channels", Some(&body)).status, 201);
    let production = server.check("p", 3600, 0, &NONE);
    let other = server.check("s", 3600, 0, &json!({"project_id": staging["id"]}));
    server.ping(&production, "/fail");
    server.ping(&other, "/fail");
    everyone.wait(2);
    assert_eq!(staging_only.wait(1)[0].json()["check"]["slug"], "s");
    assert_eq!(staging_only.received().len(), 1);
}

#[test]
fn thresholds_are_waited_for() {
    let server = Server::start();
    let hook = Hook::start();
    server.webhook("ops", &hook.url, None);
    let check = server.check("job", 3600, 300, &json!({"alert_after_fail_pings": 3}));
    for _ in 0..3 {
        assert!(hook.received().is_empty());
        server.ping(&check, "/fail");
    }
    let alert = hook.wait(1)[0].json();
    assert_eq!(alert["alert"]["message"], "job failed, 3 times in a row");
}

#[test]
fn a_run_past_its_max_runtime_is_told_as_running_long() {
    let server = Server::start();
    let hook = Hook::start();
    server.webhook("ops", &hook.url, None);
    let check = server.check("job", 3600, 300, &json!({"max_runtime_seconds": 1}));
    server.ping_with(&check, "/start", &[("x-pakyas-run", "r")], b"");
    server.wait_for_status(&check, "overrunning");
    hook.wait(1);
    server.ping_with(&check, "", &[("x-pakyas-run", "r")], b"");
    hook.wait(2);
    assert_eq!(hook.events(), ["check.running_long", "check.up"]);
}

#[test]
fn a_target_that_fails_is_tried_again_later_and_one_that_refuses_is_not() {
    let server = Server::start();
    let (failing, refusing, fine) = (Hook::start(), Hook::start(), Hook::start());
    failing.behave(Manner::Status(503));
    refusing.behave(Manner::Status(410));
    server.webhook("failing", &failing.url, None);
    server.webhook("refusing", &refusing.url, None);
    server.webhook("fine", &fine.url, None);
    let check = server.check("job", 3600, 300, &NONE);
    server.ping(&check, "/fail");
    // Each was tried once; what comes next is in the outbox.
    let state = |target: &str| {
        wait_for(target, || {
            let db = rusqlite::Connection::open(server.database()).unwrap();
            db.query_row(
                "SELECT state, attempts, next_attempt_at - unixepoch() * 1000, last_answer
                 FROM delivery JOIN channel ON channel.row = delivery.channel_row
                 WHERE channel.name = ? AND attempts > 0",
                [target],
                |row| {
                    Ok((
                        row.get::<_, String>(0)?,
                        row.get::<_, i64>(1)?,
                        row.get::<_, i64>(2)?,
                        row.get::<_, String>(3)?,
                    ))
                },
            )
            .ok()
        })
    };
    let (kind, attempts, pause, answer) = state("failing");
    assert_eq!((kind.as_str(), attempts), ("pending", 1));
    assert!((50_000..=61_000).contains(&pause), "{pause}");
    assert!(answer.starts_with("HTTP 503"), "{answer}");
    assert_eq!(state("refusing").0, "failed");
    assert_eq!(state("fine").0, "delivered");
}

#[test]
fn a_channel_test_says_what_the_target_answered() {
    let server = Server::start();
    let hook = Hook::start();
    let channel = server.webhook("ops", &hook.url, None);
    let path = format!("/channels/{}/test", channel["id"].as_str().unwrap());
    hook.behave(Manner::Status(200));
    let result = server.api("POST", &path, None).json();
    assert_eq!(result["delivered"], true);
    assert_eq!(result["status"], 200);
    assert_eq!(result["answer"], "ok");
    assert_eq!(hook.events(), ["channel.test"]);
    hook.behave(Manner::Status(302));
    let result = server.api("POST", &path, None).json();
    assert_eq!(result["delivered"], false);
    assert_eq!(result["status"], 302);

    let nowhere = server.webhook("nowhere", "http://127.0.0.1:1/", None);
    let path = format!("/channels/{}/test", nowhere["id"].as_str().unwrap());
    let result = server.api("POST", &path, None).json();
    assert_eq!(result["delivered"], false);
    assert_eq!(result["status"], json!(null));
    assert!(!result["answer"].as_str().unwrap().is_empty());
}

#[test]
fn an_alert_under_way_when_the_server_is_killed_arrives_after_its_restart() {
    let mut server = Server::start();
    let hook = Hook::start();
    hook.behave(Manner::Hang);
    server.webhook("ops", &hook.url, None);
    let check = server.check("job", 3600, 300, &NONE);
    server.ping(&check, "/fail");
    let first = hook.wait(1).remove(0);
    server.kill();
    hook.behave(Manner::Status(200));
    server.restart();
    let second = hook.wait(2).remove(1);
    // The same alert: whoever got both can tell.
    assert_eq!(first.json()["alert"]["id"], second.json()["alert"]["id"]);
    server.ping(&check, "");
    hook.wait(3);
    assert_eq!(hook.events(), ["check.failed", "check.failed", "check.up"]);
}

#[test]
fn a_deadline_that_passes_while_the_server_is_down_is_told_at_its_start() {
    let mut server = Server::start();
    let hook = Hook::start();
    server.webhook("ops", &hook.url, None);
    let check = server.check("beat", 1, 0, &NONE);
    server.ping(&check, "");
    server.kill();
    // As long as the period: what is waited for is the wall clock itself.
    std::thread::sleep(std::time::Duration::from_millis(1_200));
    server.restart();
    assert_eq!(hook.wait(1)[0].event(), "check.down");
    server.restart();
    server.ping(&check, "");
    hook.wait(2);
    assert_eq!(hook.events(), ["check.down", "check.up"]);
}

#[test]
fn a_success_that_was_reported_late_takes_the_alarm_back_and_says_so() {
    let server = Server::start();
    let hook = Hook::start();
    server.webhook("ops", &hook.url, None);
    let check = server.check("job", 3, 0, &NONE);
    server.ping_with(&check, "", &[("x-pakyas-age", "2900")], b"");
    server.wait_for_status(&check, "down");
    hook.wait(1);
    // It had succeeded in time: only the news of it was under way for too long.
    let down_at = hook.received()[0].json()["alert"]["triggered_at"].clone();
    let down_at: jiff::Timestamp = down_at.as_str().unwrap().parse().unwrap();
    let age = jiff::Timestamp::now().duration_since(down_at).as_millis() + 500;
    server.ping_with(&check, "", &[("x-pakyas-age", &age.to_string())], b"");
    let alert = hook.wait(2)[1].json();
    assert_eq!(alert["event"], "check.up");
    assert_eq!(alert["alert"]["type"], "reported_late");
    let message = alert["alert"]["message"].as_str().unwrap();
    assert!(message.contains("reported late"), "{message}");
}
