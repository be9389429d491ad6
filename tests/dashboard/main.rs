//! The dashboard, from outside: the real server, and a browser made of its forms.
#![cfg(feature = "server")]

#[path = "../support/mod.rs"]
mod support;

#[allow(dead_code, reason = "the tests of accounts use more of it")]
#[path = "../accounts/browser.rs"]
mod browser;
mod check;
mod overview;
mod public;

use support::TempDir;
use support::server::Server;

/// Everybody's password in these tests.
pub const PASSWORD: &str = "correct horse battery";

/// Adds a person with [`PASSWORD`] to the organization.
pub fn add_user(server: &Server, email: &str, org: &str, role: &str) {
    let directory = TempDir::new();
    let file = directory.path().join("password");
    std::fs::write(&file, PASSWORD).unwrap();
    let file = file.to_str().unwrap();
    let words = ["user", "add", email, "--org", org, "--role", role];
    server.administer(&[&words[..], &["--password-file", file]].concat());
}
