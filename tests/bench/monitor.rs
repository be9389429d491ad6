//! What the wrapper costs: how much later a job starts, how fast output passes through, and how
//! much memory that takes. Each is measured beside what it is compared with, in turn, in one run.
//!
//! `cargo bench --no-default-features --bench monitor`

#![allow(missing_docs, reason = "a program, not a library")]

#[path = "../monitor/support.rs"]
mod support;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use support::catcher::Catcher;
use support::{clean, monitor};

/// How often a job's start is measured, each way.
const STARTS: usize = 200;

/// How often it is measured against a server that never answers.
const HANGING_STARTS: usize = 50;

/// How often the throughput is measured, each way.
const ROUNDS: usize = 9;

/// How much passes through in one round, bytes.
const VOLUME: usize = 1 << 30;

const CHUNK: usize = 64 * 1024;

/// This program is also the job that it measures.
const TELL_TIME: &str = "--tell-time";
const PRODUCE: &str = "--produce";

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some(TELL_TIME) => return println!("{}", now().as_nanos()),
        Some(PRODUCE) => return produce(),
        _ => {}
    }
    println!(
        "monitor, {} on {}",
        std::env::consts::ARCH,
        std::env::consts::OS
    );
    starts();
    throughput();
}

fn now() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

fn own_program() -> std::path::PathBuf {
    std::env::current_exe().unwrap()
}

/// From just before the spawn to the first instruction of the job's `main`.
fn start_delay(command: &mut Command) -> Duration {
    let before = now();
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut told = String::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut told)
        .unwrap();
    let started = Duration::from_nanos(told.trim().parse().unwrap());
    // What comes after the job is not measured, and a report may be under way for long.
    let _ = child.kill();
    child.wait().unwrap();
    started.saturating_sub(before)
}

fn starts() {
    let server = Catcher::new();
    let deaf = TcpListener::bind("127.0.0.1:0").unwrap();
    let deaf = format!("http://{}", deaf.local_addr().unwrap());
    let job = |mut command: Command| {
        command.arg("--").arg(own_program()).arg(TELL_TIME);
        command
    };
    let mut bare = Vec::new();
    let mut answering = Vec::new();
    let mut hanging = Vec::new();
    for round in 0..STARTS {
        bare.push(start_delay(clean(own_program()).arg(TELL_TIME)));
        answering.push(start_delay(&mut job(monitor(&server.url()))));
        if round % (STARTS / HANGING_STARTS) == 0 {
            hanging.push(start_delay(&mut job(monitor(&deaf))));
        }
    }
    let bare = Spread::of(bare);
    let answering = Spread::of(answering);
    let hanging = Spread::of(hanging);
    println!("start of the job, ms          median   (10 %–90 %)");
    bare.print("  bare");
    answering.print("  monitor, server answers");
    hanging.print("  monitor, server is silent");
    println!(
        "  delay by monitor            {:>6.2}   server answers; {:.2} server is silent",
        answering.median - bare.median,
        hanging.median - bare.median
    );
}

/// Milliseconds.
struct Spread {
    low: f64,
    median: f64,
    high: f64,
}

impl Spread {
    fn of(times: Vec<Duration>) -> Self {
        let mut times: Vec<f64> = times.iter().map(|time| time.as_secs_f64() * 1e3).collect();
        times.sort_by(f64::total_cmp);
        let at = |part: f64| times[((times.len() - 1) as f64 * part).round() as usize];
        Self {
            low: at(0.1),
            median: at(0.5),
            high: at(0.9),
        }
    }

    fn print(&self, name: &str) {
        println!(
            "{name:<30}{:>6.2}   ({:.2}–{:.2})",
            self.median, self.low, self.high
        );
    }
}

fn produce() {
    let chunk = [b'x'; CHUNK];
    let mut stdout = std::io::stdout().lock();
    for _ in 0..VOLUME / CHUNK {
        if stdout.write_all(&chunk).is_err() {
            return;
        }
    }
}

/// Reads all that the child writes; gives how long that took, and its peak memory in KiB as it
/// was just before the end.
fn drain(mut child: Child) -> (Duration, u64) {
    let begun = Instant::now();
    let mut stdout = child.stdout.take().unwrap();
    let mut buffer = vec![0; CHUNK];
    let (mut total, mut peak) = (0, 0);
    loop {
        match stdout.read(&mut buffer).unwrap() {
            0 => break,
            count => total += count,
        }
        if peak == 0 && total > VOLUME - 4 * CHUNK {
            peak = peak_memory(child.id());
        }
    }
    let took = begun.elapsed();
    assert_eq!(total, VOLUME);
    child.wait().unwrap();
    (took, peak)
}

fn peak_memory(pid: u32) -> u64 {
    std::fs::read_to_string(format!("/proc/{pid}/status"))
        .unwrap_or_default()
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|value| value.trim().trim_end_matches(" kB").parse().ok())
        .unwrap_or(0)
}

fn throughput() {
    let server = Catcher::new();
    let mut cats = Vec::new();
    let mut monitors = Vec::new();
    let mut peak = 0;
    for _ in 0..ROUNDS {
        let mut producer = Command::new(own_program())
            .arg(PRODUCE)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let cat = Command::new("cat")
            .stdin(producer.stdout.take().unwrap())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        cats.push(drain(cat).0);
        producer.wait().unwrap();

        let wrapped = monitor(&server.url())
            .arg("--")
            .arg(own_program())
            .arg(PRODUCE)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (took, memory) = drain(wrapped);
        monitors.push(took);
        peak = peak.max(memory);
    }
    let (cat, monitor) = (Spread::of(cats), Spread::of(monitors));
    println!("1 GiB of output, ms           median   (10 %–90 %)");
    cat.print("  through cat");
    monitor.print("  through monitor");
    println!(
        "  throughput, cat = 1         {:>6.2}",
        cat.median / monitor.median
    );
    println!(
        "peak memory of monitor        {:>6.2}   MiB",
        peak as f64 / 1024.0
    );
}
