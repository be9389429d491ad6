//! A request's JSON body as what a route takes, and which field is to blame where it is not.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use ureq_proto::http::StatusCode;

use super::ApiError;
use crate::server::http::Request;

/// How many fields are tried for which one is to blame; no route takes so many.
const TRIED_MAX: usize = 64;

/// The fields of a body that are `null`.
pub(super) struct Nulls(Vec<String>);

impl Nulls {
    /// Whether the body says that `field` is to have no value.
    pub fn contain(&self, field: &str) -> bool {
        self.0.iter().any(|name| name == field)
    }

    /// `given`, or an empty text where the field is to have no value.
    pub fn or_empty(&self, field: &str, given: Option<String>) -> Option<String> {
        given.or_else(|| self.contain(field).then(String::new))
    }
}

/// What the route takes; a field that is `null` counts as one that is not there.
pub(super) fn json<T: DeserializeOwned>(request: &Request) -> Result<T, ApiError> {
    json_and_nulls(request).map(|(read, _)| read)
}

/// The same, and which fields are `null`.
pub(super) fn json_and_nulls<T: DeserializeOwned>(
    request: &Request,
) -> Result<(T, Nulls), ApiError> {
    let malformed = |error: serde_json::Error| {
        ApiError::new(
            StatusCode::BAD_REQUEST,
            &format!("The body is not the JSON that this route takes: {error}"),
        )
    };
    let mut fields: Map<String, Value> =
        serde_json::from_slice(&request.body).map_err(malformed)?;
    let mut nulls = Vec::new();
    fields.retain(|name, value| {
        if value.is_null() {
            nulls.push(name.clone());
        }
        !value.is_null()
    });
    match T::deserialize(&Value::Object(fields.clone())) {
        Ok(read) => Ok((read, Nulls(nulls))),
        Err(error) => {
            let text = error.to_string();
            if let Some(name) = missing(&text) {
                let mut refused = ApiError::new(
                    StatusCode::BAD_REQUEST,
                    &format!("The JSON of this route needs '{name}'; add it"),
                );
                refused.body.field = Some(name.to_owned());
                return Err(refused);
            }
            Err(match culprit::<T>(fields, &text) {
                Some((name, value)) => ApiError::field(&name, &sentence(&name, &value, &text)),
                None => malformed(error),
            })
        }
    }
}

/// The field that is not there, by serde's words for it.
fn missing(error: &str) -> Option<&str> {
    error.strip_prefix("missing field `")?.strip_suffix('`')
}

/// The field whose value is refused: without it there is no such error.
fn culprit<T: DeserializeOwned>(
    fields: Map<String, Value>,
    error: &str,
) -> Option<(String, Value)> {
    let names: Vec<String> = fields.keys().take(TRIED_MAX).cloned().collect();
    let mut rest = Value::Object(fields);
    names.into_iter().find_map(|name| {
        let value = rest.as_object_mut()?.remove(&name)?;
        let is_to_blame = match T::deserialize(&rest) {
            Ok(_) => true,
            Err(other) => other.to_string() != error,
        };
        if is_to_blame {
            return Some((name, value));
        }
        rest.as_object_mut()?.insert(name, value);
        None
    })
}

/// What is wrong with a value, for people.
fn sentence(name: &str, value: &Value, error: &str) -> String {
    let expected = error.rsplit_once("expected ").map_or("", |(_, what)| what);
    let wanted = match expected {
        "u64" | "u32" | "u16" | "u8" | "usize" => "a whole number from 0 on",
        "i64" | "i32" => "a whole number",
        "a string" => "a text in quotes",
        "a boolean" => "true or false",
        "a sequence" => "a list in brackets",
        _ if error.to_ascii_lowercase().contains("uuid") => "an id (a UUID)",
        _ if error.starts_with("unknown variant") => expected,
        _ => "what API.md says of it",
    };
    let kind = match value {
        Value::Number(number) => number.to_string(),
        Value::String(text) if text.chars().count() <= 40 => format!("'{text}'"),
        Value::String(_) => "a text".to_owned(),
        Value::Bool(truth) => truth.to_string(),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) | Value::Null => "an object".to_owned(),
    };
    let is_number = wanted.starts_with("a whole number");
    match is_number && value.as_u64().is_some() {
        true => format!("'{name}' is {kind}, which is too large"),
        false => format!("'{name}' must be {wanted}, not {kind}"),
    }
}
