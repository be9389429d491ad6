//! People, keys and signing in, from outside: the real server, a browser made of its forms, a
//! person at a terminal.
#![cfg(feature = "server")]

#[path = "../support/mod.rs"]
mod support;

mod admin;
mod browser;
mod client;
mod devices;
mod keys;
mod pages;
mod sessions;
mod tenants;
mod terminal;

use std::process::Output;

use serde_json::{Value, json};
use support::TempDir;
use support::server::{Server, command};

/// Everybody's password in these tests.
pub const PASSWORD: &str = "correct horse battery";

/// A command about accounts, beside the running server.
pub fn admin(server: &Server, words: &[&str]) -> Output {
    command()
        .args(words)
        .arg("--data-dir")
        .arg(server.database().parent().unwrap())
        .output()
        .unwrap()
}

/// The same, where it must succeed; gives what it printed as JSON.
pub fn admin_json(server: &Server, words: &[&str]) -> Value {
    let words: Vec<&str> = words.iter().copied().chain(["--format", "json"]).collect();
    let output = admin(server, &words);
    assert!(output.status.success(), "{words:?}: {output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Adds a person with [`PASSWORD`] to the organization.
pub fn add_user(server: &Server, email: &str, org: &str, role: &str) {
    let directory = TempDir::new();
    let file = directory.path().join("password");
    std::fs::write(&file, PASSWORD).unwrap();
    let file = file.to_str().unwrap().to_owned();
    admin_json(
        server,
        &[
            "user",
            "add",
            email,
            "--org",
            org,
            "--role",
            role,
            "--password-file",
            &file,
        ],
    );
}

/// Signs in as programs do; gives the answer's fields.
pub fn sign_in(server: &Server, email: &str) -> Value {
    let body = json!({"email": email, "password": PASSWORD});
    let answer = anyone(server, "POST", "/auth/login", &body);
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

/// A request to the management API without any key.
pub fn anyone(server: &Server, method: &str, path: &str, body: &Value) -> support::server::Answer {
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    server
        .request(method, &format!("/api/v1{path}"), &[], body.as_bytes())
        .unwrap()
}

/// A request to the management API with this token, and for this organization where one is given.
pub fn with_token(
    server: &Server,
    token: &str,
    org: Option<&str>,
    method: &str,
    path: &str,
    body: &Value,
) -> support::server::Answer {
    let authorization = format!("Bearer {token}");
    let mut headers = vec![("authorization", authorization.as_str())];
    headers.extend(org.map(|org| ("x-pakyas-org", org)));
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    server
        .request(method, &format!("/api/v1{path}"), &headers, body.as_bytes())
        .unwrap()
}

/// Statements run beside the running server: what no command does, such as making time pass.
pub fn sql(server: &Server, statement: &str) {
    let db = rusqlite::Connection::open(server.database()).unwrap();
    db.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
    db.execute_batch(statement).unwrap();
}
