//! Answers and refusals as the bytes that go out.

use std::io;

use ureq_proto::http::{self, StatusCode, header};
use ureq_proto::server::state::ProvideResponse;
use ureq_proto::server::{Reply, SendResponseResult};

use super::Response;
use crate::{VERSION, wire};

/// What a head takes besides the headers that are given for it, bytes.
const HEAD_ROOM: usize = 256;

/// Why a request is not handled.
pub(super) enum Refusal {
    /// Nobody is there to be answered.
    Gone,
    /// Nothing more has come yet, and it may still come.
    NotYet,
    /// It is answered with this and a sentence, and the connection closed.
    Answer(StatusCode, &'static str),
}

pub(super) const TOO_SLOW: Refusal = Refusal::Answer(
    StatusCode::REQUEST_TIMEOUT,
    "the request took too long to arrive; send it again",
);

pub(super) const TOO_LARGE: Refusal = Refusal::Answer(
    StatusCode::PAYLOAD_TOO_LARGE,
    "the body is too large; send less than 1 MiB with a ping, and 64 KiB to the API",
);

pub(super) const NO_ROOM: Refusal = Refusal::Answer(
    StatusCode::SERVICE_UNAVAILABLE,
    "too many requests are arriving slowly at the moment; send it again, and all at once",
);

pub(super) const NOT_ENCRYPTED: Refusal = Refusal::Answer(
    StatusCode::BAD_REQUEST,
    "this port speaks HTTPS only; write https:// in the URL",
);

impl From<io::Error> for Refusal {
    fn from(_: io::Error) -> Self {
        Self::Gone
    }
}

pub(super) const HEAD_TOO_LARGE: Refusal = Refusal::Answer(
    StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
    "the headers are too large, or too many",
);

pub(super) fn malformed(error: ureq_proto::Error) -> Refusal {
    match error {
        ureq_proto::Error::HttpParseTooManyHeaders => HEAD_TOO_LARGE,
        _ => Refusal::Answer(StatusCode::BAD_REQUEST, "this is not an HTTP/1.1 request"),
    }
}

/// An answer to a request, and whether its connection ends with it.
///
/// # Errors
/// Where `response` is none that HTTP has words for: a programming error.
pub(super) fn bytes(
    reply: Reply<ProvideResponse>,
    response: Response,
) -> io::Result<(Vec<u8>, bool)> {
    let defect = |_| io::Error::from(io::ErrorKind::InvalidInput);
    let mut head = http::Response::builder()
        .status(response.status)
        .header(header::DATE, date())
        .header(wire::header::SERVER, VERSION);
    if response.status != StatusCode::NO_CONTENT {
        head = head.header(header::CONTENT_LENGTH, response.body.len());
    }
    for (name, value) in &response.headers {
        head = head.header(*name, value);
    }
    let head = head
        .body(())
        .map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    // Each header with its colon, space and line end, and the line that begins the head.
    let room: usize = head
        .headers()
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + 4)
        .sum();
    let mut reply = reply.provide(head).map_err(defect)?;
    let mut output = vec![0; HEAD_ROOM + room + response.body.len()];
    let mut length = 0;
    while !reply.is_finished() {
        length += reply.write(&mut output[length..]).map_err(defect)?;
    }
    let reply = match reply.proceed() {
        SendResponseResult::SendBody(mut reply) => {
            let (_, written) = reply
                .write(&response.body, &mut output[length..])
                .map_err(defect)?;
            length += written;
            if !reply.is_finished() {
                return Err(io::ErrorKind::InvalidInput.into());
            }
            reply.proceed()
        }
        SendResponseResult::Cleanup(reply) => reply,
    };
    output.truncate(length);
    Ok((output, reply.must_close_connection()))
}

/// The answer to a request that was not, or not wholly, read; without its body where that was a
/// HEAD.
pub(super) fn refusal(status: StatusCode, sentence: &str, is_head: bool) -> Vec<u8> {
    let body = serde_json::json!({ "error": sentence }).to_string();
    let again = match status {
        StatusCode::SERVICE_UNAVAILABLE => "retry-after: 5\r\n",
        _ => "",
    };
    let head = format!(
        "HTTP/1.1 {status}\r\ndate: {}\r\n{}: {VERSION}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n{again}connection: close\r\n\r\n",
        date(),
        wire::header::SERVER,
        body.len(),
    );
    match is_head {
        true => head.into_bytes(),
        false => (head + &body).into_bytes(),
    }
}

/// The time in the form that HTTP has for it.
fn date() -> String {
    jiff::fmt::rfc2822::DateTimePrinter::new()
        .timestamp_to_rfc9110_string(&jiff::Timestamp::now())
        .unwrap_or_default()
}
