//! The management API: one question, one answer, and every refusal turned into one error
//! with the command that mends it.

use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use uuid::Uuid;

use super::address::origin;
use super::cache::Shelf;
use super::error::{Error, Kind};
use super::http::{Answer, Http, Request};
use super::render::clean;
use super::settings::{Key, KeySource, Settings, same_name};
use super::talk::Talk;
use super::who;
use crate::wire::{self, Check, Me, Organization, Project};

/// How long one question may take.
const BUDGET: Duration = Duration::from_secs(30);

/// The largest answer that is read, bytes: some 20,000 checks.
const ANSWER_MAX: usize = 32 * 1024 * 1024;

/// What to ask oneself where something else answers.
const WHICH_API: &str = "Is it the address of an API? pakyas --api-url URL, or PAKYAS_API_URL";

/// Where the address is set that is asked.
pub(super) const API_ADDRESS: &str = " (the API; --api-url or PAKYAS_API_URL sets its address)";

/// What is wrong where a key that was to be there is not taken, and what mends it.
const LOGGED_OUT: &str = "Not logged in: ";
const LOG_IN: &str = "Run: pakyas login --api-key KEY (or set PAKYAS_API_KEY)";

const LOG_IN_ELSE: &str = "To log in without one: pakyas login";

/// The API of one server, with a key.
pub struct Api<'a> {
    http: &'a Http,
    talk: Talk,
    base: String,
    key: Key,
    deadline: Option<Instant>,
    /// What is remembered of this account.
    pub shelf: Shelf,
}

impl<'a> Api<'a> {
    /// The API that the settings say, with the key that they say. An organization asked for
    /// by name is looked up here, where the stored keys don't tell its id.
    ///
    /// # Errors
    /// As [`Settings::key`] and [`Api::organizations`]; [`Kind::NotFound`] where the
    /// organization asked for is not among the key's.
    pub fn connect(
        settings: &Settings,
        http: &'a Http,
        deadline: Option<Instant>,
    ) -> Result<Self, Error> {
        let base = settings.api_url()?;
        let key = settings.key()?;
        let mut api = Self::with_key(settings, http, base, key);
        api.deadline = deadline;
        if let Some(wanted) = api.key.wanted_org.take() {
            // The question itself is not about the organization that is not known yet.
            api.key.org = None;
            let organizations = api.organizations()?;
            let found = organizations.iter().find(|o| same_name(&o.name, &wanted));
            let Some(found) = found else {
                return Err(no_organization(&wanted, &organizations));
            };
            api.key.org = Some(found.id);
        }
        Ok(api)
    }

    /// The API at `base` with a key that is not, or not yet, among the settings.
    pub fn with_key(settings: &Settings, http: &'a Http, base: String, key: Key) -> Self {
        let asked = settings.asked_org();
        let directory = settings.directory().map(AsRef::as_ref);
        let shelf = Shelf::new(directory, &base, &key, asked.as_deref());
        Self {
            http,
            talk: Talk::new(settings.globals()),
            base,
            key,
            deadline: None,
            shelf,
        }
    }

    /// The address that questions go to.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// The name of the organization in use, where one is known.
    pub fn org_name(&self) -> Option<&str> {
        self.key.org_name.as_deref()
    }

    /// The organization that is said with each request, where one is known.
    pub fn org(&self) -> Option<Uuid> {
        self.key.org
    }

    /// The organization's id: known, or asked for.
    ///
    /// # Errors
    /// As [`Api::get`].
    pub fn org_id(&self) -> Result<Uuid, Error> {
        match self.key.org {
            Some(id) => Ok(id),
            None => Ok(self.me()?.org_id),
        }
    }

    /// Who the key belongs to.
    ///
    /// # Errors
    /// As [`Api::get`].
    pub fn me(&self) -> Result<Me, Error> {
        self.get("/me").map_err(|error| {
            // Every API has this: what has not may be a server's ping address, which knows no
            // check of that name.
            if error.kind() != Kind::NotFound {
                return error;
            }
            let why = format!("There is no Pakyas API at {}. {WHICH_API}", self.base);
            Error::new(Kind::NotFound, why)
        })
    }

    /// The organizations that the key's owner belongs to.
    ///
    /// # Errors
    /// As [`Api::get`].
    pub fn organizations(&self) -> Result<Vec<Organization>, Error> {
        self.get("/organizations")
    }

    /// The organization's projects, without those that were deleted. Remembered.
    ///
    /// # Errors
    /// As [`Api::get`].
    pub fn projects(&self) -> Result<Vec<Project>, Error> {
        let mut projects: Vec<Project> =
            self.get(&format!("/projects?org_id={}", self.org_id()?))?;
        projects.retain(|project| project.archived_at.is_none());
        self.remember(|account| account.learn_projects(&projects));
        Ok(projects)
    }

    /// The checks of one project, or of the whole organization. Remembered.
    ///
    /// # Errors
    /// As [`Api::get`].
    pub fn checks(&self, project: Option<Uuid>) -> Result<Vec<Check>, Error> {
        let mut checks: Vec<Check> = match project {
            Some(id) => self.get(&format!("/checks?project_id={id}"))?,
            None => self.get("/checks")?,
        };
        checks.retain(|check| !check.soft_deleted);
        self.remember(|account| account.learn(project, &checks));
        Ok(checks)
    }

    /// Puts something into the cache; where that can't be written, only `--verbose` tells.
    pub fn remember(&self, change: impl FnOnce(&mut super::cache::Account)) {
        if let Err(why) = self.shelf.update(change) {
            self.talk.detail(&why);
        }
    }

    /// Asks for what is at `path`, below the API's prefix.
    ///
    /// # Errors
    /// [`Kind::Network`] where no answer came or the server can't give one now, and otherwise
    /// what its refusal means.
    pub fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Error> {
        self.read(path, &self.ask("GET", path, None)?)
    }

    /// Creates what `body` says at `path`.
    ///
    /// # Errors
    /// As [`Api::get`].
    pub fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, Error> {
        self.send("POST", path, body)
    }

    /// Changes what is at `path` as `body` says.
    ///
    /// # Errors
    /// As [`Api::get`].
    pub fn put<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, Error> {
        self.send("PUT", path, body)
    }

    /// Does to what is at `path` what the method says, where nothing comes back: `DELETE`, or
    /// `PATCH` to pause and to resume.
    ///
    /// # Errors
    /// As [`Api::get`].
    pub fn act(&self, method: &'static str, path: &str) -> Result<(), Error> {
        let answer = self.ask(method, path, None)?;
        let is_done = answer.pakyas_server || answer.status == 204 || is_json(&answer.body);
        match is_done {
            true => Ok(()),
            false => Err(foreign(&answer, &self.base)),
        }
    }

    fn send<T: DeserializeOwned>(
        &self,
        method: &'static str,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, Error> {
        let body = in_json(path, serde_json::to_vec(body))?;
        self.read(path, &self.ask(method, path, Some(&body))?)
    }

    fn read<T: DeserializeOwned>(&self, path: &str, answer: &Answer) -> Result<T, Error> {
        serde_json::from_slice(&answer.body).map_err(|error| {
            if answer.pakyas_server || is_json(&answer.body) {
                self.not_the_api(path, answer, &error)
            } else {
                foreign(answer, &self.base)
            }
        })
    }

    /// That an answer is of another shape. serde's own message may quote what was sent, so only
    /// the place is told.
    fn not_the_api(&self, path: &str, answer: &Answer, error: &serde_json::Error) -> Error {
        let path = path.split('?').next().unwrap_or(path);
        // What does not say that it is our server may be something in its place, for a while.
        let kind = match answer.pakyas_server {
            true => Kind::Refused,
            false => Kind::Network,
        };
        Error::new(
            kind,
            format!(
                "What {} answered to {}{path} is not what the Pakyas API answers (line {}, column {}). \
                 {WHICH_API}",
                origin(&self.base),
                wire::API_PREFIX,
                error.line(),
                error.column()
            ),
        )
    }

    /// The body of what the API answers, where it does not refuse.
    ///
    /// # Errors
    /// As [`Api::get`].
    pub fn call(
        &self,
        method: &'static str,
        path: &str,
        body: Option<&[u8]>,
    ) -> Result<Vec<u8>, Error> {
        self.ask(method, path, body).map(|answer| answer.body)
    }

    /// What the API answers, where it does not refuse and nothing else answers in its place.
    fn ask(&self, method: &'static str, path: &str, body: Option<&[u8]>) -> Result<Answer, Error> {
        let url = format!("{}{}{path}", self.base, wire::API_PREFIX);
        let mut headers = vec![
            (
                "authorization",
                format!("Bearer {}", self.key.secret.expose()),
            ),
            ("accept", "application/json".to_owned()),
        ];
        if body.is_some() {
            headers.push(("content-type", "application/json".to_owned()));
        }
        if let Some(org) = self.key.org {
            headers.push((wire::header::ORG, org.to_string()));
        }
        let left = self
            .deadline
            .map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let request = Request {
            method,
            age: None,
            url: &url,
            headers: &headers,
            body,
            budget: left.map_or(BUDGET, |left| left.min(BUDGET)),
            answer_max: ANSWER_MAX,
        };
        let answer = self.http.send(&request).map_err(|error| {
            if error.kind() == Kind::Network {
                error.and(API_ADDRESS)
            } else {
                error.of_this_machine()
            }
        })?;
        self.talk
            .detail(&format!("{method} {url}: {}", answer.status));
        let is_success = (200..300).contains(&answer.status) && !answer.truncated;
        if is_success && who::may_be_ours(&answer) {
            return Ok(answer);
        }
        let source = self.key.source;
        Err(refusal(&answer, &self.base, source, body))
    }
}

fn is_json(body: &[u8]) -> bool {
    serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok()
}

/// That something else answers at the API's address.
pub(super) fn foreign(answer: &Answer, base: &str) -> Error {
    who::foreign(answer, origin(base)).and(API_ADDRESS)
}

fn in_json(path: &str, body: serde_json::Result<Vec<u8>>) -> Result<Vec<u8>, Error> {
    body.map_err(|e| Error::new(Kind::Defect, format!("can't put {path} in JSON: {e}")))
}

/// That there is no organization of that name.
pub fn no_organization(wanted: &str, there: &[Organization]) -> Error {
    let names: Vec<_> = there.iter().map(|o| clean(&o.name)).collect();
    Error::new(
        Kind::NotFound,
        format!(
            "Organization not found: none of yours is called '{}'. There are: {}\n  \
             pakyas org list              see them\n  \
             pakyas login --api-key KEY   log in to another",
            wanted.escape_debug(),
            names.join(", ")
        ),
    )
    .of_this_machine()
}

/// What was sent as this field, where it is a name: the server's sentence may not repeat it.
fn named(field: &str, sent: Option<&[u8]>) -> Option<String> {
    let sent: Value = serde_json::from_slice(sent?).ok()?;
    let name = sent
        .get(field)
        .filter(|_| matches!(field, "name" | "slug"))?;
    Some(format!(" '{}'", clean(name.as_str()?)))
}

/// What an answer that is no success means; `sent` is the body of the question.
pub(super) fn refusal(
    answer: &Answer,
    base: &str,
    source: KeySource,
    sent: Option<&[u8]>,
) -> Error {
    let is_success = (200..300).contains(&answer.status);
    let is_ours = who::is_ours(answer) || is_success && who::may_be_ours(answer);
    if !is_ours {
        return foreign(answer, base);
    }
    let origin = origin(base);
    let told = who::refusal(answer);
    let sentence = told
        .as_ref()
        .map(|body| clean(&body.error).chars().take(500).collect::<String>())
        .filter(|sentence| !sentence.is_empty());
    let or = |otherwise: &str| sentence.clone().unwrap_or_else(|| otherwise.to_owned());
    match answer.status {
        200..=299 => Error::new(
            Kind::Refused,
            format!("What {origin} answered is larger than {ANSWER_MAX} bytes"),
        ),
        401 => {
            let (before, which, mend) = match source {
                KeySource::Environment => (LOGGED_OUT, "the one in PAKYAS_API_KEY", LOG_IN),
                KeySource::Stored => (LOGGED_OUT, "the stored one", LOG_IN),
                KeySource::CommandLine => ("The server ", "the one given", LOG_IN_ELSE),
            };
            Error::new(
                Kind::NotLoggedIn,
                format!(
                    "{before}{origin} does not take the API key, {which}: {}. {mend}",
                    or("it is unknown, revoked or expired").trim_end_matches('.')
                ),
            )
            .of_this_machine()
        }
        403 if sentence.as_deref() == Some(wire::ORG_KEY_MISMATCH) => {
            let owner = told.and_then(|body| body.key_org_name);
            Error::new(
                Kind::NotPermitted,
                format!(
                    "The API key belongs to {}, not to the organization that was asked for. \
                     Log in with a key of that one: pakyas login --api-key KEY",
                    owner.map_or_else(
                        || "another organization".to_owned(),
                        |name| format!("the organization '{}'", clean(&name))
                    )
                ),
            )
            .of_this_machine()
        }
        403 => Error::new(
            Kind::NotPermitted,
            format!(
                "The API key may not do this: {}. A key with more scopes helps: pakyas login --api-key KEY",
                or("the server gives no reason").trim_end_matches('.')
            ),
        )
        .of_this_machine(),
        404 => Error::new(Kind::NotFound, or("There is nothing of that id")),
        408 | 429 | 500.. => {
            let mend = match answer.retry_after {
                Some(pause) => format!("Try again in {} s", pause.as_secs()),
                None => "Try again later".to_owned(),
            };
            Error::new(
                Kind::Network,
                format!(
                    "{origin} can't answer now ({}): {}. {mend}",
                    answer.status,
                    or("it gives no reason").trim_end_matches('.')
                ),
            )
            .retry_after(answer.retry_after)
        }
        status => {
            let field = told.and_then(|body| body.field);
            let field = field.map_or_else(String::new, |field| {
                let name = named(&field, sent).unwrap_or_default();
                format!(" ({}{name})", clean(&field))
            });
            Error::new(
                Kind::Refused,
                format!(
                    "The server refused{field}: {}",
                    or(&format!("it answered {status} and gives no reason"))
                ),
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, body: &str) -> Error {
        let answer = Answer {
            status,
            pakyas_server: true,
            body: body.as_bytes().to_vec(),
            ..Answer::default()
        };
        refusal(
            &answer,
            "http://a",
            KeySource::Stored,
            Some(br#"{"slug":"x","secret":"s"}"#),
        )
    }

    #[test]
    fn each_status_has_its_exit_code() {
        for (status, kind) in [
            (301, Kind::Network),
            (400, Kind::Refused),
            (401, Kind::NotLoggedIn),
            (403, Kind::NotPermitted),
            (404, Kind::NotFound),
            (408, Kind::Network),
            (409, Kind::Refused),
            (422, Kind::Refused),
            (429, Kind::Network),
            (503, Kind::Network),
        ] {
            assert_eq!(of(status, "").kind(), kind, "{status}");
        }
    }

    #[test]
    fn the_servers_own_sentence_is_told_without_its_control_characters() {
        let message = of(409, r#"{"error":"The slug \u001b[31m'x' is taken."}"#).to_string();
        assert!(message.contains("'x' is taken."), "{message}");
        assert!(!message.contains('\u{1b}'), "{message:?}");
    }

    #[test]
    fn a_name_that_is_taken_is_told_and_nothing_else_that_was_sent() {
        let message = of(409, r#"{"error":"Taken.","field":"slug"}"#).to_string();
        assert_eq!(message, "The server refused (slug 'x'): Taken.");
        let message = of(422, r#"{"error":"Too long.","field":"secret"}"#).to_string();
        assert_eq!(message, "The server refused (secret): Too long.");
    }

    #[test]
    fn a_key_of_another_organization_is_told_by_that_ones_name() {
        let error = of(
            403,
            r#"{"error":"ORG_KEY_MISMATCH","key_org_name":"Company B"}"#,
        );
        assert_eq!(error.kind(), Kind::NotPermitted);
        assert!(error.to_string().contains("'Company B'"), "{error}");
    }
}
