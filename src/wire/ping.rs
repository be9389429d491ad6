//! A ping on the wire: its kinds, its path, and how the history shows it.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::RecordId;

/// What a ping says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The job succeeded.
    Success,
    /// The job started.
    Start,
    /// The job failed.
    Fail,
    /// Kept in the history, changes no state.
    Log,
}

impl Kind {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Start => "start",
            Self::Fail => "fail",
            Self::Log => "log",
        }
    }

    /// The kind of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Success, Self::Start, Self::Fail, Self::Log]
            .into_iter()
            .find(|kind| kind.as_str() == name)
    }
}

/// What a ping's path says: its kind, and the exit code where one is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signal {
    /// What it means for the check.
    pub kind: Kind,
    /// 0–255, where the path named one.
    pub exit_code: Option<u8>,
}

impl Signal {
    /// The signal of an exit code: 0 is a success, all else a failure.
    pub fn exit(code: u8) -> Self {
        Self {
            kind: if code == 0 { Kind::Success } else { Kind::Fail },
            exit_code: Some(code),
        }
    }

    /// What follows the public id in the path, with its slash: `/start`, `/1`, or nothing.
    pub fn path_suffix(self) -> String {
        match (self.exit_code, self.kind) {
            (Some(code), _) => format!("/{code}"),
            (None, Kind::Success) => String::new(),
            (None, kind) => format!("/{}", kind.as_str()),
        }
    }

    /// Reads the last segment of a ping's path, without a slash; `""` where there is none.
    ///
    /// # Errors
    /// `None` where it is neither a word of API.md nor an exit code of 0–255.
    pub fn from_segment(segment: &str) -> Option<Self> {
        let word = |kind| {
            Some(Self {
                kind,
                exit_code: None,
            })
        };
        match segment {
            "" => word(Kind::Success),
            "start" => word(Kind::Start),
            "fail" => word(Kind::Fail),
            "log" => word(Kind::Log),
            code if code.len() <= 3 && code.bytes().all(|b| b.is_ascii_digit()) => {
                code.parse().ok().map(Self::exit)
            }
            _ => None,
        }
    }
}

impl From<Kind> for Signal {
    fn from(kind: Kind) -> Self {
        Self {
            kind,
            exit_code: None,
        }
    }
}

/// What a run id is compared by: itself, but of a UUID, written with hyphens, the lowercase form.
pub fn run_key(id: &str) -> Cow<'_, str> {
    let is_uuid = id.len() == uuid::fmt::Hyphenated::LENGTH && uuid::Uuid::try_parse(id).is_ok();
    if is_uuid && id.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(id.to_ascii_lowercase())
    } else {
        Cow::Borrowed(id)
    }
}

/// Whether two ids are those of one run.
pub fn is_same_run(a: &str, b: &str) -> bool {
    a == b || run_key(a) == run_key(b)
}

/// A ping as `GET /checks/{id}/pings` lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(
    missing_docs,
    reason = "API.md describes each field; saying it twice lets it drift"
)]
pub struct PingRecord {
    pub id: RecordId,
    #[serde(rename = "type")]
    pub kind: Kind,
    pub exit_code: Option<u8>,
    pub created_at: Timestamp,
    pub received_at: Timestamp,
    pub duration_ms: Option<u64>,
    pub run_id: Option<String>,
    pub source_ip: Option<String>,
    pub user_agent: Option<String>,
    pub cpu_ms: Option<u64>,
    pub max_rss_kb: Option<u64>,
    pub has_body: bool,
}

/// `GET /checks/{id}/pings`, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PingList {
    /// The page.
    pub pings: Vec<PingRecord>,
    /// How many there are in all.
    pub total: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_segment_says_the_kind_or_the_exit_code() {
        assert_eq!(Signal::from_segment(""), Some(Kind::Success.into()));
        assert_eq!(Signal::from_segment("start"), Some(Kind::Start.into()));
        assert_eq!(Signal::from_segment("0"), Some(Signal::exit(0)));
        assert_eq!(Signal::from_segment("255"), Some(Signal::exit(255)));
        for bad in ["256", "-1", "1000", "Start", "success", "1 ", "+1"] {
            assert_eq!(Signal::from_segment(bad), None, "{bad}");
        }
    }

    #[test]
    fn run_ids_are_compared_byte_for_byte_but_uuids_in_any_case() {
        let (lower, upper) = (
            "0194f6f2-ab3c-7def-8a6b-0123456789ab",
            "0194F6F2-AB3C-7DEF-8A6B-0123456789AB",
        );
        assert!(is_same_run(lower, upper));
        assert!(!is_same_run("Nightly", "nightly"));
        // As long as a UUID, and none.
        let word = "G194f6f2-ab3c-7def-8a6b-0123456789ab";
        assert!(!is_same_run(word, &word.to_lowercase()));
    }

    #[test]
    fn what_is_written_into_a_path_is_read_back() {
        for signal in [
            Kind::Success.into(),
            Kind::Start.into(),
            Kind::Fail.into(),
            Kind::Log.into(),
            Signal::exit(0),
            Signal::exit(1),
        ] {
            let suffix = signal.path_suffix();
            assert_eq!(
                Signal::from_segment(suffix.strip_prefix('/').unwrap_or("")),
                Some(signal)
            );
        }
    }
}
