//! What the pages cost: the time from a request to the whole answer with 1,000 checks and their
//! runs, seen from outside, and how much is sent. At most 50 ms and 100 KB for the overview.
//!
//! `cargo bench --bench dashboard`

#![allow(missing_docs, reason = "a program, not a library")]

mod figures;
#[path = "../support/mod.rs"]
mod support;

use std::time::Instant;

use figures::{Aim, Figure, Figures};
use serde_json::Value;
use support::TempDir;
use support::server::{Answer, Server};

const CHECKS: usize = 1_000;

/// How many runs each has, and how often each page is asked for.
const RUNS: usize = 200;
const ROUNDS: usize = 100;

const EMAIL: &str = "me@acme.example";
const PASSWORD: &str = "correct horse battery";

fn main() {
    let mut server = Server::start();
    let directory = TempDir::new();
    let file = directory.path().join("password");
    std::fs::write(&file, PASSWORD).unwrap();
    let file = file.to_str().unwrap();
    let words = ["user", "add", EMAIL, "--org", "Acme", "--role", "owner"];
    server.administer(&[&words[..], &["--password-file", file]].concat());
    for number in 0..CHECKS {
        server.check(&format!("nightly-job-{number}"), 86_400, 3600, &Value::Null);
    }
    server.kill();
    remember(&server);
    server.restart();
    let cookie = sign_in(&server);
    publish(&server, &cookie);
    let style = get(&server, "/web/style.css", &cookie).bytes.len();
    let mut figures = Figures::of("dashboard");
    let project = format!("/projects/{}", server.project_id);
    for (name, path) in [
        ("overview", "/"),
        ("overview, last page", "/?page=20"),
        ("overview, searched", "/?q=job-99"),
        ("overview of a project", &project),
        ("status page", "/status/bench"),
    ] {
        let times: Vec<f64> = (0..ROUNDS)
            .map(|_| {
                let begun = Instant::now();
                get(&server, path, &cookie);
                begun.elapsed().as_secs_f64() * 1e3
            })
            .collect();
        let bytes = get(&server, path, &cookie).bytes.len() + style;
        figures.add(
            Figure::new(format!("{name}, time"), "ms", times)
                .with_checks(CHECKS)
                .aim(Aim::AtMost(50.0)),
        );
        figures.add(
            Figure::single(format!("{name}, with its style"), "KB", bytes as f64 / 1e3)
                .with_checks(CHECKS)
                .aim(Aim::AtMost(100.0)),
        );
    }
    figures.write();
}

/// Writes the runs of each check, one of ten bad, and the last bad for one check of ten.
fn remember(server: &Server) {
    let mut db = rusqlite::Connection::open(server.database()).unwrap();
    let db = db.transaction().unwrap();
    db.execute_batch(&format!(
        "WITH RECURSIVE back (n) AS (SELECT {RUNS} UNION ALL SELECT n - 1 FROM back WHERE n > 1)
         INSERT INTO ping (check_row, kind, created_at, received_at, duration_ms, body)
         SELECT row, iif((row + n) % 10 = 1, 'fail', 'success'), now - n * 3600000,
             now - n * 3600000, 1000 + (row * n) % 5000,
             iif((row + n) % 10 = 1, CAST('pg_dump: error: connection to server failed: timeout' AS BLOB),
             NULL)
         FROM back, check_, (SELECT unixepoch() * 1000 AS now) ORDER BY n DESC;
         UPDATE check_ SET status = iif(row % 10 = 0, 'down', 'up'), failures = row % 10 = 0,
             last_ping_at = unixepoch() * 1000, expected_at = unixepoch() * 1000 + 3600000;
         INSERT INTO event (check_row, kind, source, occurred_at, effective_at, from_status,
             to_status)
         SELECT row, 'status_changed', 'ping', status_since - n * 86400000,
             status_since - n * 86400000, iif(n % 2, 'up', 'down'), iif(n % 2, 'down', 'up')
         FROM check_, (SELECT 60 AS n UNION ALL SELECT 59 UNION ALL SELECT 20 UNION ALL SELECT 1);"
    ))
    .unwrap();
    db.commit().unwrap();
}

fn get(server: &Server, path: &str, cookie: &str) -> Answer {
    let answer = server
        .request("GET", path, &[("cookie", cookie)], b"")
        .unwrap();
    assert_eq!(answer.status, 200, "{path}");
    answer
}

/// Signs in; gives the cookie.
fn sign_in(server: &Server) -> String {
    let page = server.request("GET", "/sign-in", &[], b"").unwrap();
    let cookie = cookie_of(&page);
    let password = PASSWORD.replace(' ', "+");
    let form = format!("csrf={}&email={EMAIL}&password={password}", csrf(&page));
    cookie_of(&post(server, "/sign-in", &cookie, &form))
}

/// Switches the project's status page on.
fn publish(server: &Server, cookie: &str) {
    let path = format!("/projects/{}/public", server.project_id);
    let page = get(server, &path, cookie);
    let form = format!("csrf={}&action=page&path=bench", csrf(&page));
    post(server, &path, cookie, &form);
}

fn post(server: &Server, path: &str, cookie: &str, form: &str) -> Answer {
    let headers = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("cookie", cookie),
    ];
    let answer = server
        .request("POST", path, &headers, form.as_bytes())
        .unwrap();
    assert_eq!(answer.status, 303, "{answer:?}");
    answer
}

fn cookie_of(answer: &Answer) -> String {
    let cookie = answer.header("set-cookie");
    cookie.split(';').next().unwrap().to_owned()
}

fn csrf(page: &Answer) -> &str {
    let rest = page.body.split("name=\"csrf\" value=\"").nth(1).unwrap();
    rest.split('"').next().unwrap()
}
