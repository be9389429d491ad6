//! pakyas-server as a process: its command line, its end, and what survives `kill -9`.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::support;
use crate::support::hook::Hook;
use crate::support::programs::pakyas_server;
use crate::support::server::{Server, command, init};
use crate::support::{TempDir, wait_for};
use jiff::Timestamp;
use serde_json::Value;

const NONE: Value = Value::Null;

/// How often the server is killed, and from how many connections it is pinged meanwhile.
const KILLS: usize = 25;
const CLIENTS: usize = 8;

#[test]
fn no_acknowledged_ping_is_lost_and_none_counted_twice_by_kill_9_under_load() {
    let mut server = Server::start();
    let check = server.check("job", 3600, 300, &NONE);
    let acknowledged = Mutex::new(Vec::new());
    for round in 0..KILLS {
        let stop = AtomicBool::new(false);
        let before = acknowledged.lock().unwrap().len();
        std::thread::scope(|scope| {
            for client in 0..CLIENTS {
                let (server, check, stop, acknowledged) = (&server, &check, &stop, &acknowledged);
                scope.spawn(move || {
                    for count in 0.. {
                        let run = format!("{round}-{client}-{count}");
                        let path = format!("/{}/0", check["public_id"].as_str().unwrap());
                        let headers = [("idempotency-key", run.as_str()), ("x-pakyas-run", &run)];
                        match server.request("POST", &path, &headers, b"") {
                            Ok(answer) if answer.status == 200 => {
                                acknowledged.lock().unwrap().push(run);
                            }
                            _ if stop.load(Ordering::SeqCst) => return,
                            other => panic!("{other:?}"),
                        }
                    }
                });
            }
            // Some pings into the round, a few more each time, the power goes.
            support::wait_for("pings", || {
                (acknowledged.lock().unwrap().len() >= before + 20 + round).then_some(())
            });
            stop.store(true, Ordering::SeqCst);
            support::signal(server.pid() as u32, "KILL");
        });
        server.restart();
    }
    let mut seen: HashMap<String, usize> = HashMap::new();
    for ping in server.history(&check) {
        *seen
            .entry(ping["run_id"].as_str().unwrap().to_owned())
            .or_default() += 1;
    }
    let acknowledged = acknowledged.into_inner().unwrap();
    assert!(acknowledged.len() >= 20 * KILLS);
    for run in &acknowledged {
        assert_eq!(seen.get(run), Some(&1), "{run}");
    }
    assert!(seen.values().all(|&count| count == 1));
}

#[test]
fn sigterm_and_sigint_end_it_cleanly_with_everything_kept() {
    for signal in ["TERM", "INT"] {
        let mut server = Server::start();
        let check = server.check("job", 3600, 300, &NONE);
        server.ping(&check, "/fail");
        support::signal(server.pid() as u32, signal);
        assert_eq!(server.wait(), Some(0), "{signal}");
        // Everything is in the one file.
        let log = server.database().with_extension("db-wal");
        assert!(std::fs::metadata(log).map_or(0, |file| file.len()) == 0);
        server.restart();
        assert_eq!(server.show(&check)["status"], "down");
        assert_eq!(server.history(&check).len(), 1);
    }
}

#[test]
fn a_ping_that_was_read_when_the_end_was_asked_for_is_answered() {
    let mut server = Server::start();
    let check = server.check("job", 3600, 300, &NONE);
    let stopped = AtomicBool::new(false);
    let unanswered = Mutex::new(Vec::new());
    let acknowledged = Mutex::new(0);
    std::thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                let path = format!("/{}", check["public_id"].as_str().unwrap());
                while !stopped.load(Ordering::SeqCst) {
                    match server.request("POST", &path, &[], b"") {
                        Ok(answer) if answer.status == 200 => *acknowledged.lock().unwrap() += 1,
                        other => unanswered.lock().unwrap().push(format!("{other:?}")),
                    }
                }
            });
        }
        support::wait_for("pings", || {
            (*acknowledged.lock().unwrap() > 50).then_some(())
        });
        support::signal(server.pid() as u32, "TERM");
        support::wait_for("the end", || {
            (!std::path::Path::new(&format!("/proc/{}/exe", server.pid())).exists()).then_some(())
        });
        stopped.store(true, Ordering::SeqCst);
    });
    assert_eq!(server.wait(), Some(0));
    server.restart();
    let acknowledged = acknowledged.into_inner().unwrap();
    assert_eq!(server.history(&check).len(), acknowledged);
}

#[test]
fn init_prints_the_ids_and_a_key_that_works_and_refuses_a_second_time() {
    let directory = TempDir::new();
    let ids = init(&directory);
    assert!(ids["api_key"].as_str().unwrap().starts_with("pk_live_"));
    let again = command()
        .args([
            "init",
            "--org",
            "B",
            "--project",
            "P",
            "--email",
            "a@b.example",
            "--data-dir",
        ])
        .arg(directory.path())
        .output()
        .unwrap();
    assert_eq!(again.status.code(), Some(1));
    let sentence = String::from_utf8(again.stderr).unwrap();
    assert!(
        sentence.contains("has an organization already"),
        "{sentence}"
    );
    assert!(again.stdout.is_empty());
}

#[test]
fn init_takes_a_password_from_a_file_and_keeps_only_its_hash() {
    let directory = TempDir::new();
    let secret = directory.path().join("secret");
    std::fs::write(&secret, "correct horse\n").unwrap();
    let data = directory.path().join("data");
    let output = command()
        .args([
            "init",
            "--org",
            "A",
            "--project",
            "P",
            "--email",
            "a@b.example",
            "--password-file",
        ])
        .arg(&secret)
        .arg("--data-dir")
        .arg(&data)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    for line in ["Organization: ", "Project: ", "API key: pk_live_"] {
        assert!(text.contains(line), "{text}");
    }
    let key = text
        .split_once("API key: ")
        .unwrap()
        .1
        .lines()
        .next()
        .unwrap();
    let db = rusqlite::Connection::open(data.join("pakyas.db")).unwrap();
    let hash: String = db
        .query_row("SELECT password_hash FROM user", [], |row| row.get(0))
        .unwrap();
    assert!(hash.starts_with("$argon2id$"), "{hash}");
    drop(db);
    for file in std::fs::read_dir(&data).unwrap() {
        let path = file.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        for secret in ["correct horse", key] {
            let found = bytes
                .windows(secret.len())
                .any(|window| window == secret.as_bytes());
            assert!(!found, "{} holds a secret", path.display());
        }
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(
            path.metadata().unwrap().permissions().mode() & 0o077,
            0,
            "{}",
            path.display()
        );
    }
}

#[test]
fn a_first_start_without_init_prints_how_to_log_in() {
    let directory = TempDir::new();
    let mut server = Server::bare(&directory);
    let text = server.greeting.clone();
    let login = text
        .lines()
        .find(|line| line.contains("pakyas login"))
        .unwrap();
    assert!(
        login.contains(&format!("--api-url {} --api-key pk_live_", server.url)),
        "{login}"
    );
    server.key = login.rsplit(' ').next().unwrap().to_owned();
    let me = server.api("GET", "/me", None).json();
    assert_eq!(me["org_name"], "My Organization");
    assert!(text.contains("pakyas org switch \"My Organization\""));
    assert!(text.contains("pakyas project switch \"Production\""));
    // A second start says nothing of keys.
    server.restart();
    assert!(!server.greeting.contains("pk_live_"), "{}", server.greeting);
}

#[test]
fn two_servers_never_share_a_data_directory() {
    let server = Server::start();
    for arguments in [
        &["--listen", "127.0.0.1:0"][..],
        &[
            "init",
            "--org",
            "B",
            "--project",
            "P",
            "--email",
            "a@b.example",
        ],
    ] {
        let output = command()
            .args(arguments)
            .arg("--data-dir")
            .arg(server.database().parent().unwrap())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1));
        let sentence = String::from_utf8(output.stderr).unwrap();
        assert!(
            sentence.contains("another pakyas-server is using"),
            "{sentence}"
        );
    }
}

#[test]
fn a_database_of_a_newer_version_is_refused_and_left_alone() {
    let directory = TempDir::new();
    init(&directory);
    let path = directory.path().join("pakyas.db");
    let db = rusqlite::Connection::open(&path).unwrap();
    db.pragma_update(None, "user_version", 4711).unwrap();
    drop(db);
    let output = command()
        .args(["--listen", "127.0.0.1:0", "--data-dir"])
        .arg(directory.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let sentence = String::from_utf8(output.stderr).unwrap();
    assert!(sentence.contains("newer pakyas-server"), "{sentence}");
}

#[test]
fn an_address_in_use_is_named() {
    let server = Server::start();
    let directory = TempDir::new();
    let address = server.url.trim_start_matches("http://");
    let output = command()
        .args(["--listen", address, "--data-dir"])
        .arg(directory.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let sentence = String::from_utf8(output.stderr).unwrap();
    assert!(
        sentence.contains(address) && sentence.contains("--listen"),
        "{sentence}"
    );
}

#[test]
fn usage_errors_are_2_and_help_and_version_are_0() {
    for (arguments, code) in [
        (&["--version"][..], 0),
        (&["--help"], 0),
        (&["init", "--help"], 0),
        (&["--no-such-flag"], 2),
        (&["init"], 2),
        (&["--listen", "nowhere"], 2),
    ] {
        let output = command()
            .args(arguments)
            .env("HOME", "/nonexistent")
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}");
        assert_eq!(output.stdout.is_empty(), code != 0, "{arguments:?}");
        assert_eq!(output.stderr.is_empty(), code == 0, "{arguments:?}");
    }
}

#[test]
fn options_come_from_the_environment_too_and_a_flag_is_stronger() {
    let directory = TempDir::new();
    init(&directory);
    let server = Server::bare_with(&directory, |command| {
        command
            .env("PAKYAS_SERVER_LISTEN", "127.0.0.1:1")
            .env("PAKYAS_SERVER_PUBLIC_URL", "https://pakyas.example.com/");
    });
    let ids = server.greeting.clone();
    assert!(!ids.contains("pk_live_"));
    assert_eq!(
        server.request("GET", "/healthz", &[], b"").unwrap().body,
        "ok"
    );
}

#[test]
fn a_full_disk_is_told_by_health_and_pings_alike_loses_nothing_and_passes() {
    let Some(mut command) = support::unshare(&["-m"]) else {
        return;
    };
    let folder = TempDir::new();
    // The server in a mount namespace where its directory is a small disk, filled and emptied
    // by what is typed to the shell that started it. Its log is on a full disk all the time.
    let script = "mount -t tmpfs -o size=3m none \"$1\" || { echo skipped; exit; }; cd \"$1\"; \
                  \"$2\" --listen 127.0.0.1:0 --data-dir data 2> /dev/full & server=$!; \
                  while read -r word; do \
                    case $word in fill) cat /dev/zero > filler 2> /dev/null;; free) rm filler;; esac; \
                    echo did $word; \
                  done; kill $server; wait";
    let mut child = command
        .args(["sh", "-c", script, "sh"])
        .arg(folder.path())
        .arg(pakyas_server())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map(Result::unwrap);
    let mut stdin = child.stdin.take().unwrap();
    let mut key = String::new();
    let url = loop {
        let line = lines.next().unwrap();
        if line == "skipped" {
            eprintln!("skipped: nothing can be mounted here");
            child.wait().unwrap();
            return;
        }
        let last = line.rsplit(' ').next().unwrap().to_owned();
        if line.contains("--api-key") {
            key = last;
        } else if line.contains("is listening on") {
            break last;
        }
    };
    let mut say = |word: &str| {
        writeln!(stdin, "{word}").unwrap();
        assert_eq!(lines.next().unwrap(), format!("did {word}"));
    };
    let server = Server::elsewhere(&url, &key);
    let check = server.check("job", 3600, 300, &NONE);
    let mut acknowledged = 0;
    let health = || server.request("GET", "/healthz", &[], b"").unwrap().status;
    for _ in 0..3 {
        say("fill");
        // What room SQLite still has it may use; then it must refuse.
        let body = [b'x'; 10_000];
        support::wait_for("a refusal", || {
            let answer = server.ping_with(&check, "/1", &[], &body);
            acknowledged += usize::from(answer.status == 200);
            (answer.status == 503).then(|| assert_eq!(answer.header("retry-after"), "5"))
        });
        assert_eq!(health(), 503);
        say("free");
        assert_eq!(health(), 200);
        assert_eq!(server.ping(&check, "").status, 200);
        acknowledged += 1;
    }
    assert_eq!(server.history(&check).len(), acknowledged);
    drop(stdin);
    child.wait().unwrap();
}

#[test]
fn pings_are_refused_once_the_data_directory_was_deleted() {
    let server = Server::start();
    let check = server.check("job", 3600, 300, &NONE);
    assert_eq!(server.ping(&check, "").status, 200);
    std::fs::remove_file(server.database()).unwrap();
    assert_eq!(server.ping(&check, "").status, 503);
    let health = server.request("GET", "/healthz", &[], b"").unwrap();
    assert_eq!(health.status, 503);
}

/// When the server noted last that it is there.
fn noted(server: &Server) -> Option<i64> {
    let note = std::fs::read_to_string(server.database().with_file_name("lock")).ok()?;
    note.split_ascii_whitespace().next()?.parse().ok()
}

#[test]
fn what_fell_due_while_the_server_was_off_is_not_told_before_those_who_repeat_had_a_chance() {
    let started = Timestamp::now().as_millisecond();
    let mut server = Server::start();
    let hook = Hook::start();
    server.webhook("ops", &hook.url, None);
    let [before, meanwhile] = ["before", "meanwhile"].map(|slug| {
        let check = server.check(slug, 3_600, 60, &NONE);
        server.ping(&check, "");
        check
    });
    wait_for("the note that it is there", || {
        noted(&server).filter(|at| *at > started)
    });
    server.kill();
    // It ended ten minutes ago, and one of the checks was down by then.
    let now = Timestamp::now().as_millisecond();
    let ago = |minutes: i64| now - minutes * 60_000;
    let note = format!("{:<20}", ago(10));
    std::fs::write(server.database().with_file_name("lock"), note).unwrap();
    let db = rusqlite::Connection::open(server.database()).unwrap();
    for (check, due) in [(&before, ago(20)), (&meanwhile, ago(5))] {
        let slug = check["slug"].as_str().unwrap();
        db.execute(
            "UPDATE check_ SET expected_at = ?1, last_end_at = ?1 - 3600000, last_ping_at = ?1 - 3600000,
                 status_since = ?1 - 3600000 WHERE slug = ?2",
            rusqlite::params![due, slug],
        )
        .unwrap();
    }
    drop(db);
    server.restart();
    server.wait_for_status(&before, "down");
    assert_eq!(server.show(&meanwhile)["status"], "up");
    // It comes now, and knows nothing of its age.
    server.ping(&meanwhile, "");
    hook.wait(1);
    assert_eq!(server.show(&meanwhile)["status"], "up");
    let path = format!(
        "/checks/{}/events?types=state",
        meanwhile["id"].as_str().unwrap()
    );
    let told = server.api("GET", &path, None).json();
    assert_eq!(told["events"].as_array().unwrap().len(), 1, "{told}");
}

#[test]
fn a_failure_right_after_the_clock_was_set_back_is_told() {
    if std::env::var_os("PAKYAS_SERVER_BIN").is_some() {
        eprintln!("skipped: faketime reaches no static program");
        return;
    }
    let asked = std::process::Command::new("faketime")
        .args(["-m", "-f", "+0", "printenv", "LD_PRELOAD"])
        .output();
    let Ok(asked) = asked else {
        eprintln!("skipped: there is no faketime here");
        return;
    };
    let library = String::from_utf8(asked.stdout).unwrap().trim().to_owned();
    let folder = TempDir::new();
    let clock = folder.path().join("clock");
    let set = |off: i64| {
        let new = folder.path().join("new");
        std::fs::write(&new, format!("{off:+}\n")).unwrap();
        std::fs::rename(new, &clock).unwrap();
    };
    set(0);
    let server = Server::start_with("127.0.0.1:0", |command| {
        command
            .env("LD_PRELOAD", &library)
            .env("FAKETIME_TIMESTAMP_FILE", &clock)
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    });
    let hook = Hook::start();
    server.webhook("ops", &hook.url, None);
    let check = server.check("job", 3_600, 300, &NONE);
    // More than once: it must not be luck.
    for (round, off) in (1..).zip([-3_600, -7_200, -10_800]) {
        server.ping(&check, "");
        set(off);
        server.ping(&check, "/fail");
        let after = server.show(&check);
        assert_eq!(after["status"], "down", "{after}");
        hook.wait(2 * round - 1);
        server.ping(&check, "");
        hook.wait(2 * round);
    }
}
