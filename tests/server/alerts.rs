//! From silence or failure to an alert that somebody gets: real time, a real webhook target.

use std::sync::{Mutex, mpsc};

use crate::support;
use crate::support::home::Home;
use crate::support::hook::{Delivered, Hook, Manner};
use crate::support::server::Server;
use crate::support::stub::{Reply, Stub};
use crate::support::wait_for;
use serde_json::{Value, json};

const NONE: Value = Value::Null;

#[test]
fn a_check_that_falls_silent_is_late_then_down_and_its_return_is_told() {
    let mut server = Server::start();
    let hook = Hook::start();
    server.webhook("ops", &hook.url, None);
    let check = server.check("beat", 3600, 300, &NONE);
    server.ping(&check, "");
    assert_eq!(server.show(&check)["status"], "up");
    server.let_pass(&check, 3_700);
    server.wait_for_status(&check, "late");
    server.let_pass(&check, 7_200);
    let down = server.wait_for_status(&check, "down");
    assert!(down["consecutive_missed_pings"].as_u64() >= Some(1));
    let alert = hook.wait(1)[0].json();
    assert_eq!(alert["event"], "check.down");
    assert_eq!(alert["check"]["slug"], "beat");
    assert_eq!(alert["check"]["status"], "down");
    assert_eq!(alert["check"]["ping_url"], check["ping_url"]);
    assert_eq!(alert["project"]["name"], "Production");
    assert_eq!(alert["organization"]["name"], "Acme");
    // Dated with the end of grace, not with when somebody looked, two hours later; but for a server
    // that was away there is a minute more.
    let time = |value: &Value| -> jiff::Timestamp { value.as_str().unwrap().parse().unwrap() };
    let pinged = time(&down["last_ping_at"]);
    let dated = time(&alert["alert"]["triggered_at"]).duration_since(pinged);
    assert!((3_900..=3_960).contains(&dated.as_secs()), "{dated:?}");

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

/// The channel's newest delivery, once it was tried so often.
fn tried(server: &Server, channel: &Value, times: u64) -> Value {
    wait_for(&format!("attempt {times}"), || {
        let newest = server.deliveries(channel).into_iter().next();
        newest.filter(|delivery| delivery["attempts"] == times)
    })
}

fn shown(server: &Server, channel: &Value) -> Value {
    let path = format!("/channels/{}", channel["id"].as_str().unwrap());
    server.api("GET", &path, None).json()
}

#[test]
fn a_404_and_its_like_end_no_alert_they_may_be_a_proxys() {
    let mut server = Server::start();
    let statuses = [301, 302, 400, 401, 403, 404, 407, 413, 429, 502, 503];
    let made: Vec<_> = statuses
        .iter()
        .map(|&status| {
            let hook = Hook::start();
            hook.behave(Manner::Status(status));
            let kind = if status == 404 { "slack" } else { "webhook" };
            let channel = server.channel(kind, &status.to_string(), &hook.url, &NONE);
            (status, hook, channel)
        })
        .collect();
    let check = server.check("job", 3600, 300, &NONE);
    server.ping(&check, "/fail");
    for (status, hook, channel) in &made {
        let delivery = tried(&server, channel, 1);
        assert_eq!(delivery["state"], "pending", "{status}");
        let answer = delivery["last_answer"].as_str().unwrap();
        assert!(answer.starts_with(&format!("HTTP {status}")), "{answer}");
        let time =
            |name: &str| -> jiff::Timestamp { delivery[name].as_str().unwrap().parse().unwrap() };
        let pause = time("next_attempt_at").duration_since(time("last_attempt_at"));
        assert_eq!(pause.as_secs(), 60, "{status}");
        hook.behave(Manner::Status(200));
    }
    server.let_time_come(|_| {});
    for (status, _, channel) in &made {
        assert_eq!(tried(&server, channel, 2)["state"], "delivered", "{status}");
        assert_eq!(shown(&server, channel)["enabled"], true, "{status}");
    }
}

#[test]
fn an_alert_that_four_attempts_did_not_deliver_is_told_with_the_last_answer() {
    let mut server = Server::start();
    let hook = Hook::start();
    hook.behave(Manner::Status(422));
    let channel = server.webhook("ops", &hook.url, None);
    let check = server.check("job", 3600, 300, &NONE);
    server.ping(&check, "/fail");
    for times in 1..=3 {
        assert_eq!(tried(&server, &channel, times)["state"], "pending");
        server.let_time_come(|_| {});
    }
    assert_eq!(tried(&server, &channel, 4)["state"], "failed");
    assert!(shown(&server, &channel)["failing_since"].is_string());
    let path = format!("/checks/{}/doctor", check["id"].as_str().unwrap());
    let findings = server.api("GET", &path, None).json()["findings"].to_string();
    assert!(findings.contains("alerts_undelivered"), "{findings}");
    assert!(findings.contains("HTTP 422: ok"), "{findings}");
}

#[test]
fn a_target_that_is_gone_for_good_switches_its_channel_off_and_says_why() {
    for kind in ["webhook", "slack"] {
        let server = Server::start();
        let gone = Stub::new(|_| Reply::text(410, "channel_is_archived\nand more"));
        let channel = server.channel(kind, "ops", &gone.url(), &NONE);
        let check = server.check("job", 3600, 300, &NONE);
        server.ping(&check, "/fail");
        assert_eq!(tried(&server, &channel, 1)["state"], "failed", "{kind}");
        let off = shown(&server, &channel);
        assert_eq!(off["enabled"], false, "{off}");
        let why = "its target answered that it is gone for good (HTTP 410: channel_is_archived)";
        assert_eq!(off["disabled_reason"], why);
        // It hears of nothing more, until someone switches it on: a change of its name does not.
        server.ping(&check, "");
        let path = format!("/channels/{}", channel["id"].as_str().unwrap());
        let change = |body: Value| server.api("PUT", &path, Some(&body)).json();
        assert_eq!(change(json!({"name": "new"}))["disabled_reason"], why);
        assert_eq!(change(json!({"enabled": false}))["disabled_reason"], why);
        assert_eq!(server.deliveries(&channel).len(), 1);
        let hook = Hook::start();
        let on = change(json!({"target": hook.url, "enabled": true}));
        assert_eq!(on["enabled"], true);
        assert_eq!(on["disabled_reason"], NONE);
        server.ping(&check, "/fail");
        hook.wait(1);
        assert_eq!(gone.received().len(), 1);
    }
}

#[test]
fn what_waits_when_a_target_is_gone_for_good_goes_to_the_next_one() {
    let mut server = Server::start();
    let hook = Hook::start();
    hook.behave(Manner::Status(503));
    let channel = server.webhook("ops", &hook.url, None);
    let check = server.check("job", 3600, 300, &NONE);
    server.ping(&check, "/fail");
    tried(&server, &channel, 1);
    server.ping(&check, "");
    hook.behave(Manner::Status(410));
    server.let_time_come(|_| {});
    // The recovery waits for the failure to be told, which is never to be.
    wait_for("the channel to be off", || {
        (shown(&server, &channel)["enabled"] == false).then_some(())
    });
    assert_eq!(shown(&server, &channel)["pending"], 1);
    hook.behave(Manner::Status(200));
    let path = format!("/channels/{}", channel["id"].as_str().unwrap());
    server.api("PUT", &path, Some(&json!({"enabled": true})));
    let newest = wait_for("the recovery", || {
        let told = hook.received().pop()?;
        (told.event() == "check.up").then_some(told)
    });
    assert_eq!(newest.json()["check"]["slug"], "job");
}

#[test]
fn an_alert_that_a_target_never_takes_holds_up_no_other() {
    let mut server = Server::start();
    let stub = Stub::new(|received| match received.json()["check"]["slug"].as_str() {
        Some("poison") => Reply::text(500, "can't read that"),
        _ => Reply::text(200, "ok"),
    });
    let channel = server.webhook("ops", &stub.url(), None);
    let poison = server.check("poison", 3600, 300, &NONE);
    server.ping(&poison, "/fail");
    for times in 1..=4 {
        tried(&server, &channel, times);
        server.let_time_come(|_| {});
    }
    tried(&server, &channel, 5);
    // By now the target is left alone but for one attempt now and then.
    let good = server.check("good", 3600, 300, &NONE);
    server.ping(&good, "/fail");
    server.let_time_come(|_| {});
    wait_for("the other alert", || {
        let newest = server.deliveries(&channel).remove(0);
        (newest["state"] == "delivered").then_some(())
    });
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
    let channel = server.webhook("ops", &hook.url, None);
    let check = server.check("beat", 3600, 0, &NONE);
    server.ping(&check, "");
    server.let_pass(&check, 7_200);
    assert_eq!(hook.wait(1)[0].event(), "check.down");
    // What the server could not note would be sent again, rightly.
    wait_for("the delivery to be noted", || {
        (server.deliveries(&channel)[0]["state"] == "delivered").then_some(())
    });
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
    let check = server.check("job", 3600, 0, &NONE);
    server.ping_with(&check, "", &[("x-pakyas-age", "3599900")], b"");
    server.wait_for_status(&check, "down");
    hook.wait(1);
    // It had succeeded in time: only the news of it was under way for too long.
    let down_at = hook.received()[0].json()["alert"]["triggered_at"].clone();
    let down_at: jiff::Timestamp = down_at.as_str().unwrap().parse().unwrap();
    let age = jiff::Timestamp::now().duration_since(down_at).as_millis() + 1_800_000;
    server.ping_with(&check, "", &[("x-pakyas-age", &age.to_string())], b"");
    let alert = hook.wait(2)[1].json();
    assert_eq!(alert["event"], "check.up");
    assert_eq!(alert["alert"]["type"], "reported_late");
    let message = alert["alert"]["message"].as_str().unwrap();
    assert!(message.contains("reported late"), "{message}");
}

#[test]
fn a_target_that_takes_nothing_is_left_alone_and_gets_everything_once_it_is_back() {
    const CHECKS: usize = 40;
    let mut server = Server::start();
    let hook = Hook::start();
    hook.behave(Manner::Status(503));
    let channel = server.webhook("ops", &hook.url, None);
    let checks: Vec<Value> = (0..CHECKS)
        .map(|number| server.check(&format!("job-{number}"), 3600, 300, &NONE))
        .collect();
    for check in &checks {
        server.ping(check, "/fail");
    }
    let shown = |server: &Server| server.api("GET", "/channels", None).json()[0].clone();
    let tried = |server: &Server| -> u64 {
        let list = server.deliveries(&channel);
        list.iter().map(|d| d["attempts"].as_u64().unwrap()).sum()
    };
    wait_for("three attempts", || (tried(&server) >= 3).then_some(()));
    server.ping(&checks[0], "");
    // Three in a row, and one more that was under way.
    assert!(hook.received().len() <= 4, "{}", hook.received().len());
    let list = server.deliveries(&channel);
    assert_eq!(list.len(), CHECKS + 1);
    assert!(list.iter().all(|delivery| delivery["state"] == "pending"));
    assert!(shown(&server)["failing_since"].is_string());
    assert_eq!(shown(&server)["pending"], CHECKS + 1);
    // A restart forgets nothing of it.
    server.restart();
    assert!(hook.received().len() <= 4, "{}", hook.received().len());

    // One probe that fails is all that happens.
    let before = tried(&server);
    server.let_time_come(|_| {});
    wait_for("the probe", || (tried(&server) > before).then_some(()));
    assert_eq!(tried(&server), before + 1);
    hook.behave(Manner::Status(200));
    server.let_time_come(|_| {});
    wait_for("everything", || {
        let list = server.deliveries(&channel);
        let delivered = list.iter().filter(|d| d["state"] == "delivered").count();
        (delivered == CHECKS + 1).then_some(())
    });
    assert_eq!(shown(&server)["failing_since"], json!(null));
    assert!(shown(&server)["last_delivery_at"].is_string());
    // In order: the recovery is the last that was told of its check.
    let told = hook.received();
    let of_first = |told: &&support::stub::Received| told.json()["check"]["slug"] == "job-0";
    assert_eq!(told.iter().rfind(of_first).unwrap().event(), "check.up");
}

#[test]
fn hundreds_of_alerts_for_a_target_that_hangs_hold_up_no_other() {
    let server = Server::start();
    let (hanging, fine) = (Hook::start(), Hook::start());
    hanging.behave(Manner::Hang);
    server.webhook("hanging", &hanging.url, None);
    let checks: Vec<Value> = (0..300)
        .map(|number| server.check(&format!("job-{number}"), 3600, 300, &NONE))
        .collect();
    for check in &checks {
        server.ping(check, "/fail");
    }
    hanging.wait(1);
    server.webhook("fine", &fine.url, None);
    server.ping(&checks[299], "");
    assert_eq!(fine.wait(1)[0].event(), "check.up");
}

#[test]
fn a_pause_that_the_target_asks_for_is_kept() {
    let server = Server::start();
    let stub = Stub::new(|_| Reply::text(429, "slow down").with("Retry-After", "600"));
    let channel = server.webhook("ops", &stub.url(), None);
    let check = server.check("job", 3600, 300, &NONE);
    server.ping(&check, "/fail");
    let delivery = wait_for("the attempt", || {
        let newest = server.deliveries(&channel).remove(0);
        (newest["attempts"] == 1).then_some(newest)
    });
    let time =
        |name: &str| -> jiff::Timestamp { delivery[name].as_str().unwrap().parse().unwrap() };
    let pause = time("next_attempt_at").duration_since(time("last_attempt_at"));
    assert_eq!(pause.as_secs(), 600);
    assert_eq!(delivery["last_answer"], "HTTP 429: slow down");
}

#[test]
fn a_redirect_is_not_followed() {
    let server = Server::start();
    let elsewhere = Hook::start();
    let stub = Stub::new({
        let url = elsewhere.url.clone();
        move |_| Reply::text(307, "").with("Location", &url)
    });
    let channel = server.webhook("ops", &stub.url(), None);
    let check = server.check("job", 3600, 300, &NONE);
    server.ping(&check, "/fail");
    wait_for("the attempt", || {
        let newest = server.deliveries(&channel).remove(0);
        (newest["last_answer"] == "HTTP 307").then_some(())
    });
    assert!(elsewhere.received().is_empty());
}

#[test]
fn slack_gets_blocks_and_a_text_with_nothing_in_it_that_slack_would_act_upon() {
    let server = Server::start();
    let hook = Hook::start();
    let url = format!("{}/T0/s3cret", hook.url);
    let channel = server.channel("slack", "chat", &url, &NONE);
    assert!(!channel.to_string().contains("s3cret"), "{channel}");
    let check = server.check("job", 3600, 300, &json!({"name": "<!channel> & co"}));
    server.ping_with(&check, "/3", &[], b"``` <no> space\n");
    let body = hook.wait(1)[0].json();
    assert_eq!(
        body["text"],
        "&lt;!channel&gt; &amp; co failed with exit code 3"
    );
    let blocks = body["blocks"].as_array().unwrap();
    assert_eq!(blocks[0]["type"], "header");
    let output = blocks.last().unwrap()["text"]["text"].as_str().unwrap();
    assert_eq!(output, "```\n''' &lt;no&gt; space\n```");
}

#[test]
fn a_storm_is_a_digest_in_slack_and_each_alert_at_a_webhook() {
    const CHECKS: usize = 60;
    let mut server = Server::start();
    let (chat, machine) = (Hook::start(), Hook::start());
    // What gathers while Slack takes nothing is told in one message.
    chat.behave(Manner::Status(503));
    let channel = server.channel("slack", "chat", &chat.url, &NONE);
    server.webhook("machine", &machine.url, None);
    let checks: Vec<Value> = (0..CHECKS)
        .map(|number| server.check(&format!("job-{number}"), 3600, 300, &NONE))
        .collect();
    for check in &checks {
        server.ping(check, "/fail");
    }
    machine.wait(CHECKS);
    server.kill();
    let before = chat.received().len();
    chat.behave(Manner::Status(200));
    server.let_time_come(|_| {});
    wait_for("all to be told", || {
        let list = server.deliveries(&channel);
        assert_eq!(list.len(), CHECKS);
        list.iter()
            .all(|delivery| delivery["state"] == "delivered")
            .then_some(())
    });
    let told = chat.received().split_off(before);
    assert_eq!(told.len(), 1);
    let text = told[0].json()["text"].clone();
    assert_eq!(text, format!("{CHECKS} checks: {CHECKS} failed"));
}

#[test]
fn a_channel_of_one_check_hears_of_no_other() {
    let server = Server::start();
    let hook = Hook::start();
    let mine = server.check("mine", 3600, 300, &NONE);
    let other = server.check("other", 3600, 300, &NONE);
    server.channel(
        "webhook",
        "one",
        &hook.url,
        &json!({"check_id": mine["id"]}),
    );
    server.ping(&other, "/fail");
    server.ping(&mine, "/fail");
    assert_eq!(hook.wait(1)[0].json()["check"]["slug"], "mine");
    let body = json!({
        "org_id": server.org_id, "kind": "webhook", "name": "both", "target": hook.url,
        "check_id": mine["id"], "project_id": server.project_id,
    });
    let answer = server.api("POST", "/channels", Some(&body));
    assert_eq!(answer.json()["field"], "check_id");
}

#[test]
fn a_channel_is_changed_switched_off_and_on_again() {
    let server = Server::start();
    let (old, new) = (Hook::start(), Hook::start());
    let channel = server.webhook("ops", &old.url, Some("s3cret"));
    let path = format!("/channels/{}", channel["id"].as_str().unwrap());
    let change = |body: Value| server.api("PUT", &path, Some(&body)).json();
    let changed = change(json!({"name": "pager", "target": new.url, "secret": ""}));
    assert_eq!(changed["name"], "pager");
    assert_eq!(changed["has_secret"], false);
    assert_eq!(change(json!({"target": "nowhere"}))["field"], "target");
    assert_eq!(change(json!({"enabled": false}))["enabled"], false);
    let check = server.check("job", 3600, 300, &NONE);
    server.ping(&check, "/fail");
    assert_eq!(change(json!({"enabled": true}))["enabled"], true);
    server.ping(&check, "");
    assert_eq!(new.wait(1)[0].event(), "check.up");
    assert!(old.received().is_empty());
    assert_eq!(server.deliveries(&channel).len(), 1);
}

#[test]
fn what_waits_for_a_target_goes_to_the_new_one_at_once() {
    let server = Server::start();
    let (broken, good) = (Hook::start(), Hook::start());
    broken.behave(Manner::Status(500));
    let channel = server.webhook("ops", &broken.url, None);
    let check = server.check("job", 3600, 300, &NONE);
    server.ping(&check, "/fail");
    wait_for("the attempt", || {
        (server.deliveries(&channel)[0]["attempts"] == 1).then_some(())
    });
    let path = format!("/channels/{}", channel["id"].as_str().unwrap());
    let body = json!({"target": good.url});
    assert_eq!(server.api("PUT", &path, Some(&body)).status, 200);
    assert_eq!(good.wait(1)[0].event(), "check.failed");
}

#[test]
fn switching_a_channel_off_and_on_uses_up_none_of_an_alerts_retries() {
    let mut server = Server::start();
    let hook = Hook::start();
    hook.behave(Manner::Status(503));
    let channel = server.webhook("ops", &hook.url, None);
    let path = format!("/channels/{}", channel["id"].as_str().unwrap());
    let check = server.check("job", 3600, 300, &NONE);
    server.ping(&check, "/fail");
    let tried = |server: &Server, times: u64| {
        wait_for("the attempt", || {
            Some(server.deliveries(&channel)[0].clone()).filter(|d| d["attempts"] == times)
        })
    };
    tried(&server, 1);
    for times in 2..=6 {
        for enabled in [false, true] {
            let body = json!({ "enabled": enabled });
            assert_eq!(server.api("PUT", &path, Some(&body)).status, 200);
        }
        assert_eq!(tried(&server, times)["state"], "pending");
    }
    // 1 minute, 5 and 15 from the last time on; then the target has taken nothing for so long that
    // it waits for a day.
    for times in 7..=10 {
        server.let_time_come(|_| {});
        assert_eq!(tried(&server, times)["state"], "pending");
    }
    hook.behave(Manner::Status(200));
    server.let_time_come(|_| {});
    assert_eq!(tried(&server, 11)["state"], "delivered");
}

#[test]
fn what_waits_for_a_target_that_changed_has_its_retries_still() {
    let mut server = Server::start();
    let hook = Hook::start();
    hook.behave(Manner::Status(503));
    let channel = server.webhook("ops", &hook.url, None);
    let check = server.check("job", 3600, 300, &NONE);
    server.ping(&check, "/fail");
    let newest = |server: &Server, times: u64| {
        wait_for("the attempt", || {
            let delivery = server.deliveries(&channel)[0].clone();
            (delivery["attempts"] == times).then_some(delivery)
        })
    };
    newest(&server, 1);
    for times in 2..=5 {
        server.let_time_come(|_| {});
        newest(&server, times);
    }
    // It goes elsewhere, where the first attempt fails as well.
    let other = Hook::start();
    other.behave(Manner::Status(503));
    let path = format!("/channels/{}", channel["id"].as_str().unwrap());
    let body = json!({"target": other.url});
    assert_eq!(server.api("PUT", &path, Some(&body)).status, 200);
    assert_eq!(newest(&server, 6)["state"], "pending");
}

#[test]
fn a_database_of_before_keeps_its_channels_and_what_waits_for_them() {
    let hook = Hook::start();
    let directory = support::TempDir::new();
    // What the first version wrote, with an alert that was not delivered yet.
    let db = rusqlite::Connection::open(directory.path().join("pakyas.db")).unwrap();
    db.execute_batch(include_str!("../../src/server/store/migrations/0001.sql"))
        .unwrap();
    db.pragma_update(None, "user_version", 1).unwrap();
    db.execute_batch(&format!(
        "INSERT INTO organization VALUES (x'01010101010101010101010101010101', 'Old', 'UTC', 0);
         INSERT INTO project VALUES (x'02020202020202020202020202020202', x'01010101010101010101010101010101', 'P', 'p', NULL, 0, 0, NULL);
         INSERT INTO check_ (row, id, public_id, org_id, project_id, name, slug, tags,
             period_seconds, grace_seconds, miss_threshold, fail_threshold, created_at,
             updated_at, status, status_since, failures, runs, ended_runs)
         VALUES (1, randomblob(16), randomblob(16), x'01010101010101010101010101010101', x'02020202020202020202020202020202', 'C', 'c', '[]',
             3600, 60, 1, 1, 0, 0, 'new', 0, 0, '[]', '[]');
         INSERT INTO channel VALUES
             (1, randomblob(16), x'01010101010101010101010101010101', NULL, 'webhook', 'ops', '{}', NULL, 0);
         INSERT INTO alert VALUES (1, randomblob(16), 1, 'check.failed', 0, '{{\"kept\": true}}');
         INSERT INTO delivery VALUES (1, 1, 1, 1, 'pending', 0, 0, NULL, NULL);",
        hook.url
    ))
    .unwrap();
    drop(db);
    let _server = Server::bare(&directory);
    assert_eq!(hook.wait(1)[0].json(), json!({"kept": true}));
}

#[test]
fn a_key_of_another_organization_can_do_nothing_with_a_channel() {
    let (mine, other) = (Server::start(), Server::start());
    let channel = mine.webhook("ops", "http://127.0.0.1:1/", None);
    let path = format!("/channels/{}", channel["id"].as_str().unwrap());
    for (method, path, body) in [
        ("GET", path.clone(), None),
        ("PUT", path.clone(), Some(json!({"enabled": false}))),
        ("GET", format!("{path}/deliveries"), None),
    ] {
        other.api(method, &path, body.as_ref()).refusal(404);
    }
    for limit in ["0", "1001", "x"] {
        mine.api("GET", &format!("{path}/deliveries?limit={limit}"), None)
            .refusal(400);
    }
}

#[test]
fn of_an_answer_that_is_too_long_or_breaks_off_the_beginning_is_told() {
    let server = Server::start();
    let long = Stub::new(|_| Reply::text(500, &format!("out of order {}", "x".repeat(50_000))));
    let broken = Stub::new(|_| {
        Reply::Raw(b"HTTP/1.1 500 No\r\nContent-Length: 99\r\n\r\nout of order".to_vec())
    });
    for (name, stub) in [("long", long), ("broken", broken)] {
        let channel = server.webhook(name, &format!("{}/hook", stub.url()), None);
        let path = format!("/channels/{}/test", channel["id"].as_str().unwrap());
        let answer = server.api("POST", &path, None).json()["answer"].to_string();
        assert!(answer.starts_with("\"out of order"), "{name}: {answer}");
        assert!(answer.len() < 1100, "{name}: {answer}");
    }
}

#[test]
fn how_a_deleted_channel_fared_is_no_word_about_the_one_made_in_its_place() {
    let server = Server::start();
    let right = Hook::start();
    let (came, arrival) = mpsc::channel();
    let (release, gate) = mpsc::channel::<()>();
    let gate = Mutex::new((came, gate));
    // Takes what it is sent once it is let, and not before.
    let wrong = Stub::new(move |_| {
        let (came, gate) = &*gate.lock().unwrap();
        let _ = came.send(());
        let _ = gate.recv();
        Reply::text(200, "ok")
    });
    let channel = server.webhook("ops", &wrong.url(), None);
    let check = server.check("job", 3600, 300, &NONE);
    server.ping(&check, "/fail");
    arrival.recv_timeout(support::PATIENCE).unwrap();
    // The database gives the numbers of what was newest and is gone once more.
    let path = format!("/channels/{}", channel["id"].as_str().unwrap());
    server.api("DELETE", &path, None);
    server.webhook("ops", &right.url, None);
    server.ping(&check, "");
    drop(release);
    assert_eq!(right.wait(1)[0].event(), "check.up");
}

#[test]
fn the_command_line_says_why_a_channel_is_off() {
    let server = Server::start();
    let gone = Hook::start();
    gone.behave(Manner::Status(410));
    let channel = server.webhook("ops", &gone.url, None);
    let check = server.check("job", 3600, 300, &NONE);
    server.ping(&check, "/fail");
    tried(&server, &channel, 1);
    let home = Home::at(&server.url).with("PAKYAS_API_KEY", &server.key);
    let why = "disabled: its target answered that it is gone for good (HTTP 410: ok)";
    home.pakyas("channel list").exits(0).shows(why);
    home.pakyas("channel deliveries ops")
        .exits(0)
        .says("gone for good (HTTP 410: ok)")
        .says("pakyas channel update \"ops\" --enable");
    home.pakyas("channel update ops --enable").exits(0);
    let list = home.pakyas("channel list --format json").exits(0).json();
    assert_eq!(list[0]["disabled_reason"], NONE);
}
