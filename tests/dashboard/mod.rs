//! The dashboard, from outside: the real server, and a browser made of its forms.

mod account;
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

use serde_json::Value;

pub use crate::support::accounts::{PASSWORD, add_user, sql};
use crate::support::browser::{Browser, Form};
use crate::support::server::Answer;

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
