//! Passwords, hashed with argon2: a few at a time, since each takes 19 MiB and a core.

use std::sync::{Condvar, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use argon2::Argon2;
use argon2::password_hash::{PasswordHasher, PasswordVerifier, phc};

/// How many are computed at once at most.
const AT_ONCE: usize = 2;

/// How many more may wait for their turn, and how long.
const WAITING: usize = 32;
const PATIENCE: Duration = Duration::from_secs(10);

/// The shortest password that may be set, characters (NIST SP 800-63B section 5.1.1.1).
pub const SHORTEST: usize = 8;

/// The longest, bytes.
pub const LONGEST: usize = 1024;

/// The turns.
#[derive(Default)]
pub(super) struct Passwords {
    counts: Mutex<Counts>,
    freed: Condvar,
}

#[derive(Default)]
struct Counts {
    running: usize,
    waiting: usize,
}

impl Passwords {
    /// Whether it is the password with this hash. Takes as long where there is no hash.
    ///
    /// # Errors
    /// Where too many others are being looked at: when to try again.
    pub fn verify(&self, password: &str, hash: Option<&str>) -> Result<bool, Duration> {
        let _turn = self.turn().ok_or(PATIENCE)?;
        let parsed = hash.and_then(|hash| phc::PasswordHash::new(hash).ok());
        let found = parsed.is_some();
        // Asked for in either case: it is made at the first attempt, whoever's that is.
        let nobodys = phc::PasswordHash::new(nobodys()).ok();
        let Some(hash) = parsed.or(nobodys) else {
            return Ok(false);
        };
        let same = Argon2::default()
            .verify_password(password.as_bytes(), &hash)
            .is_ok();
        Ok(same && found && password.len() <= LONGEST)
    }

    fn turn(&self) -> Option<Turn<'_>> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.running >= AT_ONCE {
            if counts.waiting >= WAITING {
                return None;
            }
            counts.waiting += 1;
            let until = Instant::now() + PATIENCE;
            while counts.running >= AT_ONCE {
                let left = until.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    counts.waiting -= 1;
                    return None;
                }
                counts = self
                    .freed
                    .wait_timeout(counts, left)
                    .unwrap_or_else(PoisonError::into_inner)
                    .0;
            }
            counts.waiting -= 1;
        }
        counts.running += 1;
        Some(Turn(self))
    }
}

struct Turn<'a>(&'a Passwords);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut counts = self.0.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.running -= 1;
        self.0.freed.notify_one();
    }
}

/// A hash that stands in where there is none.
fn nobodys() -> &'static str {
    static HASH: OnceLock<String> = OnceLock::new();
    HASH.get_or_init(|| hash("nobody").unwrap_or_default())
}

/// The hash of a password, as a PHC string.
///
/// # Errors
/// A sentence, where there is no memory or no randomness for it.
pub fn hash(password: &str) -> Result<String, String> {
    Argon2::default()
        .hash_password(password.as_bytes())
        .map(|hash| hash.to_string())
        .map_err(|error| format!("can't hash the password: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_password_itself_fits_its_hash() {
        let passwords = Passwords::default();
        let hash = hash("correct horse").unwrap();
        assert_eq!(passwords.verify("correct horse", Some(&hash)), Ok(true));
        assert_eq!(passwords.verify("correct horse ", Some(&hash)), Ok(false));
        for (password, hash) in [("nobody", None), ("", Some("")), ("nobody", Some("x"))] {
            assert_eq!(passwords.verify(password, hash), Ok(false));
        }
    }

    #[test]
    fn no_more_than_so_many_are_computed_at_once() {
        let passwords = Passwords::default();
        let (first, second) = (passwords.turn().unwrap(), passwords.turn().unwrap());
        std::thread::scope(|scope| {
            let third = scope.spawn(|| passwords.turn().is_some());
            while passwords.counts.lock().unwrap().waiting == 0 {
                std::thread::yield_now();
            }
            assert_eq!(passwords.counts.lock().unwrap().running, AT_ONCE);
            drop(first);
            assert!(third.join().unwrap());
        });
        drop(second);
        assert_eq!(passwords.counts.lock().unwrap().running, 0);
    }
}
