//! The page of whoever is signed in: who they are, which organizations they belong to, their
//! password, and where else they are signed in.

use askama::Template;
use ureq_proto::http::StatusCode;
use uuid::Uuid;

use super::fields::{Field, Problems};
use super::moment::Moment;
use super::page::Frame;
use super::place::{Page, nothing_here, ours, signed_in, token};
use super::visit::Visit;
use crate::server::accounts::Refused;
use crate::server::accounts::passwords::{LONGEST, SHORTEST, hash};
use crate::server::api::auth::signer;
use crate::server::clock;
use crate::server::http::Response;
use crate::server::store::accounts::memberships;
use crate::server::store::{StoreError, sessions, users};
use crate::wire::Organization;

/// Somewhere that they are signed in.
struct Session {
    id: Uuid,
    what: String,
    address: Option<String>,
    is_this: bool,
    since: Moment,
}

#[derive(Template)]
#[template(path = "account.html")]
struct Account<'a> {
    frame: Frame<'a>,
    organizations: Vec<Organization>,
    email: &'a str,
    done: Option<&'static str>,
    problems: &'a Problems,
    fields: [Field; 3],
    sessions: Vec<Session>,
}

pub(super) fn show(visit: &Visit<'_>) -> Result<Response, StoreError> {
    super::place::answer(page(visit, &Problems::default(), StatusCode::OK))
}

fn page(visit: &Visit<'_>, problems: &Problems, status: StatusCode) -> Page {
    let person = signed_in(visit)?;
    let now = clock::now();
    let (organizations, theirs) = visit.app.store.read(|connection| {
        Ok((
            memberships(connection, person.user_id)?,
            sessions::list(connection, person.user_id, now)?,
        ))
    })?;
    let secret = |id, label| {
        Field::new(id, label)
            .kind("password")
            .required()
            .of(problems)
    };
    let page = Account {
        frame: visit.frame(),
        organizations,
        email: &person.email,
        done: match visit.request.parameter("done").as_deref() {
            Some("password") => {
                Some("Your password was changed. You are signed out everywhere else.")
            }
            Some("sessions") => Some("You are signed out there."),
            _ => None,
        },
        problems,
        fields: [
            secret("current", "Password now").autocomplete("current-password"),
            secret("new", "New password")
                .autocomplete("new-password")
                .hint(format!("At least {SHORTEST} characters.")),
            secret("again", "New password again").autocomplete("new-password"),
        ],
        sessions: theirs
            .into_iter()
            .map(|session| Session {
                id: session.id,
                what: match (session.agent, session.is_browser) {
                    (Some(agent), true) => agent,
                    (Some(agent), false) => format!("The program {agent}"),
                    (None, true) => "A browser".to_owned(),
                    (None, false) => "A program".to_owned(),
                },
                address: session.address,
                is_this: session.id == person.session,
                since: Moment::of(session.created_at),
            })
            .collect(),
    };
    Ok(visit.page(status, &page))
}

/// What a form of this page asks for: `password` or `sessions`.
pub(super) fn change(visit: &Visit<'_>, what: &str) -> Page {
    match what {
        "password" => password(visit),
        "sessions" => sign_out_elsewhere(visit),
        _ => {
            ours(visit)?;
            Err(nothing_here(visit))
        }
    }
}

/// Gives them another password, where they know the one they have. Every session ends; this
/// browser gets a new one.
fn password(visit: &Visit<'_>) -> Page {
    let token = token(visit)?;
    let person = signed_in(visit)?;
    token.or_again(|problems| page(visit, problems, problems.status()))?;
    let value = |name| visit.request.form(name).unwrap_or_default();
    let (current, new, again) = (value("current"), value("new"), value("again"));
    let mut problems = Problems::default();
    if new.chars().count() < SHORTEST {
        let sentence = format!("The new password must have at least {SHORTEST} characters");
        problems.add("new", sentence);
    } else if new.len() > LONGEST {
        let sentence = format!("The new password must not be longer than {LONGEST} bytes");
        problems.add("new", sentence);
    } else if new != again {
        problems.add("again", "The two new passwords differ; type the same twice");
    }
    if !problems.is_empty() {
        return page(visit, &problems, problems.status());
    }
    let (app, now) = (visit.app, clock::now());
    let known = app
        .accounts
        .sign_in(&app.store, &person.email, &current, visit.request.peer, now);
    match known {
        Ok(_) => {}
        Err(Refused::Wrong) => {
            problems.add("current", "This is not your password");
            return page(visit, &problems, problems.status());
        }
        Err(Refused::TooMany(pause)) => {
            problems.add(
                "current",
                "There were too many attempts; wait a while before the next",
            );
            let page = page(visit, &problems, StatusCode::TOO_MANY_REQUESTS)?;
            return Ok(page.with("retry-after", pause.as_secs().max(1).to_string()));
        }
        Err(Refused::Store(error)) => return Err(error.into()),
    }
    let hash = hash(&new).map_err(StoreError::Unavailable)?;
    let (id, signer) = (person.user_id, signer(visit.request));
    let cookie = app.store.write(move |desk| {
        users::set_password(desk, id, &hash)?;
        sessions::open_browser(desk, id, &signer)
    })?;
    Ok(visit.go_to_signed_in("/account?done=password", &cookie))
}

/// Ends one of their other sessions, or all of them.
fn sign_out_elsewhere(visit: &Visit<'_>) -> Page {
    ours(visit)?;
    let person = signed_in(visit)?;
    let (user, here) = (person.user_id, person.session);
    let only = match visit.request.form("session").unwrap_or_default().as_str() {
        "" => None,
        text => Some(text.parse().map_err(|_| nothing_here(visit))?),
    };
    visit
        .app
        .store
        .write(move |desk| sessions::close_others(desk, user, here, only))?;
    Ok(visit.go_to("/account?done=sessions"))
}
