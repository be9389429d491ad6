//! What a ping costs the machine that sends it: `pakyas ping` beside `curl`, to the same nginx, in
//! turn, in one run. Over HTTP, and over HTTPS with a CA of its own.
//!
//! `cargo bench --bench ping`

#![allow(missing_docs, reason = "a program, not a library")]

mod figures;
mod nginx;
#[path = "../support/mod.rs"]
mod support;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use figures::{Aim, Figure, Figures};
use nginx::Nginx;
use support::TempDir;
use support::programs::{pakyas, pakyas_server};
use support::tls::{Authority, Front, Identity, VALID};

/// How often each command is run, each way.
const RUNS: usize = 300;

/// How often its memory is looked at.
const LOOKS: usize = 9;

const PUBLIC_ID: &str = "550e8400-e29b-41d4-a716-446655440000";

/// Who pings: a command, and the variables that tell it where to and whom to trust.
#[derive(Clone, Copy)]
enum Who {
    Pakyas,
    Curl,
}

fn main() {
    let mut figures = Figures::of("ping");
    let directory = TempDir::new();
    let authority = Authority::new("bench");
    let identity = authority.issue(&["127.0.0.1"], VALID);
    let file = |name: &str, text: &str| -> PathBuf {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let ca = file("ca.pem", &authority.pem());
    let certificate = file("certificate.pem", &identity.certificate_pem);
    let key = file("key.pem", &identity.key_pem);

    sizes(&mut figures);
    if command(Who::Curl, "", &ca)
        .arg("--version")
        .stdout(Stdio::null())
        .status()
        .is_err()
    {
        println!("there is no curl here to compare with; install it for that");
        return figures.write();
    }
    match Nginx::start_with_tls(&certificate, &key) {
        None => println!("there is no nginx here to ping; Debian's nginx-light will do"),
        Some(nginx) => {
            let plain = format!("http://{}", nginx.address);
            let tls = format!("https://{}", nginx.tls.unwrap());
            times(&mut figures, "HTTP", &plain, &ca, 0.33);
            times(&mut figures, "HTTPS", &tls, &ca, 1.0);
        }
    }
    memory(&mut figures, &ca, identity);
    figures.write();
}

fn command(who: Who, url: &str, ca: &Path) -> Command {
    let mut command = match who {
        Who::Pakyas => Command::new(pakyas()),
        Who::Curl => Command::new("curl"),
    };
    command
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("HOME", "/nonexistent")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    match who {
        Who::Pakyas => command
            .args(["ping", "--public-id", PUBLIC_ID])
            .env("PAKYAS_PING_URL", url)
            .env("PAKYAS_CA_FILE", ca),
        Who::Curl => command
            .args([
                "-fsS",
                "-m",
                "10",
                "--retry",
                "3",
                "-o",
                "/dev/null",
                "--cacert",
            ])
            .arg(ca)
            .arg(format!("{url}/{PUBLIC_ID}")),
    };
    command
}

/// The whole command, from just before the spawn until it has been waited for, and its own time
/// on a processor; milliseconds.
fn run(mut command: Command) -> (f64, f64) {
    let begun = Instant::now();
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    // Its end closes the pipe; until it is waited for, the kernel still knows what it used.
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_to_end(&mut Vec::new()).unwrap();
    let used = std::fs::read_to_string(format!("/proc/{}/schedstat", child.id()));
    let status = child.wait().unwrap();
    let took = begun.elapsed();
    assert!(status.success());
    let used = used.unwrap_or_default();
    let used: f64 = used.split(' ').next().unwrap_or("").parse().unwrap_or(0.0);
    (took.as_secs_f64() * 1e3, used / 1e6)
}

fn times(figures: &mut Figures, over: &str, url: &str, ca: &Path, aim: f64) {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        theirs.push(run(command(Who::Curl, url, ca)));
        ours.push(run(command(Who::Pakyas, url, ca)));
    }
    let (ours, theirs): ([Vec<f64>; 2], [Vec<f64>; 2]) = (apart(&ours), apart(&theirs));
    let [(our_time, our_cpu), (their_time, their_cpu)] =
        [ours, theirs].map(|[time, cpu]| (time, cpu));
    figures.add(
        Figure::new(format!("ping over {over}, time"), "ms", our_time)
            .beside("curl", their_time)
            .aim(Aim::RatioAtMost(aim)),
    );
    figures.add(
        Figure::new(format!("ping over {over}, processor"), "ms", our_cpu)
            .beside("curl", their_cpu),
    );
}

fn apart(both: &[(f64, f64)]) -> [Vec<f64>; 2] {
    [
        both.iter().map(|both| both.0).collect(),
        both.iter().map(|both| both.1).collect(),
    ]
}

/// The most memory that each had in use when its request had been sent and it waited for the
/// answer: all but the end.
fn memory(figures: &mut Figures, ca: &Path, identity: Identity) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let plain = format!("http://{}", listener.local_addr().unwrap());
    let front = Front::new(identity, &plain);
    for (over, url) in [("HTTP", plain.clone()), ("HTTPS", front.url())] {
        let peak = |who| -> Vec<f64> {
            let look = |_| {
                let child = command(who, &url, ca).spawn();
                let mut child = child.unwrap();
                let (mut stream, _) = listener.accept().unwrap();
                read_head(&mut stream);
                let peak = peak_memory(child.id());
                stream
                    .write_all(
                        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nOK",
                    )
                    .unwrap();
                drop(stream);
                assert!(child.wait().unwrap().success());
                peak
            };
            (0..LOOKS).map(look).collect()
        };
        let (ours, theirs) = (peak(Who::Pakyas), peak(Who::Curl));
        figures.add(
            Figure::new(format!("ping over {over}, peak memory"), "MB", ours)
                .beside("curl", theirs)
                .aim(Aim::AtMost(3.0)),
        );
    }
}

fn read_head(stream: &mut TcpStream) {
    let mut head = Vec::new();
    let mut buffer = [0; 4096];
    while !head.windows(4).any(|four| four == b"\r\n\r\n") {
        let count = stream.read(&mut buffer).unwrap();
        assert!(count > 0, "the request is not whole");
        head.extend_from_slice(&buffer[..count]);
    }
}

/// Megabytes.
fn peak_memory(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let kib = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|value| value.trim().trim_end_matches(" kB").parse::<f64>().ok())
        .unwrap();
    kib * 1024.0 / 1e6
}

/// What is loaded to run each program: the file, and the libraries that it names.
fn sizes(figures: &mut Figures) {
    let ours = loaded(&pakyas());
    let curl = ["/usr/bin/curl", "/usr/local/bin/curl", "/bin/curl"];
    let figure = Figure::single("pakyas and the libraries it loads", "MB", ours);
    figures.add(
        match curl.iter().map(Path::new).find(|path| path.exists()) {
            Some(curl) => figure.beside("curl", vec![loaded(curl)]),
            None => figure,
        },
    );
    figures.add(Figure::single(
        "pakyas-server and the libraries it loads",
        "MB",
        loaded(&pakyas_server()),
    ));
}

/// Megabytes.
fn loaded(program: &Path) -> f64 {
    let told = Command::new("ldd").arg(program).output();
    let told = told.map_or(String::new(), |told| {
        String::from_utf8_lossy(&told.stdout).into_owned()
    });
    let libraries = told
        .split_whitespace()
        .filter(|word| word.starts_with('/'))
        .map(PathBuf::from);
    let bytes: u64 = libraries
        .chain([program.to_owned()])
        .filter_map(|path| Some(std::fs::metadata(path).ok()?.len()))
        .sum();
    bytes as f64 / 1e6
}
