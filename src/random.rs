//! Random bytes and ids, from the operating system through rustls' own source.
//!
//! rustls is in both programs anyway and brings a reviewed generator, so no
//! further crate is needed for the few bytes that an id or a key takes.

use uuid::Uuid;

use crate::crypto;

/// The operating system gave no random bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoRandomness;

impl std::fmt::Display for NoRandomness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the operating system gave no random bytes (getrandom failed)")
    }
}

impl std::error::Error for NoRandomness {}

/// `N` unpredictable bytes, fit for a key.
///
/// # Errors
/// [`NoRandomness`] where the system call fails; nothing weaker is used instead.
pub fn bytes<const N: usize>() -> Result<[u8; N], NoRandomness> {
    let mut bytes = [0; N];
    crypto::provider()
        .secure_random
        .fill(&mut bytes)
        .map_err(|_| NoRandomness)?;
    Ok(bytes)
}

/// A random UUID (version 4, RFC 9562 section 5.4).
///
/// # Errors
/// As [`bytes`].
pub fn uuid() -> Result<Uuid, NoRandomness> {
    Ok(uuid::Builder::from_random_bytes(bytes()?).into_uuid())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_version_4_uuid_and_no_two_are_the_same() {
        let (a, b) = (uuid().unwrap(), uuid().unwrap());
        assert_eq!(a.get_version_num(), 4);
        assert_ne!(a, b);
    }
}
