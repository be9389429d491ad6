//! What RFC 9112 asks of a request's head beyond what its parser does.
//!
//! A proxy before us that reads a head otherwise than we do lets one client speak in another's
//! name, so line ends, targets and hosts that leave doubt are refused.

use ureq_proto::http::{HeaderMap, StatusCode, Version, header};

use super::answer::{HEAD_TOO_LARGE, Refusal};

/// Looks at what has come of a head, `max` bytes at most: whether it is whole.
pub(super) fn look(bytes: &[u8], max: usize) -> Result<bool, Refusal> {
    let refuse = |why| Err(Refusal::Answer(StatusCode::BAD_REQUEST, why));
    // Empty lines before it are skipped (section 2.2).
    let mut lead = 0;
    while bytes[lead..].starts_with(b"\r\n") {
        lead += 2;
    }
    let end = bytes[lead..]
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .map(|at| lead + at + 4);
    let head = &bytes[..end.unwrap_or(bytes.len())];
    for (at, &byte) in head.iter().enumerate() {
        let is_half = match byte {
            b'\n' => at == 0 || head[at - 1] != b'\r',
            b'\r' => head.get(at + 1).is_some_and(|&next| next != b'\n'),
            _ => false,
        };
        if is_half {
            return refuse("each line of a request ends with CR and LF");
        }
    }
    if head.len() > max || (end.is_none() && head.len() == max) {
        return Err(HEAD_TOO_LARGE);
    }
    if end.is_none() {
        return Ok(false);
    }
    let line = head[lead..].split(|&byte| byte == b'\r').next();
    let mut words = line.unwrap_or_default().split(|&byte| byte == b' ');
    let words = [words.next(), words.next(), words.next(), words.next()];
    let [Some(method), Some(target), Some(_), None] = words else {
        return refuse("a request begins with a method, a target and HTTP/1.1");
    };
    match is_target(method, target) {
        true => Ok(true),
        false => refuse("the target of a request begins with a slash, or with http://"),
    }
}

/// Whether a target is one that a server which is no proxy is asked for (section 3.2).
fn is_target(method: &[u8], target: &[u8]) -> bool {
    let absolute = |scheme: &[u8]| {
        target
            .split_at_checked(scheme.len())
            .filter(|(begin, _)| begin.eq_ignore_ascii_case(scheme))
            .is_some_and(|(_, rest)| !matches!(rest, [] | [b'/' | b'?' | b':', ..]))
    };
    match target {
        b"*" => method == b"OPTIONS",
        [b'/', ..] => !target.contains(&b'#'),
        _ => !target.contains(&b'#') && (absolute(b"http://") || absolute(b"https://")),
    }
}

/// Says in a sentence why a request is refused for its `Host` (section 3.2).
pub(super) fn check_host(version: Version, headers: &HeaderMap) -> Result<(), &'static str> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let Some(host) = hosts.next() else {
        return match version {
            Version::HTTP_11 => Err("HTTP/1.1 asks for a Host header"),
            _ => Ok(()),
        };
    };
    if hosts.next().is_some() {
        return Err("send the Host header only once");
    }
    let fits = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~:[]%!$&'()*+;=".contains(byte);
    match host.as_bytes().iter().all(fits) {
        true => Ok(()),
        false => Err("the Host header names no host"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(head: &str, max: usize) -> Result<bool, u16> {
        look(head.as_bytes(), max).map_err(|refusal| match refusal {
            Refusal::Answer(status, _) => status.as_u16(),
            _ => 0,
        })
    }

    #[test]
    fn a_target_is_a_path_or_an_address_on_the_web() {
        for (line, is_good) in [
            ("GET / HTTP/1.1", true),
            ("GET //a?b=/c HTTP/1.1", true),
            ("GET http://host/path HTTP/1.1", true),
            ("GET HTTPS://host HTTP/1.1", true),
            ("OPTIONS * HTTP/1.1", true),
            ("GET * HTTP/1.1", false),
            ("GET hkeep-alivec HTTP/1.1", false),
            ("GET host:80 HTTP/1.1", false),
            ("CONNECT host:443 HTTP/1.1", false),
            ("GET http:/path HTTP/1.1", false),
            ("GET http:///path HTTP/1.1", false),
            ("GET ftp://host/path HTTP/1.1", false),
            ("GET /a#b HTTP/1.1", false),
            ("GET /a b HTTP/1.1", false),
            ("GET  / HTTP/1.1", false),
            ("GET /", false),
        ] {
            let expected = if is_good { Ok(true) } else { Err(400) };
            assert_eq!(
                seen(&format!("{line}\r\nHost: x\r\n\r\n"), 1000),
                expected,
                "{line}"
            );
        }
    }

    #[test]
    fn a_head_ends_with_an_empty_line_and_within_its_limit() {
        let head = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
        for end in 0..head.len() {
            assert_eq!(seen(&head[..end], 1000), Ok(false), "{end}");
        }
        assert_eq!(seen(&format!("\r\n\r\n{head}"), 1000), Ok(true));
        assert_eq!(seen(&format!("{head}\n\r"), head.len()), Ok(true));
        assert_eq!(seen(head, head.len() - 1), Err(431));
        assert_eq!(seen("GET / HTTP", 10), Err(431));
        for half in [
            "\nGET / HTTP/1.1\r\n",
            "GET / HTTP/1.1\nHost",
            "GET /\rHTTP/1.1",
        ] {
            assert_eq!(seen(half, 1000), Err(400), "{half:?}");
        }
    }
}
