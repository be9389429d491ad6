//! One attempt's end, judged: delivered, refused for good, or to be tried again. Pure.

use crate::client::error::{Error, Kind};
use crate::client::http::Answer;
use crate::client::render::clean;
use crate::wire::ErrorBody;

/// What became of one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The server has it.
    Delivered,
    /// The server does not want it, now or later.
    Refused(Error),
    /// It may be taken later.
    Later(Error),
}

/// Judges what the server at `origin` answered to a ping.
pub fn of_answer(answer: &Answer, origin: &str) -> Verdict {
    let said = || {
        let json = serde_json::from_slice::<ErrorBody>(&answer.body).ok();
        let text = match json {
            Some(body) => body.error,
            // A proxy's page says nothing that fits in a line.
            None if answer.body.trim_ascii().starts_with(b"<") => String::new(),
            None => String::from_utf8_lossy(&answer.body).into_owned(),
        };
        let text: String = clean(text.trim()).chars().take(200).collect();
        if text.is_empty() {
            text
        } else {
            format!(": {text}")
        }
    };
    match answer.status {
        200..=299 if is_receipt(answer) => Verdict::Delivered,
        // A hotel's login page answers 200 to everything.
        200..=299 => Verdict::Later(Error::new(
            Kind::Network,
            format!("{origin} answers, but not as a Pakyas server does; is something in between?"),
        )),
        300..=399 => Verdict::Refused(Error::new(
            Kind::Refused,
            format!(
                "{origin} sends pings to another address ({}), which is not followed. \
                 If that is the right one: --ping-url URL, or PAKYAS_PING_URL",
                answer.location.as_deref().map_or_else(
                    || "it does not say which".to_owned(),
                    |to| { clean(crate::client::address::origin(to)) }
                )
            ),
        )),
        408 | 429 | 500.. => Verdict::Later(
            Error::new(
                Kind::Network,
                format!(
                    "{origin} can't take pings now ({}){}",
                    answer.status,
                    said()
                ),
            )
            .retry_after(answer.retry_after),
        ),
        404 => Verdict::Refused(Error::new(
            Kind::NotFound,
            format!(
                "Check not found: {origin} knows no check of that public id\n  \
                 pakyas check list            see all checks\n  \
                 pakyas check show SLUG       see a check's public id"
            ),
        )),
        status => Verdict::Refused(Error::new(
            Kind::Refused,
            format!("{origin} refused the ping ({status}){}", said()),
        )),
    }
}

/// The contract has `OK`; a proxy may have dropped the body, but adds none that says so.
fn is_receipt(answer: &Answer) -> bool {
    let body = answer.body.trim_ascii();
    !answer.truncated && (body.is_empty() || body.starts_with(b"OK"))
}

/// Judges an attempt, or a lookup before it, that ended without an answer to the ping.
pub fn of_error(error: Error) -> Verdict {
    match error.kind() {
        Kind::Network => Verdict::Later(error),
        _ => Verdict::Refused(error),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn judge(status: u16, body: &str) -> Verdict {
        let answer = Answer {
            status,
            body: body.as_bytes().to_vec(),
            retry_after: Some(Duration::from_secs(7)),
            ..Answer::default()
        };
        of_answer(&answer, "http://a")
    }

    #[test]
    fn only_a_receipt_is_a_delivery() {
        assert_eq!(judge(200, "OK"), Verdict::Delivered);
        assert_eq!(judge(200, "OK\n"), Verdict::Delivered);
        assert_eq!(judge(200, ""), Verdict::Delivered);
        assert!(matches!(judge(200, "<html>Welcome"), Verdict::Later(_)));
    }

    #[test]
    fn what_may_pass_is_tried_again_when_the_server_asks_for_it() {
        for status in [408, 429, 500, 502, 503, 504] {
            let Verdict::Later(error) = judge(status, "") else {
                panic!("{status}");
            };
            assert_eq!(error.kind(), Kind::Network);
            assert_eq!(error.asked_pause(), Some(Duration::from_secs(7)));
        }
    }

    #[test]
    fn what_will_not_change_is_not_tried_again() {
        for (status, kind) in [
            (301, Kind::Refused),
            (302, Kind::Refused),
            (400, Kind::Refused),
            (401, Kind::Refused),
            (404, Kind::NotFound),
            (405, Kind::Refused),
            (413, Kind::Refused),
        ] {
            let Verdict::Refused(error) = judge(status, "") else {
                panic!("{status}");
            };
            assert_eq!(error.kind(), kind, "{status}");
        }
    }

    #[test]
    fn a_page_is_not_quoted() {
        let Verdict::Later(error) = judge(502, "<html><h1>Bad Gateway</h1>") else {
            panic!("not later");
        };
        assert!(!error.to_string().contains('<'), "{error}");
    }

    #[test]
    fn the_servers_reason_is_told_in_one_line() {
        let Verdict::Refused(error) = judge(400, "{\"error\":\"exit code 256\\nis too large\"}")
        else {
            panic!("not refused");
        };
        assert_eq!(error.to_string().lines().count(), 1);
        assert!(error.to_string().contains("exit code 256"), "{error}");
    }
}
