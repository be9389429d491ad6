//! API.md as routes: who may ask for what, and which resource answers.

pub(super) mod api_keys;
pub(super) mod auth;
mod body;
pub(super) mod channels;
mod check_change;
pub(super) mod checks;
mod error;
#[doc(hidden)]
pub mod fuzz;
mod history;
pub(super) mod maintenance;
mod me;
mod pings;
pub(super) mod projects;
mod rates;

use std::sync::Arc;

use ureq_proto::http::{Method, StatusCode, header};
use uuid::Uuid;

use super::access_log::AccessLog;
use super::accounts::Accounts;
use super::alerts::Notifier;
use super::clock;
use super::http::{BodyRule, Handler, Handling, Record, Request, Response};
use super::metrics::Metrics;
use super::store::Store;
use super::store::accounts::{self, Caller, Credential, Standing};
use super::store::outbox;
use super::web;
use crate::wire::{self, ORG_KEY_MISMATCH};
use body::{json, json_and_nulls};
pub use error::ApiError;
pub use rates::Rates;

/// The largest JSON body, and the largest form, that is read, bytes.
const JSON_MAX: usize = 64 * 1024;

type Answer = Result<Response, ApiError>;

/// What answers every request.
pub struct App {
    /// What the server remembers.
    pub store: Arc<Store>,
    /// For channel tests.
    pub notifier: Arc<Notifier>,
    /// Who may come in.
    pub(super) accounts: Arc<Accounts>,
    /// Where this server is reached from outside, without a slash at its end.
    pub public_url: String,
    /// How much may be asked.
    pub rates: Rates,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Where each request is logged, if anywhere.
    pub access_log: Option<Arc<AccessLog>>,
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
        if path.starts_with(wire::API_PREFIX) || web::owns(path) {
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
            // `OPTIONS *` asks what the server can at all (RFC 9110 section 9.3.7).
            [] => Ok(Response::empty().with("allow", "GET, HEAD, POST, PUT, PATCH, DELETE")),
            ["healthz"] => self.health(&request),
            ["metrics"] => self.metrics(&request),
            // The first page takes no form: what is sent there is a ping that lost its id.
            [""] if ![Method::GET, Method::HEAD].contains(&request.method) => {
                pings::refuse(self, &request)
            }
            _ if web::owns(&path) => Ok(web::answer(self, &request)),
            ["ping", ..] => pings::refuse(self, &request),
            _ if web::owns_for_people(&request) => Ok(web::answer(self, &request)),
            _ => pings::refuse(self, &request),
        };
        let response = answer.unwrap_or_else(ApiError::into_response);
        rates::tell(response, request.allowance.get())
    }

    fn headers(&self, path: &str) -> &'static [(&'static str, &'static str)] {
        let other = ["/healthz", "/metrics"].contains(&path)
            || path.starts_with(wire::API_PREFIX)
            || web::owns(path);
        if other { &[] } else { pings::HEADERS }
    }

    fn begin(&self, request: Request) -> Handling {
        pings::begin(self, request)
    }

    fn answered(&self, record: &Record) {
        self.metrics.answered(record);
        if let Some(log) = &self.access_log {
            log.take(record);
        }
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
        // For the keys' own routes, which look closer.
        let anyone = || self.anyone(request);
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
            ("GET", ["checks", id, "events"]) => history::events(self, &caller(Read)?, id, request),
            ("GET", ["checks", id, "inspect"]) => history::inspect(self, &caller(Read)?, id),
            ("GET", ["checks", id, "doctor"]) => history::doctor(self, &caller(Read)?, id, request),
            ("GET", ["channels"]) => channels::list(self, &caller(Read)?, request),
            ("POST", ["channels"]) => channels::create(self, &caller(Manage)?, request),
            ("GET", ["channels", id]) => channels::get(self, &caller(Read)?, id),
            ("PUT", ["channels", id]) => channels::update(self, &caller(Manage)?, id, request),
            ("GET", ["channels", id, "deliveries"]) => {
                channels::deliveries(self, &caller(Read)?, id, request)
            }
            ("DELETE", ["channels", id]) => channels::delete(self, &caller(Manage)?, id),
            ("POST", ["channels", id, "test"]) => channels::test(self, &caller(Manage)?, id),
            ("GET", ["maintenance"]) => maintenance::list(self, &caller(Read)?, request),
            ("POST", ["maintenance"]) => maintenance::create(self, &caller(Write)?, request),
            ("DELETE", ["maintenance", id]) => maintenance::delete(self, &caller(Write)?, id),
            ("GET", ["api-keys"]) => api_keys::list(self, &caller(Read)?, request),
            ("POST", ["api-keys"]) => api_keys::create(self, &anyone()?, request),
            ("DELETE", ["api-keys", id]) => api_keys::revoke(self, &anyone()?, id),
            ("POST", ["auth", "login"]) => auth::login(self, request),
            ("POST", ["auth", "refresh"]) => auth::refresh(self, request),
            ("POST", ["auth", "logout"]) => auth::logout(self, &caller(Read)?),
            ("POST", ["cli", "auth", "init"]) => auth::begin(self, request),
            // Not for HEAD: an answer that nobody reads would cost the key.
            ("GET", ["cli", "auth", "poll"]) if request.method == Method::GET => {
                auth::poll(self, request)
            }
            // Who has no key is not told which routes there are.
            (_, route) => {
                caller(Read)?;
                Err(match route {
                    ["me" | "organizations"] | ["checks", _, "pings", ..] => {
                        ApiError::method("GET, HEAD")
                    }
                    ["checks", _, "events" | "inspect" | "doctor"]
                    | ["channels", _, "deliveries"] => ApiError::method("GET, HEAD"),
                    ["projects" | "checks" | "channels" | "maintenance" | "api-keys"] => {
                        ApiError::method("GET, HEAD, POST")
                    }
                    ["projects" | "checks" | "channels", _] => {
                        ApiError::method("GET, HEAD, PUT, DELETE")
                    }
                    ["checks", _, "pause" | "resume"] => ApiError::method("PATCH"),
                    ["maintenance" | "api-keys", _] => ApiError::method("DELETE"),
                    ["auth", "login" | "refresh" | "logout"] | ["cli", "auth", "init"] => {
                        ApiError::method("POST")
                    }
                    ["cli", "auth", "poll"] => ApiError::method("GET"),
                    ["channels", _, "test"] => ApiError::method("POST"),
                    _ => ApiError::not_found("There is no such route; see API.md"),
                })
            }
        }
    }

    /// Whom the request's key or session speaks for, if it allows `scope`.
    fn caller(&self, request: &Request, scope: Scope) -> Result<Caller, ApiError> {
        let caller = self.anyone(request)?;
        match caller.may(scope.name()) {
            true => Ok(caller),
            false => Err(lacks(&caller, scope.name())),
        }
    }

    /// The same, whatever it allows.
    fn anyone(&self, request: &Request) -> Result<Caller, ApiError> {
        let token = request
            .header(header::AUTHORIZATION.as_str())
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token.trim())
            .ok_or_else(|| {
                ApiError::unauthorized("Send an API key: Authorization: Bearer pk_live_…")
            })?;
        let now = clock::now();
        let wanted = request
            .header(wire::header::ORG)
            .filter(|text| !text.is_empty());
        // What is no id names no organization that anybody could belong to.
        let wanted_id = wanted.map(|text| text.parse().unwrap_or(Uuid::nil()));
        // Who is signed in may belong to several, and needn't name it twice.
        let wanted_id = wanted_id.or_else(|| named_org(request));
        let standing = self
            .store
            .read(|connection| accounts::standing(connection, token, wanted_id, now))?;
        let refused_org = |sentence: &str| {
            let mut error = ApiError::new(StatusCode::FORBIDDEN, sentence);
            error.body.requested_org_id = wanted.map(|text| text.chars().take(100).collect());
            error
        };
        let caller = match standing {
            Standing::Good(caller) => *caller,
            Standing::Unknown => return Err(self.unknown_key(request)),
            Standing::Expired(at) => {
                return Err(ApiError::unauthorized(&format!(
                    "This API key or session expired at {at:.0}; create another key, or sign in again"
                )));
            }
            Standing::Stranger if wanted.is_none() && wanted_id.is_some() => {
                return Err(no_such_org());
            }
            Standing::Stranger => {
                return Err(refused_org(
                    "You don't belong to the organization that was asked for; GET /api/v1/organizations lists yours",
                ));
            }
        };
        self.count(request, caller.org_id)?;
        if wanted.is_some() && wanted_id != Some(caller.org_id) {
            let mut error = refused_org(ORG_KEY_MISMATCH);
            error.body.key_org_name = Some(caller.org_name);
            return Err(error);
        }
        if let Credential::Key(key) = &caller.credential {
            self.accounts.uses.note(&self.store, key.id, now);
        }
        Ok(caller)
    }

    /// `GET /metrics`, for anyone, as `/healthz`: it has no names and no ids.
    fn metrics(&self, request: &Request) -> Answer {
        if request.method != Method::GET && request.method != Method::HEAD {
            return Err(ApiError::method("GET, HEAD"));
        }
        let outbox = self.store.read(outbox::pending).ok();
        let mut response = Response::text(
            StatusCode::OK,
            self.metrics.render(self.store.meters(), outbox),
        );
        response.headers = vec![("content-type", "text/plain; version=0.0.4".to_owned())];
        Ok(response)
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

/// That the caller may not do what this scope stands for.
pub(super) fn lacks(caller: &Caller, scope: &str) -> ApiError {
    let sentence = match caller.credential {
        Credential::Key(_) => {
            format!("This API key lacks the scope '{scope}'; use one that has it")
        }
        Credential::Session(_) => format!(
            "You are {} in this organization, which lacks the scope '{scope}'; ask an owner of it",
            caller.role.as_str()
        ),
    };
    ApiError::new(StatusCode::FORBIDDEN, &sentence)
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
        Some(id) if id != caller.org_id => Err(no_such_org()),
        _ => Ok(()),
    }
}

fn no_such_org() -> ApiError {
    ApiError::not_found("There is no organization with this id that this key belongs to")
}

/// The organization that a request is about by its query or its body.
fn named_org(request: &Request) -> Option<Uuid> {
    #[derive(serde::Deserialize)]
    struct Named {
        org_id: Option<Uuid>,
    }
    match request.parameter("org_id") {
        Some(text) => text.parse().ok(),
        None => {
            let named: Option<Named> = serde_json::from_slice(&request.body).ok();
            named?.org_id
        }
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
