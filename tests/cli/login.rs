//! Logging in where the server does not do what it should, and keys where it says no.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use crate::support::home::Home;
use crate::support::stub::{Received, Reply};
use crate::support::world::{KEY, World, refusal};

/// A world in which a machine may ask, with what is answered to its polls.
fn world(
    expires_in: u64,
    auth_url: &'static str,
    poll: impl Fn(usize) -> Reply + Send + Sync + 'static,
) -> World {
    let polls = AtomicUsize::new(0);
    World::but(move |request: &Received| {
        if request.path.ends_with("/cli/auth/init") {
            assert_eq!(request.header("authorization"), None);
            return Some(Reply::json(
                200,
                &json!({"session_token": "s/e+c", "auth_url": auth_url, "expires_in": expires_in}),
            ));
        }
        if request.path.contains("/cli/auth/poll?") {
            assert!(
                request.path.ends_with("?token=s%2Fe%2Bc"),
                "{}",
                request.path
            );
            return Some(poll(polls.fetch_add(1, Ordering::SeqCst)));
        }
        None
    })
}

fn status(status: &str) -> Reply {
    Reply::json(200, &json!({ "status": status }))
}

fn completed(key: &str) -> Reply {
    Reply::json(200, &json!({"status": "completed", "api_key": key}))
}

const PAGE: &str = "https://pakyas.example/device/x";

#[test]
fn login_asks_until_it_was_decided_and_a_server_that_stumbles_is_asked_again() {
    let world = world(600, PAGE, |count| match count {
        0 => refusal(503, "not now"),
        _ => completed(KEY),
    });
    let home = Home::at(&world.url());
    home.pakyas("login")
        .exits(0)
        .says(PAGE)
        .says("Logged in as you@example.com");
    assert!(home.read("credentials.json").contains(KEY));
}

#[test]
fn login_ends_when_the_time_is_over_whatever_the_server_says() {
    let world = world(1, PAGE, |_| status("pending"));
    Home::at(&world.url())
        .pakyas("login")
        .exits(5)
        .says("nobody approved in time");
}

#[test]
fn what_a_server_answers_to_a_login_is_not_trusted() {
    let mut tried = Vec::new();
    for (answer, code, told) in [
        (status("expired"), 5, "nobody approved in time"),
        (status("denied"), 5, "denied"),
        (status("wonderful"), 1, "'wonderful'"),
        (completed(""), 1, "gives no key"),
        (completed("two words"), 5, "not an API key"),
        // It would be kept, and read as the name of a file when it is used.
        (completed("file:/etc/hostname"), 5, "the name of a file"),
        (completed("pk_live_unknown"), 5, "does not take the API key"),
        (
            Reply::text(200, "hello"),
            1,
            "not what the Pakyas API answers",
        ),
        (refusal(404, "no such thing"), 3, "no such thing"),
    ] {
        // Each takes the two seconds between polls.
        tried.push(std::thread::spawn(move || {
            let answer = std::sync::Mutex::new(Some(answer));
            let world = world(60, PAGE, move |_| answer.lock().unwrap().take().unwrap());
            let home = Home::at(&world.url());
            home.pakyas("login").exits(code).says(told);
            assert!(!home.file("credentials.json").exists(), "{told}");
            assert!(!home.file("config.json").exists(), "{told}");
        }));
    }
    for one in tried {
        one.join().unwrap();
    }
}

#[test]
fn an_address_that_is_none_is_neither_shown_nor_opened() {
    for address in [
        "file:///etc/passwd",
        "--help",
        "javascript:x",
        "https://a b",
    ] {
        let world = world(60, address, |_| status("pending"));
        let outcome = Home::at(&world.url()).pakyas("login").exits(2);
        assert!(!outcome.stderr.contains("open this address"), "{outcome:?}");
    }
}

#[test]
fn a_server_that_is_not_there_is_told_at_once() {
    Home::at("http://127.0.0.1:9")
        .pakyas("login")
        .exits(4)
        .says("Can't reach http://127.0.0.1:9");
}

#[test]
fn a_key_that_is_in_the_environment_is_said_to_be_stronger() {
    let world = World::new();
    Home::at(&world.url())
        .with("PAKYAS_API_KEY", "pk_live_other")
        .run(["login", "--api-key", KEY])
        .exits(0)
        .says("PAKYAS_API_KEY is set, and stronger");
}

#[test]
fn what_the_server_says_of_keys_is_told_with_its_exit_code() {
    for (reply, code, told) in [
        (
            refusal(403, "This key lacks the scope 'manage'"),
            6,
            "'manage'",
        ),
        (
            refusal(409, "There are as many as may be"),
            1,
            "as many as may be",
        ),
        (refusal(404, "There is no such route"), 3, "no such route"),
        (
            Reply::text(200, "[]").ours(),
            1,
            "not what the Pakyas API answers",
        ),
        (refusal(429, "too many"), 4, "can't answer now"),
    ] {
        let reply = std::sync::Mutex::new(Some(reply));
        let world = World::but(move |request| {
            let mut reply = reply.lock().unwrap();
            request.path.contains("/api-keys").then(|| reply.take())?
        });
        let outcome = world
            .home()
            .pakyas("api-key create deploy")
            .exits(code)
            .says(told);
        assert_eq!(outcome.stdout, "");
    }
}

#[test]
fn a_server_that_tells_less_of_keys_is_understood() {
    let world = World::but(|request| {
        let id = "550e8400-e29b-41d4-a716-446655440000";
        request.path.contains("/api-keys").then(|| {
            Reply::json(
                200,
                &json!({"total": 1, "api_keys": [{
                    "id": id, "name": "a\u{1b}[31m", "key_prefix": "pk_live_a", "scopes": ["read"],
                    "project_access": "restricted", "allowed_project_ids": null,
                    "expires_at": null, "last_used_at": null,
                    "created_at": "2026-01-02T03:04:05Z", "is_expired": false, "more": 1,
                }]}),
            )
        })
    });
    let outcome = world
        .home()
        .pakyas("api-key list")
        .exits(0)
        .shows("pk_live_a…");
    assert!(!outcome.stdout.contains('\u{1b}'), "{outcome:?}");
    // A server that does not say what the key is: the status says what is known here.
    world
        .home()
        .pakyas("auth status")
        .exits(0)
        .shows("Expires: the server does not say")
        .shows("API key: pk_live_0123…, from PAKYAS_API_KEY");
}
