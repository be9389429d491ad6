//! What the tests of the wrapper share: the binary under test, a ping target, and waiting. The
//! bench uses a part of it.

#![allow(dead_code, reason = "the bench uses a part")]
#![allow(missing_docs, reason = "read beside the tests that use it")]

use std::io::Read;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use pakyas::sys::{self, Await};

pub use crate::support::programs::pakyas;
pub use crate::support::{PATIENCE, PUBLIC_ID, os, text};

/// A command with an environment of its own: no settings, and a home that is not there.
pub fn clean(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        // Where `make coverage` has its lines counted.
        .envs(std::env::vars_os().filter(|(name, _)| name == "LLVM_PROFILE_FILE"))
        .env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin")
        .env("HOME", "/nonexistent")
        .stdin(Stdio::null());
    command
}

/// `pakyas monitor` reporting to `url`, up to where its own flags and the `--` go.
pub fn monitor(url: &str) -> Command {
    let mut command = clean(pakyas());
    command.args(monitor_arguments(url));
    command
}

/// The arguments of [`monitor`], for a test that starts it through another program.
pub fn monitor_arguments(url: &str) -> [&str; 5] {
    ["monitor", "--ping-url", url, "--public_id", PUBLIC_ID]
}

/// A folder of this test's own below the target folder; left behind for whoever looks why.
pub fn folder(name: &str) -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!(
        "{name}-{}-{}",
        std::process::id(),
        COUNT.fetch_add(1, Ordering::Relaxed)
    ));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// Runs a command to its end, with both of its streams caught; fails where it takes too long.
pub fn run(command: &mut Command) -> Output {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    output_of(command.spawn().unwrap())
}

/// Waits for the end of a child and of what it writes; fails where it takes too long.
pub fn output_of(child: Child) -> Output {
    let pid = child.id();
    let (sender, result) = mpsc::channel();
    thread::spawn(move || sender.send(child.wait_with_output()));
    match result.recv_timeout(PATIENCE) {
        Ok(output) => output.unwrap(),
        Err(_) => {
            kill_tree(pid);
            panic!("the command did not end within {PATIENCE:?}");
        }
    }
}

/// Kills a child that this test started, and all that it started.
fn kill_tree(pid: u32) {
    let list = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    os::kill(pid, libc::SIGKILL);
    for child in list.unwrap_or_default().split_whitespace() {
        child.parse().map(kill_tree).unwrap_or_default();
    }
}

/// The exit code of a child, waited for; fails where it takes too long.
pub fn code_of(child: Child) -> Option<i32> {
    output_of(child).status.code()
}

/// Looks again and again until `condition` holds; fails, naming it, where it never does.
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < end, "{what}: not within {PATIENCE:?}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// Whether the process is there and not a zombie.
pub fn is_running(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit(')').next().unwrap_or("").starts_with(" Z"))
}

/// Sends a signal and waits until the process has taken it, so that the next one is a second.
pub fn send_and_await(pid: u32, signal: i32) {
    os::kill(pid, signal);
    wait_until("the signal is taken", || !is_pending(pid, signal));
}

/// Waits until the wrapper has done with all signals that it got so far. They are taken in
/// turn, the lowest number first, so that it has once it takes a high one that means nothing.
pub fn settle(wrapper: u32) {
    send_and_await(wrapper, libc::SIGURG);
}

/// The state of a process as proc(5) has it: `T` is stopped.
pub fn state_of(pid: u32) -> char {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let after_name = stat.rsplit(") ").next().unwrap_or_default();
    after_name.chars().next().unwrap_or('?')
}

/// Whether a signal waits to be taken by the process.
pub fn is_pending(pid: u32, signal: i32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let pending = status
        .lines()
        .find_map(|line| line.strip_prefix("ShdPnd:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    pending.is_some_and(|mask| mask & (1 << (signal - 1)) != 0)
}

/// The first child of a process.
pub fn child_of(pid: u32) -> u32 {
    let mut child = None;
    wait_until("there is a child", || {
        let list =
            std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        child = list.split_whitespace().next().map(str::to_owned);
        child.is_some()
    });
    child.unwrap().parse().unwrap()
}

/// Reads a line, byte by byte, and gives it without its end; empty at the end of all. Fails
/// where neither comes.
pub fn read_line(from: &mut (impl Read + AsFd)) -> String {
    let end = Instant::now() + PATIENCE;
    let mut line = Vec::new();
    let mut byte = [0];
    loop {
        let [ready] = sys::poll([(Some(from.as_fd()), Await::Reading)], Some(end)).unwrap();
        let so_far = text(&line);
        assert!(ready.readable, "no line within {PATIENCE:?}: '{so_far}'");
        if from.read(&mut byte).unwrap() == 0 || byte[0] == b'\n' {
            return so_far;
        }
        line.push(byte[0]);
    }
}

/// Reads to the end of all; fails where that does not come.
pub fn read_all(from: &mut (impl Read + AsFd)) -> Vec<u8> {
    let end = Instant::now() + PATIENCE;
    let mut all = Vec::new();
    let mut chunk = vec![0; 64 * 1024];
    loop {
        let [ready] = sys::poll([(Some(from.as_fd()), Await::Reading)], Some(end)).unwrap();
        assert!(
            ready.readable,
            "no end within {PATIENCE:?}: {} bytes",
            all.len()
        );
        match from.read(&mut chunk).unwrap() {
            0 => return all,
            count => all.extend_from_slice(&chunk[..count]),
        }
    }
}
