//! Signing in with a password, and out.

use askama::Template;
use ureq_proto::http::StatusCode;

use super::page::Frame;
use super::visit::Visit;
use super::{forms, page_of_ours};
use crate::server::accounts::Refused;
use crate::server::api::auth::signer;
use crate::server::clock;
use crate::server::http::Response;
use crate::server::store::{StoreError, sessions};

/// Where to go when nothing else was asked for.
const HOME: &str = "/";

#[derive(Template)]
#[template(path = "sign-in.html")]
struct SignIn<'a> {
    frame: Frame<'a>,
    next: &'a str,
    email: &'a str,
    problem: Option<&'a str>,
    /// Whether they were led here by a form that they had sent.
    was_sent: bool,
}

pub(super) fn show(visit: &Visit<'_>) -> Result<Response, StoreError> {
    let next = visit.request.parameter("next").unwrap_or_default();
    let next = page_of_ours(&next).unwrap_or(HOME);
    if visit.person.is_some() {
        return Ok(visit.go_to(next));
    }
    Ok(form(visit, StatusCode::OK, next, "", None))
}

fn form(
    visit: &Visit<'_>,
    status: StatusCode,
    next: &str,
    email: &str,
    problem: Option<&str>,
) -> Response {
    visit.page(
        status,
        &SignIn {
            frame: visit.frame(),
            next,
            email,
            problem,
            was_sent: visit.request.parameter("sent").is_some(),
        },
    )
}

pub(super) fn take(visit: &Visit<'_>) -> Result<Response, StoreError> {
    let value = |name| visit.request.form(name).unwrap_or_default();
    let (next, email, password) = (value("next"), value("email"), value("password"));
    let next = page_of_ours(&next).unwrap_or(HOME);
    let again = |status, problem| form(visit, status, next, &email, Some(problem));
    if !forms::is_ours(visit) {
        return Ok(again(
            StatusCode::FORBIDDEN,
            "This form was too old, or cookies are off. Try again.",
        ));
    }
    let (app, peer) = (visit.app, visit.request.peer);
    let signed_in = app
        .accounts
        .sign_in(&app.store, &email, &password, peer, clock::now());
    let user_id = match signed_in {
        Ok(user) => user.id,
        Err(Refused::Wrong) => {
            return Ok(again(
                StatusCode::UNAUTHORIZED,
                "The email address or the password is wrong.",
            ));
        }
        Err(Refused::TooMany(pause)) => {
            let seconds = pause.as_millis().div_ceil(1000).max(1);
            let problem = match seconds.div_ceil(60) {
                1 => "There were too many attempts. Wait a minute before the next.".to_owned(),
                minutes => {
                    format!("There were too many attempts. Wait {minutes} minutes before the next.")
                }
            };
            let page = again(StatusCode::TOO_MANY_REQUESTS, &problem);
            return Ok(page.with("retry-after", seconds.to_string()));
        }
        Err(Refused::Store(error)) => return Err(error),
    };
    // Always a cookie that nobody knew before: one that was slipped to this browser opens nothing.
    let before = visit.person.as_ref().map(|person| person.session);
    let signer = signer(visit.request);
    let cookie = app.store.write(move |desk| {
        if let Some(session) = before {
            sessions::close(desk, session)?;
        }
        sessions::open_browser(desk, user_id, &signer)
    })?;
    Ok(visit.go_to_signed_in(next, &cookie))
}

pub(super) fn leave(visit: &Visit<'_>) -> Result<Response, StoreError> {
    if !forms::is_ours(visit) {
        return Ok(visit.message(
            StatusCode::FORBIDDEN,
            "You are still signed in",
            "The form was too old. The one above is new: press Sign out there.",
        ));
    }
    if let Some(session) = visit.person.as_ref().map(|person| person.session) {
        visit
            .app
            .store
            .write(move |desk| sessions::close(desk, session))?;
    }
    Ok(visit.go_to_signed_out("/sign-in"))
}
