//! What a ping's path and headers say: the first line is the path's end, then `name: value`
//! lines, then, after an empty one, the output. What is taken is what was sent.

use std::cell::Cell;
use std::net::{IpAddr, Ipv4Addr};

use pakyas::server::api::fuzz;
use pakyas::server::http::Request;
use pakyas::wire::ping::{Kind, Signal};
use pakyas::wire::{MAX_AGE_MS, RUN_ID_MAX, header};
use ureq_proto::http::{HeaderMap, HeaderName, HeaderValue, Method};

pub fn target(bytes: &[u8]) {
    let head_end = bytes.windows(2).position(|two| two == b"\n\n");
    let (head, body) = match head_end {
        Some(end) => (&bytes[..end], &bytes[end + 2..]),
        None => (bytes, &[][..]),
    };
    let mut lines = head.split(|&byte| byte == b'\n');
    let path = String::from_utf8_lossy(lines.next().unwrap_or_default()).into_owned();
    let (suffix, query) = path.split_once('?').unwrap_or((&path, ""));
    let mut headers = HeaderMap::new();
    for line in lines {
        let Some(colon) = line.iter().position(|&byte| byte == b':') else {
            continue;
        };
        let name = HeaderName::from_bytes(&line[..colon]);
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(&line[colon + 1..])) {
            headers.append(name, value);
        }
    }
    let request = Request {
        method: Method::POST,
        path: format!("/id/{suffix}"),
        query: query.to_owned(),
        headers,
        body: body.to_vec(),
        peer: IpAddr::V4(Ipv4Addr::LOCALHOST),
        allowance: Cell::default(),
    };
    if let Some(signal) = Signal::from_segment(suffix) {
        let written = signal.path_suffix();
        let back = Signal::from_segment(written.trim_start_matches('/'));
        assert_eq!(back, Some(signal), "{written}");
        let code = signal.exit_code;
        assert!(code.is_none_or(|code| (code == 0) == (signal.kind == Kind::Success)));
    }
    let _ = (request.parameter("rid"), request.form("name"));
    let Ok(ping) = fuzz::ping(&request, suffix) else {
        return;
    };
    assert_eq!(Some(ping.signal), Signal::from_segment(suffix));
    assert_eq!(ping.body, body);
    assert!(ping.age.unsigned_abs() <= MAX_AGE_MS);
    if let Some(run) = &ping.run_id {
        assert!((1..=RUN_ID_MAX).contains(&run.chars().count()));
        assert!(!run.contains(char::is_control));
    }
    assert!(
        ping.idempotency_key
            .is_none_or(|key| (1..=200).contains(&key.len()))
    );
    assert!(
        ping.user_agent
            .is_none_or(|agent| agent.chars().count() <= 200)
    );
    for (name, value) in [
        (header::DURATION, ping.duration),
        (header::CPU_MS, ping.cpu_ms),
        (header::MAX_RSS_KB, ping.max_rss_kb),
    ] {
        let sent = request
            .header(name)
            .map(|text| text.parse::<i64>().unwrap());
        assert_eq!(value, sent, "{name}");
        assert!(value.is_none_or(|value| value >= 0));
    }
}
