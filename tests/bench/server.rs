//! What the server bears: durable pings a second beside nginx answering a constant, memory, and
//! how late the last alert is when 10,000 checks fall due at once; with more and more checks.
//! Everything is measured in turn, in one run, with the same clients.
//!
//! `cargo bench --bench server`

#![allow(missing_docs, reason = "a program, not a library")]

mod client;
mod figures;
mod nginx;
#[path = "../support/mod.rs"]
mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use client::{Client, whole_message};
use figures::{Aim, Figure, Figures};
use nginx::Nginx;
use serde_json::{Value, json};
use support::TempDir;
use support::programs::pakyas_server;

/// How many checks the server has, one size after another, and how many of them fall due at once.
const CHECKS: [usize; 3] = [1_000, 10_000, 100_000];
const DUE: usize = 10_000;

/// How many clients there are, each with one connection at a time.
const CLIENTS: usize = 64;

/// How long and how often each way is measured.
const ROUND: Duration = Duration::from_secs(2);
const ROUNDS: usize = 5;

/// When the checks fall due after the ping that all of them seem to have had at once: their
/// period, at least, and their grace, seconds.
const PERIOD: u64 = 15;
const GRACE: u64 = 1;

/// For how long no further check may fall due before the rest is given up.
const PATIENCE: Duration = Duration::from_secs(60);

fn main() {
    let mut figures = Figures::of("server");
    // Other numbers for a quick look: PAKYAS_BENCH_CHECKS=2000,20000.
    let sizes: Vec<usize> = match std::env::var("PAKYAS_BENCH_CHECKS") {
        Ok(text) => text
            .split(',')
            .filter_map(|part| part.parse().ok())
            .collect(),
        Err(_) => CHECKS.to_vec(),
    };
    for (place, checks) in sizes.iter().enumerate() {
        with_checks(&mut figures, *checks, place + 1 == sizes.len());
    }
    figures.write();
}

/// All figures with that many checks; those of one core too if these are the most.
fn with_checks(figures: &mut Figures, checks: usize, most: bool) {
    let directory = TempDir::new();
    let ids = support::server::init(&directory);
    let begun = Instant::now();
    let server = Server::start(&directory, &[]);
    let targets = server.create_checks(&ids, checks);
    let rate = checks as f64 / begun.elapsed().as_secs_f64();
    drop(server);
    let begun = Instant::now();
    let server = Server::start(&directory, &[]);
    let start = begun.elapsed().as_secs_f64() * 1e3;
    let mut add = |figure: Figure| figures.add(figure.with_checks(checks));
    add(Figure::single("checks made by the API", "/s", rate));
    add(Figure::single("start", "ms", start));
    let requests: Vec<Vec<u8>> = targets.iter().map(|id| ping(id, "")).collect();
    // The first ping of a check changes its status too, which is not what is measured.
    let begun = Instant::now();
    in_parallel(server.address, requests.len(), |client, place| {
        assert_eq!(client.exchange(&requests[place], true), 200);
    });
    let ping_time = begun.elapsed() / u32::try_from(requests.len()).unwrap();
    let nginx = Nginx::start();
    if nginx.is_none() {
        println!("there is no nginx here to compare with; Debian's nginx-light will do");
    }
    beside(&mut add, &server, nginx.as_ref(), &requests, "", true);
    let memory = Figure::single("memory", "MB", server.memory());
    add(memory.aim(Aim::AtMost(200.0)));
    drop(nginx);
    let (p99, last) = fall_due(&server, &ids, &targets[..DUE.min(checks)], ping_time);
    let due = DUE.min(checks);
    let lag = Figure::single(format!("{due} due at once, lag p99"), "ms", p99);
    add(lag.aim(Aim::AtMost(1000.0)));
    add(Figure::single(
        format!("{due} due at once, lag of the last"),
        "ms",
        last,
    ));
    drop(server);
    if most {
        one_core(&mut add, &directory, &requests);
    }
}

/// The rates once more, each server with a processor of its own and the clients on the others.
fn one_core(add: &mut impl FnMut(Figure), directory: &TempDir, requests: &[Vec<u8>]) {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let pinned = cores > 1 && {
        let me = std::process::id().to_string();
        let rest = format!("1-{}", cores - 1);
        Command::new("taskset")
            .args(["-acp", &rest, &me])
            .stdout(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    };
    if !pinned {
        return println!("one core: skipped, there is no other for the clients, or no taskset");
    }
    let before = ["taskset", "-c", "0"];
    let server = Server::start(directory, &before);
    let nginx = Nginx::start_alone(&before);
    beside(add, &server, nginx.as_ref(), requests, "one core, ", false);
}

/// Both rates beside nginx's, in turn.
fn beside(
    add: &mut impl FnMut(Figure),
    server: &Server,
    nginx: Option<&Nginx>,
    requests: &[Vec<u8>],
    prefix: &str,
    aimed: bool,
) {
    for (name, kept, aim) in [
        ("new connections", false, 0.6),
        ("kept connections", true, 0.3),
    ] {
        let (mut ours, mut theirs, mut latencies) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            if let Some(nginx) = nginx {
                theirs.push(load(nginx.address, requests, kept).len() as f64);
            }
            let round = load(server.address, requests, kept);
            ours.push(round.len() as f64);
            latencies.extend(round.iter().map(|time| time.as_secs_f64() * 1e3));
        }
        for count in ours.iter_mut().chain(&mut theirs) {
            *count /= ROUND.as_secs_f64();
        }
        let mut rate = Figure::new(format!("{prefix}durable pings, {name}"), "/s", ours);
        if nginx.is_some() {
            rate = rate.beside("nginx", theirs);
            if aimed {
                rate = rate.aim(Aim::RatioAtLeast(aim));
            }
        }
        add(rate);
        let [p50, p99] = quantiles(latencies);
        add(Figure::single(format!("{prefix}{name}, p50"), "ms", p50));
        add(Figure::single(format!("{prefix}{name}, p99"), "ms", p99));
    }
}

fn quantiles(mut samples: Vec<f64>) -> [f64; 2] {
    samples.sort_by(f64::total_cmp);
    [50, 99].map(|part| samples[(samples.len() - 1) * part / 100])
}

fn ping(public_id: &str, headers: &str) -> Vec<u8> {
    format!("POST /{public_id} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n{headers}\r\n")
        .into_bytes()
}

/// The server, ended when dropped.
struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    /// Started by `before`, which pins it to a core, if that is not empty.
    fn start(directory: &TempDir, before: &[&str]) -> Self {
        let program = pakyas_server();
        let words = [before, &[program.to_str().unwrap()]].concat();
        let mut child = Command::new(words[0])
            .args(&words[1..])
            // On all addresses of this machine, so that clients don't run out of ports.
            .args(["--listen", "0.0.0.0:0", "--public-url", "http://localhost"])
            .args(["--api-limit", "100000000", "--data-dir"])
            .arg(directory.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut greeting = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut greeting)
            .unwrap();
        let port = greeting.trim().rsplit(':').next().unwrap().parse().unwrap();
        Self {
            child,
            address: SocketAddr::from(([127, 0, 0, 1], port)),
        }
    }

    /// Megabytes in memory.
    fn memory(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let kib: f64 = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .and_then(|value| value.trim().trim_end_matches(" kB").parse().ok())
            .unwrap();
        kib * 1024.0 / 1e6
    }

    /// Makes checks and gives their public ids.
    fn create_checks(&self, ids: &Value, count: usize) -> Vec<String> {
        let made = Mutex::new(Vec::with_capacity(count));
        let next = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..CLIENTS {
                scope.spawn(|| {
                    let mut client = Client::new(self.address);
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= count {
                            return;
                        }
                        let body = json!({
                            "project_id": ids["project_id"], "name": format!("Check {number}"),
                            "slug": format!("check-{number}"), "period_seconds": 86_400,
                            "grace_seconds": 3600,
                        });
                        let check = client.api(ids, "POST", "/checks", &body);
                        let id = check["public_id"].as_str().unwrap().to_owned();
                        made.lock().unwrap().push(id);
                    }
                });
            }
        });
        made.into_inner().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        support::signal(self.child.id(), "TERM");
        let _ = self.child.wait();
    }
}

/// One round: the latency of every request.
fn load(address: SocketAddr, requests: &[Vec<u8>], kept: bool) -> Vec<Duration> {
    let all = Mutex::new(Vec::new());
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for number in 0..CLIENTS {
            let (all, stop) = (&all, &stop);
            scope.spawn(move || {
                // A loopback address of its own for each, so that none runs out of ports.
                let mut address = address;
                address.set_ip([127, 0, 1, number as u8 + 1].into());
                let mut client = Client::new(address);
                let mut latencies = Vec::new();
                let mut which = number * 7919;
                while !stop.load(Ordering::Relaxed) {
                    which = (which + 104_729) % requests.len();
                    let begun = Instant::now();
                    let status = client.exchange(&requests[which], kept);
                    latencies.push(begun.elapsed());
                    assert_eq!(status, 200);
                }
                all.lock().unwrap().extend(latencies);
            });
        }
        std::thread::sleep(ROUND);
        stop.store(true, Ordering::Relaxed);
    });
    all.into_inner().unwrap()
}

fn now_ms() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(0)
}

/// All of these checks fall silent in the same instant, with somebody to hear of it. Gives how
/// much later the alerts of 99 % of them, and of all, were written, milliseconds. `ping_time` is what
/// one of many pings takes here: on a slow machine they fall due later, so that all have had theirs.
fn fall_due(server: &Server, ids: &Value, targets: &[String], ping_time: Duration) -> (f64, f64) {
    // A target that takes everything.
    let target = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", target.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in target.incoming().flatten() {
            std::thread::spawn(move || take_everything(stream));
        }
    });
    let mut client = Client::new(server.address);
    let channel = json!({
        "org_id": ids["org_id"], "kind": "webhook", "name": "bench", "target": url,
    });
    client.api(ids, "POST", "/channels", &channel);
    let all = client.api(ids, "GET", "/projects", &Value::Null);
    assert!(all.is_array());

    // Their rules are changed, then each gets a ping as of the same moment.
    let wanted: std::collections::HashSet<&str> = targets.iter().map(String::as_str).collect();
    let rows = read_checks(server, ids);
    let mine: Vec<&(String, String)> = rows
        .iter()
        .filter(|(_, public_id)| wanted.contains(public_id.as_str()))
        .collect();
    let all_pings = ping_time * u32::try_from(targets.len()).unwrap();
    let period = PERIOD.max(4 * all_pings.as_secs());
    let rules = json!({ "period_seconds": period, "grace_seconds": GRACE });
    in_parallel(server.address, mine.len(), |client, place| {
        client.api(ids, "PUT", &format!("/checks/{}", mine[place].0), &rules);
    });
    let together = now_ms();
    in_parallel(server.address, targets.len(), |client, place| {
        let age = format!("X-Pakyas-Age: {}\r\n", now_ms() - together);
        assert_eq!(client.exchange(&ping(&targets[place], &age), true), 200);
    });
    let due = together + (period + GRACE) * 1000;
    assert!(
        now_ms() + 2000 < due,
        "this machine is too busy to ping them all in time"
    );
    // The pings have made all of them well; only these can fall due.
    assert!(down(&mut client) < targets.len() / 100);
    std::thread::sleep(Duration::from_millis(due.saturating_sub(now_ms())));
    let (mut p99, mut last, mut before) = (0, 0, 0);
    let mut progress = Instant::now();
    while last == 0 {
        let lag = now_ms().saturating_sub(due);
        let reached = down(&mut client);
        if reached > before {
            (before, progress) = (reached, Instant::now());
        }
        if p99 == 0 && reached * 100 >= targets.len() * 99 {
            p99 = lag;
        }
        if reached >= targets.len() {
            last = lag;
        }
        assert!(progress.elapsed() < PATIENCE, "only {reached} are down");
        std::thread::sleep(Duration::from_millis(2));
    }
    (p99 as f64, last as f64)
}

fn take_everything(mut stream: TcpStream) {
    let mut buffer = vec![0; 64 * 1024];
    let mut length = 0;
    while let Ok(read @ 1..) = stream.read(&mut buffer[length..]) {
        length += read;
        if let Some((_, whole)) = whole_message(&buffer[..length]) {
            buffer.copy_within(whole..length, 0);
            length -= whole;
            if stream
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                .is_err()
            {
                return;
            }
        }
    }
}

/// Ids and public ids of all checks.
fn read_checks(server: &Server, ids: &Value) -> Vec<(String, String)> {
    let mut answer = ureq::get(format!("http://{}/api/v1/checks", server.address))
        .header(
            "authorization",
            format!("Bearer {}", ids["api_key"].as_str().unwrap()),
        )
        .call()
        .unwrap();
    let bytes = answer
        .body_mut()
        .with_config()
        .limit(1 << 30)
        .read_to_vec()
        .unwrap();
    let checks: Vec<Value> = serde_json::from_slice(&bytes).unwrap();
    let text = |check: &Value, name: &str| check[name].as_str().unwrap().to_owned();
    checks
        .iter()
        .map(|check| (text(check, "id"), text(check, "public_id")))
        .collect()
}

fn in_parallel(address: SocketAddr, count: usize, work: impl Fn(&mut Client, usize) + Sync) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                let mut client = Client::new(address);
                loop {
                    let place = next.fetch_add(1, Ordering::Relaxed);
                    if place >= count {
                        return;
                    }
                    work(&mut client, place);
                }
            });
        }
    });
}

/// How many checks are down, by `/metrics`.
fn down(client: &mut Client) -> usize {
    client.exchange(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", true);
    let text = String::from_utf8_lossy(client.body()).into_owned();
    text.lines()
        .find_map(|line| line.strip_prefix("pakyas_checks{status=\"down\"} "))
        .and_then(|count| count.parse().ok())
        .unwrap()
}
