//! What goes wrong between client and server: only a stub can be made to do it.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::home::Home;
use crate::support::stub::{Received, Reply, Stub};
use crate::support::world::{KEY, PRODUCTION, World, refusal};

const ID: &str = "550e8400-e29b-41d4-a716-446655440000";

fn is_api(request: &Received) -> bool {
    request.path.starts_with("/api/")
}

/// A home whose public id is that of a stub, with `seconds` for each ping.
fn ping(stub: &Stub, seconds: &str) -> crate::support::home::Outcome {
    Home::at(&stub.url()).run([
        "ping",
        "--strict",
        "--public-id",
        ID,
        "--ping-timeout",
        seconds,
    ])
}

#[test]
fn a_server_that_is_not_there_is_told_within_the_time_given() {
    let home = Home::at("http://127.0.0.1:9").with("PAKYAS_API_KEY", KEY);
    home.pakyas("check list --project x")
        .exits(4)
        .says("Can't reach http://127.0.0.1:9")
        .says("refused");
    home.run([
        "ping",
        "--public-id",
        ID,
        "--ping-timeout",
        "1s",
        "--strict",
    ])
    .exits(4)
    .says("Can't reach http://127.0.0.1:9");
}

#[test]
fn a_name_that_does_not_resolve_is_told() {
    Home::at("http://no-such-host.invalid")
        .with("PAKYAS_API_KEY", KEY)
        .pakyas("whoami")
        .exits(4)
        .says("Can't reach http://no-such-host.invalid");
}

#[test]
fn what_passes_is_tried_again_with_the_same_key_and_then_not_kept() {
    let count = AtomicUsize::new(0);
    let stub = Stub::new(move |_| match count.fetch_add(1, Ordering::SeqCst) {
        0 => Reply::text(503, "busy").ours(),
        1 => Reply::Hangup,
        _ => Reply::text(200, "OK").ours(),
    });
    let home = Home::at(&stub.url());
    home.run(["ping", "--public-id", ID])
        .exits(0)
        .shows("Pong!");
    let received = stub.received();
    assert_eq!(received.len(), 3);
    let key = received[0].header("idempotency-key");
    assert!(key.is_some() && received.iter().all(|r| r.header("idempotency-key") == key));
    let ages: Vec<u64> = received
        .iter()
        .map(|r| r.header("x-pakyas-age").unwrap().parse().unwrap())
        .collect();
    assert!(ages.is_sorted() && ages[2] > ages[0] + 300, "{ages:?}");
    home.pakyas("spool list --format json").exits(0).shows("[]");
}

#[test]
fn a_pause_longer_than_the_time_given_ends_the_attempts_at_once() {
    let stub = Stub::new(|_| Reply::text(503, "").with("Retry-After", "3600"));
    ping(&stub, "20s").exits(4).says("503");
    assert_eq!(stub.received().len(), 1);
}

#[test]
fn a_server_that_stays_silent_is_left_in_time() {
    let stub = Stub::new(|_| Reply::Silence);
    ping(&stub, "1s").exits(4).says("no answer within");
}

#[test]
fn what_will_not_change_is_not_tried_again() {
    for (status, code) in [(400, 1), (404, 3), (405, 1), (413, 1)] {
        let stub = Stub::new(move |_| refusal(status, "the server's own reason"));
        ping(&stub, "20s").exits(code);
        assert_eq!(stub.received().len(), 1, "{status}");
    }
}

#[test]
fn a_redirect_is_followed_with_neither_a_ping_nor_a_key() {
    let other = Stub::new(|_| Reply::text(200, "OK"));
    let to = format!("{}/elsewhere?token=x", other.url());
    let stub = Stub::new(move |_| Reply::text(302, "").with("Location", &to));
    let outcome = ping(&stub, "1s")
        .exits(4)
        .says(&format!("a redirect to {}", other.url()))
        .says("PAKYAS_PING_URL");
    assert!(!outcome.stderr.contains("token"), "{outcome:?}");
    let home = Home::at(&stub.url()).with("PAKYAS_API_KEY", KEY);
    home.pakyas("whoami")
        .exits(4)
        .says(&format!("a redirect to {}", other.url()))
        .says("PAKYAS_API_URL");
    assert!(other.received().is_empty());
}

#[test]
fn what_is_not_the_api_is_told_without_quoting_it() {
    for (body, told) in [
        ("<html>", "a page (200)"),
        ("{}", "not what the Pakyas API answers"),
        ("[1]", "not what the Pakyas API answers"),
        (
            "{\"email\": \"pk_live_secret\"}",
            "not what the Pakyas API answers",
        ),
        ("pk_live_secret", "something else (200)"),
    ] {
        // It may be something in place of our server, for a while; or our server, of another age.
        for (is_ours, code) in [(false, 4), (true, 1)] {
            let stub = Stub::new(move |_| match (Reply::text(200, body), is_ours) {
                (reply, true) => reply.ours(),
                (reply, false) => reply,
            });
            let home = Home::at(&stub.url()).with("PAKYAS_API_KEY", KEY);
            let outcome = home.pakyas("whoami").exits(code).says("PAKYAS_API_URL");
            assert!(is_ours || outcome.stderr.contains(told), "{outcome:?}");
            assert!(!outcome.stderr.contains("secret"), "{outcome:?}");
        }
    }
    let stub = Stub::new(|_| Reply::Raw(b"SSH-2.0-OpenSSH_9.6\r\n".to_vec()));
    let home = Home::at(&stub.url()).with("PAKYAS_API_KEY", KEY);
    home.pakyas("whoami").exits(4);
}

#[test]
fn what_answers_in_place_of_the_api_is_named_and_nothing_is_done_by_halves() {
    let page = |status, body| {
        Reply::text(status, body)
            .with("Server", "nginx/1.24.0")
            .with("Content-Type", "text/html")
    };
    for (command, status) in [
        ("check list --project x", 404),
        ("org list", 401),
        ("check delete 550e8400-e29b-41d4-a716-446655440000 -y", 200),
        ("login --api-key pk_live_x", 403),
        ("login", 404),
    ] {
        let stub = Stub::new(move |_| page(status, "<html>Not ours</html>"));
        Home::at(&stub.url())
            .with("PAKYAS_API_KEY", KEY)
            .pakyas(command)
            .exits(4)
            .says(&format!("a page of nginx ({status})"));
    }
}

#[test]
fn a_page_in_place_of_the_api_is_taken_for_neither_its_consent_nor_a_runs_output() {
    let world = World::but(|request| match request.method.as_str() {
        "PATCH" => Some(Reply::text(200, "Welcome")),
        _ if request.path.ends_with("/body") => Some(Reply::text(200, "<html>Welcome</html>")),
        _ => None,
    });
    world.add("sync", PRODUCTION);
    let home = world.home();
    home.pakyas("check pause sync")
        .exits(4)
        .says("No Pakyas server answers");
    let outcome = home.pakyas("check logs sync --output last").exits(4);
    assert_eq!(outcome.says("a page (200)").stdout, "");
}

#[test]
fn an_answer_without_end_is_cut_off() {
    let stub = Stub::new(|request| {
        if is_api(request) {
            Reply::text(200, &" ".repeat(40 * 1024 * 1024))
        } else {
            Reply::text(200, &"O".repeat(1024 * 1024))
        }
    });
    let home = Home::at(&stub.url()).with("PAKYAS_API_KEY", KEY);
    home.pakyas("whoami").exits(1).says("larger than");
    ping(&stub, "1s").exits(4);
    let endless =
        Stub::new(|_| Reply::Raw(format!("HTTP/1.1 200 {}", "x".repeat(1 << 20)).into_bytes()));
    ping(&endless, "1s").exits(4);
}

#[test]
fn a_key_of_another_organization_is_told_by_name() {
    let world = World::but(|request| {
        (request.path.ends_with("/me") && request.header("x-pakyas-org").is_some()).then(|| {
            Reply::json(
                403,
                &serde_json::json!({"error": "ORG_KEY_MISMATCH", "key_org_name": "My Company",
                                    "requested_org_id": ID}),
            )
        })
    });
    let home = world.home();
    home.run(["whoami", "--org", ID])
        .exits(6)
        .says("belongs to the organization 'My Company'")
        .says("pakyas login --api-key KEY");
}

#[test]
fn an_organization_that_is_not_ones_own_is_told_with_those_that_are() {
    let world = World::new();
    let home = world.home();
    home.run(["check", "list", "--org", "Company B"])
        .exits(3)
        .says("Organization not found")
        .says("My Company");
    home.run(["org", "switch", "Company B"]).exits(3);
    assert!(!home.file("config.json").exists());
}

#[test]
fn each_refusal_has_its_exit_code_and_the_servers_sentence() {
    for (status, code) in [
        (400, 1),
        (401, 5),
        (403, 6),
        (404, 3),
        (409, 1),
        (422, 1),
        (429, 4),
        (500, 4),
    ] {
        let stub = Stub::new(move |_| refusal(status, "Because of the moon"));
        let home = Home::at(&stub.url()).with("PAKYAS_API_KEY", KEY);
        home.pakyas("org list")
            .exits(code)
            .says("Because of the moon");
    }
}

#[test]
fn a_lookup_that_fails_for_now_is_tried_again_and_the_ping_arrives() {
    let count = AtomicUsize::new(0);
    let world = World::but(move |request| {
        let first = is_api(request) && count.fetch_add(1, Ordering::SeqCst) == 0;
        first.then(|| refusal(503, "starting"))
    });
    world.add("sync", PRODUCTION);
    world.home().pakyas("ping sync").exits(0);
    assert_eq!(world.pings().len(), 1);
}

#[test]
fn a_remembered_check_is_pinged_while_the_api_is_out_of_order() {
    let count = AtomicUsize::new(0);
    let world = World::but(move |request| {
        let later = is_api(request) && count.fetch_add(1, Ordering::SeqCst) > 0;
        later.then(|| refusal(500, "out of order"))
    });
    world.add("sync", PRODUCTION);
    let home = world.home();
    home.pakyas("ping sync").exits(0);
    home.pakyas("ping sync").exits(0);
    assert_eq!(world.pings().len(), 2);
}

#[test]
fn a_proxy_is_used_for_other_machines_and_not_for_this_one() {
    let proxy = Stub::new(|_| Reply::Raw(b"HTTP/1.1 403 No\r\n\r\n".to_vec()));
    let world = World::new();
    let id = world.add("sync", PRODUCTION).to_string();
    let home = Home::at(&world.url()).with("HTTP_PROXY", &proxy.url());
    home.run(["ping", "--public-id", &id]).exits(0);
    assert!(proxy.received().is_empty());
    home.run([
        "ping",
        "--public-id",
        &id,
        "--ping-url",
        "http://pakyas.invalid",
        "--strict",
        "--ping-timeout",
        "1s",
    ])
    .exits(4)
    .says(&format!(
        "through the proxy {} (HTTP_PROXY)",
        proxy.url().trim_start_matches("http://")
    ));
    assert_eq!(proxy.received()[0].method, "CONNECT");
}

#[test]
fn certificates_that_can_not_be_used_are_named() {
    let home = Home::at("https://127.0.0.1:9")
        .with("PAKYAS_API_KEY", KEY)
        .with("PAKYAS_CA_FILE", "/no/such/file.pem");
    home.pakyas("whoami").exits(2).says("/no/such/file.pem");
}
