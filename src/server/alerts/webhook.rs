//! The webhook channel: a signed JSON `POST`.

use std::io::Read;
use std::time::Duration;

use ring::hmac;

use super::{Answer, Verdict};
use crate::VERSION;
use crate::handshake;
use crate::server::hash::hex;
use crate::wire::header;

/// How long a target may take in all (API.md).
const PATIENCE: Duration = Duration::from_secs(10);

/// How much of what a target says is read, bytes.
const ANSWER_MAX: u64 = 4096;

/// The client for all deliveries. It follows no redirect: where alerts go is for the owner of
/// the channel to say, not for a server on the way.
pub fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .timeout_global(Some(PATIENCE))
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .user_agent(format!("pakyas-server/{VERSION}"))
        .build()
        .new_agent()
}

/// Posts `payload`, a JSON document, to `target`, signed where there is a `secret`.
pub fn send(agent: &ureq::Agent, target: &str, secret: Option<&str>, payload: &str) -> Answer {
    let mut request = agent.post(target).content_type("application/json");
    if let Some(secret) = secret {
        request = request.header(header::SIGNATURE, signature(secret, payload));
    }
    match request.send(payload) {
        Ok(mut response) => {
            let status = response.status().as_u16();
            let retry_after = response
                .headers()
                .get("retry-after")
                .and_then(|value| value.to_str().ok())
                .and_then(|text| pause(text, jiff::Timestamp::now()));
            // What it said before it broke off, or said too much, says something too.
            let mut said = Vec::new();
            let reader = response.body_mut().as_reader();
            let _ = reader.take(ANSWER_MAX).read_to_end(&mut said);
            let said = String::from_utf8_lossy(&said);
            Answer {
                verdict: verdict(status),
                status: Some(status),
                retry_after,
                text: said.chars().take(1000).collect(),
            }
        }
        Err(error) => Answer {
            verdict: Verdict::TryAgain,
            status: None,
            retry_after: None,
            text: why(target, &error),
        },
    }
}

/// Why there was no answer, in words for the owner of the channel.
fn why(target: &str, error: &ureq::Error) -> String {
    let host = target.parse::<ureq::http::Uri>().ok();
    let host = host.as_ref().and_then(|uri| uri.host()).unwrap_or("it");
    let insecure = |why: &str| format!("no secure connection to {host}: {why}");
    match error {
        ureq::Error::Timeout(_) => format!(
            "{host} did not answer within {} seconds",
            PATIENCE.as_secs()
        ),
        ureq::Error::HostNotFound => format!("there is no host {host} in the DNS"),
        ureq::Error::ConnectionFailed => format!("{host} can't be reached"),
        ureq::Error::Io(error) => match handshake::in_io(error) {
            Some(tls) => insecure(handshake::trouble(tls)),
            None => format!("the connection to {host} failed: {error}"),
        },
        ureq::Error::Rustls(tls) => insecure(handshake::trouble(tls)),
        ureq::Error::Tls(why) => insecure(why),
        ureq::Error::Protocol(_) => format!("what {host} answered is not HTTP"),
        error => error.to_string(),
    }
}

/// `Retry-After`: seconds, or a date (RFC 9110, section 10.2.3).
fn pause(text: &str, now: jiff::Timestamp) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = jiff::fmt::rfc2822::parse(text.trim()).ok()?.timestamp();
    Some(Duration::try_from(at.duration_since(now)).unwrap_or_default())
}

/// What a status means for the delivery (API.md). Only 410 is final: any other may be that of a
/// proxy whose target is just being started again, or of a page to sign in. Of those some are
/// about what was sent, and no sign that the target is away.
fn verdict(status: u16) -> Verdict {
    match status {
        200..=299 => Verdict::Delivered,
        410 => Verdict::Gone,
        400 | 413 | 415 | 422 => Verdict::Refused,
        _ => Verdict::TryAgain,
    }
}

/// `sha256=` and the HMAC-SHA256 of the body in hex.
fn signature(secret: &str, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    format!("sha256={}", hex(hmac::sign(&key, body.as_bytes()).as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_that_of_rfc_4231() {
        // RFC 4231, test case 2.
        assert_eq!(
            signature("Jefe", "what do ya want for nothing?"),
            "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }

    #[test]
    fn a_pause_is_asked_for_in_seconds_or_until_a_date() {
        let now: jiff::Timestamp = "2026-11-23T21:00:00Z".parse().unwrap();
        let seconds = |text| pause(text, now).map(|pause| pause.as_secs());
        assert_eq!(seconds("30"), Some(30));
        assert_eq!(seconds("Mon, 23 Nov 2026 21:02:00 GMT"), Some(120));
        assert_eq!(seconds("Mon, 23 Nov 2026 20:00:00 GMT"), Some(0));
        assert_eq!(seconds("soon"), None);
    }

    #[test]
    fn every_status_but_2xx_is_tried_again_and_410_alone_is_final() {
        for status in 100..=999 {
            let verdict = verdict(status);
            match status {
                200..=299 => assert_eq!(verdict, Verdict::Delivered, "{status}"),
                410 => assert_eq!(verdict, Verdict::Gone, "{status}"),
                _ => assert!(
                    matches!(verdict, Verdict::TryAgain | Verdict::Refused),
                    "{status}"
                ),
            }
        }
    }
}
