//! What is asked of a server before there is a key: the few questions that need none.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::address::origin;
use super::api::{API_ADDRESS, foreign, refusal};
use super::error::{Error, Kind};
use super::http::{Answer, Http, Request};
use super::settings::KeySource;
use super::who;
use crate::wire::account::{DeviceLogin, DeviceLoginBegun, DeviceLoginState, Login, SignedIn};
use crate::wire::{API_PREFIX, DEFAULT_API_URL};

/// How long one question may take: a busy server lets passwords wait.
const BUDGET: Duration = Duration::from_secs(30);

/// The largest answer that is read, bytes.
const ANSWER_MAX: usize = 64 * 1024;

/// The entrance of one server.
pub struct Door<'a> {
    /// Sends the questions.
    pub http: &'a Http,
    /// The address of the API.
    pub base: &'a str,
}

impl Door<'_> {
    /// Signs in with a password.
    ///
    /// # Errors
    /// [`Kind::NotLoggedIn`] where they are wrong; else as the server refuses.
    pub fn sign_in(&self, email: &str, password: &str) -> Result<SignedIn, Error> {
        let login = Login {
            email: email.to_owned(),
            password: password.to_owned(),
        };
        let answer = self.post("/auth/login", &login)?;
        match answer.status {
            200..=299 => self.read(&answer),
            _ if !who::is_ours(&answer) => Err(self.refused(&answer)),
            401 => Err(Error::new(
                Kind::NotLoggedIn,
                format!(
                    "Not logged in: {} does not know this email address with this password",
                    origin(self.base)
                ),
            )),
            404 | 405 => Err(self.lacks("take passwords here")),
            _ => Err(self.refused(&answer)),
        }
    }

    /// Begins to ask for a key that a person approves in a browser.
    ///
    /// # Errors
    /// As the server refuses.
    pub fn begin(&self, device: &DeviceLogin) -> Result<DeviceLoginBegun, Error> {
        let answer = self.post("/cli/auth/init", device)?;
        match answer.status {
            200..=299 => self.read(&answer),
            _ if !who::is_ours(&answer) => Err(self.refused(&answer)),
            401 | 404 | 405 => Err(self.lacks("let machines in by a browser")),
            _ => Err(self.refused(&answer)),
        }
    }

    /// Asks what the person said.
    ///
    /// # Errors
    /// As the server refuses.
    pub fn poll(&self, token: &str) -> Result<DeviceLoginState, Error> {
        let mut escaped = String::new();
        for byte in token.bytes() {
            match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                    escaped.push(char::from(byte));
                }
                byte => escaped.push_str(&format!("%{byte:02X}")),
            }
        }
        let answer = self.ask("GET", &format!("/cli/auth/poll?token={escaped}"), None)?;
        match answer.status {
            200..=299 => self.read(&answer),
            _ => Err(self.refused(&answer)),
        }
    }

    fn post(&self, path: &str, body: &impl Serialize) -> Result<Answer, Error> {
        let body = serde_json::to_vec(body)
            .map_err(|e| Error::new(Kind::Defect, format!("can't put {path} in JSON: {e}")))?;
        self.ask("POST", path, Some(&body))
    }

    fn ask(&self, method: &'static str, path: &str, body: Option<&[u8]>) -> Result<Answer, Error> {
        let url = format!("{}{API_PREFIX}{path}", self.base);
        let mut headers = vec![("accept", "application/json".to_owned())];
        if body.is_some() {
            headers.push(("content-type", "application/json".to_owned()));
        }
        self.http
            .send(&Request {
                method,
                age: None,
                url: &url,
                headers: &headers,
                body,
                budget: BUDGET,
                answer_max: ANSWER_MAX,
            })
            .map_err(|error| {
                if error.kind() == Kind::Network {
                    error.and(API_ADDRESS)
                } else {
                    error
                }
            })
    }

    fn read<T: DeserializeOwned>(&self, answer: &Answer) -> Result<T, Error> {
        // serde's own message may quote a token, so nothing of it is told.
        serde_json::from_slice(&answer.body).map_err(|_| {
            if !answer.pakyas_server && !who::may_be_ours(answer) {
                return foreign(answer, self.base);
            }
            Error::new(
                Kind::Refused,
                format!(
                    "What {} answered is not what the Pakyas API answers. \
                     Is it the address of an API? pakyas --api-url URL, or PAKYAS_API_URL",
                    origin(self.base)
                ),
            )
        })
    }

    fn refused(&self, answer: &Answer) -> Error {
        refusal(answer, self.base, KeySource::CommandLine, None)
    }

    /// That this server has no such door, and which one it has.
    fn lacks(&self, what: &str) -> Error {
        let whence = if self.base == DEFAULT_API_URL {
            "Create a key at https://pakyas.com/settings/api-keys, then run"
        } else {
            "Take a key, as 'pakyas-server key create NAME' prints it, then run"
        };
        Error::new(
            Kind::Usage,
            format!(
                "{} does not {what}. {whence}:\n  pakyas login --api-key KEY",
                origin(self.base)
            ),
        )
    }
}
