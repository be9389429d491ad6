//! The dashboard, from outside: the real server, and a browser made of its forms.
#![cfg(feature = "server")]

#[path = "../support/mod.rs"]
mod support;

mod account;
#[allow(dead_code, reason = "the tests of accounts use more of it")]
#[path = "../accounts/browser.rs"]
mod browser;
mod check;
mod check_form;
mod files;
mod forms;
mod lines;
mod overview;
mod public;
mod settings;
mod times;
mod ways;

use browser::{Browser, Form};
use serde_json::Value;
use support::TempDir;
use support::server::{Answer, Server};

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

/// A form that the page has the token for, with these fields.
pub fn form_to(page: &Answer, action: &str, fields: &[(&str, &str)]) -> Form {
    let token = page.body.split("name=\"csrf\" value=\"").nth(1);
    let token = token.unwrap_or_else(|| panic!("no form: {page:?}"));
    let token = ("csrf", token.split('"').next().unwrap());
    let fields = [token].into_iter().chain(fields.iter().copied());
    Form {
        action: action.to_owned(),
        fields: fields
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
    }
}

/// Sends these fields to `action` with the token of the page at `path`.
pub fn send(
    browser: &mut Browser<'_>,
    path: &str,
    action: &str,
    fields: &[(&str, &str)],
) -> Answer {
    let page = browser.get(path);
    browser.send(&form_to(&page, action, fields))
}

/// What no ping can make: a history. Statements run beside the server.
pub fn sql(server: &Server, statements: &str) {
    let db = rusqlite::Connection::open(server.database()).unwrap();
    db.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
    db.execute_batch(statements).unwrap();
}

/// Now, milliseconds since the Unix epoch.
pub fn now() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

/// The check's row, as a part of a statement.
pub fn row(check: &Value) -> String {
    let id = check["id"].as_str().unwrap().replace('-', "");
    format!("(SELECT row FROM check_ WHERE id = x'{id}')")
}

/// A moment as the API has it.
pub fn at(millis: i64) -> String {
    jiff::Timestamp::from_millisecond(millis)
        .unwrap()
        .to_string()
}
