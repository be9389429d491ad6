//! Clients that this project did not write: what they send is taken, and what they decode is what
//! they get. The types are theirs: 32 bits with a sign where they have them.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::support;
use crate::support::hook::Hook;
use crate::support::server::{Answer, Server};

/// A check as the official client has it; it can't do without the fields that are no options.
#[derive(Debug, Deserialize)]
#[allow(dead_code, reason = "that they are there is what counts")]
struct Check {
    period_seconds: i32,
    missing_after_seconds: i32,
    consecutive_failures: i32,
    missed_before_alert: i32,
    max_runtime_seconds: Option<i32>,
    alert_after_failures: Option<i32>,
}

#[derive(Debug, Deserialize)]
struct Pings {
    pings: Vec<Ping>,
    total: i64,
}

#[derive(Debug, Deserialize)]
struct Ping {
    id: i64,
    duration_ms: Option<i32>,
}

#[derive(Debug, Deserialize)]
struct Events {
    events: Vec<Event>,
}

#[derive(Debug, Deserialize)]
struct Event {
    id: i64,
    event_type: String,
    summary: String,
}

#[derive(Debug, Deserialize)]
struct Inspection {
    schedule: Schedule,
    last_signal: Option<Signal>,
}

#[derive(Debug, Deserialize)]
struct Schedule {
    period_seconds: i32,
}

#[derive(Debug, Deserialize)]
struct Signal {
    duration_ms: Option<i32>,
}

fn decoded<T: DeserializeOwned>(answer: &Answer) -> T {
    serde_json::from_str(&answer.body).unwrap_or_else(|why| panic!("{why}: {answer:?}"))
}

fn path(check: &Value, rest: &str) -> String {
    format!("/checks/{}{rest}", check["id"].as_str().unwrap())
}

fn get<T: DeserializeOwned>(server: &Server, check: &Value, rest: &str) -> T {
    decoded(&server.api("GET", &path(check, rest), None))
}

#[test]
fn a_cron_expression_has_a_period_that_every_client_can_decode() {
    let server = Server::start();
    for (slug, cron, gap) in [
        ("daily", "0 2 * * *", 86_400),
        ("twice", "0,20 3 * * *", 1_200),
        ("yearly", "0 0 1 1 *", 365 * 86_400),
    ] {
        let check = server.check(slug, 60, 7, &json!({ "cron_expression": cron }));
        let shown: Check = get(&server, &check, "");
        assert_eq!(shown.period_seconds, gap, "{cron}");
        let inspected: Inspection = get(&server, &check, "/inspect");
        assert_eq!(inspected.schedule.period_seconds, gap, "{cron}");
    }
    let all: Vec<Check> = decoded(&server.api("GET", "/checks", None));
    assert_eq!(all.len(), 3);
}

#[test]
fn ids_of_pings_and_events_are_integers_that_grow_and_no_two_events_share_one() {
    let server = Server::start();
    let check = server.check("job", 3600, 60, &Value::Null);
    for suffix in ["/start", "", "/fail", ""] {
        server.ping(&check, suffix);
    }
    let page: Pings = get(&server, &check, "/pings");
    assert_eq!((page.pings.len(), page.total), (4, 4));
    assert!(page.pings.is_sorted_by(|newer, older| newer.id > older.id));
    let page: Events = get(&server, &check, "/events?types=state");
    assert!(page.events.is_sorted_by(|newer, older| newer.id > older.id));
    let page: Events = get(&server, &check, "/events");
    let ids: std::collections::HashSet<i64> = page.events.iter().map(|event| event.id).collect();
    assert_eq!(ids.len(), page.events.len());
}

#[test]
fn an_id_that_an_older_server_gave_still_leads_to_its_output() {
    let server = Server::start();
    let check = server.check("job", 3600, 60, &Value::Null);
    server.ping_with(&check, "/fail", &[], b"disk full");
    // The dashboard's page of a run is called as the API called it before.
    let dashed = "9e3779b9-7f4b-8000-8000-000000000000";
    let output = server.api("GET", &path(&check, &format!("/pings/{dashed}/body")), None);
    assert_eq!(output.body, "disk full");
    for bad in ["1", "x", "-2", "99999999999999999999"] {
        let path = path(&check, &format!("/pings/{bad}/body"));
        server.api("GET", &path, None).refusal(404);
    }
}

#[test]
fn a_duration_of_over_24_days_is_refused_and_one_that_was_measured_here_still_fits() {
    let mut server = Server::start();
    let check = server.check("job", 3600, 60, &Value::Null);
    let long = |millis: &str| server.ping_with(&check, "", &[("x-pakyas-duration", millis)], b"");
    assert_eq!(long("2147483647").status, 200);
    long("2147483648").refusal(422);
    let inspected: Inspection = get(&server, &check, "/inspect");
    assert_eq!(
        inspected.last_signal.unwrap().duration_ms,
        Some(2_147_483_647)
    );
    // A start that is a month older than its end.
    server.kill();
    let database = rusqlite::Connection::open(server.database()).unwrap();
    let longer = "UPDATE ping SET duration_ms = 3000000000";
    assert_eq!(database.execute(longer, []).unwrap(), 1);
    let longer = "UPDATE check_ SET last_duration_ms = 3000000000";
    assert_eq!(database.execute(longer, []).unwrap(), 1);
    drop(database);
    server.restart();
    let page: Pings = get(&server, &check, "/pings");
    assert_eq!(page.pings[0].duration_ms, Some(i32::MAX));
    assert_eq!(server.show(&check)["last_duration_ms"], i32::MAX);
    let inspected: Inspection = get(&server, &check, "/inspect");
    assert_eq!(inspected.last_signal.unwrap().duration_ms, Some(i32::MAX));
    let events = server
        .api("GET", &path(&check, "/events?types=signal"), None)
        .json();
    assert_eq!(events["events"][0]["payload"]["duration_ms"], i32::MAX);
}

#[test]
fn paused_may_be_said_when_a_check_is_made_and_when_it_is_changed() {
    let server = Server::start();
    let check = server.check("job", 1, 0, &json!({ "paused": true }));
    assert_eq!(
        (&check["paused"], &check["status"]),
        (&json!(true), &json!("paused"))
    );
    let put = |body: Value| server.api("PUT", &path(&check, ""), Some(&body)).json();
    // Another field leaves it as it is, and so does the same again.
    assert_eq!(put(json!({"name": "renamed"}))["paused"], true);
    assert_eq!(put(json!({"paused": true}))["status"], "paused");
    assert_eq!(put(json!({"paused": false}))["paused"], false);
    server.ping(&check, "");
    server.wait_for_status(&check, "down");
    // A check that was down is not begun anew by saying that it is not paused.
    assert_eq!(put(json!({"paused": false}))["status"], "down");
    assert_eq!(put(json!({"paused": true}))["status"], "paused");
}

#[test]
fn a_check_keeps_the_public_id_that_it_had_elsewhere() {
    let server = Server::start();
    let id = "550e8400-e29b-41d4-a716-446655440000";
    let check = server.check("job", 3600, 60, &json!({ "public_id": id }));
    assert_eq!(check["public_id"], id);
    assert_eq!(check["ping_url"], format!("{}/{id}", server.url));
    let ping = server.request("GET", &format!("/{id}"), &[], b"").unwrap();
    assert_eq!(ping.status, 200);
    let with = |slug: &str, id: &str| {
        json!({"project_id": server.project_id, "name": slug, "slug": slug,
               "period_seconds": 60, "public_id": id})
    };
    let post = |body: &Value| server.api("POST", "/checks", Some(body));
    let taken = post(&with("other", id));
    taken.refusal(409);
    assert_eq!(taken.json()["field"], "public_id");
    // Its pings may still come, so it stays taken.
    server.api("DELETE", &path(&check, ""), None);
    post(&with("other", id)).refusal(409);
    post(&with("nil", "00000000-0000-0000-0000-000000000000")).refusal(422);
    let weak = server.administer(&[
        "key",
        "create",
        "weak",
        "--org",
        "Acme",
        "--scopes",
        "read,write",
    ]);
    let authorization = format!("Bearer {}", weak["key"].as_str().unwrap());
    let other = with("other", "550e8400-e29b-41d4-a716-446655440001").to_string();
    let headers = [("authorization", authorization.as_str())];
    let refused = server.request("POST", "/api/v1/checks", &headers, other.as_bytes());
    let sentence = refused.unwrap().refusal(403);
    assert!(sentence.contains("'manage'"), "{sentence}");
}

#[test]
fn a_project_in_a_query_is_an_id_a_slug_or_a_name() {
    let server = Server::start();
    let project = json!({"org_id": server.org_id, "name": "Night Jobs"});
    let project = server.api("POST", "/projects", Some(&project)).json();
    let check = server.check("job", 60, 0, &json!({ "project_id": project["id"] }));
    server.check("other", 60, 0, &Value::Null);
    let id = project["id"].as_str().unwrap();
    for named in [id, "night-jobs", "Night%20Jobs", "night+jobs"] {
        let path = format!("/checks?project_id={named}");
        let found = server.api("GET", &path, None).json();
        assert_eq!(found.as_array().unwrap().len(), 1, "{named}: {found}");
        assert_eq!(found[0]["id"], check["id"]);
    }
    for missing in ["nowhere", "00000000-0000-0000-0000-00000000000a"] {
        let path = format!("/checks?project_id={missing}");
        server.api("GET", &path, None).refusal(404);
    }
}

#[test]
fn summaries_have_the_words_by_which_the_official_tail_tells_good_from_bad() {
    let server = Server::start();
    let hook = Hook::start();
    let channel = server.webhook("ops", &hook.url, None);
    let check = server.check("job", 3600, 60, &Value::Null);
    server.ping(&check, "");
    server.ping(&check, "/fail");
    support::wait_for("the delivery", || {
        (server.deliveries(&channel).first()?["state"] == "delivered").then_some(())
    });
    let page: Events = get(&server, &check, "/events");
    let said = |wanted: &str| -> Vec<&str> {
        let of_type = page
            .events
            .iter()
            .filter(|event| event.event_type == wanted);
        of_type.map(|event| event.summary.as_str()).collect()
    };
    let ends = said("run_finished");
    assert!(
        ends[0].contains("failed") && !ends[0].contains("success"),
        "{ends:?}"
    );
    assert!(
        ends[1].contains("success") && !ends[1].contains("failed"),
        "{ends:?}"
    );
    let alerts = said("alert_decision");
    assert!(alerts[0].contains("sent"), "{alerts:?}");
}

#[test]
fn an_alert_that_went_nowhere_is_not_called_sent() {
    let server = Server::start();
    let check = server.check("job", 3600, 60, &Value::Null);
    server.ping(&check, "/fail");
    let page: Events = get(&server, &check, "/events?types=alert");
    assert!(!page.events[0].summary.contains("sent"), "{page:?}");
    assert!(!page.events[0].summary.contains("fired"), "{page:?}");
}
