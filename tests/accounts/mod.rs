//! People, keys and signing in, from outside: the real server, a browser made of its forms, a
//! person at a terminal.

mod admin;
mod client;
mod devices;
mod keys;
mod pages;
mod sessions;
mod tenants;
mod terminal;

use std::process::Output;

pub use crate::support::accounts::{PASSWORD, add_user, sql};
use crate::support::server::{Answer, Server, command};
use serde_json::{Value, json};

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

/// Signs in as programs do; gives the answer's fields.
pub fn sign_in(server: &Server, email: &str) -> Value {
    let body = json!({"email": email, "password": PASSWORD});
    let answer = anyone(server, "POST", "/auth/login", &body);
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

/// A request to the management API without any key.
pub fn anyone(server: &Server, method: &str, path: &str, body: &Value) -> Answer {
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
) -> Answer {
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
