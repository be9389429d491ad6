//! What the tests share: places of their own, real programs, and waiting for a condition.
//!
//! Each test binary uses some of it only.
#![allow(dead_code)]

#[cfg(feature = "server")]
pub mod accounts;
#[cfg(feature = "server")]
pub mod browser;
pub mod catcher;
pub mod dice;
pub mod home;
pub mod hook;
pub mod os;
pub mod person;
pub mod programs;
#[cfg(feature = "server")]
pub mod proxy;
#[cfg(feature = "server")]
pub mod server;
#[cfg(feature = "server")]
pub mod smtp;
pub mod stub;
#[cfg(feature = "server")]
pub mod tls;
pub mod world;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Longer than anything takes on a machine that is busy with much else, short enough for a person
/// to wait.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// A public id; the ping target does not care which.
pub const PUBLIC_ID: &str = "550e8400-e29b-41d4-a716-446655440000";

/// What was written, as text.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Asks `condition` again and again until it gives something.
pub fn wait_for<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(begun.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Sends a signal by name.
pub fn signal(pid: u32, name: &str) {
    let status = Command::new("kill")
        .args([format!("-{name}"), pid.to_string()])
        .status()
        .unwrap();
    assert!(status.success());
}

/// `unshare` with these namespaces, where this machine and user may; else the test says that
/// it is skipped.
pub fn unshare(namespaces: &[&str]) -> Option<Command> {
    for as_root in [&[][..], &["-Ur"]] {
        let possible = Command::new("unshare")
            .args(as_root)
            .args(namespaces)
            .arg("true")
            .output()
            .is_ok_and(|output| output.status.success());
        if possible {
            let mut command = Command::new("unshare");
            command.args(as_root).args(namespaces);
            return Some(command);
        }
    }
    eprintln!("skipped: no namespaces can be had here");
    None
}

/// A directory of the test's own, gone when dropped.
pub struct TempDir(PathBuf);

impl TempDir {
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("pakyas-dir-{}-{count}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
