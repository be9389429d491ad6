//! One attempt's end, judged: delivered, refused for good, or to be tried again. Pure.

use crate::client::error::{Error, Kind};
use crate::client::http::Answer;
use crate::client::render::clean;
use crate::client::who;

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

/// Judges what was answered at `origin` to a ping. Final is only what is recognisably our server's
/// (see `who`); what anything else says may pass.
pub fn of_answer(answer: &Answer, origin: &str) -> Verdict {
    if is_receipt(answer) {
        return Verdict::Delivered;
    }
    if !who::is_ours(answer) {
        let error = who::foreign(answer, origin);
        return Verdict::Later(error.and(" (--ping-url or PAKYAS_PING_URL sets the address)"));
    }
    let said = || {
        let text = match who::refusal(answer) {
            Some(body) => body.error,
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

/// Whether the server has the ping. Our own says so by any success with its header. Servers that
/// were there before that header answer 200 and exactly `OK`, as the contract has had it all along,
/// and are believed: a portal's page is not that, nor an empty 200 or 204, which anything answers.
fn is_receipt(answer: &Answer) -> bool {
    let is_success = (200..=299).contains(&answer.status);
    let is_ok = answer.status == 200 && !answer.truncated && answer.body.trim_ascii() == b"OK";
    is_ok || is_success && answer.pakyas_server
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

    /// What is said of an answer that our own server gave, or another.
    fn judge(status: u16, pakyas_server: bool, body: &str) -> Verdict {
        let answer = Answer {
            status,
            pakyas_server,
            body: body.as_bytes().to_vec(),
            retry_after: Some(Duration::from_secs(7)),
            ..Answer::default()
        };
        of_answer(&answer, "http://a")
    }

    #[test]
    fn only_a_receipt_is_a_delivery() {
        for (status, pakyas_server, body) in [
            (200, true, "OK"),
            (200, true, ""),
            (200, false, "OK"),
            (200, false, "OK\n"),
        ] {
            assert_eq!(judge(status, pakyas_server, body), Verdict::Delivered);
        }
        for (status, body) in [
            (200, ""),
            (204, ""),
            (201, "OK"),
            (200, "<html>Welcome"),
            (200, "OK (not found)"),
            (200, "{\"error\":\"x\"}"),
        ] {
            let verdict = judge(status, false, body);
            assert!(matches!(verdict, Verdict::Later(_)), "{status} {body}");
        }
    }

    #[test]
    fn what_may_pass_is_tried_again_when_the_server_asks_for_it() {
        for status in [408, 429, 500, 502, 503, 504] {
            let Verdict::Later(error) = judge(status, true, "") else {
                panic!("{status}");
            };
            assert_eq!(error.kind(), Kind::Network);
            assert_eq!(error.asked_pause(), Some(Duration::from_secs(7)));
        }
    }

    #[test]
    fn what_our_own_server_refuses_is_not_tried_again() {
        for (status, kind) in [
            (400, Kind::Refused),
            (401, Kind::Refused),
            (404, Kind::NotFound),
            (405, Kind::Refused),
            (413, Kind::Refused),
        ] {
            for (pakyas_server, body) in [(true, ""), (false, "{\"error\":\"x\"}")] {
                let Verdict::Refused(error) = judge(status, pakyas_server, body) else {
                    panic!("{status}");
                };
                assert_eq!(error.kind(), kind, "{status}");
            }
        }
    }

    #[test]
    fn what_anything_else_refuses_may_pass() {
        for status in [
            301, 302, 307, 308, 400, 401, 403, 404, 405, 407, 410, 413, 418, 502,
        ] {
            let Verdict::Later(error) = judge(status, false, "<html><h1>No</h1>") else {
                panic!("{status}");
            };
            let told = error.to_string();
            assert!(told.contains(&format!("({status})")), "{told}");
            assert!(!told.contains('<') && told.lines().count() == 1, "{told}");
        }
    }

    #[test]
    fn the_servers_reason_is_told_in_one_line() {
        let Verdict::Refused(error) =
            judge(400, false, "{\"error\":\"exit code 256\\nis too large\"}")
        else {
            panic!("not refused");
        };
        assert_eq!(error.to_string().lines().count(), 1);
        assert!(error.to_string().contains("exit code 256"), "{error}");
    }
}
