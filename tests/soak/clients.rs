//! Those who ping, and what each of them believes to have been delivered.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::support::dice::Dice;
use crate::support::home::Home;

/// What a client believes of one ping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Belief {
    /// It got its 200, or the ping was kept in a spool that is empty now.
    Delivered,
    /// Its sender was killed or gave up before it knew.
    Unknown,
}

/// What was sent for a check by those who name their runs: by run and kind.
pub type Sent = HashMap<(String, &'static str), Belief>;

/// What `pakyas monitor` ran for a check: by the exit code, each used once.
pub type Ran = HashMap<u64, Belief>;

/// A check as its clients know it.
#[derive(Debug, Clone)]
pub struct Known {
    pub slug: String,
    pub public_id: String,
}

/// What all clients of one kind share.
pub struct Scene<'a> {
    /// Where pings go: to the server, by way of what stands before it.
    pub url: &'a str,
    /// The server itself.
    pub server: &'a str,
    pub seed: u64,
    pub over: &'a AtomicBool,
}

impl Scene<'_> {
    fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }
}

/// Pings raw HTTP for checks of its own, each with one key until it is acknowledged; now and then it
/// gives up, and now and then it sends what is acknowledged once more.
pub fn raw(scene: &Scene<'_>, number: u64, checks: &[Known]) -> HashMap<String, Sent> {
    let mut dice = Dice::of(scene.seed ^ (number << 32));
    let agent = ureq::Agent::config_builder()
        .timeout_global(Some(Duration::from_secs(2)))
        .max_redirects(0)
        .max_redirects_will_error(false)
        .proxy(None)
        .build()
        .new_agent();
    let mut book: HashMap<String, Sent> = HashMap::new();
    let mut count = 0;
    while !scene.is_over() {
        let check = &checks[dice.below(checks.len() as u64) as usize];
        count += 1;
        let run = format!("raw-{number}-{count}");
        let kinds: &[(&str, &'static str)] = match dice.below(10) {
            0 => &[("/fail", "fail")],
            1 => &[("/3", "fail")],
            2 => &[("/log", "log")],
            3 => &[("/start", "start")],
            4..7 => &[("/start", "start"), ("/0", "success")],
            _ => &[("", "success")],
        };
        for &(suffix, kind) in kinds {
            let happened = Instant::now();
            let url = format!("{}/{}{suffix}", scene.url, check.public_id);
            let attempts = if dice.below(20) == 0 { 1 } else { u64::MAX };
            let mut belief = Belief::Unknown;
            for _ in 0..attempts {
                let answer = agent
                    .post(&url)
                    .header("Idempotency-Key", format!("{run}-{kind}"))
                    .header("X-Pakyas-Run", &run)
                    .header("X-Pakyas-Age", happened.elapsed().as_millis().to_string())
                    .send("what the job wrote");
                // Others answer 200 too: what says who speaks is the server's own header.
                let is_taken = |answer: &ureq::http::Response<ureq::Body>| {
                    answer.status() == 200 && answer.headers().contains_key("pakyas-server")
                };
                if answer.as_ref().is_ok_and(is_taken) {
                    belief = Belief::Delivered;
                    // Once more, as a proxy may.
                    if dice.below(10) != 0 {
                        break;
                    }
                } else if belief == Belief::Delivered {
                    break;
                } else {
                    std::thread::sleep(dice.millis(10, 100));
                }
            }
            let sent = book.entry(check.slug.clone()).or_default();
            sent.insert((run.clone(), kind), belief);
        }
        std::thread::sleep(dice.millis(0, 10));
    }
    book
}

/// What one home's `pakyas` did.
#[derive(Default)]
pub struct Jobs {
    pub pinged: HashMap<String, Sent>,
    pub ran: HashMap<String, Ran>,
}

/// Starts the real `pakyas`, again and again, and kills some of them. `monitored` are the
/// checks of its jobs, one after the other: an exit code tells which of a check's jobs it was.
pub fn processes(
    scene: &Scene<'_>,
    number: u64,
    home: &Home,
    pinged: &Known,
    monitored: &[Known],
) -> Jobs {
    let mut dice = Dice::of(scene.seed ^ (number << 40));
    let mut jobs = Jobs::default();
    let mut codes = monitored
        .iter()
        .flat_map(|check| (1..=255).map(move |code| (check, code)));
    let mut count = 0;
    while !scene.is_over() {
        let dies = dice.below(8) == 0;
        let mut command = home.command();
        count += 1;
        let run = format!("home-{number}-{count}");
        let job = if dice.below(2) == 0 {
            let (suffix, kind) = if dice.below(4) == 0 {
                ("3", "fail")
            } else {
                ("0", "success")
            };
            command.args(["ping", "--public-id", &pinged.public_id]);
            command.args(["--exit-code", suffix, "--run", &run]);
            Err(kind)
        } else {
            let Some((check, code)) = codes.next() else {
                return jobs;
            };
            command.args(["monitor", "--public-id", &check.public_id]);
            Ok((check, code))
        };
        command.args(["--ping-timeout", "1s", "--quiet"]);
        if let Ok((_, code)) = job {
            command.args(["--", "sh", "-c", &format!("echo out; exit {code}")]);
        }
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        if dies {
            std::thread::sleep(dice.millis(0, 60));
            let _ = child.kill();
        }
        let code = child.wait().unwrap().code();
        let belief = |wanted| match code {
            Some(code) if code == wanted => Belief::Delivered,
            // A kill is the only reason for anything else.
            other => {
                assert!(dies && other.is_none(), "{run} ended with {other:?}");
                Belief::Unknown
            }
        };
        match job {
            Err(kind) => {
                let sent = jobs.pinged.entry(pinged.slug.clone()).or_default();
                let belief = belief(0);
                sent.insert((run, kind), belief);
            }
            Ok((check, code)) => {
                let ran = jobs.ran.entry(check.slug.clone()).or_default();
                ran.insert(code, belief(code as i32));
            }
        }
    }
    jobs
}

/// Writes what is no ping, or half of one for a check that nobody pings; slowly, or all at once.
pub fn rude(scene: &Scene<'_>, number: u64, untouched: &Known) {
    let mut dice = Dice::of(scene.seed ^ (number << 48));
    let address: SocketAddr = scene.server.trim_start_matches("http://").parse().unwrap();
    let id = &untouched.public_id;
    while !scene.is_over() {
        let bytes = match dice.below(5) {
            0 => (0..dice.below(3_000))
                .map(|_| char::from(dice.below(256) as u8))
                .collect(),
            1 => format!("POST /{id} HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf"),
            2 => format!("GET /{id} HTTP/1.1\r\nHost: a\r\nX-Half: "),
            3 => format!("POST /{id} HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n"),
            _ => format!("GET /{id}/999 HTTP/1.1\r\nHost: a\r\n\r\nGET {id} HTTP/1.1\r\n\r\n"),
        };
        if let Ok(mut stream) = TcpStream::connect_timeout(&address, Duration::from_secs(1)) {
            let _ = stream.set_write_timeout(Some(Duration::from_secs(1)));
            let _ = stream.set_read_timeout(Some(Duration::from_millis(200)));
            let piece = dice.below(200) as usize + 1;
            for piece in bytes.as_bytes().chunks(piece) {
                if stream.write_all(piece).is_err() {
                    break;
                }
                std::thread::sleep(dice.millis(0, 5));
            }
            let _ = stream.read(&mut [0; 512]);
            std::thread::sleep(dice.millis(0, 500));
        }
        std::thread::sleep(dice.millis(1, 50));
    }
}
