//! API.md as routes: who may ask for what, and which resource answers.

mod channels;
mod checks;
mod error;
mod me;
mod pings;
mod projects;

use std::sync::Arc;

use ureq_proto::http::{Method, StatusCode, header};
use uuid::Uuid;

use super::alerts::Notifier;
use super::http::{BodyRule, Handler, Request, Response};
use super::store::Store;
use super::store::accounts::{self, Caller};
use crate::wire::{self, ORG_KEY_MISMATCH};
pub use error::ApiError;

/// The largest JSON body that is read, bytes.
const JSON_MAX: usize = 64 * 1024;

type Answer = Result<Response, ApiError>;

/// What answers every request.
pub struct App {
    /// What the server remembers.
    pub store: Arc<Store>,
    /// For channel tests.
    pub notifier: Arc<Notifier>,
    /// Where this server is reached from outside, without a slash at its end.
    pub public_url: String,
}

/// What a key must allow for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scope {
    Read,
    Write,
    Manage,
}

impl Scope {
    fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Manage => "manage",
        }
    }
}

impl Handler for App {
    fn body_rule(&self, _: &Method, path: &str) -> BodyRule {
        if path.starts_with(wire::API_PREFIX) {
            BodyRule {
                max: JSON_MAX,
                keep: JSON_MAX,
            }
        } else {
            BodyRule {
                max: wire::PING_BODY_MAX,
                keep: wire::OUTPUT_LIMIT,
            }
        }
    }

    fn handle(&self, request: Request) -> Response {
        let path = request.path.clone();
        let segments: Vec<&str> = path.split('/').skip(1).collect();
        let answer = match segments.as_slice() {
            ["api", "v1", route @ ..] => self.management(&request, route),
            ["healthz"] => self.health(&request),
            ["ping", rest @ ..] => pings::take(self, &request, rest),
            rest => pings::take(self, &request, rest),
        };
        answer.unwrap_or_else(ApiError::into_response)
    }
}

impl App {
    fn management(&self, request: &Request, route: &[&str]) -> Answer {
        use Scope::{Manage, Read, Write};
        // A HEAD is a GET whose body stays here; the connection sees to that.
        let method = match request.method.as_str() {
            "HEAD" => "GET",
            method => method,
        };
        let caller = |scope| self.caller(request, scope);
        match (method, route) {
            ("GET", ["me"]) => me::show(self, &caller(Read)?),
            ("GET", ["organizations"]) => me::organizations(self, &caller(Read)?),
            ("GET", ["projects"]) => projects::list(self, &caller(Read)?, request),
            ("POST", ["projects"]) => projects::create(self, &caller(Write)?, request),
            ("GET", ["projects", id]) => projects::get(self, &caller(Read)?, id),
            ("PUT", ["projects", id]) => projects::update(self, &caller(Write)?, id, request),
            ("DELETE", ["projects", id]) => projects::delete(self, &caller(Write)?, id),
            ("GET", ["checks"]) => checks::list(self, &caller(Read)?, request),
            ("POST", ["checks"]) => checks::create(self, &caller(Write)?, request),
            ("GET", ["checks", id]) => checks::get(self, &caller(Read)?, id),
            ("PUT", ["checks", id]) => checks::update(self, &caller(Write)?, id, request),
            ("DELETE", ["checks", id]) => checks::delete(self, &caller(Write)?, id),
            ("PATCH", ["checks", id, "pause"]) => checks::pause(self, &caller(Write)?, id, true),
            ("PATCH", ["checks", id, "resume"]) => checks::pause(self, &caller(Write)?, id, false),
            ("GET", ["checks", id, "pings"]) => pings::history(self, &caller(Read)?, id, request),
            ("GET", ["checks", id, "pings", ping, "body"]) => {
                pings::output(self, &caller(Read)?, id, ping)
            }
            ("GET", ["channels"]) => channels::list(self, &caller(Read)?, request),
            ("POST", ["channels"]) => channels::create(self, &caller(Manage)?, request),
            ("GET", ["channels", id]) => channels::get(self, &caller(Read)?, id),
            ("PUT", ["channels", id]) => channels::update(self, &caller(Manage)?, id, request),
            ("GET", ["channels", id, "deliveries"]) => {
                channels::deliveries(self, &caller(Read)?, id, request)
            }
            ("DELETE", ["channels", id]) => channels::delete(self, &caller(Manage)?, id),
            ("POST", ["channels", id, "test"]) => channels::test(self, &caller(Manage)?, id),
            // Who has no key is not told which routes there are.
            (_, route) => {
                caller(Read)?;
                Err(match route {
                    ["me" | "organizations"] | ["checks", _, "pings", ..] => {
                        ApiError::method("GET, HEAD")
                    }
                    ["projects" | "checks" | "channels"] => ApiError::method("GET, HEAD, POST"),
                    ["projects" | "checks" | "channels", _] => {
                        ApiError::method("GET, HEAD, PUT, DELETE")
                    }
                    ["checks", _, "pause" | "resume"] => ApiError::method("PATCH"),
                    ["channels", _, "deliveries"] => ApiError::method("GET, HEAD"),
                    ["channels", _, "test"] => ApiError::method("POST"),
                    _ => ApiError::not_found("There is no such route; see API.md"),
                })
            }
        }
    }

    /// Whom the request's key speaks for, if it allows `scope`.
    fn caller(&self, request: &Request, scope: Scope) -> Result<Caller, ApiError> {
        let key = request
            .header(header::AUTHORIZATION.as_str())
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, key)| key.trim())
            .ok_or_else(|| {
                ApiError::unauthorized("Send an API key: Authorization: Bearer pk_live_…")
            })?;
        let caller = self
            .store
            .read(|connection| accounts::caller(connection, key))?
            .ok_or_else(|| {
                ApiError::unauthorized(
                    "This API key is not known here; create one and log in with it",
                )
            })?;
        if let Some(wanted) = request.header(wire::header::ORG)
            && wanted.parse() != Ok(caller.org_id)
        {
            let mut error = ApiError::new(StatusCode::FORBIDDEN, ORG_KEY_MISMATCH);
            error.body.key_org_name = Some(caller.org_name);
            error.body.requested_org_id = Some(wanted.chars().take(100).collect());
            return Err(error);
        }
        if !caller.scopes.iter().any(|has| has == scope.name()) {
            return Err(ApiError::new(
                StatusCode::FORBIDDEN,
                &format!(
                    "This API key lacks the scope '{}'; use one that has it",
                    scope.name()
                ),
            ));
        }
        Ok(caller)
    }

    fn health(&self, request: &Request) -> Answer {
        if request.method != Method::GET && request.method != Method::HEAD {
            return Err(ApiError::method("GET, HEAD"));
        }
        let alive = self.store.check().and_then(|()| {
            self.store.read(|connection| {
                Ok(
                    connection.query_row("SELECT count(*) FROM organization", [], |row| {
                        row.get::<_, i64>(0)
                    })?,
                )
            })
        });
        Ok(match alive {
            Ok(_) => Response::text(StatusCode::OK, "ok"),
            Err(_) => Response::text(StatusCode::SERVICE_UNAVAILABLE, "the store does not answer"),
        })
    }
}

/// The JSON body of a request.
fn json<T: serde::de::DeserializeOwned>(request: &Request) -> Result<T, ApiError> {
    serde_json::from_slice(&request.body).map_err(|error| {
        ApiError::new(
            StatusCode::BAD_REQUEST,
            &format!("The body is not the JSON that this route takes: {error}"),
        )
    })
}

/// An id in the path; what is no id names nothing.
fn id(text: &str, what: &str) -> Result<Uuid, ApiError> {
    text.parse()
        .map_err(|_| ApiError::not_found(&format!("There is no {what} with this id")))
}

/// An id in the query, where it is given.
fn id_parameter(request: &Request, name: &'static str) -> Result<Option<Uuid>, ApiError> {
    match request.parameter(name) {
        None => Ok(None),
        Some(text) => text.parse().map(Some).map_err(|_| {
            ApiError::new(
                StatusCode::BAD_REQUEST,
                &format!("'{name}' is not an id; give a UUID"),
            )
        }),
    }
}

/// That a request which names an organization names the caller's.
fn own_org(caller: &Caller, org_id: Option<Uuid>) -> Result<(), ApiError> {
    match org_id {
        Some(id) if id != caller.org_id => Err(ApiError::not_found(
            "There is no organization with this id that this key belongs to",
        )),
        _ => Ok(()),
    }
}

/// A name of 1–100 characters, without white space around it.
fn name(text: &str) -> Result<String, ApiError> {
    let text = text.trim();
    let length = text.chars().count();
    if length == 0 || length > wire::check::NAME_MAX || text.chars().any(char::is_control) {
        return Err(ApiError::field(
            "name",
            "The name must have 1 to 100 characters, none of them a control character",
        ));
    }
    Ok(text.to_owned())
}

/// A description of up to 500 characters; an empty one is none.
fn description(text: Option<String>) -> Result<Option<String>, ApiError> {
    let text = text.filter(|text| !text.is_empty());
    match &text {
        Some(long) if long.chars().count() > wire::check::DESCRIPTION_MAX => Err(ApiError::field(
            "description",
            "The description must not be longer than 500 characters",
        )),
        _ => Ok(text),
    }
}
