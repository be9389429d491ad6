//! The server, the disk, the link and the clock that it has, and what is done to them.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::soak::ledger::Ledger;
use crate::support::server::{Server, init};
use crate::support::{self, TempDir};

/// Set where the test is in namespaces of its own.
pub const APART: &str = "PAKYAS_SOAK_APART";

/// Runs the test of this name again in namespaces of its own, where a link can be cut and a
/// disk be filled; `false` where this machine has none.
pub fn apart(name: &str) -> bool {
    let can = "ip link set lo up && mount -t tmpfs none /dev/shm";
    let Some(flags) = [&["-m", "-n"][..], &["-U", "-r", "-m", "-n"]]
        .into_iter()
        .find(|flags| {
            let tried = Command::new("unshare")
                .args(*flags)
                .args(["sh", "-c", can])
                .output();
            tried.is_ok_and(|output| output.status.success())
        })
    else {
        return false;
    };
    let status = Command::new("unshare")
        .args(flags)
        .arg(std::env::current_exe().unwrap())
        .args([
            &format!("soak::{name}"),
            "--exact",
            "--include-ignored",
            "--nocapture",
        ])
        .env(APART, "1")
        .status()
        .unwrap();
    assert!(status.success(), "the soak failed, as it says above");
    true
}

fn must(line: &str) {
    let output = Command::new("sh").args(["-c", line]).output().unwrap();
    assert!(output.status.success(), "{line}: {output:?}");
}

/// The server's wall clock: a file that says how far it is off.
struct Clock {
    file: PathBuf,
    library: String,
    off: Cell<i64>,
}

impl Clock {
    /// None where there is no libfaketime.
    fn new(folder: &Path) -> Option<Self> {
        if std::env::var_os("PAKYAS_SERVER_BIN").is_some() {
            return None;
        }
        let asked = Command::new("faketime")
            .args(["-m", "-f", "+0", "printenv", "LD_PRELOAD"])
            .output()
            .ok()?;
        assert!(asked.status.success(), "{asked:?}");
        let library = String::from_utf8(asked.stdout).ok()?.trim().to_owned();
        let clock = Self {
            file: folder.join("clock"),
            library,
            off: Cell::new(0),
        };
        clock.set(0);
        Some(clock)
    }

    fn set(&self, off: i64) {
        self.off.set(off);
        // Never half a file: it is read at each look at the clock.
        let new = self.file.with_extension("new");
        std::fs::write(&new, format!("{off:+}\n")).unwrap();
        std::fs::rename(new, &self.file).unwrap();
    }
}

/// The server and what it stands on.
pub struct World {
    pub server: Server,
    /// What the server says on stderr.
    log: PathBuf,
    data: TempDir,
    /// For what is not on the small disk.
    beside: TempDir,
    clock: Option<Clock>,
    /// Whether link and disk are its own.
    apart: bool,
}

impl World {
    pub fn new(ledger: impl FnOnce() -> Ledger) -> (Self, Ledger) {
        let apart = std::env::var_os(APART).is_some();
        let (data, beside) = (TempDir::new(), TempDir::new());
        if apart {
            must("ip link set lo up");
            // What faketime leaves there where it is killed gets into the way of later processes.
            must("mount -t tmpfs none /dev/shm");
            must(&format!(
                "mount -t tmpfs -o size=1g none {}",
                data.path().display()
            ));
        }
        let ids = init(&data);
        let clock = Clock::new(beside.path());
        let log = beside.path().join("server.log");
        let server = Server::bare_with(&data, |command| options(command, clock.as_ref(), &log));
        let ledger = ledger();
        let mut world = Self {
            server,
            log,
            data,
            beside,
            clock,
            apart,
        };
        let id = |name: &str| ids[name].as_str().unwrap().to_owned();
        world.server.org_id = id("org_id");
        world.server.project_id = id("project_id");
        world.server.key = id("api_key");
        world.server.webhook("ledger", &ledger.url, None);
        world.must_obey_the_clock();
        (world, ledger)
    }

    fn must_obey_the_clock(&self) {
        for by in [3_600, -3_600] {
            if self.set_clock(by).is_none() {
                return;
            }
            let answer = self.server.request("GET", "/healthz", &[], b"").unwrap();
            let told = jiff::fmt::rfc2822::parse(answer.header("date")).unwrap();
            let off = told.timestamp().as_second() - self.now();
            assert!(off.abs() < 60, "its clock does not obey: {off} s off");
        }
    }

    /// What can't be done to it on this machine.
    pub fn missing(&self) -> Vec<&'static str> {
        let mut missing = Vec::new();
        if !self.apart {
            missing.push("no link is cut and no disk filled: there are no namespaces here");
        }
        if self.clock.is_none() {
            missing.push("no clock is set: there is no faketime here, or a static server");
        }
        missing
    }

    pub fn kill(&mut self) {
        self.server.kill();
    }

    /// Ends it as systemd does.
    pub fn stop(&mut self) {
        support::signal(self.server.pid() as u32, "TERM");
        assert_eq!(self.server.wait(), Some(0), "the server's end");
    }

    /// Starts it again on the address that it had.
    pub fn start(&mut self) {
        let (clock, log) = (self.clock.as_ref(), &self.log);
        self.server
            .restart_with(|command| options(command, clock, log));
    }

    /// Makes everything due that waits to be tried again.
    pub fn let_time_come(&mut self) {
        let (clock, log) = (self.clock.as_ref(), &self.log);
        self.server
            .let_time_come(|command| options(command, clock, log));
    }

    /// Nothing that is sent arrives, and nothing new can be sent.
    pub fn cut(&self, is_cut: bool) -> bool {
        if self.apart {
            must(&format!(
                "ip link set lo {}",
                if is_cut { "down" } else { "up" }
            ));
        }
        self.apart
    }

    /// The disk of the data directory becomes as small as what is on it, or large again.
    pub fn fill(&self, is_full: bool) -> bool {
        let folder = self.data.path().display();
        if self.apart && is_full {
            // What is written meanwhile may make it too small.
            must(&format!(
                "for more in 0 64 256 1024; do \
                   used=$(df -k --output=used {folder} | tail -n 1); \
                   mount -o remount,size=$((used + more))k {folder} && exit; \
                 done 2> /dev/null; exit 1"
            ));
        } else if self.apart {
            must(&format!("mount -o remount,size=1g {folder}"));
        }
        self.apart
    }

    /// Sets the server's wall clock by so many seconds; tells by how much it is off then.
    pub fn set_clock(&self, by: i64) -> Option<i64> {
        let clock = self.clock.as_ref()?;
        clock.set(clock.off.get() + by);
        Some(clock.off.get())
    }

    /// How far the clock is off, seconds.
    pub fn clock_is_off(&self) -> i64 {
        self.clock.as_ref().map_or(0, |clock| clock.off.get())
    }

    /// The server's time, seconds since the epoch.
    pub fn now(&self) -> i64 {
        jiff::Timestamp::now().as_second() + self.clock_is_off()
    }

    /// All checks by their slug.
    pub fn checks(&self) -> std::collections::HashMap<String, Value> {
        let list = self.server.api("GET", "/checks", None).json();
        let list = list.as_array().unwrap().iter();
        list.map(|check| (check["slug"].as_str().unwrap().to_owned(), check.clone()))
            .collect()
    }

    /// All of a check's changes and alerts, newest first.
    pub fn events(&self, check: &Value) -> Vec<Value> {
        let id = check["id"].as_str().unwrap();
        let (mut events, mut cursor) = (Vec::new(), String::new());
        loop {
            let path = format!("/checks/{id}/events?types=state,alert&limit=1000{cursor}");
            let page = self.server.api("GET", &path, None).json();
            events.extend(page["events"].as_array().unwrap().clone());
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return events,
            }
        }
    }

    /// Keeps what a failure left behind; gives where.
    pub fn keep(&mut self, seed: u64) -> PathBuf {
        let _ = (self.cut(false), self.fill(false));
        self.kill();
        let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("target/soak/{seed}"));
        std::fs::create_dir_all(&kept).unwrap();
        for folder in [self.data.path(), self.beside.path()] {
            must(&format!("cp -r {}/. {}", folder.display(), kept.display()));
        }
        kept
    }

    pub fn create(&self, slug: &str, period: u64, grace: u64, max_runtime: Option<u64>) -> Value {
        let more = match max_runtime {
            Some(seconds) => json!({ "max_runtime_seconds": seconds }),
            None => json!({}),
        };
        self.server.check(slug, period, grace, &more)
    }

    /// How long it takes until most that is due was done.
    pub fn settle(&self) {
        std::thread::sleep(Duration::from_millis(300));
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = (self.cut(false), self.fill(false));
        self.kill();
        if self.apart {
            // Else the folder can't be removed.
            let _ = Command::new("umount").arg(self.data.path()).status();
        }
    }
}

fn options(command: &mut Command, clock: Option<&Clock>, log: &Path) {
    let log = std::fs::File::options().create(true).append(true).open(log);
    command.stderr(log.unwrap());
    if let Some(clock) = clock {
        command
            .env("LD_PRELOAD", &clock.library)
            .env("FAKETIME_TIMESTAMP_FILE", &clock.file)
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .env("NO_FAKE_STAT", "1");
    }
}
