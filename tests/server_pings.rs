//! Pings from outside: every form, every header, every refusal.
#![cfg(feature = "server")]

mod support;

use serde_json::{Value, json};
use support::server::Server;

const NONE: Value = Value::Null;

#[test]
fn each_path_says_what_happened_with_and_without_the_prefix() {
    let server = Server::start();
    let check = server.check("job", 3600, 300, &NONE);
    for (suffix, kind, code) in [
        ("", "success", json!(null)),
        ("/start", "start", json!(null)),
        ("/fail", "fail", json!(null)),
        ("/0", "success", json!(0)),
        ("/255", "fail", json!(255)),
        ("/log", "log", json!(null)),
    ] {
        for prefix in ["", "/ping"] {
            let path = format!("{prefix}/{}{suffix}", check["public_id"].as_str().unwrap());
            let answer = server.request("POST", &path, &[], b"").unwrap();
            assert_eq!((answer.status, answer.body.as_str()), (200, "OK"), "{path}");
            assert_eq!(answer.header("ping-body-limit"), "10000");
            let newest = server.history(&check).remove(0);
            assert_eq!(newest["type"], kind, "{path}");
            assert_eq!(newest["exit_code"], code, "{path}");
        }
    }
}

#[test]
fn get_head_put_and_post_all_ping() {
    let server = Server::start();
    let check = server.check("job", 3600, 300, &NONE);
    let path = format!("/{}", check["public_id"].as_str().unwrap());
    for (count, method) in ["GET", "HEAD", "PUT", "POST"].into_iter().enumerate() {
        let answer = server.request(method, &path, &[], b"").unwrap();
        assert_eq!(answer.status, 200, "{method}");
        assert_eq!(answer.body, if method == "HEAD" { "" } else { "OK" });
        assert_eq!(server.history(&check).len(), count + 1);
    }
    let answer = server.request("DELETE", &path, &[], b"").unwrap();
    answer.refusal(405);
    assert_eq!(answer.header("allow"), "GET, HEAD, POST, PUT");
    assert_eq!(server.history(&check).len(), 4);
}

#[test]
fn an_unknown_id_is_404_whatever_it_looks_like() {
    let server = Server::start();
    for path in [
        "/00000000-0000-4000-8000-000000000000",
        "/ping/00000000-0000-4000-8000-000000000000/start",
        "/",
        "/ping",
        "/nonsense",
        "/a/b/c/d",
    ] {
        let sentence = server.request("POST", path, &[], b"").unwrap().refusal(404);
        assert!(sentence.contains("ping URL"), "{path}: {sentence}");
    }
}

#[test]
fn what_is_malformed_is_400_and_not_counted() {
    let server = Server::start();
    let check = server.check("job", 3600, 300, &NONE);
    for suffix in ["/256", "/-1", "/Start", "/success", "/1000"] {
        server.ping(&check, suffix).refusal(400);
    }
    for (name, value) in [
        ("x-pakyas-age", "-5"),
        ("x-pakyas-age", "1e3"),
        ("x-pakyas-age", "604800001"),
        ("x-pakyas-duration", "soon"),
        ("x-pakyas-run", &"x".repeat(101)),
        ("idempotency-key", &"x".repeat(201)),
    ] {
        server
            .ping_with(&check, "", &[(name, value)], b"")
            .refusal(400);
    }
    assert_eq!(server.history(&check).len(), 0);
    assert_eq!(server.show(&check)["status"], "new");
}

#[test]
fn a_log_changes_no_state() {
    let server = Server::start();
    let check = server.check("job", 3600, 300, &NONE);
    server.ping(&check, "/log");
    let after = server.show(&check);
    assert_eq!(after["status"], "new");
    assert_eq!(after["last_ping_at"], json!(null));
}

#[test]
fn the_last_10_kb_of_a_body_are_kept_and_over_1_mib_is_413() {
    let server = Server::start();
    let check = server.check("job", 3600, 300, &NONE);
    let mut body = vec![b'a'; 1024 * 1024 - 4];
    body.extend_from_slice(b"\xff\0z\n");
    assert_eq!(server.ping_with(&check, "/1", &[], &body).status, 200);
    let newest = server.history(&check).remove(0);
    assert_eq!(newest["has_body"], true);
    let (_, bytes) = body.split_at(body.len() - 10_000);
    let output = server.output(&check, &newest);
    assert_eq!(output.header("x-content-type-options"), "nosniff");
    assert!(output.bytes == bytes, "the last bytes are kept as they are");

    body.extend_from_slice(b"one more than a MiB");
    server.ping_with(&check, "/1", &[], &body).refusal(413);
    assert_eq!(server.history(&check).len(), 1);
}

#[test]
fn a_start_and_its_end_are_paired_by_run_id() {
    let server = Server::start();
    let check = server.check("job", 3600, 300, &NONE);
    server.ping_with(&check, "/start", &[("x-pakyas-run", "a b")], b"");
    assert_eq!(server.show(&check)["running"], true);
    let path = format!("/{}?x=1&rid=a%20b", check["public_id"].as_str().unwrap());
    assert_eq!(server.request("GET", &path, &[], b"").unwrap().status, 200);
    let after = server.show(&check);
    assert_eq!(after["running"], false);
    assert_eq!(after["status"], "up");
    let end = server.history(&check).remove(0);
    assert_eq!(end["run_id"], "a b");
    assert!(end["duration_ms"].as_u64().is_some(), "{end}");
    assert_eq!(after["last_duration_ms"], end["duration_ms"]);
}

#[test]
fn a_measured_duration_beats_the_difference_of_arrival_times() {
    let server = Server::start();
    let check = server.check("job", 3600, 300, &NONE);
    server.ping_with(&check, "/start", &[("x-pakyas-run", "a")], b"");
    let headers = [
        ("x-pakyas-run", "a"),
        ("x-pakyas-duration", "123456"),
        ("x-pakyas-cpu-ms", "99"),
        ("x-pakyas-max-rss-kb", "2048"),
        ("user-agent", "tester/1"),
    ];
    server.ping_with(&check, "/0", &headers, b"");
    let end = server.history(&check).remove(0);
    assert_eq!(end["duration_ms"], 123_456);
    assert_eq!(end["cpu_ms"], 99);
    assert_eq!(end["max_rss_kb"], 2048);
    assert_eq!(end["user_agent"], "tester/1");
    assert_eq!(end["source_ip"], "127.0.0.1");
    assert_eq!(server.show(&check)["last_duration_ms"], 123_456);
}

#[test]
fn a_ping_that_comes_late_stands_where_it_belongs_in_the_history() {
    let server = Server::start();
    let check = server.check("job", 3600, 300, &NONE);
    server.ping(&check, "/fail");
    server.ping_with(&check, "", &[("x-pakyas-age", "3600000")], b"");
    let history = server.history(&check);
    assert_eq!(history[0]["type"], "fail");
    assert_eq!(history[1]["type"], "success");
    let time =
        |name: &str| -> jiff::Timestamp { history[1][name].as_str().unwrap().parse().unwrap() };
    let late = time("received_at").duration_since(time("created_at"));
    assert_eq!(late.as_millis(), 3_600_000);
    // The failure is newer: an hour-old success does not undo it.
    assert_eq!(server.show(&check)["status"], "down");
}

#[test]
fn the_same_key_twice_is_acknowledged_twice_and_counted_once() {
    let mut server = Server::start();
    let check = server.check("job", 3600, 300, &NONE);
    let other = server.check("other", 3600, 300, &NONE);
    let headers = [("idempotency-key", "k1")];
    assert_eq!(server.ping_with(&check, "/fail", &headers, b"").status, 200);
    assert_eq!(server.ping_with(&check, "/fail", &headers, b"").status, 200);
    server.restart();
    assert_eq!(server.ping_with(&check, "/fail", &headers, b"").status, 200);
    assert_eq!(server.history(&check).len(), 1);
    assert_eq!(server.show(&check)["consecutive_failures"], 1);
    // Another check's ping of the same key is another ping.
    server.ping_with(&other, "", &headers, b"");
    assert_eq!(server.history(&other).len(), 1);
}

#[test]
fn the_history_is_paged_newest_first_without_gaps() {
    let server = Server::start();
    let check = server.check("job", 3600, 300, &NONE);
    for code in 0..7 {
        server.ping(&check, &format!("/{code}"));
    }
    let id = check["id"].as_str().unwrap();
    let page = |query: &str| {
        server
            .api("GET", &format!("/checks/{id}/pings?{query}"), None)
            .json()
    };
    let codes = |page: &Value| -> Vec<i64> {
        let pings = page["pings"].as_array().unwrap();
        pings
            .iter()
            .map(|p| p["exit_code"].as_i64().unwrap())
            .collect()
    };
    let first = page("limit=3");
    assert_eq!(codes(&first), [6, 5, 4]);
    assert_eq!(first["total"], 7);
    let before = first["pings"][2]["id"].as_str().unwrap();
    assert_eq!(codes(&page(&format!("limit=3&before={before}"))), [3, 2, 1]);
    for bad in ["limit=0", "limit=x", "limit=1001", "before=x"] {
        server
            .api("GET", &format!("/checks/{id}/pings?{bad}"), None)
            .refusal(400);
    }
}
