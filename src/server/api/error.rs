//! Refusals: each a status and one sentence that says what to do.

use std::num::NonZeroU16;
use std::time::Duration;

use ureq_proto::http::StatusCode;

use super::super::complaint::complain_once;
use super::super::http::Response;
use super::super::store::StoreError;
use crate::wire::ErrorBody;

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    /// The status.
    pub status: StatusCode,
    /// What the client gets to read.
    pub body: ErrorBody,
    /// With 405: the methods that the route takes.
    allow: Option<&'static str>,
    /// With 429: when to come again, seconds. Small, as errors are handed around by value.
    wait: Option<NonZeroU16>,
}

impl ApiError {
    /// A refusal with a sentence.
    pub fn new(status: StatusCode, sentence: &str) -> Self {
        Self {
            status,
            body: ErrorBody {
                error: sentence.to_owned(),
                field: None,
                key_org_name: None,
                requested_org_id: None,
            },
            allow: None,
            wait: None,
        }
    }

    /// 404.
    pub fn not_found(sentence: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, sentence)
    }

    /// 401.
    pub fn unauthorized(sentence: &str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, sentence)
    }

    /// 405: the route takes the methods `allow` only.
    pub fn method(allow: &'static str) -> Self {
        let mut error = Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            &format!("This route takes {allow} only"),
        );
        error.allow = Some(allow);
        error
    }

    /// 429: come again after `wait`.
    pub fn too_many(sentence: &str, wait: Duration) -> Self {
        let mut error = Self::new(StatusCode::TOO_MANY_REQUESTS, sentence);
        let seconds = u16::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(u16::MAX);
        error.wait = NonZeroU16::new(seconds);
        error
    }

    /// 422: the value of `field` is refused.
    pub fn field(field: &str, sentence: &str) -> Self {
        let mut error = Self::new(StatusCode::UNPROCESSABLE_ENTITY, sentence);
        error.body.field = Some(field.to_owned());
        error
    }

    /// The answer on the wire.
    pub fn into_response(self) -> Response {
        let mut response = Response::json(self.status, &self.body);
        if let Some(allow) = self.allow {
            response = response.with("allow", allow);
        }
        if let Some(seconds) = self.wait {
            response = response.with("retry-after", seconds.to_string());
        }
        match self.status {
            StatusCode::UNAUTHORIZED => response.with("www-authenticate", "Bearer"),
            StatusCode::SERVICE_UNAVAILABLE => response.with("retry-after", "5"),
            _ => response,
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Taken(field) => {
                let mut error = Self::new(
                    StatusCode::CONFLICT,
                    &format!("This {field} is taken; choose another"),
                );
                error.body.field = Some(field.to_owned());
                error
            }
            StoreError::Gone => Self::not_found("It is not there any more"),
            StoreError::Full(what) => Self::new(
                StatusCode::CONFLICT,
                &format!("This organization has as many {what} as it may; remove one first"),
            ),
            error => {
                complain_once(error);
                Self::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "The server can't read or write its data at the moment; try again",
                )
            }
        }
    }
}
