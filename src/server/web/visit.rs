//! Who asks for a page: their cookie, and the session that it stands for.

use ureq_proto::http::{Method, StatusCode, header};
use uuid::Uuid;

use super::page::{self, Frame, escape};
use super::page_of_ours;
use crate::random;
use crate::server::api::App;
use crate::server::clock;
use crate::server::hash::hex;
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
                None => hex(&random::bytes::<32>()?),
            },
            is_new,
        })
    }

    /// The path under which the pages are reached from outside: of `https://a.b/c` it is `/c`.
    pub fn base(&self) -> &str {
        page::base(&self.app.public_url)
    }

    /// What every template needs. A page that knows its organization says so (`Frame::within`);
    /// others keep the one that was asked for.
    pub fn frame(&self) -> Frame<'_> {
        let org = self.request.form("org");
        let org = org.or_else(|| self.request.parameter("org"));
        Frame {
            org: org.and_then(|id| id.parse().ok()),
            org_name: None,
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

    /// A page that says one thing, and leads back to the form that was sent.
    pub fn message(&self, status: StatusCode, title: &str, text: &str) -> Response {
        self.page(
            status,
            &page::Message {
                frame: self.frame(),
                title,
                text,
                back: self.form_page(),
            },
        )
    }

    /// The page takes the methods `allow` only.
    pub fn not_so(&self, allow: &'static str) -> Response {
        self.message(
            StatusCode::METHOD_NOT_ALLOWED,
            "That can't be done here",
            "Go back, and use the buttons of the page.",
        )
        .with("allow", allow)
    }

    /// What is not there, or not for them: nobody is told which.
    pub fn nothing_here(&self) -> Response {
        self.message(
            StatusCode::NOT_FOUND,
            "There is no such page",
            "The address may be mistyped, or the page is gone.",
        )
    }

    /// The page with the form that was sent here.
    fn form_page(&self) -> Option<String> {
        if self.request.method != Method::POST {
            return None;
        }
        let path = self.request.path.as_str();
        let segments: Vec<&str> = path.split('/').skip(1).collect();
        let page = match segments.as_slice() {
            ["settings", section @ ("channels" | "projects"), id, ..] => {
                format!("/settings/{section}/{id}")
            }
            ["settings", section, ..] => format!("/settings/{section}"),
            ["checks", id, "pause" | "resume"] => format!("/checks/{id}"),
            ["checks", ..] | ["projects", _, "public"] | ["device", _] => path.to_owned(),
            ["account", ..] => "/account".to_owned(),
            _ => return None,
        };
        let query: Vec<String> = ["org", "project"]
            .into_iter()
            .filter_map(|name| {
                let id: Uuid = self.request.form(name)?.parse().ok()?;
                Some(format!("{name}={id}"))
            })
            .collect();
        let page = match query.is_empty() {
            true => page,
            false => format!("{page}?{}", query.join("&")),
        };
        page_of_ours(&page).map(str::to_owned)
    }

    /// To the form for signing in, and from there to what was asked for; who has sent a form is
    /// told that nothing came of it, and gets to the page that it is on.
    pub fn sign_in_first(&self) -> Response {
        if self.request.method == Method::POST {
            let next = self.form_page();
            let next = escape(next.as_deref().unwrap_or("/"));
            return self.go_to(&format!("/sign-in?next={next}&sent=form"));
        }
        let (path, query) = (&self.request.path, &self.request.query);
        let whole = format!("{path}?{query}");
        let next = [whole.trim_end_matches('?'), path]
            .into_iter()
            .find_map(page_of_ours);
        self.go_to(&format!("/sign-in?next={}", escape(next.unwrap_or("/"))))
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
