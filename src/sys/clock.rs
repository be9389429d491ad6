//! Clocks: time since the machine booted, which boot that was, and how far local time is off UTC.

use std::mem::MaybeUninit;
use std::time::Duration;

/// The clock that goes on while the machine sleeps and that nobody can set (clock_gettime(2)).
#[cfg(target_os = "linux")]
const CLOCK: libc::clockid_t = libc::CLOCK_BOOTTIME;
#[cfg(not(target_os = "linux"))]
const CLOCK: libc::clockid_t = libc::CLOCK_MONOTONIC;

/// How long ago the machine booted, the time that it slept included.
pub fn since_boot() -> Duration {
    read(CLOCK)
}

/// What CLOCK_MONOTONIC says, as systemd wants to be told.
#[cfg(feature = "server")]
pub fn since_start_of_clock() -> Duration {
    read(libc::CLOCK_MONOTONIC)
}

fn read(clock: libc::clockid_t) -> Duration {
    let mut time = MaybeUninit::<libc::timespec>::zeroed();
    // SAFETY: zeroes are a valid timespec, and the pointer is to a local that outlives the
    // call, which fills it in or, on a kernel without the clock, leaves the zeroes.
    let time = unsafe {
        libc::clock_gettime(clock, time.as_mut_ptr());
        time.assume_init()
    };
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or(0),
        u32::try_from(time.tv_nsec).unwrap_or(0).min(999_999_999),
    )
}

/// What the kernel calls this boot (random(4)); `None` where it says nothing, as without /proc.
pub fn boot_id() -> Option<String> {
    use std::io::Read;
    let mut text = String::new();
    let file = std::fs::File::open("/proc/sys/kernel/random/boot_id").ok()?;
    file.take(64).read_to_string(&mut text).ok()?;
    let id = text.trim();
    (!id.is_empty()).then(|| id.to_owned())
}

/// How far local time was ahead of UTC at that time, seconds since 1970; in seconds, negative
/// west of Greenwich. As `TZ` says, else /etc/localtime (tzset(3)); 0 where neither helps.
pub fn local_offset(unix: i64) -> i64 {
    // Half as many bits where the C library's times end in 2038.
    let unix = unix as _;
    let mut time = MaybeUninit::<libc::tm>::zeroed();
    // SAFETY: both pointers are to locals; zeroes are a valid tm. tzset and localtime_r read the
    // environment, which nothing in this program changes.
    let (done, time) = unsafe {
        tzset();
        let done = !libc::localtime_r(&unix, time.as_mut_ptr()).is_null();
        (done, time.assume_init())
    };
    #[allow(
        clippy::useless_conversion,
        reason = "a long has 32 bits on other machines"
    )]
    if done { i64::from(time.tm_gmtoff) } else { 0 }
}

// Missing from the crate libc; localtime_r need not read the zone itself (localtime(3)).
unsafe extern "C" {
    fn tzset();
}
