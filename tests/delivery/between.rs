//! What stands between a client and its server, or in the server's place: a proxy, a portal, another
//! site. It is named, and nothing is lost to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use crate::support::home::Home;
use crate::support::server::Server;
use crate::support::stub::{Received, Reply, Stub};
use crate::support::world::{PRODUCTION, World, refusal};

const ID: &str = "550e8400-e29b-41d4-a716-446655440000";

const TRAEFIK: &str = "404 page not found\n";

/// What answers in place of the server, and how it is named.
type Stranger = (fn() -> Reply, &'static str);

fn strangers() -> Vec<Stranger> {
    fn page(status: u16) -> Reply {
        Reply::text(status, "<html><title>nginx</title></html>").with("Server", "nginx/1.24.0")
    }
    fn redirect(status: u16) -> Reply {
        let to = "https://login.example.com/start?token=secret";
        page(status).with("Location", to)
    }
    vec![
        (|| redirect(302), "a redirect to login.example.com"),
        (|| redirect(308), "a redirect to login.example.com"),
        (|| Reply::text(404, TRAEFIK), "404 of Traefik"),
        (|| page(413), "a page of nginx (413)"),
        (|| page(401), "a page of nginx (401)"),
        (|| page(502), "a page of nginx (502)"),
        (
            || Reply::text(407, "").with("Server", "squid/5.7"),
            "a proxy of Squid that wants to be logged in to (407)",
        ),
        (
            || Reply::text(200, "<html><title>Free WiFi</title>"),
            "a page 'Free WiFi' (200)",
        ),
        (|| Reply::text(200, ""), "something else (200)"),
        (|| Reply::text(204, ""), "something else (204)"),
        (
            || Reply::text(200, "OK (not found)"),
            "something else (200)",
        ),
        (
            || Reply::text(403, "{\"message\":\"Forbidden\"}").with("Server", "cloudflare"),
            "403 of Cloudflare",
        ),
        (|| Reply::Hangup, "Can't reach"),
        (
            || Reply::Raw(b"\x15\x03\x01 not HTTP\r\n\r\n".to_vec()),
            "Can't reach",
        ),
    ]
}

#[test]
fn a_run_that_something_in_between_answers_is_kept_and_told_and_goes_out_once_that_is_gone() {
    let mut tried = Vec::new();
    for (stranger, named) in strangers() {
        // Each waits for its budget.
        tried.push(thread::spawn(move || {
            let is_away = Arc::new(AtomicBool::new(false));
            let away = Arc::clone(&is_away);
            let stub = Stub::new(move |_| match away.load(Ordering::SeqCst) {
                true => Reply::text(200, "OK").ours(),
                false => stranger(),
            });
            let home = Home::at(&stub.url());
            let monitor = ["monitor", ID, "--ping-timeout", "1s", "--"];
            let job = ["sh", "-c", "exit 7"];
            let outcome = home
                .run(monitor.into_iter().chain(job))
                .exits(7)
                .says("is kept")
                .says(named);
            assert_eq!(outcome.stderr.lines().count(), 1, "{outcome:?}");
            assert!(!outcome.stderr.contains("secret"), "{outcome:?}");
            home.pakyas("spool flush")
                .exits(4)
                .shows("0 sent, 2 left")
                .says(named);
            is_away.store(true, Ordering::SeqCst);
            let before = stub.received().len();
            home.pakyas("spool flush").exits(0).shows("2 sent, 0 left");
            assert_eq!(stub.received().len(), before + 2, "{named}");
        }));
    }
    for one in tried {
        one.join().unwrap();
    }
}

/// As while the container behind it is made anew.
#[test]
fn what_something_in_between_says_for_a_moment_is_outlived_within_the_budget() {
    let count = AtomicUsize::new(0);
    let stub = Stub::new(move |_| match count.fetch_add(1, Ordering::SeqCst) {
        0 | 1 => Reply::text(404, TRAEFIK),
        _ => Reply::text(200, "OK").ours(),
    });
    let home = Home::at(&stub.url());
    home.run(["ping", ID, "--strict"]).exits(0).shows("Pong!");
    assert_eq!(stub.received().len(), 3);
    home.pakyas("spool list --format json").exits(0).shows("[]");
}

#[test]
fn what_our_own_server_refuses_is_final_and_no_longer_kept() {
    let bodiless = || Reply::text(404, "").ours();
    for refused in [bodiless, || refusal(404, "There is no such check")] {
        let stub = Stub::new(move |_| refused());
        let home = Home::at(&stub.url());
        home.run(["ping", ID]).exits(3).says("Check not found");
        assert_eq!(stub.received().len(), 1);
        // One that was kept while nobody was there.
        let elsewhere = Home::at("http://127.0.0.1:9");
        elsewhere
            .run(["ping", ID, "--ping-timeout", "1s"])
            .exits(0)
            .says("is kept");
        let spool = elsewhere.path().join(".local/state/pakyas/spool");
        let is_ping = |path: &std::path::PathBuf| path.extension().is_some_and(|e| e == "ping");
        let files = std::fs::read_dir(&spool).unwrap().flatten();
        let file = files.map(|file| file.path()).find(is_ping).unwrap();
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, text.replace("http://127.0.0.1:9", &stub.url())).unwrap();
        elsewhere
            .pakyas("spool flush")
            .exits(0)
            .shows("0 sent, 1 dropped, 0 left")
            .says("Check not found");
    }
}

/// Servers of before the header answer so, and other people's.
#[test]
fn the_word_that_the_contract_has_for_a_ping_is_believed_without_the_header() {
    let stub = Stub::new(|_| Reply::text(200, "OK"));
    Home::at(&stub.url())
        .run(["ping", ID, "--strict"])
        .exits(0)
        .shows("Pong!");
}

fn is_api(request: &Received) -> bool {
    request.path.starts_with("/api/")
}

#[test]
fn a_slug_that_something_else_is_asked_for_is_kept_and_looked_up_later() {
    for stranger in [
        (|| Reply::text(404, TRAEFIK)) as fn() -> Reply,
        || Reply::text(302, "").with("Location", "https://login.example.com/"),
        || Reply::text(200, "<html>Welcome</html>"),
        || Reply::text(200, "Welcome"),
        || Reply::text(401, "<html>Sign in</html>"),
        || Reply::text(403, ""),
    ] {
        let is_away = Arc::new(AtomicBool::new(false));
        let away = Arc::clone(&is_away);
        let world = World::but(move |request| {
            let is_in_between = is_api(request) && !away.load(Ordering::SeqCst);
            is_in_between.then(stranger)
        });
        world.add("sync", PRODUCTION);
        let home = world.home();
        home.run(["monitor", "sync", "--ping-timeout", "1s", "--", "true"])
            .exits(0)
            .says("is kept")
            .says("No Pakyas server answers at");
        home.pakyas("spool flush").exits(4).shows("0 sent, 2 left");
        assert!(world.pings().is_empty());
        is_away.store(true, Ordering::SeqCst);
        home.pakyas("spool flush").exits(0).shows("2 sent, 0 left");
        assert_eq!(world.pings().len(), 2);
    }
}

#[test]
fn a_remembered_check_is_pinged_though_something_else_answers_for_the_api() {
    let is_between = Arc::new(AtomicBool::new(false));
    let between = Arc::clone(&is_between);
    let world = World::but(move |request| {
        let it_is = is_api(request) && between.load(Ordering::SeqCst);
        it_is.then(|| Reply::text(404, TRAEFIK))
    });
    world.add("sync", PRODUCTION);
    let home = world.home();
    home.pakyas("check list").exits(0);
    is_between.store(true, Ordering::SeqCst);
    home.pakyas("ping sync --strict").exits(0);
    assert_eq!(world.pings().len(), 1);
    // Our own server knows no such check any more, and nobody says what its id is now.
    world.clear();
    world.add("sync", PRODUCTION);
    home.pakyas("ping sync --ping-timeout 1s")
        .exits(0)
        .says("is kept")
        .says("404 of Traefik");
    is_between.store(false, Ordering::SeqCst);
    home.pakyas("spool flush").exits(0).shows("1 sent, 0 left");
}

#[test]
fn our_server_says_who_it_is_in_every_answer() {
    let server = Server::start();
    let check = server.check("job", 3_600, 300, &serde_json::Value::Null);
    let id = check["public_id"].as_str().unwrap();
    let key = format!("Bearer {}", server.key);
    let key = [("authorization", key.as_str())];
    for (method, path, status) in [
        ("POST", format!("/{id}"), 200),
        ("HEAD", format!("/ping/{id}/start"), 200),
        ("GET", format!("/{id}/256"), 400),
        ("DELETE", format!("/{id}"), 405),
        ("GET", format!("/{ID}"), 404),
        ("GET", "/api/v1/me".to_owned(), 200),
        ("GET", "/api/v1/checks/7".to_owned(), 404),
        ("DELETE", "/api/v1/me".to_owned(), 405),
        ("GET", "/healthz".to_owned(), 200),
        ("GET", "/nothing/there/at/all".to_owned(), 404),
    ] {
        let answer = server.request(method, &path, &key, b"").unwrap();
        assert_eq!(answer.status, status, "{method} {path}: {answer:?}");
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(answer.header("pakyas-server"), version, "{method} {path}");
    }
    let unknown = server.request("GET", "/api/v1/me", &[], b"").unwrap();
    assert_eq!(unknown.status, 401);
    assert!(!unknown.header("pakyas-server").is_empty());
    // What the HTTP side refuses before anything else looks at it.
    let too_large = vec![b'x'; 2 * 1024 * 1024];
    let path = format!("/{id}");
    let answer = server.request("POST", &path, &[], &too_large).unwrap();
    assert_eq!(answer.status, 413);
    assert!(!answer.header("pakyas-server").is_empty(), "{answer:?}");
}
