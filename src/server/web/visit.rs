//! Who asks for a page: their cookie, and the session that it stands for.

use ureq_proto::http::{StatusCode, header};
use uuid::Uuid;

use super::page::{self, Frame};
use crate::random;
use crate::server::api::App;
use crate::server::clock;
use crate::server::http::{Request, Response};
use crate::server::store::StoreError;
use crate::server::store::sessions::{self, BROWSER_TIME};

/// The cookie's name. Under HTTPS it has the prefix with which a browser takes it from this very
/// host only (RFC 6265bis section 4.1.3.2).
const NAME: &str = "pakyas";
const NAME_UNDER_HTTPS: &str = "__Host-pakyas";

/// Somebody who is signed in.
#[derive(Debug, Clone)]
pub(super) struct Person {
    pub user_id: Uuid,
    pub email: String,
    pub session: Uuid,
}

/// A request for a page.
pub(super) struct Visit<'a> {
    pub app: &'a App,
    pub request: &'a Request,
    pub person: Option<Person>,
    /// What the cookie holds: brought, or made for this answer. Who is not signed in has one
    /// too, since their forms need something to be bound to.
    pub cookie: String,
    is_new: bool,
}

impl<'a> Visit<'a> {
    pub fn of(app: &'a App, request: &'a Request) -> Result<Self, StoreError> {
        let brought = cookie(request, name(app)).filter(|value| is_ours(value));
        let session = match &brought {
            Some(value) => app
                .store
                .read(|connection| sessions::by_cookie(connection, value, clock::now()))?,
            None => None,
        };
        let is_new = brought.is_none();
        Ok(Self {
            app,
            request,
            person: session.map(|session| Person {
                user_id: session.user_id,
                email: session.email,
                session: session.id,
            }),
            cookie: match brought {
                Some(value) => value.to_owned(),
                None => random::bytes::<32>()?
                    .iter()
                    .map(|byte| format!("{byte:02x}"))
                    .collect(),
            },
            is_new,
        })
    }

    /// The path under which the pages are reached from outside: of `https://a.b/c` it is `/c`.
    pub fn base(&self) -> &str {
        page::base(&self.app.public_url)
    }

    /// What every template needs.
    pub fn frame(&self) -> Frame<'_> {
        Frame {
            base: self.base(),
            email: self.person.as_ref().map(|person| person.email.as_str()),
            csrf: super::forms::token(&self.cookie),
        }
    }

    /// A page, with the cookie where it is a new one.
    pub fn page(&self, status: StatusCode, template: &impl askama::Template) -> Response {
        let response = page::html(status, template);
        if self.is_new {
            response.with("set-cookie", set_cookie(self.app, &self.cookie, None))
        } else {
            response
        }
    }

    /// A page that says one thing.
    pub fn message(&self, status: StatusCode, title: &str, text: &str) -> Response {
        self.page(
            status,
            &page::Message {
                frame: self.frame(),
                title,
                text,
            },
        )
    }

    /// What is not there, or not for them: nobody is told which.
    pub fn nothing_here(&self) -> Response {
        self.message(
            StatusCode::NOT_FOUND,
            "There is no such page",
            "The address may be mistyped, or the page is gone.",
        )
    }

    /// To another page of ours, after a form or for want of a session.
    pub fn go_to(&self, path: &str) -> Response {
        page::redirect(format!("{}{path}", self.base()))
    }

    /// As [`Visit::go_to`], with the cookie of a session that was just opened.
    pub fn go_to_signed_in(&self, path: &str, cookie: &str) -> Response {
        let time = BROWSER_TIME / 1000;
        self.go_to(path)
            .with("set-cookie", set_cookie(self.app, cookie, Some(time)))
    }

    /// As [`Visit::go_to`], without a cookie from now on.
    pub fn go_to_signed_out(&self, path: &str) -> Response {
        self.go_to(path)
            .with("set-cookie", set_cookie(self.app, "", Some(0)))
    }
}

fn is_https(app: &App) -> bool {
    app.public_url.starts_with("https://")
}

fn name(app: &App) -> &'static str {
    if is_https(app) {
        NAME_UNDER_HTTPS
    } else {
        NAME
    }
}

/// A value that this server makes: 32 bytes in hexadecimal.
fn is_ours(value: &str) -> bool {
    value.len() == 64 && value.bytes().all(|b| b.is_ascii_hexdigit())
}

/// The cookie of that name; a browser may send several `Cookie` headers only over HTTP/2.
fn cookie<'a>(request: &'a Request, name: &str) -> Option<&'a str> {
    let header = request.header(header::COOKIE.as_str())?;
    header.split(';').find_map(|pair| {
        let (known, value) = pair.trim().split_once('=')?;
        (known == name).then_some(value)
    })
}

/// `seconds`: how long it is kept; until the browser is closed where none are given.
fn set_cookie(app: &App, value: &str, seconds: Option<i64>) -> String {
    let mut text = format!("{}={value}; Path=/; HttpOnly; SameSite=Lax", name(app));
    if let Some(seconds) = seconds {
        text.push_str(&format!("; Max-Age={seconds}"));
    }
    if is_https(app) {
        text.push_str("; Secure");
    }
    text
}
