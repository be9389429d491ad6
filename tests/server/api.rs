//! The management API from outside: who may, what is accepted, what is refused and how.

use crate::support;
use crate::support::server::Server;
use serde_json::{Value, json};

const NONE: Value = Value::Null;

/// Every field that API.md lists for a check.
const CHECK_FIELDS: &str = "id public_id project_id project_name name slug description tags \
    schedule_type period_seconds cron_expression timezone missing_after_seconds grace_seconds \
    max_runtime_seconds alert_after_miss_pings alert_after_fail_pings missed_before_alert \
    alert_after_failures consecutive_missed_pings consecutive_failures status paused running \
    last_ping_at last_start_at last_duration_ms next_ping_expected_at ping_url created_at \
    updated_at soft_deleted";

fn fields(value: &Value) -> Vec<&str> {
    value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}

fn all_there(value: &Value, names: &str) {
    for name in names.split_whitespace() {
        assert!(value.get(name).is_some(), "{name} is missing: {value}");
    }
}

#[test]
fn me_says_whose_key_it_is_and_where_pings_go() {
    let server = Server::start();
    let me = server.api("GET", "/me", None).json();
    assert_eq!(me["organization_id"], server.org_id);
    assert_eq!(me["org_id"], server.org_id);
    assert_eq!(me["organization_name"], "Acme");
    assert_eq!(me["org_name"], "Acme");
    assert_eq!(me["email"], "me@example.com");
    assert_eq!(me["scopes"], json!(["read", "write", "manage"]));
    assert_eq!(me["ping_url_base"], server.url);
    let organizations = server.api("GET", "/organizations", None).json();
    all_there(&organizations[0], "id name timezone user_role");
    assert_eq!(organizations[0]["user_role"], "owner");
}

#[test]
fn without_a_good_key_nothing_is_told_and_nothing_changes() {
    let server = Server::start();
    let body = json!({"org_id": server.org_id, "name": "Sneaky"}).to_string();
    for key in ["", "Bearer", "Bearer ", "Bearer pk_live_wrong", "Basic abc"] {
        for (method, path) in [
            ("GET", "/me"),
            ("GET", "/checks"),
            ("POST", "/projects"),
            ("GET", "/no-such-route"),
            ("DELETE", "/me"),
        ] {
            let answer = server
                .request(
                    method,
                    &format!("/api/v1{path}"),
                    &[("authorization", key)],
                    body.as_bytes(),
                )
                .unwrap();
            let sentence = answer.refusal(401);
            assert!(sentence.contains("API key"), "{sentence}");
            assert_eq!(answer.header("www-authenticate"), "Bearer");
        }
    }
    assert_eq!(
        server
            .api("GET", "/projects", None)
            .json()
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[test]
fn a_key_of_another_organization_is_told_apart() {
    let server = Server::start();
    let wanted = "00000000-0000-4000-8000-000000000000";
    let authorization = format!("Bearer {}", server.key);
    let headers = [
        ("authorization", authorization.as_str()),
        ("x-pakyas-org", wanted),
    ];
    let answer = server.request("GET", "/api/v1/me", &headers, b"").unwrap();
    assert_eq!(answer.status, 403);
    assert_eq!(
        answer.json(),
        json!({"error": "ORG_KEY_MISMATCH", "key_org_name": "Acme", "requested_org_id": wanted})
    );
    for path in ["/projects", "/checks", "/channels"] {
        let path = format!("{path}?org_id={wanted}");
        server.api("GET", &path, None).refusal(404);
    }
}

#[test]
fn a_check_has_every_field_of_the_contract() {
    let server = Server::start();
    let check = server.check(
        "nightly",
        86_400,
        3_600,
        &json!({
            "description": "d", "tags": ["a", "b"], "max_runtime_seconds": 60,
            "alert_after_miss_pings": 2, "alert_after_failures": 3,
        }),
    );
    all_there(&check, CHECK_FIELDS);
    assert_eq!(
        fields(&check).len(),
        CHECK_FIELDS.split_whitespace().count()
    );
    assert_eq!(check["schedule_type"], "simple");
    assert_eq!(check["missing_after_seconds"], 3_600);
    assert_eq!(check["missed_before_alert"], 2);
    assert_eq!(check["alert_after_fail_pings"], 3);
    assert_eq!(check["status"], "new");
    assert_eq!(check["project_name"], "Production");
    let ping_url = format!("{}/{}", server.url, check["public_id"].as_str().unwrap());
    assert_eq!(check["ping_url"], ping_url);
    assert_eq!(server.show(&check), check);
    let list = server
        .api(
            "GET",
            &format!("/checks?project_id={}", server.project_id),
            None,
        )
        .json();
    assert_eq!(list, json!([check]));
    assert_eq!(server.api("GET", "/checks", None).json(), list);
}

#[test]
fn a_grace_that_is_left_out_is_none_and_one_that_is_null_is_chosen() {
    let server = Server::start();
    for (slug, name, null, grace) in [
        ("a", "grace_seconds", false, 0),
        ("b", "grace_seconds", true, 360),
        ("c", "missing_after_seconds", true, 360),
    ] {
        let mut body = json!({"project_id": server.project_id, "name": "n", "slug": slug,
                              "period_seconds": 3600});
        if null {
            body[name] = Value::Null;
        }
        let check = server.api("POST", "/checks", Some(&body)).json();
        assert_eq!(check["grace_seconds"], grace, "{slug}");
    }
}

#[test]
fn values_out_of_bounds_are_422_name_the_field_and_create_nothing() {
    let server = Server::start();
    let long = "x".repeat(101);
    for (field, value) in [
        ("slug", json!("Daily Backup")),
        ("slug", json!("my.job.name")),
        ("slug", json!("")),
        ("slug", json!(long)),
        ("name", json!("")),
        ("name", json!("   ")),
        ("name", json!(long)),
        ("description", json!("x".repeat(501))),
        ("period_seconds", json!(0)),
        ("period_seconds", json!(31_622_401)),
        ("period_seconds", json!(null)),
        ("grace_seconds", json!(31_622_401)),
        ("max_runtime_seconds", json!(0)),
        ("alert_after_miss_pings", json!(0)),
        ("alert_after_fail_pings", json!(101)),
    ] {
        let mut body = json!({"project_id": server.project_id, "name": "n", "slug": "n", "period_seconds": 60});
        body[field] = value.clone();
        let answer = server.api("POST", "/checks", Some(&body));
        answer.refusal(422);
        assert_eq!(answer.json()["field"], field, "{value}");
    }
    assert_eq!(server.api("GET", "/checks", None).json(), json!([]));
}

#[test]
fn bodies_that_are_not_the_json_asked_for_are_400_and_large_ones_413() {
    let server = Server::start();
    let authorization = format!("Bearer {}", server.key);
    let headers = [("authorization", authorization.as_str())];
    for body in ["{", "", "[]", "null", "\u{ff}", "{\"name\": \"n\"}"] {
        let answer = server
            .request("POST", "/api/v1/checks", &headers, body.as_bytes())
            .unwrap();
        assert!(answer.refusal(400).contains("JSON"), "{body}");
    }
    let large = vec![b' '; 70_000];
    server
        .request("POST", "/api/v1/checks", &headers, &large)
        .unwrap()
        .refusal(413);
    assert_eq!(server.api("GET", "/checks", None).json(), json!([]));
}

#[test]
fn a_value_that_no_field_takes_is_422_and_names_the_field() {
    let server = Server::start();
    let check = server.check("old", 60, 0, &NONE);
    let path = format!("/checks/{}", check["id"].as_str().unwrap());
    for (field, value, sentence) in [
        ("period_seconds", json!(-5), "from 0 on, not -5"),
        ("period_seconds", json!(1.5), "not 1.5"),
        ("period_seconds", json!("abc"), "not 'abc'"),
        ("grace_seconds", json!(true), "not true"),
        ("missing_after_seconds", json!(-1), "not -1"),
        ("max_runtime_seconds", json!([1]), "not a list"),
        (
            "alert_after_miss_pings",
            json!(5_000_000_000_u64),
            "too large",
        ),
        ("alert_after_failures", json!(-1), "not -1"),
        ("name", json!(7), "a text in quotes, not 7"),
        ("tags", json!("a"), "a list in brackets"),
        ("tags", json!([1]), "'tags'"),
        ("schedule_type", json!("weekly"), "`simple` or `cron`"),
        ("project_id", json!("x"), "a UUID"),
    ] {
        let mut body = json!({"project_id": server.project_id, "name": "n", "slug": "n", "period_seconds": 60});
        body[field] = value.clone();
        let answer = server.api("POST", "/checks", Some(&body));
        let said = answer.refusal(422);
        assert_eq!(answer.json()["field"], field, "{value}: {said}");
        assert!(said.contains(sentence), "{said}");
        if field != "project_id" {
            let answer = server.api("PUT", &path, Some(&json!({field: value})));
            answer.refusal(422);
            assert_eq!(answer.json()["field"], field, "{value}");
        }
    }
}

#[test]
fn of_two_names_for_one_value_the_one_that_was_used_is_named() {
    let server = Server::start();
    let check = server.check("old", 60, 7, &NONE);
    let path = format!("/checks/{}", check["id"].as_str().unwrap());
    for (field, value) in [
        ("missing_after_seconds", 31_622_401),
        ("grace_seconds", 31_622_401),
        ("missed_before_alert", 101),
        ("alert_after_miss_pings", 0),
        ("alert_after_failures", 0),
        ("alert_after_fail_pings", 101),
    ] {
        let mut body = json!({"project_id": server.project_id, "name": "n", "slug": "n", "period_seconds": 60});
        body[field] = json!(value);
        for answer in [
            server.api("POST", "/checks", Some(&body)),
            server.api("PUT", &path, Some(&json!({field: value}))),
        ] {
            answer.refusal(422);
            assert_eq!(answer.json()["field"], field);
        }
        let good = server.api("PUT", &path, Some(&json!({field: 9})));
        assert_eq!(good.json()[field], 9, "{good:?}");
    }
    assert_eq!(server.show(&check)["grace_seconds"], 9);
    let lacking = server.api("POST", "/checks", Some(&json!({"name": "n", "slug": "n"})));
    assert!(lacking.refusal(400).contains("'project_id'"));
}

#[test]
fn of_changes_at_once_none_undoes_another() {
    let server = Server::start();
    let check = server.check("job", 60, 7, &NONE);
    let path = format!("/checks/{}", check["id"].as_str().unwrap());
    for round in 0..10 {
        let changes = [
            json!({"name": format!("n{round}")}),
            json!({"period_seconds": 100 + round}),
            json!({"description": format!("d{round}")}),
            json!({"grace_seconds": 200 + round}),
        ];
        std::thread::scope(|scope| {
            for change in &changes {
                let (server, path) = (&server, &path);
                scope.spawn(move || assert_eq!(server.api("PUT", path, Some(change)).status, 200));
            }
        });
        let now = server.show(&check);
        for change in &changes {
            for (field, value) in change.as_object().unwrap() {
                assert_eq!(&now[field], value, "round {round}");
            }
        }
    }
}

#[test]
fn a_whole_check_that_is_sent_back_changes_in_what_is_new() {
    let server = Server::start();
    let check = server.check("job", 60, 7, &NONE);
    let path = format!("/checks/{}", check["id"].as_str().unwrap());
    let change = |field: &str, value: Value| {
        let mut whole = server.show(&check);
        whole[field] = value;
        let changed = server.api("PUT", &path, Some(&whole));
        assert_eq!(changed.status, 200, "{field}: {changed:?}");
        changed.json()
    };
    for (field, twin, value) in [
        ("grace_seconds", "missing_after_seconds", 99),
        ("missing_after_seconds", "grace_seconds", 98),
        ("missed_before_alert", "alert_after_miss_pings", 3),
        ("alert_after_miss_pings", "missed_before_alert", 4),
        ("alert_after_failures", "alert_after_fail_pings", 5),
        ("alert_after_fail_pings", "alert_after_failures", 6),
    ] {
        let changed = change(field, json!(value));
        assert_eq!(changed[field], value);
        assert_eq!(changed[twin], value);
    }
    let cron = change("cron_expression", json!("0 2 * * *"));
    assert_eq!(cron["schedule_type"], "cron");
    assert_eq!(cron["period_seconds"], 86_400);
    let named = change("name", json!("renamed"));
    assert_eq!(named["cron_expression"], "0 2 * * *");
    // The period of a cron expression is only shown: the one that was there counts again.
    let simple = server.api("PUT", &path, Some(&json!({"cron_expression": ""})));
    assert_eq!(simple.json()["cron_expression"], Value::Null);
    assert_eq!(simple.json()["period_seconds"], 60);
    change("cron_expression", json!("0 2 * * *"));
    let simple = change("schedule_type", json!("simple"));
    assert_eq!(simple["cron_expression"], Value::Null);
    assert_eq!(simple["period_seconds"], 60);
    let both = json!({"project_id": server.project_id, "name": "n", "slug": "n", "period_seconds": 60,
                      "schedule_type": "simple", "cron_expression": "0 2 * * *"});
    let refused = server.api("POST", "/checks", Some(&both));
    refused.refusal(422);
    assert_eq!(refused.json()["field"], "schedule_type");
}

#[test]
fn a_check_moves_to_another_project_with_the_windows_of_that_one() {
    let server = Server::start();
    let check = server.check("job", 60, 7, &NONE);
    let path = format!("/checks/{}", check["id"].as_str().unwrap());
    let project = json!({"org_id": server.org_id, "name": "Other"});
    let project = server.api("POST", "/projects", Some(&project)).json();
    let (now, hour) = (jiff::Timestamp::now(), jiff::SignedDuration::from_hours(1));
    let window = json!({"org_id": server.org_id, "project_id": project["id"], "reason": "move",
                        "starts_at": now - hour, "ends_at": now + hour});
    assert_eq!(
        server.api("POST", "/maintenance", Some(&window)).status,
        201
    );
    let moved = json!({"project_id": project["id"]});
    let answer = server.api("PUT", &path, Some(&moved));
    assert_eq!(answer.json()["project_name"], "Other", "{answer:?}");
    // Its failure is held, since the window is that of its project now.
    server.ping(&check, "/fail");
    let events = server.api("GET", &format!("{path}/events"), None).json();
    assert!(!events.to_string().contains("alert_decision"), "{events}");
    let inspected = server.api("GET", &format!("{path}/inspect"), None).json();
    assert_eq!(inspected["maintenance"]["in_maintenance"], true);
    let nowhere = json!({"project_id": "00000000-0000-4000-8000-000000000000"});
    server.api("PUT", &path, Some(&nowhere)).refusal(404);
}

#[test]
fn a_slack_channel_that_is_sent_back_as_it_is_shown_keeps_its_target() {
    let server = Server::start();
    let hook = support::hook::Hook::start();
    let target = format!("{}/services/T0/B0/secretpart", hook.url);
    let channel = server.channel("slack", "chat", &target, &NONE);
    let path = format!("/channels/{}", channel["id"].as_str().unwrap());
    let mut shown = server.api("GET", &path, None).json();
    assert!(!shown["target"].as_str().unwrap().contains("secretpart"));
    shown["name"] = json!("talk");
    let changed = server.api("PUT", &path, Some(&shown));
    assert_eq!(changed.json()["name"], "talk", "{changed:?}");
    server.api("POST", &format!("{path}/test"), None);
    assert_eq!(hook.wait(1)[0].path, "/hook/services/T0/B0/secretpart");
}

#[test]
fn null_is_as_if_not_given_where_a_check_is_made_and_takes_away_where_it_is_changed() {
    let server = Server::start();
    let nothing = json!({
        "project_id": server.project_id, "name": "n", "slug": "n", "period_seconds": 60,
        "description": null, "tags": null, "schedule_type": null, "cron_expression": null,
        "timezone": null, "grace_seconds": null, "missing_after_seconds": null,
        "max_runtime_seconds": null, "alert_after_miss_pings": null,
        "alert_after_failures": null,
    });
    let made = server.api("POST", "/checks", Some(&nothing));
    assert_eq!(made.status, 201, "{made:?}");
    let path = format!("/checks/{}", made.json()["id"].as_str().unwrap());
    let full = json!({
        "description": "d", "timezone": "Europe/Berlin", "max_runtime_seconds": 9,
        "tags": ["t"], "grace_seconds": 7,
    });
    server.api("PUT", &path, Some(&full));
    let nulls = json!({
        "description": null, "timezone": null, "max_runtime_seconds": null,
        "name": null, "tags": null, "grace_seconds": null,
    });
    let changed = server.api("PUT", &path, Some(&nulls));
    assert_eq!(changed.status, 200, "{changed:?}");
    let changed = changed.json();
    assert_eq!(changed["max_runtime_seconds"], Value::Null);
    assert_eq!(changed["description"], made.json()["description"]);
    assert_eq!(changed["timezone"], made.json()["timezone"]);
    // What can't be without a value keeps the one that it has.
    assert_eq!(changed["name"], "n");
    assert_eq!(changed["tags"], json!(["t"]));
    assert_eq!(changed["grace_seconds"], 7);
}

#[test]
fn what_was_for_a_deleted_check_or_project_alone_goes_with_it() {
    let server = Server::start();
    let project = json!({"org_id": server.org_id, "name": "Second"});
    let project = server.api("POST", "/projects", Some(&project)).json();
    let check = server.check("old", 60, 0, &NONE);
    let stays = server.webhook("all", "http://127.0.0.1:9/", None);
    for (name, scope, id) in [
        ("check", "check_id", &check["id"]),
        ("project", "project_id", &project["id"]),
    ] {
        let target = "http://127.0.0.1:9/";
        server.channel("webhook", name, target, &json!({scope: id}));
        let window = json!({
            "org_id": server.org_id, scope: id, "reason": name,
            "starts_at": "2099-01-01T00:00:00Z", "ends_at": "2099-01-02T00:00:00Z",
        });
        let planned = server.api("POST", "/maintenance", Some(&window));
        assert_eq!(planned.status, 201, "{planned:?}");
    }
    let is_left = |path: &str| {
        server
            .api("GET", path, None)
            .json()
            .as_array()
            .unwrap()
            .len()
    };
    assert_eq!((is_left("/channels"), is_left("/maintenance")), (3, 2));
    let id = check["id"].as_str().unwrap();
    assert_eq!(
        server.api("DELETE", &format!("/checks/{id}"), None).status,
        204
    );
    assert_eq!((is_left("/channels"), is_left("/maintenance")), (2, 1));
    let id = project["id"].as_str().unwrap();
    assert_eq!(
        server
            .api("DELETE", &format!("/projects/{id}"), None)
            .status,
        204
    );
    assert_eq!((is_left("/channels"), is_left("/maintenance")), (1, 0));
    assert_eq!(
        server.api("GET", "/channels", None).json()[0]["id"],
        stays["id"]
    );
}

#[test]
fn what_waits_for_a_channel_that_is_switched_off_is_not_counted_as_pending() {
    let server = Server::start();
    let channel = server.webhook("off", "http://127.0.0.1:9/", None);
    let check = server.check("job", 3600, 60, &NONE);
    server.ping(&check, "/fail");
    let pending = || {
        let page = server.request("GET", "/metrics", &[], b"").unwrap().body;
        let line = page
            .lines()
            .find(|line| line.starts_with("pakyas_outbox_pending "));
        line.unwrap().rsplit_once(' ').unwrap().1.to_owned()
    };
    assert_eq!(pending(), "1");
    let path = format!("/channels/{}", channel["id"].as_str().unwrap());
    server.api("PUT", &path, Some(&json!({"enabled": false})));
    assert_eq!(pending(), "0");
    server.api("PUT", &path, Some(&json!({"enabled": true})));
    assert_eq!(pending(), "1");
}

#[test]
fn what_can_not_be_is_told_in_the_headers_too() {
    let server = Server::start();
    for (method, path, allow) in [
        ("DELETE", "/sign-in", "GET, HEAD, POST"),
        ("GET", "/sign-out", "POST"),
        ("DELETE", "/status/x", "GET, HEAD"),
        ("DELETE", "/badge/x.svg", "GET, HEAD"),
    ] {
        let answer = server.request(method, path, &[], b"").unwrap();
        assert_eq!(
            (answer.status, answer.header("allow")),
            (405, allow),
            "{path}"
        );
    }
    let answer = server
        .request("GET", "/api/v1/cli/auth/poll", &[], b"")
        .unwrap();
    assert!(answer.refusal(400).contains("session_token"));
}

#[test]
fn a_slug_is_unique_in_its_project_only() {
    let server = Server::start();
    server.check("nightly", 60, 0, &NONE);
    let mut body = json!({"project_id": server.project_id, "name": "n", "slug": "nightly", "period_seconds": 60});
    let answer = server.api("POST", "/checks", Some(&body));
    assert!(answer.refusal(409).contains("slug"));
    let staging = json!({"org_id": server.org_id, "name": "Staging"});
    let staging = server.api("POST", "/projects", Some(&staging));
    assert_eq!(staging.status, 201);
    all_there(
        &staging.json(),
        "id org_id name slug description created_at updated_at archived_at",
    );
    assert_eq!(staging.json()["slug"], "staging");
    body["project_id"] = staging.json()["id"].clone();
    assert_eq!(server.api("POST", "/checks", Some(&body)).status, 201);
    let again = json!({"org_id": server.org_id, "name": "staging"});
    server.api("POST", "/projects", Some(&again)).refusal(409);
}

#[test]
fn what_is_not_there_is_404() {
    let server = Server::start();
    let nobody = "00000000-0000-4000-8000-000000000000";
    for path in [
        format!("/checks/{nobody}"),
        "/checks/nightly".to_owned(),
        format!("/checks/{nobody}/pings"),
        format!("/checks/{nobody}/pings/{nobody}/body"),
        format!("/checks?project_id={nobody}"),
        "/nowhere".to_owned(),
    ] {
        server.api("GET", &path, None).refusal(404);
    }
    let body = json!({"project_id": nobody, "name": "n", "slug": "n", "period_seconds": 60});
    server.api("POST", "/checks", Some(&body)).refusal(404);
    server
        .api("POST", &format!("/channels/{nobody}/test"), None)
        .refusal(404);
}

#[test]
fn a_method_that_a_route_lacks_is_405_with_those_that_it_has() {
    let server = Server::start();
    for (method, path, allow) in [
        ("DELETE", "/me", "GET, HEAD"),
        ("PATCH", "/projects", "GET, HEAD, POST"),
    ] {
        let answer = server.api(method, path, None);
        answer.refusal(405);
        assert_eq!(answer.header("allow"), allow);
    }
    assert_eq!(server.api("HEAD", "/me", None).status, 200);
}

#[test]
fn a_channel_never_shows_its_secret() {
    let server = Server::start();
    let channel = server.webhook("ops", "https://example.com/hook", Some("s3cret"));
    assert_eq!(channel["has_secret"], true);
    let list = server.api("GET", "/channels", None);
    assert_eq!(list.json()[0], channel);
    assert!(!list.body.contains("s3cret"));
    for (field, value) in [
        ("target", json!("ftp://example.com")),
        ("target", json!("not a url")),
        ("target", json!("http://127.0.0.1:99999/")),
        ("target", json!("http://[::1]:/")),
        ("name", json!("")),
        ("kind", json!("email")),
    ] {
        let mut body =
            json!({"org_id": server.org_id, "kind": "webhook", "name": "x", "target": "http://x/"});
        body[field] = value;
        let answer = server.api("POST", "/channels", Some(&body));
        answer.refusal(422);
        assert_eq!(answer.json()["field"], field);
    }
}

#[test]
fn health_is_told_without_a_key() {
    let server = Server::start();
    let answer = server.request("GET", "/healthz", &[], b"").unwrap();
    assert_eq!((answer.status, answer.body.as_str()), (200, "ok"));
}

#[test]
fn a_change_changes_what_is_given_and_leaves_the_rest() {
    let server = Server::start();
    let more = json!({"description": "d", "tags": ["a"], "max_runtime_seconds": 60});
    let check = server.check("nightly", 3600, 300, &more);
    let path = format!("/checks/{}", check["id"].as_str().unwrap());
    let change = json!({"name": "Nightly", "missing_after_seconds": 900, "missed_before_alert": 2});
    let after = server.api("PUT", &path, Some(&change));
    assert_eq!(after.status, 200, "{after:?}");
    let mut expected = check.clone();
    expected["name"] = json!("Nightly");
    for field in ["missing_after_seconds", "grace_seconds"] {
        expected[field] = json!(900);
    }
    for field in ["missed_before_alert", "alert_after_miss_pings"] {
        expected[field] = json!(2);
    }
    expected["updated_at"] = after.json()["updated_at"].clone();
    assert_eq!(after.json(), expected);
    let cleared = server.api("PUT", &path, Some(&json!({"description": ""})));
    assert_eq!(cleared.json()["description"], json!(null));

    for (field, value) in [("slug", json!("A b")), ("period_seconds", json!(0))] {
        let answer = server.api("PUT", &path, Some(&json!({field: value})));
        answer.refusal(422);
        assert_eq!(answer.json()["field"], field);
    }
    server.check("other", 60, 0, &NONE);
    server
        .api("PUT", &path, Some(&json!({"slug": "other"})))
        .refusal(409);
    assert_eq!(server.show(&check)["slug"], "nightly");
}

#[test]
fn a_deleted_check_is_gone_for_good_and_its_slug_is_free() {
    let mut server = Server::start();
    let check = server.check("nightly", 3600, 300, &NONE);
    server.ping(&check, "");
    let path = format!("/checks/{}", check["id"].as_str().unwrap());
    assert_eq!(server.api("DELETE", &path, None).status, 204);
    for round in 0..2 {
        server.api("GET", &path, None).refusal(404);
        server.api("DELETE", &path, None).refusal(404);
        server
            .api("PATCH", &format!("{path}/pause"), None)
            .refusal(404);
        server
            .api("GET", &format!("{path}/pings"), None)
            .refusal(404);
        server.ping(&check, "").refusal(404);
        assert_eq!(
            server.api("GET", "/checks", None).json(),
            json!([]),
            "round {round}"
        );
        server.restart();
    }
    let again = server.check("nightly", 3600, 300, &NONE);
    assert_eq!(server.history(&again).len(), 0);
}

#[test]
fn a_paused_check_takes_pings_and_expects_nothing_until_it_is_resumed() {
    let mut server = Server::start();
    let check = server.check("beat", 1, 0, &NONE);
    let path = format!("/checks/{}", check["id"].as_str().unwrap());
    assert_eq!(
        server.api("PATCH", &format!("{path}/pause"), None).status,
        204
    );
    server.ping(&check, "/fail");
    server.restart();
    let paused = server.show(&check);
    assert_eq!(
        (&paused["status"], &paused["paused"]),
        (&json!("paused"), &json!(true))
    );
    assert_eq!(paused["next_ping_expected_at"], json!(null));
    assert_eq!(server.history(&check).len(), 1);
    assert_eq!(
        server.api("PATCH", &format!("{path}/resume"), None).status,
        204
    );
    // Resumed, it is watched again.
    server.wait_for_status(&check, "down");
    server
        .api("POST", &format!("{path}/pause"), None)
        .refusal(405);
}

#[test]
fn a_project_is_renamed_and_archived_with_its_checks() {
    let server = Server::start();
    let check = server.check("nightly", 60, 0, &NONE);
    let path = format!("/projects/{}", server.project_id);
    assert_eq!(server.api("GET", &path, None).json()["name"], "Production");
    let change = json!({"name": "Live", "description": "what counts"});
    let after = server.api("PUT", &path, Some(&change)).json();
    assert_eq!(
        (&after["name"], &after["slug"]),
        (&json!("Live"), &json!("production"))
    );
    assert_eq!(after["description"], "what counts");
    assert_eq!(server.api("DELETE", &path, None).status, 204);
    server.api("GET", &path, None).refusal(404);
    server.ping(&check, "").refusal(404);
    assert_eq!(server.api("GET", "/projects", None).json(), json!([]));
}

#[test]
fn a_deleted_channel_hears_of_nothing_more() {
    let server = Server::start();
    let hook = support::hook::Hook::start();
    let channel = server.webhook("ops", &hook.url, None);
    let path = format!("/channels/{}", channel["id"].as_str().unwrap());
    assert_eq!(server.api("DELETE", &path, None).status, 204);
    server.api("DELETE", &path, None).refusal(404);
    assert_eq!(server.api("GET", "/channels", None).json(), json!([]));
    let check = server.check("job", 3600, 0, &NONE);
    assert_eq!(server.ping(&check, "/fail").status, 200);
    assert_eq!(server.show(&check)["status"], "down");
    assert!(hook.received().is_empty());
}
