//! The ids of pings and events: integers that grow. Older servers sent texts (UUIDs), which are
//! still read.

use std::fmt;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The id of a ping or an event. What follows an id of a server is never computed from it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum RecordId {
    /// What API.md says.
    Number(u64),
    /// What an older server sends.
    Text(String),
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => text.fmt(f),
        }
    }
}

impl Serialize for RecordId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Number(number) => serializer.serialize_u64(*number),
            Self::Text(text) => serializer.serialize_str(text),
        }
    }
}

impl<'de> Deserialize<'de> for RecordId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Either)
    }
}

/// Reads either form.
struct Either;

impl Visitor<'_> for Either {
    type Value = RecordId;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an id")
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<RecordId, E> {
        Ok(RecordId::Number(number))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<RecordId, E> {
        Ok(RecordId::Text(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_and_texts_are_read_and_written_as_they_came() {
        for json in ["7", "18446744073709551615", "\"a-b\""] {
            let id: RecordId = serde_json::from_str(json).unwrap();
            assert_eq!(serde_json::to_string(&id).unwrap(), json);
            assert_eq!(id.to_string(), json.trim_matches('"'));
        }
        assert!(serde_json::from_str::<RecordId>("-1").is_err());
    }
}
