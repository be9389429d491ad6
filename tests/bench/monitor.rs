//! What the wrapper costs: how much later a job starts, how fast output passes through, and how
//! much memory that takes. Each is measured beside what it is compared with, in turn, in one run.
//!
//! `cargo bench --no-default-features --bench monitor`

#![allow(missing_docs, reason = "a program, not a library")]

mod figures;
#[path = "../support/mod.rs"]
mod support;
#[path = "../monitor/support.rs"]
mod wrapper;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use figures::{Aim, Figure, Figures};
use support::catcher::Catcher;
use wrapper::{clean, monitor};

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
    let mut figures = Figures::of("monitor");
    starts(&mut figures);
    throughput(&mut figures);
    figures.write();
}

fn now() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

fn own_program() -> std::path::PathBuf {
    std::env::current_exe().unwrap()
}

/// From just before the spawn to the first instruction of the job's `main`, milliseconds.
fn start_delay(command: &mut Command) -> f64 {
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
    started.saturating_sub(before).as_secs_f64() * 1e3
}

fn starts(figures: &mut Figures) {
    let server = Catcher::new();
    let deaf = TcpListener::bind("127.0.0.1:0").unwrap();
    let deaf = format!("http://{}", deaf.local_addr().unwrap());
    let job = |mut command: Command| {
        command.arg("--").arg(own_program()).arg(TELL_TIME);
        command
    };
    let (mut bare, mut answering, mut hanging) = (Vec::new(), Vec::new(), Vec::new());
    let (mut bare_whole, mut whole) = (Vec::new(), Vec::new());
    for round in 0..STARTS {
        bare.push(start_delay(clean(own_program()).arg(TELL_TIME)));
        answering.push(start_delay(&mut job(monitor(&server.url()))));
        if round % (STARTS / HANGING_STARTS) == 0 {
            hanging.push(start_delay(&mut job(monitor(&deaf))));
        }
        bare_whole.push(whole_run(&mut clean("true")));
        whole.push(whole_run(monitor(&server.url()).args(["--", "true"])));
    }
    let kept = hanging.len();
    figures.add(
        Figure::new("start of the job, server answers", "ms", answering)
            .beside("bare", bare.clone()),
    );
    figures.add(
        Figure::new("start of the job, server is silent", "ms", hanging)
            .beside("bare", bare[..kept].to_vec()),
    );
    figures.add(Figure::new("monitor -- true, whole", "ms", whole).beside("true", bare_whole));
}

/// From just before the spawn until it has been waited for, milliseconds.
fn whole_run(command: &mut Command) -> f64 {
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let begun = Instant::now();
    let status = command.status().unwrap();
    let took = begun.elapsed();
    assert!(status.success());
    took.as_secs_f64() * 1e3
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

/// Gigabytes a second.
fn rate(took: Duration) -> f64 {
    VOLUME as f64 / 1e9 / took.as_secs_f64()
}

fn peak_memory(pid: u32) -> u64 {
    std::fs::read_to_string(format!("/proc/{pid}/status"))
        .unwrap_or_default()
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|value| value.trim().trim_end_matches(" kB").parse().ok())
        .unwrap_or(0)
}

fn throughput(figures: &mut Figures) {
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
        cats.push(rate(drain(cat).0));
        producer.wait().unwrap();

        let wrapped = monitor(&server.url())
            .arg("--")
            .arg(own_program())
            .arg(PRODUCE)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (took, memory) = drain(wrapped);
        monitors.push(rate(took));
        peak = peak.max(memory);
    }
    figures.add(
        Figure::new("output passed through", "GB/s", monitors)
            .beside("cat", cats)
            .aim(Aim::RatioAtLeast(0.9)),
    );
    figures.add(Figure::single(
        "monitor, peak memory after 1 GiB",
        "MB",
        peak as f64 * 1024.0 / 1e6,
    ));
}
