//! Secrets given as text or as `file:/path`, and kept out of every message.

use std::fmt;
use std::io::Read;

/// A secret may be a password or a key, never a document: what is longer was a mistake.
const MAX_BYTES: u64 = 64 * 1024;

/// A key or password. Its `Debug` prints no secret, so that no log can.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The secret itself, for the one place that sends or hashes it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// A secret as it is.
    pub fn from_text(text: String) -> Self {
        Self(text)
    }

    /// Takes `text` as it is typed: the secret itself, or `file:PATH` to read it from a
    /// file (white space at both ends of the file is not part of it). `from` is the flag or the
    /// variable where it stands.
    ///
    /// # Errors
    /// A sentence naming both, where the file can't be read, is empty, is not UTF-8 or is
    /// larger than 64 KiB.
    pub fn from_setting(from: &str, text: &str) -> Result<Self, String> {
        match text.strip_prefix("file:") {
            Some("") => Err(format!("{from}: no file is named after 'file:'")),
            Some(path) => Self::from_file(from, path),
            None => Ok(Self(text.to_owned())),
        }
    }

    /// Reads the secret from the file at `path`; errors as [`Secret::from_setting`].
    ///
    /// # Errors
    /// As [`Secret::from_setting`].
    pub fn from_file(from: &str, path: &str) -> Result<Self, String> {
        let mut text = String::new();
        std::fs::File::open(path)
            .and_then(|file| file.take(MAX_BYTES + 1).read_to_string(&mut text))
            .map_err(|e| format!("{from}: can't read the file {path}: {e}"))?;
        let wrong = |why: &str| Err(format!("{from}: the file {path} {why}"));
        if text.len() as u64 > MAX_BYTES {
            return wrong("is larger than 64 KiB");
        }
        let text = text.trim();
        if text.is_empty() {
            return wrong("is empty");
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_never_shows_in_debug_output() {
        let secret = Secret::from_setting("x", "pk_live_abc").unwrap();
        assert_eq!(format!("{secret:?}"), "Secret(…)");
        assert_eq!(secret.expose(), "pk_live_abc");
    }

    #[test]
    fn a_missing_file_is_named_with_whoever_named_it() {
        let told = |text| Secret::from_setting("--api-key", text).unwrap_err();
        let error = told("file:/no/such/file");
        assert!(
            error.starts_with("--api-key: can't read the file /no/such/file: "),
            "{error}"
        );
        assert_eq!(told("file:"), "--api-key: no file is named after 'file:'");
    }
}
