//! When something happened, so that its age can be told later: in this process, in another one,
//! or after a reboot.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::sys;

/// When something happened, by a clock that nobody can set and that goes on while the machine
/// sleeps: milliseconds since it booted, negative for what happened before that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(i64);

impl Moment {
    /// Now.
    pub fn now() -> Self {
        Self(i64::try_from(sys::since_boot().as_millis()).unwrap_or(i64::MAX))
    }

    /// So long ago.
    pub fn ago(age: Duration) -> Self {
        let age = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
        Self(Self::now().0.saturating_sub(age))
    }

    /// How long ago it was; nothing for what is still to come.
    pub fn age(self) -> Duration {
        let millis = Self::now().0.saturating_sub(self.0);
        Duration::from_millis(u64::try_from(millis).unwrap_or(0))
    }

    /// The same moment for a file that may be read after a reboot.
    pub fn record(self) -> Recorded {
        let now = Recorded::now();
        let age = millis(self.age());
        let since_boot_ms = now.since_boot_ms.checked_sub(age);
        Recorded {
            // What happened before this boot can't be told by its clock.
            boot_id: now.boot_id.filter(|_| since_boot_ms.is_some()),
            since_boot_ms: since_boot_ms.unwrap_or_default(),
            unix_ms: now.unix_ms.saturating_sub(age),
        }
    }
}

/// A moment by every clock that there is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    /// Which boot `since_boot_ms` counts from.
    boot_id: Option<String>,
    since_boot_ms: u64,
    /// By the wall clock, milliseconds since the Unix epoch.
    pub unix_ms: u64,
}

impl Recorded {
    /// Now.
    pub fn now() -> Self {
        let wall = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self {
            boot_id: sys::boot_id(),
            since_boot_ms: millis(sys::since_boot()),
            unix_ms: millis(wall),
        }
    }

    /// How long before `now` it was: within one boot by the clock that does not jump, across
    /// a reboot by the wall clock, which is the best that there is. Never negative.
    pub fn age(&self, now: &Self) -> Duration {
        let same_boot = self.boot_id.is_some() && self.boot_id == now.boot_id;
        Duration::from_millis(if same_boot {
            now.since_boot_ms.saturating_sub(self.since_boot_ms)
        } else {
            now.unix_ms.saturating_sub(self.unix_ms)
        })
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded(boot_id: Option<&str>, since_boot_ms: u64, unix_ms: u64) -> Recorded {
        Recorded {
            boot_id: boot_id.map(str::to_owned),
            since_boot_ms,
            unix_ms,
        }
    }

    #[test]
    fn within_a_boot_the_wall_clock_does_not_matter() {
        let then = recorded(Some("a"), 1_000, 5_000_000);
        let clock_set_back = recorded(Some("a"), 4_000, 1_400_000);
        assert_eq!(then.age(&clock_set_back), Duration::from_secs(3));
    }

    #[test]
    fn across_a_reboot_the_wall_clock_is_what_there_is_and_never_negative() {
        let then = recorded(Some("a"), 900_000, 5_000_000);
        let later = recorded(Some("b"), 1_000, 5_060_000);
        assert_eq!(then.age(&later), Duration::from_secs(60));
        let clock_set_back = recorded(Some("b"), 1_000, 4_000_000);
        assert_eq!(then.age(&clock_set_back), Duration::ZERO);
    }

    #[test]
    fn without_a_boot_id_no_two_boots_are_the_same() {
        let then = recorded(None, 1_000, 5_000_000);
        let later = recorded(None, 2_000, 5_060_000);
        assert_eq!(then.age(&later), Duration::from_secs(60));
    }

    #[test]
    fn a_moment_that_is_recorded_keeps_its_age() {
        for hours in [0, 1, 24 * 6] {
            let age = Duration::from_secs(hours * 3_600);
            let moment = Moment::ago(age);
            let told = moment.age();
            assert!(
                told >= age && told < age + Duration::from_secs(5),
                "{told:?}"
            );
        }
        let age = Moment::now().record().age(&Recorded::now());
        assert!(age < Duration::from_secs(5), "{age:?}");
    }
}
