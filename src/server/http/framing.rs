//! Where a request ends: what RFC 9112 section 6 leaves no doubt about, and refusal of the rest.
//!
//! A server and a proxy that disagree on where a request ends let one client smuggle requests
//! in another's name, so every doubtful framing is refused.

use ureq_proto::http::{HeaderMap, Version, header};

/// How the end of a body is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// There is none.
    None,
    /// So many bytes.
    Length(usize),
    /// Until the last chunk.
    Chunked,
}

/// Decides on the framing, or says in a sentence why the request is refused.
pub(super) fn of(version: Version, headers: &HeaderMap) -> Result<Framing, &'static str> {
    let mut encodings = headers.get_all(header::TRANSFER_ENCODING).iter();
    let mut lengths = headers.get_all(header::CONTENT_LENGTH).iter();
    let (encoding, length) = (encodings.next(), lengths.next());
    if encodings.next().is_some() || lengths.next().is_some() {
        return Err("send Content-Length or Transfer-Encoding only once");
    }
    match (encoding, length) {
        (None, None) => Ok(Framing::None),
        (Some(_), Some(_)) => Err("send Content-Length or Transfer-Encoding, not both"),
        (Some(_), None) if version != Version::HTTP_11 => Err("Transfer-Encoding needs HTTP/1.1"),
        (Some(encoding), None) if encoding.as_bytes().eq_ignore_ascii_case(b"chunked") => {
            Ok(Framing::Chunked)
        }
        (Some(_), None) => Err("the only Transfer-Encoding understood here is chunked"),
        (None, Some(length)) => length
            .to_str()
            .ok()
            .filter(|text| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()))
            .and_then(|text| text.parse().ok())
            .map(Framing::Length)
            .ok_or("Content-Length is not a number of bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ureq_proto::http::{HeaderName, HeaderValue};

    fn framing(headers: &[(&'static str, &'static str)]) -> Result<Framing, &'static str> {
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| {
                (
                    HeaderName::from_static(name),
                    HeaderValue::from_static(value),
                )
            })
            .collect();
        of(Version::HTTP_11, &headers)
    }

    #[test]
    fn only_a_framing_without_doubt_is_accepted() {
        assert_eq!(framing(&[]), Ok(Framing::None));
        assert_eq!(framing(&[("content-length", "5")]), Ok(Framing::Length(5)));
        assert_eq!(
            framing(&[("transfer-encoding", "Chunked")]),
            Ok(Framing::Chunked)
        );
        for doubtful in [
            &[("content-length", "5"), ("transfer-encoding", "chunked")][..],
            &[("content-length", "5"), ("content-length", "5")],
            &[("content-length", "5, 5")],
            &[("content-length", "+5")],
            &[("content-length", "99999999999999999999999")],
            &[("transfer-encoding", "gzip, chunked")],
            &[
                ("transfer-encoding", "chunked"),
                ("transfer-encoding", "identity"),
            ],
        ] {
            assert!(framing(doubtful).is_err(), "{doubtful:?}");
        }
    }
}
