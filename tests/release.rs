//! What a release promises of its programs: they need nothing of the machine but its kernel.
//! Tried where `PAKYAS_BIN` and `PAKYAS_SERVER_BIN` name the programs (`make test-binaries`).

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::support;
use crate::support::TempDir;
use crate::support::home::{Home, Outcome, captured};
use crate::support::programs::{pakyas, pakyas_server};
use crate::support::server::Server;
use serde_json::Value;

const NONE: Value = Value::Null;

/// The programs of a release; `None`, said on stderr, where cargo's own are tried.
fn release() -> Option<[PathBuf; 2]> {
    if ["PAKYAS_BIN", "PAKYAS_SERVER_BIN"].map(|name| std::env::var_os(name).is_some()) == [true; 2]
    {
        return Some([pakyas(), pakyas_server()]);
    }
    eprintln!("skipped: PAKYAS_BIN and PAKYAS_SERVER_BIN name no release");
    None
}

/// The types of a program's segments (elf(5)).
fn segments(elf: &[u8]) -> Vec<u32> {
    let number = |at: usize, bytes: usize| {
        elf[at..at + bytes]
            .iter()
            .rev()
            .fold(0, |so_far, &byte| so_far << 8 | usize::from(byte))
    };
    assert_eq!(&elf[..4], b"\x7fELF", "not a program");
    // Where the table is, and at which bytes the size and the count of its entries are.
    let (table, size) = match elf[4] {
        1 => (number(28, 4), 42),
        _ => (number(32, 8), 54),
    };
    (0..number(size + 2, 2))
        .map(|index| number(table + index * number(size, 2), 4) as u32)
        .collect()
}

#[test]
fn nothing_of_glibc_and_no_loader_is_in_a_release() {
    const INTERPRETER: u32 = 3;
    for program in release().into_iter().flatten() {
        let elf = fs::read(&program).unwrap();
        assert!(!segments(&elf).contains(&INTERPRETER), "{program:?}");
        for trace in ["GLIBC_", "ld-linux", "libc.so.6", "GNU C Library"] {
            let has = elf
                .windows(trace.len())
                .any(|bytes| bytes == trace.as_bytes());
            assert!(!has, "{trace} is in {program:?}");
        }
    }
}

#[test]
fn ldd_says_that_a_release_is_static() {
    for program in release().into_iter().flatten() {
        let output = Command::new("ldd").arg(&program).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert!(
            said.contains("not a dynamic executable") || said.contains("statically linked"),
            "{program:?}: {said}"
        );
    }
}

/// A name server on an address of loopback that no other test has, ended when dropped.
struct NameServer {
    address: Ipv4Addr,
    asked: Arc<Mutex<Vec<String>>>,
    ended: Arc<AtomicBool>,
}

impl NameServer {
    /// Says that `name` is 127.0.0.1 and that nothing else is there. `cuts` has it cut what it
    /// answers over UDP, so that it must be asked again over TCP. `None`, said on stderr, where
    /// this user may not have port 53.
    fn new(name: &'static str, cuts: bool) -> Option<Self> {
        static COUNT: AtomicU8 = AtomicU8::new(1);
        let [high, low] = (std::process::id() as u16).to_be_bytes();
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let address = Ipv4Addr::new(127, high | 128, low, count);
        let (Ok(udp), Ok(tcp)) = (
            UdpSocket::bind((address, 53)),
            TcpListener::bind((address, 53)),
        ) else {
            eprintln!("skipped: port 53 is not for this user");
            return None;
        };
        let asked = Arc::new(Mutex::new(Vec::new()));
        let ended = Arc::new(AtomicBool::new(false));
        thread::spawn({
            let (asked, ended) = (Arc::clone(&asked), Arc::clone(&ended));
            udp.set_read_timeout(Some(Duration::from_millis(100)))
                .unwrap();
            move || {
                let mut query = [0; 512];
                while !ended.load(Ordering::SeqCst) {
                    let Ok((size, from)) = udp.recv_from(&mut query) else {
                        continue;
                    };
                    let answer = answer(&query[..size], name, cuts, &asked);
                    let _ = udp.send_to(&answer, from);
                }
            }
        });
        thread::spawn({
            let (asked, ended) = (Arc::clone(&asked), Arc::clone(&ended));
            move || {
                for stream in tcp.incoming() {
                    if ended.load(Ordering::SeqCst) {
                        return;
                    }
                    let Ok(mut stream) = stream else { continue };
                    let _ = stream.set_read_timeout(Some(Duration::from_secs(10)));
                    let mut size = [0; 2];
                    if stream.read_exact(&mut size).is_err() {
                        continue;
                    }
                    let mut query = vec![0; usize::from(u16::from_be_bytes(size))];
                    if stream.read_exact(&mut query).is_ok() {
                        asked.lock().unwrap().push("over TCP".to_owned());
                        let answer = answer(&query, name, false, &asked);
                        let size = (answer.len() as u16).to_be_bytes();
                        let _ = stream.write_all(&[&size[..], &answer].concat());
                    }
                }
            }
        });
        Some(Self {
            address,
            asked,
            ended,
        })
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        let address = SocketAddr::from((self.address, 53));
        let _ = std::net::TcpStream::connect_timeout(&address, Duration::from_secs(1));
    }
}

/// The answer to a query with one question (RFC 1035, section 4).
fn answer(query: &[u8], known: &str, cuts: bool, asked: &Mutex<Vec<String>>) -> Vec<u8> {
    let (mut name, mut at) = (Vec::new(), 12);
    while query[at] != 0 {
        let end = at + 1 + usize::from(query[at]);
        name.push(String::from_utf8_lossy(&query[at + 1..end]).into_owned());
        at = end;
    }
    let (name, question_end) = (name.join("."), at + 5);
    let wants_ipv4 = query[at + 1..at + 3] == [0, 1];
    let is_known = name.eq_ignore_ascii_case(known);
    asked.lock().unwrap().push(name);
    let records = u8::from(is_known && wants_ipv4 && !cuts);
    // An answer, by who knows and can ask further; cut where that is asked for; no such name.
    let flags = [
        0x85 | if cuts { 2 } else { 0 },
        0x80 | if is_known { 0 } else { 3 },
    ];
    let mut answer = query[..2].to_vec();
    answer.extend(flags);
    answer.extend([0, 1, 0, records, 0, 0, 0, 0]);
    answer.extend(&query[12..question_end]);
    if records > 0 {
        // The name is the question's; an IPv4 address of the Internet, for a minute.
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1]);
    }
    answer
}

/// `pakyas ping` in a root file system that has the program and, where one is given, an
/// /etc/resolv.conf: no /dev, no /proc, no /tmp. `None` where this user may not go there.
fn ping_from_nowhere(url: &str, id: &str, resolver: Option<&str>) -> Option<Outcome> {
    let mut command = support::unshare(&["-m"])?;
    let root = TempDir::new();
    fs::copy(pakyas(), root.path().join("pakyas")).unwrap();
    if let Some(resolver) = resolver {
        fs::create_dir(root.path().join("etc")).unwrap();
        fs::write(root.path().join("etc/resolv.conf"), resolver).unwrap();
    }
    command
        .arg("chroot")
        .arg(root.path())
        .args(["/pakyas", "ping", "--strict", "--ping-timeout", "8s"])
        .args(["--ping-url", url, "--public-id", id])
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    Some(captured(&mut command))
}

/// A server with a check: its port and the check's public id as well.
fn server_with_check() -> (Server, Value, String, String) {
    let server = Server::start();
    let check = server.check("job", 3600, 300, &NONE);
    let id = check["public_id"].as_str().unwrap().to_owned();
    let port = server.url.rsplit(':').next().unwrap().to_owned();
    (server, check, id, port)
}

/// Whether the release's client is one for this machine, so that it runs with nothing around it.
fn runs_by_itself() -> bool {
    release().is_some_and(|[client, _]| {
        let elf = fs::read(client).unwrap();
        let own = fs::read("/proc/self/exe").unwrap();
        elf.get(18..20) == own.get(18..20)
    })
}

#[test]
fn a_name_is_found_where_there_is_nothing_but_the_program_and_a_resolv_conf() {
    if !runs_by_itself() {
        return;
    }
    let Some(names) = NameServer::new("pakyas.example.com", false) else {
        return;
    };
    let (server, check, id, port) = server_with_check();
    let url = format!("http://pakyas.example.com:{port}");
    let resolver = format!("nameserver {}\n", names.address);
    let Some(outcome) = ping_from_nowhere(&url, &id, Some(&resolver)) else {
        return;
    };
    outcome.exits(0);
    assert_eq!(server.history(&check).len(), 1);
    assert!(names.asked().contains(&"pakyas.example.com".to_owned()));
}

#[test]
fn a_short_name_is_found_in_the_domain_that_resolv_conf_says() {
    if !runs_by_itself() {
        return;
    }
    let Some(names) = NameServer::new("pakyas.corp.example", false) else {
        return;
    };
    let (server, check, id, port) = server_with_check();
    let resolver = format!(
        "search other.example corp.example\nnameserver {}\n",
        names.address
    );
    let Some(outcome) = ping_from_nowhere(&format!("http://pakyas:{port}"), &id, Some(&resolver))
    else {
        return;
    };
    outcome.exits(0);
    assert_eq!(server.history(&check).len(), 1);
}

#[test]
fn a_name_whose_answer_is_too_long_for_udp_is_found() {
    if !runs_by_itself() {
        return;
    }
    let Some(names) = NameServer::new("pakyas.example.com", true) else {
        return;
    };
    let (server, check, id, port) = server_with_check();
    let url = format!("http://pakyas.example.com:{port}");
    let resolver = format!("nameserver {}\n", names.address);
    let Some(outcome) = ping_from_nowhere(&url, &id, Some(&resolver)) else {
        return;
    };
    outcome.exits(0);
    assert_eq!(server.history(&check).len(), 1);
    assert!(names.asked().contains(&"over TCP".to_owned()));
}

#[test]
fn a_name_that_is_not_there_and_a_machine_without_a_resolver_are_told_in_a_sentence() {
    if !runs_by_itself() {
        return;
    }
    let Some(names) = NameServer::new("pakyas.example.com", false) else {
        return;
    };
    let id = "550e8400-e29b-41d4-a716-446655440000";
    let resolver = format!("nameserver {}\n", names.address);
    for (resolver, sentence) in [
        (
            Some(resolver.as_str()),
            "there is no host of that name, or no name server answers",
        ),
        (
            Some("nameserver 127.255.255.1\n"),
            "looking up its name takes too long (the name servers are in /etc/resolv.conf)",
        ),
        (
            None,
            "its name can't be looked up, since there is no /etc/resolv.conf; write 'nameserver \
             ADDRESS' into one, or use the server's address",
        ),
    ] {
        let url = "http://elsewhere.example.com:8080";
        let Some(outcome) = ping_from_nowhere(url, id, resolver) else {
            return;
        };
        let said = format!("Can't reach {url}: {sentence}");
        outcome.exits(4).says(&said);
    }
}

#[test]
fn an_address_needs_no_resolver() {
    if !runs_by_itself() {
        return;
    }
    let (server, check, id, _) = server_with_check();
    let Some(outcome) = ping_from_nowhere(&server.url, &id, None) else {
        return;
    };
    outcome.exits(0);
    assert_eq!(server.history(&check).len(), 1);
}

/// `dist/test-emulated.sh` runs this with programs whose clock is in that year.
#[test]
fn a_clock_past_2038_changes_nothing() {
    let Ok(year) = std::env::var("PAKYAS_TEST_YEAR") else {
        eprintln!("skipped: PAKYAS_TEST_YEAR names no year");
        return;
    };
    let in_year = |value: &Value, name: &str| {
        assert!(
            value[name].as_str().unwrap_or_default().starts_with(&year),
            "{name} is not in {year}: {value:#}"
        );
    };
    let server = Server::start();
    let check = server.check("job", 3600, 300, &NONE);
    in_year(&check, "created_at");
    let quick = server.check("quick", 1, 1, &NONE);

    let home = Home::at(&server.url);
    let id = check["public_id"].as_str().unwrap();
    home.pakyas(&format!("ping --strict --public-id {id}"))
        .exits(0);
    let history = server.history(&check);
    assert_eq!(history.len(), 1, "{history:#?}");
    in_year(&history[0], "created_at");
    assert_eq!(server.show(&check)["status"], "up");

    // A deadline in that year passes, and one that is not over does not.
    assert!(server.ping(&quick, "").status < 300);
    server.wait_for_status(&quick, "down");
    assert_eq!(server.show(&check)["status"], "up");

    // What the client keeps while no server is there.
    home.pakyas(&format!(
        "ping --ping-url http://127.0.0.1:1 --public-id {id}"
    ))
    .exits(0);
    let kept = home.pakyas("spool list --format json").exits(0).json();
    in_year(&kept[0], "happened_at");
}
