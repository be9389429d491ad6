//! Pings from outside: every form, every header, every refusal.

use std::io::Write;
use std::os::fd::AsFd;

use crate::support;
use crate::support::server::Server;
use serde_json::{Value, json};

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
    for suffix in [
        "/256", "/-1", "/Start", "/success", "/1000", "/start/1", "/1/2/3",
    ] {
        server.ping(&check, suffix).refusal(400);
    }
    for (name, value) in [
        ("x-pakyas-age", "-5"),
        ("x-pakyas-age", "1e3"),
        ("x-pakyas-age", "604800001"),
        ("x-pakyas-duration", "soon"),
        ("x-pakyas-run", &"x".repeat(101)),
        ("x-pakyas-run", &"é".repeat(101)),
        ("idempotency-key", ""),
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

    assert_eq!(output.header("content-type"), "text/plain");

    body.extend_from_slice(b"one more than a MiB");
    server.ping_with(&check, "/1", &[], &body).refusal(413);
    assert_eq!(server.history(&check).len(), 1);
}

#[test]
fn an_output_that_was_cut_within_a_character_is_told_from_the_next_one_on() {
    let server = Server::start();
    let check = server.check("job", 3600, 300, &NONE);
    let output = format!("{}x", "é".repeat(5_001));
    server.ping_with(&check, "/1", &[], output.as_bytes());
    let told = server.output(&check, &server.history(&check)[0]);
    assert_eq!(told.body, format!("{}x", "é".repeat(4_999)));
    assert_eq!(told.header("content-type"), "text/plain; charset=utf-8");
}

#[test]
fn headers_in_other_scripts_count_as_those_in_ascii_do() {
    let server = Server::start();
    let check = server.check("job", 3600, 300, &NONE);
    let headers = [
        ("x-pakyas-run", "é"),
        ("idempotency-key", "clé"),
        ("user-agent", "日本/1"),
    ];
    for _ in 0..2 {
        server.ping_with(&check, "/start", &headers, b"");
    }
    let pings = server.history(&check);
    assert_eq!(pings.len(), 1);
    assert_eq!(pings[0]["run_id"], "é");
    assert_eq!(pings[0]["user_agent"], "日本/1");
    let path = format!("/{}?rid=%C3%A9", check["public_id"].as_str().unwrap());
    // An empty header names no run, and hides none.
    let end = server.request("GET", &path, &[("x-pakyas-run", "")], b"");
    assert_eq!(end.unwrap().status, 200);
    assert_eq!(server.show(&check)["running"], false);
}

#[test]
fn an_idempotency_key_may_be_as_long_as_a_header_may_be() {
    let server = Server::start();
    let check = server.check("job", 3600, 300, &NONE);
    let long = |end: &str| format!("{}{end}", "k".repeat(4_000));
    for key in [long("a"), long("b"), long("a")] {
        let answer = server.ping_with(&check, "", &[("idempotency-key", &key)], b"");
        assert_eq!(answer.status, 200);
    }
    assert_eq!(server.history(&check).len(), 2);
}

#[test]
fn a_slash_at_the_end_of_a_ping_changes_nothing() {
    let server = Server::start();
    let check = server.check("job", 3600, 300, &NONE);
    for suffix in ["/", "/start/", "/1/"] {
        assert_eq!(server.ping(&check, suffix).status, 200, "{suffix}");
    }
    let kinds: Vec<Value> = server
        .history(&check)
        .iter()
        .map(|ping| ping["type"].clone())
        .collect();
    assert_eq!(kinds, ["fail", "start", "success"]);
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
fn what_a_sender_gave_up_on_counts_as_it_tells_it_when_it_comes_again() {
    let server = Server::start();
    let check = server.check("job", 3600, 300, &NONE);
    let address = server.url.strip_prefix("http://").unwrap();
    let public_id = check["public_id"].as_str().unwrap();
    let head = format!("POST /{public_id}/fail HTTP/1.1\r\nHost: x\r\nIdempotency-Key: once\r\n");
    support::os::kill(server.pid() as u32, libc::SIGSTOP);
    // One of its threads has to be woken for that, and stops the others.
    support::wait_for("all threads to have stopped", || {
        let threads = std::fs::read_dir(format!("/proc/{}/task", server.pid())).unwrap();
        let mut stats =
            threads.map(|thread| std::fs::read_to_string(thread.unwrap().path().join("stat")));
        stats
            .all(|stat| stat.unwrap().contains(") T "))
            .then_some(())
    });
    let mut first = std::net::TcpStream::connect(address).unwrap();
    first
        .write_all(format!("{head}Content-Length: 0\r\n\r\n").as_bytes())
        .unwrap();
    pakyas::sys::set_discard_on_close(first.as_fd(), true);
    drop(first);
    support::os::kill(server.pid() as u32, libc::SIGCONT);
    let again = [("idempotency-key", "once"), ("x-pakyas-age", "3600000")];
    assert_eq!(server.ping_with(&check, "/fail", &again, b"").status, 200);
    let pings = server.history(&check);
    assert_eq!(pings.len(), 1, "{pings:?}");
    let time =
        |name: &str| -> jiff::Timestamp { pings[0][name].as_str().unwrap().parse().unwrap() };
    let age = time("received_at").duration_since(time("created_at"));
    assert_eq!(age.as_secs(), 3600);
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
    let before = &first["pings"][2]["id"];
    assert_eq!(codes(&page(&format!("limit=3&before={before}"))), [3, 2, 1]);
    for bad in ["limit=0", "limit=x", "limit=1001", "before=x"] {
        server
            .api("GET", &format!("/checks/{id}/pings?{bad}"), None)
            .refusal(400);
    }
}

/// Sends a ping to what follows the check's address, and gives the newest of its history.
fn newest_of(server: &Server, check: &Value, rest: &str) -> Value {
    let path = format!("/{}{rest}", check["public_id"].as_str().unwrap());
    let answer = server.request("GET", &path, &[], b"").unwrap();
    assert_eq!((answer.status, answer.body.as_str()), (200, "OK"), "{path}");
    server.history(check).remove(0)
}

#[test]
fn what_is_appended_to_a_url_with_a_query_says_what_happened() {
    let server = Server::start();
    let check = server.check("job", 3600, 300, &NONE);
    for (rest, kind, code, run) in [
        ("?rid=a/start", "start", json!(null), json!("a")),
        ("?rid=a/fail", "fail", json!(null), json!("a")),
        ("?rid=a/log", "log", json!(null), json!("a")),
        ("?rid=a/0", "success", json!(0), json!("a")),
        ("?rid=a&x=1/3", "fail", json!(3), json!("a")),
        ("?x/fail", "fail", json!(null), json!(null)),
        ("?x=a/b", "success", json!(null), json!(null)),
    ] {
        let newest = newest_of(&server, &check, rest);
        assert_eq!(newest["type"], kind, "{rest}");
        assert_eq!(newest["exit_code"], code, "{rest}");
        assert_eq!(newest["run_id"], run, "{rest}");
    }
    let count = server.history(&check).len();
    for rest in [
        "?rid=a/b",
        "?rid=a/256",
        "?rid=a/",
        "?rid=a%2Ffail",
        "?rid=a/b/fail",
        "/start?rid=a/fail",
    ] {
        server.ping(&check, rest).refusal(400);
    }
    assert_eq!(server.history(&check).len(), count);
}

#[test]
fn slashes_that_follow_each_other_in_a_ping_s_path_are_one() {
    let server = Server::start();
    let check = server.check("job", 3600, 300, &NONE);
    let id = check["public_id"].as_str().unwrap();
    for path in [
        format!("//{id}/fail"),
        format!("/ping//{id}//fail"),
        format!("//ping/{id}/fail//"),
    ] {
        let before = server.history(&check).len();
        assert_eq!(server.request("GET", &path, &[], b"").unwrap().status, 200);
        let history = server.history(&check);
        assert_eq!(
            (history.len(), &history[0]["type"]),
            (before + 1, &json!("fail"))
        );
    }
}

#[test]
fn every_answer_to_a_ping_may_be_read_by_any_page_and_is_kept_by_nothing() {
    let server = Server::start();
    let check = server.check("job", 3600, 300, &NONE);
    let id = check["public_id"].as_str().unwrap();
    let unknown = "/00000000-0000-4000-8000-000000000000";
    let large = vec![b'x'; 1024 * 1024 + 1];
    for (method, path, body, status) in [
        ("GET", format!("/{id}"), &b""[..], 200),
        ("POST", format!("/{id}/256"), b"", 400),
        ("POST", unknown.to_owned(), b"", 404),
        ("DELETE", format!("/{id}"), b"", 405),
        ("POST", format!("/{id}"), &large, 413),
        ("OPTIONS", format!("/{id}/start"), b"", 204),
        ("OPTIONS", format!("/ping{unknown}"), b"", 204),
    ] {
        let answer = server.request(method, &path, &[], body).unwrap();
        assert_eq!(answer.status, status, "{method} {path}");
        assert_eq!(answer.header("access-control-allow-origin"), "*", "{path}");
        assert_eq!(answer.header("cache-control"), "no-store", "{path}");
    }
    // What a browser asks for before a ping with a header of ours; it counts as none.
    let asked = server
        .request("OPTIONS", &format!("/{id}"), &[], b"")
        .unwrap();
    assert_eq!(asked.header("access-control-allow-headers"), "*");
    assert_eq!(server.history(&check).len(), 1);
    // Other sites' pages read nothing else.
    let answer = server.api("GET", "/me", None);
    assert_eq!(answer.status, 200);
    assert!(
        !answer
            .headers
            .iter()
            .any(|(name, _)| name == "access-control-allow-origin")
    );
}

#[test]
fn a_measurement_that_is_empty_or_has_a_fraction_is_left_out_and_the_report_is_taken() {
    let server = Server::start();
    let check = server.check("job", 3600, 300, &NONE);
    for header in [
        "x-pakyas-duration",
        "x-pakyas-cpu-ms",
        "x-pakyas-max-rss-kb",
    ] {
        for value in ["", "12.5", "0,004", ".5"] {
            let answer = server.ping_with(&check, "", &[(header, value)], b"");
            assert_eq!(answer.status, 200, "{header}: '{value}'");
            let newest = server.history(&check).remove(0);
            for field in ["duration_ms", "cpu_ms", "max_rss_kb"] {
                assert_eq!(newest[field], json!(null), "{header}: '{value}'");
            }
        }
        for value in ["soon", "-5", "1.2.3", ".", "1e3"] {
            server
                .ping_with(&check, "", &[(header, value)], b"")
                .refusal(400);
        }
    }
    // An age says when it was: none is now, and half a one is a mistake.
    let answer = server.ping_with(&check, "", &[("x-pakyas-age", "")], b"");
    assert_eq!(answer.status, 200);
    server
        .ping_with(&check, "", &[("x-pakyas-age", "12.5")], b"")
        .refusal(400);
}

#[test]
fn a_run_whose_id_is_a_uuid_is_one_in_any_letter_case_and_shown_as_it_came() {
    let server = Server::start();
    let check = server.check("job", 3600, 300, &NONE);
    let upper = "0194F6F2-AB3C-7DEF-8A6B-0123456789AB";
    newest_of(&server, &check, &format!("/start?rid={upper}"));
    let end = newest_of(&server, &check, &format!("?rid={}", upper.to_lowercase()));
    assert_eq!(server.show(&check)["running"], false);
    assert!(end["duration_ms"].is_u64(), "{end}");
    assert_eq!(server.history(&check)[1]["run_id"], upper);
}

#[test]
fn starts_that_come_twice_and_ends_without_an_id_leave_no_run_open() {
    let server = Server::start();
    for (slug, start, end) in [
        ("twice", "/start", ""),
        ("named-twice", "/start?rid=a", "?rid=a"),
        ("end-without", "/start?rid=a", "/0"),
    ] {
        let check = server.check(slug, 3600, 300, &NONE);
        newest_of(&server, &check, start);
        newest_of(&server, &check, start);
        assert_eq!(server.show(&check)["running"], true, "{slug}");
        let end = newest_of(&server, &check, end);
        assert!(end["duration_ms"].is_u64(), "{slug}: {end}");
        let after = server.show(&check);
        assert_eq!(
            (&after["running"], &after["status"]),
            (&json!(false), &json!("up")),
            "{slug}"
        );
    }
}

#[test]
fn a_start_that_comes_after_its_end_and_many_others_opens_no_run() {
    let server = Server::start();
    let check = server.check("job", 3600, 300, &NONE);
    let ping = |suffix: &str, run: &str, age: &str| {
        let headers = [("x-pakyas-run", run), ("x-pakyas-age", age)];
        let answer = server.ping_with(&check, suffix, &headers, b"");
        assert_eq!(answer.status, 200, "{answer:?}");
    };
    for number in 0..40 {
        ping("/0", &format!("run-{number}"), "60000");
    }
    // As a spool sends it once the server is back, and the ends of later runs were faster.
    ping("/start", "RUN-0", "61000");
    assert_eq!(server.show(&check)["running"], true, "that is another run");
    ping("/1", "RUN-0", "60000");
    ping("/start", "run-1", "61000");
    assert_eq!(server.show(&check)["running"], false);
    // What is not over goes on.
    ping("/start", "run-40", "61000");
    assert_eq!(server.show(&check)["running"], true);
}
